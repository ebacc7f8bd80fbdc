//! The outcome of a crowd as tables.

use super::{Fate, Outcome, milliseconds};
use crate::tables;

/// What became of everybody, what the requests took, and what the oracle says.
pub(crate) fn outcome(outcome: &Outcome) -> String {
    let parts = [people(outcome), requests(outcome), oracle(outcome), troubles(outcome)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn people(outcome: &Outcome) -> String {
    let mut table = tables::table(&["customers", "what became of them"]);
    for (fate, count) in &outcome.tally.fates {
        table.add_row([count.to_string(), fate.words().to_owned()]);
    }
    let tally = &outcome.tally;
    let not_done = outcome.customers.saturating_sub(tally.done());
    if not_done > 0 {
        table.add_row([not_done.to_string(), "were not done when the crowd was called off".to_owned()]);
    }
    let refusals: Vec<_> = tally.refusals.iter().map(|(code, count)| format!("{count} {code}")).collect();
    let refusals = if refusals.is_empty() { "none".to_owned() } else { refusals.join(", ") };
    format!(
        "{}{} held at once, {} began in line, {} of them promoted; {} holds extended; {} answers given again under \
         the same key.\nReserves refused: {refusals}.\n",
        tables::plain(&table),
        tally.granted_at_once,
        tally.waited,
        tally.promoted,
        tally.extended,
        tally.replayed,
    )
}

/// Answers per kind with percentiles, and those that had to be tried again.
fn requests(outcome: &Outcome) -> String {
    let mut table =
        tables::table(&["request", "answers", "fine", "refused", "tried again", "p50", "p95", "p99", "slowest"]);
    for figures in &outcome.figures {
        table.add_row([
            figures.kind.name().to_owned(),
            figures.answered().to_string(),
            figures.fine.to_string(),
            figures.refused.to_string(),
            figures.trouble().to_string(),
            milliseconds(figures.latency(50.0)),
            milliseconds(figures.latency(95.0)),
            milliseconds(figures.latency(99.0)),
            milliseconds(figures.slowest()),
        ]);
    }
    tables::plain(&table)
}

fn oracle(outcome: &Outcome) -> String {
    let verdict = &outcome.verdict;
    let lowest = verdict.lowest_available.map_or("never told".to_owned(), |lowest| lowest.to_string());
    let mut text = format!(
        "Oracle: {} checks while it ran, {} contradictions; fewest units ever available: {lowest}.\n",
        verdict.checks, verdict.violation_count
    );
    for words in &verdict.violations {
        text.push_str(&format!("  ✗ {words}\n"));
    }
    text
}

fn troubles(outcome: &Outcome) -> String {
    let count = outcome.tally.fates.get(&Fate::InTrouble).copied().unwrap_or_default();
    if count == 0 {
        return String::new();
    }
    let mut text = format!("{count} customers got no proper answer; some of the reasons:\n");
    for words in &outcome.tally.troubles {
        text.push_str(&format!("  {words}\n"));
    }
    text
}
