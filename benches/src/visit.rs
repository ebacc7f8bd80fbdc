//! One visit to one contestant: started on a new directory, given its items, sent load, audited, stopped.

use crate::audit::{self, Claims, Reread};
use crate::contestant::Contestant;
use crate::cores::Halves;
use crate::load::source::{Choice, Wishes};
use crate::load::tally::Ending;
use crate::load::{self, Measured, Pace, Plan};
use crate::neighbours::{self, Watch};
use crate::operator::Stock;
use crate::process::{How, Programs, Running};
use crate::pulse::Pulse;
use anyhow::{Context, Result, ensure};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Holds of the bench outlast it: what expires meanwhile would have to be told from what was lost.
const HOLD_TIME_MS: u64 = 24 * 3_600_000;

/// Why a contestant without syncs cannot be visited.
const NO_MEMORY: &str = "there is no file system in memory (/dev/shm), and without one syncs cannot be left out";

/// Above this share of a core a generator thread may be what is slow.
const BUSY_MAX: f64 = 0.9;

/// Above this, in microseconds, the generator sends too late for its latencies to be the server's.
const LAG_US_P99_MAX: u64 = 1_000;

/// What customers want, and what there is.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    /// Its name in tables and files.
    pub(crate) name: &'static str,
    /// How many items there are.
    pub(crate) items: usize,
    /// Which of them is wanted how often.
    pub(crate) choice: Choice,
    /// The share of requests that repeat the one before.
    pub(crate) retried: f64,
    /// How many requests there are at most.
    pub(crate) requests: u64,
    /// The stock of each item.
    pub(crate) stock: Stock,
}

impl Workload {
    /// One item, and enough of it for everybody.
    pub(crate) const ONE_ITEM: Self = Self {
        name: "one item",
        items: 1,
        choice: Choice::Uniform,
        retried: 0.0,
        requests: u64::MAX,
        stock: Stock { units: 1_000_000_000, hold_time_ms: HOLD_TIME_MS, waitlist: None },
    };

    /// The names of its items.
    pub(crate) fn skus(&self) -> Arc<[String]> {
        if self.items == 1 { Arc::from(["hot".to_owned()]) } else { (0..self.items).map(sku).collect() }
    }
}

fn sku(number: usize) -> String {
    format!("item-{number}")
}

/// How load is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// How customers come.
    pub(crate) pace: Pace,
    /// Over how many connections.
    pub(crate) connections: usize,
    /// What is thrown away at the beginning.
    pub(crate) warm_up: Duration,
    /// What is measured.
    pub(crate) length: Duration,
    /// How long an answer is waited for.
    pub(crate) patience: Duration,
    /// How many may wait for a connection.
    pub(crate) queue_max: usize,
    /// Server and generator on processors of their own.
    pub(crate) halves: Option<Halves>,
    /// Generator threads.
    pub(crate) threads: usize,
}

/// What a visit brought.
#[derive(Debug)]
pub(crate) struct Visit {
    /// Who was visited.
    pub(crate) contestant: Contestant,
    /// What they wanted.
    pub(crate) workload: &'static str,
    /// How it was sent.
    pub(crate) load: Load,
    /// What came of it.
    pub(crate) measured: Measured,
    /// Processor time of the contestant for each request.
    pub(crate) cpu_us_per_request: f64,
    /// The share of all processors that other programs took meanwhile.
    pub(crate) others: f64,
    /// What kept the whole machine from working meanwhile, in words, if anything did.
    pub(crate) stood_still: Option<String>,
    /// Why it should not be believed, if so.
    pub(crate) doubt: Option<String>,
    /// What was audited, in words.
    pub(crate) audited: String,
    /// What its log showed, if it left one.
    pub(crate) reread: Option<Reread>,
}

/// What the audit of a contestant that was stopped found.
#[derive(Debug)]
pub(crate) struct Ended {
    /// In words.
    pub(crate) audited: String,
    /// What its log showed, if it left one.
    pub(crate) reread: Option<Reread>,
}

/// What makes visits.
#[derive(Debug)]
pub(crate) struct Visitor {
    /// How contestants are started.
    pub(crate) programs: Programs,
    /// Where their data lies.
    pub(crate) place: PathBuf,
    /// Where data lies that no disk is to see, if there is such a place.
    pub(crate) memory: Option<TempDir>,
    /// Where all draws begin.
    pub(crate) seed: u64,
    /// Directories made and loads sent.
    pub(crate) made: u32,
    /// Watches for stops of the machine itself.
    pub(crate) pulse: Pulse,
}

impl Visitor {
    /// Starts a contestant on a new directory, with its items on sale.
    pub(crate) fn start(&mut self, who: Contestant, what: &Workload, halves: Option<Halves>) -> Result<Running> {
        self.start_under(&[], who, what, halves)
    }

    /// The same under another program; see [`How`].
    pub(crate) fn start_under(
        &mut self,
        wrapper: &[OsString],
        who: Contestant,
        what: &Workload,
        halves: Option<Halves>,
    ) -> Result<Running> {
        self.made += 1;
        let place = if who.lies_in_memory() { self.memory.as_ref().context(NO_MEMORY)?.path() } else { &self.place };
        let dir = place.join(format!("{}-{who}", self.made));
        let how = How { under: wrapper, ..How::default() };
        let running = Running::start_as(how, who, &self.programs, &dir, halves.map(|halves| halves.server))?;
        ensure!(running.operator.is_some() == who.has_operators(), "{who} has operators, or says so");
        if let Some(operator) = &running.operator {
            operator.open_all(&what.skus(), what.stock)?;
        }
        Ok(running)
    }

    /// Sends load to a contestant that runs.
    pub(crate) fn send(&mut self, to: &Running, what: &Workload, load: Load) -> Result<Measured> {
        let plan = self.plan(to, load);
        let wishes = Wishes {
            skus: what.skus(),
            choice: what.choice.clone(),
            retried: what.retried,
            requests_per_thread: what.requests.div_ceil(load.threads.max(1) as u64),
            run: self.made,
            seed: plan.seed,
        };
        load::run(&plan, &|thread| wishes.source(thread))
    }

    /// The next load that is sent: with customers of its own, `made` being their number.
    pub(crate) fn plan(&mut self, to: &Running, load: Load) -> Plan {
        self.made += 1;
        Plan {
            to: to.public,
            pace: load.pace,
            threads: load.threads,
            connections: load.connections,
            warm_up: load.warm_up,
            length: load.length,
            patience: load.patience,
            queue_max: load.queue_max,
            cores: load.halves.map(|halves| halves.generator),
            seed: self.seed.wrapping_mul(1_000).wrapping_add(u64::from(self.made)),
            again: 0,
            keeps_moments: false,
            halt: None,
        }
    }

    /// Starts, sends, audits, stops. A run whose audit fails is an error, and so prints no figure.
    pub(crate) fn visit(&mut self, who: Contestant, what: &Workload, load: Load) -> Result<Visit> {
        let running = self.start(who, what, load.halves)?;
        self.visit_running(running, what, load)
    }

    /// The same of one that runs, with its items on sale.
    pub(crate) fn visit_running(&mut self, running: Running, what: &Workload, load: Load) -> Result<Visit> {
        let who = running.contestant();
        let before = running.cpu()?;
        let watch = Watch::begin(before)?;
        let measured = self.send(&running, what, load)?;
        let stood_still = self.stood_still(&measured);
        let after = running.cpu()?;
        let (cpu, others) = (after.saturating_sub(before), watch.others(after)?);
        let failed = measured.tally.count_in_all(Ending::Failed);
        ensure!(failed == 0, "{failed} requests to {who} broke: no figure");
        let mut claims = Claims::default();
        claims.add(&measured.tally);
        let Ended { audited, reread } = self.end(running, what, &claims)?;
        let requests: u64 = measured.tally.all.iter().sum();
        let cpu_us_per_request = cpu.as_secs_f64() * 1e6 / requests.max(1) as f64;
        let doubt = neighbours::doubt(others).or_else(|| doubt(load, &measured));
        let workload = what.name;
        Ok(Visit {
            contestant: who,
            workload,
            load,
            measured,
            cpu_us_per_request,
            others,
            stood_still,
            doubt,
            audited,
            reread,
        })
    }

    /// Whether the machine itself stood still since a measurement began, in words.
    pub(crate) fn stood_still(&self, measured: &Measured) -> Option<String> {
        self.pulse.words(&(measured.began..Instant::now()))
    }

    /// Audits a contestant against what its answers said, stops it, and removes what it left.
    pub(crate) fn end(&self, running: Running, what: &Workload, claims: &Claims) -> Result<Ended> {
        let who = running.contestant();
        self.audit(running, what, claims).with_context(|| format!("the audit of {who} failed"))
    }

    fn audit(&self, running: Running, what: &Workload, claims: &Claims) -> Result<Ended> {
        let who = running.contestant();
        let mut words = "decides nothing".to_owned();
        if let Some(operator) = &running.operator {
            let counts = operator.counts_of_all(&what.skus())?;
            audit::by_counts(&counts, claims)?;
            words =
                format!("{} held of {} granted", counts.iter().map(|item| item.held).sum::<u32>(), claims.granted());
        }
        let dir = running.stop()?;
        let mut reread = None;
        if who.leaves_a_log() {
            let found = audit::by_log(&dir, claims)?;
            words = format!(
                "{words}; all in the log, {} events, {} reservations told to nobody",
                found.events, found.untold
            );
            reread = Some(found);
        }
        std::fs::remove_dir_all(&dir).context("what it left cannot be removed")?;
        Ok(Ended { audited: words, reread })
    }
}

/// Why a generator's latencies should not be believed.
pub(crate) fn doubt(load: Load, measured: &Measured) -> Option<String> {
    match load.pace {
        Pace::Closed => None,
        Pace::Open { .. } => {
            let lag = measured.lag_us.value_at_quantile(0.99);
            if lag > LAG_US_P99_MAX {
                Some(format!("the generator was late: p99 of its lag is {lag} µs"))
            } else if measured.busiest_thread > BUSY_MAX {
                Some(format!("the generator was busy {:.0} % of a core", measured.busiest_thread * 100.0))
            } else {
                None
            }
        }
    }
}
