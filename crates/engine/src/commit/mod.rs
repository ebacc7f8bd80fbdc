//! The commit point: one OS thread per partition is the only writer of its log, shared by all the partition's actors.
//!
//! What is decided here is in `gather.rs`, pure; the thread only carries out its actions.

pub mod gather;

use crate::limits::{COMMITTER_QUEUE, GROUP_TURNS_MAX, RELEASE_QUEUE};
use crate::mailbox::Caller;
use crate::shell::{Handover, Reply};
use eventlog::{Chain, ChainPoint, EventLog, RecordNo};
use gather::{Action, Gather, StopReason};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// To a committer.
#[derive(Debug)]
pub(crate) enum ToCommitter {
    /// A turn's events and replies.
    Handover(Handover<Caller>),
    /// Close the log cleanly once everything before is committed, and say so.
    Close(oneshot::Sender<()>),
}

/// From a committer to the task that completes its work inside the runtime.
#[derive(Debug)]
pub(crate) enum Committed {
    /// Durable.
    Group {
        /// In the order of the log.
        group: Vec<Handover<Caller>>,
        /// The last durable record.
        upto: RecordNo,
    },
    /// Not durable, and answered so.
    Dismissed(Vec<(Caller, Reply)>),
    /// From here on nothing is acknowledged any more.
    Stopped(StopReason),
}

/// Something to do on the committer's thread after a commit, off the replies' way: rotation and its snapshot.
pub(crate) type AfterCommit = Box<dyn FnMut(&mut dyn EventLog, ChainPoint) + Send>;

/// Starts the committer's thread.
pub(crate) fn spawn(
    name: String,
    log: Box<dyn EventLog>,
    chain: Chain,
    after: AfterCommit,
) -> std::io::Result<(mpsc::Sender<ToCommitter>, mpsc::Receiver<Committed>)> {
    let (to_committer, inbox) = mpsc::channel(COMMITTER_QUEUE);
    let (outbox, committed) = mpsc::channel(RELEASE_QUEUE);
    let last_words = outbox.clone();
    let committer = Committer { log, gather: Gather::new(chain), inbox, outbox, after, close: None, stopped: false };
    std::thread::Builder::new().name(name).spawn(move || {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| committer.run())) {
            // A bug. Whoever waits hears nothing more from here, so the engine has to: the process must end.
            let reason = StopReason::Failed(format!("the committer panicked: {}", crate::fold::words(panic.as_ref())));
            let _nobody_listens = last_words.blocking_send(Committed::Stopped(reason));
        }
    })?;
    Ok((to_committer, committed))
}

struct Committer {
    log: Box<dyn EventLog>,
    gather: Gather<Caller>,
    inbox: mpsc::Receiver<ToCommitter>,
    outbox: mpsc::Sender<Committed>,
    after: AfterCommit,
    close: Option<oneshot::Sender<()>>,
    stopped: bool,
}

impl Committer {
    fn run(mut self) {
        let mut taken = Vec::with_capacity(GROUP_TURNS_MAX);
        while self.close.is_none() && self.inbox.blocking_recv_many(&mut taken, GROUP_TURNS_MAX) > 0 {
            for message in taken.drain(..) {
                match message {
                    ToCommitter::Handover(handover) => self.gather.submit(handover),
                    ToCommitter::Close(done) => self.close = Some(done),
                }
            }
            while let Some(action) = self.gather.next_action() {
                if !self.carry_out(action) {
                    return;
                }
            }
            if self.stopped {
                // From here on every sender finds the channel closed: nothing more gets in.
                self.inbox.close();
                self.refuse_the_rest();
                return;
            }
        }
        let Self { log, close, .. } = self;
        if let Err(error) = log.close() {
            tracing::error!(%error, "the log could not be closed cleanly; the next start will recover it");
        }
        if let Some(done) = close {
            let _nobody_waits = done.send(());
        }
    }

    /// Carries out one action. False when nothing more is to be done.
    fn carry_out(&mut self, action: Action<Caller>) -> bool {
        match action {
            Action::Append { expected, records } => {
                let outcome = self.log.append(expected, &records);
                self.gather.appended(outcome);
                true
            }
            Action::ReadBack { from, count } => {
                let found = self.read_back(from, count);
                self.gather.read_back(found.as_deref());
                true
            }
            Action::Release(group) => {
                let upto = self.log.tail();
                let delivered = self.outbox.blocking_send(Committed::Group { group, upto }).is_ok();
                (self.after)(self.log.as_mut(), self.gather.point());
                delivered
            }
            Action::Dismiss(replies) => self.outbox.blocking_send(Committed::Dismissed(replies)).is_ok(),
            Action::Stop(reason) => {
                self.stopped = true;
                self.outbox.blocking_send(Committed::Stopped(reason)).is_ok()
            }
        }
    }

    /// Whoever got into the queue before it closed is told that nobody knows.
    fn refuse_the_rest(&mut self) {
        while let Ok(message) = self.inbox.try_recv() {
            if let ToCommitter::Handover(handover) = message {
                let replies = handover
                    .replies
                    .into_iter()
                    .map(|(caller, _)| (caller, Err(crate::error::SubmitError::OutcomeUnknown)));
                let _nobody_listens = self.outbox.blocking_send(Committed::Dismissed(replies.collect()));
            }
        }
    }

    fn read_back(&self, from: RecordNo, count: usize) -> Option<Vec<Vec<u8>>> {
        let reader: Arc<dyn eventlog::LogReader> = self.log.reader();
        let records: Result<Vec<_>, _> =
            reader.read_from(from).take(count).map(|read| read.map(|(_, bytes)| bytes)).collect();
        records.ok()
    }
}
