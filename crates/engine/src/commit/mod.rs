//! The commit point: one OS thread per partition is the only writer of its log, shared by all the partition's actors.
//!
//! What is decided here is in `gather.rs`, pure; the thread only carries out its actions. Under a simulated clock the
//! same runs as a task, because a thread would work outside of that clock's time.

pub mod gather;
mod intake;
pub(crate) mod receipts;

use crate::limits::{COMMITTER_QUEUE, RELEASE_QUEUE};
use crate::mailbox::Caller;
use crate::shell::{Handover, Reply};
use eventlog::{Chain, ChainPoint, EventLog, RecordNo};
use gather::{Action, Gather, StopReason};
use intake::Batches;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread::Thread;
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

/// Where a committer runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommitOn {
    /// A thread of its own: writing and syncing block.
    #[default]
    Thread,
    /// A task of the runtime: only for a log that never blocks, as the one in memory, under a simulated clock.
    Task,
}

/// Starts the committer.
pub(crate) fn spawn(
    on: CommitOn,
    name: String,
    log: Box<dyn EventLog>,
    chain: Chain,
    after: AfterCommit,
) -> std::io::Result<(mpsc::Sender<ToCommitter>, mpsc::Receiver<Committed>)> {
    let (to_committer, handed_over) = mpsc::channel(COMMITTER_QUEUE);
    let (outbox, committed) = mpsc::channel(RELEASE_QUEUE);
    let (intake, mut inbox) = intake::intake(handed_over, outbox.clone());
    let (last_words, outbox_of_intake) = (outbox.clone(), outbox.clone());
    let committer = Committer { log, gather: Gather::new(chain), outbox, after, close: None, stopped: false };
    tell_of_panic(tokio::spawn(intake.run()), outbox_of_intake);
    match on {
        CommitOn::Thread => {
            std::thread::Builder::new().name(name).spawn(move || {
                // The inbox outlives a panic: whoever handed over is refused once it has gone, behind the last words.
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| block_on(committer.run(&mut inbox)))) {
                    let _nobody_listens = last_words.blocking_send(panicked(panic.as_ref()));
                }
            })?;
        }
        CommitOn::Task => {
            tell_of_panic(tokio::spawn(async move { committer.run(&mut inbox).await }), last_words);
        }
    }
    Ok((to_committer, committed))
}

/// Sends the panic of a task, if it ends by one.
fn tell_of_panic(running: tokio::task::JoinHandle<()>, last_words: mpsc::Sender<Committed>) {
    tokio::spawn(async move {
        let panic = running.await.err().and_then(|error| error.try_into_panic().ok());
        if let Some(stopped) = panic.map(|panic| panicked(panic.as_ref())) {
            let _nobody_listens = last_words.send(stopped).await;
        }
    });
}

/// What a committer's panic leads to. It is a bug: whoever waits hears nothing more from the committer, so the engine
/// has to, and the process must end.
fn panicked(panic: &(dyn std::any::Any + Send)) -> Committed {
    Committed::Stopped(StopReason::Failed(format!("the committer panicked: {}", crate::fold::words(panic))))
}

/// Runs a future on this thread, which sleeps while there is nothing to do.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Sleeper(Thread);
    impl Wake for Sleeper {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Sleeper(std::thread::current())).into();
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result;
        }
        // A wake-up between the poll and this is kept: parking then returns at once.
        std::thread::park();
    }
}

struct Committer {
    log: Box<dyn EventLog>,
    gather: Gather<Caller>,
    outbox: mpsc::Sender<Committed>,
    after: AfterCommit,
    close: Option<oneshot::Sender<()>>,
    stopped: bool,
}

impl Committer {
    async fn run(mut self, inbox: &mut Batches) {
        while self.close.is_none()
            && let Some(batch) = inbox.next().await
        {
            for message in batch {
                match message {
                    ToCommitter::Handover(handover) => self.gather.submit(handover),
                    ToCommitter::Close(done) => self.close = Some(done),
                }
            }
            while let Some(action) = self.gather.next_action() {
                if !self.carry_out(action).await {
                    return;
                }
            }
            if self.stopped {
                // Nothing more is taken: whoever hands over is told by the intake.
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
    async fn carry_out(&mut self, action: Action<Caller>) -> bool {
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
            Action::Release { mut group, records } => {
                receipts::hand_out(&mut group, &records);
                let upto = self.log.tail();
                let delivered = self.outbox.send(Committed::Group { group, upto }).await.is_ok();
                (self.after)(self.log.as_mut(), self.gather.point());
                delivered
            }
            Action::Dismiss(replies) => self.outbox.send(Committed::Dismissed(replies)).await.is_ok(),
            Action::Stop(reason) => {
                self.stopped = true;
                self.outbox.send(Committed::Stopped(reason)).await.is_ok()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::SubmitError;
    use crate::shell::Ticket;
    use domain::ids::ItemNo;
    use eventlog::memory_log::{MemoryDisk, MemoryLog};
    use eventlog::recover;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// Somebody who waits for what came before, and has nothing to write.
    fn waits() -> (ToCommitter, oneshot::Receiver<Reply>) {
        let (reply, answer) = oneshot::channel();
        let handover = Handover {
            item: ItemNo::from_u32(1),
            ticket: Ticket(1),
            encoded: Vec::new(),
            events: Vec::new(),
            of_partition: Vec::new(),
            decided: Vec::new(),
            replies: vec![(Caller::new(reply), Err(SubmitError::Late))],
            view: None,
        };
        (ToCommitter::Handover(handover), answer)
    }

    /// What a panicking committer drops: it says so, and holds it up until it is told to go on.
    struct Unwinding {
        begun: Sender<()>,
        go_on: Receiver<()>,
    }

    impl Drop for Unwinding {
        fn drop(&mut self) {
            let _told = (self.begun.send(()), self.go_on.recv());
        }
    }

    #[tokio::test]
    async fn when_the_committer_panics_the_reason_comes_before_whoever_is_refused() {
        let mut log = MemoryLog::open(MemoryDisk::new(eventlog::LogId([7; 16])));
        recover(&mut log, ChainPoint::START, &mut |_| {}).expect("an empty log");
        let chain = log.claim("a test").expect("it is free").chain;
        let ((go, gone), (begun, has_begun), (let_go, go_on)) = (channel(), channel(), channel());
        let unwinding = Unwinding { begun, go_on };
        let after: AfterCommit = Box::new(move |_, _| {
            let _dropped_with_the_committer = &unwinding;
            let _told: Result<(), _> = gone.recv();
            panic!("a bug");
        });
        let name = "committer".to_owned();
        let (to_committer, mut committed) =
            spawn(CommitOn::Thread, name, Box::new(log), chain, after).expect("a thread");
        let (first, _answer) = waits();
        assert!(to_committer.send(first).await.is_ok());
        assert!(matches!(committed.recv().await, Some(Committed::Group { .. })));
        let (second, _answer) = waits();
        assert!(to_committer.send(second).await.is_ok() && go.send(()).is_ok() && has_begun.recv().is_ok());
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(committed.try_recv().is_err(), "nobody is refused before the reason is told");
        assert!(let_go.send(()).is_ok());
        assert!(matches!(committed.recv().await, Some(Committed::Stopped(StopReason::Failed(_)))));
        let refused = committed.recv().await;
        assert!(matches!(refused, Some(Committed::Dismissed(callers)) if callers.len() == 1));
        assert!(committed.recv().await.is_none());
    }
}
