//! What else this machine is doing. Two servers are not compared while a third program takes their processors.

use crate::cores;
use anyhow::{Context, Result};
use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// Above this share of all processors, other programs may be what is slow.
const SHARE_MAX: f64 = 0.10;

/// What the kernel counts processor time in, for programs: USER_HZ is 100 on every architecture that Rust knows.
pub(crate) const MILLIS_PER_TICK: u64 = 10;

/// A stretch of time that is watched.
pub(crate) struct Watch {
    began: Instant,
    busy: Duration,
    ours: Duration,
}

impl Watch {
    /// Begins. `contestant` is the processor time that the server has taken so far.
    pub(crate) fn begin(contestant: Duration) -> Result<Self> {
        Ok(Self { began: Instant::now(), busy: busy()?, ours: this_process() + contestant })
    }

    /// The share of all processors that neither the server nor the bench took.
    pub(crate) fn others(&self, contestant: Duration) -> Result<f64> {
        let busy = busy()?.saturating_sub(self.busy);
        let ours = (this_process() + contestant).saturating_sub(self.ours);
        let all = self.began.elapsed().as_secs_f64() * cores::count() as f64;
        Ok(busy.saturating_sub(ours).as_secs_f64() / all)
    }
}

/// Why nothing measured meanwhile should be believed, if others took so much.
pub(crate) fn doubt(others: f64) -> Option<String> {
    (others > SHARE_MAX).then(|| format!("other programs took {:.0} % of the processors", others * 100.0))
}

fn this_process() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// Processor time of everything on this machine since it started.
fn busy() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    busy_ticks(&stat)
        .map(|ticks| Duration::from_millis(ticks * MILLIS_PER_TICK))
        .context("/proc/stat is not understood")
}

fn busy_ticks(stat: &str) -> Option<u64> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    // user, nice, system, (idle, waiting for the disk,) interrupts, soft ones, and what a hypervisor took.
    let busy = fields.take(8).enumerate().filter(|(index, _)| !matches!(index, 3 | 4));
    busy.map(|(_, ticks)| ticks.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_and_waiting_for_the_disk_are_not_work() {
        assert_eq!(busy_ticks("cpu  1 2 4 1000 2000 8 16 32 5 5\ncpu0 1\n"), Some(63));
        assert_eq!(busy_ticks("something else"), None);
    }

    #[test]
    fn a_little_beside_it_is_let_pass_and_a_build_is_not() {
        assert_eq!(doubt(0.05), None);
        assert_eq!(doubt(0.62).as_deref(), Some("other programs took 62 % of the processors"));
    }
}
