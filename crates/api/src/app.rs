//! What every handler can reach.

use crate::config::ApiConfig;
use crate::limits::PREFER_WAITERS_MAX;
use domain::identity::ReservationId;
use engine::handle::{Engine, ItemHandle};
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};

/// How far the server is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Takes requests.
    Running,
    /// Finishes what runs and takes nothing new.
    Draining,
    /// Cuts off what still runs.
    CutOff,
}

/// What every handler can reach.
pub(crate) struct App {
    pub(crate) engine: Engine,
    pub(crate) config: ApiConfig,
    /// Places for reads that wait for a change.
    pub(crate) waiters: Semaphore,
    stage: watch::Receiver<Stage>,
}

/// Handlers share one.
pub(crate) type SharedApp = Arc<App>;

impl App {
    pub(crate) fn new(engine: Engine, config: ApiConfig, stage: watch::Receiver<Stage>) -> Self {
        Self { engine, config, waiters: Semaphore::new(PREFER_WAITERS_MAX), stage }
    }

    /// Whether the server has begun to stop.
    pub(crate) fn is_draining(&self) -> bool {
        *self.stage.borrow() > Stage::Running
    }

    /// Resolves when the server begins to stop.
    pub(crate) async fn draining(&self) {
        // An error says that the server is gone: it has stopped.
        let _ = self.stage.clone().wait_for(|stage| *stage > Stage::Running).await;
    }

    /// The item that gave out this id, if one did.
    pub(crate) fn item_of(&self, id: ReservationId) -> Option<ItemHandle> {
        self.engine.item(id.item()).filter(|item| item.is_genuine(id))
    }
}
