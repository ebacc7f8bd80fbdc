//! Replays for machines.

use super::Replayed;
use crate::exit::Failure;
use replay::diff::{Diff, EventAt, Side};
use replay::explain::Explained;
use replay::{
    Finding, ItemState, PartitionReplayed, Placed, Receipt, Redecided, Refused, ReplayError, Rfc3339, Verified,
    with_instants,
};
use serde_json::{Value, json};

fn text(value: &Value) -> String {
    format!("{value:#}")
}

/// The state, its hash, and whether everything is as it should be.
pub(super) fn replayed(replayed: &Replayed) -> String {
    let findings = replayed.partitions.iter().flat_map(|partition| partition.findings.told());
    text(&json!({
        "ok": replayed.finding_count() == 0,
        "until": replayed.ask.until.map(|until| until.to_string()),
        "partitions": replayed.partitions.iter().map(partition).collect::<Vec<_>>(),
        "items": replayed.items.iter().map(item).collect::<Vec<_>>(),
        "state_hash": replayed.hash.map(|hash| hash.to_string()),
        "finding_count": replayed.finding_count(),
        "findings": findings.map(finding).collect::<Vec<_>>(),
    }))
}

/// Why there is nothing to show, with the position where there is one.
pub(super) fn failed(failure: &Failure) -> String {
    let cause = failure.error.downcast_ref::<ReplayError>();
    let (partition, record) = match cause {
        Some(ReplayError::Walk { partition, error }) => (Some(partition.0), error.record().map(|record| record.0)),
        _ => (None, None),
    };
    let damaged = cause.is_some_and(ReplayError::is_damage);
    let error = failure.error.to_string();
    text(&json!({ "ok": false, "damaged": damaged, "partition": partition, "record": record, "error": error }))
}

fn partition(partition: &PartitionReplayed) -> Value {
    let torn = partition.torn.as_ref().map(|torn| {
        json!({
            "from_record": torn.from.0, "records": torn.records, "bytes": torn.bytes,
            "fault": torn.fault.to_string(),
        })
    });
    json!({
        "partition": partition.no.0,
        "log": partition.log_id.to_string(),
        "began_behind_record": partition.began.record.0,
        "last_record": partition.whole.record.0,
        "last_record_hash": partition.whole.hash.to_string(),
        "reached_record": partition.reached.map(|(record, _)| record.0),
        "reached_event": partition.reached.map(|(_, event)| event.0),
        "records": partition.records,
        "events": partition.events,
        "bundles": partition.folded.partition.bundle_count(),
        "torn": torn,
        "written_meanwhile": partition.written_meanwhile,
        "verified": partition.verified.map(verified),
        "redecided": partition.redecided.map(redecided),
    })
}

fn verified(verified: Verified) -> Value {
    let Verified { events, recounts, encodings, snapshots, snapshots_unreadable } = verified;
    json!({
        "events": events, "recounts": recounts, "encodings": encodings, "snapshots": snapshots,
        "snapshots_unreadable": snapshots_unreadable,
    })
}

fn redecided(redecided: Redecided) -> Value {
    let Redecided { commands, events, by_time, not_judged, other_rules } = redecided;
    json!({
        "commands": commands, "events": events, "by_time": by_time, "not_judged": not_judged,
        "other_rules": other_rules,
    })
}

fn item(item: &ItemState) -> Value {
    let money = item.money.iter().map(|(currency, sums)| {
        json!({
            "currency": currency.as_str(), "captured": sums.captured, "parked": sums.parked, "kept": sums.kept,
            "due": sums.due, "refunded": sums.refunded,
        })
    });
    json!({
        "item": item.no.as_u32(),
        "sku": item.sku.as_str(),
        "phase": item.phase.name(),
        "sequence": item.sequence.0,
        "at": Rfc3339(item.now),
        "revision": item.revision.0,
        "total": item.stock.total().get(),
        "available": item.stock.available().get(),
        "held": item.stock.held().get(),
        "sold": item.stock.sold().get(),
        "holds": item.holds,
        "waiting": item.waiting,
        "reservations": item.reservations,
        "money": money.collect::<Vec<_>>(),
        "hash": item.hash.to_string(),
        "broken": item.broken,
    })
}

fn finding(finding: &Finding) -> Value {
    json!({
        "promise": finding.promise.name(),
        "partition": finding.partition.0,
        "record": finding.record.0,
        "number": finding.number.0,
        "item": finding.item.as_u32(),
        "sku": finding.sku.as_ref().map(|sku| sku.as_str()),
        "sequence": finding.sequence.0,
        "at": Rfc3339(finding.at),
        "words": finding.words,
    })
}

/// Where two logs part, and what their states differ in.
pub(super) fn diff(found: &Diff) -> String {
    let side = |side: &Side| {
        json!({
            "log": side.log_id.to_string(), "last_record": side.whole.record.0, "last_event": side.whole.event.0,
            "written_meanwhile": side.written_meanwhile,
        })
    };
    let logs = found.logs.iter().map(|log| {
        let parting = log.parting.as_ref().map(|parting| {
            let (a, b) = (parting.events.a.as_ref().map(event), parting.events.b.as_ref().map(event));
            json!({ "number": parting.number.0, "a": a, "b": b })
        });
        json!({ "partition": log.partition.0, "a": side(&log.sides.a), "b": side(&log.sides.b), "parting": parting })
    });
    let differences = found.differences.iter().map(|found| {
        let sku = found.sku.as_ref().map(|sku| sku.as_str());
        json!({ "sku": sku, "what": found.what, "a": found.values.a, "b": found.values.b })
    });
    text(&json!({
        "same": found.is_same(),
        "partitions": { "a": found.partitions.a, "b": found.partitions.b },
        "logs": logs.collect::<Vec<_>>(),
        "state_hash": {
            "a": found.hashes.a.map(|hash| hash.to_string()), "b": found.hashes.b.map(|hash| hash.to_string()),
        },
        "difference_count": found.count,
        "differences": differences.collect::<Vec<_>>(),
    }))
}

fn event(event: &EventAt) -> Value {
    json!({
        "record": event.record.0, "item": event.item.as_u32(), "sequence": event.sequence.0, "at": Rfc3339(event.at),
        "type": event.name,
    })
}

/// A reservation's story, as the API tells it.
pub(super) fn story(told: &Explained) -> String {
    let lines = told.lines.iter().map(|line| {
        json!({
            "sequence": line.seq.0, "at": Rfc3339(line.at), "event": line.event, "words": with_instants(&line.words),
        })
    });
    let story: Vec<Value> = lines.collect();
    text(&json!({ "reservation": told.id.to_string(), "item": told.sku.as_str(), "story": story }))
}

/// Whether a log bears a receipt out.
pub(super) fn receipt(told: &Receipt, checked: &Result<Placed, Refused>) -> String {
    text(&json!({
        "ok": checked.is_ok(),
        "receipt": told.to_string(),
        "at": checked.as_ref().ok().map(|placed| Rfc3339(placed.at())),
        "refused": checked.as_ref().err().map(ToString::to_string),
    }))
}
