//! The table of what is to be done: what was derived from the log up to a record, and is not done yet. Pure but for
//! its bytes.

use super::work::Work;
use domain::time::{DurationMs, Timestamp};
use eventlog::RecordNo;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Work that may be open at once. At a few hundred bytes each the file stays small enough to be replaced whole every
/// second; beyond it the follower looks at nothing more until some is done, and only what one event leads to may go over
/// it. Little in tests, so that there is no room there.
pub(crate) const OPEN_WORK_MAX: usize = if cfg!(test) { 4 } else { 10_000 };

/// The first pause after a failed attempt.
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest pause: a provider that is back is used again within this.
const RETRY_LONGEST: Duration = Duration::from_secs(60);

/// Pauses before the second attempt to tell an endpoint, the third, and so on, in seconds: the table that Standard
/// Webhooks recommends. When it is used up, a day has passed and the endpoint is given up on for this message.
const TELLING_PAUSES_S: [u64; 9] =
    [5, 5 * 60, 30 * 60, 2 * 3_600, 5 * 3_600, 10 * 3_600, 14 * 3_600, 20 * 3_600, 24 * 3_600];

/// The version of the file's shape.
const VERSION: u32 = 1;

/// Something to be done, and how often that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) work: Arc<Work>,
    /// Attempts that failed.
    pub(crate) attempts: u32,
    /// Whether an attempt was started since this table was loaded: it may have asked how things are already. Not saved,
    /// as nothing is under way after a restart.
    pub(crate) has_begun: bool,
    /// The earliest next attempt, where that may be hours away.
    pub(crate) not_before: Timestamp,
}

/// Work as it is saved. Attempts are, so that a message that is tried over a day is not tried for ever.
#[derive(Serialize, Deserialize)]
struct StoredOpen<'a> {
    #[serde(flatten)]
    work: Cow<'a, Work>,
    #[serde(default, skip_serializing_if = "is_zero")]
    attempts: u32,
    #[serde(default, skip_serializing_if = "is_none_yet")]
    not_before_ms: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
const fn is_zero(attempts: &u32) -> bool {
    *attempts == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
const fn is_none_yet(not_before_ms: &u64) -> bool {
    *not_before_ms == 0
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
struct Stored<'a> {
    version: u32,
    record: u64,
    open: Vec<StoredOpen<'a>>,
}

/// What of a table is to be saved. Taking it is cheap, as the follower does; its bytes are made where they are written.
#[derive(Debug)]
pub(crate) struct Unsaved {
    position: RecordNo,
    open: Vec<Open>,
}

impl Unsaved {
    /// The bytes that [`Table::load`] reads.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let stored = |open| {
            let Open { work, attempts, not_before, .. }: &Open = open;
            // Other work is tried every minute at the longest: how often it was does not matter after a restart.
            let kept = if work.is_message() { *attempts } else { 0 };
            StoredOpen { work: Cow::Borrowed(&**work), attempts: kept, not_before_ms: not_before.as_millis() }
        };
        let open = self.open.iter().map(stored).collect();
        serde_json::to_vec(&Stored { version: VERSION, record: self.position.0, open })
            .map_err(|error| error.to_string())
    }
}

impl Table {
    /// The table that was saved as these bytes; without any, nothing of the log was looked at yet.
    pub(crate) fn load(bytes: Option<&[u8]>) -> Result<Self, String> {
        let Some(bytes) = bytes else { return Ok(Self::default()) };
        let stored: Stored<'_> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if stored.version != VERSION {
            return Err(format!("version {} is not known to this program", stored.version));
        }
        let mut table = Self { position: RecordNo(stored.record), ..Self::default() };
        for stored in stored.open {
            let not_before = Timestamp::from_millis(stored.not_before_ms);
            table.insert(Open {
                work: Arc::new(stored.work.into_owned()),
                attempts: stored.attempts,
                has_begun: false,
                not_before,
            });
        }
        table.changed = false;
        Ok(table)
    }

    /// What is to be saved, if it has changed since that was asked for last.
    pub(crate) fn take_changed(&mut self) -> Option<Unsaved> {
        let changed = std::mem::take(&mut self.changed);
        changed.then(|| Unsaved { position: self.position, open: self.open.values().cloned().collect() })
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

    /// Adds work. The same that is open already is not added again, if nobody has set to it yet: it will find what this
    /// is about. Once begun, it may have asked before this became due, and when it is done it takes nothing but itself
    /// off the table; so this gets an entry of its own.
    pub(crate) fn add(&mut self, work: Work) -> Option<u64> {
        let waits = |open: &Open| *open.work == work && open.attempts == 0 && !open.has_begun;
        if self.open.values().rev().take(64).any(waits) {
            return None;
        }
        Some(self.insert(Open {
            work: Arc::new(work),
            attempts: 0,
            has_begun: false,
            not_before: Timestamp::from_millis(0),
        }))
    }

    /// An attempt starts. What is to be done; `None`: it is not open any more.
    pub(crate) fn begin(&mut self, no: u64) -> Option<Arc<Work>> {
        let open = self.open.get_mut(&no)?;
        open.has_begun = true;
        Some(Arc::clone(&open.work))
    }

    fn insert(&mut self, open: Open) -> u64 {
        let no = self.next;
        self.next = self.next.saturating_add(1);
        self.open.insert(no, open);
        self.changed = true;
        no
    }

    pub(crate) fn get(&self, no: u64) -> Option<&Open> {
        self.open.get(&no)
    }

    /// All that is open.
    pub(crate) fn open(&self) -> impl Iterator<Item = (u64, &Open)> {
        self.open.iter().map(|(no, open)| (*no, open))
    }

    /// Takes messages to all other endpoints off the table.
    pub(crate) fn forget_messages_but_to(&mut self, told: &BTreeSet<u32>) {
        let before = self.open.len();
        self.open.retain(|_, open| open.work.endpoint().is_none_or(|endpoint| told.contains(&endpoint)));
        self.changed |= self.open.len() < before;
    }

    /// The endpoint with the most messages of those that take nothing, where the table is full and messages to them are
    /// half of it.
    pub(crate) fn takes_up_all_room(&self, take_nothing: &BTreeSet<u32>) -> Option<u32> {
        if self.has_room() {
            return None;
        }
        let mut messages = BTreeMap::<u32, usize>::new();
        let to_them = self.open.values().filter_map(|open| open.work.endpoint());
        to_them.filter(|no| take_nothing.contains(no)).for_each(|no| *messages.entry(no).or_default() += 1);
        let is_much = messages.values().sum::<usize>() >= OPEN_WORK_MAX / 2;
        messages.into_iter().max_by_key(|(_, count)| *count).filter(|_| is_much).map(|(endpoint, _)| endpoint)
    }

    #[cfg(test)]
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.open.keys().copied()
    }

    pub(crate) fn done(&mut self, no: u64) {
        self.changed |= self.open.remove(&no).is_some();
    }

    /// Notes a failed attempt at `now`, and says how long to wait before the next; `None`: there is none, and the work
    /// is given up.
    pub(crate) fn failed(&mut self, no: u64, now: Timestamp) -> Option<Duration> {
        let open = self.open.get_mut(&no)?;
        open.attempts = open.attempts.saturating_add(1);
        if !open.work.is_message() {
            return Some(pause_after(open.attempts, no));
        }
        let pause = telling_pause(open.attempts, no)?;
        let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        open.not_before = now.plus(DurationMs::from_millis(millis));
        self.changed = true;
        Some(pause)
    }
}

/// The pause after this many attempts to tell an endpoint, up to a fifth longer so that not all come at once.
fn telling_pause(attempts: u32, no: u64) -> Option<Duration> {
    let at = usize::try_from(attempts).ok()?.checked_sub(1)?;
    let pause = Duration::from_secs(*TELLING_PAUSES_S.get(at)?);
    Some(pause + pause.mul_f64(spread(no) / 5.0))
}

/// A number from 0 up to 1 that differs from one piece of work to the next.
fn spread(no: u64) -> f64 {
    let bits = no.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
    bits as f64 / 1_024.0
}

/// Twice as long each time, up to a bound, and not for all at once: the number of the work spreads them.
fn pause_after(attempts: u32, no: u64) -> Duration {
    let doubled = RETRY_FIRST.saturating_mul(1 << attempts.saturating_sub(1).min(10)).min(RETRY_LONGEST);
    // Up to a quarter longer.
    doubled + doubled.mul_f64(spread(no) / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refund(reservation: u32) -> Work {
        Work::Refund { item: 1, reservation }
    }

    fn saved(table: &mut Table) -> Table {
        let bytes = table.take_changed().expect("it changed").to_bytes().expect("JSON");
        Table::load(Some(&bytes)).expect("it is read")
    }

    #[test]
    fn a_table_comes_back_as_it_was_saved_without_what_was_done() {
        let mut table = Table::load(None).expect("an empty one");
        table.reached(RecordNo(7));
        let first = table.add(refund(1)).expect("new");
        let second = table.add(refund(2)).expect("new");
        table.done(first);
        let unsaved = table.take_changed().expect("it changed");
        assert!(table.take_changed().is_none(), "and not since");
        table.done(second);
        let again = Table::load(Some(&unsaved.to_bytes().expect("JSON"))).expect("it is read");
        assert_eq!((again.position(), again.len()), (RecordNo(7), 1));
        assert_eq!(
            again.numbers().filter_map(|no| again.get(no)).map(|open| &*open.work).collect::<Vec<_>>(),
            [&refund(2)]
        );
    }

    #[test]
    fn what_is_open_already_is_not_added_again_until_an_attempt_at_it_has_begun() {
        let mut table = Table::default();
        let first = table.add(refund(1)).expect("new");
        assert_eq!(table.add(refund(1)), None);
        assert_eq!(table.begin(first).as_deref(), Some(&refund(1)));
        let second = table.add(refund(1)).expect("what has begun may have seen an older state");
        assert_eq!(table.add(refund(1)), None, "the second one will see everything");
        table.done(first);
        assert_eq!(table.numbers().collect::<Vec<_>>(), [second], "what ends takes nothing but itself off the table");
        table.begin(second);
        table.failed(second, Timestamp::from_millis(0));
        assert!(table.add(refund(1)).is_some(), "what waits for its next attempt may wait for long");
        assert_eq!(table.begin(first), None);
    }

    #[test]
    fn after_a_restart_nothing_has_begun_and_both_are_still_there() {
        let mut table = Table::default();
        let first = table.add(refund(1)).expect("new");
        table.begin(first);
        table.add(refund(1)).expect("new");
        let mut again = saved(&mut table);
        assert_eq!(again.len(), 2);
        assert_eq!(again.add(refund(1)), None, "they will see everything");
    }

    #[test]
    fn pauses_grow_to_a_bound_and_differ() {
        let pauses: Vec<u64> = (1..12).map(|attempts| pause_after(attempts, 3).as_secs()).collect();
        assert!(pauses.is_sorted() && pauses.last().is_some_and(|last| (60..=75).contains(last)), "{pauses:?}");
        assert_ne!(pause_after(5, 1), pause_after(5, 2));
    }

    #[test]
    fn a_message_is_tried_for_two_days_at_the_most_and_a_restart_does_not_forget_how_often() {
        let mut table = Table::default();
        let work = Work::Notify { endpoint: 1, id: "evt_1".to_owned(), body: "{}".to_owned() };
        let mut no = table.add(work).expect("new");
        let (mut now, mut pauses) = (Timestamp::from_millis(0), Vec::new());
        while let Some(pause) = table.failed(no, now) {
            pauses.push(pause.as_secs());
            now = table.get(no).expect("open").not_before;
            table = saved(&mut table);
            no = table.numbers().next().expect("open");
        }
        assert_eq!(pauses.len(), TELLING_PAUSES_S.len());
        assert!(pauses.iter().zip(TELLING_PAUSES_S).all(|(pause, least)| (least..=least * 6 / 5).contains(pause)));
    }

    #[test]
    fn a_full_table_says_whose_messages_take_up_the_room_and_what_nobody_is_to_be_told_leaves_it() {
        let mut table = Table::default();
        let message = |table: &mut Table, endpoint: u32, id: u32| {
            let work = Work::Notify { endpoint, id: format!("evt_{id}"), body: "{}".to_owned() };
            table.add(work).expect("new");
        };
        for id in 0..3 {
            message(&mut table, 1 + u32::from(id == 0), id);
        }
        let both = BTreeSet::from([1, 2]);
        assert_eq!(table.takes_up_all_room(&both), None, "there is room");
        table.add(refund(1)).expect("new");
        let endpoints = [(BTreeSet::from([1]), Some(1)), (BTreeSet::from([2]), None), (both, Some(1))];
        for (take_nothing, named) in endpoints {
            assert_eq!(table.takes_up_all_room(&take_nothing), named, "{take_nothing:?}");
        }
        table.forget_messages_but_to(&BTreeSet::from([2]));
        assert_eq!((table.len(), table.takes_up_all_room(&BTreeSet::from([1, 2]))), (2, None));
        assert_eq!(saved(&mut table).len(), 2);
    }

    #[test]
    fn bytes_that_are_no_table_are_refused_in_words() {
        assert!(Table::load(Some(b"{")).is_err());
        assert!(Table::load(Some(br#"{"version":9,"record":1,"open":[]}"#)).expect_err("unknown").contains('9'));
    }
}
