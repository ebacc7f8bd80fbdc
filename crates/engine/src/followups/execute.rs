//! Doing it: each piece of work asks the item how things are, asks the provider, and tells the item what came of it.

use super::Outside;
use super::owner::Owner;
use super::work::Work;
use crate::ports::{
    Delivered, Delivery, EndpointSecret, PaymentProvider, PaymentRequest, PaymentState, ProviderError, RefundRequest,
    Withdrawn,
};
use crate::registry::Registry;
use domain::endpoint::EndpointNo;
use domain::ids::{CaptureNo, ItemNo, Ordinal};
use domain::payment::{MoneyPlace, Offer, PaymentReport, Provider, SettledBy, Told};
use domain::text::{PaymentId, ProviderEventId, RefundReference};
use domain::views::{CaptureView, OrderState};
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

/// A step of an attempt; `Err` ends it.
pub(super) type Step<T> = Result<T, Outcome>;

pub(super) fn later(error: &impl ToString) -> Outcome {
    Outcome::Later(error.to_string())
}

fn of_provider(error: &ProviderError) -> Outcome {
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
            Work::WithdrawUnseen { item, reservation, provider, payment } => {
                let owner = self.owner(ItemNo::from_u32(*item), Ordinal(*reservation)).await;
                match owner {
                    Ok(owner) => self.withdraw_unseen(&owner, provider, payment).await,
                    Err(outcome) => Err(outcome),
                }
            }
            Work::Refund { item, reservation } => self.refund(ItemNo::from_u32(*item), Ordinal(*reservation)).await,
        };
        done.unwrap_or_else(|outcome| outcome)
    }

    fn provider(&self, which: Provider) -> Option<Arc<dyn PaymentProvider>> {
        self.outside.provider(which).map(Arc::clone)
    }

    async fn owner(&self, stream: ItemNo, number: Ordinal) -> Step<Owner> {
        Owner::find(&self.registry, stream, number).await
    }

    /// First the order, then the opportunity: a hold that ended meanwhile needs neither.
    async fn offer(&self, stream: ItemNo, number: Ordinal) -> Step<Outcome> {
        let owner = self.owner(stream, number).await?;
        owner.place_order(&self.registry).await?;
        let wanted = owner.provider(&self.registry).await?;
        let Some(provider) = wanted.and_then(|which| self.provider(which)) else { return Ok(Outcome::Done) };
        let order = owner.order(&self.registry).await?;
        let OrderState::AwaitingPayment { expires_at } = order.state else { return Ok(Outcome::Done) };
        if order.payment.is_some_and(|payment| payment.offer.provider == provider.provider()) {
            return Ok(Outcome::Done);
        }
        let request = PaymentRequest {
            order: order.id,
            amount: order.amount,
            customer: order.customer,
            description: order.description,
            expires_at,
        };
        let opportunity = provider.create(&request).await.map_err(|error| of_provider(&error))?;
        let offer = Offer { provider: provider.provider(), payment: opportunity.payment, client: opportunity.client };
        let (provider, payment) = (offer.provider.name().to_owned(), offer.payment.as_str().to_owned());
        let (item, reservation) = (stream.as_u32(), number.0);
        Ok(if owner.show(&self.registry, offer).await? {
            Outcome::Done
        } else {
            // Over before anybody could see it: nobody may use it any more.
            Outcome::DoneAnd(Work::WithdrawUnseen { item, reservation, provider, payment })
        })
    }

    async fn withdraw(&self, stream: ItemNo, number: Ordinal) -> Step<Outcome> {
        let owner = self.owner(stream, number).await?;
        let order = owner.order(&self.registry).await?;
        let Some(payment) = &order.payment else { return Ok(Outcome::Done) };
        let used = order.captured.contains(&payment.offer.payment);
        if used || matches!(order.state, OrderState::AwaitingPayment { .. }) {
            return Ok(Outcome::Done);
        }
        self.cancel(&owner, payment.offer.provider, &payment.offer.payment).await
    }

    async fn withdraw_unseen(&self, owner: &Owner, provider: &str, payment: &str) -> Step<Outcome> {
        match (Provider::named(provider), PaymentId::parse(payment)) {
            (Some(provider), Ok(payment)) => self.cancel(owner, provider, &payment).await,
            _ => Ok(Outcome::Never(format!("there is no payment {payment:?} of provider {provider:?}"))),
        }
    }

    async fn cancel(&self, owner: &Owner, provider: Provider, payment: &PaymentId) -> Step<Outcome> {
        let Some(provider) = self.provider(provider) else { return Ok(Outcome::Done) };
        match provider.cancel(payment).await.map_err(|error| of_provider(&error))? {
            Withdrawn::Cancelled => Ok(Outcome::Done),
            Withdrawn::AlreadyPaid => self.hear_of_payment(owner, provider.as_ref(), payment).await,
        }
    }

    /// Money was taken that no report has told of. Reports are late, and some are lost for ever: the provider is asked
    /// instead, and rule 9 says what becomes of the money. A report that comes after all tells of a known capture.
    async fn hear_of_payment(
        &self,
        owner: &Owner,
        provider: &dyn PaymentProvider,
        payment: &PaymentId,
    ) -> Step<Outcome> {
        let state = provider.state(payment).await.map_err(|error| of_provider(&error))?;
        let PaymentState::Captured(amount) = state else {
            return Err(Outcome::Later(format!(
                "the payment {payment} was paid when it was withdrawn, and now is {state:?}"
            )));
        };
        // Reports are known by their ids; this one is named after the payment, so that asking twice tells once.
        let report = ProviderEventId::parse(&format!("asked:{payment}"))
            .or_else(|_| ProviderEventId::parse(payment.as_str()))
            .map_err(|error| later(&error))?;
        let told = Told::Captured(amount);
        let report = PaymentReport { provider: provider.provider(), report, payment: payment.clone(), told };
        owner.record(&self.registry, report).await?;
        Ok(Outcome::Done)
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
    async fn refund(&self, stream: ItemNo, number: Ordinal) -> Step<Outcome> {
        let owner = self.owner(stream, number).await?;
        let mut refused = None;
        for due in owner.refunds_due(&self.registry).await? {
            if !matches!(due.record.place, MoneyPlace::Due { .. }) {
                continue;
            }
            let Some(provider) = self.provider(due.record.payer) else { continue };
            match self.give_back(&owner, &due, provider.as_ref()).await {
                Ok(()) => {}
                Err(Outcome::Never(why)) => refused = Some(why),
                Err(outcome) => return Err(outcome),
            }
        }
        Ok(refused.map_or(Outcome::Done, Outcome::Never))
    }

    async fn give_back(&self, owner: &Owner, due: &CaptureView, provider: &dyn PaymentProvider) -> Step<()> {
        let capture = &due.record.capture;
        let request = RefundRequest {
            refund: due.refund,
            order: due.order,
            payment: capture.payment.clone(),
            amount: capture.amount,
        };
        let reference = provider.refund(&request).await.map_err(|error| of_provider(&error))?;
        // The money is back, whatever its reference looks like; one that cannot be kept is replaced by ours.
        let reference = RefundReference::parse(&reference)
            .or_else(|_| RefundReference::parse(&due.refund.to_string()))
            .map_err(|error| later(&error))?;
        owner.settle(&self.registry, CaptureNo(due.refund.capture()), SettledBy::Provider { reference }).await
    }
}
