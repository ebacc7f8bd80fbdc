//! Every truncation and every flipped bit of many logs, and many of the storage engine's own file.
//!
//! Logs differ: short and long groups, several terms, an anchor somewhere. Of each it is known what is left, so that
//! recovery is told exactly: this prefix, or damage at this record.

mod common;

use eventlog::conformance::{append, append_events, contents, long_event};
use eventlog::{
    Chain, ChainPoint, DiskLog, DiskOptions, EventLog, LocalLog, LogId, MemoryDisk, MemoryLog, RecordNo, RecoverError,
    Recovered, recover,
};
use std::path::Path;

const LOG: LogId = LogId([5; 16]);

/// A test's size: the environment's, to go deeper, or else `usual`.
fn size(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// SplitMix64: every seed gives another log, on every machine the same.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// A log, and what is known of it.
struct Written {
    disk: MemoryDisk,
    /// How long each record is, the first one first.
    lengths: Vec<usize>,
    /// The last record of each group, and how many events there are up to it.
    groups: Vec<(RecordNo, u64)>,
    anchor: RecordNo,
}

impl Written {
    fn draw(seed: u64) -> Self {
        let (mut dice, disk) = (Dice(seed), MemoryDisk::new(LOG));
        let (mut log, mut chain) = claimed(&disk);
        let (mut groups, mut events) = (vec![(log.tail(), 0)], 0);
        for _ in 0..2 + dice.below(6) {
            let count = 1 + dice.below(3);
            match dice.below(8) {
                0 => log.write_anchor().expect("it is written"),
                1 => {
                    drop(log);
                    (log, chain) = claimed(&disk);
                }
                2 => {
                    let long: Vec<_> = (events + 1..=events + count * 6).map(long_event).collect();
                    append_events(&mut log, &mut chain, &long);
                    events += count * 6;
                }
                _ => {
                    append(&mut log, &mut chain, events + 1..=events + count);
                    events += count;
                }
            }
            if groups.last().is_some_and(|(last, _)| *last < log.tail()) {
                groups.push((log.tail(), events));
            }
        }
        let lengths = contents(log.reader().as_ref()).iter().map(|(_, bytes)| bytes.len()).collect();
        drop(log);
        let anchor = MemoryLog::open(disk.clone()).anchor().record;
        Self { disk, lengths, groups, anchor }
    }

    /// The last group that ends before this record.
    fn whole_before(&self, record: RecordNo) -> (RecordNo, u64) {
        self.groups.iter().copied().take_while(|(last, _)| *last < record).last().unwrap_or((RecordNo(0), 0))
    }

    fn records(&self) -> impl Iterator<Item = (RecordNo, usize)> {
        (1..).map(RecordNo).zip(self.lengths.iter().copied())
    }

    /// Recovers `damaged`, a copy in which `record` is the first that is not as it was, and compares.
    fn check(&self, damaged: &MemoryDisk, record: RecordNo, what: &str) -> Outcome {
        let mut log = MemoryLog::open(damaged.clone());
        let mut seqs = Vec::new();
        let recovered = recover(&mut log, ChainPoint::START, &mut |decoded| seqs.push(decoded.event.seq().0));
        let (last, events) = self.whole_before(record);
        match recovered {
            Err(RecoverError::Damage(damage)) => {
                assert!(record <= self.anchor, "{what}: the tail is torn, and that passes for damage: {damage}");
                assert_eq!((damage.record, damage.known), (record, self.anchor), "{what}");
                Outcome::Damage
            }
            Err(error) => panic!("{what}: {error}"),
            Ok(Recovered { tail, cut, .. }) => {
                assert!(record > self.anchor, "{what}: damage before the anchor was not noticed");
                assert_eq!(tail.record, last, "{what}");
                assert!(seqs.iter().copied().eq(1..=events), "{what}: {seqs:?} of {events}");
                cut.map_or(Outcome::Whole, |_| Outcome::Cut)
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Whole,
    Cut,
    Damage,
}

fn claimed(disk: &MemoryDisk) -> (MemoryLog, Chain) {
    let mut log = MemoryLog::open(disk.clone());
    recover(&mut log, ChainPoint::START, &mut |_| {}).expect("it is intact");
    let chain = log.claim("tests").expect("it was recovered").chain;
    (log, chain)
}

/// Counts outcomes and says so at the end.
#[derive(Debug, Default)]
struct Tally {
    whole: u64,
    cut: u64,
    damage: u64,
}

impl Tally {
    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Whole => self.whole += 1,
            Outcome::Cut => self.cut += 1,
            Outcome::Damage => self.damage += 1,
        }
    }

    fn tell(&self, what: &str) {
        let Self { whole, cut, damage } = self;
        println!("{what}: {whole} left a whole log, {cut} a tail that was cut, {damage} damage that was named");
        assert!(*cut > 0 && *damage > 0, "the logs were too much alike");
    }
}

#[test]
fn every_truncation_of_many_logs_recovers_to_the_prefix_that_is_whole_or_names_the_damage() {
    let (logs, mut tally) = (size("HOLDFAST_TRUNCATED_LOGS", 8), Tally::default());
    for seed in 0..logs {
        let written = Written::draw(seed);
        for (record, length) in written.records() {
            for keep in 0..length {
                let torn = written.disk.duplicate();
                torn.tear(record, keep);
                if keep == 0 {
                    torn.lose(record);
                }
                let outcome = written.check(&torn, record, &format!("log {seed}, record {record}, {keep} bytes"));
                let at_a_boundary = keep == 0 && written.whole_before(record).0 == record.before();
                assert_eq!(outcome == Outcome::Whole, at_a_boundary && record > written.anchor, "log {seed}, {record}");
                tally.add(outcome);
            }
        }
    }
    tally.tell(&format!("every truncation of {logs} logs"));
}

#[test]
fn every_flipped_bit_of_many_logs_is_noticed_and_before_the_anchor_it_is_damage() {
    let (logs, mut tally) = (size("HOLDFAST_FLIPPED_LOGS", 1), Tally::default());
    for seed in 0..logs {
        // Other logs than those that are truncated.
        let written = Written::draw(1_000_001 + seed);
        for (record, length) in written.records() {
            for bit in 0..length * 8 {
                let flipped = written.disk.duplicate();
                assert!(flipped.flip_bit(record, bit));
                let outcome = written.check(&flipped, record, &format!("log {seed}, record {record}, bit {bit}"));
                assert_ne!(outcome, Outcome::Whole, "log {seed}, record {record}, bit {bit}: not noticed");
                tally.add(outcome);
            }
        }
    }
    tally.tell(&format!("every bit of {logs} logs"));
}

/// Events 1 to 60, known to have been durable up to 30; as a killed process leaves them.
fn killed_with_an_anchor(dir: &Path) {
    let living = tempfile::tempdir().expect("a directory");
    let partition = living.path().join("partition");
    DiskLog::create(&partition, LOG).expect("an empty directory");
    let mut log = DiskLog::open(&partition, LOG, DiskOptions::default()).expect("it opens");
    recover(&mut log, ChainPoint::START, &mut |_| {}).expect("it is intact");
    let mut chain = log.claim("tests").expect("it was recovered").chain;
    for seq in 1..=60 {
        append(&mut log, &mut chain, seq..=seq);
        if seq == 30 {
            log.write_anchor().expect("it is written");
        }
    }
    common::copy(&partition, dir);
}

#[test]
fn sleds_file_truncated_or_flipped_anywhere_gives_a_prefix_with_everything_anchored_or_a_named_error() {
    let root = tempfile::tempdir().expect("a directory");
    let killed = root.path().join("killed");
    killed_with_an_anchor(&killed);
    let database = |dir: &Path| dir.join("gen-00000001/sled/db");
    let original = std::fs::read(database(&killed)).expect("a file");
    let (files, mut dice, mut told) = (size("HOLDFAST_DAMAGED_FILES", 60), Dice(7), [0_u64; 2]);
    for number in 0..files {
        let damaged = root.path().join("damaged");
        common::copy(&killed, &damaged);
        let (at, bit) = (dice.below(original.len() as u64) as usize, dice.below(8));
        let mut bytes = original.clone();
        let what = if number % 2 == 0 {
            bytes.truncate(at);
            format!("{at} bytes left")
        } else {
            bytes.get_mut(at).map(|byte| *byte ^= 1 << bit).expect("in range");
            format!("bit {bit} of byte {at}")
        };
        std::fs::write(database(&damaged), bytes).expect("it is written");
        let mut seqs = Vec::new();
        let opened = DiskLog::open(&damaged, LOG, DiskOptions::default());
        let recovered = opened
            .map_err(RecoverError::Log)
            .and_then(|mut log| recover(&mut log, ChainPoint::START, &mut |decoded| seqs.push(decoded.event.seq().0)));
        match recovered {
            Ok(_) => {
                assert!(seqs.len() >= 30 && seqs.iter().copied().eq(1..=seqs.len() as u64), "{what}: {seqs:?}");
                told[0] += 1;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty(), "{what}");
                told[1] += 1;
            }
        }
        std::fs::remove_dir_all(&damaged).expect("it was the test's own");
    }
    println!("of {files} files, {} gave a prefix with everything anchored, {} a named error", told[0], told[1]);
    assert!(told[0] > 0 && told[1] > 0, "the damage was too much alike");
}
