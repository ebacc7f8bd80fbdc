//! One listening socket: accepts, up to a number of connections.
//!
//! Over that number nothing is accepted: new connections wait in the system's backlog until one closes. Each of ours
//! closes within a timeout unless it keeps sending requests, so the backlog moves.

use super::accept::Accept;
use super::connection::{Connection, protocol};
use crate::app::Stage;
use crate::config::Timeouts;
use crate::front::Front;
use crate::limits::ACCEPT_PAUSE;
use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto;
use std::io::ErrorKind;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// A listening socket and what its connections share.
pub(super) struct Listener<L> {
    socket: L,
    front: Arc<Front>,
    protocol: Arc<auto::Builder<TokioExecutor>>,
    slots: Slots,
    timeouts: Timeouts,
    stage: watch::Receiver<Stage>,
}

/// Places for connections. A place is held as long as its connection lives, so that all places free means that all
/// connections are gone.
pub(super) struct Slots {
    free: Arc<Semaphore>,
    most: u32,
}

impl Slots {
    fn new(most: usize) -> Self {
        let most = u32::try_from(most.clamp(1, Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        // Widening on every system we run on.
        Self { free: Arc::new(Semaphore::new(most as usize)), most }
    }

    async fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    /// Connections there are.
    pub(super) fn open(&self) -> usize {
        (self.most as usize).saturating_sub(self.free.available_permits())
    }

    /// Resolves when no connection is left.
    pub(super) async fn wait(&self) {
        // The semaphore is never closed, so this ends by the last connection's place.
        let _ = self.free.acquire_many(self.most).await;
    }
}

impl<L: Accept> Listener<L> {
    pub(super) fn new(
        socket: L,
        front: Arc<Front>,
        most: usize,
        timeouts: Timeouts,
        stage: watch::Receiver<Stage>,
    ) -> Self {
        let protocol = Arc::new(protocol());
        Self { socket, front, protocol, slots: Slots::new(most), timeouts, stage }
    }

    /// Accepts for ever.
    pub(super) async fn accept(&self) {
        while let Some(slot) = self.slots.take().await {
            match self.socket.accept().await {
                Ok((stream, peer)) => self.start(stream, peer, slot),
                Err(error) if is_of_one_connection(error.kind()) => {}
                Err(error) => {
                    // Most likely no file descriptor is left; some connection will give one back.
                    tracing::warn!(%error, "cannot accept connections");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn start(&self, stream: L::Stream, peer: std::net::IpAddr, slot: OwnedSemaphorePermit) {
        let connection = Connection {
            peer,
            front: Arc::clone(&self.front),
            protocol: Arc::clone(&self.protocol),
            quiet_max: self.timeouts.header_read,
            stage: self.stage.clone(),
        };
        tokio::spawn(async move {
            connection.run(stream).await;
            drop(slot);
        });
    }

    /// Closes the listening socket.
    pub(super) fn close(self) -> Slots {
        self.slots
    }
}

/// Errors of one connection that was gone before it was accepted.
fn is_of_one_connection(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused)
}
