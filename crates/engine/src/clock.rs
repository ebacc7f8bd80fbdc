//! The engine's clock: the wall clock, anchored to a monotonic one.
//!
//! A wall clock that jumps does not end holds: between restarts time runs with the monotonic clock, and an offset to
//! the wall clock is worked off at no more than [`SLEW_PPM_MAX`]. After a restart time resumes at the later of the
//! wall clock and the last logged time.

use crate::limits::{CLOCK_CHECK_EVERY, SLEW_PPM_MAX};
use domain::time::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Tells the wall clock's time. Tests give their own.
pub type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The machine's wall clock.
#[must_use]
pub fn system_wall_clock() -> WallClock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    })
}

/// The engine's clock. Cheap to clone; all clones tell the same time.
#[derive(Clone)]
pub struct Clock {
    wall: WallClock,
    anchor: Arc<Mutex<Anchor>>,
}

/// Where the clock stood at an instant, and how much faster than the monotonic clock it runs from there.
#[derive(Clone, Copy)]
struct Anchor {
    at: Instant,
    micros: i64,
    slew_ppm: i64,
}

impl Anchor {
    fn micros_at(&self, instant: Instant) -> i64 {
        let elapsed = i64::try_from(instant.saturating_duration_since(self.at).as_micros()).unwrap_or(i64::MAX);
        // A slew below a thousandth cannot turn time back: the rate stays positive.
        let slewed = elapsed.saturating_mul(self.slew_ppm) / 1_000_000;
        self.micros.saturating_add(elapsed).saturating_add(slewed)
    }
}

fn to_micros(at: Timestamp) -> i64 {
    // Timestamp::MAX is below 2^48 milliseconds.
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX / 1_000).saturating_mul(1_000)
}

impl Clock {
    /// A clock that begins at the later of the wall clock and `not_before`, the last logged time.
    #[must_use]
    pub fn start(wall: WallClock, not_before: Timestamp) -> Self {
        let begin = wall().max(not_before);
        let anchor = Anchor { at: Instant::now(), micros: to_micros(begin), slew_ppm: 0 };
        Self { wall, anchor: Arc::new(Mutex::new(anchor)) }
    }

    fn anchor(&self) -> std::sync::MutexGuard<'_, Anchor> {
        // An anchor is replaced whole, so a poisoned lock holds a good one.
        self.anchor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Engine time, now. Never runs backwards.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let micros = self.anchor().micros_at(Instant::now());
        Timestamp::from_millis(u64::try_from(micros / 1_000).unwrap_or(0))
    }

    /// How long it is until engine time is `at`, at the rate the clock runs now. Zero if it is past.
    #[must_use]
    pub fn until(&self, at: Timestamp) -> Duration {
        let anchor = *self.anchor();
        let missing = to_micros(at).saturating_sub(anchor.micros_at(Instant::now()));
        let real = missing.saturating_mul(1_000_000).checked_div(1_000_000 + anchor.slew_ppm);
        // Rounded up by one, so that what is waited for has come when the wait is over.
        real.filter(|real| *real > 0)
            .and_then(|real| u64::try_from(real.saturating_add(1)).ok())
            .map_or(Duration::ZERO, Duration::from_micros)
    }

    /// Wall clock minus engine time, in milliseconds.
    #[must_use]
    pub fn offset_ms(&self) -> i64 {
        let micros = self.anchor().micros_at(Instant::now());
        to_micros((self.wall)()).saturating_sub(micros) / 1_000
    }

    /// Measures the offset and sets the rate at which it is worked off until the next measurement.
    pub fn discipline(&self) {
        let wall = to_micros((self.wall)());
        let mut anchor = self.anchor();
        let now = Instant::now();
        let micros = anchor.micros_at(now);
        let offset = wall.saturating_sub(micros);
        let period = i64::try_from(CLOCK_CHECK_EVERY.as_micros()).unwrap_or(1_000_000);
        let wanted_ppm = offset.saturating_mul(1_000_000) / period;
        *anchor = Anchor { at: now, micros, slew_ppm: wanted_ppm.clamp(-SLEW_PPM_MAX, SLEW_PPM_MAX) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    fn fake(start: u64) -> (Arc<AtomicU64>, WallClock) {
        let wall = Arc::new(AtomicU64::new(start));
        let reader = Arc::clone(&wall);
        (wall, Arc::new(move || Timestamp::from_millis(reader.load(Ordering::Relaxed))))
    }

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_jumps_moves_engine_time_by_at_most_500_ppm() {
        let (wall, reader) = fake(1_000_000);
        let clock = Clock::start(reader, Timestamp::default());
        for jumped in [5_000_000, 0] {
            wall.store(jumped, Ordering::Relaxed);
            let before = clock.now().as_millis();
            for _ in 0..100 {
                clock.discipline();
                tokio::time::advance(CLOCK_CHECK_EVERY).await;
            }
            let passed = i128::from(clock.now().as_millis()) - i128::from(before);
            assert!((passed - 100_000).abs() <= 51, "100 s took {passed} ms");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_restart_time_resumes_at_the_later_of_wall_clock_and_log() {
        let (_, reader) = fake(1_000);
        assert_eq!(Clock::start(reader.clone(), Timestamp::from_millis(5_000)).now().as_millis(), 5_000);
        assert_eq!(Clock::start(reader, Timestamp::from_millis(10)).now().as_millis(), 1_000);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_until_an_instant_ends_at_it_and_not_before() {
        let (_, reader) = fake(1_000);
        let clock = Clock::start(reader, Timestamp::default());
        let at = Timestamp::from_millis(1_250);
        tokio::time::advance(clock.until(at)).await;
        assert_eq!(clock.now(), at);
        assert_eq!(clock.until(at), Duration::ZERO);
    }
}
