//! 503 says that nothing happened, 504 and 500 that it may have; the same key then gets the one answer.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

mod common;

use common::{Ask, Heard, Shop, fresh_key};
use eventlog::memory_log::Fault;
use serde_json::json;
use std::sync::{Arc, Condvar, Mutex};

async fn reserve(shop: &Shop, key: &str) -> Heard {
    let asked = Ask::new("POST", "/v1/items/lamp/reservations").customer("ann").header("Idempotency-Key", key);
    shop.ask(asked.json(&json!({ "quantity": 1 }))).await
}

/// A gate that a slow sync waits at.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn pass(&self) {
        let (open, opened) = &*self.0;
        drop(opened.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
    }

    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

#[tokio::test]
async fn a_commit_that_hangs_is_504_and_the_same_key_gets_the_one_answer() {
    let shop = Shop::open().await;
    shop.item("lamp", 5, json!({})).await;
    let gate = Gate::default();
    let waits = gate.clone();
    shop.disk.on_slow_sync(move || waits.pass());
    shop.disk.script([Fault::SlowSync]);
    let key = fresh_key();
    let unknown = reserve(&shop, &key).await;
    assert_eq!(unknown.problem(), "504 outcome_unknown");
    assert_eq!(unknown.body.get("retry"), Some(&json!("same-key")));
    assert_eq!(unknown.header("retry-after"), None);
    let read = shop.read("ann", "/v1/items/lamp").await;
    assert_eq!((read.status, read.body.get("held")), (200, Some(&json!(0))), "nothing undurable is shown");
    gate.open();
    let again = reserve(&shop, &key).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    assert_eq!(shop.read("ann", "/v1/items/lamp").await.body.get("held"), Some(&json!(1)), "one effect");
}

#[tokio::test]
async fn a_failed_log_acknowledges_nothing_and_is_not_ready() {
    let shop = Shop::open().await;
    shop.item("lamp", 5, json!({})).await;
    shop.disk.script([Fault::SyncFails]);
    assert_eq!(reserve(&shop, &fresh_key()).await.problem(), "504 outcome_unknown");
    // The caller may be told before the whole process is.
    shop.engine.failure().wait_for(Option::is_some).await.unwrap();
    for at in [shop.public, shop.admin] {
        let ready = common::ask(at, Ask::new("GET", "/readyz")).await;
        assert_eq!(ready.problem(), "503 draining", "{ready:?}");
    }
    let words = common::ask(shop.admin, Ask::new("GET", "/readyz?verbose")).await;
    assert!(words.body.pointer("/engine/failed").unwrap().is_string(), "{words:?}");
    assert_eq!(shop.ask(Ask::new("GET", "/livez")).await.status, 200);
}

#[tokio::test]
async fn a_draining_engine_refuses_before_the_log_and_says_when_to_come_back() {
    let shop = Shop::open().await;
    shop.item("lamp", 5, json!({})).await;
    shop.engine.drain();
    let refused = reserve(&shop, &fresh_key()).await;
    assert_eq!(refused.problem(), "503 draining");
    let after: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=3).contains(&after));
    assert_eq!(shop.ask(Ask::new("GET", "/v1/items/lamp")).await.body.get("held"), Some(&json!(0)));
}

#[tokio::test]
async fn a_log_taken_over_by_another_process_is_503_and_nothing_happened_here() {
    let shop = Shop::open().await;
    shop.item("lamp", 5, json!({})).await;
    shop.disk.script([Fault::TakenOver]);
    let refused = reserve(&shop, &fresh_key()).await;
    assert_eq!(refused.problem(), "503 not_owner");
    assert_eq!(refused.body.get("retry"), Some(&json!("after")));
}
