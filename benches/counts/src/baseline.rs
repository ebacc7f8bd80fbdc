//! The committed counts, and what differs from them.
//!
//! It judges numbers; `counts` (benches/counts/src/main.rs) finds them.

use crate::counted::{Counted, name};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How far instructions may be from the baseline, either way. Two runs of one build differ by nothing, so this is room
/// for what a change elsewhere does to inlining. Sometimes that does more: an edit of another module of `eventlog` once
/// made encoding an event a seventh cheaper. It is told then, as it should be, and the baseline written anew.
pub const INSTRUCTIONS_OFF_MAX_PERCENT: f64 = 2.0;

/// What a reservation behind [`crate::counted::LONG_LINE`] others may cost, in instructions, for one that is behind
/// [`crate::counted::SHORT_LINE`]. A line is a tree of partial sums, and ten more levels are some fifty instructions of
/// several thousand. This is the goal of G15; its floor is 1.10.
pub const LINE_RATIO_MAX: f64 = 1.02;

/// The committed file, as it was when this was built.
pub const COMMITTED: &str = include_str!("../baseline.json");

/// The committed file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// With what it was made.
    pub made_with: MadeWith,
    /// By name.
    pub counts: BTreeMap<String, Count>,
}

/// What counts depend on besides the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeWith {
    /// As `rustc --version` says. Another one generates other code.
    pub compiler: String,
    /// As `valgrind --version` says.
    pub valgrind: String,
    /// The C library, whose `malloc` and `memcpy` are counted with the rest.
    pub libc: String,
    /// Instruction sets of the processor by which libraries choose their code while they run.
    pub processor: String,
}

/// What one run of an operation took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// How many operations the run had.
    pub operations: u32,
    /// User instructions of all of them.
    pub instructions: u64,
    /// Allocations of all of them; a vector that grows counts once more.
    pub allocations: u64,
}

/// What was found now. Instructions may be missing where there is no valgrind.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Of a run, by name.
    pub instructions: BTreeMap<String, u64>,
    /// Of a run, by name.
    pub allocations: BTreeMap<String, u64>,
}

impl Found {
    /// All counts, where both kinds of them are there.
    #[must_use]
    pub fn counts(&self, all: &[Counted]) -> Option<BTreeMap<String, Count>> {
        let count = |counted: &Counted| {
            let instructions = *self.instructions.get(counted.name)?;
            let allocations = *self.allocations.get(counted.name)?;
            Some((counted.name.to_owned(), Count { operations: counted.operations, instructions, allocations }))
        };
        all.iter().map(count).collect()
    }
}

impl Count {
    /// Instructions of one operation, and allocations of one, as they are printed.
    #[must_use]
    pub fn of_one(&self) -> [String; 2] {
        let operations = f64::from(self.operations);
        [
            format!("{:.0}", self.instructions as f64 / operations),
            format!("{:.2}", self.allocations as f64 / operations),
        ]
    }
}

/// Why counts made here cannot be compared with the baseline's, in words; nothing where they can.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Apart {
    /// Neither instructions nor allocations.
    pub at_all: Option<String>,
    /// Only instructions.
    pub by_instructions: Option<String>,
}

/// Whether counts made with `here` can be compared with those made with `then`.
#[must_use]
pub fn apart(then: &MadeWith, here: &MadeWith) -> Apart {
    let differs = |what: &str, then: &str, here: &str| {
        (then != here).then(|| format!("the baseline was made with another {what}: {then}; here is {here}"))
    };
    Apart {
        at_all: differs("compiler", &then.compiler, &here.compiler),
        by_instructions: differs("valgrind", &then.valgrind, &here.valgrind)
            .or_else(|| differs("C library", &then.libc, &here.libc))
            .or_else(|| differs("processor", &then.processor, &here.processor)),
    }
}

/// Everything that is not as the baseline says, one sentence each.
#[must_use]
pub fn differences(baseline: &Baseline, found: &Found, all: &[Counted]) -> Vec<String> {
    let mut differences = Vec::new();
    for counted in all {
        let Some(then) = baseline.counts.get(counted.name) else {
            differences.push(format!("{} is not in the baseline", counted.name));
            continue;
        };
        if then.operations != counted.operations {
            differences.push(format!("{}: {} operations became {}", counted.name, then.operations, counted.operations));
            continue;
        }
        if let Some(&now) = found.allocations.get(counted.name)
            && now != then.allocations
        {
            let (then, operations) = (then.allocations, then.operations);
            differences.push(format!("{}: {then} allocations of {operations} operations became {now}", counted.name));
        }
        if let Some(&now) = found.instructions.get(counted.name) {
            let off = percent_off(then.instructions, now);
            if off.abs() > INSTRUCTIONS_OFF_MAX_PERCENT {
                let then = then.instructions;
                differences.push(format!("{}: {then} instructions became {now} ({off:+.1} %)", counted.name));
            }
        }
    }
    let gone = baseline.counts.keys().filter(|name| !all.iter().any(|counted| counted.name == name.as_str()));
    differences.extend(gone.map(|name| format!("{name} is in the baseline and is not counted any more")));
    differences.extend(too_long_a_line(found));
    differences
}

fn percent_off(then: u64, now: u64) -> f64 {
    (now as f64 / then.max(1) as f64 - 1.0) * 100.0
}

/// What a long line costs for a short one, where both were counted. Both runs have the same number of operations.
#[must_use]
pub fn line_ratio(found: &Found) -> Option<f64> {
    let instructions = |name: &str| found.instructions.get(name).map(|&count| count as f64);
    Some(instructions(name::QUEUED_BEHIND_A_LONG_LINE)? / instructions(name::QUEUED_BEHIND_A_SHORT_LINE)?)
}

fn too_long_a_line(found: &Found) -> Option<String> {
    let ratio = line_ratio(found).filter(|ratio| *ratio > LINE_RATIO_MAX)?;
    Some(format!(
        "a place behind a long line costs {ratio:.3} of one behind a short one; {LINE_RATIO_MAX} is the bound"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counted::ALL;

    fn found() -> Found {
        let of = |count: u64| ALL.iter().map(|counted| (counted.name.to_owned(), count)).collect();
        Found { instructions: of(10_000), allocations: of(70) }
    }

    fn made_with(compiler: &str, valgrind: &str) -> MadeWith {
        let [libc, processor] = ["glibc", "avx2"].map(str::to_owned);
        MadeWith { compiler: compiler.to_owned(), valgrind: valgrind.to_owned(), libc, processor }
    }

    fn baseline() -> Baseline {
        Baseline { made_with: made_with("one", "3"), counts: found().counts(&ALL).expect("both kinds") }
    }

    /// The differences after `change`, as text.
    fn after(change: impl FnOnce(&mut Found)) -> String {
        let mut found = found();
        change(&mut found);
        differences(&baseline(), &found, &ALL).join("\n")
    }

    /// The differences where one run took so many instructions.
    fn with_instructions(name: &str, now: u64) -> String {
        after(|found| found.instructions.extend([(name.to_owned(), now)]))
    }

    #[test]
    fn what_is_as_committed_is_passed_and_so_is_a_hundredth_of_the_instructions() {
        assert_eq!(after(|_| {}), "");
        assert_eq!(with_instructions("encode_an_event", 10_100), "");
    }

    #[test]
    fn more_instructions_fewer_instructions_and_a_single_allocation_are_told() {
        for (now, told) in [(10_201, "+2.0 %"), (9_000, "-10.0 %")] {
            let text = with_instructions("encode_an_event", now);
            assert!(text.starts_with("encode_an_event: 10000 instructions") && text.contains(told), "{text}");
        }
        let text = after(|found| found.allocations.extend([("encode_an_event".to_owned(), 71)]));
        assert_eq!(text, "encode_an_event: 70 allocations of 1000 operations became 71");
    }

    #[test]
    fn a_line_that_makes_places_dear_is_told() {
        let counts = [(name::QUEUED_BEHIND_A_SHORT_LINE, 9_820), (name::QUEUED_BEHIND_A_LONG_LINE, 10_180)];
        let text = after(|found| found.instructions.extend(counts.map(|(name, count)| (name.to_owned(), count))));
        assert!(text.contains("costs 1.037 of one behind a short one"), "{text}");
    }

    #[test]
    fn what_was_added_or_is_gone_asks_for_a_new_baseline() {
        let mut baseline = baseline();
        let count = baseline.counts.remove("encode_an_event").expect("it was there");
        baseline.counts.insert("something_else".to_owned(), count);
        let text = differences(&baseline, &found(), &ALL).join("\n");
        assert!(text.contains("encode_an_event is not in") && text.contains("something_else is in"), "{text}");
    }

    #[test]
    fn another_compiler_compares_nothing_and_another_valgrind_no_instructions() {
        let then = made_with("one", "3");
        assert_eq!(apart(&then, &then), Apart::default());
        assert!(apart(&then, &made_with("two", "3")).at_all.is_some_and(|why| why.contains("one; here is two")));
        let valgrind = apart(&then, &made_with("one", "4"));
        assert!(valgrind.at_all.is_none() && valgrind.by_instructions.is_some());
    }

    fn committed() -> Baseline {
        serde_json::from_str(COMMITTED).expect("it can be read")
    }

    #[test]
    fn the_committed_baseline_names_everything_that_is_counted() {
        let committed = committed();
        let names: Vec<&str> = committed.counts.keys().map(String::as_str).collect();
        assert!(ALL.iter().all(|counted| names.contains(&counted.name)) && names.len() == ALL.len(), "{names:?}");
    }

    #[test]
    fn the_bench_document_has_the_committed_counts() {
        let document = include_str!("../../../docs/bench.md");
        for (name, count) in committed().counts {
            let [instructions, allocations] = count.of_one();
            let row = format!("| {} | {instructions} | {allocations} |", name.replace('_', " "));
            assert!(document.contains(&row), "docs/bench.md does not have this row: {row}");
        }
    }
}
