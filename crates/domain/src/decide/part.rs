//! Parts of bundles: units set aside until the bundle's own stream has decided (domain rule 12).

use super::grant::{admit, is_free_for_newcomers, shortage};
use super::{AlreadySo, Decision, accept};
use crate::event::{Event, PartDecision};
use crate::identity::BundleId;
use crate::ids::Ordinal;
use crate::item::{Item, ReservationState};
use crate::rejection::Rejection;
use crate::text::CustomerId;
use crate::time::Timestamp;
use crate::units::{Quantity, Units};

/// Sets units aside, as for any newcomer; but a part never waits. Asked again, it is the same part.
pub(super) fn hold(
    item: &Item,
    bundle: BundleId,
    customer: &CustomerId,
    quantity: Quantity,
    now: Timestamp,
) -> Result<Decision, Rejection> {
    if let Some(part) = item.bundled().part_of(bundle) {
        let found = item.reservation(part).ok_or(Rejection::NotFound)?;
        return match item.ended(found) {
            None => Ok(Decision::AlreadySo(AlreadySo::Part(part))),
            // Given up before it was asked for: whoever asks now is late.
            Some(ended) => Err(Rejection::HoldExpired { ended }),
        };
    }
    admit(item, customer, quantity, now)?;
    if !is_free_for_newcomers(item, quantity) {
        return Err(shortage(item, quantity));
    }
    let reservation = Ordinal(item.reservation_count());
    Ok(accept(Event::PartHeld { reservation, customer: customer.clone(), quantity, bundle }))
}

/// Follows the bundle's decision. Told again, nothing happens.
pub(super) fn settle(item: &Item, bundle: BundleId, decision: PartDecision) -> Result<Decision, Rejection> {
    let reservation = item.bundled().part_of(bundle).ok_or(Rejection::NotFound)?;
    let found = item.reservation(reservation).ok_or(Rejection::NotFound)?;
    let units = found.quantity.units();
    let released = match (&found.state, decision) {
        (ReservationState::Part, PartDecision::Sold) => Units::ZERO,
        (ReservationState::Part, PartDecision::Expired | PartDecision::Cancelled | PartDecision::Abandoned) => units,
        (ReservationState::Confirmed(sale), PartDecision::Returned) if !sale.returned => units,
        // Followed already. A refund that overtakes the sale waits until that has arrived: it is told again.
        _ => return Ok(Decision::AlreadySo(AlreadySo::Part(reservation))),
    };
    Ok(accept(Event::PartSettled { reservation, bundle, decision, released }))
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    #[test]
    fn a_part_is_held_without_a_time_of_its_own_and_follows_its_bundle() {
        check(
            "
            item    stock=3 hold_ms=1000
            t=0     part r1 b1 ann 1       -> held in bundle
            t=1     part r1 b1 ann 1       -> held in bundle
            stock   available=2 held=1 sold=0
            t=9999  tick                   -> nothing
            t=10000 settle r1 b1 sold      -> confirmed
            t=10001 settle r1 b1 sold      -> confirmed
            stock   available=2 held=0 sold=1
            t=10002 settle r1 b1 returned  -> confirmed
            t=10003 settle r1 b1 returned  -> confirmed
            stock   available=3 held=0 sold=0
        ",
        );
    }

    #[test]
    fn a_part_cannot_be_ordered_extended_cancelled_or_paid_alone() {
        check(
            "
            item    stock=1
            t=0     part r1 b1 ann 1       -> held in bundle
            t=1     order! r1 ann          -> part_of_bundle
            t=1     extend! r1 ann         -> part_of_bundle
            t=1     cancel! r1 ann         -> part_of_bundle
            t=1     confirm! r1 ann p1     -> part_of_bundle
            t=2     report r1 e1 p2 100    -> refund_due
            stock   available=0 held=1 sold=0
        ",
        );
    }

    #[test]
    fn a_released_part_goes_to_the_line_and_a_part_never_overtakes_it() {
        check(
            "
            item    stock=1 hold_ms=1000
            t=0     part r1 b1 ann 1          -> held in bundle
            t=1     reserve r2 bob 1          -> waiting 1
            t=2     part! b2 cyd 1            -> sold_out
            t=3     settle r1 b1 abandoned    -> cancelled, r2 held until 1003
            t=4     part! b1 ann 1            -> hold_expired Cancelled
        ",
        );
    }
}
