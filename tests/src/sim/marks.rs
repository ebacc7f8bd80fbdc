//! How often what is rare was reached. A simulation that never gets anywhere finds nothing either.

use domain::event::{Event, LapseReason};
use domain::payment::{PaymentEvent, RefundReason};
use domain::rejection::Rejection;
use std::collections::BTreeMap;

/// Counts by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(BTreeMap<&'static str, u64>);

impl Marks {
    /// It was reached once more.
    pub fn hit(&mut self, name: &'static str) {
        *self.0.entry(name).or_default() += 1;
    }

    /// How often it was reached.
    #[must_use]
    pub fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Adds those of another seed.
    pub fn add(&mut self, other: &Self) {
        for (name, count) in &other.0 {
            *self.0.entry(name).or_default() += count;
        }
    }

    /// Every name with its count.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(&name, &count)| (name, count))
    }

    /// Those of [`RARE`] that were not reached even once in so many seeds.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        RARE.iter().copied().filter(|name| self.of(name) == 0).collect()
    }
}

/// What a few hundred seeds must reach.
pub const RARE: [&str; 48] = [
    "crash: idle",
    "crash: while appending",
    "crash: again during recovery",
    "crash: torn tail cut",
    "disk: failed, process stops",
    "disk: sync of ten seconds",
    "disk: a flipped bit noticed",
    "log: taken over, process stops",
    "log: outcome unknown, sent again",
    "snapshot: used",
    "panic: item rebuilt",
    "item: a backlog leaves time to others",
    "door: mailbox full",
    "door: late, dropped",
    "door: process down",
    "door: newcomer refused",
    "client: gave up",
    "client: told again under its key",
    "client: key with other content",
    "event: held at once",
    "event: joined the waitlist",
    "event: promoted",
    "event: lapsed, sale closed",
    "event: lapsed, can never be served",
    "event: purchase",
    "event: cancelled",
    "event: extended",
    "event: ordered",
    "event: expired",
    "event: clock resumed",
    "event: part held",
    "event: part settled",
    "event: stock adjusted",
    "event: settings revised",
    "money: parked",
    "money: captured",
    "money: late and honoured",
    "money: late, refund due",
    "money: wrong amount",
    "money: second capture",
    "money: unclaimed",
    "money: disputed",
    "money: failed",
    "money: refunded by an operator",
    "money: refund settled",
    "money: refund reported",
    "refused: waitlist full",
    "refused: customer limit",
];

/// The name under which an event counts.
#[must_use]
pub(super) const fn of_event(event: &Event) -> &'static str {
    match event {
        Event::ItemCreated { .. } => "event: item created",
        Event::ItemRevised { .. } => "event: settings revised",
        Event::SaleOpened { .. } => "event: sale opened",
        Event::SalePaused => "event: sale paused",
        Event::SaleResumed => "event: sale resumed",
        Event::SaleClosed { lapsed: 0, .. } => "event: sale closed",
        Event::SaleClosed { .. } => "event: lapsed, sale closed",
        Event::StockAdjusted { .. } => "event: stock adjusted",
        Event::HoldPlaced { .. } => "event: held at once",
        Event::WaitlistJoined { .. } => "event: joined the waitlist",
        Event::PurchaseConfirmed { .. } => "event: purchase",
        Event::ReservationCancelled { .. } => "event: cancelled",
        Event::HoldExtended { .. } => "event: extended",
        Event::OrderPlaced { .. } => "event: ordered",
        Event::Payment { event, .. } => of_payment(event),
        Event::PartHeld { .. } => "event: part held",
        Event::PartSettled { .. } => "event: part settled",
        Event::HoldExpired { .. } => "event: expired",
        Event::HoldPromoted { .. } => "event: promoted",
        Event::WaitlistLapsed { reason: LapseReason::SaleClosed, .. } => "event: lapsed, sale closed",
        Event::WaitlistLapsed { reason: LapseReason::CanNeverBeServed, .. } => "event: lapsed, can never be served",
        Event::ClockResumed { .. } => "event: clock resumed",
    }
}

const fn of_payment(event: &PaymentEvent) -> &'static str {
    match event {
        PaymentEvent::Offered { .. } => "money: offered",
        PaymentEvent::Failed { .. } => "money: failed",
        PaymentEvent::Parked { .. } => "money: parked",
        PaymentEvent::Captured { .. } => "money: captured",
        PaymentEvent::LateHonoured { .. } => "money: late and honoured",
        PaymentEvent::RefundDue { reason, .. } => match reason {
            RefundReason::WrongAmount { .. } => "money: wrong amount",
            RefundReason::SecondCapture => "money: second capture",
            RefundReason::Late(_) => "money: late, refund due",
            RefundReason::Unclaimed(_) => "money: unclaimed",
            RefundReason::OrderRefunded => "money: refunded by an operator",
        },
        PaymentEvent::Unclaimed { .. } => "money: unclaimed",
        PaymentEvent::Noted { .. } => "money: noted",
        PaymentEvent::Disputed { .. } => "money: disputed",
        PaymentEvent::RefundReported { .. } => "money: refund reported",
        PaymentEvent::OrderRefunded { .. } => "money: refunded by an operator",
        PaymentEvent::RefundSettled { .. } => "money: refund settled",
    }
}

/// The name under which a refusal counts.
#[must_use]
pub(super) const fn of_rejection(rejection: &Rejection) -> &'static str {
    match rejection {
        Rejection::WaitlistFull { .. } => "refused: waitlist full",
        Rejection::CustomerLimitReached { .. } => "refused: customer limit",
        Rejection::CoolingOff { .. } => "refused: cooling off",
        Rejection::SoldOut | Rejection::InsufficientStock { .. } => "refused: no stock",
        Rejection::HoldExpired { .. } => "refused: hold expired",
        _ => "refused: otherwise",
    }
}
