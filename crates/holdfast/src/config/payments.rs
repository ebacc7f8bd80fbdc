//! Who may tell of payments, and who is asked for them.

use super::layers::Layers;
use super::{secret, text, value};
use crate::tokens::Secret;
use domain::payment::Provider;
use integrations::inbound::{Inboxes, WebhookSecret};
use integrations::stripe::StripeKey;
use std::str::FromStr;

/// Payments, as the server uses them.
#[derive(Clone, Debug)]
pub(crate) struct Payments {
    /// The providers whose webhooks are taken, but for the simulated one.
    pub(crate) inboxes: Inboxes,
    /// Stripe's secret key, if configured.
    pub(crate) stripe_key: Option<Secret>,
    /// Where Stripe is reached.
    pub(crate) stripe_base_url: String,
    /// The simulated provider, if wanted.
    pub(crate) simulated: Option<Simulated>,
    /// Whether messages may go to private addresses.
    pub(crate) allow_private: bool,
}

/// The simulated provider.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Simulated {
    /// How it misbehaves.
    pub(crate) trouble: Trouble,
    /// What its fates are drawn from.
    pub(crate) seed: u64,
}

/// How the simulated provider misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Not at all.
    None,
    /// As real ones do on a bad day.
    Rough,
}

impl FromStr for Trouble {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::None),
            "rough" => Ok(Self::Rough),
            _ => Err("it is `none` or `rough`"),
        }
    }
}

impl Payments {
    pub(super) fn from_layers(layers: &Layers) -> anyhow::Result<Self> {
        let inboxes = Inboxes::default()
            .with(Provider::Generic, secrets(layers, "webhook.generic_secrets")?)
            .with(Provider::Stripe, secrets(layers, "webhook.stripe_secrets")?);
        let is_simulated: bool = value(layers, "simulated.enabled")?;
        let simulated =
            Simulated { trouble: value(layers, "simulated.trouble")?, seed: value(layers, "simulated.seed")? };
        let stripe_base_url: String = value(layers, "stripe.base_url")?;
        anyhow::ensure!(
            stripe_base_url.starts_with("https://") || stripe_base_url.starts_with("http://"),
            "the setting `stripe.base_url` is an address that begins with https:// (or http:// for a stand-in)"
        );
        Ok(Self {
            inboxes,
            stripe_key: stripe_key(layers)?,
            stripe_base_url,
            simulated: is_simulated.then_some(simulated),
            allow_private: value(layers, "notify.allow_private")?,
        })
    }
}

/// Stripe's key, which begins like one. It never appears in an error.
fn stripe_key(layers: &Layers) -> anyhow::Result<Option<Secret>> {
    let key = secret(layers, "stripe.secret_key")?;
    if let Some(key) = &key {
        StripeKey::parse(key.reveal())
            .map_err(|problem| anyhow::anyhow!("the setting `stripe.secret_key` is refused: {problem}"))?;
    }
    Ok(key)
}

/// Secrets in a list; none of them ever appears in an error.
fn secrets(layers: &Layers, key: &str) -> anyhow::Result<Vec<WebhookSecret>> {
    let text = text(layers, key).unwrap_or_default();
    let listed = text.split(',').map(str::trim).filter(|secret| !secret.is_empty());
    let parsed = listed.map(|secret| {
        WebhookSecret::parse(secret).map_err(|problem| anyhow::anyhow!("the setting `{key}` is refused: {problem}"))
    });
    parsed.collect()
}

#[cfg(test)]
mod tests {
    use super::super::layers::{Given, Origin};
    use super::super::{SettingArgs, Settings};
    use super::*;

    fn load(given: &[(&'static str, &str)]) -> anyhow::Result<Payments> {
        let given = given
            .iter()
            .map(|(key, value)| Given { key, value: (*value).to_owned(), origin: Origin::Environment })
            .collect();
        Settings::load(&SettingArgs { file: None, given }).map(|settings| settings.payments)
    }

    #[test]
    fn nobody_is_listened_to_and_nothing_is_simulated_by_default() {
        let payments = load(&[]).expect("the defaults");
        assert!(Provider::ALL.into_iter().all(|provider| !payments.inboxes.listens_to(provider)));
        assert!(payments.simulated.is_none() && payments.stripe_key.is_none() && !payments.allow_private);
    }

    #[test]
    fn several_secrets_are_a_list_and_a_short_one_is_refused_without_being_shown() {
        let payments = load(&[("webhook.generic_secrets", "0123456789abcdef, fedcba9876543210")]).expect("two");
        assert!(payments.inboxes.listens_to(Provider::Generic) && !payments.inboxes.listens_to(Provider::Stripe));
        let error = load(&[("webhook.generic_secrets", "hunter2")]).expect_err("too short").to_string();
        assert!(error.contains("webhook.generic_secrets") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_key_that_is_none_of_stripes_is_refused_when_settings_are_read_and_not_shown() {
        let error = load(&[("stripe.secret_key", "pk_live_0123456789abcdef")]).expect_err("publishable").to_string();
        assert!(error.contains("`stripe.secret_key`") && !error.contains("0123"), "{error}");
    }

    #[test]
    fn trouble_is_a_word_and_stripe_an_address() {
        assert!(load(&[("simulated.trouble", "some")]).is_err());
        assert!(load(&[("stripe.base_url", "api.stripe.com")]).is_err());
        let rough = load(&[("simulated.enabled", "true"), ("simulated.trouble", "rough")]).expect("fine");
        assert_eq!(rough.simulated.map(|simulated| simulated.trouble), Some(Trouble::Rough));
    }
}
