//! What the item tells of orders and their money.

use super::Item;
use super::reservation::{Ended, Reservation, ReservationState};
use crate::idempotency::Acceptance;
use crate::identity::OrderId;
use crate::ids::{CaptureNo, Ordinal};
use crate::payment::{MoneyPlace, PaymentEvent};
use crate::time::Timestamp;
use crate::views::{Body, CaptureFilter, CaptureView, OfferStatus, OrderState, OrderView, PaymentVerdict, PaymentView};

/// Captures one page looks at, at most: a few hundred microseconds.
const PAGE_SCAN_MAX: usize = 4_096;

impl Item {
    /// Since when an order is placed and what it is. Money may come for a reservation that was never ordered: what
    /// became of that is told as if there had been an order.
    pub(crate) fn order_of(&self, ordinal: Ordinal, reservation: &Reservation) -> Option<(Timestamp, OrderState)> {
        let unordered = || self.first_settled_capture(ordinal);
        match &reservation.state {
            ReservationState::Waiting if self.ended(reservation).is_none() => None,
            ReservationState::Part => None,
            ReservationState::Held(hold) => {
                Some((hold.ordered_at?, OrderState::AwaitingPayment { expires_at: hold.release_at }))
            }
            ReservationState::Confirmed(_) if self.bundled.bundle_of(ordinal).is_some() => None,
            ReservationState::Confirmed(sale) => Some((sale.ordered_at, self.paid_order(ordinal))),
            ReservationState::Waiting | ReservationState::Lapsed(_) => {
                Some((unordered()?, self.ended_order(ordinal, OrderState::Cancelled)))
            }
            ReservationState::Cancelled(Ended { ordered_at }) => {
                Some((ordered_at.or_else(unordered)?, self.ended_order(ordinal, OrderState::Cancelled)))
            }
            ReservationState::Expired(Ended { ordered_at }) => {
                Some((ordered_at.or_else(unordered)?, self.ended_order(ordinal, OrderState::Expired)))
            }
        }
    }

    fn first_settled_capture(&self, ordinal: Ordinal) -> Option<Timestamp> {
        let settled = |place: &MoneyPlace| !matches!(place, MoneyPlace::Parked { .. });
        self.books.captures_of(ordinal).find_map(|known| settled(&known.record.place).then_some(known.record.at))
    }

    /// A paid order shows a refund only if it was refunded itself; a surplus capture leaves it paid.
    fn paid_order(&self, ordinal: Ordinal) -> OrderState {
        match self.books.captures_of(ordinal).find(|known| known.record.paid_its_order()) {
            Some(known) if known.record.is_refunded() => OrderState::Refunded,
            Some(known) if known.record.place != MoneyPlace::Kept => OrderState::RefundDue,
            Some(_) | None => OrderState::Paid,
        }
    }

    /// An order that ended without goods shows what happens to money that came for it.
    fn ended_order(&self, ordinal: Ordinal, otherwise: OrderState) -> OrderState {
        let mut state = otherwise;
        for known in self.books.captures_of(ordinal) {
            match known.record.place {
                MoneyPlace::Due { .. } => return OrderState::RefundDue,
                MoneyPlace::Refunded { .. } => state = OrderState::Refunded,
                MoneyPlace::Parked { .. } | MoneyPlace::Kept => {}
            }
        }
        state
    }

    pub(super) fn payment_view(&self, ordinal: Ordinal, state: OrderState) -> Option<PaymentView> {
        let offer = self.books.order(ordinal)?.offer.clone()?;
        let status = match state {
            OrderState::AwaitingPayment { .. } => OfferStatus::Open,
            OrderState::Paid => OfferStatus::Paid,
            OrderState::Cancelled | OrderState::Expired | OrderState::RefundDue | OrderState::Refunded => {
                OfferStatus::Over
            }
        };
        Some(PaymentView { offer, status })
    }

    /// A capture and its refund. `None` if there is none of this number.
    #[must_use]
    pub fn capture_view(&self, no: CaptureNo) -> Option<CaptureView> {
        let record = self.books.get(no)?.clone();
        Some(CaptureView { refund: self.refund_id(no), order: OrderId::of(self.id_of(record.owner)), record })
    }

    pub(super) fn refunds_of(&self, ordinal: Ordinal) -> Vec<CaptureView> {
        let goes_back = |place: &MoneyPlace| matches!(place, MoneyPlace::Due { .. } | MoneyPlace::Refunded { .. });
        let captures = self.books.captures_of(ordinal).filter(|known| goes_back(&known.record.place));
        captures.filter_map(|known| self.capture_view(known.no)).collect()
    }

    pub(super) fn order_with_refund(
        &self,
        ordinal: Ordinal,
        acceptance: &Acceptance,
        state: OrderState,
        capture: CaptureNo,
    ) -> Option<Body> {
        let Body::Order(order) = self.order_then(ordinal, acceptance, state)? else { return None };
        let mut refund = self.capture_view(capture)?;
        if let MoneyPlace::Refunded { reason, since, .. } = refund.record.place {
            // As it was when the answer was given first.
            refund.record.place = MoneyPlace::Due { reason, since };
        }
        Some(Body::Order(Box::new(OrderView { refunds: vec![refund], ..*order })))
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
        let due = || self.books.due().skip_while(|no| *no < from).collect::<Vec<_>>();
        let numbers: Vec<CaptureNo> = match filter {
            CaptureFilter::Due => due(),
            CaptureFilter::All | CaptureFilter::Refunded | CaptureFilter::Disputed => {
                (from.0..self.books.capture_count()).map(CaptureNo).take(PAGE_SCAN_MAX + 1).collect()
            }
        };
        let (mut page, mut next) = (Vec::new(), None);
        for (looked_at, no) in numbers.into_iter().enumerate() {
            if page.len() >= limit || looked_at >= PAGE_SCAN_MAX {
                next = Some(no);
                break;
            }
            page.extend(self.capture_view(no).filter(|view| filter.admits(&view.record)));
        }
        Body::Captures { page, next }
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
