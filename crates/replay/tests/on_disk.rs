//! Data directories replayed: in use, sealed, damaged, with snapshots; and two of them compared.

mod common;

use common::{Shop, at, customer, everything, hash, in_memory, logs, open, replay, reserve, sku, spec};
use domain::command::Command;
use domain::units::{Quantity, StockChange};
use engine::{Engine, EngineConfig};
use eventlog::{DataDir, EventLog, PartitionCount, RecordNo, SnapshotStore};
use replay::diff::diff;
use replay::{Ask, Logs, Promise, ReplayError, WalkError, Wanted, Workplace};
use std::path::{Path, PathBuf};

/// The flat file of the first generation, once it is closed.
fn sealed(data: &Path) -> PathBuf {
    data.join("partition-000/gen-00000001/from-00000000000000000001.records")
}

/// The sale, with everything in a closed generation but the last reservation.
fn with_a_closed_generation(data: &Path) {
    let mut shop = Shop::on_disk(data);
    shop.sell();
    shop.log.rotate().expect("a new generation");
    shop.ask("chair", 20, reserve("zoe"));
    shop.close();
}

/// The record that a byte of a flat file belongs to, by the lengths that records tell (docs/log-format.md).
fn record_at(path: &Path, byte: usize) -> RecordNo {
    let bytes = std::fs::read(path).expect("a file");
    let (mut number, mut end) = (0, 0);
    while end <= byte {
        let told = bytes.get(end + 52..end + 56).and_then(|told| told.try_into().ok()).expect("a record");
        end += 92 + u32::from_le_bytes(told) as usize;
        number += 1;
    }
    RecordNo(number)
}

fn flip(path: &Path, byte: usize) {
    let mut bytes = std::fs::read(path).expect("a file");
    *bytes.get_mut(byte).expect("a byte") ^= 1;
    std::fs::write(path, bytes).expect("a file");
}

#[test]
fn verify_finds_a_flipped_byte_and_says_in_which_record_and_file_of_the_original_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    with_a_closed_generation(&data);
    let (whole, place) = open(&data);
    assert_eq!(replay(&whole, &everything()).expect("it is right").findings.count(), 0);
    drop((whole, place));
    flip(&sealed(&data), 800);
    let (damaged, _place) = open(&data);
    let error = replay(&damaged, &everything()).expect_err("it is damaged");
    assert!(error.is_damage());
    let ReplayError::Walk { error: WalkError::Damage(damage), .. } = &error else { panic!("{error}") };
    assert_eq!((damage.record, damage.place.path.as_path()), (record_at(&sealed(&data), 800), sealed(&data).as_path()));
    let words = error.to_string();
    assert!(words.contains("what it means:") && words.contains("what to do:"), "{words}");
}

#[test]
fn a_directory_in_use_is_replayed_without_its_lock_and_the_original_stays_as_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let mut shop = Shop::on_disk(&data);
    shop.sell();
    assert!(DataDir::open(&data, PartitionCount::ONE).is_err(), "the shop holds the lock");
    let (logs, place) = open(&data);
    let replayed = replay(&logs, &everything()).expect("it replays");
    assert_eq!((replayed.whole, replayed.findings.count()), (shop.chain.point(), 0));
    let copy = place.path().to_owned();
    drop((logs, place));
    assert!(!copy.exists(), "the private copy is gone");
    shop.ask("chair", 20, reserve("zoe"));
    shop.close();
    let (logs, _place) = open(&data);
    assert_eq!(
        replay(&logs, &everything()).expect("it replays").events,
        replayed.events + 2,
        "ann's chair expires, zoe's is held"
    );
}

#[tokio::test]
async fn a_log_is_replayed_while_an_engine_writes_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let config = EngineConfig { partitions: PartitionCount::new(2).expect("two"), ..EngineConfig::default() };
    let (engine, _) = Engine::open(&data, &config).expect("it opens");
    engine.create_item(spec("lamp", 2_000), None).await.expect("a judgement").outcome.expect("created");
    let item = engine.find(&sku("lamp")).expect("it is there");
    item.command(Command::OpenSale, None).await.expect("a judgement").outcome.expect("opened");
    let writer = tokio::spawn(async move {
        for number in 0..600 {
            let reserved = item.command(reserve(&format!("c{number}")), None).await;
            reserved.expect("a judgement").outcome.expect("held");
        }
    });
    // As often as it can be done while the engine writes, and once more when it is still.
    let mut events = Vec::new();
    loop {
        let is_last = writer.is_finished();
        let copied = data.clone();
        let replayed = tokio::task::spawn_blocking(move || {
            let place = Workplace::new().expect("a directory");
            let logs = Logs::open(&copied, Wanted::Item(&sku("lamp")), &place).expect("it opens");
            replay(&logs, &everything()).expect("what was copied is right")
        });
        let replayed = replayed.await.expect("no panic");
        assert_eq!(replayed.findings.told(), []);
        events.push(replayed.events);
        if is_last {
            break;
        }
    }
    writer.await.expect("no panic");
    engine.close().await;
    assert!(events.is_sorted() && events.last() == Some(&603), "registered, created, opened, 600 held: {events:?}");
}

#[test]
fn a_snapshot_that_equals_the_fold_is_counted_and_one_that_does_not_is_a_finding() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let mut shop = Shop::on_disk(&data);
    shop.sell();
    shop.snapshot();
    let right = shop.chain.point();
    shop.ask("chair", 20, reserve("zoe"));
    shop.close();
    let (logs, place) = open(&data);
    let replayed = replay(&logs, &everything()).expect("it replays");
    assert_eq!((replayed.findings.count(), replayed.verified.map(|verified| verified.snapshots)), (0, Some(1)));
    // A snapshot of this record that says something else: what the next record says too.
    let store = SnapshotStore::new(&data.join("partition-000/snapshots"), replayed.log_id);
    store.write(right, engine::snapshots::sections(&replayed.folded)).expect("a snapshot");
    drop((logs, place));
    let (logs, _place) = open(&data);
    let replayed = replay(&logs, &everything()).expect("it replays");
    let [finding] = replayed.findings.told() else { panic!("{:?}", replayed.findings) };
    assert_eq!((finding.promise, finding.record), (Promise::Snapshot, right.record));
    assert!(finding.words.contains("item 0/2 differs"), "{}", finding.words);
}

#[test]
fn a_log_whose_beginning_was_removed_is_replayed_from_the_snapshot_that_stands_for_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let mut shop = Shop::on_disk(&data);
    shop.sell();
    shop.snapshot();
    let covered = shop.chain.point();
    shop.log.rotate().expect("a new generation");
    shop.ask("chair", 20, reserve("zoe"));
    shop.close();
    let (logs, place) = open(&data);
    let whole = replay(&logs, &everything()).expect("it replays");
    drop((logs, place));
    std::fs::remove_dir_all(data.join("partition-000/gen-00000001")).expect("it is there");
    let (logs, place) = open(&data);
    let rest = replay(&logs, &everything()).expect("it replays");
    assert_eq!((rest.began, rest.events, hash(&rest)), (covered, 2, hash(&whole)));
    assert_eq!(rest.findings.told(), []);
    drop((logs, place));
    std::fs::remove_dir_all(data.join("partition-000/snapshots")).expect("it is there");
    let (logs, _place) = open(&data);
    let error = replay(&logs, &Ask::default()).expect_err("nobody knows what came before");
    assert!(matches!(error, ReplayError::Retired { .. }), "{error}");
}

#[test]
fn what_is_no_data_directory_is_refused_in_words() {
    let dir = tempfile::tempdir().expect("a directory");
    let place = Workplace::new().expect("a directory");
    let error = Logs::open(dir.path(), Wanted::All, &place).expect_err("it is empty");
    assert!(!error.is_damage() && error.to_string().contains("data.toml"), "{error}");
}

#[test]
fn a_log_compared_with_itself_is_the_same_and_with_a_longer_one_parts_where_it_ends() {
    let short = in_memory(|_| ());
    let long = in_memory(|shop| {
        shop.ask("chair", 20, reserve("zoe"));
        let change = StockChange::new(-1).expect("a change");
        let reason = domain::text::Reason::parse("one broke").expect("a reason");
        shop.ask("chair", 21, Command::AdjustStock { change, reason });
    });
    let same = diff(&logs(&short), &logs(&short), &mut |_| ()).expect("both are right");
    assert!(same.is_same() && same.hashes.a.is_some() && same.hashes.a == same.hashes.b);
    let found = diff(&logs(&short), &logs(&long), &mut |_| ()).expect("both are right");
    assert!(!found.is_same());
    let parting = found.logs.first().and_then(|log| log.parting.clone()).expect("they part");
    let there = parting.events.b.expect("the longer one goes on");
    assert_eq!((parting.events.a, there.name, there.sequence.0), (None, "HoldExpired", 4));
    let told: Vec<&str> = found.differences.iter().map(|difference| difference.what.as_str()).collect();
    assert!(found.differences.iter().all(|difference| difference.sku == Some(sku("chair"))));
    for what in ["sequence", "total", "available", "reservations"] {
        assert!(told.contains(&what), "{what}: {told:?}");
    }
    assert!(told.iter().any(|what| what.starts_with("reservation rsv_")), "{told:?}");
}

#[test]
fn two_sales_that_went_otherwise_part_at_the_first_event_that_is_another() {
    let other = in_memory(|shop| shop.ask("lamp", 16, reserve("eve")));
    let one = in_memory(|shop| {
        let (quantity, waitlist) = (Quantity::ONE, domain::command::WaitlistChoice::Join);
        shop.ask("lamp", 16, Command::Reserve { customer: customer("fay"), quantity, waitlist });
    });
    let found = diff(&logs(&one), &logs(&other), &mut |_| ()).expect("both are right");
    let parting = found.logs.first().and_then(|log| log.parting.clone()).expect("they part");
    let (a, b) = (parting.events.a.expect("an event"), parting.events.b.expect("an event"));
    assert_eq!((a.name, a.at, a.sequence), (b.name, at(16), b.sequence));
    let [difference] = found.differences.as_slice() else { panic!("{:?}", found.differences) };
    assert!(difference.values.a.contains("fay") && difference.values.b.contains("eve"), "{difference:?}");
}
