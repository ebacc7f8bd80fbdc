//! What ended when: the ends of a run on a line of time, for figures about a stretch of it.

use crate::load::tally::{Ending, Moment};
use crate::pulse;
use std::ops::Range;
use std::time::{Duration, Instant};

/// With fewer customers than this a p99 is what the worst of them waited.
pub(crate) const CUSTOMERS_MIN: usize = 100;

/// The ends of a run, the earliest first.
#[derive(Debug)]
pub(crate) struct Timeline(Vec<Moment>);

/// The p99 of those who came in a stretch of time, and how many they were.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Waits {
    /// One in a hundred waited longer.
    pub(crate) p99: Duration,
    /// How many came.
    pub(crate) customers: usize,
}

impl Timeline {
    /// Of these.
    pub(crate) fn of(moments: impl IntoIterator<Item = Moment>) -> Self {
        let mut moments: Vec<Moment> = moments.into_iter().collect();
        moments.sort_by_key(|moment| moment.at);
        Self(moments)
    }

    /// What ended in a stretch.
    fn within(&self, stretch: &Range<Instant>) -> &[Moment] {
        let from = self.0.partition_point(|moment| moment.at < stretch.start);
        let to = self.0.partition_point(|moment| moment.at < stretch.end);
        self.0.get(from..to).unwrap_or_default()
    }

    /// How many reservations and places in line were answered in a stretch.
    pub(crate) fn served(&self, stretch: &Range<Instant>) -> usize {
        self.within(stretch).iter().filter(|moment| is_served(moment)).count()
    }

    /// How many reservations were granted before an instant.
    pub(crate) fn granted_before(&self, instant: Instant) -> u64 {
        let until = self.0.partition_point(|moment| moment.at < instant);
        let before = self.0.get(..until).unwrap_or_default();
        before.iter().filter(|moment| moment.ending == Some(Ending::Granted)).count() as u64
    }

    /// The longest time without any answer that touches a stretch. It counts whole, also where it began before, but for
    /// what of it the machine itself stood still.
    pub(crate) fn longest_silence(&self, stretch: &Range<Instant>, stills: &[Range<Instant>]) -> Duration {
        let from = self.0.partition_point(|moment| moment.at < stretch.start).saturating_sub(1);
        let to = self.0.partition_point(|moment| moment.at < stretch.end).saturating_add(1);
        let touching = self.0.get(from..to.min(self.0.len())).unwrap_or_default();
        let gaps = touching.iter().zip(touching.iter().skip(1)).map(|(one, next)| one.at..next.at);
        let silent =
            |gap: Range<Instant>| (gap.end - gap.start).saturating_sub(pulse::together(&pulse::common(stills, &[gap])));
        gaps.map(silent).max().unwrap_or_default()
    }

    /// What those went through who came in a stretch. Who was not served counts with the whole of `patience`: whoever
    /// is sent away at once has not been quick to get what they came for.
    pub(crate) fn waits(&self, came: &Range<Instant>, patience: Duration) -> Option<Waits> {
        let came_then = |moment: &&Moment| moment.at.checked_sub(moment.latency).is_some_and(|at| came.contains(&at));
        let wait = |moment: &Moment| if is_served(moment) { moment.latency } else { moment.latency.max(patience) };
        let mut waits: Vec<Duration> = self.0.iter().filter(came_then).map(wait).collect();
        waits.sort_unstable();
        let customers = waits.len();
        let p99 = *waits.get((customers * 99).div_ceil(100).checked_sub(1)?)?;
        Some(Waits { p99, customers })
    }

    /// The same where there were enough for a p99.
    ///
    /// # Errors
    /// In words, how few they were.
    pub(crate) fn p99(&self, came: &Range<Instant>, patience: Duration) -> Result<Duration, String> {
        let waits = self.waits(came, patience);
        let customers = waits.map_or(0, |waits| waits.customers);
        let enough = waits.filter(|_| customers >= CUSTOMERS_MIN);
        enough.map(|waits| waits.p99).ok_or_else(|| format!("only {customers} customers came then, too few for a p99"))
    }
}

fn is_served(moment: &Moment) -> bool {
    matches!(moment.ending, Some(Ending::Granted | Ending::Waiting))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_ms(began: Instant, at: u64, latency: u64, ending: Option<Ending>) -> Moment {
        Moment { at: began + Duration::from_millis(at), latency: Duration::from_millis(latency), ending }
    }

    #[test]
    fn a_silence_that_began_before_a_stretch_counts_whole_in_it() {
        let began = Instant::now();
        let line = Timeline::of([30, 0, 10, 11, 60].map(|at| at_ms(began, at, 1, Some(Ending::Granted))));
        let stretch = |from, to| began + Duration::from_millis(from)..began + Duration::from_millis(to);
        let silence = |from, to, stills: &[_]| line.longest_silence(&stretch(from, to), stills);
        assert_eq!(silence(20, 25, &[]).as_millis(), 19);
        assert_eq!(silence(0, 15, &[]).as_millis(), 19, "it goes on behind the end");
        assert_eq!(silence(1, 10, &[]).as_millis(), 10);
        assert_eq!(silence(90, 99, &[]).as_millis(), 0, "nobody came any more");
        let still = [stretch(5, 13), stretch(20, 25)];
        assert_eq!(silence(20, 25, &still).as_millis(), 12, "nobody could have answered for seven of them");
        assert_eq!((line.served(&stretch(0, 12)), line.served(&stretch(60, 61))), (3, 1));
    }

    #[test]
    fn who_is_sent_away_at_once_has_not_been_quick() {
        let began = Instant::now();
        let mut moments: Vec<Moment> = (0..58).map(|at| at_ms(began, at + 5, 5, Some(Ending::Granted))).collect();
        moments.push(at_ms(began, 50, 0, None));
        moments.push(at_ms(began, 50, 1, Some(Ending::Shed)));
        let (all, patience) = (began..began + Duration::from_secs(1), Duration::from_secs(2));
        let line = Timeline::of(moments);
        assert_eq!(line.waits(&all, patience), Some(Waits { p99: patience, customers: 60 }));
        assert_eq!(line.waits(&(began..began), patience), None);
        assert!(line.p99(&all, patience).is_err_and(|why| why.contains("only 60")));
    }
}
