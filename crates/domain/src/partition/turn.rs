//! One turn of a partition: what is due first, then commands and reads, each judged and applied at once. As
//! [`crate::turn::Turn`] for an item, this is the only place that puts `decide` and `apply` together.

use super::decide::{PartitionDecision, SoAlready, clock_resumed, decide, expiry_of, next_consequence, next_due};
use super::{BundleClaim, Fate, Partition, PartitionCommand, PartitionQuery, PartitionRequest};
use crate::event::{PartitionEvent, Recorded};
use crate::idempotency::Idempotency;
use crate::identity::{BundleId, ItemKey};
use crate::ids::{CaptureNo, Ordinal};
use crate::item::Item;
use crate::limits::TURN_BATCH;
use crate::rejection::{EndedAs, Rejection};
use crate::time::{DurationMs, Timestamp};
use crate::views::{Answer, Body, Judgement, Origin, PaymentVerdict};

/// A turn under way.
#[derive(Debug)]
pub struct PartitionTurn<'p> {
    partition: &'p mut Partition,
    now: Timestamp,
    /// The secret to record, should the partition need one and have none.
    spare: ItemKey,
    recorded: Vec<Recorded<PartitionEvent>>,
    batch_left: usize,
}

/// What a turn did.
#[derive(Debug)]
pub struct PartitionTurnEnd {
    /// The events, applied already, to be written.
    pub recorded: Vec<Recorded<PartitionEvent>>,
    /// Whether more is due: another turn should follow without waiting for anything.
    pub backlog: bool,
}

impl<'p> PartitionTurn<'p> {
    /// Begins a turn at `now` (or at logged time, if that is later) with what is due. `spare` is a fresh secret, the
    /// same in every turn until the partition has one: requests are hashed under it before it is recorded.
    pub fn begin(partition: &'p mut Partition, now: Timestamp, spare: ItemKey) -> Self {
        let now = now.max(partition.now());
        partition.advance_timers(now);
        let mut turn = Self { partition, now, spare, recorded: Vec::new(), batch_left: TURN_BATCH };
        turn.happen_what_is_due();
        turn
    }

    /// Begins the first turn after a restart: bundles that would end too soon get the restart grace first.
    pub fn begin_after_restart(
        partition: &'p mut Partition,
        now: Timestamp,
        spare: ItemKey,
        resumed_at: Timestamp,
        grace: DurationMs,
    ) -> Self {
        let now = now.max(partition.now());
        let resumed = clock_resumed(partition, resumed_at.max(partition.now()), grace);
        let mut turn = Self { partition, now, spare, recorded: Vec::new(), batch_left: TURN_BATCH };
        if let Some(event) = resumed {
            turn.record(event, None);
        }
        turn.partition.advance_timers(turn.now);
        turn.happen_what_is_due();
        turn
    }

    /// The key under which requests of this turn are hashed.
    #[must_use]
    pub fn key(&self) -> ItemKey {
        self.partition.key().copied().unwrap_or(self.spare)
    }

    /// Judges a command and applies what it leads to, with all that follows from it in this turn.
    pub fn judge(&mut self, request: &PartitionRequest) -> Judgement {
        if let Some(bundle) = request.command.names() {
            self.end_if_due(bundle);
        }
        let outcome = match decide(self.partition, request, self.now) {
            Ok(PartitionDecision::Accept(_)) if self.is_abandoned(&request.command) => {
                Err(Rejection::HoldExpired { ended: EndedAs::Cancelled })
            }
            Ok(PartitionDecision::Accept(events)) => {
                let answer = self.accept(events, request);
                self.happen_what_is_due();
                answer
            }
            Ok(PartitionDecision::Replay(acceptance)) => {
                self.partition.answer_of(&acceptance, Origin::Replayed).ok_or(Rejection::NotFound)
            }
            Ok(PartitionDecision::AlreadySo(what)) => self.as_it_is(what),
            Err(rejection) => Err(rejection),
        };
        self.judgement(outcome)
    }

    /// The answer to a request whose content is known before its command is: one accepted before, or the refusal of a
    /// key that came with other content. `None` for one that is new.
    pub fn recall(&mut self, asked: Idempotency) -> Option<Judgement> {
        let outcome = match self.partition.idempotency().recall(asked, self.now) {
            Ok(None) => return None,
            Ok(Some(acceptance)) => self.partition.answer_of(acceptance, Origin::Replayed).ok_or(Rejection::NotFound),
            Err(rejection) => Err(rejection),
        };
        Some(self.judgement(outcome))
    }

    /// Reads. What is due of the bundle asked for happens first, so that nobody reads a hold that is over.
    pub fn read(&mut self, query: &PartitionQuery) -> Judgement {
        let body = match query {
            PartitionQuery::Bundle(claim) => self.claimed(claim).and_then(|bundle| self.bundle(bundle)),
            PartitionQuery::Order(claim) => self.claimed(claim).and_then(|bundle| self.order(bundle)),
            PartitionQuery::AnyBundle(id) => self.any(*id).and_then(|bundle| self.bundle(bundle)),
            PartitionQuery::AnyOrder(id) => self.any(*id).and_then(|bundle| self.order(bundle)),
            PartitionQuery::Captures { filter, from, limit } => Ok(self.partition.captures(*filter, *from, *limit)),
            PartitionQuery::Refund(capture) => self.refund(*capture),
            PartitionQuery::Unmatched { from, limit } => Ok(self.partition.unmatched_page(*from, *limit)),
        };
        self.judgement(body.map(|body| Answer { body, origin: Origin::AsItIs }))
    }

    /// What a part of this bundle has to do, as of now.
    #[must_use]
    pub fn fate_of(&self, bundle: BundleId) -> Fate {
        self.partition.fate_of(bundle)
    }

    /// A coordinator sets to work.
    pub fn begin_collecting(&mut self, bundle: BundleId) {
        self.partition.begin_collecting(bundle);
    }

    /// How many bundles are being collected.
    #[must_use]
    pub fn collecting_count(&self) -> usize {
        self.partition.collecting_count()
    }

    /// Ends the turn.
    #[must_use]
    pub fn end(self) -> PartitionTurnEnd {
        // Bundles held in this turn may lie in a slot that begins before now though they end long after it.
        self.partition.advance_timers(self.now);
        let due = next_due(self.partition, self.now).or_else(|| next_consequence(self.partition));
        let backlog = due.is_some() || self.partition.timers().needs_work();
        PartitionTurnEnd { recorded: self.recorded, backlog }
    }

    fn judgement(&self, outcome: Result<Answer, Rejection>) -> Judgement {
        Judgement { sequence: self.partition.seq(), at: self.now, outcome }
    }

    /// A bundle that nobody collects any more is never held: its parts may be gone.
    fn is_abandoned(&self, command: &PartitionCommand) -> bool {
        matches!(command, PartitionCommand::HoldBundle(held) if !self.partition.is_collecting(held.id))
    }

    fn record(&mut self, event: PartitionEvent, idempotency: Option<Idempotency>) {
        let recorded = Recorded { seq: self.partition.seq().next(), at: self.now, idempotency, event };
        self.partition.apply(&recorded);
        self.recorded.push(recorded);
    }

    fn accept(&mut self, events: Vec<PartitionEvent>, request: &PartitionRequest) -> Result<Answer, Rejection> {
        if self.partition.key().is_none() {
            self.record(PartitionEvent::PartitionKeyed { key: self.spare }, None);
        }
        let unkeyed = events.first().and_then(|first| unkeyed(&request.command, first));
        let (mut acceptance, mut idempotency) = (None, request.idempotency);
        let origin = Origin::Accepted(self.partition.seq().next());
        for event in events {
            self.record(event, idempotency.take());
            if acceptance.is_none() {
                acceptance = self.recorded.last().and_then(|first| self.partition.acceptance(first));
            }
        }
        match (unkeyed, acceptance) {
            (Some(what), _) => Ok(Answer { origin, ..self.as_it_is(what)? }),
            (None, Some(acceptance)) => self.partition.answer_of(&acceptance, origin).ok_or(Rejection::NotFound),
            (None, None) => Err(Rejection::NotFound),
        }
    }

    fn as_it_is(&self, what: SoAlready) -> Result<Answer, Rejection> {
        let body = match what {
            SoAlready::Bundle(bundle) => self.bundle(bundle),
            SoAlready::Order(bundle) => self.order(bundle),
            SoAlready::Reported(verdict) => Ok(Body::Payment(verdict)),
            SoAlready::Settled(capture) => self.refund(capture),
            SoAlready::Endpoints => Ok(self.endpoints()),
        }?;
        Ok(Answer { body, origin: Origin::AsItIs })
    }

    fn end_if_due(&mut self, bundle: BundleId) {
        let found = self.partition.find_bundle(bundle).map(|(ordinal, _)| ordinal);
        if let Some(event) = found.and_then(|ordinal| expiry_of(self.partition, ordinal, self.now)) {
            self.record(event, None);
            self.happen_what_is_due();
        }
    }

    /// Works off what is due, as far as the batch reaches.
    fn happen_what_is_due(&mut self) {
        while self.batch_left > 0
            && let Some(event) = self.next()
        {
            self.batch_left = self.batch_left.saturating_sub(1);
            self.record(event, None);
        }
    }

    /// What the wheel has found so far may be used up while more is due behind it.
    fn next(&mut self) -> Option<PartitionEvent> {
        if let Some(found) = next_due(self.partition, self.now) {
            return Some(found);
        }
        if self.partition.timers().needs_work() {
            self.partition.advance_timers(self.now);
        }
        next_due(self.partition, self.now).or_else(|| next_consequence(self.partition))
    }

    fn claimed(&mut self, claim: &BundleClaim) -> Result<Ordinal, Rejection> {
        if self.partition.is_of(claim) { self.any(claim.bundle) } else { Err(Rejection::NotFound) }
    }

    fn any(&mut self, bundle: BundleId) -> Result<Ordinal, Rejection> {
        self.end_if_due(bundle);
        self.partition.find_bundle(bundle).map(|(ordinal, _)| ordinal).ok_or(Rejection::NotFound)
    }

    fn bundle(&self, bundle: Ordinal) -> Result<Body, Rejection> {
        let view = self.partition.bundle_view(bundle, self.now).ok_or(Rejection::NotFound)?;
        Ok(Body::Bundle(Box::new(view)))
    }

    fn order(&self, bundle: Ordinal) -> Result<Body, Rejection> {
        let view = self.partition.bundle_order_view(bundle, self.now).ok_or(Rejection::NotFound)?;
        Ok(Body::BundleOrder(Box::new(view)))
    }

    fn endpoints(&self) -> Body {
        Body::Endpoints(self.partition.endpoints().iter().cloned().collect())
    }

    fn refund(&self, capture: CaptureNo) -> Result<Body, Rejection> {
        let view = self.partition.capture_view(capture).ok_or(Rejection::NotFound)?;
        Ok(Body::Refund(Box::new(view)))
    }
}

/// How commands that never come with a key are answered: with what is so right then.
fn unkeyed(command: &PartitionCommand, first: &PartitionEvent) -> Option<SoAlready> {
    match (command, first) {
        (PartitionCommand::RecordPayment { .. }, PartitionEvent::Payment { event, .. }) => {
            Some(SoAlready::Reported(Item::verdict_of(event)))
        }
        (PartitionCommand::OfferPayment { .. }, PartitionEvent::Payment { bundle, .. }) => {
            Some(SoAlready::Order(*bundle))
        }
        (PartitionCommand::Endpoint(_), _) => Some(SoAlready::Endpoints),
        (PartitionCommand::RecordUnmatched { .. }, _) => Some(SoAlready::Reported(PaymentVerdict::Noted)),
        _ => None,
    }
}
