//! One run of the bench: its size, where it keeps things, what it has seen so far.

use crate::contestant::Contestant;
use crate::cores;
use crate::goals::{Goal, Row, Spread};
use crate::load::Pace;
use crate::probe::{Disk, Probe};
use crate::process::Programs;
use crate::pulse::Pulse;
use crate::visit::{Load, Visit, Visitor, Workload};
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;
use std::time::Duration;

/// How large a run is.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(crate) struct Size {
    /// Rounds of each comparison.
    pub(crate) rounds: usize,
    /// What is measured in each visit.
    pub(crate) length: Duration,
    /// What is thrown away before it.
    pub(crate) warm_up: Duration,
    /// Connections of a closed loop.
    pub(crate) connections: usize,
    /// Where all draws begin.
    pub(crate) seed: u64,
    /// How many customers wait where many do.
    pub(crate) waiting: u32,
    /// How many items there are where very many are.
    pub(crate) items: usize,
    /// How often a visit is made at most until it is not in doubt. On a machine that others share, every third may be.
    pub(crate) tries: u32,
}

/// A run.
#[derive(Debug)]
pub(crate) struct Run {
    size: Size,
    visitor: Visitor,
    probe: Probe,
    bar: ProgressBar,
    /// What was aimed at, and how it came out.
    pub(crate) rows: Vec<Row>,
    /// What was seen, with what it was seen for.
    pub(crate) kept: Vec<(String, Visit)>,
    /// What else there is to say.
    pub(crate) notes: Vec<String>,
}

impl Run {
    /// Nothing seen yet.
    pub(crate) fn new(size: Size, programs: Programs, place: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&place)?;
        let bar = ProgressBar::new_spinner();
        bar.set_style(ProgressStyle::with_template("{spinner} {elapsed_precise} {msg}")?);
        bar.enable_steady_tick(Duration::from_millis(200));
        let visitor = Visitor { programs, place, memory: in_memory(), seed: size.seed, made: 0, pulse: Pulse::begin() };
        Ok(Self { size, visitor, probe: Probe::default(), bar, rows: Vec::new(), kept: Vec::new(), notes: Vec::new() })
    }

    /// How large it is.
    pub(crate) const fn size(&self) -> Size {
        self.size
    }

    /// Rounds of each comparison.
    pub(crate) const fn rounds(&self) -> usize {
        self.size.rounds
    }

    /// The closed loop that finds the highest throughput.
    pub(crate) fn closed(&self) -> Load {
        Load {
            pace: Pace::Closed,
            connections: self.size.connections,
            warm_up: self.size.warm_up,
            length: self.size.length,
            // Longer than the server's own longest: whoever gets no answer by then gets none.
            patience: Duration::from_secs(10),
            queue_max: usize::MAX,
            halves: None,
            threads: cores::count(),
        }
    }

    /// Visits a contestant, and again where the visit is in doubt: a doubt is about the machine and the generator, never
    /// about how the contestant did. What came of the last visit counts, and each that does not is told of.
    pub(crate) fn visit(&mut self, who: Contestant, what: &Workload, load: Load) -> Result<Visit> {
        let mut tries = 1;
        loop {
            let visit = self.visit_once(who, what, load)?;
            match &visit.doubt {
                Some(doubt) if tries < self.size.tries => {
                    let pace = load.pace.words(load.connections);
                    let also = visit.stood_still.map(|still| format!(" ({still})")).unwrap_or_default();
                    self.note(format!("{}, {}, {pace}: done again, for {doubt}{also}.", who.words(), what.name));
                }
                _ => return Ok(visit),
            }
            tries += 1;
        }
    }

    fn visit_once(&mut self, who: Contestant, what: &Workload, load: Load) -> Result<Visit> {
        let pace = load.pace.words(load.connections);
        self.bar.set_message(format!("visit {}: {}, {}, {pace}", self.visitor.made + 1, who.words(), what.name));
        self.visitor.visit(who, what, load)
    }

    /// What makes visits, for a part that does more with a contestant than to visit it.
    pub(crate) fn visitor(&mut self, words: &str) -> &mut Visitor {
        self.bar.set_message(words.to_owned());
        &mut self.visitor
    }

    /// Asks how long a sync takes just now.
    pub(crate) fn look_at_the_disk(&mut self) -> Result<Disk> {
        self.bar.set_message("looking at the disk");
        self.probe.look(&self.visitor.place)
    }

    /// What the disk has shown so far.
    pub(crate) fn disk(&self) -> Disk {
        self.probe.all()
    }

    /// Keeps what else there is to say.
    pub(crate) fn note(&mut self, words: String) {
        self.notes.push(words);
    }

    /// Keeps what was seen.
    pub(crate) fn keep(&mut self, scene: &str, visit: Visit) {
        self.kept.push((scene.to_owned(), visit));
    }

    /// Keeps how a goal came out of these scenes; or why there is no figure, if one of their visits is in doubt.
    pub(crate) fn figure(&mut self, goal: Goal, scenes: &[&str], values: impl IntoIterator<Item = f64>) {
        self.figure_where(goal, scenes, |_| true, values);
    }

    /// The same of only those visits of the scenes that were to these contestants: a doubt about another one's says
    /// nothing about their ratio.
    pub(crate) fn figure_among(
        &mut self,
        goal: Goal,
        scenes: &[&str],
        among: &[Contestant],
        values: impl IntoIterator<Item = f64>,
    ) {
        self.figure_where(goal, scenes, |visit| among.contains(&visit.contestant), values);
    }

    fn figure_where(
        &mut self,
        goal: Goal,
        scenes: &[&str],
        counts: impl Fn(&Visit) -> bool,
        values: impl IntoIterator<Item = f64>,
    ) {
        let of_scenes = self.kept.iter().filter(|(scene, _)| scenes.contains(&scene.as_str()));
        let doubt = of_scenes.filter(|(_, visit)| counts(visit)).filter_map(|(_, visit)| visit.doubt.clone()).next();
        let spread = || Spread::of(values).ok_or_else(|| "nothing of the kind happened".to_owned());
        self.row(Row::new(goal, doubt.map_or_else(spread, Err)));
    }

    /// Keeps how a goal came out.
    pub(crate) fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Takes the progress away, before anything is printed.
    pub(crate) fn end_progress(&self) {
        self.bar.finish_and_clear();
    }
}

/// A directory on a file system in memory, if this machine has one where they usually are.
fn in_memory() -> Option<tempfile::TempDir> {
    tempfile::Builder::new().prefix("holdfast-bench-").tempdir_in("/dev/shm").ok()
}
