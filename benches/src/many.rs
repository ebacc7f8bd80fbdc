//! Very many items, most of them at rest: what each of them costs in memory, and what all of them cost in throughput
//! when customers want any of them (G16). An item at rest has no task, and nearly every customer asks one in its sleep.

use crate::contestant::Contestant;
use crate::goals::{G16, G16_MEMORY, Row};
use crate::ladder::done_per_second;
use crate::operator::Stock;
use crate::run::Run;
use crate::visit::{Visit, Workload};
use anyhow::{Context, Result};
use engine::limits::IDLE_BEFORE_REST;
use std::time::Duration;

/// The goal's number of items.
const GOAL: usize = 100_000;

/// Making them takes as long as many visits, so there is one round for so many of the other parts'.
const ROUNDS_FOR_ONE: usize = 3;

/// After this the last one that was made rests, too, with as much again for a machine that has more to do.
const REST: Duration = IDLE_BEFORE_REST.saturating_mul(3);

const SCENE: &str = "very many items";

/// What one round showed.
struct Seen {
    ratio: f64,
    bytes_each: f64,
}

/// One item and very many, in turn.
pub(crate) fn measure(run: &mut Run) -> Result<()> {
    let items = run.size().items;
    let mut seen = Vec::new();
    for _ in 0..run.rounds().div_ceil(ROUNDS_FOR_ONE) {
        let one = run.visit(Contestant::Durable, &Workload::ONE_ITEM, run.closed())?;
        let (many, bytes_each) = visit_many(run, items)?;
        let ratio = done_per_second(&many) / done_per_second(&one).max(f64::MIN_POSITIVE);
        run.note(format!(
            "{items} items at rest take {bytes_each:.0} bytes of RAM each, with what the log keeps in memory; with customers \
             for all of them {ratio:.3} of one item's reserve/s."
        ));
        seen.push(Seen { ratio, bytes_each });
        run.keep(SCENE, one);
        run.keep(SCENE, many);
        run.look_at_the_disk()?;
    }
    rows(run, items, &seen);
    Ok(())
}

/// Makes them, lets them rest, and sends customers; with what each of them takes at rest.
fn visit_many(run: &mut Run, items: usize) -> Result<(Visit, f64)> {
    let stock = Stock { units: 1_000_000, ..Workload::ONE_ITEM.stock };
    let many = Workload { name: SCENE, items, stock, ..Workload::ONE_ITEM };
    let load = run.closed();
    let visitor = run.visitor(&format!("making {items} items"));
    let server = visitor.start(Contestant::Durable, &Workload { items: 0, ..many.clone() }, None)?;
    let none = server.memory()?.resident;
    server.operator.as_ref().context("it has operators")?.open_all(&many.skus(), stock)?;
    std::thread::sleep(REST);
    let all = server.memory()?.resident;
    let bytes_each = all.saturating_sub(none) as f64 / items as f64;
    Ok((visitor.visit_running(server, &many, load)?, bytes_each))
}

fn rows(run: &mut Run, items: usize, seen: &[Seen]) {
    if items < GOAL {
        for goal in [G16, G16_MEMORY] {
            run.row(Row::new(goal, Err(format!("it is for {GOAL} items, and here there were {items}"))));
        }
        return;
    }
    run.figure(G16, &[SCENE], seen.iter().map(|one| one.ratio));
    run.row(Row::over_rounds(G16_MEMORY, seen.iter().map(|one| one.bytes_each / 1024.0)));
}
