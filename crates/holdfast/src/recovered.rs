//! What opening a data directory found, in words.

use engine::{OpenReport, PartitionReport};

/// One line for what was recovered, and one for each thing that an operator has to know of.
pub(crate) fn lines(report: &OpenReport) -> Vec<String> {
    let sum = |count: &dyn Fn(&PartitionReport) -> u64| report.partitions.iter().map(count).sum::<u64>();
    let items = sum(&|partition| partition.items as u64);
    let (events, records) = (sum(&|partition| partition.events), sum(&|partition| partition.records));
    let snapshots = report.partitions.iter().filter(|partition| partition.snapshot.is_some()).count();
    let behind = match snapshots {
        0 => String::new(),
        count => format!(" behind {count} snapshot(s)"),
    };
    // Every start writes a record of its own, so only a directory that nobody used yet has none.
    let is_new = records == 0 && snapshots == 0;
    let mut lines = vec![match (items, events) {
        (0, 0) if is_new => "Recovered:              nothing; this data directory is new".to_owned(),
        (0, 0) => format!("Recovered:              no items yet; {records} records of earlier starts{behind}"),
        _ => format!("Recovered:              {items} items; {events} events in {records} records{behind}"),
    }];
    for partition in &report.partitions {
        lines.extend(notable(partition));
    }
    lines
}

fn notable(partition: &PartitionReport) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(cut) = &partition.cut {
        lines.push(format!(
            "Torn tail:              partition {}: {} record(s), {} bytes, from record {} on were cut after an unclean \
             stop ({}). They lay behind the last point that was known to be durable",
            partition.no.0, cut.records, cut.bytes, cut.from, cut.fault
        ));
    }
    if let Some(why) = &partition.stopped {
        lines.push(format!(
            "STOPPED:                the own stream of partition {}: {why}. It takes no new items, bundles or endpoints; its \
             items are served. It is a bug: keep a copy of the directory, and see docs/operations.md",
            partition.no.0
        ));
    }
    for (sku, why) in &partition.broken {
        lines.push(format!("STOPPED:                item {sku}: {why}. Every other item is served"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ids::PartitionNo;
    use domain::text::Sku;
    use eventlog::recovery::Fault;
    use eventlog::{Cut, RecordNo};

    fn partition() -> PartitionReport {
        PartitionReport {
            no: PartitionNo(0),
            snapshot: None,
            records: 0,
            events: 0,
            items: 0,
            broken: Vec::new(),
            stopped: None,
            cut: None,
        }
    }

    #[test]
    fn a_new_directory_and_an_old_one_are_told_apart() {
        let told = |partition| lines(&OpenReport { partitions: vec![partition] }).join("\n");
        assert!(told(partition()).contains("new"));
        let idle = told(PartitionReport { records: 2, ..partition() });
        assert_eq!(idle, "Recovered:              no items yet; 2 records of earlier starts");
        let folded = told(PartitionReport { snapshot: Some(RecordNo(7)), ..partition() });
        assert!(!folded.contains("new"), "{folded}");
        let old = PartitionReport { records: 4, events: 9, items: 2, snapshot: Some(RecordNo(7)), ..partition() };
        assert_eq!(told(old), "Recovered:              2 items; 9 events in 4 records behind 1 snapshot(s)");
    }

    #[test]
    fn a_torn_tail_is_told_with_its_size_and_a_broken_item_with_its_reason() {
        let cut = Cut { from: RecordNo(18), records: 3, bytes: 512, fault: Fault::GroupNotWhole };
        let broken = vec![(Sku::parse("phone").expect("it works"), "invariant 1".to_owned())];
        let told = notable(&PartitionReport { cut: Some(cut), broken, ..partition() }).join("\n");
        for expected in ["3 record(s)", "512 bytes", "record 18", "item phone", "invariant 1"] {
            assert!(told.contains(expected), "{expected} is missing in {told}");
        }
    }
}
