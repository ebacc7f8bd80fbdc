//! A simulated crowd over real HTTP: thousands of customers in one process, each with a character, all watched by an
//! oracle.
//!
//! What this does not do: start a server (`demo`, `serve`) or look into the log (`audit`).

mod behaviour;
mod checkout;
pub(crate) mod client;
pub(crate) mod command;
mod live;
mod operator;
mod oracle;
mod population;
pub(crate) mod render;
mod statistics;
mod wire;
mod world;

pub(crate) use checkout::Paying;
pub(crate) use live::{milliseconds, say};
pub(crate) use operator::{ItemPlan, Operator};
pub(crate) use oracle::Verdict;
pub(crate) use population::Makeup;
pub(crate) use statistics::{Figures, Kind, Statistics};
pub(crate) use wire::ItemBody;
pub(crate) use world::{Fate, Tally, Told};

use anyhow::Context;
use client::Client;
use http::Uri;
use live::{Live, Moment};
use oracle::Oracle;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use world::World;

/// How often the item is looked at while the sale runs.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How many looks pass between two checks of the whole line.
const LOOKS_PER_LINE_CHECK: u32 = 5;

/// Of the connections, one in so many may be held by somebody who waits for a change.
const CONNECTIONS_PER_LONG_POLL: usize = 8;

/// A crowd that is about to come.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Where the customers go.
    pub(crate) target: Uri,
    /// What they want.
    pub(crate) sku: String,
    /// How customers pay.
    pub(crate) paying: Paying,
    /// Who they are.
    pub(crate) makeup: Makeup,
    /// What draws them.
    pub(crate) seed: u64,
    /// Connections at most.
    pub(crate) connections: usize,
    /// Whether nobody goes on until everybody has an answer to the first request.
    pub(crate) stops_after_the_rush: bool,
}

/// How it went.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// From the opening to the last customer's end.
    pub(crate) took: Duration,
    /// How many came.
    pub(crate) customers: usize,
    /// What became of everybody.
    pub(crate) tally: Tally,
    /// How long requests took.
    pub(crate) figures: Vec<Figures>,
    /// What the oracle found.
    pub(crate) verdict: Verdict,
    /// The item when everybody had an answer to the first request.
    pub(crate) after_the_rush: Option<ItemBody>,
    /// The item in the end.
    pub(crate) item: ItemBody,
}

impl Outcome {
    /// The figures of one kind of request.
    pub(crate) fn figures_of(&self, kind: Kind) -> Option<&Figures> {
        self.figures.iter().find(|figures| figures.kind == kind)
    }

    /// Whether no promise was broken.
    pub(crate) const fn kept_every_promise(&self) -> bool {
        self.verdict.violation_count == 0
    }
}

/// Sends the crowd and waits for its last customer, or until it is called off: then whoever is not done goes home.
pub(crate) async fn run(plan: &Plan, called_off: impl Future<Output = ()>) -> anyhow::Result<Outcome> {
    let (world, watcher) = prepare(plan).await?;
    let mut live = Live::new(plan.makeup.customers);
    let opening = Instant::now();
    let mut people = JoinSet::new();
    for customer in plan.makeup.draw(plan.seed) {
        people.spawn(behaviour::live(Arc::clone(&world), customer, opening));
    }
    let shown = tokio::select! {
        shown = show_until_done(&world, &watcher, &mut people, &mut live, plan) => shown,
        () = called_off => {
            people.shutdown().await;
            Ok(None)
        }
    };
    live.end();
    let after_the_rush = shown?;
    let took = opening.elapsed();
    let item = world.look(&watcher).await?;
    let verdict = world.oracle().verdict();
    let tally = world.tally().clone();
    let figures = world.statistics.all();
    Ok(Outcome { took, customers: plan.makeup.customers, tally, figures, verdict, after_the_rush, item })
}

async fn prepare(plan: &Plan) -> anyhow::Result<(Arc<World>, Client)> {
    let statistics = Arc::new(Statistics::default());
    let client = Client::new(&plan.target, plan.connections, Arc::clone(&statistics))?;
    // A connection of its own: the live line does not stand in the crowd's queue.
    let watcher = Client::new(&plan.target, 1, Arc::clone(&statistics))?;
    let item = world::read_item(&watcher, &plan.sku).await?;
    let mut random = [0; 4];
    getrandom::fill(&mut random).context("the system has no randomness")?;
    let run = format!("crowd-{:08x}", u32::from_le_bytes(random));
    let long_polls_max = plan.connections / CONNECTIONS_PER_LONG_POLL;
    let world = World {
        client,
        statistics,
        sku: plan.sku.clone(),
        run,
        paying: plan.paying.clone(),
        answered: watch::Sender::new(0),
        gate: watch::Sender::new(!plan.stops_after_the_rush),
        long_polls_max,
        long_polls: Semaphore::new(long_polls_max),
        oracle: Mutex::new(Oracle::new(item.per_customer_limit)),
        tally: Mutex::new(Tally::default()),
    };
    Ok((Arc::new(world), watcher))
}

/// Looks at the item again and again until everybody is done, and opens the gate when the rush is over.
async fn show_until_done(
    world: &World,
    watcher: &Client,
    people: &mut JoinSet<()>,
    live: &mut Live,
    plan: &Plan,
) -> anyhow::Result<Option<ItemBody>> {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut looks = 0_u32;
    let mut rush = world.answered.subscribe();
    let mut after_the_rush = None;
    loop {
        tokio::select! {
            one = people.join_next() => match one {
                Some(ended) => ended.context("a customer's task failed")?,
                None => return Ok(after_the_rush),
            },
            over = rush.wait_for(|&count| count >= plan.makeup.customers), if after_the_rush.is_none() => {
                over.map(drop)?;
                after_the_rush = Some(world.look(watcher).await?);
                world.gate.send_replace(true);
            }
            _ = ticks.tick() => {
                looks = looks.wrapping_add(1);
                if looks.is_multiple_of(LOOKS_PER_LINE_CHECK) {
                    world.oracle().check_line();
                }
                let item = world.look(watcher).await?;
                let reserve = world.statistics.of(Kind::Reserve);
                let done = world.tally().done();
                live.show(&Moment { done, all: plan.makeup.customers, item: &item, reserve: &reserve });
            }
        }
    }
}
