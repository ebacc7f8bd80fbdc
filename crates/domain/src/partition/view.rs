//! What a partition tells of its bundles: their state now, and the answer to an accepted command with the values of
//! that moment.

use super::bundle::{Bundle, BundleEnded, BundleState};
use super::{BundleClaim, Partition};
use crate::event::{PartitionEvent, Recorded};
use crate::idempotency::{Acceptance, PaidThen};
use crate::identity::OrderId;
use crate::ids::{CaptureNo, Ordinal};
use crate::payment::{PaymentEvent, RefundReason};
use crate::rejection::EndedAs;
use crate::time::Timestamp;
use crate::views::{
    Answer, Body, BundleOrderView, BundleStateView, BundleView, CaptureFilter, CaptureView, OrderState, OrderSummary,
    Origin,
};

/// What was answered, as far as it cannot be looked up later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleAnswered {
    /// A bundle that is held until then.
    Held {
        /// Which.
        bundle: Ordinal,
        /// Until when.
        expires_at: Timestamp,
    },
    /// A bundle that was cancelled.
    Cancelled {
        /// Which.
        bundle: Ordinal,
    },
    /// An order that waits for its payment until then.
    Ordered {
        /// Whose.
        bundle: Ordinal,
        /// Until when a payment is in time.
        expires_at: Timestamp,
    },
    /// An order that is paid.
    Paid {
        /// Whose.
        bundle: Ordinal,
    },
    /// Money that was reported for an order, but has no right to units.
    RefundDue {
        /// Whose order.
        bundle: Ordinal,
        /// Which capture.
        capture: CaptureNo,
        /// What the order was by then, if another payment had paid it.
        paid: Option<PaidThen>,
    },
    /// A refund that was settled.
    Settled {
        /// Of which capture.
        capture: CaptureNo,
    },
    /// A paid order whose money goes back.
    Refunded {
        /// Whose order.
        bundle: Ordinal,
        /// Which capture.
        capture: CaptureNo,
    },
}

impl Bundle {
    pub(crate) const fn ended(&self) -> Option<EndedAs> {
        match &self.state {
            BundleState::Held(_) => None,
            BundleState::Confirmed(_) => Some(EndedAs::Confirmed),
            BundleState::Cancelled(_) => Some(EndedAs::Cancelled),
            BundleState::Expired(_) => Some(EndedAs::Expired),
        }
    }
}

impl Partition {
    pub(crate) fn is_of(&self, claim: &BundleClaim) -> bool {
        self.find_bundle(claim.bundle).is_some_and(|(_, found)| found.held.customer == claim.customer)
    }

    /// Since when an order is placed and what it is, as for a reservation's.
    pub(crate) fn order_of(&self, ordinal: Ordinal, found: &Bundle) -> Option<(Timestamp, OrderState)> {
        let unordered = || self.books.first_money_of(ordinal);
        match &found.state {
            BundleState::Held(hold) => {
                Some((hold.ordered_at?, OrderState::AwaitingPayment { expires_at: hold.release_at }))
            }
            BundleState::Confirmed(sale) => Some((sale.ordered_at, self.books.paid_order(ordinal))),
            BundleState::Cancelled(BundleEnded { ordered_at }) => {
                Some((ordered_at.or_else(unordered)?, self.books.ended_order(ordinal, OrderState::Cancelled)))
            }
            BundleState::Expired(BundleEnded { ordered_at }) => {
                Some((ordered_at.or_else(unordered)?, self.books.ended_order(ordinal, OrderState::Expired)))
            }
        }
    }

    fn summary(found: &Bundle, state: OrderState) -> OrderSummary {
        OrderSummary { id: OrderId::of_bundle(found.held.id), state, amount: found.amount }
    }

    /// A bundle as it is now. `None` if there is none.
    #[must_use]
    pub fn bundle_view(&self, ordinal: Ordinal, at: Timestamp) -> Option<BundleView> {
        let found = self.bundle(ordinal)?;
        let state = match &found.state {
            BundleState::Held(hold) => BundleStateView::Held { expires_at: hold.release_at },
            BundleState::Confirmed(_) => BundleStateView::Confirmed,
            BundleState::Cancelled(_) => BundleStateView::Cancelled,
            BundleState::Expired(_) => BundleStateView::Expired,
        };
        Some(BundleView {
            id: found.held.id,
            customer: found.held.customer.clone(),
            state,
            lines: found.held.lines.clone(),
            amount: found.amount,
            created_at: found.accepted_at,
            order: self.order_of(ordinal, found).map(|(_, state)| Self::summary(found, state)),
            sequence: self.seq,
            changed: found.changed,
            at,
        })
    }

    /// The order of a bundle as it is now. `None` if there is none.
    #[must_use]
    pub fn bundle_order_view(&self, ordinal: Ordinal, at: Timestamp) -> Option<BundleOrderView> {
        let found = self.bundle(ordinal)?;
        let (placed_at, state) = self.order_of(ordinal, found)?;
        Some(BundleOrderView {
            summary: Self::summary(found, state),
            bundle: found.held.id,
            customer: found.held.customer.clone(),
            lines: found.held.lines.clone(),
            provider: found.held.terms.provider,
            placed_at,
            capture: self.books.paid_with(ordinal),
            payment: self.books.payment_view(ordinal, state),
            refunds: self.books.going_back(ordinal).filter_map(|no| self.capture_view(no)).collect(),
            sequence: self.seq,
            changed: found.changed,
            at,
        })
    }

    /// A capture and its refund. `None` if there is none of this number.
    #[must_use]
    pub fn capture_view(&self, no: CaptureNo) -> Option<CaptureView> {
        let record = self.books.get(no)?.clone();
        let owner = self.bundle(record.owner)?;
        Some(CaptureView { refund: self.refund_id(no)?, order: OrderId::of_bundle(owner.held.id), record })
    }

    /// A page of captures from `from` on, as an item gives one.
    #[must_use]
    pub fn captures(&self, filter: CaptureFilter, from: CaptureNo, limit: usize) -> Body {
        self.books.page(filter, from, limit, |no| self.capture_view(no))
    }

    /// A page of reports of orders never issued, from number `from` on.
    #[must_use]
    pub fn unmatched_page(&self, from: u32, limit: usize) -> Body {
        let mut rest = self.unmatched.iter().skip(from as usize);
        let page: Vec<_> = rest.by_ref().take(limit).cloned().collect();
        // The list is bounded far below 2^32.
        let next = rest.next().map(|_| from.saturating_add(page.len() as u32));
        Body::Unmatched { page, next }
    }

    /// What the command behind `recorded`, the event just applied, led to. `None` where it is no command's first.
    #[must_use]
    pub fn acceptance(&self, recorded: &Recorded<PartitionEvent>) -> Option<Acceptance<BundleAnswered>> {
        let answered = match &recorded.event {
            PartitionEvent::BundleHeld { bundle, deadline, .. } => {
                BundleAnswered::Held { bundle: *bundle, expires_at: *deadline }
            }
            PartitionEvent::BundleOrdered { bundle, amount, release_at, .. } => {
                if self.books.parked_of(*bundle).any(|record| record.capture.amount == *amount) {
                    // The next event of the same command pays it.
                    BundleAnswered::Paid { bundle: *bundle }
                } else {
                    BundleAnswered::Ordered { bundle: *bundle, expires_at: *release_at }
                }
            }
            PartitionEvent::BundleCancelled { bundle } => BundleAnswered::Cancelled { bundle: *bundle },
            PartitionEvent::Payment { bundle, event } => self.answered_payment(*bundle, event),
            PartitionEvent::ItemRegistered { .. }
            | PartitionEvent::PartitionKeyed { .. }
            | PartitionEvent::BundleExpired { .. }
            | PartitionEvent::PaymentUnmatched { .. }
            | PartitionEvent::Endpoint { .. }
            | PartitionEvent::ClockResumed { .. } => return None,
        };
        Some(Acceptance { seq: recorded.seq, at: recorded.at, answered })
    }

    fn answered_payment(&self, bundle: Ordinal, event: &PaymentEvent) -> BundleAnswered {
        match event {
            PaymentEvent::RefundDue { capture, reason, .. } => {
                let known = self.books.find(capture.provider, &capture.payment);
                let capture = known.map_or(CaptureNo(0), |known| known.no);
                let had_paid = *reason == RefundReason::SecondCapture;
                let paid = had_paid.then(|| PaidThen::of(self.books.paid_order(bundle)));
                BundleAnswered::RefundDue { bundle, capture, paid }
            }
            PaymentEvent::OrderRefunded { capture, .. } => BundleAnswered::Refunded { bundle, capture: *capture },
            PaymentEvent::RefundSettled { capture, .. } => BundleAnswered::Settled { capture: *capture },
            PaymentEvent::Captured { .. }
            | PaymentEvent::LateHonoured { .. }
            | PaymentEvent::Offered { .. }
            | PaymentEvent::Failed { .. }
            | PaymentEvent::Parked { .. }
            | PaymentEvent::Unclaimed { .. }
            | PaymentEvent::Noted { .. }
            | PaymentEvent::Disputed { .. }
            | PaymentEvent::RefundReported { .. } => BundleAnswered::Paid { bundle },
        }
    }

    /// The answer to an accepted command, with the values of the moment of acceptance: the first and every later one.
    #[must_use]
    pub fn answer_of(&self, acceptance: &Acceptance<BundleAnswered>, origin: Origin) -> Option<Answer> {
        let body = match acceptance.answered {
            BundleAnswered::Held { bundle, expires_at } => {
                self.bundle_then(bundle, acceptance, BundleStateView::Held { expires_at }, None)?
            }
            BundleAnswered::Cancelled { bundle } => {
                let BundleState::Cancelled(ended) = self.bundle(bundle)?.state else { return None };
                let order = ended.ordered_at.map(|_| OrderState::Cancelled);
                self.bundle_then(bundle, acceptance, BundleStateView::Cancelled, order)?
            }
            BundleAnswered::Ordered { bundle, expires_at } => {
                self.order_then(bundle, acceptance, OrderState::AwaitingPayment { expires_at })?
            }
            BundleAnswered::Paid { bundle } => self.order_then(bundle, acceptance, OrderState::Paid)?,
            BundleAnswered::RefundDue { bundle, capture, paid } => {
                self.order_with_refund(bundle, acceptance, paid.map(OrderState::from), capture)?
            }
            BundleAnswered::Refunded { bundle, capture } => {
                self.order_with_refund(bundle, acceptance, Some(OrderState::RefundDue), capture)?
            }
            BundleAnswered::Settled { capture } => {
                let view = self.capture_view(capture)?;
                Body::Refund(Box::new(CaptureView { record: view.record.into_answered(), ..view }))
            }
        };
        Some(Answer { body, origin })
    }

    fn bundle_then(
        &self,
        ordinal: Ordinal,
        acceptance: &Acceptance<BundleAnswered>,
        state: BundleStateView,
        order: Option<OrderState>,
    ) -> Option<Body> {
        let found = self.bundle(ordinal)?;
        let now = self.bundle_view(ordinal, acceptance.at)?;
        Some(Body::Bundle(Box::new(BundleView {
            state,
            order: order.map(|state| Self::summary(found, state)),
            sequence: acceptance.seq,
            changed: acceptance.seq,
            ..now
        })))
    }

    fn order_then(&self, ordinal: Ordinal, acceptance: &Acceptance<BundleAnswered>, state: OrderState) -> Option<Body> {
        let now = self.bundle_order_view(ordinal, acceptance.at)?;
        let paid = matches!(state, OrderState::Paid | OrderState::RefundDue | OrderState::Refunded);
        Some(Body::BundleOrder(Box::new(BundleOrderView {
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

    /// An order and the refund that a command led to. `paid`: how it stood then, if another payment had paid it.
    fn order_with_refund(
        &self,
        ordinal: Ordinal,
        acceptance: &Acceptance<BundleAnswered>,
        paid: Option<OrderState>,
        capture: CaptureNo,
    ) -> Option<Body> {
        let state = paid.unwrap_or(OrderState::RefundDue);
        let Body::BundleOrder(mut order) = self.order_then(ordinal, acceptance, state)? else { return None };
        order.capture = order.capture.filter(|_| paid.is_some());
        let mut refund = self.capture_view(capture)?;
        refund.record = refund.record.into_answered_when_due();
        Some(Body::BundleOrder(Box::new(BundleOrderView { refunds: vec![refund], ..*order })))
    }
}
