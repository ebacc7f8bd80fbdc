//! What a reservation costs the shipped server beside a no-op, in counts that noise cannot touch: user instructions
//! (G19), and as notes system calls and wake-ups.
//!
//! Under callgrind a server is some fifty times slower and runs one thread at a time, so how many reservations share a
//! commit is not what it is in the field; the load is a closed loop of as many clients for everybody. Every request that was
//! sent while callgrind counted is answered before it stops, and is counted here. A few are counted first and subtracted,
//! and with them what the connections cost to make and to close.

use crate::audit::Claims;
use crate::callgrind::Callgrind;
use crate::calls::{self, NotAllowed, Traced};
use crate::contestant::Contestant;
use crate::goals::{G19, G19_FJALL, Row};
use crate::load::tally::{Ending, Tally};
use crate::process::Running;
use crate::run::Run;
use crate::visit::{Load, Visitor, Workload};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::time::Duration;

const COUNTED: [Contestant; 4] = [Contestant::Axum, Contestant::Noop, Contestant::Durable, Contestant::DurableFjall];

/// Clients that ask again when they have their answer: enough for commits to be shared, few enough for a server under
/// callgrind to answer all of them in time.
const CLIENTS: usize = 64;

/// Requests that are counted for each millisecond that other parts measure: about as many as the shipped server answers
/// under callgrind in as long. A number, not a time: with counting switched on, all code is translated anew, and a
/// busy machine might answer none before the time is over.
const REQUESTS_PER_MS: u64 = 2;

/// Longest time that all of them may take, and any one of them. Only a server that hangs takes so long.
const ANSWERED_WITHIN: Duration = Duration::from_secs(300);

/// Before anything is counted, this part of as many requests is sent.
const WARM_UP_PART: u64 = 2;

/// Requests for one of the others where nothing slows the server down.
const UNTRACED_FOR_ONE: u64 = 10;

/// One count in so many rounds of the other parts: counts hardly differ from one to the next.
const ROUNDS_FOR_ONE: usize = 3;

/// What one contestant does for one request.
#[derive(Clone, Copy, Debug, Default)]
struct PerRequest {
    calls: f64,
    sleeps: f64,
    /// For each record of its log, if it leaves one.
    sleeps_per_commit: Option<f64>,
}

/// A server on a busy machine may be too slow under callgrind for its own deadlines. That is no error, and no figure.
#[derive(Debug, thiserror::Error)]
#[error("{who} granted {granted} of {requests}, and what it refuses costs less")]
struct NotAllGranted {
    who: Contestant,
    granted: u64,
    requests: u64,
}

/// What everybody is sent.
#[derive(Clone, Copy)]
struct Loads {
    load: Load,
    /// Requests that are counted first, one for each connection.
    few: u64,
    /// Requests that are counted beyond those.
    many: u64,
}

impl Loads {
    /// Sends so many; all must be granted, because a refusal costs less.
    fn send(self, visitor: &mut Visitor, to: &Running, requests: u64, claims: &mut Claims) -> Result<()> {
        let what = Workload { requests, ..Workload::ONE_ITEM };
        let tally: Tally = visitor.send(to, &what, self.load)?.tally;
        claims.add(&tally);
        let (granted, who) = (tally.count_in_all(Ending::Granted), to.contestant());
        ensure!(granted == requests, NotAllGranted { who, granted, requests });
        Ok(())
    }
}

/// Instructions, then system calls and wake-ups.
pub(crate) fn measure(run: &mut Run) -> Result<()> {
    let size = run.size();
    let load = Load {
        connections: CLIENTS,
        threads: 1,
        warm_up: Duration::ZERO,
        length: ANSWERED_WITHIN,
        patience: ANSWERED_WITHIN,
        ..run.closed()
    };
    let load = Loads { load, few: CLIENTS as u64, many: REQUESTS_PER_MS * size.length.as_millis() as u64 };
    let missing = Callgrind::missing().map(Ok);
    if let Some(why) = missing.or_else(|| unless_excused(instructions(run, load)).transpose()).transpose()? {
        for goal in [G19, G19_FJALL] {
            run.row(Row::new(goal, Err(why.clone())));
        }
    }
    let missing = Traced::missing().map(Ok);
    if let Some(why) = missing.or_else(|| unless_excused(kernel(run, load)).transpose()).transpose()? {
        run.note(format!("System calls and wake-ups are not counted: {why}."));
    }
    Ok(())
}

/// Why nothing could be counted, if it is no error.
fn unless_excused(counted: Result<()>) -> Result<Option<String>> {
    match counted {
        Err(error) if error.is::<NotAllGranted>() || error.is::<NotAllowed>() => Ok(Some(error.to_string())),
        counted => counted.map(|()| None),
    }
}

fn instructions(run: &mut Run, load: Loads) -> Result<()> {
    let mut rounds = Vec::new();
    for _ in 0..run.rounds().div_ceil(ROUNDS_FOR_ONE) {
        let mut each = BTreeMap::new();
        for who in COUNTED {
            let visitor = run.visitor(&format!("counting the instructions of {}", who.words()));
            each.insert(who, instructions_per_request(visitor, who, load)?);
        }
        rounds.push(each);
    }
    let of = |who: Contestant| rounds.iter().filter_map(move |each| each.get(&who).copied());
    for who in COUNTED {
        let each: Vec<String> = of(who).map(|count| format!("{count:.0}")).collect();
        run.note(format!("User instructions for a request, {}: {}.", who.words(), each.join(", ")));
    }
    for (goal, who) in [(G19, Contestant::Durable), (G19_FJALL, Contestant::DurableFjall)] {
        run.row(Row::over_rounds(goal, of(who).zip(of(Contestant::Axum)).map(|(over, under)| over / under)));
    }
    Ok(())
}

fn instructions_per_request(visitor: &mut Visitor, who: Contestant, load: Loads) -> Result<f64> {
    let mut callgrind = Callgrind::new(visitor.place.join(format!("{who}.callgrind")));
    let running = visitor.start_under(&callgrind.wrapper(), who, &Workload::ONE_ITEM, None)?;
    let mut claims = Claims::default();
    load.send(visitor, &running, load.many / WARM_UP_PART, &mut claims)?;
    let mut counted = |requests| callgrind.count(running.pid(), || load.send(visitor, &running, requests, &mut claims));
    let ((), instructions_of_few) = counted(load.few)?;
    let ((), instructions_of_all) = counted(load.few + load.many)?;
    visitor.end(running, &Workload::ONE_ITEM, &claims)?;
    callgrind.clean()?;
    let of_many = instructions_of_all.checked_sub(instructions_of_few).context("a few took more than many")?;
    Ok(of_many as f64 / load.many as f64)
}

fn kernel(run: &mut Run, load: Loads) -> Result<()> {
    let mut each = BTreeMap::new();
    for who in COUNTED {
        let visitor = run.visitor(&format!("counting the system calls of {}", who.words()));
        let (calls, (sleeps, sleeps_per_commit)) =
            (calls_per_request(visitor, who, load)?, sleeps_per_request(visitor, who, load)?);
        each.insert(who, PerRequest { calls, sleeps, sleeps_per_commit });
    }
    let no_op = each.get(&Contestant::Axum).copied().unwrap_or_default();
    for (who, PerRequest { calls, sleeps, sleeps_per_commit }) in each {
        let of_commits = sleeps_per_commit.map_or_else(String::new, |sleeps| format!(", {sleeps:.1} for a commit"));
        run.note(format!(
            "For a request of {CLIENTS} clients, {}: {calls:.2} system calls under strace ({:.2} of the no-op's); \
             {sleeps:.2} wake-ups{of_commits}.",
            who.words(),
            calls / no_op.calls,
        ));
    }
    Ok(())
}

fn calls_per_request(visitor: &mut Visitor, who: Contestant, load: Loads) -> Result<f64> {
    let running = visitor.start(who, &Workload::ONE_ITEM, None)?;
    let mut claims = Claims::default();
    load.send(visitor, &running, load.many / WARM_UP_PART, &mut claims)?;
    let traced = Traced::attach(running.pid(), visitor.place.join(format!("{who}.strace")))?;
    load.send(visitor, &running, load.many, &mut claims)?;
    let calls = traced.calls()?;
    visitor.end(running, &Workload::ONE_ITEM, &claims)?;
    Ok(calls as f64 / load.many as f64)
}

/// How often a thread slept for a request, and for a commit: a record of the log is one, and those of the item that is
/// made before are a handful among thousands.
fn sleeps_per_request(visitor: &mut Visitor, who: Contestant, load: Loads) -> Result<(f64, Option<f64>)> {
    let running = visitor.start(who, &Workload::ONE_ITEM, None)?;
    let mut claims = Claims::default();
    let before = calls::sleeps(running.pid())?;
    let requests = UNTRACED_FOR_ONE * load.many;
    load.send(visitor, &running, requests, &mut claims)?;
    let sleeps = calls::sleeps(running.pid())?.saturating_sub(before) as f64;
    let ended = visitor.end(running, &Workload::ONE_ITEM, &claims)?;
    Ok((sleeps / requests as f64, ended.reread.map(|reread| sleeps / reread.records.max(1) as f64)))
}
