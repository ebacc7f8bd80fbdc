//! Random sales, held in memory, and their events as a log.

use domain::command::{Claim, Command, Request, WaitlistChoice};
use domain::event::{Event, PartDecision, PartitionEvent, Recorded};
use domain::idempotency::{Attempt, IdempotencyKey};
use domain::identity::{BundleId, ItemKey};
use domain::ids::{CaptureNo, ItemNo, Ordinal, PartitionNo, Seq};
use domain::item::Item;
use domain::money::{Currency, Money};
use domain::payment::{PaymentReport, Provider, SettledBy, Told};
use domain::policy::{CoolOffPolicy, ItemSpec, PaymentPolicy, Policy, Settings};
use domain::text::{CustomerId, ItemName, PaymentId, ProviderEventId, Reason, Sku};
use domain::time::{DurationMs, Timestamp};
use domain::turn::Turn;
use domain::units::{Quantity, StockChange, Units};
use eventlog::{Chain, ChainPoint, EncodedEvent, LogId, Record, encode_item_event, encode_partition_event};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(crate) const LOG: LogId = LogId([3; 16]);
pub(crate) const ITEM: ItemNo = ItemNo::from_u32(1);
const KEY: ItemKey = ItemKey::from_bytes([3; 32]);
const PRICE: u64 = 100;

fn units(count: u32) -> Quantity {
    Quantity::new(count).expect("a quantity")
}

fn created(stock: u32) -> Recorded {
    let policy = Policy {
        per_order_max: units(3),
        per_customer_limit: units(5),
        hold_time: DurationMs::from_millis(1_000),
        grace: DurationMs::from_millis(100),
        cool_off: CoolOffPolicy { after_expiries: 2, lasts: DurationMs::from_millis(700) },
        close_when_sold: false,
        payments: PaymentPolicy { parked_window: DurationMs::from_millis(300), ..PaymentPolicy::default() },
        ..Policy::default()
    };
    let settings = Settings {
        name: ItemName::parse("thing").expect("a name"),
        unit_price: Money { minor: PRICE, currency: Currency::parse("EUR").expect("a currency") },
        policy,
        opens_at: Some(Timestamp::default()),
        closes_at: None,
    };
    let spec =
        ItemSpec { sku: Sku::parse("thing").expect("a sku"), total: Units::new(stock).expect("units"), settings };
    let event = Event::ItemCreated { spec: Box::new(spec), key: KEY };
    Recorded { seq: Seq(1), at: Timestamp::default(), idempotency: None, event }
}

/// One command about what there is, mostly one that makes sense.
fn command(random: &mut ChaCha8Rng, item: &Item, number: usize) -> Command {
    let customer = CustomerId::parse(&format!("c{}", random.random_range(0..12))).expect("a customer");
    let reservation = Ordinal(random.random_range(0..item.reservation_count().max(1)));
    let owned = item.owners().nth(reservation.0 as usize).and_then(|(_, owner)| CustomerId::parse(owner).ok());
    let claim = Claim { reservation, customer: owned.unwrap_or_else(|| customer.clone()) };
    let reason = || Reason::parse("counted").expect("a reason");
    let bundle = BundleId::new(PartitionNo(0), random.random_range(0..6));
    match random.random_range(0..36) {
        0..10 => {
            Command::Reserve { customer, quantity: units(random.random_range(1..4)), waitlist: WaitlistChoice::Join }
        }
        10 => Command::Purchase { customer, quantity: units(1), payment: None, amount: None },
        11..13 => Command::CancelReservation(claim),
        13 => Command::ExtendHold(claim),
        14..18 => Command::PlaceOrder { claim, amount: None },
        18..21 => {
            let payment = PaymentId::parse(&format!("pay-{}", number / 2)).expect("a payment");
            Command::ConfirmOrder { claim, payment, amount: None }
        }
        21 => Command::AdjustStock {
            change: StockChange::new(if random.random_bool(0.3) { -1 } else { 2 }).expect("a change"),
            reason: reason(),
        },
        22 => Command::PauseSale,
        23 | 24 => Command::ResumeSale,
        25..31 => report(random, reservation),
        31 => Command::RefundOrder { reservation, return_units: random.random_bool(0.5), reason: reason() },
        32 => {
            let by = SettledBy::Operator { reason: reason() };
            Command::SettleRefund { capture: CaptureNo(random.random_range(0..6)), by }
        }
        33 => Command::HoldPart { bundle, customer, quantity: units(1) },
        // No bundle of these was ever held: their parts can only be let go.
        _ => Command::SettlePart { bundle, decision: PartDecision::Abandoned },
    }
}

fn report(random: &mut ChaCha8Rng, reservation: Ordinal) -> Command {
    let minor = PRICE * random.random_range(1..4_u64);
    let amount = Money { minor, currency: Currency::parse("EUR").expect("a currency") };
    let payment = random.random_range(0..24);
    let report = PaymentReport {
        provider: if payment % 2 == 0 { Provider::Simulated } else { Provider::Generic },
        report: ProviderEventId::parse(&format!("evt-{}", random.random_range(0..60))).expect("a report"),
        payment: PaymentId::parse(&format!("pay-{payment}")).expect("a payment"),
        told: match random.random_range(0..8) {
            0 => Told::Failed,
            1 => Told::Refunded(amount),
            _ => Told::Captured(amount),
        },
    };
    Command::RecordPayment { reservation, report: Box::new(report) }
}

/// The events of a random sale. The item is registered by [`registered`].
pub(crate) fn random_sale(seed: u64, steps: usize) -> Vec<Recorded> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let first = created(random.random_range(1..8));
    let mut item = Item::begin(ITEM, &first).expect("a first event");
    let (mut events, mut now) = (vec![first], 0);
    for number in 0..steps {
        now += match random.random_range(0..10) {
            0..5 => 0,
            5..9 => random.random_range(1..50),
            _ => random.random_range(400..1_200),
        };
        let asked = command(&mut random, &item, number);
        let keyless =
            matches!(asked, Command::RecordPayment { .. } | Command::HoldPart { .. } | Command::SettlePart { .. });
        let attempt = Attempt {
            caller: "caller".to_owned(),
            route: format!("step {number}"),
            key: IdempotencyKey::parse(&format!("0123456789abcdef-{number}")).expect("a key"),
        };
        let request = Request::new(asked, (!keyless).then_some(&attempt), &KEY);
        let at = Timestamp::from_millis(now);
        // Now and then the process was down meanwhile.
        let mut turn = if random.random_range(0..60) == 0 {
            Turn::begin_after_restart(&mut item, at, at, DurationMs::from_millis(500))
        } else {
            Turn::begin(&mut item, at)
        };
        // A refusal leaves no event.
        let _judged = turn.judge(&request);
        events.extend(turn.end().recorded);
    }
    events
}

/// The partition's event that gives the item its number.
pub(crate) fn registered() -> Recorded<PartitionEvent> {
    let event = PartitionEvent::ItemRegistered { item: ITEM, sku: Sku::parse("thing").expect("a sku") };
    Recorded { seq: Seq(1), at: Timestamp::default(), idempotency: None, event }
}

/// The events as a log that holds together: a claim, and every few events a group.
pub(crate) fn framed(events: &[Recorded]) -> Vec<Record> {
    let (claim, mut chain) = Chain::claim(LOG, ChainPoint::START, "tests").expect("a short claimant");
    let mut encoded = vec![encode_partition_event(ItemNo::partition_stream(PartitionNo(0)), &registered())];
    encoded.extend(events.iter().map(|event| encode_item_event(ITEM, event)));
    let mut records = vec![claim];
    for group in encoded.chunks(40) {
        let group: Vec<&EncodedEvent> = group.iter().collect();
        records.extend(chain.frame(group));
    }
    records
}

/// The bytes of a log.
pub(crate) fn bytes(records: &[Record]) -> Vec<Vec<u8>> {
    records.iter().map(|record| record.bytes().to_vec()).collect()
}
