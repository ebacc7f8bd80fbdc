//! Bytes to events, by docs/log-format.md alone ("Events", "Bodies").

mod item;
mod partition;
mod payment;
mod reader;

use crate::event::{Body, Capture, Event, Key, Money, Provider};
use crate::record::Bytes;
use reader::Reader;

/// Longest event, its header included.
const EVENT_BYTES_MAX: usize = 4_096;

/// Length of an event's header.
const EVENT_HEADER_BYTES: usize = 25;

/// The latest instant: the end of the year 9999.
const TIME_MAX: u64 = 253_402_300_799_999;

/// Why an event cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The bytes do not have an event's frame.
    #[error("its frame is wrong: {0}")]
    Frame(&'static str),
    /// A kind that the format does not know.
    #[error("tag {tag} version {version} is not known in this stream")]
    Kind {
        /// Which event.
        tag: u16,
        /// Which shape of it.
        version: u8,
    },
    /// The bytes do not have the kind's shape.
    #[error("{0}")]
    Shape(&'static str),
    /// A code that the format does not know.
    #[error("{code} is no {what}")]
    Code {
        /// Of what.
        what: &'static str,
        /// Which.
        code: u32,
    },
}

/// An event whose body is still bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawEvent<'b> {
    item: u32,
    seq: u64,
    at: u64,
    tag: u16,
    version: u8,
    body: &'b [u8],
}

impl<'b> RawEvent<'b> {
    fn read(from: &mut Bytes<'b>) -> Result<Self, &'static str> {
        let head = |from: &mut Bytes<'b>| {
            Some((from.u32()?, from.u64()?, from.u64()?, from.u16()?, from.u8()?, usize::from(from.u16()?)))
        };
        let (item, seq, at, tag, version, length) = head(from).ok_or("the payload ends inside it")?;
        if seq == 0 {
            return Err("its sequence number is 0");
        }
        if at > TIME_MAX {
            return Err("its time is after the year 9999");
        }
        if EVENT_HEADER_BYTES + length > EVENT_BYTES_MAX {
            return Err("it is too long");
        }
        let body = from.take(length).ok_or("the payload ends inside it")?;
        Ok(Self { item, seq, at, tag, version, body })
    }

    /// Checks that a payload is exactly this many events.
    pub(crate) fn check_all(payload: &'b [u8], count: u32) -> Result<(), &'static str> {
        let mut from = Bytes(payload);
        for _ in 0..count {
            Self::read(&mut from)?;
        }
        if from.0.is_empty() { Ok(()) } else { Err("bytes are left over") }
    }

    /// The events of a checked payload.
    pub(crate) fn all(payload: &'b [u8]) -> impl Iterator<Item = Self> {
        let mut from = Bytes(payload);
        std::iter::from_fn(move || Self::read(&mut from).ok())
    }
}

/// Decodes one event, header and body.
///
/// # Errors
/// [`BodyError`] says what does not follow the format.
pub fn decode_event(bytes: &[u8]) -> Result<Event, BodyError> {
    let mut from = Bytes(bytes);
    let raw = RawEvent::read(&mut from).map_err(BodyError::Frame)?;
    if from.0.is_empty() { decode(&raw) } else { Err(BodyError::Frame("bytes are left over")) }
}

pub(crate) fn decode(raw: &RawEvent<'_>) -> Result<Event, BodyError> {
    let mut from = Reader(Bytes(raw.body));
    // Endpoints' events are the only ones that have no place for a key.
    let key = if partition::ENDPOINT_TAGS.contains(&raw.tag) { None } else { from.option(key)? };
    let unknown = BodyError::Kind { tag: raw.tag, version: raw.version };
    let is_partitions = raw.item & 0x00ff_ffff == 0;
    let body = match payment::decode(raw.tag, raw.version, &mut from)? {
        Some((owner, event)) => Body::Payment { owner, event: Box::new(event) },
        None if is_partitions => partition::decode(raw.tag, raw.version, &mut from)?.ok_or(unknown)?,
        None => item::decode(raw.tag, raw.version, &mut from)?.ok_or(unknown)?,
    };
    if !from.is_at_end() {
        return Err(BodyError::Shape("bytes are left over"));
    }
    Ok(Event { item: raw.item, seq: raw.seq, at: raw.at, key, body })
}

fn key(from: &mut Reader<'_>) -> Result<Key, BodyError> {
    Ok(Key { request: from.id()?, content: from.id()? })
}

fn money(from: &mut Reader<'_>) -> Result<Money, BodyError> {
    let (minor, currency) = (from.u64()?, from.array::<3>()?);
    if !currency.iter().all(u8::is_ascii_uppercase) {
        return Err(BodyError::Shape("a currency is three capital letters"));
    }
    Ok(Money { minor, currency })
}

fn provider(from: &mut Reader<'_>) -> Result<Provider, BodyError> {
    match from.u8()? {
        1 => Ok(Provider::External),
        2 => Ok(Provider::Simulated),
        3 => Ok(Provider::Generic),
        4 => Ok(Provider::Stripe),
        code => Err(unknown("provider", code)),
    }
}

fn capture(from: &mut Reader<'_>) -> Result<Capture, BodyError> {
    Ok(Capture {
        provider: provider(from)?,
        payment: from.string()?,
        report: from.option(Reader::string)?,
        amount: money(from)?,
    })
}

fn unknown(what: &'static str, code: u8) -> BodyError {
    BodyError::Code { what, code: code.into() }
}
