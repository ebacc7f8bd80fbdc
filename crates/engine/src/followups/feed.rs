//! From the commit point to the follower: the few events that follow-ups come of. The hot path never waits for it;
//! what does not fit is left out, and the follower reads it from the log.

use domain::ids::ItemNo;
use eventlog::RecordNo;
use eventlog::StreamEvent;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::mpsc;

/// Committed groups on their way to the follower. A second's worth at a commit every millisecond; more is read from
/// the log instead.
const FEED_QUEUE: usize = 1_024;

/// What one committed group holds for follow-ups.
#[derive(Debug)]
pub(crate) struct Fed {
    /// The group's last record.
    pub(crate) upto: RecordNo,
    /// Events that something may follow from.
    pub(crate) events: Vec<(ItemNo, StreamEvent)>,
}

/// The end at the commit point.
#[derive(Debug)]
pub(crate) struct Feed {
    sender: mpsc::Sender<Fed>,
    missed: AtomicBool,
    fed: AtomicU64,
}

impl Feed {
    pub(crate) fn new(from: RecordNo) -> (Self, mpsc::Receiver<Fed>) {
        let (sender, receiver) = mpsc::channel(FEED_QUEUE);
        (Self { sender, missed: AtomicBool::new(false), fed: AtomicU64::new(from.0) }, receiver)
    }

    /// Passes a group on.
    pub(crate) fn push(&self, upto: RecordNo, events: Vec<(ItemNo, StreamEvent)>) {
        if !events.is_empty() && self.sender.try_send(Fed { upto, events }).is_err() {
            self.missed.store(true, Ordering::Release);
        }
        // Last: whoever sees this sees the group in the queue, or the mark that it is not there.
        self.fed.store(upto.0, Ordering::Release);
    }

    /// Up to which record everything was passed on, or marked as missed.
    pub(crate) fn fed(&self) -> RecordNo {
        RecordNo(self.fed.load(Ordering::Acquire))
    }

    /// Whether something was left out since this was asked last.
    pub(crate) fn take_missed(&self) -> bool {
        self.missed.swap(false, Ordering::AcqRel)
    }
}
