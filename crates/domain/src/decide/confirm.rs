//! Confirm: a trusted backend reports the capture of an order's price (domain rules 9 and 16).
//!
//! Only captures in time are taken here. Money that comes after the hold has ended is refused in words, and the
//! caller, who charged, owes the refund; the ladder that takes late reports from providers stands on these events.

use super::{AlreadySo, Decision, Usable, accept, claimed, hold_is_over, usable};
use crate::command::Claim;
use crate::event::Event;
use crate::item::{Item, ReservationState};
use crate::money::Money;
use crate::payment::{Capture, Provider};
use crate::rejection::{EndedAs, Rejection};
use crate::text::PaymentId;

pub(super) fn decide(
    item: &Item,
    claim: &Claim,
    payment: &PaymentId,
    amount: Option<Money>,
) -> Result<Decision, Rejection> {
    let reservation = claimed(item, claim)?;
    let price = item.price_of(reservation.quantity);
    let known = item.captures().order_of(Provider::External, payment);
    if known.is_some_and(|order| order != claim.reservation) {
        return Err(Rejection::PaymentAlreadyUsed);
    }
    if amount.is_some_and(|amount| amount != price) {
        return Err(Rejection::AmountMismatch { expected: price });
    }
    let hold = match usable(item, reservation) {
        Usable::Held(hold) => hold,
        Usable::Waiting => return Err(Rejection::StillWaiting),
        Usable::Ended(EndedAs::Confirmed) if paid_by(&reservation.state, payment) => {
            return Ok(Decision::AlreadySo(AlreadySo::Ordered));
        }
        Usable::Ended(ended) => return Err(hold_is_over(ended)),
    };
    if hold.ordered_at.is_none() {
        return Err(Rejection::NotFound);
    }
    let capture = Capture { provider: Provider::External, payment: payment.clone(), report: None, amount: price };
    Ok(accept(Event::PaymentCaptured { reservation: claim.reservation, capture, amount_named: amount.is_some() }))
}

fn paid_by(state: &ReservationState, payment: &PaymentId) -> bool {
    match state {
        ReservationState::Confirmed(sale) => {
            sale.capture.provider == Provider::External && sale.capture.payment == *payment
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    #[test]
    fn a_payment_in_time_makes_the_sale_final_and_its_repetition_changes_nothing() {
        check(
            "
            item    stock=2 hold_ms=1000 price=500
            t=0     reserve r1 ann 1             -> held until 1000
            t=1     confirm! r1 ann p1           -> not_found
            t=2     order r1 ann                 -> ordered until 1000
            t=3     confirm! r1 ann p1 amount=1  -> amount_mismatch 500
            t=4     confirm r1 ann p1            -> paid
            t=5     confirm r1 ann p1            -> paid
            t=6     confirm! r1 ann p2           -> hold_already_used
            t=9999  read r1                      -> confirmed
            stock   available=1 held=0 sold=1
        ",
        );
    }

    #[test]
    fn a_payment_one_millisecond_before_the_release_counts_and_one_at_it_does_not() {
        check(
            "
            item    stock=2 hold_ms=1000 grace=100
            t=0     reserve r1 ann 1   -> held until 1000
            t=0     reserve r2 bob 1   -> held until 1000
            t=1     order r1 ann       -> ordered until 1100
            t=1     order r2 bob       -> ordered until 1100
            t=1099  confirm r1 ann p1  -> paid
            t=1100  confirm! r2 bob p2 -> hold_expired, r2 expired
        ",
        );
    }

    #[test]
    fn one_payment_pays_one_order() {
        check(
            "
            item    stock=2
            t=0     reserve r1 ann 1   -> held until 120000
            t=0     reserve r2 bob 1   -> held until 120000
            t=1     order r1 ann       -> ordered until 120000
            t=1     order r2 bob       -> ordered until 120000
            t=2     confirm r1 ann p1  -> paid
            t=3     confirm! r2 bob p1 -> payment_already_used
        ",
        );
    }
}
