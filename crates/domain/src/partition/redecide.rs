//! A partition's commands had back from its events, as [`crate::redecide`] does for items.

use super::decide::{clock_resumed, expiry_of, next_consequence, next_due};
use super::{BundleClaim, Partition, PartitionCommand, PartitionRequest};
use crate::endpoint::{EndpointCommand, EndpointEvent, EndpointNo};
use crate::event::{PartitionEvent, Recorded};
use crate::identity::BundleId;
use crate::ids::Ordinal;
use crate::payment::{
    Capture, MoneyPlace, Offer, PaymentEvent, PaymentReport, RefundedBy, SettledBy, Told, UnclaimedBecause,
};
use crate::text::{PaymentId, ProviderEventId};
use crate::units::Units;

/// The request that led to `recorded`. `partition` is the partition as it was before. `None` for what time did by
/// itself, for the consequences of another event, and for registrations, which are judged with their item.
#[must_use]
pub fn request_of(partition: &Partition, recorded: &Recorded<PartitionEvent>) -> Option<PartitionRequest> {
    let command = command_of(partition, &recorded.event)?;
    Some(PartitionRequest { command, idempotency: recorded.idempotency })
}

/// What time would do by itself to the partition, where the log says that it did `recorded`: the next event of that
/// kind. `partition` is the partition as it was before; only where its timers lie changes. `None` where time would do
/// nothing of the kind, and for events that no time brings about.
#[must_use]
pub fn without_command(partition: &mut Partition, recorded: &Recorded<PartitionEvent>) -> Option<PartitionEvent> {
    let at = recorded.at;
    partition.advance_timers(at);
    while partition.timers().needs_work() {
        partition.advance_timers(at);
    }
    match &recorded.event {
        // Whoever asks about a bundle that is due brings its end forward, so it need not be the first in order.
        PartitionEvent::BundleExpired { bundle, .. } => expiry_of(partition, *bundle, at),
        PartitionEvent::ClockResumed { from: _, to, release_floor } => {
            clock_resumed(partition, *to, release_floor.since(*to))
        }
        PartitionEvent::Payment { bundle: _, event } => match &**event {
            PaymentEvent::Unclaimed { because: UnclaimedBecause::WindowPassed, .. } => next_due(partition, at),
            PaymentEvent::Unclaimed { because: UnclaimedBecause::ReservationEnded, .. }
            | PaymentEvent::RefundSettled { .. }
            | PaymentEvent::OrderRefunded { .. } => next_consequence(partition),
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
        PartitionEvent::ItemRegistered { .. }
        | PartitionEvent::PartitionKeyed { .. }
        | PartitionEvent::BundleHeld { .. }
        | PartitionEvent::BundleOrdered { .. }
        | PartitionEvent::BundleCancelled { .. }
        | PartitionEvent::PaymentUnmatched { .. }
        | PartitionEvent::Endpoint { .. } => None,
    }
}

fn command_of(partition: &Partition, event: &PartitionEvent) -> Option<PartitionCommand> {
    Some(match event {
        PartitionEvent::BundleHeld { bundle: _, held, amount: _, deadline: _ } => {
            PartitionCommand::HoldBundle(held.clone())
        }
        PartitionEvent::BundleOrdered { bundle, amount, release_at: _, amount_named } => {
            PartitionCommand::PlaceOrder { claim: claim(partition, *bundle)?, amount: amount_named.then_some(*amount) }
        }
        PartitionEvent::BundleCancelled { bundle } => PartitionCommand::CancelBundle(claim(partition, *bundle)?),
        PartitionEvent::Payment { bundle, event } => return payment_command(partition, *bundle, event),
        PartitionEvent::PaymentUnmatched { order, report } => {
            PartitionCommand::RecordUnmatched { order: *order, report: report.clone() }
        }
        PartitionEvent::Endpoint { endpoint, event } => {
            PartitionCommand::Endpoint(Box::new(endpoint_command(*endpoint, event)))
        }
        PartitionEvent::ItemRegistered { .. }
        | PartitionEvent::PartitionKeyed { .. }
        | PartitionEvent::BundleExpired { .. }
        | PartitionEvent::ClockResumed { .. } => return None,
    })
}

fn endpoint_command(no: EndpointNo, event: &EndpointEvent) -> EndpointCommand {
    match event {
        EndpointEvent::Added { url, notices, secret } => {
            EndpointCommand::Add { url: url.clone(), notices: notices.clone(), secret: secret.clone() }
        }
        EndpointEvent::SecretRotated { secret } => EndpointCommand::Rotate(no, secret.clone()),
        EndpointEvent::Disabled { by } => EndpointCommand::Disable(no, *by),
        EndpointEvent::Enabled => EndpointCommand::Enable(no),
        EndpointEvent::Removed => EndpointCommand::Remove(no),
    }
}

fn claim(partition: &Partition, bundle: Ordinal) -> Option<BundleClaim> {
    let found = partition.bundle(bundle)?;
    Some(BundleClaim { bundle: found.held.id, customer: found.held.customer.clone() })
}

fn payment_command(partition: &Partition, owner: Ordinal, event: &PaymentEvent) -> Option<PartitionCommand> {
    let bundle = partition.id_of(owner)?;
    let reported = |provider, report: &ProviderEventId, payment: &PaymentId, told| {
        let report = PaymentReport { provider, report: report.clone(), payment: payment.clone(), told };
        Some(PartitionCommand::RecordPayment { bundle, report: Box::new(report) })
    };
    match event {
        PaymentEvent::Captured { capture, amount_named }
        | PaymentEvent::LateHonoured { capture, amount_named }
        | PaymentEvent::RefundDue { capture, reason: _, amount_named } => {
            capture_command(partition, owner, bundle, capture, *amount_named)
        }
        PaymentEvent::Parked { capture, until: _ } => capture_command(partition, owner, bundle, capture, false),
        PaymentEvent::Offered { provider, payment, client } => {
            let offer = Offer { provider: *provider, payment: payment.clone(), client: client.clone() };
            Some(PartitionCommand::OfferPayment { bundle, offer: Box::new(offer) })
        }
        PaymentEvent::Failed { provider, payment, report, withdrawn } => {
            reported(*provider, report, payment, if *withdrawn { Told::Cancelled } else { Told::Failed })
        }
        // A refund that was told of twice is noted like any further report; which of the two it was changes nothing.
        PaymentEvent::Noted { capture, provider, report } => {
            let known = partition.books().get(*capture)?;
            let amount = known.capture.amount;
            let told = if known.is_refunded() { Told::Refunded(amount) } else { Told::Captured(amount) };
            reported(*provider, report, &known.capture.payment, told)
        }
        PaymentEvent::Disputed { capture, provider, report, told } => {
            reported(*provider, report, &partition.books().get(*capture)?.capture.payment, Told::Captured(*told))
        }
        PaymentEvent::RefundReported { provider, payment, report, amount } => {
            reported(*provider, report, payment, Told::Refunded(*amount))
        }
        PaymentEvent::OrderRefunded { capture: _, released, by: RefundedBy::Operator { reason } } => {
            let return_units = *released != Units::ZERO;
            Some(PartitionCommand::RefundOrder { bundle, return_units, reason: reason.clone() })
        }
        PaymentEvent::RefundSettled { capture, by: by @ (SettledBy::Provider { .. } | SettledBy::Operator { .. }) } => {
            Some(PartitionCommand::SettleRefund { capture: *capture, by: by.clone() })
        }
        PaymentEvent::RefundSettled { by: SettledBy::Report, .. }
        | PaymentEvent::OrderRefunded { by: RefundedBy::Provider, .. }
        | PaymentEvent::Unclaimed { .. } => None,
    }
}

/// The command that brought money. Parked money that is claimed came with an earlier one: it follows from the order.
fn capture_command(
    partition: &Partition,
    owner: Ordinal,
    bundle: BundleId,
    capture: &Capture,
    amount_named: bool,
) -> Option<PartitionCommand> {
    let known = partition.books().find(capture.provider, &capture.payment);
    if known.is_some_and(|known| matches!(known.record.place, MoneyPlace::Parked { .. })) {
        return None;
    }
    match &capture.report {
        Some(report) => {
            let told = Told::Captured(capture.amount);
            let (provider, payment, report) = (capture.provider, capture.payment.clone(), report.clone());
            let report = Box::new(PaymentReport { provider, report, payment, told });
            Some(PartitionCommand::RecordPayment { bundle, report })
        }
        None => Some(PartitionCommand::ConfirmOrder {
            claim: claim(partition, owner)?,
            payment: capture.payment.clone(),
            amount: amount_named.then_some(capture.amount),
        }),
    }
}
