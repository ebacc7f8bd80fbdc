//! When the machine itself stood still.
//!
//! A hypervisor that gives a machine less than it asks for stops all its processors at once, here for 10 to 70 ms until
//! the next tenth of a second begins. The system's own count of stolen time says nothing of it. So on each processor a
//! thread that goes before everybody wakes up every few milliseconds: what keeps all of them from it is no program.

use crate::cores::{self, Cores};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often each processor is looked at. It takes less than a hundredth of it.
const BEAT: Duration = Duration::from_millis(2);

/// Waking up so much too late is no matter of timers any more.
const LATE: Duration = Duration::from_millis(3);

/// Who wakes up before the generator, which has the lowest of the priorities that go before everybody.
const PRIORITY: u32 = 2;

type Span = Range<Instant>;

/// Threads that watch for it until this is dropped.
#[derive(Debug)]
pub(crate) struct Pulse {
    /// When each processor missed a beat.
    missed: Vec<Arc<Mutex<Vec<Span>>>>,
    /// Whether the threads may go before everybody. If they may not, nobody knows what kept them.
    may: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
}

impl Pulse {
    /// Begins to watch.
    pub(crate) fn begin() -> Self {
        let (may, over) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let watch = |core: usize| {
            let missed = Arc::<Mutex<Vec<Span>>>::default();
            let (may, over, seen) = (Arc::clone(&may), Arc::clone(&over), Arc::clone(&missed));
            std::thread::spawn(move || {
                if Cores::one(core).keep_this_thread_to().is_err() || !cores::go_first(PRIORITY) {
                    may.store(false, Ordering::Relaxed);
                }
                while !over.load(Ordering::Relaxed) && may.load(Ordering::Relaxed) {
                    let due = Instant::now() + BEAT;
                    std::thread::sleep(BEAT); // waits: for the next beat
                    if due.elapsed() >= LATE {
                        // Pushed whole.
                        seen.lock().unwrap_or_else(PoisonError::into_inner).push(due..Instant::now());
                    }
                }
            });
            missed
        };
        Self { missed: (0..cores::count()).map(watch).collect(), may, over }
    }

    /// When the machine stood still within a stretch of time. `None` where that cannot be known.
    pub(crate) fn stills(&self, within: &Span) -> Option<Vec<Span>> {
        if !self.may.load(Ordering::Relaxed) {
            return None;
        }
        let of_each = self.missed.iter().map(|missed| missed.lock().unwrap_or_else(PoisonError::into_inner).clone());
        let stills = of_each.reduce(|one, other| common(&one, &other)).unwrap_or_default();
        Some(common(&stills, std::slice::from_ref(within)))
    }

    /// The same in words, if it did.
    pub(crate) fn words(&self, within: &Span) -> Option<String> {
        let stills = self.stills(within)?;
        let longest = stills.iter().map(|still| still.end - still.start).max()?.as_secs_f64() * 1e3;
        let all_ms = together(&stills).as_secs_f64() * 1e3;
        Some(format!(
            "the machine itself stood still {} times, {all_ms:.0} ms in all, {longest:.0} ms at once",
            stills.len()
        ))
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// What two lists of spans have in common.
pub(crate) fn common(one: &[Span], other: &[Span]) -> Vec<Span> {
    let both =
        one.iter().flat_map(|left| other.iter().map(move |right| left.start.max(right.start)..left.end.min(right.end)));
    both.filter(|span| span.start < span.end).collect()
}

/// How long spans are together that do not overlap.
pub(crate) fn together(spans: &[Span]) -> Duration {
    spans.iter().map(|span| span.end - span.start).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_stood_still_only_while_none_of_its_processors_ran() {
        let began = Instant::now();
        let spans = |of: &[(u64, u64)]| -> Vec<Span> {
            let at = |ms: u64| began + Duration::from_millis(ms);
            of.iter().map(|&(from, to)| at(from)..at(to)).collect()
        };
        type Of = &'static [(u64, u64)];
        let cases: [(Of, Of, Of); 5] = [
            (&[(10, 20)], &[], &[]),
            (&[(10, 20)], &[(20, 30)], &[]),
            (&[(10, 20)], &[(15, 30)], &[(15, 20)]),
            (&[(10, 20), (40, 50)], &[(5, 60)], &[(10, 20), (40, 50)]),
            (&[(10, 20), (40, 50)], &[(12, 14), (45, 70)], &[(12, 14), (45, 50)]),
        ];
        for (one, other, both) in cases {
            let found = common(&spans(one), &spans(other));
            assert_eq!(found, spans(both), "{one:?} and {other:?}");
            assert_eq!(together(&found).as_millis(), both.iter().map(|(from, to)| u128::from(to - from)).sum());
        }
    }
}
