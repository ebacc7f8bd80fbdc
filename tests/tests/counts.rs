//! What the shipped server does for a request, counted from outside: syncs, records of the log, system calls.
//!
//! One client's counts are exact. What a crowd shares depends on who comes when, so a crowd has bounds with room in
//! them, and none of them is a time. Instructions and allocations are counted elsewhere (docs/bench.md, "Counts").

use domain::ids::PartitionNo;
use http::StatusCode;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tests::{Client, Server, from_environment, server, strace_is_here};
use tokio::process::Command;
use tokio::task::JoinSet;

/// Clients of the crowd, each of which asks again when it has its answer.
const CROWD: u64 = 64;

/// Syncs for 100 reservations of the crowd, at most. If all its clients came at once 64 would share each, and 2 would
/// do. Those who come while a sync is under way share the next one, so it is about 5; strace, which stops whoever makes
/// a call, spreads them out to some 20. Without sharing there would be 100.
const CROWD_SYNCS_MAX_PERCENT: u64 = 50;

/// System calls, besides futexes, of one reservation of a client alone, at most: it is about 9. Polling, reading and
/// writing the socket, waking the poller, writing and syncing the log.
const ALONE_CALLS_MAX: u64 = 12;

/// The same in the crowd, where all but reading and writing the socket is shared: about 3.5.
const CROWD_CALLS_MAX: u64 = 6;

/// Futexes of one reservation, at most, of anybody. How often threads sleep and wake each other is the scheduler's
/// affair; about 23 alone, where every thread on the way has fallen asleep, and 4 in the crowd. This catches a storm only.
const FUTEXES_MAX: u64 = 60;

/// What was counted between two moments.
struct Counts {
    syncs: u64,
    calls: BTreeMap<String, u64>,
}

impl Counts {
    fn futexes(&self) -> u64 {
        self.calls.get("futex").copied().unwrap_or_default()
    }

    fn besides_futexes(&self) -> u64 {
        self.calls.values().sum::<u64>() - self.futexes()
    }

    fn check(&self, requests: u64, calls_max: u64) {
        let (calls, futexes) = (self.besides_futexes(), self.futexes());
        assert!(calls <= requests * calls_max, "{calls} system calls for {requests} reservations");
        assert!(futexes <= requests * FUTEXES_MAX, "{futexes} futexes for {requests} reservations");
    }

    fn print(&self, who: &str, requests: u64) {
        let per_request = |count: u64| count as f64 / requests as f64;
        let mut calls: Vec<(&String, &u64)> = self.calls.iter().collect();
        calls.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let most: Vec<String> =
            calls.iter().take(8).map(|(name, count)| format!("{name} {:.2}", per_request(**count))).collect();
        let (syncs, besides) = (self.syncs, per_request(self.besides_futexes()));
        println!(
            "{who}: {requests} reservations, {syncs} syncs, {besides:.1} calls besides futexes: {}",
            most.join(", ")
        );
    }
}

/// A growing trace.
struct Trace {
    path: PathBuf,
    read: usize,
}

impl Trace {
    /// What it tells since it was asked last. Calls that ended since, but began before, were counted then.
    fn since(&mut self) -> Counts {
        let bytes = std::fs::read(&self.path).expect("a trace");
        let text = String::from_utf8_lossy(bytes.get(self.read..).unwrap_or_default()).into_owned();
        self.read = bytes.len();
        let (mut syncs, mut calls) = (0, BTreeMap::new());
        for line in text.lines() {
            let Some((_, call)) = line.split_once(' ') else { continue };
            let Some((name, arguments)) = call.trim_start().split_once('(') else { continue };
            if name.contains(' ') {
                continue;
            }
            *calls.entry(name.to_owned()).or_default() += 1;
            syncs += u64::from(name == "fdatasync" && arguments.contains("/db>"));
        }
        Counts { syncs, calls }
    }
}

async fn reserve(client: &Client, who: &str) {
    let answer = client.reserve(who, "lamp").await.expect("an answer");
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
}

async fn come_alone(client: &Client, requests: u64) {
    for number in 0..requests {
        reserve(client, &format!("alone-{number}")).await;
    }
}

async fn come_together(client: &Client, requests_each: u64) {
    let mut crowd = JoinSet::new();
    for lane in 0..CROWD {
        let client = client.clone();
        crowd.spawn(async move {
            for number in 0..requests_each {
                reserve(&client, &format!("crowd-{lane}-{number}")).await;
            }
        });
    }
    while let Some(done) = crowd.join_next().await {
        done.expect("no panic");
    }
}

/// A server with an item on sale.
async fn selling(data: &Path, trace: Option<&Path>) -> Server {
    let server = match trace {
        Some(trace) => {
            let mut command = Command::new("strace");
            // -D: strace steps aside, so that the server is our child; -y: descriptors are shown with their paths.
            command.args(["-D", "-f", "-y", "-qq", "-s", "0", "-e", "signal=none", "-o"]);
            command.arg(trace).arg(server::binary());
            Server::start_as(command, data, &[]).await
        }
        None => Server::start(data).await,
    };
    let server = server.expect("a server");
    server.client.open_item("lamp", 1_000_000, Value::Null).await.expect("an item");
    server
}

/// The records in the log of a stopped server.
fn records(data: &Path) -> u64 {
    tests::log::hashes(data, PartitionNo(0)).expect("a log").len() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_alone_pays_exactly_one_sync_a_reservation_and_a_crowd_shares_them() {
    if !strace_is_here("counts what a reservation costs") {
        return;
    }
    let requests = from_environment("HOLDFAST_COUNTED_REQUESTS", 1_000);
    let dir = tempfile::tempdir().expect("a directory");
    let (data, trace) = (dir.path().join("data"), dir.path().join("trace"));
    let server = selling(&data, Some(&trace)).await;
    let mut trace = Trace { path: trace, read: 0 };
    // The first request opens the connection.
    reserve(&server.client, "first").await;
    let _until_now = trace.since();

    come_alone(&server.client, requests).await;
    let alone = trace.since();
    alone.print("alone", requests);
    assert_eq!(alone.syncs, requests, "each reservation has one sync of its own, and there is no other");
    alone.check(requests, ALONE_CALLS_MAX);

    let each = requests.div_ceil(CROWD);
    come_together(&server.client, each).await;
    let (crowd, requests) = (trace.since(), each * CROWD);
    crowd.print("64 clients", requests);
    assert!(crowd.syncs >= each, "{each} reservations one after another need as many syncs, not {}", crowd.syncs);
    assert!(crowd.syncs * 100 <= requests * CROWD_SYNCS_MAX_PERCENT, "{} syncs for {requests}", crowd.syncs);
    crowd.check(requests, CROWD_CALLS_MAX);
    server.stop().await.expect("it stops");
}

/// Without strace, which slows a crowd down: from what is in the log afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_alone_gets_a_record_for_each_reservation_and_a_crowd_shares_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let (empty, alone, crowd) = (dir.path().join("empty"), dir.path().join("alone"), dir.path().join("crowd"));
    let (one_after_another, each) = (500, 50);
    selling(&empty, None).await.stop().await.expect("it stops");
    let besides = records(&empty);

    let server = selling(&alone, None).await;
    come_alone(&server.client, one_after_another).await;
    server.stop().await.expect("it stops");
    assert_eq!(records(&alone) - besides, one_after_another, "each reservation is a record of its own");

    let server = selling(&crowd, None).await;
    come_together(&server.client, each).await;
    server.stop().await.expect("it stops");
    let (shared, requests) = (records(&crowd) - besides, each * CROWD);
    println!("64 clients: {requests} reservations in {shared} records");
    assert!(shared >= each, "{each} reservations one after another need as many records, not {shared}");
    assert!(shared * 100 <= requests * CROWD_SYNCS_MAX_PERCENT, "{shared} records for {requests} reservations");
}
