//! `holdfast audit`: what it ends with for a whole log, one that breaks a promise, one that is damaged, and one that a
//! server writes to meanwhile.

use super::directory;
use super::sale::random_sale;
use domain::event::{Event, Recorded};
use domain::time::Timestamp;
use eventlog::StorageEngine;

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tests::{Server, server};

fn audit(dir: &Path, more: &[&str]) -> Output {
    let output = Command::new(server::binary()).arg("audit").arg(dir).args(more).output();
    output.expect("it runs")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Every file below a directory, with its bytes.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).expect("a file"));
        }
    }
    found
}

#[test]
fn a_whole_log_of_two_generations_is_clean_and_left_as_it_was_in_either_engine() {
    for engine in StorageEngine::ALL {
        is_clean_and_left_as_it_was(engine);
    }
}

fn is_clean_and_left_as_it_was(engine: StorageEngine) {
    let dir = tempfile::tempdir().expect("a directory");
    let events = random_sale(7, 200);
    directory::written_in(engine, dir.path(), &events);
    assert!(dir.path().join("partition-000/gen-00000002").join(engine.name()).is_dir(), "{engine}");
    let before = files(dir.path());
    let output = audit(dir.path(), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("Every promise is kept."), "{}", said(&output));
    let json = audit(dir.path(), &["--json"]);
    let json: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json.get("clean"), Some(&Value::Bool(true)));
    assert_eq!(json.get("events").and_then(Value::as_u64), Some(events.len() as u64 + 1));
    let replayed = Command::new(server::binary()).arg("replay").arg(dir.path()).arg("--verify").output();
    let replayed = replayed.expect("it runs");
    assert_eq!(replayed.status.code(), Some(0), "{engine}: {}", said(&replayed));
    assert!(before == files(dir.path()), "the original is left as it was");
}

#[test]
fn a_log_that_breaks_a_promise_ends_with_3_and_one_without_its_anchor_with_4() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut events = random_sale(7, 200);
    let held = events.iter_mut().find_map(|found: &mut Recorded| match &mut found.event {
        Event::HoldPlaced { deadline, .. } => Some(deadline),
        _ => None,
    });
    *held.expect("somebody holds") = Timestamp::from_millis(1);
    directory::written(dir.path(), &events);
    let output = audit(dir.path(), &[]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("is held until 1"), "{}", said(&output));
    let json: Value = serde_json::from_slice(&audit(dir.path(), &["--json"]).stdout).expect("JSON");
    assert_eq!(json.pointer("/findings/0/rule"), Some(&Value::from("deadline")), "{json}");

    std::fs::remove_file(dir.path().join("partition-000/anchor")).expect("it is there");
    let output = audit(dir.path(), &[]);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
}

#[test]
fn one_flipped_bit_in_a_closed_generation_ends_with_4_and_the_record_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    directory::written(dir.path(), &random_sale(7, 200));
    let sealed = files(dir.path()).into_iter().find(|(path, _)| path.to_string_lossy().ends_with(".records"));
    let (path, mut bytes) = sealed.expect("a closed generation");
    if let Some(byte) = bytes.last_mut() {
        *byte ^= 1;
    }
    std::fs::write(path, bytes).expect("written");
    let output = audit(dir.path(), &[]);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(said(&output).contains("its checksum is wrong"), "{}", said(&output));
}

#[test]
fn a_directory_that_is_none_ends_with_1() {
    let dir = tempfile::tempdir().expect("a directory");
    let output = audit(dir.path(), &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_running_server_can_be_audited_and_so_can_what_a_kill_leaves() {
    for engine in StorageEngine::ALL {
        can_be_audited_while_it_runs_and_when_it_was_killed(engine).await;
    }
}

async fn can_be_audited_while_it_runs_and_when_it_was_killed(engine: StorageEngine) {
    let dir = tempfile::tempdir().expect("a directory");
    let more = ["--log", engine.name()];
    let server = tokio::process::Command::new(server::binary());
    let server = Server::start_as(server, dir.path(), &more).await.expect("a server");
    server.client.open_item("lamp", 3, Value::Null).await.expect("an item");
    for number in 0..6 {
        server.client.reserve(&format!("c{number}"), "lamp").await.expect("an answer");
    }
    let path = dir.path().to_owned();
    let beside = tokio::task::spawn_blocking(move || audit(&path, &[])).await.expect("no panic");
    assert_eq!(beside.status.code(), Some(0), "{}", said(&beside));
    server.kill().await.expect("killed");
    let report = tests::audited::clean(dir.path(), "after the kill");
    let books = report.items.values().next().expect("the item");
    assert_eq!((books.units.held, books.units.waited), (3, 3));
}
