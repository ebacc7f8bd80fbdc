//! Framing there and back, and everything that can be wrong with bytes.

use super::*;
use crate::ids::{ChainPoint, EventNo, LogId};
use crate::limits::{EVENT_BYTES_MAX, EVENT_HEADER_BYTES, HEADER_BYTES, RECORD_BYTES_MAX};
use domain::ids::{ItemNo, Seq};
use domain::time::Timestamp;
use proptest::prelude::*;

const LOG: LogId = LogId([3; 16]);

fn event(seq: u64, body: &[u8]) -> EncodedEvent {
    let (tag, version) = (Tag(4), BodyVersion(1));
    let head = EventHead { item: ItemNo::from_u32(1), seq: Seq(seq), at: Timestamp::from_millis(seq), tag, version };
    EncodedEvent::new(head, body).expect("it fits")
}

fn claimed() -> (Record, Chain) {
    Chain::claim(LOG, ChainPoint::START, "tests").expect("a short claimant")
}

fn groups(sizes: &[usize]) -> Vec<Record> {
    let (claim, mut chain) = claimed();
    let mut records = vec![claim];
    for &size in sizes {
        records.extend(chain.frame(&(1..=size as u64).map(|seq| event(seq, &[7; 900])).collect::<Vec<_>>()));
    }
    records
}

fn seqs(records: &[Record]) -> Vec<u64> {
    records.iter().flat_map(Record::events).map(|event| event.head.seq.0).collect()
}

#[test]
fn a_record_has_the_published_layout() {
    let (_, mut chain) = claimed();
    let record = chain.frame([&event(1, b"abc")]).remove(0);
    let at = |from: usize, len: usize| record.bytes().get(from..from + len).expect("in range").to_vec();
    assert_eq!(at(0, 4), b"HFR1");
    assert_eq!(at(4, 2), [1, 3], "format version, flags");
    assert_eq!(at(6, 2), [1, 0], "rules version");
    assert_eq!(at(8, 16), [3; 16], "log id");
    assert_eq!(at(24, 8), 2u64.to_le_bytes(), "record number");
    assert_eq!(at(32, 8), 1u64.to_le_bytes(), "epoch");
    assert_eq!(at(40, 8), 1u64.to_le_bytes(), "first event");
    assert_eq!(at(48, 4), 1u32.to_le_bytes(), "event count");
    assert_eq!(at(52, 4), 28u32.to_le_bytes(), "payload length");
    assert_eq!(at(56, 32), claimed().0.hash().0, "previous hash");
    let mut zeroed = record.bytes().to_vec();
    zeroed.splice(88..92, [0; 4]);
    assert_eq!(at(88, 4), crc32fast::hash(&zeroed).to_le_bytes(), "checksum");
    assert_eq!(at(92, 4), 1u32.to_le_bytes(), "item");
    assert_eq!(at(114, 3), [1, 3, 0], "body version and length");
    assert_eq!(at(117, 3), b"abc");
    assert_eq!(record.bytes().len(), HEADER_BYTES + EVENT_HEADER_BYTES + 3);
}

#[test]
fn the_longest_event_fits_a_record_and_one_byte_more_is_refused() {
    let (_, mut chain) = claimed();
    let longest = event(1, &vec![1; EVENT_BYTES_MAX - EVENT_HEADER_BYTES]);
    let records = chain.frame([&longest, &longest, &longest]);
    assert_eq!(records.len(), 3);
    assert!(records.iter().all(|record| record.bytes().len() <= RECORD_BYTES_MAX));
    let head = RawEvent::parse(longest.bytes()).expect("it is whole").head;
    let len = EVENT_BYTES_MAX - EVENT_HEADER_BYTES + 1;
    assert_eq!(EncodedEvent::new(head, &vec![1; len]), Err(EventError::TooLong { len }));
    assert_eq!(EncodedEvent::new(EventHead { seq: Seq(0), ..head }, b""), Err(EventError::Sequence));
}

#[test]
fn a_group_cut_by_a_claim_is_void_and_its_event_numbers_are_given_again() {
    let records = groups(&[30]);
    let (claim, first) = records.split_first().expect("a claim and a group");
    let mut verifier = Verifier::from_start(LOG);
    verifier.push_record(claim.clone()).expect("the claim");
    verifier.push_record(first.first().expect("a record").clone()).expect("the group begins");
    let tip =
        first.first().map(|record| ChainPoint { record: record.number(), hash: record.hash(), event: EventNo(0) });
    let (claim, mut chain) = Chain::claim(LOG, tip.expect("a record"), "the next").expect("a short claimant");
    assert_eq!(verifier.push_record(claim), Ok(Pushed::Claimed { epoch: Epoch(3), voided: 1 }));
    let next = chain.frame([&event(1, b"x")]).remove(0);
    assert_eq!(next.header().first_event, EventNo(1));
    assert!(matches!(verifier.push_record(next), Ok(Pushed::Whole(group)) if group.len() == 1));
}

#[test]
fn every_wrong_place_has_its_own_name() {
    let records = groups(&[1, 12, 1]);
    let verifier = |upto: usize| {
        let mut verifier = Verifier::from_start(LOG);
        records.iter().take(upto).for_each(|record| drop(verifier.push_record(record.clone()).expect("it is right")));
        verifier
    };
    let push = |upto: usize, record: usize| {
        let mut verifier = verifier(upto);
        verifier.push_record(records.get(record).expect("there is one").clone())
    };
    assert_eq!(push(0, 1), Err(RecordError::Number { expected: RecordNo(1), found: RecordNo(2) }));
    assert_eq!(push(2, 1), Err(RecordError::Number { expected: RecordNo(3), found: RecordNo(2) }));
    let other = Verifier::from_start(LogId([4; 16])).push_record(records.first().expect("a claim").clone());
    assert_eq!(other, Err(RecordError::LogId { expected: LogId([4; 16]), found: LOG }));

    let mut twin = claimed().1;
    let _first = twin.frame([&event(1, b"other")]);
    let astray = twin.frame([&event(2, b"x")]).remove(0);
    assert_eq!(verifier(2).push_record(astray), Err(RecordError::PreviousHash));

    let unclaimed = Record::seal(
        Header {
            flags: Flags::of_group(true, true),
            event_count: 1,
            epoch: Epoch(0),
            ..*records.first().expect("a claim").header()
        },
        event(1, b"").bytes(),
    );
    assert_eq!(verifier(0).push_record(unclaimed), Err(RecordError::Epoch { expected: None, found: Epoch(0) }));

    let second = records.get(1).expect("a record").header();
    let wrong = |header: Header| verifier(1).push_record(Record::seal(header, event(1, b"").bytes()));
    assert_eq!(
        wrong(Header { event_count: 1, first_event: EventNo(5), ..*second }),
        Err(RecordError::FirstEvent { expected: EventNo(1), found: EventNo(5) })
    );
    assert_eq!(
        wrong(Header { flags: Flags::of_group(false, true), ..*second }),
        Err(RecordError::Group { begins: false })
    );
    assert_eq!(
        wrong(Header { epoch: Epoch(0), ..*second }),
        Err(RecordError::Epoch { expected: Some(Epoch(1)), found: Epoch(0) })
    );
    let third = records.get(3).expect("the middle of a group").header();
    let inside =
        Record::seal(Header { flags: Flags::of_group(true, false), event_count: 1, ..*third }, event(1, b"").bytes());
    assert_eq!(verifier(3).push_record(inside), Err(RecordError::Group { begins: true }));
}

#[test]
fn what_a_newer_program_wrote_is_told_from_damage() {
    let record = groups(&[1]).remove(1);
    for (at, value, error) in
        [(4usize, 2u8, RecordError::Version { found: 2 }), (5, 0b1011, RecordError::Flags { found: 0b1011 })]
    {
        let mut bytes = record.bytes().to_vec();
        bytes.splice(at..=at, [value]);
        assert!(
            matches!(Record::parse(bytes.clone()), Err(RecordError::Checksum { .. })),
            "a flipped bit is no version"
        );
        bytes.splice(88..92, [0; 4]);
        let crc = crc32fast::hash(&bytes).to_le_bytes();
        bytes.splice(88..92, crc);
        assert_eq!(Record::parse(bytes), Err(error.clone()));
        assert!(error.is_from_newer_program());
    }
}

#[test]
fn every_single_bit_flip_of_a_record_is_noticed() {
    for record in groups(&[2]) {
        for bit in 0..record.bytes().len() * 8 {
            let mut bytes = record.bytes().to_vec();
            bytes.get_mut(bit / 8).map(|byte| *byte ^= 1 << (bit % 8)).expect("in range");
            assert!(Record::parse(bytes).is_err(), "bit {bit} of record {}", record.number());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_groups_come_back_as_they_went_in(groups in prop::collection::vec(
        prop::collection::vec(prop::collection::vec(any::<u8>(), 0..1_500), 1..12), 1..6,
    )) {
        let (claim, mut chain) = claimed();
        let mut verifier = Verifier::from_start(LOG);
        verifier.push(claim.bytes().clone()).expect("the claim");
        for bodies in groups {
            let events: Vec<EncodedEvent> = bodies.iter().zip(1..).map(|(body, seq)| event(seq, body)).collect();
            let records = chain.frame(&events);
            let (last, open) = records.split_last().expect("a group of events has records");
            for record in open {
                prop_assert!(record.bytes().len() <= RECORD_BYTES_MAX);
                prop_assert_eq!(verifier.push(record.bytes().clone()), Ok(Pushed::Open));
            }
            let pushed = verifier.push(last.bytes().clone());
            prop_assert_eq!(pushed, Ok(Pushed::Whole(records.clone())));
            let read: Vec<Vec<u8>> = records.iter().flat_map(Record::events).map(|event| event.body.to_vec()).collect();
            prop_assert_eq!(read, bodies);
            prop_assert_eq!(seqs(&records).len() as u64, seqs(&records).last().copied().unwrap_or_default());
            prop_assert_eq!(verifier.whole(), chain.point());
        }
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..7_000)) {
        prop_assert!(Record::parse(bytes).is_err());
    }

    #[test]
    fn arbitrary_payloads_under_a_right_header_are_read_or_refused_without_a_panic(
        payload in prop::collection::vec(any::<u8>(), 0..400), count in 0u32..40, claim in any::<bool>(),
    ) {
        let flags = if claim { Flags::CLAIM_RECORD } else { Flags::of_group(true, true) };
        let header = *claimed().0.header();
        let header = Header { flags, event_count: count, number: RecordNo(2), epoch: Epoch(1), ..header };
        if let Ok(record) = Record::parse(Record::seal(header, &payload).bytes().clone()) {
            prop_assert_eq!(record.events().count(), count as usize);
        }
    }
}
