//! The load generator: customers over HTTP/1.1 keep-alive connections, from one thread per core.
//!
//! In an open loop they come when their schedule says, whatever the server does, and a latency counts from the moment
//! a request *should* have been sent. In a closed loop each connection sends its next request when it has its answer;
//! that finds the highest throughput, and says nothing honest about latency.

pub mod schedule;
pub mod source;
pub mod steps;
pub mod tally;
pub mod wire;

mod closed;
mod connection;
mod open;
mod timer;

use crate::cores::{self, Cores};
use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};
use schedule::Schedule;
use source::Source;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};
use tally::{Ending, Gone, Moment, Tally};

/// Between the moment at which all connections stand and the beginning of the run.
const RUN_UP: Duration = Duration::from_millis(20);

/// How customers come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As soon as the one before has its answer.
    Closed,
    /// So many a second, whatever the server does.
    Open {
        /// How many.
        rate_per_s: f64,
    },
}

impl Pace {
    /// In words, for people who wait for a visit that is made so.
    #[must_use]
    pub fn words(self, connections: usize) -> String {
        match self {
            Self::Closed => format!("{connections} connections"),
            Self::Open { rate_per_s } => format!("{rate_per_s:.0}/s"),
        }
    }
}

/// A run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whom it is sent to.
    pub to: SocketAddr,
    /// How customers come.
    pub pace: Pace,
    /// Generator threads.
    pub threads: usize,
    /// Connections of all threads together.
    pub connections: usize,
    /// What is thrown away at the beginning.
    pub warm_up: Duration,
    /// What is measured after it.
    pub length: Duration,
    /// How long an answer is waited for.
    pub patience: Duration,
    /// In an open loop: how many may wait for a free connection. Whoever comes behind them is turned away.
    pub queue_max: usize,
    /// The processors that the generator keeps to; none: any.
    pub cores: Option<Cores>,
    /// Draws the same arrivals again.
    pub seed: u64,
    /// How often somebody who was shed, or had no answer, asks the same again at once. Only in an open loop.
    pub again: usize,
    /// Whether every single end is kept.
    pub keeps_moments: bool,
    /// Ends the run early when it is set.
    pub halt: Option<Arc<AtomicBool>>,
}

/// What a run brought.
#[derive(Debug)]
pub struct Measured {
    /// Endings and latencies.
    pub tally: Tally,
    /// When the run began.
    pub began: Instant,
    /// How long was measured.
    pub length: Duration,
    /// How late requests were sent in an open loop, in microseconds, connections or not.
    pub lag_us: Histogram<u64>,
    /// The part of one core that the busiest generator thread took.
    pub busiest_thread: f64,
    /// Processor time of all generator threads.
    pub generator_cpu: Duration,
}

impl Measured {
    /// Requests that ended so, per second.
    #[must_use]
    pub fn per_second(&self, ending: Ending) -> f64 {
        self.tally.count(ending) as f64 / self.length.as_secs_f64()
    }
}

/// One generator thread's own.
struct Thread {
    plan: Plan,
    began: Instant,
    source: RefCell<Box<dyn Source>>,
    tally: RefCell<Tally>,
    lag_us: RefCell<Histogram<u64>>,
}

impl Thread {
    fn measured_from(&self) -> Instant {
        self.began + self.plan.warm_up
    }

    fn end(&self) -> Instant {
        self.measured_from() + self.plan.length
    }

    fn is_halted(&self) -> bool {
        self.plan.halt.as_ref().is_some_and(|halt| halt.load(Ordering::Relaxed))
    }

    /// This thread's part of a number of connections.
    fn share_of(plan: &Plan, index: usize) -> usize {
        let threads = plan.threads.max(1);
        plan.connections / threads + usize::from(index < plan.connections % threads)
    }

    /// Writes down that the customer of this request hangs up now.
    fn hangs_up(&self, request: &[u8]) {
        let at = engine::clock::system_wall_clock()();
        let gone = source::customer_in(request).map(|customer| Gone { customer, at });
        self.tally.borrow_mut().gone.extend(gone);
    }

    /// Writes down what came of a request.
    fn record(&self, answer: Option<wire::Head>, ending: Ending, latency: Duration, is_measured: bool) {
        let mut tally = self.tally.borrow_mut();
        tally.record(ending, latency, is_measured);
        if self.plan.keeps_moments {
            tally.moments.push(Moment { at: Instant::now(), latency, ending: Some(ending) });
        }
        let Some(head) = answer else { return };
        if let Some(id) = head.reservation {
            tally.receipts.push((id, ending));
        }
        tally.shed_with_retry_after += u64::from(ending == Ending::Shed && head.has_retry_after);
    }
}

/// What one thread brings home.
struct Harvest {
    tally: Tally,
    lag_us: Histogram<u64>,
    began: Instant,
    cpu: Duration,
}

/// Runs a plan. `sources` gives each thread what it asks.
///
/// # Errors
/// When the server cannot be reached at the beginning. What goes wrong later is counted.
pub fn run(plan: &Plan, sources: &(dyn Fn(usize) -> Box<dyn Source> + Sync)) -> Result<Measured> {
    let all_connected = Barrier::new(plan.threads.max(1));
    let harvests: Vec<Result<Harvest>> = std::thread::scope(|scope| {
        let thread = |index| {
            let all_connected = &all_connected;
            scope.spawn(move || work(plan, index, sources(index), all_connected))
        };
        let threads: Vec<_> = (0..plan.threads.max(1)).map(thread).collect();
        let panicked = || anyhow::anyhow!("a generator thread panicked");
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(panicked()))).collect()
    });
    let mut measured = Measured {
        tally: Tally::default(),
        began: Instant::now(),
        length: plan.length,
        lag_us: tally::histogram(),
        busiest_thread: 0.0,
        generator_cpu: Duration::ZERO,
    };
    for harvest in harvests {
        let harvest = harvest?;
        measured.tally.add(harvest.tally);
        measured.lag_us.add(&harvest.lag_us)?;
        measured.began = measured.began.min(harvest.began);
        let share = harvest.cpu.as_secs_f64() / (plan.warm_up + plan.length).as_secs_f64();
        measured.busiest_thread = measured.busiest_thread.max(share);
        measured.generator_cpu += harvest.cpu;
    }
    Ok(measured)
}

fn thread_cpu() -> Duration {
    let taken = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(taken).unwrap_or_default()
}

fn work(plan: &Plan, index: usize, source: Box<dyn Source>, all_connected: &Barrier) -> Result<Harvest> {
    let prepared = prepare(plan, index);
    // Waited for in any case: a thread that could not connect must not leave the others waiting.
    all_connected.wait();
    let (runtime, connections, schedule) = prepared?;
    let began = Instant::now() + RUN_UP;
    let (tally, lag_us) = (RefCell::default(), RefCell::new(tally::histogram()));
    let source = RefCell::new(source);
    let thread = Rc::new(Thread { plan: plan.clone(), began, source, tally, lag_us });
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async { tokio::time::sleep_until(began.into()).await });
    let cpu_before = thread_cpu();
    match plan.pace {
        Pace::Closed => tasks.block_on(&runtime, closed::run(&thread, connections)),
        Pace::Open { .. } => tasks.block_on(&runtime, open::run(&thread, connections, schedule))?,
    }
    let cpu = thread_cpu().saturating_sub(cpu_before);
    Ok(Harvest { tally: thread.tally.take(), lag_us: thread.lag_us.borrow().clone(), began, cpu })
}

/// The lowest of the priorities that go before everybody.
const PRIORITY: u32 = 1;

type Prepared = (tokio::runtime::Runtime, Vec<connection::Connection>, Schedule);

fn prepare(plan: &Plan, index: usize) -> Result<Prepared> {
    if let Some(cores) = plan.cores {
        cores.keep_this_thread_to()?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let connections = (0..Thread::share_of(plan, index)).map(|_| connection::Connection::new(plan.to));
    let mut connections: Vec<_> = connections.collect();
    let connected = runtime.block_on(async {
        for connection in &mut connections {
            connection.connect().await?;
        }
        Ok::<(), std::io::Error>(())
    });
    connected.with_context(|| format!("{} connections to {} cannot be made", plan.connections, plan.to))?;
    let schedule = match plan.pace {
        Pace::Closed => Schedule::default(),
        // Poisson processes add up: each thread draws its own part.
        Pace::Open { rate_per_s } => {
            // On a machine of its own a generator would not wait for servers, and what is sent late was not the load that
            // was asked for. Where it may not, the run's lag says whether there is a figure.
            let _granted_or_not = cores::go_first(PRIORITY);
            let (seed, rate) = (plan.seed.wrapping_add(index as u64), rate_per_s / plan.threads.max(1) as f64);
            Schedule::poisson(seed, rate, plan.warm_up + plan.length)
        }
    };
    Ok((runtime, connections, schedule))
}
