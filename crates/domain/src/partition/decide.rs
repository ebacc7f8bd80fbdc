//! What a command leads to in a partition, and what time does there by itself. Pure: it reads and changes nothing.

use super::{Bundle, BundleAnswered, BundleClaim, BundleState, Partition, PartitionCommand, PartitionRequest};
use crate::bundle::NewBundle;
use crate::endpoint::{EndpointCommand, EndpointRefusal};
use crate::event::PartitionEvent;
use crate::idempotency::Acceptance;
use crate::identity::{BundleId, OrderId};
use crate::ids::{CaptureNo, Ordinal};
use crate::item::PARKED_TIMER;
use crate::limits::{BUNDLES_PER_PARTITION_MAX, UNMATCHED_PAYMENTS_MAX};
use crate::money::Money;
use crate::payment::judge::{Standing, Verdict, belongs_elsewhere, claim_parked, judge, judge_capture};
use crate::payment::{Capture, LateRefusal, Offer, PaymentEvent, PaymentReport, Provider, SettledBy, Settling};
use crate::rejection::{EndedAs, Rejection};
use crate::text::{PaymentId, Reason};
use crate::time::{DurationMs, Timestamp};
use crate::units::Units;
use crate::views::PaymentVerdict;

/// What a command leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionDecision {
    /// These events, in this order; the first one carries the command's idempotency record.
    Accept(Vec<PartitionEvent>),
    /// Nothing new: the same request was accepted before, and gets the same answer.
    Replay(Acceptance<BundleAnswered>),
    /// Nothing: what was asked for is so already.
    AlreadySo(SoAlready),
}

/// What is so already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoAlready {
    /// The bundle is held, or cancelled.
    Bundle(Ordinal),
    /// The order is placed, or the same payment has paid it.
    Order(Ordinal),
    /// A report that is known, or from which nothing new follows.
    Reported(PaymentVerdict),
    /// The refund of this capture is settled.
    Settled(CaptureNo),
    /// The endpoints are as they are.
    Endpoints,
}

type Decided = Result<PartitionDecision, Rejection>;

/// Judges `request` at `now`. Whether a new bundle is still being collected is the turn's to check: it is no fact.
///
/// # Errors
/// A [`Rejection`]; nothing is to be written then.
pub fn decide(partition: &Partition, request: &PartitionRequest, now: Timestamp) -> Decided {
    if let Some(asked) = request.idempotency
        && let Some(acceptance) = partition.idempotency().recall(asked, now)?
    {
        return Ok(PartitionDecision::Replay(acceptance.clone()));
    }
    match &request.command {
        PartitionCommand::HoldBundle(held) => hold(partition, held, now),
        PartitionCommand::PlaceOrder { claim, amount } => place_order(partition, claim, *amount, now),
        PartitionCommand::ConfirmOrder { claim, payment, amount } => confirm(partition, claim, payment, *amount, now),
        PartitionCommand::CancelBundle(claim) => cancel(partition, claim),
        PartitionCommand::RecordPayment { bundle, report } => record(partition, *bundle, report, now),
        PartitionCommand::OfferPayment { bundle, offer } => show_offer(partition, *bundle, offer),
        PartitionCommand::SettleRefund { capture, by } => settle(partition, *capture, by),
        PartitionCommand::RefundOrder { bundle, return_units, reason } => {
            refund(partition, *bundle, *return_units, reason)
        }
        PartitionCommand::RecordUnmatched { order, report } => unmatched(partition, *order, report),
        PartitionCommand::Endpoint(command) => endpoint(partition, command),
    }
}

fn endpoint(partition: &Partition, command: &EndpointCommand) -> Decided {
    match partition.endpoints().decide(command) {
        Ok(Some((endpoint, event))) => Ok(accept(PartitionEvent::Endpoint { endpoint, event: Box::new(event) })),
        Ok(None) => Ok(PartitionDecision::AlreadySo(SoAlready::Endpoints)),
        Err(EndpointRefusal::NotFound) => Err(Rejection::NotFound),
        Err(EndpointRefusal::TooMany) => Err(Rejection::TooManyEndpoints),
    }
}

fn accept(event: PartitionEvent) -> PartitionDecision {
    PartitionDecision::Accept(vec![event])
}

fn of_payment((bundle, event): (Ordinal, PaymentEvent)) -> PartitionEvent {
    PartitionEvent::Payment { bundle, event: Box::new(event) }
}

/// The bundle a claim names, if it is the claimant's: a stranger's answers as if it did not exist.
fn claimed<'p>(partition: &'p Partition, claim: &BundleClaim) -> Result<(Ordinal, &'p Bundle), Rejection> {
    let found = partition.find_bundle(claim.bundle);
    found.filter(|(_, found)| found.held.customer == claim.customer).ok_or(Rejection::NotFound)
}

fn found(partition: &Partition, bundle: BundleId) -> Result<(Ordinal, &Bundle), Rejection> {
    partition.find_bundle(bundle).ok_or(Rejection::NotFound)
}

fn hold(partition: &Partition, held: &NewBundle, now: Timestamp) -> Decided {
    if let Some((known, _)) = partition.find_bundle(held.id) {
        return Ok(PartitionDecision::AlreadySo(SoAlready::Bundle(known)));
    }
    if partition.bundle_count() >= BUNDLES_PER_PARTITION_MAX {
        return Err(Rejection::ItemFull);
    }
    let amount = held.amount().ok_or(Rejection::BundleNotSummable)?;
    let (bundle, deadline) = (Ordinal(partition.bundle_count()), now.plus(held.terms.hold_time));
    Ok(accept(PartitionEvent::BundleHeld { bundle, held: Box::new(held.clone()), amount, deadline }))
}

fn place_order(partition: &Partition, claim: &BundleClaim, amount: Option<Money>, now: Timestamp) -> Decided {
    let (bundle, found) = claimed(partition, claim)?;
    if amount.is_some_and(|amount| amount != found.amount) {
        return Err(Rejection::AmountMismatch { expected: found.amount });
    }
    let hold = match &found.state {
        BundleState::Held(hold) if hold.ordered_at.is_none() => hold,
        BundleState::Held(_) | BundleState::Confirmed(_) => {
            return Ok(PartitionDecision::AlreadySo(SoAlready::Order(bundle)));
        }
        BundleState::Cancelled(_) => return Err(Rejection::HoldExpired { ended: EndedAs::Cancelled }),
        BundleState::Expired(_) => return Err(Rejection::HoldExpired { ended: EndedAs::Expired }),
    };
    if now >= hold.deadline {
        return Err(Rejection::HoldExpired { ended: EndedAs::Expired });
    }
    let release_at = hold.deadline.plus(found.held.terms.grace);
    let placed =
        PartitionEvent::BundleOrdered { bundle, amount: found.amount, release_at, amount_named: amount.is_some() };
    // Money that came before its order is applied the moment the order appears.
    let claimed = claim_parked(partition.books(), bundle, found.amount).into_iter();
    let claimed = claimed.map(|event| of_payment((bundle, event)));
    Ok(PartitionDecision::Accept(std::iter::once(placed).chain(claimed).collect()))
}

fn cancel(partition: &Partition, claim: &BundleClaim) -> Decided {
    let (bundle, found) = claimed(partition, claim)?;
    match found.ended() {
        None => Ok(accept(PartitionEvent::BundleCancelled { bundle })),
        Some(EndedAs::Cancelled) => Ok(PartitionDecision::AlreadySo(SoAlready::Bundle(bundle))),
        Some(ended) => Err(Rejection::NotCancellable { ended }),
    }
}

/// How a bundle's order stands when money for it arrives. One that ended is never granted anew.
fn standing(found: &Bundle, now: Timestamp) -> Standing {
    match &found.state {
        BundleState::Held(hold) if hold.ordered_at.is_some() => Standing::Awaiting,
        BundleState::Held(_) => Standing::NotPlaced { park_until: now.plus(found.held.terms.parked_window) },
        BundleState::Confirmed(_) => Standing::Paid,
        BundleState::Cancelled(_) | BundleState::Expired(_) => Standing::Ended(Err(LateRefusal::Bundle)),
    }
}

fn confirm(
    partition: &Partition,
    claim: &BundleClaim,
    payment: &PaymentId,
    amount: Option<Money>,
    now: Timestamp,
) -> Decided {
    let ((bundle, found), books) = (claimed(partition, claim)?, partition.books());
    let price = found.amount;
    if belongs_elsewhere(books, bundle, payment) {
        return Err(Rejection::PaymentAlreadyUsed);
    }
    if amount.is_some_and(|amount| amount != price) {
        return Err(Rejection::AmountMismatch { expected: price });
    }
    if partition.order_of(bundle, found).is_none() {
        return Err(Rejection::NotFound);
    }
    if books.find(Provider::External, payment).is_some() {
        // The provider's own webhook was faster, or this was confirmed before: one capture.
        return Ok(PartitionDecision::AlreadySo(SoAlready::Order(bundle)));
    }
    if books.is_full() {
        return Err(Rejection::ItemFull);
    }
    let capture = Capture { provider: Provider::External, payment: payment.clone(), report: None, amount: price };
    Ok(accept(of_payment((bundle, judge_capture(standing(found, now), price, capture, amount.is_some())))))
}

fn record(partition: &Partition, bundle: BundleId, report: &PaymentReport, now: Timestamp) -> Decided {
    let (bundle, found) = found(partition, bundle)?;
    let books = partition.books();
    if books.is_full() {
        return Err(Rejection::ItemFull);
    }
    match judge(books, bundle, standing(found, now), found.amount, report) {
        Verdict::New(event) => Ok(accept(PartitionEvent::Payment { bundle, event })),
        Verdict::Nothing => Ok(PartitionDecision::AlreadySo(SoAlready::Reported(books.known_verdict(report)))),
    }
}

fn show_offer(partition: &Partition, bundle: BundleId, offer: &Offer) -> Decided {
    let (bundle, found) = found(partition, bundle)?;
    let known = partition.books().order(bundle).and_then(|book| book.offer.as_ref());
    if known == Some(offer) {
        return Ok(PartitionDecision::AlreadySo(SoAlready::Order(bundle)));
    }
    match &found.state {
        BundleState::Held(hold) if hold.ordered_at.is_some() => {
            let Offer { provider, payment, client } = offer.clone();
            Ok(accept(of_payment((bundle, PaymentEvent::Offered { provider, payment, client }))))
        }
        BundleState::Held(_) => Err(Rejection::NotFound),
        BundleState::Confirmed(_) => Err(Rejection::HoldAlreadyUsed),
        BundleState::Cancelled(_) => Err(Rejection::HoldExpired { ended: EndedAs::Cancelled }),
        BundleState::Expired(_) => Err(Rejection::HoldExpired { ended: EndedAs::Expired }),
    }
}

fn settle(partition: &Partition, capture: CaptureNo, by: &SettledBy) -> Decided {
    match partition.books().settling(capture, by)? {
        Settling::Now(bundle, event) => Ok(accept(of_payment((bundle, event)))),
        Settling::Already => Ok(PartitionDecision::AlreadySo(SoAlready::Settled(capture))),
    }
}

fn refund(partition: &Partition, bundle: BundleId, return_units: bool, reason: &Reason) -> Decided {
    let (bundle, found) = found(partition, bundle)?;
    let released = if return_units { found.held.units() } else { Units::ZERO };
    Ok(accept(of_payment((bundle, partition.books().refunding(bundle, released, reason)?))))
}

fn unmatched(partition: &Partition, order: OrderId, report: &PaymentReport) -> Decided {
    if partition.knows_unmatched(report.provider, &report.report) {
        return Ok(PartitionDecision::AlreadySo(SoAlready::Reported(PaymentVerdict::Duplicate)));
    }
    if partition.unmatched().len() >= UNMATCHED_PAYMENTS_MAX {
        return Err(Rejection::ItemFull);
    }
    Ok(accept(PartitionEvent::PaymentUnmatched { order, report: Box::new(report.clone()) }))
}

/// The end of this very bundle, if it is held and due.
pub(super) fn expiry_of(partition: &Partition, bundle: Ordinal, now: Timestamp) -> Option<PartitionEvent> {
    let hold = partition.bundle(bundle)?.hold()?;
    let release_at = hold.release_at;
    (release_at <= now).then_some(PartitionEvent::BundleExpired { bundle, release_at })
}

/// What is due first: the end of a bundle, or of the window of parked money, in the order of (instant, number).
#[must_use]
pub fn next_due(partition: &Partition, now: Timestamp) -> Option<PartitionEvent> {
    let key = partition.timers().first_due()?.key.0;
    if key & PARKED_TIMER == 0 {
        expiry_of(partition, Ordinal(key), now)
    } else {
        partition.books().window_passed(CaptureNo(key & !PARKED_TIMER)).map(of_payment)
    }
}

/// What follows for money: parked money whose bundle is over, and refunds that a provider made by itself.
#[must_use]
pub fn next_consequence(partition: &Partition) -> Option<PartitionEvent> {
    let books = partition.books();
    books.next_unclaimed().or_else(|| books.next_refund_made()).map(of_payment)
}

/// After a restart: no bundle is released before `resumed_at + grace`, because nobody could pay while the process was
/// down. `None` where none is so close to its end.
#[must_use]
pub fn clock_resumed(partition: &Partition, resumed_at: Timestamp, grace: DurationMs) -> Option<PartitionEvent> {
    let release_floor = resumed_at.plus(grace);
    let is_close = |found: &Bundle| found.hold().is_some_and(|hold| hold.release_at < release_floor);
    let any = partition.all_bundles().any(|(_, found)| is_close(found));
    any.then(|| PartitionEvent::ClockResumed { from: partition.now(), to: resumed_at, release_floor })
}
