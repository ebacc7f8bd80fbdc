//! A log replayed: the same state every time, as it was at any moment, and everything that is wrong with it.

mod common;

use common::{Shop, at, customer, everything, hash, in_memory, logs, open, replay, reserve, sku};
use domain::endpoint::{EndpointEvent, EndpointNo};
use domain::event::{Event, OpenedBy, PartitionEvent};
use domain::ids::Ordinal;
use domain::item::Phase;
use domain::units::{Quantity, Units};
use engine::fold::Folded;
use eventlog::{EventLog, LocalLog, RecordNo};
use replay::{Ask, Promise, ReplayError, Until, WalkError};

/// The state of the sale in `common`. It must be the same on every machine and in every build; only a new layout of
/// snapshots (`HFS…`) may change it.
const STATE_HASH: &str = "7b13a0770940897da3b897679ba0691b02410548f526b05d14c3cf321b4a96d2";

#[test]
fn replaying_twice_gives_the_same_hash_on_every_machine_and_for_every_log_with_these_events() {
    let disk = in_memory(|_| ());
    let once = replay(&logs(&disk), &everything()).expect("it replays");
    let twice = replay(&logs(&disk), &Ask::default()).expect("it replays");
    assert_eq!(hash(&once), hash(&twice));
    assert_eq!(hash(&once), STATE_HASH);
    let dir = tempfile::tempdir().expect("a directory");
    let mut shop = Shop::on_disk(&dir.path().join("data"));
    shop.sell();
    shop.close();
    let (logs, _place) = open(&dir.path().join("data"));
    assert_eq!(hash(&replay(&logs, &Ask::default()).expect("it replays")), STATE_HASH, "another log id, on disk");
}

#[test]
fn a_right_log_has_no_findings_and_everything_in_it_was_checked() {
    let replayed = replay(&logs(&in_memory(|_| ())), &everything()).expect("it replays");
    assert_eq!(replayed.findings.told(), []);
    let verified = replayed.verified.expect("it was asked for");
    assert_eq!((verified.events, verified.encodings), (replayed.events, replayed.events));
    assert!(verified.recounts > replayed.events / 2, "small items are counted after nearly every event");
    let redecided = replayed.redecided.expect("it was asked for");
    // Two items: registered, created. One expiry, one promotion.
    assert_eq!((redecided.not_judged, redecided.by_time), (4, 2));
    assert_eq!(redecided.commands + 6, replayed.events);
    assert_eq!(replayed.torn, None);
}

#[test]
fn time_travel_gives_the_state_of_that_moment() {
    // The same sale, stopped after each of its turns, is what time travel must give.
    let disk = in_memory(|_| ());
    let source = logs(&disk);
    let all = source.sources.first().expect("one").walk(eventlog::ChainPoint::START);
    let mut folded = Folded::new(common::NO);
    let walk = || source.sources.first().expect("one").walk(eventlog::ChainPoint::START);
    // By the numbers of events, which begin at 1: so at n stands the group of the one behind n.
    let groups: Vec<_> = walk().map(|placed| placed.expect("it is right").group).collect();
    for placed in all {
        let placed = placed.expect("it is right");
        folded.apply(placed.item, &placed.event);
        let ask = Ask { until: Some(Until::Number(placed.number.0)), ..Ask::default() };
        let then = replay(&source, &ask).expect("it replays");
        assert_eq!(replay::state::items(&then.folded), replay::state::items(&folded), "event {}", placed.number);
        assert_eq!(then.reached, Some((placed.record, placed.number)));
        // The log is read to the end of the group that the next event is of, if there is one, and no further is told.
        let upto = groups.get(placed.number.0 as usize).or(groups.last()).copied().expect("there is one");
        assert_eq!((then.whole, then.records), (upto, upto.record.0), "event {}", placed.number);
    }
    let ask = Ask { until: Some(Until::Instant(at(12))), ..Ask::default() };
    let before = replay(&source, &ask).expect("it replays");
    let lamp = replay::state::items(&before.folded).into_iter().next().expect("the lamp");
    assert_eq!((lamp.holds, lamp.waiting, lamp.stock.sold().get()), (1, 2, 1), "bob's hold has a second left");
    let ask = Ask { until: Some(Until::Instant(at(13))), ..Ask::default() };
    let after = replay(&source, &ask).expect("it replays");
    let lamp = replay::state::items(&after.folded).into_iter().next().expect("the lamp");
    assert_eq!((lamp.holds, lamp.waiting), (1, 1), "cyd was promoted");
}

#[test]
fn one_item_is_replayed_alone_up_to_its_own_event() {
    let source = logs(&in_memory(|_| ()));
    let ask = |name, until| Ask { item: Some(sku(name)), until, ..everything() };
    let all = replay(&source, &Ask::default()).expect("it replays");
    let chair = replay(&source, &ask("chair", None)).expect("it replays");
    let alone = replay::state::items(&chair.folded);
    assert_eq!(alone.first(), replay::state::items(&all.folded).get(1));
    assert_eq!((alone.len(), chair.findings.count()), (1, 0));
    let early = replay(&source, &ask("chair", Some(Until::Number(2)))).expect("it replays");
    let state = replay::state::items(&early.folded).into_iter().next().expect("the chair");
    assert_eq!((state.sequence.0, state.phase, state.reservations), (2, Phase::Open, 0));
    let unknown = replay(&source, &ask("sofa", None)).expect_err("there is none");
    assert!(matches!(unknown, ReplayError::UnknownItem { .. }), "{unknown}");
}

#[test]
fn an_event_that_contradicts_the_state_breaks_an_invariant_at_its_item_and_sequence() {
    let mut planted = 0;
    let disk = in_memory(|shop| {
        // The lamps: one sold, one held by cyd, one free. This is the second of two grants for one unit.
        shop.ask("lamp", 16, reserve("eve"));
        let event = Event::HoldPlaced {
            reservation: Ordinal(5),
            customer: customer("fay"),
            quantity: Quantity::ONE,
            waitlist: domain::command::WaitlistChoice::Join,
            deadline: at(27),
        };
        planted = shop.plant("lamp", 17, event);
    });
    let replayed = replay(&logs(&disk), &Ask::default()).expect("the log itself is right");
    let [finding] = replayed.findings.told() else { panic!("{:?}", replayed.findings) };
    assert_eq!(finding.promise, Promise::Invariant);
    assert_eq!((finding.sku.as_ref(), finding.sequence.0), (Some(&sku("lamp")), planted));
    assert!(finding.words.contains("invariant 1"), "{}", finding.words);
    let states = replay::state::items(&replayed.folded);
    assert!(states.iter().any(|item| item.broken.is_some()) && states.iter().any(|item| item.broken.is_none()));
}

#[test]
fn an_event_that_contradicts_a_partitions_own_stream_is_found_and_its_items_are_folded_on() {
    let disk = in_memory(|shop| {
        let no = EndpointNo(7);
        let event = PartitionEvent::Endpoint { endpoint: no, event: Box::new(EndpointEvent::Removed) };
        shop.plant_partition(16, event);
        shop.ask("lamp", 17, reserve("eve"));
    });
    let replayed = replay(&logs(&disk), &Ask::default()).expect("the log itself is right");
    let [finding] = replayed.findings.told() else { panic!("{:?}", replayed.findings) };
    assert_eq!((finding.promise, finding.item.is_partition_stream()), (Promise::Invariant, true));
    assert!(finding.words.contains("endpoint"), "{}", finding.words);
    assert!(replay::state::items(&replayed.folded).iter().all(|item| item.broken.is_none()));
}

#[test]
fn an_event_that_no_decision_leads_to_is_found_though_no_invariant_is_broken() {
    let cases: [(&str, Event); 3] = [
        (
            "its command leads to HoldPlaced",
            Event::WaitlistJoined {
                reservation: Ordinal(4),
                customer: customer("eve"),
                quantity: Quantity::ONE,
                position: 1,
                available: Units::new(1).expect("units"),
            },
        ),
        ("no command leads to it", Event::SaleOpened { by: OpenedBy::Schedule }),
        (
            "its command leads to HoldPlaced",
            Event::HoldPlaced {
                reservation: Ordinal(4),
                customer: customer("eve"),
                quantity: Quantity::ONE,
                waitlist: domain::command::WaitlistChoice::Join,
                deadline: at(600),
            },
        ),
    ];
    for (words, event) in cases {
        let mut planted = 0;
        let disk = in_memory(|shop| planted = shop.plant("lamp", 16, event.clone()));
        let ask = Ask { redecide: true, ..Ask::default() };
        let replayed = replay(&logs(&disk), &ask).expect("the log itself is right");
        let found = replayed.findings.told().iter().find(|finding| finding.promise == Promise::Decision);
        let found = found.unwrap_or_else(|| panic!("{event:?}: {:?}", replayed.findings));
        assert_eq!((found.sku.as_ref(), found.sequence.0), (Some(&sku("lamp")), planted));
        assert!(found.words.contains(words), "{}", found.words);
    }
}

#[test]
fn every_flipped_bit_at_or_before_the_anchor_is_damage_with_its_record() {
    let disk = in_memory(|_| ());
    for record in 1..=10 {
        for bit in [0, 77, 500, 700] {
            let flipped = disk.duplicate();
            assert!(flipped.flip_bit(RecordNo(record), bit));
            let error = replay(&logs(&flipped), &everything()).expect_err("it is damaged");
            let ReplayError::Walk { error, .. } = &error else { panic!("{error}") };
            assert!(error.is_damage() && error.record() == Some(RecordNo(record)), "record {record}: {error}");
            assert!(matches!(error, WalkError::Damage(_)));
        }
    }
}

#[test]
fn a_torn_tail_behind_the_anchor_is_left_out_and_told() {
    let disk = in_memory(|shop| {
        shop.log.write_anchor().expect("an anchor");
    });
    let whole = replay(&logs(&disk), &Ask::default()).expect("it replays");
    let mut longer = None;
    let disk = in_memory(|shop| {
        shop.log.write_anchor().expect("an anchor");
        longer = Some(shop.chain.next_record());
    });
    let last = longer.expect("a record");
    let mut log = eventlog::MemoryLog::open(disk.clone());
    eventlog::recover(&mut log, eventlog::ChainPoint::START, &mut |_| ()).expect("it is right");
    log.claim("a torn claim").expect("a claim");
    disk.tear(last, 30);
    let torn = replay(&logs(&disk), &everything()).expect("it replays");
    let told = torn.torn.expect("a torn tail");
    assert_eq!((told.from, told.records, told.bytes), (last, 1, 30));
    assert_eq!((torn.whole.record, torn.findings.count()), (last.before(), 0));
    assert_eq!(replay::state::items(&torn.folded), replay::state::items(&whole.folded));
}
