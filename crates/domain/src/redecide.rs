//! Commands had back from the log: every first event of a command says all that its command said, so nothing is
//! stored twice, and replay can judge the command again and compare instead of only folding.

use crate::command::{Claim, Command, Request, WaitlistChoice};
use crate::event::{ClosedBy, Event, OpenedBy, Recorded};
use crate::ids::Ordinal;
use crate::item::Item;
use crate::policy::SettingsPatch;

/// The request that led to `recorded`. `item` is the item as it was before. `None` for what time did by itself, for
/// the consequences of another event, and for the first event of an item.
#[must_use]
pub fn request_of(item: &Item, recorded: &Recorded) -> Option<Request> {
    let command = command_of(item, &recorded.event)?;
    Some(Request { command, idempotency: recorded.idempotency })
}

fn command_of(item: &Item, event: &Event) -> Option<Command> {
    Some(match event {
        Event::ItemRevised { settings } => {
            Command::ReviseItem { patch: Box::new(SettingsPatch::to(settings)), expected: None }
        }
        Event::SaleOpened { by: OpenedBy::Operator } => Command::OpenSale,
        Event::SalePaused => Command::PauseSale,
        Event::SaleResumed => Command::ResumeSale,
        Event::SaleClosed { by: ClosedBy::Operator, lapsed: _ } => Command::CloseSale,
        Event::StockAdjusted { change, reason, total: _ } => {
            Command::AdjustStock { change: *change, reason: reason.clone() }
        }
        Event::HoldPlaced { reservation: _, customer, quantity, waitlist, deadline: _ } => {
            Command::Reserve { customer: customer.clone(), quantity: *quantity, waitlist: *waitlist }
        }
        Event::WaitlistJoined { customer, quantity, .. } => {
            Command::Reserve { customer: customer.clone(), quantity: *quantity, waitlist: WaitlistChoice::Join }
        }
        Event::PurchaseConfirmed { reservation: _, customer, quantity, capture, payment_named, amount_named } => {
            Command::Purchase {
                customer: customer.clone(),
                quantity: *quantity,
                payment: payment_named.then(|| capture.payment.clone()),
                amount: amount_named.then_some(capture.amount),
            }
        }
        Event::ReservationCancelled { reservation, released: _ } => {
            Command::CancelReservation(claim(item, *reservation)?)
        }
        Event::HoldExtended { reservation, deadline: _ } => Command::ExtendHold(claim(item, *reservation)?),
        Event::OrderPlaced { reservation, amount, release_at: _, amount_named } => {
            Command::PlaceOrder { claim: claim(item, *reservation)?, amount: amount_named.then_some(*amount) }
        }
        Event::PaymentCaptured { reservation, capture, amount_named } => Command::ConfirmOrder {
            claim: claim(item, *reservation)?,
            payment: capture.payment.clone(),
            amount: amount_named.then_some(capture.amount),
        },
        Event::ItemCreated { .. }
        | Event::SaleOpened { by: OpenedBy::Schedule }
        | Event::SaleClosed { by: ClosedBy::Schedule | ClosedBy::SoldOut, .. }
        | Event::HoldExpired { .. }
        | Event::HoldPromoted { .. }
        | Event::WaitlistLapsed { .. }
        | Event::ClockResumed { .. } => return None,
    })
}

fn claim(item: &Item, reservation: Ordinal) -> Option<Claim> {
    let found = item.reservation(reservation)?;
    Some(Claim { reservation, customer: item.customers().get(found.customer).id.clone() })
}
