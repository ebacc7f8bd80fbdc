//! What the whole crowd shares: the client, the oracle, and the count of what became of everybody.

use super::checkout::Paying;
use super::client::{Answer, Ask, Client, Wait};
use super::oracle::Oracle;
use super::statistics::{Kind, Statistics};
use super::wire::{ItemBody, ReservationBody};
use http::{HeaderValue, Method};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, watch};

/// Most troubles kept in words; more are only counted.
const TROUBLES_TOLD_MAX: usize = 10;

/// What became of a customer in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// Paid, and has one.
    Bought,
    /// Gave the hold back.
    Cancelled,
    /// Paid, but too late or for nothing: the money goes back.
    GotTheMoneyBack,
    /// Let the hold expire, or came too late to pay.
    Expired,
    /// Left the line.
    LeftTheLine,
    /// Waited to the end and never got a turn.
    NeverGotATurn,
    /// Was refused.
    Refused,
    /// Got no answer that a customer can understand.
    InTrouble,
}

impl Fate {
    /// In words.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Bought => "bought one",
            Self::Cancelled => "held one and gave it back",
            Self::GotTheMoneyBack => "paid too late and get the money back",
            Self::Expired => "held one and let it expire",
            Self::LeftTheLine => "waited and left the line",
            Self::NeverGotATurn => "waited to the end of the sale",
            Self::Refused => "were refused at once",
            Self::InTrouble => "got no proper answer",
        }
    }
}

/// What the crowd was told, for the audit to find again in the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// Reservations accepted, by their ids.
    pub(crate) accepted: Vec<String>,
    /// Orders paid.
    pub(crate) paid: Vec<String>,
    /// Reservations cancelled.
    pub(crate) cancelled: Vec<String>,
    /// Orders that the provider has charged for.
    pub(crate) charged: Vec<String>,
    /// Orders whose money goes back, or has gone back.
    pub(crate) refunded: Vec<String>,
}

/// Counts over the whole crowd.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// What became of those who are done.
    pub(crate) fates: BTreeMap<Fate, usize>,
    /// Reservations granted at once.
    pub(crate) granted_at_once: usize,
    /// Reservations that began in line.
    pub(crate) waited: usize,
    /// Of those, how many were promoted.
    pub(crate) promoted: usize,
    /// Holds extended.
    pub(crate) extended: usize,
    /// Answers that the server gave again under the same key.
    pub(crate) replayed: usize,
    /// Refusals of a reserve by their code.
    pub(crate) refusals: BTreeMap<String, usize>,
    /// What the server promised and the crowd may look up in the log.
    pub(crate) told: Told,
    /// Requests that got no proper answer, in words, the first of them.
    pub(crate) troubles: Vec<String>,
}

impl Tally {
    /// How many are done.
    pub(crate) fn done(&self) -> usize {
        self.fates.values().sum()
    }
}

/// What the whole crowd shares.
#[derive(Debug)]
pub(crate) struct World {
    /// The customers' client.
    pub(crate) client: Client,
    /// All figures.
    pub(crate) statistics: Arc<Statistics>,
    /// The item on sale.
    pub(crate) sku: String,
    /// What this run's customers and keys are called by, so that a second run is new to the server.
    pub(crate) run: String,
    /// How customers pay.
    pub(crate) paying: Paying,
    /// How many customers have all their first answers.
    pub(crate) answered: watch::Sender<usize>,
    /// Whether customers may go on to use their holds.
    pub(crate) gate: watch::Sender<bool>,
    /// How many may wait for a change on a connection of their own.
    pub(crate) long_polls_max: usize,
    /// Their places.
    pub(crate) long_polls: Semaphore,
    pub(super) oracle: Mutex<Oracle>,
    pub(super) tally: Mutex<Tally>,
}

impl World {
    /// The oracle. Its checks do not panic, so a poisoned lock guards a whole one.
    pub(crate) fn oracle(&self) -> MutexGuard<'_, Oracle> {
        self.oracle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tally.
    pub(crate) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody is done.
    pub(crate) fn done(&self, fate: Fate) {
        let mut tally = self.tally();
        let count = tally.fates.entry(fate).or_default();
        *count = count.saturating_add(1);
    }

    /// Somebody is in trouble.
    pub(crate) fn trouble(&self, words: String) {
        let mut tally = self.tally();
        if tally.troubles.len() < TROUBLES_TOLD_MAX && !tally.troubles.contains(&words) {
            tally.troubles.push(words);
        }
    }

    /// Reads the item, for the live line and the oracle.
    pub(crate) async fn look(&self, watcher: &Client) -> anyhow::Result<ItemBody> {
        let item = read_item(watcher, &self.sku).await?;
        self.oracle().item(&item);
        Ok(item)
    }

    /// Reads a reservation; with an ETag, waits until it has changed. `None`: it has not.
    pub(crate) async fn read(
        &self,
        customer: &str,
        id: &str,
        wait: Option<Wait>,
    ) -> anyhow::Result<Option<(ReservationBody, Option<HeaderValue>)>> {
        let kind = if wait.is_some() { Kind::LongPoll } else { Kind::Read };
        let mut ask = Ask::new(kind, Method::GET, format!("/v1/reservations/{id}")).by(customer);
        ask.wait = wait;
        let answer = self.client.ask(&ask).await?;
        if answer.status == http::StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        anyhow::ensure!(answer.status.is_success(), "{id} cannot be read: {}", problem_words(&answer));
        let body: ReservationBody = answer.read()?;
        self.oracle().read(&body);
        Ok(Some((body, answer.etag)))
    }
}

/// Reads an item.
pub(crate) async fn read_item(client: &Client, sku: &str) -> anyhow::Result<ItemBody> {
    let answer = client.ask(&Ask::new(Kind::Item, Method::GET, format!("/v1/items/{sku}"))).await?;
    anyhow::ensure!(answer.status.is_success(), "the item {sku} cannot be read: {}", problem_words(&answer));
    answer.read()
}

/// A refusal in words.
pub(crate) fn problem_words(answer: &Answer) -> String {
    match answer.read::<super::wire::ProblemBody>() {
        Ok(problem) => format!("{} {}: {}", answer.status.as_u16(), problem.code, problem.detail),
        Err(_) => format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)),
    }
}
