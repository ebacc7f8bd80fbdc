//! The pure core: one command a turn, no I/O.

use crate::{Measured, histogram};
use counts::counted::{open_item, reserve};
use domain::command::{Claim, Command, Request};
use domain::ids::Ordinal;
use domain::item::Item;
use domain::text::CustomerId;
use domain::time::Timestamp;
use domain::turn::Turn;
use hdrhistogram::Histogram;
use std::time::Instant;

const ROUNDS: u32 = 100_000;

fn timed(item: &mut Item, request: &Request, histogram: &mut Histogram<u64>) {
    let begin = Instant::now();
    let mut turn = Turn::begin(item, Timestamp::from_millis(1));
    let judgement = turn.judge(request);
    let end = turn.end();
    let taken = begin.elapsed();
    assert!(judgement.outcome.is_ok() && !end.recorded.is_empty());
    histogram.saturating_record(u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX));
}

pub(crate) fn all() -> Measured {
    let (mut held, mut waiting, mut promoted) = (histogram(), histogram(), histogram());
    let mut item = open_item(ROUNDS);
    for number in 0..ROUNDS {
        timed(&mut item, &reserve(number), &mut held);
    }
    for number in 0..ROUNDS {
        timed(&mut item, &reserve(ROUNDS + number), &mut waiting);
    }
    for number in 0..ROUNDS {
        let customer = CustomerId::parse(&format!("customer-{number}")).expect("a customer");
        let claim = Claim { reservation: Ordinal(number), customer };
        timed(&mut item, &Request::from(Command::CancelReservation(claim)), &mut promoted);
    }
    vec![
        ("core: reserve, held".to_owned(), held),
        ("core: reserve, waiting".to_owned(), waiting),
        ("core: cancel, and the next one is promoted".to_owned(), promoted),
    ]
}
