//! A small item and its events, for tests: one unit each, 1,000 ms a hold, one extension of 500 ms.

use super::*;
use crate::event::{Capture, Money, Payment, Provider, Reason, Settings};

pub(super) use crate::event::{ClosedBy, OpenedBy};
pub(super) use crate::finding::{Promise, Rule};

pub(super) const PRICE: u64 = 99_900;
pub(super) const ITEM: u32 = 1;
pub(super) const PROVIDER: Provider = Provider::Simulated;

pub(super) fn money(minor: u64) -> Money {
    Money { minor, currency: *b"USD" }
}

pub(super) fn settings() -> Settings {
    Settings {
        name: "Phone".into(),
        unit_price: money(PRICE),
        per_order_max: 1,
        per_customer_limit: 1,
        hold_time_ms: 1_000,
        grace_ms: 0,
        waitlist_enabled: true,
        waitlist_capacity: 100,
        extension_times: 1,
        extension_by_ms: 500,
        cool_off_after_expiries: 0,
        cool_off_lasts_ms: 0,
        close_when_sold: true,
        opens_at_ms: None,
        closes_at_ms: None,
        provider: None,
        honours_late: true,
        parked_window_ms: 300,
    }
}

pub(super) fn created(total: u32) -> Body {
    Body::ItemCreated { sku: "phone".into(), total, settings: Box::new(settings()), key: [7; 32] }
}

pub(super) fn held(at: u64, reservation: u32, customer: &str) -> (u64, Body) {
    held_of(at, reservation, customer, 1)
}

pub(super) fn held_of(at: u64, reservation: u32, customer: &str, quantity: u32) -> (u64, Body) {
    let (customer, deadline_ms) = (customer.into(), at + 1_000);
    (at, Body::HoldPlaced { reservation, customer, quantity, declines_waitlist: false, deadline_ms })
}

pub(super) fn deadline(reservation: u32, customer: &str, deadline_ms: u64) -> Body {
    Body::HoldPlaced { reservation, customer: customer.into(), quantity: 1, declines_waitlist: false, deadline_ms }
}

pub(super) fn joined(at: u64, reservation: u32, customer: &str, position: u32) -> (u64, Body) {
    joined_beside(at, reservation, customer, position, 0)
}

pub(super) fn joined_beside(at: u64, reservation: u32, customer: &str, position: u32, available: u32) -> (u64, Body) {
    (at, Body::WaitlistJoined { reservation, customer: customer.into(), quantity: 1, position, available })
}

pub(super) fn promoted(at: u64, reservation: u32, because: u64) -> (u64, Body) {
    (at, Body::HoldPromoted { reservation, deadline_ms: at + 1_000, because })
}

pub(super) fn expired(at: u64, reservation: u32, release_at_ms: u64) -> (u64, Body) {
    (at, Body::HoldExpired { reservation, release_at_ms, released: 1 })
}

pub(super) fn ordered(at: u64, reservation: u32, release_at_ms: u64) -> (u64, Body) {
    (at, Body::OrderPlaced { reservation, amount: money(PRICE), release_at_ms, amount_named: false })
}

pub(super) fn part(at: u64, reservation: u32, customer: &str, bundle: u128) -> (u64, Body) {
    (at, Body::PartHeld { reservation, customer: customer.into(), quantity: 1, bundle })
}

pub(super) fn capture(payment: &str, minor: u64) -> Capture {
    Capture { provider: PROVIDER, payment: payment.into(), report: None, amount: money(minor) }
}

pub(super) fn payment(at: u64, owner: u32, event: Payment) -> (u64, Body) {
    (at, Body::Payment { owner, event: Box::new(event) })
}

pub(super) fn captured(at: u64, owner: u32, id: &str, minor: u64) -> (u64, Body) {
    payment(at, owner, Payment::Captured { capture: capture(id, minor), amount_named: false })
}

pub(super) fn refund_due(at: u64, owner: u32, id: &str, minor: u64, code: u8) -> (u64, Body) {
    let reason = Reason { code, expected: None };
    payment(at, owner, Payment::RefundDue { capture: capture(id, minor), reason, amount_named: false })
}

pub(super) fn event(item: u32, seq: u64, at: u64, body: Body) -> Event {
    Event { item, seq, at, key: None, body }
}

/// An auditor that knows the item, on sale.
pub(super) fn opened(stock: u32) -> Auditor {
    let mut auditor = Auditor::default();
    auditor.event(&event(0, 1, 0, Body::ItemRegistered { item: ITEM, sku: "phone".into() }), 1);
    let begin = [(0, created(stock)), (0, Body::SaleOpened { by: OpenedBy::Operator })];
    enter(&mut auditor, 1, begin, None);
    auditor
}

/// Enters events of the item, numbered from `first`, all with this key.
pub(super) fn enter(
    auditor: &mut Auditor,
    first: u64,
    events: impl IntoIterator<Item = (u64, Body)>,
    key: Option<crate::event::Key>,
) {
    for (seq, (at, body)) in (first..).zip(events) {
        auditor.event(&Event { key, ..event(ITEM, seq, at, body) }, seq);
    }
}

/// Enters events, each at its time, into an item with this stock that is on sale, and expects these rules alone to be
/// broken. Gives back the item's books.
#[track_caller]
pub(super) fn check(stock: u32, events: Vec<(u64, Body)>, broken: &[Rule]) -> ItemBooks {
    let mut auditor = opened(stock);
    enter(&mut auditor, 3, events, None);
    let mut report = auditor.finish(Moment::One);
    let found: Vec<String> = report.findings().map(ToString::to_string).collect();
    assert_eq!(report.rules(), broken.iter().copied().collect(), "{}", found.join("\n"));
    assert_eq!(report.is_clean(), broken.is_empty());
    report.items.remove(&ITEM).expect("it is there")
}
