//! Many who wait for one item: what each of them costs in memory, what the one too many is told, and how soon all of
//! them stand there again after `kill -9`.

use crate::audit::{self, Claims};
use crate::contestant::Contestant;
use crate::goals::{G11, G12, G13, Goal, O6_MEMORY, O6_RESTART, Row};
use crate::load::tally::Ending;
use crate::neighbours::{self, Watch};
use crate::operator::Stock;
use crate::process::Running;
use crate::run::Run;
use crate::visit::{Load, Workload};
use anyhow::{Context, Result, ensure};
use replay::{Ask, Logs, Wanted, Workplace, replay_partition};
use rustix::fs::{Advice, fadvise};
use rustix::thread::disable_transparent_huge_pages;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

/// The first measurement of memory is taken with one in so many of them.
const FIRST_PART: u32 = 10;

/// So many come when everything that nobody waits for is done, before memory is looked at.
const LAST_PART: u32 = 40_000;

/// How many wait in O6.
const MILLION: u32 = 1_000_000;

/// Longest time that all of them may take to come.
const COME_WITHIN: Duration = Duration::from_secs(900);

/// What is read at once where a directory is only read.
const CHUNK_BYTES: usize = 1 << 20;

/// Lets them come, kills the server, starts it again, and replays its log.
pub(crate) fn measure(run: &mut Run) -> Result<()> {
    let capacity = run.size().waiting;
    let stock = Stock { units: 1, waitlist: Some(capacity), ..Workload::ONE_ITEM.stock };
    let line = Workload { name: "one line", stock, ..Workload::ONE_ITEM };
    let load = Load { warm_up: Duration::ZERO, length: COME_WITHIN, ..run.closed() };
    let visitor = run.visitor("many come to wait");
    let server = visitor.start(Contestant::Durable, &line, None)?;
    let mut claims = Claims::default();
    // Halves of an odd number would be one too many between two threads.
    let mut come = |requests: u32| {
        let load = Load { threads: if requests.is_multiple_of(2) { load.threads } else { 1 }, ..load };
        let measured = visitor.send(&server, &Workload { requests: u64::from(requests), ..line.clone() }, load)?;
        claims.add(&measured.tally);
        Ok::<_, anyhow::Error>(measured.tally)
    };
    // One gets the unit.
    come(1)?;
    let first = capacity / FIRST_PART / 2 * 2;
    // What a snapshot has taken goes back to the system while the server works on, not while it does nothing.
    let last = LAST_PART.min(first / 2) / 2 * 2;
    come(first - last)?;
    server.rest()?;
    come(last)?;
    let few = server.memory()?;
    come(capacity - first - last)?;
    server.rest()?;
    come(last)?;
    let many = server.memory()?;
    let refused = come(1)?.count_in_all(Ending::Refused);
    ensure!(refused == 1, "one more than {capacity} came to wait and was not refused");
    let counts = server.operator.as_ref().context("it has operators")?.counts("hot")?;
    ensure!(counts.waiting == capacity, "{} of {capacity} wait", counts.waiting);
    audit::by_counts(&[counts], &claims)?;
    let further = many.resident.saturating_sub(few.resident);
    run.row(Row::over_rounds(G13, [further as f64 / f64::from(capacity - first)]));
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let at_most = format!("{:.0} at any time, snapshots being folded", mib(many.most));
    run.row(of_a_million(capacity, Row::over_rounds(O6_MEMORY, [mib(many.resident)]).remarked(at_most)));
    let dir = server.kill()?;
    restart(run, &dir, capacity)?;
    audit::by_log(&dir, &claims)?;
    replayed(run, &dir)?;
    std::fs::remove_dir_all(&dir).context("what it left cannot be removed")
}

fn restart(run: &mut Run, dir: &Path, capacity: u32) -> Result<()> {
    let watch = Watch::begin(Duration::ZERO)?;
    // As after a crash of the machine: nothing is cached, neither for the reading nor for the start.
    each_file(dir, &|file| forget(file).map(|()| 0))?;
    let began = Instant::now();
    let bytes = each_file(dir, &read_through)?;
    let read = began.elapsed();
    ensure!(bytes > 0, "the server left nothing");
    each_file(dir, &|file| forget(file).map(|()| 0))?;
    let programs = run.visitor("starting it again").programs.clone();
    let server = Running::start(Contestant::Durable, &programs, dir, None)?;
    let (ready, others) = (server.ready_after, watch.others(server.cpu()?)?);
    let counts = server.operator.as_ref().context("it has operators")?.counts("hot")?;
    ensure!(counts.waiting == capacity, "after the restart {} of {capacity} wait", counts.waiting);
    server.stop()?;
    run.row(of_a_million(capacity, timed(O6_RESTART, &[ready.as_secs_f64()], others)));
    run.row(timed(G12, &[ready.as_secs_f64() / read.as_secs_f64()], others));
    Ok(())
}

/// The bounds of O6 are for a million; with fewer they are met by having fewer, and with many more they are others.
fn of_a_million(waiting: u32, row: Row) -> Row {
    if (MILLION..2 * MILLION).contains(&waiting) {
        return row;
    }
    Row::new(row.goal, Err(format!("it is for {MILLION} who wait, and here {waiting} did")))
}

/// A figure of times, unless others took the processors meanwhile.
fn timed(goal: Goal, values: &[f64], others: f64) -> Row {
    match neighbours::doubt(others) {
        Some(doubt) => Row::new(goal, Err(doubt)),
        None => Row::over_rounds(goal, values.iter().copied()),
    }
}

/// Does something with every file below; gives the sum of what it gives.
fn each_file(dir: &Path, with: &dyn Fn(&File) -> Result<u64>) -> Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        sum += if path.is_dir() { each_file(&path, with)? } else { with(&File::open(path)?)? };
    }
    Ok(sum)
}

/// Reads it from beginning to end; how many bytes it has.
fn read_through(mut file: &File) -> Result<u64> {
    let (mut chunk, mut bytes) = (vec![0; CHUNK_BYTES], 0);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(bytes),
            taken => bytes += taken as u64,
        }
    }
}

/// Lets the system forget what it has cached of it.
fn forget(file: &File) -> Result<()> {
    file.sync_all()?;
    Ok(fadvise(file, 0, None, Advice::DontNeed)?)
}

/// Pages of the usual size, as `holdfast replay` and `serve` have them; until this is dropped, for peers would inherit it.
struct SmallPages;

impl SmallPages {
    fn ask_for() -> Result<Self> {
        disable_transparent_huge_pages(true)?;
        Ok(Self)
    }
}

impl Drop for SmallPages {
    fn drop(&mut self) {
        let _as_before = disable_transparent_huge_pages(false);
    }
}

fn replayed(run: &mut Run, dir: &Path) -> Result<()> {
    let _small = SmallPages::ask_for()?;
    let mut ratios = Vec::new();
    let watch = Watch::begin(Duration::ZERO)?;
    for _ in 0..run.rounds() {
        let place = Workplace::new()?;
        let logs = Logs::open(dir, Wanted::All, &place)?;
        let source = logs.sources.first().context("there is one partition")?;
        let began = Instant::now();
        let (from, _folded) = source.begin()?;
        let mut events: u64 = 0;
        for placed in source.walk(from) {
            placed.map_err(|error| anyhow::anyhow!("the log cannot be walked: {error:?}"))?;
            events += 1;
        }
        let walked = began.elapsed();
        let began = Instant::now();
        let folded = replay_partition(source, logs.partition_count, &Ask::default(), &mut |_| ())?;
        ensure!(folded.events == events, "{events} events were walked and {} replayed", folded.events);
        ratios.push(walked.as_secs_f64() / began.elapsed().as_secs_f64());
    }
    run.row(timed(G11, &ratios, watch.others(Duration::ZERO)?));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_for_a_million_is_neither_met_by_a_tenth_of_them_nor_missed_by_ten_times_as_many() {
        let verdict = |waiting: u32| of_a_million(waiting, Row::over_rounds(O6_MEMORY, [90.0])).verdict();
        assert_eq!([100_000, 1_000_000, 10_000_000].map(verdict), ["no figure", "goal met", "no figure"]);
    }
}
