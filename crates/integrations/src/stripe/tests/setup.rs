//! What can be configured and what cannot, and that the key stays hidden. No server is needed for that.

use super::super::{STRIPE_API, StripeConfig, StripeKey, StripeProvider};

fn config(key: &str) -> StripeConfig {
    StripeConfig::new(StripeKey::parse(key).expect("a key"))
}

#[test]
fn the_key_is_never_shown() {
    let config = config("sk_live_veryverysecret");
    let provider = StripeProvider::new(&config).expect("a good configuration");
    for shown in [format!("{config:?}"), format!("{provider:?}"), format!("{:?}", provider.client)] {
        assert!(!shown.contains("veryverysecret"), "{shown}");
    }
}

#[test]
fn a_configuration_that_cannot_work_or_would_show_the_key_is_refused() {
    for key in ["", "pk_live_1", "whsec_1", "sk_live_1\n", "sk_live_\u{e9}", &format!("sk_{}", "x".repeat(300))] {
        let error = StripeKey::parse(key).expect_err(key);
        assert!(key.is_empty() || !error.to_string().contains(key), "{error}");
    }
    for (key, url, good) in [
        ("sk_live_1", STRIPE_API, true),
        ("rk_live_1", "https://stripe.example/proxy/", true),
        ("sk_live_1", "http://127.0.0.1:1", false),
        ("sk_test_1", "http://127.0.0.1:1", true),
        ("sk_test_1", "http://stripe-mock:12111", true),
        ("sk_test_1", "ftp://stripe.example", false),
        ("sk_test_1", "api.stripe.com", false),
        ("sk_test_1", "", false),
        ("sk_test_1", "https://user:word@stripe.example", false),
        ("sk_test_1", "https://stripe.example/?q", false),
        ("sk_test_1", "https://stripe.example/#f", false),
    ] {
        let made = StripeProvider::new(&StripeConfig { base_url: url.to_owned(), ..config(key) });
        assert_eq!(made.is_ok(), good, "{key} {url}: {made:?}");
    }
}
