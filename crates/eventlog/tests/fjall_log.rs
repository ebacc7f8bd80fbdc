//! What the log on disk does when its generations lie in fjall: changing engines, closing generations, and a journal
//! that is torn, flipped, emptied or lost.

mod common;

use common::copy;
use eventlog::conformance::{append, event, long_event};
use eventlog::{
    Appended, Chain, ChainPoint, DiskLog, DiskOptions, EventLog, LocalLog, LogError, LogId, RecordNo, RecoverError,
    StorageEngine, recover,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const LOG: LogId = LogId([0x46; 16]);
const JOURNAL: &str = "gen-00000001/fjall/journals/0";

struct Partition {
    _root: tempfile::TempDir,
    dir: PathBuf,
}

impl Partition {
    /// In memory where there is such a directory: these tests are about what is written, not how fast.
    fn new() -> Self {
        let partition = Self::nowhere();
        DiskLog::create(&partition.dir, LOG).expect("an empty directory");
        partition
    }

    fn nowhere() -> Self {
        let shm = Path::new("/dev/shm");
        let root = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() };
        let root = root.expect("a temporary directory");
        Self { dir: root.path().join("partition"), _root: root }
    }

    /// The same files, as a process that is killed now would leave them.
    fn killed(&self) -> Self {
        let killed = Self::nowhere();
        copy(&self.dir, &killed.dir);
        killed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn journal(&self) -> Vec<u8> {
        std::fs::read(self.path(JOURNAL)).expect("a journal")
    }

    fn journal_if_there(&self) -> Option<Vec<u8>> {
        std::fs::read(self.path(JOURNAL)).ok()
    }

    fn started_with(&self, options: DiskOptions) -> (DiskLog, Chain) {
        let mut log = DiskLog::open(&self.dir, LOG, options).expect("it opens");
        recover(&mut log, ChainPoint::START, &mut |_| {}).expect("it is intact");
        let chain = log.claim("tests").expect("it was recovered").chain;
        (log, chain)
    }

    fn started(&self) -> (DiskLog, Chain) {
        self.started_with(asking_for(StorageEngine::Fjall))
    }

    /// Opens and recovers what is there; what comes back, or why nothing does.
    fn outcome(&self) -> Result<Vec<u64>, RecoverError> {
        let mut log = DiskLog::open(&self.dir, LOG, asking_for(StorageEngine::Fjall))?;
        let mut seqs = Vec::new();
        recover(&mut log, ChainPoint::START, &mut |decoded| seqs.push(decoded.event.seq().0))?;
        Ok(seqs)
    }
}

fn asking_for(engine: StorageEngine) -> DiskOptions {
    DiskOptions { engine, ..DiskOptions::default() }
}

/// Events 1 to `last`, each its own group, anchored at `anchored`; left as by a kill.
fn killed_after(last: u64, anchored: u64) -> Partition {
    let partition = Partition::new();
    let (mut log, mut chain) = partition.started();
    for seq in 1..=last {
        append(&mut log, &mut chain, seq..=seq);
        if seq == anchored {
            log.write_anchor().expect("it is written");
        }
    }
    partition.killed()
}

/// Where the journal's last byte that is not zero ends.
fn filled(journal: &[u8]) -> usize {
    journal.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1)
}

#[test]
fn a_generation_keeps_its_engine_and_a_new_one_gets_the_one_that_is_asked_for() {
    let partition = Partition::new();
    let mut next = 1;
    for (engine, found_in) in [
        (StorageEngine::Sled, "gen-00000001/sled"),
        (StorageEngine::Fjall, "gen-00000001/sled"),
        (StorageEngine::Fjall, "gen-00000002/fjall"),
        (StorageEngine::Sled, "gen-00000003/fjall"),
        (StorageEngine::Sled, "gen-00000004/sled"),
    ] {
        let (mut log, mut chain) = partition.started_with(asking_for(engine));
        append(&mut log, &mut chain, next..=next);
        next += 1;
        assert!(partition.path(found_in).exists(), "{engine}: {found_in}");
        if next > 2 {
            log.rotate().expect("it rotates");
            append(&mut log, &mut chain, next..=next);
            next += 1;
        }
        Box::new(log).close().expect("it closes");
        assert!(partition.outcome().expect("it is intact").into_iter().eq(1..next), "{engine}");
    }
}

#[test]
fn closed_generations_are_flat_files_and_fjalls_own_files_go() {
    let partition = Partition::new();
    let (mut log, mut chain) = partition.started();
    let mut expected = Vec::new();
    for seq in 1..=600 {
        let records = append(&mut log, &mut chain, seq..=seq);
        if (201..=400).contains(&seq) {
            expected.extend(records.iter().flat_map(|record| record.bytes().to_vec()));
        }
        if seq % 200 == 0 && seq < 600 {
            log.rotate().expect("it rotates");
        }
    }
    Box::new(log).close().expect("it closes");
    let flat = partition.path("gen-00000002/from-00000000000000000202.records");
    assert_eq!(std::fs::read(flat).expect("it is there"), expected);
    assert!(!partition.path("gen-00000002/fjall").exists() && partition.path("gen-00000003/fjall").exists());
    assert!(partition.outcome().expect("it is intact").into_iter().eq(1..=600));
    let (mut log, _) = partition.started();
    assert_eq!(log.retire(RecordNo(500)).expect("it retires"), RecordNo(402));
    assert!(!partition.path("gen-00000001").exists() && !partition.path("gen-00000002").exists());
}

#[test]
fn groups_of_any_size_lie_in_the_one_journal_and_nothing_lies_elsewhere() {
    let partition = Partition::new();
    let (mut log, mut chain) = partition.started();
    for _ in 0..20 {
        eventlog::conformance::append_events(&mut log, &mut chain, &(1..=2_000).map(long_event).collect::<Vec<_>>());
    }
    let fjall = partition.path("gen-00000001/fjall");
    let names = |dir: &str| -> Vec<_> {
        let entries = std::fs::read_dir(fjall.join(dir)).expect("a directory");
        entries.map(|entry| entry.expect("an entry").file_name()).collect()
    };
    assert!(filled(&partition.journal()) > 20_000_000);
    assert_eq!((names("journals"), names("partitions/records/segments")), (vec!["0".into()], vec![]));
    Box::new(log).close().expect("it closes");
    assert_eq!(partition.outcome().expect("it is intact").len(), 40_000);
}

#[test]
fn after_a_failing_sync_nothing_more_is_acknowledged() {
    let partition = Partition::new();
    let fails = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&fails);
    let sync = move |file: &std::fs::File| {
        if seen.load(Ordering::SeqCst) { Err(std::io::Error::other("no more")) } else { file.sync_data() }
    };
    let options = DiskOptions { sync: Arc::new(sync), ..asking_for(StorageEngine::Fjall) };
    let (mut log, mut chain) = partition.started_with(options);
    append(&mut log, &mut chain, 1..=1);
    fails.store(true, Ordering::SeqCst);
    let (expected, records) = (chain.next_record(), chain.frame(&[event(2)]));
    let failed = log.append(expected, &records);
    assert!(matches!(failed, Appended::Failed(LogError::Io { action: "sync", .. })), "{failed:?}");
    fails.store(false, Ordering::SeqCst);
    assert!(matches!(log.append(expected, &records), Appended::Failed(LogError::Poisoned { .. })));
    assert!(Box::new(log).close().is_err());
    let seqs = partition.outcome().expect("it is intact");
    assert!(seqs == [1] || seqs == [1, 2], "{seqs:?}");
}

#[test]
fn a_batch_that_does_not_lie_in_the_journal_is_not_acknowledged() {
    let partition = Partition::new();
    let (mut log, mut chain) = partition.started();
    append(&mut log, &mut chain, 1..=20);
    Box::new(log).close().expect("it closes");
    let (mut log, mut chain) = partition.started();
    // From here on fjall writes elsewhere than its journal was; it notices nothing.
    std::fs::OpenOptions::new().write(true).open(partition.path(JOURNAL)).expect("a file").set_len(0).expect("empty");
    let (expected, records) = (chain.next_record(), chain.frame(&[event(21)]));
    let failed = log.append(expected, &records);
    assert!(matches!(failed, Appended::Failed(LogError::Engine { action: "write to", .. })), "{failed:?}");
    assert!(matches!(log.append(expected, &records), Appended::Failed(LogError::Poisoned { .. })));
}

#[test]
fn a_journal_torn_at_any_length_gives_a_prefix_with_everything_anchored_or_names_the_damage() {
    let killed = killed_after(24, 8);
    let whole = killed.journal();
    let (end, mut told) = (filled(&whole), [0, 0]);
    for (number, keep) in (0..end).step_by(end / 16).enumerate() {
        // Every other one with zeros behind it, as fjall makes its file.
        let length = if number % 2 == 0 { keep } else { whole.len() };
        let torn = killed.killed();
        let mut bytes = whole.get(..keep).expect("in range").to_vec();
        bytes.resize(length, 0);
        std::fs::write(torn.path(JOURNAL), bytes).expect("it is written");
        match torn.outcome() {
            Ok(seqs) => {
                assert!(seqs.len() >= 8 && seqs.iter().copied().eq(1..=seqs.len() as u64), "{keep}: {seqs:?}");
                told[0] += 1;
            }
            Err(RecoverError::Damage(damage)) => {
                assert!(damage.record <= RecordNo(9), "{keep}: {damage}");
                told[1] += 1;
            }
            Err(error) => panic!("{keep}: {error}"),
        }
    }
    assert!(told.iter().all(|count| *count > 0), "{told:?}");
}

/// What a power cut leaves where a later page of a batch came to the disk and an earlier one did not. fjall by itself
/// refuses to open that: the batch is as long as it says, and its checksum is wrong.
#[test]
fn a_last_batch_with_a_hole_is_cut_and_does_not_keep_the_log_from_opening() {
    let killed = killed_after(24, 8);
    let mut bytes = killed.journal();
    let end = filled(&bytes);
    bytes.get_mut(end - 60..end - 40).expect("in range").fill(0);
    std::fs::write(killed.path(JOURNAL), bytes).expect("it is written");
    assert!(killed.outcome().expect("only the last batch is torn").into_iter().eq(1..=23));
}

#[test]
fn a_flipped_bit_never_passes_for_a_torn_tail_before_the_anchor_and_the_original_is_kept() {
    let killed = killed_after(24, 24);
    let whole = killed.journal();
    let (end, mut noticed) = (filled(&whole), 0);
    for number in 0..12 {
        let damaged = killed.killed();
        let (at, bit) = (end / 12 * number + number * 7 % 60, number % 8);
        let mut bytes = whole.clone();
        bytes.get_mut(at).map(|byte| *byte ^= 1 << bit).expect("in range");
        std::fs::write(damaged.path(JOURNAL), &bytes).expect("it is written");
        match damaged.outcome() {
            Err(RecoverError::Damage(_)) => noticed += 1,
            // It was one of fjall's sequence numbers, which order changes of one key and are of no other use.
            Ok(seqs) if seqs.iter().copied().eq(1..=24) => continue,
            otherwise => panic!("byte {at}, bit {bit}: {otherwise:?}"),
        }
        let aside = std::fs::read(damaged.path("gen-00000001/aside-fjall/journals/0")).expect("it was kept");
        assert!(aside == bytes, "byte {at}, bit {bit}");
    }
    assert!(noticed > 8, "the damage was too much alike: {noticed}");
}

#[test]
fn a_recovery_that_did_not_finish_starts_again_from_the_copy() {
    let killed = killed_after(5, 5);
    drop(DiskLog::open(&killed.dir, LOG, DiskOptions::default()).expect("it opens"));
    // Whatever the first try has made of it: the copy is what counts, also where nothing else is left.
    std::fs::write(killed.path(JOURNAL), b"spoilt").expect("it is written");
    assert!(killed.killed().outcome().expect("it is intact").into_iter().eq(1..=5));
    std::fs::remove_dir_all(killed.path("gen-00000001/fjall")).expect("it is removed");
    assert!(killed.outcome().expect("it is intact").into_iter().eq(1..=5));
    assert!(!killed.path("gen-00000001/aside-fjall").exists());
}

#[test]
fn a_file_of_fjalls_that_is_lost_is_told_and_never_takes_the_journal_with_it() {
    for lost in ["version", "partitions/records", "journals", "journals/0"] {
        // Nothing is anchored: the anchor cannot tell that anything is missing.
        let killed = killed_after(5, 0);
        let lost = killed.path("gen-00000001/fjall").join(lost);
        if lost.is_dir() { std::fs::remove_dir_all(&lost) } else { std::fs::remove_file(&lost) }
            .expect("it is removed");
        let left = killed.journal_if_there();
        let words = killed.outcome().expect_err("the records cannot be found any more").to_string();
        assert!(words.contains("what to do") && words.contains("aside-fjall"), "{words}");
        let aside = std::fs::read(killed.path("gen-00000001/aside-fjall/journals/0")).ok();
        assert!(aside == left, "{}", lost.display());
    }
}

#[test]
fn files_that_changed_since_a_clean_stop_are_copied_aside_like_unclean_ones() {
    let partition = Partition::new();
    let (mut log, mut chain) = partition.started();
    append(&mut log, &mut chain, 1..=50);
    Box::new(log).close().expect("it closes");
    let original = partition.journal();
    let mut changed = original.clone();
    changed.get_mut(700).map(|byte| *byte ^= 4).expect("in range");
    std::fs::write(partition.path(JOURNAL), &changed).expect("it is written");
    assert!(matches!(partition.outcome(), Err(RecoverError::Damage(_))));
    let aside = partition.path("gen-00000001/aside-fjall/journals/0");
    assert!(std::fs::read(&aside).expect("it is kept") == changed);
    // The bit is mended there, and all is as it was.
    std::fs::write(aside, original).expect("it is written");
    assert!(partition.outcome().expect("it is intact").into_iter().eq(1..=50));
}
