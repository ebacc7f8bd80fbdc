//! The engine from outside: what the HTTP front, the bench and the tests hold.

use crate::clock::Clock;
use crate::commit::ToCommitter;
use crate::error::SubmitError;
use crate::followups::EndpointBook;
use crate::keepers::Keepers;
use crate::newcomers::Asking;
use crate::projection::{Page, Place};
use crate::register;
use crate::registry::Registry;
use crate::shell::{Ask, Published, Reply};
use crate::slot::{Seat, Slot};
use domain::command::{Command, Request};
use domain::idempotency::Attempt;
use domain::identity::{RefundId, ReservationId};
use domain::ids::{ItemNo, PartitionNo};
use domain::partition::partition_of;
use domain::policy::ItemSpec;
use domain::text::{CustomerId, Sku};
use domain::time::Timestamp;
use domain::turn::Query;
use domain::views::ItemView;
use eventlog::{LogReader, Receipt};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{oneshot, watch};

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) partitions: Arc<[Arc<Registry>]>,
    pub(crate) clock: Clock,
    pub(crate) draining: AtomicBool,
    /// Whom followers tell.
    pub(crate) endpoints: Arc<EndpointBook>,
    /// Places for those who read the log back.
    pub(crate) stories: Arc<tokio::sync::Semaphore>,
    pub(crate) failure: watch::Sender<Option<String>>,
    pub(crate) keepers: std::sync::Mutex<Keepers>,
    /// Complete what the committers did; they end when these have.
    pub(crate) completers: tokio::sync::Mutex<Keepers>,
    /// Held as long as the engine lives: the lock that keeps a second process out.
    pub(crate) data_dir: std::sync::Mutex<Option<eventlog::DataDir>>,
}

/// One item, from outside. Cheap to clone.
#[derive(Clone)]
pub struct ItemHandle {
    engine: Engine,
    registry: Arc<Registry>,
    pub(crate) slot: Arc<Slot>,
}

impl ItemHandle {
    /// Its number.
    #[must_use]
    pub fn no(&self) -> ItemNo {
        self.slot.no
    }

    /// The view published at the last commit point. No mailbox, no lock that waits.
    #[must_use]
    pub fn view(&self) -> Arc<ItemView> {
        self.slot.view()
    }

    /// Tells of every later publication of the view.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Published> {
        self.slot.watch()
    }

    /// Whether this item gave out this id.
    #[must_use]
    pub fn is_genuine(&self, id: ReservationId) -> bool {
        id.item() == self.slot.no && id.is_genuine(&self.slot.key)
    }

    /// Has the item judge a command. The fixed timeouts apply inside: the answer comes by then, or
    /// [`SubmitError::OutcomeUnknown`]. A reserve that is certainly refused is so at once, by what the item has published;
    /// for that, an attempt at one has to be its customer's own.
    ///
    /// # Errors
    /// [`SubmitError`]: no judgement; each variant says whether something may have happened.
    pub async fn command(&self, command: Command, attempt: Option<&Attempt>) -> Reply {
        if self.engine.is_draining() {
            return Err(SubmitError::Draining);
        }
        let asking = match Asking::begin(&self.slot, &command, &self.engine.inner.clock) {
            Ok(asking) => asking,
            Err(refused) => return Ok(refused),
        };
        let request = Request::new(command, attempt, &self.slot.key);
        asking.heard(self.registry.ask(&self.slot, Ask::Command(Box::new(request))).await)
    }

    /// The same with a receipt: where in the log the event stands that this command made. None for what was refused, for
    /// what changed nothing, and for what is answered again.
    pub async fn command_with_receipt(&self, command: Command, attempt: Option<&Attempt>) -> (Reply, Option<Receipt>) {
        if self.engine.is_draining() {
            return (Err(SubmitError::Draining), None);
        }
        let asking = match Asking::begin(&self.slot, &command, &self.engine.inner.clock) {
            Ok(asking) => asking,
            Err(refused) => return (Ok(refused), None),
        };
        let request = Request::new(command, attempt, &self.slot.key);
        let (reply, receipt) = self.registry.ask_with_receipt(&self.slot, Ask::Command(Box::new(request))).await;
        (asking.heard(reply), receipt)
    }

    /// Reads, in the item's own turn and behind the same gate as its answers.
    ///
    /// # Errors
    /// [`SubmitError`]: no judgement.
    pub async fn query(&self, query: Query) -> Reply {
        if self.engine.is_draining() {
            return Err(SubmitError::Draining);
        }
        self.registry.ask(&self.slot, Ask::Query(query)).await
    }
}

/// A page of a customer's reservations, in the order of item and arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerPage {
    /// Their ids.
    pub ids: Vec<ReservationId>,
    /// Where the next page begins (exclusive), if there is more.
    pub next: Option<ReservationId>,
}

/// How the engine is: what `/readyz?verbose` shows.
#[derive(Clone, Debug)]
pub struct EngineStatus {
    /// Whether it is shutting down and takes nothing new.
    pub draining: bool,
    /// How many items there are.
    pub items: usize,
    /// How many of them run at the moment.
    pub items_awake: usize,
    /// Items that have stopped, with the reason.
    pub items_stopped: Vec<(Sku, String)>,
    /// Wall clock minus engine time, in milliseconds.
    pub clock_offset_ms: i64,
    /// Follow-ups (payment opportunities, refunds, messages) that are not done yet.
    pub follow_ups_open: usize,
    /// Bundles that are decided and whose parts have still to be told.
    pub bundles_following: usize,
    /// Partitions whose own streams have stopped, with the reason: no new items, no bundles.
    pub partitions_stopped: Vec<(PartitionNo, String)>,
    /// Each partition's last durable record.
    pub partitions: Vec<(PartitionNo, u64)>,
    /// Why the log failed, if it did: nothing is acknowledged any more.
    pub failed: Option<String>,
}

impl Engine {
    /// Engine time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Whether it takes nothing new any more.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.inner.draining.load(Ordering::Relaxed)
    }

    fn registry_of(&self, sku: &Sku) -> Option<&Arc<Registry>> {
        let count = u16::try_from(self.inner.partitions.len()).unwrap_or(u16::MAX);
        self.inner.partitions.get(usize::from(partition_of(sku, count).0))
    }

    fn handle(&self, registry: &Arc<Registry>, slot: Arc<Slot>) -> ItemHandle {
        ItemHandle { engine: self.clone(), registry: Arc::clone(registry), slot }
    }

    /// The item of this name.
    #[must_use]
    pub fn find(&self, sku: &Sku) -> Option<ItemHandle> {
        let registry = self.registry_of(sku)?;
        registry.find(sku).map(|slot| self.handle(registry, slot))
    }

    /// The item of this number.
    #[must_use]
    pub fn item(&self, no: ItemNo) -> Option<ItemHandle> {
        let registry = self.inner.partitions.get(usize::from(no.partition().0))?;
        registry.slot(no).map(|slot| self.handle(registry, slot))
    }

    /// Items in the order of their names, after `after`, at most `limit`.
    #[must_use]
    pub fn items(&self, after: Option<&Sku>, limit: usize) -> Vec<ItemHandle> {
        let mut found: Vec<ItemHandle> = self
            .inner
            .partitions
            .iter()
            .flat_map(|registry| registry.slots_after(after, limit).into_iter().map(|slot| self.handle(registry, slot)))
            .collect();
        found.sort_by(|left, right| left.slot.sku.cmp(&right.slot.sku));
        found.truncate(limit);
        found
    }

    /// Creates an item. It is judged like a command: `ItemExists`, or the first answer again under the same key.
    ///
    /// # Errors
    /// [`SubmitError`]: no judgement.
    pub async fn create_item(&self, spec: ItemSpec, attempt: Option<&Attempt>) -> Reply {
        if self.is_draining() {
            return Err(SubmitError::Draining);
        }
        match self.registry_of(&spec.sku) {
            Some(registry) => register::create(registry, spec, attempt.cloned()).await,
            None => Err(SubmitError::NotOwner),
        }
    }

    /// A customer's reservations over all items. Reflects everything that was durable when it was asked.
    ///
    /// # Errors
    /// [`SubmitError::OutcomeUnknown`] if the log failed meanwhile.
    pub async fn reservations_of(
        &self,
        customer: &CustomerId,
        after: Option<ReservationId>,
        limit: usize,
    ) -> Result<CustomerPage, SubmitError> {
        let after = after.map(|id| Place { item: id.item(), ordinal: id.ordinal() });
        let mut page = Vec::new();
        let mut more = false;
        for registry in self.inner.partitions.iter() {
            registry.projected().await?;
            let (mut found, mut next) = (Page::new(after, limit), registry.projection().last_of(customer));
            while let Some(no) = next {
                next = registry.projection().walk(no, &mut found);
            }
            let (places, rest) = found.finish();
            page.extend(places);
            more |= rest;
        }
        page.sort_unstable();
        more |= page.len() > limit;
        page.truncate(limit);
        let ids: Vec<ReservationId> = page.into_iter().filter_map(|place| self.id_at(place)).collect();
        let next = ids.last().copied().filter(|_| more);
        Ok(CustomerPage { ids, next })
    }

    fn id_at(&self, place: Place) -> Option<ReservationId> {
        let handle = self.item(place.item)?;
        Some(ReservationId::new(place.item, place.ordinal, &handle.slot.key))
    }

    /// Items with refunds or disputes, in the order of their numbers, from `from` on: where operators have to look.
    #[must_use]
    pub fn items_with_refunds(&self, from: ItemNo) -> Vec<ItemHandle> {
        let partitions = self.inner.partitions.iter();
        let numbers = partitions.flat_map(|registry| registry.projection().money_from(from));
        numbers.filter_map(|no| self.item(no)).collect()
    }

    /// The item that gave out the id of this refund, if one did.
    #[must_use]
    pub fn item_of_refund(&self, id: RefundId) -> Option<ItemHandle> {
        self.item(id.stream()).filter(|item| id.is_genuine(&item.slot.key))
    }

    /// A reader of a partition's log, for audits and tools. It reads what is durable while the engine runs.
    #[must_use]
    pub fn log_reader(&self, partition: PartitionNo) -> Option<Arc<dyn LogReader>> {
        self.inner.partitions.get(usize::from(partition.0)).map(|registry| Arc::clone(&registry.reader))
    }

    /// Why nothing is acknowledged any more, if that is so.
    #[must_use]
    pub fn failed(&self) -> Option<String> {
        self.inner.failure.borrow().clone()
    }

    /// How it is, in every detail: looks at every item.
    #[must_use]
    pub fn status(&self) -> EngineStatus {
        let partitions = &self.inner.partitions;
        EngineStatus {
            draining: self.is_draining(),
            items: partitions.iter().map(|registry| registry.len()).sum(),
            items_awake: partitions.iter().map(|registry| registry.awake.load(Ordering::Relaxed)).sum(),
            items_stopped: self.stopped(),
            clock_offset_ms: self.inner.clock.offset_ms(),
            follow_ups_open: partitions.iter().map(|registry| registry.open_follow_ups.load(Ordering::Relaxed)).sum(),
            bundles_following: partitions.first().map_or(0, |registry| registry.bundles.following_count()),
            partitions_stopped: partitions
                .iter()
                .filter_map(|registry| Some((registry.no, registry.partition.stopped()?)))
                .collect(),
            partitions: partitions.iter().map(|registry| (registry.no, registry.durable().0)).collect(),
            failed: self.failed(),
        }
    }

    fn stopped(&self) -> Vec<(Sku, String)> {
        let why = |handle: &ItemHandle| match &*handle.slot.seat() {
            Seat::Stopped(why) => Some(why.clone()),
            Seat::Asleep(_) | Seat::Awake(_) | Seat::Rebuilding => None,
        };
        let handles = self.items(None, usize::MAX).into_iter();
        handles.filter_map(|handle| why(&handle).map(|why| (handle.slot.sku.clone(), why))).collect()
    }

    /// Tells when the log has failed and why. From then on nothing is acknowledged, and the process should end.
    #[must_use]
    pub fn failure(&self) -> watch::Receiver<Option<String>> {
        self.inner.failure.subscribe()
    }

    /// Takes nothing new from here on.
    pub fn drain(&self) {
        self.inner.draining.store(true, Ordering::Relaxed);
    }

    /// Lets go of everything at once, as a crash would: for tests.
    #[cfg(test)]
    pub(crate) fn abandon(&self) {
        self.inner.keepers.lock().unwrap_or_else(std::sync::PoisonError::into_inner).abort_all();
    }

    /// Ends the engine cleanly: everything handed over is committed, every log is closed with its anchor last.
    /// Call it after [`Engine::drain`], when every caller has its answer.
    pub async fn close(&self) {
        self.drain();
        for registry in self.inner.partitions.iter() {
            let (done, closed) = oneshot::channel();
            if registry.committer.send(ToCommitter::Close(done)).await.is_ok() {
                // An error here means that the committer has stopped already.
                let _already = closed.await;
            }
        }
        // Answers of what was committed last may still be on their way.
        self.inner.completers.lock().await.join_all().await;
        let mut keepers = self.inner.keepers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        keepers.abort_all();
        drop(keepers);
        let mut data_dir = self.inner.data_dir.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *data_dir = None;
    }
}
