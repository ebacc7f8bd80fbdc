//! The contract of a claimed log, which every engine keeps (`conformance` states it as tests).
//!
//! A log is one sequence of records. Whoever wants to write claims it first; the claim's place is the writer's term,
//! and a later claim ends it. An append names the place it expects, so that a stale writer is refused by the log
//! itself. What the records mean is not this module's business, and neither is time.

use crate::ids::{ChainPoint, Epoch, LogId, RecordNo};
use crate::record::{Chain, ClaimantError, Record};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// A log that one writer at a time can claim. Exactly one thread owns it; readers are shared.
pub trait EventLog: Send + fmt::Debug {
    /// Which log.
    fn log_id(&self) -> LogId;

    /// Opens a new term: appends a claim record behind the last one and returns once that is durable. Every earlier
    /// term, also in this process, is over: its appends are answered [`Appended::Fenced`].
    ///
    /// # Errors
    /// [`LogError::NotRecovered`] before the log was recovered; otherwise the log is unusable.
    fn claim(&mut self, claimant: &str) -> Result<Claim, LogError>;

    /// Appends one group at the place its writer expects, and returns only when its fate is known or certainly
    /// unknown. All of a group becomes durable, or (to readers that check) nothing.
    ///
    /// The same bytes sent again to the same place are answered [`Appended::Durable`] once they are durable, and
    /// stand in the log once. Other bytes at a place that is taken, a place that is not the next, and a term that is
    /// over are [`Appended::Fenced`] and change nothing.
    fn append(&mut self, expected: RecordNo, group: &[Record]) -> Appended;

    /// The last durable record; 0 in an empty log.
    fn tail(&self) -> RecordNo;

    /// Reads this log from any thread, also while it is written.
    fn reader(&self) -> Arc<dyn LogReader>;

    /// Whether the current generation has reached the size at which it should be closed.
    fn rotation_due(&self) -> bool {
        false
    }

    /// Closes the current generation and goes on in a new one. The sequence of records goes on; nothing is lost.
    ///
    /// # Errors
    /// The log is unusable.
    fn rotate(&mut self) -> Result<(), LogError>;

    /// Drops generations that hold only records before `before`, and returns the first record that is left. The
    /// generation with the last record always stays.
    ///
    /// # Errors
    /// Files could not be removed. Nothing that was asked to stay is gone.
    fn retire(&mut self, before: RecordNo) -> Result<RecordNo, LogError>;

    /// A clean stop. Dropping a log without closing it is an unclean one: the next start recovers.
    ///
    /// # Errors
    /// What was acknowledged is durable all the same; the next start recovers as after a crash.
    fn close(self: Box<Self>) -> Result<(), LogError>;
}

/// A log whose bytes lie with this process: it can have a torn tail, and is recovered before it is claimed.
pub trait LocalLog: EventLog + Sync {
    /// The last durable point that the log is known to have reached. What is missing up to it is damage.
    fn anchor(&self) -> ChainPoint;

    /// Where a record lies or would lie, for people.
    fn place_of(&self, record: RecordNo) -> Place;

    /// Removes `from` and everything behind it, durably. May be repeated after a crash in the middle.
    ///
    /// # Errors
    /// [`LogError::CutBehindAnchor`] for a record at or before the anchor, which is never cut; otherwise the log is
    /// unusable.
    fn cut(&mut self, from: RecordNo) -> Result<(), LogError>;

    /// Recovery has checked the chain up to `tail`, which is its end: what was kept aside for the case that it fails
    /// can go, and the log can be claimed.
    ///
    /// # Errors
    /// The log is unusable.
    fn settle(&mut self, tail: ChainPoint) -> Result<(), LogError>;

    /// Writes the anchor now.
    ///
    /// # Errors
    /// The file could not be written.
    fn write_anchor(&mut self) -> Result<(), LogError>;
}

/// A claimed log's new term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The term.
    pub epoch: Epoch,
    /// Frames the records of this term.
    pub chain: Chain,
}

/// The fate of an append.
#[derive(Debug)]
pub enum Appended {
    /// On disk, synced; it survives a crash.
    Durable,
    /// Refused: another writer owns the log, or the place is not the next. This append changed nothing; whether an
    /// earlier one of the same bytes, answered [`Appended::Unknown`], did can be read back.
    Fenced,
    /// Not known. Send the very same bytes again to the very same place until it is.
    Unknown,
    /// The log failed. Nothing may be acknowledged any more; restart and recover. Every later append fails too.
    Failed(LogError),
}

/// Reads a log. Sees only what is durable.
pub trait LogReader: Send + Sync + fmt::Debug {
    /// Which log.
    fn log_id(&self) -> LogId;

    /// The first record that is still there; 1 in an empty log.
    fn first(&self) -> RecordNo;

    /// The last durable record; 0 in an empty log.
    fn tail(&self) -> RecordNo;

    /// Records from `from` on, in order, up to the tail as it is when it is reached. A record may be any bytes; a
    /// [`crate::record::Verifier`] tells whether it is right. An error ends the iteration.
    fn read_from(&self, from: RecordNo) -> Records;
}

/// Records with their places.
pub type Records = Box<dyn Iterator<Item = Result<(RecordNo, Vec<u8>), ReadError>> + Send>;

/// Where a record lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The generation, if the log has such.
    pub generation: u32,
    /// The file, if the log has such.
    pub path: PathBuf,
    /// How far into the file, where that is known.
    pub offset: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "generation {}, {}", self.generation, self.path.display())?;
        self.offset.map_or(Ok(()), |offset| write!(f, ", byte {offset}"))
    }
}

/// Why a log cannot be used. After any but [`LogError::NotRecovered`], [`LogError::Claimant`],
/// [`LogError::CutBehindAnchor`] and [`LogError::Record`] nothing more can be appended: restart and recover.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The operating system refused. Look at the disk, then start again.
    #[error("could not {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The storage engine refused. Look at the disk, then start again.
    #[error("the storage engine could not {action} {}: {message}", path.display())]
    Engine {
        /// What was tried.
        action: &'static str,
        /// On which directory.
        path: PathBuf,
        /// What it said.
        message: String,
    },
    /// An earlier write or sync failed, so nobody knows what the disk holds. Start again: recovery will tell.
    #[error("the log failed before ({first}) and takes nothing more until it was recovered")]
    Poisoned {
        /// The failure.
        first: String,
    },
    /// The disk is full. Make room, then start again.
    #[error("the disk is full")]
    DiskFull,
    /// The log was not recovered yet. Call `recover` first.
    #[error("the log must be recovered before it is claimed")]
    NotRecovered,
    /// What claims the log cannot be written down.
    #[error(transparent)]
    Claimant(#[from] ClaimantError),
    /// A cut that would remove what was acknowledged. Never done.
    #[error("record {from} is not cut away: the log is known to have reached record {anchor}")]
    CutBehindAnchor {
        /// From where.
        from: RecordNo,
        /// What is known to have been durable.
        anchor: RecordNo,
    },
    /// The last record cannot be read, so nothing can follow it.
    #[error("the last record, {record}, cannot be continued: {error}")]
    Record {
        /// Which.
        record: RecordNo,
        /// What is wrong.
        error: crate::record::RecordError,
    },
    /// The records do not follow the log's last one: a bug in the writer. Nothing was written.
    #[error("the records given for place {expected} do not follow the log")]
    NotTheNext {
        /// The place.
        expected: RecordNo,
    },
    /// Spilled files, which are never synced, appeared: the log cannot be trusted. Report this as a bug.
    #[error("{} is not empty: sled moved records where it does not sync them", path.display())]
    Spilled {
        /// The directory that must stay empty.
        path: PathBuf,
    },
    /// The log cannot be opened. The words say what to do.
    #[error("{instructions}")]
    Unopenable {
        /// What happened and what to do.
        instructions: String,
    },
    /// A record could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl LogError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

/// Why a record could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It was retired; start from a snapshot or at `first`.
    #[error("record {asked} was retired; the log begins at {first}")]
    Retired {
        /// What was asked for.
        asked: RecordNo,
        /// What there is.
        first: RecordNo,
    },
    /// It should be there and is not.
    #[error("record {record} is missing ({place})")]
    Missing {
        /// Which.
        record: RecordNo,
        /// Where it should be.
        place: Place,
    },
    /// The disk or the storage engine could not give it.
    #[error("record {record} could not be read ({place}): {message}")]
    Failed {
        /// Which.
        record: RecordNo,
        /// Where it should be.
        place: Place,
        /// What was said.
        message: String,
    },
    /// The log was closed meanwhile.
    #[error("the log is closed")]
    Closed,
}
