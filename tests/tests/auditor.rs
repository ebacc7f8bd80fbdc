//! The independent auditor against the log's own decoder: both read the same of every event; and against logs that
//! were tampered with, chain and checksums made right again: it finds what is wrong.

#[path = "auditor/command.rs"]
mod command;
#[path = "auditor/directory.rs"]
mod directory;
#[path = "auditor/mapping.rs"]
mod mapping;
#[path = "auditor/sale.rs"]
mod sale;

use auditor::{Auditor, Damage, Fault, Moment, Report, Rule};
use domain::event::{Event, Recorded};
use domain::ids::{Ordinal, Seq};
use domain::time::Timestamp;
use domain::units::Units;
use eventlog::{RawEvent, decode_event};
use mapping::mapped;
use sale::{bytes, framed, random_sale};
use std::collections::BTreeSet;
use tests::from_environment;

/// How many random sales are held. The deep tier sets it higher.
fn sales() -> u64 {
    from_environment("HOLDFAST_AUDITED_SALES", 60)
}

const STEPS: usize = 300;

fn audit(log: &[Vec<u8>]) -> Result<Report, Damage> {
    let mut auditor = Auditor::default();
    auditor.log(log, None)?;
    Ok(auditor.finish(Moment::One))
}

#[track_caller]
fn both_read_the_same(event: &[u8], name: &str) {
    let raw = RawEvent::parse(event).expect("a framed event");
    let ours = decode_event(&raw).unwrap_or_else(|error| panic!("{name}: {error}"));
    let theirs = auditor::decode_event(event).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(theirs, mapped(raw.head.item, &ours), "{name}");
}

#[test]
fn both_decoders_read_the_same_of_every_golden_event() {
    let golden = [
        include_str!("../../crates/eventlog/tests/golden/events.txt"),
        include_str!("../../crates/eventlog/tests/golden/events-v1.txt"),
    ];
    let mut names = BTreeSet::new();
    for line in golden.iter().flat_map(|text| text.lines()) {
        let (name, hex) = line.split_once(' ').expect("a name and bytes");
        let digits: Vec<u32> = hex.chars().map(|digit| digit.to_digit(16).expect("a digit")).collect();
        let bytes = digits.chunks(2).map(|pair| u8::try_from(pair.iter().fold(0, |sum, digit| 16 * sum + digit)));
        let bytes: Vec<u8> = bytes.collect::<Result<_, _>>().expect("bytes");
        both_read_the_same(&bytes, name);
        names.insert(name);
        for len in 0..bytes.len() {
            let cut = bytes.get(..len).expect("shorter");
            assert!(auditor::decode_event(cut).is_err(), "{name} cut to {len} bytes");
        }
    }
    assert!(names.len() >= 45, "every event is golden: {}", names.len());
}

#[test]
fn random_sales_are_read_the_same_by_both_decoders_and_found_clean() {
    let (mut events, mut rules) = (0, 0);
    for seed in 0..sales() {
        let records = framed(&random_sale(seed, STEPS));
        for record in &records {
            let mut payload = record.payload();
            for raw in record.events() {
                let (event, rest) = payload.split_at(25 + raw.body.len());
                both_read_the_same(event, &format!("seed {seed}"));
                payload = rest;
            }
        }
        let report = audit(&bytes(&records)).unwrap_or_else(|damage| panic!("seed {seed}: {damage}"));
        let found: Vec<String> = report.findings().map(ToString::to_string).collect();
        assert!(report.is_clean(), "seed {seed}:\n{}", found.join("\n"));
        events += report.events;
        rules += report.looks(auditor::Promise::Fifo);
    }
    println!("{} sales, {events} events; the line was looked at {rules} times", sales());
}

/// The events, numbered anew.
fn renumbered(events: impl IntoIterator<Item = Recorded>) -> Vec<Recorded> {
    (1..).zip(events).map(|(seq, event)| Recorded { seq: Seq(seq), ..event }).collect()
}

/// What the auditor finds in a random sale after somebody changed one of its events, for the first event that can be
/// changed like this.
fn found_after(name: &str, change: impl Fn(&mut Vec<Recorded>, usize) -> bool) -> BTreeSet<Rule> {
    for seed in 0..40 {
        let events = random_sale(seed, STEPS);
        for at in 1..events.len() {
            let mut tampered = events.clone();
            if change(&mut tampered, at) {
                let report = audit(&bytes(&framed(&tampered))).unwrap_or_else(|damage| panic!("{name}: {damage}"));
                return report.rules();
            }
        }
    }
    panic!("{name}: no sale has such an event")
}

/// Drops the first event like this, and numbers the others as if it had never been.
fn dropped(name: &str, wanted: impl Fn(&Event) -> bool) -> BTreeSet<Rule> {
    found_after(name, |events, at| {
        let fits = events.get(at).is_some_and(|found| wanted(&found.event));
        if fits {
            events.remove(at);
            *events = renumbered(std::mem::take(events));
        }
        fits
    })
}

/// Changes the first event that can be changed like this.
fn changed(name: &str, change: impl Fn(&mut Recorded) -> bool) -> BTreeSet<Rule> {
    found_after(name, |events, at| events.get_mut(at).is_some_and(&change))
}

#[track_caller]
fn includes(found: &BTreeSet<Rule>, expected: Rule, name: &str) {
    assert!(found.contains(&expected), "{name}: found {found:?}, and not {expected:?}");
}

#[test]
fn an_event_that_was_dropped_from_a_log_is_missed_even_if_the_chain_is_made_right() {
    let first = |event: &Event| matches!(event, Event::HoldPlaced { .. });
    includes(&dropped("a hold", first), Rule::Life, "a hold");
    let expired = dropped("an expiry", |event| matches!(event, Event::HoldExpired { .. }));
    assert!(!expired.is_empty(), "an expiry");
    includes(&dropped("an opening", |event| matches!(event, Event::SaleOpened { .. })), Rule::Phase, "an opening");
    let promoted = dropped("a promotion", |event| matches!(event, Event::HoldPromoted { .. }));
    assert!(!promoted.is_empty(), "a promotion");
    let order = dropped("an order", |event| matches!(event, Event::OrderPlaced { .. }));
    assert!(!order.is_empty(), "an order");
    let gap = found_after("a gap", |events, at| {
        events.remove(at);
        true
    });
    includes(&gap, Rule::Sequence, "a gap");
}

#[test]
fn events_that_were_swapped_are_noticed_even_if_the_chain_is_made_right() {
    let swapped = found_after("two who join the line", |events, at| {
        let joins =
            |event: Option<&Recorded>| event.is_some_and(|found| matches!(found.event, Event::WaitlistJoined { .. }));
        let fits = joins(events.get(at)) && joins(events.get(at + 1));
        if fits {
            events.swap(at, at + 1);
            *events = renumbered(std::mem::take(events));
        }
        fits
    });
    includes(&swapped, Rule::Place, "two who join the line");
    let backwards = found_after("two events of different times", |events, at| {
        let later = |at: usize| events.get(at).map(|found| found.at);
        let fits = later(at) < later(at + 1);
        if fits {
            events.swap(at, at + 1);
            *events = renumbered(std::mem::take(events));
        }
        fits
    });
    includes(&backwards, Rule::Time, "two events of different times");
}

#[test]
fn events_that_were_changed_are_noticed_even_if_the_chain_is_made_right() {
    let earlier = |at: Timestamp| Timestamp::from_millis(at.as_millis() - 1);
    let quantity = changed("a quantity", |found| match &mut found.event {
        Event::HoldPlaced { quantity, .. } => {
            *quantity = domain::units::Quantity::new(9).expect("a quantity");
            true
        }
        _ => false,
    });
    includes(&quantity, Rule::Terms, "a quantity");
    includes(&quantity, Rule::Oversold, "a quantity");
    let deadline = changed("a deadline", |found| match &mut found.event {
        Event::HoldPlaced { deadline, .. } => {
            *deadline = earlier(*deadline);
            true
        }
        _ => false,
    });
    includes(&deadline, Rule::Deadline, "a deadline");
    let expiry = changed("an expiry", |found| match &mut found.event {
        Event::HoldExpired { release_at, .. } => {
            *release_at = earlier(*release_at);
            true
        }
        _ => false,
    });
    includes(&expiry, Rule::EndedEarly, "an expiry");
    let promoted = changed("a promotion", |found| match &mut found.event {
        Event::HoldPromoted { reservation, .. } => {
            *reservation = Ordinal(reservation.0 + 1);
            true
        }
        _ => false,
    });
    includes(&promoted, Rule::OutOfTurn, "a promotion");
    let released = changed("units that are set free", |found| match &mut found.event {
        Event::ReservationCancelled { released, .. } if *released != Units::ZERO => {
            *released = Units::ZERO;
            true
        }
        _ => false,
    });
    includes(&released, Rule::Released, "units that are set free");
    let amount = changed("an amount", |found| match &mut found.event {
        Event::OrderPlaced { amount, .. } => {
            amount.minor += 1;
            true
        }
        _ => false,
    });
    includes(&amount, Rule::Price, "an amount");
    let total = changed("a total", |found| match &mut found.event {
        Event::StockAdjusted { total, .. } => {
            *total = total.plus(Units::new(1).expect("units")).expect("units");
            true
        }
        _ => false,
    });
    includes(&total, Rule::Total, "a total");
}

#[test]
fn a_request_a_payment_or_a_sale_that_was_written_twice_is_noticed() {
    let again = |wanted: fn(&Recorded) -> bool| {
        found_after("an event twice", |events, at| {
            let found = events.get(at).filter(|found| wanted(found)).cloned();
            let fits = found.is_some();
            found.into_iter().for_each(|found| events.insert(at, found));
            *events = renumbered(std::mem::take(events));
            fits
        })
    };
    includes(&again(|found| found.idempotency.is_some()), Rule::KeyTwice, "a request");
    let paid = again(|found| matches!(&found.event, Event::Payment { .. }));
    includes(&paid, Rule::Twice, "a payment");
    includes(&again(|found| matches!(found.event, Event::PurchaseConfirmed { .. })), Rule::Life, "a sale");
}

#[test]
fn every_bit_that_was_flipped_in_a_log_is_damage() {
    let log = bytes(&framed(&random_sale(1, 30)));
    audit(&log).expect("it is whole");
    let bits: usize = log.iter().map(|record| record.len() * 8).sum();
    for bit in (0..bits).step_by(7) {
        let (mut tampered, mut at) = (log.clone(), bit / 8);
        for record in &mut tampered {
            match record.get_mut(at) {
                Some(byte) => {
                    *byte ^= 1 << (bit % 8);
                    break;
                }
                None => at -= record.len(),
            }
        }
        audit(&tampered).map(|_| ()).expect_err("one bit is another");
    }
}

#[test]
fn a_record_that_is_missing_cut_or_put_elsewhere_is_damage_and_its_place_is_named() {
    let log = bytes(&framed(&random_sale(2, STEPS)));
    let damage = |change: fn(&mut Vec<Vec<u8>>)| {
        let mut tampered = log.clone();
        change(&mut tampered);
        let damage = audit(&tampered).map(|_| ()).expect_err("it is damaged");
        (damage.record, damage.fault)
    };
    let missing = damage(|log| drop(log.remove(1)));
    assert_eq!(missing, (2, Fault::Number { expected: 2, found: 3 }));
    assert_eq!(damage(|log| log.swap(1, 2)).0, 2);
    let cut = damage(|log| {
        if let Some(record) = log.get_mut(2) {
            record.pop();
        }
    });
    assert!(matches!(cut, (3, Fault::PayloadLength { .. })), "{cut:?}");
}

#[test]
fn what_is_missing_up_to_the_anchor_is_damage_and_behind_it_a_torn_end() {
    let records = framed(&random_sale(3, STEPS));
    let at = |number: usize| {
        let record = records.get(number - 1).expect("there are more");
        Some(auditor::Anchor { log_id: sale::LOG.0, record: number as u64, hash: record.hash().0 })
    };
    let mut log = bytes(&records);
    log.truncate(4);
    if let Some(last) = log.last_mut() {
        last.pop();
    }
    let read = |anchor| {
        let mut auditor = Auditor::default();
        auditor.log(&log, anchor).map(|()| auditor.finish(Moment::One))
    };
    let torn = read(at(3)).expect("what was acknowledged is there");
    assert!(torn.is_clean());
    let log_read = torn.logs.first().expect("one log");
    assert_eq!((log_read.records, log_read.torn.as_ref().map(|torn| torn.record)), (3, Some(4)));
    for anchor in [at(4), at(5), None] {
        assert_eq!(read(anchor).map(|_| ()).expect_err("it is damaged").record, 4);
    }
    let another = at(3).map(|anchor| auditor::Anchor { hash: [0; 32], ..anchor });
    let damage = read(another).map(|_| ()).expect_err("it is another log");
    assert_eq!((damage.record, damage.fault), (3, Fault::NotTheAnchors));
}
