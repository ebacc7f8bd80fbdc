//! The life of the process: turns, commits, and every way in which it ends.

use super::marks::of_event;
use super::plan::WALL_START_MS;
use super::server::Caller;
use super::server::{Done, NoStart, Server, Snapshot, Started};
use super::world::{Act, RESTART_US, World};
use domain::event::Event;
use domain::ids::ItemNo;
use engine::commit::gather::StopReason;
use engine::shell::{Handover, Reply, Wake};
use eventlog::{RecordNo, RecoverError};

/// The anchor is written about once a second.
const ANCHOR_EVERY_US: u64 = 1_000_000;

impl World {
    /// What may go wrong besides network and disk, drawn once a request.
    pub(super) fn something_goes_wrong(&mut self) {
        let process = self.plan.process;
        if self.dice.chance(process.crash) {
            let wait = self.dice.below(500_000);
            self.plan_for(wait, Act::Crash);
        }
        if self.dice.chance(process.second_writer) {
            self.say(|| "another process takes the log".to_owned());
            self.disk.claim_by_another();
        }
        if self.dice.chance(process.panic) {
            let item = *self.dice.pick(&self.items);
            self.panic(item);
        }
        if self.dice.chance(process.snapshot)
            && let Some(server) = self.server.as_ref().filter(|server| server.is_idle())
        {
            self.snapshot = Snapshot::take(&self.disk, server.point()).ok();
        }
    }

    /// Sees to it that an item has a turn at this instant, or before.
    pub(super) fn wake(&mut self, item: ItemNo, at: u64) {
        let Some(seat) = self.server.as_mut().and_then(|server| server.seats.get_mut(&item)) else { return };
        if seat.turn_at.is_none_or(|planned| planned > at) {
            seat.turn_at = Some(at);
            let wait = at.saturating_sub(self.at_us);
            self.plan_for(wait, Act::Turn(item, self.life));
        }
    }

    pub(super) fn turn(&mut self, item: ItemNo) -> Result<(), String> {
        let now = self.at_us;
        let Some(server) = &mut self.server else { return Ok(()) };
        let Some(seat) = server.seats.get_mut(&item) else { return Ok(()) };
        if seat.turn_at != Some(now) {
            // Another turn was planned before this one.
            return Ok(());
        }
        seat.turn_at = None;
        let (release, wake) = server.turn(item, now, TURN_TAKES);
        if matches!(wake, Wake::Rested(_)) {
            self.marks.hit("item: a backlog leaves time to others");
        }
        let next = match wake {
            Wake::Now => Some(now + 10),
            Wake::Rested(at) => Some(u64::try_from(at.0.as_micros()).unwrap_or(u64::MAX).max(now + 10)),
            Wake::At(at) => Some(server.instant_of(at).max(now + 10)),
            Wake::Never => None,
        };
        if let Some(next) = next {
            let late = if self.dice.chance(self.plan.process.late_tick) { self.dice.below(3_000_000) } else { 0 };
            self.wake(item, next + late);
        }
        for (caller, reply) in release {
            self.answer(&caller, reply)?;
        }
        self.commit()
    }

    fn answer(&mut self, caller: &Caller, reply: Reply) -> Result<(), String> {
        self.judged(caller.call, &reply)?;
        self.reply(caller.call, reply);
        Ok(())
    }

    /// Lets the committer do what it can.
    pub(super) fn commit(&mut self) -> Result<(), String> {
        while let Some(done) = self.server.as_mut().and_then(Server::commit) {
            match done {
                Done::Appending => {
                    let stall = self.dice.chance(self.plan.disk.stall);
                    if stall {
                        self.marks.hit("disk: sync of ten seconds");
                    }
                    let wait = if stall { 10_000_000 } else { self.dice.below(self.plan.disk.sync_us_max) };
                    self.plan_for(wait, Act::AppendEnds(self.life));
                }
                Done::Released(group) => self.release(group)?,
                Done::Dismissed(replies) => {
                    for (caller, reply) in replies {
                        self.answer(&caller, reply)?;
                    }
                }
                Done::Stopped(reason) => {
                    self.say(|| format!("the process stops: {reason}"));
                    self.marks.hit(match reason {
                        StopReason::Fenced => "log: taken over, process stops",
                        StopReason::Failed(_) => "disk: failed, process stops",
                        StopReason::Silent => "log: silent, process stops",
                    });
                    self.plan_for(1_000, Act::Crash);
                }
            }
        }
        Ok(())
    }

    fn release(&mut self, group: Vec<Handover<Caller>>) -> Result<(), String> {
        for handover in &group {
            for event in &handover.events {
                self.written(handover.item, event)?;
            }
        }
        for handover in group {
            let item = handover.item;
            for (caller, reply) in handover.replies {
                self.answer(&caller, reply)?;
            }
            if self.server.as_mut().map_or(Ok(false), |server| server.rebuild(item))? {
                self.marks.hit("panic: item rebuilt");
                self.wake(item, self.at_us + 1);
            }
        }
        if self.at_us >= self.anchored_at + ANCHOR_EVERY_US && self.server.as_mut().is_some_and(Server::write_anchor) {
            self.anchored_at = self.at_us;
        }
        Ok(())
    }

    /// An event is durable.
    fn written(&mut self, item: ItemNo, recorded: &domain::event::Recorded) -> Result<(), String> {
        self.say(|| format!("{item}/{} {:?}", recorded.seq, recorded.event));
        self.trace.update(eventlog::encode_item_event(item, recorded).bytes());
        self.marks.hit(of_event(&recorded.event));
        if let Event::HoldExpired { reservation, .. } = recorded.event {
            self.oracle.expired(item, reservation, recorded.at)?;
        }
        if let Some(key) = &recorded.idempotency {
            self.is_open(item, key.request.0)?;
        }
        self.ledger.take(item, recorded).map_err(|why| format!("{item}, event {}: {why}", recorded.seq))
    }

    fn panic(&mut self, item: ItemNo) {
        let Some(server) = &mut self.server else { return };
        if server.seats.get(&item).is_none_or(|seat| seat.shell.is_none()) {
            return;
        }
        // Callers in the mailbox hear nothing; they may have been judged in the turn that panicked.
        drop(server.panic(item));
        self.say(|| format!("a turn of {item} panics"));
        let rebuilt = self.server.as_mut().map_or(Ok(false), |server| server.rebuild(item));
        if rebuilt == Ok(true) {
            self.marks.hit("panic: item rebuilt");
            self.wake(item, self.at_us + 1);
        }
    }

    /// The process ends, and what the disk had not synced is there, torn or gone.
    pub(super) fn crash(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        self.crashes += 1;
        self.marks.hit(if server.is_appending() { "crash: while appending" } else { "crash: idle" });
        self.say(|| "the process ends".to_owned());
        if server.is_appending() && self.dice.chance(600) {
            if self.dice.chance(500) {
                self.disk.script([eventlog::memory_log::Fault::SyncFails]);
            }
            server.append_is_cut_off();
        }
        let anchor = server.anchor();
        drop(server);
        self.disk.crash(self.dice.roll());
        if self.dice.chance(self.plan.process.bit_flip) {
            self.flip_a_bit(anchor);
        }
        let wait = self.dice.between(RESTART_US.0, RESTART_US.1);
        self.plan_for(wait, Act::Start);
    }

    /// A bit flips at or before the anchor. An operator puts the disk back as it was after recovery has refused it.
    fn flip_a_bit(&mut self, anchor: RecordNo) {
        let backup = self.disk.duplicate();
        let record = RecordNo(self.dice.between(1, anchor.0.max(1)));
        let bit = usize::try_from(self.dice.below(40 * 8)).expect("small");
        if self.disk.flip_bit(record, bit) {
            self.say(|| format!("bit {bit} of record {} flips", record.0));
            self.backup = Some(backup);
        }
    }

    pub(super) fn start(&mut self) -> Result<(), String> {
        if self.server.is_some() {
            return Ok(());
        }
        let off = self.plan.process.clock_off_ms;
        let wall = WALL_START_MS + self.at_us / 1_000 + self.dice.below(2 * off + 1);
        let wall = wall.saturating_sub(off);
        // Damage before a snapshot is found by whoever reads from the start; recovery is asked to do so here.
        let snapshot = self.snapshot.as_ref().filter(|_| self.backup.is_none());
        let used = snapshot.is_some();
        match Server::start(&self.disk, self.at_us, wall, (self.plan.grace, self.plan.backlog), snapshot) {
            Ok(_) if self.backup.is_some() => {
                Err("invariant 39: a flipped bit before the anchor was not noticed".into())
            }
            Ok((server, started)) => {
                if used {
                    self.marks.hit("snapshot: used");
                }
                self.started(server, &started)
            }
            Err(NoStart::Recover(RecoverError::Damage(_) | RecoverError::Newer { .. })) if self.backup.is_some() => {
                self.marks.hit("disk: a flipped bit noticed");
                self.disk = self.backup.take().ok_or("a backup")?;
                self.disk.draw_faults(self.dice.roll(), self.plan.disk.faults);
                self.plan_for(1_000_000, Act::Start);
                Ok(())
            }
            Err(NoStart::Recover(error)) => Err(format!("recovery: {error}")),
            Err(NoStart::Wrong(why)) => Err(format!("recovery: {why}")),
        }
    }

    fn started(&mut self, server: Server, started: &Started) -> Result<(), String> {
        self.say(|| format!("the process starts with {} events", started.events.len()));
        if started.cut {
            self.marks.hit("crash: torn tail cut");
        }
        let known = self.ledger.events.len();
        if started.events.get(..known) != Some(self.ledger.events.as_slice()) {
            let differ = self.ledger.events.iter().zip(&started.events).position(|(one, other)| one != other);
            return Err(format!("invariant 38: of {known} events that were durable, {differ:?} is not in the log"));
        }
        // What was written and never acknowledged is true from here on.
        for (item, recorded) in started.events.iter().skip(known) {
            self.written(*item, recorded)?;
        }
        if self.dice.chance(self.plan.process.crash_again) {
            self.marks.hit("crash: again during recovery");
            self.disk.crash(self.dice.roll());
            self.plan_for(1_000_000, Act::Start);
            return Ok(());
        }
        self.life += 1;
        let floor = server.now(self.at_us).plus(self.plan.grace);
        let books = self.items.iter().filter_map(|&item| Some((item, self.ledger.book(item)?)));
        self.oracle.restarted(books.flat_map(|(item, book)| book.held().map(move |held| (item, held))), floor);
        self.server = Some(server);
        for item in self.items.clone() {
            self.wake(item, self.at_us);
        }
        Ok(())
    }
}

/// What a turn takes of its mailbox at most.
const TURN_TAKES: usize = 16;

impl Server {
    /// What is in memory is what the log says, and it adds up.
    ///
    /// # Errors
    /// In words.
    pub(super) fn check(&self, disk: &eventlog::MemoryDisk) -> Result<(), String> {
        let (folded, _) = super::server::fold_from_start(disk)?;
        for (no, seat) in &self.seats {
            let live = seat.shell.as_ref().ok_or("liveness: an item was not rebuilt")?.item();
            live.recount().map_err(|broken| broken.to_string())?;
            let Some(engine::fold::FoldedItem::Whole(item)) = folded.items.get(no) else {
                return Err(format!("{no} is not in the log, or broken"));
            };
            if item.to_parts() != live.to_parts() {
                return Err(format!("invariant 36: {no} in memory is not what the log says"));
            }
        }
        Ok(())
    }
}
