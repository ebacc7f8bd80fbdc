//! Two logs compared: the first event at which they part, and what their states differ in.
//!
//! Both are read side by side, once, and folded; memory holds the two states and no events.

use crate::error::ReplayError;
use crate::fields;
use crate::fold::{Progress, fold_one};
use crate::source::{Logs, Source};
use crate::state::{StateHash, StateHasher};
use crate::walk::{Placed, Walk};
use domain::ids::{ItemNo, Ordinal, PartitionNo, Seq};
use domain::item::{Item, ItemParts, ReservationParts};
use domain::partition::BundleParts;
use domain::text::Sku;
use domain::time::Timestamp;
use engine::fold::{Folded, FoldedItem};
use eventlog::{ChainPoint, EventNo, LogId, RecordNo, StreamEvent};
use std::collections::BTreeSet;

/// Differences kept one by one.
const TOLD_MAX: usize = 200;

/// Two values, of the first log and of the second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair<T> {
    /// Of the first.
    pub a: T,
    /// Of the second.
    pub b: T,
}

/// What two logs differ in.
#[derive(Clone, Debug)]
pub struct Diff {
    /// Partition by partition.
    pub logs: Vec<LogDiff>,
    /// How many partitions each has.
    pub partitions: Pair<u16>,
    /// The hash of each one's state.
    pub hashes: Pair<Option<StateHash>>,
    /// What the states differ in; the first so many.
    pub differences: Vec<Difference>,
    /// How many differences there are.
    pub count: u64,
}

/// Two logs of the same partition.
#[derive(Clone, Debug)]
pub struct LogDiff {
    /// Which.
    pub partition: PartitionNo,
    /// What each is.
    pub sides: Pair<Side>,
    /// Where they part, if they do.
    pub parting: Option<Parting>,
}

/// One of two logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// Which log.
    pub log_id: LogId,
    /// What it is up to.
    pub whole: ChainPoint,
    /// Whether somebody wrote to it while it was copied.
    pub written_meanwhile: bool,
}

/// The first event that is not the same. Where there is none on one side, that log ends there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parting {
    /// Its place among all events of the partition.
    pub number: EventNo,
    /// What each log holds there.
    pub events: Pair<Option<EventAt>>,
}

/// An event, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventAt {
    /// The record it stands in.
    pub record: RecordNo,
    /// Whose stream.
    pub item: ItemNo,
    /// Its place there.
    pub sequence: Seq,
    /// When.
    pub at: Timestamp,
    /// What kind.
    pub name: &'static str,
}

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// In which item; none where it is about the partition.
    pub sku: Option<Sku>,
    /// What.
    pub what: String,
    /// How it is in each.
    pub values: Pair<String>,
}

impl Diff {
    /// Whether both hold the same events and the same state. Where records begin and end may differ.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.count == 0 && self.partitions.a == self.partitions.b && self.logs.iter().all(|log| log.parting.is_none())
    }

    fn note(&mut self, sku: Option<&Sku>, what: impl Into<String>, a: impl Into<String>, b: impl Into<String>) {
        self.count = self.count.saturating_add(1);
        if self.differences.len() < TOLD_MAX {
            let values = Pair { a: a.into(), b: b.into() };
            self.differences.push(Difference { sku: sku.cloned(), what: what.into(), values });
        }
    }

    fn compare<T: PartialEq + ToString>(&mut self, sku: &Sku, what: &str, a: &T, b: &T) {
        if a != b {
            self.note(Some(sku), what, a.to_string(), b.to_string());
        }
    }
}

/// Compares the logs of two directories, partition by partition.
///
/// # Errors
/// [`ReplayError`] where one of them is damaged or cannot be read.
pub fn diff(a: &Logs, b: &Logs, progress: &mut dyn FnMut(Progress)) -> Result<Diff, ReplayError> {
    let partitions = Pair { a: a.partition_count, b: b.partition_count };
    let hashes = Pair { a: None, b: None };
    let mut diff = Diff { logs: Vec::new(), partitions, hashes, differences: Vec::new(), count: 0 };
    let (mut hasher_a, mut hasher_b) = (StateHasher::default(), StateHasher::default());
    for (a, b) in a.sources.iter().zip(&b.sources) {
        let (log, folded_a, folded_b) = side_by_side(a, b, progress)?;
        diff.logs.push(log);
        hasher_a.add(&folded_a);
        hasher_b.add(&folded_b);
        compare_states(&mut diff, &folded_a, &folded_b);
    }
    diff.hashes = Pair { a: hasher_a.finish(), b: hasher_b.finish() };
    Ok(diff)
}

/// One of two walks, and the state it folds.
struct Folding<'s> {
    source: &'s Source,
    walk: Walk<'s>,
    folded: Folded,
}

impl<'s> Folding<'s> {
    fn new(source: &'s Source) -> Result<Self, ReplayError> {
        let (point, folded) = source.begin()?;
        Ok(Self { source, walk: source.walk(point), folded })
    }

    fn next(&mut self) -> Result<Option<Placed>, ReplayError> {
        let placed = self.walk.next().transpose().map_err(self.source.failed())?;
        if let Some(placed) = &placed {
            // A broken invariant is no difference by itself; the item shows as broken where it is in one only.
            let _broken = fold_one(&mut self.folded, placed);
        }
        Ok(placed)
    }

    fn side(&self) -> Side {
        let (log_id, written_meanwhile) = (self.source.log_id(), self.source.was_written_meanwhile());
        Side { log_id, whole: self.walk.whole(), written_meanwhile }
    }
}

fn side_by_side(
    a: &Source,
    b: &Source,
    progress: &mut dyn FnMut(Progress),
) -> Result<(LogDiff, Folded, Folded), ReplayError> {
    let (partition, last) = (a.partition(), a.last().max(b.last()));
    let (mut a, mut b) = (Folding::new(a)?, Folding::new(b)?);
    let mut parting = None;
    loop {
        let (found_a, found_b) = (a.next()?, b.next()?);
        let Some(number) = found_a.as_ref().or(found_b.as_ref()).map(|placed| placed.number) else { break };
        let same = found_a.as_ref().map(|placed| &placed.bytes) == found_b.as_ref().map(|placed| &placed.bytes);
        if !same && parting.is_none() {
            let events = Pair { a: found_a.as_ref().map(EventAt::of), b: found_b.as_ref().map(EventAt::of) };
            parting = Some(Parting { number, events });
        }
        if let Some(placed) = found_a.or(found_b).filter(|placed| placed.ends_group) {
            progress(Progress { partition, record: placed.record, last });
        }
    }
    let sides = Pair { a: a.side(), b: b.side() };
    Ok((LogDiff { partition, sides, parting }, a.folded, b.folded))
}

impl EventAt {
    fn of(placed: &Placed) -> Self {
        let name = match &placed.event {
            StreamEvent::Item(recorded) => fields::name(&recorded.event),
            StreamEvent::Partition(recorded) => fields::partition_name(&recorded.event),
        };
        let (record, item, sequence, at) = (placed.record, placed.item, placed.sequence(), placed.at());
        Self { record, item, sequence, at, name }
    }
}

fn compare_states(diff: &mut Diff, a: &Folded, b: &Folded) {
    compare_partitions(diff, a, b);
    let skus: BTreeSet<&Sku> = a.partition.items().chain(b.partition.items()).map(|(sku, _)| sku).collect();
    for sku in skus {
        let find = |folded: &'_ Folded| folded.partition.find(sku);
        let of = |folded| find(folded).is_some();
        if of(a) != of(b) {
            let told = |there| if there { "is there" } else { "is not there" };
            diff.note(Some(sku), "the item", told(of(a)), told(of(b)));
            continue;
        }
        let found = find(a).and_then(|no| a.items.get(&no)).zip(find(b).and_then(|no| b.items.get(&no)));
        if let Some((a, b)) = found {
            compare_items(diff, sku, a, b);
        }
    }
}

/// What the partitions know besides their items: bundles, their money, reports of orders never issued.
fn compare_partitions(diff: &mut Diff, a: &Folded, b: &Folded) {
    let (parts_a, parts_b) = (a.partition.to_parts(), b.partition.to_parts());
    let bundles = parts_a.bundles.len().max(parts_b.bundles.len());
    for at in 0..bundles {
        let (found_a, found_b) = (parts_a.bundles.get(at), parts_b.bundles.get(at));
        if found_a != found_b {
            let told = |found: Option<&BundleParts>| {
                found.map_or("none".to_owned(), |found| format!("{:?}, {}", found.state, found.held.customer))
            };
            let id = found_a.or(found_b).map(|found| found.held.id.to_string()).unwrap_or_default();
            diff.note(None, format!("bundle {id}"), told(found_a), told(found_b));
        }
    }
    if parts_a.books != parts_b.books {
        let told = |folded: &Folded| format!("{:?}", folded.partition.money().collect::<Vec<_>>());
        diff.note(None, "money of bundles", told(a), told(b));
    }
    if parts_a.endpoints != parts_b.endpoints {
        let told = |folded: &Folded| format!("{} of them", folded.partition.endpoints().iter().count());
        diff.note(None, "endpoints", told(a), told(b));
    }
    if parts_a.unmatched != parts_b.unmatched {
        let told = |count: usize| count.to_string();
        diff.note(None, "unmatched payments", told(parts_a.unmatched.len()), told(parts_b.unmatched.len()));
    }
}

fn compare_items(diff: &mut Diff, sku: &Sku, a: &FoldedItem, b: &FoldedItem) {
    match (a, b) {
        (FoldedItem::Whole(a), FoldedItem::Whole(b)) => compare_whole(diff, sku, a, b),
        (FoldedItem::Broken { why: a, .. }, FoldedItem::Broken { why: b, .. }) => diff.compare(sku, "broken", a, b),
        (FoldedItem::Broken { why, .. }, FoldedItem::Whole(_)) => diff.note(Some(sku), "broken", why, "whole"),
        (FoldedItem::Whole(_), FoldedItem::Broken { why, .. }) => diff.note(Some(sku), "broken", "whole", why),
    }
}

fn compare_whole(diff: &mut Diff, sku: &Sku, a: &Item, b: &Item) {
    let (parts_a, parts_b) = (a.to_parts(), b.to_parts());
    if parts_a == parts_b {
        return;
    }
    let before = diff.count;
    diff.compare(sku, "sequence", &a.seq(), &b.seq());
    diff.compare(sku, "phase", &a.phase(), &b.phase());
    diff.compare(sku, "total", &a.stock().total(), &b.stock().total());
    diff.compare(sku, "available", &a.stock().available(), &b.stock().available());
    diff.compare(sku, "held", &a.stock().held(), &b.stock().held());
    diff.compare(sku, "sold", &a.stock().sold(), &b.stock().sold());
    diff.compare(sku, "waiting", &a.waiting_count(), &b.waiting_count());
    diff.compare(sku, "reservations", &a.reservation_count(), &b.reservation_count());
    compare_reservations(diff, sku, a, &parts_a, &parts_b);
    let debug = |parts: &ItemParts| (format!("{:?}", parts.head.settings), format!("{:?}", parts.books));
    let ((settings_a, books_a), (settings_b, books_b)) = (debug(&parts_a), debug(&parts_b));
    if settings_a != settings_b {
        diff.note(Some(sku), "settings", settings_a, settings_b);
    }
    if books_a != books_b {
        let told = |item: &Item| format!("{:?}", item.money().collect::<Vec<_>>());
        diff.note(Some(sku), "money", told(a), told(b));
    }
    if diff.count == before {
        diff.note(Some(sku), "remembered keys, times or counts", "as its events say", "as its events say");
    }
}

fn compare_reservations(diff: &mut Diff, sku: &Sku, item: &Item, a: &ItemParts, b: &ItemParts) {
    let count = a.reservations.len().max(b.reservations.len());
    for ordinal in (0u32..).take(count) {
        let at = ordinal as usize;
        let (found_a, found_b) = (a.reservations.get(at), b.reservations.get(at));
        let whose = |parts: &ItemParts, found: &ReservationParts| {
            let customer = parts.customers.get(found.customer as usize).map(|customer| customer.id.to_string());
            format!("{:?}, {} of {}", found.state, found.quantity.get(), customer.unwrap_or_default())
        };
        let told_a = found_a.map_or("none".to_owned(), |found| whose(a, found));
        let told_b = found_b.map_or("none".to_owned(), |found| whose(b, found));
        if told_a != told_b {
            diff.note(Some(sku), format!("reservation {}", item.id_of(Ordinal(ordinal))), told_a, told_b);
        }
    }
}
