//! The simulation (docs/safety.md): so many seeds find nothing, every seed that ever found something is run again, rare
//! things are reached, and a seed does the same twice.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tests::from_environment;
use tests::sim::{Marks, run};

/// Seeds run by the test command: some twenty seconds of a debug build. `just sim --seeds N` runs more, faster.
const SEEDS: u64 = 600;

/// Seeds after which everything rare should have been reached. Fewer than are run, for all depend on chance.
const ENOUGH_FOR_RARE: u64 = 300;

fn simulate(seed: u64) -> Marks {
    match run(seed, false) {
        Ok(outcome) => outcome.marks,
        Err(found) => panic!("{found}\nrun `just sim {seed}` to see what happened, and keep it in tests/seeds.txt"),
    }
}

#[test]
fn nothing_that_must_not_be_happens_under_any_fault_and_everything_ends_when_they_do() {
    let seeds = from_environment("HOLDFAST_SIM_SEEDS", SEEDS);
    let from: u64 = from_environment("HOLDFAST_SIM_FROM", 1_000_000);
    let (next, marks) = (AtomicU64::new(0), Mutex::new(Marks::default()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= seeds {
                        break;
                    }
                    let reached = simulate(from + number);
                    marks.lock().expect("no seed has failed").add(&reached);
                }
            });
        }
    });
    let marks = marks.into_inner().expect("no seed has failed");
    let missing = marks.missing();
    assert!(seeds < ENOUGH_FOR_RARE || missing.is_empty(), "never reached in {seeds} seeds: {missing:?}");
}

#[test]
fn every_seed_that_ever_found_something_finds_nothing_now() {
    let kept = include_str!("../seeds.txt");
    let seeds = kept.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok());
    let count = seeds.map(|seed| drop(simulate(seed))).count();
    assert!(count > 0, "no seed is kept");
}

#[test]
fn a_seed_does_the_same_twice() {
    for seed in [7, 8, 9] {
        assert_eq!(run(seed, false).expect("nothing found"), run(seed, false).expect("nothing found"));
    }
}

#[test]
fn a_seed_is_as_long_and_as_rough_as_promised() {
    for seed in 20..30 {
        let outcome = run(seed, false).expect("nothing found");
        assert!(outcome.operations >= 500, "{} operations", outcome.operations);
        assert!(outcome.simulated_ms >= 3_600_000, "{} ms", outcome.simulated_ms);
        assert!(outcome.crashes >= 1, "no crash in seed {seed}");
    }
}
