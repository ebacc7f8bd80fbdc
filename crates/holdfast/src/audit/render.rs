//! An audit as tables.

use super::{Audit, OfProvider, told};
use crate::tables;
use auditor::{ItemBooks, MoneySums, Promise, Report, Units};

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

/// The money of one item over all its currencies.
fn money(books: &ItemBooks) -> MoneySums {
    books.money().fold(MoneySums::default(), |mut all, (_, sums)| {
        all.add(&sums);
        all
    })
}

/// What a row shows, and where it is found.
type Row<B, N> = (&'static str, fn(&B) -> N);

/// One column for each item.
fn books(report: &Report) -> String {
    let mut header = vec!["in the log"];
    header.extend(report.items.values().map(|books| books.sku.as_str()));
    let mut table = tables::table(&header);
    let mut row = |name: &str, value: &dyn Fn(&ItemBooks) -> String| {
        table.add_row(std::iter::once(name.to_owned()).chain(report.items.values().map(value)));
    };
    let units: [Row<Units, i64>; 6] = [
        ("units in total", |units| units.total),
        ("granted", |units| units.granted),
        ("released (expired, cancelled)", |units| units.released),
        ("sold", |units| units.sold),
        ("held now", |units| units.held),
        ("most held and sold at once", |units| units.peak),
    ];
    for (name, value) in units {
        row(name, &|books| value(&books.units).to_string());
    }
    let counts: [Row<Units, u64>; 5] = [
        ("began in line", |units| units.waited),
        ("promoted", |units| units.promoted),
        ("holds expired", |units| units.expired),
        ("cancelled", |units| units.cancelled),
        ("waited in vain", |units| units.lapsed),
    ];
    for (name, value) in counts {
        row(name, &|books| value(&books.units).to_string());
    }
    let sums: [Row<MoneySums, i128>; 5] = [
        ("captured, in minor units", |sums| sums.captured),
        ("  of it paid for goods", |sums| sums.kept),
        ("  waits for its order", |sums| sums.parked),
        ("  is to go back", |sums| sums.due),
        ("  has gone back", |sums| sums.refunded),
    ];
    for (name, value) in sums {
        row(name, &|books| value(&money(books)).to_string());
    }
    row("refunds", &|books| books.refunds_and_honoured().0.to_string());
    row("late payments honoured", &|books| books.refunds_and_honoured().1.to_string());
    tables::plain(&table)
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
