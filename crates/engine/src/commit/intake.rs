//! From the turns to the committer: what they hand over goes on a batch at a time.
//!
//! A commit costs processor time as several requests do, whatever it holds. A committer that began with the first turn
//! it hears of would sync for every few requests where many items are asked, each in turns of its own. So it says when
//! it can take more, and whoever is ready to run on the runtime's thread goes first: reads a socket, takes a turn, hands
//! over. There is no timer: a client alone waits for one look at the sockets.

use super::ToCommitter;
use crate::error::SubmitError;
use crate::limits::{GROUP_TURNS_MAX, WORTH_A_COMMIT};
use tokio::sync::mpsc;

/// The side of the actors.
pub(super) struct Intake {
    handed_over: mpsc::Receiver<ToCommitter>,
    ready: mpsc::Receiver<()>,
    batches: mpsc::Sender<Vec<ToCommitter>>,
}

/// The side of the committer.
pub(super) struct Batches {
    ready: mpsc::Sender<()>,
    batches: mpsc::Receiver<Vec<ToCommitter>>,
}

/// Both sides.
pub(super) fn intake(handed_over: mpsc::Receiver<ToCommitter>) -> (Intake, Batches) {
    // The committer is ready for one batch at a time.
    let ((said, ready), (batches, taken)) = (mpsc::channel(1), mpsc::channel(1));
    (Intake { handed_over, ready, batches }, Batches { ready: said, batches: taken })
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
        while self.handed_over.recv_many(&mut batch, GROUP_TURNS_MAX).await > 0 {
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
        // From here on every sender finds the channel closed. Whoever got in before is told that nobody knows.
        self.handed_over.close();
        batch.into_iter().for_each(refuse);
        while let Some(late) = self.handed_over.recv().await {
            refuse(late);
        }
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

fn refuse(message: ToCommitter) {
    if let ToCommitter::Handover(handover) = message {
        handover.replies.into_iter().for_each(|(caller, _)| caller.answer(Err(SubmitError::OutcomeUnknown)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn whoever_is_ready_to_hand_over_shares_the_batch_and_whoever_comes_later_the_next() {
        let (to_committer, handed_over) = mpsc::channel(16);
        let (intake, mut batches) = intake(handed_over);
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

    #[tokio::test]
    async fn when_the_committer_has_gone_nobody_can_hand_over_any_more() {
        let (to_committer, handed_over) = mpsc::channel(16);
        let (intake, batches) = intake(handed_over);
        drop(batches);
        let (done, closed) = oneshot::channel();
        assert!(to_committer.send(ToCommitter::Close(done)).await.is_ok(), "it got in before");
        intake.run().await;
        assert!(closed.await.is_err() && to_committer.is_closed());
    }
}
