//! `holdfast replay` as people run it: its words and its exit codes, on logs that a demo has written.

use domain::event::{Event, Recorded};
use domain::ids::{ItemNo, Seq};
use domain::time::Timestamp;
use eventlog::{
    Appended, ChainPoint, DataDir, DiskLog, DiskOptions, EventLog, PartitionCount, encode_item_event, recover,
};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn holdfast(line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    command.args(line.split_whitespace());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOLDFAST_")) {
        command.env_remove(name);
    }
    command.output().expect("the program runs")
}

#[track_caller]
fn check(output: &Output, code: i32, expected: &[&str]) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    for words in expected {
        assert!(text.contains(words), "{words:?} is missing in:\n{text}");
    }
    text
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The data directory of a small demo.
fn demo(dir: &Path) -> PathBuf {
    let data = dir.join("data");
    let line = format!(
        "demo --exit --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --scale 0.1 --customers 300 --stock 40 \
         --arrive-within-ms 100 --hold-time-ms 1000 --seed 7 --data-dir {}",
        data.display()
    );
    check(&holdfast(&line), 0, &["Every promise is kept."]);
    data
}

/// Goes on writing a log as a server would, with this event if there is one.
fn write_on(data: &Path, event: Option<(ItemNo, Recorded)>) {
    let held = DataDir::open(data, PartitionCount::ONE).expect("a data directory");
    let place = held.partitions().next().expect("a partition");
    let mut log = DiskLog::open(&place.path, place.log_id, DiskOptions::default()).expect("a log");
    recover(&mut log, ChainPoint::START, &mut |_| ()).expect("it is right");
    let mut chain = log.claim("tests").expect("a claim").chain;
    if let Some((item, recorded)) = event {
        let next = chain.next_record();
        let records = chain.frame(&[encode_item_event(item, &recorded)]);
        assert!(matches!(log.append(next, &records), Appended::Durable));
    }
    Box::new(log).close().expect("it closes");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).expect("an entry");
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).expect("a copy");
        }
    }
}

#[test]
fn a_right_log_ends_with_0_and_its_state_hash_is_that_of_its_backup() {
    let dir = tempfile::tempdir().expect("a directory");
    let (data, backup) = (demo(dir.path()), dir.path().join("backup"));
    copy(&data, &backup);
    let words = ["State hash: ", "Verified: ", "Judged again: ", "Every invariant holds.", "iphone-15"];
    check(&holdfast(&format!("replay {} --verify --redecide", data.display())), 0, &words);
    let of = |dir: &Path| json(&holdfast(&format!("replay --json {}", dir.display())));
    let (one, other) = (of(&data), of(&backup));
    assert!(one.get("state_hash").is_some_and(Value::is_string), "{one}");
    assert_eq!(one.get("state_hash"), other.get("state_hash"));
    check(&holdfast(&format!("replay diff {} {}", data.display(), backup.display())), 0, &["They are the same."]);
    write_on(&data, None);
    let differ = check(&holdfast(&format!("replay diff {} {}", data.display(), backup.display())), 0, &[]);
    assert!(differ.contains("They hold the same events."), "a claim is no event: {differ}");
}

#[test]
fn an_event_that_contradicts_the_state_ends_with_3_and_names_item_and_sequence() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = demo(dir.path());
    let before = json(&holdfast(&format!("replay --json {}", data.display())));
    let item = before.pointer("/items/1").expect("the second item");
    let number = |name: &str| item.get(name).and_then(Value::as_u64).expect("a number");
    let (no, seq) = (ItemNo::from_u32(u32::try_from(number("item")).expect("small")), Seq(number("sequence") + 1));
    // The sale is over; nobody can pause it.
    let recorded = Recorded { seq, at: Timestamp::MAX, idempotency: None, event: Event::SalePaused };
    write_on(&data, Some((no, recorded)));
    let position = format!("iphone-15, sequence {seq} (record ");
    let text = check(&holdfast(&format!("replay {}", data.display())), 3, &[&position, "invariant", "BROKEN"]);
    assert!(!text.contains("panicked"), "{text}");
    let told = holdfast(&format!("replay --json {}", data.display()));
    assert_eq!(told.status.code(), Some(3));
    let told = json(&told);
    assert_eq!(told.pointer("/findings/0/sequence").and_then(Value::as_u64), Some(seq.0));
    assert_eq!(told.get("state_hash"), Some(&Value::Null));
    let earlier = holdfast(&format!("replay {} --item iphone-15 --until {}", data.display(), seq.0 - 1));
    check(&earlier, 0, &["Every invariant holds."]);
}

#[test]
fn a_log_that_lacks_what_was_durable_ends_with_4_and_says_where() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = demo(dir.path());
    let (generation, aside) = (data.join("partition-000/gen-00000001"), dir.path().join("aside"));
    copy(&generation, &aside);
    write_on(&data, None);
    std::fs::remove_dir_all(&generation).expect("it is there");
    copy(&aside, &generation);
    let words = ["is damaged", "where: generation 1", "what it means:", "what to do:"];
    let text = check(&holdfast(&format!("replay --verify {}", data.display())), 4, &words);
    assert!(text.contains(&generation.display().to_string()), "the original's place, not the copy's: {text}");
    let told = holdfast(&format!("replay --json {}", data.display()));
    assert_eq!(told.status.code(), Some(4));
    assert!(json(&told).get("record").is_some_and(Value::is_u64));
}

#[test]
fn a_receipt_is_checked_an_event_is_exported_and_a_reservation_explained() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = demo(dir.path());
    let data = data.display();
    let made = holdfast(&format!("replay receipt make --item iphone-15 --seq 3 {data}"));
    let receipt = check(&made, 0, &["hfr1:0:"]);
    let receipt = receipt.trim();
    check(&holdfast(&format!("replay receipt check {receipt} {data}")), 0, &["bears the receipt out"]);
    // A number that no record holds: the event after may well stand in the same record.
    let forged = receipt.replace(":iphone-15:3:", ":iphone-15:4000000000:");
    check(
        &holdfast(&format!("replay receipt check {forged} {data}")),
        3,
        &["does not bear", "holds no event 4000000000"],
    );
    check(&holdfast(&format!("replay receipt check nonsense {data}")), 2, &["hfr1:<partition>"]);
    let exported = holdfast(&format!("replay export --format ndjson --item iphone-15 {data}"));
    let rows = String::from_utf8_lossy(&exported.stdout).into_owned();
    let held = rows.lines().find(|line| line.contains("\"HoldPlaced\"")).expect("somebody held one");
    let row: Value = serde_json::from_str(held).expect("JSON");
    let id = row.pointer("/fields/reservation_id").and_then(Value::as_str).expect("an id");
    check(&holdfast(&format!("replay explain {id} {data}")), 0, &[id, "of iphone-15", "HoldPlaced:"]);
    check(&holdfast(&format!("replay explain rsv_00000001000080008317520a7f68dc03 {data}")), 1, &["no reservation"]);
    let csv = check(&holdfast(&format!("replay export --format csv {data}")), 0, &["partition,record,number"]);
    assert!(csv.lines().count() > rows.lines().count());
}

#[test]
fn what_cannot_be_replayed_is_told_with_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    check(&holdfast(&format!("replay {}", dir.path().display())), 1, &["no data directory", "Give the directory"]);
    check(&holdfast("replay --until yesterday"), 2, &["2026-01-31T12:00:00Z"]);
    check(&holdfast("replay --item Capital"), 2, &["--item"]);
    check(&holdfast("replay --help"), 0, &["--redecide", "SEQ|TIME", "receipt", "Exit codes"]);
    let data = dir.path().join("data");
    let two = PartitionCount::new(2).expect("two");
    drop(DataDir::open(&data, two).expect("a data directory"));
    check(&holdfast(&format!("replay --until 5 {}", data.display())), 2, &["2 partitions", "Add --item"]);
    check(&holdfast(&format!("replay --item lamp {}", data.display())), 1, &["knows no item lamp"]);
    check(&holdfast(&format!("replay {}", data.display())), 0, &["Every invariant holds."]);
}
