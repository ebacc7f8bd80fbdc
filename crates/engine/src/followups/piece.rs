//! Events that are still to be looked at: of a group that was fed, or a piece of the log. They wait here while there is
//! no room for what follows from them.

use super::feed::Fed;
use domain::ids::ItemNo;
use eventlog::{LogReader, RecordNo, StreamEvent};
use std::collections::VecDeque;

/// Events read from the log at once while catching up: a few megabytes at the most. Few in tests, so that a short log
/// has many pieces.
const CATCH_UP_EVENTS: usize = if cfg!(test) { 8 } else { 4_096 };

/// Events in the order of the log.
#[derive(Debug, Default)]
pub(super) struct Piece {
    events: VecDeque<Waiting>,
    /// How far the position may move when all of them were looked at.
    pub(super) upto: RecordNo,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Waiting {
    /// How far the position may move when everything before it was looked at: it names whole records.
    pub(super) before: RecordNo,
    pub(super) stream: ItemNo,
    pub(super) event: StreamEvent,
}

impl Piece {
    /// A whole group. In which of its records an event stands is not known here, so none counts until all were looked at.
    pub(super) fn of_group(group: Fed) -> Self {
        let before = group.after;
        let waiting = |(stream, event)| Waiting { before, stream, event };
        Self { events: group.events.into_iter().map(waiting).collect(), upto: group.upto }
    }

    /// Events of the log behind `from`, whole records, up to `goal` or a good many.
    pub(super) fn read(reader: &dyn LogReader, from: RecordNo, goal: RecordNo) -> Result<Self, String> {
        let (mut last, mut events) = (from, VecDeque::new());
        for decoded in eventlog::events::decoded_events(reader, from.next()) {
            let decoded = decoded.map_err(|error| error.to_string())?;
            if decoded.record > goal {
                break;
            }
            if events.len() >= CATCH_UP_EVENTS && decoded.record > last {
                return Ok(Self { events, upto: last });
            }
            last = decoded.record;
            let waiting = Waiting { before: last.before(), stream: decoded.item, event: decoded.event };
            events.push_back(waiting);
        }
        // Records that hold no events are behind us too.
        Ok(Self { events, upto: goal })
    }

    /// The next one to look at.
    pub(super) fn next(&mut self) -> Option<Waiting> {
        self.events.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::event::{Event, Recorded};
    use domain::ids::{PartitionNo, Seq};
    use domain::time::Timestamp;

    #[test]
    fn nothing_of_a_group_counts_until_all_of_it_was_looked_at() {
        let event = Event::SalePaused;
        let recorded = Recorded { seq: Seq(1), at: Timestamp::from_millis(0), idempotency: None, event };
        let item = ItemNo::new(PartitionNo(0), 1).expect("a number");
        let events = vec![(item, StreamEvent::Item(recorded)); 2];
        let mut piece = Piece::of_group(Fed { after: RecordNo(3), upto: RecordNo(7), events });
        let before = |waiting: Option<Waiting>| waiting.map(|waiting| waiting.before);
        assert_eq!(before(piece.next()), Some(RecordNo(3)));
        assert_eq!(before(piece.next()), Some(RecordNo(3)));
        assert_eq!((before(piece.next()), piece.upto), (None, RecordNo(7)));
    }
}
