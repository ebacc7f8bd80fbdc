//! Events for other programs: one line for each, as JSON objects or as CSV with the same columns.
//!
//! What is left out is told in `fields`: nobody can forge an id or pay in a customer's place with an export.

use crate::error::ReplayError;
use crate::fields;
use crate::fold::{Ask, Progress};
use crate::instant::Rfc3339;
use crate::scope::{Scope, Verdict};
use crate::source::Source;
use crate::walk::Placed;
use domain::event::Event;
use domain::identity::{ItemKey, ReservationId};
use domain::ids::ItemNo;
use domain::text::Sku;
use engine::fold::{Folded, FoldedItem};
use eventlog::{RecordNo, StreamEvent};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::io::Write;

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Ndjson,
    /// Comma-separated values (RFC 4180), with a header line; `fields` is JSON in one of them.
    Csv,
}

/// The columns, in order.
pub const COLUMNS: [&str; 9] = ["partition", "record", "number", "item", "sku", "sequence", "at", "type", "fields"];

/// One event as it is exported.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Its partition.
    pub partition: u8,
    /// The record it stands in.
    pub record: u64,
    /// Its place among all events of the partition.
    pub number: u64,
    /// Its item's number; the partition's own stream has that of the partition, with counter 0.
    pub item: u32,
    /// Its item's name.
    pub sku: Option<String>,
    /// Its place in its stream.
    pub sequence: u64,
    /// When it was logged.
    pub at: Rfc3339,
    /// What kind of event.
    pub r#type: &'static str,
    /// What it says.
    pub fields: Map<String, Value>,
}

/// Names and keys of items, as far as the log has told them.
#[derive(Debug, Default)]
struct Names(HashMap<ItemNo, (Sku, ItemKey)>);

impl Names {
    fn known(folded: &Folded) -> Self {
        let known = folded.items.iter().filter_map(|(no, item)| match item {
            FoldedItem::Whole(item) => Some((*no, (item.sku().clone(), *item.key()))),
            FoldedItem::Broken { .. } => None,
        });
        Self(known.collect())
    }

    fn learn(&mut self, placed: &Placed) {
        if let StreamEvent::Item(recorded) = &placed.event
            && let Event::ItemCreated { spec, key } = &recorded.event
        {
            self.0.insert(placed.item, (spec.sku.clone(), *key));
        }
    }

    fn row(&self, placed: &Placed) -> Row {
        let known = self.0.get(&placed.item);
        let (name, fields) = match &placed.event {
            StreamEvent::Item(recorded) => {
                let mut fields = fields::fields(&recorded.event);
                if let (Some((_, key)), Some(ordinal)) = (known, fields::about(&recorded.event)) {
                    let id = ReservationId::new(placed.item, ordinal, key);
                    fields.insert("reservation_id".to_owned(), id.to_string().into());
                }
                (fields::name(&recorded.event), fields)
            }
            StreamEvent::Partition(recorded) => {
                let fields = fields::partition_fields(&recorded.event);
                (fields::partition_name(&recorded.event), fields.as_object().cloned().unwrap_or_default())
            }
        };
        Row {
            partition: placed.partition.0,
            record: placed.record.0,
            number: placed.number.0,
            item: placed.item.as_u32(),
            sku: known.map(|(sku, _)| sku.to_string()),
            sequence: placed.sequence().0,
            at: Rfc3339(placed.at()),
            r#type: name,
            fields,
        }
    }
}

/// The header line, where the format has one.
///
/// # Errors
/// The output cannot be written.
pub fn header(format: Format, to: &mut dyn Write) -> std::io::Result<()> {
    match format {
        Format::Ndjson => Ok(()),
        Format::Csv => writeln!(to, "{}", COLUMNS.join(",")),
    }
}

/// Writes the events of a log that are asked for, one line each, and says how many there were.
///
/// # Errors
/// [`ReplayError`] where the log is damaged or cannot be read, or the output cannot be written.
pub fn export(
    source: &Source,
    ask: &Ask,
    format: Format,
    to: &mut dyn Write,
    progress: &mut dyn FnMut(Progress),
) -> Result<u64, ReplayError> {
    let (point, folded) = source.begin()?;
    let known = ask.item.as_ref().and_then(|sku| folded.partition.find(sku));
    let mut scope = Scope::new(ask.item.as_ref(), ask.until, known);
    let mut names = Names::known(&folded);
    drop(folded);
    let (mut count, mut told) = (0u64, RecordNo(0));
    for placed in source.walk(point) {
        let placed = placed.map_err(source.failed())?;
        if placed.record > told {
            told = placed.record;
            progress(Progress { partition: source.partition(), record: told, last: source.last() });
        }
        names.learn(&placed);
        match scope.judge(&placed) {
            Verdict::Over => break,
            Verdict::Outside => continue,
            Verdict::Inside if ask.item.is_some() && scope.wanted() != Some(placed.item) => continue,
            Verdict::Inside => {}
        }
        write(&names.row(&placed), format, to)?;
        count = count.saturating_add(1);
    }
    match (&ask.item, scope.wanted()) {
        (Some(sku), None) => Err(ReplayError::UnknownItem { sku: sku.clone() }),
        _ => Ok(count),
    }
}

fn write(row: &Row, format: Format, to: &mut dyn Write) -> std::io::Result<()> {
    match format {
        Format::Ndjson => {
            serde_json::to_writer(&mut *to, row)?;
            to.write_all(b"\n")
        }
        Format::Csv => {
            let Row { partition, record, number, item, sku, sequence, at, r#type, fields } = row;
            let fields = serde_json::to_string(fields)?.replace('"', "\"\"");
            let sku = sku.as_deref().unwrap_or_default();
            writeln!(to, "{partition},{record},{number},{item},{sku},{sequence},{at},{type},\"{fields}\"")
        }
    }
}
