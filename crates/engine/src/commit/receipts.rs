//! Receipts for those who want one: where in the log the event stands that their answer tells of.

use crate::mailbox::Caller;
use crate::shell::{Handover, Reply};
use domain::ids::Seq;
use domain::views::{Answer, Origin};
use eventlog::receipt::hash_of_event;
use eventlog::{ChainHash, Record, RecordNo};

/// Where an event stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stands {
    pub(crate) record: RecordNo,
    pub(crate) chain: ChainHash,
    pub(crate) sequence: Seq,
    pub(crate) event: [u8; 32],
}

/// Tells everybody in a durable group who wants to know. What was accepted before, under the same key, has no event here.
pub(super) fn hand_out(group: &mut [Handover<Caller>], records: &[Record]) {
    let count = |record: &Record| usize::try_from(record.header().event_count).unwrap_or(usize::MAX);
    // One record for each event, in the order of both.
    let mut stand_in = records.iter().flat_map(|record| std::iter::repeat_n(record, count(record)));
    for handover in group {
        let Handover { events, encoded, replies, .. } = handover;
        if !replies.iter().any(|(caller, _)| caller.wants_receipt()) {
            stand_in.by_ref().take(encoded.len()).for_each(drop);
            continue;
        }
        let stand_in: Vec<&Record> = stand_in.by_ref().take(encoded.len()).collect();
        for (caller, reply) in replies {
            let Some(sequence) = accepted_at(reply).filter(|_| caller.wants_receipt()) else { continue };
            let Some(at) = events.iter().position(|event| event.seq == sequence) else { continue };
            if let (Some(record), Some(event)) = (stand_in.get(at), encoded.get(at)) {
                let (number, chain) = (record.number(), record.hash());
                caller.stands(Stands { record: number, chain, sequence, event: hash_of_event(event.bytes()) });
            }
        }
    }
}

/// The event with which the effect of what was accepted begins. What followed from it in the same turn, a promotion or the
/// end of the sale, comes behind.
fn accepted_at(reply: &Reply) -> Option<Seq> {
    match reply.as_ref().ok()?.outcome {
        Ok(Answer { origin: Origin::Accepted(event), .. }) => Some(event),
        _ => None,
    }
}
