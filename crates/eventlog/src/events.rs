//! Reading a verified log as events: what followers, rebuilding and replay use.
//!
//! Opening has verified the log already; reading verifies again on the way, so that damage that came later is
//! noticed before anybody acts on it. Nothing here repairs anything.

use crate::codec::{CodecError, StreamEvent, decode_event};
use crate::ids::{EventNo, RecordNo};
use crate::log::{LogReader, ReadError, Records};
use crate::record::{Pushed, Record, RecordError, Verifier};
use domain::ids::ItemNo;
use std::collections::VecDeque;

/// An event and its places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedEvent {
    /// The record it stands in. Events of one group may stand in several.
    pub record: RecordNo,
    /// Its place among all events of the partition.
    pub number: EventNo,
    /// Whose stream; the partition's own for [`StreamEvent::Partition`].
    pub item: ItemNo,
    /// What happened, with its place in that stream.
    pub event: StreamEvent,
}

/// Why a log's events cannot be read on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventsError {
    /// The record could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The record is not right: damage that came after the log was opened. Stop and restore a backup.
    #[error("record {record} is damaged: {error}")]
    Record {
        /// Which.
        record: RecordNo,
        /// What is wrong.
        error: RecordError,
    },
    /// An event's body means nothing to this program. Use the newer one that wrote it.
    #[error("record {record}, event {number}: {error}")]
    Body {
        /// The record.
        record: RecordNo,
        /// The event.
        number: EventNo,
        /// What is wrong.
        error: CodecError,
    },
}

/// The events of a log from record `from` on, up to its durable tail as it is when it is reached. `from` should
/// begin a group; of a group that it cuts, the events from there on are given.
pub fn decoded_events(
    reader: &dyn LogReader,
    from: RecordNo,
) -> impl Iterator<Item = Result<DecodedEvent, EventsError>> + Send + use<> {
    Decoding {
        records: reader.read_from(from),
        verifier: Verifier::trusting(reader.log_id()),
        ready: VecDeque::new(),
        failed: false,
    }
}

/// As [`decoded_events`], without the places in the log.
pub fn events(
    reader: &dyn LogReader,
    from: RecordNo,
) -> impl Iterator<Item = Result<(ItemNo, StreamEvent), EventsError>> + Send + use<> {
    decoded_events(reader, from).map(|decoded| decoded.map(|decoded| (decoded.item, decoded.event)))
}

struct Decoding {
    records: Records,
    verifier: Verifier,
    ready: VecDeque<DecodedEvent>,
    failed: bool,
}

impl Decoding {
    /// Reads one more record. `None` at the end.
    fn step(&mut self) -> Option<Result<(), EventsError>> {
        let (record, bytes) = match self.records.next()? {
            Ok(read) => read,
            Err(error) => return Some(Err(error.into())),
        };
        Some(match self.verifier.push(bytes) {
            Ok(Pushed::Whole(group)) => {
                let ready = &mut self.ready;
                group.iter().try_for_each(|record| decode_record(record, &mut |event| ready.push_back(event)))
            }
            Ok(Pushed::Open | Pushed::Claimed { .. }) => Ok(()),
            Err(error) => Err(EventsError::Record { record, error }),
        })
    }
}

impl Iterator for Decoding {
    type Item = Result<DecodedEvent, EventsError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            if self.failed {
                return None;
            }
            if let Err(error) = self.step()? {
                self.failed = true;
                return Some(Err(error));
            }
        }
    }
}

/// Decodes all events of a record.
pub(crate) fn decode_record(record: &Record, visit: &mut dyn FnMut(DecodedEvent)) -> Result<(), EventsError> {
    let first = record.header().first_event;
    for (number, raw) in (first.0..).map(EventNo).zip(record.events()) {
        let event = decode_event(&raw).map_err(|error| EventsError::Body { record: record.number(), number, error })?;
        visit(DecodedEvent { record: record.number(), number, item: raw.head.item, event });
    }
    Ok(())
}
