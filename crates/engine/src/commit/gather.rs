//! Group commit as a pure state machine: what waits becomes one group, a group becomes records, and replies are
//! released only behind their records.
//!
//! One group is in flight at a time; the next gathers meanwhile, without a timer: a client alone sees one sync, a
//! thousand share it. When an append fails, nothing is tried again from memory and nothing more is acknowledged.
//! When its fate is unknown, the same bytes are sent again until it is known. When a newer writer has taken over,
//! what can be told is told (architecture.md, "Partitions").

use crate::error::SubmitError;
use crate::shell::{Handover, Reply};
use domain::planted::{self, Bug};
use eventlog::{Appended, Chain, ChainPoint, EncodedEvent, Record, RecordNo};
use std::collections::VecDeque;

use crate::limits::{GROUP_BYTES_MAX, GROUP_TURNS_MAX, RESENDS_MAX};

/// What the thread around this has to do next.
#[derive(Debug)]
pub enum Action<R> {
    /// Append these records at this position, and tell the outcome.
    Append {
        /// Where.
        expected: RecordNo,
        /// What.
        records: Vec<Record>,
    },
    /// Read the records back from this position on, and tell what stands there.
    ReadBack {
        /// From where.
        from: RecordNo,
        /// How many.
        count: usize,
    },
    /// Everything in this group is durable: publish, answer, feed.
    Release {
        /// In the order of the log.
        group: Vec<Handover<R>>,
        /// What its events stand in.
        records: Vec<Record>,
    },
    /// Answer these with the error given; nothing of them may be published.
    Dismiss(Vec<(R, Reply)>),
    /// From here on nothing is acknowledged any more. Told once, before anybody is dismissed for it, so that whoever
    /// hears of a failure finds the engine saying so.
    Stop(StopReason),
}

/// Why a committer stops.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StopReason {
    /// The log failed: an error while writing or syncing.
    #[error("the log could not be written: {0}")]
    Failed(String),
    /// Another writer owns the log now.
    #[error("another process has taken over the log; this one lets it go")]
    Fenced,
    /// The fate of a record stayed unknown.
    #[error("the log did not say whether a record was written, {RESENDS_MAX} times in a row")]
    Silent,
}

/// The state machine.
#[derive(Debug)]
pub struct Gather<R> {
    chain: Chain,
    waiting: VecDeque<Handover<R>>,
    in_flight: Option<InFlight<R>>,
    stopped: Option<StopReason>,
    told: bool,
}

#[derive(Debug)]
struct InFlight<R> {
    group: Vec<Handover<R>>,
    records: Vec<Record>,
    expected: RecordNo,
    next: Next,
    unknowns: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Append,
    ReadBack,
    Release,
    Dismiss(SubmitError),
}

impl<R> Gather<R> {
    /// A committer that continues `chain`.
    #[must_use]
    pub const fn new(chain: Chain) -> Self {
        Self { chain, waiting: VecDeque::new(), in_flight: None, stopped: None, told: false }
    }

    /// The last record framed. While nothing is in flight, that is the last one durable.
    #[must_use]
    pub const fn point(&self) -> ChainPoint {
        self.chain.point()
    }

    /// Takes what an item hands over. Order matters: it is the order of the log.
    pub fn submit(&mut self, handover: Handover<R>) {
        self.waiting.push_back(handover);
    }

    /// Whether nothing waits and nothing is in flight.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_none()
    }

    /// What to do next, if anything.
    pub fn next_action(&mut self) -> Option<Action<R>> {
        if let Some(reason) = self.stopped.clone()
            && !std::mem::replace(&mut self.told, true)
        {
            return Some(Action::Stop(reason));
        }
        if self.in_flight.is_none() && self.stopped.is_none() {
            self.gather();
        }
        if let Some(flight) = self.in_flight.take() {
            return Some(self.advance(flight));
        }
        let reason = self.stopped.clone()?;
        let dismissed = self.dismiss_waiting(&reason);
        (!dismissed.is_empty()).then_some(Action::Dismiss(dismissed))
    }

    /// Makes one group of what waits.
    fn gather(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let (mut group, mut bytes) = (Vec::new(), 0);
        while group.len() < GROUP_TURNS_MAX
            && bytes < GROUP_BYTES_MAX
            && let Some(handover) = self.waiting.pop_front()
        {
            bytes += handover.encoded.iter().map(|event| event.bytes().len()).sum::<usize>();
            group.push(handover);
        }
        let expected = self.chain.next_record();
        let events: Vec<&EncodedEvent> = group.iter().flat_map(|handover| &handover.encoded).collect();
        // A group of replies alone waited only for what is durable by now.
        let records = if events.is_empty() { Vec::new() } else { self.chain.frame(events) };
        let next = if records.is_empty() { Next::Release } else { Next::Append };
        self.in_flight = Some(InFlight { group, records, expected, next, unknowns: 0 });
    }

    fn advance(&mut self, mut flight: InFlight<R>) -> Action<R> {
        match flight.next {
            Next::Append if planted::is(Bug::AcknowledgesBeforeSync) && !flight.group.is_empty() => {
                let (group, records) = (std::mem::take(&mut flight.group), flight.records.clone());
                self.in_flight = Some(flight);
                Action::Release { group, records }
            }
            Next::Append => {
                let (expected, records) = (flight.expected, flight.records.clone());
                self.in_flight = Some(flight);
                Action::Append { expected, records }
            }
            Next::ReadBack => {
                let (from, count) = (flight.expected, flight.records.len());
                self.in_flight = Some(flight);
                Action::ReadBack { from, count }
            }
            Next::Release => Action::Release { group: flight.group, records: flight.records },
            Next::Dismiss(error) => Action::Dismiss(dismissed(flight.group, error)),
        }
    }

    /// The outcome of the append asked for.
    pub fn appended(&mut self, outcome: Appended) {
        let Some(flight) = self.in_flight.as_mut() else { return };
        match outcome {
            Appended::Durable => flight.next = Next::Release,
            Appended::Unknown if planted::is(Bug::UnknownTakenForDurable) => flight.next = Next::Release,
            Appended::Failed(_) if planted::is(Bug::IgnoresAFailedSync) => flight.next = Next::Release,
            Appended::Unknown => {
                flight.unknowns = flight.unknowns.saturating_add(1);
                if flight.unknowns > RESENDS_MAX {
                    flight.next = Next::Dismiss(SubmitError::OutcomeUnknown);
                    self.stopped = Some(StopReason::Silent);
                }
            }
            Appended::Fenced => {
                // A record never answered Unknown was never taken; of one that was, only the log can tell.
                flight.next = if flight.unknowns > 0 { Next::ReadBack } else { Next::Dismiss(SubmitError::NotOwner) };
                self.stopped = Some(StopReason::Fenced);
            }
            Appended::Failed(error) => {
                flight.next = Next::Dismiss(SubmitError::OutcomeUnknown);
                self.stopped = Some(StopReason::Failed(error.to_string()));
            }
        }
    }

    /// What stands at the position asked for: `None` if it could not be read.
    pub fn read_back(&mut self, found: Option<&[Vec<u8>]>) {
        let Some(flight) = self.in_flight.as_mut() else { return };
        flight.next = match found {
            Some(found) if same(&flight.records, found) => Next::Release,
            Some(_) => Next::Dismiss(SubmitError::NotOwner),
            None => Next::Dismiss(SubmitError::OutcomeUnknown),
        };
    }

    fn dismiss_waiting(&mut self, reason: &StopReason) -> Vec<(R, Reply)> {
        let error = match reason {
            // Never sent, and never will be.
            StopReason::Fenced => SubmitError::NotOwner,
            StopReason::Failed(_) | StopReason::Silent => SubmitError::OutcomeUnknown,
        };
        dismissed(self.waiting.drain(..).collect(), error)
    }
}

fn same(records: &[Record], found: &[Vec<u8>]) -> bool {
    records.len() == found.len()
        && records.iter().zip(found).all(|(record, found)| record.bytes().as_ref() == found.as_slice())
}

fn dismissed<R>(group: Vec<Handover<R>>, error: SubmitError) -> Vec<(R, Reply)> {
    group.into_iter().flat_map(|handover| handover.replies).map(|(reply, _)| (reply, Err(error))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::Ticket;
    use domain::ids::{ItemNo, Seq};
    use domain::rejection::Rejection;
    use domain::time::Timestamp;
    use domain::views::Judgement;
    use eventlog::{LogError, LogId};

    fn gather() -> Gather<u32> {
        let (_, chain) = Chain::claim(LogId([1; 16]), ChainPoint::START, "a test").expect("a claim");
        Gather::new(chain)
    }

    fn handover(caller: u32, events: usize) -> Handover<u32> {
        let recorded = domain::event::Recorded {
            seq: Seq(1),
            at: Timestamp::default(),
            idempotency: None,
            event: domain::event::Event::SalePaused,
        };
        let item = ItemNo::from_u32(1);
        let encoded = (0..events).map(|_| eventlog::encode_item_event(item, &recorded)).collect();
        let judgement = Judgement { sequence: Seq(1), at: Timestamp::default(), outcome: Err(Rejection::SoldOut) };
        let replies = vec![(caller, Ok(judgement))];
        Handover {
            item,
            ticket: Ticket(1),
            encoded,
            events: Vec::new(),
            of_partition: Vec::new(),
            decided: Vec::new(),
            replies,
            view: None,
        }
    }

    fn callers(group: &[Handover<u32>]) -> Vec<u32> {
        group.iter().flat_map(|handover| &handover.replies).map(|(caller, _)| *caller).collect()
    }

    fn dismissed(action: Option<Action<u32>>) -> Vec<(u32, SubmitError)> {
        let Some(Action::Dismiss(replies)) = action else { panic!("not a dismissal: {action:?}") };
        replies.into_iter().map(|(caller, reply)| (caller, reply.expect_err("no answer"))).collect()
    }

    fn append(gather: &mut Gather<u32>) -> (RecordNo, Vec<Record>) {
        match gather.next_action() {
            Some(Action::Append { expected, records }) => (expected, records),
            other => panic!("not an append: {other:?}"),
        }
    }

    #[test]
    fn what_waits_becomes_one_group_and_is_answered_only_behind_its_record() {
        let mut gather = gather();
        (0..3).for_each(|caller| gather.submit(handover(caller, 1)));
        let (_, records) = append(&mut gather);
        assert_eq!(records.len(), 1, "three turns share one record");
        gather.submit(handover(3, 1));
        gather.appended(Appended::Durable);
        let Some(Action::Release { group, .. }) = gather.next_action() else { panic!("not released") };
        assert_eq!(callers(&group), [0, 1, 2], "what came later waits for its own record");
        let (_, later) = append(&mut gather);
        assert_eq!(later.len(), 1);
    }

    #[test]
    fn a_refusal_behind_a_write_leaves_after_it_and_one_alone_needs_no_record() {
        let mut gather = gather();
        gather.submit(handover(0, 1));
        gather.submit(handover(1, 0));
        append(&mut gather);
        gather.appended(Appended::Durable);
        let Some(Action::Release { group, .. }) = gather.next_action() else { panic!("not released") };
        assert_eq!(callers(&group), [0, 1]);
        gather.submit(handover(2, 0));
        assert!(matches!(gather.next_action(), Some(Action::Release { .. })), "nothing to write");
        assert!(gather.is_idle() && gather.next_action().is_none());
    }

    #[test]
    fn a_group_ends_at_so_many_bytes_and_the_rest_is_the_next_one() {
        let mut gather = gather();
        (0..4).for_each(|caller| gather.submit(handover(caller, GROUP_BYTES_MAX / 54)));
        append(&mut gather);
        gather.appended(Appended::Durable);
        let Some(Action::Release { group, .. }) = gather.next_action() else { panic!("not released") };
        assert!(group.len() < 4, "{} turns in one group", group.len());
        append(&mut gather);
    }

    #[test]
    fn after_a_failed_append_nothing_more_is_acknowledged() {
        let mut gather = gather();
        gather.submit(handover(0, 1));
        append(&mut gather);
        gather.submit(handover(1, 1));
        gather.appended(Appended::Failed(LogError::DiskFull));
        assert!(matches!(gather.next_action(), Some(Action::Stop(StopReason::Failed(_)))), "told before anybody is");
        assert_eq!(dismissed(gather.next_action()), [(0, SubmitError::OutcomeUnknown)]);
        assert_eq!(dismissed(gather.next_action()), [(1, SubmitError::OutcomeUnknown)]);
        gather.submit(handover(2, 0));
        assert_eq!(dismissed(gather.next_action()), [(2, SubmitError::OutcomeUnknown)], "not even a refusal");
        assert!(gather.next_action().is_none());
    }

    #[test]
    fn an_unknown_outcome_sends_the_same_bytes_again_until_it_is_known() {
        let mut gather = gather();
        gather.submit(handover(0, 1));
        let first = append(&mut gather);
        gather.appended(Appended::Unknown);
        assert_eq!(append(&mut gather), first);
        gather.appended(Appended::Unknown);
        assert_eq!(append(&mut gather), first);
        gather.appended(Appended::Durable);
        assert!(matches!(gather.next_action(), Some(Action::Release { .. })));
    }

    #[test]
    fn an_outcome_that_stays_unknown_ends_in_words() {
        let mut gather = gather();
        gather.submit(handover(0, 1));
        for _ in 0..=RESENDS_MAX {
            append(&mut gather);
            gather.appended(Appended::Unknown);
        }
        assert!(matches!(gather.next_action(), Some(Action::Stop(StopReason::Silent))));
        assert_eq!(dismissed(gather.next_action()), [(0, SubmitError::OutcomeUnknown)]);
    }

    #[test]
    fn a_fenced_writer_tells_those_never_sent_that_nothing_happened() {
        let mut gather = gather();
        gather.submit(handover(0, 1));
        append(&mut gather);
        gather.submit(handover(1, 1));
        gather.appended(Appended::Fenced);
        assert!(matches!(gather.next_action(), Some(Action::Stop(StopReason::Fenced))));
        assert_eq!(dismissed(gather.next_action()), [(0, SubmitError::NotOwner)]);
        assert_eq!(dismissed(gather.next_action()), [(1, SubmitError::NotOwner)]);
    }

    #[test]
    fn a_record_once_unknown_and_then_fenced_is_read_back_before_anybody_is_told() {
        for (found_own, told) in
            [(Some(true), None), (Some(false), Some(SubmitError::NotOwner)), (None, Some(SubmitError::OutcomeUnknown))]
        {
            let mut gather = gather();
            gather.submit(handover(0, 1));
            let (_, records) = append(&mut gather);
            gather.appended(Appended::Unknown);
            append(&mut gather);
            gather.appended(Appended::Fenced);
            assert!(matches!(gather.next_action(), Some(Action::Stop(StopReason::Fenced))));
            assert!(matches!(gather.next_action(), Some(Action::ReadBack { count: 1, .. })));
            let own = vec![records.first().expect("one").bytes().to_vec()];
            let found = found_own.map(|own_bytes| if own_bytes { own } else { vec![vec![0; 9]] });
            gather.read_back(found.as_deref());
            match told {
                None => assert!(matches!(gather.next_action(), Some(Action::Release { .. }))),
                Some(error) => assert_eq!(dismissed(gather.next_action()), [(0, error)]),
            }
        }
    }
}
