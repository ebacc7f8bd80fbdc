//! Replays in tables and words.

use super::Replayed;
use crate::tables;
use domain::ids::ItemNo;
use replay::diff::{Diff, EventAt, LogDiff};
use replay::explain::Explained;
use replay::{Finding, ItemState, PartitionReplayed, Placed, Receipt, Refused, Rfc3339, Source, with_instants};
use std::fmt::Write;

/// Items shown in the table. A shop can have a hundred thousand.
const ITEMS_SHOWN_MAX: usize = 50;

/// Differences shown.
const DIFFERENCES_SHOWN_MAX: usize = 50;

/// How much of a hash tells two states apart for the eye.
const HASH_SHOWN: usize = 8;

/// The state, its hash, and whether everything is as it should be.
pub(super) fn replayed(replayed: &Replayed) -> String {
    let mut text = String::new();
    for partition in &replayed.partitions {
        text.push_str(&read(replayed, partition));
    }
    text.push_str(&items(&replayed.items));
    text.push_str(&match (&replayed.hash, &replayed.ask.item) {
        (Some(hash), _) => format!("State hash: {hash}\n"),
        (None, Some(_)) => "State hash: only of all items together; the item's own is in the table.\n".to_owned(),
        (None, None) => "State hash: none, because an item is broken.\n".to_owned(),
    });
    for partition in &replayed.partitions {
        text.push_str(&checked(partition));
    }
    for finding in replayed.partitions.iter().flat_map(|partition| partition.findings.told()) {
        let _ = writeln!(text, "  ✗ {}", found(finding));
    }
    let told: usize = replayed.partitions.iter().map(|partition| partition.findings.told().len()).sum();
    let more = replayed.finding_count().saturating_sub(told as u64);
    if more > 0 {
        let _ = writeln!(text, "  … and {more} more");
    }
    text.push_str(if replayed.finding_count() == 0 {
        "Every invariant holds.\n"
    } else {
        "PROMISES WERE BROKEN. Keep the data directory: it is the evidence. A server keeps such items stopped.\n"
    });
    text
}

fn read(replayed: &Replayed, partition: &PartitionReplayed) -> String {
    let PartitionReplayed { no, log_id, began, reached, records, events, torn, .. } = partition;
    let mut text = format!("Partition {}, log {log_id}: {events} events", no.0);
    match reached {
        Some((record, number)) => {
            let _ = write!(text, " replayed, the last is event {number} in record {record}");
        }
        None => text.push_str(" to replay"),
    }
    if let Some(until) = replayed.ask.until {
        let _ = write!(text, "; asked for up to {until}");
    }
    let whole = partition.whole;
    let _ = writeln!(text, ".\n  {records} records read; the last one that is right is {}.", whole.record);
    if began.record.0 > 0 {
        let _ = writeln!(
            text,
            "  Older records were removed: this replay begins at the snapshot of record {}.",
            began.record
        );
    }
    if partition.written_meanwhile {
        let _ = writeln!(
            text,
            "  Somebody wrote to the log while it was copied: this copy got record {}, and later ones may exist.",
            whole.record
        );
    }
    if let Some(torn) = torn {
        let _ = writeln!(
            text,
            "  Left out: {} records ({} bytes) from record {} on, behind what is known to have been durable: {}.\n  \
             That is what a write under way, or an unclean stop, leaves; the next start cuts it.",
            torn.records, torn.bytes, torn.from, torn.fault
        );
    }
    text
}

fn items(items: &[ItemState]) -> String {
    let header = ["item", "phase", "total", "free", "held", "sold", "waiting", "event", "kept, minor", "hash"];
    let mut table = tables::table(&header);
    for item in items.iter().take(ITEMS_SHOWN_MAX) {
        let kept = item.money.iter().filter(|(_, sums)| sums.kept > 0);
        let kept: Vec<String> = kept.map(|(currency, sums)| format!("{} {currency:?}", sums.kept)).collect();
        let hash: String = item.hash.to_string().chars().take(HASH_SHOWN).collect();
        table.add_row([
            item.sku.to_string(),
            if item.broken.is_some() { format!("{}, BROKEN", item.phase) } else { item.phase.to_string() },
            item.stock.total().to_string(),
            item.stock.available().to_string(),
            item.stock.held().to_string(),
            item.stock.sold().to_string(),
            item.waiting.to_string(),
            item.sequence.to_string(),
            kept.join(", "),
            hash,
        ]);
    }
    let mut text = tables::plain(&table);
    let more = items.len().saturating_sub(ITEMS_SHOWN_MAX);
    if more > 0 {
        let _ = writeln!(text, "… and {more} more items; --json lists them all.");
    }
    text
}

fn checked(partition: &PartitionReplayed) -> String {
    let mut text = String::new();
    if let Some(verified) = partition.verified {
        let _ = writeln!(
            text,
            "Verified: checksum, number and chain of {} records; invariants after each of {} events, {} times counted \
             anew in full;\n  {} events byte for byte as this program writes them; {} snapshots equal to the fold{}.",
            partition.records,
            verified.events,
            verified.recounts,
            verified.encodings,
            verified.snapshots,
            match verified.snapshots_unreadable {
                0 => String::new(),
                count => format!(", {count} not readable (a start passes over them too)"),
            }
        );
    }
    if let Some(redecided) = partition.redecided {
        let _ = writeln!(
            text,
            "Judged again: {} commands with the {} events they led to, and {} events that time brought about;\n  {} had \
             nothing to be judged by (registrations), {} were decided by other rules than this program's.",
            redecided.commands, redecided.events, redecided.by_time, redecided.not_judged, redecided.other_rules
        );
    }
    text
}

fn found(finding: &Finding) -> String {
    let Finding { record, number, sequence, at, words, .. } = finding;
    let whose = finding.sku.as_ref().map_or_else(|| stream(finding.item), ToString::to_string);
    let (promise, at) = (finding.promise.name(), Rfc3339(*at));
    format!("{whose}, sequence {sequence} (record {record}, event {number}, {at}), {promise}: {words}")
}

fn stream(item: ItemNo) -> String {
    if item.is_partition_stream() { format!("partition {}", item.partition().0) } else { format!("item {item}") }
}

/// Where two logs part, and what their states differ in.
pub(super) fn diff(found: &Diff) -> String {
    let mut text = String::new();
    if found.partitions.a != found.partitions.b {
        let (a, b) = (found.partitions.a, found.partitions.b);
        let _ = writeln!(text, "A has {a} partitions, B has {b}: only those that both have are compared.");
    }
    for log in &found.logs {
        text.push_str(&parting(log));
    }
    if !found.differences.is_empty() {
        let mut table = tables::table(&["item", "what", "in A", "in B"]);
        for difference in found.differences.iter().take(DIFFERENCES_SHOWN_MAX) {
            let sku = difference.sku.as_ref().map_or("(partition)", |sku| sku.as_str());
            table.add_row([sku, &difference.what, &difference.values.a, &difference.values.b]);
        }
        text.push_str(&tables::plain(&table));
    }
    let more = found.count.saturating_sub(found.differences.len().min(DIFFERENCES_SHOWN_MAX) as u64);
    if more > 0 {
        let _ = writeln!(text, "… and {more} more differences.");
    }
    let told = |hash: &Option<_>| hash.map_or("none, because an item is broken".to_owned(), |hash| format!("{hash}"));
    let hash = |hash: &Option<replay::StateHash>| told(hash);
    let _ = writeln!(text, "State hash of A: {}\nState hash of B: {}", hash(&found.hashes.a), hash(&found.hashes.b));
    text.push_str(if found.is_same() { "They are the same.\n" } else { "They differ.\n" });
    text
}

fn parting(log: &LogDiff) -> String {
    let LogDiff { partition, sides, parting } = log;
    let mut text = format!("Partition {}: A is up to record {}", partition.0, sides.a.whole.record);
    let _ = write!(text, ", B up to record {}", sides.b.whole.record);
    text.push_str(if sides.a.log_id == sides.b.log_id { ", of the same log.\n" } else { ", of another log.\n" });
    let Some(parting) = parting else {
        text.push_str("  They hold the same events.\n");
        return text;
    };
    let there = |event: &Option<EventAt>| match event {
        Some(event) => format!(
            "{} (item {}, sequence {}) in record {} at {}",
            event.name,
            event.item,
            event.sequence,
            event.record,
            Rfc3339(event.at)
        ),
        None => "nothing: it ends before".to_owned(),
    };
    let (a, b) = (there(&parting.events.a), there(&parting.events.b));
    let _ = writeln!(text, "  They part at event {}:\n    A: {a}\n    B: {b}", parting.number);
    text
}

/// A reservation's story.
pub(super) fn story(told: &Explained) -> String {
    let mut text = format!("{} of {}:\n", told.id, told.sku);
    for line in &told.lines {
        let (at, seq, event) = (Rfc3339(line.at), line.seq, line.event);
        let _ = writeln!(text, "  {at}  {seq:>6}  {event}: {}", with_instants(&line.words));
    }
    text
}

/// Whether a log bears a receipt out.
pub(super) fn receipt(told: &Receipt, source: &Source, checked: &Result<Placed, Refused>) -> String {
    match checked {
        Ok(placed) => format!(
            "The log bears the receipt out: event {} of {} stands in record {} of log {}, written {}.\nNothing before \
             it was added, removed or changed since the receipt was given: its hash covers all of that.\n",
            told.sequence,
            told.sku,
            told.record,
            source.log_id(),
            Rfc3339(placed.at()),
        ),
        Err(refused) => format!("The log does not bear the receipt out: {refused}.\n"),
    }
}
