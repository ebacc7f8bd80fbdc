//! A look at an item from outside: whether it would refuse a part, as far as what it has published tells.

use crate::item::Phase;
use crate::rejection::Rejection;
use crate::units::Quantity;
use crate::views::ItemView;

/// Why the item would refuse a part of so many units. `None` where it seems that it would not: what only the item
/// knows (who has how many, who is cooling off) is not asked here.
#[must_use]
pub fn seen_from_outside(view: &ItemView, quantity: Quantity) -> Option<Rejection> {
    let (status, max) = (&view.status, view.settings.policy.per_order_max);
    match status.phase {
        Phase::Open => {}
        Phase::Scheduled => return Some(Rejection::SaleNotStarted { opens_at: view.settings.opens_at }),
        Phase::Paused => return Some(Rejection::SalePaused),
        Phase::Closed => return Some(Rejection::SaleClosed),
    }
    if quantity > max {
        return Some(Rejection::QuantityAboveMaximum { max });
    }
    let available = status.available;
    if available.get() == 0 || status.waiting > 0 {
        return Some(Rejection::SoldOut);
    }
    (available < quantity.units()).then_some(Rejection::InsufficientStock { available })
}
