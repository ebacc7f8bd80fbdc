//! Runs seeds of the simulation. `sim 42` tells everything that happens with one seed; `sim --seeds 10000` runs many, from
//! `--from`, and ends with the first that finds something.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use tests::sim::{Found, Marks, run};

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let (mut seeds, mut from, mut one) = (1_000_u64, 0_u64, None);
    while let Some(word) = words.next() {
        let number = |text: Option<String>| text.and_then(|text| text.parse::<u64>().ok());
        match (word.as_str(), word.parse::<u64>()) {
            ("--seeds", _) => seeds = number(words.next()).unwrap_or(seeds),
            ("--from", _) => from = number(words.next()).unwrap_or(from),
            (_, Ok(seed)) => one = Some(seed),
            _ => {
                eprintln!("usage: sim SEED | sim [--seeds N] [--from SEED]");
                return ExitCode::from(2);
            }
        }
    }
    // A seed that finds something says so itself; the panic's own words would come once for every thread.
    std::panic::set_hook(Box::new(|_| ()));
    match one {
        Some(seed) => tell(seed),
        None => many(from, seeds),
    }
}

fn tell(seed: u64) -> ExitCode {
    match run(seed, true) {
        Ok(outcome) => {
            println!("seed {seed}: nothing found");
            println!("{} operations, {} crashes, {} events", outcome.operations, outcome.crashes, outcome.events);
            println!("{} simulated ms, trace {}", outcome.simulated_ms, hex(outcome.trace));
            ExitCode::SUCCESS
        }
        Err(found) => {
            found.story.iter().for_each(|line| println!("{line}"));
            println!("{found}");
            ExitCode::from(1)
        }
    }
}

fn hex(bytes: [u8; 32]) -> String {
    bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Default)]
struct Sum {
    marks: Marks,
    operations: u64,
    crashes: u64,
    simulated_ms: u64,
    found: Option<Found>,
}

fn many(from: u64, seeds: u64) -> ExitCode {
    let (begun, next, sum) = (Instant::now(), AtomicU64::new(0), Mutex::new(Sum::default()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(from, seeds, &next, &sum));
        }
    });
    let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    let seconds = begun.elapsed().as_secs_f64();
    let ran = next.load(Ordering::Relaxed).min(seeds);
    println!("{ran} seeds from {from} in {seconds:.1} s: {:.0} an hour", ran as f64 / seconds * 3_600.0);
    println!(
        "{} operations, {} crashes, {} simulated hours",
        sum.operations,
        sum.crashes,
        sum.simulated_ms / 3_600_000
    );
    sum.marks.iter().for_each(|(name, count)| println!("  {name:<40} {count:>12}"));
    match sum.found {
        None => {
            println!("nothing found");
            ExitCode::SUCCESS
        }
        Some(found) => {
            println!("FOUND {found}");
            println!("run `sim {}` to see what happened, and keep it in tests/seeds.txt", found.seed);
            ExitCode::from(1)
        }
    }
}

fn work(from: u64, seeds: u64, next: &AtomicU64, sum: &Mutex<Sum>) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let stop = sum.lock().unwrap_or_else(PoisonError::into_inner).found.is_some();
        if number >= seeds || stop {
            return;
        }
        let ran = run(from + number, false);
        let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
        match ran {
            Ok(outcome) => {
                sum.marks.add(&outcome.marks);
                sum.operations += outcome.operations;
                sum.crashes += outcome.crashes;
                sum.simulated_ms += outcome.simulated_ms;
            }
            Err(found) => sum.found = Some(*found),
        }
    }
}
