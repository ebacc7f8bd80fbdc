//! Doing it: each piece of work asks the item how things are, asks the provider, and tells the item what came of it.

use super::Outside;
use super::work::Work;
use crate::ports::{
    Delivered, Delivery, EndpointSecret, PaymentProvider, PaymentRequest, ProviderError, RefundRequest, Withdrawn,
};
use crate::registry::Registry;
use crate::shell::{Ask, Reply};
use crate::slot::Slot;
use domain::command::{Claim, Command, Request};
use domain::endpoint::EndpointNo;
use domain::ids::{CaptureNo, ItemNo, Ordinal};
use domain::payment::{MoneyPlace, Offer, Provider, SettledBy};
use domain::rejection::Rejection;
use domain::text::{PaymentId, RefundReference};
use domain::turn::Query;
use domain::views::{Answer, Body, CaptureView, OrderState, OrderView, ReservationView, StateView};
use std::sync::Arc;

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done, or there is nothing to do any more.
    Done,
    /// Done, and this is to be done besides.
    DoneAnd(Work),
    /// The endpoint says that it is gone for good: it is to be turned off.
    GoneFor(EndpointNo),
    /// Not yet: try again later. Why, in words.
    Later(String),
    /// It cannot be done. Operators see it where it is open (a refund that stays due); why, in words.
    Never(String),
}

/// What an executor works with.
#[derive(Clone)]
pub(crate) struct Executor {
    pub(crate) registry: Arc<Registry>,
    pub(crate) outside: Outside,
}

type Step<T> = Result<T, Outcome>;

fn later(error: impl ToString) -> Outcome {
    Outcome::Later(error.to_string())
}

fn of_provider(error: ProviderError) -> Outcome {
    match error {
        ProviderError::Refused(_) => Outcome::Never(error.to_string()),
        ProviderError::Unavailable(_) => Outcome::Later(error.to_string()),
    }
}

impl Executor {
    /// Makes one attempt.
    pub(crate) async fn attempt(&self, work: &Work) -> Outcome {
        let done = match work {
            Work::Offer { item, reservation } => self.offer(ItemNo::from_u32(*item), Ordinal(*reservation)).await,
            Work::Withdraw { item, reservation } => self.withdraw(ItemNo::from_u32(*item), Ordinal(*reservation)).await,
            Work::Notify { endpoint, id, body } => self.notify(EndpointNo(*endpoint), id, body).await,
            Work::WithdrawUnseen { provider, payment } => self.withdraw_unseen(provider, payment).await,
            Work::Refund { item, reservation } => self.refund(ItemNo::from_u32(*item), Ordinal(*reservation)).await,
        };
        done.unwrap_or_else(|outcome| outcome)
    }

    fn slot(&self, item: ItemNo) -> Step<Arc<Slot>> {
        // An item that is not there (its stream broke) has nothing that could be followed up.
        self.registry.slot(item).ok_or(Outcome::Done)
    }

    fn provider(&self, which: Provider) -> Option<Arc<dyn PaymentProvider>> {
        self.outside.provider(which).map(Arc::clone)
    }

    async fn command(&self, slot: &Arc<Slot>, command: Command) -> Reply {
        self.registry.ask(slot, Ask::Command(Box::new(Request::from(command)))).await
    }

    async fn reservation(&self, slot: &Arc<Slot>, ordinal: Ordinal) -> Step<Box<ReservationView>> {
        let judged = self.registry.ask(slot, Ask::Query(Query::AnyReservation(ordinal))).await.map_err(later)?;
        match judged.outcome {
            Ok(answer) => match answer.body {
                Body::Reservation(view) => Ok(view),
                _ => Err(Outcome::Done),
            },
            Err(_) => Err(Outcome::Done),
        }
    }

    async fn order(&self, slot: &Arc<Slot>, ordinal: Ordinal) -> Step<Box<OrderView>> {
        let judged = self.registry.ask(slot, Ask::Query(Query::AnyOrder(ordinal))).await.map_err(later)?;
        match judged.outcome {
            Ok(answer) => match answer.body {
                Body::Order(view) => Ok(view),
                _ => Err(Outcome::Done),
            },
            // There is no order: nothing to pay, nothing to give back.
            Err(_) => Err(Outcome::Done),
        }
    }

    /// First the order, then the opportunity: a hold that ended meanwhile needs neither.
    async fn offer(&self, item: ItemNo, ordinal: Ordinal) -> Step<Outcome> {
        let slot = self.slot(item)?;
        let settings = Arc::clone(&slot.view().settings);
        let Some(provider) = settings.policy.payments.provider.and_then(|which| self.provider(which)) else {
            return Ok(Outcome::Done);
        };
        let view = self.reservation(&slot, ordinal).await?;
        if !matches!(view.state, StateView::Held { .. }) {
            return Ok(Outcome::Done);
        }
        if view.order.is_none() {
            let claim = Claim { reservation: ordinal, customer: view.customer.clone() };
            let placed = self.command(&slot, Command::PlaceOrder { claim, amount: None }).await.map_err(later)?;
            if placed.outcome.is_err() {
                return Ok(Outcome::Done);
            }
        }
        let order = self.order(&slot, ordinal).await?;
        let OrderState::AwaitingPayment { expires_at } = order.summary.state else { return Ok(Outcome::Done) };
        if order.payment.is_some_and(|payment| payment.offer.provider == provider.provider()) {
            return Ok(Outcome::Done);
        }
        let request = PaymentRequest {
            order: order.summary.id,
            amount: order.summary.amount,
            customer: order.customer,
            description: format!("{} × {}", order.quantity.get(), settings.name),
            expires_at,
        };
        let opportunity = provider.create(&request).await.map_err(of_provider)?;
        let offer = Offer { provider: provider.provider(), payment: opportunity.payment, client: opportunity.client };
        self.show(&slot, ordinal, offer).await
    }

    async fn show(&self, slot: &Arc<Slot>, reservation: Ordinal, offer: Offer) -> Step<Outcome> {
        let (provider, payment) = (offer.provider.name().to_owned(), offer.payment.as_str().to_owned());
        let command = Command::OfferPayment { reservation, offer: Box::new(offer) };
        let shown = self.command(slot, command).await.map_err(later)?;
        Ok(match shown.outcome {
            Ok(_) => Outcome::Done,
            // Over before anybody could see it: nobody may use it any more.
            Err(_) => Outcome::DoneAnd(Work::WithdrawUnseen { provider, payment }),
        })
    }

    async fn withdraw(&self, item: ItemNo, ordinal: Ordinal) -> Step<Outcome> {
        let slot = self.slot(item)?;
        let order = self.order(&slot, ordinal).await?;
        let Some(payment) = &order.payment else { return Ok(Outcome::Done) };
        let used = order.capture.as_ref().is_some_and(|capture| capture.payment == payment.offer.payment);
        if used || matches!(order.summary.state, OrderState::AwaitingPayment { .. }) {
            return Ok(Outcome::Done);
        }
        self.cancel(payment.offer.provider, &payment.offer.payment).await
    }

    async fn withdraw_unseen(&self, provider: &str, payment: &str) -> Step<Outcome> {
        match (Provider::named(provider), PaymentId::parse(payment)) {
            (Some(provider), Ok(payment)) => self.cancel(provider, &payment).await,
            _ => Ok(Outcome::Never(format!("there is no payment {payment:?} of provider {provider:?}"))),
        }
    }

    async fn cancel(&self, provider: Provider, payment: &PaymentId) -> Step<Outcome> {
        let Some(provider) = self.provider(provider) else { return Ok(Outcome::Done) };
        match provider.cancel(payment).await.map_err(of_provider)? {
            // Paid after all: its report comes or has come, and rule 9 says what becomes of the money.
            Withdrawn::Cancelled | Withdrawn::AlreadyPaid => Ok(Outcome::Done),
        }
    }

    /// Tells an endpoint. One that is off or gone meanwhile is not told.
    async fn notify(&self, no: EndpointNo, id: &str, body: &str) -> Step<Outcome> {
        let Some(notifier) = &self.outside.notifier else { return Ok(Outcome::Done) };
        let Some(endpoint) = self.registry.endpoints.get(no).filter(|endpoint| endpoint.disabled.is_none()) else {
            return Ok(Outcome::Done);
        };
        let delivery = Delivery {
            url: endpoint.url.as_str().to_owned(),
            secrets: endpoint.secrets.iter().map(|secret| EndpointSecret(secret.as_bytes().to_vec())).collect(),
            id: id.to_owned(),
            at: self.registry.clock.now(),
            body: body.to_owned(),
        };
        Ok(match notifier.deliver(&delivery).await {
            Delivered::Taken => Outcome::Done,
            Delivered::Gone => Outcome::GoneFor(no),
            Delivered::Failed(why) => Outcome::Later(why),
            Delivered::Forbidden(why) => Outcome::Never(why),
        })
    }

    /// Gives back everything that is due of an order and that a provider can give back by itself. What nobody here can
    /// reach (money of a backend of its own) stays due until an operator settles it.
    async fn refund(&self, item: ItemNo, ordinal: Ordinal) -> Step<Outcome> {
        let slot = self.slot(item)?;
        // Not the order: money may have come, and go back, without there ever being one.
        let captures = self.registry.ask(&slot, Ask::Query(Query::RefundsOf(ordinal))).await.map_err(later)?;
        let Ok(Answer { body: Body::Captures { page, .. }, .. }) = captures.outcome else { return Ok(Outcome::Done) };
        let mut refused = None;
        for due in page.iter().filter(|refund| matches!(refund.record.place, MoneyPlace::Due { .. })) {
            let Some(provider) = self.provider(due.record.payer) else { continue };
            match self.give_back(&slot, due, provider.as_ref()).await {
                Ok(()) => {}
                Err(Outcome::Never(why)) => refused = Some(why),
                Err(outcome) => return Err(outcome),
            }
        }
        Ok(refused.map_or(Outcome::Done, Outcome::Never))
    }

    async fn give_back(&self, slot: &Arc<Slot>, due: &CaptureView, provider: &dyn PaymentProvider) -> Step<()> {
        let capture = &due.record.capture;
        let request = RefundRequest {
            refund: due.refund,
            order: due.order,
            payment: capture.payment.clone(),
            amount: capture.amount,
        };
        let reference = provider.refund(&request).await.map_err(of_provider)?;
        // The money is back, whatever its reference looks like; one that cannot be kept is replaced by ours.
        let reference = RefundReference::parse(&reference)
            .or_else(|_| RefundReference::parse(&due.refund.to_string()))
            .map_err(later)?;
        let command =
            Command::SettleRefund { capture: CaptureNo(due.refund.capture()), by: SettledBy::Provider { reference } };
        let settled = self.command(slot, command).await.map_err(later)?;
        match settled.outcome {
            Ok(_) | Err(Rejection::NotRefundable { .. } | Rejection::NotFound) => Ok(()),
            Err(other) => Err(later(format!("{other:?}"))),
        }
    }
}
