//! What clients saw of one item, across `kill -9`, is what one clerk could have told them: recorded over HTTP from the
//! shipped binary, and checked by a search that knows nothing of the engine and ignores its sequence numbers.

use http::StatusCode;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tests::history::{Answered, Asked, Found, Operation, Shop, Stands, Who, explain, out_of_order};
use tests::{Answer, Client, Server, from_environment};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How many histories are recorded. The deep tier sets it higher.
fn histories() -> u64 {
    from_environment("HOLDFAST_HISTORIES", 6)
}

/// Printed, and taken from the environment to repeat a run's choices.
fn seed() -> u64 {
    from_environment("HOLDFAST_HISTORY_SEED", 20_261_121)
}

/// A line that is never full.
const ROOMY: Shop = Shop { total: 4, places: 1_000 };
/// A line so short that many are turned away, most of them without the item being asked.
const CROWDED: Shop = Shop { total: 4, places: 3 };
const CLIENTS: u64 = 8;
/// Reservations that live at once, by and large. Few, so that whoever stands in the wrong place in line is seen soon:
/// a search that learns of its mistakes late takes for ever.
const LIVE_MAX: usize = 12;
/// The server is killed at the end of every life.
const LIVES: u64 = 3;
/// Answers of one life before the server is killed.
const ANSWERS: usize = 250;

/// What is recorded, and the clock it is recorded by: one tick for every call and every return.
#[derive(Default)]
struct Tape {
    clock: AtomicU64,
    next: AtomicUsize,
    operations: Mutex<Vec<Operation>>,
    /// Reservations whose ids are known.
    known: Mutex<Vec<(Who, String)>>,
    /// Those that nobody has set out to cancel for good.
    live: Mutex<Vec<(Who, String)>>,
    /// Refused with 503, which says that nothing happened: left out, so that an effect would be found.
    refused: AtomicUsize,
}

impl Tape {
    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    fn note(&self, operation: Operation) {
        self.operations.lock().expect("no panic").push(operation);
    }

    fn choose(&self, random: &mut ChaCha8Rng) -> (Asked, String) {
        let mut live = self.live.lock().expect("no panic");
        let choice = random.random_range(0..100);
        let one = random.random_range(0..live.len().max(1));
        if live.len() < LIVE_MAX && choice < 40 || live.is_empty() {
            return (Asked::Reserve(self.next.fetch_add(1, Ordering::SeqCst)), String::new());
        }
        let Some((who, id)) = live.get(one).cloned() else { return (Asked::ReadItem, String::new()) };
        match choice {
            // Another client may cancel or read the same one at the same time.
            0..5 => (Asked::Cancel(who), id),
            5..40 => {
                live.swap_remove(one);
                (Asked::Cancel(who), id)
            }
            40..80 => (Asked::Read(who), id),
            _ => (Asked::ReadItem, String::new()),
        }
    }

    /// Asks, and notes what came back. `false`: the server is gone.
    async fn ask(&self, client: &Client, sku: &str, (asked, id): (Asked, String)) -> bool {
        let called = self.tick();
        let answer = send(client, sku, asked, &id).await;
        let returned = self.tick();
        let unknown = Operation { asked, called, returned: u64::MAX, answered: None, sequence: None };
        let Ok(answer) = answer else {
            self.note(unknown);
            return false;
        };
        match answer.status {
            StatusCode::SERVICE_UNAVAILABLE => {
                self.refused.fetch_add(1, Ordering::SeqCst);
            }
            StatusCode::GATEWAY_TIMEOUT => self.note(unknown),
            _ => {
                let answered = Some(read(&answer));
                let mut sequence = None;
                if let (Asked::Reserve(who), Some(Answered::Reservation(_))) = (asked, answered) {
                    sequence = Some(answer.number_of("sequence"));
                    let reserved = (who, answer.text_of("id").to_owned());
                    self.known.lock().expect("no panic").push(reserved.clone());
                    self.live.lock().expect("no panic").push(reserved);
                }
                self.note(Operation { asked, called, returned, answered, sequence });
            }
        }
        true
    }

    /// The server is dead: what it never answered happened before this, or not at all.
    fn died(&self) {
        let now = self.tick();
        for operation in self.operations.lock().expect("no panic").iter_mut() {
            operation.returned = operation.returned.min(now);
        }
    }
}

async fn send(client: &Client, sku: &str, asked: Asked, id: &str) -> anyhow::Result<Answer> {
    let path = format!("/v1/reservations/{id}");
    match asked {
        Asked::Reserve(who) => client.reserve(&format!("c{who}"), sku).await,
        Asked::Cancel(who) => client.delete(&format!("c{who}"), &path).await,
        Asked::Read(who) => client.get(&format!("c{who}"), &path).await,
        Asked::ReadItem => client.get("anybody", &format!("/v1/items/{sku}")).await,
    }
}

fn read(answer: &Answer) -> Answered {
    if answer.status == StatusCode::CONFLICT && answer.text_of("code") == "waitlist_full" {
        return Answered::Full;
    }
    assert!(answer.status.is_success(), "{} {}", answer.status, answer.text);
    let count = |value: Option<&Value>| value.and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    if answer.json.get("available").is_some() {
        let number = |member: &str| count(answer.json.get(member)).expect("a count");
        return Answered::Item { available: number("available"), held: number("held"), waiting: number("waiting") };
    }
    Answered::Reservation(match answer.text_of("state") {
        "held" => Stands::Held,
        "waiting" => Stands::Waiting(count(answer.json.pointer("/waitlist/position")).expect("a place")),
        "cancelled" => Stands::Cancelled,
        other => panic!("no reservation here can be {other}: {}", answer.text),
    })
}

/// One life of the server: clients ask until it is killed in the midst of it.
async fn live(server: Server, tape: &Arc<Tape>, sku: &str, seed: u64) {
    let (told, mut answers) = mpsc::unbounded_channel();
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let (client, tape, told, sku) = (server.client.clone(), Arc::clone(tape), told.clone(), sku.to_owned());
        clients.spawn(async move {
            let mut random = ChaCha8Rng::seed_from_u64(seed ^ (number << 32));
            loop {
                let chosen = tape.choose(&mut random);
                if !tape.ask(&client, &sku, chosen).await {
                    return;
                }
                // Nobody counts any more once the server is to be killed.
                let _counted = told.send(());
            }
        });
    }
    for _ in 0..ANSWERS {
        answers.recv().await.expect("clients go on");
    }
    server.kill().await.expect("killed");
    while let Some(ended) = clients.join_next().await {
        ended.expect("no panic");
    }
    tape.died();
}

async fn record(shop: Shop, seed: u64) -> Vec<Operation> {
    let dir = tempfile::tempdir().expect("a directory");
    let (sku, tape) = ("lamp", Arc::new(Tape::default()));
    for life in 0..LIVES {
        let server = Server::start(dir.path()).await.expect("a server");
        if life == 0 {
            // Holds outlast the recording: nothing ends by itself.
            let line = json!({"enabled": true, "capacity": shop.places});
            let rules = json!({"hold_time_ms": 3_600_000, "waitlist": line});
            let opened = server.client.open_item(sku, u32::try_from(shop.total).expect("few"), rules).await;
            opened.expect("an item");
        }
        live(server, &tape, sku, seed.wrapping_add(life)).await;
    }
    // Afterwards, everything is looked at once more, by one reader.
    let server = Server::start(dir.path()).await.expect("a server");
    let known = tape.known.lock().expect("no panic").clone();
    assert!(tape.ask(&server.client, sku, (Asked::ReadItem, String::new())).await, "it answers");
    for (who, id) in known {
        assert!(tape.ask(&server.client, sku, (Asked::Read(who), id)).await, "it answers");
    }
    server.stop().await.expect("it stops");
    tests::audited::clean(dir.path(), "after the last life");
    let refused = tape.refused.load(Ordering::SeqCst);
    let operations = std::mem::take(&mut *tape.operations.lock().expect("no panic"));
    let open = operations.iter().filter(|operation| operation.answered.is_none()).count();
    let full = operations.iter().filter(|operation| operation.answered == Some(Answered::Full)).count();
    assert_eq!(full > 0, shop.places < LIVE_MAX, "seed {seed}: {full} were turned away");
    println!(
        "seed {seed}: {} operations, {open} of them without an answer, {full} turned away; {refused} refused besides",
        operations.len()
    );
    operations
}

#[tokio::test(flavor = "multi_thread")]
async fn what_clients_saw_across_kills_is_what_one_clerk_could_have_told_them() {
    for number in 0..histories() {
        let seed = seed().wrapping_add(number);
        let shop = if number % 2 == 0 { ROOMY } else { CROWDED };
        let operations = record(shop, seed).await;
        assert_eq!(out_of_order(&operations), None, "seed {seed}: sequence numbers contradict real time");
        assert_eq!(explain(shop, operations), Found::Linearizable, "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_history_with_one_answer_changed_is_found_out() {
    let mut operations = record(ROOMY, seed()).await;
    let lied = operations.iter_mut().rev().find_map(|operation| match &mut operation.answered {
        Some(Answered::Item { held, .. }) => Some(held),
        Some(Answered::Reservation(_) | Answered::Full) | None => None,
    });
    *lied.expect("the item was read") += 1;
    assert!(matches!(explain(ROOMY, operations), Found::Impossible { .. }), "one unit too many went unnoticed");
}
