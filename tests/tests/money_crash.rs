//! `kill -9` at random instants while bundles are taken and payments reported: a bundle is never held or sold in part,
//! and every report that was acknowledged is in the books once.
//!
//! After every start all requests of the cycle are sent again, the reports signed anew, as a shop and a provider would.
//! In the end the log is folded by itself and compared with what was told and what was acknowledged.

use domain::identity::BundleId;
use domain::partition::{BundleStateParts, Partition};
use domain::time::Timestamp;
use domain::views::StateView;
use engine::fold::{Folded, FoldedItem};
use http::{Method, StatusCode};
use integrations::inbound::{WebhookSecret, sign};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tests::client::fresh_key;
use tests::{Answer, Client, Server, from_environment};
use tokio::process::Command;

const SECRET: &str = "the-provider-and-we-know-this";
const SKUS: [&str; 3] = ["lamp", "vase", "rug"];
const PRICE: u64 = 99_900;
const CUSTOMERS_AT_ONCE: u64 = 12;

/// How often the process is killed. The deep tier sets it higher.
fn cycles() -> u64 {
    from_environment("HOLDFAST_CRASH_CYCLES", 25)
}

/// Printed, and taken from the environment to repeat a run's choices.
fn seed() -> u64 {
    from_environment("HOLDFAST_CRASH_SEED", 20_260_103)
}

/// Of each item: some cycles run into its end, most do not.
fn stock() -> u32 {
    12 * u32::try_from(cycles()).expect("not that many")
}

async fn start(dir: &std::path::Path) -> anyhow::Result<Server> {
    // Two logs, so that bundles and what they are told cross partitions; and generations so small that kills meet their ends.
    let more = [
        ["--webhook-generic-secrets", SECRET],
        ["--restart-grace-ms", "50"],
        ["--partitions", "2"],
        ["--log-generation-bytes", "16384"],
    ]
    .concat();
    Server::start_as(Command::new(tests::server::binary()), dir, &more).await
}

/// One request and, once it came, its answer.
#[derive(Clone, Debug)]
enum Sent {
    Post { customer: String, path: &'static str, key: String, body: Value },
    Delete { customer: String, path: String },
    Captured { payment: String, body: String, minor: u64 },
}

impl Sent {
    fn post(customer: &str, path: &'static str, body: Value) -> Self {
        Self::Post { customer: customer.to_owned(), path, key: fresh_key(), body }
    }

    fn captured(order: &str, minor: u64) -> Self {
        let payment = fresh_key();
        let amount = json!({ "amount": minor, "currency": "USD" });
        let body = json!({ "id": format!("evt-{payment}"), "type": "payment.captured", "order": order,
                           "payment": payment, "amount": amount });
        Self::Captured { payment, body: body.to_string(), minor }
    }

    async fn send(&self, client: &Client) -> anyhow::Result<Answer> {
        match self {
            Self::Post { customer, path, key, body } => client.post(customer, path, key, body.clone()).await,
            Self::Delete { customer, path } => client.delete(customer, path).await,
            Self::Captured { body, .. } => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
                let now = Timestamp::from_millis(u64::try_from(since)?);
                let signature = sign(&WebhookSecret::parse(SECRET)?, now, body.as_bytes());
                let headers = [("webhook-signature", signature.as_str()), ("content-type", "application/json")];
                let url = format!("{}/v1/payments/webhooks/generic", client.public);
                client.send(Method::POST, &url, &headers, body.clone()).await
            }
        }
    }
}

type Ledger = Arc<Mutex<Vec<(Sent, Option<Answer>)>>>;

/// Notes, sends, and notes what came back. `None`: no answer came, or one that says that nobody knows.
async fn note(ledger: &Ledger, client: &Client, sent: Sent) -> Option<Answer> {
    let at = {
        let mut ledger = ledger.lock().expect("no panic");
        ledger.push((sent.clone(), None));
        ledger.len() - 1
    };
    let answer = sent.send(client).await.ok().filter(|answer| !answer.status.is_server_error());
    ledger.lock().expect("no panic").get_mut(at).expect("it was noted").1.clone_from(&answer);
    answer
}

/// One customer's visit: hold one thing or two together, order, and let the provider report, early, twice, wrongly.
async fn visit(ledger: Ledger, client: Client, customer: String, choice: u32) {
    let pairs = [["lamp", "vase"], ["vase", "rug"], ["rug", "lamp"]];
    let pair = pairs.get(choice as usize % 3).expect("one of three");
    let is_bundle = !choice.is_multiple_of(4);
    let (asked, price) = if is_bundle {
        let lines = pair.map(|sku| json!({ "sku": sku, "quantity": 1 }));
        (Sent::post(&customer, "/v1/bundles", json!({ "lines": lines })), 2 * PRICE)
    } else {
        (Sent::post(&customer, "/v1/items/lamp/reservations", json!({ "quantity": 1 })), PRICE)
    };
    let Some(held) = note(&ledger, &client, asked).await else { return };
    if held.status != StatusCode::CREATED {
        return;
    }
    let id = held.text_of("id").to_owned();
    let order = id.replace("rsv_", "ord_").replace("bnd_", "ord_");
    let act = choice / 12 % 10;
    if act == 0 {
        // Before there is an order.
        note(&ledger, &client, Sent::captured(&order, price)).await;
    }
    if act == 1 {
        let path = if is_bundle { format!("/v1/bundles/{id}") } else { format!("/v1/reservations/{id}") };
        note(&ledger, &client, Sent::Delete { customer, path }).await;
        note(&ledger, &client, Sent::captured(&order, price)).await;
        return;
    }
    let placed = note(&ledger, &client, Sent::post(&customer, "/v1/orders", json!({ "reservation": id }))).await;
    if placed.is_none_or(|placed| !placed.status.is_success()) {
        return;
    }
    match act {
        // Nothing more: it expires.
        2 => {}
        3 => {
            note(&ledger, &client, Sent::captured(&order, price - 1)).await;
        }
        4 => {
            let report = Sent::captured(&order, price);
            tokio::join!(note(&ledger, &client, report.clone()), note(&ledger, &client, report));
        }
        5 => {
            tokio::join!(
                note(&ledger, &client, Sent::captured(&order, price)),
                note(&ledger, &client, Sent::captured(&order, price))
            );
        }
        _ => {
            note(&ledger, &client, Sent::captured(&order, price)).await;
        }
    }
}

/// Sends everything of this cycle again: what was accepted gets the same answer, a report is never refused.
async fn converge(client: &Client, ledger: &Ledger, cycle: u64, reports: &mut BTreeMap<String, u64>) -> usize {
    let mut acknowledged = 0;
    let all = std::mem::take(&mut *ledger.lock().expect("no panic"));
    for (sent, answer) in all {
        let again = sent.send(client).await.expect("a running server answers");
        assert!(!again.status.is_server_error(), "cycle {cycle}: {}", again.text);
        let accepted = answer.filter(|answer| answer.status.is_success());
        acknowledged += usize::from(accepted.is_some());
        match (&sent, accepted) {
            (Sent::Captured { payment, minor, body }, _) => {
                assert!(again.status.is_success(), "cycle {cycle}: a report was refused: {body} {}", again.text);
                reports.insert(payment.clone(), *minor);
            }
            (Sent::Post { .. }, Some(first)) => {
                assert_eq!((again.status, &again.text), (first.status, &first.text), "cycle {cycle}: {sent:?}");
            }
            (Sent::Delete { .. }, Some(_)) => assert_eq!(again.text_of("state"), "cancelled", "cycle {cycle}"),
            (Sent::Post { .. } | Sent::Delete { .. }, None) => {}
        }
    }
    acknowledged
}

/// Ends the sales, so that nobody is promoted any more, and waits until no hold is left: their time is short.
async fn all_holds_end(client: &Client) {
    for sku in SKUS {
        let path = format!("/v1/admin/items/{sku}/close");
        let closed = client.operate(Method::POST, &path, Value::Null).await.expect("an answer");
        assert_eq!(closed.status, StatusCode::OK, "{}", closed.text);
    }
    for sku in SKUS {
        for asked in 0.. {
            let view = client.get("anybody", &format!("/v1/items/{sku}")).await.expect("an answer");
            if view.number_of("held") == 0 {
                break;
            }
            assert!(asked < 600, "holds of two seconds still stand after a minute: {}", view.text);
            tokio::time::sleep(Duration::from_millis(100)).await; // waits: holds end by the server's own clock
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_dash_nine_leaves_no_bundle_in_parts_and_no_report_out_of_the_books() {
    let dir = tempfile::tempdir().expect("a directory");
    let seed = seed();
    println!("HOLDFAST_CRASH_SEED={seed} HOLDFAST_CRASH_CYCLES={}", cycles());
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut server = start(dir.path()).await.expect("a server");
    for sku in SKUS {
        let terms = json!({"hold_time_ms": 2_000, "close_when_sold": false});
        server.client.open_item(sku, stock(), terms).await.expect("an item");
    }
    let (mut acknowledged, mut reports) = (0, BTreeMap::new());
    for cycle in 0..cycles() {
        let ledger: Ledger = Arc::default();
        let mut visits = tokio::task::JoinSet::new();
        for lane in 0..CUSTOMERS_AT_ONCE {
            let (ledger, client) = (Arc::clone(&ledger), server.client.clone());
            let choices: Vec<u32> = (0..200).map(|_| random.random_range(0..12_000)).collect();
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

        server = start(dir.path()).await.unwrap_or_else(|error| panic!("cycle {cycle}: {error}"));
        acknowledged += converge(&server.client, &ledger, cycle, &mut reports).await;
    }
    all_holds_end(&server.client).await;
    assert_eq!(server.stop().await.expect("a status"), Some(0));
    let told: u128 = reports.values().map(|&minor| u128::from(minor)).sum();
    println!("{acknowledged} requests acknowledged, {} payments reported", reports.len());
    assert!(acknowledged > 50 && reports.len() > 20, "the harness did too little");
    let report = tests::audited::clean(dir.path(), "after the last cycle");
    let summary = report.summary();
    println!("the auditor recounted {} events, {} bundles and {:?}", report.events, summary.bundles, summary.money);
    let captured = report.money().values().map(|sums| sums.captured).sum::<i128>();
    assert_eq!(u128::try_from(captured), Ok(told), "every payment that was told of is in the auditor's books, once");
    judge(dir.path(), told);
}

/// Folds the log and compares it with itself and with the money that was told of.
fn judge(dir: &std::path::Path, told: u128) {
    let count = eventlog::DataDir::partition_count(dir).expect("readable").expect("a data directory");
    let (mut books, mut sold, mut bundles) = ([0_u128; 5], 0, 0);
    let mut add = |sums: domain::payment::Sums| {
        assert!(sums.add_up(), "{sums:?}");
        let more = [sums.captured, sums.parked, sums.kept, sums.due, sums.refunded];
        books.iter_mut().zip(more).for_each(|(all, more)| *all += more);
    };
    let logs: Vec<Folded> = count.partitions().map(|no| tests::log::fold(dir, no).expect("the log is whole")).collect();
    let mut parts_sold: BTreeMap<BundleId, usize> = BTreeMap::new();
    for log in &logs {
        for item in log.items.values() {
            let FoldedItem::Whole(item) = item else { panic!("an item is broken") };
            item.recount().expect("every invariant holds");
            assert_eq!(item.open_parts().count(), 0, "a part is held of a bundle that is not");
            for (part, bundle) in item.sold_parts() {
                let state = item.reservation_view(part, item.now()).expect("it is there").state;
                assert_eq!(state, StateView::Confirmed);
                *parts_sold.entry(bundle).or_default() += 1;
            }
            sold += item.stock().sold().get();
            assert!(item.stock().sold().get() <= stock());
            item.money().for_each(|(_, sums)| add(sums));
        }
        log.partition.money().for_each(|(_, sums)| add(sums));
    }
    // A bundle's parts may lie in any of them.
    for log in &logs {
        bundles += whole(&log.partition, &mut parts_sold);
    }
    assert!(parts_sold.is_empty(), "parts are sold of bundles that are not: {parts_sold:?}");
    let [captured, parked, kept, due, refunded] = books;
    assert_eq!(captured, told, "every payment that was told of is in the books, once");
    println!(
        "{bundles} bundles sold, {sold} units; captured {captured} = parked {parked} + kept {kept} + due {due} \
         + refunded {refunded}"
    );
    assert!(kept == u128::from(sold) * u128::from(PRICE), "{kept} was kept for {sold} units");
}

/// Takes the parts of every confirmed bundle out of those that are sold. How many bundles are confirmed.
fn whole(partition: &Partition, parts_sold: &mut BTreeMap<BundleId, usize>) -> usize {
    partition.recount().expect("every invariant holds");
    let mut confirmed = 0;
    for bundle in partition.to_parts().bundles {
        if let BundleStateParts::Confirmed { .. } = bundle.state {
            confirmed += 1;
            let id = bundle.held.id;
            assert_eq!(parts_sold.remove(&id), Some(bundle.held.lines.len()), "a bundle is sold in part: {id}");
        }
    }
    confirmed
}
