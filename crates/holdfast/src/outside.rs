//! Whom the server reaches outside, from its settings: payment providers, and whoever carries messages.

use crate::config::{Payments, Trouble};
use crate::tokens::Secret;
use anyhow::Context;
use domain::payment::Provider;
use engine::Outside;
use engine::ports::PaymentProvider;
use integrations::inbound::{Inboxes, WebhookSecret};
use integrations::outgoing::{SenderConfig, WebhookSender};
use integrations::simulated::{Rates, SimulatedConfig, SimulatedProvider};
use integrations::stripe::{StripeConfig, StripeKey, StripeProvider};
use std::sync::Arc;

/// Everything outside that this server has to do with.
pub(crate) struct World {
    /// What follow-ups reach.
    pub(crate) outside: Outside,
    /// Whose webhooks are taken.
    pub(crate) inboxes: Inboxes,
    /// The simulated provider, if there is one.
    pub(crate) simulated: Option<SimulatedProvider>,
}

impl World {
    /// Sets it up for a server whose customers reach it at `public_url`.
    pub(crate) fn new(payments: &Payments, public_url: &str) -> anyhow::Result<Self> {
        let mut world = Self { outside: Outside::default(), inboxes: payments.inboxes.clone(), simulated: None };
        if let Some(simulated) = payments.simulated {
            // Drawn anew at every start: nobody but the two ends in this process has to know it.
            let secret = WebhookSecret::parse(Secret::generate()?.reveal())?;
            let rates = match simulated.trouble {
                Trouble::None => Rates::none(),
                Trouble::Rough => Rates::rough(),
            };
            let base_url = public_url.to_owned();
            let config = SimulatedConfig { base_url, secret: secret.clone(), seed: simulated.seed, rates };
            let provider = SimulatedProvider::new(config).context("the simulated provider cannot be set up")?;
            world.inboxes = world.inboxes.with(Provider::Simulated, vec![secret]);
            world.take(provider.clone());
            world.simulated = Some(provider);
        }
        if let Some(key) = &payments.stripe_key {
            let key = StripeKey::parse(key.reveal()).context("the setting `stripe.secret_key` is refused")?;
            let base_url = payments.stripe_base_url.clone();
            let config = StripeConfig { base_url, ..StripeConfig::new(key) };
            world.take(StripeProvider::new(&config).context("Stripe cannot be asked")?);
        }
        let sender = WebhookSender::new(SenderConfig { allow_private: payments.allow_private })?;
        world.outside.notifier = Some(Arc::new(sender));
        Ok(world)
    }

    fn take(&mut self, provider: impl PaymentProvider) {
        self.outside.providers.push(Arc::new(provider));
    }
}
