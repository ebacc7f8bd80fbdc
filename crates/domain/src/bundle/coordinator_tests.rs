//! The coordinator's table: what it is told, and what it asks for next.

use super::*;
use crate::identity::ItemKey;
use crate::ids::{Ordinal, PartitionNo};
use crate::money::Currency;
use crate::time::DurationMs;

fn item(counter: u32) -> ItemNo {
    ItemNo::new(PartitionNo(0), counter).expect("a counter")
}

fn line(name: &str, counter: Option<u32>) -> AskedLine {
    AskedLine { sku: Sku::parse(name).expect("a sku"), item: counter.map(item), quantity: Quantity::ONE }
}

fn coordinator(lines: Vec<AskedLine>) -> Coordinator {
    Coordinator::new(BundleId::new(PartitionNo(0), 7), CustomerId::parse("ann").expect("a customer"), lines)
}

fn part(counter: u32, currency: &str) -> Input {
    let reservation = ReservationId::new(item(counter), Ordinal(0), &ItemKey::from_bytes([1; 32]));
    let seconds = u64::from(counter);
    let terms = BundleTerms {
        hold_time: DurationMs::from_secs(100 - seconds),
        grace: DurationMs::from_secs(seconds),
        parked_window: DurationMs::from_secs(60),
        provider: None,
    };
    let unit_price = Money { minor: 10, currency: Currency::parse(currency).expect("a currency") };
    Input::Held(PartTaken { reservation, unit_price, terms })
}

/// An output in a word.
fn told(output: &Output) -> String {
    match output {
        Output::Ask { line } => format!("ask {}", line.sku),
        Output::Look { line } => format!("look {}", line.sku),
        Output::Submit(held) => {
            let skus: Vec<&str> = held.lines.iter().map(|line| line.sku.as_str()).collect();
            let amount = held.amount().map_or(0, |amount| amount.minor);
            let (hold, grace) = (held.terms.hold_time.as_millis(), held.terms.grace.as_millis());
            format!("submit {} for {amount}, {hold} ms and {grace} ms", skus.join("+"))
        }
        Output::Held => "held".to_owned(),
        Output::Release(GaveUp::Lost) => "release: lost".to_owned(),
        Output::Release(GaveUp::Refused(Rejection::BundleUnavailable { lines })) => {
            let lines: Vec<String> = lines.iter().map(|(sku, why)| format!("{sku} {why:?}")).collect();
            format!("release: {}", lines.join(", "))
        }
        Output::Release(GaveUp::Refused(other)) => format!("release: {other:?}"),
        Output::Nothing => "nothing".to_owned(),
    }
}

fn check(lines: Vec<AskedLine>, steps: Vec<(Input, &str)>) {
    let mut coordinator = coordinator(lines);
    for (input, expected) in steps {
        let words = format!("{input:?}");
        assert_eq!(told(&coordinator.step(input)), expected, "after {words}");
    }
}

fn refused() -> Input {
    Input::Refused(Rejection::SoldOut)
}

#[test]
fn parts_are_taken_in_the_order_of_item_numbers_and_then_submitted_on_the_smallest_terms() {
    check(
        vec![line("b", Some(3)), line("c", Some(1)), line("a", Some(2))],
        vec![
            (Input::Start, "ask c"),
            (part(1, "EUR"), "ask a"),
            (part(2, "EUR"), "ask b"),
            (part(3, "EUR"), "submit c+a+b for 30, 97000 ms and 1000 ms"),
            (Input::Judged { held: true }, "held"),
            (Input::Judged { held: false }, "nothing"),
        ],
    );
}

#[test]
fn after_a_refusal_no_unit_is_taken_any_more_and_every_line_refused_is_named() {
    check(
        vec![line("a", Some(1)), line("b", Some(2)), line("c", Some(3)), line("d", Some(4))],
        vec![
            (Input::Start, "ask a"),
            (part(1, "EUR"), "ask b"),
            (refused(), "look c"),
            (Input::Seen(None), "look d"),
            (Input::Seen(Some(Rejection::SalePaused)), "release: b SoldOut, d SalePaused"),
        ],
    );
}

#[test]
fn a_line_without_an_item_refuses_before_any_unit_is_touched() {
    check(
        vec![line("a", Some(1)), line("b", None)],
        vec![(Input::Start, "look a"), (Input::Seen(None), "release: b NotFound")],
    );
}

#[test]
fn lines_of_two_currencies_have_no_sum() {
    check(
        vec![line("a", Some(1)), line("b", Some(2))],
        vec![(Input::Start, "ask a"), (part(1, "EUR"), "ask b"), (part(2, "USD"), "release: BundleNotSummable")],
    );
}

#[test]
fn one_that_gave_up_never_decides_held_whatever_it_is_told() {
    for early in [Input::Lost, refused()] {
        let mut coordinator = coordinator(vec![line("a", Some(1))]);
        assert_eq!(told(&coordinator.step(Input::Start)), "ask a");
        assert!(matches!(coordinator.step(early), Output::Release(_)));
        assert!(coordinator.gave_up());
        for late in
            [part(1, "EUR"), Input::Judged { held: true }, Input::Seen(None), Input::Lost, Input::Start, refused()]
        {
            let output = coordinator.step(late);
            assert!(matches!(output, Output::Release(GaveUp::Lost) | Output::Nothing), "{output:?}");
        }
    }
}

#[test]
fn a_submission_refused_lets_its_parts_go_and_one_of_unknown_fate_is_the_records_to_tell() {
    let begin = || vec![(Input::Start, "ask a"), (part(1, "EUR"), "submit a for 10, 99000 ms and 1000 ms")];
    let with = |last| begin().into_iter().chain([last]).collect();
    check(vec![line("a", Some(1))], with((Input::Judged { held: false }, "release: lost")));
    check(vec![line("a", Some(1))], with((Input::Lost, "nothing")));
}
