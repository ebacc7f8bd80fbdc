//! One line that says how the sale goes: redrawn in place on a terminal, a new line every second elsewhere.

use super::statistics::Figures;
use super::wire::ItemBody;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often a line is printed where it cannot be redrawn.
const PLAIN_EVERY: Duration = Duration::from_secs(1);

/// What the line says.
#[derive(Debug)]
pub(crate) struct Moment<'a> {
    /// Customers who are done.
    pub(crate) done: usize,
    /// All customers.
    pub(crate) all: usize,
    /// The item.
    pub(crate) item: &'a ItemBody,
    /// How long reserves took so far.
    pub(crate) reserve: &'a Figures,
}

impl Moment<'_> {
    fn words(&self) -> String {
        let ItemBody { available, held, sold, waiting, .. } = self.item;
        let took = |percentile| match self.reserve.answered() {
            0 => "–".to_owned(),
            _ => milliseconds(self.reserve.latency(percentile)),
        };
        let (p50, p99) = (took(50.0), took(99.0));
        format!("available {available} · held {held} · sold {sold} · waiting {waiting} · p50 {p50} p99 {p99}")
    }
}

/// The line.
#[derive(Debug)]
pub(crate) struct Live {
    began: Instant,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Terminal(ProgressBar),
    Lines { last: Option<Instant> },
}

impl Live {
    /// A line for so many customers.
    pub(crate) fn new(all: usize) -> Self {
        let place = if std::io::stdout().is_terminal() {
            let bar = ProgressBar::with_draw_target(u64::try_from(all).ok(), ProgressDrawTarget::stdout());
            // The template is a constant; were it wrong, the library's own style would do.
            if let Ok(style) = ProgressStyle::with_template("{elapsed:>3} {bar:8} {pos}/{len} {wide_msg}") {
                bar.set_style(style);
            }
            Place::Terminal(bar)
        } else {
            Place::Lines { last: None }
        };
        Self { began: Instant::now(), place }
    }

    /// Shows a moment.
    pub(crate) fn show(&mut self, moment: &Moment<'_>) {
        match &mut self.place {
            Place::Terminal(bar) => {
                bar.set_position(u64::try_from(moment.done).unwrap_or(u64::MAX));
                bar.set_message(moment.words());
            }
            Place::Lines { last } => {
                if last.is_none_or(|last| last.elapsed() >= PLAIN_EVERY) {
                    *last = Some(Instant::now());
                    let seconds = self.began.elapsed().as_secs();
                    say(&format!("{seconds:>3} s  {}/{} · {}", moment.done, moment.all, moment.words()));
                }
            }
        }
    }

    /// Takes the line away.
    pub(crate) fn end(&self) {
        if let Place::Terminal(bar) = &self.place {
            bar.finish_and_clear();
        }
    }
}

/// Prints to standard output. Nobody may be reading any more; that is no reason to stop selling.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _unread = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// A duration in milliseconds, as precise as it is worth.
pub(crate) fn milliseconds(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1_000.0;
    if ms < 10.0 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crowd::statistics::{Ending, Kind, Statistics};

    #[test]
    fn the_line_names_what_there_is_and_fits_a_hundred_columns() {
        let item = ItemBody {
            phase: "open".to_owned(),
            total: 1_000,
            available: 0,
            held: 812,
            sold: 188,
            waiting: 7_912,
            per_customer_limit: 1,
            sequence: 9,
        };
        let statistics = Statistics::default();
        statistics.record(Kind::Reserve, Ending::Fine, Duration::from_micros(3_140));
        let moment = Moment { done: 6_412, all: 10_000, item: &item, reserve: &statistics.of(Kind::Reserve) };
        let words = moment.words();
        assert_eq!(words, "available 0 · held 812 · sold 188 · waiting 7912 · p50 3.1 ms p99 3.1 ms");
        assert!(words.chars().count() + "999 s  10000/10000 · ".len() <= 101);
    }
}
