//! Follow-ups: what committed events lead to in the world outside. Payment opportunities for holds, their withdrawal
//! when a hold ends, refunds, and messages to integrators.
//!
//! They start only from committed events, never from a turn, so nothing of this can slow or stop an item: a provider
//! that hangs delays follow-ups, and nothing else. What is to be done stands in a table with the place in the log up
//! to which events were looked at; the table is on disk, so a crash loses nothing. Everything may be done twice (at
//! least once), and everything done twice is the same thing: orders, payments and refunds have ids that the log gives
//! them, and receivers get the same message id again.

mod attempts;
mod endpoints;
mod execute;
mod feed;
mod follow;
mod notice;
mod owner;
mod piece;
mod redelivery;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod work;

pub(crate) use endpoints::EndpointBook;
pub(crate) use feed::Feed;
pub(crate) use follow::Follower;
pub(crate) use notice::are_logged as notifications_are_logged;
pub(crate) use redelivery::{Redelivery, read_again};
pub use store::FollowUpStore;
pub(crate) use work::{Terms, is_of_interest};

use crate::ports::{Notifier, PaymentProvider};
use domain::payment::Provider;
use std::sync::Arc;

/// Whom follow-ups reach.
#[derive(Clone, Default)]
pub struct Outside {
    /// Payment providers, at most one of each kind.
    pub providers: Vec<Arc<dyn PaymentProvider>>,
    /// Who carries messages to integrators.
    pub notifier: Option<Arc<dyn Notifier>>,
}

impl Outside {
    pub(crate) fn provider(&self, which: Provider) -> Option<&Arc<dyn PaymentProvider>> {
        self.providers.iter().find(|provider| provider.provider() == which)
    }
}
