//! What only the log on disk does: files that survive, copies aside, closed generations, anchors and watchdogs. Its
//! generations lie in sled here; `fjall_log` has what is different in the other engine.

#[path = "../common/mod.rs"]
mod common;
mod generations;

use common::copy;
use eventlog::conformance::{append, append_events, event, long_event};
use eventlog::{
    Appended, Chain, ChainPoint, DiskLog, DiskOptions, EventLog, LocalLog, LogError, LogId, ReadError, RecordNo,
    RecoverError, Recovered, anchor, recover,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

const LOG: LogId = LogId([0x33; 16]);

struct Partition {
    _root: tempfile::TempDir,
    dir: PathBuf,
}

impl Partition {
    /// In memory where there is such a directory: these tests are about what is written, not how fast.
    fn new() -> Self {
        let shm = Path::new("/dev/shm");
        let root = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() };
        let root = root.expect("a temporary directory");
        let dir = root.path().join("partition");
        DiskLog::create(&dir, LOG).expect("an empty directory");
        Self { _root: root, dir }
    }

    /// The same files, as a process that is killed now would leave them.
    fn killed(&self) -> Self {
        let shm = self.dir.parent().and_then(Path::parent).expect("a parent");
        let root = tempfile::tempdir_in(shm).expect("a temporary directory");
        let dir = root.path().join("partition");
        copy(&self.dir, &dir);
        Self { _root: root, dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn open_with(&self, options: DiskOptions) -> Result<DiskLog, LogError> {
        DiskLog::open(&self.dir, LOG, options)
    }

    fn open(&self) -> DiskLog {
        self.open_with(DiskOptions::default()).expect("it opens")
    }

    fn recovered(&self) -> (DiskLog, Result<Recovered, RecoverError>, Vec<u64>) {
        let mut log = self.open();
        let mut seqs = Vec::new();
        let visit = &mut |decoded: eventlog::DecodedEvent| seqs.push(decoded.event.seq().0);
        let recovered = recover(&mut log, ChainPoint::START, visit);
        (log, recovered, seqs)
    }

    fn started_with(&self, options: DiskOptions) -> (DiskLog, Chain) {
        let mut log = self.open_with(options).expect("it opens");
        let chain = claimed(&mut log);
        (log, chain)
    }

    fn started(&self) -> (DiskLog, Chain) {
        self.started_with(DiskOptions::default())
    }
}

/// Recovers a log that was opened, and begins a term of it.
fn claimed(log: &mut DiskLog) -> Chain {
    recover(log, ChainPoint::START, &mut |_| {}).expect("it is intact");
    log.claim("tests").expect("it was recovered").chain
}

fn flip(path: &Path, bit: usize) {
    let mut bytes = std::fs::read(path).expect("a file");
    bytes.get_mut(bit / 8).map(|byte| *byte ^= 1 << (bit % 8)).expect("in range");
    std::fs::write(path, bytes).expect("it is written");
}

const SLED: &str = "gen-00000001/sled";

#[test]
fn blobs_stay_empty_after_thousands_of_the_longest_records() {
    let partition = Partition::new();
    let (mut log, mut chain) = partition.started();
    let group: Vec<_> = (1..=200).map(long_event).collect();
    for _ in 0..150 {
        append_events(&mut log, &mut chain, &group);
    }
    assert!(log.tail() > RecordNo(2_500), "{}", log.tail());
    let blobs = std::fs::read_dir(partition.path(SLED).join("blobs")).expect("sled makes it").count();
    assert_eq!(blobs, 0);
    Box::new(log).close().expect("it closes");
    let (_, recovered, seqs) = partition.recovered();
    assert_eq!((recovered.expect("it is intact").cut, seqs.len()), (None, 30_000));
}

#[test]
fn the_clean_marker_is_there_after_a_clean_stop_and_only_then() {
    let partition = Partition::new();
    let (log, _) = partition.started();
    assert!(!partition.path("clean").exists());
    Box::new(log).close().expect("it closes");
    assert!(partition.path("clean").exists());
    drop(partition.open());
    assert!(!partition.path("clean").exists(), "opening alone makes it unclean");
}

#[test]
fn files_that_changed_since_a_clean_stop_are_copied_aside_like_unclean_ones() {
    let partition = Partition::new();
    let (mut log, mut chain) = partition.started();
    append(&mut log, &mut chain, 1..=50);
    Box::new(log).close().expect("it closes");
    let original = std::fs::read(partition.path(SLED).join("db")).expect("a file");
    flip(&partition.path(SLED).join("db"), 9_999);
    assert!(matches!(partition.recovered().1, Err(RecoverError::Damage(_))));
    let aside = partition.path("gen-00000001/aside/db");
    flip(&aside, 9_999);
    assert_eq!(std::fs::read(&aside).expect("the original is kept"), original);
    // The bit is mended there, and all is as it was.
    assert!(partition.killed().recovered().2.into_iter().eq(1..=50));
}

#[test]
fn an_unclean_open_keeps_a_copy_until_the_chain_was_checked() {
    let partition = Partition::new();
    let (mut log, mut chain) = partition.started();
    append(&mut log, &mut chain, 1..=5);
    let killed = partition.killed();
    let mut log = killed.open();
    assert!(killed.path("gen-00000001/aside/db").exists());
    recover(&mut log, ChainPoint::START, &mut |_| {}).expect("it is intact");
    assert!(!killed.path("gen-00000001/aside").exists());
    Box::new(log).close().expect("it closes");
    drop(killed.open());
    assert!(!killed.path("gen-00000001/aside").exists(), "a clean stop needs none");
}

#[test]
fn a_recovery_that_did_not_finish_starts_again_from_the_copy() {
    let partition = Partition::new();
    let (mut log, mut chain) = partition.started();
    append(&mut log, &mut chain, 1..=5);
    let killed = partition.killed();
    drop(killed.open());
    // Whatever the first try has made of it: the copy is what counts.
    std::fs::write(killed.path(SLED).join("db"), b"spoilt").expect("it is written");
    let again = killed.killed();
    let (_, recovered, seqs) = again.recovered();
    assert_eq!(recovered.expect("it is intact").cut, None);
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
}

#[test]
fn files_left_by_crashes_do_no_harm() {
    let partition = Partition::new();
    let (mut log, mut chain) = partition.started();
    append(&mut log, &mut chain, 1..=5);
    for clean in [false, true] {
        let left = if clean {
            Box::new(std::mem::replace(&mut log, Partition::new().open())).close().expect("it closes");
            partition.killed()
        } else {
            partition.killed()
        };
        for name in ["anchor.tmp", "clean.tmp", "gen-00000001/sealing.tmp", "gen-00000001/sled/snap.00FF.generating"] {
            std::fs::write(left.path(name), b"half").expect("it is written");
        }
        for name in ["gen-00000001/aside.tmp", "gen-00000001/sled.tmp"] {
            std::fs::create_dir(left.path(name)).expect("it is created");
            std::fs::write(left.path(name).join("db"), b"half").expect("it is written");
        }
        let (_, recovered, seqs) = left.recovered();
        assert_eq!(recovered.expect("it is intact").cut, None, "clean: {clean}");
        assert_eq!(seqs, [1, 2, 3, 4, 5], "clean: {clean}");
        assert!(!left.path("gen-00000001/sled/snap.00FF.generating").exists());
    }
}

#[test]
fn a_spoilt_snapshot_of_sleds_own_is_done_without() {
    let partition = Partition::new();
    let (mut log, mut chain) = partition.started();
    append(&mut log, &mut chain, 1..=5);
    Box::new(log).close().expect("it closes");
    drop(partition.open());
    let killed = partition.killed();
    let spoil = |dir: PathBuf| {
        let names = std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path());
        let snapshots: Vec<PathBuf> = names.filter(|path| path.to_string_lossy().contains("/snap.")).collect();
        snapshots.iter().for_each(|path| flip(path, 77));
        snapshots.len()
    };
    let spoilt = spoil(killed.path(SLED));
    let (_, recovered, seqs) = killed.recovered();
    assert_eq!(recovered.expect("it is intact").cut, None);
    assert_eq!((seqs, spoilt > 0), (vec![1, 2, 3, 4, 5], true));
}

#[test]
fn a_missing_or_damaged_anchor_stops_with_instructions() {
    let partition = Partition::new();
    let (log, _) = partition.started();
    Box::new(log).close().expect("it closes");
    let anchor = partition.path("anchor");
    flip(&anchor, 300);
    let words = partition.open_with(DiskOptions::default()).expect_err("it is damaged").to_string();
    assert!(words.contains("anchor cannot be used: it is damaged") && words.contains("what to do"), "{words}");
    std::fs::remove_file(anchor).expect("it is removed");
    let words = partition.open_with(DiskOptions::default()).expect_err("it is missing").to_string();
    assert!(words.contains("it is missing"), "{words}");
    assert!(partition.path("clean").exists(), "nothing was changed");
}

#[test]
fn the_anchor_follows_by_itself() {
    let partition = Partition::new();
    let options = DiskOptions { anchor_every: Duration::from_millis(1), ..DiskOptions::default() };
    let (mut log, mut chain) = partition.started_with(options);
    append(&mut log, &mut chain, 1..=5);
    let give_up = Instant::now() + Duration::from_secs(10);
    let stored = || anchor::decode(LOG, &std::fs::read(partition.path("anchor")).expect("it is there"));
    while stored() != Ok(chain.point()) {
        assert!(Instant::now() < give_up, "{:?}", stored());
        std::thread::yield_now();
    }
}

#[test]
fn after_a_failing_sync_nothing_more_is_acknowledged() {
    let partition = Partition::new();
    let fails = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&fails);
    let sync = move |file: &std::fs::File| {
        if seen.load(Ordering::SeqCst) { Err(std::io::Error::other("no more")) } else { file.sync_data() }
    };
    let (mut log, mut chain) = partition.started_with(DiskOptions { sync: Arc::new(sync), ..DiskOptions::default() });
    append(&mut log, &mut chain, 1..=1);
    fails.store(true, Ordering::SeqCst);
    let (expected, records) = (chain.next_record(), chain.frame(&[event(2)]));
    let failed = log.append(expected, &records);
    assert!(matches!(failed, Appended::Failed(LogError::Io { action: "sync", .. })), "{failed:?}");
    fails.store(false, Ordering::SeqCst);
    for _ in 0..2 {
        assert!(matches!(log.append(expected, &records), Appended::Failed(LogError::Poisoned { .. })));
    }
    assert_eq!(log.tail(), RecordNo(2));
    assert!(matches!(log.claim("again"), Err(LogError::Poisoned { .. })));
    assert!(matches!(log.rotate(), Err(LogError::Poisoned { .. })));
    assert!(Box::new(log).close().is_err());
    assert!(!partition.path("clean").exists());
    let (_, recovered, seqs) = partition.recovered();
    assert_eq!(recovered.expect("it is intact").cut, None);
    assert!(seqs == [1] || seqs == [1, 2], "{seqs:?}");
}

#[test]
fn a_commit_that_hangs_is_told_once() {
    let partition = Partition::new();
    let (tell, told) = mpsc::channel::<String>();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let (tell, told) = (Mutex::new(tell), Mutex::new(told));
    let hangs = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&hangs);
    let options = DiskOptions {
        stall_max: Duration::from_millis(20),
        on_stall: Arc::new(move |words| {
            counted.fetch_add(1, Ordering::SeqCst);
            tell.lock().expect("not poisoned").send(words).expect("somebody listens");
        }),
        // The disk answers only once the watchdog has barked.
        sync: Arc::new(move |_| {
            if seen.load(Ordering::SeqCst) {
                let words = told.lock().expect("not poisoned").recv_timeout(Duration::from_secs(10));
                assert!(words.is_ok_and(|words| words.contains("longer than 20 ms")));
            }
            Ok(())
        }),
        ..DiskOptions::default()
    };
    let (mut log, mut chain) = partition.started_with(options);
    append(&mut log, &mut chain, 1..=1);
    hangs.store(true, Ordering::SeqCst);
    append(&mut log, &mut chain, 2..=2);
    hangs.store(false, Ordering::SeqCst);
    append(&mut log, &mut chain, 3..=3);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
fn readers_of_a_closed_log_are_told() {
    let partition = Partition::new();
    let (log, _) = partition.started();
    let reader = log.reader();
    let mut half_read = reader.read_from(RecordNo(1));
    Box::new(log).close().expect("it closes");
    assert_eq!(half_read.next(), Some(Err(ReadError::Closed)));
    assert_eq!(half_read.next(), None);
}

/// Opens and recovers files that something was done to; what comes back, or the error's words.
fn outcome(partition: &Partition) -> Result<Vec<u64>, String> {
    let mut log = partition.open_with(DiskOptions::default()).map_err(|error| error.to_string())?;
    let mut seqs = Vec::new();
    let visit = &mut |decoded: eventlog::DecodedEvent| seqs.push(decoded.event.seq().0);
    recover(&mut log, ChainPoint::START, visit).map_err(|error| error.to_string())?;
    Ok(seqs)
}

#[test]
fn flipped_bits_in_sleds_file_never_pass_for_a_torn_tail_before_the_anchor() {
    let partition = Partition::new();
    let (mut log, mut chain) = partition.started();
    for seq in 1..=60 {
        append(&mut log, &mut chain, seq..=seq);
    }
    Box::new(log).close().expect("it closes");
    let length = std::fs::metadata(partition.path(SLED).join("db")).expect("a file").len() as usize;
    let mut noticed = 0;
    // Close together where the records begin, wide apart where the file is mostly padding.
    for bit in (0..48).map(|at| at * 997).chain((0..48).map(|at| at * (length / 48) * 8 + at * 131)) {
        let bit = bit % (length * 8);
        for clean in [true, false] {
            let damaged = partition.killed();
            if !clean {
                std::fs::remove_file(damaged.path("clean")).expect("it is there");
            }
            flip(&damaged.path(SLED).join("db"), bit);
            match outcome(&damaged) {
                Ok(seqs) => assert!(seqs.iter().copied().eq(1..=60), "bit {bit}: {} of 60 events are left", seqs.len()),
                Err(_) => noticed += 1,
            }
        }
    }
    assert!(noticed > 0);
}

#[test]
fn sleds_file_torn_at_any_length_gives_a_prefix_with_everything_anchored() {
    let partition = Partition::new();
    let (mut log, mut chain) = partition.started();
    append(&mut log, &mut chain, 1..=1);
    log.write_anchor().expect("it is written");
    for seq in 2..=40 {
        append(&mut log, &mut chain, seq..=seq);
    }
    let killed = partition.killed();
    let whole = std::fs::read(killed.path(SLED).join("db")).expect("a file");
    let mut prefixes = 0;
    for keep in (0..whole.len()).step_by(whole.len() / 60) {
        let torn = killed.killed();
        std::fs::write(torn.path(SLED).join("db"), whole.get(..keep).expect("in range")).expect("it is written");
        if let Ok(seqs) = outcome(&torn) {
            assert!(seqs.iter().copied().eq(1..=seqs.len() as u64) && !seqs.is_empty(), "{keep} bytes: {seqs:?}");
            prefixes += 1;
        }
    }
    assert!(prefixes > 0);
}
