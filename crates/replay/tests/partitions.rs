//! A partition's own stream replayed: bundles, and payments that nobody owns.

mod common;

use common::{NO, Shop, at, customer, everything, in_memory, logs, replay};
use domain::bundle::{BundleLine, BundleTerms, NewBundle};
use domain::event::{PartitionEvent, Recorded};
use domain::identity::{BundleId, ItemKey, OrderId, ReservationId};
use domain::ids::{ItemNo, Ordinal};
use domain::money::{Currency, Money};
use domain::partition::{BundleClaim, PartitionCommand, PartitionRequest};
use domain::payment::{PaymentReport, Provider, Told};
use domain::text::{PaymentId, ProviderEventId};
use domain::time::DurationMs;
use domain::units::Quantity;
use eventlog::MemoryLog;
use replay::diff::diff;
use replay::export::{Format, export};
use replay::{Ask, Promise};

fn eur(minor: u64) -> Money {
    Money { minor, currency: Currency::parse("EUR").expect("a currency") }
}

fn id(number: u128) -> BundleId {
    BundleId::new(NO, number << 64 | number)
}

fn bundle(number: u128) -> NewBundle {
    let lines = [(1, "lamp"), (2, "chair")].map(|(counter, name)| BundleLine {
        sku: common::sku(name),
        reservation: ReservationId::new(
            ItemNo::new(NO, counter).expect("a counter"),
            Ordinal(9),
            &ItemKey::from_bytes([7; 32]),
        ),
        quantity: Quantity::ONE,
        amount: eur(500),
    });
    let terms = BundleTerms {
        hold_time: DurationMs::from_secs(10),
        grace: DurationMs::ZERO,
        parked_window: DurationMs::from_secs(60),
        provider: None,
    };
    NewBundle { id: id(number), customer: customer("ann"), lines: lines.to_vec(), terms }
}

fn report(text: &str) -> Box<PaymentReport> {
    Box::new(PaymentReport {
        provider: Provider::Generic,
        report: ProviderEventId::parse(text).expect("a report"),
        payment: PaymentId::parse("pay-9").expect("a payment"),
        told: Told::Captured(eur(1)),
    })
}

fn ask(shop: &mut Shop<MemoryLog>, seconds: u64, command: PartitionCommand) {
    shop.partition_turn(seconds, |turn| {
        let judged = turn.judge(&PartitionRequest { command, idempotency: None });
        judged.outcome.expect("it is accepted");
    });
}

/// One bundle is held, ordered and runs out of time; the next is cancelled; a payment names no order.
fn with_bundles(shop: &mut Shop<MemoryLog>) {
    for number in [1, 2] {
        shop.partition.begin_collecting(id(number));
        ask(shop, 20, PartitionCommand::HoldBundle(Box::new(bundle(number))));
    }
    let claim = |number| BundleClaim { bundle: id(number), customer: customer("ann") };
    ask(shop, 21, PartitionCommand::PlaceOrder { claim: claim(1), amount: None });
    ask(shop, 22, PartitionCommand::CancelBundle(claim(2)));
    let order = OrderId::of_bundle(id(77));
    ask(shop, 23, PartitionCommand::RecordUnmatched { order, report: report("evt-1") });
    shop.partition_turn(31, |_| ());
}

#[test]
fn a_bundles_life_is_verified_and_judged_again_as_an_items_is() {
    let replayed = replay(&logs(&in_memory(with_bundles)), &everything()).expect("it replays");
    assert_eq!(replayed.findings.told(), []);
    let redecided = replayed.redecided.expect("it was asked for");
    // Two items registered and created, one secret; an item's expiry and promotion, and a bundle's expiry.
    assert_eq!((redecided.not_judged, redecided.by_time), (5, 3));
    assert_eq!(replayed.folded.partition.bundle_count(), 2);
}

#[test]
fn a_partitions_event_that_no_decision_leads_to_is_found_in_its_own_stream() {
    let mut planted = 0;
    let disk = in_memory(|shop| {
        with_bundles(shop);
        let seq = shop.partition.seq().next();
        planted = seq.0;
        // The same report again: it would be answered, and nothing written.
        let event = PartitionEvent::PaymentUnmatched { order: OrderId::of_bundle(id(77)), report: report("evt-1") };
        shop.record_partition(&[Recorded { seq, at: at(40), idempotency: None, event }]);
    });
    let ask = Ask { redecide: true, ..Ask::default() };
    let replayed = replay(&logs(&disk), &ask).expect("the log itself is right");
    let found = replayed.findings.told().iter().find(|finding| finding.promise == Promise::Decision);
    let found = found.unwrap_or_else(|| panic!("{:?}", replayed.findings));
    assert_eq!((found.item, found.sequence.0, &found.sku), (ItemNo::partition_stream(NO), planted, &None));
    assert!(found.words.contains("so already"), "{}", found.words);
}

#[test]
fn bundles_are_compared_and_exported() {
    let (without, with) = (in_memory(|_| ()), in_memory(with_bundles));
    let found = diff(&logs(&without), &logs(&with), &mut |_| ()).expect("both are right");
    let told: Vec<&str> = found.differences.iter().map(|difference| difference.what.as_str()).collect();
    assert_eq!(told.iter().filter(|what| what.starts_with("bundle bnd_")).count(), 2, "{told:?}");
    assert!(told.contains(&"unmatched payments"), "{told:?}");
    let (logs, mut out) = (logs(&with), Vec::new());
    let source = logs.sources.first().expect("one");
    export(source, &Ask::default(), Format::Ndjson, &mut out, &mut |_| ()).expect("it is right");
    let text = String::from_utf8(out).expect("text");
    for name in
        ["PartitionKeyed", "BundleHeld", "BundleOrdered", "BundleCancelled", "BundleExpired", "PaymentUnmatched"]
    {
        assert!(text.contains(&format!("\"type\":\"{name}\"")), "{name} is missing in\n{text}");
    }
}
