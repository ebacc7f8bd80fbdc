//! Which processors a thread keeps to, with the processes it starts.

use anyhow::Result;
use rustix::thread::{CpuSet, sched_setaffinity};
use std::ops::Range;
use std::process::{Command, Stdio};

/// Some of this machine's processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores {
    first: usize,
    end: usize,
}

/// The machine in two halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Halves {
    /// Where the server runs.
    pub server: Cores,
    /// Where the generator runs.
    pub generator: Cores,
}

/// How many processors there are.
#[must_use]
pub fn count() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Lets the calling thread run whenever it is ready, before the servers that share its processors, and the longer before
/// them the higher the number. It needs a right that not everybody has, and util-linux. Whether it was granted.
pub(crate) fn go_first(priority: u32) -> bool {
    let thread = rustix::thread::gettid().as_raw_nonzero().to_string();
    let mut asked = Command::new("chrt");
    asked.args(["--rr", "--pid", &priority.to_string(), &thread]).stdout(Stdio::null()).stderr(Stdio::null());
    asked.status().is_ok_and(|status| status.success())
}

impl Halves {
    /// The machine in two halves, if it has two.
    #[must_use]
    pub fn of_this_machine() -> Option<Self> {
        let (half, all) = (count() / 2, count());
        let cores = |range: Range<usize>| Cores { first: range.start, end: range.end };
        (half > 0).then(|| Self { server: cores(0..half), generator: cores(half..all) })
    }
}

impl Cores {
    /// One of them.
    #[must_use]
    pub const fn one(core: usize) -> Self {
        Self { first: core, end: core + 1 }
    }

    /// How many they are.
    #[must_use]
    pub const fn len(self) -> usize {
        self.end - self.first
    }

    /// Never: there is one at least.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// From here on this thread runs on them alone, and so do processes that it starts.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub fn keep_this_thread_to(self) -> Result<()> {
        let mut set = CpuSet::new();
        (self.first..self.end).for_each(|core| set.set(core));
        Ok(sched_setaffinity(None, &set)?)
    }
}
