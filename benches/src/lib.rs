//! The bench: contestants in processes of their own, load from outside over HTTP, and ratios measured side by side.
//!
//! It promises no absolute figure. What it prints is the ratio of two servers measured alternately on one machine in
//! one run, and it prints nothing for a run whose audit fails or whose generator could not keep up.

pub mod cli;
mod run;

pub mod contestant;
pub mod cores;
pub mod inside;
pub mod operator;
pub mod process;
pub mod reply;

pub mod load;

pub mod peers;

pub mod audit;
mod neighbours;
pub mod probe;
mod pulse;
mod visit;

mod callgrind;
mod calls;

mod beside;
mod crowd;
mod gone;
mod instructions;
mod ladder;
mod latency;
mod many;
mod mix;
mod overload;

mod finishing;
mod line;
mod relief;
mod snapshot;
mod storm;
mod timeline;

mod goals;
mod report;

mod commit;
mod core;

use hdrhistogram::Histogram;

/// What was measured inside this process, and how it came out.
type Measured = Vec<(String, Histogram<u64>)>;

/// A histogram from a nanosecond to a minute with three digits.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("these bounds are good")
}
