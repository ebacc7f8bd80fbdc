//! From the commit point to the follower: the few events that follow-ups come of. The hot path never waits for it;
//! what does not fit is left out, and the follower reads it from the log.
//!
//! Nobody has to tell the follower that something was left out. Each group names the place behind which it is the next
//! one, and the feed tells the place of the last one; so a group that is missing is noticed by the one after it, or,
//! when none comes, by a look at rest. Either end may drop a group at any moment, and the position still never passes
//! one that was not seen.

use domain::ids::ItemNo;
use eventlog::RecordNo;
use eventlog::StreamEvent;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// Committed groups on their way to the follower. A second's worth at a commit every millisecond; more is read from
/// the log instead. Few in tests, so that groups are left out there.
const FEED_QUEUE: usize = if cfg!(test) { 2 } else { 1_024 };

/// What one committed group holds for follow-ups.
#[derive(Debug)]
pub(crate) struct Fed {
    /// The last record of the group before it that held anything.
    pub(crate) after: RecordNo,
    /// The group's last record.
    pub(crate) upto: RecordNo,
    /// Events that something may follow from.
    pub(crate) events: Vec<(ItemNo, StreamEvent)>,
}

/// What both ends know besides the groups in the queue.
#[derive(Debug)]
struct Marks {
    /// The last record of the last group that held anything. Moves before that group is put in the queue.
    last: AtomicU64,
    /// The last record of the last group of all. Moves after that: what is not in the queue by then was taken out of
    /// it, or left out.
    fed: AtomicU64,
}

/// The end at the commit point. One task holds it, so groups come in order.
#[derive(Debug)]
pub(crate) struct Feed {
    queue: mpsc::Sender<Fed>,
    marks: Arc<Marks>,
}

impl Feed {
    /// Both ends, for a log that goes on behind `from`.
    pub(crate) fn new(from: RecordNo) -> (Self, Intake) {
        Self::with_room(from, FEED_QUEUE)
    }

    fn with_room(from: RecordNo, groups: usize) -> (Self, Intake) {
        let (sender, receiver) = mpsc::channel(groups);
        let marks = Arc::new(Marks { last: AtomicU64::new(from.0), fed: AtomicU64::new(from.0) });
        let intake = Intake { queue: receiver, marks: Arc::clone(&marks), is_behind: true };
        (Self { queue: sender, marks }, intake)
    }

    /// Passes a group on.
    pub(crate) fn push(&self, upto: RecordNo, events: Vec<(ItemNo, StreamEvent)>) {
        if !events.is_empty() {
            let after = self.announce(upto);
            self.offer(Fed { after, upto, events });
        }
        self.settle(upto);
    }

    fn announce(&self, upto: RecordNo) -> RecordNo {
        RecordNo(self.marks.last.swap(upto.0, Ordering::AcqRel))
    }

    fn offer(&self, group: Fed) {
        // One that does not fit is left out.
        let _full_or_closed = self.queue.try_send(group);
    }

    fn settle(&self, upto: RecordNo) {
        self.marks.fed.store(upto.0, Ordering::Release);
    }
}

/// The end at the follower, which says at every turn where its table stands: up to that record it has seen everything.
#[derive(Debug)]
pub(crate) struct Intake {
    queue: mpsc::Receiver<Fed>,
    marks: Arc<Marks>,
    is_behind: bool,
}

impl Intake {
    /// Whether something was left out, so that the log has to be read. At first, what was committed before this start.
    pub(crate) const fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// The next group in the queue. May be given up while it waits.
    pub(crate) async fn next(&mut self) -> Option<Fed> {
        self.queue.recv().await
    }

    /// Whether a group out of the queue is the next that `position` has not seen. One that it has is not, and one
    /// behind a group that was left out has to wait until the log was read up to there.
    pub(crate) fn is_next(&mut self, group: &Fed, position: RecordNo) -> bool {
        if group.upto <= position {
            return false;
        }
        self.is_behind |= position < group.after;
        !self.is_behind
    }

    /// How far the position may move when there is nothing in the queue.
    pub(crate) fn at_rest(&mut self, position: RecordNo) -> Option<RecordNo> {
        // In this order: every group up to `fed` has been in the queue, or will never be; so if the queue is empty
        // now, what of them was not seen is lost, and `last` is at or behind it.
        let fed = self.fed();
        if !self.queue.is_empty() {
            return None;
        }
        let last = RecordNo(self.marks.last.load(Ordering::Acquire));
        if position >= last {
            return Some(fed);
        }
        // A group that is only just being put in the queue is not lost.
        self.is_behind |= last <= fed;
        None
    }

    /// Up to where the log is to be read. `None`: the position has caught up, and groups come from the queue again.
    pub(crate) fn goal(&mut self, position: RecordNo) -> Option<RecordNo> {
        if position >= self.fed() {
            self.is_behind = false;
            return None;
        }
        // All of it is in the log, and newer groups shall find room.
        self.leave_out();
        Some(self.fed())
    }

    /// Drops what is in the queue: while nothing is taken out of it, it would only take memory.
    pub(crate) fn leave_out(&mut self) {
        while self.queue.try_recv().is_ok() {
            self.is_behind = true;
        }
    }

    fn fed(&self) -> RecordNo {
        RecordNo(self.marks.fed.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests;
