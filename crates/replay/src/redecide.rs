//! Every recorded command judged once more, on the item as it was, and compared byte for byte with what the log holds.
//!
//! The first event of a command says all that the command said, so the command is had back from it and judged; what
//! the judgement leads to must stand there, one event after another. What no command leads to must be what time would
//! have done by itself at that instant. Rules are `domain`'s; none is here.

use crate::finding::{Findings, Promise};
use crate::fold::Redecided;
use crate::walk::Placed;
use domain::command::{Command, Request};
use domain::decide::{Decision, decide};
use domain::event::{Event, Recorded};
use domain::ids::ItemNo;
use domain::item::Item;
use domain::redecide::{request_of, without_command};
use engine::fold::{Folded, FoldedItem};
use eventlog::{RawEvent, RulesVersion, StreamEvent};
use std::collections::{HashMap, VecDeque};

/// Judging under way.
#[derive(Debug, Default)]
pub(crate) struct Redeciding {
    /// What must follow in an item's stream, because a command led to more than one event.
    due: HashMap<ItemNo, VecDeque<Recorded>>,
    counts: Redecided,
}

impl Redeciding {
    pub(crate) const fn redecided(&self) -> Redecided {
        self.counts
    }

    /// An event of the partition's own stream.
    pub(crate) const fn pass_over(&mut self) {
        self.counts.not_judged = self.counts.not_judged.saturating_add(1);
    }

    /// Judges an item's event before it is applied.
    pub(crate) fn before(&mut self, folded: &mut Folded, placed: &Placed, findings: &mut Findings) {
        let StreamEvent::Item(recorded) = &placed.event else { return };
        let Some(FoldedItem::Whole(item)) = folded.items.get_mut(&placed.item) else {
            return self.pass_over();
        };
        if placed.rules != RulesVersion::CURRENT {
            self.counts.other_rules = self.counts.other_rules.saturating_add(1);
            return;
        }
        if let Err(words) = self.judge(item, placed, recorded) {
            self.due.remove(&placed.item);
            findings.enter(placed.finding(Promise::Decision, Some(item.sku()), words));
        }
    }

    fn judge(&mut self, item: &mut Item, placed: &Placed, recorded: &Recorded) -> Result<(), String> {
        if let Some(due) = self.next_due(placed.item) {
            self.counts.events = self.counts.events.saturating_add(1);
            return if is(placed, &due) { Ok(()) } else { Err(format!("{} should follow here", name(&due.event))) };
        }
        match request_of(item, recorded) {
            Some(request) => self.judge_command(item, placed, recorded, &request),
            None => self.judge_time(item, placed, recorded),
        }
    }

    fn next_due(&mut self, item: ItemNo) -> Option<Recorded> {
        let queue = self.due.get_mut(&item)?;
        let due = queue.pop_front();
        if queue.is_empty() {
            self.due.remove(&item);
        }
        due
    }

    fn judge_command(
        &mut self,
        item: &Item,
        placed: &Placed,
        recorded: &Recorded,
        request: &Request,
    ) -> Result<(), String> {
        self.counts.commands = self.counts.commands.saturating_add(1);
        self.counts.events = self.counts.events.saturating_add(1);
        check_content(item, recorded, request)?;
        let events = match decide(item, request, recorded.at) {
            Ok(Decision::Accept(events)) => events,
            Ok(Decision::Replay(acceptance)) => {
                return Err(format!("its command was accepted before, at sequence {}", acceptance.seq));
            }
            Ok(Decision::AlreadySo(_)) => return Err("its command asks for what is so already".to_owned()),
            Err(rejection) => return Err(format!("its command would have been refused: {rejection:?}")),
        };
        let mut seq = item.seq();
        let mut led_to: VecDeque<Recorded> = VecDeque::with_capacity(events.len());
        for event in events {
            seq = seq.next();
            let idempotency = request.idempotency.filter(|_| led_to.is_empty());
            led_to.push_back(Recorded { seq, at: recorded.at, idempotency, event });
        }
        let first = led_to.pop_front().ok_or("its command leads to nothing")?;
        if !is(placed, &first) {
            return Err(format!("its command leads to {:?}, not to {:?}", first.event, recorded.event));
        }
        if !led_to.is_empty() {
            self.due.insert(placed.item, led_to);
        }
        Ok(())
    }

    fn judge_time(&mut self, item: &mut Item, placed: &Placed, recorded: &Recorded) -> Result<(), String> {
        self.counts.by_time = self.counts.by_time.saturating_add(1);
        let Some(event) = without_command(item, recorded) else {
            return Err("no command leads to it, and time would not do it by itself".to_owned());
        };
        let expected = Recorded { seq: item.seq().next(), at: recorded.at, idempotency: None, event };
        if is(placed, &expected) {
            return Ok(());
        }
        Err(format!("time would do {:?} here, not {:?}", expected.event, recorded.event))
    }

    /// What should still follow at the end of the log.
    pub(crate) fn finish(&mut self, last: &Placed, findings: &mut Findings) {
        for (item, due) in std::mem::take(&mut self.due) {
            if let Some(due) = due.front() {
                let words = format!("the log ends where {} should follow", name(&due.event));
                let mut finding = last.finding(Promise::Decision, None, words);
                (finding.item, finding.sequence, finding.at) = (item, due.seq, due.at);
                findings.enter(finding);
            }
        }
    }
}

/// Whether the log holds exactly this, byte for byte. An event in a shape that was replaced since is compared by
/// what it says.
fn is(placed: &Placed, expected: &Recorded) -> bool {
    let encoded = eventlog::encode_item_event(placed.item, expected);
    if placed.bytes == encoded.bytes() {
        return true;
    }
    let version = |bytes| RawEvent::parse(bytes).map(|raw| (raw.head.tag, raw.head.version));
    version(&placed.bytes) != version(encoded.bytes()) && placed.event == StreamEvent::Item(expected.clone())
}

/// The command had back must be the one that was remembered under its key. A revision is told by its result, so what
/// exactly was asked for cannot be had back.
fn check_content(item: &Item, recorded: &Recorded, request: &Request) -> Result<(), String> {
    let Some(remembered) = recorded.idempotency.map(|key| key.content) else { return Ok(()) };
    let is_revision = matches!(request.command, Command::ReviseItem { .. });
    if is_revision || request.command.content_fingerprint(item.key()) == remembered {
        return Ok(());
    }
    Err("the command remembered under its key was another one".to_owned())
}

fn name(event: &Event) -> &'static str {
    crate::fields::name(event)
}
