//! Money: what providers report, what they offer, and refunds (domain rules 8, 9 and 12).

use super::{AlreadySo, Decision, accept};
use crate::event::Event;
use crate::ids::{CaptureNo, Ordinal};
use crate::item::{Item, PARKED_TIMER, Reservation, ReservationState};
use crate::payment::judge::{Standing, Verdict, judge};
use crate::payment::{
    CaptureRecord, LateRefusal, MoneyPlace, Offer, PaymentEvent, PaymentReport, RefundedBy, SettledBy, Told,
    UnclaimedBecause,
};
use crate::rejection::{EndedAs, NotRefundable, Rejection};
use crate::text::Reason;
use crate::time::Timestamp;
use crate::units::Units;
use crate::views::PaymentVerdict;

/// A provider's report. It is verified, so it is never refused: the worst is that nothing follows from it.
pub(super) fn record(
    item: &Item,
    reservation: Ordinal,
    report: &PaymentReport,
    now: Timestamp,
) -> Result<Decision, Rejection> {
    let found = item.reservation(reservation).ok_or(Rejection::NotFound)?;
    if item.books().is_full() {
        return Err(Rejection::ItemFull);
    }
    let standing = standing(item, reservation, found, now);
    match judge(item.books(), reservation, standing, item.price_of(found.quantity), report) {
        Verdict::New(event) => Ok(accept(Event::Payment { reservation, event })),
        Verdict::Nothing => Ok(Decision::AlreadySo(AlreadySo::Reported(known_verdict(item, report)))),
    }
}

/// What a report that changes nothing is answered: money that still waits is stored, all else is known.
fn known_verdict(item: &Item, report: &PaymentReport) -> PaymentVerdict {
    let known = item.books().find(report.provider, &report.payment);
    let waits = known.is_some_and(|known| matches!(known.record.place, MoneyPlace::Parked { .. }));
    if waits && matches!(report.told, Told::Captured(_)) { PaymentVerdict::Stored } else { PaymentVerdict::Duplicate }
}

/// How an order stands when money for it arrives at `now`.
pub(super) fn standing(item: &Item, ordinal: Ordinal, found: &Reservation, now: Timestamp) -> Standing {
    if item.bundled().bundle_of(ordinal).is_some() {
        return Standing::Ended(Err(LateRefusal::Bundle));
    }
    match (item.ended(found), &found.state) {
        (Some(EndedAs::Confirmed), _) => Standing::Paid,
        (Some(EndedAs::Expired), _) => Standing::Ended(may_honour(item, found)),
        (Some(EndedAs::Cancelled), _) => Standing::Ended(Err(LateRefusal::Cancelled)),
        (Some(EndedAs::Lapsed(_)), _) => Standing::Ended(Err(LateRefusal::Lapsed)),
        (None, ReservationState::Held(hold)) if hold.ordered_at.is_some() => Standing::Awaiting,
        (None, _) => Standing::NotPlaced { park_until: now.plus(item.settings().policy.payments.parked_window) },
    }
}

/// The ladder's question: can a sale whose hold has expired be granted anew and sold at once?
fn may_honour(item: &Item, found: &Reservation) -> Result<(), LateRefusal> {
    let policy = &item.settings().policy;
    if !policy.payments.honour_late {
        return Err(LateRefusal::Policy);
    }
    let counted = item.customers().get(found.customer).counted(item.phase() == crate::item::Phase::Closed);
    let within = counted.checked_add(found.quantity.get()).is_some_and(|sum| sum <= policy.per_customer_limit.get());
    if !within {
        return Err(LateRefusal::CustomerLimit);
    }
    if !item.waitlist().is_empty() {
        return Err(LateRefusal::OthersWait);
    }
    if item.stock().available() < found.quantity.units() { Err(LateRefusal::NoStock) } else { Ok(()) }
}

pub(super) fn offer(item: &Item, reservation: Ordinal, offer: &Offer) -> Result<Decision, Rejection> {
    let found = item.reservation(reservation).ok_or(Rejection::NotFound)?;
    if let Some(bundle) = item.bundled().bundle_of(reservation) {
        return Err(Rejection::PartOfBundle { bundle });
    }
    let known = item.books().order(reservation).and_then(|book| book.offer.as_ref());
    if known == Some(offer) {
        return Ok(Decision::AlreadySo(AlreadySo::Ordered));
    }
    match &found.state {
        ReservationState::Held(hold) if hold.ordered_at.is_some() => {
            let Offer { provider, payment, client } = offer.clone();
            let event = Box::new(PaymentEvent::Offered { provider, payment, client });
            Ok(accept(Event::Payment { reservation, event }))
        }
        ReservationState::Held(_) => Err(Rejection::NotFound),
        ReservationState::Confirmed(_) => Err(Rejection::HoldAlreadyUsed),
        ReservationState::Waiting => Err(Rejection::StillWaiting),
        ReservationState::Part
        | ReservationState::Cancelled(_)
        | ReservationState::Expired(_)
        | ReservationState::Lapsed(_) => Err(Rejection::HoldExpired),
    }
}

pub(super) fn settle_refund(item: &Item, capture: CaptureNo, by: &SettledBy) -> Result<Decision, Rejection> {
    let record = item.books().get(capture).ok_or(Rejection::NotFound)?;
    match record.place {
        MoneyPlace::Due { .. } => {
            let event = Box::new(PaymentEvent::RefundSettled { capture, by: by.clone() });
            Ok(accept(Event::Payment { reservation: record.owner, event }))
        }
        MoneyPlace::Refunded { .. } => Ok(Decision::AlreadySo(AlreadySo::Settled(capture))),
        MoneyPlace::Parked { .. } | MoneyPlace::Kept => Err(Rejection::NotRefundable { reason: NotRefundable::NotDue }),
    }
}

pub(super) fn refund_order(
    item: &Item,
    reservation: Ordinal,
    return_units: bool,
    reason: &Reason,
) -> Result<Decision, Rejection> {
    let found = item.reservation(reservation).ok_or(Rejection::NotFound)?;
    if let Some(bundle) = item.bundled().bundle_of(reservation) {
        return Err(Rejection::PartOfBundle { bundle });
    }
    if let Some(kept) = item.books().kept_of(reservation) {
        let released = if return_units { found.quantity.units() } else { Units::ZERO };
        let by = RefundedBy::Operator { reason: reason.clone() };
        let event = Box::new(PaymentEvent::OrderRefunded { capture: kept.no, released, by });
        return Ok(accept(Event::Payment { reservation, event }));
    }
    let paid_once = item.books().captures_of(reservation).any(|known| known.record.paid_its_order());
    let reason = if paid_once { NotRefundable::Already } else { NotRefundable::NotPaid };
    Err(Rejection::NotRefundable { reason })
}

/// Parked money that nobody can claim any more, because its reservation is over.
#[must_use]
pub fn next_unclaimed(item: &Item) -> Option<Event> {
    let known = item.books().next_forsaken()?;
    Some(unclaimed(known.no, known.record, UnclaimedBecause::ReservationEnded))
}

/// The window of a parked capture, by its timer's key.
pub(super) fn window_passed(item: &Item, key: u32) -> Option<Event> {
    let no = CaptureNo(key & !PARKED_TIMER);
    Some(unclaimed(no, item.books().get(no)?, UnclaimedBecause::WindowPassed))
}

fn unclaimed(capture: CaptureNo, record: &CaptureRecord, because: UnclaimedBecause) -> Event {
    Event::Payment { reservation: record.owner, event: Box::new(PaymentEvent::Unclaimed { capture, because }) }
}

/// What follows from a refund that the provider made by itself, for the next capture it concerns.
#[must_use]
pub fn next_given_back(item: &Item) -> Option<Event> {
    let known = item.books().next_given_back()?;
    let (reservation, capture) = (known.record.owner, known.no);
    let event = match known.record.place {
        MoneyPlace::Kept => PaymentEvent::OrderRefunded { capture, released: Units::ZERO, by: RefundedBy::Provider },
        MoneyPlace::Due { .. } => PaymentEvent::RefundSettled { capture, by: SettledBy::Report },
        MoneyPlace::Parked { .. } | MoneyPlace::Refunded { .. } => return None,
    };
    Some(Event::Payment { reservation, event: Box::new(event) })
}

#[cfg(test)]
#[path = "payment_tests.rs"]
mod tests;
