//! Counts instructions and allocations of the core and compares them with the committed baseline.
//!
//! `just counts` compares, `just counts --bless` writes the baseline anew: for a change that is meant, in its own commit.

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use comfy_table::{CellAlignment, Table};
use counts::baseline::{self, Baseline, Found, MadeWith};
use counts::counted::ALL;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline.json");

/// Libraries choose among these while they run: BLAKE3, CRC-32 and the C library's copying and comparing.
const INSTRUCTION_SETS: [&str; 10] =
    ["avx2", "avx512f", "bmi2", "erms", "fsrm", "lzcnt", "movbe", "pclmulqdq", "sse4_1", "sse4_2"];

/// Count instructions and allocations of the core, and compare them with benches/counts/baseline.json.
#[derive(Debug, Parser)]
#[command(name = "counts", max_term_width = 100)]
struct Cli {
    /// Write the baseline anew
    #[arg(long)]
    bless: bool,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without a backtrace: what differs is not where it was found.
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    let tools = Tools::find()?;
    let here = tools.made_with()?;
    if cli.bless {
        ensure!(tools.missing.is_none(), "{}", tools.missing.unwrap_or_default());
        return bless(here, &tools);
    }
    let text = std::fs::read_to_string(BASELINE).with_context(|| format!("{BASELINE} cannot be read"))?;
    let committed: Baseline =
        serde_json::from_str(&text).with_context(|| format!("{BASELINE} cannot be understood"))?;
    if let Some(missing) = &tools.missing {
        ensure!(std::env::var_os("HOLDFAST_TESTS_MUST_RUN").is_none(), "{missing}");
        println!("SKIPPED: instructions are not counted: {missing}");
    }
    let apart = baseline::apart(&committed.made_with, &here);
    if let Some(why) = apart.at_all {
        println!("SKIPPED: nothing is compared: {why}. `just counts --bless` writes a baseline of this one.");
        return Ok(());
    }
    let mut found = Found { allocations: allocations(), ..Found::default() };
    if let (None, Some(why)) = (&tools.missing, &apart.by_instructions) {
        println!("SKIPPED: instructions are not compared: {why}.");
    } else if tools.missing.is_none() {
        found.instructions = tools.instructions()?;
    }
    print(&found);
    let differences = baseline::differences(&committed, &found, &ALL);
    if differences.is_empty() {
        println!("All as in benches/counts/baseline.json.");
        return Ok(());
    }
    bail!("{}\nIf that is meant: just counts --bless, and say why in the commit", differences.join("\n"))
}

fn bless(made_with: MadeWith, tools: &Tools) -> Result<()> {
    let found = Found { instructions: tools.instructions()?, allocations: allocations() };
    print(&found);
    let counts = found.counts(&ALL).context("something was not counted")?;
    let text = serde_json::to_string_pretty(&Baseline { made_with, counts })?;
    std::fs::write(BASELINE, text + "\n").with_context(|| format!("{BASELINE} cannot be written"))?;
    println!("Written: benches/counts/baseline.json");
    Ok(())
}

/// Only this thread's allocations count, and nothing else runs in it.
fn allocations() -> BTreeMap<String, u64> {
    let count = |counted: &counts::counted::Counted| {
        let mut run = (counted.prepare)();
        (counted.name.to_owned(), allocation_counter::measure(&mut run).count_total)
    };
    ALL.iter().map(count).collect()
}

fn print(found: &Found) {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::ASCII_MARKDOWN).set_header(["operation", "instructions", "allocations"]);
    for counted in &ALL {
        let each = |counts: &BTreeMap<String, u64>, digits: usize| {
            let count = counts.get(counted.name).map(|&count| count as f64 / f64::from(counted.operations));
            count.map_or_else(|| "not counted".to_owned(), |each| format!("{each:.digits$}"))
        };
        table.add_row([counted.name.replace('_', " "), each(&found.instructions, 0), each(&found.allocations, 2)]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    if let Some(ratio) = baseline::line_ratio(found) {
        println!("A place behind a long line for one behind a short one: {ratio:.3} (G15)");
    }
}

/// What instructions are counted with.
struct Tools {
    runner: PathBuf,
    missing: Option<String>,
}

impl Tools {
    fn find() -> Result<Self> {
        let this = std::env::current_exe().context("a program has a path")?;
        let target = this.parent().and_then(Path::parent).context("a program lies in a profile's directory")?;
        let installed = target.join("tools/bin/gungraun-runner");
        let runner = if installed.exists() { installed } else { PathBuf::from("gungraun-runner") };
        let is_here = |program: &Path| {
            Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
        };
        let missing = [Path::new("valgrind"), &runner].into_iter().find(|program| !is_here(program));
        let missing =
            missing.map(|program| format!("{} is missing; benches/install-counters.sh installs it", program.display()));
        Ok(Self { runner, missing })
    }

    fn made_with(&self) -> Result<MadeWith> {
        let valgrind = if self.missing.is_some() { "none".to_owned() } else { said("valgrind", &["--version"])? };
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let flags = info.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
        let has = |set: &&&str| flags.split_whitespace().any(|flag| flag == **set);
        let processor = INSTRUCTION_SETS.iter().filter(has).copied().collect::<Vec<_>>().join(" ");
        let libc = said("getconf", &["GNU_LIBC_VERSION"]).unwrap_or_else(|_| "unknown".to_owned());
        Ok(MadeWith { compiler: said("rustc", &["--version"])?, valgrind, libc, processor })
    }

    /// Runs benches/counts/benches/instructions.rs, which tells one line of JSON for each run.
    fn instructions(&self) -> Result<BTreeMap<String, u64>> {
        let this = std::env::current_exe().context("a program has a path")?;
        let target = this.parent().and_then(Path::parent).context("a program lies in a profile's directory")?;
        let mut bench = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        bench.args(["bench", "--quiet", "--locked", "-p", "counts", "--bench", "instructions", "--target-dir"]);
        bench.arg(target).args(["--", "--output-format=json"]);
        bench.env("GUNGRAUN_RUNNER", &self.runner).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let output = bench.stderr(Stdio::inherit()).output().context("cargo does not run")?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "the instructions could not be counted:\n{text}");
        let counts: BTreeMap<String, u64> = text.lines().map(count_of).collect::<Result<_>>()?;
        for counted in &ALL {
            ensure!(
                counts.contains_key(counted.name),
                "benches/counts/benches/instructions.rs leaves out {}",
                counted.name
            );
        }
        Ok(counts)
    }
}

/// A run's name and its instructions.
fn count_of(line: &str) -> Result<(String, u64)> {
    let summary: Value = serde_json::from_str(line).with_context(|| format!("not a summary: {line}"))?;
    let id = summary.get("id").and_then(Value::as_str).context("a run without a name")?;
    // Beside it stands `old`, what the last run of this machine counted; that is nobody's baseline.
    let count = summary.pointer("/profiles/0/data/total/metrics/Ir/values/new").and_then(Value::as_u64);
    Ok((id.to_owned(), count.with_context(|| format!("{id} without a count"))?))
}

fn said(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output().with_context(|| format!("{program} does not run"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
