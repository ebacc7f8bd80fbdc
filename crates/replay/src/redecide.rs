//! Every recorded command judged once more, on the state as it was, and compared byte for byte with what the log holds.
//!
//! The first event of a command says all that the command said, so the command is had back from it and judged; what
//! the judgement leads to must stand there, one event after another. What no command leads to must be what time would
//! have done by itself at that instant. Rules are `domain`'s; none is here.

use crate::fields;
use crate::finding::{Findings, Promise};
use crate::fold::Redecided;
use crate::walk::Placed;
use domain::command::Command;
use domain::decide::Decision;
use domain::event::{Event, PartitionEvent, Recorded};
use domain::idempotency::{Fingerprint, Idempotency};
use domain::ids::{ItemNo, Seq};
use domain::item::Item;
use domain::partition::decide::PartitionDecision;
use domain::partition::{Partition, decide as of_partition, redecide as had_back};
use domain::time::Timestamp;
use domain::{decide, redecide};
use engine::fold::{Folded, FoldedItem};
use eventlog::{EncodedEvent, RawEvent, RulesVersion, StreamEvent};
use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;

/// What should stand in the log at an event's place, and from there on.
enum Judged {
    /// What the command leads to that the event says it came from.
    Command(Vec<StreamEvent>),
    /// What time would do by itself.
    Time(StreamEvent),
    /// There is nothing to judge it by.
    Nothing,
}

/// Judging under way.
#[derive(Debug, Default)]
pub(crate) struct Redeciding {
    /// What must follow in a stream, because a command led to more than one event.
    due: HashMap<ItemNo, VecDeque<StreamEvent>>,
    counts: Redecided,
}

impl Redeciding {
    pub(crate) const fn redecided(&self) -> Redecided {
        self.counts
    }

    /// Judges an event before it is applied.
    pub(crate) fn before(&mut self, folded: &mut Folded, placed: &Placed, findings: &mut Findings) {
        if placed.rules != RulesVersion::CURRENT {
            self.counts.other_rules = self.counts.other_rules.saturating_add(1);
            return;
        }
        if let Err(words) = self.judge(folded, placed) {
            self.due.remove(&placed.item);
            let sku = folded.partition.items().find(|(_, no)| *no == placed.item).map(|(sku, _)| sku);
            findings.enter(placed.finding(Promise::Decision, sku, words));
        }
    }

    fn judge(&mut self, folded: &mut Folded, placed: &Placed) -> Result<(), String> {
        if let Some(due) = self.next_due(placed.item) {
            self.counts.events = self.counts.events.saturating_add(1);
            return if is(placed, &due) { Ok(()) } else { Err(format!("{} should follow here", name(&due))) };
        }
        let judged = match &placed.event {
            StreamEvent::Item(recorded) => match folded.items.get_mut(&placed.item) {
                Some(FoldedItem::Whole(item)) => judge_item(item, recorded),
                Some(FoldedItem::Broken { .. }) | None => Ok(Judged::Nothing),
            },
            StreamEvent::Partition(recorded) => judge_partition(&mut folded.partition, recorded),
        };
        self.compare(placed, judged)
    }

    fn next_due(&mut self, stream: ItemNo) -> Option<StreamEvent> {
        let queue = self.due.get_mut(&stream)?;
        let due = queue.pop_front();
        if queue.is_empty() {
            self.due.remove(&stream);
        }
        due
    }

    fn compare(&mut self, placed: &Placed, judged: Result<Judged, String>) -> Result<(), String> {
        let count = |counter: &mut u64| *counter = counter.saturating_add(1);
        match judged {
            Ok(Judged::Nothing) => {
                count(&mut self.counts.not_judged);
                Ok(())
            }
            Ok(Judged::Time(expected)) => {
                count(&mut self.counts.by_time);
                same("time would do", placed, &expected)
            }
            Ok(Judged::Command(events)) => {
                count(&mut self.counts.commands);
                count(&mut self.counts.events);
                let mut events = VecDeque::from(events);
                let first = events.pop_front().ok_or("its command leads to nothing")?;
                same("its command leads to", placed, &first)?;
                if !events.is_empty() {
                    self.due.insert(placed.item, events);
                }
                Ok(())
            }
            Err(words) => Err(words),
        }
    }

    /// What should still follow at the end of the log.
    pub(crate) fn finish(&mut self, last: &Placed, findings: &mut Findings) {
        for (stream, due) in std::mem::take(&mut self.due) {
            if let Some(due) = due.front() {
                let words = format!("the log ends where {} should follow", name(due));
                let mut finding = last.finding(Promise::Decision, None, words);
                (finding.item, finding.sequence) = (stream, due.seq());
                findings.enter(finding);
            }
        }
    }
}

fn judge_item(item: &mut Item, recorded: &Recorded) -> Result<Judged, String> {
    let (seq, at) = (item.seq(), recorded.at);
    if let Some(request) = redecide::request_of(item, recorded) {
        // A revision is told by its result, so what exactly was asked for cannot be had back.
        if !matches!(request.command, Command::ReviseItem { .. }) {
            check_content(recorded.idempotency, request.command.content_fingerprint(item.key()))?;
        }
        return match decide::decide(item, &request, at) {
            Ok(Decision::Accept(events)) => {
                let recorded = recorded_from(seq, at, request.idempotency, events);
                Ok(Judged::Command(recorded.into_iter().map(StreamEvent::Item).collect()))
            }
            Ok(Decision::Replay(before)) => Err(repeated(before.seq)),
            Ok(Decision::AlreadySo(_)) => Err(ALREADY_SO.to_owned()),
            Err(rejection) => Err(refused(&rejection)),
        };
    }
    match redecide::without_command(item, recorded) {
        Some(event) => Ok(Judged::Time(StreamEvent::Item(by_time(seq, at, event)))),
        None => Err(NOTHING_LEADS_TO_IT.to_owned()),
    }
}

fn judge_partition(partition: &mut Partition, recorded: &Recorded<PartitionEvent>) -> Result<Judged, String> {
    let (seq, at) = (partition.seq(), recorded.at);
    if let PartitionEvent::ItemRegistered { .. } | PartitionEvent::PartitionKeyed { .. } = &recorded.event {
        // Registrations are decided with a secret drawn for them, and such a secret by nobody.
        return Ok(Judged::Nothing);
    }
    if let Some(request) = had_back::request_of(partition, recorded) {
        if let Some(key) = partition.key() {
            check_content(recorded.idempotency, request.command.content_fingerprint(key))?;
        }
        return match of_partition::decide(partition, &request, at) {
            Ok(PartitionDecision::Accept(events)) => {
                let recorded = recorded_from(seq, at, request.idempotency, events);
                Ok(Judged::Command(recorded.into_iter().map(StreamEvent::Partition).collect()))
            }
            Ok(PartitionDecision::Replay(before)) => Err(repeated(before.seq)),
            Ok(PartitionDecision::AlreadySo(_)) => Err(ALREADY_SO.to_owned()),
            Err(rejection) => Err(refused(&rejection)),
        };
    }
    match had_back::without_command(partition, recorded) {
        Some(event) => Ok(Judged::Time(StreamEvent::Partition(by_time(seq, at, event)))),
        None => Err(NOTHING_LEADS_TO_IT.to_owned()),
    }
}

const ALREADY_SO: &str = "its command asks for what is so already";
const NOTHING_LEADS_TO_IT: &str = "no command leads to it, and time would not do it by itself";

fn repeated(before: Seq) -> String {
    format!("its command was accepted before, at sequence {before}")
}

fn refused(rejection: &impl Debug) -> String {
    format!("its command would have been refused: {rejection:?}")
}

/// The command had back must be the one that was remembered under its key.
fn check_content(remembered: Option<Idempotency>, content: Fingerprint) -> Result<(), String> {
    match remembered {
        Some(remembered) if remembered.content != content => {
            Err("the command remembered under its key was another one".to_owned())
        }
        Some(_) | None => Ok(()),
    }
}

/// Events in their places; the first one carries the command's key.
fn recorded_from<E>(
    mut seq: Seq,
    at: Timestamp,
    mut idempotency: Option<Idempotency>,
    events: Vec<E>,
) -> Vec<Recorded<E>> {
    let placed = events.into_iter().map(|event| {
        seq = seq.next();
        Recorded { seq, at, idempotency: idempotency.take(), event }
    });
    placed.collect()
}

const fn by_time<E>(seq: Seq, at: Timestamp, event: E) -> Recorded<E> {
    Recorded { seq: seq.next(), at, idempotency: None, event }
}

fn same(leads: &str, placed: &Placed, expected: &StreamEvent) -> Result<(), String> {
    if is(placed, expected) {
        return Ok(());
    }
    Err(format!("{leads} {}, not to {}", told(expected), told(&placed.event)))
}

/// Whether the log holds exactly this, byte for byte. An event in a shape that was replaced since is compared by
/// what it says.
fn is(placed: &Placed, expected: &StreamEvent) -> bool {
    let encoded = encode(placed.item, expected);
    if placed.bytes == encoded.bytes() {
        return true;
    }
    let kind = |bytes| RawEvent::parse(bytes).map(|raw| (raw.head.tag, raw.head.version));
    kind(&placed.bytes) != kind(encoded.bytes()) && placed.event == *expected
}

/// An event as this program would store it.
pub(crate) fn encode(stream: ItemNo, event: &StreamEvent) -> EncodedEvent {
    match event {
        StreamEvent::Item(recorded) => eventlog::encode_item_event(stream, recorded),
        StreamEvent::Partition(recorded) => eventlog::encode_partition_event(stream, recorded),
    }
}

fn name(event: &StreamEvent) -> &'static str {
    match event {
        StreamEvent::Item(recorded) => fields::name(&recorded.event),
        StreamEvent::Partition(recorded) => fields::partition_name(&recorded.event),
    }
}

/// An event with what it says. Never an item's secret: no command and no time leads to a first event.
fn told(event: &StreamEvent) -> String {
    let debug: &dyn Debug = match event {
        StreamEvent::Item(Recorded { event: Event::ItemCreated { .. }, .. }) => &"ItemCreated",
        StreamEvent::Item(recorded) => &recorded.event,
        StreamEvent::Partition(recorded) => &recorded.event,
    };
    format!("{debug:?}")
}
