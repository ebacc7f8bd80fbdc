//! An audit as tables.

use super::{Audit, OfProvider, told};
use crate::tables;
use auditor::{ItemBooks, MoneySums, Promise, Report, Units};

/// Items shown in the tables. A shop can have a hundred thousand.
const ITEMS_SHOWN_MAX: usize = 50;

/// What was read, the books of each item, and each promise with a verdict in words.
pub(crate) fn render(audit: &Audit) -> String {
    let report = &audit.report;
    let mut text = format!(
        "Audit: {} events read back from the log, every record's checksum and place in the hash chain verified.\n",
        report.events
    );
    for log in &report.logs {
        if let Some(torn) = &log.torn {
            text.push_str(&format!(
                "Log {} ends at record {}; behind it an unclean stop left record {}: {}.\n",
                log.log, log.records, torn.record, torn.why
            ));
        }
    }
    text.push_str(&books(report));
    text.push_str(&promises(audit));
    for finding in report.findings() {
        let name = report.items.get(&finding.place.item).map_or("a partition's own stream", |books| books.sku.as_str());
        text.push_str(&format!("  ✗ {name}: {finding}\n"));
    }
    for words in audit.told.iter().flat_map(|told| &told.words) {
        text.push_str(&format!("  ✗ {words}\n"));
    }
    if let Some((provider, OfProvider { captured, refunded })) = audit.provider {
        let name = provider.name();
        text.push_str(&format!(
            "The {name} provider's own books: {captured} taken and {refunded} given back, in minor units; compared with the log.\n"
        ));
    }
    for words in &audit.strays {
        text.push_str(&format!("  ✗ {words}\n"));
    }
    text.push_str(if audit.is_clean() {
        "Every promise is kept.\n"
    } else {
        "PROMISES WERE BROKEN. Keep the data directory: it is the evidence.\n"
    });
    text
}

/// A row for each item, in three tables: what became of units, of reservations, and of money.
fn books(report: &Report) -> String {
    let items: Vec<&ItemBooks> = report.items.values().take(ITEMS_SHOWN_MAX).collect();
    let mut text = units(&items) + &reservations(&items) + &money(&items);
    let more = report.items.len() - items.len();
    if more > 0 {
        text.push_str(&format!("… and {more} more items, recounted like these; --json has the units of all.\n"));
    }
    text
}

fn units(items: &[&ItemBooks]) -> String {
    let header = ["units of", "total", "granted", "released", "sold", "held now", "most held and sold"];
    let mut table = tables::table(&header);
    for ItemBooks { sku, units, .. } in items {
        let Units { total, granted, released, sold, held, peak, .. } = units;
        let counts = [total, granted, released, sold, held, peak].map(ToString::to_string);
        table.add_row([sku.clone()].into_iter().chain(counts));
    }
    tables::plain(&table)
}

fn reservations(items: &[&ItemBooks]) -> String {
    let header = ["reservations of", "in line first", "promoted", "expired", "cancelled", "waited in vain"];
    let mut table = tables::table(&header);
    for ItemBooks { sku, units, .. } in items {
        let Units { waited, promoted, expired, cancelled, lapsed, .. } = units;
        let counts = [waited, promoted, expired, cancelled, lapsed].map(ToString::to_string);
        table.add_row([sku.clone()].into_iter().chain(counts));
    }
    tables::plain(&table)
}

/// One row for each currency of an item, in minor units. An item that never took any has none.
fn money(items: &[&ItemBooks]) -> String {
    let header =
        ["money of", "", "captured", "for goods", "parked", "to go back", "gone back", "refunds", "late, sold"];
    let mut table = tables::table(&header);
    for books in items {
        let (refunds, honoured) = books.refunds_and_honoured();
        for (currency, MoneySums { captured, kept, parked, due, refunded, .. }) in books.money() {
            let sums = [captured, kept, parked, due, refunded].map(|sum| sum.to_string());
            let named = [books.sku.clone(), String::from_utf8_lossy(&currency).into_owned()];
            table.add_row(named.into_iter().chain(sums).chain([refunds.to_string(), honoured.to_string()]));
        }
    }
    if table.is_empty() { String::new() } else { tables::plain(&table) }
}

/// One row for each promise that the log says something about.
fn promises(audit: &Audit) -> String {
    let report = &audit.report;
    let mut table = tables::table(&["promise", "looked at", "kept"]);
    let mut row = |words: &str, looks: u64, broken: u64| {
        let kept = match broken {
            0 => tables::verdict(true).to_owned(),
            times => format!("{}, {times} times", tables::verdict(false)),
        };
        table.add_row([words.to_owned(), looks.to_string(), kept]);
    };
    for promise in Promise::ALL {
        // A shop without bundles promises nothing about them.
        if promise != Promise::Bundles || report.looks(promise) > 0 {
            row(promise.words(), report.looks(promise), report.broken(promise));
        }
    }
    if let Some(told) = &audit.told {
        row(told::WORDS, told.looks, told.broken);
    }
    tables::plain(&table)
}
