//! The endpoints as followers see them: what is durable in the partition's stream, copied at the commit point.

use super::notice::Message;
use super::work::Work;
use domain::endpoint::{DisabledBy, Endpoint, EndpointNo, Endpoints};
use domain::event::{PartitionEvent, Recorded};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard};
use tokio::sync::mpsc;

/// All endpoints of an engine.
#[derive(Debug, Default)]
pub(crate) struct EndpointBook {
    endpoints: RwLock<Endpoints>,
    /// Whether anybody is told anything: looked at on the hot path.
    is_any: AtomicBool,
    /// To whoever turns off endpoints that cannot be told anything.
    off: OnceLock<mpsc::Sender<(EndpointNo, DisabledBy)>>,
}

impl EndpointBook {
    /// Takes over what has become durable, whoever has heard of it.
    pub(crate) fn follow(&self, events: &[Recorded<PartitionEvent>]) {
        let mut changes = events.iter().filter_map(|recorded| match &recorded.event {
            PartitionEvent::Endpoint { endpoint, event } => Some((*endpoint, event, recorded.at)),
            _ => None,
        });
        let Some(first) = changes.next() else { return };
        // Changed aside and replaced whole: a panic leaves what was.
        let mut endpoints = self.read().clone();
        std::iter::once(first).chain(changes).for_each(|(no, event, at)| endpoints.apply(no, event, at));
        self.set(endpoints);
    }

    /// Takes over what a log was found to say, at a start.
    pub(crate) fn set(&self, endpoints: Endpoints) {
        let is_any = endpoints.iter().any(|endpoint| endpoint.disabled.is_none());
        *self.endpoints.write().unwrap_or_else(PoisonError::into_inner) = endpoints;
        self.is_any.store(is_any, Ordering::Release);
    }

    fn read(&self) -> RwLockReadGuard<'_, Endpoints> {
        self.endpoints.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where endpoints that are to be turned off are named from here on.
    pub(crate) fn name_off_to(&self, off: mpsc::Sender<(EndpointNo, DisabledBy)>) {
        let _only_once = self.off.set(off);
    }

    /// Names an endpoint that is to be turned off. If nobody can hear it now, its next message says it again.
    pub(crate) fn is_to_be_off(&self, endpoint: EndpointNo, by: DisabledBy) {
        if let Some(off) = self.off.get() {
            let _full_or_closed = off.try_send((endpoint, by));
        }
    }

    /// Endpoints that are told anything.
    pub(crate) fn told(&self) -> BTreeSet<u32> {
        self.read().iter().filter(|endpoint| endpoint.disabled.is_none()).map(|endpoint| endpoint.no.0).collect()
    }

    pub(crate) fn is_any(&self) -> bool {
        self.is_any.load(Ordering::Acquire)
    }

    pub(crate) fn get(&self, no: EndpointNo) -> Option<Endpoint> {
        self.read().get(no).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Endpoint> {
        self.read().iter().cloned().collect()
    }

    /// Who is to be told these messages.
    pub(crate) fn tell(&self, messages: &[Message]) -> Vec<Work> {
        let endpoints = self.read();
        let wanted = |message: &Message| {
            let wants = endpoints.iter().filter(|endpoint| endpoint.wants(message.notice, message.at));
            let (id, body) = (message.id.clone(), message.body.clone());
            let notify =
                |endpoint: &Endpoint| Work::Notify { endpoint: endpoint.no.0, id: id.clone(), body: body.clone() };
            wants.map(notify).collect::<Vec<_>>()
        };
        messages.iter().flat_map(wanted).collect()
    }
}
