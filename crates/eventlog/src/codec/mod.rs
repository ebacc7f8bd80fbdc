//! Events to bytes and back: tag, version, length, and a bincode body. The only module that knows bincode.
//!
//! Decoding is bounded: a body is at most 64 KiB by its length field, and bincode gets a limit besides.

mod pieces;

pub(crate) use pieces::{PieceReader, PieceWriter};

use crate::record::{BodyVersion, EncodedEvent, EventHead, RawEvent, Tag};
use crate::stored::{event, partition_event};
use domain::event::{Event, PartitionEvent, Recorded};
use domain::ids::{ItemNo, Seq};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Most bytes that decoding one event may claim.
const EVENT_DECODE_LIMIT: usize = 64 * 1024;

/// Room for the body of an event that is written often: hashes of 32 bytes, a customer, some numbers.
pub(crate) const USUAL_BODY_BYTES: usize = 128;

/// How many bytes decoding state may claim for each byte there is. A number takes one byte at least and claims
/// eight, so right bytes never need more; a damaged length cannot ask for much more than the bytes that hold it.
const STATE_CLAIMS_PER_BYTE: usize = 16;

/// What kind of event a body is, and which shape of it: tags are never reused, shapes never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Which event.
    pub tag: Tag,
    /// Which shape of it.
    pub version: BodyVersion,
}

/// An event of either kind of stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEvent {
    /// Of an item.
    Item(Recorded),
    /// Of a partition.
    Partition(Recorded<PartitionEvent>),
}

impl StreamEvent {
    /// Its place in its stream.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        match self {
            Self::Item(recorded) => recorded.seq,
            Self::Partition(recorded) => recorded.seq,
        }
    }
}

/// Why an event cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// A kind this program does not know.
    #[error("event type {} version {} is not known to this program; it was written by a later one", .0.tag.0, .0.version.0)]
    Kind(Kind),
    /// The body is not what its kind says.
    #[error("the body does not have the shape of its type: {0}")]
    Shape(String),
    /// A value that no correct writer can have written.
    #[error("{field}: {problem}")]
    Value {
        /// Which.
        field: &'static str,
        /// What is wrong.
        problem: String,
    },
}

pub(crate) fn to_bytes<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(USUAL_BODY_BYTES);
    encode_onto(value, &mut bytes);
    bytes
}

pub(crate) fn encode_onto<T: Serialize>(value: &T, bytes: &mut Vec<u8>) {
    // Our stored shapes hold numbers, texts, options and lists of them: bincode can encode all of these.
    bincode::serde::encode_into_std_write(value, bytes, bincode::config::standard())
        .expect("a stored shape can be encoded");
}

fn whole<T>(decoded: Result<(T, usize), bincode::error::DecodeError>, length: usize) -> Result<T, CodecError> {
    match decoded {
        Ok((value, used)) if used == length => Ok(value),
        Ok((_, used)) => Err(CodecError::Shape(format!("{} bytes too many", length.saturating_sub(used)))),
        Err(error) => Err(CodecError::Shape(error.to_string())),
    }
}

pub(crate) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    from_bytes_within::<T, EVENT_DECODE_LIMIT>(bytes)
}

pub(crate) fn from_snapshot_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    // bincode takes its limit at compile time: the smallest step that the bytes fit into.
    match bytes.len() {
        0..=0xfff => from_bytes_within::<T, { STATE_CLAIMS_PER_BYTE << 12 }>(bytes),
        0x1000..=0xffff => from_bytes_within::<T, { STATE_CLAIMS_PER_BYTE << 16 }>(bytes),
        0x1_0000..=0xf_ffff => from_bytes_within::<T, { STATE_CLAIMS_PER_BYTE << 20 }>(bytes),
        0x10_0000..=0xff_ffff => from_bytes_within::<T, { STATE_CLAIMS_PER_BYTE << 24 }>(bytes),
        0x100_0000..=0xfff_ffff => from_bytes_within::<T, { STATE_CLAIMS_PER_BYTE << 28 }>(bytes),
        _ => from_bytes_within::<T, { STATE_CLAIMS_PER_BYTE << 33 }>(bytes),
    }
}

fn from_bytes_within<T: DeserializeOwned, const LIMIT: usize>(bytes: &[u8]) -> Result<T, CodecError> {
    let config = bincode::config::standard().with_limit::<LIMIT>();
    whole(bincode::serde::decode_from_slice(bytes, config), bytes.len())
}

/// An item's event as the log stores it.
#[must_use]
pub fn encode_item_event(item: ItemNo, recorded: &Recorded<Event>) -> EncodedEvent {
    let (kind, body) = event::encode(recorded);
    framed(EventHead { item, seq: recorded.seq, at: recorded.at, tag: kind.tag, version: kind.version }, &body)
}

/// A partition's event as the log stores it.
#[must_use]
pub fn encode_partition_event(stream: ItemNo, recorded: &Recorded<PartitionEvent>) -> EncodedEvent {
    let (kind, body) = partition_event::encode(recorded);
    framed(EventHead { item: stream, seq: recorded.seq, at: recorded.at, tag: kind.tag, version: kind.version }, &body)
}

fn framed(head: EventHead, body: &[u8]) -> EncodedEvent {
    // The domain's limits on texts keep every event far below EVENT_BYTES_MAX, and streams begin at 1.
    EncodedEvent::new(head, body).expect("an event of the domain fits its frame")
}

/// Decodes an event.
///
/// # Errors
/// [`CodecError`] says why it cannot be.
pub fn decode_event(raw: &RawEvent<'_>) -> Result<StreamEvent, CodecError> {
    if raw.head.item.is_partition_stream() {
        partition_event::decode(raw).map(StreamEvent::Partition)
    } else {
        event::decode(raw).map(StreamEvent::Item)
    }
}
