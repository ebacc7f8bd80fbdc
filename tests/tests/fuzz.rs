//! The fuzzing targets on any compiler: the whole corpus, and seeded mutations of it. tests/fuzz runs the same functions
//! with coverage; what it found lies in the corpus.

use peak_alloc::PeakAlloc;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use tests::from_environment;
use tests::fuzz::mutate::Mutator;
use tests::fuzz::{INPUT_BYTES_MAX, TARGETS, Target, Verdict, corpus, metered, seeds};

#[global_allocator]
static METER: PeakAlloc = PeakAlloc;

/// What is measured is the process's memory: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// How many mutations each target gets. Deeper runs set it higher.
fn runs() -> u64 {
    from_environment("HOLDFAST_FUZZ_RUNS", 10_000)
}

/// Printed, and taken from the environment to repeat a run.
fn seed() -> u64 {
    from_environment("HOLDFAST_FUZZ_SEED", 20_261_121)
}

/// Runs one input. A failure says which.
fn check(target: &Target, name: &str, input: &[u8]) -> (Verdict, usize) {
    catch_unwind(AssertUnwindSafe(|| metered(&METER, target.run, input))).unwrap_or_else(|panic| {
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        eprintln!("{} fails on {name} (seed {}): {hex}", target.name, seed());
        std::panic::resume_unwind(panic)
    })
}

#[test]
fn the_corpus_and_what_mutations_make_of_it_are_taken_or_refused_within_their_bounds() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for target in &TARGETS {
        let files = corpus(target.name).expect("a corpus");
        let (mut taken, mut most) = (0u64, 0);
        let mut take = |(verdict, held): (Verdict, usize)| {
            taken += u64::from(verdict == Verdict::Taken);
            most = most.max(held);
        };
        for (name, bytes) in &files {
            take(check(target, name, bytes));
        }
        let mut mutator = Mutator::new(&files, seed(), INPUT_BYTES_MAX);
        for number in 0..runs() {
            let input = mutator.next_input();
            take(check(target, &format!("mutation {number}"), &input));
        }
        let (name, all) = (target.name, files.len() as u64 + runs());
        println!("{name}: {all} inputs, seed {}: {taken} taken; {most} bytes held at most", seed());
    }
}

#[test]
fn every_seed_of_the_corpus_is_there_as_it_is_made_and_most_mean_something() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let seeds = seeds::all().expect("seeds");
    for target in &TARGETS {
        let files = corpus(target.name).expect("a corpus");
        let (mut count, mut taken) = (0, 0);
        for seed in seeds.iter().filter(|seed| seed.target == target.name) {
            let there = files.iter().any(|(name, bytes)| *name == seed.name && *bytes == seed.bytes);
            assert!(there, "{}/{} is not as it is made: cargo run -p tests --bin fuzz_seeds", target.name, seed.name);
            count += 1;
            taken += u64::from(check(target, &seed.name, &seed.bytes).0 == Verdict::Taken);
        }
        // Some are wrong on purpose. If most were, the target would see nothing.
        assert!(taken * 3 >= count * 2, "{}: only {taken} of {count} seeds mean anything", target.name);
    }
}

#[test]
fn an_input_that_makes_a_target_hold_too_much_is_found_out() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let hoarder = |input: &[u8]| {
        let hoard = vec![1u8; 2 << 20];
        if hoard.len() > input.len() { Verdict::Taken } else { Verdict::Refused }
    };
    let found = catch_unwind(|| metered(&METER, hoarder, b"x"));
    assert!(found.is_err(), "two megabytes went unnoticed");
}
