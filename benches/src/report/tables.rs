//! Tables on the terminal: what was seen, and what was aimed at.

use crate::Measured;
use crate::goals::Row;
use crate::load::Pace;
use crate::load::tally::Ending;
use crate::run::Run;
use crate::visit::Visit;
use comfy_table::{CellAlignment, Table, presets};
use std::io::IsTerminal;

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    let preset =
        if std::io::stdout().is_terminal() { presets::UTF8_FULL_CONDENSED } else { presets::ASCII_FULL_CONDENSED };
    table.load_style(preset).set_header(header.iter().copied());
    table
}

/// Prints what a run has seen and how the goals came out.
pub(crate) fn print(run: &Run) {
    if !run.kept.is_empty() {
        print_visits(&run.kept);
    }
    let disk = run.disk();
    for (how, sync) in [("in place", disk.in_place), ("appended", disk.appended)] {
        if sync.count > 0 {
            println!("A sync of 4 KiB {how}: p50 {} µs, p99 {} µs ({} of them).", sync.p50_us, sync.p99_us, sync.count);
        }
    }
    for note in &run.notes {
        println!("{note}");
    }
    if !run.rows.is_empty() {
        print_goals(&run.rows);
    }
}

fn print_visits(kept: &[(String, Visit)]) {
    let headers =
        ["scene", "contestant", "workload", "offered/s", "done/s", "other/s", "p50 ms", "p99 ms", "p99.9 ms", "CPU µs"];
    let mut table = table(&headers);
    for (scene, visit) in kept {
        let (measured, all) = (&visit.measured, visit.measured.tally.together());
        let offered = match visit.load.pace {
            Pace::Closed => format!("{} clients", visit.load.connections),
            Pace::Open { rate_per_s } => format!("{rate_per_s:.0}"),
        };
        let done = measured.per_second(Ending::Granted) + measured.per_second(Ending::Waiting);
        let mut other = all.len() as f64 / measured.length.as_secs_f64() - done;
        other += measured.tally.turned_away as f64 / measured.length.as_secs_f64();
        let ms = |quantile| match &visit.doubt {
            None => format!("{:.2}", all.value_at_quantile(quantile) as f64 / 1_000.0),
            Some(_) => "in doubt".to_owned(),
        };
        table.add_row([
            scene.clone(),
            visit.contestant.words().to_owned(),
            visit.workload.to_owned(),
            offered,
            format!("{done:.0}"),
            format!("{other:.0}"),
            ms(0.5),
            ms(0.99),
            ms(0.999),
            format!("{:.1}", visit.cpu_us_per_request),
        ]);
    }
    align(&mut table, 3..10);
    println!("{table}");
    for (scene, visit) in kept {
        if let Some(doubt) = &visit.doubt {
            let also = visit.stood_still.as_ref().map(|still| format!(" ({still})")).unwrap_or_default();
            println!("{scene}, {}: {doubt}{also}.", visit.contestant.words());
        }
    }
}

fn print_goals(rows: &[Row]) {
    let mut table = table(&["", "ratio", "floor", "goal", "measured", "(min–max)", ""]);
    for row in rows {
        let sign = if row.goal.higher_is_better { "≥" } else { "≤" };
        let (measured, spread) = match (&row.measured, &row.none_because) {
            (Some(it), _) => {
                (format!("{:.3}", it.median), format!("{:.3}–{:.3}, {} rounds", it.min, it.max, it.rounds))
            }
            (None, why) => (String::new(), why.clone().unwrap_or_default()),
        };
        table.add_row([
            row.goal.id.to_owned(),
            row.remark.iter().fold(row.goal.words.to_owned(), |words, remark| format!("{words} ({remark})")),
            format!("{sign} {}", row.goal.floor),
            format!("{sign} {}", row.goal.goal),
            measured,
            spread,
            row.verdict().to_owned(),
        ]);
    }
    println!("{table}");
}

/// Prints what was measured inside this process, in nanoseconds.
pub(crate) fn print_inside(measured: &Measured) {
    let mut table = table(&["nanoseconds", "p50", "p99", "p99.9", "max"]);
    for (name, histogram) in measured {
        let at = |quantile| histogram.value_at_quantile(quantile).to_string();
        table.add_row([name.clone(), at(0.5), at(0.99), at(0.999), histogram.max().to_string()]);
    }
    align(&mut table, 1..5);
    println!("{table}");
}

fn align(table: &mut Table, columns: std::ops::Range<usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}
