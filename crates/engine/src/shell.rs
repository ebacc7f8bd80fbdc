//! What stands between an item's mailbox and the log, as a pure state machine: deadlines, the turn, the reply gate.
//!
//! [`Shell::turn`] takes what was asked and gives back what must be written, what may be answered at once, and when
//! to run again. It does no I/O and reads no clock, so a simulator can run it as fast as it likes; the Tokio part
//! (`actor.rs`) only carries its inputs and outputs.
//!
//! The reply gate: an answer, a refusal included, leaves only when everything it was computed from is durable. A turn
//! that writes hands its replies over together with its events. A turn that writes nothing may answer at once only
//! if all that the item handed over before is durable; otherwise its replies queue up behind that.

use crate::error::SubmitError;
use crate::pace::{Pace, Rate};
use crate::partition::BundleDecided;
use domain::command::{Command, Request};
use domain::event::{PartitionEvent, Recorded};
use domain::ids::ItemNo;
use domain::item::Item;
use domain::planted::{self, Bug};
use domain::time::{DurationMs, Timestamp};
use domain::turn::{Query, Turn, TurnEnd};
use domain::views::{ItemView, Judgement};
use eventlog::EncodedEvent;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

/// What is asked of an item.
#[derive(Debug)]
pub enum Ask {
    /// A command.
    Command(Box<Request>),
    /// A read.
    Query(Query),
}

impl Ask {
    /// Whether it asks for units.
    const fn is_reserve(&self) -> bool {
        matches!(self, Self::Command(request) if matches!(request.command, Command::Reserve { .. }))
    }
}

/// Where an answer goes. The shell asks it only whether anybody still waits.
pub trait ReplyTo {
    /// Whether the caller has gone: then nothing is done for them.
    fn is_gone(&self) -> bool;
}

/// Something asked, on its way through a turn.
#[derive(Debug)]
pub struct Asked<R> {
    /// What.
    pub ask: Ask,
    /// After this instant (on the caller's monotonic clock) it is not judged any more.
    pub judge_before: MonoTime,
    /// Where the answer goes.
    pub reply: R,
}

/// An instant on a monotonic clock, since whatever the caller counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MonoTime(pub Duration);

/// How many times an item has handed events to its committer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// An answer, or why there is none.
pub type Reply = Result<Judgement, SubmitError>;

/// What a turn is given.
#[derive(Debug)]
pub struct TurnInput<R> {
    /// Engine time, read once for the turn.
    pub now: Timestamp,
    /// The same instant on the monotonic clock of the deadlines.
    pub mono: MonoTime,
    /// The last ticket of this item that is durable.
    pub durable: Ticket,
    /// What was asked, in the order in which it is to be judged.
    pub asked: Vec<Asked<R>>,
}

/// What a turn leads to.
#[derive(Debug)]
pub struct TurnOutput<R> {
    /// To the committer.
    pub handover: Option<Handover<R>>,
    /// Answers that may leave at once.
    pub release: Vec<(R, Reply)>,
    /// When the item wants its next turn.
    pub wake: Wake,
    /// Whether somebody asked for units and was refused.
    pub refused: bool,
}

/// When an item wants its next turn, if nobody asks for one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// At once: there is a backlog.
    Now,
    /// From that instant on, as soon as it can: there is a backlog, and it has to leave time to others.
    Rested(MonoTime),
    /// At that instant.
    At(Timestamp),
    /// Only when asked.
    Never,
}

/// Events to be written and the replies that wait for them.
#[derive(Debug)]
pub struct Handover<R> {
    /// Whose.
    pub item: ItemNo,
    /// The item's count of handovers with events, this one included.
    pub ticket: Ticket,
    /// The events as the log stores them; none where only replies wait for earlier ones.
    pub encoded: Vec<EncodedEvent>,
    /// The same events for those who follow the log.
    pub events: Vec<Recorded>,
    /// Events of a partition's own stream, for those who follow it.
    pub of_partition: Vec<Recorded<PartitionEvent>>,
    /// Bundles whose parts these events decide about; only a partition's own stream does.
    pub decided: Vec<BundleDecided>,
    /// What is to be answered once all this and everything before is durable.
    pub replies: Vec<(R, Reply)>,
    /// The item as everybody may see it from then on.
    pub view: Option<Published>,
}

/// An item as it is published at a commit point.
#[derive(Clone, Debug)]
pub struct Published {
    /// As everybody may see it.
    pub view: Arc<ItemView>,
    /// Until when it stays so if nobody asks for anything. From then on only the item itself knows how it is.
    pub due: Option<Timestamp>,
}

impl Published {
    /// An item as it is, with its next turn then.
    #[must_use]
    pub fn new(item: &Item, wake: Wake) -> Self {
        Self { view: Arc::new(item.view()), due: wake.due() }
    }
}

impl Deref for Published {
    type Target = ItemView;

    fn deref(&self) -> &ItemView {
        &self.view
    }
}

impl Wake {
    /// From when on time has something to do.
    #[must_use]
    pub const fn due(self) -> Option<Timestamp> {
        match self {
            Self::Now | Self::Rested(_) => Some(Timestamp::from_millis(0)),
            Self::At(at) => Some(at),
            Self::Never => None,
        }
    }
}

/// How the first turn after a restart treats holds that would end too soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// When the process was back.
    pub at: Timestamp,
    /// How long no hold ends from then on.
    pub grace: DurationMs,
}

/// One item and its count of handovers.
#[derive(Debug)]
pub struct Shell {
    item: Item,
    submitted: Ticket,
    resume: Option<Resume>,
    pace: Pace,
}

impl Shell {
    /// An item just created, or rebuilt while the process ran. `submitted` is the last ticket of its events.
    #[must_use]
    pub const fn new(item: Item, submitted: Ticket) -> Self {
        Self { item, submitted, resume: None, pace: Pace::new(Rate::USUAL) }
    }

    /// The same, working off a backlog at another rate.
    #[must_use]
    pub const fn paced(mut self, rate: Rate) -> Self {
        self.pace = Pace::new(rate);
        self
    }

    /// The same, for an item whose first turn after a start of the process is still to come.
    #[must_use]
    pub const fn resuming(mut self, resume: Resume) -> Self {
        self.resume = Some(resume);
        self
    }

    /// Whether its first turn after a start of the process is still to come. That one looks at everything it holds.
    #[must_use]
    pub const fn is_resuming(&self) -> bool {
        self.resume.is_some()
    }

    /// The item.
    #[must_use]
    pub const fn item(&self) -> &Item {
        &self.item
    }

    /// The last ticket handed over.
    #[must_use]
    pub const fn submitted(&self) -> Ticket {
        self.submitted
    }

    /// Gives memory back that only a rush needs: nobody asks the item at the moment.
    pub(crate) fn rest(&mut self) {
        self.item.rest();
    }

    /// When the item wants its next turn, as things are.
    #[must_use]
    pub fn wake(&self) -> Wake {
        if self.item.has_backlog() {
            return Wake::Now;
        }
        self.item.next_wake().map_or(Wake::Never, Wake::At)
    }

    /// Runs one turn.
    pub fn turn<R: ReplyTo>(&mut self, input: TurnInput<R>) -> TurnOutput<R> {
        let TurnInput { now, mono, durable, asked } = input;
        let mut release = Vec::new();
        let mut replies = Vec::with_capacity(asked.len());
        let mut turn = match self.resume.take() {
            Some(resume) => Turn::begin_after_restart(&mut self.item, now, resume.at, resume.grace),
            None => Turn::begin_within(&mut self.item, now, self.pace.allows(mono)),
        };
        let mut refused = false;
        for Asked { ask, judge_before, reply } in asked {
            if reply.is_gone() {
                continue;
            }
            if judge_before <= mono {
                // Computed from nothing, so it need not wait for anything.
                release.push((reply, Err(SubmitError::Late)));
                if let (true, Ask::Command(request)) = (planted::is(Bug::LateIsJudged), &ask) {
                    turn.judge(request);
                }
                continue;
            }
            let judgement = match &ask {
                Ask::Command(request) => turn.judge(request),
                Ask::Query(query) => turn.read(query),
            };
            refused |= judgement.outcome.is_err() && ask.is_reserve();
            replies.push((reply, Ok(judgement)));
        }
        let TurnEnd { recorded, worked_off, backlog } = turn.end();
        self.pace.uses(worked_off);
        let wake = match (backlog, self.pace.rested()) {
            (false, _) => self.wake(),
            (true, rested) if rested <= mono => Wake::Now,
            (true, rested) => Wake::Rested(rested),
        };
        let handover = self.gate(recorded, replies, (durable, wake), &mut release);
        TurnOutput { handover, release, wake, refused }
    }

    /// The reply gate.
    fn gate<R>(
        &mut self,
        events: Vec<Recorded>,
        mut replies: Vec<(R, Reply)>,
        (durable, wake): (Ticket, Wake),
        release: &mut Vec<(R, Reply)>,
    ) -> Option<Handover<R>> {
        let item = self.item.no();
        if events.is_empty() {
            if durable >= self.submitted || planted::is(Bug::GateLetsAnswersThrough) {
                release.append(&mut replies);
            }
            return (!replies.is_empty()).then(|| Handover {
                item,
                ticket: self.submitted,
                encoded: Vec::new(),
                events,
                of_partition: Vec::new(),
                decided: Vec::new(),
                replies,
                view: None,
            });
        }
        let keyless = |recorded: &Recorded| Recorded { idempotency: None, ..recorded.clone() };
        let encode = |recorded: &Recorded| match planted::is(Bug::KeyNotLogged) {
            true => eventlog::encode_item_event(item, &keyless(recorded)),
            false => eventlog::encode_item_event(item, recorded),
        };
        let encoded = events.iter().map(encode).collect();
        let view = Some(Published::new(&self.item, wake));
        let decided = Vec::new();
        self.submitted = Ticket(self.submitted.0.saturating_add(1));
        Some(Handover {
            item,
            ticket: self.submitted,
            encoded,
            events,
            of_partition: Vec::new(),
            decided,
            replies,
            view,
        })
    }
}
