//! What was answered under a key stays as it was, whatever happens afterwards (invariant 29).

use domain::command::{Claim, Command, Request, WaitlistChoice};
use domain::event::{Event, Recorded};
use domain::idempotency::{Attempt, IdempotencyKey};
use domain::identity::ItemKey;
use domain::ids::{CaptureNo, ItemNo, Ordinal, Seq};
use domain::item::Item;
use domain::money::{Currency, Money};
use domain::payment::{PaymentReport, Provider, SettledBy, Told};
use domain::policy::{ItemSpec, Policy, Settings};
use domain::text::{CustomerId, ItemName, PaymentId, ProviderEventId, Reason, Sku};
use domain::time::{DurationMs, Timestamp};
use domain::turn::Turn;
use domain::units::{Quantity, Units};
use domain::views::{Answer, Body, OrderState};

fn price(minor: u64) -> Money {
    Money { minor, currency: Currency::parse("EUR").expect("a currency") }
}

fn item() -> Item {
    let policy = Policy { hold_time: DurationMs::from_secs(1), close_when_sold: false, ..Policy::default() };
    let settings = Settings {
        name: ItemName::parse("thing").expect("a name"),
        unit_price: price(100),
        policy,
        opens_at: Some(Timestamp::default()),
        closes_at: None,
    };
    let spec = ItemSpec { sku: Sku::parse("thing").expect("a sku"), total: Units::new(1).expect("units"), settings };
    let event = Event::ItemCreated { spec: Box::new(spec), key: ItemKey::from_bytes([3; 32]) };
    let first = Recorded { seq: Seq(1), at: Timestamp::default(), idempotency: None, event };
    Item::begin(ItemNo::from_u32(1), &first).expect("a first event")
}

fn ann() -> CustomerId {
    CustomerId::parse("ann").expect("a customer")
}

fn payment(name: &str) -> PaymentId {
    PaymentId::parse(name).expect("a payment")
}

fn keyed(command: Command, key: &str) -> Request {
    let key = IdempotencyKey::parse(&format!("0123456789abcdef-{key}")).expect("a key");
    let attempt = Attempt { caller: "caller".to_owned(), route: String::new(), key };
    Request::new(command, Some(&attempt), &ItemKey::from_bytes([3; 32]))
}

fn judge(item: &mut Item, at: u64, request: &Request) -> Answer {
    let mut turn = Turn::begin(item, Timestamp::from_millis(at));
    let judgement = turn.judge(request);
    let _events = turn.end();
    judgement.outcome.expect("accepted")
}

fn reserve(customer: &str) -> Command {
    let customer = CustomerId::parse(customer).expect("a customer");
    Command::Reserve { customer, quantity: Quantity::ONE, waitlist: WaitlistChoice::Join }
}

fn confirm(name: &str) -> Command {
    let claim = Claim { reservation: Ordinal(0), customer: ann() };
    Command::ConfirmOrder { claim, payment: payment(name), amount: None }
}

/// Found by the simulation (seed 45): the repeated answer showed the later payment, and the order's later time.
#[test]
fn the_answer_to_a_late_payment_stays_as_it_was_when_another_one_is_honoured_later() {
    let mut item = item();
    judge(&mut item, 0, &keyed(reserve("ann"), "one"));
    let claim = Claim { reservation: Ordinal(0), customer: ann() };
    judge(&mut item, 500, &keyed(Command::PlaceOrder { claim, amount: None }, "order"));
    judge(&mut item, 1_000, &keyed(reserve("bob"), "two"));
    let refused = keyed(confirm("first"), "three");
    let told = judge(&mut item, 1_500, &refused);
    let Body::Order(order) = &told.body else { panic!("no order: {told:?}") };
    assert_eq!(order.summary.state, OrderState::RefundDue, "bob has the only unit");
    judge(&mut item, 2_500, &keyed(confirm("second"), "four"));
    let again = judge(&mut item, 3_000, &refused);
    assert_eq!(again.body, told.body);
}

#[test]
fn the_answer_to_a_settled_refund_stays_as_it_was_when_reports_of_it_come_later() {
    let mut item = item();
    judge(&mut item, 0, &keyed(reserve("ann"), "one"));
    let claim = Claim { reservation: Ordinal(0), customer: ann() };
    judge(&mut item, 500, &keyed(Command::PlaceOrder { claim, amount: None }, "order"));
    judge(&mut item, 1_000, &keyed(reserve("bob"), "two"));
    judge(&mut item, 1_500, &keyed(confirm("first"), "three"));
    let by = SettledBy::Operator { reason: Reason::parse("by hand").expect("a reason") };
    let settle = keyed(Command::SettleRefund { capture: CaptureNo(0), by }, "four");
    let told = judge(&mut item, 1_600, &settle);
    for (number, minor) in [(1, 100), (2, 99)] {
        let report = PaymentReport {
            provider: Provider::Simulated,
            report: ProviderEventId::parse(&format!("evt-{number}")).expect("a report"),
            payment: payment("first"),
            told: Told::Captured(price(minor)),
        };
        let record = Command::RecordPayment { reservation: Ordinal(0), report: Box::new(report) };
        judge(&mut item, 1_700, &Request::from(record));
    }
    assert_eq!(judge(&mut item, 3_000, &settle).body, told.body);
}

/// Found by the reference model: the answer showed the time of the second payment, and a read that of the first.
#[test]
fn money_for_an_order_never_placed_is_told_of_with_the_time_of_the_first_in_answers_and_reads() {
    let mut item = item();
    judge(&mut item, 0, &keyed(reserve("ann"), "one"));
    let claim = Claim { reservation: Ordinal(0), customer: ann() };
    judge(&mut item, 500, &Request::from(Command::CancelReservation(claim)));
    let report = PaymentReport {
        provider: Provider::Simulated,
        report: ProviderEventId::parse("evt").expect("a report"),
        payment: payment("first"),
        told: Told::Captured(price(100)),
    };
    judge(&mut item, 600, &Request::from(Command::RecordPayment { reservation: Ordinal(0), report: Box::new(report) }));
    let told = judge(&mut item, 700, &keyed(confirm("second"), "two"));
    let Body::Order(order) = &told.body else { panic!("no order: {told:?}") };
    assert_eq!(order.placed_at, Timestamp::from_millis(600));
}

/// Found by the reference model: of two refunds told of early under one id, the provider's number decided which counted.
#[test]
fn a_refund_told_of_early_that_agrees_counts_whichever_provider_tells_of_another() {
    for right in [Provider::Simulated, Provider::Generic] {
        let mut item = item();
        judge(&mut item, 0, &keyed(reserve("ann"), "one"));
        let claim = Claim { reservation: Ordinal(0), customer: ann() };
        judge(&mut item, 500, &keyed(Command::PlaceOrder { claim: claim.clone(), amount: None }, "order"));
        judge(&mut item, 600, &Request::from(Command::CancelReservation(claim)));
        for provider in [Provider::Simulated, Provider::Generic] {
            let report = PaymentReport {
                provider,
                report: ProviderEventId::parse("evt").expect("a report"),
                payment: payment("first"),
                told: Told::Refunded(price(if provider == right { 100 } else { 99 })),
            };
            let record = Command::RecordPayment { reservation: Ordinal(0), report: Box::new(report) };
            judge(&mut item, 700, &Request::from(record));
        }
        judge(&mut item, 800, &keyed(confirm("first"), "two"));
        let state = item.capture_view(CaptureNo(0)).expect("a capture").record.place;
        assert!(matches!(state, domain::payment::MoneyPlace::Refunded { .. }), "{right:?}: {state:?}");
    }
}

/// Found by the simulation (seeds 1002548, 1003345): the repeated answer showed a refund of the same millisecond.
#[test]
fn the_answer_to_a_second_payment_stays_as_it_was_when_the_order_is_refunded_in_the_same_millisecond() {
    let mut item = item();
    judge(&mut item, 0, &keyed(reserve("ann"), "one"));
    let claim = Claim { reservation: Ordinal(0), customer: ann() };
    judge(&mut item, 100, &keyed(Command::PlaceOrder { claim, amount: None }, "order"));
    judge(&mut item, 200, &keyed(confirm("first"), "two"));
    let second = keyed(confirm("second"), "three");
    let told = judge(&mut item, 300, &second);
    let Body::Order(order) = &told.body else { panic!("no order: {told:?}") };
    assert_eq!(order.summary.state, OrderState::Paid);
    let reason = Reason::parse("asked for").expect("a reason");
    let refund = Command::RefundOrder { reservation: Ordinal(0), return_units: false, reason };
    judge(&mut item, 300, &keyed(refund, "four"));
    assert_eq!(judge(&mut item, 300, &second).body, told.body);
}

/// Found by the simulation (seeds 1005484, 1034870): the repeated answer showed the time of the payment honoured after it.
#[test]
fn the_answer_to_a_late_payment_stays_as_it_was_when_another_one_is_honoured_in_the_same_millisecond() {
    let mut item = item();
    judge(&mut item, 0, &keyed(reserve("ann"), "one"));
    judge(&mut item, 1_000, &keyed(reserve("bob"), "two"));
    let report = PaymentReport {
        provider: Provider::Simulated,
        report: ProviderEventId::parse("evt").expect("a report"),
        payment: payment("zero"),
        told: Told::Captured(price(100)),
    };
    judge(
        &mut item,
        1_200,
        &Request::from(Command::RecordPayment { reservation: Ordinal(0), report: Box::new(report) }),
    );
    let refused = keyed(confirm("first"), "three");
    let told = judge(&mut item, 1_500, &refused);
    let bob = Claim { reservation: Ordinal(1), customer: CustomerId::parse("bob").expect("a customer") };
    judge(&mut item, 1_500, &Request::from(Command::CancelReservation(bob)));
    let honoured = judge(&mut item, 1_500, &keyed(confirm("second"), "four"));
    let Body::Order(order) = &honoured.body else { panic!("no order: {honoured:?}") };
    assert_eq!(order.summary.state, OrderState::Paid);
    assert_eq!(judge(&mut item, 1_500, &refused).body, told.body);
}
