//! A partition's own single writer: its stream is number 0, and bundles live there.
//!
//! As an item's actor it runs ahead of the disk, and its answers do not. A turn is judged, applied and handed to the
//! committer under one lock, so that the log has the order of the turns; then the lock is free, and whoever asked
//! waits outside for the disk. A place in the committer's queue is taken before anything is judged: from then on the
//! turn cannot be interrupted, so a caller who goes away leaves no hole in the stream.
//!
//! A panic in a turn stops this stream until the process is started again (docs/decisions/0010).

use crate::commit::ToCommitter;
use crate::error::SubmitError;
use crate::limits::PARTITION_WAITERS;
use crate::mailbox::Caller;
use crate::registry::Registry;
use crate::seating::LONGEST_SLEEP;
use crate::shell::{Handover, Reply, Resume, Ticket, Wake};
use domain::event::{PartitionEvent, Recorded};
use domain::identity::{BundleId, ItemKey};
use domain::ids::{ItemNo, Ordinal, Seq};
use domain::partition::{Fate, Partition, PartitionTurn, PartitionTurnEnd};
use domain::payment::PaymentEvent;
use domain::rejection::Rejection;
use domain::time::Timestamp;
use domain::units::Units;
use domain::views::Judgement;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{MutexGuard, Notify, Semaphore, SemaphorePermit, mpsc, oneshot};

/// The writer.
#[derive(Debug)]
pub(crate) struct PartitionWriter {
    state: tokio::sync::Mutex<PartitionState>,
    durable: AtomicU64,
    /// Told when something may be due earlier than it was.
    changed: Notify,
    /// Those who wait for a turn.
    places: Semaphore,
}

/// What the lock guards.
#[derive(Debug)]
pub(crate) struct PartitionState {
    pub(crate) partition: Partition,
    submitted: Ticket,
    resume: Option<Resume>,
    spare: ItemKey,
    /// More is due than the last turn could work off.
    backlog: bool,
    stopped: Option<String>,
}

/// A bundle whose end its parts have to be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleDecided {
    /// Which.
    pub bundle: BundleId,
    /// The items whose units a refund returns, if it does.
    pub returns: Vec<ItemNo>,
}

/// What a turn came to, and what it has to wait for before anybody may hear of it.
#[derive(Debug)]
pub(crate) struct Gated<T> {
    value: T,
    gate: Option<oneshot::Receiver<Reply>>,
}

impl<T> Gated<T> {
    /// What it came to, for whoever does not tell it on, and the gate.
    pub(crate) fn split(self) -> (T, Gated<()>) {
        (self.value, Gated { value: (), gate: self.gate })
    }

    /// Waits until everything this was computed from is durable.
    pub(crate) async fn open(self) -> Result<T, SubmitError> {
        if let Some(gate) = self.gate {
            gate.await.map_err(|_| SubmitError::OutcomeUnknown)??;
        }
        Ok(self.value)
    }
}

impl PartitionWriter {
    /// The writer of a partition just recovered, stopped if its events break an invariant. `spare` becomes its secret when
    /// it first needs one.
    pub(crate) fn new(partition: Partition, stopped: Option<String>, resume: Resume, spare: ItemKey) -> Self {
        // What a crash cut off in the middle goes on in a first turn.
        let (submitted, resume) = (Ticket(0), Some(resume));
        let state = PartitionState { partition, submitted, resume, spare, backlog: true, stopped };
        Self {
            state: tokio::sync::Mutex::new(state),
            durable: AtomicU64::new(0),
            changed: Notify::new(),
            places: Semaphore::new(PARTITION_WAITERS),
        }
    }

    pub(crate) async fn lock(&self) -> MutexGuard<'_, PartitionState> {
        self.state.lock().await
    }

    /// The id of a bundle, for a thread that may block.
    pub(crate) fn blocking_id_of(&self, bundle: Ordinal) -> Option<BundleId> {
        self.state.blocking_lock().partition.id_of(bundle)
    }

    /// A place among those who wait for a turn.
    pub(crate) fn place(&self) -> Result<SemaphorePermit<'_>, SubmitError> {
        self.places.try_acquire().map_err(|_| SubmitError::Overloaded)
    }

    /// Notes what a commit made durable.
    pub(crate) fn publish(&self, ticket: Ticket) {
        self.durable.fetch_max(ticket.0, Ordering::AcqRel);
    }

    fn durable(&self) -> Ticket {
        Ticket(self.durable.load(Ordering::Acquire))
    }

    /// Why it has stopped, if it has. Says nothing while a turn runs.
    pub(crate) fn stopped(&self) -> Option<String> {
        self.state.try_lock().ok().and_then(|state| state.stopped.clone())
    }
}

impl PartitionState {
    /// Refuses where a turn has panicked: the state is not to be trusted any more.
    pub(crate) fn check(&self) -> Result<(), SubmitError> {
        match self.stopped {
            Some(_) => Err(SubmitError::ItemStopped { item: self.partition.stream() }),
            None => Ok(()),
        }
    }

    pub(crate) const fn submitted(&self) -> Ticket {
        self.submitted
    }

    fn wake(&self) -> Wake {
        match (&self.stopped, self.backlog) {
            (Some(_), _) => Wake::Never,
            (None, true) => Wake::Now,
            (None, false) => self.partition.next_wake().map_or(Wake::Never, Wake::At),
        }
    }

    /// One turn. Nothing in it waits.
    fn turn<T>(
        &mut self,
        now: Timestamp,
        act: impl FnOnce(&mut PartitionTurn<'_>) -> T,
    ) -> Result<(T, Vec<Recorded<PartitionEvent>>), SubmitError> {
        self.check()?;
        let (resume, spare, partition) = (self.resume.take(), self.spare, &mut self.partition);
        let turned = catch_unwind(AssertUnwindSafe(|| {
            let mut turn = match resume {
                Some(Resume { at, grace }) => PartitionTurn::begin_after_restart(partition, now, spare, at, grace),
                None => PartitionTurn::begin(partition, now, spare),
            };
            let value = act(&mut turn);
            (value, turn.end())
        }));
        match turned {
            Ok((value, PartitionTurnEnd { recorded, backlog })) => {
                self.backlog = backlog;
                Ok((value, recorded))
            }
            Err(panic) => {
                let why = crate::fold::words(panic.as_ref());
                tracing::error!(partition = self.partition.no().0, why, "the partition's own stream stays stopped");
                self.stopped = Some(why);
                Err(SubmitError::ItemStopped { item: self.partition.stream() })
            }
        }
    }

    /// What the parts of bundles have to be told, of what these events decided.
    fn decided(&self, events: &[Recorded<PartitionEvent>]) -> Vec<BundleDecided> {
        let of = |bundle: Ordinal, returns| Some(BundleDecided { bundle: self.partition.id_of(bundle)?, returns });
        let decided = events.iter().filter_map(|recorded| match &recorded.event {
            PartitionEvent::BundleCancelled { bundle } | PartitionEvent::BundleExpired { bundle, .. } => {
                of(*bundle, Vec::new())
            }
            PartitionEvent::Payment { bundle, event } => match &**event {
                PaymentEvent::Captured { .. } => of(*bundle, Vec::new()),
                PaymentEvent::OrderRefunded { released, .. } if *released != Units::ZERO => {
                    of(*bundle, self.partition.items_of(*bundle))
                }
                _ => None,
            },
            _ => None,
        });
        decided.collect()
    }
}

impl Registry {
    /// Runs one turn of the partition's own stream. What it came to may be told when the gate has opened.
    pub(crate) async fn partition_turn<T>(
        &self,
        act: impl FnOnce(&mut PartitionTurn<'_>) -> T,
    ) -> Result<Gated<T>, SubmitError> {
        let writer = &self.partition;
        let _place = writer.place()?;
        let ready = async {
            let state = writer.lock().await;
            let permit = self.committer.reserve().await;
            (state, permit)
        };
        let (mut state, permit) =
            tokio::time::timeout(self.timeouts.judge_within, ready).await.map_err(|_| SubmitError::Late)?;
        // The committer is gone: the log has failed, and what is known here may never be durable.
        let permit = permit.map_err(|_| SubmitError::OutcomeUnknown)?;
        let (value, events) = state.turn(self.clock.now(), act)?;
        let gate = self.hand_over(&mut state, &events, permit);
        writer.changed.notify_one();
        Ok(Gated { value, gate })
    }

    /// The reply gate, as an item's shell has one.
    fn hand_over(
        &self,
        state: &mut PartitionState,
        events: &[Recorded<PartitionEvent>],
        permit: mpsc::Permit<'_, ToCommitter>,
    ) -> Option<oneshot::Receiver<Reply>> {
        if events.is_empty() && self.partition.durable() >= state.submitted {
            return None;
        }
        if !events.is_empty() {
            state.submitted = Ticket(state.submitted.0.saturating_add(1));
        }
        let (caller, gate) = oneshot::channel();
        let stream = state.partition.stream();
        let decided = state.decided(events);
        permit.send(ToCommitter::Handover(Handover {
            item: stream,
            ticket: state.submitted,
            encoded: events.iter().map(|event| eventlog::encode_partition_event(stream, event)).collect(),
            events: Vec::new(),
            of_partition: events.to_vec(),
            decided,
            replies: vec![(Caller::new(caller), Ok(opened()))],
            view: None,
        }));
        Some(gate)
    }

    /// What a part has to do, told only when it is durable.
    pub(crate) async fn fate_of(&self, bundle: BundleId) -> Result<Fate, SubmitError> {
        self.partition_turn(|turn| turn.fate_of(bundle)).await?.open().await
    }

    /// Waits until everything up to `ticket` is durable.
    pub(crate) async fn partition_durable(&self, ticket: Ticket) -> Result<(), SubmitError> {
        loop {
            let committed = self.committed.notified();
            if self.partition.durable() >= ticket {
                return Ok(());
            }
            if self.failed().is_some() {
                return Err(SubmitError::OutcomeUnknown);
            }
            committed.await;
        }
    }

    /// Lets what is due in the partition's own stream happen, for as long as the engine lives.
    pub(crate) async fn keep_partition_time(self: Arc<Self>) {
        loop {
            let changed = self.partition.changed.notified();
            let wake = self.partition.lock().await.wake();
            let at = match wake {
                Wake::Now | Wake::Rested(_) => self.clock.now(),
                Wake::At(at) => at,
                Wake::Never => {
                    changed.await;
                    continue;
                }
            };
            let until = self.clock.until(at);
            if !until.is_zero() {
                let _changed_or_due = tokio::time::timeout(until.min(LONGEST_SLEEP), changed).await;
                continue;
            }
            // Its events gate the answers of later turns by themselves; nobody waits for this one.
            match self.partition_turn(|_| ()).await {
                Ok(_) | Err(SubmitError::Late | SubmitError::Overloaded) => tokio::task::yield_now().await,
                Err(_) => return,
            }
        }
    }
}

/// What a gate is told when it opens. Nobody reads it: what was judged waits on this side.
fn opened() -> Judgement {
    Judgement { sequence: Seq(0), at: Timestamp::from_millis(0), outcome: Err(Rejection::NotFound) }
}
