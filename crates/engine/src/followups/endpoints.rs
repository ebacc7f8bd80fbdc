//! The endpoints as followers see them: what is durable in the partition's stream, copied at the commit point.

use super::notice::Message;
use super::work::Work;
use domain::endpoint::{Endpoint, EndpointNo, Endpoints};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

/// All endpoints of an engine.
#[derive(Debug, Default)]
pub(crate) struct EndpointBook {
    endpoints: RwLock<Endpoints>,
    /// Whether anybody is told anything: looked at on the hot path.
    is_any: AtomicBool,
}

impl EndpointBook {
    /// Takes over what has become durable.
    pub(crate) fn publish(&self, endpoints: Endpoints) {
        let is_any = endpoints.iter().any(|endpoint| endpoint.disabled.is_none());
        *self.endpoints.write().unwrap_or_else(PoisonError::into_inner) = endpoints;
        self.is_any.store(is_any, Ordering::Release);
    }

    pub(crate) fn is_any(&self) -> bool {
        self.is_any.load(Ordering::Acquire)
    }

    pub(crate) fn get(&self, no: EndpointNo) -> Option<Endpoint> {
        self.endpoints.read().unwrap_or_else(PoisonError::into_inner).get(no).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Endpoint> {
        self.endpoints.read().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Who is to be told these messages.
    pub(crate) fn tell(&self, messages: &[Message]) -> Vec<Work> {
        let endpoints = self.endpoints.read().unwrap_or_else(PoisonError::into_inner);
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
