//! A random sale of a partition with a few items and bundles, run through the rules: its events, encoded.

use domain::bundle::{BundleLine, BundleTerms, NewBundle};
use domain::command::{Claim, Command, Request, WaitlistChoice};
use domain::endpoint::{EndpointCommand, EndpointUrl, Notice, SigningSecret};
use domain::event::{PartDecision, PartitionEvent, Recorded};
use domain::idempotency::{Attempt, IdempotencyKey};
use domain::identity::{BundleId, ItemKey, OrderId, ReservationId};
use domain::ids::{CaptureNo, ItemNo, Ordinal, PartitionNo};
use domain::item::Item;
use domain::money::{Currency, Money};
use domain::partition::{BundleClaim, Partition, PartitionCommand, PartitionRequest, PartitionTurn};
use domain::payment::{PaymentReport, Provider, SettledBy, Told};
use domain::policy::{ItemSpec, Policy, Settings};
use domain::text::{CustomerId, ItemName, PaymentId, ProviderEventId, Reason, Sku};
use domain::time::{DurationMs, Timestamp};
use domain::turn::Turn;
use domain::units::{Quantity, StockChange, Units};
use eventlog::{EncodedEvent, encode_item_event, encode_partition_event};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const NO: PartitionNo = PartitionNo(0);
const ITEMS: usize = 3;
const STEPS: usize = 220;
/// Where the clock begins: 2026.
const BEGIN_MS: u64 = 1_767_225_600_000;

/// Events in the order of the log.
pub(super) struct Sales {
    pub(super) events: Vec<Placed>,
}

/// An event and whose it is.
pub(super) struct Placed {
    pub(super) stream: ItemNo,
    pub(super) encoded: EncodedEvent,
}

struct Shop {
    partition: Partition,
    items: Vec<Item>,
    dice: ChaCha8Rng,
    now: u64,
    step: u32,
    events: Vec<Placed>,
}

/// Runs it: the same every time.
pub(super) fn run() -> Sales {
    let mut shop = Shop {
        partition: Partition::new(NO),
        items: Vec::new(),
        dice: ChaCha8Rng::seed_from_u64(20_261_121),
        now: BEGIN_MS,
        step: 0,
        events: Vec::new(),
    };
    for number in 0..ITEMS {
        shop.register(number);
    }
    for _ in 0..STEPS {
        shop.step += 1;
        shop.now += [0, 7, 40, 400].into_iter().nth(shop.dice.random_range(0..4)).unwrap_or(0);
        match shop.dice.random_range(0..5) {
            0 => shop.ask_partition(),
            _ => shop.ask_item(),
        }
    }
    Sales { events: shop.events }
}

impl Shop {
    fn at(&self) -> Timestamp {
        Timestamp::from_millis(self.now)
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.dice.random_range(0..bound)
    }

    fn push_of_item(&mut self, no: ItemNo, recorded: &[Recorded]) {
        let placed = recorded.iter().map(|event| Placed { stream: no, encoded: encode_item_event(no, event) });
        self.events.extend(placed);
    }

    fn push_of_partition(&mut self, recorded: &[Recorded<PartitionEvent>]) {
        let stream = ItemNo::partition_stream(NO);
        let encode = |event| Placed { stream, encoded: encode_partition_event(stream, event) };
        self.events.extend(recorded.iter().map(encode));
    }

    fn register(&mut self, number: usize) {
        let sku = format!("lamp-{number}");
        let policy = Policy {
            per_order_max: quantity(3),
            hold_time: DurationMs::from_millis(1_000),
            grace: DurationMs::from_millis(100),
            close_when_sold: false,
            ..Policy::default()
        };
        let settings = Settings {
            name: ItemName::parse(&sku).expect("a name"),
            unit_price: eur(100),
            policy,
            opens_at: Some(self.at()),
            closes_at: None,
        };
        let total = Units::new(4).expect("units");
        let spec = ItemSpec { sku: Sku::parse(&sku).expect("a sku"), total, settings };
        let key = ItemKey::from_bytes([3; 32]);
        let registration = self.partition.register(spec, key, None, self.at()).expect("a new name");
        self.partition.apply(&registration.registered);
        self.push_of_partition(&[registration.registered]);
        self.items.push(Item::begin(registration.item, &registration.created).expect("a first event"));
        self.push_of_item(registration.item, &[registration.created]);
    }

    fn ask_item(&mut self) {
        let (which, command) = (self.below(ITEMS as u32) as usize, self.command());
        let (at, attempt) = (self.at(), attempt(self.step));
        let keyless =
            matches!(command, Command::RecordPayment { .. } | Command::HoldPart { .. } | Command::SettlePart { .. });
        let Some(item) = self.items.get_mut(which) else { return };
        let (no, key) = (item.no(), *item.key());
        let mut turn = Turn::begin(item, at);
        drop(turn.judge(&Request::new(command, Some(&attempt).filter(|_| !keyless), &key)));
        let end = turn.end();
        self.push_of_item(no, &end.recorded);
    }

    fn command(&mut self) -> Command {
        let (about, who) = (self.below(20), self.below(6));
        let (customer, reservation) = (customer(who), Ordinal(about));
        let claim = Claim { reservation, customer: customer.clone() };
        let bundle = BundleId::new(NO, u128::from(self.below(4)));
        let reason = || Reason::parse("counted again").expect("a reason");
        match self.below(24) {
            0..8 => {
                Command::Reserve { customer, quantity: quantity(1 + about % 2), waitlist: WaitlistChoice::default() }
            }
            8 => Command::Purchase { customer, quantity: quantity(1), payment: Some(payment(about)), amount: None },
            9 => Command::CancelReservation(claim),
            10 => Command::ExtendHold(claim),
            11..14 => Command::PlaceOrder { claim, amount: None },
            14..17 => Command::ConfirmOrder { claim, payment: payment(about), amount: None },
            17 => {
                let by = i32::try_from(about).unwrap_or_default() - 8;
                Command::AdjustStock { change: StockChange::new(by.max(1)).expect("a change"), reason: reason() }
            }
            18..21 => Command::RecordPayment { reservation, report: self.report(about) },
            21 => Command::RefundOrder { reservation, return_units: about.is_multiple_of(2), reason: reason() },
            22 => Command::HoldPart { bundle, customer, quantity: quantity(1) },
            _ => Command::SettlePart { bundle, decision: PartDecision::Sold },
        }
    }

    fn report(&mut self, about: u32) -> Box<PaymentReport> {
        let told = match self.below(4) {
            0 => Told::Failed,
            1 => Told::Refunded(eur(100)),
            _ => Told::Captured(eur(100)),
        };
        let report = ProviderEventId::parse(&format!("evt-{}", self.step)).expect("a report");
        Box::new(PaymentReport { provider: Provider::Generic, report, payment: payment(about), told })
    }

    fn ask_partition(&mut self) {
        let number = self.below(4);
        let command = self.partition_command(number);
        let (at, spare) = (self.at(), ItemKey::from_bytes([5; 32]));
        if matches!(command, PartitionCommand::HoldBundle(_)) {
            self.partition.begin_collecting(bundle(number));
        }
        let mut turn = PartitionTurn::begin(&mut self.partition, at, spare);
        let key = turn.key();
        let keyed = matches!(command, PartitionCommand::HoldBundle(_) | PartitionCommand::PlaceOrder { .. });
        let attempt = attempt(self.step);
        drop(turn.judge(&PartitionRequest::new(command, Some(&attempt).filter(|_| keyed), &key)));
        let end = turn.end();
        self.push_of_partition(&end.recorded);
    }

    fn partition_command(&mut self, number: u32) -> PartitionCommand {
        let (bundle, about) = (bundle(number), self.below(20));
        let claim = BundleClaim { bundle, customer: customer(number) };
        match self.below(11) {
            0..3 => PartitionCommand::HoldBundle(Box::new(new_bundle(number))),
            3..5 => PartitionCommand::PlaceOrder { claim, amount: None },
            5 => PartitionCommand::ConfirmOrder { claim, payment: payment(about), amount: None },
            6 => PartitionCommand::CancelBundle(claim),
            7 => PartitionCommand::RecordPayment { bundle, report: self.report(about) },
            8 => PartitionCommand::RecordUnmatched { order: OrderId::of_bundle(bundle), report: self.report(about) },
            9 => {
                let reason = Reason::parse("by hand").expect("a reason");
                PartitionCommand::SettleRefund { capture: CaptureNo(about % 4), by: SettledBy::Operator { reason } }
            }
            _ => PartitionCommand::Endpoint(Box::new(EndpointCommand::Add {
                url: EndpointUrl::parse("https://example.com/hook").expect("an address"),
                notices: [Notice::OrderPaid, Notice::ItemClosed].into_iter().collect(),
                secret: SigningSecret::from_bytes([0xef; 32]),
            })),
        }
    }
}

fn bundle(number: u32) -> BundleId {
    BundleId::new(NO, u128::from(number) << 64 | 77)
}

fn new_bundle(number: u32) -> NewBundle {
    let line = |counter: u32| BundleLine {
        sku: Sku::parse(&format!("lamp-{counter}")).expect("a sku"),
        reservation: ReservationId::new(
            ItemNo::new(NO, counter).expect("a counter"),
            Ordinal(number),
            &ItemKey::from_bytes([9; 32]),
        ),
        quantity: quantity(counter),
        amount: eur(100 * u64::from(counter)),
    };
    let terms = BundleTerms {
        hold_time: DurationMs::from_millis(1_000),
        grace: DurationMs::from_millis(200),
        parked_window: DurationMs::from_millis(300),
        provider: Some(Provider::Simulated),
    };
    NewBundle { id: bundle(number), customer: customer(number), lines: vec![line(1), line(2)], terms }
}

fn attempt(step: u32) -> Attempt {
    let key = IdempotencyKey::parse(&format!("0123456789abcdef-{step}")).expect("a key");
    Attempt { caller: "ann".to_owned(), route: "POST".to_owned(), key }
}

fn customer(number: u32) -> CustomerId {
    CustomerId::parse(&format!("c{number}")).expect("a customer")
}

fn payment(number: u32) -> PaymentId {
    PaymentId::parse(&format!("pay-{number}")).expect("a payment")
}

fn eur(minor: u64) -> Money {
    Money { minor, currency: Currency::parse("EUR").expect("a currency") }
}

fn quantity(count: u32) -> Quantity {
    Quantity::new(count).expect("a quantity")
}
