//! How fast an item works off a backlog, so that a million holds that end at once leave processors and the disk to
//! those who ask meanwhile.
//!
//! A turn's bound keeps one turn short; it says nothing of how soon the next one comes. Without a pace the turns of a
//! backlog follow each other as fast as a thread runs, and with them what comes behind every event: encoding, the
//! commit, the followers.

use crate::limits::{BACKLOG_BURST, BACKLOG_EVENT};
use crate::shell::MonoTime;
use domain::limits::TURN_BATCH;
use std::time::Duration;

/// What time allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The time that each event of a backlog uses up.
    pub event: Duration,
    /// Time that may be saved up: what happens at one instant within it needs no patience.
    pub burst: Duration,
}

impl Rate {
    /// What an item keeps to.
    pub const USUAL: Self = Self { event: BACKLOG_EVENT, burst: BACKLOG_BURST };

    fn of(self, events: usize) -> Duration {
        self.event.saturating_mul(u32::try_from(events).unwrap_or(u32::MAX))
    }
}

/// What an item has used up of the time that it may give to a backlog.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    rate: Rate,
    /// Time is used up until then.
    used: Duration,
}

impl Pace {
    pub(crate) const fn new(rate: Rate) -> Self {
        Self { rate, used: Duration::ZERO }
    }

    /// How much a turn may work off, [`TURN_BATCH`] at most.
    pub(crate) fn allows(&mut self, now: MonoTime) -> usize {
        self.used = self.used.max(now.0.saturating_sub(self.rate.burst));
        let events = now.0.saturating_sub(self.used).as_nanos() / self.rate.event.as_nanos().max(1);
        usize::try_from(events).unwrap_or(usize::MAX).min(TURN_BATCH)
    }

    /// Notes what a turn worked off.
    pub(crate) fn uses(&mut self, events: usize) {
        self.used += self.rate.of(events);
    }

    /// From when on a whole turn's worth is allowed, or as much as can be saved up.
    pub(crate) fn rested(&self) -> MonoTime {
        MonoTime(self.used + self.rate.of(TURN_BATCH).min(self.rate.burst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn what_was_saved_up_is_worked_off_at_once_and_the_rest_as_time_allows() {
        let rate = Rate { event: Duration::from_micros(4), burst: Duration::from_micros(4) * 4 * TURN_BATCH as u32 };
        let (mut pace, began) = (Pace::new(rate), MonoTime(1_000 * MS));
        let (mut now, mut done) = (began, Vec::new());
        for _ in 0..7 {
            let allowed = pace.allows(now);
            pace.uses(allowed);
            done.push(allowed);
            now = now.max(pace.rested());
        }
        // Four turns' worth was saved up, and after these each turn waits until its own is.
        assert_eq!((done, now), (vec![TURN_BATCH; 7], MonoTime(began.0 + rate.of(4 * TURN_BATCH))));
        let early = MonoTime(now.0 - rate.of(TURN_BATCH / 2));
        assert_eq!(pace.allows(early), TURN_BATCH / 2, "a turn for somebody who asks earlier brings less with it");
    }

    #[test]
    fn a_rate_below_a_turn_still_gets_on() {
        let mut pace = Pace::new(Rate { event: MS, burst: 2 * MS });
        let mut now = MonoTime(Duration::ZERO);
        let mut done = 0;
        for _ in 0..100 {
            now = now.max(pace.rested());
            let allowed = pace.allows(now);
            assert!((1..=2).contains(&allowed), "{allowed}");
            pace.uses(allowed);
            done += allowed;
        }
        assert_eq!(now.0.as_millis() as usize, done);
    }
}
