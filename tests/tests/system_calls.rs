//! The server dies, or is told of an error, at its k-th write, sync or rename, for one k after another: what it had
//! acknowledged by then is there after the next start, and what it had not gets one answer under its own key.

use http::StatusCode;
use serde_json::{Value, json};
use std::path::Path;
use tests::{Answer, Client, Server, from_environment, server, strace_is_here};
use tokio::process::Command;

/// Up to which k. Each family ends by itself where the whole visit goes through, which is well before this.
fn calls() -> u32 {
    from_environment("HOLDFAST_SYSTEM_CALLS", 30)
}

/// System calls, and what strace does at the k-th of a thread.
const FAULTS: [(&str, &str); 5] = [
    ("pwrite64,write", "signal=SIGKILL"),
    ("fdatasync,fsync,sync_file_range", "signal=SIGKILL"),
    ("?rename,renameat,renameat2,ftruncate,?unlink", "signal=SIGKILL"),
    ("fdatasync,fsync,sync_file_range", "error=EIO"),
    ("pwrite64", "error=ENOSPC"),
];

const STOCK: u32 = 5;
const CUSTOMERS: usize = 8;

/// One customer's request, always under the same key.
async fn reserve(client: &Client, number: usize) -> Option<Answer> {
    let (customer, key) = (format!("c{number}"), format!("0123456789abcdef-{number}"));
    let answer = client.post(&customer, "/v1/items/lamp/reservations", &key, json!({"quantity": 1})).await.ok()?;
    // 503 and 504 are no answers: nothing happened, or nobody knows.
    (!answer.status.is_server_error()).then_some(answer)
}

/// Customers come one after another. What each was told, if anything.
async fn visit(data: &Path, calls: &str, fault: &str, k: u32) -> Vec<Option<Answer>> {
    let mut command = Command::new("strace");
    // -D: strace steps aside, so that the server is our child.
    command.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
    command.args(["-e", &format!("inject={calls}:{fault}:when={k}")]).arg(server::binary());
    let server = match Server::start_as(command, data, &[]).await {
        Ok(server) => server,
        Err(error) => {
            assert!(!format!("{error:#}").contains("strace:"), "strace itself failed: {error:#}");
            return vec![None; CUSTOMERS];
        }
    };
    let mut told = Vec::new();
    for number in 0..CUSTOMERS {
        told.push(reserve(&server.client, number).await);
    }
    // It may be dead already.
    let _ended = server.kill().await;
    told
}

/// A fresh server on what is left: everything acknowledged is there, and everything is answered now.
async fn converge(data: &Path, told: &[Option<Answer>], what: &str) {
    let server = Server::start(data).await.unwrap_or_else(|error| panic!("{what}: the next start fails: {error:#}"));
    for (number, before) in told.iter().enumerate() {
        let again = reserve(&server.client, number).await.unwrap_or_else(|| panic!("{what}: no answer for c{number}"));
        assert!(matches!(again.status, StatusCode::CREATED | StatusCode::ACCEPTED), "{what}: {}", again.text);
        if let Some(before) = before {
            assert_eq!(
                (again.status, &again.text),
                (before.status, &before.text),
                "{what}: c{number} is told otherwise"
            );
            assert!(again.headers.contains_key("idempotent-replayed"), "{what}: c{number} was judged anew");
        }
    }
    let item = server.client.get("anybody", "/v1/items/lamp").await.expect("an answer");
    let counts = ["available", "held", "sold", "waiting"].map(|name| item.number_of(name));
    assert_eq!(counts, [0, u64::from(STOCK), 0, CUSTOMERS as u64 - u64::from(STOCK)], "{what}: {}", item.text);
    server.stop().await.expect("it stops");
    tests::audited::clean(data, what);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_or_an_error_at_any_system_call_loses_nothing_acknowledged() {
    if !strace_is_here("kills at system calls") {
        return;
    }
    for (calls_of, fault) in FAULTS {
        let (mut cut, mut k) = (0, 0);
        while k < calls() {
            k += 1;
            let dir = tempfile::tempdir().expect("a directory");
            let server = Server::start(dir.path()).await.expect("a server");
            server.client.open_item("lamp", STOCK, Value::Null).await.expect("an item");
            server.kill().await.expect("killed");
            let told = visit(dir.path(), calls_of, fault, k).await;
            let silent_from = told.iter().position(Option::is_none).unwrap_or(told.len());
            let after = told.iter().skip(silent_from).flatten().count();
            assert_eq!(
                after, 0,
                "{fault} at call {k} of {calls_of}: something was acknowledged after what could not be"
            );
            converge(dir.path(), &told, &format!("{fault} at call {k} of {calls_of}")).await;
            if told.iter().all(Option::is_some) {
                break;
            }
            cut += 1;
        }
        println!("{fault} at {calls_of}: {cut} of {k} visits were cut short");
        assert!(cut > 0, "{fault} at {calls_of} never did anything");
    }
}
