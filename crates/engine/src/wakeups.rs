//! When items that sleep are to be woken: one timer each in a wheel of the registry's, and a keeper that waits for the
//! first of them.

use domain::ids::ItemNo;
use domain::time::Timestamp;
use domain::wheel::{TimerId, TimerKey, TimerWheel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// How many expired wake-ups the wheel moves at once. Waking is cheap; the rest follows at once.
const WAKES_AT_ONCE: usize = 4_096;

/// The wake-ups of one partition's items.
pub(crate) struct Wakeups {
    armed: Mutex<Armed>,
    earlier: Notify,
}

struct Armed {
    wheel: TimerWheel,
    /// The instant that the keeper knows of; `None` while it waits for any.
    kept: Option<Timestamp>,
}

impl Wakeups {
    /// None yet.
    pub(crate) fn new(now: Timestamp) -> Self {
        let armed = Armed { wheel: TimerWheel::new(now), kept: None };
        Self { armed: Mutex::new(armed), earlier: Notify::new() }
    }

    /// A wheel is changed whole by each of its functions, so a poisoned lock holds a good one.
    fn armed(&self) -> MutexGuard<'_, Armed> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Arms an item's. The keeper hears of it only if it is earlier than what it waits for: where many items wake and
    /// rest, it would be woken for each.
    pub(crate) fn arm(&self, at: Timestamp, item: ItemNo) -> TimerId {
        let mut armed = self.armed();
        let id = armed.wheel.arm(at, TimerKey(item.counter()));
        if armed.kept.is_none_or(|kept| at < kept) {
            armed.kept = Some(at);
            self.earlier.notify_one();
        }
        id
    }

    /// Takes an item's back. It may have come due and its place been given to another since: only this item's own is
    /// cancelled.
    pub(crate) fn cancel(&self, timer: TimerId, item: ItemNo) {
        self.armed().wheel.cancel_of(timer, TimerKey(item.counter()));
    }

    /// The counters of all items whose time has come, and when to look again. For the keeper alone.
    pub(crate) fn take_due(&self, now: Timestamp) -> (Vec<u32>, Option<Timestamp>) {
        let mut armed = self.armed();
        armed.wheel.advance(now, WAKES_AT_ONCE);
        let mut due = Vec::new();
        while let Some(first) = armed.wheel.first_due() {
            armed.wheel.cancel(first.id);
            due.push(first.key.0);
        }
        armed.kept = if armed.wheel.needs_work() { Some(now) } else { armed.wheel.next_wake() };
        (due, armed.kept)
    }

    /// Ends when something was armed that is earlier than what [`Self::take_due`] said last, also if that was before
    /// this is waited for.
    pub(crate) fn earlier(&self) -> Notified<'_> {
        self.earlier.notified()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ids::PartitionNo;
    use std::task::{Context, Poll, Waker};

    fn is_told(wakeups: &Wakeups) -> bool {
        let earlier = std::pin::pin!(wakeups.earlier());
        earlier.poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    /// As the keeper takes them: again as long as there is more to do at once.
    fn all_due(wakeups: &Wakeups, now: Timestamp) -> (Vec<u32>, Option<Timestamp>) {
        let mut all = Vec::new();
        loop {
            let (due, next) = wakeups.take_due(now);
            all.extend(due);
            if next != Some(now) {
                return (all, next);
            }
        }
    }

    #[test]
    fn the_keeper_hears_of_an_item_that_wants_to_be_woken_before_all_it_knows_of_and_of_no_other() {
        let at = Timestamp::from_millis;
        let wakeups = Wakeups::new(at(0));
        let item = |counter| ItemNo::new(PartitionNo(0), counter).expect("a small number");
        assert!(!is_told(&wakeups));
        let steps = [(1, 500, true), (2, 900, false), (3, 500, false), (4, 40, true), (5, 41, false)];
        for (counter, millis, told) in steps {
            wakeups.arm(at(millis), item(counter));
            assert_eq!(is_told(&wakeups), told, "item {counter} at {millis}");
        }
        let (due, next) = all_due(&wakeups, at(600));
        assert_eq!(due, [4, 5, 1, 3]);
        assert!(next.is_some_and(|next| next > at(600) && next <= at(900)), "{next:?}");
        // What came due is forgotten: one before it that is armed only now is told of again.
        let early = wakeups.arm(at(601), item(6));
        assert!(is_told(&wakeups));
        wakeups.cancel(early, item(6));
        assert_eq!(all_due(&wakeups, at(1_000)), (vec![2], None));
    }
}
