//! One of every event of a partition's own stream.

use domain::bundle::{BundleLine, BundleTerms, NewBundle};
use domain::endpoint::{DisabledBy, EndpointEvent, EndpointNo, EndpointUrl, Notice, SigningSecret};
use domain::event::{PartitionEvent, Recorded};
use domain::idempotency::{Fingerprint, Idempotency};
use domain::identity::{BundleId, ItemKey, OrderId, ReservationId};
use domain::ids::{ItemNo, Ordinal, PartitionNo, Seq};
use domain::limits::{BUNDLE_LINES_MAX, CUSTOMER_ID_BYTES_MAX, PROVIDER_ID_BYTES_MAX, SKU_BYTES_MAX, UNIT_PRICE_MAX};
use domain::money::{Currency, Money};
use domain::payment::{Capture, PaymentEvent, PaymentReport, Provider, Told};
use domain::text::{CustomerId, PaymentId, ProviderEventId, Sku};
use domain::time::{DurationMs, Timestamp};
use domain::units::Quantity;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000 + millis)
}

fn money(minor: u64) -> Money {
    Money { minor, currency: Currency::parse("USD").expect("a currency") }
}

fn id() -> BundleId {
    BundleId::new(PartitionNo(2), 0x1234_5678_9abc_def0_1234_5678_9abc_def0)
}

fn line(sku: &str, counter: u32, minor: u64) -> BundleLine {
    let item = ItemNo::new(PartitionNo(1), counter).expect("a counter");
    BundleLine {
        sku: Sku::parse(sku).expect("a sku"),
        reservation: ReservationId::new(item, Ordinal(300), &ItemKey::from_bytes([3; 32])),
        quantity: Quantity::new(2).expect("a quantity"),
        amount: money(minor),
    }
}

fn held(customer: &str, lines: Vec<BundleLine>) -> Box<NewBundle> {
    let terms = BundleTerms {
        hold_time: DurationMs::from_secs(120),
        grace: DurationMs::from_secs(5),
        parked_window: DurationMs::from_secs(900),
        provider: Some(Provider::Stripe),
    };
    Box::new(NewBundle { id: id(), customer: CustomerId::parse(customer).expect("a customer"), lines, terms })
}

fn report(name: &str, told: Told) -> Box<PaymentReport> {
    let payment = PaymentId::parse(name).expect("a payment");
    let report = ProviderEventId::parse(name).expect("a report");
    Box::new(PaymentReport { provider: Provider::Generic, report, payment, told })
}

fn recorded(event: PartitionEvent) -> Recorded<PartitionEvent> {
    let idempotency = Idempotency { request: Fingerprint(1 << 100), content: Fingerprint(77) };
    Recorded { seq: Seq(7), at: at(0), idempotency: Some(idempotency), event }
}

fn name(event: &PartitionEvent) -> &'static str {
    match event {
        PartitionEvent::ItemRegistered { .. } => "ItemRegistered",
        PartitionEvent::PartitionKeyed { .. } => "PartitionKeyed",
        PartitionEvent::BundleHeld { .. } => "BundleHeld",
        PartitionEvent::BundleOrdered { .. } => "BundleOrdered",
        PartitionEvent::BundleCancelled { .. } => "BundleCancelled",
        PartitionEvent::BundleExpired { .. } => "BundleExpired",
        PartitionEvent::Payment { .. } => "BundlePayment",
        PartitionEvent::PaymentUnmatched { .. } => "PaymentUnmatched",
        PartitionEvent::Endpoint { event, .. } => match &**event {
            EndpointEvent::Added { .. } => "EndpointAdded",
            EndpointEvent::SecretRotated { .. } => "EndpointSecretRotated",
            EndpointEvent::Disabled { .. } => "EndpointDisabled",
            EndpointEvent::Enabled => "EndpointEnabled",
            EndpointEvent::Removed => "EndpointRemoved",
        },
        PartitionEvent::ClockResumed { .. } => "PartitionClockResumed",
    }
}

/// One of every event but `ItemRegistered`. The match above fails to compile when an event is added and not listed.
pub(crate) fn samples() -> Vec<(&'static str, Recorded<PartitionEvent>)> {
    let bundle = Ordinal(300);
    let lines = vec![line("lamp", 1, 5_000), line("vase", 2, 99_900)];
    let capture = Capture {
        provider: Provider::Stripe,
        payment: PaymentId::parse("pi_1").expect("a payment"),
        report: Some(ProviderEventId::parse("evt-1").expect("a report")),
        amount: money(104_900),
    };
    let captured = PaymentEvent::Captured { capture, amount_named: false };
    let events = [
        PartitionEvent::PartitionKeyed { key: ItemKey::from_bytes([0xcd; 32]) },
        PartitionEvent::BundleHeld { bundle, held: held("ann", lines), amount: money(104_900), deadline: at(120_000) },
        PartitionEvent::BundleOrdered { bundle, amount: money(104_900), release_at: at(125_000), amount_named: true },
        PartitionEvent::BundleCancelled { bundle },
        PartitionEvent::BundleExpired { bundle, release_at: at(125_000) },
        PartitionEvent::Payment { bundle, event: Box::new(captured) },
        PartitionEvent::PaymentUnmatched {
            order: OrderId::of_bundle(id()),
            report: report("x-1", Told::Captured(money(7))),
        },
        PartitionEvent::ClockResumed { from: at(0), to: at(5_000), release_floor: at(35_000) },
    ];
    let keyed = events.into_iter().map(|event| (name(&event), recorded(event)));
    // What happens to endpoints never comes with a key.
    let endpoints = endpoints()
        .into_iter()
        .map(|event| PartitionEvent::Endpoint { endpoint: EndpointNo(3), event: Box::new(event) });
    let endpoints = endpoints.map(|event| (name(&event), Recorded { idempotency: None, ..recorded(event) }));
    keyed.chain(endpoints).collect()
}

fn endpoints() -> Vec<EndpointEvent> {
    let added = EndpointEvent::Added {
        url: EndpointUrl::parse("https://example.com/hook").expect("an address"),
        notices: [Notice::OrderPaid, Notice::ItemClosed].into_iter().collect(),
        secret: SigningSecret::from_bytes([0xef; 32]),
    };
    vec![
        added,
        EndpointEvent::SecretRotated { secret: SigningSecret::from_bytes([0xee; 32]) },
        EndpointEvent::Disabled { by: DisabledBy::Gone },
        EndpointEvent::Enabled,
        EndpointEvent::Removed,
    ]
}

/// The longest that the domain's limits allow.
pub(crate) fn largest() -> Vec<Recorded<PartitionEvent>> {
    let sku = |number: usize| format!("{number:0>SKU_BYTES_MAX$}");
    let lines = (0..BUNDLE_LINES_MAX).map(|number| line(&sku(number), 1 << 23, UNIT_PRICE_MAX)).collect();
    let amount = money(UNIT_PRICE_MAX * BUNDLE_LINES_MAX as u64);
    let (bundle, customer) = (Ordinal(u32::MAX), "c".repeat(CUSTOMER_ID_BYTES_MAX));
    let held = PartitionEvent::BundleHeld { bundle, held: held(&customer, lines), amount, deadline: at(1 << 40) };
    let report = report(&"p".repeat(PROVIDER_ID_BYTES_MAX), Told::Refunded(amount));
    let unmatched = PartitionEvent::PaymentUnmatched { order: OrderId::of_bundle(id()), report };
    vec![recorded(held), recorded(unmatched)]
}
