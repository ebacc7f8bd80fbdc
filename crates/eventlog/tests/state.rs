//! Stored state: the way there and back, and arbitrary bytes.

use domain::bundle::{BundleLine, BundleTerms, NewBundle};
use domain::endpoint::{DisabledBy, Endpoint, EndpointNo, EndpointUrl, Endpoints, Notice, SigningSecret};
use domain::event::LapseReason;
use domain::idempotency::{Acceptance, Answered, Entry, Fingerprint, PaidThen};
use domain::identity::{BundleId, ItemKey, OrderId, ReservationId};
use domain::ids::{CaptureNo, ItemNo, Ordinal, PartitionNo, Revision, Seq};
use domain::item::{
    CustomerParts, HoldParts, IdempotencyParts, ItemHead, ItemParts, Phase, ReservationParts, SaleParts, StateParts,
};
use domain::money::{Currency, Money};
use domain::partition::{BundleAnswered, BundleParts, BundleStateParts, PartitionIdempotencyParts, PartitionParts};
use domain::payment::{
    BooksParts, Capture, CaptureRecord, ClientData, EarlyRefund, LateRefusal, MoneyPlace, Offer, OrderBook,
    PaymentReport, Provider, RefundReason, SettledBy, Told,
};
use domain::policy::{ExtensionPolicy, Policy, Settings};
use domain::text::{CustomerId, ItemName, PaymentId, ProviderEventId, RefundReference, Sku};
use domain::time::{DurationMs, Timestamp};
use domain::units::{Quantity, Units};
use domain::views::{ItemStatus, ItemView, UnmatchedPayment};
use eventlog::{decode_item, decode_partition, encode_item, encode_partition};
use proptest::prelude::*;
use std::sync::Arc;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000 + millis)
}

fn units(count: u32) -> Units {
    Units::new(count).expect("units")
}

/// One reservation in every state there is.
fn states() -> Vec<StateParts> {
    let hold = HoldParts {
        deadline: at(9_000),
        ordered_at: Some(at(5)),
        extension: ExtensionPolicy { times: 1, by: DurationMs::from_secs(60) },
        grace: DurationMs::from_secs(5),
    };
    vec![
        StateParts::Waiting,
        StateParts::Held(hold),
        StateParts::Confirmed(SaleParts { ordered_at: at(7), returned: true }),
        StateParts::Part,
        StateParts::Cancelled { ordered_at: None },
        StateParts::Expired { ordered_at: Some(at(8)) },
        StateParts::Lapsed(LapseReason::SaleClosed),
    ]
}

/// A capture in every place there is, and all that is known besides.
fn books() -> BooksParts {
    let amount = Money { minor: 100, currency: Currency::parse("EUR").expect("a currency") };
    let payment = |no: u8| PaymentId::parse(&format!("pay-{no}")).expect("a payment");
    let report = ProviderEventId::parse("evt-1").expect("a report");
    let (since, reason) = (at(3), RefundReason::Late(LateRefusal::OthersWait));
    let reference = RefundReference::parse("re_1").expect("a reference");
    let places = [
        MoneyPlace::Parked { until: at(900) },
        MoneyPlace::Kept,
        MoneyPlace::Due { reason: RefundReason::WrongAmount { expected: amount }, since },
        MoneyPlace::Refunded { reason, since, at: at(4), by: SettledBy::Provider { reference } },
    ];
    let record = |(no, place)| CaptureRecord {
        owner: Ordinal(1),
        capture: Capture { provider: Provider::Stripe, payment: payment(no), report: Some(report.clone()), amount },
        at: at(2),
        place,
        payer: Provider::Generic,
        reports: no,
        disputed: no == 1,
    };
    let client = ClientData::new(Some("https://pay.example".to_owned()), None).expect("short");
    let book = OrderBook {
        offer: Some(Offer { provider: Provider::Simulated, payment: payment(9), client }),
        captures: (0..4).map(CaptureNo).collect(),
        failures: 3,
        early_refunds: 1,
    };
    BooksParts {
        captures: (0..).zip(places).map(record).collect(),
        orders: vec![(Ordinal(1), book)],
        reports: vec![(Provider::Stripe, report.clone())],
        early: vec![(Provider::Generic, payment(8), EarlyRefund { owner: Ordinal(1), amount })],
        given_back: vec![CaptureNo(2)],
    }
}

fn sku() -> Sku {
    Sku::parse("iphone-15").expect("a sku")
}

fn settings() -> Settings {
    Settings {
        name: ItemName::parse("iPhone 15 Pro — 256 GB").expect("a name"),
        unit_price: Money { minor: 99_900, currency: Currency::parse("USD").expect("a currency") },
        policy: Policy::default(),
        opens_at: None,
        closes_at: Some(at(100)),
    }
}

/// One answer of every kind there is.
fn answers() -> Vec<Answered> {
    let reservation = Ordinal(3);
    let status = ItemStatus {
        phase: Phase::Paused,
        total: units(9),
        available: units(1),
        held: units(3),
        sold: units(5),
        waiting: 17,
        revision: Revision(4),
    };
    vec![
        Answered::Held { reservation, expires_at: at(1), ordered_at: None },
        Answered::Waiting { reservation, position: 8, estimated_wait_s: 90 },
        Answered::Cancelled { reservation },
        Answered::Ordered { reservation, expires_at: at(2) },
        Answered::Paid { reservation },
        Answered::RefundDue { reservation, capture: CaptureNo(9), paid: Some(PaidThen::Paid) },
        Answered::Settled { capture: CaptureNo(9) },
        Answered::Refunded { reservation, capture: CaptureNo(9) },
        // Seq(5) and at(3) are the acceptance's own, below.
        Answered::Item(Box::new(ItemView {
            sku: sku(),
            status,
            settings: Arc::new(settings()),
            sequence: Seq(5),
            at: at(3),
        })),
    ]
}

fn parts() -> ItemParts {
    let reservation = |(customer, state)| ReservationParts {
        customer,
        quantity: Quantity::ONE,
        accepted_at: at(1),
        changed: Seq(70_000),
        state,
    };
    let accepted = |(request, answered)| {
        let acceptance = Acceptance { seq: Seq(5), at: at(3), answered };
        IdempotencyParts { request: Fingerprint(request), entry: Entry { content: Fingerprint(u128::MAX), acceptance } }
    };
    let head = ItemHead {
        no: ItemNo::new(PartitionNo(2), 7).expect("a counter"),
        key: ItemKey::from_bytes([0xee; 32]),
        sku: sku(),
        settings: settings(),
        phase: Phase::Open,
        total: units(1_000),
        revision: Revision(2),
        seq: Seq(123_456),
        now: at(50),
        freed_by: Seq(0),
    };
    ItemParts {
        head,
        customers: (0..7)
            .map(|no: u8| CustomerParts {
                id: CustomerId::parse(&format!("customer-{no}")).expect("a customer"),
                expiries_in_row: no,
                cooling_until: at(u64::from(no)),
            })
            .collect(),
        reservations: (0..).zip(states()).map(reservation).collect(),
        books: books(),
        bundled: vec![(Ordinal(3), BundleId::new(PartitionNo(1), 77))],
        idempotency: (1..).zip(answers()).map(accepted).collect(),
    }
}

#[test]
fn an_item_comes_back_as_it_went_in() {
    let bytes = encode_item(&parts());
    assert_eq!(decode_item(&bytes), Ok(parts()));
    assert_eq!(encode_item(&decode_item(&bytes).expect("it decodes")), bytes, "one spelling");
}

#[test]
fn items_of_any_size_stay_within_what_decoding_may_claim() {
    let smallest = ReservationParts {
        customer: 0,
        quantity: Quantity::ONE,
        accepted_at: Timestamp::from_millis(0),
        changed: Seq(0),
        state: StateParts::Held(HoldParts {
            deadline: Timestamp::from_millis(0),
            ordered_at: None,
            extension: ExtensionPolicy { times: 0, by: DurationMs::ZERO },
            grace: DurationMs::ZERO,
        }),
    };
    // On both sides of every step of the limit that a test can reach quickly.
    for count in [1, 5_000, 8_000, 90_000, 130_000] {
        let item = ItemParts { reservations: std::iter::repeat_n(smallest.clone(), count).collect(), ..parts() };
        assert_eq!(decode_item(&encode_item(&item)), Ok(item), "{count} reservations");
    }
}

/// A bundle in every state, an answer of every kind, and a report of every kind.
fn partition_parts() -> PartitionParts {
    let item = |counter| ItemNo::new(PartitionNo(3), counter).expect("a counter");
    let amount = Money { minor: 100, currency: Currency::parse("EUR").expect("a currency") };
    let line = |counter| BundleLine {
        sku: sku(),
        reservation: ReservationId::new(item(counter), Ordinal(counter), &ItemKey::from_bytes([2; 32])),
        quantity: Quantity::ONE,
        amount,
    };
    let terms = BundleTerms {
        hold_time: DurationMs::from_secs(120),
        grace: DurationMs::from_secs(3),
        parked_window: DurationMs::from_secs(7),
        provider: None,
    };
    let held = |number: u32| NewBundle {
        id: BundleId::new(PartitionNo(3), u128::from(number) << 64),
        customer: CustomerId::parse("ann").expect("a customer"),
        lines: vec![line(1), line(2)],
        terms,
    };
    let states = [
        BundleStateParts::Held { deadline: at(9), ordered_at: None },
        BundleStateParts::Confirmed { ordered_at: at(8), returned: true },
        BundleStateParts::Cancelled { ordered_at: Some(at(7)) },
        BundleStateParts::Expired { ordered_at: None },
    ];
    let bundle = |(number, state)| BundleParts {
        held: held(number),
        amount: Money { minor: 200, ..amount },
        accepted_at: at(1),
        changed: Seq(70_000),
        state,
    };
    let (bundle_no, capture, expires_at) = (Ordinal(3), CaptureNo(9), at(5));
    let answers = [
        BundleAnswered::Held { bundle: bundle_no, expires_at },
        BundleAnswered::Cancelled { bundle: bundle_no },
        BundleAnswered::Ordered { bundle: bundle_no, expires_at },
        BundleAnswered::Paid { bundle: bundle_no },
        BundleAnswered::RefundDue { bundle: bundle_no, capture, paid: Some(PaidThen::Paid) },
        BundleAnswered::Settled { capture },
        BundleAnswered::Refunded { bundle: bundle_no, capture },
    ];
    let accepted = |(request, answered)| {
        let acceptance = Acceptance { seq: Seq(5), at: at(3), answered };
        let entry = Entry { content: Fingerprint(u128::MAX), acceptance };
        PartitionIdempotencyParts { request: Fingerprint(request), entry }
    };
    let unmatched = |told| UnmatchedPayment {
        at: at(4),
        order: OrderId::of_bundle(BundleId::new(PartitionNo(0), 1)),
        report: PaymentReport {
            provider: Provider::Generic,
            report: ProviderEventId::parse("evt-1").expect("a report"),
            payment: PaymentId::parse("pay-1").expect("a payment"),
            told,
        },
    };
    PartitionParts {
        no: PartitionNo(3),
        seq: Seq(2),
        now: at(4),
        items: vec![(Sku::parse("a").expect("a sku"), item(2)), (Sku::parse("b").expect("a sku"), item(1))],
        key: Some(ItemKey::from_bytes([0xaa; 32])),
        bundles: (0..).zip(states).map(bundle).collect(),
        books: books(),
        idempotency: (1..).zip(answers).map(accepted).collect(),
        unmatched: [Told::Captured(amount), Told::Failed, Told::Cancelled, Told::Refunded(amount)]
            .into_iter()
            .map(unmatched)
            .collect(),
        endpoints: endpoints(),
    }
}

/// Endpoints on and off, with one secret and with two.
fn endpoints() -> Endpoints {
    let endpoint = |no, disabled| Endpoint {
        no: EndpointNo(no),
        url: EndpointUrl::parse("https://example.com/hook").expect("an address"),
        notices: [Notice::OrderPaid, Notice::ItemClosed].into_iter().take(no as usize).collect(),
        secrets: (0..no as u8).map(|byte| SigningSecret::from_bytes([byte; 32])).collect(),
        since: at(7),
        disabled,
    };
    Endpoints::from_parts(vec![endpoint(1, None), endpoint(2, Some(DisabledBy::Unreachable))], 3)
}

#[test]
fn a_partition_comes_back_as_it_went_in() {
    let parts = partition_parts();
    let bytes = encode_partition(&parts);
    assert_eq!(decode_partition(&bytes), Ok(parts));
    for len in 0..bytes.len() {
        assert!(decode_partition(bytes.get(..len).expect("in range")).is_err(), "{len} bytes");
    }
}

#[test]
fn endpoints_out_of_order_or_there_twice_are_refused_and_none_is_dropped_in_silence() {
    let (parts, url) = (partition_parts(), b"https://example.com/hook");
    let bytes = encode_partition(&parts);
    let numbers: Vec<usize> = (2..bytes.len()).filter(|at| bytes.get(*at..*at + url.len()) == Some(url)).collect();
    assert_eq!(numbers.len(), 2, "two endpoints");
    // An endpoint's number stands before its address and that one's length.
    let mut twice = bytes.clone();
    numbers.last().and_then(|at| twice.get_mut(at - 2)).map(|no| *no = 1).expect("a number");
    assert!(decode_partition(&twice).is_err());
    let mut falling = bytes;
    numbers.first().and_then(|at| falling.get_mut(at - 2)).map(|no| *no = 3).expect("a number");
    assert!(decode_partition(&falling).is_err());
}

#[test]
fn state_cut_short_anywhere_is_refused() {
    let bytes = encode_item(&parts());
    for len in 0..bytes.len() {
        assert!(decode_item(bytes.get(..len).expect("in range")).is_err(), "{len} bytes");
    }
    assert!(decode_item(&[bytes.as_slice(), &[0]].concat()).is_err(), "and so is a byte too many");
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_decoded_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _either = (decode_item(&bytes).is_ok(), decode_partition(&bytes).is_ok());
    }

    #[test]
    fn changed_bytes_are_decoded_or_refused_without_a_panic(at in 0usize..600, value in any::<u8>()) {
        let mut bytes = encode_item(&parts());
        let at = at % bytes.len();
        bytes.splice(at..=at, [value]);
        let _either = decode_item(&bytes).is_ok();
    }
}
