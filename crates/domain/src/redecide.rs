//! Commands had back from the log: every first event of a command says all that its command said, so nothing is
//! stored twice, and replay can judge the command again and compare instead of only folding.

use crate::command::{Claim, Command, Request, WaitlistChoice};
use crate::decide::{
    clock_resumed, expiry_of, next_due_change, next_expiry, next_given_back, next_promotion, next_unclaimed,
};
use crate::event::{ClosedBy, Event, OpenedBy, Recorded};
use crate::ids::Ordinal;
use crate::item::Item;
use crate::payment::{
    Capture, MoneyPlace, Offer, PaymentEvent, PaymentReport, RefundedBy, SettledBy, Told, UnclaimedBecause,
};
use crate::policy::SettingsPatch;
use crate::text::{PaymentId, ProviderEventId};
use crate::units::Units;

/// The request that led to `recorded`. `item` is the item as it was before. `None` for what time did by itself, for
/// the consequences of another event, and for the first event of an item.
#[must_use]
pub fn request_of(item: &Item, recorded: &Recorded) -> Option<Request> {
    let command = command_of(item, &recorded.event)?;
    Some(Request { command, idempotency: recorded.idempotency })
}

/// What time would do by itself to the item, where the log says that it did `recorded`: the next event of that kind.
/// `item` is the item as it was before; only where its timers lie changes. `None` where time would do nothing of the
/// kind, and for events that no time brings about.
#[must_use]
pub fn without_command(item: &mut Item, recorded: &Recorded) -> Option<Event> {
    let at = recorded.at;
    item.advance_timers(at);
    while item.timers().needs_work() {
        item.advance_timers(at);
    }
    match &recorded.event {
        Event::SaleOpened { by: OpenedBy::Schedule }
        | Event::SaleClosed { by: ClosedBy::Schedule | ClosedBy::SoldOut, .. } => next_due_change(item, at),
        // Whoever asks about a hold that is due brings its end forward, so it need not be the first in order.
        Event::HoldExpired { reservation, .. } => expiry_of(item, *reservation, at),
        Event::HoldPromoted { .. } | Event::WaitlistLapsed { .. } => next_promotion(item, at),
        Event::ClockResumed { from: _, to, release_floor } => clock_resumed(item, *to, release_floor.since(*to)),
        Event::Payment { reservation: _, event } => match &**event {
            PaymentEvent::Unclaimed { because: UnclaimedBecause::WindowPassed, .. } => next_expiry(item, at),
            PaymentEvent::Unclaimed { because: UnclaimedBecause::ReservationEnded, .. } => next_unclaimed(item),
            PaymentEvent::RefundSettled { .. } | PaymentEvent::OrderRefunded { .. } => next_given_back(item),
            PaymentEvent::Offered { .. }
            | PaymentEvent::Failed { .. }
            | PaymentEvent::Parked { .. }
            | PaymentEvent::Captured { .. }
            | PaymentEvent::LateHonoured { .. }
            | PaymentEvent::RefundDue { .. }
            | PaymentEvent::Noted { .. }
            | PaymentEvent::Disputed { .. }
            | PaymentEvent::RefundReported { .. } => None,
        },
        Event::ItemCreated { .. }
        | Event::ItemRevised { .. }
        | Event::SaleOpened { by: OpenedBy::Operator }
        | Event::SalePaused
        | Event::SaleResumed
        | Event::SaleClosed { by: ClosedBy::Operator, .. }
        | Event::StockAdjusted { .. }
        | Event::HoldPlaced { .. }
        | Event::WaitlistJoined { .. }
        | Event::PurchaseConfirmed { .. }
        | Event::ReservationCancelled { .. }
        | Event::HoldExtended { .. }
        | Event::OrderPlaced { .. }
        | Event::PartHeld { .. }
        | Event::PartSettled { .. } => None,
    }
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
        Event::Payment { reservation, event } => return payment_command(item, *reservation, event),
        Event::PartHeld { reservation: _, customer, quantity, bundle } => {
            Command::HoldPart { bundle: *bundle, customer: customer.clone(), quantity: *quantity }
        }
        Event::PartSettled { reservation: _, bundle, decision, released: _ } => {
            Command::SettlePart { bundle: *bundle, decision: *decision }
        }
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
    Some(Claim { reservation, customer: item.customers().id(found.customer) })
}

fn payment_command(item: &Item, reservation: Ordinal, event: &PaymentEvent) -> Option<Command> {
    let reported = |provider, report: &ProviderEventId, payment: &PaymentId, told| {
        let report = PaymentReport { provider, report: report.clone(), payment: payment.clone(), told };
        Some(Command::RecordPayment { reservation, report: Box::new(report) })
    };
    match event {
        PaymentEvent::Captured { capture, amount_named }
        | PaymentEvent::LateHonoured { capture, amount_named }
        | PaymentEvent::RefundDue { capture, reason: _, amount_named } => {
            capture_command(item, reservation, capture, *amount_named)
        }
        PaymentEvent::Parked { capture, until: _ } => capture_command(item, reservation, capture, false),
        PaymentEvent::Offered { provider, payment, client } => {
            let offer = Offer { provider: *provider, payment: payment.clone(), client: client.clone() };
            Some(Command::OfferPayment { reservation, offer: Box::new(offer) })
        }
        PaymentEvent::Failed { provider, payment, report, withdrawn } => {
            reported(*provider, report, payment, if *withdrawn { Told::Cancelled } else { Told::Failed })
        }
        // A refund that was told of twice is noted like any further report; which of the two it was changes nothing.
        PaymentEvent::Noted { capture, provider, report } => {
            let known = item.books().get(*capture)?;
            let amount = known.capture.amount;
            let told = if known.is_refunded() { Told::Refunded(amount) } else { Told::Captured(amount) };
            reported(*provider, report, &known.capture.payment, told)
        }
        PaymentEvent::Disputed { capture, provider, report, told } => {
            reported(*provider, report, &item.books().get(*capture)?.capture.payment, Told::Captured(*told))
        }
        PaymentEvent::RefundReported { provider, payment, report, amount } => {
            reported(*provider, report, payment, Told::Refunded(*amount))
        }
        PaymentEvent::OrderRefunded { capture: _, released, by: RefundedBy::Operator { reason } } => {
            let return_units = *released != Units::ZERO;
            Some(Command::RefundOrder { reservation, return_units, reason: reason.clone() })
        }
        PaymentEvent::RefundSettled { capture, by: by @ (SettledBy::Provider { .. } | SettledBy::Operator { .. }) } => {
            Some(Command::SettleRefund { capture: *capture, by: by.clone() })
        }
        PaymentEvent::RefundSettled { by: SettledBy::Report, .. }
        | PaymentEvent::OrderRefunded { by: RefundedBy::Provider, .. }
        | PaymentEvent::Unclaimed { .. } => None,
    }
}

/// The command that brought money. Parked money that is claimed came with an earlier one: it follows from the order.
fn capture_command(item: &Item, reservation: Ordinal, capture: &Capture, amount_named: bool) -> Option<Command> {
    let known = item.books().find(capture.provider, &capture.payment);
    if known.is_some_and(|known| matches!(known.record.place, MoneyPlace::Parked { .. })) {
        return None;
    }
    match &capture.report {
        Some(report) => {
            let told = Told::Captured(capture.amount);
            let (provider, payment, report) = (capture.provider, capture.payment.clone(), report.clone());
            let report = Box::new(PaymentReport { provider, report, payment, told });
            Some(Command::RecordPayment { reservation, report })
        }
        None => Some(Command::ConfirmOrder {
            claim: claim(item, reservation)?,
            payment: capture.payment.clone(),
            amount: amount_named.then_some(capture.amount),
        }),
    }
}
