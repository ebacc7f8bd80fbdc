//! Whose order a follow-up is about: a reservation's, which its item keeps, or a bundle's, which its partition does.
//! Both are asked and told the same things.

use crate::registry::Registry;
use crate::shell::{Ask, Reply};
use crate::slot::Slot;
use domain::command::{Claim, Command, Request};
use domain::identity::{BundleId, OrderId};
use domain::ids::{CaptureNo, ItemNo, Ordinal};
use domain::money::Money;
use domain::partition::{BundleClaim, PartitionCommand, PartitionQuery, PartitionRequest};
use domain::payment::{Capture, Offer, PaymentReport, Provider, SettledBy};
use domain::text::{CustomerId, PaymentId};
use domain::turn::Query;
use domain::views::{Body, CaptureFilter, CaptureView, OrderState, PaymentView, StateView};
use std::sync::Arc;

use super::execute::{Outcome, Step, later};

/// Captures asked for at once.
const CAPTURES_AT_ONCE: usize = 64;

/// Whose order.
pub(super) enum Owner {
    Reservation(Arc<Slot>, Ordinal),
    Bundle(BundleId),
}

/// What follow-ups need to know of an order.
pub(super) struct OrderNow {
    pub(super) id: OrderId,
    pub(super) state: OrderState,
    pub(super) amount: Money,
    pub(super) customer: CustomerId,
    pub(super) payment: Option<PaymentView>,
    /// Every payment for it whose money was taken and is known of.
    pub(super) captured: Vec<PaymentId>,
    pub(super) description: String,
}

fn captured(capture: Option<Capture>, refunds: Vec<CaptureView>) -> Vec<PaymentId> {
    capture.into_iter().chain(refunds.into_iter().map(|refund| refund.record.capture)).map(|one| one.payment).collect()
}

impl Owner {
    /// The owner that a stream and a number name. `Err(Done)`: it is not there any more.
    pub(super) async fn find(registry: &Registry, stream: ItemNo, number: Ordinal) -> Step<Self> {
        if !stream.is_partition_stream() {
            let slot = registry.slot(stream).ok_or(Outcome::Done)?;
            return Ok(Self::Reservation(slot, number));
        }
        let id = registry.partition.lock().await.partition.id_of(number);
        id.map(Self::Bundle).ok_or(Outcome::Done)
    }

    async fn partition(registry: &Registry, command: PartitionCommand) -> Reply {
        let judged = registry.partition_turn(|turn| turn.judge(&PartitionRequest::new(command, None, &turn.key())));
        judged.await?.open().await
    }

    async fn read(registry: &Registry, query: PartitionQuery) -> Reply {
        registry.partition_turn(|turn| turn.read(&query)).await?.open().await
    }

    async fn command(registry: &Arc<Registry>, slot: &Arc<Slot>, command: Command) -> Reply {
        registry.ask(slot, Ask::Command(Box::new(Request::from(command)))).await
    }

    /// Places the order, where there is a live hold and no order yet. `Err(Done)`: there is no live hold.
    pub(super) async fn place_order(&self, registry: &Arc<Registry>) -> Step<()> {
        let placed = match self {
            Self::Reservation(slot, ordinal) => {
                let read = registry
                    .ask(slot, Ask::Query(Query::AnyReservation(*ordinal)))
                    .await
                    .map_err(|error| later(&error))?;
                let Ok(Body::Reservation(view)) = read.outcome.map(|answer| answer.body) else {
                    return Err(Outcome::Done);
                };
                if !matches!(view.state, StateView::Held { .. }) {
                    return Err(Outcome::Done);
                }
                let claim = Claim { reservation: *ordinal, customer: view.customer };
                Self::command(registry, slot, Command::PlaceOrder { claim, amount: None }).await
            }
            Self::Bundle(bundle) => {
                let read =
                    Self::read(registry, PartitionQuery::AnyBundle(*bundle)).await.map_err(|error| later(&error))?;
                let Ok(Body::Bundle(view)) = read.outcome.map(|answer| answer.body) else { return Err(Outcome::Done) };
                let claim = BundleClaim { bundle: *bundle, customer: view.customer };
                Self::partition(registry, PartitionCommand::PlaceOrder { claim, amount: None }).await
            }
        };
        // A refusal says that the hold is over.
        placed.map_err(|error| later(&error))?.outcome.map(drop).map_err(|_| Outcome::Done)
    }

    /// The order as it is. `Err(Done)`: there is none.
    pub(super) async fn order(&self, registry: &Arc<Registry>) -> Step<OrderNow> {
        let read = match self {
            Self::Reservation(slot, ordinal) => registry.ask(slot, Ask::Query(Query::AnyOrder(*ordinal))).await,
            Self::Bundle(bundle) => Self::read(registry, PartitionQuery::AnyOrder(*bundle)).await,
        };
        match read.map_err(|error| later(&error))?.outcome.map(|answer| answer.body) {
            Ok(Body::Order(view)) => Ok(OrderNow {
                id: view.summary.id,
                state: view.summary.state,
                amount: view.summary.amount,
                description: format!("{} × {}", view.quantity.get(), view.sku),
                customer: view.customer,
                payment: view.payment,
                captured: captured(view.capture, view.refunds),
            }),
            Ok(Body::BundleOrder(view)) => Ok(OrderNow {
                id: view.summary.id,
                state: view.summary.state,
                amount: view.summary.amount,
                description: format!("{} lines", view.lines.len()),
                customer: view.customer,
                payment: view.payment,
                captured: captured(view.capture, view.refunds),
            }),
            Ok(_) | Err(_) => Err(Outcome::Done),
        }
    }

    /// Who is asked for opportunities to pay it.
    pub(super) async fn provider(&self, registry: &Arc<Registry>) -> Step<Option<Provider>> {
        match self {
            Self::Reservation(slot, _) => Ok(slot.view().settings.policy.payments.provider),
            Self::Bundle(bundle) => {
                let read =
                    Self::read(registry, PartitionQuery::AnyOrder(*bundle)).await.map_err(|error| later(&error))?;
                match read.outcome.map(|answer| answer.body) {
                    Ok(Body::BundleOrder(view)) => Ok(view.provider),
                    Ok(_) | Err(_) => Ok(None),
                }
            }
        }
    }

    /// Shows the owner an opportunity. `false`: it came too late for anybody to use it.
    pub(super) async fn show(&self, registry: &Arc<Registry>, offer: Offer) -> Step<bool> {
        let offer = Box::new(offer);
        let shown = match self {
            Self::Reservation(slot, ordinal) => {
                Self::command(registry, slot, Command::OfferPayment { reservation: *ordinal, offer }).await
            }
            Self::Bundle(bundle) => {
                Self::partition(registry, PartitionCommand::OfferPayment { bundle: *bundle, offer }).await
            }
        };
        Ok(shown.map_err(|error| later(&error))?.outcome.is_ok())
    }

    /// Tells of money that the provider says was taken. What becomes of it, the owner judges; what it knew stays as it is.
    pub(super) async fn record(&self, registry: &Arc<Registry>, report: PaymentReport) -> Step<()> {
        let report = Box::new(report);
        let recorded = match self {
            Self::Reservation(slot, ordinal) => {
                Self::command(registry, slot, Command::RecordPayment { reservation: *ordinal, report }).await
            }
            Self::Bundle(bundle) => {
                Self::partition(registry, PartitionCommand::RecordPayment { bundle: *bundle, report }).await
            }
        };
        let refused = recorded.map_err(|error| later(&error))?.outcome.err();
        refused.map_or(Ok(()), |why| Err(Outcome::Never(format!("a payment that was taken is not accepted: {why:?}"))))
    }

    /// Every capture for it whose money is to go back, whether or not there ever was an order.
    pub(super) async fn refunds_due(&self, registry: &Arc<Registry>) -> Step<Vec<CaptureView>> {
        let mut due = Vec::new();
        match self {
            Self::Reservation(slot, ordinal) => {
                let read =
                    registry.ask(slot, Ask::Query(Query::RefundsOf(*ordinal))).await.map_err(|error| later(&error))?;
                if let Ok(Body::Captures { page, .. }) = read.outcome.map(|answer| answer.body) {
                    due.extend(page);
                }
            }
            Self::Bundle(bundle) => {
                let mut next = Some(CaptureNo(0));
                while let Some(from) = next.take() {
                    let query = PartitionQuery::Captures { filter: CaptureFilter::Due, from, limit: CAPTURES_AT_ONCE };
                    let read = Self::read(registry, query).await.map_err(|error| later(&error))?;
                    if let Ok(Body::Captures { page, next: rest }) = read.outcome.map(|answer| answer.body) {
                        due.extend(page.into_iter().filter(|view| view.order == OrderId::of_bundle(*bundle)));
                        next = rest;
                    }
                }
            }
        }
        Ok(due)
    }

    /// Tells that a refund is done. What was settled meanwhile is as good.
    pub(super) async fn settle(&self, registry: &Arc<Registry>, capture: CaptureNo, by: SettledBy) -> Step<()> {
        let settled = match self {
            Self::Reservation(slot, _) => Self::command(registry, slot, Command::SettleRefund { capture, by }).await,
            Self::Bundle(_) => Self::partition(registry, PartitionCommand::SettleRefund { capture, by }).await,
        };
        settled.map_err(|error| later(&error)).map(drop)
    }
}
