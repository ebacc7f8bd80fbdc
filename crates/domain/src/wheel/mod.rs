//! A hierarchical timer wheel: what is due next, in the order of (due, key), at a millisecond's resolution.
//!
//! Arming, cancelling and moving on are O(1); nothing is allocated per timer, and an empty wheel is small. Moving on
//! ([`TimerWheel::advance`]) is physical work only. It has a budget, so that a million timers in one slot never stop
//! the caller, and it never changes which timers are armed: the caller cancels those it has dealt with.
//!
//! Order costs nothing in the usual case. A ring of level 0 is one millisecond; rings are filled from the back and
//! keep their order when they cascade, so timers armed in key order stay in it. A timer that would break a ring's
//! order, or is armed when its instant is past already, becomes a *stray* in a sorted set, at O(log strays) to arm
//! and cancel. So rings of level 0 are always sorted, and there is no pause for sorting.
//!
//! What the wheel does not know: clocks, and what its keys mean.

mod levels;
mod slab;
#[cfg(test)]
mod tests;

use crate::time::Timestamp;
use core::num::NonZeroU32;
use levels::{Levels, spot_of};
use slab::{Place, Slab, Spot};
use std::collections::BTreeSet;

/// What a timer is about, and its rank among those due in the same millisecond. The caller gives no two timers of
/// one instant the same key, or does not mind in which order these come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerKey(pub u32);

/// Names an armed timer, to cancel it. Once cancelled, the id may soon name another timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerId(NonZeroU32);

impl TimerId {
    fn of(index: u32) -> Self {
        // Node indices stay below u32::MAX, so nothing saturates.
        Self(NonZeroU32::MIN.saturating_add(index))
    }

    const fn index(self) -> u32 {
        self.0.get() - 1
    }
}

/// An armed timer. Ordered as timers come due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Due {
    /// Its instant.
    pub due: Timestamp,
    /// What it is about.
    pub key: TimerKey,
    /// Its name.
    pub id: TimerId,
}

/// The wheel.
///
/// `cursor` is the instant that places are reckoned from. It never passes an occupied slot, and stays at the start
/// of a coarse slot until that has been emptied into finer ones, or at the millisecond of the first timer due.
#[derive(Clone, Debug)]
pub struct TimerWheel {
    now: Timestamp,
    cursor: Timestamp,
    slab: Slab,
    levels: Levels,
    /// Timers whose place in a ring would break its order, and those armed with a due instant before the cursor.
    strays: BTreeSet<Due>,
}

impl TimerWheel {
    /// A wheel without timers.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { now, cursor: now, slab: Slab::new(), levels: Levels::default(), strays: BTreeSet::new() }
    }

    /// Timers armed, due or not.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.slab.used()
    }

    /// Whether no timer is armed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Arms a timer. One whose instant is past is due at once.
    ///
    /// # Panics
    /// At 2³² timers, far above what any item or registry holds.
    pub fn arm(&mut self, due: Timestamp, key: TimerKey) -> TimerId {
        let index = self.slab.take(due, key);
        self.file(index);
        TimerId::of(index)
    }

    /// Disarms a timer, due or not, and tells what it was. `None`, and nothing happens, where no armed timer has
    /// this id.
    pub fn cancel(&mut self, id: TimerId) -> Option<Due> {
        let place = self.slab.armed(id)?.place;
        let due = self.slab.due(id.index());
        match place {
            Place::Slot(spot) => self.levels.unlink(&mut self.slab, spot, id.index()),
            Place::Stray => assert!(self.strays.remove(&due), "a stray is in the set: {due:?}"),
            Place::Free => return None,
        }
        self.slab.give_back(id.index());
        Some(due)
    }

    /// Disarms a timer if it is still the one armed with this key. For holders of an id that may have come due, and
    /// been given to another timer, without their knowing.
    pub fn cancel_of(&mut self, id: TimerId, key: TimerKey) -> Option<Due> {
        self.slab.armed(id)?;
        if self.slab.due(id.index()).key == key { self.cancel(id) } else { None }
    }

    /// Brings the wheel to `now`, as far as about `budget` moved timers allow; [`TimerWheel::needs_work`] tells
    /// whether that sufficed. An instant before the last one counts as the last one; a budget of 0 counts as 1, so
    /// that calling again always gets further.
    pub fn advance(&mut self, now: Timestamp, budget: usize) {
        self.now = self.now.max(now);
        let mut moves_left = budget.max(1);
        while let Some(earliest) = self.levels.earliest(self.cursor).filter(|earliest| earliest.start <= self.now) {
            debug_assert!(earliest.start >= self.cursor, "the cursor passed an occupied slot: {earliest:?}");
            self.cursor = earliest.start;
            if !earliest.is_coarse() || moves_left == 0 {
                return;
            }
            self.cascade(earliest.spot, &mut moves_left);
        }
        // Nothing begins between the cursor and now: from here timers need fewer cascades.
        self.cursor = self.now;
    }

    /// The first timer due at the instant last advanced to, by (due, key) among all that are armed. `None` where
    /// none is due, or where the budget has not yet sufficed to tell which is the first.
    #[must_use]
    pub fn first_due(&self) -> Option<Due> {
        let stray = self.strays.first().copied();
        let first = match self.levels.earliest(self.cursor) {
            None => stray,
            // All that a coarse slot holds is due at its start or later, and so is what lies in finer slots.
            Some(slot) if slot.is_coarse() => stray.filter(|stray| stray.due < slot.start),
            Some(slot) => {
                let head = self.levels.first(slot.spot).map(|index| self.slab.due(index));
                head.into_iter().chain(stray).min()
            }
        };
        first.filter(|first| first.due <= self.now)
    }

    /// Whether advancing to the same instant again gets further, because the last budget did not suffice or timers
    /// were armed since.
    #[must_use]
    pub fn needs_work(&self) -> bool {
        self.levels.earliest(self.cursor).is_some_and(|slot| slot.is_coarse() && slot.start <= self.now)
    }

    /// When to advance next: never later than the first armed timer is due. It may be earlier, where a coarse slot
    /// begins, but one timer never causes more than eight wakes. It lies after the instant last advanced to unless a
    /// timer is due or [`TimerWheel::needs_work`], so a caller who sees to both never spins. `None` where no timer
    /// is armed.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        let slot = self.levels.earliest(self.cursor).map(|slot| slot.start);
        slot.into_iter().chain(self.strays.first().map(|stray| stray.due)).min()
    }

    /// Gives memory back that no armed timer needs; for a wheel that will rest.
    pub fn shrink_to_fit(&mut self) {
        self.slab.shrink_to_fit();
        self.levels.shrink_to_fit();
    }

    /// Moves timers of a coarse slot, whose start the cursor has reached, to finer ones.
    fn cascade(&mut self, spot: Spot, moves_left: &mut usize) {
        while *moves_left > 0
            && let Some(index) = self.levels.first(spot)
        {
            self.levels.unlink(&mut self.slab, spot, index);
            self.file(index);
            *moves_left -= 1;
        }
    }

    /// Puts a node that is nowhere into its place.
    fn file(&mut self, index: u32) {
        let timer = self.slab.due(index);
        if timer.due >= self.cursor {
            let spot = spot_of(self.cursor, timer.due);
            let last = if spot.level == 0 { self.levels.last(&self.slab, spot) } else { None };
            if last.is_none_or(|last| self.slab.node(last).key <= timer.key) {
                self.levels.push_back(&mut self.slab, spot, index);
                return;
            }
        }
        self.slab.node_mut(index).place = Place::Stray;
        self.strays.insert(timer);
    }
}
