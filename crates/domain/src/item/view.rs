//! What the item tells: its state now, and the answer to an accepted command with the values of that moment.

use super::reservation::{Reservation, ReservationState};
use super::{Item, Phase};
use crate::event::{Event, LapseReason, Recorded};
use crate::idempotency::{Acceptance, Answered, PaidThen};
use crate::identity::OrderId;
use crate::ids::{CaptureNo, Ordinal};
use crate::payment::{PaymentEvent, RefundReason};
use crate::planted::{self, Bug};
use crate::rejection::EndedAs;
use crate::text::CustomerId;
use crate::time::Timestamp;
use crate::units::Quantity;
use crate::views::{
    Answer, Body, CaptureView, ItemStatus, ItemView, OrderState, OrderSummary, OrderView, Origin, ReservationFilter,
    ReservationView, StateView,
};
use std::sync::Arc;

/// Reservations one page looks at, at most: a few hundred microseconds.
const PAGE_SCAN_MAX: usize = 4_096;

impl Item {
    /// How many units are where, now.
    #[must_use]
    pub fn status(&self) -> ItemStatus {
        ItemStatus {
            phase: self.phase,
            total: self.stock.total(),
            available: self.stock.available(),
            held: self.stock.held(),
            sold: self.stock.sold(),
            waiting: self.waitlist.len(),
            revision: self.revision,
        }
    }

    /// The item as everybody may see it.
    #[must_use]
    pub fn view(&self) -> ItemView {
        ItemView {
            sku: self.sku.clone(),
            status: self.status(),
            settings: Arc::clone(&self.settings),
            sequence: self.seq,
            at: self.now,
        }
    }

    /// What a reservation that is over ended as; waiting reservations of a closed item have lapsed.
    pub(crate) fn ended(&self, reservation: &Reservation) -> Option<EndedAs> {
        match &reservation.state {
            ReservationState::Waiting if self.phase == Phase::Closed => Some(EndedAs::Lapsed(LapseReason::SaleClosed)),
            state => state.ended(),
        }
    }

    fn state_view(&self, ordinal: Ordinal, reservation: &Reservation) -> StateView {
        match (self.ended(reservation), &reservation.state) {
            (Some(EndedAs::Confirmed), _) => StateView::Confirmed,
            (Some(EndedAs::Cancelled), _) => StateView::Cancelled,
            (Some(EndedAs::Expired), _) => StateView::Expired,
            (Some(EndedAs::Lapsed(reason)), _) => StateView::Lapsed(reason),
            (None, ReservationState::Part) => StateView::HeldInBundle,
            (None, ReservationState::Held(hold)) => StateView::Held { expires_at: hold.release_at },
            (None, _) => {
                let wrong = u32::from(planted::is(Bug::PositionGrows) && self.seq.0.is_multiple_of(2));
                let position = self.waitlist.position(ordinal.0).unwrap_or(1).saturating_add(wrong);
                StateView::Waiting { position, estimated_wait_s: self.estimated_wait_s(position) }
            }
        }
    }

    /// A rough guess, said to be one: all units there are turn over once a hold time.
    fn estimated_wait_s(&self, position: u32) -> u32 {
        let hold_s = self.settings.policy.hold_time.as_millis().div_ceil(1_000);
        let rounds = 1 + u64::from(position.saturating_sub(1)) / u64::from(self.stock.total().get().max(1));
        u32::try_from(hold_s.saturating_mul(rounds)).unwrap_or(u32::MAX)
    }

    fn order_summary(&self, ordinal: Ordinal, quantity: Quantity, state: OrderState) -> OrderSummary {
        let amount = self.price_of(quantity);
        OrderSummary { id: OrderId::of(self.id_of(ordinal)), state, amount }
    }

    /// A reservation as it is now. `None` if there is none.
    #[must_use]
    pub fn reservation_view(&self, ordinal: Ordinal, at: Timestamp) -> Option<ReservationView> {
        let reservation = self.reservation(ordinal)?;
        let order = self.order_of(ordinal, reservation);
        Some(ReservationView {
            id: self.id_of(ordinal),
            sku: self.sku.clone(),
            customer: self.customers.id(reservation.customer),
            quantity: reservation.quantity,
            state: self.state_view(ordinal, reservation),
            created_at: reservation.accepted_at,
            sequence: self.seq,
            changed: reservation.changed,
            at,
            order: order.map(|(_, state)| self.order_summary(ordinal, reservation.quantity, state)),
            bundle: self.bundled.bundle_of(ordinal),
        })
    }

    /// The order of a reservation as it is now. `None` if there is none.
    #[must_use]
    pub fn order_view(&self, ordinal: Ordinal, at: Timestamp) -> Option<OrderView> {
        let reservation = self.reservation(ordinal)?;
        let (placed_at, state) = self.order_of(ordinal, reservation)?;
        Some(OrderView {
            summary: self.order_summary(ordinal, reservation.quantity, state),
            sku: self.sku.clone(),
            customer: self.customers.id(reservation.customer),
            quantity: reservation.quantity,
            placed_at,
            capture: self.books.paid_with(ordinal),
            payment: self.books.payment_view(ordinal, state),
            refunds: self.refunds_of(ordinal),
            sequence: self.seq,
            changed: reservation.changed,
            at,
        })
    }

    /// What the command behind `recorded`, the event just applied, led to.
    #[must_use]
    pub fn acceptance(&self, recorded: &Recorded) -> Acceptance {
        let answered = match &recorded.event {
            Event::HoldPlaced { reservation, .. }
            | Event::HoldPromoted { reservation, .. }
            | Event::HoldExtended { reservation, .. }
            | Event::WaitlistJoined { reservation, .. }
            | Event::HoldExpired { reservation, .. }
            | Event::PartHeld { reservation, .. }
            | Event::PartSettled { reservation, .. }
            | Event::WaitlistLapsed { reservation, .. } => self.answered_reservation(*reservation),
            Event::ReservationCancelled { reservation, .. } => Answered::Cancelled { reservation: *reservation },
            Event::OrderPlaced { reservation, release_at, amount, .. } => {
                if self.books.parked_of(*reservation).any(|record| record.capture.amount == *amount) {
                    // The next event of the same command pays it.
                    Answered::Paid { reservation: *reservation }
                } else {
                    Answered::Ordered { reservation: *reservation, expires_at: *release_at }
                }
            }
            Event::PurchaseConfirmed { reservation, .. } => Answered::Paid { reservation: *reservation },
            Event::Payment { reservation, event } => self.answered_payment(*reservation, event),
            Event::ItemCreated { .. }
            | Event::ItemRevised { .. }
            | Event::SaleOpened { .. }
            | Event::SalePaused
            | Event::SaleResumed
            | Event::SaleClosed { .. }
            | Event::StockAdjusted { .. }
            | Event::ClockResumed { .. } => Answered::Item(Box::new(self.view())),
        };
        Acceptance { seq: recorded.seq, at: recorded.at, answered }
    }

    fn answered_payment(&self, reservation: Ordinal, event: &PaymentEvent) -> Answered {
        match event {
            PaymentEvent::RefundDue { capture, reason, .. } => {
                let known = self.books.find(capture.provider, &capture.payment);
                let capture = known.map_or(CaptureNo(0), |known| known.no);
                let had_paid = *reason == RefundReason::SecondCapture;
                let paid = had_paid.then(|| PaidThen::of(self.books.paid_order(reservation)));
                Answered::RefundDue { reservation, capture, paid }
            }
            PaymentEvent::OrderRefunded { capture, .. } => Answered::Refunded { reservation, capture: *capture },
            PaymentEvent::RefundSettled { capture, .. } => Answered::Settled { capture: *capture },
            PaymentEvent::Captured { .. }
            | PaymentEvent::LateHonoured { .. }
            | PaymentEvent::Offered { .. }
            | PaymentEvent::Failed { .. }
            | PaymentEvent::Parked { .. }
            | PaymentEvent::Unclaimed { .. }
            | PaymentEvent::Noted { .. }
            | PaymentEvent::Disputed { .. }
            | PaymentEvent::RefundReported { .. } => Answered::Paid { reservation },
        }
    }

    fn answered_reservation(&self, reservation: Ordinal) -> Answered {
        let Some(found) = self.reservation(reservation) else { return Answered::Item(Box::new(self.view())) };
        match &found.state {
            ReservationState::Held(hold) => {
                Answered::Held { reservation, expires_at: hold.release_at, ordered_at: hold.ordered_at }
            }
            _ => {
                let position = self.waitlist.position(reservation.0).unwrap_or(1);
                Answered::Waiting { reservation, position, estimated_wait_s: self.estimated_wait_s(position) }
            }
        }
    }

    /// The answer to an accepted command, with the values of the moment of acceptance. The first answer and every
    /// later one under the same key are built here, from the same facts, so they cannot differ.
    #[must_use]
    pub fn answer_of(&self, acceptance: &Acceptance, origin: Origin) -> Option<Answer> {
        let body = match &acceptance.answered {
            Answered::Held { reservation, expires_at, ordered_at } => {
                let order = ordered_at.map(|_| OrderState::AwaitingPayment { expires_at: *expires_at });
                self.reservation_then(*reservation, acceptance, StateView::Held { expires_at: *expires_at }, order)?
            }
            Answered::Waiting { reservation, position, estimated_wait_s } => {
                let state = StateView::Waiting { position: *position, estimated_wait_s: *estimated_wait_s };
                self.reservation_then(*reservation, acceptance, state, None)?
            }
            Answered::Cancelled { reservation } => {
                let entry = self.reservation(*reservation)?;
                let ordered = matches!(&entry.state, ReservationState::Cancelled(ended) if ended.ordered_at.is_some());
                let order = ordered.then_some(OrderState::Cancelled);
                self.reservation_then(*reservation, acceptance, StateView::Cancelled, order)?
            }
            Answered::Ordered { reservation, expires_at } => {
                self.order_then(*reservation, acceptance, OrderState::AwaitingPayment { expires_at: *expires_at })?
            }
            Answered::Paid { reservation } => self.order_then(*reservation, acceptance, OrderState::Paid)?,
            Answered::RefundDue { reservation, capture, paid: Some(then) } => {
                self.order_with_refund(*reservation, acceptance, Some((*then).into()), *capture)?
            }
            Answered::RefundDue { reservation, capture, paid: None } => {
                self.unpaid_order_with_refund(*reservation, acceptance, *capture)?
            }
            Answered::Refunded { reservation, capture } => {
                self.order_with_refund(*reservation, acceptance, Some(OrderState::RefundDue), *capture)?
            }
            Answered::Settled { capture } => {
                let view = self.capture_view(*capture)?;
                Body::Refund(Box::new(CaptureView { record: view.record.into_answered(), ..view }))
            }
            Answered::Item(view) => Body::Item(view.clone()),
        };
        Some(Answer { body, origin })
    }

    /// Whether the reservation exists and is this customer's.
    #[must_use]
    pub fn is_of(&self, ordinal: Ordinal, customer: &CustomerId) -> bool {
        self.reservation(ordinal).is_some_and(|found| self.customers.is(found.customer, customer))
    }

    /// A page of reservations from `from` on. It ends at `limit` hits or after 4,096 reservations looked
    /// at, whichever comes first, so that a rare state in a large item never stops the shop.
    #[must_use]
    pub fn page(&self, filter: ReservationFilter, from: Ordinal, limit: usize, at: Timestamp) -> Body {
        let mut page = Vec::new();
        let mut next = None;
        for (looked_at, (ordinal, _)) in self.reservations_from(from).enumerate() {
            if page.len() >= limit || looked_at >= PAGE_SCAN_MAX {
                next = Some(ordinal);
                break;
            }
            page.extend(self.reservation_view(ordinal, at).filter(|view| filter.admits(&view.state)));
        }
        Body::Reservations { page, next }
    }

    fn reservation_then(
        &self,
        ordinal: Ordinal,
        acceptance: &Acceptance,
        state: StateView,
        order: Option<OrderState>,
    ) -> Option<Body> {
        let now = self.reservation_view(ordinal, acceptance.at)?;
        Some(Body::Reservation(Box::new(ReservationView {
            state,
            sequence: acceptance.seq,
            changed: acceptance.seq,
            order: order.map(|state| self.order_summary(ordinal, now.quantity, state)),
            ..now
        })))
    }

    pub(super) fn order_then(&self, ordinal: Ordinal, acceptance: &Acceptance, state: OrderState) -> Option<Body> {
        let now = self.order_view(ordinal, acceptance.at)?;
        let paid = matches!(state, OrderState::Paid | OrderState::RefundDue | OrderState::Refunded);
        Some(Body::Order(Box::new(OrderView {
            summary: OrderSummary { state, ..now.summary },
            capture: now.capture.filter(|_| paid),
            // What was offered, and what went back, is told by reads; an answer tells what its command did.
            payment: None,
            refunds: Vec::new(),
            sequence: acceptance.seq,
            changed: acceptance.seq,
            ..now
        })))
    }
}
