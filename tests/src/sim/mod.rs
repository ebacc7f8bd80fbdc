//! A simulation of core, shell and log: the shipped code on an event loop of its own, where time, network, disk and the
//! life of the process come from a seed. Two phases: faults and the question what must never be; then no more faults
//! and the question whether everything comes to its end. The same seed does the same, always.
//!
//! What this does not run: Tokio, HTTP, sled, and the partition's own stream.

mod clients;
mod dice;
mod door;
mod ledger;
mod marks;
mod oracle;
mod plan;
mod process;
mod server;
mod world;

pub use marks::{Marks, RARE};

use std::panic::{AssertUnwindSafe, catch_unwind};
use world::World;

/// What one seed came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How many things were asked for.
    pub operations: u64,
    /// How often the process ended.
    pub crashes: u64,
    /// How much time went by.
    pub simulated_ms: u64,
    /// Events in the log.
    pub events: u64,
    /// A hash over everything that was written and told: the same for the same seed.
    pub trace: [u8; 32],
    /// What was reached.
    pub marks: Marks,
}

/// What a seed found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The seed.
    pub seed: u64,
    /// When, in simulated time.
    pub at_ms: u64,
    /// What must never be, and was.
    pub what: String,
    /// What happened until then, if it was asked for.
    pub story: Vec<String>,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "seed {} after {} ms: {}", self.seed, self.at_ms, self.what)
    }
}

/// Runs one seed. `tell` keeps what happens, line by line.
///
/// # Errors
/// [`Found`]: an invariant, an oracle, or an assertion of the code itself.
pub fn run(seed: u64, tell: bool) -> Result<Outcome, Box<Found>> {
    let mut world = World::new(seed, tell);
    let ran = catch_unwind(AssertUnwindSafe(|| world.run()));
    let what = match ran {
        Ok(Ok(())) => return Ok(world.outcome()),
        Ok(Err(what)) => what,
        Err(panic) => format!("a panic: {}", engine::fold::words(panic.as_ref())),
    };
    Err(Box::new(Found { seed, at_ms: world.at_us / 1_000, what, story: world.tell.take().unwrap_or_default() }))
}
