//! Random sales: any commands at any times keep every invariant, and the events alone give the same item again.

use domain::command::{Claim, Command, Request, WaitlistChoice};
use domain::decide::{Decision, decide};
use domain::event::{Event, PartDecision, Recorded};
use domain::idempotency::{Attempt, IdempotencyKey};
use domain::identity::{BundleId, ItemKey};
use domain::ids::{CaptureNo, ItemNo, Ordinal, PartitionNo, Seq};
use domain::item::Item;
use domain::money::{Currency, Money};
use domain::payment::{PaymentEvent, PaymentReport, Provider, SettledBy};
use domain::policy::{CoolOffPolicy, ItemSpec, PaymentPolicy, Policy, Settings, WaitlistPolicy};
use domain::redecide::request_of;
use domain::text::{CustomerId, ItemName, PaymentId, ProviderEventId, Reason, Sku};
use domain::time::{DurationMs, Timestamp};
use domain::turn::Turn;
use domain::units::{Quantity, StockChange, Units};
use domain::views::{Body, Origin, ReservationFilter, StateView};
use proptest::prelude::*;

/// One step: what is asked, by whom, how long after the step before.
#[derive(Clone, Debug)]
struct Step {
    wait_ms: u64,
    who: u8,
    about: u8,
    ask: Ask,
}

#[derive(Clone, Debug)]
enum Ask {
    Reserve(u32, bool),
    Purchase(u32),
    Cancel,
    Extend,
    Order,
    Confirm,
    Stock(i32),
    Pause,
    Resume,
    /// What is told, of which of a few payments, in which of a few reports, and whether the amount is right.
    Report(Told, u8, u8, bool),
    Refund(bool),
    Settle(u8),
    Part(u8),
    SettlePart(u8, PartDecision),
    Nothing,
}

#[derive(Clone, Copy, Debug)]
enum Told {
    Captured,
    Failed,
    Refunded,
}

fn step() -> impl Strategy<Value = Step> {
    let ask = prop_oneof![
        8 => (1u32..4, prop::bool::weighted(0.1)).prop_map(|(quantity, decline)| Ask::Reserve(quantity, decline)),
        1 => (1u32..3).prop_map(Ask::Purchase),
        2 => Just(Ask::Cancel),
        1 => Just(Ask::Extend),
        3 => Just(Ask::Order),
        3 => Just(Ask::Confirm),
        1 => (-3i32..5).prop_map(Ask::Stock),
        1 => Just(Ask::Pause),
        2 => Just(Ask::Resume),
        6 => (told(), any::<u8>(), any::<u8>(), prop::bool::weighted(0.8))
            .prop_map(|(told, payment, report, right)| Ask::Report(told, payment % 24, report % 40, right)),
        1 => any::<bool>().prop_map(Ask::Refund),
        1 => (0u8..6).prop_map(Ask::Settle),
        1 => (0u8..6).prop_map(Ask::Part),
        1 => (0u8..6, decision()).prop_map(|(bundle, decision)| Ask::SettlePart(bundle, decision)),
        2 => Just(Ask::Nothing),
    ];
    let wait = prop_oneof![4 => Just(0u64), 4 => 1u64..50, 1 => 400u64..1_200];
    (wait, 0u8..12, any::<u8>(), ask).prop_map(|(wait_ms, who, about, ask)| Step { wait_ms, who, about, ask })
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![6 => Just(Told::Captured), 1 => Just(Told::Failed), 1 => Just(Told::Refunded)]
}

fn decision() -> impl Strategy<Value = PartDecision> {
    prop_oneof![
        Just(PartDecision::Sold),
        Just(PartDecision::Expired),
        Just(PartDecision::Cancelled),
        Just(PartDecision::Abandoned),
        Just(PartDecision::Returned),
    ]
}

fn created(stock: u32) -> Recorded {
    let policy = Policy {
        per_order_max: Quantity::new(3).expect("a quantity"),
        per_customer_limit: Quantity::new(5).expect("a quantity"),
        hold_time: DurationMs::from_millis(1_000),
        grace: DurationMs::from_millis(100),
        cool_off: CoolOffPolicy { after_expiries: 2, lasts: DurationMs::from_millis(700) },
        close_when_sold: false,
        // Sometimes few can wait, or nobody.
        waitlist: WaitlistPolicy { enabled: stock != 5, capacity: if stock == 4 { 2 } else { 1_000_000 } },
        payments: PaymentPolicy { parked_window: DurationMs::from_millis(300), ..PaymentPolicy::default() },
        ..Policy::default()
    };
    let settings = Settings {
        name: ItemName::parse("thing").expect("a name"),
        unit_price: Money { minor: 100, currency: Currency::parse("EUR").expect("a currency") },
        policy,
        opens_at: Some(Timestamp::default()),
        closes_at: Some(Timestamp::from_millis(60_000)),
    };
    let spec =
        ItemSpec { sku: Sku::parse("thing").expect("a sku"), total: Units::new(stock).expect("units"), settings };
    let event = Event::ItemCreated { spec: Box::new(spec), key: ItemKey::from_bytes([3; 32]) };
    Recorded { seq: Seq(1), at: Timestamp::default(), idempotency: None, event }
}

fn command(step: &Step, item: &Item, number: usize) -> Option<Command> {
    let customer = CustomerId::parse(&format!("c{}", step.who)).expect("a customer");
    let count = item.reservation_count().max(1);
    let reservation = Ordinal(u32::from(step.about) % count);
    // Mostly the owner's own, now and then a stranger's.
    let owner = item.owners().nth(reservation.0 as usize).and_then(|(_, owner)| CustomerId::parse(owner).ok());
    let claim = Claim { reservation, customer: owner.filter(|_| step.about != 7).unwrap_or_else(|| customer.clone()) };
    let payment = PaymentId::parse(&format!("pay-{}", number / 2)).expect("a payment");
    let units = |count: u32| Quantity::new(count).expect("a quantity");
    Some(match &step.ask {
        Ask::Reserve(quantity, decline) => Command::Reserve {
            customer,
            quantity: units(*quantity),
            waitlist: if *decline { WaitlistChoice::Decline } else { WaitlistChoice::Join },
        },
        Ask::Purchase(quantity) => {
            Command::Purchase { customer, quantity: units(*quantity), payment: Some(payment), amount: None }
        }
        Ask::Cancel => Command::CancelReservation(claim),
        Ask::Extend => Command::ExtendHold(claim),
        Ask::Order => Command::PlaceOrder { claim, amount: None },
        Ask::Confirm => Command::ConfirmOrder { claim, payment, amount: None },
        Ask::Stock(change) => Command::AdjustStock {
            change: StockChange::new(*change).ok()?,
            reason: Reason::parse("counted").expect("a reason"),
        },
        Ask::Pause => Command::PauseSale,
        Ask::Resume => Command::ResumeSale,
        Ask::Report(told, payment, report, right) => {
            let price = item.page(ReservationFilter::All, reservation, 1, item.now());
            let Body::Reservations { page, .. } = price else { return None };
            let units = page.first()?.quantity.get();
            let minor = u64::from(units) * 100 + u64::from(!right);
            let amount = Money { minor, currency: Currency::parse("EUR").expect("a currency") };
            let report = PaymentReport {
                provider: if payment % 2 == 0 { Provider::Simulated } else { Provider::Generic },
                report: ProviderEventId::parse(&format!("evt-{report}")).expect("a report"),
                payment: PaymentId::parse(&format!("pay-{payment}")).expect("a payment"),
                told: match told {
                    Told::Captured => domain::payment::Told::Captured(amount),
                    Told::Failed => domain::payment::Told::Failed,
                    Told::Refunded => domain::payment::Told::Refunded(amount),
                },
            };
            Command::RecordPayment { reservation, report: Box::new(report) }
        }
        Ask::Refund(return_units) => Command::RefundOrder {
            reservation,
            return_units: *return_units,
            reason: Reason::parse("asked for it").expect("a reason"),
        },
        Ask::Settle(capture) => {
            let reason = Reason::parse("by hand").expect("a reason");
            Command::SettleRefund { capture: CaptureNo(u32::from(*capture)), by: SettledBy::Operator { reason } }
        }
        Ask::Part(bundle) => Command::HoldPart {
            bundle: BundleId::new(PartitionNo(0), u128::from(*bundle)),
            customer,
            quantity: units(1),
        },
        Ask::SettlePart(bundle, decision) => {
            Command::SettlePart { bundle: BundleId::new(PartitionNo(0), u128::from(*bundle)), decision: *decision }
        }
        Ask::Nothing => return None,
    })
}

/// Granted and released units, and the order of promotions, counted from the events alone.
#[derive(Default)]
struct Count {
    granted: u64,
    released: u64,
    total: i64,
    promoted: Vec<u32>,
    joined: Vec<u32>,
}

impl Count {
    fn take(&mut self, event: &Event, quantities: &mut Vec<u64>) {
        match event {
            Event::ItemCreated { spec, .. } => self.total = i64::from(spec.total.get()),
            Event::StockAdjusted { change, .. } => self.total += i64::from(change.get()),
            Event::HoldPlaced { quantity, .. }
            | Event::PartHeld { quantity, .. }
            | Event::PurchaseConfirmed { quantity, .. } => {
                quantities.push(u64::from(quantity.get()));
                self.granted += u64::from(quantity.get());
            }
            Event::WaitlistJoined { reservation, quantity, .. } => {
                quantities.push(u64::from(quantity.get()));
                self.joined.push(reservation.0);
            }
            Event::HoldPromoted { reservation, .. } => {
                self.granted += quantities.get(reservation.0 as usize).copied().expect("it joined");
                self.promoted.push(reservation.0);
            }
            Event::HoldExpired { released, .. } | Event::ReservationCancelled { released, .. } => {
                self.released += u64::from(released.get());
            }
            Event::PartSettled { released, .. } => self.released += u64::from(released.get()),
            Event::Payment { reservation, event } => match &**event {
                PaymentEvent::LateHonoured { .. } => {
                    self.granted += quantities.get(reservation.0 as usize).copied().expect("it was held");
                }
                PaymentEvent::OrderRefunded { released, .. } => self.released += u64::from(released.get()),
                _ => {}
            },
            _ => {}
        }
        let out = i64::try_from(self.granted - self.released).expect("small");
        assert!(out <= self.total, "invariant 4: {out} units are out of {}", self.total);
        assert!(self.promoted.is_sorted(), "invariant 14: {:?}", self.promoted);
    }
}

fn attempt(number: usize) -> Attempt {
    Attempt {
        caller: "caller".to_owned(),
        route: format!("step {number}"),
        key: IdempotencyKey::parse(&format!("0123456789abcdef-{number}")).expect("a key"),
    }
}

/// Judges a command, and again under the same key at once.
fn judge_twice(turn: &mut Turn<'_>, command: Command, number: usize, at: Timestamp) {
    let keyless =
        matches!(command, Command::RecordPayment { .. } | Command::HoldPart { .. } | Command::SettlePart { .. });
    if keyless {
        return drop(turn.judge(&Request::from(command)));
    }
    let request = Request::new(command, Some(&attempt(number)), &ItemKey::from_bytes([3; 32]));
    let Ok(answer) = turn.judge(&request).outcome else { return };
    if !matches!(answer.origin, Origin::Accepted(_)) {
        return;
    }
    let again = turn.judge(&request).outcome.expect("what was accepted is remembered");
    assert_eq!((again.origin, &again.body), (Origin::Replayed, &answer.body), "invariant 29: the same answer again");
    if let Body::Reservation(view) = &answer.body
        && let StateView::Held { expires_at } = view.state
    {
        assert!(expires_at > at, "a hold in the past");
    }
}

/// What the item would tell somebody it has never seen is what its view tells.
fn is_seen_from_outside(item: &Item, at: Timestamp) {
    let (view, customer) = (item.view(), CustomerId::parse("newcomer").expect("a customer"));
    for quantity in (1..5).map(|count| Quantity::new(count).expect("a quantity")) {
        for waitlist in [WaitlistChoice::Join, WaitlistChoice::Decline] {
            let reserve = Command::Reserve { customer: customer.clone(), quantity, waitlist };
            let judged = decide(item, &Request::from(reserve), at).err();
            assert_eq!(view.refusal_of_newcomer(quantity, waitlist), judged, "{quantity:?} {waitlist:?} of {view:?}");
        }
    }
}

fn run(stock: u32, steps: &[Step]) {
    let first = created(stock);
    let mut item = Item::begin(ItemNo::from_u32(1), &first).expect("a first event");
    let mut events = vec![first];
    let mut now = 0;
    for (number, step) in steps.iter().enumerate() {
        now += step.wait_ms;
        let at = Timestamp::from_millis(now);
        let asked = command(step, &item, number);
        let mut turn = Turn::begin(&mut item, at);
        if let Some(command) = asked {
            judge_twice(&mut turn, command, number, at);
        }
        let end = turn.end();
        assert!(!end.backlog, "at {now}: {:?} wake {:?}", end.recorded, item.next_wake());
        assert!(end.recorded.iter().all(|event| event.at == at), "one clock reading a turn");
        events.extend(end.recorded);
        item.recount().unwrap_or_else(|broken| panic!("{broken} after {step:?}"));
        is_seen_from_outside(&item, at);
        assert!(item.money().all(|(_, sums)| sums.add_up()), "invariant 27");
    }
    check_events(&item, &events);
}

/// Judges the command that an event says it came from, on the item as it was before, and compares with what follows.
fn decide_again(before: &Item, recorded: &Recorded, following: &[Recorded]) {
    let Some(request) = request_of(before, recorded) else { return };
    let again = decide(before, &request, recorded.at).expect("what was accepted is accepted");
    let Decision::Accept(again) = again else { panic!("decided otherwise: {again:?}") };
    let then: Vec<&Event> = std::iter::once(recorded).chain(following).map(|recorded| &recorded.event).collect();
    assert_eq!(again.iter().collect::<Vec<_>>(), then.get(..again.len()).expect("as many"), "decided otherwise");
    let hashed = request.command.content_fingerprint(before.key());
    let content = recorded.idempotency.map(|found| found.content);
    let revised = matches!(request.command, Command::ReviseItem { .. });
    assert!(revised || content.is_none_or(|content| content == hashed), "the command had back says something else");
}

fn check_events(item: &Item, events: &[Recorded]) {
    let (mut count, mut quantities) = (Count::default(), Vec::new());
    events.iter().for_each(|recorded| count.take(&recorded.event, &mut quantities));
    let (first, rest) = events.split_first().expect("events");
    let mut folded = Item::begin(item.no(), first).expect("a first event");
    for (at, event) in rest.iter().enumerate() {
        decide_again(&folded, event, rest.get(at + 1..).unwrap_or_default());
        folded.apply(event);
    }
    assert_eq!(folded.to_parts(), item.to_parts(), "the fold differs");
    let restored = Item::from_parts(item.to_parts()).expect("a snapshot agrees with itself");
    assert_eq!(restored.to_parts(), item.to_parts(), "the snapshot differs");
    assert!(count.promoted.iter().all(|promoted| count.joined.contains(promoted)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn any_commands_at_any_times_keep_every_invariant(stock in 0u32..6, steps in prop::collection::vec(step(), 1..80)) {
        run(stock, &steps);
    }
}

#[test]
fn twenty_thousand_holds_due_at_once_are_worked_off_in_batches_and_in_order() {
    const HOLDS: u32 = 20_000;
    let mut item = Item::begin(ItemNo::from_u32(1), &created(HOLDS)).expect("a first event");
    let mut turn = Turn::begin(&mut item, Timestamp::from_millis(1));
    for number in 0..HOLDS {
        let customer = CustomerId::parse(&format!("c{number}")).expect("a customer");
        let reserve = Command::Reserve { customer, quantity: Quantity::ONE, waitlist: WaitlistChoice::Join };
        turn.judge(&Request::from(reserve)).outcome.expect("a hold");
    }
    drop(turn.end());
    let mut expired = Vec::new();
    let mut turns = 0;
    loop {
        let end = Turn::begin(&mut item, Timestamp::from_millis(1_001)).end();
        assert!(end.recorded.len() <= domain::limits::TURN_BATCH, "a turn stays short");
        expired.extend(end.recorded.iter().filter_map(|recorded| match recorded.event {
            Event::HoldExpired { reservation, .. } => Some(reservation.0),
            _ => None,
        }));
        turns += 1;
        if !end.backlog {
            break;
        }
    }
    assert_eq!(expired, (0..HOLDS).collect::<Vec<_>>(), "in the order of (release_at, ordinal)");
    assert!(turns > 50, "in many turns: {turns}");
    item.recount().expect("it adds up");
}
