//! A sync that takes seconds: callers are told in time that nobody knows, nothing is acknowledged until the disk has
//! answered, and then the same key tells. A sync that does not come back ends the process, and the next start tells.

use http::StatusCode;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tests::{Answer, Client, Server, from_environment, server, strace_is_here};
use tokio::process::Command;
use tokio::task::JoinSet;

/// For how long the disk does not answer. The night's run sets it higher, but below the 10 s at which the server ends.
fn stall_ms() -> u64 {
    from_environment("HOLDFAST_STALL_MS", 3_000)
}

/// Longer than the server waits for any disk. strace lets the thread that it holds go only then, so the test takes as
/// long.
const TOO_LONG_MS: u64 = 16_000;
/// Callers wait this long; requests that were not judged by then are dropped.
const PATIENCE: [&str; 4] = ["--timeouts-answer-ms", "800", "--timeouts-judge-ms", "400"];
/// Which of a thread's syncs stalls: the opening thread has fewer, the committer's first ones go well.
const STALLS: usize = 4;
/// Customers who come while the disk stalls.
const CROWD: usize = 8;

async fn reserve(client: &Client, name: &str) -> Answer {
    let key = format!("0123456789abcdef-{name}");
    client.post(name, "/v1/items/lamp/reservations", &key, json!({"quantity": 1})).await.expect("an answer")
}

/// A server with an item on sale whose disk will stall, and where the trace of its syncs and answers is.
async fn stalling(dir: &Path, stall_ms: u64) -> Server {
    let (data, trace) = (dir.join("data"), dir.join("trace"));
    let server = Server::start(&data).await.expect("a server");
    server.client.open_item("lamp", 100, Value::Null).await.expect("an item");
    assert_eq!(server.stop().await.expect("a status"), Some(0));
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-qq", "-s", "16", "-e", "trace=fdatasync,writev,sendto,write", "-e"]);
    command.arg(format!("inject=fdatasync:delay_enter={}:when={STALLS}", stall_ms * 1_000));
    command.arg("-o").arg(&trace).arg(server::binary());
    Server::start_as(command, &data, &PATIENCE).await.expect("a server under strace")
}

/// Customers come one after another until one is told that nobody knows. How many came.
async fn until_it_stalls(client: &Client) -> usize {
    for number in 0..STALLS * 3 {
        let answer = reserve(client, &format!("c{number}")).await;
        if answer.status == StatusCode::GATEWAY_TIMEOUT {
            assert_eq!(answer.code(), "outcome_unknown");
            return number + 1;
        }
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    }
    panic!("the disk never stalled")
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_sync_stalls_callers_learn_in_time_that_nobody_knows_and_afterwards_their_keys_tell() {
    if !strace_is_here("makes a sync stall") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let server = stalling(dir.path(), stall_ms()).await;
    let came = until_it_stalls(&server.client).await;
    let stalled = format!("c{}", came - 1);
    let mut crowd = JoinSet::new();
    for number in 0..CROWD {
        let client = server.client.clone();
        crowd.spawn(async move { reserve(&client, &format!("late-{number}")).await.status });
    }
    let told = crowd.join_all().await;
    let no_answer = [StatusCode::GATEWAY_TIMEOUT, StatusCode::SERVICE_UNAVAILABLE];
    let unknown = told.iter().filter(|status| no_answer.contains(status)).count();

    // The same key, again and again, until it tells.
    let mut first = reserve(&server.client, &stalled).await;
    while first.status.is_server_error() {
        tokio::time::sleep(Duration::from_millis(50)).await; // waits: for the end of the stall, which strace decides
        first = reserve(&server.client, &stalled).await;
    }
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text);
    assert!(first.headers.contains_key("idempotent-replayed"), "what stalled has happened, and is not done again");
    for number in 0..CROWD {
        let answer = reserve(&server.client, &format!("late-{number}")).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    }
    let item = server.client.get("anybody", "/v1/items/lamp").await.expect("an answer");
    assert_eq!(item.number_of("held"), (came + CROWD) as u64, "everybody holds one: {}", item.text);
    assert_eq!(server.stop().await.expect("a status"), Some(0));

    let text = std::fs::read_to_string(dir.path().join("trace")).expect("a trace");
    let [accepted, timeouts] = answered_during_the_stall(&text);
    println!("a sync of {} ms: {timeouts} times 504 and {accepted} acknowledgements meanwhile", stall_ms());
    println!("{unknown} of {CROWD} who came meanwhile were told 503 or 504");
    assert_eq!(accepted, 0, "something was acknowledged before the disk had answered");
    assert!(timeouts > 0, "callers were told only when the disk had answered");
}

/// Answers that say yes, and those that say that nobody knows, between the beginning and the end of the stalled sync.
fn answered_during_the_stall(trace: &str) -> [usize; 2] {
    let lines: Vec<&str> = trace.lines().collect();
    let end = lines.iter().position(|line| line.contains("(DELAYED)")).expect("strace says which sync it delayed");
    let thread = lines.get(end).and_then(|line| line.split_once(' ')).expect("lines begin with the thread").0;
    let is_its_sync = |line: &&str| line.starts_with(thread) && line.contains("fdatasync(");
    let begin = lines.iter().take(end + 1).rposition(is_its_sync).expect("it began");
    let meanwhile = || lines.iter().take(end).skip(begin);
    [
        meanwhile().filter(|line| line.contains("HTTP/1.1 2")).count(),
        meanwhile().filter(|line| line.contains("HTTP/1.1 504")).count(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_does_not_come_back_ends_the_process_and_the_next_start_tells() {
    if !strace_is_here("makes a sync hang") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let server = stalling(dir.path(), TOO_LONG_MS).await;
    let came = until_it_stalls(&server.client).await;
    let ended = server.ended().await.expect("it ends by itself");
    assert_eq!(ended.code, Some(70), "{ended:?}");
    for words in ["the server cannot go on", "a commit has taken longer"] {
        assert!(ended.complained.contains(words), "{}", ended.complained);
    }
    let server = Server::start(&dir.path().join("data")).await.expect("what the disk had is enough");
    for number in 0..came {
        let answer = reserve(&server.client, &format!("c{number}")).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        let acknowledged = number + 1 < came;
        assert!(!acknowledged || answer.headers.contains_key("idempotent-replayed"), "c{number} was judged anew");
    }
    let item = server.client.get("anybody", "/v1/items/lamp").await.expect("an answer");
    assert_eq!(item.number_of("held"), came as u64, "{}", item.text);
    assert_eq!(server.stop().await.expect("a status"), Some(0));
}
