//! One call for each reserve, over a pool of connections.

use super::super::{Ask, HAPPEN_MAX, PeerError, Reserve, Said};
use super::Judge;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Semaphore;

/// A pool: a reserve takes a connection, or waits for one in order of arrival.
pub struct Pooled {
    /// The last one given back is taken first: its server process is the one in the caches.
    free: Mutex<Vec<Judge>>,
    places: Semaphore,
}

impl Pooled {
    pub(super) fn new(judges: Vec<Judge>) -> Self {
        let places = Semaphore::new(judges.len());
        Self { free: Mutex::new(judges), places }
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Judge>> {
        // Nothing that can panic happens under the lock.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reserve for Pooled {
    async fn reserve(&self, ask: &Ask) -> Result<Said, PeerError> {
        let _place = self.places.acquire().await.map_err(|_| PeerError::Stopped)?;
        // Declared after the place, so given back before it.
        let judge = Taken { pool: self, judge: self.free().pop() };
        let said = judge.judge.as_ref().ok_or(PeerError::Stopped)?.judge(&ask.sku, &[ask]).await?;
        said.into_iter().next().ok_or(PeerError::Stopped)
    }
}

/// A connection that goes back to its pool, whatever becomes of the call.
struct Taken<'a> {
    pool: &'a Pooled,
    judge: Option<Judge>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.pool.free().extend(self.judge.take());
    }
}

impl Judge {
    /// Has these judged, in this order, in one transaction.
    pub(super) async fn judge(&self, sku: &str, asks: &[&Ask]) -> Result<Vec<Said>, PeerError> {
        let customers: Vec<&str> = asks.iter().map(|ask| ask.customer.as_str()).collect();
        let keys: Vec<&str> = asks.iter().map(|ask| ask.key.as_str()).collect();
        let quantities: Vec<i32> = asks.iter().map(|ask| ask.quantity).collect();
        let waits: Vec<bool> = asks.iter().map(|ask| ask.wait).collect();
        let row =
            self.client.query_one(&self.call, &[&sku, &customers, &keys, &quantities, &waits, &HAPPEN_MAX]).await?;
        let lines: Vec<&str> = row.try_get(0)?;
        lines.into_iter().map(Said::parse).collect()
    }
}
