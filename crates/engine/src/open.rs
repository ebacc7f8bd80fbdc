//! Opening an engine: recover every partition's log, start the clock behind it, seat the items, claim the logs.

use crate::bundles::{self, Bundles};
use crate::clock::{Clock, WallClock, system_wall_clock};
use crate::commit::{self, CommitOn};
use crate::endpoints;
use crate::fold::{Folded, FoldedItem};
use crate::followups::{EndpointBook, Feed, FollowUpStore, Follower, Outside};
use crate::handle::{Engine, Inner};
use crate::keepers::Keepers;
use crate::partition::PartitionWriter;
use crate::projection::Projection;
use crate::registry::{Registry, RegistryParts};
use crate::shell::Resume;
use crate::slot::Slot;
use crate::snapshots::{self, Snapshotter};
use domain::identity::ItemKey;
use domain::ids::PartitionNo;
use domain::text::Sku;
use domain::time::DurationMs;
use eventlog::ahead::{Ahead, Pieces, read_ahead};
use eventlog::disk_log::OnStall;
use eventlog::limits::GENERATION_RECORD_BYTES;
use eventlog::{
    ChainPoint, Cut, DataDir, DataDirError, DecodedEvent, DiskLog, DiskOptions, EventLog, LocalLog, LogError,
    PartitionCount, RecordNo, RecoverError, SnapshotStore, StorageEngine, scan,
};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// The fixed timeouts of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// A request not judged within this is dropped: nothing happened (503).
    pub judge_within: Duration,
    /// A caller waits no longer than this: after it the outcome is unknown (504). Longer than `judge_within`, so that
    /// a caller who was dropped is told so.
    pub answer_within: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { judge_within: Duration::from_secs(2), answer_within: Duration::from_secs(5) }
    }
}

/// How an engine runs.
#[derive(Clone)]
pub struct EngineConfig {
    /// How many partitions a new data directory gets. An old one keeps its own.
    pub partitions: PartitionCount,
    /// What new generations of the log are made with. One that is there stays in what it was made with.
    pub log_engine: StorageEngine,
    /// Bytes of records after which a generation of the log is closed and folded into a snapshot.
    pub generation_record_bytes: u64,
    /// The fixed timeouts.
    pub timeouts: Timeouts,
    /// No hold ends within this after a restart.
    pub restart_grace: DurationMs,
    /// Who claims the log: the program and its version.
    pub claimant: String,
    /// Called when a commit hangs; nothing but ending the process helps then.
    pub on_stall: OnStall,
    /// The wall clock.
    pub wall_clock: WallClock,
    /// Whom follow-ups reach.
    pub outside: Outside,
    /// Where committers run.
    pub commit_on: CommitOn,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            partitions: PartitionCount::ONE,
            log_engine: StorageEngine::default(),
            generation_record_bytes: GENERATION_RECORD_BYTES,
            timeouts: Timeouts::default(),
            restart_grace: DurationMs::from_secs(30),
            claimant: concat!("holdfast ", env!("CARGO_PKG_VERSION")).to_owned(),
            on_stall: Arc::new(|words| tracing::error!("{words}")),
            wall_clock: system_wall_clock(),
            outside: Outside::default(),
            commit_on: CommitOn::default(),
        }
    }
}

/// What opening found.
#[derive(Clone, Debug)]
pub struct OpenReport {
    /// Partition by partition.
    pub partitions: Vec<PartitionReport>,
}

/// What opening found in one partition.
#[derive(Clone, Debug)]
pub struct PartitionReport {
    /// Which.
    pub no: PartitionNo,
    /// The snapshot it began from, if there was one.
    pub snapshot: Option<RecordNo>,
    /// Records read behind the snapshot.
    pub records: u64,
    /// Events applied from them.
    pub events: u64,
    /// Items found.
    pub items: usize,
    /// Items whose events break an invariant: they stay stopped.
    pub broken: Vec<(Sku, String)>,
    /// Why its own stream stays stopped, if its events break an invariant: no new items there, and no bundles.
    pub stopped: Option<String>,
    /// A torn tail that was cut.
    pub cut: Option<Cut>,
}

/// Why an engine cannot be opened. The words say what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// A log cannot be opened or claimed.
    #[error("partition {}: {error}", partition.0)]
    Log {
        /// Of which partition.
        partition: PartitionNo,
        /// Why.
        error: LogError,
    },
    /// A log cannot be recovered.
    #[error("partition {}: {error}", partition.0)]
    Recover {
        /// Of which partition.
        partition: PartitionNo,
        /// Why.
        error: RecoverError,
    },
    /// The system gave no random bytes: ids could be guessed.
    #[error("no random bytes from the system")]
    NoRandomness,
    /// The system gave no thread.
    #[error("the system gave no thread: {0}")]
    Thread(#[from] std::io::Error),
}

impl OpenError {
    /// Whether the log is damaged, as against unreachable or in use.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        match self {
            Self::Recover { error, .. } => !matches!(error, RecoverError::Log(_)),
            Self::Log { error, .. } => matches!(error, LogError::Unopenable { .. } | LogError::Spilled { .. }),
            Self::DataDir(_) | Self::NoRandomness | Self::Thread(_) => false,
        }
    }
}

/// A log about to be recovered.
#[derive(Debug)]
pub struct Unrecovered {
    /// Whose.
    pub partition: PartitionNo,
    /// It.
    pub log: Box<dyn LocalLog>,
    /// Its snapshots, if it keeps any.
    pub snapshots: Option<SnapshotStore>,
    /// Where its follower keeps what is still to be done.
    pub follow_ups: FollowUpStore,
}

impl Engine {
    /// Opens the engine of a data directory, or creates it. Call it inside a Tokio runtime.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was changed that a later try would miss.
    pub fn open(path: &Path, config: &EngineConfig) -> Result<(Self, OpenReport), OpenError> {
        let data_dir = DataDir::open(path, config.partitions)?;
        let mut logs = Vec::new();
        for place in data_dir.partitions() {
            let on_stall = Arc::clone(&config.on_stall);
            let generation_record_bytes = config.generation_record_bytes;
            let engine = config.log_engine;
            let options = DiskOptions { engine, generation_record_bytes, on_stall, ..DiskOptions::default() };
            let log = DiskLog::open(&place.path, place.log_id, options)
                .map_err(|error| OpenError::Log { partition: place.no, error })?;
            let snapshots = Some(log.snapshots());
            let follow_ups = FollowUpStore::File(place.path.join("follow-ups.json"));
            logs.push(Unrecovered { partition: place.no, log: Box::new(log), snapshots, follow_ups });
        }
        Self::open_logs(logs, config, Some(data_dir))
    }

    /// Opens an engine on logs given: tests bring logs in memory.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_logs(
        logs: Vec<Unrecovered>,
        config: &EngineConfig,
        data_dir: Option<DataDir>,
    ) -> Result<(Self, OpenReport), OpenError> {
        let mut recovered = Vec::new();
        for log in logs {
            recovered.push(recover_one(log)?);
        }
        let last = recovered.iter().map(|partition| partition.folded.last).max().unwrap_or_default();
        let clock = Clock::start(Arc::clone(&config.wall_clock), last);
        let resume = Resume { at: clock.now(), grace: config.restart_grace };
        let report = OpenReport { partitions: recovered.iter().map(|partition| partition.report.clone()).collect() };
        let failure = watch::Sender::new(None);
        let endpoints = Arc::new(EndpointBook::default());
        if let Some(home) = recovered.iter().find(|partition| partition.folded.partition.no() == endpoints::HOME) {
            endpoints.set(home.folded.partition.endpoints().clone());
        }
        let (off, named_off) = mpsc::channel(crate::limits::OFF_QUEUE);
        endpoints.name_off_to(off);
        let bundles = Arc::new(Bundles::recovered(recovered.iter().map(|partition| &partition.folded)));
        let epoch = Instant::now();
        let start = Start {
            endpoints: Arc::clone(&endpoints),
            bundles: Arc::clone(&bundles),
            clock: &clock,
            epoch,
            resume,
            config,
            failure: &failure,
        };
        let (mut keepers, mut completers) = (Keepers::new(&failure), Keepers::new(&failure));
        let mut partitions = Vec::new();
        for partition in recovered {
            partitions.push(start.partition(partition, &mut keepers, &mut completers)?);
        }
        keepers.spawn("who disciplines the clock", discipline(clock.clone()));
        let partitions: Arc<[_]> = partitions.into();
        keepers.spawn("who tells parts of bundles", bundles::sweep(bundles, Arc::clone(&partitions)));
        let inner = Inner {
            partitions,
            clock,
            draining: AtomicBool::new(false),
            endpoints,
            stories: Arc::new(tokio::sync::Semaphore::new(crate::stories::READERS_MAX)),
            failure,
            keepers: Mutex::new(keepers),
            completers: tokio::sync::Mutex::new(completers),
            data_dir: Mutex::new(data_dir),
        };
        let inner = Arc::new(inner);
        // Not with a handle of its own: an engine that is let go of ends.
        let off = endpoints::turn_off(Arc::downgrade(&inner), named_off);
        let mut keepers = inner.keepers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        keepers.spawn("who turns off endpoints", off);
        drop(keepers);
        Ok((Self { inner }, report))
    }
}

async fn discipline(clock: Clock) {
    let mut every = tokio::time::interval(crate::limits::CLOCK_CHECK_EVERY);
    loop {
        every.tick().await;
        clock.discipline();
    }
}

/// A partition read back, not yet at work.
struct RecoveredPartition {
    folded: Folded,
    tail: ChainPoint,
    log: Box<dyn LocalLog>,
    snapshots: Option<SnapshotStore>,
    follow_ups: FollowUpStore,
    report: PartitionReport,
}

fn recover_one(unrecovered: Unrecovered) -> Result<RecoveredPartition, OpenError> {
    let Unrecovered { partition, mut log, snapshots, follow_ups } = unrecovered;
    let (from, mut folded) = match snapshots.as_ref().and_then(snapshots::newest) {
        Some((point, folded)) => (point, folded),
        None => (ChainPoint::START, Folded::new(partition)),
    };
    let reading = |ahead: &mut Ahead<DecodedEvent>| scan(log.as_ref(), from, &mut |event| ahead.put(event));
    let folding = |events: &mut Pieces<DecodedEvent>| events.for_each(|event| folded.apply(event.item, &event.event));
    let (scanned, ()) = read_ahead(reading, folding)?;
    // The log is left as it is until all of it is folded.
    let recovered = scanned.and_then(|scanned| scanned.settle(log.as_mut()));
    let recovered = recovered.map_err(|error| OpenError::Recover { partition, error })?;
    folded.recount();
    if let Some(why) = &folded.stopped {
        tracing::error!(
            partition = partition.0,
            why,
            "the partition's own stream stays stopped: no new items, no bundles"
        );
    }
    let report = PartitionReport {
        no: partition,
        snapshot: (from != ChainPoint::START).then_some(from.record),
        records: recovered.records,
        events: recovered.events,
        items: folded.items.len(),
        broken: folded.broken(),
        stopped: folded.stopped.clone(),
        cut: recovered.cut,
    };
    Ok(RecoveredPartition { folded, tail: recovered.tail, log, snapshots, follow_ups, report })
}

/// A secret that nobody knows.
fn secret() -> Result<ItemKey, OpenError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|_| OpenError::NoRandomness)?;
    Ok(ItemKey::from_bytes(secret))
}

/// What all partitions start with.
struct Start<'a> {
    clock: &'a Clock,
    epoch: Instant,
    resume: Resume,
    config: &'a EngineConfig,
    endpoints: Arc<EndpointBook>,
    bundles: Arc<Bundles>,
    failure: &'a watch::Sender<Option<String>>,
}

impl Start<'_> {
    fn partition(
        &self,
        recovered: RecoveredPartition,
        keepers: &mut Keepers,
        completers: &mut Keepers,
    ) -> Result<Arc<Registry>, OpenError> {
        let no = recovered.report.no;
        let mut log = recovered.log;
        let claim = log.claim(&self.config.claimant).map_err(|error| OpenError::Log { partition: no, error })?;
        debug_assert!(claim.chain.point().record > recovered.tail.record);
        let (reader, log): (_, Box<dyn EventLog>) = (log.reader(), log);
        let durable = claim.chain.point().record;
        let snapshotter = Snapshotter::start(no, Arc::clone(&reader), recovered.snapshots.clone())?;
        let name = format!("committer-{}", no.0);
        let (committer, committed) =
            commit::spawn(self.config.commit_on, name, log, claim.chain, snapshotter.after_commit())?;
        let (feed, fed) = Feed::new(durable);
        let (redeliveries, to_redeliver) = mpsc::channel(crate::limits::REDELIVERY_QUEUE);
        let Folded { partition, stopped, items, .. } = recovered.folded;
        let (slots, projection) = self.seat(items.into_values());
        let registry = Arc::new(Registry::new(RegistryParts {
            no,
            partition: PartitionWriter::new(partition, stopped, self.resume, secret()?),
            bundles: Arc::clone(&self.bundles),
            slots,
            projection,
            durable,
            clock: self.clock.clone(),
            epoch: self.epoch,
            timeouts: self.config.timeouts,
            reader,
            snapshots: recovered.snapshots,
            committer,
            failure: self.failure.clone(),
            feed,
            endpoints: Arc::clone(&self.endpoints),
            redeliveries,
        }));
        completers.spawn("who completes commits", Arc::clone(&registry).complete(committed));
        keepers.spawn("the keeper of the items' time", Arc::clone(&registry).keep_time());
        keepers.spawn("the keeper of the partition's time", Arc::clone(&registry).keep_partition_time());
        let outside = self.config.outside.clone();
        let following = Follower::run(Arc::clone(&registry), outside, recovered.follow_ups, fed, to_redeliver);
        keepers.spawn("the follower", following);
        Ok(registry)
    }

    fn seat(&self, items: impl Iterator<Item = FoldedItem>) -> (Vec<Slot>, Projection) {
        let (mut slots, mut projection) = (Vec::new(), Projection::default());
        for item in items {
            match item {
                FoldedItem::Whole(item) => {
                    projection.add_item(&item);
                    slots.push(Slot::resuming(*item, self.resume));
                }
                FoldedItem::Broken { item: Some(item), why } => slots.push(Slot::stopped(*item, why)),
                FoldedItem::Broken { item: None, why } => tracing::error!(why, "an item without a beginning"),
            }
        }
        (slots, projection)
    }
}
