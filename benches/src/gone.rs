//! What an overloaded server does for callers who are not there any more, read from its log (G10, O5).
//!
//! Strictly it is what was made after the caller had hung up: that a server can help, if it notices. What is made in time
//! and only answered too late is no fault of that kind, but is counted too, under customers who wait long enough for none
//! of it to be excused.

use crate::audit::Reread;
use crate::goals::{G10, O5, Row, Spread};
use crate::neighbours;
use crate::run::Run;
use crate::visit::Visit;
use anyhow::{Context, Result};
use std::time::Duration;

/// Who came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Customers {
    /// Those of O1 and O5, who wait longer than any answer should take.
    OfO1,
    /// Others who do.
    Patient,
    /// Those who hang up so soon that many of them do.
    Impatient,
}

/// What one visit showed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    customers: Customers,
    hung_up: u64,
    log: Reread,
    others: f64,
}

impl Seen {
    /// What this visit to the shipped server showed.
    pub(crate) fn of(customers: Customers, visit: &Visit) -> Result<Self> {
        let log = visit.reread.context("the shipped server leaves a log")?;
        Ok(Self { customers, hung_up: visit.measured.tally.gone.len() as u64, log, others: visit.others })
    }

    /// In words, with how long they waited.
    pub(crate) fn words(&self, patience: Duration) -> String {
        let (hung_up, log) = (self.hung_up, self.log);
        format!(
            "Of customers who wait {:.1} ms, {hung_up} asked and hung up; of {} reservations in the log, {} were told to \
             nobody, and {} were made after their customer had hung up.",
            patience.as_secs_f64() * 1e3,
            log.reservations,
            log.untold,
            log.for_the_gone,
        )
    }

    /// A part of the reservations in the log, in per cent; of none there is none.
    fn percent(&self, part: u64) -> Option<f64> {
        (self.log.reservations > 0).then(|| 100.0 * part as f64 / self.log.reservations as f64)
    }
}

/// Both rows.
pub(crate) fn rows(run: &mut Run, seen: &[Seen]) {
    let of_o1: Vec<Seen> = seen.iter().filter(|one| one.customers == Customers::OfO1).copied().collect();
    run.row(Row::new(O5, worst(&of_o1, |one| one.percent(one.log.untold))));
    let mut impatient = seen.iter().filter(|one| one.customers == Customers::Impatient);
    let late = match impatient.any(|one| one.hung_up > 0) {
        true => worst(seen, |one| one.percent(one.log.for_the_gone)),
        false => Err("nobody hung up, so nothing was put to the test".to_owned()),
    };
    run.row(Row::new(G10, late));
}

/// The worst of them stands where the median would. They are counts, which no lag of the generator's can make wrong; but
/// with other programs about it was not the overload that it says.
fn worst(seen: &[Seen], value: impl Fn(&Seen) -> Option<f64>) -> Result<Spread, String> {
    if let Some(doubt) = seen.iter().find_map(|one| neighbours::doubt(one.others)) {
        return Err(doubt);
    }
    let values = seen.iter().map(value).collect::<Option<Vec<f64>>>().ok_or("a log holds no reservation")?;
    let spread = Spread::of(values).ok_or("nothing of the kind happened")?;
    Ok(Spread { median: spread.max, ..spread })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(reservations: u64, untold: u64, others: f64) -> Seen {
        let log = Reread { reservations, untold, ..Reread::default() };
        Seen { customers: Customers::OfO1, hung_up: untold, log, others }
    }

    #[test]
    fn the_worst_visit_counts_and_one_without_a_reservation_is_no_visit() {
        let worst = |seen: &[Seen]| worst(seen, |one| one.percent(one.log.untold));
        let spread = worst(&[seen(1_000, 1, 0.0), seen(1_000, 30, 0.0), seen(1_000, 0, 0.0)]).expect("a figure");
        assert_eq!((spread.median, spread.min, spread.rounds), (3.0, 0.0, 3));
        assert_eq!(worst(&[seen(1_000, 1, 0.0), seen(0, 0, 0.0)]), Err("a log holds no reservation".to_owned()));
        assert!(worst(&[seen(1_000, 1, 0.5)]).is_err(), "others took the processors");
    }
}
