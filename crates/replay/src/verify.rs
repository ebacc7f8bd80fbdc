//! The checks of `--verify`, beside those that every replay makes: items counted anew on the way, events as this
//! program would write them, items registered where they belong, snapshots equal to the fold.
//!
//! That records are whole and chained is checked by the walk; the cheap invariants by `apply`, after every event.

use crate::error::ReplayError;
use crate::finding::{Findings, Promise};
use crate::fold::Verified;
use crate::redecide::encode;
use crate::source::Source;
use crate::walk::Placed;
use domain::event::Event;
use domain::ids::ItemNo;
use domain::partition::partition_of;
use engine::fold::{Folded, FoldedItem};
use engine::snapshots::sections;
use eventlog::{ChainPoint, RawEvent, RecordNo, Section as _, Snapshot, SnapshotStore, StreamEvent};
use std::collections::{BTreeMap, HashMap};

/// An item is counted anew once so many events as it has reservations have come since the last time, so that a
/// million events cost a few million steps and not a million times a million. Small ones are after every event.
const RECOUNT_AFTER_EVENTS_MIN: u64 = 1;

/// The checks under way.
#[derive(Debug)]
pub(crate) struct Verifying {
    partition_count: u16,
    since_recount: HashMap<ItemNo, u64>,
    snapshots: BTreeMap<RecordNo, Snapshot>,
    verified: Verified,
}

impl Verifying {
    pub(crate) fn new(
        source: &Source,
        partition_count: u16,
        began: RecordNo,
        store: Option<&SnapshotStore>,
    ) -> Result<Self, ReplayError> {
        let (mut snapshots, mut verified) = (BTreeMap::new(), Verified::default());
        if let Some(store) = store {
            let listed = store.list();
            let listed = listed.map_err(|error| ReplayError::Log { partition: source.partition(), error })?;
            // What replay begins from cannot be compared with what was replayed.
            for (record, path) in listed.into_iter().filter(|(record, _)| *record > began) {
                match store.open(&path) {
                    Ok(snapshot) => drop(snapshots.insert(record, snapshot)),
                    // Not damage of the log: recovery passes over it and folds from an older one.
                    Err(_) => verified.snapshots_unreadable = verified.snapshots_unreadable.saturating_add(1),
                }
            }
        }
        Ok(Self { partition_count, since_recount: HashMap::new(), snapshots, verified })
    }

    pub(crate) const fn verified(&self) -> Verified {
        self.verified
    }

    /// What can be told of an event before it is applied.
    pub(crate) fn before(&mut self, folded: &Folded, placed: &Placed, findings: &mut Findings) {
        self.verified.events = self.verified.events.saturating_add(1);
        self.encoding(placed, findings);
        if let StreamEvent::Item(recorded) = &placed.event
            && let Event::ItemCreated { spec, .. } = &recorded.event
        {
            let belongs = partition_of(&spec.sku, self.partition_count);
            let problem = if folded.partition.find(&spec.sku) != Some(placed.item) {
                "the item is not registered in its partition's stream under this number"
            } else if belongs != placed.partition {
                "the item belongs to another partition by its name"
            } else {
                return;
            };
            findings.enter(placed.finding(Promise::Registration, Some(&spec.sku), problem));
        }
    }

    /// Shapes that were replaced since are read, not written; only what has a current one can be compared.
    fn encoding(&mut self, placed: &Placed, findings: &mut Findings) {
        let encoded = encode(placed.item, &placed.event);
        if version(&placed.bytes) != version(encoded.bytes()) {
            return;
        }
        self.verified.encodings = self.verified.encodings.saturating_add(1);
        if placed.bytes != encoded.bytes() {
            let words = "its bytes are not those that this program writes for it, though they mean the same";
            findings.enter(placed.finding(Promise::Encoding, None, words));
        }
    }

    /// Counts the item, or what the partition knows besides its items, anew when it is time to.
    pub(crate) fn after(&mut self, folded: &mut Folded, placed: &Placed, findings: &mut Findings) {
        let size = match folded.items.get(&placed.item) {
            Some(FoldedItem::Whole(item)) => item.reservation_count(),
            Some(FoldedItem::Broken { .. }) => return,
            None => folded.partition.bundle_count(),
        };
        let since = self.since_recount.entry(placed.item).or_default();
        *since = since.saturating_add(1);
        if *since < u64::from(size).max(RECOUNT_AFTER_EVENTS_MIN) {
            return;
        }
        *since = 0;
        self.verified.recounts = self.verified.recounts.saturating_add(1);
        let Some(FoldedItem::Whole(item)) = folded.items.get(&placed.item) else {
            if let Err(broken) = folded.partition.recount() {
                findings.enter(placed.finding(Promise::Invariant, None, broken.to_string()));
            }
            return;
        };
        if let Err(broken) = item.recount() {
            let (sku, why) = (item.sku().clone(), broken.to_string());
            findings.enter(placed.finding(Promise::Invariant, Some(&sku), why.clone()));
            let item = Some(item.clone());
            folded.items.insert(placed.item, FoldedItem::Broken { item, why });
        }
    }

    /// Compares the snapshot of this point, if there is one.
    pub(crate) fn end_group(&mut self, folded: &Folded, placed: &Placed, point: ChainPoint, findings: &mut Findings) {
        let Some(snapshot) = self.snapshots.remove(&point.record) else { return };
        self.verified.snapshots = self.verified.snapshots.saturating_add(1);
        let problem = if snapshot.point == point {
            compare(&snapshot, folded)
        } else {
            Some("it was folded from another log: its record's hash is not this one's".to_owned())
        };
        if let Some(problem) = problem {
            let words = format!("the snapshot of record {} is not what the log says: {problem}", point.record);
            findings.enter(placed.finding(Promise::Snapshot, None, words));
        }
    }

    /// Snapshots of records at which nothing ended, or that the log never had.
    pub(crate) fn finish(&mut self, folded: &Folded, last: &Placed, findings: &mut Findings) {
        self.verified.recounts = self.verified.recounts.saturating_add(folded.items.len() as u64).saturating_add(1);
        for record in std::mem::take(&mut self.snapshots).into_keys() {
            let words = format!("there is a snapshot of record {record}, at which no group of this log ends");
            findings.enter(last.finding(Promise::Snapshot, None, words));
        }
    }
}

fn version(bytes: &[u8]) -> Option<(u16, u8)> {
    RawEvent::parse(bytes).map(|raw| (raw.head.tag.0, raw.head.version.0))
}

/// What is different, if anything: which section first.
fn compare(snapshot: &Snapshot, folded: &Folded) -> Option<String> {
    let mut stored = match snapshot.sections() {
        Ok(stored) => stored,
        Err(error) => return Some(error.to_string()),
    };
    let mut names = std::iter::once("the partition itself".to_owned())
        .chain(folded.items.keys().map(|item| format!("item {item}")));
    for section in sections(folded) {
        let name = names.next().unwrap_or_default();
        match stored.next() {
            Some(Ok(stored)) if stored == section.bytes() => {}
            Some(Ok(_)) => return Some(format!("{name} differs")),
            Some(Err(error)) => return Some(error.to_string()),
            None => return Some(format!("{name} is missing")),
        }
    }
    stored.next().map(|_| "it holds more than the log says".to_owned())
}
