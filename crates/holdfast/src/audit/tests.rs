//! What a crowd was told against a small log: every lie is found, and the truth is not. What the recount itself finds
//! is the auditor's to test.

use super::*;
use auditor::{Body, Event, Money, OpenedBy, Settings};
use domain::identity::{ItemKey, OrderId, ReservationId};
use domain::ids::{ItemNo, Ordinal};

const KEY: [u8; 32] = [7; 32];
const PRICE: Money = Money { minor: 99_900, currency: *b"USD" };

fn id(number: u32) -> ReservationId {
    ReservationId::new(ItemNo::from_u32(1), Ordinal(number), &ItemKey::from_bytes(KEY))
}

fn settings() -> Settings {
    Settings {
        name: "Phone".into(),
        unit_price: PRICE,
        per_order_max: 1,
        per_customer_limit: 1,
        hold_time_ms: 1_000,
        grace_ms: 0,
        waitlist_enabled: true,
        waitlist_capacity: 10,
        extension_times: 0,
        extension_by_ms: 0,
        cool_off_after_expiries: 0,
        cool_off_lasts_ms: 0,
        close_when_sold: false,
        opens_at_ms: None,
        closes_at_ms: None,
        provider: None,
        honours_late: true,
        parked_window_ms: 300,
    }
}

/// Ann buys, Bob cancels.
fn sale() -> Audit {
    let capture =
        auditor::Capture { provider: auditor::Provider::Simulated, payment: "p1".into(), report: None, amount: PRICE };
    let held = |reservation, customer: &str| Body::HoldPlaced {
        reservation,
        customer: customer.into(),
        quantity: 1,
        declines_waitlist: false,
        deadline_ms: 1_000,
    };
    let events = [
        Body::ItemCreated { sku: "phone".into(), total: 2, settings: Box::new(settings()), key: KEY },
        Body::SaleOpened { by: OpenedBy::Operator },
        held(0, "ann"),
        held(1, "bob"),
        Body::OrderPlaced { reservation: 0, amount: PRICE, release_at_ms: 1_000, amount_named: false },
        Body::Payment { owner: 0, event: Box::new(auditor::Payment::Captured { capture, amount_named: false }) },
        Body::ReservationCancelled { reservation: 1, released: 1 },
    ];
    let mut auditor = Auditor::default();
    let registered = Body::ItemRegistered { item: 1, sku: "phone".into() };
    auditor.event(&Event { item: 0, seq: 1, at: 0, key: None, body: registered }, 1);
    for (seq, body) in (1..).zip(events) {
        auditor.event(&Event { item: 1, seq, at: 0, key: None, body }, seq);
    }
    Audit::of(auditor.finish(Moment::One))
}

#[test]
fn what_the_crowd_was_told_and_the_log_knows_is_clean() {
    let mut audit = sale();
    let order = OrderId::of(id(0)).to_string();
    audit.compare(&[&Told {
        accepted: vec![id(0).to_string(), id(1).to_string()],
        paid: vec![order.clone()],
        cancelled: vec![id(1).to_string()],
        charged: vec![order],
        ..Told::default()
    }]);
    assert!(audit.is_clean(), "{}", render(&audit));
    audit.compare_with(Provider::Simulated, OfProvider { captured: 99_900, refunded: 0 });
    assert!(audit.is_clean(), "{}", render(&audit));
}

#[test]
fn what_the_crowd_was_told_and_the_log_does_not_know_is_caught() {
    let one = |id: ReservationId| vec![id.to_string()];
    let order = |number| vec![OrderId::of(id(number)).to_string()];
    let forged = ReservationId::new(ItemNo::from_u32(1), Ordinal(0), &ItemKey::from_bytes([8; 32]));
    let wrong = [
        Told { accepted: one(id(3)), ..Told::default() },
        Told { accepted: one(forged), ..Told::default() },
        Told { cancelled: one(id(0)), ..Told::default() },
        Told { paid: order(1), ..Told::default() },
        Told { charged: order(1), ..Told::default() },
        Told { refunded: order(0), ..Told::default() },
    ];
    for told in wrong {
        let mut audit = sale();
        audit.compare(&[&told]);
        assert!(!audit.is_clean(), "{told:?}");
    }
}

#[test]
fn a_provider_that_knows_of_other_money_is_caught() {
    let mut audit = sale();
    audit.compare_with(Provider::Simulated, OfProvider { captured: 99_900, refunded: 99_900 });
    assert!(!audit.is_clean());
}

/// So many items, of which nobody wants any.
fn shop(items: u32) -> Audit {
    let mut auditor = Auditor::default();
    for item in 1..=items {
        let sku = format!("item-{item}");
        let registered = Body::ItemRegistered { item, sku: sku.clone() };
        auditor.event(&Event { item: 0, seq: u64::from(item), at: 0, key: None, body: registered }, 1);
        let created = Body::ItemCreated { sku, total: 2, settings: Box::new(settings()), key: KEY };
        auditor.event(&Event { item, seq: 1, at: 0, key: None, body: created }, 1);
    }
    Audit::of(auditor.finish(Moment::One))
}

#[test]
fn many_items_are_rows_of_tables_that_stay_narrow_and_what_is_left_out_is_counted() {
    let told = render(&shop(60));
    let first_cell = |line: &str| line.split('|').nth(1).map(|cell| cell.trim().to_owned());
    for sku in ["item-1", "item-50"] {
        let rows = told.lines().filter(|line| first_cell(line).as_deref() == Some(sku)).count();
        assert_eq!(rows, 2, "a row of units and one of reservations for {sku}:\n{told}");
    }
    assert!(!told.contains("item-51") && told.contains("10 more items"), "{told}");
    let mut rows = told.lines().filter(|line| line.starts_with('|'));
    assert!(rows.all(|line| line.chars().count() <= 100), "{told}");
}

#[test]
fn money_is_a_row_for_each_currency_of_an_item_that_took_any() {
    let told = render(&sale());
    let row = told.lines().find(|line| line.contains("USD")).expect("a row");
    assert!(row.contains("phone") && row.contains("99900"), "{told}");
    assert!(!render(&shop(2)).contains("money of"), "no money, no table");
}
