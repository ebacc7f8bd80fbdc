//! Extend: more time for a live hold, as often as the terms of its grant allow (domain rule 7).

use super::{Usable, claimed_alone, hold_is_over, usable};
use crate::command::Claim;
use crate::event::Event;
use crate::item::Item;
use crate::planted::{self, Bug};
use crate::rejection::{ExtensionRefusal, Rejection};
use crate::time::Timestamp;

pub(super) fn decide(item: &Item, claim: &Claim, now: Timestamp) -> Result<Event, Rejection> {
    let hold = match usable(item, claimed_alone(item, claim)?) {
        Usable::Held(hold) => hold,
        Usable::Waiting => return Err(Rejection::ExtensionRefused { reason: ExtensionRefusal::NotHeld }),
        Usable::Ended(ended) => return Err(hold_is_over(ended)),
    };
    if now >= hold.deadline {
        return Err(Rejection::ExtensionRefused { reason: ExtensionRefusal::PastDeadline });
    }
    if hold.extension.times == 0 && !planted::is(Bug::ExtensionWithoutEnd) {
        return Err(Rejection::ExtensionRefused { reason: ExtensionRefusal::UsedUp });
    }
    let deadline = hold.deadline.plus(hold.extension.by);
    Ok(Event::HoldExtended { reservation: claim.reservation, deadline })
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    #[test]
    fn a_hold_is_extended_as_often_as_its_terms_allow() {
        check(
            "
            item    stock=1 hold_ms=1000 extend=1x500
            t=0     reserve r1 ann 1   -> held until 1000
            t=999   extend r1 ann      -> held until 1500
            t=1000  extend! r1 ann     -> extension_refused
            t=1499  tick               -> nothing
            t=1500  extend! r1 ann     -> hold_expired Expired, r1 expired
        ",
        );
    }

    #[test]
    fn a_reservation_that_is_over_cannot_be_extended_and_says_what_it_ended_as() {
        check(
            "
            item    stock=1 hold_ms=1000
            t=0     reserve r1 ann 1   -> held until 1000
            t=1     cancel r1 ann      -> cancelled
            t=2     extend! r1 ann     -> hold_expired Cancelled
            t=3     reserve r2 bob 1   -> held until 1003
            t=4     reserve r3 cyd 1   -> waiting 1
            t=5     order r2 bob       -> ordered until 1003
            t=6     confirm r2 bob p1  -> paid, closed
            t=7     extend! r2 bob     -> hold_already_used
            t=8     extend! r3 cyd     -> hold_expired Lapsed(SaleClosed)
            t=9     order! r3 cyd      -> hold_expired Lapsed(SaleClosed)
        ",
        );
    }

    #[test]
    fn a_waiter_and_a_hold_in_grace_cannot_be_extended() {
        check(
            "
            item    stock=1 hold_ms=1000 extend=1x500 grace=200
            t=0     reserve r1 ann 1   -> held until 1000
            t=1     reserve r2 bob 1   -> waiting 1
            t=2     extend! r2 bob     -> extension_refused
            t=3     order r1 ann       -> ordered until 1200
            t=1000  extend! r1 ann     -> extension_refused
        ",
        );
    }
}
