//! A torn tail is cut and reported; damage at or before the anchor stops the partition. Never the reverse.

use eventlog::conformance::{append, append_events, event, long_event};
use eventlog::memory_log::Fault;
use eventlog::recovery::Fault as Found;
use eventlog::{
    Appended, Chain, ChainPoint, EventLog, LocalLog, LogError, LogId, MemoryDisk, MemoryLog, Record, RecordNo,
    RecoverError, Recovered, recover,
};

const LOG: LogId = LogId([1; 16]);

fn reopen(disk: &MemoryDisk) -> (MemoryLog, Result<Recovered, RecoverError>, Vec<u64>) {
    let mut log = MemoryLog::open(disk.clone());
    let mut seqs = Vec::new();
    let recovered = recover(&mut log, ChainPoint::START, &mut |decoded| seqs.push(decoded.event.seq().0));
    (log, recovered, seqs)
}

fn started() -> (MemoryDisk, MemoryLog, Chain) {
    let disk = MemoryDisk::new(LOG);
    let (mut log, recovered, _) = reopen(&disk);
    recovered.expect("an empty log");
    let chain = log.claim("tests").expect("a recovered log").chain;
    (disk, log, chain)
}

/// Claim, event 1, anchor; event 2; a group of events 3 to 32 in several records.
fn with_a_tail() -> (MemoryDisk, ChainPoint, Vec<Record>) {
    let (disk, mut log, mut chain) = started();
    append(&mut log, &mut chain, 1..=1);
    log.write_anchor().expect("it is written");
    append(&mut log, &mut chain, 2..=2);
    let whole = chain.point();
    let group: Vec<_> = (3..=32).map(long_event).collect();
    let records = append_events(&mut log, &mut chain, &group);
    assert!(records.len() >= 3);
    (disk, whole, records)
}

fn check_cut(disk: &MemoryDisk, whole: ChainPoint, gone: u64, what: &str) {
    let (mut log, recovered, seqs) = reopen(disk);
    let recovered = recovered.unwrap_or_else(|error| panic!("{what}: {error}"));
    let cut = recovered.cut.unwrap_or_else(|| panic!("{what}: nothing was cut"));
    assert_eq!((cut.from, cut.records, recovered.tail), (whole.record.next(), gone, whole), "{what}");
    assert_eq!(seqs.last(), Some(&whole.event.0), "{what}");
    let mut chain = log.claim("after the cut").expect("it was recovered").chain;
    assert_eq!(chain.next_record(), whole.record.plus(2), "{what}");
    append(&mut log, &mut chain, 3..=3);
    let (_, recovered, seqs) = reopen(disk);
    assert_eq!(recovered.expect("it is whole again").cut, None, "{what}");
    assert_eq!(seqs, [1, 2, 3], "{what}");
}

#[test]
fn a_last_group_torn_at_any_length_is_cut_whole_and_reported() {
    let (disk, whole, records) = with_a_tail();
    for (at, record) in records.iter().enumerate() {
        for keep in (0..record.bytes().len()).step_by(if at == 0 { 1 } else { 7 }) {
            let disk = disk.duplicate();
            disk.tear(record.number(), keep);
            check_cut(&disk, whole, at as u64 + 1, &format!("record {} torn after {keep} bytes", record.number()));
        }
    }
}

#[test]
fn a_last_group_that_lacks_records_is_cut_whole() {
    let (disk, whole, records) = with_a_tail();
    let total = records.len() as u64;
    for record in &records {
        let missing = disk.duplicate();
        missing.lose(record.number());
        let is_last = record.number().0 == whole.record.0 + total;
        let gone = if is_last { total - 1 } else { total };
        if total > 1 {
            check_cut(&missing, whole, gone, &format!("record {} lost", record.number()));
        }
    }
}

#[test]
fn a_flipped_bit_behind_the_anchor_is_cut_with_all_that_follows() {
    let (disk, whole, records) = with_a_tail();
    for bit in (0..4_000).step_by(61) {
        let disk = disk.duplicate();
        assert!(disk.flip_bit(whole.record.next(), bit));
        check_cut(&disk, whole, records.len() as u64, &format!("bit {bit}"));
    }
}

#[test]
fn every_flipped_bit_at_or_before_the_anchor_is_noticed_and_nothing_is_changed() {
    let (disk, mut log, mut chain) = started();
    append(&mut log, &mut chain, 1..=2);
    append(&mut log, &mut chain, 3..=3);
    log.write_anchor().expect("it is written");
    append(&mut log, &mut chain, 4..=4);
    for record in (1..=3).map(RecordNo) {
        for bit in 0.. {
            let damaged = disk.duplicate();
            if !damaged.flip_bit(record, bit) {
                break;
            }
            let (mut log, recovered, _) = reopen(&damaged);
            let Err(RecoverError::Damage(damage)) = recovered else {
                panic!("record {record}, bit {bit}: {recovered:?}")
            };
            assert_eq!((damage.record, damage.known), (record, RecordNo(3)), "record {record}, bit {bit}");
            assert_eq!(log.tail(), RecordNo(4), "nothing is cut");
            assert!(matches!(log.claim("no"), Err(LogError::NotRecovered)));
        }
    }
}

#[test]
fn damage_is_told_with_its_place_its_items_and_what_to_do() {
    let (disk, mut log, mut chain) = started();
    append(&mut log, &mut chain, 1..=1);
    Box::new(log).close().expect("it closes");
    disk.flip_bit(RecordNo(2), 56 * 8);
    let (_, recovered, _) = reopen(&disk);
    let words = recovered.expect_err("it is damaged").to_string();
    for part in [
        "record 2 of log 01010101",
        "checksum",
        "items in this record",
        "0/1",
        "up to record 2",
        "restore the latest backup",
    ] {
        assert!(words.contains(part), "{part:?} is missing in:\n{words}");
    }
}

#[test]
fn a_log_that_ends_before_its_anchor_is_damaged() {
    for keep in 0..3u64 {
        let (disk, mut log, mut chain) = started();
        append(&mut log, &mut chain, 1..=1);
        append(&mut log, &mut chain, 2..=2);
        Box::new(log).close().expect("it closes");
        (keep + 1..=3).for_each(|record| disk.lose(RecordNo(record)));
        let (_, recovered, _) = reopen(&disk);
        let Err(RecoverError::Damage(damage)) = recovered else { panic!("{keep} records left: {recovered:?}") };
        assert_eq!((damage.record, damage.fault), (RecordNo(keep + 1), Found::Missing));
    }
}

#[test]
fn a_well_formed_log_that_is_not_the_anchored_one_is_damaged() {
    let (disk, mut log, mut chain) = started();
    let mut twin = chain.clone();
    append(&mut log, &mut chain, 1..=1);
    log.write_anchor().expect("it is written");
    disk.replace(RecordNo(2), twin.frame(&[event(9)]).remove(0).bytes().to_vec());
    let (_, recovered, _) = reopen(&disk);
    let Err(RecoverError::Damage(damage)) = recovered else { panic!("{recovered:?}") };
    assert_eq!((damage.record, damage.fault), (RecordNo(2), Found::NotTheKnownRecord));
}

#[test]
fn a_log_whose_beginning_was_retired_needs_the_snapshot_that_covers_it() {
    let (disk, mut log, mut chain) = started();
    append(&mut log, &mut chain, 1..=2);
    let covered = chain.point();
    append(&mut log, &mut chain, 3..=3);
    log.rotate().expect("it rotates");
    append(&mut log, &mut chain, 4..=4);
    assert_eq!(log.retire(RecordNo(4)).expect("it retires"), RecordNo(4));
    let (_, recovered, _) = reopen(&disk);
    assert!(matches!(recovered, Err(RecoverError::Gap { first: RecordNo(4), from: RecordNo(0) })), "{recovered:?}");
    let mut log = MemoryLog::open(disk.clone());
    let too_old = recover(&mut log, covered, &mut |_| {});
    assert!(matches!(too_old, Err(RecoverError::Gap { .. })), "{too_old:?}");
    let fits = ChainPoint { record: RecordNo(3), ..before(&disk, 4) };
    let mut seqs = Vec::new();
    recover(&mut log, fits, &mut |decoded| seqs.push(decoded.event.seq().0)).expect("it is covered");
    assert_eq!(seqs, [4]);
}

/// The point that a record says it follows.
fn before(disk: &MemoryDisk, record: u64) -> ChainPoint {
    use eventlog::LogReader;
    let read = disk.read_from(RecordNo(record)).next().expect("a record").expect("it is read");
    let header = *Record::parse(read.1).expect("it is whole").header();
    ChainPoint { record: header.number.before(), hash: header.previous, event: header.first_event.before() }
}

#[test]
fn what_a_newer_program_wrote_is_never_cut() {
    let (disk, mut log, mut chain) = started();
    let record = append(&mut log, &mut chain, 1..=1).remove(0);
    let mut bytes = record.bytes().to_vec();
    bytes.splice(4..=4, [9]);
    bytes.splice(88..92, [0; 4]);
    let crc = crc32fast::hash(&bytes).to_le_bytes();
    bytes.splice(88..92, crc);
    disk.replace(RecordNo(2), bytes);
    let (log, recovered, _) = reopen(&disk);
    assert!(matches!(recovered, Err(RecoverError::Newer { record: RecordNo(2), .. })), "{recovered:?}");
    assert_eq!(log.tail(), RecordNo(2));
}

#[test]
fn a_failing_sync_ends_the_log_and_a_restart_finds_a_prefix_with_everything_acknowledged() {
    for seed in 0..200 {
        let (disk, mut log, mut chain) = started();
        append(&mut log, &mut chain, 1..=1);
        disk.script([if seed % 2 == 0 { Fault::SyncFails } else { Fault::TornWrite { keep_bytes: seed as usize } }]);
        let group: Vec<_> = (2..=40).map(long_event).collect();
        let (expected, records) = (chain.next_record(), chain.frame(&group));
        assert!(matches!(log.append(expected, &records), Appended::Failed(LogError::Io { .. })));
        let again = log.append(expected, &records);
        assert!(matches!(again, Appended::Failed(LogError::Poisoned { .. })), "{again:?}");
        disk.crash(seed);
        let (_, recovered, seqs) = reopen(&disk);
        recovered.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(seqs == [1] || seqs.iter().copied().eq(1..=40), "seed {seed}: {seqs:?}");
    }
}

#[test]
fn a_full_disk_is_said_in_words_and_nothing_was_written() {
    let (disk, mut log, mut chain) = started();
    disk.script([Fault::DiskFull]);
    let (expected, records) = (chain.next_record(), chain.frame(&[event(1)]));
    let Appended::Failed(error) = log.append(expected, &records) else { panic!("the disk is full") };
    assert_eq!(error.to_string(), "the disk is full");
    assert_eq!(log.tail(), RecordNo(1));
}

#[test]
fn an_unknown_outcome_becomes_known_by_sending_the_same_bytes_again() {
    let known = [Fault::UnknownApplied, Fault::UnknownNotApplied, Fault::Late, Fault::Duplicate, Fault::SlowSync];
    for fault in known {
        let (disk, mut log, mut chain) = started();
        disk.script([fault]);
        let (expected, records) = (chain.next_record(), chain.frame(&[event(1)]));
        let mut sent = 1;
        while matches!(log.append(expected, &records), Appended::Unknown) {
            sent += 1;
        }
        assert!(sent <= 2, "{fault:?}");
        append(&mut log, &mut chain, 2..=2);
        assert_eq!(reopen(&disk).2, [1, 2], "{fault:?}");
    }
}

#[test]
fn after_a_takeover_the_log_itself_tells_what_became_of_an_unknown_record() {
    for (fault, is_there) in [(Fault::UnknownApplied, true), (Fault::UnknownNotApplied, false), (Fault::Late, false)] {
        let (disk, mut log, mut chain) = started();
        disk.script([fault, Fault::None]);
        let (expected, records) = (chain.next_record(), chain.frame(&[event(1)]));
        assert!(matches!(log.append(expected, &records), Appended::Unknown));
        disk.claim_by_another();
        assert!(matches!(log.append(expected, &records), Appended::Fenced), "{fault:?}");
        let found = log.reader().read_from(expected).next().expect("a record").expect("it is read").1;
        assert_eq!(records.first().is_some_and(|sent| found == *sent.bytes()), is_there, "{fault:?}");
        assert!(reopen(&disk).1.is_ok());
    }
}

#[test]
fn two_logs_on_one_disk_never_both_write() {
    let (disk, mut old, mut old_chain) = started();
    append(&mut old, &mut old_chain, 1..=1);
    let (mut new, recovered, _) = reopen(&disk);
    recovered.expect("it is intact");
    let mut new_chain = new.claim("the new one").expect("it was recovered").chain;
    let (expected, records) = (old_chain.next_record(), old_chain.frame(&[event(2)]));
    assert!(matches!(old.append(expected, &records), Appended::Fenced));
    append(&mut new, &mut new_chain, 2..=2);
    assert_eq!(reopen(&disk).2, [1, 2]);
}

#[test]
fn a_torn_write_of_many_seeds_never_loses_what_was_acknowledged() {
    use eventlog::memory_log::FaultWeights;
    let weights = FaultWeights {
        unknown_applied: 60,
        unknown_not_applied: 60,
        late: 60,
        duplicate: 60,
        taken_over: 10,
        sync_fails: 15,
        torn_write: 15,
        ..FaultWeights::default()
    };
    for seed in 0..150 {
        let disk = MemoryDisk::new(LOG);
        let mut acknowledged = 0u64;
        disk.draw_faults(seed, weights);
        for life in 0..4 {
            let (mut log, recovered, seqs) = reopen(&disk);
            recovered.unwrap_or_else(|error| panic!("seed {seed}, life {life}: {error}"));
            assert!(seqs.len() as u64 >= acknowledged, "seed {seed}: {acknowledged} acknowledged, {} left", seqs.len());
            assert!(seqs.iter().copied().eq(1..=seqs.len() as u64), "seed {seed}: {seqs:?}");
            acknowledged = seqs.len() as u64;
            let mut next = acknowledged + 1;
            let mut chain = log.claim("tests").expect("it was recovered").chain;
            'life: for _ in 0..25 {
                let (expected, records) = (chain.next_record(), chain.frame(&[event(next), long_event(next + 1)]));
                loop {
                    match log.append(expected, &records) {
                        Appended::Durable => break,
                        Appended::Unknown => {}
                        Appended::Fenced | Appended::Failed(_) => break 'life,
                    }
                }
                next += 2;
                acknowledged += 2;
            }
            disk.crash(seed * 7 + life);
        }
    }
}
