//! Purchase: reserve, order and pay in one turn, for a backend that has charged already (domain rule 16). Never waits.

use super::grant::{admit, is_free_for_newcomers, shortage};
use crate::event::Event;
use crate::ids::Ordinal;
use crate::item::Item;
use crate::money::Money;
use crate::payment::{Capture, Provider};
use crate::rejection::Rejection;
use crate::text::{CustomerId, PaymentId};
use crate::time::Timestamp;
use crate::units::Quantity;

pub(super) fn decide(
    item: &Item,
    customer: &CustomerId,
    quantity: Quantity,
    payment: Option<&PaymentId>,
    amount: Option<Money>,
    now: Timestamp,
) -> Result<Event, Rejection> {
    admit(item, customer, quantity, now)?;
    if !is_free_for_newcomers(item, quantity) {
        return Err(shortage(item, quantity));
    }
    let price = item.price_of(quantity);
    if amount.is_some_and(|amount| amount != price) {
        return Err(Rejection::AmountMismatch { expected: price });
    }
    let reservation = Ordinal(item.reservation_count());
    let id = match payment {
        Some(id) if item.books().find(Provider::External, id).is_some() => {
            return Err(Rejection::PaymentAlreadyUsed);
        }
        Some(id) => id.clone(),
        None => PaymentId::from(item.id_of(reservation)),
    };
    let capture = Capture { provider: Provider::External, payment: id, report: None, amount: price };
    let (payment_named, amount_named) = (payment.is_some(), amount.is_some());
    Ok(Event::PurchaseConfirmed {
        reservation,
        customer: customer.clone(),
        quantity,
        capture,
        payment_named,
        amount_named,
    })
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    #[test]
    fn a_purchase_is_sold_at_once_or_refused_and_never_waits() {
        check(
            "
            item    stock=2 keep_open
            t=0     purchase r1 ann 1 pay-1       -> paid
            t=1     reserve  r2 bob 1             -> held until 120001
            t=2     purchase! cyd 1 pay-2         -> sold_out
            stock   available=0 held=1 sold=1
        ",
        );
    }

    #[test]
    fn a_purchase_with_a_wrong_amount_or_a_used_payment_leaves_nothing() {
        check(
            "
            item    stock=2 price=500
            t=0     purchase! ann 1 pay-1 amount=499 -> amount_mismatch 500
            t=1     purchase r1 ann 1 pay-1 amount=500 -> paid
            t=2     purchase! bob 1 pay-1         -> payment_already_used
            stock   available=1 held=0 sold=1
        ",
        );
    }

    #[test]
    fn the_last_unit_sold_closes_the_sale_and_lapses_the_line() {
        check(
            "
            item    stock=1 hold_ms=1000
            t=0     reserve r1 ann 1   -> held until 1000
            t=1     reserve r2 bob 1   -> waiting 1
            t=2     order r1 ann       -> ordered until 1000
            t=3     confirm r1 ann p1  -> paid, closed
            t=3     read r2            -> lapsed
            t=4     reserve! cyd 1     -> sale_closed
        ",
        );
    }
}
