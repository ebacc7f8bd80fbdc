//! Reserves gathered on our side: those that came while a call ran are judged by the next one, in order, together.

use super::super::{Ask, PeerError, Reserve, Said};
use super::Judge;
use core::hash::{BuildHasher as _, BuildHasherDefault};
use std::hash::DefaultHasher;
use tokio::sync::{mpsc, oneshot};

/// Reserves of one call, at most: as many as any bench has clients.
const CALL_MAX: usize = 1_024;

/// A reserve and where its answer goes.
struct Letter {
    ask: Ask,
    reply: oneshot::Sender<Result<Said, PeerError>>,
}

/// A lane for each connection; an item has one lane, so that nobody waits for a lock.
pub struct Batched {
    lanes: Vec<mpsc::Sender<Letter>>,
}

impl Batched {
    pub(super) fn new(judges: Vec<Judge>) -> Self {
        let lane = |judge| {
            let (lane, letters) = mpsc::channel(CALL_MAX);
            tokio::spawn(work(judge, letters));
            lane
        };
        Self { lanes: judges.into_iter().map(lane).collect() }
    }

    fn lane(&self, sku: &str) -> Option<&mpsc::Sender<Letter>> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(sku);
        // A count of lanes fits, and what is left of it too.
        let which = hash.checked_rem(self.lanes.len() as u64)? as usize;
        self.lanes.get(which)
    }
}

impl Reserve for Batched {
    async fn reserve(&self, ask: &Ask) -> Result<Said, PeerError> {
        let (reply, said) = oneshot::channel();
        let lane = self.lane(&ask.sku).ok_or(PeerError::Stopped)?;
        lane.send(Letter { ask: ask.clone(), reply }).await.map_err(|_| PeerError::Stopped)?;
        said.await.map_err(|_| PeerError::Stopped)?
    }
}

async fn work(judge: Judge, mut letters: mpsc::Receiver<Letter>) {
    let mut batch = Vec::with_capacity(CALL_MAX);
    while letters.recv_many(&mut batch, CALL_MAX).await > 0 {
        // Stable, so the order of arrival stays.
        batch.sort_by(|one, other| one.ask.sku.cmp(&other.ask.sku));
        while let Some(first) = batch.first() {
            let alike = batch.iter().take_while(|letter| letter.ask.sku == first.ask.sku).count();
            answer(&judge, batch.drain(..alike).collect()).await;
        }
    }
}

/// Has letters of one item judged, and answers them.
async fn answer(judge: &Judge, letters: Vec<Letter>) {
    let Some(first) = letters.first() else { return };
    let asks: Vec<&Ask> = letters.iter().map(|letter| &letter.ask).collect();
    match judge.judge(&first.ask.sku, &asks).await {
        Ok(said) => letters.into_iter().zip(said).for_each(|(letter, said)| {
            // Whoever asked may be gone.
            let _ = letter.reply.send(Ok(said));
        }),
        Err(error) => {
            println!("a call was in vain: {error}");
            letters.into_iter().for_each(|letter| {
                let _ = letter.reply.send(Err(PeerError::Stopped));
            });
        }
    }
}
