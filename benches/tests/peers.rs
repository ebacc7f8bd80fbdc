//! The peers keep the rules that Holdfast keeps, or a comparison with them would say nothing.
//!
//! Skipped, in words, where a peer is not installed: nothing but the bench needs them.

use axum::Router;
use axum::body::Body;
use benches::peers::sweep::Pool;
use benches::peers::{
    Ask, Durability, Operate, PeerError, Place, Postgres, Redis, Refusal, Reserve, Said, Sale, Standing, Taken, contest,
};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

const UNITS: i32 = 100;
const CUSTOMERS: usize = 1_000;

/// Each customer asks so many times with one key, all at once.
const TRIES: usize = 3;

fn is_here<T>(started: Result<T, PeerError>) -> Option<T> {
    match started {
        Err(error) if error.is_not_installed() => {
            println!("{error}");
            None
        }
        started => Some(started.expect("the peer starts")),
    }
}

async fn redis() -> Option<Redis> {
    is_here(Redis::start(&std::env::temp_dir()).await)
}

async fn postgres() -> Option<Postgres> {
    is_here(Postgres::start(&std::env::temp_dir()).await)
}

fn ask(sku: &str, customer: usize, key: &str) -> Ask {
    Ask {
        sku: sku.to_owned(),
        customer: format!("customer-{customer}"),
        key: format!("{key}-{customer:08}-of-this-test"),
        quantity: 1,
        wait: true,
    }
}

async fn say(peer: &impl Reserve, ask: Ask) -> Said {
    peer.reserve(&ask).await.expect("the peer answers")
}

async fn take(peer: &impl Reserve, ask: Ask) -> Taken {
    match say(peer, ask).await {
        Said::Taken(taken) => taken,
        Said::Refused(refusal) => panic!("refused: {refusal:?}"),
    }
}

/// A crowd ten times the stock, everybody three times over, all at once.
async fn sell_out(operator: &impl Operate, peer: impl Reserve, sku: &str) {
    operator.open(&Sale::usual(sku, UNITS)).await.expect("a sale");
    let peer = Arc::new(peer);
    let mut crowd = JoinSet::new();
    for customer in (0..CUSTOMERS).flat_map(|customer| [customer; TRIES]) {
        let (peer, ask) = (Arc::clone(&peer), ask(sku, customer, "crowd"));
        crowd.spawn(async move { (customer, take(&*peer, ask).await) });
    }
    let mut by_customer: BTreeMap<usize, Vec<Taken>> = BTreeMap::new();
    for (customer, taken) in crowd.join_all().await {
        by_customer.entry(customer).or_default().push(taken);
    }
    let mut first: Vec<Taken> = Vec::new();
    for answers in by_customer.values() {
        let fresh: Vec<&Taken> = answers.iter().filter(|taken| !taken.again).collect();
        let [fresh] = fresh.as_slice() else { panic!("one try is judged, the others are told again: {answers:?}") };
        assert!(answers.iter().all(|taken| Taken { again: false, ..*taken } == **fresh), "{answers:?}");
        first.push(**fresh);
    }
    first.sort_by_key(|taken| taken.number);
    assert_eq!(first.len(), CUSTOMERS);
    for (order, taken) in (0..).zip(&first) {
        assert_eq!((taken.number, taken.sequence), (order, u64::from(order) + 3));
        match taken.place {
            Place::Held { ends_ms } => assert_eq!((order < 100, ends_ms), (true, taken.at_ms + 120_000)),
            Place::Waiting { position } => assert_eq!((order >= 100, position), (true, order - 99)),
        }
    }
    let standing = operator.standing(sku).await.expect("it stands");
    assert_eq!(standing, Standing { total: UNITS, available: 0, held: UNITS, waiting: 900 });
}

async fn limit_and_key(operator: &impl Operate, peer: &impl Reserve, sku: &str) {
    let sale = Sale { per_order: 2, per_customer: 3, line_max: 1, ..Sale::usual(sku, 4) };
    operator.open(&sale).await.expect("a sale");
    let two = |key| Ask { quantity: 2, ..ask(sku, 1, key) };
    let first = take(peer, two("a")).await;
    assert_eq!(say(peer, two("b")).await, Said::Refused(Refusal::CustomerLimitReached));
    assert_eq!(say(peer, ask(sku, 1, "a")).await, Said::Refused(Refusal::IdempotencyKeyReused));
    assert_eq!(take(peer, two("a")).await, Taken { again: true, ..first });
    // A refused key is judged afresh.
    assert!(matches!(take(peer, ask(sku, 1, "b")).await.place, Place::Held { .. }));
    assert_eq!(say(peer, Ask { quantity: 3, ..ask(sku, 2, "a") }).await, Said::Refused(Refusal::QuantityAboveMaximum));
    let declines = Ask { quantity: 2, wait: false, ..ask(sku, 2, "a") };
    assert_eq!(say(peer, declines).await, Said::Refused(Refusal::InsufficientStock));
    let waits = Ask { quantity: 2, ..ask(sku, 2, "a") };
    assert_eq!(take(peer, waits).await.place, Place::Waiting { position: 1 });
    // One unit is free, but somebody waits.
    assert_eq!(say(peer, ask(sku, 3, "a")).await, Said::Refused(Refusal::WaitlistFull));
    assert_eq!(say(peer, Ask { wait: false, ..ask(sku, 3, "a") }).await, Said::Refused(Refusal::SoldOut));
    assert_eq!(say(peer, ask("nothing", 3, "a")).await, Said::Refused(Refusal::NotFound));
    let standing = operator.standing(sku).await.expect("it stands");
    assert_eq!(standing, Standing { total: 4, available: 1, held: 3, waiting: 1 });
}

/// Holds end in time, and what they free goes to the head of the line before anybody who comes then.
async fn ends_and_moves_up(operator: &impl Operate, peer: &impl Reserve, sku: &str) {
    operator.open(&Sale { hold_ms: 1_500, ..Sale::usual(sku, 2) }).await.expect("a sale");
    let mut last = take(peer, ask(sku, 1, "a")).await;
    for customer in 2..=5 {
        last = take(peer, ask(sku, customer, "a")).await;
    }
    assert_eq!((last.number, last.place), (4, Place::Waiting { position: 3 }));
    tokio::time::sleep(std::time::Duration::from_millis(1_600)).await; // waits: the peer's own clock has to pass the end of holds
    let next = take(peer, ask(sku, 6, "a")).await;
    assert_eq!((next.number, next.place), (5, Place::Waiting { position: 2 }));
    // Two ended, two moved up, one came: five made, four more things happened.
    assert_eq!(next.sequence, 2 + 5 + 4 + 1);
    assert_eq!(take(peer, ask(sku, 1, "b")).await.place, Place::Waiting { position: 3 });
    let again = take(peer, ask(sku, 5, "a")).await;
    assert_eq!(again, Taken { again: true, ..last });
    let standing = operator.standing(sku).await.expect("it stands");
    assert_eq!(standing, Standing { total: 2, available: 0, held: 2, waiting: 3 });
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_sells_out_exactly_in_order_and_says_the_same_to_the_same_key() {
    let Some(redis) = redis().await else { return };
    for connections in [1, 4] {
        let peer = redis.pipelined(connections).await.expect("a connection");
        sell_out(&redis, peer, &format!("crowd-{connections}")).await;
    }
    let peer = redis.pipelined(1).await.expect("a connection");
    limit_and_key(&redis, &peer, "limit").await;
    ends_and_moves_up(&redis, &peer, "ends").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_sells_out_exactly_in_order_and_says_the_same_to_the_same_key() {
    let Some(postgres) = postgres().await else { return };
    let durability = Durability { commit_delay_us: 100 };
    sell_out(&postgres, postgres.pooled(8, durability).await.expect("a pool"), "crowd").await;
    let peer = postgres.pooled(1, durability).await.expect("a pool");
    limit_and_key(&postgres, &peer, "limit").await;
    ends_and_moves_up(&postgres, &peer, "ends").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_in_batches_sells_out_exactly_in_order_and_says_the_same_to_the_same_key() {
    let Some(postgres) = postgres().await else { return };
    sell_out(&postgres, postgres.batched(2, Durability::default()).await.expect("a lane"), "crowd").await;
    let peer = postgres.batched(1, Durability::default()).await.expect("a lane");
    limit_and_key(&postgres, &peer, "limit").await;
    ends_and_moves_up(&postgres, &peer, "ends").await;
}

/// What `holdfast serve` answered in the README.
const HOLDFASTS_ANSWER: &str = concat!(
    r#"{"id":"rsv_00000001000080008387a420dc79e2a1","state":"held","item":"iphone-15","quantity":1,"customer":"ann","#,
    r#""sequence":3,"created_at":"2026-11-21T03:41:54.052Z","expires_at":"2026-11-21T03:43:54.052Z","waitlist":null,"#,
    r#""order":null,"links":{"self":"/v1/reservations/rsv_00000001000080008387a420dc79e2a1","#,
    r#""item":"/v1/items/iphone-15"},"server_time":"2026-11-21T03:41:54.052Z"}"#
);

async fn over_http(routes: &Router, request: Request<String>) -> (StatusCode, String) {
    let Ok(response) = routes.clone().oneshot(request.map(Body::from)).await;
    let status = response.status();
    let body = response.into_body().collect().await.expect("a whole body").to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

fn asked(method: &str, path: &str, customer: &str, body: &str) -> Request<String> {
    let request = Request::builder().method(method).uri(path).header("x-customer-id", customer);
    request.header("idempotency-key", format!("the-key-of-{customer}")).body(body.to_owned()).expect("a request")
}

/// The names of an object, in order, and those within it.
fn names(body: &str) -> Vec<&str> {
    body.split('"')
        .zip(body.split('"').skip(1))
        .filter(|(_, next)| next.starts_with(':'))
        .map(|(name, _)| name)
        .collect()
}

/// Whatever stands behind the front, the front answers as Holdfast's: the same members, as many bytes.
async fn answers_like_holdfast(served: contest::Served) {
    println!("{}", served.words);
    let item = r#"{"sku":"iphone-15","name":"A phone","total":1,"waitlist":{"enabled":true,"capacity":1}}"#;
    let (status, _) = over_http(&served.operators, asked("POST", "/v1/admin/items", "", item)).await;
    assert_eq!(status, StatusCode::CREATED);
    let reserve = |customer| asked("POST", "/v1/items/iphone-15/reservations", customer, r#"{"quantity":1}"#);
    let (status, body) = over_http(&served.customers, reserve("ann")).await;
    assert_eq!((status, body.len()), (StatusCode::CREATED, HOLDFASTS_ANSWER.len()), "{body}");
    assert_eq!(names(&body), names(HOLDFASTS_ANSWER));
    assert_eq!(over_http(&served.customers, reserve("ann")).await, (StatusCode::CREATED, body));
    let (status, body) = over_http(&served.customers, reserve("bob")).await;
    assert_eq!((status, body.contains(r#""position":1"#)), (StatusCode::ACCEPTED, true), "{body}");
    let refused = over_http(&served.customers, reserve("cyd")).await;
    assert_eq!(refused, (StatusCode::CONFLICT, "waitlist_full".to_owned()));
    let (status, counts) = over_http(&served.operators, asked("GET", "/v1/admin/items/iphone-15", "", "")).await;
    let counts: serde_json::Value = serde_json::from_str(&counts).expect("counts");
    let told = serde_json::json!({"available": 0, "held": 1, "sold": 0, "total": 1, "waiting": 1});
    assert_eq!((status, counts), (StatusCode::OK, told));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_answers_over_http_as_holdfast_does() {
    let folder = std::env::temp_dir();
    if let Some(served) = is_here(contest::redis(&folder, None).await) {
        answers_like_holdfast(served).await;
    }
    let pool = Pool { connections: 4, durability: Durability::default() };
    if let Some(served) = is_here(contest::postgres(&folder, Some(pool)).await) {
        answers_like_holdfast(served).await;
    }
    if let Some(served) = is_here(contest::postgres_batched(&folder).await) {
        answers_like_holdfast(served).await;
    }
}
