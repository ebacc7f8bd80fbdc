//! `kill -9` at random instants, again and again: nothing acknowledged is lost, nothing is oversold, and a repeated
//! request gets its first answer.
//!
//! The shipped binary sells under load, is killed, started again, and every request that was under way is sent again
//! with its own key. In the end the log is folded by itself and compared with everything that was ever acknowledged.

use domain::ids::{Ordinal, PartitionNo};
use domain::views::StateView;
use engine::fold::{Folded, FoldedItem};
use http::StatusCode;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tests::client::fresh_key;
use tests::{Answer, Client, Server, from_environment, server};
use tokio::process::Command;

/// How often the process is killed. The deep tier sets it higher.
fn cycles() -> u64 {
    from_environment("HOLDFAST_CRASH_CYCLES", 25)
}

/// Printed, and taken from the environment to repeat a run's choices.
fn seed() -> u64 {
    from_environment("HOLDFAST_CRASH_SEED", 20_260_101)
}

/// So small that kills meet generations being begun, sealed and folded into snapshots.
const SMALL_GENERATIONS: &str = "--log-generation-bytes=16384";

const STOCK: u32 = 400;
const CUSTOMERS_AT_ONCE: u64 = 12;

/// How something is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Post,
    ServicePost,
    Delete,
}

/// One request and, once it came, its answer.
#[derive(Clone, Debug)]
struct Sent {
    kind: Kind,
    customer: String,
    path: String,
    key: String,
    body: Value,
    answer: Option<(StatusCode, String)>,
}

impl Sent {
    fn new(kind: Kind, customer: &str, path: String, body: Value) -> Self {
        Self { kind, customer: customer.to_owned(), path, key: fresh_key(), body, answer: None }
    }

    async fn send(&self, client: &Client) -> anyhow::Result<Answer> {
        let (customer, path, key, body) = (&self.customer, &self.path, &self.key, self.body.clone());
        match self.kind {
            Kind::Post => client.post(customer, path, key, body).await,
            Kind::ServicePost => client.service_post(customer, path, key, body).await,
            Kind::Delete => client.delete(customer, path).await,
        }
    }

    /// What was acknowledged: the body of a success.
    fn acknowledged(&self) -> Option<Value> {
        let (_, text) = self.answer.as_ref().filter(|(status, _)| status.is_success())?;
        serde_json::from_str(text).ok()
    }
}

type Ledger = Arc<Mutex<Vec<Sent>>>;

/// Notes, sends, and notes what came back. `None`: no answer came.
async fn note(ledger: &Ledger, client: &Client, sent: Sent) -> Option<Answer> {
    let at = {
        let mut ledger = ledger.lock().expect("no panic");
        ledger.push(sent.clone());
        ledger.len() - 1
    };
    let answer = sent.send(client).await.ok();
    // 503 and 504 are no answers: nothing happened, or nobody knows.
    let known = answer.as_ref().filter(|answer| !answer.status.is_server_error());
    let known = known.map(|answer| (answer.status, answer.text.clone()));
    ledger.lock().expect("no panic").get_mut(at).expect("it was noted").answer = known;
    answer
}

/// One customer's visit: reserve, and then pay, cancel, extend or just stay.
async fn visit(ledger: Ledger, client: Client, customer: String, choice: u32) {
    let sent = |kind, path: &str, body| Sent::new(kind, &customer, path.to_owned(), body);
    if choice.is_multiple_of(10) {
        let purchase = sent(Kind::ServicePost, "/v1/items/lamp/purchases", json!({"quantity": 1}));
        note(&ledger, &client, purchase).await;
        return;
    }
    let reserve = sent(Kind::Post, "/v1/items/lamp/reservations", json!({"quantity": 1}));
    let Some(held) = note(&ledger, &client, reserve).await else { return };
    let id = held.text_of("id");
    match choice % 10 {
        1..=4 if held.status == StatusCode::CREATED => {
            let order = sent(Kind::Post, "/v1/orders", json!({"reservation": id}));
            let Some(order) = note(&ledger, &client, order).await else { return };
            let path = format!("/v1/orders/{}/confirm", order.text_of("id"));
            let reference = json!({"payment_reference": format!("pay-{customer}")});
            note(&ledger, &client, sent(Kind::ServicePost, &path, reference)).await;
        }
        5 | 6 => {
            note(&ledger, &client, sent(Kind::Delete, &format!("/v1/reservations/{id}"), Value::Null)).await;
        }
        7 if held.status == StatusCode::CREATED => {
            note(&ledger, &client, sent(Kind::Post, &format!("/v1/reservations/{id}/extend"), json!({}))).await;
        }
        _ => {}
    }
}

/// Sends everything of this cycle again: what was answered gets the same answer, what was not gets one now.
async fn converge(client: &Client, ledger: &Ledger, cycle: u64) {
    let sent = std::mem::take(&mut *ledger.lock().expect("no panic"));
    for mut entry in sent {
        let again = entry.send(client).await.expect("a running server answers");
        assert!(!again.status.is_server_error(), "cycle {cycle}: {}", again.text);
        match &entry.answer {
            // Has no key, and is done when it is done.
            Some((status, _)) if status.is_success() && entry.kind == Kind::Delete => {
                assert_eq!((again.status, again.text_of("state")), (StatusCode::OK, "cancelled"), "cycle {cycle}");
            }
            Some((status, text)) if status.is_success() => {
                assert_eq!((again.status, &again.text), (*status, text), "cycle {cycle}: {entry:?}");
                let replayed = again.headers.contains_key("idempotent-replayed");
                assert!(replayed, "cycle {cycle}: an acknowledged {} was judged anew", entry.path);
            }
            // Refusals are not remembered: judged afresh, now that time has passed.
            Some(_) | None => entry.answer = Some((again.status, again.text)),
        }
        ledger.lock().expect("no panic").push(entry);
    }
}

async fn adds_up(client: &Client, cycle: u64) {
    let view = client.get("anybody", "/v1/items/lamp").await.expect("an answer");
    let of = |member| view.number_of(member);
    assert_eq!(of("available") + of("held") + of("sold"), of("total"), "cycle {cycle}: {}", view.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_dash_nine_loses_nothing_acknowledged_and_oversells_nothing() {
    kill_again_and_again(cycles(), "sled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_dash_nine_loses_nothing_acknowledged_where_the_log_lies_in_fjall_either() {
    kill_again_and_again(cycles().div_ceil(5), "fjall").await;
}

async fn start(dir: &Path, engine: &str) -> anyhow::Result<Server> {
    Server::start_as(Command::new(server::binary()), dir, &["--log", engine, SMALL_GENERATIONS]).await
}

async fn kill_again_and_again(cycles: u64, engine: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let seed = seed();
    println!("HOLDFAST_CRASH_SEED={seed} HOLDFAST_CRASH_CYCLES={cycles}, {engine}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut all: Vec<Sent> = Vec::new();
    let mut server = start(dir.path(), engine).await.expect("a server");
    assert!(dir.path().join("partition-000/gen-00000001").join(engine).is_dir(), "the log lies elsewhere");
    let terms = json!({"hold_time_ms": 2_000, "close_when_sold": false});
    server.client.open_item("lamp", STOCK, terms).await.expect("an item");

    for cycle in 0..cycles {
        let ledger: Ledger = Arc::default();
        let mut visits = tokio::task::JoinSet::new();
        for lane in 0..CUSTOMERS_AT_ONCE {
            let (ledger, client) = (Arc::clone(&ledger), server.client.clone());
            let choices: Vec<u32> = (0..200).map(|_| random.random_range(0..1_000)).collect();
            visits.spawn(async move {
                for (number, choice) in choices.into_iter().enumerate() {
                    visit(Arc::clone(&ledger), client.clone(), format!("c{cycle}-{lane}-{number}"), choice).await;
                }
            });
        }
        // waits: for the random instant of the kill, which is the point of the test.
        let instant = tokio::time::Instant::now() + Duration::from_millis(random.random_range(5..150));
        tokio::time::sleep_until(instant).await;
        server.kill().await.expect("killed");
        visits.abort_all();
        while visits.join_next().await.is_some() {}

        server = start(dir.path(), engine).await.unwrap_or_else(|error| panic!("cycle {cycle}: {error}"));
        converge(&server.client, &ledger, cycle).await;
        adds_up(&server.client, cycle).await;
        all.append(&mut ledger.lock().expect("no panic"));
    }
    assert_eq!(server.stop().await.expect("a status"), Some(0));
    assert!(!dir.path().join("partition-000/gen-00000001").join(engine).is_dir(), "the first generation was sealed");
    let report = tests::audited::clean(dir.path(), "after the last cycle");
    println!("the auditor recounted {} events", report.events);
    judge(dir.path(), &all, cycles);
}

/// Folds the log and compares it with what was acknowledged.
fn judge(dir: &Path, all: &[Sent], cycles: u64) {
    let folded = tests::log::fold(dir, PartitionNo(0)).expect("the log is whole");
    let Folded { items, .. } = folded;
    let Some(FoldedItem::Whole(item)) = items.into_values().next() else { panic!("the item is whole") };
    item.recount().expect("every invariant holds");
    let owners: HashMap<String, (Ordinal, String)> = item
        .owners()
        .map(|(ordinal, customer)| (item.id_of(ordinal).to_string(), (ordinal, customer.to_string())))
        .collect();
    let (mut acknowledged, mut paid, mut cancelled) = (0_u64, 0, 0);
    for sent in all {
        let Some(body) = sent.acknowledged() else { continue };
        acknowledged += 1;
        let id = body.get("id").and_then(Value::as_str).expect("an id").replace("ord_", "rsv_");
        let (ordinal, owner) = owners.get(&id).unwrap_or_else(|| panic!("acknowledged, not in the log: {body}"));
        assert_eq!(owner, &sent.customer);
        let state = item.reservation_view(*ordinal, item.now()).expect("it is in the log").state;
        match body.get("state").and_then(Value::as_str) {
            Some("paid") => {
                paid += 1;
                assert_eq!(state, StateView::Confirmed, "told that it is paid: {body}");
            }
            Some("cancelled") => {
                cancelled += 1;
                assert_eq!(state, StateView::Cancelled, "told that it is cancelled: {body}");
            }
            _ => {}
        }
    }
    let sold = item.stock().sold().get();
    assert!(acknowledged > 2 * cycles && paid > 0 && cancelled > 0, "the harness did too little");
    assert!(sold <= STOCK);
    println!(
        "{acknowledged} requests acknowledged ({paid} paid, {cancelled} cancelled), {} reservations, {sold} sold",
        item.reservation_count()
    );
}
