//! What the item tells of orders and their money.

use super::Item;
use super::reservation::{Ended, Reservation, ReservationState};
use crate::idempotency::Acceptance;
use crate::identity::OrderId;
use crate::ids::{CaptureNo, Ordinal};
use crate::payment::{MoneyPlace, PaymentEvent};
use crate::time::Timestamp;
use crate::views::{Body, CaptureFilter, CaptureView, OrderState, OrderView, PaymentVerdict};

impl Item {
    /// Since when an order is placed and what it is. Money may come for a reservation that was never ordered: what
    /// became of that is told as if there had been an order.
    pub(crate) fn order_of(&self, ordinal: Ordinal, reservation: &Reservation) -> Option<(Timestamp, OrderState)> {
        let unordered = || self.books.first_money_of(ordinal);
        match &reservation.state {
            ReservationState::Waiting if self.ended(reservation).is_none() => None,
            ReservationState::Part => None,
            ReservationState::Held(hold) => {
                Some((hold.ordered_at?, OrderState::AwaitingPayment { expires_at: hold.release_at }))
            }
            ReservationState::Confirmed(_) if self.bundled.bundle_of(ordinal).is_some() => None,
            ReservationState::Confirmed(sale) => Some((sale.ordered_at, self.books.paid_order(ordinal))),
            ReservationState::Waiting | ReservationState::Lapsed(_) => {
                Some((unordered()?, self.books.ended_order(ordinal, OrderState::Cancelled)))
            }
            ReservationState::Cancelled(Ended { ordered_at }) => {
                Some((ordered_at.or_else(unordered)?, self.books.ended_order(ordinal, OrderState::Cancelled)))
            }
            ReservationState::Expired(Ended { ordered_at }) => {
                Some((ordered_at.or_else(unordered)?, self.books.ended_order(ordinal, OrderState::Expired)))
            }
        }
    }

    /// A capture and its refund. `None` if there is none of this number.
    #[must_use]
    pub fn capture_view(&self, no: CaptureNo) -> Option<CaptureView> {
        let record = self.books.get(no)?.clone();
        Some(CaptureView { refund: self.refund_id(no), order: OrderId::of(self.id_of(record.owner)), record })
    }

    /// Every capture for a reservation that goes, or has gone, back.
    #[must_use]
    pub fn refunds_of(&self, ordinal: Ordinal) -> Vec<CaptureView> {
        self.books.going_back(ordinal).filter_map(|no| self.capture_view(no)).collect()
    }

    /// An order and the refund that a command led to. `paid`: how it stood then, if another payment had paid it.
    pub(super) fn order_with_refund(
        &self,
        ordinal: Ordinal,
        acceptance: &Acceptance,
        paid: Option<OrderState>,
        capture: CaptureNo,
    ) -> Option<Body> {
        let state = paid.unwrap_or(OrderState::RefundDue);
        let Body::Order(mut order) = self.order_then(ordinal, acceptance, state)? else { return None };
        // What was not paid then may have been paid since.
        order.capture = order.capture.filter(|_| paid.is_some());
        let mut refund = self.capture_view(capture)?;
        refund.record = refund.record.into_answered_when_due();
        Some(Body::Order(Box::new(OrderView { refunds: vec![refund], ..*order })))
    }

    /// The same where nothing had paid the order. Another payment may have been honoured since: the order it stands for
    /// was not there then.
    pub(super) fn unpaid_order_with_refund(
        &self,
        ordinal: Ordinal,
        acceptance: &Acceptance,
        capture: CaptureNo,
    ) -> Option<Body> {
        let told = self.order_with_refund(ordinal, acceptance, None, capture)?;
        let Body::Order(order) = told else { return None };
        // An order that is as old as the payment honoured for it was never placed: whoever places one has a hold, and
        // what is honoured late had lost it long ago.
        let honoured_at = self.books.paid_at(ordinal);
        let ordered_at = self.reservation(ordinal)?.state.ordered_at().filter(|placed| Some(*placed) != honoured_at);
        let placed_at = ordered_at.or_else(|| self.books.first_money_of(ordinal))?;
        Some(Body::Order(Box::new(OrderView { placed_at, ..*order })))
    }

    /// Whether any money went, or is to go, back, or is disputed.
    #[must_use]
    pub fn has_money_to_look_at(&self) -> bool {
        let all = (0..self.books.capture_count()).map(CaptureNo);
        let odd = |place: &MoneyPlace| matches!(place, MoneyPlace::Due { .. } | MoneyPlace::Refunded { .. });
        all.filter_map(|no| self.books.get(no)).any(|record| record.disputed || odd(&record.place))
    }

    /// A page of captures from `from` on, as [`Item::page`] gives one of reservations.
    #[must_use]
    pub fn captures(&self, filter: CaptureFilter, from: CaptureNo, limit: usize) -> Body {
        self.books.page(filter, from, limit, |no| self.capture_view(no))
    }

    /// What a report that led to `event` came to.
    #[must_use]
    pub fn verdict_of(event: &PaymentEvent) -> PaymentVerdict {
        match event {
            PaymentEvent::Captured { .. } => PaymentVerdict::Applied,
            PaymentEvent::LateHonoured { .. } => PaymentVerdict::Honoured,
            PaymentEvent::Parked { .. } => PaymentVerdict::Stored,
            PaymentEvent::RefundDue { reason, .. } => PaymentVerdict::RefundDue(*reason),
            PaymentEvent::Disputed { .. } => PaymentVerdict::Disputed,
            PaymentEvent::Offered { .. }
            | PaymentEvent::Failed { .. }
            | PaymentEvent::Unclaimed { .. }
            | PaymentEvent::Noted { .. }
            | PaymentEvent::RefundReported { .. }
            | PaymentEvent::OrderRefunded { .. }
            | PaymentEvent::RefundSettled { .. } => PaymentVerdict::Noted,
        }
    }
}
