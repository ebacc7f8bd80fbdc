//! What rule 1 says to a newcomer by what everybody may see of an item: its status and its settings.
//!
//! The item's own judgement asks these questions, and so does whoever looks at it from outside, by its published view.

use crate::command::WaitlistChoice;
use crate::item::Phase;
use crate::planted::{self, Bug};
use crate::policy::Settings;
use crate::rejection::Rejection;
use crate::units::Quantity;
use crate::views::{ItemStatus, ItemView};

/// Phase, then quantity.
pub(super) fn on_sale(status: &ItemStatus, settings: &Settings, quantity: Quantity) -> Result<(), Rejection> {
    match status.phase {
        Phase::Open => {}
        Phase::Scheduled => return Err(Rejection::SaleNotStarted { opens_at: settings.opens_at }),
        Phase::Paused if planted::is(Bug::PausedStillSells) => {}
        Phase::Paused => return Err(Rejection::SalePaused),
        Phase::Closed => return Err(Rejection::SaleClosed),
    }
    let max = settings.policy.per_order_max;
    if quantity > max { Err(Rejection::QuantityAboveMaximum { max }) } else { Ok(()) }
}

/// The limit, for one who counts `existing` units already.
pub(super) fn within_limit(existing: u32, settings: &Settings, quantity: Quantity) -> Result<(), Rejection> {
    let limit = settings.policy.per_customer_limit;
    if existing.saturating_add(quantity.get()) > limit.get() {
        return Err(Rejection::CustomerLimitReached { limit, existing });
    }
    Ok(())
}

/// Whether units can be given at once: enough are free and nobody waits for them (invariant 15).
pub(super) fn is_free(status: &ItemStatus, quantity: Quantity) -> bool {
    let nobody_waits = planted::is(Bug::NewcomerOvertakes) || status.waiting == 0;
    nobody_waits && status.available >= quantity.units()
}

/// Why there is nothing right now.
pub(super) fn shortage(status: &ItemStatus, quantity: Quantity) -> Rejection {
    let available = status.available;
    // Free units that people wait for are not on offer: to a newcomer that is sold out.
    if available.get() == 0 || status.waiting > 0 {
        Rejection::SoldOut
    } else {
        Rejection::InsufficientStock { available, is_final: is_beyond(status, quantity) }
    }
}

/// Whether more is asked for than is left unsold. What is sold comes back only by an operator's hand.
fn is_beyond(status: &ItemStatus, quantity: Quantity) -> bool {
    u64::from(quantity.get()) > unsold(status)
}

fn unsold(status: &ItemStatus) -> u64 {
    u64::from(status.available.get()) + u64::from(status.held.get())
}

/// The place in line of whoever joins it where nothing is free.
pub(super) fn place_in_line(
    status: &ItemStatus,
    settings: &Settings,
    quantity: Quantity,
    waitlist: WaitlistChoice,
) -> Result<u32, Rejection> {
    let line = settings.policy.waitlist;
    if !line.enabled || waitlist == WaitlistChoice::Decline {
        return Err(shortage(status, quantity));
    }
    if is_beyond(status, quantity) {
        // Nobody joins a line whose end they can never reach.
        let available = status.available;
        let insufficient = Rejection::InsufficientStock { available, is_final: true };
        return Err(if unsold(status) == 0 { Rejection::SoldOut } else { insufficient });
    }
    if status.waiting >= line.capacity {
        return Err(Rejection::WaitlistFull { capacity: line.capacity });
    }
    // Below the capacity, so one more fits.
    Ok(status.waiting.saturating_add(1))
}

impl ItemView {
    /// What a reserve is refused with, as of this view, if it comes from a customer of whom the item has never accepted
    /// anything. `None` where it would be accepted. Two things are not seen from outside: what is due by now, and that the
    /// item is at a bound of its own ([`crate::item::Item::is_at_a_bound`]).
    #[must_use]
    pub fn refusal_of_newcomer(&self, quantity: Quantity, waitlist: WaitlistChoice) -> Option<Rejection> {
        let (status, settings) = (&self.status, &*self.settings);
        on_sale(status, settings, quantity)
            .and_then(|()| within_limit(0, settings, quantity))
            .and_then(|()| match is_free(status, quantity) {
                true => Ok(()),
                false => place_in_line(status, settings, quantity, waitlist).map(drop),
            })
            .err()
    }

    /// What anybody's wish for so many units at once is refused with, as of this view, as far as phase, largest quantity
    /// and stock tell: what only the item knows (who has how many, who is cooling off) is not asked here.
    #[must_use]
    pub fn refusal_at_once(&self, quantity: Quantity) -> Option<Rejection> {
        let status = &self.status;
        on_sale(status, &self.settings, quantity)
            .and_then(|()| if is_free(status, quantity) { Ok(()) } else { Err(shortage(status, quantity)) })
            .err()
    }
}
