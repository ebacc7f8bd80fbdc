//! An audit as tables.

use super::check::Promise;
use super::ledger::{Books, Ledger};
use super::{Audit, OfProvider};
use crate::tables;

/// What was read, the books of each item, and each promise with a verdict in words.
pub(crate) fn render(audit: &Audit) -> String {
    let mut text = format!(
        "Audit: {} events read back from the log, every record's checksum and place in the hash chain verified.\n",
        audit.events
    );
    text.push_str(&books(audit));
    text.push_str(&promises(audit));
    for ledger in audit.items.values() {
        for (promise, words) in ledger.findings.contradictions() {
            text.push_str(&format!("  ✗ {}: {} ({promise:?})\n", ledger.sku, words));
        }
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

/// One column for each item.
fn books(audit: &Audit) -> String {
    let mut header = vec!["in the log"];
    header.extend(audit.items.values().map(|ledger| ledger.sku.as_str()));
    let mut table = tables::table(&header);
    let mut row = |name: &str, value: &dyn Fn(&Books) -> String| {
        let cells = audit.items.values().map(|ledger| value(&ledger.books));
        table.add_row(std::iter::once(name.to_owned()).chain(cells));
    };
    row("units in total", &|books| books.total.to_string());
    row("granted", &|books| books.granted.to_string());
    row("released (expired, cancelled)", &|books| books.released.to_string());
    row("sold", &|books| books.sold.to_string());
    row("held now", &|books| books.held().to_string());
    row("most held and sold at once", &|books| books.peak.to_string());
    row("began in line", &|books| books.waited.to_string());
    row("promoted", &|books| books.promoted.to_string());
    row("holds expired", &|books| books.expired.to_string());
    row("cancelled", &|books| books.cancelled.to_string());
    row("waited in vain", &|books| books.lapsed.to_string());
    row("captured, in minor units", &|books| books.money.captured.to_string());
    row("  of it paid for goods", &|books| books.money.kept.to_string());
    row("  waits for its order", &|books| books.money.parked.to_string());
    row("  is to go back", &|books| books.money.due.to_string());
    row("  has gone back", &|books| books.money.refunded.to_string());
    row("refunds", &|books| books.money.refunds.to_string());
    row("late payments honoured", &|books| books.money.honoured_late.to_string());
    tables::plain(&table)
}

/// One row for each promise.
fn promises(audit: &Audit) -> String {
    let mut table = tables::table(&["promise", "looked at", "kept"]);
    for promise in Promise::ALL {
        let sum = |count: &dyn Fn(&Ledger) -> u64| audit.items.values().map(count).sum::<u64>();
        let looks = sum(&|ledger| ledger.findings.looks(promise));
        let broken = sum(&|ledger| ledger.findings.broken(promise));
        let kept = match broken {
            0 => tables::verdict(true).to_owned(),
            times => format!("{}, {times} times", tables::verdict(false)),
        };
        table.add_row([promise.words().to_owned(), looks.to_string(), kept]);
    }
    tables::plain(&table)
}
