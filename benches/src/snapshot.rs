//! What customers notice of a snapshot: reservations go on while the log's history is folded on another thread.
//!
//! Nobody asks for a snapshot. When a generation of the log is full, the server closes it between two commits, seals
//! it into a flat file and folds it into a snapshot, all of which shows in its directory. So load is sent until that
//! has happened, and the time from a new generation's directory until both files lie there is compared with the rest
//! of the same run.

use crate::audit::{self, Claims};
use crate::contestant::Contestant;
use crate::goals::{G18, G18_STALL, Goal, Row, Spread};
use crate::load::source::Wishes;
use crate::load::tally::Ending;
use crate::load::{self, Plan};
use crate::neighbours::{self, Watch};
use crate::process::Running;
use crate::run::Run;
use crate::timeline::Timeline;
use crate::visit::{Load, Workload};
use anyhow::{Context, Result, ensure};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often the directory is looked at: often enough to date what takes tenths of a second, and too seldom to be felt.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// How long load is sent for each snapshot at most. A generation takes 40 MiB of records, which is about half
/// a million reservations.
const FILLED_WITHIN: Duration = Duration::from_secs(30);

/// Less time without a snapshot is nothing to compare with.
const CALM_AT_LEAST: Duration = Duration::from_secs(2);

/// Into so many pieces the longest time without one is divided at least, to see which silence is usual.
const PIECES_AT_LEAST: u32 = 4;

/// Why a quick run has no figure.
const TOO_QUICK: &str = "a quick run ends before a generation of the log is full; ask for four rounds or more";

/// What one partition's directory shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Look {
    generations: usize,
    sealed: usize,
    newest_snapshot: Option<String>,
}

impl Look {
    fn at(partition: &Path) -> Result<Self> {
        let mut look = Self::default();
        for name in names(partition)?.iter().filter(|name| name.starts_with("gen-")) {
            let inside = names(&partition.join(name))?;
            // One that is made ready before it is needed holds nothing yet.
            if inside.iter().any(|name| name == "unused") {
                continue;
            }
            look.generations += 1;
            look.sealed += usize::from(inside.iter().any(|name| name.ends_with(".records")));
        }
        let snapshots = names(&partition.join("snapshots"))?;
        look.newest_snapshot = snapshots.into_iter().filter(|name| name.ends_with(".snapshot")).max();
        Ok(look)
    }

    /// Whether everything closed is sealed.
    const fn is_sealed(&self) -> bool {
        self.sealed + 1 >= self.generations
    }
}

/// What is in a directory; of one that goes away meanwhile, nothing.
fn names(dir: &Path) -> Result<Vec<String>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be looked at", dir.display())),
    };
    Ok(entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect())
}

/// Watches until so many snapshots were made or the time is over. From when to when each was.
fn watch(partition: &Path, wanted: usize, until: Instant) -> Result<Vec<Range<Instant>>> {
    let (mut made, mut looked) = (Vec::new(), Instant::now());
    let mut calm = Look::at(partition)?;
    let mut began = None;
    while made.len() < wanted && looked < until {
        std::thread::sleep(LOOK_EVERY);
        let (now, look) = (Instant::now(), Look::at(partition)?);
        match began {
            // It began behind the last look.
            None if look.generations > calm.generations => began = Some(looked),
            Some(since) if look.newest_snapshot != calm.newest_snapshot && look.is_sealed() => {
                made.push(since..now);
                (began, calm) = (None, look);
            }
            None | Some(_) => {}
        }
        looked = now;
    }
    Ok(made)
}

/// Sends load until snapshots have been made.
pub(crate) fn measure(run: &mut Run) -> Result<()> {
    if run.rounds() <= 2 {
        rows(run, Err(TOO_QUICK.to_owned()), &[], None);
        return Ok(());
    }
    let wanted = run.rounds().div_ceil(2);
    let longest = FILLED_WITHIN * u32::try_from(wanted)?;
    let load = Load { length: longest, ..run.closed() };
    let visitor = run.visitor("customers come while snapshots are taken");
    let server = visitor.start(Contestant::Durable, &Workload::ONE_ITEM, None)?;
    let halt = Arc::new(AtomicBool::new(false));
    let plan = Plan { keeps_moments: true, halt: Some(Arc::clone(&halt)), ..visitor.plan(&server, load) };
    let wishes = Wishes::one_item("hot", visitor.made, plan.seed);
    let neighbours = Watch::begin(server.cpu()?)?;
    let partition = server.dir.join("partition-000");
    let (measured, made) = std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let made = watch(&partition, wanted, Instant::now() + longest);
            halt.store(true, Ordering::Relaxed);
            made
        });
        let measured = load::run(&plan, &|thread| wishes.source(thread));
        halt.store(true, Ordering::Relaxed);
        (measured, watching.join().unwrap_or_else(|_| Err(anyhow::anyhow!("who watched for snapshots panicked"))))
    });
    let (measured, made) = (measured?, made?);
    let doubt = neighbours::doubt(neighbours.others(server.cpu()?)?);
    let failed = measured.tally.count_in_all(Ending::Failed);
    ensure!(failed == 0, "{failed} requests broke while snapshots were taken: no figure");
    let mut claims = Claims::default();
    claims.add(&measured.tally);
    audited(server, &claims)?;
    let usual_from = measured.began + load.warm_up;
    let stills = run.visitor("what came of it").pulse.stills(&(measured.began..Instant::now()));
    let line = Timeline::of(measured.tally.moments);
    let seen = Seen::of(&line, usual_from, &made, stills.as_deref().unwrap_or_default());
    if let (Ok(seen), Some(stills)) = (&seen, &stills) {
        run.note(words(&line, &made, stills, seen));
    }
    rows(run, seen, &made, doubt);
    Ok(())
}

/// The item's counts and the log against the answers.
fn audited(server: Running, claims: &Claims) -> Result<()> {
    audit::by_counts(&[server.operator.as_ref().context("it has operators")?.counts("hot")?], claims)?;
    let dir = server.stop()?;
    audit::by_log(&dir, claims)?;
    std::fs::remove_dir_all(&dir).context("what it left cannot be removed")
}

/// What the snapshots of a run did.
#[derive(Debug, PartialEq)]
struct Seen {
    /// Reservations per second during each, over those of the rest of the run.
    throughput: Vec<f64>,
    /// The longest silence of each in milliseconds, beyond what is usual in as long a time without one.
    stall_ms: Vec<f64>,
}

impl Seen {
    /// # Errors
    /// In words, what is missing.
    fn of(line: &Timeline, from: Instant, made: &[Range<Instant>], stills: &[Range<Instant>]) -> Result<Self, String> {
        let made: Vec<&Range<Instant>> = made.iter().filter(|window| window.start > from).collect();
        let ends = std::iter::once(from).chain(made.iter().map(|window| window.end));
        // Between one snapshot and the next. Behind the last one the run is stopped.
        let calm: Vec<Range<Instant>> = ends.zip(&made).map(|(from, window)| from..window.start).collect();
        let calm_s: f64 = calm.iter().map(|stretch| (stretch.end - stretch.start).as_secs_f64()).sum();
        if calm_s < CALM_AT_LEAST.as_secs_f64() {
            return Err(format!("there were only {calm_s:.1} s without a snapshot"));
        }
        let usual = calm.iter().map(|stretch| line.served(stretch)).sum::<usize>() as f64 / calm_s;
        let longest = calm.iter().map(|stretch| stretch.end - stretch.start).max().unwrap_or_default();
        let (mut throughput, mut stall_ms) = (Vec::new(), Vec::new());
        for window in made {
            let took = window.end - window.start;
            throughput.push(line.served(window) as f64 / took.as_secs_f64() / usual);
            // A shorter time without one has shorter silences: the comparison is the harder for it.
            let length = took.min(longest / PIECES_AT_LEAST);
            let silences = calm
                .iter()
                .flat_map(|stretch| pieces(stretch, length))
                .map(|piece| line.longest_silence(&piece, stills));
            // The middle one: a hiccup of the machine in one of them must not excuse a stall.
            let usual = Spread::of(silences.map(|silence| silence.as_secs_f64()));
            let usual = usual.ok_or("there was hardly a time without a snapshot")?;
            let silence = line.longest_silence(window, stills).as_secs_f64();
            stall_ms.push((silence - usual.median).max(0.0) * 1_000.0);
        }
        if throughput.is_empty() {
            return Err("no snapshot was made within the time that was given".to_owned());
        }
        Ok(Self { throughput, stall_ms })
    }
}

/// What the stalls would have been with the machine's own stops.
fn words(line: &Timeline, made: &[Range<Instant>], stills: &[Range<Instant>], seen: &Seen) -> String {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let listed = |all: Vec<f64>| all.iter().map(|ms| format!("{ms:.0}")).collect::<Vec<_>>().join(", ");
    let raw = listed(made.iter().map(|window| ms(line.longest_silence(window, &[]))).collect());
    let at_once = stills.iter().map(|still| still.end - still.start).max().unwrap_or_default();
    format!(
        "G18: silences of {raw} ms while a snapshot was taken. The machine itself stood still {} times in the run, \
         {:.0} ms at once at most; without that, and beyond what is usual: {} ms.",
        stills.len(),
        ms(at_once),
        listed(seen.stall_ms.clone())
    )
}

/// As many pieces of that length as fit.
fn pieces(stretch: &Range<Instant>, length: Duration) -> impl Iterator<Item = Range<Instant>> {
    let (mut from, end) = (stretch.start, stretch.end);
    std::iter::from_fn(move || {
        let piece = from..from + length;
        from = piece.end;
        (piece.end <= end && !length.is_zero()).then_some(piece)
    })
}

fn rows(run: &mut Run, seen: Result<Seen, String>, made: &[Range<Instant>], doubt: Option<String>) {
    let seen = doubt.map_or(seen, Err);
    let took = Spread::of(made.iter().map(|window| (window.end - window.start).as_secs_f64()));
    let remark = took.map(|took| format!("{} of them, {:.2} s each", took.rounds, took.median));
    let row = |goal: Goal, spread: Result<Spread, String>| {
        let row = Row::new(goal, spread);
        remark.clone().map_or(row.clone(), |remark| row.remarked(remark))
    };
    let spread = |values: &[f64]| Spread::of(values.iter().copied()).ok_or_else(|| "there was none".to_owned());
    run.row(row(G18, seen.as_ref().map_err(Clone::clone).and_then(|seen| spread(&seen.throughput))));
    let stall = seen.and_then(|seen| spread(&seen.stall_ms));
    run.row(row(G18_STALL, stall.map(|spread| Spread { median: spread.max, ..spread })));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tally::Moment;

    /// An answer a millisecond; in the second in which the snapshot is taken half of them, and none for 50 ms.
    #[test]
    fn a_snapshot_that_halves_throughput_and_stalls_shows_as_that() {
        let began = Instant::now();
        let at = |ms: u64| began + Duration::from_millis(ms);
        let is_answered =
            |ms: &u64| !(3_000..4_000).contains(ms) || (ms.is_multiple_of(2) && !(3_500..3_550).contains(ms));
        let moment = |ms| Moment { at: at(ms), latency: Duration::ZERO, ending: Some(Ending::Granted) };
        let line = Timeline::of((0..4_000).filter(is_answered).map(moment));
        let seen = Seen::of(&line, at(500), &[at(3_000)..at(4_000)], &[]).expect("there is one");
        let (throughput, stall_ms) = (seen.throughput, seen.stall_ms);
        assert!(throughput.iter().all(|ratio| (0.47..0.48).contains(ratio)), "{throughput:?}");
        assert!(stall_ms.iter().all(|ms| (50.5..51.5).contains(ms)), "{stall_ms:?}");
        assert!(Seen::of(&line, at(500), &[], &[]).is_err());
        assert!(Seen::of(&line, at(2_900), &[at(3_000)..at(4_000)], &[]).is_err(), "nothing to compare with");
    }
}
