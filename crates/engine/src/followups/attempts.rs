//! Attempts: what is to be tried when, and what is under way.
//!
//! Payments and messages wait in lines of their own, each with places of its own: an endpoint that hangs takes as long as
//! it may for each message, and no payment has to wait for a place meanwhile.

use super::execute::{Executor, Outcome};
use super::table::Table;
use super::work::Work;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;

/// Attempts at payments under way at once, in each partition: enough for a provider that takes a second to keep up with a
/// hundred holds a second, few enough not to be a flood.
const PAYMENTS_AT_ONCE: usize = 128;

/// The same for messages.
const MESSAGES_AT_ONCE: usize = 128;

/// Longest time one attempt may take. Longer than any provider's own timeout, so that it only ends what hangs.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);

/// One line.
struct Line {
    /// The earliest attempt first.
    waiting: BTreeSet<(Instant, u64)>,
    under_way: usize,
    at_once: usize,
}

impl Line {
    const fn new(at_once: usize) -> Self {
        Self { waiting: BTreeSet::new(), under_way: 0, at_once }
    }

    /// The first that could begin at `now`.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let first = self.next().filter(|at| *at <= now).and_then(|_| self.waiting.pop_first());
        first.map(|(_, no)| no)
    }

    /// When the next could begin.
    fn next(&self) -> Option<Instant> {
        self.waiting.first().filter(|_| self.under_way < self.at_once).map(|(at, _)| *at)
    }
}

/// Both lines.
pub(crate) struct Attempts {
    running: JoinSet<Outcome>,
    numbers: HashMap<Id, (u64, bool)>,
    payments: Line,
    messages: Line,
}

impl Attempts {
    pub(crate) fn new() -> Self {
        let (payments, messages) = (Line::new(PAYMENTS_AT_ONCE), Line::new(MESSAGES_AT_ONCE));
        Self { running: JoinSet::new(), numbers: HashMap::new(), payments, messages }
    }

    fn line(&mut self, is_message: bool) -> &mut Line {
        if is_message { &mut self.messages } else { &mut self.payments }
    }

    /// This is to be tried then.
    pub(crate) fn plan(&mut self, at: Instant, no: u64, work: &Work) {
        self.line(work.is_message()).waiting.insert((at, no));
    }

    /// When the next one could begin.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.payments.next().into_iter().chain(self.messages.next()).min()
    }

    /// Begins what is due. What is not in the table any more is passed over.
    pub(crate) fn begin(&mut self, table: &mut Table, executor: &Executor) {
        let now = Instant::now();
        for is_message in [false, true] {
            while let Some(no) = self.line(is_message).take(now) {
                let Some(work) = table.begin(no) else { continue };
                self.line(is_message).under_way += 1;
                let executor = executor.clone();
                let attempt = self.running.spawn(async move {
                    let attempt = tokio::time::timeout(ATTEMPT_TIMEOUT, executor.attempt(&work)).await;
                    attempt.unwrap_or_else(|_| Outcome::Later("it took too long".to_owned()))
                });
                self.numbers.insert(attempt.id(), (no, is_message));
            }
        }
    }

    /// The next that ends, and what came of it; `None` while nothing is under way.
    pub(crate) async fn ended(&mut self) -> Option<(u64, Outcome)> {
        let ended = self.running.join_next_with_id().await?;
        let (id, outcome) = ended.unwrap_or_else(|error| {
            // A bug, and perhaps one that only some states meet.
            tracing::error!(%error, "a follow-up panicked; it is tried again later");
            (error.id(), Outcome::Later("it panicked".to_owned()))
        });
        let (no, is_message) = self.numbers.remove(&id)?;
        let line = self.line(is_message);
        line.under_way = line.under_way.saturating_sub(1);
        Some((no, outcome))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn messages_that_hang_take_no_place_of_a_payments() {
        let mut attempts = Attempts::new();
        let now = Instant::now();
        let message = Work::Notify { endpoint: 1, id: "evt_1".to_owned(), body: "{}".to_owned() };
        let payment = Work::Refund { item: 1, reservation: 0 };
        let later = now + Duration::from_secs(9);
        attempts.plan(later, 1_000, &payment);
        for no in 0..=MESSAGES_AT_ONCE as u64 {
            attempts.plan(now, no, &message);
        }
        for no in 0..MESSAGES_AT_ONCE as u64 {
            assert_eq!((attempts.next(), attempts.messages.take(now)), (Some(now), Some(no)));
            attempts.messages.under_way += 1;
        }
        assert_eq!((attempts.next(), attempts.messages.take(now)), (Some(later), None), "the last has to wait");
        assert_eq!((attempts.payments.take(now), attempts.payments.take(later)), (None, Some(1_000)));
    }
}
