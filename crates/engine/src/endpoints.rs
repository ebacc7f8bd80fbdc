//! Outgoing endpoints from outside: who is told what happened, and telling it again.
//!
//! They live in the stream of partition 0, whatever partition an item belongs to.

use crate::error::SubmitError;
use crate::followups::{self, Redelivery};
use crate::handle::{Engine, Inner};
use crate::shell::Reply;
use domain::endpoint::{DisabledBy, Endpoint, EndpointCommand, EndpointNo};
use domain::ids::PartitionNo;
use domain::partition::PartitionCommand;
use domain::time::Timestamp;
use std::sync::{Arc, Weak};
use tokio::sync::mpsc;

/// The partition whose stream holds the endpoints.
pub(crate) const HOME: PartitionNo = PartitionNo(0);

impl Engine {
    /// Every endpoint, in the order in which they were added.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.inner.endpoints.all()
    }

    /// Does something with an endpoint, durably; followers know of it when the answer leaves.
    ///
    /// # Errors
    /// [`SubmitError`]: no judgement.
    pub async fn endpoint(&self, command: EndpointCommand) -> Reply {
        let home = self.partition(HOME).ok_or(SubmitError::NotOwner)?;
        home.command(PartitionCommand::Endpoint(Box::new(command)), None).await
    }

    /// Tells an endpoint again what has happened since then. Returns how many messages were put into the table; the
    /// endpoint knows repetitions by their ids.
    ///
    /// # Errors
    /// [`SubmitError`] where the log cannot be read or the engine stops meanwhile.
    pub async fn redeliver(&self, endpoint: &Endpoint, since: Timestamp) -> Result<u64, SubmitError> {
        let places = Arc::clone(&self.inner.stories);
        let _place = places.acquire_owned().await.map_err(|_| SubmitError::Draining)?;
        let mut told = 0_u64;
        for registry in self.inner.partitions.iter() {
            let (messages, mut read) = mpsc::channel::<Redelivery>(64);
            let (reader, wanted) = (Arc::clone(&registry.reader), endpoint.clone());
            let slots = Arc::clone(registry);
            let reading = tokio::task::spawn_blocking(move || {
                followups::read_again(reader.as_ref(), &slots, &wanted, since, &messages)
            });
            while let Some(message) = read.recv().await {
                registry.redeliveries.send(message).await.map_err(|_| SubmitError::Draining)?;
                told = told.saturating_add(1);
            }
            reading.await.map_err(|_| SubmitError::OutcomeUnknown)?.map_err(|why| {
                tracing::error!(why, "messages cannot be read back from the log");
                SubmitError::OutcomeUnknown
            })?;
        }
        Ok(told)
    }
}

/// Turns off endpoints that say that they are gone, or leave no room to anything else, for as long as the engine lives.
pub(crate) async fn turn_off(engine: Weak<Inner>, mut named: mpsc::Receiver<(EndpointNo, DisabledBy)>) {
    while let Some((endpoint, by)) = named.recv().await {
        let Some(inner) = engine.upgrade() else { return };
        tracing::warn!(%endpoint, ?by, "an endpoint is gone (410) or takes nothing, and is turned off");
        let off = EndpointCommand::Disable(endpoint, by);
        if let Err(error) = (Engine { inner }).endpoint(off).await {
            tracing::error!(%endpoint, %error, "the endpoint could not be turned off; it is tried again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{disk, hold_syncs, settled, start};
    use domain::endpoint::{EndpointUrl, SigningSecret};
    use std::collections::BTreeSet;

    #[tokio::test(start_paused = true)]
    async fn a_change_whose_caller_had_no_answer_is_known_as_soon_as_it_is_durable() {
        let disk = disk();
        let engine = start(&disk);
        let release = hold_syncs(&disk, 1);
        let url = EndpointUrl::parse("https://shop.example/told").expect("an address");
        let add =
            EndpointCommand::Add { url, notices: BTreeSet::default(), secret: SigningSecret::from_bytes([1; 32]) };
        assert_eq!(engine.endpoint(add).await, Err(SubmitError::OutcomeUnknown));
        assert!(engine.endpoints().is_empty(), "not on disk yet");
        release.send(()).expect("the sync waits");
        // Answered behind it, and changes nothing: it is on already.
        let enable = EndpointCommand::Enable(EndpointNo(1));
        settled(engine.endpoint(enable)).await.expect("judged").outcome.expect("it is there");
        assert_eq!(engine.endpoints().len(), 1);
    }
}
