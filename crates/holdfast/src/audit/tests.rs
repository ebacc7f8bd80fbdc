//! Planted contradictions: the audit says each one, and nothing where there is none.

use super::*;
use crate::audit::check::Promise;
use domain::command::WaitlistChoice;
use domain::event::{ClosedBy, OpenedBy};
use domain::identity::ItemKey;
use domain::ids::{CaptureNo, Ordinal, PartitionNo, Seq};
use domain::money::{Currency, Money};
use domain::payment::{Capture, LateRefusal, PaymentEvent, Provider, RefundReason, SettledBy};
use domain::policy::{ItemSpec, Policy, Settings};
use domain::text::{CustomerId, ItemName, PaymentId, Sku};
use domain::time::Timestamp;
use domain::units::{Quantity, Units};

const PRICE: u64 = 99_900;

fn key() -> ItemKey {
    ItemKey::from_bytes([7; 32])
}

fn item() -> ItemNo {
    ItemNo::new(PartitionNo(0), 1).expect("it works")
}

fn money(minor: u64) -> Money {
    Money { minor, currency: Currency::parse("USD").expect("it works") }
}

fn created(stock: u32) -> Event {
    let settings = Settings {
        name: ItemName::parse("Phone").expect("it works"),
        unit_price: money(PRICE),
        policy: Policy::default(),
        opens_at: None,
        closes_at: None,
    };
    let spec =
        ItemSpec { sku: Sku::parse("phone").expect("it works"), total: Units::new(stock).expect("it works"), settings };
    Event::ItemCreated { spec: Box::new(spec), key: key() }
}

fn held(number: u32, customer: &str) -> Event {
    Event::HoldPlaced {
        reservation: Ordinal(number),
        customer: CustomerId::parse(customer).expect("it works"),
        quantity: Quantity::ONE,
        waitlist: WaitlistChoice::Join,
        deadline: Timestamp::from_millis(1_000),
    }
}

fn joined(number: u32, customer: &str, position: u32) -> Event {
    Event::WaitlistJoined {
        reservation: Ordinal(number),
        customer: CustomerId::parse(customer).expect("it works"),
        quantity: Quantity::ONE,
        position,
        available: Units::ZERO,
    }
}

fn promoted(number: u32) -> Event {
    Event::HoldPromoted { reservation: Ordinal(number), deadline: Timestamp::from_millis(5_000), because: Seq(1) }
}

fn expired(number: u32) -> Event {
    Event::HoldExpired {
        reservation: Ordinal(number),
        release_at: Timestamp::from_millis(1_000),
        released: Units::new(1).expect("it works"),
    }
}

fn ordered(number: u32, minor: u64) -> Event {
    Event::OrderPlaced {
        reservation: Ordinal(number),
        amount: money(minor),
        release_at: Timestamp::from_millis(1_000),
        amount_named: false,
    }
}

fn captured(number: u32, minor: u64) -> Event {
    let payment = PaymentId::parse(&format!("pay-{number}")).expect("it works");
    let capture = Capture { provider: Provider::External, payment, report: None, amount: money(minor) };
    let event = Box::new(PaymentEvent::Captured { capture, amount_named: false });
    Event::Payment { reservation: Ordinal(number), event }
}

const OPENED: Event = Event::SaleOpened { by: OpenedBy::Operator };

/// Enters events, each at its time, into an item with this stock whose sale is open, and expects this promise alone
/// to be broken.
#[track_caller]
fn check(stock: u32, events: Vec<(u64, Event)>, told: &Told, broken: Option<Promise>) {
    let mut audit = Audit::default();
    let sku = Sku::parse("phone").expect("it works");
    let registered = PartitionEvent::ItemRegistered { item: item(), sku };
    audit.enter_partition(&Recorded {
        seq: Seq(1),
        at: Timestamp::from_millis(0),
        idempotency: None,
        event: registered,
    });
    let all = [(0, created(stock)), (0, OPENED)].into_iter().chain(events);
    for (seq, (at, event)) in (1..).zip(all) {
        let at = Timestamp::from_millis(at);
        audit.enter(item(), &Recorded { seq: Seq(seq), at, idempotency: None, event });
    }
    audit.close(&[told]);
    let found: BTreeSet<_> = audit
        .items
        .values()
        .flat_map(|ledger| Promise::ALL.into_iter().filter(|&promise| ledger.findings.broken(promise) > 0))
        .collect();
    assert_eq!(found, broken.into_iter().collect(), "{}", render(&audit));
    assert_eq!(audit.is_clean(), broken.is_none());
}

fn sale() -> Vec<(u64, Event)> {
    vec![
        (1, held(0, "ann")),
        (2, joined(1, "bob", 1)),
        (3, joined(2, "cyd", 2)),
        (1_000, expired(0)),
        (1_000, promoted(1)),
        (
            1_100,
            Event::OrderPlaced {
                reservation: Ordinal(1),
                amount: money(PRICE),
                release_at: Timestamp::from_millis(5_000),
                amount_named: false,
            },
        ),
        (1_200, captured(1, PRICE)),
        (1_200, Event::SaleClosed { by: ClosedBy::SoldOut, lapsed: 1 }),
    ]
}

fn id(number: u32) -> ReservationId {
    ReservationId::new(item(), Ordinal(number), &key())
}

#[test]
fn a_clean_sale_is_clean() {
    let told = Told {
        accepted: vec![id(0).to_string(), id(1).to_string(), id(2).to_string()],
        paid: vec![OrderId::of(id(1)).to_string()],
        cancelled: vec![],
        ..Told::default()
    };
    check(1, sale(), &told, None);
}

#[test]
fn an_oversold_unit_is_caught() {
    check(1, vec![(1, held(0, "ann")), (2, held(1, "bob"))], &Told::default(), Some(Promise::NeverOversold));
}

#[test]
fn a_second_unit_for_one_customer_is_caught() {
    check(2, vec![(1, held(0, "ann")), (2, held(1, "ann"))], &Told::default(), Some(Promise::CustomerLimit));
}

#[test]
fn a_promotion_out_of_order_is_caught() {
    let mut events = sale();
    events.truncate(4);
    events.push((1_000, promoted(2)));
    check(1, events, &Told::default(), Some(Promise::Fifo));
}

#[test]
fn a_newcomer_who_overtakes_the_line_is_caught() {
    let mut events = sale();
    events.truncate(4);
    events.push((1_000, held(3, "dan")));
    check(1, events, &Told::default(), Some(Promise::Fifo));
}

#[test]
fn a_hold_that_ends_early_is_caught() {
    check(1, vec![(1, held(0, "ann")), (999, expired(0))], &Told::default(), Some(Promise::HoldTime));
}

#[test]
fn a_payment_taken_after_the_hold_is_caught() {
    let events = vec![(1, held(0, "ann")), (2, ordered(0, PRICE)), (1_000, captured(0, PRICE))];
    check(1, events, &Told::default(), Some(Promise::HoldTime));
}

#[test]
fn wrong_money_is_caught() {
    let events = |minor| vec![(1, held(0, "ann")), (2, ordered(0, PRICE)), (3, captured(0, minor))];
    check(1, events(PRICE), &Told::default(), None);
    check(1, events(PRICE - 1), &Told::default(), Some(Promise::Money));
}

#[test]
fn a_release_of_what_was_never_granted_is_caught() {
    let events = vec![(1, held(0, "ann")), (1_000, expired(0)), (1_001, expired(0))];
    let mut audit = Audit::default();
    for (seq, (at, event)) in (1..).zip([(0, created(1)), (0, OPENED)].into_iter().chain(events)) {
        audit.enter(item(), &Recorded { seq: Seq(seq), at: Timestamp::from_millis(at), idempotency: None, event });
    }
    assert!(!audit.is_clean());
}

#[test]
fn a_gap_in_the_record_and_time_running_backwards_are_caught() {
    check(1, vec![(5, held(0, "ann")), (4, ordered(0, PRICE))], &Told::default(), Some(Promise::Contiguous));
    let mut audit = Audit::default();
    let at = Timestamp::from_millis(0);
    audit.enter(item(), &Recorded { seq: Seq(1), at, idempotency: None, event: created(1) });
    audit.enter(item(), &Recorded { seq: Seq(3), at, idempotency: None, event: OPENED });
    assert!(!audit.is_clean());
}

#[test]
fn what_the_crowd_was_told_and_the_log_does_not_know_is_caught() {
    let one = |id: ReservationId| vec![id.to_string()];
    let forged = ReservationId::new(item(), Ordinal(0), &ItemKey::from_bytes([8; 32]));
    let wrong = [
        Told { accepted: one(id(3)), ..Told::default() },
        Told { accepted: one(forged), ..Told::default() },
        Told { cancelled: one(id(0)), ..Told::default() },
        Told { paid: vec![OrderId::of(id(0)).to_string()], ..Told::default() },
    ];
    for told in wrong {
        check(1, sale(), &told, Some(Promise::Told));
    }
}

#[test]
fn a_close_that_miscounts_those_who_waited_is_caught() {
    let mut events = sale();
    events.pop();
    events.push((1_200, Event::SaleClosed { by: ClosedBy::SoldOut, lapsed: 7 }));
    check(1, events, &Told::default(), Some(Promise::Lives));
}

fn paid(number: u32, payment: &str, minor: u64, event: impl FnOnce(Capture) -> PaymentEvent) -> Event {
    let payment = PaymentId::parse(payment).expect("it works");
    let capture = Capture { provider: Provider::Simulated, payment, report: None, amount: money(minor) };
    Event::Payment { reservation: Ordinal(number), event: Box::new(event(capture)) }
}

fn settled(number: u32, capture: u32) -> Event {
    let event = PaymentEvent::RefundSettled { capture: CaptureNo(capture), by: SettledBy::Report };
    Event::Payment { reservation: Ordinal(number), event: Box::new(event) }
}

#[test]
fn late_money_is_honoured_or_goes_back_once() {
    let honoured = |capture| PaymentEvent::LateHonoured { capture, amount_named: false };
    let due = |capture| PaymentEvent::RefundDue {
        capture,
        reason: RefundReason::Late(LateRefusal::NoStock),
        amount_named: false,
    };
    let late = |event| vec![(1, held(0, "ann")), (1_000, expired(0)), (1_001, event)];
    check(1, late(paid(0, "p1", PRICE, honoured)), &Told::default(), None);
    check(1, late(paid(0, "p1", PRICE - 1, honoured)), &Told::default(), Some(Promise::Money));
    let mut twice = late(paid(0, "p1", PRICE, due));
    twice.extend([(1_002, settled(0, 0))]);
    check(1, twice.clone(), &Told::default(), None);
    twice.extend([(1_003, settled(0, 0))]);
    check(1, twice, &Told::default(), Some(Promise::Money));
}

#[test]
fn a_late_sale_past_somebody_who_waits_is_caught() {
    let honoured = |capture| PaymentEvent::LateHonoured { capture, amount_named: false };
    let events = vec![
        (1, held(0, "ann")),
        (2, joined(1, "bob", 1)),
        (1_000, expired(0)),
        (1_001, paid(0, "p1", PRICE, honoured)),
    ];
    check(1, events, &Told::default(), Some(Promise::Fifo));
}

#[test]
fn right_money_in_time_that_goes_back_is_caught() {
    let due = |capture| PaymentEvent::RefundDue { capture, reason: RefundReason::SecondCapture, amount_named: false };
    let events = vec![(1, held(0, "ann")), (2, ordered(0, PRICE)), (3, paid(0, "p1", PRICE, due))];
    check(1, events, &Told::default(), Some(Promise::Money));
}
