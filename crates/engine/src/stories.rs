//! Stories read back from the log: for operators who have to explain what happened to somebody.

use crate::error::SubmitError;
use crate::handle::Engine;
use domain::identity::ReservationId;
use domain::story::{Story, StoryLine};
use eventlog::{RecordNo, StreamEvent};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Logs read back at once: reading is work for the disk that the committers share.
pub(crate) const READERS_MAX: usize = 1;

impl Engine {
    /// The whole story of a reservation, from its item's first event on. `None` where there is no such reservation.
    /// Reads the log: for operators, not for customers.
    ///
    /// # Errors
    /// [`SubmitError::OutcomeUnknown`] where the log cannot be read.
    pub async fn story(&self, id: ReservationId) -> Result<Option<Vec<StoryLine>>, SubmitError> {
        let Some(reader) = self.log_reader(id.item().partition()) else { return Ok(None) };
        let places: Arc<Semaphore> = Arc::clone(&self.inner.stories);
        let _place = places.acquire_owned().await.map_err(|_| SubmitError::Draining)?;
        let told = tokio::task::spawn_blocking(move || {
            let mut story = Story::about(id.ordinal());
            for event in eventlog::events(reader.as_ref(), RecordNo(1)) {
                match event {
                    Ok((item, StreamEvent::Item(recorded))) if item == id.item() => story.take(&recorded),
                    Ok(_) => {}
                    Err(error) => {
                        tracing::error!(%error, "a story cannot be read back from the log");
                        return Err(SubmitError::OutcomeUnknown);
                    }
                }
            }
            Ok(story.told())
        });
        told.await.map_err(|_| SubmitError::OutcomeUnknown)?
    }
}
