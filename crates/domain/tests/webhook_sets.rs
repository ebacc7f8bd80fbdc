//! Sets of webhooks, each delivered one to five times in any order, before, at and after the deadline: they end in one
//! state, and no money is lost or kept without goods (invariants 24 to 28).
//!
//! `HOLDFAST_WEBHOOK_SETS` sets how many; the figures of a long run are in the closing notes.

use domain::command::{Claim, Command, Request, WaitlistChoice};
use domain::event::{Event, Recorded};
use domain::identity::ItemKey;
use domain::ids::{CaptureNo, ItemNo, Ordinal, Seq};
use domain::item::Item;
use domain::money::{Currency, Money};
use domain::payment::{MoneyPlace, PaymentReport, Provider, RefundReason, Told};
use domain::policy::{ItemSpec, PaymentPolicy, Policy, Settings};
use domain::text::{CustomerId, ItemName, PaymentId, ProviderEventId, Sku};
use domain::time::{DurationMs, Timestamp};
use domain::turn::Turn;
use domain::units::{Quantity, Units};
use domain::views::{Body, CaptureFilter, OrderState, PaymentVerdict, StateView};
use proptest::prelude::*;

const PRICE: u64 = 500;
const HOLD_MS: u64 = 1_000;

/// One webhook of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hook {
    Right,
    WrongAmount,
    WrongCurrency,
    Failed,
    /// The provider gave back the money of the first right payment.
    Refunded,
}

fn cases() -> u32 {
    std::env::var("HOLDFAST_WEBHOOK_SETS").ok().and_then(|text| text.parse().ok()).unwrap_or(2_000)
}

fn hook() -> impl Strategy<Value = Hook> {
    prop_oneof![
        3 => Just(Hook::Right),
        1 => Just(Hook::WrongAmount),
        1 => Just(Hook::WrongCurrency),
        2 => Just(Hook::Failed),
        1 => Just(Hook::Refunded),
    ]
}

/// A set, and one way to deliver it: each webhook one to five times, in a shuffled order.
fn delivery() -> impl Strategy<Value = (Vec<Hook>, Vec<usize>)> {
    prop::collection::vec(hook(), 1..6).prop_flat_map(|hooks| {
        let copies = prop::collection::vec(1usize..=5, hooks.len());
        (Just(hooks), copies).prop_flat_map(|(hooks, copies)| {
            let all: Vec<usize> =
                copies.iter().enumerate().flat_map(|(hook, count)| std::iter::repeat_n(hook, *count)).collect();
            (Just(hooks), Just(all).prop_shuffle())
        })
    })
}

fn money(minor: u64, currency: &str) -> Money {
    Money { minor, currency: Currency::parse(currency).expect("a currency") }
}

fn report(hooks: &[Hook], number: usize) -> PaymentReport {
    let hook = hooks.get(number).copied().expect("in range");
    let first_right = hooks.iter().position(|hook| *hook == Hook::Right).unwrap_or(number);
    let told = match hook {
        Hook::Right => Told::Captured(money(PRICE, "EUR")),
        Hook::WrongAmount => Told::Captured(money(PRICE - 1, "EUR")),
        Hook::WrongCurrency => Told::Captured(money(PRICE, "USD")),
        Hook::Failed => Told::Failed,
        Hook::Refunded => Told::Refunded(money(PRICE, "EUR")),
    };
    let about = if hook == Hook::Refunded { first_right } else { number };
    PaymentReport {
        provider: Provider::Generic,
        report: ProviderEventId::parse(&format!("evt-{number}")).expect("a report"),
        payment: PaymentId::parse(&format!("pay-{about}")).expect("a payment"),
        told,
    }
}

struct Shop {
    item: Item,
    events: Vec<Recorded>,
}

fn customer(name: &str) -> CustomerId {
    CustomerId::parse(name).expect("a customer")
}

impl Shop {
    /// An item with a hold of ann's until [`HOLD_MS`]; in line behind her, if wanted, bob.
    fn open(stock: u32, honour_late: bool, with_waiter: bool) -> Self {
        let payments = PaymentPolicy { honour_late, ..PaymentPolicy::default() };
        let hold_time = DurationMs::from_millis(HOLD_MS);
        let settings = Settings {
            name: ItemName::parse("thing").expect("a name"),
            unit_price: money(PRICE, "EUR"),
            policy: Policy { hold_time, payments, close_when_sold: false, ..Policy::default() },
            opens_at: Some(Timestamp::default()),
            closes_at: None,
        };
        let spec =
            ItemSpec { sku: Sku::parse("thing").expect("a sku"), total: Units::new(stock).expect("units"), settings };
        let event = Event::ItemCreated { spec: Box::new(spec), key: ItemKey::from_bytes([5; 32]) };
        let first = Recorded { seq: Seq(1), at: Timestamp::default(), idempotency: None, event };
        let item = Item::begin(ItemNo::from_u32(1), &first).expect("a first event");
        let mut shop = Self { item, events: vec![first] };
        shop.reserve("ann");
        if with_waiter {
            shop.reserve("bob");
        }
        shop
    }

    fn reserve(&mut self, name: &str) {
        let (quantity, waitlist) = (Quantity::ONE, WaitlistChoice::Join);
        self.ask(0, Command::Reserve { customer: customer(name), quantity, waitlist }).expect("accepted");
    }

    fn ask(&mut self, at: u64, command: Command) -> Option<Body> {
        let mut turn = Turn::begin(&mut self.item, Timestamp::from_millis(at));
        let answer = turn.judge(&Request::from(command)).outcome.ok();
        self.events.extend(turn.end().recorded);
        self.item.recount().unwrap_or_else(|broken| panic!("{broken}"));
        assert!(self.item.money().all(|(_, sums)| sums.add_up()), "invariant 27");
        answer.map(|answer| answer.body)
    }

    fn order(&mut self, at: u64) {
        let claim = Claim { reservation: Ordinal(0), customer: customer("ann") };
        self.ask(at, Command::PlaceOrder { claim, amount: None });
    }

    fn webhook(&mut self, at: u64, report: PaymentReport) -> PaymentVerdict {
        let command = Command::RecordPayment { reservation: Ordinal(0), report: Box::new(report) };
        match self.ask(at, command) {
            Some(Body::Payment(verdict)) => verdict,
            other => panic!("not a verdict: {other:?}"),
        }
    }

    /// Where every capture's money ended, without the identity of captures that are alike.
    fn state(&self) -> (Option<OrderState>, Vec<String>) {
        let order = self.item.order_view(Ordinal(0), self.item.now());
        let Body::Captures { page, .. } = self.item.captures(CaptureFilter::All, CaptureNo(0), 100) else {
            panic!("captures were asked for");
        };
        let mut places: Vec<String> = page
            .iter()
            .map(|view| {
                let place = match &view.record.place {
                    MoneyPlace::Parked { .. } => "parked".to_owned(),
                    MoneyPlace::Kept => "kept".to_owned(),
                    MoneyPlace::Due { reason, .. } => format!("due {}", why(*reason)),
                    MoneyPlace::Refunded { reason, .. } => format!("refunded {}", why(*reason)),
                };
                format!("{} {place}", view.record.capture.amount)
            })
            .collect();
        places.sort();
        (order.map(|order| order.summary.state), places)
    }

    /// Exactly one of: kept, or to go back. Never both, never neither; sold means one capture of the price.
    fn check_money(&self) {
        let Body::Captures { page, .. } = self.item.captures(CaptureFilter::All, CaptureNo(0), 100) else {
            panic!("captures were asked for");
        };
        let view = self.item.reservation_view(Ordinal(0), self.item.now()).expect("ann's");
        let paid: Vec<Money> =
            page.iter().filter(|view| view.record.paid_its_order()).map(|view| view.record.capture.amount).collect();
        let sold = view.state == StateView::Confirmed;
        assert_eq!(paid, if sold { vec![money(PRICE, "EUR")] } else { vec![] }, "one capture a sale");
        let parked = page.iter().any(|view| matches!(view.record.place, MoneyPlace::Parked { .. }));
        assert!(!parked, "nothing waits for an order that is placed or cannot come");
    }
}

/// A reason without the details that depend on the order of delivery.
fn why(reason: RefundReason) -> &'static str {
    match reason {
        RefundReason::WrongAmount { .. } => "wrong amount",
        RefundReason::SecondCapture => "second",
        RefundReason::Late(_) => "late",
        RefundReason::Unclaimed(_) => "unclaimed",
        RefundReason::OrderRefunded => "order refunded",
    }
}

/// With a second right payment it depends on their order which one is kept, and so what a refund of the first means:
/// then nothing is refunded.
fn comparable(hooks: Vec<Hook>) -> Vec<Hook> {
    let rights = hooks.iter().filter(|hook| **hook == Hook::Right).count();
    let instead = |hook| if hook == Hook::Refunded && rights > 1 { Hook::Failed } else { hook };
    hooks.into_iter().map(instead).collect()
}

/// Once the order is paid, wrong money is surplus first: which of the two reasons is told depends on the order.
fn neutral((order, places): (Option<OrderState>, Vec<String>)) -> (Option<OrderState>, Vec<String>) {
    let surplus = |place: String| place.replace("due wrong amount", "due").replace("due second", "due");
    let mut places: Vec<String> = places.into_iter().map(surplus).collect();
    places.sort();
    (order, places)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn webhooks_in_time_end_in_one_state_however_often_and_in_whatever_order_they_come(
        (hooks, order) in delivery(),
        ordered_after in 0usize..30,
    ) {
        let hooks = comparable(hooks);
        let mut plain = Shop::open(1, true, false);
        plain.order(1);
        for number in 0..hooks.len() {
            plain.webhook(2, report(&hooks, number));
        }
        let mut other = Shop::open(1, true, false);
        for (step, number) in order.iter().enumerate() {
            if step == ordered_after {
                other.order(1);
            }
            other.webhook(1, report(&hooks, *number));
        }
        other.order(2);
        plain.check_money();
        other.check_money();
        prop_assert_eq!(neutral(plain.state()), neutral(other.state()));
    }

    #[test]
    fn to_the_millisecond_money_is_in_time_or_late_and_late_money_is_honoured_or_goes_back(
        (hooks, order) in delivery(),
        offset in -2i64..=2,
        honour_late in any::<bool>(),
        with_waiter in any::<bool>(),
        spare in any::<bool>(),
        ordered in prop::bool::weighted(0.8),
    ) {
        let at = HOLD_MS.checked_add_signed(offset).expect("small");
        let mut shop = Shop::open(if spare { 2 } else { 1 }, honour_late, with_waiter);
        if ordered {
            shop.order(1);
        }
        let mut sold = 0;
        for number in order {
            match shop.webhook(at, report(&hooks, number)) {
                PaymentVerdict::Applied => {
                    sold += 1;
                    prop_assert!(offset < 0 && ordered, "applied at {at}");
                }
                PaymentVerdict::Honoured => {
                    sold += 1;
                    prop_assert!(offset >= 0 && honour_late && (spare || !with_waiter), "honoured at {at}");
                }
                PaymentVerdict::Stored => prop_assert!(offset < 0 && !ordered, "stored at {at}"),
                PaymentVerdict::RefundDue(_)
                | PaymentVerdict::Noted
                | PaymentVerdict::Disputed
                | PaymentVerdict::Duplicate => {}
            }
        }
        prop_assert!(sold <= 1, "sold once");
        let wanted = hooks.contains(&Hook::Right);
        let may = if offset < 0 { ordered } else { honour_late && (spare || !with_waiter) };
        prop_assert_eq!(sold == 1, wanted && may);
        // Whatever still waits for an order that does not come goes back when the hold ends.
        shop.ask(2 * HOLD_MS, Command::PauseSale);
        shop.check_money();
    }
}
