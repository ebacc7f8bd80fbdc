//! What a customer waits: alone, and with the server at four fifths of what it can do.

use crate::contestant::Contestant;
use crate::goals::{G7, G8};
use crate::ladder::done_per_second;
use crate::load::Pace;
use crate::load::tally::Ending;
use crate::run::Run;
use crate::visit::{Load, Visit, Workload};
use anyhow::Result;

/// The share of a server's own maximum at which latencies are compared.
const SHARE_OF_MAXIMUM: f64 = 0.8;

const PAIR: [Contestant; 2] = [Contestant::Axum, Contestant::Durable];

/// Both comparisons.
pub(crate) fn measure(run: &mut Run) -> Result<()> {
    alone(run)?;
    at_four_fifths(run)
}

fn quantile(visit: &Visit, quantile: f64) -> f64 {
    visit.measured.tally.of(Ending::Granted).value_at_quantile(quantile) as f64
}

fn in_order(round: usize) -> [Contestant; 2] {
    let [first, second] = PAIR;
    if round.is_multiple_of(2) { [first, second] } else { [second, first] }
}

fn alone(run: &mut Run) -> Result<()> {
    let load = Load { connections: 1, threads: 1, ..run.closed() };
    let mut ratios = Vec::new();
    for round in 0..run.rounds() {
        let (mut no_op, mut durable) = (0.0, 0.0);
        for who in in_order(round) {
            let visit = run.visit(who, &Workload::ONE_ITEM, load)?;
            if who == Contestant::Durable {
                durable = quantile(&visit, 0.5);
            } else {
                no_op = quantile(&visit, 0.5);
            }
            run.keep("one client", visit);
        }
        let sync = run.look_at_the_disk()?;
        ratios.push(durable / (sync.in_place.p50_us + no_op));
    }
    run.figure(G8, &["one client"], ratios);
    Ok(())
}

fn at_four_fifths(run: &mut Run) -> Result<()> {
    let mut ratios = Vec::new();
    for round in 0..run.rounds() {
        let (mut no_op, mut durable) = (0.0, 0.0);
        for who in in_order(round) {
            let peak = run.visit(who, &Workload::ONE_ITEM, run.closed())?;
            let rate_per_s = done_per_second(&peak) * SHARE_OF_MAXIMUM;
            run.keep("peak of each", peak);
            let load = Load { pace: Pace::Open { rate_per_s }, ..run.closed() };
            let visit = run.visit(who, &Workload::ONE_ITEM, load)?;
            if who == Contestant::Durable {
                durable = quantile(&visit, 0.99);
            } else {
                no_op = quantile(&visit, 0.99);
            }
            run.keep("80 % of the peak", visit);
        }
        let sync = run.look_at_the_disk()?;
        ratios.push(durable / (no_op + 2.0 * sync.in_place.p99_us));
    }
    run.figure(G7, &["peak of each", "80 % of the peak"], ratios);
    Ok(())
}
