//! Bundles: two items of partition 0, one bundle in its stream.

use super::shop::*;
use super::*;
use crate::event::{Bundle, BundleLine, Decision};

const ID: u128 = 7;

/// The id of reservation 0 of an item: the item's number in the upper 32 bits, and ordinal 0.
fn line(item: u32, sku: &str) -> BundleLine {
    BundleLine { sku: sku.into(), reservation: u128::from(item) << 96, quantity: 1, amount: money(PRICE) }
}

fn bundle_held(lines: Vec<BundleLine>) -> Body {
    let amount = money(PRICE * lines.len() as u64);
    let held = Bundle {
        id: ID,
        customer: "ann".into(),
        lines,
        hold_time_ms: 1_000,
        grace_ms: 0,
        parked_window_ms: 300,
        provider: None,
    };
    Body::BundleHeld { bundle: 0, held: Box::new(held), amount, deadline_ms: 1_005 }
}

fn whole() -> Body {
    bundle_held(vec![line(1, "phone"), line(2, "case")])
}

fn settled(decision: Decision, released: u32) -> (u64, Body) {
    (9, Body::PartSettled { reservation: 0, bundle: ID, decision, released })
}

/// Two items, each with a part of the bundle and what follows there; and the partition's own events.
#[track_caller]
fn check(partition: Vec<(u64, Body)>, parts: [Vec<(u64, Body)>; 2], broken: &[Rule]) -> Report {
    let mut auditor = Auditor::default();
    let begin = [
        (0, Body::ItemRegistered { item: 1, sku: "phone".into() }),
        (0, Body::ItemRegistered { item: 2, sku: "case".into() }),
        (0, Body::PartitionKeyed { key: [1; 32] }),
    ];
    for (seq, (at, body)) in (1..).zip(begin.into_iter().chain(partition)) {
        auditor.event(&event(0, seq, at, body), seq);
    }
    for (item, sku, then) in
        [(1, "phone"), (2, "case")].into_iter().zip(parts).map(|((item, sku), then)| (item, sku, then))
    {
        let created = Body::ItemCreated { sku: sku.into(), total: 1, settings: Box::new(settings()), key: [7; 32] };
        let all = [(0, created), (0, Body::SaleOpened { by: OpenedBy::Operator })].into_iter().chain(then);
        for (seq, (at, body)) in (1..).zip(all) {
            auditor.event(&event(item, seq, at, body), seq);
        }
    }
    let report = auditor.finish(Moment::One);
    let found: Vec<String> = report.findings().map(ToString::to_string).collect();
    assert_eq!(report.rules(), broken.iter().copied().collect(), "{}", found.join("\n"));
    report
}

fn paid() -> Vec<(u64, Body)> {
    let order = Body::BundleOrdered { bundle: 0, amount: money(2 * PRICE), release_at_ms: 1_005, amount_named: false };
    vec![(5, whole()), (6, order), captured(7, 0, "p1", 2 * PRICE)]
}

#[test]
fn a_bundle_that_is_paid_and_followed_is_clean_and_its_money_is_counted() {
    let sold = || vec![part(1, 0, "ann", ID), settled(Decision::Sold, 0)];
    let report = check(paid(), [sold(), sold()], &[]);
    let sums = report.money().remove(b"USD").expect("dollars");
    assert_eq!((sums.captured, sums.kept, sums.sold_for), (199_800, 199_800, 199_800));
    // A part that has not followed yet is not wrong: it is told until it has.
    check(paid(), [sold(), vec![part(1, 0, "ann", ID)]], &[]);
}

#[test]
fn a_bundle_held_or_sold_in_part_is_caught() {
    let held = || vec![part(1, 0, "ann", ID)];
    check(vec![(5, whole())], [held(), held()], &[]);
    check(vec![(5, whole())], [held(), vec![]], &[Rule::Torn]);
    let then = |event| vec![part(1, 0, "ann", ID), event];
    check(vec![(5, whole())], [held(), then(settled(Decision::Abandoned, 1))], &[Rule::Torn]);
    check(paid(), [then(settled(Decision::Sold, 0)), then(settled(Decision::Expired, 1))], &[Rule::Torn]);
    // A part whose bundle was never held may only be let go.
    check(vec![], [then(settled(Decision::Abandoned, 1)), held()], &[]);
    check(vec![], [then(settled(Decision::Sold, 0)), vec![]], &[Rule::Torn]);
    check(vec![(5, bundle_held(vec![line(1, "phone")]))], [held(), held()], &[Rule::Torn]);
}

#[test]
fn a_bundle_that_ends_early_or_is_paid_late_is_caught() {
    let held = || vec![part(1, 0, "ann", ID)];
    let expired = |at| (at, Body::BundleExpired { bundle: 0, release_at_ms: 1_005 });
    check(vec![(5, whole()), expired(1_005)], [held(), held()], &[]);
    check(vec![(5, whole()), expired(1_004)], [held(), held()], &[Rule::EndedEarly]);
    let mut late = paid();
    late.truncate(2);
    late.push(captured(1_005, 0, "p1", 2 * PRICE));
    check(late, [held(), held()], &[Rule::TooLate]);
    let mut dear = paid();
    dear.truncate(2);
    dear.push(captured(7, 0, "p1", PRICE));
    check(dear, [held(), held()], &[Rule::Price, Rule::Unbalanced]);
}

#[test]
fn late_money_for_a_bundle_always_goes_back() {
    let followed = || vec![part(1, 0, "ann", ID), settled(Decision::Cancelled, 1)];
    let late = |event| vec![(5, whole()), (6, Body::BundleCancelled { bundle: 0 }), event];
    check(late(refund_due(8, 0, "p1", 2 * PRICE, 18)), [followed(), followed()], &[]);
    let kept = captured(8, 0, "p1", 2 * PRICE);
    check(late(kept), [followed(), followed()], &[Rule::Life, Rule::Torn]);
}
