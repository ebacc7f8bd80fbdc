//! `decide`: what a command leads to. Pure: it reads the item and changes nothing; the events it returns do, when
//! they are applied. One command a file, in the order of a sale.

mod cancel;
mod confirm;
mod extend;
mod grant;
mod newcomer;
mod operator;
mod order;
mod part;
mod payment;
mod purchase;
mod reserve;
mod time;

pub use payment::{next_given_back, next_unclaimed};
pub(crate) use time::expiry_of;
pub use time::{clock_resumed, next_due_change, next_expiry, next_promotion};

use crate::command::{Claim, Command, Request};
use crate::event::Event;
use crate::idempotency::Acceptance;
use crate::ids::{CaptureNo, Ordinal};
use crate::item::{Hold, Item, Reservation, ReservationState};
use crate::rejection::{EndedAs, Rejection};
use crate::time::Timestamp;
use crate::views::PaymentVerdict;

/// What a command leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// These events, in this order; the first one carries the command's idempotency record.
    Accept(Vec<Event>),
    /// Nothing new: the same request was accepted before, and gets the same answer.
    Replay(Acceptance),
    /// Nothing: what was asked for is so already. The answer is the reservation as it is.
    AlreadySo(AlreadySo),
}

/// What is so already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlreadySo {
    /// The reservation is cancelled.
    Cancelled,
    /// The order is placed, or the same payment has paid it.
    Ordered,
    /// A report that is known, or from which nothing new follows.
    Reported(PaymentVerdict),
    /// The refund of this capture is settled.
    Settled(CaptureNo),
    /// The part is held, or has followed its bundle.
    Part(Ordinal),
}

/// Judges `request` at `now`. What is due by then is expected to have happened, as far as the turn's batch reached.
///
/// # Errors
/// A [`Rejection`]; nothing is to be written then.
pub fn decide(item: &Item, request: &Request, now: Timestamp) -> Result<Decision, Rejection> {
    if let Some(asked) = request.idempotency
        && let Some(acceptance) = item.idempotency().recall(asked, now)?
    {
        return Ok(Decision::Replay(acceptance.clone()));
    }
    match &request.command {
        Command::CreateItem(_) => Err(Rejection::ItemExists),
        Command::ReviseItem { patch, expected } => operator::revise(item, patch, *expected).map(accept),
        Command::OpenSale => operator::open(item).map(accept),
        Command::PauseSale => operator::pause(item).map(accept),
        Command::ResumeSale => operator::resume(item).map(accept),
        Command::CloseSale => operator::close(item).map(accept),
        Command::AdjustStock { change, reason } => operator::adjust_stock(item, *change, reason).map(accept),
        Command::Reserve { customer, quantity, waitlist } => {
            reserve::decide(item, customer, *quantity, *waitlist, now).map(accept)
        }
        Command::Purchase { customer, quantity, payment, amount } => {
            purchase::decide(item, customer, *quantity, payment.as_ref(), *amount, now).map(accept)
        }
        Command::CancelReservation(claim) => cancel::decide(item, claim),
        Command::ExtendHold(claim) => extend::decide(item, claim, now).map(accept),
        Command::PlaceOrder { claim, amount } => order::decide(item, claim, *amount, now),
        Command::ConfirmOrder { claim, payment, amount } => confirm::decide(item, claim, payment, *amount, now),
        Command::RecordPayment { reservation, report } => payment::record(item, *reservation, report, now),
        Command::OfferPayment { reservation, offer } => payment::offer(item, *reservation, offer),
        Command::SettleRefund { capture, by } => payment::settle_refund(item, *capture, by),
        Command::RefundOrder { reservation, return_units, reason } => {
            payment::refund_order(item, *reservation, *return_units, reason)
        }
        Command::HoldPart { bundle, customer, quantity } => part::hold(item, *bundle, customer, *quantity, now),
        Command::SettlePart { bundle, decision } => part::settle(item, *bundle, *decision),
    }
}

fn accept(event: Event) -> Decision {
    Decision::Accept(vec![event])
}

/// The reservation a claim names, if it is the claimant's: a stranger's answers as if it did not exist.
fn claimed<'i>(item: &'i Item, claim: &Claim) -> Result<&'i Reservation, Rejection> {
    let reservation = item.reservation(claim.reservation).ok_or(Rejection::NotFound)?;
    if item.customers().is(reservation.customer, &claim.customer) { Ok(reservation) } else { Err(Rejection::NotFound) }
}

/// The same, for what a part of a bundle cannot do alone.
fn claimed_alone<'i>(item: &'i Item, claim: &Claim) -> Result<&'i Reservation, Rejection> {
    let reservation = claimed(item, claim)?;
    match item.bundled().bundle_of(claim.reservation) {
        Some(bundle) => Err(Rejection::PartOfBundle { bundle }),
        None => Ok(reservation),
    }
}

/// What a reservation is to somebody who wants to use its hold.
enum Usable<'i> {
    Held(&'i Hold),
    Waiting,
    Ended(EndedAs),
}

fn usable<'i>(item: &Item, reservation: &'i Reservation) -> Usable<'i> {
    match (item.ended(reservation), &reservation.state) {
        (Some(ended), _) => Usable::Ended(ended),
        (None, ReservationState::Held(hold)) => Usable::Held(hold),
        (None, _) => Usable::Waiting,
    }
}

/// The refusal for whoever wants to use a hold that is over without having been paid.
fn hold_is_over(ended: EndedAs) -> Rejection {
    match ended {
        EndedAs::Confirmed => Rejection::HoldAlreadyUsed,
        EndedAs::Cancelled | EndedAs::Expired | EndedAs::Lapsed(_) => Rejection::HoldExpired { ended },
    }
}
