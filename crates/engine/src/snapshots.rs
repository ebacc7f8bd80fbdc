//! Snapshots: sealed history folded off the hot path, so that a restart reads a snapshot and a tail.
//!
//! When a generation of the log is full, the committer closes it between two commits and goes on in the next. A thread
//! of its own then folds the snapshot before and the closed generation into a new snapshot. Nothing waits for it.

use crate::commit::AfterCommit;
use crate::fold::{Folded, FoldedItem, words};
use domain::ids::PartitionNo;
use domain::item::{InvariantBroken, Item, ItemBuilder, ItemPiece};
use domain::partition::{Partition, PartitionParts};
use eventlog::ahead::{Ahead, Pieces, read_ahead};
use eventlog::background::Unhurried;
use eventlog::{ChainPoint, EventLog, LogReader, Section, Snapshot, SnapshotStore};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Instant;

/// Folds what is sealed, on its own thread.
pub(crate) struct Snapshotter {
    sealed: mpsc::Sender<ChainPoint>,
}

impl Snapshotter {
    pub(crate) fn start(
        no: PartitionNo,
        reader: Arc<dyn LogReader>,
        store: Option<SnapshotStore>,
    ) -> std::io::Result<Self> {
        let (sealed, points) = mpsc::channel();
        if let Some(store) = store {
            let name = format!("snapshots-{}", no.0);
            std::thread::Builder::new().name(name).spawn(move || {
                eventlog::background::give_way();
                while let Ok(point) = points.recv() {
                    // Of generations that were closed while a snapshot was made, the next one covers all.
                    let point = points.try_iter().last().unwrap_or(point);
                    let making = || make(no, reader.as_ref(), &store, point);
                    let made = catch_unwind(AssertUnwindSafe(making));
                    if let Err(why) = made.unwrap_or_else(|panic| Err(words(panic.as_ref()))) {
                        tracing::error!(why, record = point.record.0, "no snapshot was made; a restart reads more log");
                    }
                }
            })?;
        }
        Ok(Self { sealed })
    }

    /// What the committer does after a commit: close a full generation, and tell how far history is sealed.
    pub(crate) fn after_commit(self) -> AfterCommit {
        Box::new(move |log: &mut dyn EventLog, point: ChainPoint| {
            if !log.rotation_due() {
                return;
            }
            let began = Instant::now();
            match log.rotate() {
                Ok(()) => {
                    let took_ms = began.elapsed().as_millis();
                    tracing::info!(record = point.record.0, took_ms, "the log goes on in a new generation");
                    let _nobody_makes_any = self.sealed.send(point);
                }
                // The log refuses everything from here on, so the next commit fails and says so.
                Err(error) => tracing::error!(%error, "the log's generation could not be closed"),
            }
        })
    }
}

/// Folds up to `point` and stores the result.
fn make(no: PartitionNo, reader: &dyn LogReader, store: &SnapshotStore, point: ChainPoint) -> Result<(), String> {
    let began = Instant::now();
    let (from, mut folded) = newest(&store.unhurried()).unwrap_or_else(|| (ChainPoint::START, Folded::new(no)));
    let (loaded, mut pace) = (began.elapsed(), Unhurried::begin());
    for event in eventlog::events::decoded_events(reader, from.record.next()) {
        let event = event.map_err(|error| error.to_string())?;
        if event.number > point.event {
            break;
        }
        folded.apply(event.item, &event.event);
        pace.breathe();
    }
    let folded_after = began.elapsed();
    folded.recount();
    if let Some((sku, why)) = folded.broken().first() {
        // A broken item has no snapshot, so then there is none at all: an operator needs to look at the log itself.
        return Err(format!("item {sku} is broken: {why}"));
    }
    if let Some(why) = &folded.stopped {
        return Err(format!("the partition's own stream is broken: {why}"));
    }
    store.write(point, sections(&folded)).map_err(|error| error.to_string())?;
    let (load_ms, fold_ms) = (loaded.as_millis(), folded_after.saturating_sub(loaded).as_millis());
    let write_ms = began.elapsed().saturating_sub(folded_after).as_millis();
    tracing::info!(record = point.record.0, events = point.event.0, load_ms, fold_ms, write_ms, "a snapshot was made");
    Ok(())
}

/// The newest snapshot that can be read and adds up, folded out.
pub(crate) fn newest(store: &SnapshotStore) -> Option<(ChainPoint, Folded)> {
    let newest = store.newest(|snapshot| (snapshot.point, unfold(snapshot))).map_err(|error| error.to_string());
    let read = newest.and_then(|newest| match newest.read {
        Some((point, unfolded)) => unfolded.map(|folded| Some((point, folded))),
        None => Ok(None),
    });
    read.unwrap_or_else(|why| {
        tracing::warn!(why, "the newest snapshot is not used; the log is folded from its start instead");
        None
    })
}

/// A section of a snapshot.
#[derive(Debug)]
pub enum StateSection<'f> {
    /// The partition's own.
    Partition(&'f Partition),
    /// An item's.
    Item(&'f Item),
}

impl Section for StateSection<'_> {
    fn write_to(&self, to: &mut dyn Write) -> std::io::Result<()> {
        match self {
            Self::Partition(partition) => to.write_all(&eventlog::encode_partition(&partition.to_parts())),
            Self::Item(item) => eventlog::write_item(&item.parts(), to),
        }
    }
}

/// What a snapshot of this state holds: the partition first, then its items in the order of their numbers.
pub fn sections(folded: &Folded) -> impl Iterator<Item = StateSection<'_>> {
    let items = folded.items.values().filter_map(|item| match item {
        FoldedItem::Whole(item) => Some(StateSection::Item(item)),
        FoldedItem::Broken { .. } => None,
    });
    std::iter::once(StateSection::Partition(&folded.partition)).chain(items)
}

/// The state that a snapshot holds.
///
/// # Errors
/// In words, what cannot be read or contradicts itself.
pub fn unfold(snapshot: &Snapshot) -> Result<Folded, String> {
    let mut unfolding = Unfolding::default();
    let reading = |ahead: &mut Ahead<Fact>| read(snapshot, &mut |fact| ahead.put(fact));
    let using = |facts: &mut Pieces<Fact>| facts.for_each(|fact| unfolding.take(fact));
    let ahead = snapshot.reads_ahead().then(|| read_ahead(reading, using)).and_then(Result::ok);
    match ahead {
        Some((read, ())) => read?,
        // It can be done on one thread, and has to be where there is no other.
        None => read(snapshot, &mut |fact| unfolding.take(fact))?,
    }
    unfolding.finish()
}

/// What a snapshot holds, as it is read.
enum Fact {
    /// Of the partition, all: first.
    Partition(Box<PartitionParts>),
    /// Of an item.
    Item(ItemPiece),
}

fn read(snapshot: &Snapshot, out: &mut dyn FnMut(Fact)) -> Result<(), String> {
    let mut sections = snapshot.sections().map_err(|error| error.to_string())?;
    let partition = sections.next().ok_or("it is empty")?.map_err(|error| error.to_string())?;
    let parts = eventlog::decode_partition(&partition).map_err(|error| error.to_string())?;
    out(Fact::Partition(Box::new(parts)));
    while let Some(section) = sections.next_section().map_err(|error| error.to_string())? {
        eventlog::read_item(section, &mut |piece| out(Fact::Item(piece))).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// State that is put together from a snapshot.
#[derive(Default)]
struct Unfolding {
    folded: Option<Folded>,
    /// The item whose facts are coming.
    item: Option<ItemBuilder>,
    /// The first that contradicts itself. What comes after it is passed over.
    fault: Option<String>,
}

impl Unfolding {
    fn take(&mut self, fact: Fact) {
        if self.fault.is_none() {
            self.fault = self.add(fact).err().map(|broken| broken.to_string());
        }
    }

    fn add(&mut self, fact: Fact) -> Result<(), InvariantBroken> {
        match fact {
            Fact::Partition(parts) => {
                let partition = Partition::from_parts(*parts)?;
                let last = partition.now();
                self.folded = Some(Folded { last, partition, ..Folded::new(PartitionNo(0)) });
                Ok(())
            }
            Fact::Item(ItemPiece::Head(head)) => {
                self.end_item()?;
                self.item = Some(ItemBuilder::new(*head));
                Ok(())
            }
            Fact::Item(piece) => {
                let item = self.item.as_mut().expect("what is read of an item begins with its head");
                item.take(piece)
            }
        }
    }

    fn end_item(&mut self) -> Result<(), InvariantBroken> {
        if let (Some(builder), Some(folded)) = (self.item.take(), &mut self.folded) {
            let item = builder.finish()?;
            folded.last = folded.last.max(item.now());
            folded.items.insert(item.no(), FoldedItem::Whole(Box::new(item)));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Folded, String> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        self.end_item().map_err(|broken| broken.to_string())?;
        self.folded.ok_or_else(|| "it is empty".to_owned())
    }
}
