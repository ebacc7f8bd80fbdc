//! SIGTERM under load, from many connections: what was acknowledged is in the log, and no request is dropped in silence.
//!
//! In silence would be: the server did something, or took the request, and its connection ends without an answer. So of
//! every request one of these is true, and each is checked against the log as the stop left it:
//! - it was answered whole; what was accepted is in the log, what was refused (503) left nothing there;
//! - its connection was refused, or ended without one byte of an answer, and the log knows nothing of it;
//! - the server had asked for its body: then only an answer will do.
//!
//! Half an answer, and connections that the server itself had to cut off, are never right.

use domain::ids::{Ordinal, PartitionNo};
use domain::item::Item;
use domain::views::StateView;
use engine::fold::FoldedItem;
use http::StatusCode;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};
use tests::client::fresh_key;
use tests::wire::{self, Reply, Wire};
use tests::{Client, Server, from_environment};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How often a server is stopped. The night's run sets it higher.
fn cycles() -> u64 {
    from_environment("HOLDFAST_DRAIN_CYCLES", 5)
}

/// Printed, and taken from the environment to repeat a run's choices.
fn seed() -> u64 {
    from_environment("HOLDFAST_DRAIN_SEED", 20_260_104)
}

/// Connections that send one request after another.
const BUSY: usize = 48;
/// Connections that have been asked for a body when the stop begins, and send it then.
const UPLOADING: usize = 8;
/// Connections that wait for news of a reservation, for longer than any stop takes.
const WAITING: usize = 8;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Reserve,
    Order,
    Confirm,
}

/// One request with an effect, and what came of it.
#[derive(Clone, Debug)]
struct Sent {
    customer: String,
    step: Step,
    path: String,
    key: String,
    body: Value,
    /// Whether the server had taken it, whatever it did then.
    taken: bool,
    reply: Reply,
}

impl Sent {
    fn new(customer: &str, step: Step, path: &str, body: Value) -> Self {
        Self {
            customer: customer.to_owned(),
            step,
            path: path.to_owned(),
            key: fresh_key(),
            body,
            taken: false,
            reply: Reply::Nothing,
        }
    }

    fn reserve(customer: &str) -> Self {
        Self::new(customer, Step::Reserve, "/v1/items/lamp/reservations", json!({"quantity": 1}))
    }

    fn text(&self, client: &Client) -> String {
        let bearer = (self.step == Step::Confirm).then_some(client.service.as_str());
        wire::post(client, &self.customer, &self.path, &self.key, bearer, &self.body)
    }

    fn accepted(&self) -> Option<Value> {
        let Reply::Whole { status, body, .. } = &self.reply else { return None };
        status.is_success().then(|| serde_json::from_str(body).expect("answers are JSON"))
    }

    fn id(&self) -> Option<String> {
        Some(self.accepted()?.get("id")?.as_str()?.to_owned())
    }
}

/// One connection's requests, until nobody listens any more.
struct Lane {
    client: Client,
    wire: Option<Wire>,
    sent: Vec<Sent>,
}

impl Lane {
    fn new(client: Client) -> Self {
        Self { client, wire: None, sent: Vec::new() }
    }

    /// Sends, reads, and keeps both; what was made, if it was accepted. `Err`: nobody listens.
    async fn ask(&mut self, mut sent: Sent) -> Result<Option<String>, ()> {
        let mut wire = match self.wire.take() {
            Some(wire) => wire,
            None => Wire::open(&self.client).await.map_err(drop)?,
        };
        wire.send(&sent.text(&self.client)).await;
        sent.reply = wire.reply().await;
        let made = sent.id();
        self.wire = matches!(sent.reply, Reply::Whole { last: false, .. }).then_some(wire);
        self.sent.push(sent);
        Ok(made)
    }

    async fn visit(&mut self, customer: &str) -> Result<(), ()> {
        let Some(held) = self.ask(Sent::reserve(customer)).await? else { return Ok(()) };
        let order = Sent::new(customer, Step::Order, "/v1/orders", json!({ "reservation": held }));
        let Some(order) = self.ask(order).await? else { return Ok(()) };
        let (path, paid) = (format!("/v1/orders/{order}/confirm"), json!({ "payment_reference": fresh_key() }));
        self.ask(Sent::new(customer, Step::Confirm, &path, paid)).await.map(drop)
    }
}

async fn busy(client: Client, name: String) -> Vec<Sent> {
    let mut lane = Lane::new(client);
    let mut number = 0;
    while lane.visit(&format!("{name}-{number}")).await.is_ok() {
        number += 1;
    }
    lane.sent
}

/// Sends a head, is asked for the body, and sends that only when the stop has begun.
async fn uploading(client: Client, name: String, mut stopping: watch::Receiver<bool>) -> Vec<Sent> {
    let mut sent = Sent::reserve(&name);
    let text = sent.text(&client);
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    // On a busy machine the stop may come before the connection.
    let Ok(mut wire) = Wire::open(&client).await else { return Vec::new() };
    wire.send(&format!("{head}\r\nexpect: 100-continue\r\n\r\n")).await;
    sent.taken = wire.is_asked_for_the_body().await;
    if stopping.wait_for(|stopping| *stopping).await.is_ok() {
        wire.send(body).await;
    }
    sent.reply = wire.reply().await;
    vec![sent]
}

/// Holds a unit, then asks to be told of any change of it within a minute. What came back.
async fn waiting(client: Client, name: String) -> (Vec<Sent>, Option<Reply>) {
    let mut lane = Lane::new(client.clone());
    let Ok(Some(held)) = lane.ask(Sent::reserve(&name)).await else { return (lane.sent, None) };
    let headers = [("x-customer-id", name.as_str()), ("prefer", "wait=60")];
    let head = wire::head(&client, "GET", &format!("/v1/reservations/{held}"), &headers);
    let Ok(mut wire) = Wire::open(&client).await else { return (lane.sent, None) };
    wire.send(&format!("{head}\r\n")).await;
    (lane.sent, Some(wire.reply().await))
}

/// What a run came to.
#[derive(Debug, Default)]
struct Tally {
    answered: usize,
    refused: usize,
    closed: usize,
    uploads_taken: usize,
    waits_answered: usize,
    longest: Duration,
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_loses_nothing_acknowledged_and_drops_no_request_in_silence() {
    let mut random = ChaCha8Rng::seed_from_u64(seed());
    println!("HOLDFAST_DRAIN_SEED={} HOLDFAST_DRAIN_CYCLES={}", seed(), cycles());
    let mut tally = Tally::default();
    for cycle in 0..cycles() {
        let load = Duration::from_millis(random.random_range(20..200));
        one_cycle(cycle, load, &mut tally).await;
    }
    println!(
        "{} answers, {} of them refusals; {} connections closed before a request was taken; {} bodies sent during the \
         stop; {} waits answered; the longest stop took {} ms",
        tally.answered,
        tally.refused,
        tally.closed,
        tally.uploads_taken,
        tally.waits_answered,
        tally.longest.as_millis()
    );
    assert!(tally.answered > 100 && tally.uploads_taken > 0 && tally.waits_answered > 0, "the harness did too little");
}

async fn one_cycle(cycle: u64, load: Duration, tally: &mut Tally) {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path()).await.expect("a server");
    let terms = json!({"hold_time_ms": 600_000, "close_when_sold": false});
    server.client.open_item("lamp", 1_000_000, terms).await.expect("an item");
    let (stop, stopping) = watch::channel(false);
    let (mut lanes, mut waits) = (JoinSet::new(), JoinSet::new());
    for lane in 0..UPLOADING {
        lanes.spawn(uploading(server.client.clone(), format!("upload-{lane}"), stopping.clone()));
    }
    for lane in 0..WAITING {
        waits.spawn(waiting(server.client.clone(), format!("wait-{lane}")));
    }
    for lane in 0..BUSY {
        lanes.spawn(busy(server.client.clone(), format!("busy-{lane}")));
    }
    tokio::time::sleep(load).await; // waits: for the random instant of the stop, which is the point of the test
    let began = Instant::now();
    server.terminate().expect("it runs");
    stop.send_replace(true);
    let ended = server.ended().await.expect("it ends");
    tally.longest = tally.longest.max(began.elapsed());
    assert_eq!(ended.code, Some(0), "cycle {cycle}: {ended:?}");
    // Nothing was cut off at the limit that the server sets itself.
    let last = ended.said.last().map(String::as_str);
    assert_eq!(last, Some("Stopped. Every request was answered, and the log is closed."), "cycle {cycle}");

    let mut all = lanes.join_all().await.concat();
    for (sent, reply) in waits.join_all().await {
        all.extend(sent);
        assert!(!matches!(reply, Some(Reply::Half(_))), "cycle {cycle}: half an answer: {reply:?}");
        tally.waits_answered += usize::from(matches!(reply, Some(Reply::Whole { .. })));
    }
    judge(dir.path(), &all, cycle);
    tally.count(&all);
    the_next_start_finds_a_clean_stop_and_tells_the_same(dir.path(), &all, cycle).await;
}

impl Tally {
    fn count(&mut self, all: &[Sent]) {
        for sent in all {
            match &sent.reply {
                Reply::Whole { status, .. } => {
                    self.answered += 1;
                    self.refused += usize::from(!status.is_success());
                    self.uploads_taken += usize::from(sent.taken);
                }
                Reply::Nothing => self.closed += 1,
                Reply::Half(_) => {}
            }
        }
    }
}

/// Compares every request with the log that the stop left. Folds a copy: opening a log takes its clean marker away.
fn judge(dir: &Path, all: &[Sent], cycle: u64) {
    let copy = tempfile::tempdir().expect("a directory");
    tests::log::copy(dir, copy.path()).expect("a copy");
    let folded = tests::log::fold(copy.path(), PartitionNo(0)).expect("the log is whole");
    let Some(FoldedItem::Whole(item)) = folded.items.into_values().next() else { panic!("the item is whole") };
    item.recount().expect("every invariant holds");
    let by_customer: HashMap<String, Ordinal> =
        item.owners().map(|(ordinal, customer)| (customer.to_string(), ordinal)).collect();
    for sent in all {
        let happened = has_happened(&item, by_customer.get(&sent.customer).copied(), sent.step);
        match &sent.reply {
            Reply::Whole { status, .. } if status.is_success() => {
                assert!(happened, "cycle {cycle}: acknowledged and not in the log: {sent:?}");
                let known = by_customer.get(&sent.customer).map(|ordinal| item.id_of(*ordinal).to_string());
                let told = sent.id().map(|id| id.replace("ord_", "rsv_"));
                assert_eq!(told, known, "cycle {cycle}: {sent:?}");
            }
            // Nobody knows; an answer all the same.
            Reply::Whole { status: StatusCode::GATEWAY_TIMEOUT, .. } => {}
            Reply::Whole { .. } => assert!(!happened, "cycle {cycle}: refused, and it happened: {sent:?}"),
            Reply::Nothing => {
                assert!(!sent.taken, "cycle {cycle}: taken, and dropped in silence: {sent:?}");
                assert!(!happened, "cycle {cycle}: it happened, and nobody was told: {sent:?}");
            }
            Reply::Half(_) => panic!("cycle {cycle}: half an answer: {sent:?}"),
        }
    }
}

/// Whether the log knows of what was asked for.
fn has_happened(item: &Item, reservation: Option<Ordinal>, step: Step) -> bool {
    let Some(ordinal) = reservation else { return false };
    match step {
        Step::Reserve => true,
        Step::Order => item.order_view(ordinal, item.now()).is_some(),
        Step::Confirm => item
            .reservation_view(ordinal, item.now())
            .is_some_and(|reservation| reservation.state == StateView::Confirmed),
    }
}

async fn the_next_start_finds_a_clean_stop_and_tells_the_same(dir: &Path, all: &[Sent], cycle: u64) {
    let markers = tests::log::clean_markers(dir).expect("readable");
    assert!(markers.iter().all(|marker| marker.exists()), "cycle {cycle}: no clean stop: {markers:?}");
    let server = Server::start(dir).await.unwrap_or_else(|error| panic!("cycle {cycle}: {error:#}"));
    let greeting = server.greeting.join("\n");
    assert!(greeting.contains("Recovered:") && !greeting.contains("Torn tail"), "cycle {cycle}: {greeting}");
    let mut lane = Lane::new(server.client.clone());
    for sent in all {
        let again = Sent { reply: Reply::Nothing, ..sent.clone() };
        lane.ask(again).await.expect("a running server listens");
        let reply = &lane.sent.last().expect("it was sent").reply;
        let Reply::Whole { status, body, .. } = reply else { panic!("cycle {cycle}: {sent:?}: {reply:?}") };
        match &sent.reply {
            Reply::Whole { status: first, body: told, .. } if first.is_success() => {
                assert_eq!((status, body), (first, told), "cycle {cycle}: {sent:?}");
            }
            Reply::Whole { .. } | Reply::Nothing | Reply::Half(_) => {
                assert!(status.is_success(), "cycle {cycle}: the same key does not converge: {sent:?}: {body}");
            }
        }
    }
    let ended = server.stop().await.expect("a status");
    assert_eq!(ended, Some(0), "cycle {cycle}");
}
