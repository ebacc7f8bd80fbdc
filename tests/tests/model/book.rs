//! The reference's books: plain lists, and questions that are answered by counting them anew each time.
//!
//! Nothing here is kept beside the lists: how much is free, who is next, what a customer has and where the money is
//! are all counted when they are asked for. What becomes of the lists is told by the rules in the other files.

use domain::command::Command;
use domain::event::LapseReason;
use domain::identity::BundleId;
use domain::item::Phase;
use domain::limits::IDEMPOTENCY_RETENTION;
use domain::money::Money;
use domain::payment::{Capture, MoneyPlace, Offer, Provider};
use domain::policy::{CoolOffPolicy, ExtensionPolicy, Settings};
use domain::text::{CustomerId, PaymentId, ProviderEventId};
use domain::time::Timestamp;

use crate::told::Told;

/// A hold, with the terms it was granted on.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) deadline: u64,
    pub(crate) grace: u64,
    pub(crate) extension: ExtensionPolicy,
    pub(crate) extended: u8,
}

#[derive(Clone, Debug)]
pub(crate) enum State {
    Waiting,
    Held(Hold),
    HeldInBundle,
    Confirmed,
    Cancelled,
    Expired,
    Lapsed(LapseReason),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) placed_at: u64,
    pub(crate) amount: Money,
}

#[derive(Clone, Debug)]
pub(crate) struct Reservation {
    pub(crate) customer: CustomerId,
    pub(crate) quantity: u32,
    pub(crate) since: u64,
    pub(crate) state: State,
    /// Sold once, but its units went back to the stock.
    pub(crate) returned: bool,
    pub(crate) bundle: Option<BundleId>,
    pub(crate) order: Option<Order>,
    pub(crate) offer: Option<Offer>,
    /// Failed attempts to pay that were written down.
    pub(crate) failures: Vec<ProviderEventId>,
    /// Refunds told of before their captures that were written down.
    pub(crate) early_refunds: Vec<ProviderEventId>,
}

/// Money that was told of.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) owner: usize,
    pub(crate) capture: Capture,
    pub(crate) at: u64,
    pub(crate) place: MoneyPlace,
    pub(crate) payer: Provider,
    /// Further reports of it that were written down.
    pub(crate) noted: Vec<ProviderEventId>,
    pub(crate) disputed: bool,
    /// Its provider has given it back, as it says, and that is not settled yet.
    pub(crate) given_back: bool,
}

/// A refund that was told of while its capture had not come, or waited for its order.
#[derive(Clone, Debug)]
pub(crate) struct EarlyRefund {
    pub(crate) owner: usize,
    pub(crate) provider: Provider,
    pub(crate) payment: PaymentId,
    pub(crate) amount: Money,
}

/// How a granted hold ended, for rule 14.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    Paid,
    /// While this policy was in force.
    Expired(CoolOffPolicy),
}

/// An idempotency key in its scope: who asks, for what, under which key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) caller: String,
    pub(crate) route: String,
    pub(crate) key: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Remembered {
    pub(crate) key: Key,
    pub(crate) content: Command,
    pub(crate) at: u64,
    pub(crate) answer: Told,
}

#[derive(Clone, Debug)]
pub(crate) struct Book {
    /// The instant of the turn under way.
    pub(crate) now: u64,
    /// The instant of the last event.
    pub(crate) logged: u64,
    pub(crate) settings: Settings,
    pub(crate) phase: Phase,
    pub(crate) total: u32,
    pub(crate) revision: u64,
    pub(crate) reservations: Vec<Reservation>,
    pub(crate) payments: Vec<Payment>,
    pub(crate) reports: Vec<(Provider, ProviderEventId)>,
    pub(crate) early: Vec<EarlyRefund>,
    pub(crate) endings: Vec<(CustomerId, Ending, u64)>,
    pub(crate) remembered: Vec<Remembered>,
    /// What of this turn's batch is left.
    pub(crate) batch: usize,
}

impl Book {
    /// Something is written down: logged time is now.
    pub(crate) fn happens(&mut self) {
        self.logged = self.now;
    }

    pub(crate) fn at(&self) -> Timestamp {
        Timestamp::from_millis(self.now)
    }

    fn units(&self, counts: impl Fn(&Reservation) -> bool) -> u32 {
        self.reservations.iter().filter(|one| counts(one)).map(|one| one.quantity).sum()
    }

    pub(crate) fn held(&self) -> u32 {
        self.units(Reservation::is_held)
    }

    pub(crate) fn sold(&self) -> u32 {
        self.units(Reservation::is_sold)
    }

    pub(crate) fn available(&self) -> u32 {
        self.total - self.held() - self.sold()
    }

    /// Who waits, in order of arrival.
    pub(crate) fn line(&self) -> Vec<usize> {
        let waits = |no: &usize| matches!(self.reservations[*no].state, State::Waiting);
        (0..self.reservations.len()).filter(waits).collect()
    }

    /// Live and sold units of a customer.
    pub(crate) fn has(&self, customer: &CustomerId) -> u32 {
        self.units(|one| one.customer == *customer && (one.is_live() || one.is_sold()))
    }

    /// Until when a customer cools off. Each time that enough of their holds expired in a row it begins, by the policy
    /// of that moment, and the row begins anew.
    pub(crate) fn cools_off_until(&self, customer: &CustomerId) -> Option<u64> {
        let (mut in_a_row, mut until) = (0, 0);
        for (_, ending, at) in self.endings.iter().filter(|(who, ..)| who == customer) {
            let Ending::Expired(policy) = ending else {
                in_a_row = 0;
                continue;
            };
            in_a_row += 1;
            if policy.after_expiries > 0 && in_a_row >= policy.after_expiries {
                (in_a_row, until) = (0, at + policy.lasts.as_millis());
            }
        }
        (self.now < until).then_some(until)
    }

    pub(crate) fn price_of(&self, quantity: u32) -> Money {
        let price = self.settings.unit_price;
        Money { minor: price.minor * u64::from(quantity), currency: price.currency }
    }

    pub(crate) fn payments_of(&self, no: usize) -> Vec<usize> {
        (0..self.payments.len()).filter(|&payment| self.payments[payment].owner == no).collect()
    }

    /// The capture that paid the order, also where that was refunded later.
    pub(crate) fn paid_by(&self, no: usize) -> Option<usize> {
        self.payments_of(no).into_iter().find(|&payment| self.payments[payment].paid())
    }

    /// A payment told of by a backend and by a provider under one id is one capture. Where two providers happen to
    /// have one id, the first of them by their numbers is meant.
    pub(crate) fn known(&self, provider: Provider, id: &PaymentId) -> Option<usize> {
        let is_it = |one: &Payment| {
            let told_by = [provider, one.capture.provider];
            one.capture.payment == *id && (told_by[0] == told_by[1] || told_by.contains(&Provider::External))
        };
        let all = (0..self.payments.len()).filter(|&no| is_it(&self.payments[no]));
        all.min_by_key(|&no| self.payments[no].capture.provider)
    }

    pub(crate) fn remembers(&self, key: &Key) -> Option<&Remembered> {
        let young = |one: &&Remembered| self.now - one.at < IDEMPOTENCY_RETENTION.as_millis();
        self.remembered.iter().filter(young).find(|one| one.key == *key)
    }

    /// Every instant ahead at which something ends or begins by itself.
    pub(crate) fn timers(&self) -> Vec<u64> {
        let holds = self.reservations.iter().filter_map(Reservation::release_at);
        let windows = self.payments.iter().filter_map(Payment::until);
        let opens = self.settings.opens_at.filter(|_| self.phase == Phase::Scheduled);
        let closes = self.settings.closes_at.filter(|_| self.phase != Phase::Closed);
        holds.chain(windows).chain([opens, closes].into_iter().flatten().map(Timestamp::as_millis)).collect()
    }
}

impl Reservation {
    pub(crate) fn new(customer: CustomerId, quantity: u32, since: u64, state: State) -> Self {
        let (bundle, order, offer) = (None, None, None);
        let (returned, failures, early_refunds) = (false, Vec::new(), Vec::new());
        Self { customer, quantity, since, state, returned, bundle, order, offer, failures, early_refunds }
    }

    pub(crate) fn is_held(&self) -> bool {
        matches!(self.state, State::Held(_) | State::HeldInBundle)
    }

    pub(crate) fn is_live(&self) -> bool {
        self.is_held() || matches!(self.state, State::Waiting)
    }

    pub(crate) fn is_sold(&self) -> bool {
        matches!(self.state, State::Confirmed) && !self.returned
    }

    /// Until then payments are in time: the deadline, plus the grace once an order is placed.
    pub(crate) fn release_at(&self) -> Option<u64> {
        match &self.state {
            State::Held(hold) => Some(hold.deadline + if self.order.is_some() { hold.grace } else { 0 }),
            State::Waiting
            | State::HeldInBundle
            | State::Confirmed
            | State::Cancelled
            | State::Expired
            | State::Lapsed(_) => None,
        }
    }
}

impl Payment {
    /// Until when it waits for its order, if it does.
    pub(crate) fn until(&self) -> Option<u64> {
        match self.place {
            MoneyPlace::Parked { until } => Some(until.as_millis()),
            MoneyPlace::Kept | MoneyPlace::Due { .. } | MoneyPlace::Refunded { .. } => None,
        }
    }

    pub(crate) fn paid(&self) -> bool {
        use domain::payment::RefundReason::OrderRefunded;
        match self.place {
            MoneyPlace::Kept => true,
            MoneyPlace::Parked { .. } => false,
            MoneyPlace::Due { reason, .. } | MoneyPlace::Refunded { reason, .. } => reason == OrderRefunded,
        }
    }
}
