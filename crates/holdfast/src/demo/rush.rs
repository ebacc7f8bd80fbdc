//! The first sale of the demo: the acceptance test of a flash sale. 100 units, 200 buyers at the same instant.

use crate::crowd::{ItemPlan, Kind, Makeup, Outcome, milliseconds};
use crate::exit::Exit;
use crate::tables;
use std::time::Duration;

/// What the acceptance test names for the 95th percentile; shown, not judged: machines differ.
const P95_NAMED: Duration = Duration::from_millis(200);

/// Likewise for the 99th.
const P99_NAMED: Duration = Duration::from_millis(400);

/// Its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rush {
    pub(super) stock: u32,
    pub(super) buyers: usize,
}

impl Rush {
    /// As named, or larger or smaller.
    pub(super) fn scaled(factor: f64) -> Self {
        Self { stock: super::scaled(100, factor), buyers: super::scaled(200, factor) as usize }
    }

    pub(super) fn item(self) -> ItemPlan {
        ItemPlan {
            sku: "acceptance".to_owned(),
            name: "Acceptance test".to_owned(),
            stock: self.stock,
            price_cents: 1_999,
            hold_time_ms: 120_000,
            has_waitlist: false,
            provider: None,
        }
    }

    pub(super) const fn makeup(self) -> Makeup {
        Makeup::simultaneous(self.buyers)
    }

    /// What must be and what was.
    fn rows(self, outcome: &Outcome) -> Vec<Row> {
        let stock = self.stock as usize;
        let holders = stock.min(self.buyers);
        let refused: usize = outcome.tally.refusals.values().sum();
        let free = stock.saturating_sub(holders);
        let available = outcome.after_the_rush.as_ref().map(|item| item.available);
        let held = outcome.after_the_rush.as_ref().map(|item| item.held);
        let lowest = outcome.verdict.lowest_available.unwrap_or(i64::MAX);
        let paid = outcome.tally.told.paid.len();
        vec![
            Row::equal("buyers who hold one", holders, outcome.tally.granted_at_once),
            Row::equal("buyers refused", self.buyers.saturating_sub(holders), refused),
            Row::equal("units held when all have their answer", Some(holders as i64), held),
            Row::equal("units available then", Some(free as i64), available),
            Row {
                what: "fewest units ever available",
                named: "≥ 0".to_owned(),
                seen: lowest.to_string(),
                kept: lowest >= 0,
            },
            Row::equal("orders paid in the end", holders, paid),
            Row::equal("units sold in the end", holders as i64, outcome.item.sold),
        ]
    }

    /// The table, with the latencies beside those that the acceptance test names.
    pub(super) fn render(self, outcome: &Outcome) -> String {
        let mut table = tables::table(&["acceptance test", "named", "seen", ""]);
        for row in self.rows(outcome) {
            table.add_row([row.what, &row.named, &row.seen, tables::verdict(row.kept)]);
        }
        if let Some(reserve) = outcome.figures_of(Kind::Reserve) {
            for (name, percentile, named) in [("reserve p95", 95.0, P95_NAMED), ("reserve p99", 99.0, P99_NAMED)] {
                let seen = reserve.latency(percentile);
                let words = if seen < named { "within" } else { "above (shown, not judged)" };
                table.add_row([name, &format!("< {}", milliseconds(named)), &milliseconds(seen), words]);
            }
        }
        tables::plain(&table)
    }

    /// How a program ends whose rush ended like this.
    pub(super) fn verdict(self, outcome: &Outcome) -> Exit {
        let kept = self.rows(outcome).iter().all(|row| row.kept);
        if kept { crate::crowd::command::verdict(outcome) } else { Exit::Violation }
    }
}

/// One line of the acceptance test.
struct Row {
    what: &'static str,
    named: String,
    seen: String,
    kept: bool,
}

impl Row {
    fn equal<T: PartialEq + std::fmt::Debug>(what: &'static str, named: T, seen: T) -> Self {
        let kept = named == seen;
        let show = |value: T| format!("{value:?}").trim_start_matches("Some(").trim_end_matches(')').to_owned();
        Self { what, named: show(named), seen: show(seen), kept }
    }
}
