//! More customers than can be served. Server and generator have processors of their own here: what the generator needs
//! to offer more would otherwise be taken from the server, and the overload would slow what it is to measure.
//!
//! Customers come through a gateway with a bounded number of connections; whoever finds none free and nobody before
//! them may wait is turned away there, and counted.
//!
//! Last come customers who hang up at the median of what an accepted one waited before, so that many do, and the server
//! has to notice in time. What it does for the gone is [`crate::gone`]'s.

use crate::contestant::Contestant;
use crate::cores::Halves;
use crate::goals::{G9_2, G9_4, O1_ACCEPTED, O1_GOODPUT, O1_REFUSED, Row, Spread};
use crate::gone::{self, Customers};
use crate::ladder::done_per_second;
use crate::load::Pace;
use crate::load::tally::Ending;
use crate::run::Run;
use crate::visit::{Load, Visit, Workload};
use anyhow::Result;
use std::time::Duration;

/// Connections of the gateway.
pub(crate) const CONNECTIONS: usize = 1_024;

/// How long a customer waits before they give up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// How much more is offered than can be done.
const TIMES: [f64; 4] = [2.0, 4.0, 5.0, 10.0];

/// How much more is offered by those who hang up soon.
const TIMES_IMPATIENT: f64 = 4.0;

/// Those of them that O1 and O5 are about.
const O1_TIMES: [f64; 3] = [2.0, 5.0, 10.0];

const NOTHING: &str = "nothing of the kind happened";

const PEAK: &str = "overload, peak";
const FOUR_FIFTHS: &str = "overload, 80 % of the peak";
const CALM: [&str; 2] = [PEAK, FOUR_FIFTHS];

/// What one round showed at one offer.
struct Seen {
    times: f64,
    goodput: f64,
    accepted: f64,
    refused_ms: Option<f64>,
    doubt: Option<String>,
}

/// Offers ever more.
pub(crate) fn measure(run: &mut Run) -> Result<()> {
    let halves = Halves::of_this_machine();
    let threads = halves.map_or(1, |halves| halves.generator.len());
    let closed = Load { halves, threads, patience: PATIENCE, ..run.closed() };
    let (mut seen, mut logs) = (Vec::new(), Vec::new());
    for _ in 0..run.rounds().div_ceil(2) {
        let visit = run.visit(Contestant::Durable, &Workload::ONE_ITEM, closed)?;
        let peak = done_per_second(&visit);
        run.keep(PEAK, visit);
        let open = |rate_per_s| Load {
            pace: Pace::Open { rate_per_s },
            connections: CONNECTIONS,
            queue_max: CONNECTIONS,
            ..closed
        };
        let calm = run.visit(Contestant::Durable, &Workload::ONE_ITEM, open(peak * 0.8))?;
        let calm_p99 = p99(&calm, Ending::Granted);
        run.keep(FOUR_FIFTHS, calm);
        let mut median = PATIENCE;
        for times in TIMES {
            let visit = run.visit(Contestant::Durable, &Workload::ONE_ITEM, open(peak * times))?;
            let refused = visit.measured.tally.of(Ending::Shed);
            seen.push(Seen {
                times,
                goodput: done_per_second(&visit) / peak,
                accepted: p99(&visit, Ending::Granted) / calm_p99,
                refused_ms: (!refused.is_empty()).then(|| p99(&visit, Ending::Shed) / 1_000.0),
                doubt: visit.doubt.clone(),
            });
            let customers = if O1_TIMES.contains(&times) { Customers::OfO1 } else { Customers::Patient };
            logs.push(gone::Seen::of(customers, &visit)?);
            if times == TIMES_IMPATIENT {
                median = Duration::from_micros(visit.measured.tally.of(Ending::Granted).value_at_quantile(0.5));
            }
            run.keep(&format!("overload, {times} × the peak"), visit);
        }
        let impatient = Load { patience: median, ..open(peak * TIMES_IMPATIENT) };
        let visit = run.visit(Contestant::Durable, &Workload::ONE_ITEM, impatient)?;
        let seen = gone::Seen::of(Customers::Impatient, &visit)?;
        run.note(seen.words(median));
        logs.push(seen);
        run.keep("overload, impatient", visit);
    }
    rows(run, &seen);
    gone::rows(run, &logs);
    Ok(())
}

fn p99(visit: &Visit, ending: Ending) -> f64 {
    visit.measured.tally.of(ending).value_at_quantile(0.99) as f64
}

fn rows(run: &mut Run, seen: &[Seen]) {
    // What every round is compared with.
    let calm = run.kept.iter().filter(|(scene, _)| CALM.contains(&scene.as_str()));
    let calm_doubt = calm.filter_map(|(_, visit)| visit.doubt.clone()).next();
    let at = |times: &[f64]| -> Vec<&Seen> { seen.iter().filter(|one| times.contains(&one.times)).collect() };
    let figure = |of: &[&Seen], value: &dyn Fn(&Seen) -> Option<f64>| {
        let calm = calm_doubt.clone().or_else(|| of.iter().find_map(|one| one.doubt.clone()));
        if let Some(doubt) = calm {
            return Err(doubt);
        }
        Spread::of(of.iter().filter_map(|one| value(one))).ok_or_else(|| NOTHING.to_owned())
    };
    let (twice, four, three) = (at(&[2.0]), at(&[4.0]), at(&O1_TIMES));
    // Of the three the worst counts, so that is what stands where the median of rounds would.
    let worst =
        |spread: Spread, is_high: bool| Spread { median: if is_high { spread.max } else { spread.min }, ..spread };
    run.row(Row::new(G9_2, figure(&twice, &|one| Some(one.goodput))));
    run.row(Row::new(G9_4, figure(&four, &|one| Some(one.goodput))));
    run.row(Row::new(O1_GOODPUT, figure(&three, &|one| Some(one.goodput)).map(|all| worst(all, false))));
    run.row(Row::new(O1_ACCEPTED, figure(&three, &|one| Some(one.accepted)).map(|all| worst(all, true))));
    run.row(Row::new(O1_REFUSED, figure(&three, &|one| one.refused_ms).map(|all| worst(all, true))));
}
