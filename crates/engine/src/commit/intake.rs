//! From the turns to the committer: what they hand over goes on a batch at a time.
//!
//! A commit costs processor time as several requests do, whatever it holds. A committer that began with the first turn
//! it hears of would sync for every few requests where many items are asked, each in turns of its own. So it says when
//! it can take more, and whoever is ready to run on the runtime's thread goes first: reads a socket, takes a turn, hands
//! over. There is no timer: a client alone waits for one look at the sockets.

use super::{Committed, ToCommitter};
use crate::error::SubmitError;
use crate::limits::{GROUP_TURNS_MAX, WORTH_A_COMMIT};
use tokio::sync::mpsc;

/// The side of the actors.
pub(super) struct Intake {
    handed_over: mpsc::Receiver<ToCommitter>,
    ready: mpsc::Receiver<()>,
    batches: mpsc::Sender<Vec<ToCommitter>>,
    outbox: mpsc::Sender<Committed>,
}

/// The side of the committer.
pub(super) struct Batches {
    ready: mpsc::Sender<()>,
    batches: mpsc::Receiver<Vec<ToCommitter>>,
}

/// Both sides. `outbox` is the committer's.
pub(super) fn intake(handed_over: mpsc::Receiver<ToCommitter>, outbox: mpsc::Sender<Committed>) -> (Intake, Batches) {
    // The committer is ready for one batch at a time.
    let ((said, ready), (batches, taken)) = (mpsc::channel(1), mpsc::channel(1));
    (Intake { handed_over, ready, batches, outbox }, Batches { ready: said, batches: taken })
}

impl Batches {
    /// The next one; `None` when nobody is there any more who could hand over.
    pub(super) async fn next(&mut self) -> Option<Vec<ToCommitter>> {
        self.ready.send(()).await.ok()?;
        self.batches.recv().await
    }
}

impl Intake {
    /// Passes on what is handed over until the committer has gone, or nobody is left who hands over.
    pub(super) async fn run(mut self) {
        let mut batch = Vec::new();
        while self.is_handed_some(&mut batch).await {
            if self.ready.recv().await.is_none() {
                break;
            }
            // As long as letting others go first brings more.
            let mut seen = 0;
            while seen < requests_in(&batch).min(WORTH_A_COMMIT) {
                seen = requests_in(&batch);
                tokio::task::yield_now().await;
                while batch.len() < GROUP_TURNS_MAX
                    && let Ok(further) = self.handed_over.try_recv()
                {
                    batch.push(further);
                }
            }
            if let Err(unsent) = self.batches.send(std::mem::take(&mut batch)).await {
                batch = unsent.0;
                break;
            }
        }
        // From here on every sender finds the channel closed.
        self.handed_over.close();
        while self.refuse(&mut batch).await && self.handed_over.recv_many(&mut batch, GROUP_TURNS_MAX).await > 0 {}
    }

    /// Waits for whoever hands over. False when nobody will any more, or the committer has gone: whoever completes its
    /// work ends only after this.
    async fn is_handed_some(&mut self, batch: &mut Vec<ToCommitter>) -> bool {
        tokio::select! {
            biased;
            count = self.handed_over.recv_many(batch, GROUP_TURNS_MAX) => count > 0,
            () = self.batches.closed() => false,
        }
    }

    /// Whoever got in before is told that nobody knows: behind what the committer said last, so that they find the engine
    /// saying why.
    async fn refuse(&self, batch: &mut Vec<ToCommitter>) -> bool {
        let callers = batch.drain(..).flat_map(|message| match message {
            ToCommitter::Handover(handover) => handover.replies,
            ToCommitter::Close(_) => Vec::new(),
        });
        let dismissed = callers.map(|(caller, _)| (caller, Err(SubmitError::OutcomeUnknown))).collect();
        self.outbox.send(Committed::Dismissed(dismissed)).await.is_ok()
    }
}

/// Callers who are answered once these are durable.
fn requests_in(batch: &[ToCommitter]) -> usize {
    let of_one = |message: &ToCommitter| match message {
        ToCommitter::Handover(handover) => handover.replies.len(),
        // Who asks that the log be closed waits too.
        ToCommitter::Close(_) => 1,
    };
    batch.iter().map(of_one).sum()
}

#[cfg(test)]
mod tests {
    use super::super::StopReason;
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn whoever_is_ready_to_hand_over_shares_the_batch_and_whoever_comes_later_the_next() {
        let (to_committer, handed_over) = mpsc::channel(16);
        let (intake, mut batches) = intake(handed_over, mpsc::channel(1).0);
        tokio::spawn(intake.run());
        let hand_over = || {
            let to_committer = to_committer.clone();
            tokio::spawn(async move { to_committer.send(ToCommitter::Close(oneshot::channel().0)).await.is_ok() });
        };
        for others in [0, 4, 1] {
            hand_over();
            tokio::task::yield_now().await;
            // The committer is ready before the others have run.
            let (batch, ()) = tokio::join!(batches.next(), async { (0..others).for_each(|_| hand_over()) });
            assert_eq!(batch.map(|batch| batch.len()), Some(1 + others));
        }
        drop(to_committer);
        assert!(batches.next().await.is_none(), "nobody is left");
    }

    /// Hands over, and lets the next one do so: who is ready when somebody has run, and not before.
    fn hand_over_one_behind_the_other(to_committer: mpsc::Sender<ToCommitter>, left: usize) {
        if left > 0 {
            tokio::spawn(async move {
                tokio::task::yield_now().await;
                assert!(to_committer.try_send(ToCommitter::Close(oneshot::channel().0)).is_ok(), "there is room");
                hand_over_one_behind_the_other(to_committer, left - 1);
            });
        }
    }

    #[tokio::test]
    async fn others_go_first_as_long_as_that_brings_more_and_the_batch_is_not_worth_a_commit() {
        let (to_committer, handed_over) = mpsc::channel(4 * WORTH_A_COMMIT);
        let (intake, mut batches) = intake(handed_over, mpsc::channel(1).0);
        tokio::spawn(intake.run());
        for (come, together) in [(1, 1), (7, 7), (WORTH_A_COMMIT, WORTH_A_COMMIT), (2 * WORTH_A_COMMIT, WORTH_A_COMMIT)]
        {
            hand_over_one_behind_the_other(to_committer.clone(), come);
            let mut batch = batches.next().await.expect("somebody hands over").len();
            assert!((together..=together + 1).contains(&batch), "{batch} of {come} who come one behind the other");
            while batch < come {
                batch += batches.next().await.expect("the others hand over").len();
            }
        }
    }

    #[tokio::test]
    async fn when_the_committer_has_gone_its_outbox_ends_though_others_could_still_hand_over() {
        let (to_committer, handed_over) = mpsc::channel(1);
        let (outbox, mut committed) = mpsc::channel(1);
        let (intake, batches) = intake(handed_over, outbox);
        let running = tokio::spawn(intake.run());
        tokio::task::yield_now().await;
        drop(batches);
        assert!(running.await.is_ok());
        assert!(matches!(committed.recv().await, Some(Committed::Dismissed(nobody)) if nobody.is_empty()));
        assert!(committed.recv().await.is_none() && to_committer.is_closed());
    }

    #[tokio::test]
    async fn when_the_committer_has_gone_nobody_can_hand_over_any_more() {
        let (to_committer, handed_over) = mpsc::channel(16);
        let (outbox, mut committed) = mpsc::channel(1);
        let (intake, batches) = intake(handed_over, outbox.clone());
        assert!(outbox.send(Committed::Stopped(StopReason::Fenced)).await.is_ok());
        drop((batches, outbox));
        let (done, closed) = oneshot::channel();
        assert!(to_committer.send(ToCommitter::Close(done)).await.is_ok(), "it got in before");
        tokio::spawn(intake.run());
        assert!(
            matches!(committed.recv().await, Some(Committed::Stopped(StopReason::Fenced))),
            "the reason comes first"
        );
        assert!(matches!(committed.recv().await, Some(Committed::Dismissed(_))));
        assert!(committed.recv().await.is_none() && closed.await.is_err() && to_committer.is_closed());
    }
}
