//! Planted contradictions: the recount finds each one, and nothing where there is none.

#[path = "tests/bundles.rs"]
mod bundles;
#[path = "tests/shop.rs"]
mod shop;

use super::*;
use crate::event::{Key, Payment, Reason, SettledBy};
use shop::*;
use std::collections::BTreeSet;

/// Somebody holds the only unit, two wait, one of them gets it and pays.
fn sale() -> Vec<(u64, Body)> {
    vec![
        held(1, 0, "ann"),
        joined(2, 1, "bob", 1),
        joined(3, 2, "cyd", 2),
        expired(1_001, 0, 1_001),
        promoted(1_001, 1, 6),
        ordered(1_100, 1, 2_001),
        captured(1_200, 1, "p1", PRICE),
        (1_200, Body::SaleClosed { by: ClosedBy::SoldOut, lapsed: 1 }),
    ]
}

/// The first so many events of that sale, and others.
fn sale_until(count: usize, then: impl IntoIterator<Item = (u64, Body)>) -> Vec<(u64, Body)> {
    sale().into_iter().take(count).chain(then).collect()
}

#[test]
fn a_clean_sale_is_clean() {
    let books = check(1, sale(), &[]);
    assert_eq!((books.units.sold, books.units.promoted, books.units.lapsed), (1, 1, 1));
    assert_eq!((books.life(1), books.came_for(1)), (Some(Life::Sold), Came::Kept));
}

#[test]
fn an_oversold_unit_is_caught() {
    check(1, vec![held(1, 0, "ann"), held(2, 1, "bob")], &[Rule::Oversold]);
    let adjusted = |change, total| (2, Body::StockAdjusted { change, reason: "counted".into(), total });
    check(2, vec![held(1, 0, "ann"), adjusted(-1, 1)], &[]);
    check(2, vec![held(1, 0, "ann"), adjusted(-1, 2)], &[Rule::Total]);
    check(2, vec![held(1, 0, "ann"), adjusted(-2, 0)], &[Rule::Oversold]);
}

#[test]
fn a_second_unit_for_one_customer_is_caught() {
    check(2, vec![held(1, 0, "ann"), held(2, 1, "ann")], &[Rule::Limit]);
    check(3, vec![held_of(1, 0, "ann", 2)], &[Rule::Terms, Rule::Limit]);
}

#[test]
fn a_promotion_out_of_order_is_caught() {
    check(1, sale_until(4, [promoted(1_001, 2, 6)]), &[Rule::OutOfTurn]);
    check(1, sale_until(4, [promoted(1_001, 1, 3)]), &[Rule::Because]);
    check(1, sale_until(3, [promoted(4, 1, 2)]), &[Rule::OutOfTurn, Rule::Oversold]);
}

#[test]
fn a_head_that_is_passed_over_though_it_can_be_served_is_caught() {
    let lapse = (1_001, Body::WaitlistLapsed { reservation: 1, can_never_be_served: true });
    check(1, sale_until(4, [lapse]), &[Rule::OutOfTurn]);
}

#[test]
fn a_newcomer_who_overtakes_the_line_is_caught() {
    check(1, sale_until(4, [held(1_001, 3, "dan")]), &[Rule::Overtaken]);
    check(1, sale_until(4, [part(1_001, 3, "dan", 7)]), &[Rule::Overtaken]);
}

#[test]
fn a_wrong_place_in_line_and_a_wait_beside_free_units_are_caught() {
    check(1, sale_until(1, [joined(2, 1, "bob", 2)]), &[Rule::Place]);
    check(2, vec![held(1, 0, "ann"), joined_beside(2, 1, "bob", 1, 1)], &[Rule::Place]);
}

#[test]
fn a_hold_that_ends_early_is_caught() {
    check(1, vec![held(1, 0, "ann"), expired(1_000, 0, 1_001)], &[Rule::EndedEarly]);
    check(1, vec![held(1, 0, "ann"), expired(1_001, 0, 1_000)], &[Rule::EndedEarly]);
    check(1, vec![(1, deadline(0, "ann", 500))], &[Rule::Deadline]);
}

#[test]
fn time_that_a_restart_gives_is_kept() {
    let resumed = (900, Body::ClockResumed { from_ms: 1, to_ms: 900, release_floor_ms: 3_000 });
    check(1, vec![held(1, 0, "ann"), resumed.clone(), expired(3_000, 0, 3_000)], &[]);
    check(1, vec![held(1, 0, "ann"), resumed, expired(1_001, 0, 1_001)], &[Rule::EndedEarly]);
}

#[test]
fn a_payment_taken_after_the_hold_is_caught() {
    let late = |at| vec![held(1, 0, "ann"), ordered(2, 0, 1_001), captured(at, 0, "p1", PRICE)];
    check(1, late(1_000), &[]);
    check(1, late(1_001), &[Rule::TooLate]);
}

#[test]
fn an_extension_beyond_the_terms_is_caught() {
    let extended = |at, deadline_ms| (at, Body::HoldExtended { reservation: 0, deadline_ms });
    check(1, vec![held(1, 0, "ann"), extended(2, 1_501)], &[]);
    check(1, vec![held(1, 0, "ann"), extended(2, 1_502)], &[Rule::Deadline]);
    check(1, vec![held(1, 0, "ann"), extended(2, 1_501), extended(3, 2_001)], &[Rule::Deadline]);
    check(1, vec![held(1, 0, "ann"), extended(1_001, 1_501)], &[Rule::TooLate]);
}

#[test]
fn wrong_money_is_caught() {
    let paid = |minor| vec![held(1, 0, "ann"), ordered(2, 0, 1_001), captured(3, 0, "p1", minor)];
    check(1, paid(PRICE), &[]);
    check(1, paid(PRICE - 1), &[Rule::Price, Rule::Unbalanced]);
    let order = (2, Body::OrderPlaced { reservation: 0, amount: money(1), release_at_ms: 1_001, amount_named: true });
    check(1, vec![held(1, 0, "ann"), order], &[Rule::Price]);
}

#[test]
fn a_payment_a_report_or_an_order_counted_twice_is_caught() {
    let two = |second| vec![held(1, 0, "ann"), ordered(2, 0, 1_001), captured(3, 0, "p1", PRICE), second];
    let due = |payment| refund_due(4, 0, payment, PRICE, 2);
    check(1, two(due("p2")), &[]);
    check(1, two(due("p1")), &[Rule::Twice, Rule::MoneyAstray, Rule::Unbalanced]);
    let noted = |at| payment(at, 0, Payment::Noted { capture: 0, provider: PROVIDER, report: "e".into() });
    let mut reported = two(noted(4));
    check(1, reported.clone(), &[]);
    reported.push(noted(5));
    check(1, reported, &[Rule::Twice]);
    check(1, vec![held(1, 0, "ann"), ordered(2, 0, 1_001), ordered(3, 0, 1_001)], &[Rule::Twice]);
}

#[test]
fn a_request_that_is_accepted_twice_is_caught() {
    let key = Some(Key { request: 1, content: 2 });
    let run = |at| {
        let mut auditor = opened(2);
        let events = [held(1, 0, "ann"), held(at, 1, "bob")];
        enter(&mut auditor, 3, events, key);
        auditor.finish(Moment::One).rules()
    };
    assert_eq!(run(2), BTreeSet::from([Rule::KeyTwice]));
    // A day later it is forgotten, and the same key is a new request.
    assert_eq!(run(2 + 24 * 3_600_000), BTreeSet::new());
}

#[test]
fn a_release_of_what_was_never_granted_is_caught() {
    let twice = vec![held(1, 0, "ann"), expired(1_001, 0, 1_001), expired(1_001, 0, 1_001)];
    check(1, twice, &[Rule::Life, Rule::Released, Rule::EndedEarly, Rule::Oversold]);
    let half = (2, Body::ReservationCancelled { reservation: 0, released: 0 });
    check(1, vec![held(1, 0, "ann"), half], &[Rule::Released, Rule::Oversold]);
    check(1, vec![(1, Body::ReservationCancelled { reservation: 0, released: 0 })], &[Rule::Life]);
}

#[test]
fn a_sale_in_the_wrong_phase_is_caught() {
    check(1, vec![(1, Body::SaleResumed)], &[Rule::Phase]);
    check(1, vec![(1, Body::SalePaused), held(2, 0, "ann")], &[Rule::Phase]);
    check(1, vec![(1, Body::SaleClosed { by: ClosedBy::SoldOut, lapsed: 0 })], &[Rule::Phase]);
    let mut dearer = settings();
    dearer.unit_price = money(1);
    check(1, vec![(1, Body::ItemRevised { settings: Box::new(dearer) })], &[Rule::Phase]);
}

#[test]
fn a_close_that_miscounts_those_who_waited_is_caught() {
    check(1, sale_until(7, [(1_200, Body::SaleClosed { by: ClosedBy::SoldOut, lapsed: 7 })]), &[Rule::Place]);
}

#[test]
fn a_gap_in_the_record_and_time_running_backwards_are_caught() {
    check(1, vec![held(5, 0, "ann"), ordered(4, 0, 1_005)], &[Rule::Time]);
    let mut auditor = opened(1);
    enter(&mut auditor, 4, [held(1, 0, "ann")], None);
    assert_eq!(auditor.finish(Moment::One).rules(), BTreeSet::from([Rule::Sequence]));
}

#[test]
fn an_item_that_is_not_registered_is_caught() {
    let mut auditor = Auditor::default();
    auditor.event(&event(ITEM, 1, 0, created(1)), 1);
    assert_eq!(auditor.finish(Moment::One).rules(), BTreeSet::from([Rule::Registered]));
}

#[test]
fn late_money_is_honoured_or_goes_back_once() {
    let honoured =
        |minor| payment(1_002, 0, Payment::LateHonoured { capture: capture("p1", minor), amount_named: false });
    let late = |event| vec![held(1, 0, "ann"), expired(1_001, 0, 1_001), event];
    check(1, late(honoured(PRICE)), &[]);
    check(1, late(honoured(PRICE - 1)), &[Rule::Price, Rule::Unbalanced]);
    // There is stock, and nobody waits: it has to be honoured.
    check(1, late(refund_due(1_002, 0, "p1", PRICE, 22)), &[Rule::MoneyAstray]);
    let mut taken = late(held(1_001, 1, "bob"));
    taken.push(refund_due(1_002, 0, "p1", PRICE, 22));
    let settled =
        |at| payment(at, 0, Payment::RefundSettled { capture: 0, by: SettledBy::Operator { reason: "x".into() } });
    taken.push(settled(1_003));
    check(1, taken.clone(), &[]);
    taken.push(settled(1_004));
    check(1, taken, &[Rule::MoneyAstray, Rule::Unbalanced]);
}

#[test]
fn a_late_sale_past_somebody_who_waits_is_caught() {
    let honoured = Payment::LateHonoured { capture: capture("p1", PRICE), amount_named: false };
    let events = sale_until(4, [payment(1_002, 0, honoured)]);
    check(1, events, &[Rule::Overtaken, Rule::Life]);
}

#[test]
fn right_money_in_time_that_goes_back_is_caught() {
    let back = |code| vec![held(1, 0, "ann"), ordered(2, 0, 1_001), refund_due(3, 0, "p1", PRICE, code)];
    check(1, back(2), &[Rule::MoneyAstray]);
    check(1, back(1), &[Rule::MoneyAstray]);
    let wrong = Reason { code: 1, expected: Some(money(PRICE)) };
    let less = Payment::RefundDue { capture: capture("p1", PRICE - 1), reason: wrong, amount_named: false };
    check(1, vec![held(1, 0, "ann"), ordered(2, 0, 1_001), payment(3, 0, less)], &[]);
}

#[test]
fn parked_money_waits_for_its_order_or_goes_back() {
    let parked = payment(2, 0, Payment::Parked { capture: capture("p1", PRICE), until_ms: 302 });
    let unclaimed = |at, reservation_ended| payment(at, 0, Payment::Unclaimed { capture: 0, reservation_ended });
    let begin = [held(1, 0, "ann"), parked];
    let then = |event| begin.iter().cloned().chain([event]).collect::<Vec<_>>();
    check(1, then(unclaimed(302, false)), &[]);
    check(1, then(unclaimed(301, false)), &[Rule::EndedEarly]);
    check(1, then(unclaimed(3, true)), &[Rule::MoneyAstray]);
    let mut claimed = then(ordered(3, 0, 1_001));
    claimed.push(captured(3, 0, "p1", PRICE));
    check(1, claimed, &[]);
}

#[test]
fn every_rule_has_a_promise_and_every_promise_has_a_rule() {
    let promises: BTreeSet<Promise> = Rule::ALL.into_iter().map(Rule::promise).collect();
    assert_eq!(promises, Promise::ALL.into_iter().collect());
    assert_eq!(Rule::ALL.into_iter().collect::<BTreeSet<_>>().len(), Rule::ALL.len());
}
