//! What one customer does, from the opening to the end.
//!
//! Customers believe only what the server tells them, and tell the oracle all of it.

use super::client::{Answer, Ask, Wait};
use super::population::{Customer, Intent, Tries};
use super::statistics::Kind;
use super::wire::{OrderBody, ProblemBody, ReservationBody, State};
use super::world::{Fate, World, problem_words};
use anyhow::{Context, bail};
use http::{HeaderValue, Method, StatusCode};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How soon a customer asks again at the earliest and at the latest, whatever the server proposes.
const POLL_MIN: Duration = Duration::from_millis(50);
const POLL_MAX: Duration = Duration::from_secs(15);

/// How long a customer lets the server wait for a change, in seconds.
const LONG_POLL_S: u32 = 5;

/// How long after the end of a hold a customer looks again: it is not released to the millisecond.
pub(super) const AFTER_EXPIRY: Duration = Duration::from_millis(100);

/// Refusals of a reserve that are a sale's daily bread. Any other is a mistake of the crowd or of the server.
const ORDINARY_REFUSALS: [&str; 9] = [
    "sold_out",
    "insufficient_stock",
    "customer_limit_reached",
    "waitlist_full",
    "cooling_off",
    "sale_not_started",
    "sale_paused",
    "sale_closed",
    "item_full",
];

/// Lives a customer's part in the sale, and counts what became of them.
pub(crate) async fn live(world: Arc<World>, customer: Customer, opening: Instant) {
    tokio::time::sleep_until(opening + customer.arrives).await;
    let name = format!("{}-{:06}", world.run, customer.number);
    let person = Person { world: &world, customer: &customer, name: &name, opening };
    let fate = match person.whole_sale().await {
        Ok(fate) => fate,
        Err(error) => {
            world.trouble(format!("customer {}: {error:#}", customer.number));
            Fate::InTrouble
        }
    };
    world.done(fate);
}

pub(super) struct Person<'a> {
    pub(super) world: &'a Arc<World>,
    customer: &'a Customer,
    pub(super) name: &'a str,
    opening: Instant,
}

/// A reservation and the key it was accepted under.
struct Accepted {
    key: String,
    body: ReservationBody,
}

/// What is known of a reservation, and its ETag for asking whether that has changed.
pub(super) struct Known {
    pub(super) body: ReservationBody,
    etag: Option<HeaderValue>,
    used_extension: bool,
}

impl Person<'_> {
    async fn whole_sale(&self) -> anyhow::Result<Fate> {
        let first = self.reserve("1").await;
        self.world.answered.send_modify(|count| *count = count.saturating_add(1));
        let Some(accepted) = first? else { return Ok(Fate::Refused) };
        self.world.gate.subscribe().wait_for(|open| *open).await?;
        let fate = self.follow(accepted.body, self.customer.intent).await?;
        if self.customer.repeats {
            self.send_again(&accepted.key).await?;
        }
        if fate != Fate::Expired || !self.customer.comes_back {
            return Ok(fate);
        }
        match self.reserve("2").await? {
            Some(again) => self.follow(again.body, Intent::Pays { after: POLL_MIN }).await,
            None => Ok(fate),
        }
    }

    /// Presses the button in the customer's way, and waits for all answers. The first acceptance counts; that there
    /// is no second one is for the oracle to see.
    async fn reserve(&self, visit: &str) -> anyhow::Result<Option<Accepted>> {
        let key = |tab: u8| format!("{}-reserve-{visit}-{tab}", self.name);
        let keys = match self.customer.tries {
            Tries::Once => vec![key(0)],
            Tries::OneKey(times) => vec![key(0); usize::from(times)],
            Tries::ManyKeys(times) => (0..times).map(key).collect(),
        };
        let mut answers = JoinSet::new();
        for key in keys {
            let (client, ask) = (self.world.client.clone(), self.reserving(&key));
            answers.spawn(async move { (key, client.ask(&ask).await) });
        }
        let mut first = None;
        while let Some(answer) = answers.join_next().await {
            let (key, answer) = answer.context("a request was cut short")?;
            let accepted = self.judge(&key, &answer?)?;
            first = first.or(accepted.map(|body| Accepted { key, body }));
        }
        Ok(first)
    }

    fn reserving(&self, key: &str) -> Ask {
        let path = format!("/v1/items/{}/reservations", self.world.sku);
        Ask::new(Kind::Reserve, Method::POST, path).by(self.name).under(key).with(json!({ "quantity": 1 }))
    }

    fn judge(&self, key: &str, answer: &Answer) -> anyhow::Result<Option<ReservationBody>> {
        if !matches!(answer.status, StatusCode::CREATED | StatusCode::ACCEPTED) {
            let code = answer.read::<ProblemBody>().map(|problem| problem.code).unwrap_or_default();
            if !ORDINARY_REFUSALS.contains(&code.as_str()) {
                bail!("a reserve was answered with {}", problem_words(answer));
            }
            let mut tally = self.world.tally();
            let count = tally.refusals.entry(code).or_default();
            *count = count.saturating_add(1);
            return Ok(None);
        }
        let body: ReservationBody = answer.read()?;
        {
            let mut oracle = self.world.oracle();
            oracle.answered(key, &answer.body, answer.is_replayed);
            oracle.accepted(self.customer.number, &body);
        }
        let mut tally = self.world.tally();
        let counter = match (answer.is_replayed, body.state) {
            (true, _) => &mut tally.replayed,
            (false, State::Held) => &mut tally.granted_at_once,
            (false, _) => &mut tally.waited,
        };
        *counter = counter.saturating_add(1);
        tally.told.accepted.push(body.id.clone());
        Ok(Some(body))
    }

    /// An impatient browser sends what was accepted long ago once more: the answer is still the same.
    async fn send_again(&self, key: &str) -> anyhow::Result<()> {
        let answer = self.world.client.ask(&self.reserving(key)).await?;
        if !answer.status.is_success() || !answer.is_replayed {
            let words = problem_words(&answer);
            self.world.oracle().violated(format!("key {key} was accepted and is now answered with {words}"));
        }
        self.judge(key, &answer).map(drop)
    }

    /// Follows a reservation to its end.
    async fn follow(&self, body: ReservationBody, intent: Intent) -> anyhow::Result<Fate> {
        let mut waited = false;
        let mut known = Known { body, etag: None, used_extension: false };
        loop {
            known = match known.body.state {
                State::Waiting if self.is_out_of_patience() => return self.leave(&known.body, Fate::LeftTheLine).await,
                State::Waiting => {
                    waited = true;
                    self.wait_in_line(known).await?
                }
                State::Held => {
                    if std::mem::take(&mut waited) {
                        let mut tally = self.world.tally();
                        tally.promoted = tally.promoted.saturating_add(1);
                    }
                    match self.use_hold(known, intent).await? {
                        Used::Left(fate) => return Ok(fate),
                        Used::LookAgain(known) => self.look(known).await?,
                    }
                }
                State::Confirmed => return Ok(Fate::Bought),
                State::Cancelled => return Ok(Fate::Cancelled),
                State::Expired => return Ok(Fate::Expired),
                State::Lapsed => return Ok(Fate::NeverGotATurn),
            };
        }
    }

    fn is_out_of_patience(&self) -> bool {
        self.customer.patience.is_some_and(|patience| self.opening.elapsed() > self.customer.arrives + patience)
    }

    async fn wait_in_line(&self, known: Known) -> anyhow::Result<Known> {
        // Those near the head of the line ask to be answered when something changes; there is a place for each.
        let position = known.body.waitlist.as_ref().map_or(u64::MAX, |line| line.position);
        if usize::try_from(position).is_ok_and(|position| position <= self.world.long_polls_max)
            && let Ok(_place) = self.world.long_polls.try_acquire()
        {
            let wait = Wait { seconds: LONG_POLL_S, known: known.etag.clone() };
            return self.read(known, Some(wait)).await;
        }
        let proposed = known.body.poll_after_ms.map_or(POLL_MAX, Duration::from_millis);
        tokio::time::sleep(proposed.clamp(POLL_MIN, POLL_MAX)).await;
        self.read(known, None).await
    }

    async fn read(&self, known: Known, wait: Option<Wait>) -> anyhow::Result<Known> {
        Ok(match self.world.read(self.name, &known.body.id, wait).await? {
            Some((body, etag)) => Known { body, etag, used_extension: known.used_extension },
            None => known,
        })
    }

    /// Looks what has become of a hold. It must not have expired before the end that was promised.
    async fn look(&self, known: Known) -> anyhow::Result<Known> {
        let promised = known.body.expires_at;
        let known = self.read(known, None).await?;
        if known.body.state == State::Expired && promised.is_some_and(|end| known.body.server_time < end) {
            let words = format!("{} expired before the end that was promised", known.body.id);
            self.world.oracle().violated(words);
        }
        Ok(known)
    }

    async fn use_hold(&self, mut known: Known, intent: Intent) -> anyhow::Result<Used> {
        match intent {
            Intent::Cancels { after } => {
                tokio::time::sleep(after).await;
                Ok(Used::Left(self.leave(&known.body, Fate::Cancelled).await?))
            }
            Intent::LetsItExpire => {
                tokio::time::sleep(known.body.remaining() + AFTER_EXPIRY).await;
                Ok(Used::LookAgain(known))
            }
            Intent::Pays { after } => {
                tokio::time::sleep(after).await;
                self.pay(known).await
            }
            Intent::ExtendsAndPays { after } => {
                tokio::time::sleep(after).await;
                if !std::mem::replace(&mut known.used_extension, true) {
                    self.extend(&mut known).await?;
                }
                self.pay(known).await
            }
        }
    }

    async fn extend(&self, known: &mut Known) -> anyhow::Result<()> {
        let id = &known.body.id;
        let key = format!("{id}-extend-once");
        let ask = Ask::new(Kind::Extend, Method::POST, format!("/v1/reservations/{id}/extend"));
        let answer = self.world.client.ask(&ask.by(self.name).under(&key)).await?;
        if !answer.status.is_success() {
            // Too late, or the seller does not allow it: the customer tries to pay with the time that is left.
            return only(&answer, &["extension_refused", "hold_expired"]);
        }
        let body: ReservationBody = answer.read()?;
        {
            let mut oracle = self.world.oracle();
            oracle.read(&body);
            if body.expires_at < known.body.expires_at {
                oracle.violated(format!("{id} was extended and ends earlier than before"));
            }
        }
        known.body = body;
        let mut tally = self.world.tally();
        tally.extended = tally.extended.saturating_add(1);
        Ok(())
    }

    /// Whoever was told that it is paid has one, from then on.
    pub(super) async fn paid(&self, id: &str, order: &OrderBody) -> anyhow::Result<Used> {
        self.world.tally().told.paid.push(order.id.clone());
        let now = self.world.read(self.name, id, None).await?.map(|(body, _)| body.state);
        if order.state != "paid" || now != Some(State::Confirmed) {
            let words = format!("{} was paid and is {}, and its reservation is {now:?}", order.id, order.state);
            self.world.oracle().violated(words);
        }
        Ok(Used::Left(Fate::Bought))
    }

    async fn leave(&self, body: &ReservationBody, fate: Fate) -> anyhow::Result<Fate> {
        let ask = Ask::new(Kind::Cancel, Method::DELETE, format!("/v1/reservations/{}", body.id)).by(self.name);
        let answer = self.world.client.ask(&ask).await?;
        if answer.status.is_success() {
            let body: ReservationBody = answer.read()?;
            self.world.oracle().read(&body);
            self.world.tally().told.cancelled.push(body.id);
            return Ok(fate);
        }
        only(&answer, &["not_cancellable"])?;
        match self.world.read(self.name, &body.id, None).await?.map(|(body, _)| body.state) {
            Some(State::Lapsed) => Ok(Fate::NeverGotATurn),
            Some(State::Expired) => Ok(Fate::Expired),
            other => bail!("{} cannot be cancelled and is {other:?}", body.id),
        }
    }
}

/// What using a hold led to.
pub(super) enum Used {
    /// The customer is done.
    Left(Fate),
    /// The customer looks what has become of it.
    LookAgain(Known),
}

/// A refusal that can happen here, by its code. Any other is trouble.
pub(super) fn only(answer: &Answer, codes: &[&str]) -> anyhow::Result<()> {
    match answer.read::<ProblemBody>() {
        Ok(problem) if codes.contains(&problem.code.as_str()) => Ok(()),
        _ => bail!("unexpected answer: {}", problem_words(answer)),
    }
}
