//! Random bundles in one partition: any commands at any times keep every invariant, and the events alone give the
//! same partition again, as does a snapshot; and every command had back from them is decided the same way.

use domain::bundle::{BundleLine, BundleTerms, NewBundle};
use domain::event::{PartDecision, PartitionEvent, Recorded};
use domain::idempotency::{Attempt, IdempotencyKey};
use domain::identity::{BundleId, ItemKey, OrderId, ReservationId};
use domain::ids::{CaptureNo, ItemNo, Ordinal, PartitionNo};
use domain::money::{Currency, Money};
use domain::partition::decide::{PartitionDecision, decide};
use domain::partition::redecide::request_of;
use domain::partition::{BundleClaim, Fate, Partition, PartitionCommand, PartitionRequest, PartitionTurn};
use domain::payment::{ClientData, Offer, PaymentReport, Provider, SettledBy, Told};
use domain::rejection::{EndedAs, Rejection};
use domain::text::{CustomerId, PaymentId, ProviderEventId, Reason, Sku};
use domain::time::{DurationMs, Timestamp};
use domain::units::Quantity;
use domain::views::{Body, BundleStateView, Judgement, OrderState, Origin, PaymentVerdict};
use proptest::prelude::*;
use std::collections::BTreeMap;

const PARTITION: PartitionNo = PartitionNo(3);
const SPARE: ItemKey = ItemKey::from_bytes([5; 32]);

fn id(number: u8) -> BundleId {
    BundleId::new(PARTITION, u128::from(number) << 64 | u128::from(number))
}

fn customer(number: u8) -> CustomerId {
    CustomerId::parse(&format!("c{}", number % 3)).expect("a customer")
}

fn eur(minor: u64) -> Money {
    Money { minor, currency: Currency::parse("EUR").expect("a currency") }
}

fn new_bundle(number: u8) -> NewBundle {
    let line = |counter: u32| BundleLine {
        sku: Sku::parse(&format!("s{counter}")).expect("a sku"),
        reservation: ReservationId::new(
            ItemNo::new(PARTITION, counter).expect("a counter"),
            Ordinal(u32::from(number)),
            &ItemKey::from_bytes([9; 32]),
        ),
        quantity: Quantity::new(counter).expect("a quantity"),
        amount: eur(100 * u64::from(counter)),
    };
    let terms = BundleTerms {
        hold_time: DurationMs::from_millis(1_000),
        grace: DurationMs::from_millis(200),
        parked_window: DurationMs::from_millis(300),
        provider: Some(Provider::Simulated),
    };
    NewBundle { id: id(number), customer: customer(number), lines: vec![line(1), line(2)], terms }
}

fn claim(number: u8) -> BundleClaim {
    BundleClaim { bundle: id(number), customer: customer(number) }
}

fn payment(number: u8) -> PaymentId {
    PaymentId::parse(&format!("pay-{number}")).expect("a payment")
}

fn report(number: u8, payment_no: u8, told: Told) -> Box<PaymentReport> {
    let provider = if payment_no.is_multiple_of(2) { Provider::Simulated } else { Provider::Generic };
    let report = ProviderEventId::parse(&format!("evt-{number}")).expect("a report");
    Box::new(PaymentReport { provider, report, payment: payment(payment_no), told })
}

fn attempt(key: &str) -> Attempt {
    let key = IdempotencyKey::parse(&format!("{key:0>16}")).expect("a key");
    Attempt { caller: "ann".to_owned(), route: "POST".to_owned(), key }
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A partition, its events, and an instant that moves on.
struct Sale {
    partition: Partition,
    events: Vec<Recorded<PartitionEvent>>,
    now: u64,
}

impl Sale {
    fn new() -> Self {
        Self { partition: Partition::new(PARTITION), events: Vec::new(), now: 0 }
    }

    fn turn<T>(&mut self, act: impl FnOnce(&mut PartitionTurn<'_>) -> T) -> T {
        let mut turn = PartitionTurn::begin(&mut self.partition, at(self.now), SPARE);
        let result = act(&mut turn);
        let end = turn.end();
        assert!(!end.backlog, "everything due fits into one batch here");
        self.events.extend(end.recorded);
        self.partition.recount().unwrap_or_else(|broken| panic!("{broken}"));
        assert!(self.partition.money().all(|(_, sums)| sums.add_up()), "invariant 27");
        result
    }

    fn ask(&mut self, command: PartitionCommand) -> Judgement {
        self.turn(|turn| turn.judge(&PartitionRequest::new(command, None, &turn.key())))
    }

    fn ask_keyed(&mut self, command: PartitionCommand, key: &str) -> Judgement {
        self.turn(|turn| turn.judge(&PartitionRequest::new(command, Some(&attempt(key)), &turn.key())))
    }

    fn hold(&mut self, number: u8) -> Judgement {
        self.partition.begin_collecting(id(number));
        self.ask(PartitionCommand::HoldBundle(Box::new(new_bundle(number))))
    }

    fn order(&mut self, number: u8) -> Judgement {
        self.ask(PartitionCommand::PlaceOrder { claim: claim(number), amount: None })
    }

    fn report(&mut self, number: u8, report: Box<PaymentReport>) -> PaymentVerdict {
        let judged = self.ask(PartitionCommand::RecordPayment { bundle: id(number), report });
        match judged.outcome.expect("a verified report is taken").body {
            Body::Payment(verdict) => verdict,
            other => panic!("not a verdict: {other:?}"),
        }
    }

    /// The fold, the snapshot and the decisions had back agree with what happened.
    fn check(&self) {
        let mut folded = Partition::new(PARTITION);
        for (place, recorded) in self.events.iter().enumerate() {
            let following = self.events.get(place + 1..).unwrap_or_default();
            decide_again(&folded, recorded, following);
            folded.apply(recorded);
        }
        assert_eq!(folded.to_parts(), self.partition.to_parts(), "the fold differs");
        let restored = Partition::from_parts(self.partition.to_parts()).expect("a snapshot agrees with itself");
        assert_eq!(restored.to_parts(), self.partition.to_parts(), "the snapshot differs");
        assert_eq!(restored.timers_armed(), self.partition.timers_armed(), "invariant 23 after a restart");
    }
}

fn decide_again(before: &Partition, recorded: &Recorded<PartitionEvent>, following: &[Recorded<PartitionEvent>]) {
    let Some(request) = request_of(before, recorded) else { return };
    let again = decide(before, &request, recorded.at).expect("what was accepted is accepted");
    let PartitionDecision::Accept(again) = again else { panic!("decided otherwise: {again:?}") };
    let then = std::iter::once(recorded).chain(following).map(|recorded| &recorded.event);
    assert!(again.iter().eq(then.take(again.len())), "decided otherwise: {again:?}");
    let hashed = request.command.content_fingerprint(&SPARE);
    assert!(recorded.idempotency.is_none_or(|found| found.content == hashed), "the command had back says otherwise");
}

#[derive(Clone, Debug)]
enum Ask {
    Hold,
    GiveUp,
    Order,
    Cancel,
    Confirm(u8),
    Report(Told, u8, u8, bool),
    Offer,
    Refund(bool),
    Settle(u8),
    Unmatched(u8),
    Restart,
    Nothing,
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![6 => Just(Told::Captured(eur(300))), 1 => Just(Told::Failed), 1 => Just(Told::Refunded(eur(300)))]
}

fn step() -> impl Strategy<Value = (u64, u8, Ask)> {
    let ask = prop_oneof![
        6 => Just(Ask::Hold),
        1 => Just(Ask::GiveUp),
        5 => Just(Ask::Order),
        2 => Just(Ask::Cancel),
        3 => (0u8..24).prop_map(Ask::Confirm),
        8 => (told(), 0u8..24, 0u8..60, prop::bool::weighted(0.8)).prop_map(|(t, p, r, right)| Ask::Report(t, p, r, right)),
        1 => Just(Ask::Offer),
        1 => any::<bool>().prop_map(Ask::Refund),
        1 => (0u8..6).prop_map(Ask::Settle),
        1 => (0u8..8).prop_map(Ask::Unmatched),
        1 => Just(Ask::Restart),
        2 => Just(Ask::Nothing),
    ];
    let wait = prop_oneof![4 => Just(0u64), 4 => 1u64..60, 1 => 300u64..1_300];
    (wait, 0u8..8, ask)
}

fn command(number: u8, ask: &Ask, place: usize) -> Option<PartitionCommand> {
    let reason = || Reason::parse("asked for it").expect("a reason");
    Some(match ask {
        Ask::Hold => PartitionCommand::HoldBundle(Box::new(new_bundle(number))),
        Ask::Order => {
            PartitionCommand::PlaceOrder { claim: claim(number), amount: place.is_multiple_of(2).then(|| eur(300)) }
        }
        Ask::Cancel => PartitionCommand::CancelBundle(claim(number)),
        Ask::Confirm(paid) => {
            PartitionCommand::ConfirmOrder { claim: claim(number), payment: payment(*paid), amount: None }
        }
        Ask::Report(told, paid, report_no, right) => {
            let told = match *told {
                Told::Captured(amount) if !right => Told::Captured(eur(amount.minor + 1)),
                told => told,
            };
            PartitionCommand::RecordPayment { bundle: id(number), report: report(*report_no, *paid, told) }
        }
        Ask::Offer => {
            let (provider, payment, client) = (Provider::Simulated, payment(number), ClientData::default());
            PartitionCommand::OfferPayment { bundle: id(number), offer: Box::new(Offer { provider, payment, client }) }
        }
        Ask::Refund(return_units) => {
            PartitionCommand::RefundOrder { bundle: id(number), return_units: *return_units, reason: reason() }
        }
        Ask::Settle(capture) => PartitionCommand::SettleRefund {
            capture: CaptureNo(u32::from(*capture)),
            by: SettledBy::Operator { reason: reason() },
        },
        Ask::Unmatched(number) => PartitionCommand::RecordUnmatched {
            order: OrderId::of_bundle(id(200)),
            report: report(*number, *number, Told::Captured(eur(1))),
        },
        Ask::GiveUp | Ask::Restart | Ask::Nothing => return None,
    })
}

/// Judges a command under a key, and again at once.
fn judge_twice(sale: &mut Sale, command: &PartitionCommand, place: usize) {
    let keyless = matches!(
        command,
        PartitionCommand::RecordPayment { .. }
            | PartitionCommand::OfferPayment { .. }
            | PartitionCommand::RecordUnmatched { .. }
    );
    if keyless {
        return drop(sale.ask(command.clone()));
    }
    let key = format!("step-{place}");
    let Ok(answer) = sale.ask_keyed(command.clone(), &key).outcome else { return };
    if matches!(answer.origin, Origin::Accepted(_)) {
        let again = sale.ask_keyed(command.clone(), &key).outcome.expect("what was accepted is remembered");
        assert_eq!((again.origin, again.body), (Origin::Replayed, answer.body), "invariant 29");
    }
}

/// A decision once made stands, but for a refund that returns the units of a sale.
fn check_fates(sale: &Sale, decided: &mut BTreeMap<u8, PartDecision>) {
    for number in 0..8 {
        let known = sale.partition.items_of(Ordinal(u32::from(number)));
        assert!(known.is_empty() || known.len() == 2);
        let Fate::Decided(now) = sale.partition.fate_of(id(number)) else { continue };
        if now == PartDecision::Abandoned {
            continue;
        }
        let before = decided.insert(number, now);
        let stands =
            before.is_none_or(|before| before == now || (before, now) == (PartDecision::Sold, PartDecision::Returned));
        assert!(stands, "{before:?} became {now:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn any_commands_at_any_times_keep_every_invariant(steps in prop::collection::vec(step(), 1..70)) {
        let (mut sale, mut decided) = (Sale::new(), BTreeMap::new());
        for (place, (wait, number, ask)) in steps.iter().enumerate() {
            sale.now += wait;
            match ask {
                Ask::GiveUp => sale.partition.give_up(id(*number)),
                Ask::Hold => sale.partition.begin_collecting(id(*number)),
                Ask::Restart => {
                    let grace = DurationMs::from_millis(150);
                    let (now, partition) = (at(sale.now), &mut sale.partition);
                    let end = PartitionTurn::begin_after_restart(partition, now, SPARE, now, grace).end();
                    sale.events.extend(end.recorded);
                }
                _ => {}
            }
            match command(*number, ask, place) {
                Some(command) => judge_twice(&mut sale, &command, place),
                None => sale.turn(|_| ()),
            }
            check_fates(&sale, &mut decided);
        }
        sale.check();
        // Long after the last of them nothing is held and no timer is armed (invariants 12 and 23).
        sale.now += 10_000;
        sale.turn(|_| ());
        prop_assert_eq!(sale.partition.timers_armed(), 0);
        sale.check();
    }
}

fn state(judged: Judgement) -> BundleStateView {
    match judged.outcome.expect("an answer").body {
        Body::Bundle(view) => view.state,
        other => panic!("not a bundle: {other:?}"),
    }
}

fn order_state(judged: Judgement) -> OrderState {
    match judged.outcome.expect("an answer").body {
        Body::BundleOrder(view) => view.summary.state,
        other => panic!("not an order: {other:?}"),
    }
}

#[test]
fn a_bundle_is_held_ordered_and_paid_and_its_secret_comes_before_it() {
    let mut sale = Sale::new();
    assert_eq!(state(sale.hold(1)), BundleStateView::Held { expires_at: at(1_000) });
    assert!(matches!(sale.events.first().map(|first| &first.event), Some(PartitionEvent::PartitionKeyed { .. })));
    assert_eq!(sale.partition.fate_of(id(1)), Fate::Undecided);
    assert_eq!(order_state(sale.order(1)), OrderState::AwaitingPayment { expires_at: at(1_200) });
    sale.now = 1_199;
    assert_eq!(sale.report(1, report(1, 1, Told::Captured(eur(300)))), PaymentVerdict::Applied);
    assert_eq!(sale.partition.fate_of(id(1)), Fate::Decided(PartDecision::Sold));
    sale.check();
}

#[test]
fn a_bundle_that_nobody_collects_any_more_is_never_held() {
    let mut sale = Sale::new();
    let submit = || PartitionCommand::HoldBundle(Box::new(new_bundle(1)));
    assert_eq!(sale.ask(submit()).outcome, Err(Rejection::HoldExpired { ended: EndedAs::Cancelled }), "never begun");
    sale.partition.begin_collecting(id(1));
    assert_eq!(sale.partition.fate_of(id(1)), Fate::Undecided, "a part waits");
    sale.partition.give_up(id(1));
    assert_eq!(sale.ask(submit()).outcome, Err(Rejection::HoldExpired { ended: EndedAs::Cancelled }), "given up");
    assert_eq!(sale.partition.fate_of(id(1)), Fate::Decided(PartDecision::Abandoned));
    assert!(sale.events.is_empty(), "a refusal writes nothing");
}

#[test]
fn a_payment_after_the_end_is_always_given_back() {
    for cancelled in [true, false] {
        let mut sale = Sale::new();
        drop(sale.hold(1));
        drop(sale.order(1));
        if cancelled {
            assert_eq!(state(sale.ask(PartitionCommand::CancelBundle(claim(1)))), BundleStateView::Cancelled);
        } else {
            sale.now = 1_200;
        }
        let late = sale.report(1, report(1, 1, Told::Captured(eur(300))));
        assert!(matches!(late, PaymentVerdict::RefundDue(_)), "{late:?}");
        sale.check();
    }
}

#[test]
fn money_before_the_order_waits_for_it_and_is_given_back_when_the_bundle_ends() {
    let mut sale = Sale::new();
    drop((sale.hold(1), sale.hold(2)));
    assert_eq!(sale.report(1, report(1, 1, Told::Captured(eur(300)))), PaymentVerdict::Stored);
    assert_eq!(sale.report(2, report(2, 2, Told::Captured(eur(300)))), PaymentVerdict::Stored);
    assert_eq!(order_state(sale.order(1)), OrderState::Paid);
    drop(sale.ask(PartitionCommand::CancelBundle(claim(2))));
    let Body::Captures { page, .. } = sale.partition.captures(domain::views::CaptureFilter::Due, CaptureNo(0), 9)
    else {
        panic!("not captures")
    };
    assert_eq!(page.len(), 1, "the second bundle's money goes back");
    sale.check();
}

#[test]
fn a_strangers_bundle_does_not_exist() {
    let mut sale = Sale::new();
    drop(sale.hold(1));
    let stranger = BundleClaim { bundle: id(1), customer: customer(2) };
    let order = PartitionCommand::PlaceOrder { claim: stranger.clone(), amount: None };
    assert_eq!(sale.ask(order).outcome, Err(Rejection::NotFound));
    assert_eq!(sale.ask(PartitionCommand::CancelBundle(stranger)).outcome, Err(Rejection::NotFound));
}

#[test]
fn a_report_of_an_order_never_issued_is_recorded_once_and_moves_no_money() {
    let mut sale = Sale::new();
    let unmatched = |number| PartitionCommand::RecordUnmatched {
        order: OrderId::of_bundle(id(99)),
        report: report(number, 1, Told::Captured(eur(5))),
    };
    for (number, expected) in [(1, PaymentVerdict::Noted), (1, PaymentVerdict::Duplicate), (2, PaymentVerdict::Noted)] {
        assert_eq!(sale.ask(unmatched(number)).outcome.expect("taken").body, Body::Payment(expected));
    }
    let Body::Unmatched { page, next } = sale.partition.unmatched_page(0, 1) else { panic!("not a page") };
    assert_eq!((page.len(), next), (1, Some(1)));
    assert_eq!(sale.partition.money().count(), 0);
    sale.check();
}

#[test]
fn after_a_restart_no_bundle_ends_before_the_grace() {
    let mut sale = Sale::new();
    drop(sale.hold(1));
    sale.now = 5_000;
    let grace = DurationMs::from_millis(300);
    let end = PartitionTurn::begin_after_restart(&mut sale.partition, at(5_000), SPARE, at(5_000), grace).end();
    sale.events.extend(end.recorded);
    sale.now = 5_299;
    assert!(matches!(order_state(sale.order(1)), OrderState::AwaitingPayment { .. }));
    sale.check();
}
