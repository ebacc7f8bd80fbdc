//! Behaviour of a log that stays open.

use super::{Subject, append, append_events, claimed, contents, event, long_event, recovered, started};
use crate::events::events;
use crate::ids::RecordNo;
use crate::log::{Appended, LogError, ReadError};
use crate::record::Record;

/// A new log has no records.
pub fn a_new_log_is_empty(subject: &mut dyn Subject) {
    let (log, recovered) = recovered(subject);
    assert_eq!((log.tail(), recovered.records, recovered.cut), (RecordNo(0), 0, None));
    assert_eq!(log.reader().first(), RecordNo(1));
    assert!(contents(log.reader().as_ref()).is_empty());
}

/// Nobody claims a log that was not checked.
pub fn a_claim_needs_recovery(subject: &mut dyn Subject) {
    let mut log = subject.open();
    assert!(matches!(log.claim("too early"), Err(LogError::NotRecovered)));
}

/// A claim is durable as a record of its own, and its number is the term.
pub fn a_claim_is_a_record_and_its_place_the_term(subject: &mut dyn Subject) {
    let (mut log, first) = started(subject);
    let second = claimed(log.as_mut());
    assert_eq!((first.epoch().0, second.epoch().0, log.tail()), (1, 2, RecordNo(2)));
    let claims = contents(log.reader().as_ref());
    for (number, bytes) in claims {
        let record = Record::parse(bytes).expect("a claim is a record");
        assert_eq!((record.number(), record.claimant()), (number, Some("conformance")));
    }
    assert!(matches!(log.claim(&"x".repeat(1_000)), Err(LogError::Claimant(_))), "a claimant is bounded");
}

/// Bytes come back as they went in, in order.
pub fn what_was_appended_is_read_back(subject: &mut dyn Subject) {
    let (mut log, mut chain) = started(subject);
    let mut written = Vec::new();
    for group in 0..40u64 {
        written.extend(append(log.as_mut(), &mut chain, group * 3 + 1..=group * 3 + 3));
    }
    let read: Vec<Vec<u8>> = contents(log.reader().as_ref()).into_iter().skip(1).map(|(_, bytes)| bytes).collect();
    let written: Vec<Vec<u8>> = written.iter().map(|record| record.bytes().to_vec()).collect();
    assert_eq!(read, written);
    let decoded = events(log.reader().as_ref(), RecordNo(1)).map(|event| event.expect("it decodes").1.seq().0);
    assert!(decoded.eq(1..=120));
}

/// Records are numbered 1, 2, 3, …
pub fn record_numbers_have_no_gaps(subject: &mut dyn Subject) {
    let (mut log, mut chain) = started(subject);
    for seq in 1..=300 {
        append(log.as_mut(), &mut chain, seq..=seq);
    }
    let numbers = contents(log.reader().as_ref()).into_iter().map(|(number, _)| number.0);
    assert!(numbers.eq(1..=301));
    assert_eq!(log.tail(), RecordNo(301));
}

/// A group that needs several records comes back whole.
pub fn a_group_of_many_records_is_read_back_whole(subject: &mut dyn Subject) {
    let (mut log, mut chain) = started(subject);
    let group: Vec<_> = (1..=100).map(long_event).collect();
    let records = append_events(log.as_mut(), &mut chain, &group);
    assert!(records.len() >= 10, "{} records", records.len());
    assert_eq!(events(log.reader().as_ref(), RecordNo(1)).filter(Result::is_ok).count(), 100);
}

/// Neither a place ahead nor one that others have taken is written to.
pub fn a_wrong_place_is_fenced(subject: &mut dyn Subject) {
    let (mut log, mut chain) = started(subject);
    let skipped = chain.frame(&[event(1)]);
    let ahead = chain.frame(&[event(2)]);
    assert!(matches!(log.append(RecordNo(3), &ahead), Appended::Fenced));
    assert_eq!(log.tail(), RecordNo(1));
    assert!(matches!(log.append(RecordNo(2), &skipped), Appended::Durable), "and no harm was done");
    assert!(matches!(log.append(RecordNo(3), &ahead), Appended::Durable));
}

/// A later claim ends the term before it.
pub fn a_term_that_is_over_is_fenced(subject: &mut dyn Subject) {
    let (mut log, mut old) = started(subject);
    append(log.as_mut(), &mut old, 1..=1);
    let mut stale = old.clone();
    let mut new = claimed(log.as_mut());
    let (expected, records) = (stale.next_record(), stale.frame(&[event(2)]));
    assert!(matches!(log.append(expected, &records), Appended::Fenced));
    assert_eq!(log.tail(), RecordNo(3));
    append(log.as_mut(), &mut new, 2..=2);
    let (expected, records) = (stale.next_record(), stale.frame(&[event(3)]));
    assert!(matches!(log.append(expected, &records), Appended::Fenced), "also at a place that is the next");
}

/// What is acknowledged is never written over.
pub fn other_bytes_at_a_taken_place_are_fenced(subject: &mut dyn Subject) {
    let (mut log, mut chain) = started(subject);
    let mut twin = chain.clone();
    append(log.as_mut(), &mut chain, 1..=1);
    let before = contents(log.reader().as_ref());
    let (expected, records) = (twin.next_record(), twin.frame(&[event(9)]));
    assert!(matches!(log.append(expected, &records), Appended::Fenced));
    assert_eq!(contents(log.reader().as_ref()), before);
}

/// Sending again after an unknown outcome is safe.
pub fn the_same_bytes_sent_again_stand_there_once(subject: &mut dyn Subject) {
    let (mut log, mut chain) = started(subject);
    let expected = chain.next_record();
    let group: Vec<_> = (1..=30).map(long_event).collect();
    let records = append_events(log.as_mut(), &mut chain, &group);
    let before = contents(log.reader().as_ref());
    for _ in 0..3 {
        assert!(matches!(log.append(expected, &records), Appended::Durable));
    }
    assert_eq!(contents(log.reader().as_ref()), before);
    append(log.as_mut(), &mut chain, 31..=31);
}

/// Only whole groups are taken.
pub fn half_a_group_is_refused(subject: &mut dyn Subject) {
    let (mut log, mut chain) = started(subject);
    let expected = chain.next_record();
    let group: Vec<_> = (1..=30).map(long_event).collect();
    let records = chain.frame(&group);
    for part in [records.split_first().map(|(_, rest)| rest), records.split_last().map(|(_, rest)| rest)] {
        let part = part.expect("a group of many records");
        let place = part.first().map_or(expected, Record::number);
        assert!(matches!(log.append(place, part), Appended::Failed(LogError::NotTheNext { .. })));
    }
    assert_eq!(log.tail(), RecordNo(1));
    assert!(matches!(log.append(expected, &records), Appended::Durable), "and no harm was done");
}

/// A writer that lost count is told, and the log stays usable.
pub fn records_that_do_not_follow_are_refused_and_do_no_harm(subject: &mut dyn Subject) {
    let (mut log, mut chain) = started(subject);
    let mut astray = chain.clone();
    append(log.as_mut(), &mut chain, 1..=1);
    let _never_sent = astray.frame(&[event(7)]);
    let (expected, records) = (astray.next_record(), astray.frame(&[event(8)]));
    let appended = log.append(expected, &records);
    assert!(matches!(appended, Appended::Failed(LogError::NotTheNext { .. })), "{appended:?}");
    append(log.as_mut(), &mut chain, 2..=2);
}

/// Nothing to write is nothing to wait for.
pub fn an_empty_group_is_durable(subject: &mut dyn Subject) {
    let (mut log, chain) = started(subject);
    assert!(matches!(log.append(chain.next_record(), &[]), Appended::Durable));
    assert_eq!(log.tail(), RecordNo(1));
}

/// Readers on other threads see a growing log, in order and whole.
pub fn a_reader_keeps_up_with_a_writer(subject: &mut dyn Subject) {
    let (mut log, mut chain) = started(subject);
    let reader = log.reader();
    let follow = std::thread::spawn(move || {
        let (mut next, mut seen) = (RecordNo(1), 0u64);
        while seen < 200 {
            for read in reader.read_from(next) {
                let (number, bytes) = read.expect("a durable record can be read");
                assert_eq!(number, next);
                let record = Record::parse(bytes).expect("a durable record is whole");
                seen += u64::from(record.header().event_count);
                next = next.next();
            }
            std::thread::yield_now();
        }
        seen
    });
    for seq in 1..=200 {
        append(log.as_mut(), &mut chain, seq..=seq);
        if seq == 100 {
            log.rotate().expect("it rotates");
        }
    }
    assert_eq!(follow.join().ok(), Some(200));
}

/// An iteration that has reached the tail ends there; a new one sees what came later.
pub fn a_reader_never_sees_more_than_the_tail(subject: &mut dyn Subject) {
    let (mut log, mut chain) = started(subject);
    let reader = log.reader();
    assert_eq!(reader.read_from(RecordNo(2)).count(), 0);
    append(log.as_mut(), &mut chain, 1..=1);
    assert_eq!(reader.tail(), RecordNo(2));
    assert_eq!(reader.read_from(RecordNo(2)).count(), 1);
    assert_eq!(reader.read_from(RecordNo(50)).count(), 0);
}

/// Rotation is invisible to readers.
pub fn rotation_keeps_one_sequence(subject: &mut dyn Subject) {
    let (mut log, mut chain) = started(subject);
    for seq in 1..=30 {
        append(log.as_mut(), &mut chain, seq..=seq);
        if seq % 10 == 0 {
            log.rotate().expect("it rotates");
        }
    }
    append(log.as_mut(), &mut chain, 31..=31);
    let decoded = events(log.reader().as_ref(), RecordNo(1)).map(|event| event.expect("it decodes").1.seq().0);
    assert!(decoded.eq(1..=31));
}

/// There is never a row of empty generations.
pub fn rotating_an_empty_generation_changes_nothing(subject: &mut dyn Subject) {
    let (mut log, mut chain) = started(subject);
    append(log.as_mut(), &mut chain, 1..=1);
    log.rotate().expect("it rotates");
    let place = log.place_of(RecordNo(3));
    log.rotate().expect("it rotates");
    assert_eq!(log.place_of(RecordNo(3)).generation, place.generation);
    append(log.as_mut(), &mut chain, 2..=2);
}

/// Retention drops what is old, says where the log begins now, and keeps what it goes on from.
pub fn retiring_drops_whole_generations_and_never_the_last_record(subject: &mut dyn Subject) {
    let (mut log, mut chain) = started(subject);
    for seq in 1..=3 {
        append(log.as_mut(), &mut chain, seq..=seq);
        log.rotate().expect("it rotates");
    }
    // Records 1 and 2, record 3, record 4, and an empty generation. Restarting lets closed generations settle.
    log.close().expect("it closes");
    let (mut log, _) = recovered(subject);
    assert_eq!(log.retire(RecordNo(2)).expect("it retires"), RecordNo(1), "half a generation stays");
    assert_eq!(log.retire(RecordNo(3)).expect("it retires"), RecordNo(3));
    let asked = log.reader().read_from(RecordNo(1)).next();
    assert_eq!(asked, Some(Err(ReadError::Retired { asked: RecordNo(1), first: RecordNo(3) })));
    assert_eq!(log.retire(RecordNo(1_000)).expect("it retires"), RecordNo(4), "the last record stays");
    assert_eq!(contents(log.reader().as_ref()).len(), 1);
    let mut chain = claimed(log.as_mut());
    append(log.as_mut(), &mut chain, 4..=4);
}
