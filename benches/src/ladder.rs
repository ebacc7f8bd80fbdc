//! The ladder: the same load on every rung, up and down again, and what each rung costs as a ratio of one round.

use crate::contestant::Contestant;
use crate::goals::{G1, G1_FJALL, G1_FRONT, G2, G2_FJALL, G6, G6_INVERSE};
use crate::load::source::Choice;
use crate::load::tally::Ending;
use crate::operator::Stock;
use crate::run::Run;
use crate::visit::{Visit, Workload};
use anyhow::Result;
use std::collections::BTreeMap;

/// Items of the workload with many.
const MANY: usize = 1_000;

/// Reservations per second by contestant, one map for each round.
type Rounds<K> = Vec<BTreeMap<K, f64>>;

fn ratios<K: Ord>(rounds: &Rounds<K>, over: &K, under: &K) -> Vec<f64> {
    let ratio = |round: &BTreeMap<K, f64>| Some(round.get(over)? / round.get(under).filter(|rate| **rate > 0.0)?);
    rounds.iter().filter_map(ratio).collect()
}

/// What counts as done: a reservation, or a place in line.
pub(crate) fn done_per_second(visit: &Visit) -> f64 {
    visit.measured.per_second(Ending::Granted) + visit.measured.per_second(Ending::Waiting)
}

/// Every rung, round after round.
pub(crate) fn climb(run: &mut Run) -> Result<()> {
    let mut rounds = Rounds::new();
    let load = run.closed();
    for round in 0..run.rounds() {
        let mut rungs = Contestant::LADDER;
        if round % 2 == 1 {
            rungs.reverse();
        }
        let mut rates = BTreeMap::new();
        for rung in rungs {
            let visit = run.visit(rung, &Workload::ONE_ITEM, load)?;
            rates.insert(rung, done_per_second(&visit));
            run.keep("ladder", visit);
        }
        rounds.push(rates);
        run.look_at_the_disk()?;
    }
    use Contestant::{Axum, Durable, DurableFjall, Noop, Unsynced, UnsyncedFjall};
    let compared = [
        (G1, Durable, Axum),
        (G1_FRONT, Durable, Noop),
        (G2, Durable, Unsynced),
        (G1_FJALL, DurableFjall, Axum),
        (G2_FJALL, DurableFjall, UnsyncedFjall),
    ];
    for (goal, over, under) in compared {
        run.figure_among(goal, &["ladder"], &[over, under], ratios(&rounds, &over, &under));
    }
    Ok(())
}

/// One item and a thousand, on the shipped server.
pub(crate) fn items(run: &mut Run) -> Result<()> {
    let stock = Stock { units: 1_000_000, ..Workload::ONE_ITEM.stock };
    let many = |name, choice| Workload { name, items: MANY, choice, stock, ..Workload::ONE_ITEM };
    let workloads = [
        Workload::ONE_ITEM,
        many("1,000 items", Choice::Uniform),
        many("1,000 items, Zipf", Choice::Zipf),
        Workload { name: "one item, 20 % retries", retried: 0.2, ..Workload::ONE_ITEM },
        Workload {
            name: "sell-out, 10,000 units",
            stock: Stock { units: 10_000, ..Workload::ONE_ITEM.stock },
            ..Workload::ONE_ITEM
        },
    ];
    let mut rounds = Rounds::new();
    let load = run.closed();
    for round in 0..run.rounds() {
        let mut order: Vec<&Workload> = workloads.iter().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        let mut rates = BTreeMap::new();
        for workload in order {
            let visit = run.visit(Contestant::Durable, workload, load)?;
            rates.insert(workload.name, done_per_second(&visit));
            run.keep("items", visit);
        }
        rounds.push(rates);
        run.look_at_the_disk()?;
    }
    run.figure(G6, &["items"], ratios(&rounds, &"one item", &"1,000 items"));
    run.figure(G6_INVERSE, &["items"], ratios(&rounds, &"1,000 items", &"one item"));
    Ok(())
}
