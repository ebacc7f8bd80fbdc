//! One item, recounted from its events alone.
//!
//! This shares the events with the engine and no rule: it keeps books of its own and says where the log contradicts
//! what was promised. It never stops at a contradiction; the books go on with what the event says.

use super::check::{Findings, Promise};
use super::money::{MoneyBooks, Purse};
use domain::event::{Event, PartDecision, Recorded};
use domain::identity::ItemKey;
use domain::money::Money;
use domain::payment::Capture;
use domain::policy::ItemSpec;
use std::collections::{BTreeSet, HashMap};

/// The books of one item.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    /// Its public name.
    pub(crate) sku: String,
    /// Its secret: whether an id is genuine.
    pub(crate) key: ItemKey,
    /// What was found.
    pub(crate) findings: Findings,
    /// Sums.
    pub(crate) books: Books,
    price: Money,
    limit: i64,
    is_open: bool,
    seq: u64,
    at: u64,
    entries: Vec<Entry>,
    line: BTreeSet<u32>,
    customers: HashMap<String, i64>,
    parts: BTreeSet<u32>,
    pub(super) purse: Purse,
}

/// Sums over an item's whole life, in units where nothing else is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Books {
    /// All units.
    pub(crate) total: i64,
    /// Granted, ever.
    pub(crate) granted: i64,
    /// Released, ever.
    pub(crate) released: i64,
    /// Sold.
    pub(crate) sold: i64,
    /// The most that were held and sold at once.
    pub(crate) peak: i64,
    /// Reservations that began in line.
    pub(crate) waited: u64,
    /// Promotions.
    pub(crate) promoted: u64,
    /// Holds that expired.
    pub(crate) expired: u64,
    /// Reservations cancelled.
    pub(crate) cancelled: u64,
    /// Waiters who never got a turn.
    pub(crate) lapsed: u64,
    /// Money.
    pub(crate) money: MoneyBooks,
}

impl Books {
    /// Units held now.
    pub(crate) const fn held(&self) -> i64 {
        self.granted - self.released - self.sold
    }
}

/// One reservation.
#[derive(Clone, Debug)]
struct Entry {
    customer: String,
    quantity: i64,
    life: Life,
    ordered: Option<Money>,
}

/// Where a reservation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// In line.
    Waiting,
    /// Units are set aside until then, in milliseconds.
    Held {
        /// The earliest release.
        until: u64,
    },
    /// Sold.
    Sold,
    /// Cancelled.
    Cancelled,
    /// Expired.
    Expired,
    /// Never got a turn.
    Lapsed,
    /// Sold, and its units returned by a refund.
    Returned,
}

impl Ledger {
    /// The books of an item that was created like this.
    pub(crate) fn new(spec: &ItemSpec, key: ItemKey) -> Self {
        Self {
            sku: spec.sku.as_str().to_owned(),
            key,
            findings: Findings::default(),
            books: Books { total: i64::from(spec.total.get()), ..Books::default() },
            price: spec.settings.unit_price,
            limit: i64::from(spec.settings.policy.per_customer_limit.get()),
            is_open: false,
            seq: 0,
            at: 0,
            entries: Vec::new(),
            line: BTreeSet::new(),
            customers: HashMap::new(),
            parts: BTreeSet::new(),
            purse: Purse::default(),
        }
    }

    /// Where reservation number `ordinal` is.
    pub(crate) fn life(&self, ordinal: u32) -> Option<Life> {
        self.entries.get(ordinal as usize).map(|entry| entry.life)
    }

    /// Enters the next event.
    pub(crate) fn enter(&mut self, recorded: &Recorded) {
        let (seq, at) = (recorded.seq.0, recorded.at.as_millis());
        let (seq_before, at_before) = (self.seq, self.at);
        self.check(Promise::Contiguous, seq == seq_before + 1 && at >= at_before, || {
            format!("event {seq} at {at} ms follows event {seq_before} at {at_before} ms")
        });
        (self.seq, self.at) = (seq, at);
        self.book(&recorded.event);
        let Books { total, sold, .. } = self.books;
        let held = self.books.held();
        self.books.peak = self.books.peak.max(held + sold);
        self.check(Promise::NeverOversold, held >= 0 && held + sold <= total, || {
            format!("after event {seq}: {held} held and {sold} sold of {total}")
        });
    }

    /// What can be said only once everything is entered.
    pub(crate) fn close(&mut self) {
        self.close_money();
        let held: i64 =
            self.entries.iter().filter(|one| matches!(one.life, Life::Held { .. })).map(|one| one.quantity).sum();
        let counted = self.books.held();
        self.check(Promise::Lives, held == counted, || {
            format!("granted − released − sold is {counted}, and the holds that are left sum up to {held}")
        });
    }

    pub(super) fn check(&mut self, promise: Promise, kept: bool, words: impl FnOnce() -> String) {
        self.findings.check(promise, kept, words);
    }

    fn book(&mut self, event: &Event) {
        match event {
            Event::ItemCreated { .. } => self.check(Promise::Lives, self.seq == 1, || "created twice".to_owned()),
            Event::ItemRevised { settings } => {
                let fixed = settings.unit_price == self.price || self.entries.is_empty();
                self.check(Promise::Money, fixed, || "the price changed after the first reservation".to_owned());
                self.price = settings.unit_price;
                self.limit = i64::from(settings.policy.per_customer_limit.get());
            }
            Event::SaleOpened { .. } | Event::SaleResumed => self.is_open = true,
            Event::SalePaused => self.is_open = false,
            Event::SaleClosed { lapsed, .. } => self.close_sale(*lapsed),
            Event::StockAdjusted { change, total, .. } => {
                self.books.total += i64::from(change.get());
                let (counted, said) = (self.books.total, i64::from(total.get()));
                self.check(Promise::NeverOversold, counted == said, || {
                    format!("a total of {said} should be {counted}")
                });
            }
            Event::HoldPlaced { reservation, customer, quantity, deadline, .. } => {
                self.nobody_waits(reservation.0);
                self.begin(reservation.0, customer.as_str(), quantity.get(), Life::Waiting);
                self.grant(reservation.0, deadline.as_millis());
            }
            Event::WaitlistJoined { reservation, customer, quantity, position, .. } => {
                self.begin(reservation.0, customer.as_str(), quantity.get(), Life::Waiting);
                self.line.insert(reservation.0);
                self.books.waited += 1;
                let place = self.line.len();
                self.check(Promise::Fifo, place == *position as usize, || {
                    format!("reservation {} joined at place {place} and was told {position}", reservation.0)
                });
            }
            Event::PurchaseConfirmed { reservation, customer, quantity, capture, .. } => {
                self.nobody_waits(reservation.0);
                self.begin(reservation.0, customer.as_str(), quantity.get(), Life::Waiting);
                self.grant(reservation.0, u64::MAX);
                self.take_paid(reservation.0, capture);
                self.sell(reservation.0, capture.amount);
            }
            Event::ReservationCancelled { reservation, released } => {
                self.books.cancelled += 1;
                self.end(reservation.0, Life::Cancelled, i64::from(released.get()));
            }
            Event::HoldExtended { reservation, deadline } => self.extend(reservation.0, deadline.as_millis()),
            Event::OrderPlaced { reservation, amount, release_at, .. } => {
                self.order(reservation.0, *amount, release_at.as_millis());
            }
            Event::Payment { reservation, event } => self.pay(reservation.0, event),
            Event::PartHeld { reservation, customer, quantity, .. } => {
                self.nobody_waits(reservation.0);
                self.begin(reservation.0, customer.as_str(), quantity.get(), Life::Waiting);
                self.parts.insert(reservation.0);
                self.grant(reservation.0, u64::MAX);
            }
            Event::PartSettled { reservation, decision, released, .. } => {
                self.settle_part(reservation.0, *decision, i64::from(released.get()));
            }
            Event::HoldExpired { reservation, released, .. } => {
                self.books.expired += 1;
                self.end(reservation.0, Life::Expired, i64::from(released.get()));
            }
            Event::HoldPromoted { reservation, deadline, .. } => {
                let (head, number) = (self.line.first().copied(), reservation.0);
                self.check(Promise::Fifo, head == Some(number), || {
                    format!("reservation {number} was promoted while {head:?} was at the head of the line")
                });
                self.books.promoted += 1;
                self.grant(number, deadline.as_millis());
            }
            Event::WaitlistLapsed { reservation, .. } => {
                self.books.lapsed += 1;
                self.end(reservation.0, Life::Lapsed, 0);
            }
            Event::ClockResumed { release_floor, .. } => {
                for entry in &mut self.entries {
                    if let Life::Held { until } = &mut entry.life {
                        *until = (*until).max(release_floor.as_millis());
                    }
                }
            }
        }
    }

    fn nobody_waits(&mut self, number: u32) {
        let waiting = self.line.len();
        self.check(Promise::Fifo, waiting == 0, || {
            format!("newcomer {number} was granted units while {waiting} were waiting")
        });
    }

    fn begin(&mut self, number: u32, customer: &str, quantity: u32, life: Life) {
        let (next, is_open, quantity) = (self.entries.len(), self.is_open, i64::from(quantity));
        self.check(Promise::Lives, next == number as usize && is_open, || {
            format!("reservation {number} began as number {next}, with the sale open: {is_open}")
        });
        self.entries.push(Entry { customer: customer.to_owned(), quantity, life, ordered: None });
        let theirs = self.customers.entry(customer.to_owned()).or_default();
        *theirs += quantity;
        let (theirs, limit) = (*theirs, self.limit);
        self.check(Promise::CustomerLimit, theirs <= limit, || {
            format!("with reservation {number} customer {customer} has {theirs}, and the limit is {limit}")
        });
    }

    /// Moves a reservation on, if it is where it has to be; otherwise says so and moves it all the same.
    fn turn(&mut self, number: u32, to: Life, from: impl Fn(Life) -> bool) -> Entry {
        let found = self.entries.get_mut(number as usize);
        let before = found.as_ref().map(|entry| entry.life);
        let entry = match found {
            Some(entry) => {
                entry.life = to;
                entry.clone()
            }
            None => Entry { customer: String::new(), quantity: 0, life: to, ordered: None },
        };
        self.line.remove(&number);
        self.check(Promise::Lives, before.is_some_and(from), || {
            format!("reservation {number} became {to:?} and was {before:?}")
        });
        entry
    }

    fn grant(&mut self, number: u32, until: u64) {
        let entry = self.turn(number, Life::Held { until }, |life| life == Life::Waiting);
        self.books.granted += entry.quantity;
    }

    fn extend(&mut self, number: u32, until: u64) {
        let before = self.life(number);
        self.turn(number, Life::Held { until }, |life| matches!(life, Life::Held { .. }));
        self.check(Promise::HoldTime, matches!(before, Some(Life::Held { until: before }) if before <= until), || {
            format!("reservation {number} was extended to {until} from {before:?}")
        });
    }

    fn order(&mut self, number: u32, amount: Money, until: u64) {
        let entry = self.turn(number, Life::Held { until }, |life| matches!(life, Life::Held { .. }));
        let due = i128::from(self.price.minor) * i128::from(entry.quantity);
        let fresh = entry.ordered.is_none();
        let right = i128::from(amount.minor) == due && amount.currency == self.price.currency;
        self.check(Promise::Money, right && fresh, || {
            format!("the order of {number} is over {amount}, and {due} is due")
        });
        if let Some(entry) = self.entries.get_mut(number as usize) {
            entry.ordered = Some(amount);
        }
    }

    pub(super) fn sell(&mut self, number: u32, amount: Money) {
        let at = self.at;
        let before = self.life(number);
        self.check(Promise::HoldTime, matches!(before, Some(Life::Held { until }) if at < until), || {
            format!("reservation {number} was paid at {at} and was {before:?}")
        });
        let entry = self.turn(number, Life::Sold, |life| matches!(life, Life::Held { .. }));
        let due = i128::from(self.price.minor) * i128::from(entry.quantity);
        self.check(Promise::Money, i128::from(amount.minor) == due && amount.currency == self.price.currency, || {
            format!("reservation {number} was paid with {amount}, and {due} is due")
        });
        self.books.sold += entry.quantity;
        self.books.money.paid_units += entry.quantity;
    }

    /// A sale after its hold had expired: its units are granted anew, past nobody, and sold at once.
    pub(super) fn honour(&mut self, number: u32, capture: &Capture) {
        self.nobody_waits(number);
        let entry = self.turn(number, Life::Sold, |life| life == Life::Expired);
        let (due, paid) = (self.price_of(number), i128::from(capture.amount.minor));
        self.check(Promise::Money, paid == due && capture.amount.currency == self.price.currency, || {
            format!("reservation {number} was honoured for {paid}, and {due} is due")
        });
        self.books.granted += entry.quantity;
        self.books.sold += entry.quantity;
        self.books.money.paid_units += entry.quantity;
        self.books.money.honoured_late += 1;
        let theirs = self.customers.entry(entry.customer).or_default();
        *theirs += entry.quantity;
        let (theirs, limit) = (*theirs, self.limit);
        self.check(Promise::CustomerLimit, theirs <= limit, || {
            format!("reservation {number} was honoured, and its customer has {theirs} of {limit}")
        });
    }

    /// The money of a sale goes back, and with it its units or not.
    pub(super) fn unsell(&mut self, number: u32, released: i64) {
        let entry = self.entries.get(number as usize).cloned();
        let quantity = entry.as_ref().map_or(0, |entry| entry.quantity);
        let sold = self.life(number) == Some(Life::Sold);
        self.check(Promise::Lives, sold && (released == 0 || released == quantity), || {
            format!("reservation {number} was refunded and released {released} of {quantity}")
        });
        self.books.money.paid_units -= quantity;
        self.unsell_units(number, released);
    }

    fn unsell_units(&mut self, number: u32, released: i64) {
        if released == 0 {
            return;
        }
        let entry = self.turn(number, Life::Returned, |life| life == Life::Sold);
        self.books.sold -= released;
        self.books.released += released;
        if let Some(theirs) = self.customers.get_mut(&entry.customer) {
            *theirs -= entry.quantity;
        }
    }

    fn settle_part(&mut self, number: u32, decision: PartDecision, released: i64) {
        let part = self.part(number);
        self.check(Promise::Lives, part, || format!("reservation {number} follows a bundle and is no part of one"));
        match decision {
            PartDecision::Sold => {
                let entry = self.turn(number, Life::Sold, |life| matches!(life, Life::Held { .. }));
                self.books.sold += entry.quantity;
            }
            PartDecision::Expired => {
                self.books.expired += 1;
                self.end_part(number, Life::Expired, released);
            }
            PartDecision::Cancelled | PartDecision::Abandoned => {
                self.books.cancelled += 1;
                self.end_part(number, Life::Cancelled, released);
            }
            PartDecision::Returned => self.unsell_units(number, released),
        }
    }

    /// A part has no time of its own; when its bundle's had come is for the bundle's books to say.
    fn end_part(&mut self, number: u32, to: Life, released: i64) {
        if let Some(entry) = self.entries.get_mut(number as usize)
            && let Life::Held { until } = &mut entry.life
        {
            *until = 0;
        }
        self.end(number, to, released);
    }

    pub(super) fn part(&self, number: u32) -> bool {
        self.parts.contains(&number)
    }

    pub(super) fn price_of(&self, number: u32) -> i128 {
        let quantity = self.entries.get(number as usize).map_or(0, |entry| entry.quantity);
        self.unit_price() * i128::from(quantity)
    }

    pub(super) fn unit_price(&self) -> i128 {
        i128::from(self.price.minor)
    }

    fn end(&mut self, number: u32, to: Life, released: i64) {
        let (before, at) = (self.life(number), self.at);
        if let (Some(Life::Held { until }), Life::Expired) = (before, to) {
            self.check(Promise::HoldTime, at >= until, || {
                format!("reservation {number} expired at {at}, before {until}")
            });
        }
        let may_end = |life| match to {
            Life::Expired => matches!(life, Life::Held { .. }),
            Life::Lapsed => life == Life::Waiting,
            Life::Waiting | Life::Held { .. } | Life::Sold | Life::Cancelled | Life::Returned => {
                matches!(life, Life::Waiting | Life::Held { .. })
            }
        };
        let entry = self.turn(number, to, may_end);
        let due = if matches!(before, Some(Life::Held { .. })) { entry.quantity } else { 0 };
        self.check(Promise::Lives, released == due, || {
            format!("reservation {number} ended as {to:?} and released {released} of {due}")
        });
        self.books.released += released;
        if let Some(theirs) = self.customers.get_mut(&entry.customer) {
            *theirs -= entry.quantity;
        }
    }

    fn close_sale(&mut self, lapsed: u32) {
        self.is_open = false;
        let waiting: Vec<_> = self.line.iter().copied().collect();
        self.check(Promise::Lives, waiting.len() == lapsed as usize, || {
            format!("the sale closed with {} waiting, and {lapsed} are said to have lapsed", waiting.len())
        });
        for number in waiting {
            self.books.lapsed += 1;
            self.end(number, Life::Lapsed, 0);
        }
    }
}
