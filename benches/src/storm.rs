//! Many holds that end at once: what it does to customers who reserve meanwhile, and how soon all of them have ended.
//!
//! They are made due at one instant by a restart. Holds that ended while the server was down get the restart grace, so
//! all of them end when it is over, to the millisecond; the server has been running for a while by then and no customer
//! waits for a process that stands still. Customers come for the same item at an even rate before and during it.

use crate::audit::{self, Claims};
use crate::contestant::Contestant;
use crate::cores;
use crate::goals::{G17, G17_WITHIN, Row};
use crate::load::source::Wishes;
use crate::load::tally::Ending;
use crate::load::{self, Measured, Pace, Plan};
use crate::neighbours::{self, Watch};
use crate::operator::{Operator, Stock};
use crate::process::{How, Running};
use crate::run::Run;
use crate::timeline::Timeline;
use crate::visit::{self, Load, Workload};
use anyhow::{Context, Result, ensure};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How many end at once.
const HOLDS: u32 = 1_000_000;

/// How many in a quick run.
const HOLDS_QUICK: u32 = 20_000;

/// What a slow machine makes of them in a second. They must last until all have been made.
const MADE_PER_S: u32 = 10_000;

/// How long a hold lasts at least: longer than a quick run measures, so that no new hold ends in it.
const HOLD_TIME_MIN: Duration = Duration::from_secs(5);

/// From the restart until they end. All that is read at a start, and a while of calm, must come before.
const GRACE: Duration = Duration::from_secs(15);

/// The same in a quick run, with as much less to read.
const GRACE_QUICK: Duration = Duration::from_secs(4);

/// How long they are waited for. Longer than the floor, so that a miss shows as what it is.
const ENDED_WITHIN: Duration = Duration::from_secs(60);

/// What customers offer, as a share of what a closed loop got: a shop that is well used and not overloaded.
const SHARE_OF_PEAK: f64 = 0.3;

/// Connections of these customers: more than are ever in use at once, so that nobody waits for one. With 64 of them,
/// 20,000 customers a second did as soon as each took 3 ms.
const CONNECTIONS: usize = 512;

/// How often the item is asked how many it holds. A read of what was published at the last commit.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// It is over when the count has only grown in so many looks: the new customers' holds.
const LOOKS_AFTER: usize = 25;

/// One look at the item.
#[derive(Clone, Copy, Debug)]
struct Look {
    asked: Instant,
    answered: Instant,
    held: u32,
}

/// How large.
#[derive(Clone, Copy, Debug)]
struct Storm {
    holds: u32,
    grace: Duration,
    hold_time: Duration,
}

impl Storm {
    fn of(run: &Run) -> Self {
        let (holds, grace) = if run.rounds() <= 2 { (HOLDS_QUICK, GRACE_QUICK) } else { (HOLDS, GRACE) };
        Self { holds, grace, hold_time: HOLD_TIME_MIN + Duration::from_secs((holds / MADE_PER_S).into()) }
    }
}

/// Lets them be made, come due and end.
pub(crate) fn measure(run: &mut Run) -> Result<()> {
    let storm = Storm::of(run);
    let hold_time_ms = u64::try_from(storm.hold_time.as_millis())?;
    let stock = Stock { hold_time_ms, ..Workload::ONE_ITEM.stock };
    let item = Workload { name: "one item", stock, requests: storm.holds.into(), ..Workload::ONE_ITEM };
    let closed = Load { warm_up: Duration::ZERO, length: storm.hold_time, ..run.closed() };
    let visitor = run.visitor("holds are made that end at once");
    let server = visitor.start(Contestant::Durable, &item, None)?;
    let began = Instant::now();
    let made = visitor.send(&server, &item, closed)?;
    let took = began.elapsed();
    let mut claims = Claims::default();
    claims.add(&made.tally);
    let holds = u32::try_from(claims.granted())?;
    let is_whole = took < storm.hold_time && holds >= storm.holds;
    if is_whole {
        audit::by_counts(&[hot(&server)?], &claims)?;
    }
    let dir = server.stop()?;
    if !is_whole {
        let why = format!("{holds} of {} holds were made before the first of them ended", storm.holds);
        [G17, G17_WITHIN].into_iter().for_each(|goal| run.row(Row::new(goal, Err(why.clone()))));
        return std::fs::remove_dir_all(&dir).context("what it left cannot be removed");
    }
    // They come due while the server is down.
    std::thread::sleep((began + took + storm.hold_time).saturating_duration_since(Instant::now()));
    let flags = ["--restart-grace-ms".to_owned(), storm.grace.as_millis().to_string()];
    let how = How { flags: &flags, ..How::default() };
    let programs = run.visitor("they end while customers come").programs.clone();
    let server = Running::start_as(how, Contestant::Durable, &programs, &dir, None)?;
    let rate_per_s = f64::from(holds) / took.as_secs_f64() * SHARE_OF_PEAK;
    let load = Load {
        pace: Pace::Open { rate_per_s },
        connections: CONNECTIONS,
        length: storm.grace + ENDED_WITHIN,
        threads: cores::count().min(2),
        ..run.closed()
    };
    let watch = Watch::begin(server.cpu()?)?;
    let (measured, looks) = weather(run, &server, load)?;
    let doubt = neighbours::doubt(watch.others(server.cpu()?)?).or_else(|| visit::doubt(load, &measured));
    let failed = measured.tally.count_in_all(Ending::Failed);
    ensure!(failed == 0, "{failed} requests broke while holds ended: no figure");
    let mut later = Claims::default();
    later.add(&measured.tally);
    claims.add(&measured.tally);
    let lasted = measured.began.elapsed();
    let counts = hot(&server)?;
    let dir = server.stop()?;
    audit::by_log(&dir, &claims)?;
    std::fs::remove_dir_all(&dir).context("what it left cannot be removed")?;
    let line = Timeline::of(measured.tally.moments);
    let mut seen = Seen::of(&line, measured.began + load.warm_up, &looks, (holds, load));
    if lasted >= storm.hold_time {
        seen = Err(format!("it was not over when new holds, which last {:?}, ended too", storm.hold_time));
    } else if seen.is_ok() {
        // All that were made before have ended, so what is held now are the new ones.
        audit::by_counts(&[counts], &later)?;
    }
    rows(run, &doubt.map_or(seen, Err), (holds, rate_per_s));
    Ok(())
}

fn hot(server: &Running) -> Result<crate::operator::Counts> {
    server.operator.as_ref().context("it has operators")?.counts("hot")
}

/// Customers come, and somebody looks until it is over.
fn weather(run: &mut Run, server: &Running, load: Load) -> Result<(Measured, Vec<Look>)> {
    let visitor = run.visitor("they end while customers come");
    let halt = Arc::new(AtomicBool::new(false));
    let plan = Plan { keeps_moments: true, halt: Some(Arc::clone(&halt)), ..visitor.plan(server, load) };
    let wishes = Wishes::one_item("hot", visitor.made, plan.seed);
    let operator = server.operator.clone().context("it has operators")?;
    let until = Instant::now() + load.warm_up + load.length;
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let looks = look(&operator, until);
            halt.store(true, Ordering::Relaxed);
            looks
        });
        let measured = load::run(&plan, &|thread| wishes.source(thread));
        halt.store(true, Ordering::Relaxed);
        let looks = looking.join().map_err(|_| anyhow::anyhow!("who looked at the item panicked"))?;
        Ok((measured?, looks))
    })
}

fn look(operator: &Operator, until: Instant) -> Vec<Look> {
    let (mut looks, mut grown, mut has_shrunk) = (Vec::<Look>::new(), 0, false);
    while grown < LOOKS_AFTER && Instant::now() < until {
        let asked = Instant::now();
        // A read that is refused in the storm is asked again. It is a look that is missing, and the time goes on.
        if let Ok(counts) = operator.counts("hot") {
            let shrinks = looks.last().is_some_and(|last| counts.held < last.held);
            has_shrunk |= shrinks;
            grown = if shrinks || !has_shrunk { 0 } else { grown + 1 };
            looks.push(Look { asked, answered: Instant::now(), held: counts.held });
        }
        std::thread::sleep(LOOK_EVERY);
    }
    looks
}

/// What it did.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seen {
    p99_ratio: f64,
    within_s: f64,
}

impl Seen {
    /// # Errors
    /// In words, why there is nothing to say.
    fn of(line: &Timeline, from: Instant, looks: &[Look], (holds, load): (u32, Load)) -> Result<Self, String> {
        let granted = |until: Instant| line.granted_before(until);
        // Every hold of before is there as long as no fewer are held than they and those granted since.
        let is_whole = |look: &Look| u64::from(look.held) >= u64::from(holds) + granted(look.asked);
        // Gone is the last of them when no more are held than were granted since, or are being asked for.
        let is_over = |look: &Look| u64::from(look.held) <= granted(look.answered) + load.connections as u64;
        let whole = looks.iter().take_while(|look| is_whole(look)).last();
        let began = whole.ok_or("they had ended before anybody looked")?.asked;
        let over = looks.iter().find(|look| look.asked > began && is_over(look));
        let ended = over.ok_or_else(|| format!("not all had ended {} s later", ENDED_WITHIN.as_secs()))?.answered;
        // The first half of the time before is the server's own start: caches and connections are new.
        let from = from + began.saturating_duration_since(from) / 2;
        let calm = line.p99(&(from..began), load.patience).map_err(|why| format!("before: {why}"))?;
        let p99 = line.p99(&(began..ended), load.patience).map_err(|why| format!("while they ended: {why}"))?;
        Ok(Self { p99_ratio: p99.as_secs_f64() / calm.as_secs_f64(), within_s: (ended - began).as_secs_f64() })
    }
}

fn rows(run: &mut Run, seen: &Result<Seen, String>, (holds, rate_per_s): (u32, f64)) {
    for (goal, value) in
        [(G17, seen.as_ref().map(|seen| seen.p99_ratio)), (G17_WITHIN, seen.as_ref().map(|seen| seen.within_s))]
    {
        let row = match value {
            Ok(value) => Row::over_rounds(goal, [value]),
            Err(why) => Row::new(goal, Err(why.clone())),
        };
        run.row(row.remarked(format!("{holds} holds, {rate_per_s:.0} reserve/s")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tally::Moment;

    /// A customer each millisecond, who waits one; from the second second on, for a tenth of one, ten.
    #[test]
    fn what_customers_wait_is_taken_from_the_time_in_which_holds_end() {
        let began = Instant::now();
        let at = |ms: u64| began + Duration::from_millis(ms);
        let is_stormy = |ms: u64| (2_000..3_000).contains(&ms);
        let moment = |ms: u64| {
            let latency = Duration::from_millis(if is_stormy(ms) { 10 } else { 1 });
            Moment { at: at(ms) + latency, latency, ending: Some(Ending::Granted) }
        };
        let line = Timeline::of((0..4_000).map(moment));
        let load = Load {
            pace: Pace::Closed,
            connections: 1,
            warm_up: Duration::ZERO,
            length: Duration::ZERO,
            patience: Duration::from_secs(1),
            queue_max: 1,
            halves: None,
            threads: 1,
        };
        let held = |ms: u64| (ms + 10_000 - if is_stormy(ms) { (ms - 1_999) * 10 } else { 0 }) as u32;
        let gone = |ms: u64| if ms < 3_000 { held(ms) } else { (ms - 10) as u32 };
        let look = |ms: u64| Look { asked: at(ms), answered: at(ms), held: gone(ms) };
        let looks: Vec<Look> = (0..400).map(|look_no| look(look_no * 10)).collect();
        let seen = Seen::of(&line, began, &looks, (10_000, load)).expect("it is over");
        assert!((9.9..10.1).contains(&seen.p99_ratio), "{seen:?}");
        assert!((0.9..1.1).contains(&seen.within_s), "{seen:?}");
        let (early, _) = looks.split_at(250);
        assert!(Seen::of(&line, began, early, (10_000, load)).is_err_and(|why| why.starts_with("not all")));
    }
}
