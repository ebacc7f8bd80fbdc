//! The binary with a wall clock that jumps, runs backwards or stands still, which libfaketime sees to: while it runs no
//! hold ends because of it, after a restart none ends before the grace, and logged time never runs backwards.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::{Client, Server, audited, server};
use tokio::process::Command;

/// What libfaketime is told; it looks at its file whenever the time is asked for.
const USUAL: &str = "+0";
const JUMPS: [&str; 5] = ["+3600", "-3600", "+86400", "-86400", STANDS_STILL];
const STANDS_STILL: &str = "2033-05-18 03:33:20";
/// A jump that has reached the process shows as an offset of at least this much; the smallest jump is an hour.
const SEEN_MS: i64 = 3_000_000;
/// A hold that lasts longer than this test, and one that ends within it.
const LONG_MS: u64 = 600_000;
const SHORT_MS: u64 = 1_000;

/// Where the distribution puts the library that stands between a program and the clock.
fn library() -> Option<PathBuf> {
    let places = std::fs::read_dir("/usr/lib").ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    places.map(|place| place.join("faketime/libfaketimeMT.so.1")).find(|file| file.exists())
}

fn library_or_skipped() -> Option<PathBuf> {
    let found = library();
    let must_run = std::env::var_os("HOLDFAST_TESTS_MUST_RUN").is_some();
    assert!(found.is_some() || !must_run, "libfaketime is missing; tests/install-tools.sh installs it");
    if found.is_none() {
        println!(
            "SKIPPED: libfaketime is not installed; run tests/install-tools.sh, then this test moves the wall clock"
        );
    }
    found
}

/// A server whose wall clock is what the file says.
struct Moved {
    dir: tempfile::TempDir,
    library: PathBuf,
}

impl Moved {
    fn here() -> Option<Self> {
        let moved = Self { dir: tempfile::tempdir().expect("a directory"), library: library_or_skipped()? };
        moved.sets(USUAL);
        Some(moved)
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("clock")
    }

    fn sets(&self, clock: &str) {
        // Put in place whole: the process may read at any instant.
        let whole = self.dir.path().join("clock.new");
        std::fs::write(&whole, format!("{clock}\n")).expect("a file");
        std::fs::rename(whole, self.file()).expect("a file");
    }

    async fn starts(&self) -> Server {
        let mut command = Command::new(server::binary());
        command.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", self.file());
        // Only the wall clock: the machine's monotonic clock cannot be set by anybody.
        command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
        Server::start_as(command, &self.data(), &[]).await.expect("a server")
    }
}

/// An instant of the API, in a form that sorts as time does.
fn instant(answer: &Value, member: &str) -> String {
    answer.get(member).and_then(Value::as_str).unwrap_or_else(|| panic!("no {member} in {answer}")).to_owned()
}

async fn offset_ms(client: &Client) -> i64 {
    let health = client.operate(Method::GET, "/readyz?verbose", Value::Null).await.expect("an answer");
    assert_eq!(health.status, StatusCode::OK, "{}", health.text);
    health.json.pointer("/engine/clock_offset_ms").and_then(Value::as_i64).expect("an offset")
}

async fn look(client: &Client, reservation: &str) -> Value {
    let answer = client.get("ann", &format!("/v1/reservations/{reservation}")).await.expect("an answer");
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json
}

async fn open(client: &Client, sku: &str, hold_time_ms: u64) {
    client.open_item(sku, 100, json!({"hold_time_ms": hold_time_ms, "per_customer_limit": 1})).await.expect("an item");
}

async fn reserve(client: &Client, sku: &str) -> Value {
    let answer = client.reserve("ann", sku).await.expect("an answer");
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    answer.json
}

/// Asks until the hold is over; by then the server's own time is past its end.
async fn sees_it_end(client: &Client, hold: &Value) {
    loop {
        let now = look(client, &instant(hold, "id")).await;
        if now.get("state").and_then(Value::as_str) == Some("expired") {
            let (end, told) = (instant(hold, "expires_at"), instant(&now, "server_time"));
            assert!(told >= end, "ended at {told}, before {end}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await; // waits: for the end of a hold, by the machine's clock
    }
}

fn everything_adds_up(data: &Path) {
    audited::clean(data, "after the wall clock moved");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_wall_clock_jumps_or_stands_still_holds_last_as_long_as_was_promised() {
    let Some(moved) = Moved::here() else { return };
    let server = moved.starts().await;
    let client = &server.client;
    open(client, "lamp", LONG_MS).await;
    let lasting = reserve(client, "lamp").await;
    let mut before = instant(&lasting, "server_time");
    for (number, jump) in JUMPS.into_iter().enumerate() {
        moved.sets(jump);
        let offset = offset_ms(client).await;
        assert!(offset.abs() >= SEEN_MS, "{jump}: the process does not see it, its offset is {offset} ms");
        let still = look(client, &instant(&lasting, "id")).await;
        assert_eq!(still.get("state"), Some(&json!("held")), "{jump}: {still}");
        assert_eq!(instant(&still, "expires_at"), instant(&lasting, "expires_at"), "{jump}");
        let now = instant(&still, "server_time");
        assert!(now >= before, "{jump}: time ran from {before} to {now}");
        before = now;
        let sku = format!("match{number}");
        open(client, &sku, SHORT_MS).await;
        let ending = reserve(client, &sku).await;
        sees_it_end(client, &ending).await;
    }
    moved.sets(USUAL);
    assert_eq!(server.stop().await.expect("a status"), Some(0));
    everything_adds_up(&moved.data());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_with_another_wall_clock_no_hold_has_ended_and_time_has_not_gone_back() {
    let Some(moved) = Moved::here() else { return };
    let server = moved.starts().await;
    open(&server.client, "lamp", SHORT_MS * 20).await;
    let hold = reserve(&server.client, "lamp").await;
    let (id, mut before) = (instant(&hold, "id"), instant(&hold, "server_time"));
    let mut end = instant(&hold, "expires_at");
    assert_eq!(server.stop().await.expect("a status"), Some(0));
    for jump in ["-3600", "+3600", "-86400", "+86400", STANDS_STILL] {
        moved.sets(jump);
        let server = moved.starts().await;
        let found = look(&server.client, &id).await;
        assert_eq!(found.get("state"), Some(&json!("held")), "{jump}: {found}");
        let (now, until) = (instant(&found, "server_time"), instant(&found, "expires_at"));
        assert!(now >= before, "{jump}: time ran from {before} to {now}");
        assert!(until >= end && until > now, "{jump}: at {now} the hold ends at {until}, and {end} was promised");
        // Something is logged in this life of the process too.
        let another = server.client.reserve("bob", "lamp").await.expect("an answer");
        assert_eq!(another.status, StatusCode::CREATED, "{}", another.text);
        let cancelled = server.client.delete("bob", &format!("/v1/reservations/{}", another.text_of("id"))).await;
        assert_eq!(cancelled.expect("an answer").status, StatusCode::OK);
        (before, end) = (now, until);
        assert_eq!(server.stop().await.expect("a status"), Some(0));
    }
    everything_adds_up(&moved.data());
}
