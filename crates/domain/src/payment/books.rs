//! The books of one stream (an item's, or a partition's for its bundles): every capture and where its money is, every
//! report that is known. Changed only by payment events; what an event means for units is its owner's business.

mod parts;

use super::event::{PaymentEvent, RefundReason, SettledBy, UnclaimedBecause};
use super::judge::tell_of_one;
use super::ledger::{Ledger, Pot};
use super::{Capture, ClientData, Provider};
use crate::ids::{CaptureNo, Ordinal};
use crate::limits::CAPTURES_PER_STREAM_MAX;
use crate::money::Money;
use crate::text::{PaymentId, ProviderEventId};
use crate::time::Timestamp;
use crate::wheel::TimerId;
use std::collections::{BTreeMap, BTreeSet};

/// One capture and where its money is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureRecord {
    /// Whose order it came for.
    pub owner: Ordinal,
    /// The money.
    pub capture: Capture,
    /// When it was told of.
    pub at: Timestamp,
    /// Where it is.
    pub place: MoneyPlace,
    /// Who can give it back: the provider that told of it, also where a backend had confirmed it before.
    pub payer: Provider,
    /// How many further reports told of it.
    pub reports: u8,
    /// Whether one of them contradicted it: an operator has to look.
    pub disputed: bool,
}

impl CaptureRecord {
    /// As the answer to a command tells it, then and under the same key ever after: without what reports have said of
    /// it, which goes on changing and is told by reads.
    pub(crate) fn into_answered(self) -> Self {
        Self { payer: self.capture.provider, reports: 0, disputed: false, ..self }
    }

    /// The same, as it was before it was settled.
    pub(crate) fn into_answered_when_due(self) -> Self {
        let place = match self.place {
            MoneyPlace::Refunded { reason, since, .. } => MoneyPlace::Due { reason, since },
            place @ (MoneyPlace::Due { .. } | MoneyPlace::Kept | MoneyPlace::Parked { .. }) => place,
        };
        Self { place, ..self }.into_answered()
    }

    /// Whether it is the one that paid its order, also where that was refunded later.
    #[must_use]
    pub const fn paid_its_order(&self) -> bool {
        match self.place {
            MoneyPlace::Kept => true,
            MoneyPlace::Due { reason, .. } | MoneyPlace::Refunded { reason, .. } => {
                matches!(reason, RefundReason::OrderRefunded)
            }
            MoneyPlace::Parked { .. } => false,
        }
    }

    /// Whether its money has gone back.
    #[must_use]
    pub const fn is_refunded(&self) -> bool {
        matches!(self.place, MoneyPlace::Refunded { .. })
    }
}

/// Where captured money is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MoneyPlace {
    /// It waits for its order until then.
    Parked {
        /// Until when.
        until: Timestamp,
    },
    /// It paid its order.
    Kept,
    /// It is to go back.
    Due {
        /// Why.
        reason: RefundReason,
        /// Since when.
        since: Timestamp,
    },
    /// It has gone back.
    Refunded {
        /// Why.
        reason: RefundReason,
        /// Since when it was due.
        since: Timestamp,
        /// When it was done.
        at: Timestamp,
        /// How.
        by: SettledBy,
    },
}

impl MoneyPlace {
    pub(super) const fn pot(&self) -> Pot {
        match self {
            Self::Parked { .. } => Pot::Parked,
            Self::Kept => Pot::Kept,
            Self::Due { .. } => Pot::Due,
            Self::Refunded { .. } => Pot::Refunded,
        }
    }
}

/// An opportunity to pay that the owner can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Who gave it.
    pub provider: Provider,
    /// The payment it will be.
    pub payment: PaymentId,
    /// What the customer's client needs.
    pub client: ClientData,
}

/// A refund that the provider told of before its capture had come, or while that was parked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlyRefund {
    /// Whose order it named.
    pub owner: Ordinal,
    /// How much went back.
    pub amount: Money,
}

/// What is known of the money of one order besides its captures.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct OrderBook {
    /// The latest opportunity.
    pub offer: Option<Offer>,
    /// Every capture that came for it.
    pub captures: Vec<CaptureNo>,
    /// Failed attempts that were written down.
    pub failures: u8,
    /// Refunds told of before their captures.
    pub early_refunds: u8,
}

/// The facts of `Books`, for a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the fields are those of Books")]
pub struct BooksParts {
    pub captures: Vec<CaptureRecord>,
    pub orders: Vec<(Ordinal, OrderBook)>,
    pub reports: Vec<(Provider, ProviderEventId)>,
    pub early: Vec<(Provider, PaymentId, EarlyRefund)>,
    pub given_back: Vec<CaptureNo>,
}

/// A capture that is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'b> {
    pub(crate) no: CaptureNo,
    pub(crate) record: &'b CaptureRecord,
}

/// The books.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    captures: Vec<CaptureRecord>,
    by_payment: BTreeMap<(PaymentId, Provider), CaptureNo>,
    orders: BTreeMap<Ordinal, OrderBook>,
    reports: BTreeSet<(Provider, ProviderEventId)>,
    early: BTreeMap<(PaymentId, Provider), EarlyRefund>,
    /// Captures whose refund is due.
    due: BTreeSet<CaptureNo>,
    /// Captures that their provider has given back already, as it says, before we have settled that.
    given_back: BTreeSet<CaptureNo>,
    /// Parked captures whose reservation is over.
    forsaken: BTreeSet<CaptureNo>,
    /// Parked captures and the timers of their windows.
    parked: BTreeMap<CaptureNo, TimerId>,
    ledger: Ledger,
}

impl Books {
    pub(crate) fn knows_report(&self, provider: Provider, report: &ProviderEventId) -> bool {
        !self.reports.is_empty() && self.reports.contains(&(provider, report.clone()))
    }

    /// The capture of this payment, also where another source told of it under the same id (rule 9).
    pub(crate) fn find(&self, provider: Provider, payment: &PaymentId) -> Option<Known<'_>> {
        // The first and the last of them, in the order of Provider::ALL.
        let range = (payment.clone(), Provider::External)..=(payment.clone(), Provider::Stripe);
        let mut found = self.by_payment.range(range).filter(|((_, known), _)| tell_of_one(*known, provider));
        found.next().map(|(_, &no)| Known { no, record: self.record(no) })
    }

    pub(crate) fn record(&self, no: CaptureNo) -> &CaptureRecord {
        self.get(no).expect("invariant 24: the log names a capture never recorded")
    }

    pub(crate) fn get(&self, no: CaptureNo) -> Option<&CaptureRecord> {
        self.captures.get(no.0 as usize)
    }

    pub(crate) fn order(&self, owner: Ordinal) -> Option<&OrderBook> {
        self.orders.get(&owner)
    }

    pub(crate) fn captures_of(&self, owner: Ordinal) -> impl Iterator<Item = Known<'_>> {
        let numbers = self.order(owner).map(|book| book.captures.as_slice()).unwrap_or_default();
        numbers.iter().map(|&no| Known { no, record: self.record(no) })
    }

    pub(crate) fn kept_of(&self, owner: Ordinal) -> Option<Known<'_>> {
        self.captures_of(owner).find(|known| known.record.place == MoneyPlace::Kept)
    }

    pub(crate) fn parked_of(&self, owner: Ordinal) -> impl Iterator<Item = &CaptureRecord> {
        let parked = |known: &Known<'_>| matches!(known.record.place, MoneyPlace::Parked { .. });
        self.captures_of(owner).filter(parked).map(|known| known.record)
    }

    pub(crate) fn failures_of(&self, owner: Ordinal) -> u8 {
        self.order(owner).map_or(0, |book| book.failures)
    }

    /// Whether a provider has told of this very refund, and its capture's fate is still to come.
    pub(crate) fn is_refund_told(&self, by: Provider, payment: &PaymentId, owner: Ordinal, amount: Money) -> bool {
        let early = self.early.get(&(payment.clone(), by));
        early.is_some_and(|early| early.owner == owner && early.amount == amount)
    }

    pub(crate) fn early_refunds_of(&self, owner: Ordinal) -> u8 {
        self.order(owner).map_or(0, |book| book.early_refunds)
    }

    /// Captures whose refund is due, in the order in which they came.
    pub(crate) fn due(&self) -> impl Iterator<Item = CaptureNo> {
        self.due.iter().copied()
    }

    pub(crate) fn capture_count(&self) -> u32 {
        // Bounded by CAPTURES_PER_STREAM_MAX.
        self.captures.len() as u32
    }

    pub(crate) fn is_full(&self) -> bool {
        self.capture_count() >= CAPTURES_PER_STREAM_MAX
    }

    pub(crate) const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(crate) fn parked_count(&self) -> usize {
        self.parked.len()
    }

    /// The first parked capture whose reservation is over, if any is left.
    pub(crate) fn next_forsaken(&self) -> Option<Known<'_>> {
        let no = *self.forsaken.first()?;
        Some(Known { no, record: self.record(no) })
    }

    /// The first capture that its provider has given back without our having settled it.
    pub(crate) fn next_given_back(&self) -> Option<Known<'_>> {
        let no = *self.given_back.first()?;
        Some(Known { no, record: self.record(no) })
    }

    /// Applies an event. The timer of a window is the owner's to arm and to cancel.
    pub(crate) fn apply(&mut self, owner: Ordinal, event: &PaymentEvent, at: Timestamp) {
        match event {
            PaymentEvent::Offered { provider, payment, client } => {
                let offer = Offer { provider: *provider, payment: payment.clone(), client: client.clone() };
                self.book(owner).offer = Some(offer);
            }
            PaymentEvent::Failed { provider, payment: _, report, withdrawn: _ } => {
                self.remember(*provider, report);
                let book = self.book(owner);
                book.failures = book.failures.saturating_add(1);
            }
            PaymentEvent::Parked { capture, until } => {
                self.take(owner, capture, MoneyPlace::Parked { until: *until }, at);
            }
            PaymentEvent::Captured { capture, .. } | PaymentEvent::LateHonoured { capture, .. } => {
                self.take(owner, capture, MoneyPlace::Kept, at);
            }
            PaymentEvent::RefundDue { capture, reason, .. } => {
                self.take(owner, capture, MoneyPlace::Due { reason: *reason, since: at }, at);
            }
            PaymentEvent::Unclaimed { capture, because } => self.unclaim(*capture, *because, at),
            PaymentEvent::Noted { capture, provider, report } => self.note(*capture, *provider, report, false),
            PaymentEvent::Disputed { capture, provider, report, told: _ } => {
                self.note(*capture, *provider, report, true);
            }
            PaymentEvent::RefundReported { provider, payment, report, amount } => {
                self.remember(*provider, report);
                self.report_refund(owner, *provider, payment, *amount);
            }
            PaymentEvent::OrderRefunded { capture, .. } => {
                assert_eq!(self.record(*capture).place, MoneyPlace::Kept, "invariant 26: {capture:?} was not kept");
                self.move_to(*capture, MoneyPlace::Due { reason: RefundReason::OrderRefunded, since: at });
            }
            PaymentEvent::RefundSettled { capture, by } => self.settle(*capture, by, at),
        }
    }

    /// The owner's reservation is over: what is parked for it has nobody to wait for.
    pub(crate) fn forsake(&mut self, owner: Ordinal) {
        let Some(book) = self.orders.get(&owner) else { return };
        self.forsaken.extend(book.captures.iter().filter(|no| self.parked.contains_key(no)));
    }

    /// The owners of all that is parked.
    pub(crate) fn parked_owners(&self) -> Vec<Ordinal> {
        self.parked.keys().map(|&no| self.record(no).owner).collect()
    }

    pub(crate) fn set_timer(&mut self, no: CaptureNo, timer: TimerId) {
        self.parked.insert(no, timer);
    }

    /// The timer of a capture that is being claimed, if it is parked.
    pub(crate) fn take_timer(&mut self, capture: &Capture) -> Option<TimerId> {
        let no = self.find(capture.provider, &capture.payment)?.no;
        self.take_timer_of(no)
    }

    pub(crate) fn take_timer_of(&mut self, no: CaptureNo) -> Option<TimerId> {
        self.forsaken.remove(&no);
        self.parked.remove(&no)
    }

    fn book(&mut self, owner: Ordinal) -> &mut OrderBook {
        self.orders.entry(owner).or_default()
    }

    fn remember(&mut self, provider: Provider, report: &ProviderEventId) {
        let new = self.reports.insert((provider, report.clone()));
        assert!(new, "invariant 24: report {report} is applied twice");
    }

    /// Takes new money in, or moves parked money on.
    fn take(&mut self, owner: Ordinal, capture: &Capture, place: MoneyPlace, at: Timestamp) {
        let known = self.find(capture.provider, &capture.payment).map(|known| (known.no, known.record.place.pot()));
        let no = match known {
            Some((no, pot)) => {
                let moves = pot == Pot::Parked && place.pot() != Pot::Parked && self.record(no).owner == owner;
                assert!(moves, "invariant 24: payment {} is captured twice", capture.payment);
                self.move_to(no, place);
                no
            }
            None => self.enter(owner, capture, place, at),
        };
        self.match_early_refund(no);
    }

    fn enter(&mut self, owner: Ordinal, capture: &Capture, place: MoneyPlace, at: Timestamp) -> CaptureNo {
        if let Some(report) = &capture.report {
            self.remember(capture.provider, report);
        }
        let no = CaptureNo(self.capture_count());
        self.ledger.captured(capture.amount, place.pot());
        if place.pot() == Pot::Due {
            self.due.insert(no);
        }
        self.by_payment.insert((capture.payment.clone(), capture.provider), no);
        self.book(owner).captures.push(no);
        let (capture, payer) = (capture.clone(), capture.provider);
        self.captures.push(CaptureRecord { owner, capture, at, place, payer, reports: 0, disputed: false });
        no
    }

    fn move_to(&mut self, no: CaptureNo, place: MoneyPlace) {
        let record =
            self.captures.get_mut(no.0 as usize).expect("invariant 24: the log names a capture never recorded");
        self.ledger.moved(record.capture.amount, record.place.pot(), place.pot());
        record.place = place;
        if record.place.pot() == Pot::Due {
            self.due.insert(no);
        } else {
            self.due.remove(&no);
        }
    }

    fn unclaim(&mut self, no: CaptureNo, because: UnclaimedBecause, at: Timestamp) {
        let parked = matches!(self.record(no).place, MoneyPlace::Parked { .. });
        assert!(parked, "invariant 26: {no:?} is given back though it is not parked");
        self.move_to(no, MoneyPlace::Due { reason: RefundReason::Unclaimed(because), since: at });
        self.match_early_refund(no);
    }

    fn note(&mut self, no: CaptureNo, provider: Provider, report: &ProviderEventId, disputed: bool) {
        self.remember(provider, report);
        let record =
            self.captures.get_mut(no.0 as usize).expect("invariant 24: the log names a capture never recorded");
        record.reports = record.reports.saturating_add(1);
        record.disputed |= disputed;
        if record.payer == Provider::External {
            record.payer = provider;
        }
    }

    fn report_refund(&mut self, owner: Ordinal, provider: Provider, payment: &PaymentId, amount: Money) {
        self.early.insert((payment.clone(), provider), EarlyRefund { owner, amount });
        match self.find(provider, payment).map(|known| known.no) {
            Some(no) => {
                if let Some(record) = self.captures.get_mut(no.0 as usize) {
                    record.reports = record.reports.saturating_add(1);
                }
                self.match_early_refund(no);
            }
            None => {
                let book = self.book(owner);
                book.early_refunds = book.early_refunds.saturating_add(1);
            }
        }
    }

    /// A refund that was told of before the fate of its capture was known takes effect now.
    fn match_early_refund(&mut self, no: CaptureNo) {
        let Some(record) = self.captures.get_mut(no.0 as usize) else { return };
        if record.place.pot() == Pot::Parked {
            return;
        }
        let (owner, Capture { payment, amount, .. }) = (record.owner, &record.capture);
        let agrees = |early: &EarlyRefund| early.owner == owner && early.amount == *amount;
        let keys = Provider::ALL.into_iter().filter(|provider| tell_of_one(*provider, record.payer));
        let told: Vec<_> = keys.filter_map(|by| self.early.get_key_value(&(payment.clone(), by))).collect();
        // Two providers may use one id for two payments: the one that agrees speaks of this one.
        let found = told.iter().find(|(_, early)| agrees(early)).or(told.first());
        let Some((key, is_whole)) = found.map(|(key, early)| ((*key).clone(), agrees(early))) else { return };
        self.early.remove(&key);
        if is_whole {
            self.given_back.insert(no);
        } else {
            record.disputed = true;
        }
    }

    fn settle(&mut self, no: CaptureNo, by: &SettledBy, at: Timestamp) {
        let MoneyPlace::Due { reason, since } = self.record(no).place else {
            panic!("invariant 26: {no:?} is settled though its refund is not due");
        };
        self.given_back.remove(&no);
        self.move_to(no, MoneyPlace::Refunded { reason, since, at, by: by.clone() });
    }

    /// Counts the money anew and compares (invariant 27).
    pub(crate) fn recount(&self) -> Result<(), String> {
        let mut counted = Ledger::default();
        for record in &self.captures {
            counted.captured(record.capture.amount, record.place.pot());
        }
        let parked = self.captures.iter().filter(|record| record.place.pot() == Pot::Parked).count();
        if counted != self.ledger {
            return Err(format!("the ledger says {:?}, the captures {counted:?}", self.ledger));
        }
        if parked != self.parked.len() {
            return Err(format!("{parked} captures are parked, {} have a window", self.parked.len()));
        }
        self.ledger.check()
    }
}
