//! Idempotency keys (rule 3): in whose scope a command comes with one, and what comes under it again.

use domain::command::Command;
use domain::limits::IDEMPOTENCY_RETENTION;
use domain::money::Money;

use crate::book::Key;
use crate::choose::{Asked, nth_last};
use crate::machine::Machine;
use crate::scene::{euro, units};

impl Machine {
    /// A key counts for one caller and one path. Reports, offers and parts never come with one.
    pub(crate) fn key(&self, command: &Command) -> Option<Key> {
        let (caller, route) = match command {
            Command::Reserve { customer, .. } => (customer.as_str().to_owned(), "reserve".to_owned()),
            Command::Purchase { customer, .. } => (format!("service {customer}"), "purchase".to_owned()),
            Command::CancelReservation(claim) | Command::ExtendHold(claim) => {
                (claim.customer.as_str().to_owned(), format!("reservation {}", claim.reservation.0))
            }
            Command::PlaceOrder { claim, .. } | Command::ConfirmOrder { claim, .. } => {
                (claim.customer.as_str().to_owned(), format!("order {}", claim.reservation.0))
            }
            Command::RecordPayment { .. }
            | Command::OfferPayment { .. }
            | Command::HoldPart { .. }
            | Command::SettlePart { .. } => return None,
            _ => ("operator".to_owned(), "admin".to_owned()),
        };
        Some(Key { caller, route, key: format!("a key of one's own {}", self.count) })
    }

    pub(crate) fn again(&self, kind: u8, nth: u8, other: bool) -> Option<Asked> {
        let of_kind = self.asked.iter().filter(|(.., command)| kind_of(command) == kind);
        let (at, key, command) = nth_last(&of_kind.cloned().collect::<Vec<_>>(), nth)?;
        // After a day it may be forgotten; nothing is promised then.
        let is_young = self.clock.saturating_sub(at) < IDEMPOTENCY_RETENTION.as_millis();
        let command = if other { otherwise(command) } else { command };
        is_young.then_some(Asked::Command(command, Some(key)))
    }
}

fn kind_of(command: &Command) -> u8 {
    match command {
        Command::Reserve { .. } => 0,
        Command::PlaceOrder { .. } => 1,
        Command::ConfirmOrder { .. } | Command::Purchase { .. } => 2,
        Command::CancelReservation(_) | Command::ExtendHold(_) => 3,
        Command::RefundOrder { .. } | Command::SettleRefund { .. } => 4,
        _ => 5,
    }
}

/// Another command that comes under the same key.
fn otherwise(command: Command) -> Command {
    let more =
        |amount: Option<Money>| Some(amount.map_or(euro(1), |amount| Money { minor: amount.minor + 1, ..amount }));
    match command {
        Command::Reserve { customer, quantity, waitlist } => {
            Command::Reserve { customer, quantity: units(quantity.get() % 3 + 1), waitlist }
        }
        Command::Purchase { customer, quantity, payment, amount } => {
            Command::Purchase { customer, quantity, payment, amount: more(amount) }
        }
        Command::PlaceOrder { claim, amount } => Command::PlaceOrder { claim, amount: more(amount) },
        Command::ConfirmOrder { claim, payment, amount } => {
            Command::ConfirmOrder { claim, payment, amount: more(amount) }
        }
        Command::CancelReservation(claim) => Command::ExtendHold(claim),
        Command::ExtendHold(claim) => Command::CancelReservation(claim),
        Command::OpenSale => Command::PauseSale,
        _ => Command::OpenSale,
    }
}
