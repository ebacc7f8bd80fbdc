//! What is left of an overload: who may not be shed in it, and how soon all is as before when it ends.
//!
//! Customers come at half the peak all the time, and are whom it is about. A crowd comes besides for a while, so that
//! together they are five times the peak; both have gateways and connections of their own.

use crate::audit::{self, Claims};
use crate::contestant::Contestant;
use crate::cores::Halves;
use crate::finishing;
use crate::goals::{O3, O4, O4_RETRIES, Row, Spread};
use crate::ladder::done_per_second;
use crate::load::source::Wishes;
use crate::load::tally::{Ending, Tally};
use crate::load::{self, Measured, Pace, Plan};
use crate::neighbours::{self, Watch};
use crate::overload::{CONNECTIONS, PATIENCE};
use crate::process::Running;
use crate::run::Run;
use crate::timeline::Timeline;
use crate::visit::{Load, Workload};
use anyhow::{Context, Result, anyhow, ensure};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How much more comes than can be served.
const TIMES: f64 = 5.0;

/// What comes all the time.
const USUAL_SHARE: f64 = 0.5;

/// Customers who retry ask so often again, at once.
const AGAIN: usize = 3;

/// What customers who retry have patience for, as a part of what all that the gateway lets in take at the peak: many of
/// them have gone when their turn comes, and stand in line again.
const PATIENCE_PART: f64 = 0.5;

/// How long it may take until all connections stand and the first customer is served.
const BEGUN_WITHIN: Duration = Duration::from_secs(30);

/// How often it is looked whether it has begun.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long those come who come all the time, at most: they are told to stop.
const LONGEST: Duration = Duration::from_secs(90);

/// The stretch of which a p99 is taken while one waits for it to be as before.
const WINDOW: Duration = Duration::from_millis(250);

/// As before is what is at most so many times it.
const AS_BEFORE: f64 = 2.0;

/// How long it is looked at behind the overload: longer than the bound, so that a miss shows as one.
const LOOKED_AFTER: Duration = Duration::from_secs(6);

/// Least time before the overload and in it.
const STRETCH_MIN: Duration = Duration::from_secs(1);

/// The most that a server does here, and how it is set for what comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peak {
    /// Reservations per second.
    pub(crate) per_s: f64,
    /// The two halves of the machine.
    pub(crate) halves: Halves,
    /// The closed loop that found it.
    closed: Load,
}

impl Peak {
    fn open(&self, share: f64, length: Duration) -> Load {
        Load {
            pace: Pace::Open { rate_per_s: self.per_s * share },
            connections: CONNECTIONS,
            queue_max: CONNECTIONS,
            warm_up: Duration::ZERO,
            length,
            ..self.closed
        }
    }

    /// A crowd of many times the peak.
    pub(crate) fn crowd(&self, length: Duration) -> Load {
        self.open(TIMES, length)
    }
}

/// Finds the peak, and then what happens beyond it.
pub(crate) fn measure(run: &mut Run) -> Result<()> {
    let Some(halves) = Halves::of_this_machine() else {
        let why = "this machine has one processor, which server and generator would take from each other";
        [O3, O4, O4_RETRIES].into_iter().for_each(|goal| run.row(Row::new(goal, Err(why.to_owned()))));
        return Ok(());
    };
    let closed = Load { halves: Some(halves), threads: halves.generator.len(), patience: PATIENCE, ..run.closed() };
    let visit = run.visit(Contestant::Durable, &Workload::ONE_ITEM, closed)?;
    let per_s = done_per_second(&visit);
    ensure!(per_s > 0.0, "the server served nobody");
    run.keep("relief, peak", visit);
    let peak = Peak { per_s, halves, closed };
    finishing::measure(run, peak)?;
    for (goal, again) in [(O4, 0), (O4_RETRIES, AGAIN)] {
        let (mut back_s, mut doubt, mut in_vain) = (Vec::new(), None, 0);
        for _ in 0..run.rounds().div_ceil(2) {
            let round = round(run, peak, again)?;
            in_vain += round.in_vain;
            match round.back {
                Ok(after) => back_s.push(after.as_secs_f64()),
                Err(why) => doubt = doubt.or(Some(why)),
            }
        }
        let figure = Spread::of(back_s).ok_or_else(|| "there was no round".to_owned());
        let remark = format!("in {in_vain} cases nobody had an answer in time, or was let in");
        run.row(Row::new(goal, doubt.map_or(figure, Err)).remarked(remark));
    }
    Ok(())
}

/// What one overload left behind.
struct Relief {
    in_vain: u64,
    back: Result<Duration, String>,
}

fn round(run: &mut Run, peak: Peak, again: usize) -> Result<Relief> {
    let stretch = run.size().length.max(STRETCH_MIN);
    let before = run.size().warm_up + stretch;
    let visitor = run.visitor("an overload begins and ends");
    let server = visitor.start(Contestant::Durable, &Workload::ONE_ITEM, Some(peak.halves))?;
    let halt = Arc::new(AtomicBool::new(false));
    let usual = visitor.plan(&server, peak.open(USUAL_SHARE, LONGEST));
    let usual = Plan { keeps_moments: true, halt: Some(Arc::clone(&halt)), ..usual };
    let usual_wishes = Wishes::one_item("hot", visitor.made, usual.seed);
    let crowd = visitor.plan(&server, peak.open(TIMES - USUAL_SHARE, stretch));
    let patience = Duration::from_secs_f64(CONNECTIONS as f64 / peak.per_s * PATIENCE_PART);
    let crowd = Plan { again, patience: if again > 0 { patience } else { PATIENCE }, ..crowd };
    let crowd_wishes = Wishes::one_item("hot", visitor.made, crowd.seed);
    let watch = Watch::begin(server.cpu()?)?;
    let (usually, came) = std::thread::scope(|scope| {
        let usually = scope.spawn(|| load::run(&usual, &|thread| usual_wishes.source(thread)));
        let come = || {
            more_held_than(&server, 0)?;
            std::thread::sleep(before);
            let came = load::run(&crowd, &|thread| crowd_wishes.source(thread))?;
            let until = came.began + stretch + LOOKED_AFTER;
            std::thread::sleep(until.saturating_duration_since(Instant::now()));
            Ok::<Measured, anyhow::Error>(came)
        };
        let came = come();
        halt.store(true, Ordering::Relaxed);
        (usually.join().unwrap_or_else(|_| Err(anyhow!("who comes usually panicked"))), came)
    });
    let (usually, came): (Measured, Measured) = (usually?, came?);
    // That the generator is late under overload makes its end look later, never earlier.
    let doubt = neighbours::doubt(watch.others(server.cpu()?)?);
    audited(server, [&usually, &came])?;
    let began = usually.began;
    let calm = began + run.size().warm_up..came.began;
    let overload_ended = came.began + stretch;
    let line = Timeline::of(usually.tally.moments);
    let back = back_after(&line, &calm, overload_ended..overload_ended + LOOKED_AFTER, usual.patience);
    let in_vain = in_vain(&came.tally);
    let doubt = doubt.or_else(|| (in_vain == 0).then(|| "everybody was served: there was no overload".to_owned()));
    Ok(Relief { in_vain, back: doubt.map_or(back, Err) })
}

/// How often somebody was not served: by the server, or not let in by the gateway.
pub(crate) fn in_vain(tally: &Tally) -> u64 {
    tally.turned_away + tally.count_in_all(Ending::Shed) + tally.count_in_all(Ending::TimedOut)
}

/// Waits until a crowd has begun to be served. Connecting all of them takes a while.
pub(crate) fn more_held_than(server: &Running, held: u32) -> Result<()> {
    let operator = server.operator.as_ref().context("it has operators")?;
    let until = Instant::now() + BEGUN_WITHIN;
    while operator.counts("hot")?.held <= held {
        ensure!(Instant::now() < until, "nobody was served within {BEGUN_WITHIN:?}");
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

fn audited(server: Running, all: [&Measured; 2]) -> Result<()> {
    let mut claims = Claims::default();
    for measured in all {
        let failed = measured.tally.count_in_all(Ending::Failed);
        ensure!(failed == 0, "{failed} requests broke under overload: no figure");
        claims.add(&measured.tally);
    }
    audit::by_counts(&[server.operator.as_ref().context("it has operators")?.counts("hot")?], &claims)?;
    let dir = server.stop()?;
    audit::by_log(&dir, &claims)?;
    std::fs::remove_dir_all(&dir).context("what it left cannot be removed")
}

/// From the end of the overload to the end of the first of two windows in a row that are as before; all the time that
/// was looked at if there are none.
fn back_after(
    line: &Timeline,
    calm: &Range<Instant>,
    after: Range<Instant>,
    patience: Duration,
) -> Result<Duration, String> {
    let bound = line.p99(calm, patience).map_err(|why| format!("before: {why}"))?.mul_f64(AS_BEFORE);
    let (mut from, mut good_since) = (after.start, None);
    while from + WINDOW <= after.end {
        let window = from..from + WINDOW;
        let is_good = line.p99(&window, patience).is_ok_and(|p99| p99 <= bound);
        match good_since {
            Some(good) if is_good => return Ok(good - after.start),
            None if is_good => good_since = Some(window.end),
            Some(_) | None => good_since = None,
        }
        from = window.end;
    }
    Ok(after.end - after.start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tally::Moment;

    /// A customer each millisecond. The overload ends at 1 s, and waits are long until `slow_until`, in milliseconds.
    fn back_ms(slow_until: u64) -> u128 {
        let began = Instant::now();
        let at = |ms: u64| began + Duration::from_millis(ms);
        let moment = |ms: u64| {
            let latency = Duration::from_millis(if (500..slow_until).contains(&ms) { 40 } else { 2 });
            Moment { at: at(ms) + latency, latency, ending: Some(Ending::Granted) }
        };
        let line = Timeline::of((0..4_000).map(moment));
        let back = back_after(&line, &(at(0)..at(500)), at(1_000)..at(4_000), PATIENCE);
        back.expect("there were enough customers").as_millis()
    }

    #[test]
    fn it_is_over_when_two_windows_in_a_row_are_as_before() {
        assert_eq!([back_ms(1_000), back_ms(1_100), back_ms(2_300)], [250, 500, 1_750]);
    }

    #[test]
    fn an_overload_that_never_ends_takes_all_the_time_there_is() {
        assert_eq!(back_ms(4_000), 3_000);
    }
}
