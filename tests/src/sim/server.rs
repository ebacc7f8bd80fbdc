//! The process under test: the shipped shells and committer on a simulated log, without Tokio.
//!
//! What the Tokio part of the engine does besides (waking, carrying messages) is done here by the event loop; every
//! decision is the shipped code's.

use super::plan::WALL_START_MS;
use domain::command::Request;
use domain::event::Recorded;
use domain::identity::ItemKey;
use domain::ids::{ItemNo, PartitionNo, Seq};
use domain::partition::Partition;
use domain::policy::ItemSpec;
use domain::time::{DurationMs, Timestamp};
use domain::turn::Query;
use domain::views::Judgement;
use engine::commit::gather::{Action, Gather, StopReason};
use engine::fold::{Folded, FoldedItem};
use engine::newcomers::{Newcomers, Wish};
use engine::pace::Rate;
use engine::shell::{
    Ask, Asked, Handover, MonoTime, Published, Reply, ReplyTo, Resume, Shell, Ticket, TurnInput, Wake,
};
use eventlog::Section as _;
use eventlog::{
    Appended, Chain, ChainPoint, EventLog, LocalLog, LogReader, MemoryDisk, MemoryLog, Record, RecordNo, RecoverError,
    StreamEvent, recover,
};
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// Where an answer goes: one sending of one request.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Which sending.
    pub(super) call: usize,
    /// Whether its sender has given up.
    pub(super) gone: Rc<Cell<bool>>,
}

impl ReplyTo for Caller {
    fn is_gone(&self) -> bool {
        self.gone.get()
    }
}

/// What is asked, before it has a caller.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// A command.
    Command(Request),
    /// A read.
    Query(Query),
}

/// A snapshot as its file would hold it.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    /// What it covers.
    pub(super) point: ChainPoint,
    sections: Vec<Vec<u8>>,
}

impl Snapshot {
    /// What the log folds to, up to its end.
    ///
    /// # Errors
    /// In words, if the log cannot be read.
    pub(super) fn take(disk: &MemoryDisk, point: ChainPoint) -> Result<Self, String> {
        let mut folded = Folded::new(PartitionNo(0));
        for event in eventlog::events(disk, RecordNo(1)) {
            let (no, event) = event.map_err(|error| error.to_string())?;
            folded.apply(no, &event);
        }
        Ok(Self { point, sections: engine::snapshots::sections(&folded).map(|section| section.bytes()).collect() })
    }

    fn unfold(&self) -> Result<Folded, String> {
        let mut folded = Folded::new(PartitionNo(0));
        let mut sections = self.sections.iter();
        let partition = sections.next().ok_or("an empty snapshot")?;
        let parts = eventlog::decode_partition(partition).map_err(|error| error.to_string())?;
        folded.partition = Partition::from_parts(parts).map_err(|broken| broken.to_string())?;
        folded.last = folded.partition.now();
        for section in sections {
            let parts = eventlog::decode_item(section).map_err(|error| error.to_string())?;
            let item = domain::item::Item::from_parts(parts).map_err(|broken| broken.to_string())?;
            folded.last = folded.last.max(item.now());
            folded.items.insert(item.no(), FoldedItem::Whole(Box::new(item)));
        }
        Ok(folded)
    }
}

/// What a start found.
#[derive(Debug)]
pub(super) struct Started {
    /// Every event of the log, from its first.
    pub(super) events: Vec<(ItemNo, Recorded)>,
    /// Whether a torn tail was cut.
    pub(super) cut: bool,
}

/// Why a process does not start.
#[derive(Debug)]
pub(super) enum NoStart {
    /// The log is damaged, or cannot be used.
    Recover(RecoverError),
    /// Something that must never be.
    Wrong(String),
}

/// What the committer did.
#[derive(Debug)]
pub(super) enum Done {
    /// An append was begun; its outcome is known when [`Server::append_ends`] is called.
    Appending,
    /// These are durable and may be told.
    Released(Vec<Handover<Caller>>),
    /// These are told that there is no answer.
    Dismissed(Vec<(Caller, Reply)>),
    /// Nothing more is acknowledged.
    Stopped(StopReason),
}

/// One item at work.
#[derive(Debug)]
pub(super) struct Seat {
    /// `None` while it is rebuilt after a panic.
    pub(super) shell: Option<Shell>,
    /// What waits for its next turn.
    pub(super) queue: VecDeque<Asked<Caller>>,
    /// The last ticket that is durable.
    pub(super) durable: Ticket,
    /// What everybody may see.
    pub(super) published: Published,
    /// Whom the item may refuse without being asked.
    newcomers: Newcomers,
    /// When its next turn is.
    pub(super) turn_at: Option<u64>,
    /// The last ticket before a panic.
    submitted: Ticket,
    resume: (Resume, Seq),
    backlog: Rate,
}

/// A running process.
#[derive(Debug)]
pub(super) struct Server {
    log: MemoryLog,
    disk: MemoryDisk,
    gather: Gather<Caller>,
    in_flight: Option<(RecordNo, Vec<Record>)>,
    /// Its items.
    pub(super) seats: BTreeMap<ItemNo, Seat>,
    started_us: u64,
    base_ms: u64,
    stopped: bool,
}

impl Server {
    /// Starts on a disk: recovers, checks, claims.
    ///
    /// # Errors
    /// [`NoStart`].
    pub(super) fn start(
        disk: &MemoryDisk,
        at_us: u64,
        wall_ms: u64,
        (grace, backlog): (DurationMs, Rate),
        snapshot: Option<&Snapshot>,
    ) -> Result<(Self, Started), NoStart> {
        let mut log = MemoryLog::open(disk.clone());
        let (from, mut folded) = match snapshot {
            Some(snapshot) => (snapshot.point, snapshot.unfold().map_err(NoStart::Wrong)?),
            None => (ChainPoint::START, Folded::new(PartitionNo(0))),
        };
        let recovered = recover(&mut log, from, &mut |event| folded.apply(event.item, &event.event));
        let recovered = recovered.map_err(NoStart::Recover)?;
        folded.recount();
        if let Some(why) = &folded.stopped {
            return Err(NoStart::Wrong(format!("the partition's own stream is broken: {why}")));
        }
        if let Some((sku, why)) = folded.broken().first() {
            return Err(NoStart::Wrong(format!("{sku} is broken: {why}")));
        }
        let (whole, events) = fold_from_start(disk).map_err(NoStart::Wrong)?;
        same(&whole, &folded)?;
        let base_ms = wall_ms.max(folded.last.as_millis());
        let claim = log.claim("a simulation").map_err(|error| NoStart::Wrong(error.to_string()))?;
        let resume = Resume { at: Timestamp::from_millis(base_ms), grace };
        let seats = folded.items.into_iter().filter_map(|(no, item)| match item {
            FoldedItem::Whole(item) => Some((no, Seat::resuming(*item, resume, backlog))),
            FoldedItem::Broken { .. } => None,
        });
        let server = Self {
            log,
            disk: disk.clone(),
            gather: Gather::new(claim.chain),
            in_flight: None,
            seats: seats.collect(),
            started_us: at_us,
            base_ms,
            stopped: false,
        };
        Ok((server, Started { events, cut: recovered.cut.is_some() }))
    }

    /// Engine time at this instant of the simulation.
    #[must_use]
    pub(super) fn now(&self, at_us: u64) -> Timestamp {
        Timestamp::from_millis(self.base_ms + at_us.saturating_sub(self.started_us) / 1_000)
    }

    /// The first instant of the simulation at which engine time is `at`, in this life of the process.
    #[must_use]
    pub(super) fn instant_of(&self, at: Timestamp) -> u64 {
        self.started_us + at.as_millis().saturating_sub(self.base_ms) * 1_000
    }

    /// What is asked as an item's filter looks at it, if that may refuse it.
    #[must_use]
    pub(super) fn wish(&self, item: ItemNo, what: &What) -> Option<Wish> {
        let What::Command(request) = what else { return None };
        self.seats.get(&item)?.newcomers.wish(&request.command)
    }

    /// The refusal of a newcomer by what is published, without the item.
    #[must_use]
    pub(super) fn refuses(&self, item: ItemNo, wish: &Wish, at_us: u64) -> Option<Judgement> {
        let seat = self.seats.get(&item).filter(|seat| seat.newcomers.is_newcomers(wish))?;
        wish.refusal(&seat.published, self.now(at_us))
    }

    /// Somebody who asked an item for units leaves without an answer.
    pub(super) fn leaves(&self, item: ItemNo, wish: &Wish) {
        if let Some(seat) = self.seats.get(&item) {
            seat.newcomers.leaves(wish);
        }
    }

    /// Puts a request into an item's mailbox.
    ///
    /// # Errors
    /// The caller again, if the mailbox is full or the item is being rebuilt.
    pub(super) fn accept(&mut self, item: ItemNo, asked: Asked<Caller>, places: usize) -> Result<(), Caller> {
        match self.seats.get_mut(&item) {
            Some(seat) if seat.shell.is_some() && seat.queue.len() < places => {
                seat.queue.push_back(asked);
                Ok(())
            }
            _ => Err(asked.reply),
        }
    }

    /// Runs one turn of an item with so many of its requests at most. Answers that may leave at once come back.
    pub(super) fn turn(&mut self, item: ItemNo, at_us: u64, takes: usize) -> (Vec<(Caller, Reply)>, Wake) {
        let now = self.now(at_us);
        let Some(seat) = self.seats.get_mut(&item) else { return (Vec::new(), Wake::Never) };
        let Some(shell) = seat.shell.as_mut() else { return (Vec::new(), Wake::Never) };
        let asked = seat.queue.drain(..takes.min(seat.queue.len())).collect();
        let mono = MonoTime(Duration::from_micros(at_us));
        let output = shell.turn(TurnInput { now, mono, durable: seat.durable, asked });
        seat.submitted = shell.submitted();
        if let Some(wake) = seat.newcomers.after(shell, &output, seat.durable) {
            seat.published.due = wake.due();
        }
        if let Some(handover) = output.handover {
            self.gather.submit(handover);
        }
        let wake = if seat.queue.is_empty() { output.wake } else { Wake::Now };
        (output.release, wake)
    }

    /// A turn panics: its item's state and everything that waited for it are gone.
    pub(super) fn panic(&mut self, item: ItemNo) -> Vec<Asked<Caller>> {
        let Some(seat) = self.seats.get_mut(&item) else { return Vec::new() };
        seat.shell = None;
        seat.turn_at = None;
        seat.newcomers.forget();
        seat.queue.drain(..).collect()
    }

    /// Rebuilds an item that panicked, once everything it had handed over is durable. True if it did.
    ///
    /// # Errors
    /// In words, if the log cannot be folded.
    pub(super) fn rebuild(&mut self, item: ItemNo) -> Result<bool, String> {
        let Some(seat) = self.seats.get_mut(&item) else { return Ok(false) };
        if seat.shell.is_some() || seat.durable < seat.submitted {
            return Ok(false);
        }
        let mut folded = Folded::new(PartitionNo(0));
        for event in eventlog::events(&self.disk, RecordNo(1)) {
            let (no, event) = event.map_err(|error| error.to_string())?;
            if no == item {
                folded.apply(no, &event);
            }
        }
        let Some(FoldedItem::Whole(found)) = folded.items.remove(&item) else {
            return Err(format!("item {item} cannot be rebuilt"));
        };
        let (resume, before) = seat.resume;
        let untouched = found.seq() == before;
        let shell = Shell::new(*found, seat.submitted).paced(seat.backlog);
        seat.shell = Some(if untouched { shell.resuming(resume) } else { shell });
        Ok(true)
    }

    /// Whether an append is under way.
    #[must_use]
    pub(super) const fn is_appending(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Whether everything handed over is durable, so that a snapshot can be taken.
    #[must_use]
    pub(super) fn is_idle(&self) -> bool {
        self.gather.is_idle() && !self.stopped
    }

    /// Carries out the committer's next action, unless an append is under way.
    pub(super) fn commit(&mut self) -> Option<Done> {
        if self.in_flight.is_some() {
            return None;
        }
        loop {
            match self.gather.next_action()? {
                Action::Append { expected, records } => {
                    self.in_flight = Some((expected, records));
                    return Some(Done::Appending);
                }
                Action::ReadBack { from, count } => {
                    let found: Result<Vec<_>, _> =
                        self.disk.read_from(from).take(count).map(|read| read.map(|(_, bytes)| bytes)).collect();
                    self.gather.read_back(found.ok().as_deref());
                }
                Action::Release { group, .. } => {
                    group.iter().for_each(|handover| self.publish(handover));
                    return Some(Done::Released(group));
                }
                Action::Dismiss(replies) => return Some(Done::Dismissed(replies)),
                Action::Stop(reason) => {
                    self.stopped = true;
                    return Some(Done::Stopped(reason));
                }
            }
        }
    }

    fn publish(&mut self, handover: &Handover<Caller>) {
        if let Some(seat) = self.seats.get_mut(&handover.item) {
            seat.durable = handover.ticket;
            if let Some(view) = &handover.view {
                seat.published = view.clone();
            }
        }
    }

    /// The append under way reaches the disk, and its outcome the committer. Says whether the outcome is unknown.
    pub(super) fn append_ends(&mut self) -> bool {
        let Some((expected, records)) = self.in_flight.take() else { return false };
        let outcome = self.log.append(expected, &records);
        let unknown = matches!(outcome, Appended::Unknown);
        self.gather.appended(outcome);
        unknown
    }

    /// The append under way reaches the disk just as the power goes.
    pub(super) fn append_is_cut_off(&mut self) {
        if let Some((expected, records)) = self.in_flight.take() {
            let _nobody_hears = self.log.append(expected, &records);
        }
    }

    /// Writes the anchor, as is done about once a second. Says whether there was anything to write it for.
    pub(super) fn write_anchor(&mut self) -> bool {
        self.in_flight.is_none() && self.log.write_anchor().is_ok()
    }

    /// Where the log stands, while no append is under way.
    #[must_use]
    pub(super) const fn point(&self) -> ChainPoint {
        self.gather.point()
    }

    /// The last record up to which damage would be noticed.
    #[must_use]
    pub(super) fn anchor(&self) -> RecordNo {
        self.log.anchor().record
    }
}

impl Seat {
    fn resuming(item: domain::item::Item, resume: Resume, backlog: Rate) -> Self {
        let (before, newcomers) = (item.seq(), Newcomers::new(item.key()));
        let shell = Shell::new(item, Ticket(0)).resuming(resume).paced(backlog);
        Self {
            queue: VecDeque::new(),
            durable: Ticket(0),
            published: Published::new(shell.item(), shell.wake()),
            newcomers,
            turn_at: None,
            submitted: Ticket(0),
            resume: (resume, before),
            backlog,
            shell: Some(shell),
        }
    }
}

/// Everything in the log, folded from its first record.
pub(super) fn fold_from_start(disk: &MemoryDisk) -> Result<(Folded, Vec<(ItemNo, Recorded)>), String> {
    let (mut folded, mut events) = (Folded::new(PartitionNo(0)), Vec::new());
    for event in eventlog::events(disk, RecordNo(1)) {
        let (no, event) = event.map_err(|error| error.to_string())?;
        folded.apply(no, &event);
        if let StreamEvent::Item(recorded) = event {
            events.push((no, recorded));
        }
    }
    Ok((folded, events))
}

/// Invariant 37: a snapshot and the tail behind it are the whole log.
fn same(whole: &Folded, folded: &Folded) -> Result<(), NoStart> {
    for (no, item) in &whole.items {
        let (FoldedItem::Whole(one), Some(FoldedItem::Whole(other))) = (item, folded.items.get(no)) else {
            return Err(NoStart::Wrong(format!("item {no} is not there, or broken")));
        };
        if one.to_parts() != other.to_parts() {
            return Err(NoStart::Wrong(format!("invariant 37: item {no} from a snapshot is not what the log says")));
        }
    }
    Ok(())
}

/// A disk with the items of a plan on it, as their creation leaves it.
///
/// # Panics
/// If the items cannot be created, which is a bug of the plan.
#[must_use]
pub(super) fn shop(disk: &MemoryDisk, specs: &[ItemSpec]) -> Vec<ItemNo> {
    let mut log = MemoryLog::open(disk.clone());
    let mut partition = Partition::new(PartitionNo(0));
    recover(&mut log, ChainPoint::START, &mut |_| ()).expect("an empty disk");
    let claim = log.claim("the plan").expect("nobody else");
    let mut chain: Chain = claim.chain;
    let mut numbers = Vec::new();
    for (number, spec) in (0_u8..).zip(specs) {
        let key = ItemKey::from_bytes([number + 1; 32]);
        let now = Timestamp::from_millis(WALL_START_MS);
        let registered = partition.register(spec.clone(), key, None, now).expect("a new sku");
        let stream = ItemNo::partition_stream(PartitionNo(0));
        let events = [
            eventlog::encode_partition_event(stream, &registered.registered),
            eventlog::encode_item_event(registered.item, &registered.created),
        ];
        let expected = chain.next_record();
        let records = chain.frame(events.iter());
        assert!(matches!(log.append(expected, &records), eventlog::Appended::Durable), "a disk without faults");
        partition.apply(&registered.registered);
        numbers.push(registered.item);
    }
    log.write_anchor().expect("a disk without faults");
    numbers
}

/// A request as a shell takes it.
#[must_use]
pub(super) fn asked(what: &What, at_us: u64, judge_within_us: u64, reply: Caller) -> Asked<Caller> {
    let ask = match what {
        What::Command(request) => Ask::Command(Box::new(request.clone())),
        What::Query(query) => Ask::Query(query.clone()),
    };
    Asked { ask, judge_before: MonoTime(Duration::from_micros(at_us + judge_within_us)), reply }
}
