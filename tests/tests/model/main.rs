//! The core against a reference that keeps its books otherwise: any settings, any commands, time, crashes.
//!
//! The reference is written from the rules: plain lists, and everything counted anew whenever it is asked for. It says
//! beforehand what every command is answered and how every reservation, order, capture and sum stands after it. The core
//! runs as the engine runs it, turn by turn; what it writes goes through the bytes of the log. A run that differs is
//! shrunk to the few steps that matter, and its seed is kept beside this file.

#![expect(clippy::indexing_slicing, reason = "reservations and payments are numbered as both sides made them")]

mod book;
mod choose;
mod confirm;
mod coverage;
mod customer;
mod key;
mod machine;
mod money;
mod operator;
mod plan;
mod scene;
mod shop;
mod time;
mod told;
mod view;

use machine::Machine;
use plan::Step;
use proptest::test_runner::{Config, FileFailurePersistence, TestError, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use shop::Shop;
use tests::from_environment;

/// Runs. The deep tier sets it higher.
fn cases() -> u32 {
    from_environment("HOLDFAST_MODEL_CASES", 1_000)
}

/// Steps of a run, at most.
const STEPS_MAX: usize = 200;

/// Whether the two sides differ in this run; where they do, what was said about it.
fn differs(machine: &Machine, steps: &[Step]) -> Option<String> {
    let (machine, steps) = (machine.clone(), steps.to_vec());
    let run = move || Shop::test_sequential(Config::default(), machine, steps, None);
    let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).err()?;
    let text = said.downcast_ref::<String>().cloned();
    Some(text.or_else(|| said.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
}

/// Steps are taken out while they are still large; once all are small, some more can go.
fn without_needless(machine: &Machine, mut steps: Vec<Step>) -> Vec<Step> {
    let mut at = steps.len();
    while at > 0 {
        at -= 1;
        let mut fewer = steps.clone();
        fewer.remove(at);
        if differs(machine, &fewer).is_some() {
            steps = fewer;
            at = steps.len();
        }
    }
    steps
}

#[test]
fn the_core_answers_as_a_reference_that_recounts_everything_would() {
    let cases = cases();
    let config = Config {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        source_file: Some(file!()),
        test_name: Some("the_core_answers_as_a_reference_that_recounts_everything_would"),
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let runs = Machine::sequential_strategy(1..=STEPS_MAX);
    let outcome = TestRunner::new(config.clone()).run(&runs, |(machine, steps, seen)| {
        Shop::test_sequential(config.clone(), machine, steps, seen);
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Abort(reason)) => panic!("no runs could be made: {reason}"),
        Err(TestError::Fail(reason, (machine, steps, _))) => {
            let steps = without_needless(&machine, steps);
            let said = differs(&machine, &steps).unwrap_or_else(|| reason.to_string());
            let told: Vec<String> = steps.iter().map(|step| format!("  {step:?}")).collect();
            panic!("after {} steps: {said}\n{:?}\n{}", steps.len(), machine.spec, told.join("\n"));
        }
    }
    let (seen, rare) = coverage::report(cases);
    for (what, count) in seen {
        println!("{count:>9}  {what}");
    }
    assert!(rare.is_empty(), "hardly ever reached: {rare:#?}");
}
