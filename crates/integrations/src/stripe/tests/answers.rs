//! Answers that mean no, answers that mean nothing, and none at all. What answers mean that do what was asked is in the
//! module above.

use super::super::stand_in::{KEY, Mode, StandIn, error};
use super::super::wire::ANSWER_BYTES_MAX;
use super::super::{StripeConfig, StripeKey, StripeProvider};
use super::{REFUND, pi, purchase, refund_of, verdict};
use engine::ports::PaymentProvider;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn only_what_stripe_will_always_refuse_is_refused() {
    let said = |kind: &str, code: &str| error(kind, code, "words\nof Stripe").to_string();
    let huge = json!({ "id": "pi_7", "status": "succeeded", "amount": 1, "amount_received": 1, "currency": "usd",
                       "pad": "x".repeat(64 * ANSWER_BYTES_MAX) });
    for (status, body, expected, words) in [
        (400, said("invalid_request_error", "parameter_missing"), "refused", "parameter_missing: wordsof Stripe"),
        (402, said("card_error", "card_declined"), "refused", "card_declined"),
        (404, said("invalid_request_error", "resource_missing"), "refused", "resource_missing"),
        (400, said("idempotency_error", ""), "refused", "idempotency_error"),
        (401, said("invalid_request_error", ""), "unavailable", "does not accept the secret key"),
        (403, said("invalid_request_error", ""), "unavailable", "does not accept the secret key"),
        (403, "<html>".to_owned(), "unavailable", "does not accept the secret key"),
        (409, said("idempotency_error", "idempotency_key_in_use"), "unavailable", "409"),
        (429, said("invalid_request_error", "rate_limit"), "unavailable", "429"),
        (429, String::new(), "unavailable", "429"),
        (400, said("invalid_request_error", "lock_timeout"), "unavailable", "lock_timeout"),
        (400, said("rate_limit_error", ""), "unavailable", "rate_limit_error"),
        (400, said("api_error", ""), "unavailable", "api_error"),
        (400, "<html>".to_owned(), "unavailable", "no error that can be read"),
        (404, json!({ "error": "not found" }).to_string(), "unavailable", "no error that can be read"),
        (500, said("invalid_request_error", "parameter_missing"), "unavailable", "500"),
        (503, String::new(), "unavailable", "503"),
        (200, String::new(), "unavailable", "cannot be read"),
        (200, "<html>".to_owned(), "unavailable", "cannot be read"),
        (200, json!({ "id": "pi_7" }).to_string(), "unavailable", "cannot be read"),
        (304, String::new(), "unavailable", "304"),
        (200, huge.to_string(), "unavailable", "more than 65536 bytes"),
    ] {
        let stripe = StandIn::start(Mode::Says(status, body.clone())).await;
        let provider = stripe.provider();
        for (call, result) in [
            ("create", provider.create(&purchase()).await.map(|_| ())),
            ("state", provider.state(&pi("pi_7")).await.map(|_| ())),
            ("cancel", provider.cancel(&pi("pi_7")).await.map(|_| ())),
            ("refund", provider.refund(&refund_of("pi_7", REFUND)).await.map(|_| ())),
        ] {
            if call == "refund" && status == 200 && body.contains("pi_7") && body.len() < ANSWER_BYTES_MAX {
                // A refund needs no more than an id.
                continue;
            }
            let (is, why) = verdict(result);
            assert!(is == expected && why.contains(words), "{call}, {status}: {is} {why}");
            assert!(why.len() < 1_000 && !why.contains('\n'), "{why}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_the_question_is_none() {
    let intent = json!({ "id": "pi_7", "status": "succeeded", "amount": 99_900, "amount_received": 99_900,
                         "currency": "usd", "client_secret": "s" });
    let with = |field: &str, value: serde_json::Value| {
        let mut intent = intent.clone();
        intent.as_object_mut().expect("an object").insert(field.to_owned(), value);
        Mode::Says(200, intent.to_string())
    };
    let stripe = StandIn::start(with("id", json!("pi_7"))).await;
    let provider = stripe.provider();
    assert!(provider.create(&purchase()).await.is_ok());
    assert!(provider.state(&pi("pi_7")).await.is_ok());
    for (field, value) in [
        ("amount", json!(1)),
        ("currency", json!("eur")),
        ("currency", json!("us dollar")),
        ("id", json!("")),
        ("client_secret", json!(null)),
        ("client_secret", json!("s".repeat(600))),
    ] {
        stripe.inner().mode = with(field, value.clone());
        assert_eq!(verdict(provider.create(&purchase()).await).0, "unavailable", "{field}: {value}");
    }
    for (field, value) in [("id", json!("pi_8")), ("amount_received", json!(null)), ("amount_received", json!(-1))] {
        stripe.inner().mode = with(field, value.clone());
        assert_eq!(verdict(provider.state(&pi("pi_7")).await).0, "unavailable", "{field}: {value}");
    }
    for (refund, expected) in [("re_1", "failed", "refused"), ("re_1", "canceled", "refused"), ("", "", "unavailable")]
        .map(|(id, status, expected)| (json!({ "id": id, "status": status }), expected))
    {
        stripe.inner().mode = Mode::Says(200, refund.to_string());
        assert_eq!(verdict(provider.refund(&refund_of("pi_7", REFUND)).await).0, expected, "{refund}");
    }
}

#[tokio::test]
async fn who_hangs_or_is_not_there_is_asked_again_later() {
    let stripe = StandIn::start(Mode::Hangs).await;
    let hurried = stripe.provider_with(KEY, Duration::from_millis(50));
    let (is, why) = verdict(hurried.create(&purchase()).await);
    assert!(is == "unavailable" && why.contains("timed out"), "{why}");
    // Nothing listens on port 1 of a machine that runs tests; what does would not answer as Stripe.
    let nobody = StripeConfig {
        base_url: "http://127.0.0.1:1".to_owned(),
        ..StripeConfig::new(StripeKey::parse(KEY).expect("a key"))
    };
    let nobody = StripeProvider::new(&nobody).expect("a good configuration");
    assert_eq!(verdict(nobody.state(&pi("pi_7")).await).0, "unavailable");
}

#[tokio::test]
async fn the_key_and_the_request_are_not_carried_elsewhere() {
    let elsewhere = StandIn::start(Mode::Serves).await;
    let stripe = StandIn::start(Mode::RedirectsTo(format!("{}/v1/refunds", elsewhere.url))).await;
    assert_eq!(verdict(stripe.provider().refund(&refund_of("pi_7", REFUND)).await).0, "unavailable");
    assert_eq!(verdict(stripe.provider().state(&pi("pi_7")).await).0, "unavailable");
    assert!(elsewhere.inner().asked.is_empty());
}

#[tokio::test]
async fn a_wrong_key_gives_nothing_up() {
    let stripe = StandIn::start(Mode::Serves).await;
    let stranger = stripe.provider_with("sk_test_wrong", Duration::from_secs(60));
    let (is, why) = verdict(stranger.refund(&refund_of("pi_7", REFUND)).await);
    assert!(is == "unavailable" && why.contains("mend the key") && !why.contains("sk_test"), "{why}");
}

#[tokio::test]
async fn ids_that_lead_elsewhere_are_refused_without_asking() {
    let stripe = StandIn::start(Mode::Serves).await;
    for id in ["..", ".", "pi_1/cancel", "pi_1?expand[]=x", "pi_1#", "pi_1%2fcancel", "a\\b", "pay-1"] {
        assert_eq!(verdict(stripe.provider().state(&pi(id)).await).0, "refused", "{id}");
        assert_eq!(verdict(stripe.provider().cancel(&pi(id)).await).0, "refused", "{id}");
    }
    assert!(stripe.inner().asked.is_empty());
}
