//! When a message that was not taken is sent again: the table of Standard Webhooks, over a little more than three days.
//!
//! What this module does not do: wait, count attempts, or find the randomness.

use std::time::Duration;

const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 60 * MINUTE_S;

/// Seconds between an attempt and the one before it. The first ones are close together, for a receiver that was just
/// restarted; the last ones span a weekend, for one that somebody has to repair.
const PAUSES_S: [u64; 10] =
    [0, 5, 5 * MINUTE_S, 30 * MINUTE_S, 2 * HOUR_S, 5 * HOUR_S, 10 * HOUR_S, 14 * HOUR_S, 20 * HOUR_S, 24 * HOUR_S];

/// Attempts that are made of a message, the first included.
pub const ATTEMPTS_MAX: u32 = PAUSES_S.len() as u32;

/// How much of a pause may be added to it, in thousandths: enough that the messages which failed together, because a
/// receiver was down, do not come back together and bring it down again.
pub const JITTER_MAX_PERMILLE: u32 = 200;

/// How long to wait before an attempt, counted from 0: `attempt` is the number of attempts already made.
/// `jitter_permille` thousandths of the pause are added to it, at most [`JITTER_MAX_PERMILLE`]; choose it at random.
/// `None` when there is to be no further attempt.
#[must_use]
pub fn pause_before(attempt: u32, jitter_permille: u32) -> Option<Duration> {
    let seconds = PAUSES_S.get(usize::try_from(attempt).ok()?)?;
    let permille = 1_000 + u64::from(jitter_permille.min(JITTER_MAX_PERMILLE));
    Some(Duration::from_millis(seconds * permille))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_are_those_of_standard_webhooks() {
        for (attempt, plain_s, longest_ms) in [
            (0, 0, 0),
            (1, 5, 6_000),
            (2, 300, 360_000),
            (3, 1_800, 2_160_000),
            (4, 7_200, 8_640_000),
            (5, 18_000, 21_600_000),
            (6, 36_000, 43_200_000),
            (7, 50_400, 60_480_000),
            (8, 72_000, 86_400_000),
            (9, 86_400, 103_680_000),
        ] {
            assert_eq!(pause_before(attempt, 0), Some(Duration::from_secs(plain_s)), "attempt {attempt}");
            assert_eq!(pause_before(attempt, 200), Some(Duration::from_millis(longest_ms)), "attempt {attempt}");
        }
        assert_eq!(pause_before(1, 1), Some(Duration::from_millis(5_005)));
        assert_eq!(pause_before(3, 100), Some(Duration::from_secs(1_980)));
    }

    #[test]
    fn there_is_an_end_to_it() {
        assert_eq!(ATTEMPTS_MAX, 10);
        for attempt in [10, 11, u32::MAX] {
            assert_eq!(pause_before(attempt, 0), None, "attempt {attempt}");
        }
    }

    #[test]
    fn jitter_adds_a_fifth_at_most() {
        for jitter in [200, 201, 1_000, u32::MAX] {
            assert_eq!(pause_before(9, jitter), pause_before(9, 200), "{jitter} thousandths");
        }
    }
}
