//! One turn of an item: what is due first, then commands and reads, each judged and applied at once.
//!
//! This is the only place that puts `decide` and `apply` together. The actor, the model checker and the simulator
//! all run it; recovery and replay run `apply` alone. A turn has one instant, read by the caller, and works off at
//! most [`TURN_BATCH`] of what is due or promotable; what remains is a backlog for the next turn (domain rule 4).

use crate::command::{Claim, Command, Request};
use crate::decide::{
    AlreadySo, Decision, clock_resumed, decide, expiry_of, next_due_change, next_expiry, next_given_back,
    next_promotion, next_unclaimed,
};
use crate::event::{Event, Recorded};
use crate::idempotency::{Acceptance, Idempotency};
use crate::ids::{CaptureNo, Ordinal};
use crate::item::Item;
use crate::limits::TURN_BATCH;
use crate::rejection::Rejection;
use crate::time::{DurationMs, Timestamp};
use crate::views::{Answer, Body, CaptureFilter, Judgement, Origin, PaymentVerdict, ReservationFilter};

/// What can be read of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// One's own reservation.
    Reservation(Claim),
    /// One's own order.
    Order(Claim),
    /// A page of the item's reservations, for operators.
    Reservations {
        /// Which ones.
        filter: ReservationFilter,
        /// The first to look at.
        from: Ordinal,
        /// How many to return at most.
        limit: usize,
    },
    /// A page of the item's captures, for operators.
    Captures {
        /// Which ones.
        filter: CaptureFilter,
        /// The first to look at.
        from: CaptureNo,
        /// How many to return at most.
        limit: usize,
    },
    /// A capture with its refund, for operators.
    Refund(CaptureNo),
    /// Every capture for a reservation that goes, or has gone, back: for follow-ups.
    RefundsOf(Ordinal),
    /// Any reservation, for operators and follow-ups.
    AnyReservation(Ordinal),
    /// The order of any reservation, for operators and follow-ups.
    AnyOrder(Ordinal),
    /// The item itself.
    Item,
}

/// A turn under way.
#[derive(Debug)]
pub struct Turn<'i> {
    item: &'i mut Item,
    now: Timestamp,
    recorded: Vec<Recorded>,
    batch: usize,
    batch_left: usize,
}

/// What a turn did.
#[derive(Debug)]
pub struct TurnEnd {
    /// The events, applied already, to be written.
    pub recorded: Vec<Recorded>,
    /// How much of what is due or promotable was worked off.
    pub worked_off: usize,
    /// Whether more is: another turn should follow without waiting for an instant.
    pub backlog: bool,
}

impl<'i> Turn<'i> {
    /// Begins a turn at `now` (or at the item's logged time, if that is later) with what is due.
    pub fn begin(item: &'i mut Item, now: Timestamp) -> Self {
        Self::begin_within(item, now, TURN_BATCH)
    }

    /// The same for a caller who lets it work off less than [`TURN_BATCH`].
    pub fn begin_within(item: &'i mut Item, now: Timestamp, batch: usize) -> Self {
        let now = now.max(item.now());
        item.advance_timers(now);
        let batch = batch.min(TURN_BATCH);
        let mut turn = Self { item, now, recorded: Vec::new(), batch, batch_left: batch };
        turn.happen_what_is_due();
        turn
    }

    /// Begins the first turn after a restart: holds that would end too soon get the restart grace first.
    pub fn begin_after_restart(item: &'i mut Item, now: Timestamp, resumed_at: Timestamp, grace: DurationMs) -> Self {
        let now = now.max(item.now());
        let resumed = clock_resumed(item, resumed_at.max(item.now()), grace);
        let mut turn = Self { item, now, recorded: Vec::new(), batch: TURN_BATCH, batch_left: TURN_BATCH };
        if let Some(event) = resumed {
            turn.record(event, None);
        }
        turn.item.advance_timers(turn.now);
        turn.happen_what_is_due();
        turn
    }

    /// Judges a command and applies what it leads to, with all that follows from it in this turn.
    pub fn judge(&mut self, request: &Request) -> Judgement {
        if let Some(reservation) = request.command.names() {
            self.end_if_due(reservation);
        }
        let outcome = match decide(self.item, request, self.now) {
            Ok(Decision::Accept(events)) => {
                let answer = self.accept(events, request);
                self.happen_what_is_due();
                answer
            }
            Ok(Decision::Replay(acceptance)) => self.answer_of(&acceptance, Origin::Replayed),
            Ok(Decision::AlreadySo(what)) => self.as_it_is(what, request),
            Err(rejection) => Err(rejection),
        };
        self.judgement(outcome)
    }

    /// Reads. What is due of the reservation asked for happens first, so that nobody reads a hold that is over.
    pub fn read(&mut self, query: &Query) -> Judgement {
        let body = match query {
            Query::Reservation(claim) => self.claimed(claim).and_then(|ordinal| self.reservation(ordinal)),
            Query::Order(claim) => self.claimed(claim).and_then(|ordinal| self.order(ordinal)),
            Query::Reservations { filter, from, limit } => Ok(self.page(*filter, *from, *limit)),
            Query::Captures { filter, from, limit } => Ok(self.item.captures(*filter, *from, *limit)),
            Query::Refund(capture) => self.refund(*capture),
            Query::RefundsOf(ordinal) => Ok(Body::Captures { page: self.item.refunds_of(*ordinal), next: None }),
            Query::AnyReservation(ordinal) => {
                self.end_if_due(*ordinal);
                self.reservation(*ordinal)
            }
            Query::AnyOrder(ordinal) => {
                self.end_if_due(*ordinal);
                self.order(*ordinal)
            }
            Query::Item => Ok(Body::Item(Box::new(self.item.view()))),
        };
        self.judgement(body.map(|body| Answer { body, origin: Origin::AsItIs }))
    }

    /// Ends the turn.
    ///
    /// # Panics
    /// If invariant 5 is broken: somebody waits for units that are free.
    #[must_use]
    pub fn end(self) -> TurnEnd {
        // Holds granted in this turn may lie in a slot that begins before now though they end long after it.
        self.item.advance_timers(self.now);
        let backlog = self.next().is_some() || self.item.timers().needs_work();
        assert!(backlog || self.item.serves_all_it_can(), "invariant 5: somebody waits for free units");
        TurnEnd { recorded: self.recorded, worked_off: self.batch.saturating_sub(self.batch_left), backlog }
    }

    fn judgement(&self, outcome: Result<Answer, Rejection>) -> Judgement {
        Judgement { sequence: self.item.seq(), at: self.now, outcome }
    }

    fn record(&mut self, event: Event, idempotency: Option<Idempotency>) {
        let recorded = Recorded { seq: self.item.seq().next(), at: self.now, idempotency, event };
        self.item.apply(&recorded);
        self.recorded.push(recorded);
    }

    fn accept(&mut self, events: Vec<Event>, request: &Request) -> Result<Answer, Rejection> {
        let mut acceptance = None;
        let unkeyed = events.first().and_then(|event| unkeyed(&request.command, event));
        let origin = Origin::Accepted(self.item.seq().next());
        for event in events {
            let key = if acceptance.is_none() { request.idempotency } else { None };
            self.record(event, key);
            if let (None, Some(first)) = (&acceptance, self.recorded.last()) {
                acceptance = Some(self.item.acceptance(first));
            }
        }
        let body = match unkeyed {
            None => return self.answer_of(&acceptance.ok_or(Rejection::NotFound)?, origin),
            Some(Unkeyed::Reported(verdict)) => Body::Payment(verdict),
            Some(Unkeyed::Order(ordinal)) => self.order(ordinal)?,
            Some(Unkeyed::Part(ordinal)) => self.reservation(ordinal)?,
        };
        Ok(Answer { body, origin })
    }

    fn answer_of(&self, acceptance: &Acceptance, origin: Origin) -> Result<Answer, Rejection> {
        self.item.answer_of(acceptance, origin).ok_or(Rejection::NotFound)
    }

    fn as_it_is(&self, what: AlreadySo, request: &Request) -> Result<Answer, Rejection> {
        let named = || request.command.names().ok_or(Rejection::NotFound);
        let body = match what {
            AlreadySo::Cancelled => self.reservation(named()?),
            AlreadySo::Ordered => self.order(named()?),
            AlreadySo::Reported(verdict) => Ok(Body::Payment(verdict)),
            AlreadySo::Settled(capture) => self.refund(capture),
            AlreadySo::Part(part) => self.reservation(part),
        }?;
        Ok(Answer { body, origin: Origin::AsItIs })
    }

    fn end_if_due(&mut self, reservation: Ordinal) {
        if let Some(event) = expiry_of(self.item, reservation, self.now) {
            self.record(event, None);
            self.happen_what_is_due();
        }
    }

    /// Works off what is due, as far as the batch reaches: phases first, for a sale that is over promotes nobody;
    /// then expiries in order, then promotions with the units they freed, then money whose reservation is over.
    fn happen_what_is_due(&mut self) {
        // Expiries may take half of the batch, so that what they free is also offered in the same turn.
        let expiries_end = self.batch_left.saturating_sub(self.batch.div_ceil(2));
        while let Some(event) = next_due_change(self.item, self.now) {
            self.record(event, None);
        }
        while self.batch_left > expiries_end
            && let Some(event) = self.next_expiry()
        {
            self.batch_left = self.batch_left.saturating_sub(1);
            self.record(event, None);
        }
        while self.batch_left > 0
            && let Some(event) = next_promotion(self.item, self.now)
        {
            self.batch_left = self.batch_left.saturating_sub(1);
            self.record(event, None);
        }
        // The last promotion or lapse may have emptied what was left to sell.
        while let Some(event) = next_due_change(self.item, self.now) {
            self.record(event, None);
        }
        while self.batch_left > 0
            && let Some(event) = next_unclaimed(self.item).or_else(|| next_given_back(self.item))
        {
            self.batch_left = self.batch_left.saturating_sub(1);
            self.record(event, None);
        }
    }

    /// The next hold that is due. What the wheel has found so far may be used up while more is due behind it.
    fn next_expiry(&mut self) -> Option<Event> {
        let found = next_expiry(self.item, self.now);
        if found.is_some() || !self.item.timers().needs_work() {
            return found;
        }
        self.item.advance_timers(self.now);
        next_expiry(self.item, self.now)
    }

    fn next(&self) -> Option<Event> {
        next_due_change(self.item, self.now)
            .or_else(|| next_expiry(self.item, self.now))
            .or_else(|| next_unclaimed(self.item))
            .or_else(|| next_given_back(self.item))
            .or_else(|| next_promotion(self.item, self.now))
    }

    fn claimed(&mut self, claim: &Claim) -> Result<Ordinal, Rejection> {
        self.end_if_due(claim.reservation);
        if self.item.is_of(claim.reservation, &claim.customer) {
            Ok(claim.reservation)
        } else {
            Err(Rejection::NotFound)
        }
    }

    fn reservation(&self, ordinal: Ordinal) -> Result<Body, Rejection> {
        let view = self.item.reservation_view(ordinal, self.now).ok_or(Rejection::NotFound)?;
        Ok(Body::Reservation(Box::new(view)))
    }

    fn order(&self, ordinal: Ordinal) -> Result<Body, Rejection> {
        let view = self.item.order_view(ordinal, self.now).ok_or(Rejection::NotFound)?;
        Ok(Body::Order(Box::new(view)))
    }

    fn refund(&self, capture: CaptureNo) -> Result<Body, Rejection> {
        let view = self.item.capture_view(capture).ok_or(Rejection::NotFound)?;
        Ok(Body::Refund(Box::new(view)))
    }

    fn page(&self, filter: ReservationFilter, from: Ordinal, limit: usize) -> Body {
        self.item.page(filter, from, limit, self.now)
    }
}

/// How commands that never come with a key are answered: nobody will ask for that answer again, so it is what the
/// item says right then.
enum Unkeyed {
    Reported(PaymentVerdict),
    Order(Ordinal),
    Part(Ordinal),
}

fn unkeyed(command: &Command, event: &Event) -> Option<Unkeyed> {
    match (command, event) {
        (Command::RecordPayment { .. }, Event::Payment { event, .. }) => {
            Some(Unkeyed::Reported(Item::verdict_of(event)))
        }
        (Command::OfferPayment { reservation, .. }, _) => Some(Unkeyed::Order(*reservation)),
        (_, Event::PartHeld { reservation, .. } | Event::PartSettled { reservation, .. }) => {
            Some(Unkeyed::Part(*reservation))
        }
        _ => None,
    }
}
