//! Which of its settings is a peer's best on this machine: each is tried for a moment, without any front, in two rounds
//! of which the second goes backwards.
//!
//! On a machine that is not quiet, chance has a say in it, and behind a front another setting may be the best. Whoever
//! wants to be sure tries them over HTTP with a load of its own, as the example `peers` does, and hands in the winner.

use super::{Ask, Durability, Operate, PeerError, Postgres, Redis, Reserve, Said, Sale};
use core::fmt;
use core::str::FromStr;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Pools of PostgreSQL's to be tried: from less than a machine has cores to more than it can use on one row.
pub const POOLS: [usize; 6] = [1, 2, 4, 8, 16, 32];

/// Delays of its commits to be tried, in microseconds: none, less than a sync takes, and about as much.
pub const COMMIT_DELAYS_US: [u32; 3] = [0, 20, 100];

/// Pipelined connections of Redis's to be tried.
pub const PIPELINES: [usize; 4] = [1, 2, 4, 8];

const ROUNDS: u32 = 2;

/// How a peer is tried.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// How many ask at once.
    pub clients: usize,
    /// For how long.
    pub length: Duration,
}

/// A setting and how many reserves a second it did in its trial.
#[derive(Clone, Copy, Debug)]
pub struct Tried<S> {
    /// The setting.
    pub setting: S,
    /// Reserves a second.
    pub per_s: f64,
}

/// A pool and a delay of PostgreSQL's.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    /// Connections.
    pub connections: usize,
    /// How commits are made durable.
    pub durability: Durability,
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.connections, self.durability.commit_delay_us)
    }
}

impl FromStr for Pool {
    type Err = PeerError;

    fn from_str(text: &str) -> Result<Self, PeerError> {
        let nonsense = || PeerError::Nonsense(text.to_owned());
        let (connections, delay) = text.split_once(' ').ok_or_else(nonsense)?;
        let connections = connections.parse().map_err(|_| nonsense())?;
        Ok(Self { connections, durability: Durability { commit_delay_us: delay.parse().map_err(|_| nonsense())? } })
    }
}

/// The number of pipelined connections that is best.
///
/// # Errors
/// [`PeerError`] when a trial fails.
pub async fn redis(redis: &Redis, trial: Trial) -> Result<Tried<usize>, PeerError> {
    let mut tried = PIPELINES.map(|setting| Tried { setting, per_s: 0.0 });
    for round in 0..ROUNDS {
        for Tried { setting, per_s } in &mut tried {
            let sku = format!("trial-{round}-{setting}");
            redis.open(&Sale::usual(&sku, i32::MAX)).await?;
            *per_s += rate(redis.pipelined(*setting).await?, &sku, trial).await? / f64::from(ROUNDS);
        }
        tried.reverse();
    }
    best(&tried)
}

/// The pool that is best.
///
/// # Errors
/// [`PeerError`] when a trial fails.
pub async fn postgres(postgres: &Postgres, trial: Trial) -> Result<Tried<Pool>, PeerError> {
    let durabilities = COMMIT_DELAYS_US.map(|commit_delay_us| Durability { commit_delay_us });
    let pools =
        durabilities.into_iter().flat_map(|durability| POOLS.map(|connections| Pool { connections, durability }));
    let mut tried: Vec<Tried<Pool>> = pools.map(|setting| Tried { setting, per_s: 0.0 }).collect();
    for round in 0..ROUNDS {
        for Tried { setting: Pool { connections, durability }, per_s } in &mut tried {
            let sku = format!("trial-{round}-{connections}-{}", durability.commit_delay_us);
            postgres.open(&Sale::usual(&sku, i32::MAX)).await?;
            let peer = postgres.pooled(*connections, *durability).await?;
            *per_s += rate(peer, &sku, trial).await? / f64::from(ROUNDS);
        }
        tried.reverse();
    }
    best(&tried)
}

fn best<S: Copy>(tried: &[Tried<S>]) -> Result<Tried<S>, PeerError> {
    tried.iter().max_by(|one, other| one.per_s.total_cmp(&other.per_s)).copied().ok_or(PeerError::Stopped)
}

/// Has clients reserve as fast as they are answered, each time for another customer.
async fn rate(peer: impl Reserve, sku: &str, trial: Trial) -> Result<f64, PeerError> {
    let (peer, done, over) = (Arc::new(peer), Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut clients = JoinSet::new();
    let begin = Instant::now();
    for client in 0..trial.clients {
        let (peer, done, over, sku) = (Arc::clone(&peer), Arc::clone(&done), Arc::clone(&over), sku.to_owned());
        clients.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let number = done.fetch_add(1, Ordering::Relaxed);
                let customer = format!("trial-{client}-{number}");
                let ask = Ask { sku: sku.clone(), key: customer.clone(), customer, quantity: 1, wait: true };
                if let Said::Refused(refusal) = peer.reserve(&ask).await? {
                    return Err(PeerError::Nonsense(refusal.code().to_owned()));
                }
            }
            Ok(())
        });
    }
    tokio::time::sleep(trial.length).await;
    over.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended.map_err(|_| PeerError::Stopped)??;
    }
    // What was begun is done by now, and the time until then counts.
    Ok(done.load(Ordering::Relaxed) as f64 / begin.elapsed().as_secs_f64())
}
