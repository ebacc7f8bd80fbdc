//! What everybody who asks for units has to pass before stock is looked at: phase, quantity, limit, cool-off, in this
//! order (domain rule 1).

use super::newcomer::{is_free, on_sale, within_limit};
use crate::item::Item;
use crate::rejection::Rejection;
use crate::text::CustomerId;
use crate::time::Timestamp;
use crate::units::Quantity;

pub(super) fn admit(item: &Item, customer: &CustomerId, quantity: Quantity, now: Timestamp) -> Result<(), Rejection> {
    on_sale(&item.status(), item.settings(), quantity)?;
    let known = item.customers().find(customer);
    let existing = known.map_or(0, |customer| item.customers().get(customer).counted(item.phase()));
    within_limit(existing, item.settings(), quantity)?;
    if let Some(until) = known.map(|customer| item.customers().cooling_until(customer)).filter(|&until| until > now) {
        return Err(Rejection::CoolingOff { until });
    }
    if item.is_full() {
        return Err(Rejection::ItemFull);
    }
    Ok(())
}

/// Whether a newcomer can be given units at once.
pub(super) fn is_free_for_newcomers(item: &Item, quantity: Quantity) -> bool {
    is_free(&item.status(), quantity)
}

/// Why there is nothing for a newcomer right now.
pub(super) fn shortage(item: &Item, quantity: Quantity) -> Rejection {
    super::newcomer::shortage(&item.status(), quantity)
}
