//! Reserve: enough stock and nobody waiting, held; otherwise waiting, where that is possible and wanted.

use super::grant::{admit, is_free_for_newcomers};
use super::newcomer::place_in_line;
use crate::command::WaitlistChoice;
use crate::event::Event;
use crate::ids::Ordinal;
use crate::item::Item;
use crate::rejection::Rejection;
use crate::text::CustomerId;
use crate::time::Timestamp;
use crate::units::Quantity;

pub(super) fn decide(
    item: &Item,
    customer: &CustomerId,
    quantity: Quantity,
    waitlist: WaitlistChoice,
    now: Timestamp,
) -> Result<Event, Rejection> {
    admit(item, customer, quantity, now)?;
    let reservation = Ordinal(item.reservation_count());
    if is_free_for_newcomers(item, quantity) {
        let deadline = now.plus(item.settings().policy.hold_time);
        return Ok(Event::HoldPlaced { reservation, customer: customer.clone(), quantity, waitlist, deadline });
    }
    let position = place_in_line(&item.status(), item.settings(), quantity, waitlist)?;
    let available = item.stock().available();
    Ok(Event::WaitlistJoined { reservation, customer: customer.clone(), quantity, position, available })
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    #[test]
    fn stock_goes_to_the_first_and_the_line_keeps_the_order_of_arrival() {
        check(
            "
            item    stock=1 hold_ms=1000
            t=0     reserve r1 ann 1   -> held until 1000
            t=10    reserve r2 bob 1   -> waiting 1
            t=20    reserve r3 cyd 1   -> waiting 2
            t=999   tick               -> nothing
            t=1000  tick               -> r1 expired, r2 held until 2000
            t=1001  reserve r4 dan 1   -> waiting 2
            t=1002  read r3            -> waiting 1
            stock   available=0 held=1 sold=0
        ",
        );
    }

    #[test]
    fn expired_hold_goes_to_the_waitlist_before_newcomers() {
        check(
            "
            item    stock=1 hold_ms=1000
            t=0     reserve r1 ann 1   -> held until 1000
            t=10    reserve r2 bob 1   -> waiting 1
            t=1000  reserve r3 cyd 1   -> waiting 1, r1 expired, r2 held until 2000
            t=1000  read r1            -> expired
            t=1000  read r2            -> held until 2000
        ",
        );
    }

    #[test]
    fn a_newcomer_never_overtakes_a_waiter_who_wants_more() {
        check(
            "
            item    stock=3 per_order=3 hold_ms=1000
            t=0     reserve r1 ann 2   -> held until 1000
            t=1     reserve r2 bob 2   -> waiting 1
            t=2     reserve r3 cyd 1   -> waiting 2
            t=3     reserve! dan 1 decline -> sold_out
            t=1000  tick               -> r1 expired, r2 held until 2000, r3 held until 2000
        ",
        );
    }

    #[test]
    fn a_customer_has_no_more_than_the_limit_across_waiting_held_and_sold() {
        check(
            "
            item    stock=2 per_order=2 limit=2 hold_ms=1000
            t=0     reserve r1 ann 1   -> held until 1000
            t=1     reserve! ann 2     -> customer_limit_reached existing=1
            t=2     reserve r2 ann 1   -> held until 1002
            t=3     reserve! ann 1     -> customer_limit_reached existing=2
            t=4     cancel r1 ann      -> cancelled
            t=5     reserve r3 ann 1   -> held until 1005
            t=6     order r3 ann       -> ordered until 1005
            t=7     confirm r3 ann p1  -> paid
            t=2000  reserve r4 ann 1   -> held until 3000, r2 expired
            t=2001  reserve! ann 1     -> customer_limit_reached existing=2
        ",
        );
    }

    #[test]
    fn refusals_come_in_the_order_of_rule_one() {
        check(
            "
            item    stock=1 per_order=2 limit=3 scheduled
            t=0     reserve! ann 9     -> sale_not_started
            t=1     open               -> open
            t=2     reserve! ann 3     -> quantity_above_maximum 2
            t=3     reserve! ann 2     -> insufficient_stock 1 for good
            t=4     reserve r1 ann 1   -> held until 120004
            t=5     pause              -> paused
            t=6     reserve! ann 9     -> sale_paused
            t=7     close              -> closed
            t=8     reserve! ann 9     -> sale_closed
        ",
        );
    }

    #[test]
    fn whoever_can_never_be_served_does_not_join_the_line() {
        check(
            "
            item    stock=2 per_order=3 limit=3
            t=0     reserve r1 ann 2       -> held until 120000
            t=1     reserve! bob 3         -> insufficient_stock 0 for good
            t=2     reserve r2 bob 2       -> waiting 1
        ",
        );
    }

    #[test]
    fn the_line_is_refused_when_full_off_or_declined() {
        check(
            "
            item    stock=1 waitlist=1
            t=0     reserve r1 ann 1       -> held until 120000
            t=1     reserve r2 bob 1       -> waiting 1
            t=2     reserve! cyd 1         -> waitlist_full 1
            t=3     reserve! cyd 1 decline -> sold_out
        ",
        );
        check(
            "
            item    stock=1 waitlist=off
            t=0     reserve r1 ann 1       -> held until 120000
            t=1     reserve! bob 1         -> sold_out
        ",
        );
    }

    #[test]
    fn holds_that_expire_unpaid_in_a_row_cool_a_hoarder_off_but_cancellations_do_not() {
        check(
            "
            item    stock=5 hold_ms=1000 cool_off=2x5000
            t=0     reserve r1 ann 1   -> held until 1000
            t=100   cancel r1 ann      -> cancelled
            t=200   reserve r2 ann 1   -> held until 1200
            t=1200  tick               -> r2 expired
            t=1300  reserve r3 ann 1   -> held until 2300
            t=2300  tick               -> r3 expired
            t=2301  reserve! ann 1     -> cooling_off until 7300
            t=7299  reserve! ann 1     -> cooling_off until 7300
            t=7300  reserve r4 ann 1   -> held until 8300
        ",
        );
    }
}
