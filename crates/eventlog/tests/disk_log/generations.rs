//! Generations: closed and sealed ones, and the next one that is made ready before it is needed.

use super::{Partition, claimed, flip};
use eventlog::conformance::{append, append_events, contents, long_event};
use eventlog::{Appended, Chain, DiskLog, DiskOptions, EventLog, LocalLog, LogError, Record, RecordNo, RecoverError};

/// Three generations: two closed and sealed, one current. Events 1..=400, 401..=800, 801..=1200.
fn with_closed_generations() -> (Partition, Vec<Record>) {
    let partition = Partition::new();
    let (mut log, mut chain) = partition.started();
    let mut records = Vec::new();
    for seq in 1..=1_200 {
        records.extend(append(&mut log, &mut chain, seq..=seq));
        if seq % 400 == 0 && seq < 1_200 {
            log.rotate().expect("it rotates");
        }
    }
    Box::new(log).close().expect("it closes");
    (partition, records)
}

#[test]
fn a_closed_generation_is_a_flat_file_of_its_records() {
    let (partition, records) = with_closed_generations();
    let file = partition.path("gen-00000002/from-00000000000000000402.records");
    let expected: Vec<u8> = records.iter().skip(400).take(400).flat_map(|record| record.bytes().to_vec()).collect();
    assert_eq!(std::fs::read(file).expect("it is there"), expected);
    assert!(!partition.path("gen-00000002/sled").exists());
    assert!(partition.path("gen-00000003/sled").exists());
    let (log, recovered, seqs) = partition.recovered();
    assert_eq!(recovered.expect("it is intact").cut, None);
    assert!(seqs.into_iter().eq(1..=1_200));
    let reader = log.reader();
    for from in [1, 2, 64, 65, 66, 401, 402, 700, 801, 802, 1_000, 1_201] {
        let first = reader.read_from(RecordNo(from)).next().expect("a record").expect("it is read");
        let found = Record::parse(first.1).expect("it is whole").number();
        assert_eq!((first.0, found), (RecordNo(from), RecordNo(from)));
    }
    assert_eq!(contents(reader.as_ref()).len(), 1_201);
}

#[test]
fn damage_in_a_closed_generation_is_told_with_file_and_byte() {
    let (partition, records) = with_closed_generations();
    let name = "gen-00000002/from-00000000000000000402.records";
    let length = records.get(500).expect("a record").bytes().len();
    // The 101st record of that file; every field of its header and some of its payload.
    for bit in (0..length * 8).step_by(13) {
        let damaged = partition.killed();
        flip(&damaged.path(name), length * 100 * 8 + bit);
        let (_, recovered, _) = damaged.recovered();
        let Err(RecoverError::Damage(damage)) = recovered else { panic!("bit {bit}: {recovered:?}") };
        assert_eq!((damage.record, damage.place.generation), (RecordNo(502), 2), "bit {bit}");
        assert_eq!(damage.place.offset, Some(length as u64 * 100), "bit {bit}");
    }
    let cut = partition.killed();
    let whole = std::fs::read(cut.path(name)).expect("a file");
    std::fs::write(cut.path(name), whole.get(..whole.len() - 10).expect("in range")).expect("it is written");
    assert!(matches!(cut.recovered().1, Err(RecoverError::Damage(damage)) if damage.record == RecordNo(801)));
    let gone = partition.killed();
    std::fs::remove_dir_all(gone.path("gen-00000002")).expect("it is removed");
    assert!(matches!(gone.recovered().1, Err(RecoverError::Damage(damage)) if damage.record == RecordNo(402)));
}

#[test]
fn sealing_that_a_crash_interrupted_is_finished_at_the_next_start() {
    let partition = Partition::new();
    let (mut log, mut chain) = partition.started();
    for seq in 1..=2_000 {
        append(&mut log, &mut chain, seq..=seq);
    }
    log.rotate().expect("it rotates");
    // Somewhere in the middle of sealing, or behind it.
    let killed = partition.killed();
    append(&mut log, &mut chain, 2_001..=2_001);
    let (log, recovered, seqs) = killed.recovered();
    recovered.expect("it is intact");
    assert!(seqs.into_iter().eq(1..=2_000));
    Box::new(log).close().expect("it closes");
    assert!(killed.path("gen-00000001/from-00000000000000000001.records").exists());
    assert!(!killed.path("gen-00000001/sled").exists());
    assert_eq!(killed.recovered().2.len(), 2_000);
}

#[test]
fn rotation_is_due_by_the_bytes_written() {
    let partition = Partition::new();
    let (mut log, mut chain) =
        partition.started_with(DiskOptions { generation_record_bytes: 10_000, ..DiskOptions::default() });
    let mut rotations = 0;
    for _ in 0..10 {
        append_events(&mut log, &mut chain, &(1..=8).map(long_event).collect::<Vec<_>>());
        if log.rotation_due() {
            log.rotate().expect("it rotates");
            rotations += 1;
        }
    }
    assert_eq!(rotations, 3, "every third group of some 4,500 bytes passes the mark");
}

/// A log whose generations are small, filled until the next one is being made.
fn with_a_spare() -> (Partition, DiskLog, Chain) {
    let partition = Partition::new();
    let (mut log, mut chain) = partition.started_with(small_generations());
    append_events(&mut log, &mut chain, &(1..=14).map(long_event).collect::<Vec<_>>());
    assert!(!log.rotation_due());
    (partition, log, chain)
}

fn small_generations() -> DiskOptions {
    DiskOptions { generation_record_bytes: 10_000, ..DiskOptions::default() }
}

#[test]
fn the_next_generation_is_made_before_it_is_needed_and_taken_by_rotating() {
    let (partition, mut log, mut chain) = with_a_spare();
    log.rotate().expect("it rotates");
    assert!(!partition.path("gen-00000002/unused").exists());
    append(&mut log, &mut chain, 15..=15);
    let killed = partition.killed();
    let (again, recovered, seqs) = killed.recovered();
    assert_eq!(recovered.expect("it is intact").cut, None);
    assert!(seqs.into_iter().eq(1..=15));
    assert_eq!(again.place_of(again.tail()).generation, 2);
}

/// Name and niceness of every thread of this process.
#[cfg(target_os = "linux")]
fn threads() -> Vec<(String, i32)> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("this process has threads").flatten();
    let stats = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
    let parsed = |stat: String| {
        let (number_and_name, rest) = stat.rsplit_once(')')?;
        // The nineteenth field of proc_pid_stat(5); the third is the first behind the name.
        Some((number_and_name.split_once('(')?.1.to_owned(), rest.split_whitespace().nth(16)?.parse().ok()?))
    };
    stats.map(|stat| parsed(stat).expect("as proc_pid_stat(5) has it")).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn a_generation_made_early_has_no_thread_of_low_priority_for_commits_wait_for_them() {
    let (_partition, mut log, _) = with_a_spare();
    log.rotate().expect("it rotates");
    // A thread that has not run yet still bears the name of the one that began it: so all are asked but those that seal.
    let threads = threads();
    assert!(threads.iter().all(|(name, nice)| *nice == 0 || name == "log sealing"), "{threads:?}");
}

#[test]
fn a_generation_that_a_crash_finds_unused_is_removed_however_far_its_making_had_come() {
    let (partition, log, _) = with_a_spare();
    drop(log);
    let (marker, database) = ("gen-00000002/unused", "gen-00000002/sled/db");
    assert!(partition.path(marker).exists() && partition.path(database).exists());
    type Spoil = fn(&Partition);
    let spoil: [(&str, Spoil); 6] = [
        ("whole", |_| {}),
        ("only the marker", |left| std::fs::remove_dir_all(left.path("gen-00000002/sled")).expect("it is removed")),
        ("half a marker", |left| {
            std::fs::remove_dir_all(left.path("gen-00000002/sled")).expect("it is removed");
            std::fs::rename(left.path("gen-00000002/unused"), left.path("gen-00000002/unused.tmp")).expect("renamed");
        }),
        ("nothing", |left| {
            std::fs::remove_dir_all(left.path("gen-00000002")).expect("it is removed");
            std::fs::create_dir(left.path("gen-00000002")).expect("it is made");
        }),
        ("half a database", |left| std::fs::write(left.path("gen-00000002/sled/db"), b"?").expect("it is written")),
        ("half removed", |left| {
            std::fs::rename(left.path("gen-00000002"), left.path("gen-00000002.tmp")).expect("it is renamed");
            std::fs::remove_file(left.path("gen-00000002.tmp/unused")).expect("it is removed");
        }),
    ];
    for (what, spoil) in spoil {
        let left = partition.killed();
        spoil(&left);
        let mut log = left.open_with(small_generations()).expect("it opens");
        // Looked at before the term begins: its first record has the next one made again.
        assert!(!left.path("gen-00000002").exists() && !left.path("gen-00000002.tmp").exists(), "{what}");
        let mut chain = claimed(&mut log);
        log.rotate().expect("it rotates");
        append(&mut log, &mut chain, 15..=15);
        Box::new(log).close().expect("it closes");
        assert!(left.recovered().2.into_iter().eq(1..=15), "{what}");
    }
}

#[test]
fn the_first_generation_counts_only_once_it_is_whole() {
    let partition = Partition::new();
    std::fs::create_dir_all(partition.path("gen-00000001/sled")).expect("it is made");
    std::fs::write(partition.path("gen-00000001/sled/db"), b"?").expect("it is written");
    std::fs::write(partition.path("gen-00000001/unused"), b"").expect("it is written");
    let mut log = partition.open_with(small_generations()).expect("it opens");
    let mut chain = claimed(&mut log);
    append(&mut log, &mut chain, 1..=3);
    assert!(!partition.path("gen-00000001/unused").exists());
    Box::new(log).close().expect("it closes");
    assert!(partition.recovered().2.into_iter().eq(1..=3));
}

#[test]
fn a_generation_that_cannot_be_made_ends_the_log_when_it_is_needed_and_not_before() {
    let (partition, log, _) = with_a_spare();
    drop(log);
    let mut log = partition.open_with(small_generations()).expect("it opens");
    // In its way lies what is no directory: making it fails, until somebody has looked.
    std::fs::write(partition.path("gen-00000002.tmp"), b"").expect("it is written");
    let mut chain = claimed(&mut log);
    append(&mut log, &mut chain, 15..=15);
    assert!(log.rotate().is_err());
    assert!(matches!(log.append(chain.next_record(), &[]), Appended::Failed(LogError::Poisoned { .. })));
    drop(log);
    std::fs::remove_file(partition.path("gen-00000002.tmp")).expect("it is removed");
    assert!(partition.recovered().2.into_iter().eq(1..=15));
}

#[test]
fn a_clean_stop_leaves_no_unused_generation() {
    let (partition, log, _) = with_a_spare();
    Box::new(log).close().expect("it closes");
    assert!(!partition.path("gen-00000002").exists());
    assert!(partition.path("clean").exists());
    assert!(partition.recovered().2.into_iter().eq(1..=14));
}
