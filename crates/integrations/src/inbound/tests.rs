//! Bodies as providers document them, and bodies as nobody should send them.

use super::*;
use domain::money::{Currency, Money};
use domain::payment::Told;
use serde_json::{Value, json};

const ORDER: &str = "ord_00000001000080008387a420dc79e2a1";

fn secret() -> WebhookSecret {
    WebhookSecret::parse("0123456789abcdef").expect("long enough")
}

/// Reads a body as this provider's, rightly signed.
fn read(provider: Provider, body: &Value) -> Result<Inbound, InboundError> {
    let (body, now) = (body.to_string(), Timestamp::from_millis(1_000_000));
    let header = sign(&secret(), now, body.as_bytes());
    let inboxes = Inboxes::default().with(provider, vec![secret()]);
    inboxes.read(provider, &Signed { header: Some(&header), body: body.as_bytes(), now })
}

/// A report in one line: event, payment, and what is told.
fn told(inbound: Result<Inbound, InboundError>) -> String {
    match inbound {
        Ok(Inbound::Report { order, report }) => {
            assert_eq!(order.to_string(), ORDER);
            let told = match report.told {
                Told::Captured(amount) => format!("captured {} {}", amount.minor, amount.currency.as_str()),
                Told::Refunded(amount) => format!("refunded {} {}", amount.minor, amount.currency.as_str()),
                Told::Failed => "failed".to_owned(),
                Told::Cancelled => "cancelled".to_owned(),
            };
            format!("{} {} {told}", report.report, report.payment)
        }
        Ok(Inbound::Ignored { .. }) => "ignored".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_generic_form_tells_of_captures_failures_and_refunds() {
    let body = |kind: &str| {
        json!({ "id": "evt-1", "type": kind, "order": ORDER, "payment": "pay-1",
                "amount": { "amount": 99_900, "currency": "USD" }, "something": "else" })
    };
    for (kind, expected) in [
        ("payment.captured", "evt-1 pay-1 captured 99900 USD"),
        ("payment.refunded", "evt-1 pay-1 refunded 99900 USD"),
        ("payment.failed", "evt-1 pay-1 failed"),
        ("payment.cancelled", "evt-1 pay-1 cancelled"),
        ("payment.dreamt_of", "ignored"),
    ] {
        assert_eq!(told(read(Provider::Generic, &body(kind))), expected);
        assert_eq!(told(read(Provider::Simulated, &body(kind))), expected);
    }
}

#[test]
fn what_names_no_order_of_ours_is_ignored_and_what_lacks_a_part_is_refused() {
    let amount = json!({ "amount": 1, "currency": "USD" });
    let with = |order: Value| json!({ "id": "e", "type": "payment.captured", "order": order, "payment": "p", "amount": amount });
    assert_eq!(told(read(Provider::Generic, &with(json!("4711")))), "ignored");
    assert_eq!(told(read(Provider::Generic, &with(Value::Null))), "ignored");
    for (body, expected) in [
        (json!({ "id": "e", "type": "payment.captured", "order": ORDER, "payment": "p" }), "/amount: is missing"),
        (json!({ "id": "e", "type": "payment.failed", "order": ORDER }), "/payment: is missing"),
        (json!({ "id": "", "type": "payment.failed", "order": ORDER, "payment": "p" }), "/id: must not be empty"),
    ] {
        assert_eq!(told(read(Provider::Generic, &body)), expected);
    }
    let wrong = json!({ "id": "e", "type": "payment.captured", "order": ORDER, "payment": "p",
                        "amount": { "amount": 1, "currency": "usd" } });
    assert!(told(read(Provider::Generic, &wrong)).starts_with("/amount/currency: "));
    for body in [json!([]), json!({}), json!({ "id": 7, "type": "payment.failed" }), json!("x")] {
        assert!(matches!(read(Provider::Generic, &body), Err(InboundError::Body { .. })), "{body}");
    }
}

fn stripe(id: &str, kind: &str, object: &Value) -> Value {
    json!({ "id": id, "object": "event", "api_version": "2024-06-20", "created": 1, "type": kind,
            "data": { "object": object }, "livemode": false, "pending_webhooks": 1 })
}

#[test]
fn stripes_events_of_one_capture_name_one_payment() {
    let intent = json!({ "id": "pi_1", "object": "payment_intent", "amount": 99_900, "amount_received": 99_900,
                         "currency": "usd", "metadata": { "order": ORDER }, "status": "succeeded" });
    let charge = json!({ "id": "ch_1", "object": "charge", "amount": 99_900, "amount_captured": 99_900,
                         "amount_refunded": 99_900, "currency": "usd", "metadata": { "order": ORDER },
                         "payment_intent": "pi_1" });
    for (kind, object, expected) in [
        ("payment_intent.succeeded", &intent, "evt_1 pi_1 captured 99900 USD"),
        ("charge.succeeded", &charge, "evt_1 pi_1 captured 99900 USD"),
        ("charge.captured", &charge, "evt_1 pi_1 captured 99900 USD"),
        ("charge.refunded", &charge, "evt_1 pi_1 refunded 99900 USD"),
        ("payment_intent.payment_failed", &intent, "evt_1 pi_1 failed"),
        ("payment_intent.canceled", &intent, "evt_1 pi_1 cancelled"),
        ("customer.created", &json!({ "id": "cus_1" }), "ignored"),
    ] {
        assert_eq!(told(read(Provider::Stripe, &stripe("evt_1", kind, object))), expected, "{kind}");
    }
}

#[test]
fn a_charge_that_is_only_authorised_and_an_intent_of_somebody_else_are_ignored() {
    let authorised = json!({ "id": "ch_1", "amount": 5, "amount_captured": 0, "currency": "usd",
                             "metadata": { "order": ORDER }, "payment_intent": "pi_1" });
    assert_eq!(told(read(Provider::Stripe, &stripe("evt_1", "charge.succeeded", &authorised))), "ignored");
    for metadata in [Value::Null, json!({}), json!({ "order": "4711" })] {
        let intent = json!({ "id": "pi_1", "amount_received": 5, "currency": "usd", "metadata": metadata });
        assert_eq!(told(read(Provider::Stripe, &stripe("evt_1", "payment_intent.succeeded", &intent))), "ignored");
    }
}

#[test]
fn the_signature_is_checked_before_the_body_and_nobody_is_listened_to_by_default() {
    let now = Timestamp::from_millis(1_000_000);
    let inboxes = Inboxes::default().with(Provider::Stripe, vec![secret()]);
    assert!(inboxes.listens_to(Provider::Stripe) && !inboxes.listens_to(Provider::Generic));
    assert!(!inboxes.clone().with(Provider::External, vec![secret()]).listens_to(Provider::External));
    let unsigned = inboxes.read(Provider::Stripe, &Signed { header: None, body: b"not json", now });
    assert_eq!(unsigned, Err(InboundError::Signature(SignatureError::Missing { header: "Stripe-Signature" })));
    let header = sign(&secret(), now, b"not json");
    let signed = inboxes.read(Provider::Stripe, &Signed { header: Some(&header), body: b"not json", now });
    assert_eq!(told(signed), ": is not JSON: it goes wrong at line 1, column 2");
}

#[test]
fn amounts_are_minor_units_in_an_upper_case_currency() {
    let intent = json!({ "id": "pi_1", "amount_received": 500, "currency": "jpy", "metadata": { "order": ORDER } });
    let Ok(Inbound::Report { report, .. }) = read(Provider::Stripe, &stripe("e", "payment_intent.succeeded", &intent))
    else {
        panic!("a report");
    };
    let yen = Money { minor: 500, currency: Currency::parse("JPY").expect("a currency") };
    assert_eq!(report.told, Told::Captured(yen));
}
