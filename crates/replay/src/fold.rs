//! A log made into state again: as far as asked, with everything checked on the way that was asked for.
//!
//! State comes from `domain`'s `apply` alone, as in recovery. An item whose events break an invariant stays as it was
//! then; the others go on.

use crate::error::ReplayError;
use crate::finding::{Findings, Promise};
use crate::instant::Until;
use crate::redecide::Redeciding;
use crate::scope::{Scope, Verdict};
use crate::source::Source;
use crate::verify::Verifying;
use crate::walk::{Placed, Torn, Walk, WalkError};
use domain::ids::PartitionNo;
use domain::text::Sku;
use engine::fold::{Folded, FoldedItem, words};
use eventlog::ahead::{Ahead, Pieces, read_ahead};
use eventlog::{ChainPoint, EventNo, LogId, RecordNo, StreamEvent};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How many records are read between two reports of progress.
const PROGRESS_EVERY_RECORDS: u64 = 64;

/// What to replay, and what to check.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// Only this item.
    pub item: Option<Sku>,
    /// Only so far.
    pub until: Option<Until>,
    /// Check all that can be checked.
    pub verify: bool,
    /// Judge every recorded command again.
    pub redecide: bool,
}

/// How far a replay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// In which partition.
    pub partition: PartitionNo,
    /// The record reached.
    pub record: RecordNo,
    /// The last one there is.
    pub last: RecordNo,
}

/// What was checked on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Events after which sums, counters and the reservation touched were checked.
    pub events: u64,
    /// Times that an item was counted anew from all its reservations.
    pub recounts: u64,
    /// Events compared with what this program would write.
    pub encodings: u64,
    /// Snapshots compared with the fold.
    pub snapshots: u64,
    /// Snapshots that could not be read; recovery passes over them too.
    pub snapshots_unreadable: u64,
}

/// What was judged again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redecided {
    /// Commands had back from the log and judged again.
    pub commands: u64,
    /// Events that these led to, compared byte for byte.
    pub events: u64,
    /// Events that time brought about by itself, compared likewise.
    pub by_time: u64,
    /// Events that begin a stream or belong to the partition itself: no item stands before them to be asked.
    pub not_judged: u64,
    /// Events decided by rules of another version, which this program does not have.
    pub other_rules: u64,
}

/// A partition replayed.
#[derive(Debug)]
pub struct PartitionReplayed {
    /// Which.
    pub no: PartitionNo,
    /// Its log.
    pub log_id: LogId,
    /// Behind which point replay began: the start, or a snapshot where old records were removed.
    pub began: ChainPoint,
    /// The last event replayed, and its record.
    pub reached: Option<(RecordNo, EventNo)>,
    /// The last record that is right: of all, or, where only a part was asked for, of the first group that goes on
    /// behind it.
    pub whole: ChainPoint,
    /// Records up to there.
    pub records: u64,
    /// Events replayed.
    pub events: u64,
    /// What was left out at the end of the log.
    pub torn: Option<Torn>,
    /// Whether somebody wrote to the log while it was copied.
    pub written_meanwhile: bool,
    /// The state.
    pub folded: Folded,
    /// What is not as it should be.
    pub findings: Findings,
    /// What was checked, where that was asked for.
    pub verified: Option<Verified>,
    /// What was judged again, where that was asked for.
    pub redecided: Option<Redecided>,
}

thread_local! {
    static FOLDING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is applying an event. A panic is then how `apply` says that an invariant is broken: it is
/// caught and told as a finding, so a program need not print it too.
#[must_use]
pub fn is_folding() -> bool {
    FOLDING.get()
}

/// Marks the thread while it is applying an event.
struct Mark;

impl Mark {
    fn set() -> Self {
        FOLDING.set(true);
        Self
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        FOLDING.set(false);
    }
}

/// Replays a partition. `partition_count` is how many the data directory has.
///
/// # Errors
/// [`ReplayError`] where the log is damaged, cannot be read, or does not know the item asked for.
pub fn replay_partition(
    source: &Source,
    partition_count: u16,
    ask: &Ask,
    progress: &mut dyn FnMut(Progress),
) -> Result<PartitionReplayed, ReplayError> {
    let (began, folded) = source.begin()?;
    let mut folding = Folding::new(source, partition_count, ask, (began.record, folded))?;
    let (last, partition) = (source.last(), source.partition());
    let mut tell = |record| progress(Progress { partition, record, last });
    let walk = source.walk(began);
    let (walked, folded) = read_ahead(|ahead| Walked::to_the_end(walk, ahead), |events| folding.all(events, &mut tell))
        .map_err(ReplayError::Thread)?;
    let Walked { whole, records, torn } = match folded.map_err(source.failed())? {
        None => walked,
        // How far reading was ahead says nothing.
        Some(whole) => Walked { whole, records: whole.record.0.saturating_sub(began.record.0), torn: None },
    };
    folding.finish()?;
    let Folding { folded, findings, verifying, redeciding, reached, events, .. } = folding;
    Ok(PartitionReplayed {
        no: source.partition(),
        log_id: source.log_id(),
        began,
        reached,
        whole,
        records,
        events,
        torn,
        written_meanwhile: source.was_written_meanwhile(),
        folded,
        findings,
        verified: verifying.map(|verifying| verifying.verified()),
        redecided: redeciding.map(|redeciding| redeciding.redecided()),
    })
}

/// Applies an event, whatever stream it is of.
///
/// # Errors
/// In words, which invariant it breaks. The state stays usable: a broken item is marked as such.
pub(crate) fn fold_one(folded: &mut Folded, placed: &Placed) -> Result<(), String> {
    let _mark = Mark::set();
    // What a broken event leaves half done is never looked at again: its stream is passed over from there on.
    let applied = catch_unwind(AssertUnwindSafe(|| folded.apply(placed.item, &placed.event)));
    applied.map_err(|panic| words(panic.as_ref()))?;
    if let (StreamEvent::Partition(_), Some(why)) = (&placed.event, &folded.stopped) {
        return Err(why.clone());
    }
    match folded.items.get(&placed.item) {
        Some(FoldedItem::Broken { why, .. }) => Err(why.clone()),
        Some(FoldedItem::Whole(_)) | None => Ok(()),
    }
}

/// How far a log was read.
struct Walked {
    whole: ChainPoint,
    records: u64,
    torn: Option<Torn>,
}

impl Walked {
    /// Hands over all events of a walk, as long as they are wanted.
    fn to_the_end(mut walk: Walk<'_>, ahead: &mut Ahead<Result<Placed, WalkError>>) -> Self {
        while ahead.is_wanted()
            && let Some(placed) = walk.next()
        {
            ahead.put(placed);
        }
        Self { whole: walk.whole(), records: walk.records_read(), torn: walk.torn().cloned() }
    }
}

struct Folding<'a> {
    ask: &'a Ask,
    scope: Scope<'a>,
    folded: Folded,
    findings: Findings,
    verifying: Option<Verifying>,
    redeciding: Option<Redeciding>,
    /// The last event taken, for findings that show only at the end.
    last: Option<Placed>,
    reached: Option<(RecordNo, EventNo)>,
    events: u64,
    /// The partition's own stream broke an invariant: its events are passed over from there on.
    stream_broken: bool,
}

impl<'a> Folding<'a> {
    fn new(
        source: &Source,
        partition_count: u16,
        ask: &'a Ask,
        (began, folded): (RecordNo, Folded),
    ) -> Result<Self, ReplayError> {
        // Of a part of the events there is no state to compare a snapshot with.
        let snapshots = source.snapshots().filter(|_| ask.verify && ask.item.is_none());
        let verifying = ask.verify.then(|| Verifying::new(source, partition_count, began, snapshots)).transpose()?;
        let known = ask.item.as_ref().and_then(|sku| folded.partition.find(sku));
        Ok(Self {
            ask,
            scope: Scope::new(ask.item.as_ref(), ask.until, known),
            folded,
            findings: Findings::default(),
            verifying,
            redeciding: ask.redecide.then(Redeciding::default),
            last: None,
            reached: None,
            events: 0,
            stream_broken: false,
        })
    }

    /// Folds all events, up to where no more are asked for; then, the point up to which the log is right there.
    fn all(
        &mut self,
        events: &mut Pieces<Result<Placed, WalkError>>,
        tell: &mut dyn FnMut(RecordNo),
    ) -> Result<Option<ChainPoint>, WalkError> {
        let mut told = RecordNo(0);
        while let Some(placed) = events.next().transpose()? {
            if placed.record.0 >= told.0.saturating_add(PROGRESS_EVERY_RECORDS) {
                told = placed.record;
                tell(told);
            }
            let verdict = self.scope.judge(&placed);
            match verdict {
                // Events are handed out when their group is whole.
                Verdict::Over => return Ok(Some(placed.group)),
                Verdict::Outside => {}
                Verdict::Inside => self.take(&placed),
            }
            if placed.ends_group {
                self.end_group(&placed);
            }
            if verdict == Verdict::Inside {
                self.last = Some(placed);
            }
        }
        Ok(None)
    }

    fn take(&mut self, placed: &Placed) {
        self.events = self.events.saturating_add(1);
        self.reached = Some((placed.record, placed.number));
        if let Some(verifying) = &mut self.verifying {
            verifying.before(&self.folded, placed, &mut self.findings);
        }
        let is_over = match &placed.event {
            StreamEvent::Item(_) => matches!(self.folded.items.get(&placed.item), Some(FoldedItem::Broken { .. })),
            StreamEvent::Partition(_) => self.stream_broken,
        };
        if is_over {
            return;
        }
        if let Some(redeciding) = &mut self.redeciding {
            redeciding.before(&mut self.folded, placed, &mut self.findings);
        }
        if let Err(why) = fold_one(&mut self.folded, placed) {
            self.stream_broken |= matches!(placed.event, StreamEvent::Partition(_));
            let sku = self.folded.partition.items().find(|(_, no)| *no == placed.item).map(|(sku, _)| sku);
            self.findings.enter(placed.finding(Promise::Invariant, sku, why));
        } else if let Some(verifying) = &mut self.verifying {
            verifying.after(&mut self.folded, placed, &mut self.findings);
        }
    }

    fn end_group(&mut self, placed: &Placed) {
        let is_all = self.ask.until.is_none();
        if let Some(verifying) = self.verifying.as_mut().filter(|_| is_all) {
            verifying.end_group(&self.folded, placed, placed.group, &mut self.findings);
        }
    }

    /// Counts the partition and every item anew: sums that do not add up show only now.
    fn recount(&mut self, last: &Placed) {
        const WHEN: &str = "found when everything was counted anew at the end";
        if let Some(Err(broken)) = (!self.stream_broken).then(|| self.folded.partition.recount()) {
            let mut finding = last.finding(Promise::Invariant, None, format!("{broken} ({WHEN})"));
            let partition = &self.folded.partition;
            (finding.item, finding.sequence, finding.at) = (partition.stream(), partition.seq(), partition.now());
            self.findings.enter(finding);
        }
        for (no, folded) in &mut self.folded.items {
            let FoldedItem::Whole(item) = folded else { continue };
            if let Err(broken) = item.recount() {
                let words = format!("{broken} ({WHEN})");
                let mut finding = last.finding(Promise::Invariant, Some(item.sku()), words);
                (finding.item, finding.sequence, finding.at) = (*no, item.seq(), item.now());
                self.findings.enter(finding);
                *folded = FoldedItem::Broken { item: Some(item.clone()), why: broken.to_string() };
            }
        }
    }

    /// What shows only at the end: an item that is not there, sums that do not add up, decisions cut short.
    fn finish(&mut self) -> Result<(), ReplayError> {
        let sku = self.ask.item.as_ref();
        let missing = sku.filter(|_| self.scope.wanted().is_none_or(|no| !self.folded.items.contains_key(&no)));
        if let Some(sku) = missing {
            return Err(ReplayError::UnknownItem { sku: sku.clone() });
        }
        let Some(last) = self.last.take() else { return Ok(()) };
        self.recount(&last);
        if let Some(verifying) = self.verifying.as_mut().filter(|_| self.ask.until.is_none()) {
            verifying.finish(&self.folded, &last, &mut self.findings);
        }
        if let Some(redeciding) = self.redeciding.as_mut().filter(|_| self.ask.until.is_none()) {
            redeciding.finish(&last, &mut self.findings);
        }
        Ok(())
    }
}
