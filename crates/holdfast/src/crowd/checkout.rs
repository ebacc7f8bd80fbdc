//! How customers pay: through the shop's backend, which has charged them and reports it, or at a payment provider,
//! which calls the server back when it pleases: early, late, twice, or only after a while.

use super::behaviour::{Known, Person, Used, only};
use super::client::Ask;
use super::statistics::Kind;
use super::wire::{OrderBody, PaymentBody};
use super::world::{Fate, problem_words};
use crate::tokens::Secret;
use anyhow::bail;
use http::{Method, Uri};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// Who takes the customers' money.
#[derive(Clone, Debug)]
pub(crate) enum Paying {
    /// The shop's backend, with what it needs to report payments.
    Backend(Secret),
    /// The payment provider of the item.
    Provider,
    /// Nobody: every hold is cancelled or expires.
    Nobody,
}

/// How often a customer looks at an order that is on its way.
const LOOK_EVERY: Duration = Duration::from_millis(120);

/// How long the opportunity to pay may take to appear: the follow-up that asks for it comes after the hold.
const OPPORTUNITY_WITHIN: Duration = Duration::from_secs(20);

/// How long a customer who has paid waits to hear what became of it. Lost callbacks come after some seconds.
const OUTCOME_WITHIN: Duration = Duration::from_secs(45);

/// How often a customer whose card is declined tries again.
const CLICKS_MAX: u32 = 4;

/// What the provider's page says.
#[derive(Debug, Deserialize)]
struct PageBody {
    status: String,
}

/// What pressing the button on the provider's page led to.
enum Click {
    Charged,
    Declined,
    Closed,
}

impl Person<'_> {
    /// Places the order and pays it.
    pub(super) async fn pay(&self, known: Known) -> anyhow::Result<Used> {
        let id = &known.body.id;
        let ask = Ask::new(Kind::Order, Method::POST, "/v1/orders".to_owned());
        let ask = ask.by(self.name).under(&format!("{id}-order")).with(json!({ "reservation": id }));
        let answer = self.world.client.ask(&ask).await?;
        if !answer.status.is_success() {
            only(&answer, &["hold_expired"])?;
            return Ok(Used::LookAgain(known));
        }
        let order: OrderBody = answer.read()?;
        match &self.world.paying {
            Paying::Backend(token) => self.pay_through_the_backend(known, &order, token).await,
            Paying::Provider => self.pay_at_the_provider(known, order).await,
            Paying::Nobody => {
                tokio::time::sleep(known.body.remaining() + super::behaviour::AFTER_EXPIRY).await;
                Ok(Used::LookAgain(known))
            }
        }
    }

    async fn pay_through_the_backend(&self, known: Known, order: &OrderBody, token: &Secret) -> anyhow::Result<Used> {
        let ask = Ask::new(Kind::Confirm, Method::POST, format!("/v1/orders/{}/confirm", order.id));
        let ask = ask.by(self.name).under(&format!("{}-confirm", known.body.id)).with_token(token);
        let reference = format!("pay-{}", order.id);
        let answer = self.world.client.ask(&ask.with(json!({ "payment_reference": reference }))).await?;
        if !answer.status.is_success() {
            only(&answer, &["hold_expired"])?;
            return Ok(Used::LookAgain(known));
        }
        self.settled(&known, answer.read()?).await
    }

    async fn pay_at_the_provider(&self, known: Known, order: OrderBody) -> anyhow::Result<Used> {
        let began = Instant::now();
        let Some(payment) = self.opportunity(&order.id, began).await? else { return Ok(Used::LookAgain(known)) };
        let page = payment.url.as_deref().unwrap_or_default().parse::<Uri>()?.path().to_owned();
        for _ in 0..CLICKS_MAX {
            match self.click(&page).await? {
                Click::Charged => {
                    self.world.tally().told.charged.push(order.id.clone());
                    let order = self.outcome(&order.id).await?;
                    return self.settled(&known, order).await;
                }
                Click::Declined => {}
                Click::Closed => return Ok(Used::LookAgain(known)),
            }
        }
        Ok(Used::LookAgain(known))
    }

    /// The way to pay, once the server shows it. `None`: the hold ended before.
    async fn opportunity(&self, order: &str, began: Instant) -> anyhow::Result<Option<PaymentBody>> {
        loop {
            let body = self.look_at_order(order).await?;
            if body.state != "awaiting_payment" {
                return Ok(None);
            }
            if let Some(payment) = body.payment.filter(|payment| payment.url.is_some()) {
                return Ok(Some(payment));
            }
            if began.elapsed() > OPPORTUNITY_WITHIN {
                bail!("{order} never got an opportunity to pay");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn click(&self, page: &str) -> anyhow::Result<Click> {
        let answer = self.world.client.ask(&Ask::new(Kind::Pay, Method::POST, page.to_owned())).await?;
        if !answer.status.is_success() {
            only(&answer, &["payment_closed"])?;
            return Ok(Click::Closed);
        }
        Ok(if answer.read::<PageBody>()?.status == "charged" { Click::Charged } else { Click::Declined })
    }

    /// What becomes of an order that was paid: the goods, or the money back. One of the two, and soon.
    async fn outcome(&self, order: &str) -> anyhow::Result<OrderBody> {
        let began = Instant::now();
        loop {
            let body = self.look_at_order(order).await?;
            if !matches!(body.state.as_str(), "awaiting_payment" | "expired" | "cancelled") {
                return Ok(body);
            }
            if began.elapsed() > OUTCOME_WITHIN {
                bail!("{order} was charged and is still {}", body.state);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn look_at_order(&self, order: &str) -> anyhow::Result<OrderBody> {
        let ask = Ask::new(Kind::Read, Method::GET, format!("/v1/orders/{order}")).by(self.name);
        let answer = self.world.client.ask(&ask).await?;
        if !answer.status.is_success() {
            bail!("{order} cannot be read: {}", problem_words(&answer));
        }
        answer.read()
    }

    /// Money that was taken has bought something, or goes back.
    async fn settled(&self, known: &Known, order: OrderBody) -> anyhow::Result<Used> {
        match order.state.as_str() {
            "refund_due" | "refunded" => {
                self.world.tally().told.refunded.push(order.id);
                Ok(Used::Left(Fate::GotTheMoneyBack))
            }
            _ => self.paid(&known.body.id, &order).await,
        }
    }
}
