//! What every newcomer has to pass before stock is looked at: phase, quantity, limit, cool-off, in this order
//! (domain rule 1).

use crate::item::{Item, Phase};
use crate::limits::RESERVATIONS_PER_ITEM_MAX;
use crate::planted::{self, Bug};
use crate::rejection::Rejection;
use crate::text::CustomerId;
use crate::time::Timestamp;
use crate::units::Quantity;

pub(super) fn admit(item: &Item, customer: &CustomerId, quantity: Quantity, now: Timestamp) -> Result<(), Rejection> {
    match item.phase() {
        Phase::Open => {}
        Phase::Scheduled => return Err(Rejection::SaleNotStarted { opens_at: item.settings().opens_at }),
        Phase::Paused if planted::is(Bug::PausedStillSells) => {}
        Phase::Paused => return Err(Rejection::SalePaused),
        Phase::Closed => return Err(Rejection::SaleClosed),
    }
    let policy = &item.settings().policy;
    if quantity > policy.per_order_max {
        return Err(Rejection::QuantityAboveMaximum { max: policy.per_order_max });
    }
    let known = item.customers().find(customer);
    let existing = known.map_or(0, |customer| item.customers().get(customer).counted(item.phase()));
    let limit = policy.per_customer_limit;
    if existing.saturating_add(quantity.get()) > limit.get() {
        return Err(Rejection::CustomerLimitReached { limit, existing });
    }
    if let Some(until) = known.map(|customer| item.customers().cooling_until(customer)).filter(|&until| until > now) {
        return Err(Rejection::CoolingOff { until });
    }
    if item.reservation_count() >= RESERVATIONS_PER_ITEM_MAX {
        return Err(Rejection::ItemFull);
    }
    Ok(())
}

/// Whether a newcomer can be given units at once: enough are free and nobody waits for them (invariant 15).
pub(super) fn is_free_for_newcomers(item: &Item, quantity: Quantity) -> bool {
    let nobody_waits = planted::is(Bug::NewcomerOvertakes) || item.waitlist().is_empty();
    nobody_waits && item.stock().available() >= quantity.units()
}

/// Why there is nothing for a newcomer right now.
pub(super) fn shortage(item: &Item) -> Rejection {
    let available = item.stock().available();
    // Free units that people wait for are not on offer: to a newcomer that is sold out.
    if available.get() == 0 || !item.waitlist().is_empty() {
        Rejection::SoldOut
    } else {
        Rejection::InsufficientStock { available }
    }
}
