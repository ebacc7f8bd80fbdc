//! The contract of [`EventLog`] and [`LocalLog`] as tests: one suite that every engine passes.
//!
//! An engine's test file gives the suite a [`Subject`] and calls [`crate::conformance_suite!`]. Every function states one behaviour
//! and panics where an engine does not have it.

mod restarts;
mod writing;

pub use restarts::*;
pub use writing::*;

use crate::codec::encode_item_event;
use crate::events::DecodedEvent;
use crate::ids::{ChainPoint, RecordNo};
use crate::log::{Appended, Claim, EventLog, LocalLog, LogReader};
use crate::record::{Chain, EncodedEvent, Record};
use crate::recovery::{Recovered, recover};
use domain::event::{Event, Recorded};
use domain::ids::{ItemNo, PartitionNo, Seq};
use domain::text::Reason;
use domain::time::Timestamp;
use domain::units::{StockChange, Units};

/// Something that an engine's log lies on, and that outlives it.
pub trait Subject {
    /// Opens the log as a process that starts would. Not recovered yet.
    fn open(&mut self) -> Box<dyn LocalLog>;

    /// The process that has `log` open dies on the spot.
    fn crash(&mut self, log: Box<dyn LocalLog>);
}

/// Opens, recovers and claims.
///
/// # Panics
/// If any of these fails.
pub fn started(subject: &mut dyn Subject) -> (Box<dyn LocalLog>, Chain) {
    let (mut log, _) = recovered(subject);
    let chain = claimed(log.as_mut());
    (log, chain)
}

/// Opens and recovers.
///
/// # Panics
/// If either fails.
pub fn recovered(subject: &mut dyn Subject) -> (Box<dyn LocalLog>, Recovered) {
    let mut log = subject.open();
    let recovered = recover(log.as_mut(), ChainPoint::START, &mut |_| {}).expect("an intact log is recovered");
    (log, recovered)
}

fn claimed(log: &mut dyn LocalLog) -> Chain {
    let Claim { epoch, chain } = log.claim("conformance").expect("a recovered log can be claimed");
    assert_eq!(epoch, chain.epoch());
    chain
}

/// The event with this place in the stream of item 1.
///
/// # Panics
/// Never, for places above 0.
#[must_use]
pub fn event(seq: u64) -> EncodedEvent {
    encode(seq, Event::SalePaused)
}

/// An event of some 550 bytes: eleven or more of them need more than one record.
///
/// # Panics
/// Never, for places above 0.
#[must_use]
pub fn long_event(seq: u64) -> EncodedEvent {
    let change = StockChange::new(1).expect("one is a change");
    let reason = Reason::parse(&"x".repeat(500)).expect("500 letters are a reason");
    encode(seq, Event::StockAdjusted { change, reason, total: Units::ZERO })
}

fn encode(seq: u64, event: Event) -> EncodedEvent {
    let item = ItemNo::new(PartitionNo(0), 1).expect("1 is an item's counter");
    let at = Timestamp::from_millis(1_000 + seq);
    encode_item_event(item, &Recorded { seq: Seq(seq), at, idempotency: None, event })
}

/// Frames and appends events `seqs` as one group; gives its records.
///
/// # Panics
/// If they do not become durable.
pub fn append(log: &mut dyn EventLog, chain: &mut Chain, seqs: std::ops::RangeInclusive<u64>) -> Vec<Record> {
    let events: Vec<EncodedEvent> = seqs.map(event).collect();
    append_events(log, chain, &events)
}

/// Frames and appends events as one group; gives its records.
///
/// # Panics
/// If they do not become durable.
pub fn append_events(log: &mut dyn EventLog, chain: &mut Chain, events: &[EncodedEvent]) -> Vec<Record> {
    let expected = chain.next_record();
    let records = chain.frame(events);
    let appended = log.append(expected, &records);
    assert!(matches!(appended, Appended::Durable), "{appended:?}");
    records
}

/// Every record of a log, by number.
///
/// # Panics
/// If one cannot be read.
#[must_use]
pub fn contents(reader: &dyn LogReader) -> Vec<(RecordNo, Vec<u8>)> {
    reader.read_from(reader.first()).map(|read| read.expect("a durable record can be read")).collect()
}

/// The places, in item 1's stream, of all events that recovery hands out.
///
/// # Panics
/// If the log is damaged.
pub fn recovered_seqs(log: &mut dyn LocalLog) -> Vec<u64> {
    let mut seqs = Vec::new();
    let visit = &mut |decoded: DecodedEvent| seqs.push(decoded.event.seq().0);
    recover(log, ChainPoint::START, visit).expect("an intact log is recovered");
    seqs
}

/// Makes one test of each behaviour, given an expression that makes a [`Subject`].
#[macro_export]
macro_rules! conformance_suite {
    ($subject:expr) => {
        $crate::conformance_suite! { $subject;
            a_new_log_is_empty, a_claim_needs_recovery, a_claim_is_a_record_and_its_place_the_term,
            what_was_appended_is_read_back, record_numbers_have_no_gaps, a_group_of_many_records_is_read_back_whole,
            a_wrong_place_is_fenced, a_term_that_is_over_is_fenced, other_bytes_at_a_taken_place_are_fenced,
            the_same_bytes_sent_again_stand_there_once, half_a_group_is_refused,
            records_that_do_not_follow_are_refused_and_do_no_harm, an_empty_group_is_durable,
            a_reader_keeps_up_with_a_writer, a_reader_never_sees_more_than_the_tail,
            rotation_keeps_one_sequence, rotating_an_empty_generation_changes_nothing,
            retiring_drops_whole_generations_and_never_the_last_record,
            a_log_goes_on_after_a_clean_stop, a_clean_stop_leaves_the_anchor_at_the_tail,
            a_crash_keeps_everything_acknowledged, a_crash_after_rotation_keeps_everything_acknowledged,
            many_restarts_keep_one_sequence, recovery_from_the_middle_hands_out_the_rest,
            an_anchored_record_is_never_cut, a_cut_is_durable_and_may_be_repeated,
        }
    };
    ($subject:expr; $($behaviour:ident),+ $(,)?) => {
        $(
            #[test]
            fn $behaviour() {
                $crate::conformance::$behaviour(&mut $subject);
            }
        )+
    };
}
