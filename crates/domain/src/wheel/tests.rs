//! What a caller can rely on, first one by one, then against a model: a sorted set of (due, key).

use super::{Due, TimerId, TimerKey, TimerWheel};
use crate::time::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeSet;

const UNLIMITED: usize = usize::MAX;
/// A wall clock's number, so that all levels of the wheel are in use.
const START: u64 = 1_760_000_000_000;

fn at(millis_after_start: u64) -> Timestamp {
    Timestamp::from_millis(START + millis_after_start)
}

fn wheel_of(timers: &[(u64, u32)]) -> TimerWheel {
    let mut wheel = TimerWheel::new(at(0));
    for &(due, key) in timers {
        wheel.arm(at(due), TimerKey(key));
    }
    wheel
}

fn plain(due: Due) -> (u64, u32) {
    (due.due.as_millis() - START, due.key.0)
}

/// Takes out what is due, in the order in which the wheel tells it.
fn expire(wheel: &mut TimerWheel, now: Timestamp, budget: usize) -> Vec<(u64, u32)> {
    let mut expired = Vec::new();
    loop {
        wheel.advance(now, budget);
        match wheel.first_due() {
            Some(due) => {
                assert_eq!(wheel.cancel(due.id), Some(due));
                expired.push(plain(due));
            }
            None if wheel.needs_work() => {}
            None => return expired,
        }
    }
}

/// Armed in this order at 0, with these due at each of these instants.
fn check(armed: &[(u64, u32)], expected: &[(u64, &[(u64, u32)])]) {
    for budget in [1, 2, 3, UNLIMITED] {
        let mut wheel = wheel_of(armed);
        for (now, due) in expected {
            assert_eq!(expire(&mut wheel, at(*now), budget), *due, "at {now} with budget {budget}");
        }
    }
}

#[test]
fn a_timer_is_due_at_its_millisecond_and_not_before() {
    check(&[(100, 7)], &[(0, &[]), (99, &[]), (100, &[(100, 7)]), (101, &[])]);
}

#[test]
fn timers_come_due_by_instant_and_within_one_by_key() {
    check(
        &[(70, 1), (5, 9), (70, 0), (5, 3), (4_000, 2)],
        &[(10, &[(5, 3), (5, 9)]), (5_000, &[(70, 0), (70, 1), (4_000, 2)])],
    );
}

#[test]
fn a_timer_armed_late_comes_before_what_is_due_later() {
    let mut wheel = wheel_of(&[(50, 1), (60, 2)]);
    wheel.advance(at(60), UNLIMITED);
    wheel.arm(at(40), TimerKey(3));
    wheel.arm(at(50), TimerKey(0));
    assert_eq!(expire(&mut wheel, at(60), UNLIMITED), [(40, 3), (50, 0), (50, 1), (60, 2)]);
}

#[test]
fn a_timer_armed_for_the_past_is_due_without_another_advance() {
    let mut wheel = TimerWheel::new(at(1_000));
    wheel.arm(at(10), TimerKey(1));
    assert_eq!(wheel.first_due().map(plain), Some((10, 1)));
}

#[test]
fn a_cancelled_timer_is_never_due_wherever_it_was() {
    for (due, now) in [(100, 0), (100, 64), (100, 100), (100_000, 99_999), (5, 1_000)] {
        let mut wheel = wheel_of(&[(due, 1)]);
        let id = wheel.arm(at(due), TimerKey(0));
        wheel.advance(at(now), UNLIMITED);
        assert_eq!(wheel.cancel(id).map(plain), Some((due, 0)));
        assert_eq!(wheel.cancel(id), None, "once");
        assert_eq!(expire(&mut wheel, at(200_000), UNLIMITED), [(due, 1)]);
    }
}

#[test]
fn advancing_never_changes_which_timers_are_armed() {
    let mut wheel = wheel_of(&[(1, 1), (100, 2), (10_000, 3)]);
    wheel.advance(at(1_000_000), UNLIMITED);
    assert_eq!(wheel.len(), 3);
    assert_eq!(wheel.first_due().map(plain), Some((1, 1)));
}

#[test]
fn time_that_goes_backwards_is_ignored() {
    let mut wheel = wheel_of(&[(100, 1)]);
    wheel.advance(at(100), UNLIMITED);
    wheel.advance(at(3), UNLIMITED);
    assert_eq!(wheel.first_due().map(plain), Some((100, 1)));
}

#[test]
fn nothing_is_told_while_something_smaller_may_be_unsorted() {
    // Key 5 was armed first, key 1 last; both cascade out of one coarse slot, one move at a time.
    let mut wheel = wheel_of(&[(5_000, 5), (5_000, 4), (5_000, 1)]);
    let mut told = Vec::new();
    for _ in 0..20 {
        wheel.advance(at(5_000), 1);
        assert_eq!(wheel.first_due().is_none(), wheel.needs_work());
        told.extend(wheel.first_due().map(plain));
    }
    assert_eq!(told.iter().collect::<BTreeSet<_>>(), BTreeSet::from([&(5_000, 1)]));
}

#[test]
fn a_stray_waits_for_what_its_own_millisecond_has_yet_to_cascade() {
    // 64 is the first millisecond of its coarse slot. Two moves make key 3 a stray while key 1 has yet to come.
    let mut wheel = wheel_of(&[(64, 5), (64, 3), (64, 1)]);
    wheel.advance(at(64), 2);
    assert_eq!(wheel.first_due(), None);
    assert_eq!(expire(&mut wheel, at(64), 1), [(64, 1), (64, 3), (64, 5)]);
}

#[test]
fn a_wheel_that_rested_long_wakes_for_a_near_timer_on_time_at_once() {
    let mut wheel = TimerWheel::new(at(0));
    wheel.advance(at(6_400_000), UNLIMITED);
    wheel.arm(at(6_400_005), TimerKey(1));
    assert_eq!((wheel.next_wake(), wheel.needs_work()), (Some(at(6_400_005)), false));
}

#[test]
fn a_budget_bounds_the_moves_of_a_call_even_when_it_is_zero() {
    let mut wheel = wheel_of(&[(64, 0), (64, 1), (64, 2), (64, 3)]);
    let calls = (1..).find(|_| {
        wheel.advance(at(64), 0);
        !wheel.needs_work()
    });
    assert_eq!(calls, Some(4));
}

#[test]
fn the_farthest_instant_is_reached_in_a_handful_of_wakes() {
    let mut wheel = TimerWheel::new(Timestamp::from_millis(0));
    wheel.arm(Timestamp::MAX, TimerKey(1));
    let mut wakes = 0;
    while wheel.first_due().is_none() {
        let wake = wheel.next_wake().expect("a timer is armed");
        wheel.advance(wake, UNLIMITED);
        wakes += 1;
    }
    assert!(wakes <= 8, "{wakes} wakes");
}

#[test]
fn an_empty_wheel_wakes_nobody_and_gives_its_memory_back() {
    let mut wheel = wheel_of(&[(1, 1), (1_000_000, 2)]);
    expire(&mut wheel, at(1_000_000), UNLIMITED);
    wheel.shrink_to_fit();
    assert!(wheel.is_empty());
    assert_eq!((wheel.next_wake(), wheel.needs_work(), wheel.first_due()), (None, false, None));
    wheel.arm(at(1_000_001), TimerKey(3));
    assert_eq!(wheel.next_wake(), Some(at(1_000_001)));
}

#[derive(Clone, Debug)]
enum Step {
    Arm { after: i64, keys: Vec<u32> },
    Cancel { nth: usize },
    Advance { by: i64, budget: usize },
    Sleep { budget: usize },
    Expire { count: usize },
    Shrink,
}

/// Near and far alike, in either direction, and multiples of slot widths more often than chance has them.
fn span() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => 0..4_i64,
        4 => 0..200_i64,
        2 => -100..0_i64,
        2 => 0..20_000_i64,
        2 => (0..5_u32, 0..3_i64).prop_map(|(level, more)| (1_i64 << (6 * level)) * more),
        1 => 0..100_000_000_i64,
        1 => Just(i64::MAX / 2),
    ]
}

fn budget() -> impl Strategy<Value = usize> {
    prop_oneof![0..4_usize, Just(UNLIMITED)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (span(), prop::collection::vec(0..12_u32, 1..6)).prop_map(|(after, keys)| Step::Arm { after, keys }),
        2 => any::<usize>().prop_map(|nth| Step::Cancel { nth }),
        3 => (span().prop_filter("time has to go on", |by| *by < 1 << 40), budget())
            .prop_map(|(by, budget)| Step::Advance { by, budget }),
        3 => budget().prop_map(|budget| Step::Sleep { budget }),
        3 => (0..6_usize).prop_map(|count| Step::Expire { count }),
        1 => Just(Step::Shrink),
    ]
}

/// A wheel and what it should be, compared after each step.
struct Pair {
    wheel: TimerWheel,
    model: BTreeSet<(Timestamp, TimerKey, TimerId)>,
    now: Timestamp,
}

impl Pair {
    fn new() -> Self {
        Self { wheel: TimerWheel::new(at(0)), model: BTreeSet::new(), now: at(0) }
    }

    fn later(&self, by: i64) -> Timestamp {
        Timestamp::from_millis(self.now.as_millis().saturating_add_signed(by))
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Arm { after, ref keys } => {
                for key in keys.iter().map(|&key| TimerKey(key)) {
                    let due = self.later(after);
                    let id = self.wheel.arm(due, key);
                    assert!(self.model.insert((due, key, id)), "{id:?} is taken");
                }
            }
            Step::Cancel { nth } => {
                if let Some(&(due, key, id)) = self.model.iter().nth(nth % self.model.len().max(1)) {
                    assert_eq!(self.wheel.cancel(id), Some(Due { due, key, id }));
                    self.model.remove(&(due, key, id));
                }
            }
            Step::Advance { by, budget } => self.advance(self.later(by), budget),
            Step::Sleep { budget } => self.advance(self.wheel.next_wake().unwrap_or(self.now), budget),
            Step::Expire { count } => {
                for _ in 0..count {
                    let Some(due) = self.wheel.first_due() else { break };
                    self.wheel.cancel(due.id);
                    self.model.remove(&(due.due, due.key, due.id));
                    self.compare();
                }
            }
            Step::Shrink => self.wheel.shrink_to_fit(),
        }
        self.compare();
    }

    fn advance(&mut self, to: Timestamp, budget: usize) {
        self.wheel.advance(to, budget);
        self.now = self.now.max(to);
    }

    fn compare(&self) {
        let wheel = &self.wheel;
        assert_eq!(wheel.len(), self.model.len());
        let least = self.model.first().map(|&(due, key, _)| (due, key));
        let least_due = least.filter(|(due, _)| *due <= self.now);
        match wheel.first_due() {
            Some(first) => {
                assert_eq!(Some((first.due, first.key)), least_due);
                assert!(self.model.contains(&(first.due, first.key, first.id)));
            }
            None => assert!(wheel.needs_work() || least_due.is_none(), "{least_due:?} is due and not told"),
        }
        let wake = wheel.next_wake();
        assert_eq!(wake.is_none(), least.is_none());
        assert!(wake <= least.map(|(due, _)| due), "a wake at {wake:?} is too late for {least:?}");
        let is_busy = wheel.needs_work() || wheel.first_due().is_some();
        assert!(is_busy || wake.is_none_or(|wake| wake > self.now), "a wake at {wake:?} does not get further");
    }

    fn assert_sound(&self) {
        let wheel = &self.wheel;
        assert!(wheel.cursor <= wheel.now && wheel.now == self.now);
        assert_eq!(wheel.levels.assert_sound(&wheel.slab, wheel.cursor) + wheel.strays.len(), wheel.len());
    }
}

proptest! {
    #[test]
    fn a_wheel_tells_what_a_sorted_set_tells(steps in prop::collection::vec(step(), 1..150)) {
        let mut pair = Pair::new();
        for (nth, step) in steps.iter().enumerate() {
            pair.run(step);
            if nth % 16 == 0 {
                pair.assert_sound();
            }
        }
        pair.assert_sound();
    }

    #[test]
    fn a_caller_who_sleeps_until_the_next_wake_expires_every_timer_on_its_millisecond(
        timers in prop::collection::vec((0..2_000_000_u64, 0..50_u32), 1..60),
        budget in 1..8_usize,
    ) {
        let mut wheel = wheel_of(&timers);
        let mut expired = Vec::new();
        while let Some(wake) = wheel.next_wake() {
            for due in expire(&mut wheel, wake, budget) {
                prop_assert_eq!(due.0, wake.since(at(0)).as_millis());
                expired.push(due);
            }
        }
        let mut sorted = timers;
        sorted.sort_unstable();
        prop_assert_eq!(expired, sorted);
    }
}

#[test]
fn an_id_that_was_given_to_another_timer_does_not_cancel_it() {
    let mut wheel = TimerWheel::new(Timestamp::default());
    let stale = wheel.arm(Timestamp::from_millis(5), TimerKey(1));
    wheel.cancel(stale);
    let reused = wheel.arm(Timestamp::from_millis(9), TimerKey(2));
    assert_eq!(stale, reused, "the place is used again");
    assert_eq!(wheel.cancel_of(stale, TimerKey(1)), None);
    assert_eq!(wheel.len(), 1);
    assert!(wheel.cancel_of(reused, TimerKey(2)).is_some());
}
