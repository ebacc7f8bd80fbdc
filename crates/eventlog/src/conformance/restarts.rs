//! Behaviour of a log across stops, clean and other.

use super::{Subject, append, append_events, claimed, contents, long_event, recovered, recovered_seqs, started};
use crate::ids::{ChainPoint, RecordNo};
use crate::log::LogError;
use crate::recovery::{RecoverError, recover};

/// After a clean stop the log goes on as if nothing had been.
pub fn a_log_goes_on_after_a_clean_stop(subject: &mut dyn Subject) {
    let (mut log, mut chain) = started(subject);
    append(log.as_mut(), &mut chain, 1..=5);
    let before = contents(log.reader().as_ref());
    log.close().expect("it closes");
    let (mut log, mut chain) = started(subject);
    assert_eq!(contents(log.reader().as_ref()).split_last().map(|(_, rest)| rest), Some(before.as_slice()));
    assert_eq!((chain.epoch().0, chain.next_event().0), (3, 6));
    append(log.as_mut(), &mut chain, 6..=6);
}

/// After a clean stop nothing at all can pass for a torn tail.
pub fn a_clean_stop_leaves_the_anchor_at_the_tail(subject: &mut dyn Subject) {
    let (mut log, mut chain) = started(subject);
    append(log.as_mut(), &mut chain, 1..=5);
    let tail = chain.point();
    log.close().expect("it closes");
    assert_eq!(subject.open().anchor(), tail);
}

/// A crash loses nothing that was acknowledged.
pub fn a_crash_keeps_everything_acknowledged(subject: &mut dyn Subject) {
    let (mut log, mut chain) = started(subject);
    for seq in 1..=50 {
        append(log.as_mut(), &mut chain, seq..=seq);
    }
    let group: Vec<_> = (51..=100).map(long_event).collect();
    append_events(log.as_mut(), &mut chain, &group);
    subject.crash(log);
    let mut log = subject.open();
    assert!(recovered_seqs(log.as_mut()).into_iter().eq(1..=100));
    assert_eq!(claimed(log.as_mut()).next_event().0, 101);
}

/// Neither does a crash right after a rotation.
pub fn a_crash_after_rotation_keeps_everything_acknowledged(subject: &mut dyn Subject) {
    let (mut log, mut chain) = started(subject);
    append(log.as_mut(), &mut chain, 1..=50);
    log.rotate().expect("it rotates");
    subject.crash(log);
    let (mut log, mut chain) = started(subject);
    append(log.as_mut(), &mut chain, 51..=51);
    subject.crash(log);
    let mut log = subject.open();
    assert!(recovered_seqs(log.as_mut()).into_iter().eq(1..=51));
}

/// Crashes and clean stops in any order keep one sequence.
pub fn many_restarts_keep_one_sequence(subject: &mut dyn Subject) {
    for round in 0..6u64 {
        let (mut log, mut chain) = started(subject);
        assert_eq!(chain.next_event().0, round * 2 + 1);
        append(log.as_mut(), &mut chain, round * 2 + 1..=round * 2 + 2);
        if round % 3 == 1 {
            log.rotate().expect("it rotates");
        }
        if round % 2 == 0 { subject.crash(log) } else { log.close().expect("it closes") }
    }
    let mut log = subject.open();
    assert!(recovered_seqs(log.as_mut()).into_iter().eq(1..=12));
}

/// With a snapshot, recovery reads only what came later, and checks that it fits.
pub fn recovery_from_the_middle_hands_out_the_rest(subject: &mut dyn Subject) {
    let (mut log, mut chain) = started(subject);
    append(log.as_mut(), &mut chain, 1..=5);
    let point = chain.point();
    append(log.as_mut(), &mut chain, 6..=9);
    let tail = chain.point();
    subject.crash(log);
    let mut log = subject.open();
    let wrong = ChainPoint { hash: crate::ids::ChainHash::of(b"another"), ..point };
    let refused = recover(log.as_mut(), wrong, &mut |_| {});
    assert!(matches!(refused, Err(RecoverError::Damage(_))), "{refused:?}");
    let mut seqs = Vec::new();
    let recovered = recover(log.as_mut(), point, &mut |decoded| seqs.push(decoded.event.seq().0));
    let recovered = recovered.expect("an intact log is recovered");
    assert_eq!((seqs, recovered.tail, recovered.cut), (vec![6, 7, 8, 9], tail, None));
}

/// Cutting what is known to have been durable is refused.
pub fn an_anchored_record_is_never_cut(subject: &mut dyn Subject) {
    let (mut log, mut chain) = started(subject);
    append(log.as_mut(), &mut chain, 1..=5);
    log.write_anchor().expect("it is written");
    subject.crash(log);
    let (mut log, _) = recovered(subject);
    assert!(matches!(log.cut(RecordNo(2)), Err(LogError::CutBehindAnchor { .. })));
    assert_eq!(contents(log.reader().as_ref()).len(), 2);
}

/// A cut survives a crash right behind it, and may be made again.
pub fn a_cut_is_durable_and_may_be_repeated(subject: &mut dyn Subject) {
    let (mut log, mut chain) = started(subject);
    log.write_anchor().expect("it is written");
    for seq in 1..=5 {
        append(log.as_mut(), &mut chain, seq..=seq);
    }
    subject.crash(log);
    let mut log = subject.open();
    for _ in 0..2 {
        log.cut(RecordNo(4)).expect("it is behind the anchor");
    }
    subject.crash(log);
    let mut log = subject.open();
    let seqs = recovered_seqs(log.as_mut());
    // An engine that starts again from a copy has all of them, one that cut in place has the first two.
    assert!(seqs == [1, 2] || seqs == [1, 2, 3, 4, 5], "{seqs:?}");
}
