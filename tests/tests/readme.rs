//! The README's calls, executed as they stand: commands and answers.

use std::collections::HashMap;
use std::process::Command;
use tests::Server;

const README: &str = include_str!("../../README.md");

/// A command and the answer that the README shows.
struct Call {
    command: String,
    shown: String,
}

/// The calls of the README's console block. A command may go on over lines that end with a backslash.
fn calls() -> Vec<Call> {
    let block = README.split("```console\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a console block");
    let mut calls: Vec<Call> = Vec::new();
    let mut in_command = false;
    for line in block.lines() {
        match (line.strip_prefix("$ "), calls.last_mut()) {
            (Some(command), _) => calls.push(Call { command: command.to_owned(), shown: String::new() }),
            (None, Some(call)) if in_command => call.command.push_str(&format!("\n{line}")),
            (None, Some(call)) => call.shown.push_str(line),
            (None, None) => panic!("an answer before its command: {line}"),
        }
        in_command = line.ends_with('\\');
    }
    calls
}

/// The ids in a text, without their prefix, in order.
fn ids(text: &str) -> Vec<&str> {
    let tails = text.split("rsv_").skip(1).chain(text.split("ord_").skip(1));
    tails.filter_map(|tail| tail.get(..32)).filter(|id| id.bytes().all(|b| b.is_ascii_hexdigit())).collect()
}

/// Times are those of the run; everything else must be the same to the letter.
fn without_times(text: &str) -> String {
    let mut parts = text.split("\"20");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str("\"TIME");
        plain.push_str(part.split_once('"').map_or(part, |(_, rest)| rest));
    }
    plain
}

#[tokio::test(flavor = "multi_thread")]
async fn the_calls_in_the_readme_give_the_answers_it_shows() {
    let has_curl = Command::new("curl").arg("--version").output().is_ok();
    if !has_curl && std::env::var_os("HOLDFAST_TESTS_MUST_RUN").is_none() {
        println!("SKIPPED: curl is not installed; tests/install-tools.sh installs it");
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(&dir.path().join("data")).await.expect("a server");
    let mut of_this_run: HashMap<String, String> = HashMap::new();
    let calls = calls();
    assert_eq!(calls.len(), 5, "five calls");
    for Call { command, shown } in calls {
        let mut here = command
            .replace("http://127.0.0.1:8080", &server.client.public)
            .replace("http://127.0.0.1:9090", &server.client.admin);
        for (id, actual) in &of_this_run {
            here = here.replace(id, actual);
        }
        let output = Command::new("bash").args(["-c", &here]).current_dir(dir.path()).output().expect("bash runs");
        let answer = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        for (id, actual) in ids(&shown).into_iter().zip(ids(&answer)) {
            of_this_run.insert(id.to_owned(), actual.to_owned());
        }
        let mut expected = without_times(&shown);
        for (id, actual) in &of_this_run {
            expected = expected.replace(id, actual);
        }
        assert_eq!(without_times(&answer), expected, "after: {command}");
    }
}

#[test]
fn the_test_command_of_the_readme_is_what_ci_runs() {
    let ci = include_str!("../../.ci/run");
    assert!(README.contains("cargo test --workspace") && ci.contains("cargo test --workspace"));
    assert!(README.contains("cargo run --release -- demo"));
}
