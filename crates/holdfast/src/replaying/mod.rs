//! `holdfast replay`: what a log says, read from a private copy of it.
//!
//! The library `replay` does all of it; here are flags, words, tables and exit codes.

mod args;
mod bar;
mod json;
mod render;

pub(crate) use args::{ABOUT, EXAMPLES, ReplayArgs};

use crate::config::{SettingArgs, Settings};
use crate::crowd::say;
use crate::exit::{Exit, Failure};
use crate::stop::Stop;
use anyhow::anyhow;
use args::{Format, PartArgs, ReceiptCommand, ReplayCommand, WholeArgs};
use bar::Bar;
use domain::identity::ReservationId;
use domain::ids::Seq;
use domain::text::Sku;
use replay::diff::diff;
use replay::explain::explain;
use replay::fold::is_folding;
use replay::{
    Ask, ItemState, Logs, PartitionReplayed, Receipt, ReplayError, Source, StateHash, StateHasher, Until, Wanted,
    Workplace, export, receipt, replay_partition, state,
};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Everything that was replayed, ready to be told.
pub(crate) struct Replayed {
    /// Only a part of the log was asked for.
    pub(crate) ask: Ask,
    /// Partition by partition, in figures.
    pub(crate) partitions: Vec<PartitionReplayed>,
    /// Every item.
    pub(crate) items: Vec<ItemState>,
    /// The hash of all of it. None where only a part was asked for, or an item is broken.
    pub(crate) hash: Option<StateHash>,
}

impl Replayed {
    /// How many promises are not kept.
    pub(crate) fn finding_count(&self) -> u64 {
        self.partitions.iter().map(|partition| partition.findings.count()).sum()
    }
}

/// Runs the command.
pub(crate) async fn run(args: &ReplayArgs) -> Result<Exit, Failure> {
    let mut stop = Stop::listen()?;
    let place = Workplace::new()?;
    let copies = place.path().to_owned();
    let args = args.clone();
    keep_caught_panics_quiet();
    // Reading a log blocks; the runtime has threads for that.
    let work = tokio::task::spawn_blocking(move || work(&args, &place));
    tokio::select! {
        done = work => done.map_err(|error| anyhow!("replay itself failed; this is a bug: {error}"))?,
        name = stop.first() => {
            // Whatever is still being copied there fails now, and ends with the program.
            let _gone = std::fs::remove_dir_all(copies);
            Err(anyhow!("{name}: called off; nothing is concluded, and the private copy is removed").into())
        }
    }
}

/// `apply` says with a panic that an invariant is broken. Replay catches it and tells it in its own words.
fn keep_caught_panics_quiet() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !is_folding() {
            usual(panic);
        }
    }));
}

fn work(args: &ReplayArgs, place: &Workplace) -> Result<Exit, Failure> {
    match &args.command {
        None => whole(&args.whole, place),
        Some(ReplayCommand::Diff { a, b, json }) => compare(a, b, *json, place),
        Some(ReplayCommand::Explain { reservation, dir, json }) => {
            tell_story(*reservation, &chosen(dir.as_deref())?, *json, place)
        }
        Some(ReplayCommand::Export { format, dir, part }) => write_out(*format, &chosen(dir.as_deref())?, part, place),
        Some(ReplayCommand::Receipt(ReceiptCommand::Make { item, seq, dir })) => {
            make_receipt(item, Seq(*seq), &chosen(dir.as_deref())?, place)
        }
        Some(ReplayCommand::Receipt(ReceiptCommand::Check { receipt, dir, json })) => {
            check_receipt(receipt, &chosen(dir.as_deref())?, *json, place)
        }
    }
}

/// The directory that was named, or else the configured one.
pub(crate) fn chosen(dir: Option<&Path>) -> Result<PathBuf, Failure> {
    let named = dir.map(Path::to_owned).or_else(|| std::env::var_os("HOLDFAST_DATA_DIR").map(PathBuf::from));
    if let Some(dir) = named {
        return Ok(dir);
    }
    let file = std::env::var_os("HOLDFAST_CONFIG").map(PathBuf::from);
    let settings = Settings::load(&SettingArgs { file, given: Vec::new() });
    settings.map(|settings| settings.data_dir).map_err(|error| Failure::new(Exit::Usage, error))
}

fn failure(error: ReplayError) -> Failure {
    let exit = match &error {
        ReplayError::NumberOfManyLogs { .. } => Exit::Usage,
        damage if damage.is_damage() => Exit::Damaged,
        _ => Exit::Error,
    };
    Failure::new(exit, error)
}

fn open(dir: &Path, wanted: Wanted<'_>, place: &Workplace) -> Result<Logs, Failure> {
    Logs::open(dir, wanted, place).map_err(failure)
}

/// The one log of a partition that was asked for.
fn only(logs: &Logs) -> Result<&Source, Failure> {
    Ok(logs.sources.first().ok_or_else(|| anyhow!("the directory has no such partition"))?)
}

fn ask_for(part: &PartArgs) -> Ask {
    Ask { item: part.item.clone(), until: part.until, ..Ask::default() }
}

fn wanted(part: &PartArgs) -> Wanted<'_> {
    part.item.as_ref().map_or(Wanted::All, Wanted::Item)
}

/// A number names an event of one log, unless it is the item's own.
fn check_until(logs: &Logs, part: &PartArgs) -> Result<(), Failure> {
    let count = logs.sources.len();
    let ambiguous = count > 1 && part.item.is_none() && matches!(part.until, Some(Until::Number(_)));
    if ambiguous { Err(failure(ReplayError::NumberOfManyLogs { count })) } else { Ok(()) }
}

fn whole(args: &WholeArgs, place: &Workplace) -> Result<Exit, Failure> {
    let dir = chosen(args.dir.as_deref())?;
    let ask = Ask { verify: args.verify, redecide: args.redecide, ..ask_for(&args.part) };
    let replayed = open(&dir, wanted(&args.part), place).and_then(|logs| {
        check_until(&logs, &args.part)?;
        replay_all(&logs, ask).map_err(failure)
    });
    let replayed = match replayed {
        Ok(replayed) => replayed,
        Err(failed) => {
            if args.json {
                say(&json::failed(&failed));
            }
            return Err(failed);
        }
    };
    say(if args.json { json::replayed(&replayed) } else { render::replayed(&replayed) }.trim_end());
    Ok(if replayed.finding_count() == 0 { Exit::Fine } else { Exit::Violation })
}

fn replay_all(logs: &Logs, ask: Ask) -> Result<Replayed, ReplayError> {
    let (mut bar, mut hasher) = (Bar::new(), StateHasher::default());
    let (mut partitions, mut items) = (Vec::new(), Vec::new());
    for source in &logs.sources {
        let mut partition = replay_partition(source, logs.partition_count, &ask, &mut |at| bar.at(at))?;
        if ask.item.is_none() {
            hasher.add(&partition.folded);
        }
        items.extend(state::items(&partition.folded));
        // In figures it is small; many partitions' states together need not be.
        partition.folded.items.clear();
        partitions.push(partition);
    }
    bar.done();
    let hash = if ask.item.is_none() { hasher.finish() } else { None };
    Ok(Replayed { ask, partitions, items, hash })
}

fn compare(a: &Path, b: &Path, as_json: bool, place: &Workplace) -> Result<Exit, Failure> {
    let (a, b) = (open(a, Wanted::All, place)?, open(b, Wanted::All, place)?);
    let mut bar = Bar::new();
    let found = diff(&a, &b, &mut |at| bar.at(at)).map_err(failure)?;
    bar.done();
    say(if as_json { json::diff(&found) } else { render::diff(&found) }.trim_end());
    Ok(if found.is_same() { Exit::Fine } else { Exit::Error })
}

fn tell_story(id: ReservationId, dir: &Path, as_json: bool, place: &Workplace) -> Result<Exit, Failure> {
    let logs = open(dir, Wanted::Partition(id.item().partition()), place)?;
    let (source, mut bar) = (only(&logs)?, Bar::new());
    let told = explain(source, id, &mut |at| bar.at(at)).map_err(failure)?;
    bar.done();
    let Some(told) = told else {
        return Err(anyhow!(
            "{id} is no reservation of this log: it gave out no such id, or its item's beginning is not in it any more"
        )
        .into());
    };
    say(if as_json { json::story(&told) } else { render::story(&told) }.trim_end());
    Ok(Exit::Fine)
}

fn write_out(format: Format, dir: &Path, part: &PartArgs, place: &Workplace) -> Result<Exit, Failure> {
    let format = match format {
        Format::Ndjson => export::Format::Ndjson,
        Format::Csv => export::Format::Csv,
    };
    let logs = open(dir, wanted(part), place)?;
    check_until(&logs, part)?;
    let (ask, mut bar) = (ask_for(part), Bar::new());
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let mut write = || -> Result<(), ReplayError> {
        export::header(format, &mut out)?;
        for source in &logs.sources {
            export::export(source, &ask, format, &mut out, &mut |at| bar.at(at))?;
        }
        Ok(out.flush()?)
    };
    let written = write();
    bar.done();
    match written {
        // Whoever read it has read enough.
        Err(ReplayError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(Exit::Fine),
        written => written.map(|()| Exit::Fine).map_err(failure),
    }
}

fn make_receipt(sku: &Sku, sequence: Seq, dir: &Path, place: &Workplace) -> Result<Exit, Failure> {
    let logs = open(dir, Wanted::Item(sku), place)?;
    let (source, mut bar) = (only(&logs)?, Bar::new());
    let made = receipt::make(source, sku, sequence, &mut |at| bar.at(at)).map_err(failure)?;
    bar.done();
    let made = made.ok_or_else(|| anyhow!("{sku} has no event {sequence} in this log"))?;
    say(&made.to_string());
    Ok(Exit::Fine)
}

fn check_receipt(told: &Receipt, dir: &Path, as_json: bool, place: &Workplace) -> Result<Exit, Failure> {
    let logs = open(dir, Wanted::Partition(told.partition), place)?;
    let (source, mut bar) = (only(&logs)?, Bar::new());
    let checked = receipt::check(source, told, &mut |at| bar.at(at)).map_err(failure)?;
    bar.done();
    say(if as_json { json::receipt(told, &checked) } else { render::receipt(told, source, &checked) }.trim_end());
    Ok(if checked.is_ok() { Exit::Fine } else { Exit::Violation })
}
