//! A progress bar on standard error, for long logs and only where somebody watches.

use indicatif::{ProgressBar, ProgressStyle};
use replay::Progress;
use std::io::IsTerminal;

/// A log with fewer records is read before anybody could look at a bar.
const LONG_LOG_RECORDS: u64 = 20_000;

/// The bar, once there is a reason for one.
#[derive(Debug, Default)]
pub(super) struct Bar {
    bar: Option<ProgressBar>,
}

impl Bar {
    /// None yet.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Reading has come so far.
    pub(super) fn at(&mut self, progress: Progress) {
        if self.bar.is_none() && (progress.last.0 < LONG_LOG_RECORDS || !std::io::stderr().is_terminal()) {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} records, {eta} left");
            ProgressBar::new(progress.last.0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        bar.set_length(progress.last.0);
        bar.set_message(format!("partition {}", progress.partition.0));
        bar.set_position(progress.record.0);
    }

    /// It is over: the line goes.
    pub(super) fn done(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.done();
    }
}
