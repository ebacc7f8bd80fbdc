//! What time does by itself: sales open and close, holds expire, the line moves up. Each function tells the next
//! event, or that there is none; like `decide` they read and never change.

use super::payment::window_passed;
use crate::event::{ClosedBy, Event, LapseReason, OpenedBy};
use crate::ids::Ordinal;
use crate::item::{Item, PARKED_TIMER, Phase, ReservationState};
use crate::planted::{self, Bug};
use crate::time::{DurationMs, Timestamp};

/// The next change of phase that is due: opening before closing, then the close of a sold-out sale.
#[must_use]
pub fn next_due_change(item: &Item, now: Timestamp) -> Option<Event> {
    let settings = item.settings();
    let is_due = |instant: Option<Timestamp>| instant.is_some_and(|at| at <= now);
    if item.phase() == Phase::Scheduled && is_due(settings.opens_at) {
        return Some(Event::SaleOpened { by: OpenedBy::Schedule });
    }
    let by = match item.phase() {
        Phase::Scheduled | Phase::Open | Phase::Paused if is_due(settings.closes_at) => ClosedBy::Schedule,
        Phase::Open | Phase::Paused if settings.policy.close_when_sold && is_sold_out(item) => ClosedBy::SoldOut,
        Phase::Scheduled | Phase::Open | Phase::Paused | Phase::Closed => return None,
    };
    Some(Event::SaleClosed { by, lapsed: item.waiting_count() })
}

fn is_sold_out(item: &Item) -> bool {
    let stock = item.stock();
    stock.unsold() == 0 && stock.sold().get() > 0
}

/// The hold, or the window of parked money, that is due first, in the order of (instant, ordinal).
#[must_use]
pub fn next_expiry(item: &Item, now: Timestamp) -> Option<Event> {
    let due = item.timers().first_due()?.key.0;
    if due & PARKED_TIMER == 0 { expiry_of(item, Ordinal(due), now) } else { window_passed(item, due) }
}

/// The end of this very reservation, if it is a hold that is due: a command on it brings it forward (invariant 19).
pub(crate) fn expiry_of(item: &Item, reservation: Ordinal, now: Timestamp) -> Option<Event> {
    let found = item.reservation(reservation)?;
    let now = if planted::is(Bug::ExpiresEarly) { now.plus(DurationMs::from_secs(1)) } else { now };
    match &found.state {
        ReservationState::Held(hold) if planted::is(Bug::PaidAtTheDeadline) && hold.release_at == now => None,
        ReservationState::Held(hold) if hold.release_at <= now => {
            Some(Event::HoldExpired { reservation, release_at: hold.release_at, released: found.quantity.units() })
        }
        _ => None,
    }
}

/// What happens at the head of the line: a promotion, or the lapse of a head that can never be served. While the
/// head has to wait, nobody behind it is looked at.
#[must_use]
pub fn next_promotion(item: &Item, now: Timestamp) -> Option<Event> {
    if item.phase() != Phase::Open {
        return None;
    }
    let served_first =
        if planted::is(Bug::LineFromItsEnd) { item.waitlist().iter().last() } else { item.waitlist().head() };
    let reservation = Ordinal(served_first?);
    let wanted = item.reservation(reservation)?.quantity.units();
    if u64::from(wanted.get()) > item.stock().unsold() {
        return Some(Event::WaitlistLapsed { reservation, reason: LapseReason::CanNeverBeServed });
    }
    if wanted > item.stock().available() || planted::is(Bug::WakeUpSkipped) && wanted == item.stock().available() {
        return None;
    }
    let deadline = now.plus(item.settings().policy.hold_time);
    Some(Event::HoldPromoted { reservation, deadline, because: item.freed_by() })
}

/// After a restart: no hold is released before `resumed_at + grace`, because nobody could pay while the process was
/// down. `None` where no hold is so close to its end.
#[must_use]
pub fn clock_resumed(item: &Item, resumed_at: Timestamp, grace: DurationMs) -> Option<Event> {
    let release_floor = resumed_at.plus(grace);
    let is_close = item
        .reservations_from(Ordinal(0))
        .any(|(_, found)| matches!(&found.state, ReservationState::Held(hold) if hold.release_at < release_floor));
    (is_close && !planted::is(Bug::GraceForgotten)).then(|| Event::ClockResumed {
        from: item.now(),
        to: resumed_at,
        release_floor,
    })
}
