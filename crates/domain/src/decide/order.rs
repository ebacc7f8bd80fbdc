//! Place an order: a live hold goes to pay, once. Price × quantity is computed here, never taken from the caller.

use super::{AlreadySo, Decision, Usable, claimed_alone, hold_is_over, usable};
use crate::command::Claim;
use crate::event::Event;
use crate::item::Item;
use crate::money::Money;
use crate::payment::judge::claim_parked;
use crate::rejection::{EndedAs, Rejection};
use crate::time::Timestamp;

pub(super) fn decide(item: &Item, claim: &Claim, amount: Option<Money>, now: Timestamp) -> Result<Decision, Rejection> {
    let reservation = claimed_alone(item, claim)?;
    let price = item.price_of(reservation.quantity);
    if amount.is_some_and(|amount| amount != price) {
        return Err(Rejection::AmountMismatch { expected: price });
    }
    let hold = match usable(item, reservation) {
        Usable::Held(hold) => hold,
        Usable::Waiting => return Err(Rejection::StillWaiting),
        Usable::Ended(EndedAs::Confirmed) => return Ok(Decision::AlreadySo(AlreadySo::Ordered)),
        Usable::Ended(ended) => return Err(hold_is_over(ended)),
    };
    if hold.ordered_at.is_some() {
        return Ok(Decision::AlreadySo(AlreadySo::Ordered));
    }
    if now >= hold.deadline {
        // Its end is due, if it has not happened yet.
        return Err(Rejection::HoldExpired { ended: EndedAs::Expired });
    }
    let reservation = claim.reservation;
    let placed = Event::OrderPlaced {
        reservation,
        amount: price,
        release_at: hold.deadline.plus(hold.grace),
        amount_named: amount.is_some(),
    };
    // Money that came before its order is applied the moment the order appears.
    let claimed = claim_parked(item.books(), reservation, price);
    let claimed = claimed.into_iter().map(|event| Event::Payment { reservation, event: Box::new(event) });
    Ok(Decision::Accept(std::iter::once(placed).chain(claimed).collect()))
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    #[test]
    fn a_hold_becomes_an_order_once_and_repeating_it_returns_the_same() {
        check(
            "
            item    stock=1 hold_ms=1000 grace=300 price=500
            t=0     reserve r1 ann 1        -> held until 1000
            t=1     order! r1 ann amount=1  -> amount_mismatch 500
            t=10    order r1 ann amount=500 -> ordered until 1300
            t=20    order r1 ann            -> ordered until 1300
            t=1299  tick                    -> nothing
            t=1300  tick                    -> r1 expired
            t=1301  order! r1 ann           -> hold_expired Expired
        ",
        );
    }

    #[test]
    fn a_waiter_cannot_order_and_a_hold_ends_exactly_at_its_deadline() {
        check(
            "
            item    stock=1 hold_ms=1000
            t=0     reserve r1 ann 1   -> held until 1000
            t=1     reserve r2 bob 1   -> waiting 1
            t=2     order! r2 bob      -> still_waiting
            t=1000  order! r1 ann      -> hold_expired Expired, r1 expired, r2 held until 2000
            t=1000  order r2 bob       -> ordered until 2000
        ",
        );
    }
}
