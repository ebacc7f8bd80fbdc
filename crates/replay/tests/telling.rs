//! What a log is told as: stories, exports, receipts.

mod common;

use common::{Shop, in_memory, logs, reserve, sku};
use domain::ids::{Ordinal, Seq};
use eventlog::{ChainHash, LogId, MemoryDisk, RecordNo};
use replay::explain::explain;
use replay::export::{COLUMNS, Format, export, header};
use replay::receipt::{check, make};
use replay::{Ask, Logs, Receipt, Refused, ReplayError, Source, Until, with_instants};
use serde_json::Value;

fn source(logs: &Logs) -> &Source {
    logs.sources.first().expect("one")
}

fn exported(logs: &Logs, ask: &Ask, format: Format) -> (u64, String) {
    let mut out = Vec::new();
    header(format, &mut out).expect("memory");
    let count = export(source(logs), ask, format, &mut out, &mut |_| ()).expect("it is right");
    (count, String::from_utf8(out).expect("text"))
}

#[test]
fn a_reservation_is_explained_from_the_log_and_a_strangers_id_is_not_known() {
    let disk = in_memory(|_| ());
    let logs = logs(&disk);
    let other = MemoryDisk::new(LogId([9; 16]));
    let mut shop = Shop::in_memory(&other);
    shop.sell();
    let explained = explain(source(&logs), shop.id("lamp", 2), &mut |_| ()).expect("it is right").expect("it is there");
    let story: String = explained
        .lines
        .iter()
        .map(|line| format!("{} {}: {}\n", line.seq, line.event, with_instants(&line.words)))
        .collect();
    insta::assert_snapshot!(story);
    let never_given = domain::identity::ReservationId::new(
        shop.id("lamp", 2).item(),
        Ordinal(2),
        &domain::identity::ItemKey::from_bytes([8; 32]),
    );
    assert_eq!(explain(source(&logs), never_given, &mut |_| ()).expect("it is right"), None);
    assert_eq!(explain(source(&logs), shop.id("lamp", 77), &mut |_| ()).expect("it is right"), None);
}

#[test]
fn every_event_is_exported_as_one_line_that_can_be_read_back() {
    let logs = logs(&in_memory(|_| ()));
    let (count, text) = exported(&logs, &Ask::default(), Format::Ndjson);
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(rows.len() as u64, count);
    for (number, row) in (1u64..).zip(&rows) {
        assert_eq!(row.get("number"), Some(&number.into()));
        assert!(COLUMNS.iter().all(|column| row.get(column).is_some()), "{row}");
    }
    assert!(!text.contains("key"), "an item's secret is never exported");
    insta::assert_snapshot!(text);
}

#[test]
fn csv_has_the_same_columns_and_the_same_values() {
    let logs = logs(&in_memory(|_| ()));
    let (_, ndjson) = exported(&logs, &Ask::default(), Format::Ndjson);
    let (_, csv) = exported(&logs, &Ask::default(), Format::Csv);
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some(COLUMNS.join(",").as_str()));
    for (line, object) in lines.zip(ndjson.lines()) {
        let object: Value = serde_json::from_str(object).expect("JSON");
        // Only the last column is quoted: the others hold no comma.
        let (plain, quoted) = line.split_once(",\"").expect("a quoted column");
        let fields = quoted.strip_suffix('"').expect("the end").replace("\"\"", "\"");
        assert_eq!(object.get("fields"), Some(&serde_json::from_str(&fields).expect("JSON")));
        for (column, cell) in COLUMNS.iter().zip(plain.split(',')) {
            let value = object.get(column).expect("a column");
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            assert_eq!(if value.is_null() { "" } else { &text }, cell, "{column}");
        }
    }
}

#[test]
fn one_item_is_exported_alone_and_up_to_an_event() {
    let logs = logs(&in_memory(|_| ()));
    let ask = Ask { item: Some(sku("chair")), until: Some(Until::Number(3)), ..Ask::default() };
    let (count, text) = exported(&logs, &ask, Format::Ndjson);
    assert_eq!(count, 3, "{text}");
    assert!(text.lines().all(|line| line.contains("\"sku\":\"chair\"")), "{text}");
    let ask = Ask { item: Some(sku("sofa")), ..Ask::default() };
    let unknown = export(source(&logs), &ask, Format::Csv, &mut Vec::new(), &mut |_| ());
    assert!(matches!(unknown, Err(ReplayError::UnknownItem { .. })));
}

#[test]
fn a_receipt_is_borne_out_by_its_log_however_long_it_has_grown_and_by_no_other() {
    let disk = in_memory(|_| ());
    let receipt = make(source(&logs(&disk)), &sku("lamp"), Seq(4), &mut |_| ()).expect("it is right").expect("there");
    assert_eq!(receipt.to_string().parse(), Ok(receipt.clone()));
    let longer = in_memory(|shop| shop.ask("lamp", 30, reserve("eve")));
    for disk in [&disk, &longer] {
        let found = check(source(&logs(disk)), &receipt, &mut |_| ()).expect("it is right").expect("borne out");
        assert_eq!((found.record, found.sequence()), (receipt.record, Seq(4)));
    }
    // The same sale in another log, with another id.
    let other = MemoryDisk::new(LogId([8; 16]));
    Shop::in_memory(&other).sell();
    let refused = check(source(&logs(&other)), &receipt, &mut |_| ()).expect("it is right").expect_err("another log");
    assert!(matches!(refused, Refused::OtherRecord { .. }), "{refused}");
}

#[test]
fn a_receipt_that_was_changed_is_refused() {
    let logs = logs(&in_memory(|_| ()));
    let right = make(source(&logs), &sku("lamp"), Seq(4), &mut |_| ()).expect("it is right").expect("there");
    let refused = |receipt: Receipt| {
        let checked = check(source(&logs), &receipt, &mut |_| ()).expect("the log is right");
        checked.expect_err("it was changed")
    };
    let other_event = Receipt { event: [0; 32], ..right.clone() };
    assert!(matches!(refused(other_event), Refused::OtherEvent { .. }));
    let other_chain = Receipt { chain: ChainHash([0; 32]), ..right.clone() };
    assert!(matches!(refused(other_chain), Refused::OtherRecord { .. }));
    let other_sequence = Receipt { sequence: Seq(5), ..right.clone() };
    assert!(matches!(refused(other_sequence), Refused::NoSuchEvent { .. }));
    let other_item = Receipt { sku: sku("chair"), ..right.clone() };
    assert!(matches!(refused(other_item), Refused::NoSuchEvent { .. }));
    let ahead = Receipt { record: RecordNo(1_000), ..right };
    assert!(matches!(refused(ahead), Refused::NotReached { .. }));
}

#[test]
fn what_is_no_receipt_is_refused_with_the_part_that_is_wrong() {
    let logs = logs(&in_memory(|_| ()));
    let right = make(source(&logs), &sku("lamp"), Seq(4), &mut |_| ()).expect("it is right").expect("there");
    let text = right.to_string();
    let cases = [
        ("", "beginning"),
        ("hfr2:0:1", "beginning"),
        ("hfr1:256:1", "partition"),
        ("hfr1:0", "record"),
        (text.get(..40).expect("a part"), "record's hash"),
        (text.get(..text.len() - 1).expect("a part"), "event's hash"),
    ];
    for (text, part) in cases {
        let error = text.parse::<Receipt>().expect_err("it is none");
        assert_eq!(error.part, part, "{text}");
    }
    assert!(format!("{text}:").parse::<Receipt>().is_err());
}
