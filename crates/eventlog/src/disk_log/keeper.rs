//! Background threads of a log: one calls something every so often, and a watch tells how long a commit has taken.

use super::options::OnStall;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A thread that calls something every so often until it is dropped; dropping waits for a call that is under way.
#[derive(Debug)]
pub(super) struct Ticker {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(super) fn start(name: &str, every: Duration, mut tick: impl FnMut() + Send + 'static) -> std::io::Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let seen = Arc::clone(&stop);
        let run = move || {
            while !stopped_within(&seen, every) {
                tick();
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Flags and instants are whole whatever panicked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn stopped_within((stopped, changed): &(Mutex<bool>, Condvar), time: Duration) -> bool {
    let waited = changed.wait_timeout_while(locked(stopped), time, |stopped| !*stopped);
    *waited.unwrap_or_else(PoisonError::into_inner).0
}

impl Drop for Ticker {
    fn drop(&mut self) {
        *locked(&self.stop.0) = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _panic_was_printed = thread.join();
        }
    }
}

/// Since when a commit has been under way.
#[derive(Debug, Default)]
pub(super) struct Watch(Mutex<Option<Instant>>);

impl Watch {
    pub(super) fn begin(&self) {
        *locked(&self.0) = Some(Instant::now());
    }

    pub(super) fn end(&self) {
        *locked(&self.0) = None;
    }

    /// Calls `on_stall`, once for each commit that takes longer than `max`.
    pub(super) fn guard(self: &Arc<Self>, max: Duration, on_stall: OnStall) -> std::io::Result<Ticker> {
        let (watch, mut told) = (Arc::clone(self), None);
        // Four looks in the time allowed: the end comes at most a quarter late.
        Ticker::start("log watchdog", max / 4, move || {
            let begun = *locked(&watch.0);
            let stalled = begun.filter(|begun| begun.elapsed() > max && told != Some(*begun));
            if stalled.is_some() {
                told = stalled;
                on_stall(format!(
                    "a commit has taken longer than {} ms: the disk or the storage engine hangs. The process must end; \
                     the next start recovers everything that was acknowledged.",
                    max.as_millis()
                ));
            }
        })
    }
}
