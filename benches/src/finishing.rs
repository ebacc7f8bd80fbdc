//! What finishes a sale while reserves are shed: orders, payments and cancellations of customers who hold a unit.
//!
//! The settings are the shipped ones. With them it is the gateway that sheds: it lets in 1,024 at a time, and those the
//! server can judge within the two seconds it gives them. Who finishes a sale comes past the gateway, and has to be
//! served by a processor that the crowd takes whole.

use crate::audit::{self, Claims};
use crate::contestant::Contestant;
use crate::goals::{O3, Row};
use crate::load::source::{Customer, Source, Wishes};
use crate::load::steps::{Request, Step};
use crate::load::tally::{Ending, Tally};
use crate::load::{self, Measured, Pace, Plan};
use crate::neighbours::{self, Watch};
use crate::operator::Counts;
use crate::relief::{Peak, in_vain, more_held_than};
use crate::run::Run;
use crate::visit::{Load, Workload};
use anyhow::{Context, Result, anyhow, ensure};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// How many requests of theirs are sent in a second: so few that they are no load of their own.
const FINISHING_PER_S: f64 = 50.0;

/// Their connections. They have been customers before, so they need not pass the gateway.
const FINISHING_CONNECTIONS: usize = 16;

/// How many orders are placed between one and its payment: half a second, in which it has its answer.
const PAID_AFTER: usize = 8;

/// How long they wait: as long as the shipped server answers at the latest.
const PATIENCE: Duration = Duration::from_secs(5);

/// The overload has been there for so long when they begin. It ends when they have ended.
const MARGIN: Duration = Duration::from_millis(500);

/// Every other hold is cancelled, the rest is ordered and, a while later, paid.
fn script(holds: &[(String, u128)], token: &str) -> Vec<Request> {
    let (mut script, mut unpaid) = (Vec::new(), VecDeque::new());
    for (number, (name, id)) in holds.iter().enumerate() {
        if number % 2 == 0 {
            script.push(Request::cancellation(name, *id));
            continue;
        }
        script.push(Request::order(name, *id));
        unpaid.push_back((name, id));
        if unpaid.len() > PAID_AFTER
            && let Some((name, id)) = unpaid.pop_front()
        {
            script.push(Request::payment(name, *id, token));
        }
    }
    script
}

/// The script, and how far it has been sent.
#[derive(Clone)]
struct Reading {
    script: Arc<[Request]>,
    sent: Arc<AtomicUsize>,
}

impl Source for Reading {
    fn next(&mut self, into: &mut Vec<u8>) -> bool {
        let next = self.script.get(self.sent.load(Ordering::Relaxed));
        if let Some(request) = next {
            into.extend_from_slice(request.text.as_bytes());
            self.sent.fetch_add(1, Ordering::Relaxed);
        }
        next.is_some()
    }
}

impl Reading {
    /// How often a step was taken.
    fn sent(&self, step: Step) -> u64 {
        let sent = self.script.iter().take(self.sent.load(Ordering::Relaxed));
        sent.filter(|request| request.step == step).count() as u64
    }
}

/// What one round showed.
struct Seen {
    finishing: u64,
    not_served: u64,
    reserves: u64,
    reserves_shed: u64,
    doubt: Option<String>,
}

/// Some finish their sales while others come in crowds.
pub(crate) fn measure(run: &mut Run, peak: Peak) -> Result<()> {
    let mut seen = Vec::new();
    for _ in 0..run.rounds().div_ceil(2) {
        seen.push(round(run, peak)?);
    }
    let sum = |count: fn(&Seen) -> u64| seen.iter().map(count).sum::<u64>();
    let (finishing, shed, reserves) = (sum(|one| one.finishing), sum(|one| one.reserves_shed), sum(|one| one.reserves));
    let share = shed as f64 / reserves.max(1) as f64 * 100.0;
    let remark = format!("of {finishing}, while {share:.0} % of the reserves were, most by the gateway");
    let doubt = seen.iter().find_map(|one| one.doubt.clone());
    let shares = seen.iter().map(|one| one.not_served as f64 / one.finishing.max(1) as f64);
    let row = doubt.map_or_else(|| Row::over_rounds(O3, shares), |doubt| Row::new(O3, Err(doubt)));
    run.row(row.remarked(remark));
    Ok(())
}

fn round(run: &mut Run, peak: Peak) -> Result<Seen> {
    let length = run.size().warm_up + run.size().length;
    let count = (FINISHING_PER_S * length.as_secs_f64() * 1.5) as u64;
    let visitor = run.visitor("sales are finished while others come in crowds");
    let server = visitor.start(Contestant::Durable, &Workload::ONE_ITEM, Some(peak.halves))?;
    let one = Load { connections: 1, threads: 1, pace: Pace::Closed, patience: PATIENCE, ..peak.crowd(PATIENCE) };
    let (plan, no) = (visitor.plan(&server, one), visitor.made);
    let wishes = Wishes { requests_per_thread: count, ..Wishes::one_item("hot", no, plan.seed) };
    let before = load::run(&plan, &|thread| wishes.source(thread))?;
    let reading = Reading {
        script: script(&holds(&before.tally, no, count)?, &server.service_token()?).into(),
        sent: Arc::default(),
    };
    let halt = Arc::new(AtomicBool::new(false));
    let crowd = visitor.plan(&server, peak.crowd(MARGIN * 2 + length * 2));
    let crowd = Plan { halt: Some(Arc::clone(&halt)), ..crowd };
    let wishes = Wishes::one_item("hot", visitor.made, crowd.seed);
    let pace = Pace::Open { rate_per_s: FINISHING_PER_S };
    let load = Load { connections: FINISHING_CONNECTIONS, queue_max: usize::MAX, pace, length, ..one };
    let plan = Plan { warm_up: Duration::ZERO, ..visitor.plan(&server, load) };
    let watch = Watch::begin(server.cpu()?)?;
    let (finished, came) = std::thread::scope(|scope| {
        let came = scope.spawn(|| load::run(&crowd, &|thread| wishes.source(thread)));
        let finish = || {
            more_held_than(&server, u32::try_from(count)?)?;
            std::thread::sleep(MARGIN);
            load::run(&plan, &|_| Box::new(reading.clone()))
        };
        let finished = finish();
        halt.store(true, Ordering::Relaxed);
        (finished, came.join().unwrap_or_else(|_| Err(anyhow!("the crowd panicked"))))
    });
    let (finished, came): (Measured, Measured) = (finished?, came?);
    let ended_before = (finished.began + length).saturating_duration_since(came.began + crowd.length);
    let alone = (!ended_before.is_zero()).then(|| format!("the crowd went {ended_before:?} before them"));
    let (finished, came) = (finished.tally, came.tally);
    let calm = (in_vain(&came) == 0).then(|| "everybody was served: there was no overload".to_owned());
    let doubt = neighbours::doubt(watch.others(server.cpu()?)?).or(alone).or(calm);
    let failed = came.count_in_all(Ending::Failed);
    ensure!(failed == 0, "{failed} reserves broke under overload: no figure");
    let mut claims = Claims::default();
    claims.add(&before.tally);
    claims.add(&came);
    let counts = server.operator.as_ref().context("it has operators")?.counts("hot")?;
    agrees(counts, &claims, &came, (&finished, &reading))?;
    let dir = server.stop()?;
    audit::by_log(&dir, &claims)?;
    std::fs::remove_dir_all(&dir).context("what it left cannot be removed")?;
    Ok(Seen {
        finishing: finished.all.iter().sum(),
        not_served: not_served(&finished),
        reserves: came.all.iter().sum::<u64>() + came.turned_away,
        reserves_shed: in_vain(&came),
        doubt,
    })
}

fn not_served(tally: &Tally) -> u64 {
    [Ending::Shed, Ending::TimedOut, Ending::Failed].into_iter().map(|ending| tally.count_in_all(ending)).sum()
}

/// Who holds what. One asked after the other, so the answers are in their order.
fn holds(tally: &Tally, run: u32, count: u64) -> Result<Vec<(String, u128)>> {
    let granted = tally.count_in_all(Ending::Granted);
    ensure!(granted == count, "{granted} of {count} customers got a hold on a server that nobody else used");
    let name = |number| Customer { run, thread: 0, number }.to_string();
    Ok((1..).zip(tally.receipts.iter()).map(|(number, (id, _))| (name(number), *id)).collect())
}

/// The audit: what was not served may have happened, everything else has happened exactly once.
fn agrees(counts: Counts, claims: &Claims, came: &Tally, (finished, reading): (&Tally, &Reading)) -> Result<()> {
    let in_doubt = not_served(finished);
    let refused = finished.count_in_all(Ending::Refused);
    // Whose order was not placed cannot pay it. Nobody else has anything to be refused for.
    ensure!(refused <= in_doubt, "{refused} orders, payments or cancellations were refused");
    let (paid, cancelled) = (reading.sent(Step::Payment), reading.sent(Step::Cancellation));
    let sold = u64::from(counts.sold);
    let may_be_sold = paid.saturating_sub(in_doubt + refused)..=paid;
    ensure!(may_be_sold.contains(&sold), "{sold} are sold and {paid} payments were sent");
    let (held, granted) = (u64::from(counts.held), claims.granted());
    let unknown = came.count_in_all(Ending::TimedOut) - came.unsent;
    let may_remain = granted.saturating_sub(cancelled)..=granted + unknown + in_doubt - cancelled.min(granted);
    ensure!(
        may_remain.contains(&(held + sold)),
        "{granted} were granted, {cancelled} cancelled, {held} held, {sold} sold"
    );
    ensure!(counts.total == counts.available + counts.held + counts.sold, "units are missing: {counts:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_payment_comes_after_its_order_and_a_cancelled_hold_has_neither() {
        let holds: Vec<(String, u128)> = (0..40).map(|id| (format!("c{id}"), id)).collect();
        let script = script(&holds, "secret");
        let of = |step| script.iter().filter(|request| request.step == step).count();
        assert_eq!((of(Step::Cancellation), of(Step::Order), of(Step::Payment)), (20, 20, 20 - PAID_AFTER));
        for (at, payment) in script.iter().enumerate().filter(|(_, request)| request.step == Step::Payment) {
            let (_, id) = payment.text.split_once("ord_").expect("it names its order");
            let order = format!("rsv_{}", id.get(..32).expect("an id"));
            let placed = script.iter().position(|request| request.step == Step::Order && request.text.contains(&order));
            assert!(placed.is_some_and(|placed| placed + PAID_AFTER < at), "{}", payment.text);
        }
    }
}
