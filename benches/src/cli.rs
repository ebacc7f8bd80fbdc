//! The command line, of `holdfast bench` and of this package's own program.

use crate::contestant::Contestant;
use crate::process::Programs;
use crate::run::{Run, Size};
use crate::{
    beside, commit, core, crowd, inside, instructions, ladder, latency, line, many, mix, overload, relief, report,
    snapshot, storm,
};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the bench is, for `--help`.
pub const ABOUT: &str = "\
Measure this server beside others on this machine, and print how they compare.

Every contestant is a process of its own, on a new data directory, reached over HTTP by a generator that runs beside \
it. Rounds are interleaved; what counts is the ratio within a round. Before a figure is printed, the items' counts and \
the log are audited against every answer; if that fails there is no figure. The data must lie on a real disk \
(--place): where a sync costs nothing, nothing here means anything.";

/// What can be asked of the bench.
#[derive(Clone, Debug, Args)]
pub struct BenchArgs {
    /// What to measure [default: everything]
    #[command(subcommand)]
    part: Option<Part>,
    /// How large.
    #[command(flatten)]
    shape: Shape,
}

/// How large a run is, and where.
#[derive(Clone, Debug, Args)]
struct Shape {
    /// Everything smaller: less than three minutes for all parts
    #[arg(long, global = true)]
    quick: bool,
    /// Rounds of each comparison [default: 6, quick: 1]
    #[arg(long, global = true, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
    /// What is measured in each visit, in milliseconds [default: 5000, quick: 500]
    #[arg(long, global = true, value_name = "MS", value_parser = clap::value_parser!(u64).range(100..))]
    length_ms: Option<u64>,
    /// What is thrown away before it, in milliseconds [default: 2000, quick: 200]
    #[arg(long, global = true, value_name = "MS")]
    warm_up_ms: Option<u64>,
    /// Connections of a closed loop
    #[arg(long, global = true, value_name = "COUNT", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// How many customers wait where many do [default: 1000000, quick: 100000]
    #[arg(long, global = true, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    waiting: Option<u32>,
    /// Draws the same arrivals and customers again
    #[arg(long, global = true, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// A directory for the report [default: target/bench/<time>, or bench-<time> where there is no target]
    #[arg(long, global = true, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A directory on the disk to be measured, for the contestants' data [default: in the report's]
    #[arg(long, global = true, value_name = "DIR")]
    place: Option<PathBuf>,
}

/// A part of the bench.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
enum Part {
    /// Everything below
    All,
    /// From a server that decides nothing to a durable one, on each of its log engines: G1, G2
    Ladder,
    /// Beside Redis and PostgreSQL, if they are installed: G3, G4, G5
    Peers,
    /// What a customer waits, alone and at four fifths of the peak: G7, G8
    Latency,
    /// More customers than can be served: G9, G10, O1, O5
    Overload,
    /// One hot item and a thousand, retries, a sell-out, sales as a whole: G6
    Items,
    /// Many who wait: memory, a full line, kill and restart, replay: G11, G12, G13, O6
    Crowd,
    /// A hundred thousand items, most of them at rest: G16
    Many,
    /// What a request costs in user instructions, system calls and wake-ups: G19
    Instructions,
    /// Sales finished in an overload, and what is left of it: O3, O4
    Relief,
    /// Joining a long line and a short one: G15
    Line,
    /// Many holds that end at once: G17
    Storm,
    /// Reservations while a snapshot is taken: G18
    Snapshot,
    /// The pure core, inside this process
    Core,
    /// The commit path, inside this process
    Commit,
    /// Be a contestant, until told to stop
    #[command(hide = true)]
    Contestant(ContestantArgs),
}

/// What a contestant is told.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
struct ContestantArgs {
    /// Which
    who: Contestant,
    /// Where its data lies
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
}

impl BenchArgs {
    /// Whether the shipped server is needed for it.
    #[must_use]
    pub fn visits_the_server(&self) -> bool {
        match self.part {
            None
            | Some(
                Part::All
                | Part::Ladder
                | Part::Peers
                | Part::Latency
                | Part::Overload
                | Part::Items
                | Part::Crowd
                | Part::Many
                | Part::Instructions
                | Part::Relief
                | Part::Line
                | Part::Storm
                | Part::Snapshot,
            ) => true,
            Some(Part::Core | Part::Commit | Part::Contestant(_)) => false,
        }
    }
}

impl Shape {
    fn size(&self) -> Size {
        let usual = |quick: u64, otherwise: u64| if self.quick { quick } else { otherwise };
        Size {
            rounds: self.rounds.map_or(usual(1, 6) as usize, usize::from),
            length: Duration::from_millis(self.length_ms.unwrap_or_else(|| usual(500, 5_000))),
            warm_up: Duration::from_millis(self.warm_up_ms.unwrap_or_else(|| usual(200, 2_000))),
            connections: usize::from(self.connections),
            seed: self.seed,
            waiting: self.waiting.unwrap_or(if self.quick { 100_000 } else { 1_000_000 }),
            items: usual(2_000, 100_000) as usize,
            // A quick run shows that all of it runs, and its figures are of one short round anyway.
            tries: usual(1, 4) as u32,
        }
    }

    fn out(&self) -> PathBuf {
        let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        let usual = || match Path::new("target").is_dir() {
            true => PathBuf::from(format!("target/bench/{stamp}")),
            false => PathBuf::from(format!("bench-{stamp}")),
        };
        self.out.clone().unwrap_or_else(usual)
    }
}

/// Runs what was asked for. Call it outside of any runtime: it has threads of its own.
///
/// # Errors
/// When a contestant does not start, or an audit fails.
pub fn run(args: &BenchArgs, programs: Programs) -> Result<()> {
    match args.part.clone().unwrap_or(Part::All) {
        Part::Contestant(contestant) => inside::serve(contestant.who, &contestant.data_dir),
        Part::Core => {
            report::print_inside(&core::all());
            Ok(())
        }
        Part::Commit => {
            report::print_inside(&commit::all().map_err(|error| anyhow::anyhow!("{error}"))?);
            Ok(())
        }
        Part::All => {
            let parts = [
                ladder::climb,
                beside::measure,
                latency::measure,
                overload::measure,
                ladder::items,
                mix::measure,
                crowd::measure,
                many::measure,
                relief::measure,
                line::measure,
                storm::measure,
                snapshot::measure,
                instructions::measure,
            ];
            measure(args, programs, &parts)
        }
        Part::Ladder => measure(args, programs, &[ladder::climb]),
        Part::Peers => measure(args, programs, &[beside::measure]),
        Part::Latency => measure(args, programs, &[latency::measure]),
        Part::Overload => measure(args, programs, &[overload::measure]),
        Part::Items => measure(args, programs, &[ladder::items, mix::measure]),
        Part::Crowd => measure(args, programs, &[crowd::measure]),
        Part::Many => measure(args, programs, &[many::measure]),
        Part::Instructions => measure(args, programs, &[instructions::measure]),
        Part::Relief => measure(args, programs, &[relief::measure]),
        Part::Line => measure(args, programs, &[line::measure]),
        Part::Storm => measure(args, programs, &[storm::measure]),
        Part::Snapshot => measure(args, programs, &[snapshot::measure]),
    }
}

fn measure(args: &BenchArgs, programs: Programs, parts: &[fn(&mut Run) -> Result<()>]) -> Result<()> {
    let out = args.shape.out();
    let place = args.shape.place.clone().unwrap_or_else(|| out.join("data"));
    std::fs::create_dir_all(&out).with_context(|| format!("{} cannot be made", out.display()))?;
    raise_file_limit();
    std::fs::create_dir_all(&place).with_context(|| format!("{} cannot be made", place.display()))?;
    // Of this run alone: one that was killed leaves its servers' data behind.
    let place = tempfile::Builder::new().prefix("run-").tempdir_in(&place)?.keep();
    let mut run = Run::new(args.shape.size(), programs, place.clone())?;
    let measured = parts.iter().try_for_each(|part| part(&mut run));
    run.end_progress();
    measured?;
    report::write(&run, &out, &place)?;
    let _kept_where_something_is_left = std::fs::remove_dir(&place);
    report::print(&run);
    println!("Report, distributions and plots: {}", out.display());
    Ok(())
}

/// Connections are files. Where the system refuses more, connecting will say so.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _refused = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
