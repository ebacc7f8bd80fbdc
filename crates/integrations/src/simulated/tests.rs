//! The simulated provider against a receiver that believes only what is signed.

use super::*;
use crate::inbound::{Inbound, Inboxes, Signed};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use domain::identity::{BundleId, ItemKey, OrderId, RefundId};
use domain::ids::{ItemNo, PartitionNo};
use domain::money::Currency;
use domain::payment::Told;
use domain::text::CustomerId;
use domain::time::Timestamp;

/// What a receiver heard: reports, in the order in which they came.
#[derive(Clone, Default)]
struct Heard {
    reports: Arc<Mutex<Vec<(String, Told)>>>,
    refuses: Arc<AtomicUsize>,
}

fn secret() -> WebhookSecret {
    WebhookSecret::parse("0123456789abcdef").expect("long enough")
}

async fn hear(State(heard): State<Heard>, headers: HeaderMap, body: axum::body::Bytes) -> StatusCode {
    let fails = |left: usize| left.checked_sub(1);
    if heard.refuses.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails).is_ok() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let header = headers.get("Webhook-Signature").and_then(|value| value.to_str().ok());
    let inboxes = Inboxes::default().with(Provider::Simulated, vec![secret()]);
    match inboxes.read(Provider::Simulated, &Signed { header, body: &body, now: callback::now() }) {
        Ok(Inbound::Report { report, .. }) => {
            let mut reports = heard.reports.lock().expect("no panic");
            reports.push((report.report.as_str().to_owned(), report.told));
            StatusCode::OK
        }
        other => panic!("not a report: {other:?}"),
    }
}

async fn receiver() -> (String, Heard) {
    let heard = Heard::default();
    let app = Router::new().route("/v1/payments/webhooks/simulated", post(hear)).with_state(heard.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (at, heard)
}

fn money(minor: u64) -> Money {
    Money { minor, currency: Currency::parse("EUR").expect("a currency") }
}

fn request(number: u128) -> PaymentRequest {
    PaymentRequest {
        order: OrderId::of_bundle(BundleId::new(PartitionNo(0), number)),
        amount: money(500),
        customer: CustomerId::parse("ann").expect("a customer"),
        description: "1 × lamp".to_owned(),
        expires_at: Timestamp::from_millis(0),
    }
}

async fn provider(rates: Rates) -> (SimulatedProvider, Heard) {
    let (base_url, heard) = receiver().await;
    let config = SimulatedConfig { base_url, secret: secret(), seed: 1, rates };
    (SimulatedProvider::new(config).expect("a client"), heard)
}

#[tokio::test]
async fn a_customer_who_presses_the_button_is_charged_once_and_the_server_hears_of_it() {
    let (provider, heard) = provider(Rates::none()).await;
    let first = provider.create(&request(1)).await.expect("an opportunity");
    assert_eq!(provider.create(&request(1)).await, Ok(first.clone()), "asked twice, the same one");
    assert!(first.client.url().is_some_and(|url| url.ends_with(&format!("/simulated/pay/{}", first.payment))));
    assert_eq!(provider.press(&first.payment).await, Pressed::Charged);
    assert_eq!(provider.press(&first.payment).await, Pressed::Charged);
    provider.idle().await;
    assert_eq!(heard.reports.lock().expect("no panic").len(), 1);
    assert_eq!(provider.totals(), Totals { captures: 1, captured: 500, ..Totals::default() });
    assert_eq!(provider.cancel(&first.payment).await, Ok(Withdrawn::AlreadyPaid));
}

#[tokio::test]
async fn a_callback_may_come_before_the_page_answers_or_never_and_who_asks_is_told() {
    for (rates, reports) in
        [(Rates { early: 1_000, ..Rates::none() }, 1), (Rates { silent: 1_000, ..Rates::none() }, 0)]
    {
        let (provider, heard) = provider(rates).await;
        let payment = provider.create(&request(1)).await.expect("an opportunity").payment;
        assert_eq!(provider.press(&payment).await, Pressed::Charged);
        assert_eq!(heard.reports.lock().expect("no panic").len(), reports);
        assert_eq!(provider.state(&payment).await, Ok(PaymentState::Captured(money(500))));
    }
}

#[tokio::test]
async fn a_callback_that_is_not_taken_is_sent_again_with_the_same_id() {
    let (provider, heard) = provider(Rates { duplicate: 1_000, ..Rates::none() }).await;
    heard.refuses.store(2, Ordering::SeqCst);
    let payment = provider.create(&request(1)).await.expect("an opportunity").payment;
    provider.press(&payment).await;
    provider.idle().await;
    let reports = heard.reports.lock().expect("no panic").clone();
    assert!(reports.len() >= 2, "{reports:?}");
    assert!(
        reports
            .iter()
            .all(|(id, told)| *id == format!("evt_{payment}_captured") && *told == Told::Captured(money(500)))
    );
}

#[tokio::test]
async fn a_declined_card_is_told_of_and_the_second_attempt_succeeds() {
    let (provider, heard) = provider(Rates { decline: 1_000, ..Rates::none() }).await;
    let payment = provider.create(&request(1)).await.expect("an opportunity").payment;
    assert_eq!(provider.press(&payment).await, Pressed::Declined);
    provider.idle().await;
    assert_eq!(provider.press(&payment).await, Pressed::Charged);
    provider.idle().await;
    let told: Vec<Told> = heard.reports.lock().expect("no panic").iter().map(|(_, told)| *told).collect();
    assert_eq!(told, [Told::Failed, Told::Captured(money(500))]);
}

#[tokio::test]
async fn a_withdrawn_payment_cannot_be_used_and_money_goes_back_once() {
    let (provider, _) = provider(Rates::none()).await;
    let withdrawn = provider.create(&request(1)).await.expect("an opportunity").payment;
    assert_eq!(provider.cancel(&withdrawn).await, Ok(Withdrawn::Cancelled));
    assert!(matches!(provider.press(&withdrawn).await, Pressed::Closed(_)));
    assert_eq!(provider.state(&withdrawn).await, Ok(PaymentState::Cancelled));

    let paid = provider.create(&request(2)).await.expect("an opportunity").payment;
    provider.press(&paid).await;
    let refund = |capture| RefundRequest {
        refund: RefundId::new(ItemNo::from_u32(1), capture, &ItemKey::from_bytes([1; 32])),
        order: request(2).order,
        payment: paid.clone(),
        amount: money(500),
    };
    let reference = provider.refund(&refund(0)).await.expect("given back");
    assert_eq!(provider.refund(&refund(0)).await, Ok(reference), "asked twice, once");
    assert!(matches!(provider.refund(&refund(1)).await, Err(ProviderError::Refused(_))));
    assert_eq!(provider.totals().refunded, 500);
}
