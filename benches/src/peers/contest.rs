//! A peer as a contestant serves it: its server, customers' routes and operators' routes, with its best settings.

use super::sweep::{self, Pool, Trial};
use super::{Durability, Operate, PeerError, Postgres, Redis, admin, front};
use axum::Router;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Tried with as many as the bench has connections, long enough for a few hundred commits.
const TRIAL: Trial = Trial { clients: 256, length: Duration::from_millis(500) };

/// What a contestant serves. The peer's server ends when all of it is dropped, or with the thread that started it.
pub struct Served {
    /// For customers, behind the front that is to be measured.
    pub customers: Router,
    /// For operators, on a listener of its own.
    pub operators: Router,
    /// The peer, its version and its settings, for people.
    pub words: String,
    /// What a sweep would have to find again.
    pub setting: String,
}

/// Redis with one script, in a fresh folder below `dir`, over so many connections, or as many as a sweep finds best.
///
/// # Errors
/// [`PeerError::Start`] where it is not installed or does not come up.
pub async fn redis(dir: &Path, connections: Option<usize>) -> Result<Served, PeerError> {
    let redis = Redis::start(dir).await?;
    let connections = match connections {
        Some(connections) => connections,
        None => sweep::redis(&redis, TRIAL).await?.setting,
    };
    let words = format!("Redis {}, appendfsync always, {connections} pipelined connections", redis.version().await?);
    let customers = front::router(redis.pipelined(connections).await?);
    Ok(served(customers, redis, words, connections.to_string()))
}

/// PostgreSQL with one call for each reserve, in a fresh folder below `dir`, over this pool, or the one that a sweep
/// finds best.
///
/// # Errors
/// As [`redis()`].
pub async fn postgres(dir: &Path, pool: Option<Pool>) -> Result<Served, PeerError> {
    let postgres = Postgres::start(dir).await?;
    let pool = match pool {
        Some(pool) => pool,
        None => sweep::postgres(&postgres, TRIAL).await?.setting,
    };
    let Pool { connections, durability } = pool;
    let (delay, version) = (durability.commit_delay_us, postgres.version().await?);
    let words = format!("PostgreSQL {version}, synchronous_commit on, pool of {connections}, commit_delay {delay} µs");
    let customers = front::router(postgres.pooled(connections, durability).await?);
    Ok(served(customers, postgres, words, pool.to_string()))
}

/// PostgreSQL with one call for all the reserves that came while the one before it ran.
///
/// # Errors
/// As [`redis()`].
pub async fn postgres_batched(dir: &Path) -> Result<Served, PeerError> {
    let postgres = Postgres::start(dir).await?;
    let words = format!("PostgreSQL {}, synchronous_commit on, batched", postgres.version().await?);
    // Its calls are one after another on one row: there is nothing that a delay could wait for.
    let customers = front::router(postgres.batched(1, Durability::default()).await?);
    Ok(served(customers, postgres, words, String::new()))
}

fn served(customers: Router, peer: impl Operate, words: String, setting: String) -> Served {
    Served { customers, operators: admin::router(Arc::new(peer)), words, setting }
}
