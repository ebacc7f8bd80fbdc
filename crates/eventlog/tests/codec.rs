//! Stored shapes: the golden bytes of every event, and the way there and back.
//!
//! If a golden test fails, a stored shape has changed. Old logs must stay readable: put the shape back, and give the
//! new one a new version with an upcaster.

#[path = "common/partition_events.rs"]
mod partition_events;

use domain::command::WaitlistChoice;
use domain::event::{ClosedBy, Event, LapseReason, OpenedBy, PartDecision, PartitionEvent, Recorded};
use domain::idempotency::{Fingerprint, Idempotency};
use domain::identity::{BundleId, ItemKey};
use domain::ids::{CaptureNo, ItemNo, Ordinal, PartitionNo, Seq};
use domain::money::{Currency, Money};
use domain::payment::{
    Capture, ClientData, PaymentEvent, Provider, RefundReason, RefundedBy, SettledBy, UnclaimedBecause,
};
use domain::policy::{ItemSpec, Policy, Settings};
use domain::text::{CustomerId, ItemName, PaymentId, ProviderEventId, Reason, Sku};
use domain::time::Timestamp;
use domain::units::{Quantity, StockChange, Units};
use eventlog::{StreamEvent, decode_event, encode_item_event, encode_partition_event};
use proptest::prelude::*;

const ITEM: ItemNo = ItemNo::from_u32(0x0200_0003);

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000 + millis)
}

fn settings() -> Settings {
    Settings {
        name: ItemName::parse("iPhone 15").expect("a name"),
        unit_price: money(),
        policy: Policy::default(),
        opens_at: Some(at(1_000)),
        closes_at: None,
    }
}

fn money() -> Money {
    Money { minor: 99_900, currency: Currency::parse("USD").expect("a currency") }
}

fn capture() -> Capture {
    Capture {
        provider: Provider::Generic,
        payment: PaymentId::parse("pay-1").expect("a payment"),
        report: Some(ProviderEventId::parse("evt-1").expect("a report")),
        amount: money(),
    }
}

/// One of every event there is. The match fails to compile when an event is added and not listed here.
fn samples() -> Vec<(&'static str, Event)> {
    let customer = || CustomerId::parse("ann").expect("a customer");
    let (reservation, quantity, units) = (Ordinal(300), Quantity::ONE, Units::new(70_000).expect("units"));
    let spec = ItemSpec { sku: Sku::parse("iphone-15").expect("a sku"), total: units, settings: settings() };
    let events = vec![
        Event::ItemCreated { spec: Box::new(spec), key: ItemKey::from_bytes([0xab; 32]) },
        Event::ItemRevised { settings: Box::new(settings()) },
        Event::SaleOpened { by: OpenedBy::Schedule },
        Event::SalePaused,
        Event::SaleResumed,
        Event::SaleClosed { by: ClosedBy::SoldOut, lapsed: 17 },
        Event::StockAdjusted {
            change: StockChange::new(-5).expect("a change"),
            reason: Reason::parse("found damaged").expect("a reason"),
            total: units,
        },
        Event::HoldPlaced {
            reservation,
            customer: customer(),
            quantity,
            waitlist: WaitlistChoice::Decline,
            deadline: at(120_000),
        },
        Event::WaitlistJoined { reservation, customer: customer(), quantity, position: 42, available: Units::ZERO },
        Event::PurchaseConfirmed {
            reservation,
            customer: customer(),
            quantity,
            capture: Capture { provider: Provider::External, report: None, ..capture() },
            payment_named: true,
            amount_named: false,
        },
        Event::ReservationCancelled { reservation, released: Units::new(1).expect("units") },
        Event::HoldExtended { reservation, deadline: at(180_000) },
        Event::OrderPlaced { reservation, amount: money(), release_at: at(180_000), amount_named: true },
        Event::HoldExpired { reservation, release_at: at(180_000), released: Units::new(1).expect("units") },
        Event::HoldPromoted { reservation, deadline: at(240_000), because: Seq(1_000_000) },
        Event::WaitlistLapsed { reservation, reason: LapseReason::CanNeverBeServed },
        Event::ClockResumed { from: at(0), to: at(5_000), release_floor: at(35_000) },
        Event::PartHeld { reservation, customer: customer(), quantity, bundle: bundle() },
        Event::PartSettled { reservation, bundle: bundle(), decision: PartDecision::Abandoned, released: units },
    ];
    let payments = payments().into_iter().map(|event| Event::Payment { reservation, event: Box::new(event) });
    events.into_iter().chain(payments).map(|event| (name(&event), event)).collect()
}

fn bundle() -> BundleId {
    BundleId::new(PartitionNo(2), 0x1234_5678_9abc_def0_1234_5678_9abc_def0)
}

/// One of every payment event there is.
fn payments() -> Vec<PaymentEvent> {
    let provider = Provider::Stripe;
    let payment = || PaymentId::parse("pi_1").expect("a payment");
    let report = || ProviderEventId::parse("evt-2").expect("a report");
    let reason = || Reason::parse("asked for it").expect("a reason");
    let capture_no = CaptureNo(70_000);
    let client = ClientData::new(Some("https://pay.example/1".to_owned()), Some("secret".to_owned())).expect("short");
    vec![
        PaymentEvent::Captured { capture: capture(), amount_named: true },
        PaymentEvent::Parked { capture: capture(), until: at(900_000) },
        PaymentEvent::LateHonoured { capture: capture(), amount_named: false },
        PaymentEvent::RefundDue {
            capture: capture(),
            reason: RefundReason::WrongAmount { expected: money() },
            amount_named: false,
        },
        PaymentEvent::Unclaimed { capture: capture_no, because: UnclaimedBecause::WindowPassed },
        PaymentEvent::Offered { provider, payment: payment(), client },
        PaymentEvent::OrderRefunded {
            capture: capture_no,
            released: Units::new(2).expect("units"),
            by: RefundedBy::Operator { reason: reason() },
        },
        PaymentEvent::RefundSettled { capture: capture_no, by: SettledBy::Operator { reason: reason() } },
        PaymentEvent::Failed { provider, payment: payment(), report: report(), withdrawn: true },
        PaymentEvent::RefundReported { provider, payment: payment(), report: report(), amount: money() },
        PaymentEvent::Noted { capture: capture_no, provider, report: report() },
        PaymentEvent::Disputed { capture: capture_no, provider, report: report(), told: money() },
    ]
}

fn payment_name(event: &PaymentEvent) -> &'static str {
    match event {
        PaymentEvent::Captured { .. } => "PaymentCaptured",
        PaymentEvent::Parked { .. } => "PaymentParked",
        PaymentEvent::LateHonoured { .. } => "LatePaymentHonoured",
        PaymentEvent::RefundDue { .. } => "RefundDue",
        PaymentEvent::Unclaimed { .. } => "PaymentUnclaimed",
        PaymentEvent::Offered { .. } => "PaymentOffered",
        PaymentEvent::OrderRefunded { .. } => "OrderRefunded",
        PaymentEvent::RefundSettled { .. } => "RefundSettled",
        PaymentEvent::Failed { .. } => "PaymentFailed",
        PaymentEvent::RefundReported { .. } => "RefundReported",
        PaymentEvent::Noted { .. } => "ReportNoted",
        PaymentEvent::Disputed { .. } => "CaptureDisputed",
    }
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::ItemCreated { .. } => "ItemCreated",
        Event::ItemRevised { .. } => "ItemRevised",
        Event::SaleOpened { .. } => "SaleOpened",
        Event::SalePaused => "SalePaused",
        Event::SaleResumed => "SaleResumed",
        Event::SaleClosed { .. } => "SaleClosed",
        Event::StockAdjusted { .. } => "StockAdjusted",
        Event::HoldPlaced { .. } => "HoldPlaced",
        Event::WaitlistJoined { .. } => "WaitlistJoined",
        Event::PurchaseConfirmed { .. } => "PurchaseConfirmed",
        Event::ReservationCancelled { .. } => "ReservationCancelled",
        Event::HoldExtended { .. } => "HoldExtended",
        Event::OrderPlaced { .. } => "OrderPlaced",
        Event::Payment { event, .. } => payment_name(event),
        Event::PartHeld { .. } => "PartHeld",
        Event::PartSettled { .. } => "PartSettled",
        Event::HoldExpired { .. } => "HoldExpired",
        Event::HoldPromoted { .. } => "HoldPromoted",
        Event::WaitlistLapsed { .. } => "WaitlistLapsed",
        Event::ClockResumed { .. } => "ClockResumed",
    }
}

fn recorded(event: Event) -> Recorded {
    let idempotency = Idempotency { request: Fingerprint(1 << 100), content: Fingerprint(77) };
    Recorded { seq: Seq(7), at: at(0), idempotency: Some(idempotency), event }
}

fn registered() -> Recorded<PartitionEvent> {
    let event = PartitionEvent::ItemRegistered { item: ITEM, sku: Sku::parse("iphone-15").expect("a sku") };
    Recorded { seq: Seq(3), at: at(0), idempotency: None, event }
}

fn stream() -> ItemNo {
    ItemNo::partition_stream(ITEM.partition())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn encoded_samples() -> Vec<(&'static str, Vec<u8>)> {
    let partition = partition_events::samples();
    let of_partition = |(name, event)| (name, encode_partition_event(stream(), &event).bytes().to_vec());
    samples()
        .into_iter()
        .map(|(name, event)| (name, encode_item_event(ITEM, &recorded(event)).bytes().to_vec()))
        .chain(std::iter::once(("ItemRegistered", registered())).chain(partition).map(of_partition))
        .collect()
}

fn decoded(bytes: &[u8]) -> Option<StreamEvent> {
    let raw = eventlog::RawEvent::parse(bytes)?;
    decode_event(&raw).ok()
}

#[test]
fn every_stored_event_has_its_golden_bytes() {
    let golden = include_str!("golden/events.txt");
    let current: String = encoded_samples().iter().map(|(name, bytes)| format!("{name} {}\n", hex(bytes))).collect();
    for (now, then) in current.lines().zip(golden.lines()) {
        assert_eq!(now, then, "a stored shape has changed; see the head of this file");
    }
    assert_eq!(current.lines().count(), golden.lines().count(), "the golden file lacks an event:\n{current}");
}

#[test]
fn events_of_the_first_version_are_read_for_ever() {
    let golden = include_str!("golden/events-v1.txt");
    let now: std::collections::HashMap<&str, Event> = samples().into_iter().collect();
    for line in golden.lines() {
        let (name, hex) = line.split_once(' ').expect("a name and bytes");
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(hex.get(2 * at..2 * at + 2).expect("two digits"), 16).expect("a byte"))
            .collect();
        match decoded(&bytes).expect("it is read") {
            StreamEvent::Item(then) => assert_eq!(Some(&then.event), now.get(name), "{name}"),
            StreamEvent::Partition(then) => assert_eq!(then, registered()),
        }
    }
}

#[test]
fn every_event_comes_back_as_it_went_in() {
    for (name, event) in samples() {
        let recorded = recorded(event);
        let bytes = encode_item_event(ITEM, &recorded).bytes().to_vec();
        assert_eq!(decoded(&bytes), Some(StreamEvent::Item(recorded)), "{name}");
    }
    for (name, event) in partition_events::samples().into_iter().chain([("ItemRegistered", registered())]) {
        let bytes = encode_partition_event(stream(), &event).bytes().to_vec();
        assert_eq!(decoded(&bytes), Some(StreamEvent::Partition(event)), "{name}");
    }
}

#[test]
fn the_largest_bundle_and_the_longest_report_fit_their_frames() {
    for event in partition_events::largest() {
        let bytes = encode_partition_event(stream(), &event).bytes().to_vec();
        assert_eq!(decoded(&bytes), Some(StreamEvent::Partition(event)));
    }
}

#[test]
fn a_time_out_of_range_is_refused_and_not_taken_for_the_latest_there_is() {
    let event = Event::HoldExtended { reservation: Ordinal(300), deadline: Timestamp::MAX };
    let mut bytes = encode_item_event(ITEM, &recorded(event)).bytes().to_vec();
    assert!(decoded(&bytes).is_some());
    let last = bytes.len() - 8;
    bytes.truncate(last);
    bytes.extend_from_slice(&(Timestamp::MAX.as_millis() + 1).to_le_bytes());
    assert_eq!(decoded(&bytes), None);
}

#[test]
fn a_hold_in_the_log_costs_about_a_hundred_bytes() {
    let (_, bytes) = encoded_samples().into_iter().find(|(name, _)| *name == "HoldPlaced").expect("a hold");
    assert!(bytes.len() <= 100, "{} bytes", bytes.len());
}

proptest! {
    #[test]
    fn arbitrary_bodies_decode_or_are_refused_without_a_panic(
        tag in prop_oneof![0u16..70, 255u16..270], of_partition in any::<bool>(), body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut bytes = Vec::new();
        let item = if of_partition { stream() } else { ITEM };
        bytes.extend_from_slice(&item.as_u32().to_le_bytes());
        bytes.extend_from_slice(&7u64.to_le_bytes());
        bytes.extend_from_slice(&1_000u64.to_le_bytes());
        bytes.extend_from_slice(&tag.to_le_bytes());
        bytes.push(1);
        bytes.extend_from_slice(&(body.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&body);
        let _either = decoded(&bytes);
    }
}
