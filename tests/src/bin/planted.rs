//! Whether the simulation finds the bugs that are planted (`just planted`): each is chosen in turn, and seeds are run from
//! zero until one finds something. A bug that no seed finds is a hole in the checkers, and the exit code is 1.

use domain::planted::{self, Bug};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tests::sim::{Found, run};

/// Seeds that a bug has to be found in, and that find nothing without one.
const SEEDS: u64 = 20_000;

/// Seeds that are run without any bug first: what is found then is real.
const SOUND_SEEDS: u64 = 2_000;

/// What a seed found, and what it took to get there.
struct Hunt {
    found: Option<Found>,
    seeds: u64,
    took: Duration,
}

fn main() -> ExitCode {
    if !planted::HERE {
        eprintln!("This build has no planted bugs. `just planted` makes one that has, beside the usual one.");
        return ExitCode::from(2);
    }
    // A seed that finds something says so itself; the panic's own words would come once for every thread.
    std::panic::set_hook(Box::new(|_| ()));
    let only = std::env::args().nth(1);
    let chosen = Bug::ALL.into_iter().filter(|bug| only.as_ref().is_none_or(|name| format!("{bug:?}") == *name));
    let chosen: Vec<Bug> = chosen.collect();
    if chosen.is_empty() {
        eprintln!("There is no such bug. There are: {:?}", Bug::ALL);
        return ExitCode::from(2);
    }
    let sound = hunt(None, SOUND_SEEDS);
    if let Some(found) = sound.found {
        println!("without any bug: {found}");
        return ExitCode::from(1);
    }
    println!("without any bug: nothing found in {} seeds, {:.1} s", sound.seeds, sound.took.as_secs_f64());
    let mut times = Vec::new();
    for bug in &chosen {
        let hunt = hunt(Some(*bug), SEEDS);
        let seconds = hunt.took.as_secs_f64();
        match hunt.found {
            None => println!("NOT FOUND {bug:?} in {} seeds, {seconds:.1} s", hunt.seeds),
            Some(found) => {
                let name = format!("{bug:?}");
                println!("{name:<24} {seconds:>7.2} s, seed {:>5}: {}", found.seed, brief(&found.what));
                times.push(seconds);
            }
        }
    }
    times.sort_by(f64::total_cmp);
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    let slowest = times.last().copied().unwrap_or_default();
    println!("found {} of {}, median {median:.2} s, slowest {slowest:.2} s", times.len(), chosen.len());
    if times.len() == chosen.len() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// The first line, and not all of it.
fn brief(what: &str) -> String {
    let line = what.lines().next().unwrap_or_default();
    if line.chars().count() > 140 { line.chars().take(140).chain(['…']).collect() } else { line.to_owned() }
}

/// Runs seeds until one finds something.
fn hunt(bug: Option<Bug>, seeds: u64) -> Hunt {
    planted::choose(bug);
    let (begun, next, found) = (Instant::now(), AtomicU64::new(0), Mutex::new(None));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let stop = found.lock().unwrap_or_else(PoisonError::into_inner).is_some();
                    if seed >= seeds || stop {
                        return;
                    }
                    if let Err(this) = run(seed, false) {
                        *found.lock().unwrap_or_else(PoisonError::into_inner) = Some(*this);
                    }
                }
            });
        }
    });
    planted::choose(None);
    let seeds = next.load(Ordering::Relaxed).min(seeds);
    Hunt { found: found.into_inner().unwrap_or_else(PoisonError::into_inner), seeds, took: begun.elapsed() }
}
