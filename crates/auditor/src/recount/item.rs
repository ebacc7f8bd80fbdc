//! One item, recounted from its events alone. It never stops at a contradiction; the books go on with what the event
//! says.

use super::Came;
use super::keys::Keys;
use super::life::{Customer, Entry, Life};
use super::money::{MoneySums, Moving, Purse, Taken};
use crate::event::{Body, ClosedBy, Event, OpenedBy, Settings};
use crate::finding::{Findings, Place, Rule};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};

/// Where a sale is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Scheduled,
    Open,
    Paused,
    Closed,
}

/// Units over an item's whole life, and how many reservations went which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Units {
    /// All units.
    pub total: i64,
    /// Free now.
    pub available: i64,
    /// Held now.
    pub held: i64,
    /// Sold now.
    pub sold: i64,
    /// Granted, ever.
    pub granted: i64,
    /// Released, ever.
    pub released: i64,
    /// The most that were held and sold at once.
    pub peak: i64,
    /// Reservations that began in line.
    pub waited: u64,
    /// Promotions.
    pub promoted: u64,
    /// Holds that expired.
    pub expired: u64,
    /// Reservations cancelled.
    pub cancelled: u64,
    /// Waiters who never got a turn.
    pub lapsed: u64,
}

/// The books of one item.
#[derive(Clone, Debug)]
pub struct ItemBooks {
    /// Its public name.
    pub sku: String,
    /// Its secret, which tells whether an id is genuine.
    pub key: [u8; 32],
    /// What was found.
    pub findings: Findings,
    /// Units and counts.
    pub units: Units,
    pub(super) settings: Settings,
    pub(super) phase: Phase,
    pub(super) seq: u64,
    pub(super) at: u64,
    pub(super) entries: Vec<Entry>,
    pub(super) line: BTreeSet<u32>,
    pub(super) customers: HashMap<String, Customer>,
    /// The event that freed units last, or let the line move.
    pub(super) freed_by: u64,
    pub(super) purse: Purse,
    keys: Keys,
}

impl ItemBooks {
    pub(super) fn new(sku: &str, total: u32, settings: &Settings, key: [u8; 32]) -> Self {
        let total = i64::from(total);
        Self {
            sku: sku.to_owned(),
            key,
            findings: Findings::default(),
            units: Units { total, available: total, ..Units::default() },
            settings: settings.clone(),
            phase: Phase::Scheduled,
            seq: 0,
            at: 0,
            entries: Vec::new(),
            line: BTreeSet::new(),
            customers: HashMap::new(),
            freed_by: 1,
            purse: Purse::default(),
            keys: Keys::default(),
        }
    }

    /// Where reservation number `ordinal` is.
    #[must_use]
    pub fn life(&self, ordinal: u32) -> Option<Life> {
        self.entries.get(ordinal as usize).map(|entry| entry.life)
    }

    /// How many reservations there ever were.
    #[must_use]
    pub const fn reservation_count(&self) -> usize {
        self.entries.len()
    }

    /// What came for reservation `owner`'s order.
    #[must_use]
    pub fn came_for(&self, owner: u32) -> Came {
        Came::of(self.purse.captures.iter().filter(|taken| taken.owner == owner))
    }

    /// Every capture, in the order in which they came.
    pub fn captures(&self) -> impl Iterator<Item = &Taken> {
        self.purse.captures.iter()
    }

    /// Its money by currency.
    pub fn money(&self) -> impl Iterator<Item = ([u8; 3], MoneySums)> {
        self.purse.sums.iter().map(|(currency, sums)| (*currency, *sums))
    }

    /// Refunds that were due, ever, and late payments that were honoured.
    #[must_use]
    pub const fn refunds_and_honoured(&self) -> (u64, u64) {
        (self.purse.refunds, self.purse.honoured_late)
    }

    pub(super) fn check(&mut self, rule: Rule, is_kept: bool, words: impl FnOnce() -> String) {
        self.findings.check(rule, is_kept, words);
    }

    pub(super) fn moving(&mut self, owner: u32) -> Moving<'_> {
        Moving { purse: &mut self.purse, findings: &mut self.findings, owner }
    }

    /// Enters the next event.
    pub(super) fn enter(&mut self, place: Place, event: &Event) {
        self.findings.move_to(place);
        let (seq, at, before) = (event.seq, event.at, (self.seq, self.at));
        self.check(Rule::Sequence, seq == before.0 + 1, || format!("event {seq} follows event {}", before.0));
        self.check(Rule::Time, at >= before.1, || format!("{at} ms follows {} ms", before.1));
        (self.seq, self.at) = (seq, at);
        self.keys.enter(&mut self.findings, event.key, (seq, at));
        self.book(&event.body);
        let Units { total, available, held, sold, .. } = self.units;
        self.units.peak = self.units.peak.max(held + sold);
        let adds_up = available + held + sold == total && available >= 0 && held >= 0 && sold >= 0;
        self.check(Rule::Oversold, adds_up, || format!("{available} free, {held} held and {sold} sold of {total}"));
        if matches!(event.body, Body::Payment { .. } | Body::PurchaseConfirmed(_)) {
            self.purse.balance(&mut self.findings);
        }
    }

    fn book(&mut self, body: &Body) {
        match body {
            Body::ItemCreated { .. } => self.check(Rule::Life, self.seq == 1, || "it is created twice".to_owned()),
            Body::ItemRevised { settings } => self.revise(settings),
            Body::SaleOpened { by } => {
                let due = *by == OpenedBy::Operator || self.is_due(self.settings.opens_at_ms);
                self.enter_phase(Phase::Open, &[Phase::Scheduled], due);
            }
            Body::SalePaused => self.enter_phase(Phase::Paused, &[Phase::Open], true),
            Body::SaleResumed => self.enter_phase(Phase::Open, &[Phase::Paused], true),
            Body::SaleClosed { by, lapsed } => self.close_sale(*by, *lapsed),
            Body::StockAdjusted { change, total, .. } => self.adjust(i64::from(*change), i64::from(*total)),
            Body::ClockResumed { from_ms, release_floor_ms, .. } => self.resume(*from_ms, *release_floor_ms),
            Body::Payment { owner, event } => self.pay(*owner, event),
            Body::HoldPlaced { .. }
            | Body::WaitlistJoined { .. }
            | Body::PurchaseConfirmed(_)
            | Body::ReservationCancelled { .. }
            | Body::HoldExtended { .. }
            | Body::OrderPlaced { .. }
            | Body::PartHeld { .. }
            | Body::PartSettled { .. }
            | Body::HoldExpired { .. }
            | Body::HoldPromoted { .. }
            | Body::WaitlistLapsed { .. } => self.book_sale(body),
            Body::ItemRegistered { .. }
            | Body::PartitionKeyed { .. }
            | Body::BundleHeld { .. }
            | Body::BundleOrdered { .. }
            | Body::BundleCancelled { .. }
            | Body::BundleExpired { .. }
            | Body::PaymentUnmatched { .. }
            | Body::Endpoint { .. } => {
                self.check(Rule::Life, false, || "this belongs into a partition's own stream".to_owned());
            }
        }
    }

    fn is_due(&self, instant: Option<u64>) -> bool {
        instant.is_some_and(|instant| instant <= self.at)
    }

    /// Price and opening are fixed once the sale has begun, and everything once it is closed.
    fn revise(&mut self, settings: &Settings) {
        let before = &self.settings;
        let same = before.unit_price == settings.unit_price && before.opens_at_ms == settings.opens_at_ms;
        let allowed = self.phase == Phase::Scheduled || (same && self.phase != Phase::Closed);
        let phase = self.phase;
        self.check(Rule::Phase, allowed, || {
            format!("the item is revised while {phase:?}; its price changes: {}", !same)
        });
        self.settings = settings.clone();
    }

    fn enter_phase(&mut self, to: Phase, from: &[Phase], is_due: bool) {
        let before = self.phase;
        self.check(Rule::Phase, from.contains(&before) && is_due, || {
            format!("the sale goes from {before:?} to {to:?}; it is due: {is_due}")
        });
        self.phase = to;
        self.freed_by = self.seq;
    }

    fn close_sale(&mut self, by: ClosedBy, lapsed: u32) {
        let (phase, Units { total, sold, .. }) = (self.phase, self.units);
        let due = match by {
            ClosedBy::Operator => true,
            ClosedBy::Schedule => self.is_due(self.settings.closes_at_ms),
            ClosedBy::SoldOut => {
                self.settings.close_when_sold && sold > 0 && sold == total && phase != Phase::Scheduled
            }
        };
        self.check(Rule::Phase, phase != Phase::Closed && due, || {
            format!("the sale is closed by {by:?} while {phase:?}, with {sold} of {total} sold")
        });
        self.phase = Phase::Closed;
        let waiting: Vec<u32> = self.line.iter().copied().collect();
        self.check(Rule::Place, waiting.len() == lapsed as usize, || {
            format!("{} wait, and {lapsed} are said to have lapsed", waiting.len())
        });
        for ordinal in waiting {
            self.units.lapsed += 1;
            self.end(ordinal, Life::Lapsed, 0);
        }
    }

    fn adjust(&mut self, change: i64, total: i64) {
        let phase = self.phase;
        self.check(Rule::Phase, phase != Phase::Closed, || "stock of a closed sale is adjusted".to_owned());
        self.units.total += change;
        self.units.available += change;
        self.freed_by = self.seq;
        let counted = self.units.total;
        self.check(Rule::Total, counted == total, || format!("a total of {total} should be {counted}"));
    }

    /// Nobody could pay while the process was down: no hold is released before `floor`.
    fn resume(&mut self, from: u64, floor: u64) {
        let at = self.at;
        self.check(Rule::Time, from <= at, || format!("the clock is resumed at {at} from {from}, which is later"));
        for entry in &mut self.entries {
            if let Life::Held(hold) = &mut entry.life {
                hold.lift(floor);
            }
        }
    }

    /// What can be said only once everything is entered.
    pub(super) fn close(&mut self) {
        let sum = |wanted: &dyn Fn(Life) -> bool| -> i64 {
            self.entries.iter().filter(|entry| wanted(entry.life)).map(|entry| entry.quantity).sum()
        };
        let held = sum(&|life| matches!(life, Life::Held(_) | Life::Part));
        let sold = sum(&|life| matches!(life, Life::Sold));
        let (granted, units) = (self.units.granted - self.units.released, self.units);
        self.check(Rule::Oversold, (held, sold, held + sold) == (units.held, units.sold, granted), || {
            format!("the reservations hold {held} and have {sold}, the events say {units:?}")
        });
        self.purse.recount(&mut self.findings);
        let paid = self.purse.paid_counts();
        for (ordinal, entry) in (0u32..).zip(&self.entries) {
            if entry.part.is_none() && matches!(entry.life, Life::Sold | Life::Returned) {
                let times = paid.get(&ordinal).copied().unwrap_or_default();
                let words = || format!("reservation {ordinal} is sold and was paid {times} times");
                self.findings.check(Rule::Twice, times == 1, words);
            }
        }
    }
}
