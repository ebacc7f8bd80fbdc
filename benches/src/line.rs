//! Joining a long line and a short one: whoever comes must not wait longer because more came before.

use crate::audit::{self, Claims};
use crate::contestant::Contestant;
use crate::goals::{G15, G15_INSTRUCTIONS, Row, Spread};
use crate::load::source::Wishes;
use crate::load::tally::Ending;
use crate::load::{self, Pace};
use crate::neighbours::{self, Watch};
use crate::operator::Stock;
use crate::process::Running;
use crate::run::Run;
use crate::timeline::CUSTOMERS_MIN;
use crate::visit::{self, Load, Workload};
use anyhow::{Context, Result, ensure};
use counts::baseline::{Baseline, COMMITTED};
use counts::counted;
use std::time::Duration;

/// How many wait in the short line when it is measured.
const SHORT: u32 = 1_000;

/// How many join in a second. Few enough that the short line stays one, and that nothing but the line is measured.
const JOIN_PER_S: f64 = 1_000.0;

/// Connections of those who join: more than are ever in use at once.
const CONNECTIONS: usize = 64;

/// Longest time that the long line may take to fill.
const FILLED_WITHIN: Duration = Duration::from_secs(900);

const LONG_SKU: &str = "hot";

/// Both rows.
pub(crate) fn measure(run: &mut Run) -> Result<()> {
    run.row(of_instructions(&serde_json::from_str(COMMITTED).context("the committed counts are not understood")?));
    joins(run)
}

fn of_instructions(baseline: &Baseline) -> Row {
    let of_one = |name: &str| {
        let count = baseline.counts.get(name)?;
        Some(count.instructions as f64 / f64::from(count.operations))
    };
    let ratio = of_one("reserve_queued_behind_a_long_line").zip(of_one("reserve_queued_behind_a_short_line"));
    let ratio = ratio.map(|(long, short)| long / short).and_then(|ratio| Spread::of([ratio]));
    let row = Row::new(G15_INSTRUCTIONS, ratio.ok_or_else(|| "the committed counts have no line".to_owned()));
    row.remarked(format!("{} waiting ÷ {}", counted::LONG_LINE, counted::SHORT_LINE))
}

fn joins(run: &mut Run) -> Result<()> {
    let waiting = run.size().waiting;
    // Room for all who join while it is measured, as often as it is tried, and as much again.
    let (rounds, each_s) = (run.rounds() as f64, (run.size().warm_up + run.size().length).as_secs_f64());
    let room = (JOIN_PER_S * each_s * rounds * f64::from(run.size().tries) * 2.0) as u32;
    let stock = Stock { units: 1, waitlist: Some(waiting.saturating_add(room)), ..Workload::ONE_ITEM.stock };
    let long = Workload { name: "one long line", stock, requests: u64::from(waiting) + 1, ..Workload::ONE_ITEM };
    // By one thread, so that exactly as many come as should.
    let fill = Load { warm_up: Duration::ZERO, length: FILLED_WITHIN, threads: 1, ..run.closed() };
    let visitor = run.visitor("a long line fills");
    let server = visitor.start(Contestant::Durable, &long, None)?;
    let mut claims = Claims::default();
    claims.add(&visitor.send(&server, &long, fill)?.tally);
    let operator = server.operator.clone().context("it has operators")?;
    ensure!(operator.counts(LONG_SKU)?.waiting == waiting, "the long line did not fill");
    let load = Load { pace: Pace::Open { rate_per_s: JOIN_PER_S }, connections: CONNECTIONS, ..run.closed() };
    let (mut ratios, mut skus, mut doubt) = (Vec::new(), vec![LONG_SKU.to_owned()], None);
    for round in 0..run.rounds() {
        let sku = format!("short-{round}");
        operator.open_all(std::slice::from_ref(&sku), stock)?;
        let visitor = run.visitor("a short line fills");
        let (plan, no) = (visitor.plan(&server, fill), visitor.made);
        let wishes = Wishes { requests_per_thread: u64::from(SHORT) + 1, ..Wishes::one_item(&sku, no, plan.seed) };
        claims.add(&load::run(&plan, &|thread| wishes.source(thread))?.tally);
        let mut lines = [LONG_SKU, sku.as_str()];
        if !round.is_multiple_of(2) {
            lines.reverse();
        }
        let (mut of_long, mut of_short) = (0.0, 0.0);
        for line in lines {
            let joined = join_in_peace(run, (&server, line), load, &mut claims)?;
            *(if line == LONG_SKU { &mut of_long } else { &mut of_short }) = joined.p99_us;
            doubt = doubt.or(joined.doubt);
        }
        run.note(format!("G15, round {}: p99 {of_long:.0} µs long, {of_short:.0} µs short", round + 1));
        ratios.push(of_long / of_short);
        skus.push(sku);
    }
    let counts = skus.iter().map(|sku| operator.counts(sku)).collect::<Result<Vec<_>>>()?;
    audit::by_counts(&counts, &claims)?;
    let dir = server.stop()?;
    audit::by_log(&dir, &claims)?;
    let figure = Spread::of(ratios).ok_or_else(|| "there was no round".to_owned());
    let (more, remark) = (JOIN_PER_S * each_s, format!("{waiting} waiting at first"));
    run.note(format!("G15: a short line of {SHORT} is a new one each round, and {more:.0} join it each time."));
    run.row(Row::new(G15, doubt.map_or(figure, Err)).remarked(remark));
    std::fs::remove_dir_all(&dir).context("what it left cannot be removed")
}

/// One stretch of joining one line.
struct Joined {
    p99_us: f64,
    doubt: Option<String>,
}

/// Joins again where the machine put it in doubt; the last time counts.
fn join_in_peace(run: &mut Run, at: (&Running, &str), load: Load, claims: &mut Claims) -> Result<Joined> {
    for _ in 1..run.size().tries {
        let joined = join(run, at, load, claims)?;
        let Some(doubt) = joined.doubt else { return Ok(joined) };
        run.note(format!("G15: joined {} again, for {doubt}.", at.1));
    }
    join(run, at, load, claims)
}

fn join(run: &mut Run, (server, sku): (&Running, &str), load: Load, claims: &mut Claims) -> Result<Joined> {
    let watch = Watch::begin(server.cpu()?)?;
    let visitor = run.visitor("customers join a line");
    let (plan, no) = (visitor.plan(server, load), visitor.made);
    let wishes = Wishes::one_item(sku, no, plan.seed);
    let measured = load::run(&plan, &|thread| wishes.source(thread))?;
    let stood_still = run.visitor("customers have joined a line").stood_still(&measured);
    let others = watch.others(server.cpu()?)?;
    claims.add(&measured.tally);
    let (joined, all) = (measured.tally.of(Ending::Waiting), measured.tally.together());
    let came_in_vain = all.len() - joined.len();
    let enough = || {
        let doubt = (came_in_vain > 0).then(|| format!("{came_in_vain} who came to {sku} got no place"));
        doubt.or_else(|| (joined.len() < CUSTOMERS_MIN as u64).then(|| "too few joined for a p99".to_owned()))
    };
    let doubt = neighbours::doubt(others).or_else(|| visit::doubt(load, &measured)).or_else(enough);
    let doubt = doubt.map(|doubt| stood_still.map_or(doubt.clone(), |still| format!("{doubt} ({still})")));
    Ok(Joined { p99_us: joined.value_at_quantile(0.99) as f64, doubt })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_counts_have_both_lines() {
        let row = of_instructions(&serde_json::from_str(COMMITTED).expect("it is a baseline"));
        let measured = row.measured.expect("there is a figure");
        assert!((1.0..1.1).contains(&measured.median), "{measured:?}");
    }
}
