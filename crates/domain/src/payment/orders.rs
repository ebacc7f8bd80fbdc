//! What the books say of an order, for views and decisions alike: the same for an item's orders and a bundle's.

use super::books::{Books, Known};
use super::event::{PaymentEvent, SettledBy, UnclaimedBecause};
use super::{Capture, MoneyPlace, PaymentReport, RefundedBy, Told};
use crate::ids::{CaptureNo, Ordinal};
use crate::rejection::{NotRefundable, Rejection};
use crate::text::Reason;
use crate::time::Timestamp;
use crate::units::Units;
use crate::views::{Body, CaptureFilter, CaptureView, OfferStatus, OrderState, PaymentVerdict, PaymentView};

/// Captures one page looks at, at most: a few hundred microseconds.
const PAGE_SCAN_MAX: usize = 4_096;

/// What settling a refund comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settling {
    /// This event, of this order's owner.
    Now(Ordinal, PaymentEvent),
    /// It is settled.
    Already,
}

impl Books {
    /// When the first money came, if any of it does not wait. The first stays the first, so this is the same in an answer
    /// and whenever that is given again.
    pub(crate) fn first_money_of(&self, owner: Ordinal) -> Option<Timestamp> {
        let waits = |known: Known<'_>| matches!(known.record.place, MoneyPlace::Parked { .. });
        if self.captures_of(owner).all(waits) { None } else { Some(self.captures_of(owner).next()?.record.at) }
    }

    /// When the payment came that paid the order.
    pub(crate) fn paid_at(&self, owner: Ordinal) -> Option<Timestamp> {
        self.captures_of(owner).find(|known| known.record.paid_its_order()).map(|known| known.record.at)
    }

    /// A paid order shows a refund only if it was refunded itself; a surplus capture leaves it paid.
    pub(crate) fn paid_order(&self, owner: Ordinal) -> OrderState {
        match self.captures_of(owner).find(|known| known.record.paid_its_order()) {
            Some(known) if known.record.is_refunded() => OrderState::Refunded,
            Some(known) if known.record.place != MoneyPlace::Kept => OrderState::RefundDue,
            Some(_) | None => OrderState::Paid,
        }
    }

    /// An order that ended without goods shows what happens to money that came for it.
    pub(crate) fn ended_order(&self, owner: Ordinal, otherwise: OrderState) -> OrderState {
        let mut state = otherwise;
        for known in self.captures_of(owner) {
            match known.record.place {
                MoneyPlace::Due { .. } => return OrderState::RefundDue,
                MoneyPlace::Refunded { .. } => state = OrderState::Refunded,
                MoneyPlace::Parked { .. } | MoneyPlace::Kept => {}
            }
        }
        state
    }

    /// The latest opportunity to pay an order that is in this state.
    pub(crate) fn payment_view(&self, owner: Ordinal, state: OrderState) -> Option<PaymentView> {
        let offer = self.order(owner)?.offer.clone()?;
        let status = match state {
            OrderState::AwaitingPayment { .. } => OfferStatus::Open,
            OrderState::Paid => OfferStatus::Paid,
            OrderState::Cancelled | OrderState::Expired | OrderState::RefundDue | OrderState::Refunded => {
                OfferStatus::Over
            }
        };
        Some(PaymentView { offer, status })
    }

    /// The money that paid the order.
    pub(crate) fn paid_with(&self, owner: Ordinal) -> Option<Capture> {
        self.captures_of(owner).find_map(|known| known.record.paid_its_order().then(|| known.record.capture.clone()))
    }

    /// Captures that go, or have gone, back.
    pub(crate) fn going_back(&self, owner: Ordinal) -> impl Iterator<Item = CaptureNo> {
        let goes_back = |place: &MoneyPlace| matches!(place, MoneyPlace::Due { .. } | MoneyPlace::Refunded { .. });
        self.captures_of(owner).filter(move |known| goes_back(&known.record.place)).map(|known| known.no)
    }

    /// A page of captures from `from` on: at most `limit` that the filter admits, and so many looked at.
    pub(crate) fn page(
        &self,
        filter: CaptureFilter,
        from: CaptureNo,
        limit: usize,
        view: impl Fn(CaptureNo) -> Option<CaptureView>,
    ) -> Body {
        let numbers: Vec<CaptureNo> = match filter {
            CaptureFilter::Due => self.due().skip_while(|no| *no < from).collect(),
            CaptureFilter::All | CaptureFilter::Refunded | CaptureFilter::Disputed => {
                (from.0..self.capture_count()).map(CaptureNo).take(PAGE_SCAN_MAX + 1).collect()
            }
        };
        let (mut page, mut next) = (Vec::new(), None);
        for (looked_at, no) in numbers.into_iter().enumerate() {
            if page.len() >= limit || looked_at >= PAGE_SCAN_MAX {
                next = Some(no);
                break;
            }
            page.extend(view(no).filter(|view| filter.admits(&view.record)));
        }
        Body::Captures { page, next }
    }

    /// What a report that changes nothing is answered: money that still waits is stored, all else is known.
    pub(crate) fn known_verdict(&self, report: &PaymentReport) -> PaymentVerdict {
        let known = self.find(report.provider, &report.payment);
        let waits = known.is_some_and(|known| matches!(known.record.place, MoneyPlace::Parked { .. }));
        if waits && matches!(report.told, Told::Captured(_)) {
            PaymentVerdict::Stored
        } else {
            PaymentVerdict::Duplicate
        }
    }

    /// A refund that was due is done.
    pub(crate) fn settling(&self, capture: CaptureNo, by: &SettledBy) -> Result<Settling, Rejection> {
        let record = self.get(capture).ok_or(Rejection::NotFound)?;
        match record.place {
            MoneyPlace::Due { .. } => {
                Ok(Settling::Now(record.owner, PaymentEvent::RefundSettled { capture, by: by.clone() }))
            }
            MoneyPlace::Refunded { .. } => Ok(Settling::Already),
            MoneyPlace::Parked { .. } | MoneyPlace::Kept => {
                Err(Rejection::NotRefundable { reason: NotRefundable::NotDue })
            }
        }
    }

    /// An operator gives back the money of a paid order; `released` are the units that return to stock.
    pub(crate) fn refunding(
        &self,
        owner: Ordinal,
        released: Units,
        reason: &Reason,
    ) -> Result<PaymentEvent, Rejection> {
        if let Some(kept) = self.kept_of(owner) {
            let by = RefundedBy::Operator { reason: reason.clone() };
            return Ok(PaymentEvent::OrderRefunded { capture: kept.no, released, by });
        }
        let paid_once = self.captures_of(owner).any(|known| known.record.paid_its_order());
        let reason = if paid_once { NotRefundable::Already } else { NotRefundable::NotPaid };
        Err(Rejection::NotRefundable { reason })
    }

    /// Parked money that nobody can claim any more, because its owner is over.
    pub(crate) fn next_unclaimed(&self) -> Option<(Ordinal, PaymentEvent)> {
        let Known { no, record } = self.next_forsaken()?;
        let because = UnclaimedBecause::ReservationEnded;
        Some((record.owner, PaymentEvent::Unclaimed { capture: no, because }))
    }

    /// The window of a parked capture has passed.
    pub(crate) fn window_passed(&self, no: CaptureNo) -> Option<(Ordinal, PaymentEvent)> {
        let because = UnclaimedBecause::WindowPassed;
        Some((self.get(no)?.owner, PaymentEvent::Unclaimed { capture: no, because }))
    }

    /// What follows from a refund that the provider made by itself, for the next capture it concerns.
    pub(crate) fn next_refund_made(&self) -> Option<(Ordinal, PaymentEvent)> {
        let Known { no: capture, record } = self.next_given_back()?;
        let event = match record.place {
            MoneyPlace::Kept => {
                PaymentEvent::OrderRefunded { capture, released: Units::ZERO, by: RefundedBy::Provider }
            }
            MoneyPlace::Due { .. } => PaymentEvent::RefundSettled { capture, by: SettledBy::Report },
            MoneyPlace::Parked { .. } | MoneyPlace::Refunded { .. } => return None,
        };
        Some((record.owner, event))
    }
}
