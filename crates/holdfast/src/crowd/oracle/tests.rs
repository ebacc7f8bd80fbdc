//! Planted contradictions: the oracle says each one, and nothing where there is none.

use super::*;

fn body(id: &str, state: State, sequence: u64, position: Option<u64>) -> ReservationBody {
    let waitlist = position.map_or(serde_json::Value::Null, |position| serde_json::json!({ "position": position }));
    let state = format!("{state:?}").to_lowercase();
    let text = serde_json::json!({
        "id": id, "state": state, "sequence": sequence, "waitlist": waitlist,
        "expires_at": null, "poll_after_ms": null, "server_time": "2030-01-01T00:00:00Z",
    });
    serde_json::from_value(text).expect("it works")
}

fn item(sequence: u64, available: i64, held: i64, sold: i64) -> ItemBody {
    ItemBody { phase: "open".to_owned(), total: 10, available, held, sold, waiting: 0, per_customer_limit: 1, sequence }
}

#[track_caller]
fn check(told: impl FnOnce(&mut Oracle), expected: Option<&str>) {
    let mut oracle = Oracle::new(1);
    told(&mut oracle);
    let verdict = oracle.verdict();
    match expected {
        None => assert_eq!(verdict.violations, Vec::<String>::new()),
        Some(words) => assert!(verdict.violations.iter().any(|one| one.contains(words)), "{verdict:?}"),
    }
}

#[test]
fn a_clean_sale_raises_nothing() {
    check(
        |oracle| {
            oracle.accepted(1, &body("a", State::Held, 2, None));
            oracle.accepted(2, &body("b", State::Waiting, 3, Some(1)));
            oracle.accepted(3, &body("c", State::Waiting, 4, Some(2)));
            oracle.read(&body("b", State::Held, 6, None));
            oracle.read(&body("c", State::Waiting, 6, Some(1)));
            oracle.item(&item(6, 9, 1, 0));
            oracle.item(&item(2, 9, 1, 0));
        },
        None,
    );
}

#[test]
fn a_customer_with_two_at_once_is_caught_in_whatever_order_it_is_heard() {
    let [a, b] = [body("a", State::Held, 2, None), body("b", State::Held, 5, None)];
    let paid = body("a", State::Confirmed, 9, None);
    for order in [[&a, &paid, &b], [&b, &a, &paid]] {
        check(|oracle| order.iter().for_each(|body| oracle.accepted(1, body)), Some("had 2"));
    }
}

#[test]
fn a_customer_who_comes_back_after_the_first_one_ended_is_fine() {
    check(
        |oracle| {
            oracle.accepted(1, &body("a", State::Held, 2, None));
            oracle.read(&body("a", State::Expired, 7, None));
            oracle.accepted(1, &body("b", State::Held, 8, None));
            oracle.read(&body("b", State::Confirmed, 9, None));
        },
        None,
    );
}

#[test]
fn a_position_that_grows_is_caught_and_one_heard_late_is_not() {
    let told = |later: u64| {
        move |oracle: &mut Oracle| {
            oracle.accepted(1, &body("a", State::Waiting, 3, Some(5)));
            oracle.read(&body("a", State::Waiting, 9, Some(later)));
            oracle.read(&body("a", State::Waiting, 6, Some(4)));
        }
    };
    check(told(3), None);
    check(told(6), Some("a position grew"));
}

#[test]
fn a_promotion_out_of_order_is_caught() {
    check(
        |oracle| {
            oracle.accepted(1, &body("first", State::Waiting, 3, Some(1)));
            oracle.accepted(2, &body("second", State::Waiting, 4, Some(2)));
            oracle.read(&body("second", State::Held, 8, None));
            oracle.read(&body("first", State::Waiting, 8, Some(1)));
        },
        Some("second was granted by sequence 8 while first"),
    );
}

#[test]
fn a_newcomer_who_overtakes_the_line_is_caught() {
    check(
        |oracle| {
            oracle.accepted(1, &body("waiter", State::Waiting, 3, Some(1)));
            oracle.read(&body("waiter", State::Waiting, 12, Some(1)));
            oracle.accepted(2, &body("newcomer", State::Held, 10, None));
        },
        Some("newcomer was granted by sequence 10 while waiter"),
    );
}

#[test]
fn two_answers_under_one_key_are_caught() {
    let told = |second: &'static str| {
        move |oracle: &mut Oracle| {
            oracle.answered("key", &Bytes::from_static(b"one"), false);
            oracle.answered("key", &Bytes::from_static(second.as_bytes()), true);
        }
    };
    check(told("one"), None);
    check(told("two"), Some("key key was answered with one and with two"));
}

#[test]
fn two_effects_under_one_key_are_caught_even_if_they_look_alike() {
    let first = |oracle: &mut Oracle| oracle.answered("key", &Bytes::from_static(b"one"), false);
    check(|oracle| [first, first].iter().for_each(|tell| tell(oracle)), Some("accepted twice"));
}

#[test]
fn a_stock_below_zero_above_the_total_or_out_of_balance_is_caught() {
    check(|oracle| oracle.item(&item(1, -1, 11, 0)), Some("-1 of 10 available"));
    check(|oracle| oracle.item(&item(1, 11, 0, -1)), Some("11 of 10 available"));
    check(|oracle| oracle.item(&item(1, 5, 5, 1)), Some("is not 10"));
    check(|oracle| [item(1, 5, 5, 0), item(1, 4, 6, 0)].iter().for_each(|body| oracle.item(body)), Some("two ways"));
}

#[test]
fn the_same_contradiction_is_told_once() {
    let mut oracle = Oracle::new(1);
    oracle.item(&item(1, -1, 11, 0));
    oracle.item(&item(1, -1, 11, 0));
    assert_eq!(oracle.verdict().violation_count, 1);
}
