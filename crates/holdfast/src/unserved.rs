//! Items whose payment provider this server does not have: their customers would wait for an opportunity to pay that
//! never comes.

use domain::item::Phase;
use domain::payment::Provider;
use domain::text::Sku;
use engine::Engine;

/// How many items a warning names. A shop can have a hundred thousand.
const ITEMS_SHOWN_MAX: usize = 5;

/// One warning for each provider that open items, or such as may open, name and that is not there.
pub(crate) fn warnings(engine: &Engine, is_there: impl Fn(Provider) -> bool) -> Vec<String> {
    let views = engine.items(None, usize::MAX).into_iter().map(|item| item.view());
    let live = views.filter(|view| view.status.phase != Phase::Closed);
    let named = live.filter_map(|view| Some((view.settings.policy.payments.provider?, view.sku.clone())));
    let named: Vec<(Provider, Sku)> = named.filter(|(provider, _)| !is_there(*provider)).collect();
    Provider::ALL.into_iter().filter_map(|provider| warning(provider, &named)).collect()
}

fn warning(provider: Provider, named: &[(Provider, Sku)]) -> Option<String> {
    let skus: Vec<&str> = named.iter().filter(|(named, _)| *named == provider).map(|(_, sku)| sku.as_str()).collect();
    let shown = skus.iter().copied().take(ITEMS_SHOWN_MAX).collect::<Vec<_>>().join(", ");
    let more = match skus.len().saturating_sub(ITEMS_SHOWN_MAX) {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    let (name, remedy) = (provider.name(), remedy(provider)?);
    (!skus.is_empty()).then(|| {
        format!(
            "items have payments.provider {name}, and this server has no such provider: {shown}{more}. Their holds become \
             orders, and no payment is asked for. {remedy}, or, before their sales open, change payments.provider of these items"
        )
    })
}

/// What makes a provider be there. The generic one is only listened to, and nobody asks an external one.
const fn remedy(provider: Provider) -> Option<&'static str> {
    match provider {
        Provider::Stripe => Some("Set stripe.secret_key"),
        Provider::Simulated => Some("Set simulated.enabled to true"),
        Provider::Generic | Provider::External => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_names_the_provider_the_first_items_and_what_to_set() {
        let sku = |number: usize| Sku::parse(&format!("item-{number}")).expect("a name");
        let mut named: Vec<(Provider, Sku)> = (1..8).map(|number| (Provider::Stripe, sku(number))).collect();
        named.push((Provider::Simulated, sku(9)));
        let words = warning(Provider::Stripe, &named).expect("seven items");
        for expected in ["stripe", "item-1, item-2", "item-5 and 2 more", "stripe.secret_key"] {
            assert!(words.contains(expected), "{words}");
        }
        assert!(!words.contains("item-9"), "{words}");
        assert!(warning(Provider::Simulated, &named).is_some_and(|words| words.contains("simulated.enabled")));
        assert_eq!(warning(Provider::Generic, &named), None);
        assert_eq!(warning(Provider::Stripe, &[]), None);
    }
}
