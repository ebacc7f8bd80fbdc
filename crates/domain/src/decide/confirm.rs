//! Confirm: a trusted backend reports the capture of an order's price (domain rules 9 and 16). The backend has charged
//! already, so money is never turned away for coming late: the ladder of rule 9 decides, as for any provider's report.

use super::payment::standing;
use super::{AlreadySo, Decision, accept, claimed_alone};
use crate::command::Claim;
use crate::event::Event;
use crate::item::Item;
use crate::money::Money;
use crate::payment::judge::{Standing, belongs_elsewhere, judge_capture};
use crate::payment::{Capture, Provider};
use crate::rejection::Rejection;
use crate::text::PaymentId;
use crate::time::Timestamp;

pub(super) fn decide(
    item: &Item,
    claim: &Claim,
    payment: &PaymentId,
    amount: Option<Money>,
    now: Timestamp,
) -> Result<Decision, Rejection> {
    let found = claimed_alone(item, claim)?;
    let (books, reservation) = (item.books(), claim.reservation);
    let price = item.price_of(found.quantity);
    if belongs_elsewhere(books, reservation, payment) {
        return Err(Rejection::PaymentAlreadyUsed);
    }
    if amount.is_some_and(|amount| amount != price) {
        return Err(Rejection::AmountMismatch { expected: price });
    }
    if item.order_of(reservation, found).is_none() {
        return Err(if item.ended(found).is_none() && item.waitlist().contains(reservation.0) {
            Rejection::StillWaiting
        } else {
            Rejection::NotFound
        });
    }
    if books.find(Provider::External, payment).is_some() {
        // The provider's own webhook was faster, or this was confirmed before: one capture.
        return Ok(Decision::AlreadySo(AlreadySo::Ordered));
    }
    if books.is_full() {
        return Err(Rejection::ItemFull);
    }
    let capture = Capture { provider: Provider::External, payment: payment.clone(), report: None, amount: price };
    let standing: Standing = standing(item, reservation, found, now);
    let event = Box::new(judge_capture(standing, price, capture, amount.is_some()));
    Ok(accept(Event::Payment { reservation, event }))
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
            t=6     confirm r1 ann p2            -> paid, refund due
            t=9999  read r1                      -> confirmed
            stock   available=1 held=0 sold=1
        ",
        );
    }

    #[test]
    fn a_payment_one_millisecond_before_the_release_is_in_time_and_one_at_it_is_late() {
        check(
            "
            item    stock=2 hold_ms=1000 grace=100
            t=0     reserve r1 ann 1   -> held until 1000
            t=0     reserve r2 bob 1   -> held until 1000
            t=1     order r1 ann       -> ordered until 1100
            t=1     order r2 bob       -> ordered until 1100
            t=1099  confirm r1 ann p1  -> paid
            t=1100  confirm r2 bob p2  -> paid, r2 expired, closed
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
