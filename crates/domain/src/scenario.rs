//! Table tests: a sale told line by line, run through real turns, checked after each.
//!
//! `check` judges every line's answer and everything that followed from it, recounts the item, folds its events
//! again from the first, and takes it apart and together as a snapshot does; all three must agree.

use crate::command::{Claim, Command, Request, WaitlistChoice};
use crate::event::{Event, PartDecision, Recorded};
use crate::identity::{BundleId, ItemKey};
use crate::ids::{CaptureNo, ItemNo, Ordinal, PartitionNo, Seq};
use crate::item::{Item, Phase};
use crate::money::{Currency, Money};
use crate::payment::{
    ClientData, MoneyPlace, Offer, PaymentEvent, PaymentReport, Provider, RefundedBy, SettledBy, Told,
};
use crate::policy::{ItemSpec, Policy, Settings};
use crate::rejection::Rejection;
use crate::text::{CustomerId, ItemName, PaymentId, ProviderEventId, Reason, RefundReference, Sku};
use crate::time::{DurationMs, Timestamp};
use crate::turn::{Query, Turn};
use crate::units::{Quantity, StockChange, Units};
use crate::views::{Body, Judgement, OrderState, PaymentVerdict, StateView};
use std::collections::HashMap;

/// Runs a sale and panics at the first line that is not as told.
pub(crate) fn check(sale: &str) {
    drop(events_of(sale));
}

/// The item that a sale's first line tells of.
pub(crate) fn item_of(line: &str) -> Item {
    Shop::new(line).item
}

/// The events of a sale that goes as told.
pub(crate) fn events_of(sale: &str) -> Vec<Recorded> {
    let mut lines = sale.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().expect("a sale begins with its item");
    let mut shop = Shop::new(first);
    for line in lines {
        if let Some(expected) = line.strip_prefix("stock ") {
            assert_eq!(shop.stock(), expected.trim(), "in line: {line}");
        } else {
            shop.step(line);
        }
        shop.verify(line);
    }
    shop.events
}

struct Shop {
    item: Item,
    events: Vec<Recorded>,
    names: HashMap<String, Ordinal>,
}

fn value<'l>(words: &[&'l str], name: &str) -> Option<&'l str> {
    words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

fn number<T: std::str::FromStr>(words: &[&str], name: &str) -> Option<T>
where
    T::Err: std::fmt::Debug,
{
    value(words, name).map(|text| text.parse().expect(name))
}

fn usd(minor: u64) -> Money {
    Money { minor, currency: Currency::parse("USD").expect("a currency") }
}

fn policy(words: &[&str]) -> Policy {
    let mut policy = Policy::default();
    if let Some(max) = number(words, "per_order") {
        policy.per_order_max = Quantity::new(max).expect("per_order");
        policy.per_customer_limit = policy.per_order_max;
    }
    if let Some(limit) = number(words, "limit") {
        policy.per_customer_limit = Quantity::new(limit).expect("limit");
    }
    policy.hold_time = number(words, "hold_ms").map_or(policy.hold_time, DurationMs::from_millis);
    policy.grace = number(words, "grace").map_or(policy.grace, DurationMs::from_millis);
    match value(words, "waitlist") {
        Some("off") => policy.waitlist.enabled = false,
        Some(capacity) => policy.waitlist.capacity = capacity.parse().expect("waitlist"),
        None => {}
    }
    if let Some((times, by)) = value(words, "extend").and_then(|text| text.split_once('x')) {
        policy.extension.times = times.parse().expect("extend");
        policy.extension.by = DurationMs::from_millis(by.parse().expect("extend"));
    }
    if let Some((count, lasts)) = value(words, "cool_off").and_then(|text| text.split_once('x')) {
        policy.cool_off.after_expiries = count.parse().expect("cool_off");
        policy.cool_off.lasts = DurationMs::from_millis(lasts.parse().expect("cool_off"));
    }
    policy.close_when_sold = !words.contains(&"keep_open");
    policy.payments.honour_late = !words.contains(&"no_late");
    policy.payments.parked_window =
        number(words, "parked").map_or(policy.payments.parked_window, DurationMs::from_millis);
    policy
}

impl Shop {
    fn new(line: &str) -> Self {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words.first(), Some(&"item"), "a sale begins with its item");
        let settings = Settings {
            name: ItemName::parse("thing").expect("a name"),
            unit_price: usd(number(&words, "price").unwrap_or(100)),
            policy: policy(&words),
            opens_at: number(&words, "opens").map(Timestamp::from_millis),
            closes_at: number(&words, "closes").map(Timestamp::from_millis),
        };
        settings.validate().expect("valid settings");
        let total = Units::new(number(&words, "stock").expect("stock=")).expect("stock");
        let spec = Box::new(ItemSpec { sku: Sku::parse("thing").expect("a sku"), total, settings });
        let event = Event::ItemCreated { spec, key: ItemKey::from_bytes([7; 32]) };
        let created = Recorded { seq: Seq(1), at: Timestamp::default(), idempotency: None, event };
        let item = Item::begin(ItemNo::from_u32(1), &created).expect("a first event");
        let mut shop = Self { item, events: vec![created], names: HashMap::new() };
        if !words.contains(&"scheduled") {
            shop.run(0, &Ask::Command(Command::OpenSale));
        }
        shop
    }

    fn run(&mut self, at: u64, ask: &Ask) -> (Option<Judgement>, Vec<Recorded>) {
        let mut turn = Turn::begin(&mut self.item, Timestamp::from_millis(at));
        let judged = match ask {
            Ask::Command(command) => Some(turn.judge(&Request::from(command.clone()))),
            Ask::Read(query) => Some(turn.read(query)),
            Ask::Nothing => None,
        };
        let end = turn.end();
        assert!(!end.backlog, "a table is too small for a backlog");
        self.events.extend(end.recorded.iter().cloned());
        (judged, end.recorded)
    }

    fn step(&mut self, line: &str) {
        let (asked, expected) = line.split_once("->").expect("a line says what comes of it");
        let words: Vec<&str> = asked.split_whitespace().collect();
        let at = number(&words, "t").expect("a line begins with t=");
        let verb = words.get(1).expect("a verb").trim_end_matches('!');
        if matches!(verb, "reserve" | "purchase" | "part") && !asked.contains('!') {
            let name = (*words.get(2).expect("a name")).to_owned();
            self.names.entry(name).or_insert(Ordinal(self.item.reservation_count()));
        }
        let refused_reserve = asked.contains('!') && matches!(verb, "reserve" | "purchase" | "part");
        let arguments = words.get(if refused_reserve { 2 } else { 3 }..).unwrap_or_default();
        let ask = self.ask(verb, &words, arguments);
        let (judged, recorded) = self.run(at, &ask);
        let mut told: Vec<String> = judged.as_ref().map(tell).into_iter().collect();
        // The first event that answers the command is told by its answer, the others by themselves.
        let own = own_event(&ask);
        told.extend(recorded.iter().filter(|found| !own(&found.event)).map(|found| self.tell_event(&found.event)));
        let told = if told.is_empty() { "nothing".to_owned() } else { told.join(", ") };
        assert_eq!(told, expected.trim(), "in line: {line}");
    }

    fn ask(&self, verb: &str, words: &[&str], arguments: &[&str]) -> Ask {
        let customer = || CustomerId::parse(arguments.first().expect("a customer")).expect("a customer");
        let claim = || Claim { reservation: self.named(words), customer: customer() };
        let quantity = || Quantity::new(arguments.get(1).expect("a quantity").parse().expect("a number")).expect("one");
        let payment = |at: usize| PaymentId::parse(arguments.get(at).expect("a payment")).expect("a payment");
        let amount = number(words, "amount").map(usd);
        Ask::Command(match verb {
            "tick" => return Ask::Nothing,
            "read" => {
                let reservation = self.named(words);
                let view = self.item.reservation_view(reservation, self.item.now()).expect("a reservation");
                return Ask::Read(Query::Reservation(Claim { reservation, customer: view.customer }));
            }
            "open" => Command::OpenSale,
            "pause" => Command::PauseSale,
            "resume" => Command::ResumeSale,
            "close" => Command::CloseSale,
            "stock" => {
                let change = words.get(2).expect("a change").parse().expect("a number");
                let reason = Reason::parse("because").expect("a reason");
                Command::AdjustStock { change: StockChange::new(change).expect("a change"), reason }
            }
            "reserve" => {
                let waitlist = if words.contains(&"decline") { WaitlistChoice::Decline } else { WaitlistChoice::Join };
                Command::Reserve { customer: customer(), quantity: quantity(), waitlist }
            }
            "purchase" => {
                Command::Purchase { customer: customer(), quantity: quantity(), payment: Some(payment(2)), amount }
            }
            "cancel" => Command::CancelReservation(claim()),
            "extend" => Command::ExtendHold(claim()),
            "order" => Command::PlaceOrder { claim: claim(), amount },
            "confirm" => Command::ConfirmOrder { claim: claim(), payment: payment(1), amount },
            "report" | "failed" | "refunded" => self.report(verb, words, arguments),
            "refund" => Command::RefundOrder {
                reservation: self.named(words),
                return_units: words.contains(&"return"),
                reason: Reason::parse("because").expect("a reason"),
            },
            "done" => {
                let reference = RefundReference::parse("re-1").expect("a reference");
                let capture = CaptureNo(words.get(2).expect("a capture").parse().expect("a number"));
                Command::SettleRefund { capture, by: SettledBy::Provider { reference } }
            }
            "offer" => {
                let offer = Offer { provider: Provider::Simulated, payment: payment(0), client: ClientData::default() };
                Command::OfferPayment { reservation: self.named(words), offer: Box::new(offer) }
            }
            "part" => {
                let customer = CustomerId::parse(arguments.get(1).expect("a customer")).expect("a customer");
                let quantity = arguments.get(2).expect("a quantity").parse().expect("a number");
                let quantity = Quantity::new(quantity).expect("a quantity");
                Command::HoldPart { bundle: bundle(arguments.first().expect("a bundle")), customer, quantity }
            }
            "settle" => Command::SettlePart {
                bundle: bundle(arguments.first().expect("a bundle")),
                decision: match arguments.get(1) {
                    Some(&"sold") => PartDecision::Sold,
                    Some(&"expired") => PartDecision::Expired,
                    Some(&"cancelled") => PartDecision::Cancelled,
                    Some(&"abandoned") => PartDecision::Abandoned,
                    Some(&"returned") => PartDecision::Returned,
                    other => panic!("no such decision: {other:?}"),
                },
            },
            other => panic!("no such verb: {other}"),
        })
    }

    /// `report r1 event payment amount [currency]`, by the simulated provider.
    fn report(&self, verb: &str, words: &[&str], arguments: &[&str]) -> Command {
        let text = |at: usize| *arguments.get(at).expect("an argument");
        let currency = Currency::parse(arguments.get(3).copied().unwrap_or("USD")).expect("a currency");
        let amount = || Money { minor: text(2).parse().expect("an amount"), currency };
        let told = match verb {
            "report" => Told::Captured(amount()),
            "refunded" => Told::Refunded(amount()),
            _ => Told::Failed,
        };
        let report = PaymentReport {
            provider: Provider::Simulated,
            report: ProviderEventId::parse(text(0)).expect("a report"),
            payment: PaymentId::parse(text(1)).expect("a payment"),
            told,
        };
        Command::RecordPayment { reservation: self.named(words), report: Box::new(report) }
    }

    fn named(&self, words: &[&str]) -> Ordinal {
        *self.names.get(*words.get(2).expect("a name")).expect("a name that was reserved")
    }

    fn name_of(&self, ordinal: Ordinal) -> &str {
        self.names.iter().find(|(_, named)| **named == ordinal).map_or("?", |(name, _)| name)
    }

    fn tell_event(&self, event: &Event) -> String {
        match event {
            Event::HoldExpired { reservation, .. } => format!("{} expired", self.name_of(*reservation)),
            Event::HoldPromoted { reservation, deadline, .. } => {
                format!("{} held until {}", self.name_of(*reservation), deadline.as_millis())
            }
            Event::WaitlistLapsed { reservation, .. } => format!("{} lapsed", self.name_of(*reservation)),
            Event::Payment { reservation, event } => match &**event {
                PaymentEvent::Captured { .. } => format!("{} paid", self.name_of(*reservation)),
                PaymentEvent::RefundDue { .. } | PaymentEvent::Unclaimed { .. } => {
                    format!("{} refund due", self.name_of(*reservation))
                }
                PaymentEvent::OrderRefunded { .. } => {
                    format!("{} refunded by its provider", self.name_of(*reservation))
                }
                PaymentEvent::RefundSettled { .. } => format!("{} settled", self.name_of(*reservation)),
                other => panic!("not a consequence: {other:?}"),
            },
            Event::SaleOpened { .. } => "opened".to_owned(),
            Event::SaleClosed { .. } => "closed".to_owned(),
            other => panic!("not a consequence: {other:?}"),
        }
    }

    fn stock(&self) -> String {
        let stock = self.item.stock();
        format!("available={} held={} sold={}", stock.available(), stock.held(), stock.sold())
    }

    fn verify(&self, line: &str) {
        self.item.recount().unwrap_or_else(|broken| panic!("{broken}, after: {line}"));
        let (first, rest) = self.events.split_first().expect("events");
        let mut folded = Item::begin(self.item.no(), first).expect("a first event");
        rest.iter().for_each(|event| folded.apply(event));
        assert_eq!(folded.to_parts(), self.item.to_parts(), "the fold differs after: {line}");
        let restored = Item::from_parts(folded.to_parts()).expect("a snapshot that agrees with itself");
        assert_eq!(restored.to_parts(), self.item.to_parts(), "the snapshot differs after: {line}");
    }
}

enum Ask {
    Command(Command),
    Read(Query),
    Nothing,
}

/// Whether a payment event is what a command was answered with, as against what followed from it.
fn is_answer(event: &PaymentEvent) -> bool {
    !matches!(
        event,
        PaymentEvent::Unclaimed { .. }
            | PaymentEvent::OrderRefunded { by: RefundedBy::Provider, .. }
            | PaymentEvent::RefundSettled { by: SettledBy::Report, .. }
    )
}

fn own_event(ask: &Ask) -> impl Fn(&Event) -> bool {
    let by_operator = matches!(ask, Ask::Command(Command::OpenSale | Command::CloseSale));
    move |event| match event {
        Event::SaleOpened { .. } | Event::SaleClosed { .. } => by_operator,
        Event::HoldExpired { .. } | Event::HoldPromoted { .. } | Event::WaitlistLapsed { .. } => false,
        Event::Payment { event, .. } => is_answer(event),
        _ => true,
    }
}

fn bundle(name: &str) -> BundleId {
    let number = name.trim_start_matches('b').parse().expect("b and a number");
    BundleId::new(PartitionNo(0), number)
}

fn tell(judgement: &Judgement) -> String {
    match &judgement.outcome {
        Ok(answer) => tell_body(&answer.body),
        Err(rejection) => tell_rejection(rejection),
    }
}

fn tell_body(body: &Body) -> String {
    match body {
        Body::Reservation(view) => match view.state {
            StateView::Waiting { position, .. } => format!("waiting {position}"),
            StateView::Held { expires_at } => format!("held until {}", expires_at.as_millis()),
            StateView::HeldInBundle => "held in bundle".to_owned(),
            StateView::Confirmed => "confirmed".to_owned(),
            StateView::Cancelled => "cancelled".to_owned(),
            StateView::Expired => "expired".to_owned(),
            StateView::Lapsed(_) => "lapsed".to_owned(),
        },
        Body::Order(view) if !view.refunds.is_empty() && view.summary.state == OrderState::Paid => {
            "paid, refund due".to_owned()
        }
        Body::Order(view) => match view.summary.state {
            OrderState::AwaitingPayment { expires_at } => format!("ordered until {}", expires_at.as_millis()),
            OrderState::Paid => "paid".to_owned(),
            OrderState::Cancelled => "order cancelled".to_owned(),
            OrderState::Expired => "order expired".to_owned(),
            OrderState::RefundDue => "order refund due".to_owned(),
            OrderState::Refunded => "order refunded".to_owned(),
        },
        Body::Payment(verdict) => match verdict {
            PaymentVerdict::Applied => "applied".to_owned(),
            PaymentVerdict::Honoured => "honoured".to_owned(),
            PaymentVerdict::Stored => "stored".to_owned(),
            PaymentVerdict::RefundDue(_) => "refund_due".to_owned(),
            PaymentVerdict::Noted => "noted".to_owned(),
            PaymentVerdict::Disputed => "disputed".to_owned(),
            PaymentVerdict::Duplicate => "duplicate".to_owned(),
        },
        Body::Refund(view) => match view.record.place {
            MoneyPlace::Refunded { .. } => "refunded".to_owned(),
            _ => "not refunded".to_owned(),
        },
        Body::Bundle(_) | Body::BundleOrder(_) | Body::Unmatched { .. } | Body::Endpoints(_) => {
            "of a partition".to_owned()
        }
        Body::Captures { page, .. } => format!("{} captures", page.len()),
        Body::Item(view) => view.status.phase.to_string(),
        Body::Reservations { page, .. } => format!("{} reservations", page.len()),
    }
}

fn tell_rejection(rejection: &Rejection) -> String {
    match rejection {
        Rejection::NotFound => "not_found".to_owned(),
        Rejection::SaleNotStarted { .. } => "sale_not_started".to_owned(),
        Rejection::SalePaused => "sale_paused".to_owned(),
        Rejection::SaleClosed => "sale_closed".to_owned(),
        Rejection::QuantityAboveMaximum { max } => format!("quantity_above_maximum {}", max.get()),
        Rejection::CustomerLimitReached { existing, .. } => format!("customer_limit_reached existing={existing}"),
        Rejection::CoolingOff { until } => format!("cooling_off until {}", until.as_millis()),
        Rejection::SoldOut => "sold_out".to_owned(),
        Rejection::InsufficientStock { available, is_final: false } => format!("insufficient_stock {available}"),
        Rejection::InsufficientStock { available, is_final: true } => {
            format!("insufficient_stock {available} for good")
        }
        Rejection::WaitlistFull { capacity } => format!("waitlist_full {capacity}"),
        Rejection::HoldExpired { ended } => format!("hold_expired {ended:?}"),
        Rejection::StillWaiting => "still_waiting".to_owned(),
        Rejection::HoldAlreadyUsed => "hold_already_used".to_owned(),
        Rejection::NotCancellable { .. } => "not_cancellable".to_owned(),
        Rejection::ExtensionRefused { .. } => "extension_refused".to_owned(),
        Rejection::AmountMismatch { expected } => format!("amount_mismatch {}", expected.minor),
        Rejection::PaymentAlreadyUsed => "payment_already_used".to_owned(),
        Rejection::PartOfBundle { .. } => "part_of_bundle".to_owned(),
        Rejection::NotRefundable { reason } => format!("not_refundable {reason:?}"),
        Rejection::PhaseConflict { .. } => "phase_conflict".to_owned(),
        Rejection::SettingFrozen { field, .. } => format!("frozen {field}"),
        Rejection::StockInUse { available } => format!("stock_in_use {available}"),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_new_item_is_scheduled_until_somebody_opens_it() {
    let shop = Shop::new("item stock=3 scheduled");
    assert_eq!(shop.item.phase(), Phase::Scheduled);
    assert_eq!(shop.stock(), "available=3 held=0 sold=0");
}
