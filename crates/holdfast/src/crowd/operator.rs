//! What the crowd needs an operator for: an item to buy, and an open sale.

use super::client::{Answer, Ask, Client};
use super::statistics::Kind;
use super::wire::ProblemBody;
use super::world::problem_words;
use crate::tokens::Secret;
use anyhow::bail;
use domain::payment::Provider;
use http::Method;
use serde_json::json;

/// The item that a crowd buys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ItemPlan {
    /// Its public name.
    pub(crate) sku: String,
    /// What it is called.
    pub(crate) name: String,
    /// How many units there are.
    pub(crate) stock: u32,
    /// What one costs, in cents.
    pub(crate) price_cents: u64,
    /// How long a hold lasts.
    pub(crate) hold_time_ms: u64,
    /// Whether people can wait.
    pub(crate) has_waitlist: bool,
    /// Who is asked for opportunities to pay.
    pub(crate) provider: Option<Provider>,
}

/// An operator at the admin listener.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    /// A client of the admin listener.
    pub(crate) client: Client,
    /// The operators' token.
    pub(crate) token: Secret,
}

impl Operator {
    /// Creates the item. Units per order and customer: one.
    pub(crate) async fn create(&self, item: &ItemPlan) -> anyhow::Result<()> {
        let body = json!({
            "sku": item.sku,
            "name": item.name,
            "total": item.stock,
            "unit_price": { "amount": item.price_cents, "currency": "USD" },
            "per_order_max": 1,
            "per_customer_limit": 1,
            "hold_time_ms": item.hold_time_ms,
            // In proportion: a crowd whose holds last a second does not wait a minute for one that was extended.
            "extension": {"times": 1, "by_ms": item.hold_time_ms / 2},
            "waitlist": { "enabled": item.has_waitlist },
            "payments": { "provider": item.provider.map(Provider::name) },
        });
        let answer = self.post("/v1/admin/items".to_owned(), body).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        match answer.read::<ProblemBody>() {
            Ok(problem) if problem.code == "item_exists" => {
                bail!(
                    "there is an item {} already; choose another name with --sku, or a fresh data directory",
                    item.sku
                )
            }
            _ => bail!("the item {} cannot be created: {}", item.sku, problem_words(&answer)),
        }
    }

    /// Opens the sale.
    pub(crate) async fn open(&self, sku: &str) -> anyhow::Result<()> {
        let answer = self.post(format!("/v1/admin/items/{sku}/open"), json!({})).await?;
        anyhow::ensure!(answer.status.is_success(), "the sale of {sku} cannot be opened: {}", problem_words(&answer));
        Ok(())
    }

    async fn post(&self, path: String, body: serde_json::Value) -> anyhow::Result<Answer> {
        self.client.ask(&Ask::new(Kind::Operator, Method::POST, path).with_token(&self.token).with(body)).await
    }
}
