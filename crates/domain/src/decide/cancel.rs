//! Cancel: leave the waitlist or release the hold. Only one's own; done twice it is done.

use super::{AlreadySo, Decision, accept, claimed_alone};
use crate::command::Claim;
use crate::event::Event;
use crate::item::{Item, ReservationState};
use crate::planted::{self, Bug};
use crate::rejection::{EndedAs, Rejection};
use crate::units::Units;

pub(super) fn decide(item: &Item, claim: &Claim) -> Result<Decision, Rejection> {
    let found = claimed_alone(item, claim)?;
    match item.ended(found) {
        Some(EndedAs::Cancelled) => Ok(Decision::AlreadySo(AlreadySo::Cancelled)),
        Some(ended) => Err(Rejection::NotCancellable { ended }),
        None => {
            let held = matches!(found.state, ReservationState::Held(_));
            let released =
                if held && !planted::is(Bug::CancelKeepsUnits) { found.quantity.units() } else { Units::ZERO };
            Ok(accept(Event::ReservationCancelled { reservation: claim.reservation, released }))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    #[test]
    fn a_cancelled_hold_is_offered_to_the_head_of_the_line_in_the_same_turn() {
        check(
            "
            item    stock=1 hold_ms=1000
            t=0     reserve r1 ann 1   -> held until 1000
            t=1     reserve r2 bob 1   -> waiting 1
            t=2     reserve r3 cyd 1   -> waiting 2
            t=5     cancel r1 ann      -> cancelled, r2 held until 1005
            t=6     cancel r1 ann      -> cancelled
            t=7     read r3            -> waiting 1
        ",
        );
    }

    #[test]
    fn leaving_the_line_moves_everybody_behind_up_and_frees_nothing() {
        check(
            "
            item    stock=1
            t=0     reserve r1 ann 1   -> held until 120000
            t=1     reserve r2 bob 1   -> waiting 1
            t=2     reserve r3 cyd 1   -> waiting 2
            t=3     cancel r2 bob      -> cancelled
            t=4     read r3            -> waiting 1
            stock   available=0 held=1 sold=0
        ",
        );
    }

    #[test]
    fn a_strangers_reservation_does_not_exist_and_a_finished_one_stays() {
        check(
            "
            item    stock=1 hold_ms=1000
            t=0     reserve r1 ann 1   -> held until 1000
            t=1     cancel! r1 bob     -> not_found
            t=1000  cancel! r1 ann     -> not_cancellable, r1 expired
        ",
        );
    }

    #[test]
    fn the_head_that_wants_more_than_there_will_ever_be_lapses_and_the_next_is_served() {
        check(
            "
            item    stock=3 per_order=3 limit=3 hold_ms=1000
            t=0     reserve r1 ann 1   -> held until 1000
            t=0     reserve r2 bob 2   -> held until 1000
            t=1     reserve r3 cyd 3   -> waiting 1
            t=2     reserve r4 dan 1   -> waiting 2
            t=3     order r1 ann       -> ordered until 1000
            t=4     confirm r1 ann p1  -> paid, r3 lapsed
            t=5     cancel r2 bob      -> cancelled, r4 held until 1005
        ",
        );
    }
}
