//! The table of what is to be done: what was derived from the log up to a record, and is not done yet. Pure but for
//! its bytes.

use super::work::Work;
use eventlog::RecordNo;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Work that may be open at once. At a few hundred bytes each the file stays small enough to be replaced whole every
/// second; beyond it the follower stops reading the log until some is done.
pub(crate) const OPEN_WORK_MAX: usize = 10_000;

/// The first pause after a failed attempt.
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest pause: a provider that is back is used again within this.
const RETRY_LONGEST: Duration = Duration::from_secs(60);

/// The version of the file's shape.
const VERSION: u32 = 1;

/// Something to be done, and how often that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) work: Work,
    pub(crate) attempts: u32,
}

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Table {
    position: RecordNo,
    open: BTreeMap<u64, Open>,
    next: u64,
    changed: bool,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    record: u64,
    open: Vec<Work>,
}

impl Table {
    /// The table that was saved as these bytes; without any, nothing of the log was looked at yet.
    pub(crate) fn load(bytes: Option<&[u8]>) -> Result<Self, String> {
        let Some(bytes) = bytes else { return Ok(Self::default()) };
        let stored: Stored = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if stored.version != VERSION {
            return Err(format!("version {} is not known to this program", stored.version));
        }
        let mut table = Self { position: RecordNo(stored.record), ..Self::default() };
        for work in stored.open {
            table.add(work);
        }
        table.changed = false;
        Ok(table)
    }

    /// Its bytes, if it has changed since they were asked for last.
    pub(crate) fn to_save(&mut self) -> Option<Vec<u8>> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let open = self.open.values().map(|open| open.work.clone()).collect();
        // Numbers and short texts: this always is JSON.
        serde_json::to_vec(&Stored { version: VERSION, record: self.position.0, open }).ok()
    }

    /// Up to which record events were looked at.
    pub(crate) const fn position(&self) -> RecordNo {
        self.position
    }

    /// Everything up to `record` was looked at.
    pub(crate) fn reached(&mut self, record: RecordNo) {
        if record > self.position {
            self.position = record;
            self.changed = true;
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.open.len() < OPEN_WORK_MAX
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// Adds work; the same that is open already is not added again.
    pub(crate) fn add(&mut self, work: Work) -> Option<u64> {
        if self.open.values().rev().take(64).any(|open| open.work == work && open.attempts == 0) {
            return None;
        }
        let no = self.next;
        self.next = self.next.saturating_add(1);
        self.open.insert(no, Open { work, attempts: 0 });
        self.changed = true;
        Some(no)
    }

    pub(crate) fn get(&self, no: u64) -> Option<&Open> {
        self.open.get(&no)
    }

    pub(crate) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.open.keys().copied()
    }

    pub(crate) fn done(&mut self, no: u64) {
        self.changed |= self.open.remove(&no).is_some();
    }

    /// Notes a failed attempt, and says how long to wait before the next.
    pub(crate) fn failed(&mut self, no: u64) -> Duration {
        let attempts = self.open.get_mut(&no).map_or(1, |open| {
            open.attempts = open.attempts.saturating_add(1);
            open.attempts
        });
        pause_after(attempts, no)
    }
}

/// Twice as long each time, up to a bound, and not for all at once: the number of the work spreads them.
fn pause_after(attempts: u32, no: u64) -> Duration {
    let doubled = RETRY_FIRST.saturating_mul(1 << attempts.saturating_sub(1).min(10)).min(RETRY_LONGEST);
    let spread = no.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
    // Up to a quarter longer: the spread is below 1,024.
    doubled + doubled.mul_f64(spread as f64 / 4_096.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refund(reservation: u32) -> Work {
        Work::Refund { item: 1, reservation }
    }

    #[test]
    fn a_table_comes_back_as_it_was_saved_without_what_was_done() {
        let mut table = Table::load(None).expect("an empty one");
        table.reached(RecordNo(7));
        let first = table.add(refund(1)).expect("new");
        table.add(refund(2)).expect("new");
        table.done(first);
        let bytes = table.to_save().expect("it changed");
        assert_eq!(table.to_save(), None, "and not since");
        let again = Table::load(Some(&bytes)).expect("it is read");
        assert_eq!((again.position(), again.len()), (RecordNo(7), 1));
        assert_eq!(
            again.numbers().filter_map(|no| again.get(no)).map(|open| &open.work).collect::<Vec<_>>(),
            [&refund(2)]
        );
    }

    #[test]
    fn what_is_open_already_is_not_added_again_unless_it_was_tried() {
        let mut table = Table::default();
        let no = table.add(refund(1)).expect("new");
        assert_eq!(table.add(refund(1)), None);
        table.failed(no);
        assert!(table.add(refund(1)).is_some(), "what was tried may have seen an older state");
    }

    #[test]
    fn pauses_grow_to_a_bound_and_differ() {
        let pauses: Vec<u64> = (1..12).map(|attempts| pause_after(attempts, 3).as_secs()).collect();
        assert!(pauses.is_sorted() && pauses.last().is_some_and(|last| (60..=75).contains(last)), "{pauses:?}");
        assert_ne!(pause_after(5, 1), pause_after(5, 2));
    }

    #[test]
    fn bytes_that_are_no_table_are_refused_in_words() {
        assert!(Table::load(Some(b"{")).is_err());
        assert!(Table::load(Some(br#"{"version":9,"record":1,"open":[]}"#)).expect_err("unknown").contains('9'));
    }
}
