//! Runs the proofs with larger numbers than the test command does, and writes down what came out, whatever it was.
//!
//! `cargo run --release -p tests --bin prove -- docs/evidence/<name>.json [test …]`: all proofs, or these anew.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// One proof: a test that takes its size from the environment.
struct Proof {
    /// What it shows, by its number in the plan of proofs.
    shows: &'static str,
    package: &'static str,
    test: &'static str,
    sizes: &'static [(&'static str, &'static str)],
}

/// About a quarter of an hour on two cores.
const PROOFS: &[Proof] = &[
    Proof {
        shows: "R12: the core answers as a clerk would who keeps a small shop by hand",
        package: "domain",
        test: "small_scope",
        sizes: &[("HOLDFAST_SMALL_SCOPE", "4"), ("HOLDFAST_WALKS", "200000")],
    },
    Proof {
        shows: "R11: every command, wait and crash is answered as books that are kept otherwise say, and leaves what they say",
        package: "tests",
        test: "model",
        sizes: &[("HOLDFAST_MODEL_CASES", "10000")],
    },
    Proof {
        shows: "R8, R10: under any faults nothing happens that must not, and when they end everything ends",
        package: "tests",
        test: "simulation",
        sizes: &[("HOLDFAST_SIM_SEEDS", "50000")],
    },
    Proof {
        shows: "P1, P2: any set of webhooks in any order ends in one state, and no money is lost",
        package: "domain",
        test: "webhook_sets",
        sizes: &[("HOLDFAST_WEBHOOK_SETS", "100000")],
    },
    Proof {
        shows: "the independent auditor reads random sales as the log's own decoder does, and finds them clean",
        package: "tests",
        test: "auditor",
        sizes: &[("HOLDFAST_AUDITED_SALES", "5000")],
    },
    Proof {
        shows: "R1: kill -9 under load loses nothing acknowledged and oversells nothing",
        package: "tests",
        test: "crash",
        sizes: &[("HOLDFAST_CRASH_CYCLES", "100")],
    },
    Proof {
        shows: "R1 with bundles and payments: no bundle in parts, every payment in the books once",
        package: "tests",
        test: "money_crash",
        sizes: &[("HOLDFAST_CRASH_CYCLES", "100")],
    },
    Proof {
        shows: "R2, R5: a death or an error at the k-th write, sync or rename loses nothing acknowledged",
        package: "tests",
        test: "system_calls",
        sizes: &[("HOLDFAST_SYSTEM_CALLS", "200")],
    },
    Proof {
        shows: "R3: a power cut at any point of recorded writes and syncs leaves everything acknowledged",
        package: "tests",
        test: "power_cut",
        sizes: &[("HOLDFAST_POWER_CUT_IMAGES", "10000"), ("HOLDFAST_POWER_CUT_STARTS", "200")],
    },
    Proof {
        shows: "R5: while a sync stalls nothing is acknowledged, callers learn in time, and the same key tells afterwards",
        package: "tests",
        test: "stalled_sync",
        sizes: &[("HOLDFAST_STALL_MS", "9000")],
    },
    Proof {
        shows: "R6, R7: every truncation and every flipped bit is cut as a torn tail or named as damage, never the reverse",
        package: "eventlog",
        test: "damage",
        sizes: &[
            ("HOLDFAST_TRUNCATED_LOGS", "1000"),
            ("HOLDFAST_FLIPPED_LOGS", "100"),
            ("HOLDFAST_DAMAGED_FILES", "5000"),
        ],
    },
    Proof {
        shows: "R22: SIGTERM under load loses nothing acknowledged and drops no request in silence",
        package: "tests",
        test: "drain",
        sizes: &[("HOLDFAST_DRAIN_CYCLES", "200")],
    },
    Proof {
        shows: "R13: HTTP histories across kill -9 are linearizable",
        package: "tests",
        test: "linearizable",
        sizes: &[("HOLDFAST_HISTORIES", "150")],
    },
    Proof {
        shows: "R9: on a failing network nothing is sold twice, nothing acknowledged is lost, a key has one answer",
        package: "tests",
        test: "network",
        sizes: &[("HOLDFAST_TURMOIL_SEEDS", "3000")],
    },
    Proof {
        shows: "R18 without coverage: decoder, snapshots, webhooks and bodies take or refuse whatever comes",
        package: "tests",
        test: "fuzz",
        sizes: &[("HOLDFAST_FUZZ_RUNS", "1000000")],
    },
];

/// Lines of a proof's own that are kept: the last ones, which sum up.
const LINES_KEPT: usize = 6;

fn main() -> Result<()> {
    let Some(path) = std::env::args().nth(1) else {
        bail!(
            "say where the figures go: cargo run --release -p tests --bin prove -- docs/evidence/<name>.json [test …]"
        );
    };
    let only: Vec<String> = std::env::args().skip(2).collect();
    let known = if only.is_empty() { Value::Null } else { serde_json::from_str(&std::fs::read_to_string(&path)?)? };
    let mut results = Vec::new();
    for proof in PROOFS {
        results.push(anew_or_known(&only, &known, proof.test, proof.shows, || run(proof))?);
    }
    results.push(anew_or_known(&only, &known, "planted", PLANTED_SHOWS, planted)?);
    let failed = results.iter().any(|result| result.get("outcome") != Some(&json!("held")));
    let evidence = json!({
        "compiler": say("rustc", &["--version"])?,
        "kernel": say("uname", &["-sr"])?,
        "cores": std::thread::available_parallelism()?.get(),
        "proofs": results,
    });
    let text = serde_json::to_string_pretty(&evidence)?;
    std::fs::write(Path::new(&path), text + "\n").with_context(|| format!("{path} cannot be written"))?;
    if failed {
        bail!("not everything held; {path} says what");
    }
    Ok(())
}

/// Runs a proof if it is asked for, by name or because all are; otherwise what the file says of it stays.
fn anew_or_known(
    only: &[String],
    known: &Value,
    name: &str,
    shows: &str,
    run: impl FnOnce() -> Result<Value>,
) -> Result<Value> {
    let known = known.get("proofs").and_then(Value::as_array).into_iter().flatten();
    let mut of_this = known.filter(|proof| proof.get("shows").and_then(Value::as_str) == Some(shows));
    match of_this.next() {
        Some(found) if !only.is_empty() && !only.iter().any(|test| test == name) => Ok(found.clone()),
        _ => {
            println!("{shows} ({name})");
            run()
        }
    }
}

/// Runs one and tells what came out; `Err` only where it could not be run at all.
fn run(proof: &Proof) -> Result<Value> {
    let mut command = Command::new("cargo");
    command.args(["test", "--release", "--locked", "-p", proof.package, "--test", proof.test, "--", "--nocapture"]);
    command.envs(proof.sizes.iter().copied());
    let name = format!("cargo test --release -p {} --test {}", proof.package, proof.test);
    let mut result = told_by(command, proof.shows, &name)?;
    let sizes: serde_json::Map<String, Value> =
        proof.sizes.iter().map(|(name, size)| ((*name).to_owned(), json!(size))).collect();
    result.insert("sizes".to_owned(), Value::Object(sizes));
    Ok(Value::Object(result))
}

const PLANTED_SHOWS: &str = "R15: the simulation finds every bug that is planted, and nothing where none is";

/// The checkers are checked, in a build of its own that has bugs to find.
fn planted() -> Result<Value> {
    let mut command = Command::new("cargo");
    command.args(["run", "--release", "--locked", "-p", "tests", "--bin", "planted", "--target-dir", "target/planted"]);
    command.env("RUSTFLAGS", "--cfg planted");
    told_by(command, PLANTED_SHOWS, "just planted").map(Value::Object)
}

fn told_by(mut command: Command, shows: &str, name: &str) -> Result<serde_json::Map<String, Value>> {
    let began = Instant::now();
    let output = command.stderr(Stdio::inherit()).output().context("cargo cannot be run")?;
    let told = String::from_utf8_lossy(&output.stdout);
    let own: Vec<&str> = told.lines().filter(|line| is_own(line)).collect();
    let outcome = if output.status.success() { "held" } else { "FAILED" };
    println!("  {outcome}");
    let result = json!({
        "shows": shows,
        "command": name,
        "commit": say("git", &["describe", "--always", "--dirty"])?,
        "outcome": outcome,
        "seconds": began.elapsed().as_secs(),
        "lines": own.len(),
        "says": own.iter().skip(own.len().saturating_sub(LINES_KEPT)).collect::<Vec<_>>(),
    });
    result.as_object().cloned().context("an object")
}

/// What a test prints by itself, without what the harness does.
fn is_own(line: &str) -> bool {
    let harness = ["running ", "test ", "failures:", "proptest:"];
    !line.trim().is_empty() && !harness.iter().any(|beginning| line.starts_with(beginning))
}

fn say(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output().with_context(|| format!("{program} cannot be run"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
