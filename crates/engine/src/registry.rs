//! A partition at work: its items, its committer, and what becomes of what was committed.

use crate::Timeouts;
use crate::bundles::Bundles;
use crate::clock::Clock;
use crate::commit::receipts::Stands;
use crate::commit::{Committed, ToCommitter};
use crate::error::SubmitError;
use crate::followups::{EndpointBook, Feed, Redelivery, Terms, is_of_interest, notifications_are_logged};
use crate::keepers::{self, Failure};
use crate::mailbox::{Caller, Mailboxes};
use crate::partition::PartitionWriter;
use crate::projection::Projection;
use crate::shell::{Ask, Asked, Handover, MonoTime, Reply};
use crate::slot::Slot;
use crate::wakeups::Wakeups;
use domain::ids::{ItemNo, PartitionNo};
use domain::text::Sku;
use eventlog::{LogReader, Receipt, RecordNo, SnapshotStore, StreamEvent};
use foldhash::fast::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

/// One partition at work.
pub(crate) struct Registry {
    pub(crate) no: PartitionNo,
    pub(crate) clock: Clock,
    /// What deadlines and monotonic instants count from.
    pub(crate) epoch: Instant,
    pub(crate) timeouts: Timeouts,
    pub(crate) reader: Arc<dyn LogReader>,
    pub(crate) snapshots: Option<SnapshotStore>,
    pub(crate) committer: mpsc::Sender<ToCommitter>,
    /// Told after every group, for those who wait until something is durable.
    pub(crate) committed: Notify,
    items: RwLock<Items>,
    /// The writer of the partition's own stream. Who registers an item holds its lock, one at a time.
    pub(crate) partition: PartitionWriter,
    /// Parts of bundles, over all partitions.
    pub(crate) bundles: Arc<Bundles>,
    projection: Mutex<Projection>,
    pub(crate) wakeups: Wakeups,
    pub(crate) mailboxes: Mailboxes,
    pub(crate) awake: AtomicUsize,
    durable: AtomicU64,
    projected: AtomicU64,
    pub(crate) failure: Failure,
    /// To the follower.
    pub(crate) feed: Feed,
    /// Whom to tell.
    pub(crate) endpoints: Arc<EndpointBook>,
    /// Messages to be told again, to the follower.
    pub(crate) redeliveries: mpsc::Sender<Redelivery>,
    /// Follow-ups that are not done yet, for whoever asks how the engine is.
    pub(crate) open_follow_ups: AtomicUsize,
}

/// Found by number and by name at each request, and listed in the order of their names.
#[derive(Default)]
struct Items {
    by_no: HashMap<ItemNo, Arc<Slot>, RandomState>,
    by_sku: HashMap<Sku, Arc<Slot>, RandomState>,
    in_order: BTreeMap<Sku, Arc<Slot>>,
}

impl Items {
    fn insert(&mut self, slot: &Arc<Slot>) {
        self.by_no.insert(slot.no, Arc::clone(slot));
        self.by_sku.insert(slot.sku.clone(), Arc::clone(slot));
        self.in_order.insert(slot.sku.clone(), Arc::clone(slot));
    }
}

/// Locks whose content is replaced or changed whole: a panic elsewhere leaves them good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a registry begins with.
pub(crate) struct RegistryParts {
    pub(crate) no: PartitionNo,
    pub(crate) partition: PartitionWriter,
    pub(crate) bundles: Arc<Bundles>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) projection: Projection,
    pub(crate) durable: RecordNo,
    pub(crate) clock: Clock,
    pub(crate) epoch: Instant,
    pub(crate) timeouts: Timeouts,
    pub(crate) reader: Arc<dyn LogReader>,
    pub(crate) snapshots: Option<SnapshotStore>,
    pub(crate) committer: mpsc::Sender<ToCommitter>,
    pub(crate) failure: Failure,
    pub(crate) feed: Feed,
    pub(crate) endpoints: Arc<EndpointBook>,
    pub(crate) redeliveries: mpsc::Sender<Redelivery>,
}

impl Registry {
    pub(crate) fn new(parts: RegistryParts) -> Self {
        let registry = Self {
            no: parts.no,
            wakeups: Wakeups::new(parts.clock.now()),
            mailboxes: Mailboxes::default(),
            clock: parts.clock,
            epoch: parts.epoch,
            timeouts: parts.timeouts,
            reader: parts.reader,
            snapshots: parts.snapshots,
            committer: parts.committer,
            committed: Notify::new(),
            items: RwLock::new(Items::default()),
            partition: parts.partition,
            bundles: parts.bundles,
            projection: Mutex::new(parts.projection),
            awake: AtomicUsize::new(0),
            durable: AtomicU64::new(parts.durable.0),
            projected: AtomicU64::new(parts.durable.0),
            failure: parts.failure,
            feed: parts.feed,
            endpoints: parts.endpoints,
            redeliveries: parts.redeliveries,
            open_follow_ups: AtomicUsize::new(0),
        };
        for slot in parts.slots {
            registry.settle(&registry.add(slot));
        }
        registry
    }

    pub(crate) fn add(&self, slot: Slot) -> Arc<Slot> {
        let slot = Arc::new(slot);
        let mut items = self.items.write().unwrap_or_else(PoisonError::into_inner);
        items.insert(&slot);
        drop(items);
        slot
    }

    fn items(&self) -> RwLockReadGuard<'_, Items> {
        self.items.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn slot(&self, no: ItemNo) -> Option<Arc<Slot>> {
        self.items().by_no.get(&no).cloned()
    }

    pub(crate) fn find(&self, sku: &Sku) -> Option<Arc<Slot>> {
        self.items().by_sku.get(sku).cloned()
    }

    pub(crate) fn slots_after(&self, after: Option<&Sku>, limit: usize) -> Vec<Arc<Slot>> {
        let items = self.items();
        let begin = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let range = items.in_order.range::<Sku, _>((begin, std::ops::Bound::Unbounded));
        range.take(limit).map(|(_, slot)| Arc::clone(slot)).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.items().by_no.len()
    }

    /// The last durable record.
    pub(crate) fn durable(&self) -> RecordNo {
        RecordNo(self.durable.load(Ordering::Acquire))
    }

    pub(crate) fn mono(&self) -> MonoTime {
        MonoTime(self.epoch.elapsed())
    }

    pub(crate) fn failed(&self) -> Option<String> {
        self.failure.borrow().clone()
    }

    /// Seats an item just created.
    pub(crate) fn seat_new(&self, slot: Slot) {
        let slot = self.add(slot);
        self.settle(&slot);
    }

    /// Waits until the projection has taken in everything durable at this moment.
    pub(crate) async fn projected(&self) -> Result<(), SubmitError> {
        let wanted = self.durable();
        loop {
            let committed = self.committed.notified();
            if self.projected.load(Ordering::Acquire) >= wanted.0 {
                return Ok(());
            }
            if self.failed().is_some() {
                return Err(SubmitError::OutcomeUnknown);
            }
            committed.await;
        }
    }

    pub(crate) fn projection(&self) -> MutexGuard<'_, Projection> {
        lock(&self.projection)
    }

    /// Asks an item, and waits for the answer as long as the fixed timeout allows.
    pub(crate) async fn ask(self: &Arc<Self>, slot: &Arc<Slot>, ask: Ask) -> Reply {
        let (reply, answer) = oneshot::channel();
        self.ask_as(Caller::new(reply), answer, slot, ask).await
    }

    /// The same, and where in the log the event stands that made the answer, if this command made one.
    pub(crate) async fn ask_with_receipt(self: &Arc<Self>, slot: &Arc<Slot>, ask: Ask) -> (Reply, Option<Receipt>) {
        let (reply, answer) = oneshot::channel();
        let (stands, mut told) = oneshot::channel();
        let reply = self.ask_as(Caller::with_receipt(reply, stands), answer, slot, ask).await;
        let receipt = told.try_recv().ok().map(|Stands { record, chain, sequence, event }| {
            let (partition, sku) = (slot.no.partition(), slot.sku.clone());
            Receipt { partition, record, chain, sku, sequence, event }
        });
        (reply, receipt)
    }

    async fn ask_as(
        self: &Arc<Self>,
        caller: Caller,
        answer: oneshot::Receiver<Reply>,
        slot: &Arc<Slot>,
        ask: Ask,
    ) -> Reply {
        let judge_before = MonoTime(self.epoch.elapsed().saturating_add(self.timeouts.judge_within));
        self.put(slot, Asked { ask, judge_before, reply: caller })?;
        match tokio::time::timeout(self.timeouts.answer_within, answer).await {
            Ok(Ok(reply)) => reply,
            // No answer came in time, the turn that took it panicked, or the log failed: it may have been judged before.
            Ok(Err(_)) | Err(_) => Err(SubmitError::OutcomeUnknown),
        }
    }

    /// Completes what the committer did, inside the runtime: one wake-up for a whole group instead of one a reply.
    /// In this order: publish the views, release the replies, feed the followers.
    pub(crate) async fn complete(self: Arc<Self>, mut committed: mpsc::Receiver<Committed>) {
        while let Some(message) = committed.recv().await {
            match message {
                Committed::Group { group, upto } => self.release(group, upto),
                Committed::Dismissed(replies) => replies.into_iter().for_each(|(caller, reply)| caller.answer(reply)),
                Committed::Stopped(reason) => {
                    tracing::error!(%reason, partition = self.no.0, "nothing more is acknowledged");
                    keepers::fail(&self.failure, reason.to_string());
                    // Whoever waits for a commit that will not come looks again, and finds this.
                    self.committed.notify_waiters();
                }
            }
        }
    }

    fn release(&self, mut group: Vec<Handover<Caller>>, upto: RecordNo) {
        self.durable.store(upto.0, Ordering::Release);
        let slots = self.slots_of(&group);
        for (handover, slot) in group.iter_mut().zip(&slots) {
            if let Some(slot) = slot {
                slot.publish(handover.ticket, handover.view.take());
            } else if handover.item.is_partition_stream() {
                self.endpoints.follow(&handover.of_partition);
                self.partition.publish(handover.ticket);
            }
        }
        // Before anybody hears of it: whoever does may ask whether the parts have followed.
        self.bundles.follow(&group);
        for handover in &mut group {
            for (caller, reply) in handover.replies.drain(..) {
                caller.answer(reply);
            }
        }
        {
            let mut projection = self.projection();
            for handover in &group {
                projection.follow(handover.item, &handover.events);
            }
        }
        self.projected.store(upto.0, Ordering::Release);
        self.feed.push(upto, self.to_follow_up(&mut group, &slots));
        self.committed.notify_waiters();
    }

    /// The items of a group, with one look at all there are.
    fn slots_of(&self, group: &[Handover<Caller>]) -> Vec<Option<Arc<Slot>>> {
        let items = self.items();
        group.iter().map(|handover| items.by_no.get(&handover.item).cloned()).collect()
    }

    /// What an item's follow-ups depend on.
    pub(crate) fn terms(&self, slot: &Slot) -> Terms {
        let is_told = self.endpoints.is_any() || notifications_are_logged();
        Terms { provider: slot.view().settings.policy.payments.provider, is_told }
    }

    /// The few events of a group that something may follow from.
    fn to_follow_up(&self, group: &mut [Handover<Caller>], slots: &[Option<Arc<Slot>>]) -> Vec<(ItemNo, StreamEvent)> {
        let mut found = Vec::new();
        for (handover, slot) in group.iter_mut().zip(slots) {
            let of_partition = handover.of_partition.drain(..).map(StreamEvent::Partition);
            found.extend(of_partition.map(|event| (handover.item, event)));
            let Some(slot) = slot else { continue };
            let terms = self.terms(slot);
            let events = handover.events.drain(..).filter(|recorded| is_of_interest(&recorded.event, terms));
            found.extend(events.map(|recorded| (handover.item, StreamEvent::Item(recorded))));
        }
        found
    }
}
