//! Money: what providers report, what they offer, and refunds (domain rules 8, 9 and 12).

use super::{AlreadySo, Decision, accept};
use crate::event::Event;
use crate::ids::{CaptureNo, Ordinal};
use crate::item::{Item, PARKED_TIMER, Reservation, ReservationState};
use crate::payment::judge::{Standing, Verdict, judge};
use crate::payment::{LateRefusal, Offer, PaymentEvent, PaymentReport, SettledBy, Settling};
use crate::planted::{self, Bug};
use crate::rejection::{EndedAs, Rejection};
use crate::text::Reason;
use crate::time::Timestamp;
use crate::units::Units;

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
        Verdict::Nothing => Ok(Decision::AlreadySo(AlreadySo::Reported(item.books().known_verdict(report)))),
    }
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
    let counted = item.customers().get(found.customer).counted(item.phase());
    let within = counted.checked_add(found.quantity.get()).is_some_and(|sum| sum <= policy.per_customer_limit.get());
    if !within {
        return Err(LateRefusal::CustomerLimit);
    }
    if !item.waitlist().is_empty() && !planted::is(Bug::LateMoneyOvertakes) {
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
        // Who waited when the sale closed has lapsed.
        ReservationState::Waiting
        | ReservationState::Part
        | ReservationState::Cancelled(_)
        | ReservationState::Expired(_)
        | ReservationState::Lapsed(_) => match item.ended(found) {
            Some(ended) => Err(Rejection::HoldExpired { ended }),
            None => Err(Rejection::StillWaiting),
        },
    }
}

pub(super) fn settle_refund(item: &Item, capture: CaptureNo, by: &SettledBy) -> Result<Decision, Rejection> {
    match item.books().settling(capture, by)? {
        Settling::Now(reservation, event) => Ok(accept(Event::Payment { reservation, event: Box::new(event) })),
        Settling::Already => Ok(Decision::AlreadySo(AlreadySo::Settled(capture))),
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
    let released = if return_units { found.quantity.units() } else { Units::ZERO };
    let event = Box::new(item.books().refunding(reservation, released, reason)?);
    Ok(accept(Event::Payment { reservation, event }))
}

/// Parked money that nobody can claim any more, because its reservation is over.
#[must_use]
pub fn next_unclaimed(item: &Item) -> Option<Event> {
    item.books().next_unclaimed().map(of_payment)
}

/// The window of a parked capture, by its timer's key.
pub(super) fn window_passed(item: &Item, key: u32) -> Option<Event> {
    if planted::is(Bug::ParkedForever) {
        return None;
    }
    item.books().window_passed(CaptureNo(key & !PARKED_TIMER)).map(of_payment)
}

/// What follows from a refund that the provider made by itself, for the next capture it concerns.
#[must_use]
pub fn next_given_back(item: &Item) -> Option<Event> {
    item.books().next_refund_made().map(of_payment)
}

fn of_payment((reservation, event): (Ordinal, PaymentEvent)) -> Event {
    Event::Payment { reservation, event: Box::new(event) }
}

#[cfg(test)]
#[path = "payment_tests.rs"]
mod tests;
