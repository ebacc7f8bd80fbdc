//! Reserving a bundle: one coordinator for each request, driven here. The coordinator itself is pure
//! (`domain::bundle::coordinator`); this carries its questions to items and to the bundle's partition.
//!
//! It runs in a task of its own: a caller who goes away leaves no parts behind. Once it has begun, it ends with a
//! bundle that is held, or with having let go of what it took.

use super::Bundles;
use crate::error::SubmitError;
use crate::limits::BUNDLES_AT_ONCE;
use crate::registry::Registry;
use crate::shell::{Ask, Reply};
use crate::slot::Slot;
use domain::bundle::coordinator::{AskedLine, Coordinator, GaveUp, Input, Output, PartTaken};
use domain::bundle::{BundleTerms, NewBundle, WantedLines};
use domain::command::{Command, Request};
use domain::idempotency::{Attempt, Fingerprint, Idempotency};
use domain::identity::BundleId;
use domain::partition::{PartitionCommand, PartitionRequest, PartitionTurn, partition_of};
use domain::rejection::Rejection;
use domain::text::{CustomerId, Sku};
use domain::units::Quantity;
use domain::views::{Answer, Body, Judgement, Origin};
use std::sync::{Arc, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio::time::Instant;

/// A request whose coordinator is at work.
#[derive(Debug)]
pub(super) struct InHand {
    content: Fingerprint,
    answer: watch::Receiver<Option<Reply>>,
}

/// What a request turns out to be.
enum First {
    /// Accepted before, or its key came with other content.
    Known(Judgement),
    /// The same key is being worked on; `same`: with the same content.
    InHand { answer: watch::Receiver<Option<Reply>>, same: bool },
    /// New: a coordinator sets to work.
    New { idempotency: Option<Idempotency>, answer: watch::Sender<Option<Reply>> },
    /// Too many coordinators are at work.
    TooMany,
}

/// What a bundle is asked for with.
#[derive(Clone)]
pub(super) struct Wish {
    pub(super) customer: CustomerId,
    pub(super) lines: WantedLines,
    pub(super) attempt: Option<Attempt>,
}

/// Reserves a bundle in the partition `home`, or finds out that this was done before. `partitions` are in the order of
/// their numbers.
pub(super) async fn reserve(
    bundles: &Arc<Bundles>,
    partitions: &Arc<[Arc<Registry>]>,
    home: &Arc<Registry>,
    wish: Wish,
) -> Reply {
    loop {
        let mut random = [0; 16];
        // Without randomness ids could be guessed; better no bundle than such a one.
        getrandom::fill(&mut random).map_err(|_| SubmitError::Overloaded)?;
        let bundle = BundleId::new(home.no, u128::from_le_bytes(random));
        let begun = home.partition_turn(|turn| bundles.first(turn, bundle, &wish)).await?;
        let (first, gate) = begun.split();
        match first {
            First::Known(judgement) => {
                gate.open().await?;
                bundles.followed_by(&judgement).await?;
                return Ok(judgement);
            }
            First::TooMany => return Err(SubmitError::Overloaded),
            First::InHand { mut answer, same } => {
                let told = answer.wait_for(Option::is_some).await.map_err(|_| SubmitError::OutcomeUnknown)?.clone();
                if let (true, Some(reply)) = (same, told) {
                    return reply.map(replayed);
                }
                // The other request under this key is judged; this one is judged behind it.
            }
            First::New { idempotency, answer } => {
                // Nothing was awaited since the coordinator was announced, so nobody can be interrupted in between.
                let job = Job::new(bundles, partitions, home, bundle, wish, idempotency);
                return tokio::spawn(job.see_through(answer)).await.unwrap_or(Err(SubmitError::OutcomeUnknown));
            }
        }
    }
}

/// The same answer, told to somebody who asked again.
fn replayed(judgement: Judgement) -> Judgement {
    let again = |answer: Answer| Answer { origin: Origin::Replayed, ..answer };
    Judgement { outcome: judgement.outcome.map(again), ..judgement }
}

impl Bundles {
    /// Requests in hand are looked up and entered only inside a turn of their partition, so that of two at once one is
    /// first.
    fn asked(&self) -> MutexGuard<'_, std::collections::HashMap<Fingerprint, InHand>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn first(&self, turn: &mut PartitionTurn<'_>, bundle: BundleId, wish: &Wish) -> First {
        let key = turn.key();
        let idempotency = wish.attempt.as_ref().map(|attempt| Idempotency {
            request: attempt.fingerprint(&key),
            content: wish.lines.content_fingerprint(&key),
        });
        let mut asked = self.asked();
        if let Some(idempotency) = idempotency {
            if let Some(judgement) = turn.recall(idempotency) {
                return First::Known(judgement);
            }
            if let Some(in_hand) = asked.get(&idempotency.request) {
                return First::InHand { answer: in_hand.answer.clone(), same: in_hand.content == idempotency.content };
            }
        }
        if turn.collecting_count() >= BUNDLES_AT_ONCE {
            return First::TooMany;
        }
        let (sender, answer) = watch::channel(None);
        if let Some(Idempotency { request, content }) = idempotency {
            asked.insert(request, InHand { content, answer });
        }
        turn.begin_collecting(bundle);
        self.begin(bundle);
        First::New { idempotency, answer: sender }
    }

    /// Waits until the parts of the bundle that an answer tells of have followed it.
    async fn followed_by(&self, judgement: &Judgement) -> Result<(), SubmitError> {
        let bundle = match judgement.outcome.as_ref().map(|answer| &answer.body) {
            Ok(Body::Bundle(view)) => view.id,
            Ok(Body::BundleOrder(view)) => view.bundle,
            _ => return Ok(()),
        };
        self.followed(bundle).await
    }
}

/// A coordinator and what it works with.
struct Job {
    bundles: Arc<Bundles>,
    partitions: Arc<[Arc<Registry>]>,
    home: Arc<Registry>,
    bundle: BundleId,
    customer: CustomerId,
    coordinator: Coordinator,
    idempotency: Option<Idempotency>,
    /// After this instant no further part is taken.
    until: Instant,
    /// Why something was lost.
    lost: Option<SubmitError>,
    /// How the partition judged the submission.
    judged: Option<Judgement>,
}

impl Job {
    fn new(
        bundles: &Arc<Bundles>,
        partitions: &Arc<[Arc<Registry>]>,
        home: &Arc<Registry>,
        bundle: BundleId,
        wish: Wish,
        idempotency: Option<Idempotency>,
    ) -> Self {
        let line = |(sku, quantity): (&Sku, Quantity)| {
            let item = place_of(partitions, sku).map(|(_, slot)| slot.no);
            AskedLine { sku: sku.clone(), item, quantity }
        };
        let lines = wish.lines.iter().map(line).collect();
        Self {
            bundles: Arc::clone(bundles),
            partitions: Arc::clone(partitions),
            home: Arc::clone(home),
            bundle,
            customer: wish.customer.clone(),
            coordinator: Coordinator::new(bundle, wish.customer, lines),
            idempotency,
            until: Instant::now() + home.timeouts.judge_within,
            lost: None,
            judged: None,
        }
    }

    /// Runs to the end, and tells everybody who asked for the same.
    async fn see_through(self, answer: watch::Sender<Option<Reply>>) -> Reply {
        let (bundles, home, bundle, idempotency) =
            (Arc::clone(&self.bundles), Arc::clone(&self.home), self.bundle, self.idempotency);
        // One that panics has given up like any other.
        let ran = tokio::spawn(self.run()).await;
        let reply = match ran {
            Ok(reply) => reply,
            Err(_) => {
                home.partition.lock().await.partition.give_up(bundle);
                bundles.end(bundle, true);
                Err(SubmitError::OutcomeUnknown)
            }
        };
        if let Some(idempotency) = idempotency {
            bundles.asked().remove(&idempotency.request);
        }
        answer.send_replace(Some(reply.clone()));
        reply
    }

    async fn run(mut self) -> Reply {
        let mut input = Input::Start;
        loop {
            input = match self.coordinator.step(input) {
                Output::Ask { line } => self.ask(&line).await,
                Output::Look { line } => Input::Seen(self.look(&line)),
                Output::Submit(held) => self.submit(held).await,
                Output::Held => {
                    self.bundles.end(self.bundle, false);
                    return self.judged.ok_or(SubmitError::OutcomeUnknown);
                }
                Output::Release(why) => return self.let_go(why).await,
                // The log has failed under the submission: its record tells what became of it, after a restart.
                Output::Nothing => {
                    self.bundles.end(self.bundle, true);
                    return Err(self.lost.unwrap_or(SubmitError::OutcomeUnknown));
                }
            };
        }
    }

    async fn ask(&mut self, line: &AskedLine) -> Input {
        let Some((registry, slot)) = place_of(&self.partitions, &line.sku) else {
            return Input::Refused(Rejection::NotFound);
        };
        let (customer, quantity) = (self.customer.clone(), line.quantity);
        let request = Request::from(Command::HoldPart { bundle: self.bundle, customer, quantity });
        let asked = registry.ask(&slot, Ask::Command(Box::new(request)));
        let told = tokio::time::timeout_at(self.until, asked).await.unwrap_or(Err(SubmitError::Late));
        match told.map(|judgement| judgement.outcome) {
            Ok(Ok(Answer { body: Body::Reservation(view), .. })) => Input::Held(part_taken(&slot, view.id)),
            Ok(Ok(_)) => Input::Lost,
            Ok(Err(rejection)) => Input::Refused(rejection),
            Err(error) => {
                self.lost = Some(error);
                Input::Lost
            }
        }
    }

    fn look(&self, line: &AskedLine) -> Option<Rejection> {
        match place_of(&self.partitions, &line.sku) {
            Some((_, slot)) => slot.view().refusal_at_once(line.quantity),
            None => Some(Rejection::NotFound),
        }
    }

    async fn submit(&mut self, held: Box<NewBundle>) -> Input {
        let request = PartitionRequest { command: PartitionCommand::HoldBundle(held), idempotency: self.idempotency };
        let judgement = match self.home.partition_turn(|turn| turn.judge(&request)).await {
            Ok(gated) => gated.open().await,
            // Never judged, and never will be: the bundle is given up.
            Err(error) => {
                self.lost = Some(error);
                return Input::Judged { held: false };
            }
        };
        match judgement {
            Ok(judgement) => {
                let of = judgement.outcome.as_ref().map(|answer| &answer.body);
                let held = matches!(of, Ok(Body::Bundle(view)) if view.id == self.bundle);
                self.judged = Some(judgement);
                Input::Judged { held }
            }
            Err(error) => {
                self.lost = Some(error);
                Input::Lost
            }
        }
    }

    /// Gives up. The answer leaves when the parts have followed.
    async fn let_go(self, why: GaveUp) -> Reply {
        let (sequence, now, ticket) = {
            let mut state = self.home.partition.lock().await;
            state.partition.give_up(self.bundle);
            (state.partition.seq(), state.partition.now(), state.submitted())
        };
        self.bundles.end(self.bundle, true);
        self.bundles.followed(self.bundle).await?;
        let judgement = match (why, self.judged, self.lost) {
            (GaveUp::Refused(rejection), _, _) => {
                Judgement { sequence, at: now.max(self.home.clock.now()), outcome: Err(rejection) }
            }
            (GaveUp::Lost, Some(judgement), _) => judgement,
            (GaveUp::Lost, None, lost) => return Err(lost.unwrap_or(SubmitError::OutcomeUnknown)),
        };
        self.home.partition_durable(ticket).await?;
        Ok(judgement)
    }
}

/// An item by its name, wherever it is.
fn place_of<'p>(partitions: &'p [Arc<Registry>], sku: &Sku) -> Option<(&'p Arc<Registry>, Arc<Slot>)> {
    let count = u16::try_from(partitions.len()).unwrap_or(u16::MAX);
    let registry = partitions.get(usize::from(partition_of(sku, count).0))?;
    Some((registry, registry.find(sku)?))
}

/// A part that is held, with the price and the terms that its item has published: the price is fixed once a sale has
/// opened, and terms hold from when they are published.
fn part_taken(slot: &Slot, reservation: domain::identity::ReservationId) -> PartTaken {
    let settings = Arc::clone(&slot.view().settings);
    let policy = &settings.policy;
    let terms = BundleTerms {
        hold_time: policy.hold_time,
        grace: policy.grace,
        parked_window: policy.payments.parked_window,
        provider: policy.payments.provider,
    };
    PartTaken { reservation, unit_price: settings.unit_price, terms }
}
