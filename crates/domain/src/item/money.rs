//! `apply`, the part about money: what payment events mean for units and reservations. Where the money is, the books
//! say.

use super::Item;
use super::reservation::{Change, ReservationState};
use super::stock::Place;
use crate::ids::{CaptureNo, Ordinal};
use crate::money::Money;
use crate::payment::PaymentEvent;
use crate::time::Timestamp;
use crate::units::{Quantity, Units};
use crate::wheel::TimerKey;

/// Marks the timer of a parked capture's window among those of holds: ordinals never reach this bit.
pub(crate) const PARKED_TIMER: u32 = 1 << 31;

const _: () = assert!(crate::limits::RESERVATIONS_PER_ITEM_MAX < PARKED_TIMER);
const _: () = assert!(crate::limits::CAPTURES_PER_STREAM_MAX <= PARKED_TIMER);

impl Item {
    pub(super) fn pay(&mut self, ordinal: Ordinal, event: &PaymentEvent) {
        match event {
            PaymentEvent::Captured { capture, .. } => {
                self.claim(capture);
                self.confirm(ordinal, capture.amount);
            }
            PaymentEvent::LateHonoured { capture, .. } => {
                self.claim(capture);
                self.honour(ordinal, capture.amount);
            }
            PaymentEvent::RefundDue { capture, .. } => self.claim(capture),
            PaymentEvent::Unclaimed { capture, .. } => {
                if let Some(timer) = self.books.take_timer_of(*capture) {
                    self.timers.cancel(timer);
                }
            }
            PaymentEvent::OrderRefunded { capture, released, by: _ } => {
                let owner = self.books.record(*capture).owner;
                assert_eq!(owner, ordinal, "invariant 26: {capture:?} is refunded for another order");
                self.refund_units(ordinal, *released);
            }
            PaymentEvent::Offered { .. }
            | PaymentEvent::Failed { .. }
            | PaymentEvent::Parked { .. }
            | PaymentEvent::Noted { .. }
            | PaymentEvent::Disputed { .. }
            | PaymentEvent::RefundReported { .. }
            | PaymentEvent::RefundSettled { .. } => {}
        }
        self.books.apply(ordinal, event, self.now);
        if let PaymentEvent::Parked { capture: _, until } = event {
            self.arm_window(CaptureNo(self.books.capture_count() - 1), *until);
        }
        let seq = self.seq;
        self.entry(ordinal).changed = seq;
    }

    pub(super) fn arm_window(&mut self, no: CaptureNo, until: Timestamp) {
        let timer = self.timers.arm(until, TimerKey(PARKED_TIMER | no.0));
        self.books.set_timer(no, timer);
    }

    /// If this money was parked, its window is over.
    fn claim(&mut self, capture: &crate::payment::Capture) {
        if let Some(timer) = self.books.take_timer(capture) {
            self.timers.cancel(timer);
        }
    }

    fn confirm(&mut self, ordinal: Ordinal, amount: Money) {
        let hold = self.hold(ordinal);
        assert!(hold.ordered_at.is_some(), "invariant 8: {ordinal:?} is paid without an order");
        let (timer, release_at) = (hold.timer, hold.release_at);
        assert!(self.now < release_at, "invariant 25: {ordinal:?} is paid after its time");
        self.timers.cancel(timer);
        let quantity = self.step(ordinal, Change::Confirm);
        self.holds = super::apply::sub(self.holds, 1);
        self.no_longer_held(ordinal, quantity);
        self.sell(ordinal, quantity, amount, Place::Held);
    }

    fn honour(&mut self, ordinal: Ordinal, amount: Money) {
        assert!(self.waitlist.is_empty(), "invariant 15: {ordinal:?} is honoured late though others wait");
        let customer = self.entry(ordinal).customer;
        let quantity = self.step(ordinal, Change::Honour);
        self.assert_within_limit(customer, quantity);
        self.sell(ordinal, quantity, amount, Place::Available);
    }

    pub(super) fn no_longer_held(&mut self, ordinal: Ordinal, quantity: Quantity) {
        self.customer_of(ordinal).held.sub(quantity);
    }

    pub(super) fn sell(&mut self, ordinal: Ordinal, quantity: Quantity, amount: Money, from: Place) {
        let price = self.settings.unit_price.times(quantity);
        assert_eq!(Some(amount), price, "invariant 25: {ordinal:?} is sold for another price");
        self.sold_from(ordinal, quantity, from);
    }

    pub(super) fn sold_from(&mut self, ordinal: Ordinal, quantity: Quantity, from: Place) {
        self.stock.shift(quantity.units(), from, Place::Sold);
        let customer = self.customer_of(ordinal);
        customer.sold.add(quantity);
        customer.expiries_in_row = 0;
    }

    /// A refund of sold units: they return to stock, or stay sold.
    pub(super) fn refund_units(&mut self, ordinal: Ordinal, released: Units) {
        if released == Units::ZERO {
            let sold = matches!(self.entry(ordinal).state, ReservationState::Confirmed(_));
            assert!(sold, "invariant 26: {ordinal:?} is refunded though it was not sold");
            return;
        }
        let quantity = self.step(ordinal, Change::Return);
        assert_eq!(quantity.units(), released, "invariant 6: {ordinal:?} returns what it did not have");
        self.stock.shift(released, Place::Sold, Place::Available);
        self.freed_by = self.seq;
        self.customer_of(ordinal).sold.sub(quantity);
    }
}
