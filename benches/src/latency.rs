//! What a customer waits: alone, and with the server at four fifths of what it can do.

use crate::contestant::Contestant;
use crate::goals::{G7, G7_FJALL, G8, G8_FJALL, Goal};
use crate::ladder::done_per_second;
use crate::load::Pace;
use crate::load::tally::Ending;
use crate::run::Run;
use crate::visit::{Load, Visit, Workload};
use anyhow::Result;
use std::collections::BTreeMap;

/// The share of a server's own maximum at which latencies are compared.
const SHARE_OF_MAXIMUM: f64 = 0.8;

const COMPARED: [Contestant; 3] = [Contestant::Axum, Contestant::Durable, Contestant::DurableFjall];

/// Both comparisons.
pub(crate) fn measure(run: &mut Run) -> Result<()> {
    alone(run)?;
    at_four_fifths(run)
}

fn quantile(visit: &Visit, quantile: f64) -> f64 {
    visit.measured.tally.of(Ending::Granted).value_at_quantile(quantile) as f64
}

fn in_order(round: usize) -> [Contestant; 3] {
    let mut order = COMPARED;
    if !round.is_multiple_of(2) {
        order.reverse();
    }
    order
}

/// What a contestant waited in each round, over what a no-op and the disk took in the same round.
#[derive(Default)]
struct Ratios(BTreeMap<Contestant, Vec<f64>>);

impl Ratios {
    /// Adds a round of latencies, with what the disk takes in this comparison.
    fn add(&mut self, us: &BTreeMap<Contestant, f64>, disk_us: f64) {
        let no_op = us.get(&Contestant::Axum).copied().unwrap_or_default();
        for who in Contestant::SHIPPED {
            self.0.entry(who).or_default().extend(us.get(&who).map(|us| us / (disk_us + no_op)));
        }
    }

    fn rows(mut self, run: &mut Run, goals: [Goal; 2], scenes: &[&str]) {
        for (who, goal) in Contestant::SHIPPED.into_iter().zip(goals) {
            let ratios = self.0.remove(&who).unwrap_or_default();
            run.figure_among(goal, scenes, &[Contestant::Axum, who], ratios);
        }
    }
}

fn alone(run: &mut Run) -> Result<()> {
    let load = Load { connections: 1, threads: 1, ..run.closed() };
    let mut ratios = Ratios::default();
    for round in 0..run.rounds() {
        let mut us = BTreeMap::new();
        for who in in_order(round) {
            let visit = run.visit(who, &Workload::ONE_ITEM, load)?;
            us.insert(who, quantile(&visit, 0.5));
            run.keep("one client", visit);
        }
        let sync = run.look_at_the_disk()?;
        ratios.add(&us, sync.in_place.p50_us);
    }
    ratios.rows(run, [G8, G8_FJALL], &["one client"]);
    Ok(())
}

fn at_four_fifths(run: &mut Run) -> Result<()> {
    let mut ratios = Ratios::default();
    for round in 0..run.rounds() {
        let mut us = BTreeMap::new();
        for who in in_order(round) {
            let peak = run.visit(who, &Workload::ONE_ITEM, run.closed())?;
            let rate_per_s = done_per_second(&peak) * SHARE_OF_MAXIMUM;
            run.keep("peak of each", peak);
            let load = Load { pace: Pace::Open { rate_per_s }, ..run.closed() };
            let visit = run.visit(who, &Workload::ONE_ITEM, load)?;
            us.insert(who, quantile(&visit, 0.99));
            run.keep("80 % of the peak", visit);
        }
        let sync = run.look_at_the_disk()?;
        ratios.add(&us, 2.0 * sync.in_place.p99_us);
    }
    ratios.rows(run, [G7, G7_FJALL], &["peak of each", "80 % of the peak"]);
    Ok(())
}
