//! A timer as fine as the system's. The runtime's own counts whole milliseconds, which is what fast answers take.

use rustix::fd::OwnedFd;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::io;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

pub(super) struct Timer(AsyncFd<OwnedFd>);

impl Timer {
    pub(super) fn new() -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        #[expect(
            deprecated,
            reason = "what is unsound about it needs a descriptor that is closed while it is registered; this one is \
                      owned by what registers it, and what replaces it is an unsafe function"
        )]
        Ok(Self(AsyncFd::with_interest(timer, Interest::READABLE)?))
    }

    /// Waits so long, or a little longer.
    pub(super) async fn wait(&self, time: Duration) -> io::Result<()> {
        // Zero would switch the timer off.
        let time = time.max(Duration::from_nanos(1));
        let it_value = Timespec::try_from(time).map_err(io::Error::other)?;
        let once = Itimerspec { it_interval: Timespec::default(), it_value };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
        // Setting it again takes back what it has counted, so it need not be read.
        self.0.readable().await?.clear_ready();
        Ok(())
    }
}
