//! When to stop: SIGTERM or SIGINT once means gracefully, twice means at once.

use crate::exit::Exit;
use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for the signals that end the program.
#[derive(Debug)]
pub(crate) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    /// From here on the signals do not end the process by themselves.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let on = |kind| signal(kind).context("signals cannot be listened to");
        Ok(Self { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())? })
    }

    /// Waits for the first signal, and tells its name.
    pub(crate) async fn first(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// From here on another signal ends the process at once. What was acknowledged is in the log either way.
    pub(crate) fn end_at_once_on_the_next(mut self) {
        tokio::spawn(async move {
            let name = self.first().await;
            eprintln!("holdfast: {name} again: ended at once, requests under way are cut off");
            std::process::exit(i32::from(Exit::Error.code()));
        });
    }
}
