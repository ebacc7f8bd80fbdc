//! `apply`: the only way state changes. It cannot refuse. An event that breaks an invariant panics, and the item
//! stops; the same code runs live, in recovery, in replay and under test.

use super::reservation::{Change, sold};
use super::stock::Place;
use super::{Books, Bundled, Customers, Hold, Item, Phase, Reservation, ReservationState, Stock};
use crate::event::{ClosedBy, Event, LapseReason, OpenedBy, PartDecision, Recorded};
use crate::growth::BlockList;
use crate::idempotency::{Entry, IdempotencyTable};
use crate::ids::{ItemNo, Ordinal, Revision, Seq};
use crate::payment::PaymentEvent;
use crate::text::CustomerId;
use crate::time::Timestamp;
use crate::units::{Quantity, Units};
use crate::waitlist::Waitlist;
use crate::wheel::{TimerKey, TimerWheel};
use std::sync::Arc;

impl Item {
    /// The item that begins with this event. `None` where it is not an `ItemCreated` in the first place.
    #[must_use]
    pub fn begin(no: ItemNo, first: &Recorded) -> Option<Self> {
        let Event::ItemCreated { spec, key } = &first.event else { return None };
        if first.seq != Seq(1) {
            return None;
        }
        let mut item = Self {
            no,
            key: *key,
            sku: spec.sku.clone(),
            settings: Arc::new(spec.settings.clone()),
            phase: Phase::Scheduled,
            stock: Stock::new(spec.total),
            revision: Revision(1),
            seq: Seq(1),
            now: first.at,
            freed_by: Seq(1),
            reservations: BlockList::new(),
            holds: 0,
            customers: Customers::new(key),
            waitlist: Waitlist::default(),
            timers: TimerWheel::new(first.at),
            books: Books::default(),
            bundled: Bundled::default(),
            idempotency: IdempotencyTable::default(),
        };
        item.remember(first);
        Some(item)
    }

    /// Applies the next event.
    ///
    /// # Panics
    /// If the event breaks an invariant: the log, or the code that wrote it, is wrong, and this item must stop.
    pub fn apply(&mut self, recorded: &Recorded) {
        assert_eq!(recorded.seq, self.seq.next(), "invariant 34: item {} misses an event", self.no);
        assert!(recorded.at >= self.now, "invariant 20: logged time of item {} runs backwards", self.no);
        self.seq = recorded.seq;
        self.now = recorded.at;
        self.change(&recorded.event);
        self.remember(recorded);
        self.check_after(&recorded.event);
    }

    fn remember(&mut self, recorded: &Recorded) {
        let Some(idempotency) = recorded.idempotency else { return };
        let acceptance = self.acceptance(recorded);
        self.idempotency.insert(idempotency.request, Entry { content: idempotency.content, acceptance });
    }

    fn change(&mut self, event: &Event) {
        match event {
            Event::ItemCreated { .. } => panic!("invariant 34: item {} is created twice", self.no),
            Event::ItemRevised { settings } => {
                self.settings = Arc::new((**settings).clone());
                self.revise_if(true);
            }
            Event::SaleOpened { by } => {
                self.enter_phase(Phase::Open);
                self.revise_if(*by == OpenedBy::Operator);
            }
            Event::SalePaused => {
                self.enter_phase(Phase::Paused);
                self.revise_if(true);
            }
            Event::SaleResumed => {
                self.enter_phase(Phase::Open);
                self.revise_if(true);
            }
            Event::SaleClosed { by, lapsed } => {
                self.close(*lapsed);
                self.revise_if(*by == ClosedBy::Operator);
            }
            Event::StockAdjusted { change, reason: _, total } => {
                let adjusted = self.stock.adjusted(*change).filter(|stock| stock.total() == *total);
                self.stock = adjusted.expect("invariant 1: a change of stock that does not add up");
                self.freed_by = self.seq;
                self.revise_if(true);
            }
            Event::HoldPlaced { reservation, customer, quantity, waitlist: _, deadline } => {
                self.enter(*reservation, customer, *quantity, ReservationState::Waiting);
                self.grant(*reservation, *deadline);
            }
            Event::WaitlistJoined { reservation, customer, quantity, position, available: _ } => {
                self.enter(*reservation, customer, *quantity, ReservationState::Waiting);
                self.join(*reservation, *position);
            }
            Event::PurchaseConfirmed { reservation, customer, quantity, capture, .. } => {
                self.enter(*reservation, customer, *quantity, sold(self.now));
                self.sell(*reservation, *quantity, capture.amount, Place::Available);
                let paid = PaymentEvent::Captured { capture: capture.clone(), amount_named: false };
                self.books.apply(*reservation, &paid, self.now);
            }
            Event::PartHeld { reservation, customer, quantity, bundle } => {
                self.enter(*reservation, customer, *quantity, ReservationState::Waiting);
                self.hold_part(*reservation, *bundle);
            }
            Event::PartSettled { reservation, bundle, decision, released } => {
                let of = self.bundled.bundle_of(*reservation);
                assert_eq!(of, Some(*bundle), "invariant 8: {reservation:?} is no part of {bundle}");
                self.settle_part(*reservation, *decision, *released);
            }
            Event::ReservationCancelled { reservation, released } => {
                self.end(*reservation, Change::Cancel, *released);
            }
            Event::HoldExpired { reservation, release_at, released } => {
                self.expire(*reservation, *release_at, *released);
            }
            Event::HoldExtended { reservation, deadline } => self.extend(*reservation, *deadline),
            Event::OrderPlaced { reservation, release_at, .. } => self.order(*reservation, *release_at),
            Event::Payment { reservation, event } => self.pay(*reservation, event),
            Event::HoldPromoted { reservation, deadline, because: _ } => self.promote(*reservation, *deadline),
            Event::WaitlistLapsed { reservation, reason } => {
                self.end(*reservation, Change::Lapse(*reason), Units::ZERO);
            }
            Event::ClockResumed { from: _, to: _, release_floor } => self.lift_releases(*release_floor),
        }
    }

    /// The revision is what operators compare before they change something: only what they do themselves counts.
    fn revise_if(&mut self, by_operator: bool) {
        if by_operator {
            self.revision = Revision(self.revision.0.saturating_add(1));
        }
    }

    fn enter_phase(&mut self, phase: Phase) {
        let legal = matches!(
            (self.phase, phase),
            (Phase::Scheduled, Phase::Open) | (Phase::Open, Phase::Paused) | (Phase::Paused, Phase::Open)
        );
        assert!(legal, "invariant 7: item {} goes from {} to {phase}", self.no, self.phase);
        self.phase = phase;
        self.freed_by = self.seq;
    }

    /// Everybody who waits lapses with this one step: their state is read through the phase from here on.
    fn close(&mut self, lapsed: u32) {
        assert!(self.phase != Phase::Closed, "invariant 7: item {} closes twice", self.no);
        assert_eq!(lapsed, self.waitlist.len(), "invariant 9: item {} miscounts who lapses", self.no);
        for owner in self.books.parked_owners() {
            if matches!(self.entry(owner).state, ReservationState::Waiting) {
                self.books.forsake(owner);
            }
        }
        self.phase = Phase::Closed;
        self.waitlist.clear();
    }

    pub(super) fn enter(
        &mut self,
        ordinal: Ordinal,
        customer: &CustomerId,
        quantity: Quantity,
        state: ReservationState,
    ) {
        assert_eq!(ordinal.0, self.reservation_count(), "invariant 11: item {} skips a reservation", self.no);
        let customer = self.customers.enter(customer);
        self.assert_within_limit(customer, quantity);
        self.reservations.push(Reservation { customer, quantity, accepted_at: self.now, changed: self.seq, state });
    }

    fn join(&mut self, ordinal: Ordinal, position: u32) {
        self.waitlist.join(ordinal.0);
        assert_eq!(position, self.waitlist.len(), "invariant 14: item {} miscounts a place in line", self.no);
        let quantity = self.entry(ordinal).quantity;
        self.customer_of(ordinal).waiting.add(quantity);
    }

    /// Sets units aside for a reservation that waits, if only for this instant.
    fn grant(&mut self, ordinal: Ordinal, deadline: Timestamp) {
        let timer = self.timers.arm(deadline, TimerKey(ordinal.0));
        let hold = Box::new(Hold::granted(deadline, &self.settings.policy, timer));
        let quantity = self.step(ordinal, Change::Promote(hold));
        self.stock.shift(quantity.units(), Place::Available, Place::Held);
        self.holds = add(self.holds, 1);
        self.customer_of(ordinal).held.add(quantity);
    }

    fn hold_part(&mut self, ordinal: Ordinal, bundle: crate::identity::BundleId) {
        let quantity = self.step(ordinal, Change::HoldPart);
        self.stock.shift(quantity.units(), Place::Available, Place::Held);
        self.customer_of(ordinal).held.add(quantity);
        self.bundled.note(ordinal, bundle);
    }

    fn settle_part(&mut self, ordinal: Ordinal, decision: PartDecision, released: Units) {
        let change = match decision {
            PartDecision::Sold => Change::Confirm,
            PartDecision::Expired => Change::Expire,
            PartDecision::Cancelled | PartDecision::Abandoned => Change::Cancel,
            PartDecision::Returned => return self.refund_units(ordinal, released),
        };
        let quantity = self.step(ordinal, change);
        self.no_longer_held(ordinal, quantity);
        if decision == PartDecision::Sold {
            assert_eq!(released, Units::ZERO, "invariant 6: {ordinal:?} releases what it sells");
            return self.sold_from(ordinal, quantity, Place::Held);
        }
        assert_eq!(released, quantity.units(), "invariant 6: {ordinal:?} releases what it was not granted");
        self.stock.shift(released, Place::Held, Place::Available);
        self.freed_by = self.seq;
    }

    fn promote(&mut self, ordinal: Ordinal, deadline: Timestamp) {
        assert_eq!(self.waitlist.head(), Some(ordinal.0), "invariant 14: item {} jumps the queue", self.no);
        self.leave(ordinal);
        self.grant(ordinal, deadline);
    }

    fn leave(&mut self, ordinal: Ordinal) {
        assert!(self.waitlist.leave(ordinal.0), "invariant 6: {ordinal:?} leaves a line it is not in");
        let quantity = self.entry(ordinal).quantity;
        self.customer_of(ordinal).waiting.sub(quantity);
    }

    /// Ends a hold or a wait. `released` is what the event says it set free.
    fn end(&mut self, ordinal: Ordinal, change: Change, released: Units) {
        let held = match &self.entry(ordinal).state {
            ReservationState::Held(hold) => Some(hold.timer),
            _ => None,
        };
        match held {
            Some(timer) => {
                self.timers.cancel(timer);
                self.release(ordinal);
            }
            None => self.leave(ordinal),
        }
        self.books.forsake(ordinal);
        let quantity = self.step(ordinal, change);
        let expected = if held.is_some() { quantity.units() } else { Units::ZERO };
        assert_eq!(released, expected, "invariant 6: {ordinal:?} releases what it was not granted");
    }

    fn release(&mut self, ordinal: Ordinal) {
        let quantity = self.entry(ordinal).quantity;
        self.stock.shift(quantity.units(), Place::Held, Place::Available);
        self.holds = sub(self.holds, 1);
        self.freed_by = self.seq;
        self.customer_of(ordinal).held.sub(quantity);
    }

    fn expire(&mut self, ordinal: Ordinal, release_at: Timestamp, released: Units) {
        assert!(self.now >= release_at, "invariant 18: {ordinal:?} expires early");
        if let ReservationState::Held(hold) = &self.entry(ordinal).state {
            assert_eq!(
                hold.release_at, release_at,
                "invariant 21: {ordinal:?} expires at another instant than its own"
            );
        }
        self.end(ordinal, Change::Expire, released);
        let (now, policy) = (self.now, self.settings.policy.cool_off);
        let customer = self.entry(ordinal).customer;
        self.customers.note_expiry(customer, now, policy);
    }

    fn extend(&mut self, ordinal: Ordinal, deadline: Timestamp) {
        let hold = self.hold(ordinal);
        assert!(deadline >= hold.deadline, "invariant 21: an extension shortens {ordinal:?}");
        hold.extension.times = hold.extension.times.saturating_sub(1);
        self.set_deadline(ordinal, deadline);
    }

    fn order(&mut self, ordinal: Ordinal, release_at: Timestamp) {
        let now = self.now;
        let hold = self.hold(ordinal);
        assert!(hold.ordered_at.is_none(), "invariant 8: {ordinal:?} is ordered twice");
        hold.ordered_at = Some(now);
        let deadline = hold.deadline;
        self.set_deadline(ordinal, deadline);
        let actual = self.hold(ordinal).release_at;
        assert_eq!(actual, release_at, "invariant 21: the grace of {ordinal:?} does not add up");
    }

    fn set_deadline(&mut self, ordinal: Ordinal, deadline: Timestamp) {
        let hold = self.hold(ordinal);
        hold.deadline = deadline;
        let (release_at, timer) = (hold.release_for(deadline), hold.timer);
        hold.release_at = release_at;
        self.timers.cancel(timer);
        let timer = self.timers.arm(release_at, TimerKey(ordinal.0));
        self.hold(ordinal).timer = timer;
        self.entry(ordinal).changed = self.seq;
    }

    fn lift_releases(&mut self, floor: Timestamp) {
        let early: Vec<Ordinal> = self
            .reservations_from(Ordinal(0))
            .filter(|(_, reservation)| matches!(&reservation.state, ReservationState::Held(hold) if hold.release_at < floor))
            .map(|(ordinal, _)| ordinal)
            .collect();
        for ordinal in early {
            let hold = self.hold(ordinal);
            let grace = if hold.ordered_at.is_some() { hold.grace.as_millis() } else { 0 };
            let deadline = Timestamp::from_millis(floor.as_millis().saturating_sub(grace));
            self.set_deadline(ordinal, deadline);
        }
    }

    pub(super) fn step(&mut self, ordinal: Ordinal, change: Change) -> Quantity {
        let (seq, now) = (self.seq, self.now);
        let entry = self.entry(ordinal);
        let from = std::mem::replace(&mut entry.state, ReservationState::Lapsed(LapseReason::SaleClosed));
        match from.after(change, now) {
            Ok(state) => entry.state = state,
            Err(illegal) => panic!("invariant 7: {ordinal:?} cannot {:?} from {:?}", illegal.change, illegal.from),
        }
        entry.changed = seq;
        entry.quantity
    }

    pub(super) fn entry(&mut self, ordinal: Ordinal) -> &mut Reservation {
        self.reservations.get_mut(ordinal.0 as usize).expect("invariant 11: the log names a reservation never accepted")
    }

    pub(super) fn hold(&mut self, ordinal: Ordinal) -> &mut Hold {
        match &mut self.entry(ordinal).state {
            ReservationState::Held(hold) => hold,
            other => panic!("invariant 7: {ordinal:?} is not held but {other:?}"),
        }
    }

    pub(super) fn customer_of(&mut self, ordinal: Ordinal) -> &mut super::Customer {
        let ix = self.entry(ordinal).customer;
        self.customers.get_mut(ix)
    }
}

pub(super) fn add(count: u32, by: u32) -> u32 {
    count.checked_add(by).expect("invariant 3: a count of units or holds overflows")
}

pub(super) fn sub(count: u32, by: u32) -> u32 {
    count.checked_sub(by).expect("invariant 3: a count of units or holds falls below zero")
}
