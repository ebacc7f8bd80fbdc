//! The log's decoder: events, records, and records strung together.
//!
//! The first byte says what the rest is. Lengths, checksums and links are repaired in most ways of reading it, because
//! chance never finds them, and what lies behind them would stay unread.

use super::{Verdict, steered};
use eventlog::limits::{EVENT_HEADER_BYTES, HEADER_BYTES};
use eventlog::record::Pushed;
use eventlog::{
    ChainHash, CodecError, LogId, RawEvent, Record, StreamEvent, Verifier, decode_event, encode_item_event,
    encode_partition_event,
};

/// One event, as it is.
pub const EVENT: u8 = 0;
/// One event; the length of its body is repaired.
pub const EVENT_REPAIRED: u8 = 1;
/// One record, as it is.
pub const RECORD: u8 = 2;
/// One record; length and checksum are repaired.
pub const RECORD_REPAIRED: u8 = 3;
/// Records behind one another, each behind its length in two bytes; all that links them is repaired.
pub const LOG: u8 = 4;

/// The log that the records of [`LOG`] are made to belong to.
const OURS: LogId = LogId([7; 16]);

/// Reads bytes as the log's reader would.
#[must_use]
pub fn run(input: &[u8]) -> Verdict {
    let Some(([kind], bytes)) = steered(input) else { return Verdict::Refused };
    match kind % 5 {
        EVENT => event(bytes),
        EVENT_REPAIRED => event(&with_body_length(bytes)),
        RECORD => record(bytes),
        RECORD_REPAIRED => record(&sealed(bytes.to_vec())),
        _ => log(bytes),
    }
}

fn event(bytes: &[u8]) -> Verdict {
    let Some(raw) = RawEvent::parse(bytes) else { return Verdict::Refused };
    let decoded = decode_event(&raw);
    if let Ok(event) = &decoded {
        comes_back(bytes, &raw, event);
    }
    Verdict::of(&decoded)
}

fn encode(raw: &RawEvent<'_>, event: &StreamEvent) -> Vec<u8> {
    let encoded = match event {
        StreamEvent::Item(recorded) => encode_item_event(raw.head.item, recorded),
        StreamEvent::Partition(recorded) => encode_partition_event(raw.head.item, recorded),
    };
    encoded.bytes().to_vec()
}

/// What was decoded is encoded as bytes that mean the same, and there is one spelling of it: numbers may come in more
/// bytes than they need, but bytes of one kind and one length that mean the same are the same.
fn comes_back(bytes: &[u8], raw: &RawEvent<'_>, event: &StreamEvent) {
    let again = encode(raw, event);
    let reread = RawEvent::parse(&again).expect("an encoded event is one");
    assert_eq!(decode_event(&reread).as_ref(), Ok(event), "it means something else when it is written again");
    assert_eq!(encode(&reread, event), again, "it has two spellings");
    let same_kind = (raw.head.tag, raw.head.version) == (reread.head.tag, reread.head.version);
    assert!(!same_kind || again.len() <= bytes.len(), "it grows when it is written again");
    assert!(!same_kind || again.len() < bytes.len() || again == bytes, "other bytes come back: {again:02x?}");
}

fn record(bytes: &[u8]) -> Verdict {
    let record = match Record::parse(bytes.to_vec()) {
        Ok(record) => record,
        Err(error) => {
            assert!(!error.to_string().is_empty(), "a refusal says why");
            return Verdict::Refused;
        }
    };
    assert_eq!(record.bytes(), bytes, "a record is the bytes it came from");
    let count = usize::try_from(record.header().event_count).expect("64 bits");
    assert_eq!(record.events().count(), count, "it has as many events as it says");
    decode_all(&record)
}

fn decode_all(record: &Record) -> Verdict {
    let decoded: Result<Vec<StreamEvent>, CodecError> = record.events().map(|raw| decode_event(&raw)).collect();
    Verdict::of(&decoded)
}

fn log(mut bytes: &[u8]) -> Verdict {
    let mut verifier = Verifier::from_start(OURS);
    let (mut previous, mut number, mut verdict) = (None, 0u64, Verdict::Refused);
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (record, rest) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
        bytes = rest;
        number += 1;
        let sealed = sealed(linked(record.to_vec(), number, previous));
        previous = Some(ChainHash::of(&sealed));
        let expected = verifier.expected();
        match verifier.push(sealed) {
            Ok(Pushed::Whole(group)) => {
                assert!(!group.is_empty() && !verifier.is_group_open(), "a whole group is closed");
                if group.iter().all(|record| decode_all(record) == Verdict::Taken) {
                    verdict = Verdict::Taken;
                }
            }
            Ok(Pushed::Open) => assert!(verifier.is_group_open(), "a group goes on"),
            Ok(Pushed::Claimed { .. }) => {}
            // As recovery does: what does not follow ends the reading.
            Err(_) => {
                assert_eq!(verifier.expected(), expected, "a refused record moves nothing");
                return Verdict::Refused;
            }
        }
    }
    verdict
}

/// With the length of the body that there is.
fn with_body_length(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let length = u16::try_from(bytes.len().saturating_sub(EVENT_HEADER_BYTES)).unwrap_or(u16::MAX);
    put(&mut bytes, EVENT_HEADER_BYTES - 2, &length.to_le_bytes());
    bytes
}

/// With magic, version, length of the payload and checksum as docs/log-format.md wants them.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let payload = u32::try_from(bytes.len().saturating_sub(HEADER_BYTES)).unwrap_or(u32::MAX);
    put(&mut bytes, 0, b"HFR1\x01");
    put(&mut bytes, 52, &payload.to_le_bytes());
    put(&mut bytes, HEADER_BYTES - 4, &[0; 4]);
    let checksum = crc32fast::hash(&bytes);
    put(&mut bytes, HEADER_BYTES - 4, &checksum.to_le_bytes());
    bytes
}

/// With log, number and the hash of the record before.
fn linked(mut bytes: Vec<u8>, number: u64, previous: Option<ChainHash>) -> Vec<u8> {
    put(&mut bytes, 8, &OURS.0);
    put(&mut bytes, 24, &number.to_le_bytes());
    put(&mut bytes, 56, &previous.map_or([0; 32], |hash| hash.0));
    bytes
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}
