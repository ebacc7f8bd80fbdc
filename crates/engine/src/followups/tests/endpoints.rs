//! Endpoints that take nothing, beside payments that have to be offered.

use super::super::table::OPEN_WORK_MAX;
use super::{Shop, paid_item, start_with, world};
use crate::ports::{Delivered, Delivery, Notifier, Promised};
use crate::tests::{open_item_as, settled};
use domain::endpoint::{DisabledBy, EndpointCommand, EndpointUrl, Notice, SigningSecret};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Whose address ends with `up` takes everything, whose ends with `silent` never answers, and all others are down, as
/// long as they are.
#[derive(Clone)]
struct Receivers {
    are_back: Arc<AtomicBool>,
}

impl Receivers {
    fn down() -> Self {
        Self { are_back: Arc::default() }
    }
}

impl Notifier for Receivers {
    fn deliver<'a>(&'a self, delivery: &'a Delivery) -> Promised<'a, Delivered> {
        Box::pin(async {
            if delivery.url.ends_with("silent") {
                std::future::pending::<()>().await;
            }
            let takes = delivery.url.ends_with("up") || self.are_back.load(Ordering::Relaxed);
            if takes { Delivered::Taken } else { Delivered::Failed("503".to_owned()) }
        })
    }
}

async fn add_endpoint(engine: &crate::Engine, name: &str, notices: &[Notice]) {
    let url = EndpointUrl::parse(&format!("https://shop.example/{name}")).expect("an address");
    let notices = notices.iter().copied().collect();
    let add = EndpointCommand::Add { url, notices, secret: SigningSecret::from_bytes([1; 32]) };
    settled(engine.endpoint(add)).await.expect("judged").outcome.expect("added");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_takes_nothing_is_turned_off_before_payments_wait_for_it() {
    payments_go_on_beside("down").await;
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_never_answers_is_turned_off_likewise() {
    payments_go_on_beside("silent").await;
}

async fn payments_go_on_beside(endpoint: &str) {
    let (disk, store, bank) = world();
    let engine = start_with(&disk, &store, &bank, Some(Arc::new(Receivers::down())));
    add_endpoint(&engine, "up", &[]).await;
    add_endpoint(&engine, endpoint, &[]).await;
    let shop = Shop::patient(engine).await;
    let customers = 5 * OPEN_WORK_MAX as u32;
    shop.sells_to(0..customers).await;
    // Until it is seen to take nothing.
    tokio::time::sleep(Duration::from_secs(120)).await; // waits: paused time, no real sleep
    for n in 0..customers {
        shop.until(n, &format!("c{n}"), |order| order.payment.is_some()).await;
    }
    let states: Vec<_> = shop.engine.endpoints().into_iter().map(|endpoint| endpoint.disabled).collect();
    assert_eq!(states, [None, Some(DisabledBy::Unreachable)]);
    tokio::time::sleep(Duration::from_secs(5)).await; // waits: paused time, no real sleep
    assert_eq!(shop.engine.status().follow_ups_open, 0, "what nobody is to be told any more is nothing to do");
    shop.engine.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_back_is_not_turned_off_for_what_it_did_not_take_before() {
    let (disk, store, bank) = world();
    let receivers = Receivers::down();
    let engine = start_with(&disk, &store, &bank, Some(Arc::new(receivers.clone())));
    add_endpoint(&engine, "back-soon", &[Notice::ReservationHeld]).await;
    let shop = Shop::patient(engine).await;
    let half = OPEN_WORK_MAX as u32 / 2;
    shop.sells_to(0..half).await;
    tokio::time::sleep(Duration::from_secs(20)).await; // waits: paused time, no real sleep
    assert_eq!(shop.engine.status().follow_ups_open, OPEN_WORK_MAX / 2, "messages that wait for minutes now");
    receivers.are_back.store(true, Ordering::Relaxed);
    shop.sells_to(half..half + 1).await;
    shop.until(half, &format!("c{half}"), |order| order.payment.is_some()).await;
    bank.bank().down = true;
    shop.sells_to(half + 1..3 * half).await;
    tokio::time::sleep(Duration::from_secs(60)).await; // waits: paused time, no real sleep
    assert_eq!(shop.engine.status().follow_ups_open, OPEN_WORK_MAX, "payments take up the other half");
    assert_eq!(shop.engine.endpoints().first().and_then(|endpoint| endpoint.disabled), None);
    shop.engine.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_an_endpoint_that_was_turned_off_was_to_be_told_is_not_kept_until_its_next_attempt() {
    let (disk, store, bank) = world();
    let engine = start_with(&disk, &store, &bank, Some(Arc::new(Receivers::down())));
    add_endpoint(&engine, "down", &[]).await;
    let item = open_item_as(&engine, paid_item(1)).await;
    let shop = Shop { engine, item };
    // A minute, so that the next attempts are far away.
    tokio::time::sleep(Duration::from_secs(60)).await; // waits: paused time, no real sleep
    assert!(shop.engine.status().follow_ups_open > 0, "somebody was told that it opened, and did not take it");
    let off = EndpointCommand::Disable(domain::endpoint::EndpointNo(1), DisabledBy::Operator);
    settled(shop.engine.endpoint(off)).await.expect("judged").outcome.expect("it is off");
    tokio::time::sleep(Duration::from_secs(3)).await; // waits: paused time, no real sleep
    assert_eq!(shop.engine.status().follow_ups_open, 0);
    shop.engine.close().await;
}
