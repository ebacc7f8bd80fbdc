//! Threads beside those that serve: sealing closed generations, which an orderly end waits for, and folding snapshots,
//! which nobody waits for.

use std::time::{Duration, Instant};

/// How much less of a busy processor such a thread gets: a tenth of what one that serves gets (nice(1)).
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Makes the calling thread give way to those that serve. Elsewhere than on Linux a priority is a whole process's, and
/// is left alone.
pub fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "a thread in the background keeps its usual priority");
    }
}

/// So long a thread in the background works in one go.
const STRETCH: Duration = Duration::from_millis(4);

/// And as long it rests then, but not longer than this: what it waited for itself is no work.
const REST_MAX: Duration = Duration::from_millis(20);

/// Work with rests. A low priority is not enough where a thread that works slows another: two processors may share a
/// core, and a disk knows no priorities.
#[derive(Debug)]
pub struct Unhurried {
    working_since: Instant,
}

impl Unhurried {
    /// Work begins.
    #[must_use]
    pub fn begin() -> Self {
        Self { working_since: Instant::now() }
    }

    /// Rests, if it is time to. To be called between small pieces of work.
    pub fn breathe(&mut self) {
        let worked = self.working_since.elapsed();
        if worked >= STRETCH {
            std::thread::sleep(worked.min(REST_MAX)); // waits: for nothing; others go first
            self.working_since = Instant::now();
        }
    }
}
