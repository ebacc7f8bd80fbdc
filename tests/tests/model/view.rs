//! What the books would have the item tell of itself.

use domain::ids::Ordinal;
use domain::payment::{CaptureRecord, MoneyPlace};
use domain::time::Timestamp;
use domain::views::{OfferStatus, OrderState, StateView};

use crate::book::{Book, Order, Payment, State};
use crate::told::{CaptureTold, ItemTold, OrderTold, ReservationTold, Told};

fn small(count: usize) -> u32 {
    u32::try_from(count).expect("a model is small")
}

impl Book {
    pub(crate) fn item(&self) -> ItemTold {
        ItemTold {
            phase: self.phase,
            counts: [self.total, self.available(), self.held(), self.sold(), small(self.line().len())],
            revision: self.revision,
            settings: self.settings.clone(),
            at: Timestamp::from_millis(self.logged),
        }
    }

    pub(crate) fn state_of(&self, no: usize) -> StateView {
        match &self.reservations[no].state {
            State::Waiting => {
                let ahead = self.line().iter().position(|&waits| waits == no).expect("it waits");
                StateView::Waiting { position: small(ahead) + 1, estimated_wait_s: 0 }
            }
            State::Held(_) => {
                let release_at = self.reservations[no].release_at().expect("it is held");
                StateView::Held { expires_at: Timestamp::from_millis(release_at) }
            }
            State::HeldInBundle => StateView::HeldInBundle,
            State::Confirmed => StateView::Confirmed,
            State::Cancelled => StateView::Cancelled,
            State::Expired => StateView::Expired,
            State::Lapsed(reason) => StateView::Lapsed(*reason),
        }
    }

    pub(crate) fn order_state(&self, no: usize) -> OrderState {
        let one = &self.reservations[no];
        let whole = self.payments_of(no);
        let refunds = || whole.iter().map(|&payment| &self.payments[payment]).filter(|payment| payment.goes_back());
        let is_due = |place: &MoneyPlace| matches!(place, MoneyPlace::Due { .. });
        match one.state {
            State::Confirmed => match self.paid_by(no).map(|payment| &self.payments[payment]) {
                Some(paid) if is_due(&paid.place) => OrderState::RefundDue,
                Some(paid) if paid.goes_back() => OrderState::Refunded,
                Some(_) | None => OrderState::Paid,
            },
            State::Waiting | State::Held(_) | State::HeldInBundle => {
                let release_at = one.release_at().expect("an order is of a hold");
                OrderState::AwaitingPayment { expires_at: Timestamp::from_millis(release_at) }
            }
            State::Cancelled | State::Expired | State::Lapsed(_) => {
                if refunds().any(|payment| is_due(&payment.place)) {
                    OrderState::RefundDue
                } else if refunds().next().is_some() {
                    OrderState::Refunded
                } else if matches!(one.state, State::Cancelled | State::Lapsed(_)) {
                    OrderState::Cancelled
                } else {
                    OrderState::Expired
                }
            }
        }
    }

    /// Its order. What became of money for something never ordered is told, once that is over, as if it had been.
    pub(crate) fn order_of(&self, no: usize) -> Option<Order> {
        let one = &self.reservations[no];
        let is_over = !one.is_live() && !matches!(one.state, State::Confirmed);
        one.order.or_else(|| {
            let its: Vec<_> = self.payments_of(no).into_iter().map(|payment| &self.payments[payment]).collect();
            let waits = its.iter().all(|payment| matches!(payment.place, MoneyPlace::Parked { .. }));
            let first = its.first().filter(|_| is_over && !waits)?;
            Some(Order { placed_at: first.at, amount: self.price_of(one.quantity) })
        })
    }

    pub(crate) fn reservation(&self, no: usize) -> ReservationTold {
        let one = &self.reservations[no];
        ReservationTold {
            no: small(no),
            customer: one.customer.clone(),
            quantity: one.quantity,
            state: self.state_of(no),
            created_at: Timestamp::from_millis(one.since),
            at: self.at(),
            order: self.order_of(no).map(|order| (self.order_state(no), order.amount)),
            bundle: one.bundle,
        }
    }

    pub(crate) fn order(&self, no: usize) -> Option<OrderTold> {
        let one = &self.reservations[no];
        let order = self.order_of(no)?;
        let state = self.order_state(no);
        let status = match state {
            OrderState::AwaitingPayment { .. } => OfferStatus::Open,
            OrderState::Paid => OfferStatus::Paid,
            OrderState::Cancelled | OrderState::Expired | OrderState::RefundDue | OrderState::Refunded => {
                OfferStatus::Over
            }
        };
        let back = self.payments_of(no).into_iter().filter(|&payment| self.payments[payment].goes_back());
        Some(OrderTold {
            no: small(no),
            state,
            amount: order.amount,
            customer: one.customer.clone(),
            quantity: one.quantity,
            placed_at: Timestamp::from_millis(order.placed_at),
            capture: self.paid_by(no).map(|payment| self.payments[payment].capture.clone()),
            payment: one.offer.clone().map(|offer| (offer, status)),
            refunds: back.map(|payment| self.capture(payment)).collect(),
            at: self.at(),
        })
    }

    /// The order as it is, in an answer to what changed it: of refunds it tells that which the command led to, and of
    /// opportunities to pay nothing; the rest is told by reads.
    pub(crate) fn order_answer(&self, no: usize, refund: Option<usize>) -> Told {
        let order = self.order(no).expect("it has one");
        let refunds = refund.map(|payment| self.capture_answer(payment)).into_iter().collect();
        Told::Order(OrderTold { payment: None, refunds, ..order })
    }

    /// Money in an answer to a command: without what was said of it besides, so that the answer stays what it was.
    pub(crate) fn capture_answer(&self, no: usize) -> CaptureTold {
        let mut told = self.capture(no);
        let record = &mut told.record;
        (record.payer, record.reports, record.disputed) = (record.capture.provider, 0, false);
        told
    }

    pub(crate) fn capture(&self, no: usize) -> CaptureTold {
        let payment = &self.payments[no];
        let record = CaptureRecord {
            owner: Ordinal(small(payment.owner)),
            capture: payment.capture.clone(),
            at: Timestamp::from_millis(payment.at),
            place: payment.place.clone(),
            payer: payment.payer,
            reports: u8::try_from(payment.noted.len()).expect("at most eight"),
            disputed: payment.disputed,
        };
        CaptureTold { no: small(no), record }
    }
}

impl Payment {
    pub(crate) fn goes_back(&self) -> bool {
        matches!(self.place, MoneyPlace::Due { .. } | MoneyPlace::Refunded { .. })
    }
}
