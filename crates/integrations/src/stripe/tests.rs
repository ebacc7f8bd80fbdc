//! What is asked of Stripe, and what its answers mean. What does not count as an answer is in `answers`, and what
//! cannot be configured in `setup`.

mod answers;
mod setup;

use super::stand_in::{Form, Mode, StandIn};
use super::*;
use domain::identity::{OrderId, RefundId};
use domain::money::{Currency, Money};
use domain::text::CustomerId;
use domain::time::Timestamp;
use engine::ports::ProviderError::{Refused, Unavailable};

const ORDER: &str = "ord_00000001000080008387a420dc79e2a1";
const REFUND: &str = "rfd_00000001000080008387a420dc79e2a1";
const OTHER_REFUND: &str = "rfd_00000001000080008387a420dc79e2a2";

fn usd(minor: u64) -> Money {
    Money { minor, currency: Currency::parse("USD").expect("a currency") }
}

fn pi(id: &str) -> PaymentId {
    PaymentId::parse(id).expect("an id")
}

fn purchase() -> PaymentRequest {
    PaymentRequest {
        order: OrderId::parse(ORDER).expect("an id"),
        amount: usd(99_900),
        customer: CustomerId::parse("alice&amount=1").expect("an id"),
        description: "2 × \"iPhone\" & case".to_owned(),
        expires_at: Timestamp::from_millis(1_000_000),
    }
}

fn refund_of(payment: &str, refund: &str) -> RefundRequest {
    let (refund, order) = (RefundId::parse(refund).expect("an id"), OrderId::parse(ORDER).expect("an id"));
    RefundRequest { refund, order, payment: pi(payment), amount: usd(99_900) }
}

/// Whether to ask again, and why.
fn verdict<T: std::fmt::Debug>(result: Result<T, ProviderError>) -> (&'static str, String) {
    match result {
        Ok(done) => panic!("that should not have been done: {done:?}"),
        Err(Refused(why)) => ("refused", why),
        Err(Unavailable(why)) => ("unavailable", why),
    }
}

#[tokio::test]
async fn an_opportunity_is_asked_for_with_all_that_stripe_and_our_webhooks_need() {
    let stripe = StandIn::start(Mode::Serves).await;
    let opportunity = stripe.provider().create(&purchase()).await.expect("created");
    assert_eq!((opportunity.payment.as_str(), opportunity.client.client_secret()), ("pi_0", Some("pi_0_secret_x")));
    assert_eq!(opportunity.client.url(), None);
    let form: Form = [
        ("amount", "99900"),
        ("currency", "usd"),
        ("metadata[order]", ORDER),
        ("metadata[customer]", "alice&amount=1"),
        ("description", "2 × \"iPhone\" & case"),
        ("automatic_payment_methods[enabled]", "true"),
    ]
    .map(|(field, value)| (field.to_owned(), value.to_owned()))
    .into();
    assert_eq!(stripe.inner().asked, [("POST /v1/payment_intents".to_owned(), ORDER.to_owned(), form)]);
}

#[tokio::test]
async fn asked_twice_stripe_gives_the_same_opportunity() {
    let stripe = StandIn::start(Mode::Serves).await;
    let first = stripe.provider().create(&purchase()).await;
    assert!(first.is_ok());
    assert_eq!(stripe.provider().create(&purchase()).await, first, "also after a restart");
    assert_eq!(stripe.inner().intents.len(), 1);
    let (verdict, why) = verdict(stripe.provider().create(&PaymentRequest { amount: usd(1_000), ..purchase() }).await);
    assert_eq!(verdict, "refused", "an order does not change its price");
    assert!(why.contains("idempotency_error"), "{why}");
}

#[tokio::test]
async fn after_failures_and_lost_answers_asking_again_gives_one_opportunity_and_one_refund() {
    for mode in [Mode::Fails(2), Mode::LosesAnswers(2)] {
        let stripe = StandIn::start(mode.clone()).await;
        let provider = stripe.provider();
        for _ in 0..2 {
            assert_eq!(verdict(provider.create(&purchase()).await).0, "unavailable");
        }
        assert_eq!(provider.create(&purchase()).await.expect("created").payment, pi("pi_0"));
        assert_eq!(stripe.inner().intents.len(), 1);
        stripe.set("pi_0", "succeeded", 99_900);
        stripe.inner().mode = mode;
        for _ in 0..2 {
            assert_eq!(verdict(provider.refund(&refund_of("pi_0", REFUND)).await).0, "unavailable");
        }
        assert_eq!(provider.refund(&refund_of("pi_0", REFUND)).await.as_deref(), Ok("re_1"));
    }
}

#[tokio::test]
async fn a_long_description_is_cut_and_an_empty_one_left_out() {
    let stripe = StandIn::start(Mode::Serves).await;
    let long = PaymentRequest { description: "é".repeat(DESCRIPTION_CHARS_MAX + 1), ..purchase() };
    assert!(stripe.provider().create(&long).await.is_ok());
    let empty = PaymentRequest { description: String::new(), ..purchase() };
    let _ = stripe.provider().create(&empty).await;
    let inner = stripe.inner();
    let sent: Vec<_> = inner.asked.iter().map(|(_, _, form)| form.get("description")).collect();
    assert_eq!(sent, [Some(&"é".repeat(DESCRIPTION_CHARS_MAX)), None]);
}

#[tokio::test]
async fn the_state_of_a_payment_is_that_of_its_intent() {
    let stripe = StandIn::start(Mode::Serves).await;
    for (status, expected) in [
        ("requires_payment_method", PaymentState::Open),
        ("requires_confirmation", PaymentState::Open),
        ("requires_action", PaymentState::Open),
        ("processing", PaymentState::Open),
        ("requires_capture", PaymentState::Open),
        ("something_new", PaymentState::Open),
        ("canceled", PaymentState::Cancelled),
        ("succeeded", PaymentState::Captured(usd(99_800))),
    ] {
        stripe.set("pi_7", status, 99_800);
        assert_eq!(stripe.provider().state(&pi("pi_7")).await, Ok(expected), "{status}");
    }
    let (verdict, why) = verdict(stripe.provider().state(&pi("pi_8")).await);
    assert!(verdict == "refused" && why.contains("resource_missing"), "{verdict}: {why}");
}

#[tokio::test]
async fn what_is_paid_is_not_withdrawn_and_what_is_withdrawn_stays_so() {
    let stripe = StandIn::start(Mode::Serves).await;
    let provider = stripe.provider();
    for (status, expected) in [
        ("requires_payment_method", Ok(Withdrawn::Cancelled)),
        ("canceled", Ok(Withdrawn::Cancelled)),
        ("succeeded", Ok(Withdrawn::AlreadyPaid)),
        ("processing", Err("unavailable")),
    ] {
        stripe.set("pi_7", status, 99_900);
        for _ in 0..2 {
            let withdrawn = provider.cancel(&pi("pi_7")).await;
            assert_eq!(withdrawn.map_err(|error| verdict::<()>(Err(error)).0), expected, "{status}");
        }
    }
    assert_eq!(verdict(provider.cancel(&pi("pi_8")).await).0, "refused", "there is no such intent");
}

#[tokio::test]
async fn money_goes_back_once_however_often_it_is_asked() {
    let stripe = StandIn::start(Mode::Serves).await;
    stripe.set("pi_7", "succeeded", 99_900);
    for _ in 0..2 {
        assert_eq!(stripe.provider().refund(&refund_of("pi_7", REFUND)).await.as_deref(), Ok("re_1"));
    }
    let form: Form = [("payment_intent", "pi_7"), ("amount", "99900"), ("metadata[refund]", REFUND)]
        .map(|(field, value)| (field.to_owned(), value.to_owned()))
        .into();
    assert_eq!(stripe.inner().asked.first(), Some(&("POST /v1/refunds".to_owned(), REFUND.to_owned(), form)));
    // As after a day, when Stripe has forgotten the key, or after somebody refunded in the dashboard.
    let late = stripe.provider().refund(&refund_of("pi_7", OTHER_REFUND)).await;
    assert_eq!(late.as_deref(), Ok(OTHER_REFUND));
}
