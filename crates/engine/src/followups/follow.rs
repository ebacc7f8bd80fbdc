//! The follower of one partition: takes committed events, keeps the table, makes the attempts.

use super::Outside;
use super::attempts::Attempts;
use super::execute::{Executor, Outcome};
use super::feed::{Fed, Intake};
use super::notice::{self, About, bundle_told_of, messages, messages_of_bundle};
use super::piece::Piece;
use super::redelivery::Redelivery;
use super::store::FollowUpStore;
use super::table::Table;
use super::work::{Work, is_of_interest, work_of, work_of_partition};
use crate::registry::Registry;
use domain::endpoint::{DisabledBy, EndpointNo};
use domain::event::{PartitionEvent, Recorded};
use domain::ids::ItemNo;
use eventlog::StreamEvent;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// An endpoint that has failed for so long, and taken nothing meanwhile, takes nothing.
const TAKES_NOTHING_AFTER: Duration = Duration::from_secs(30);

/// How often the table is saved while it changes. What is saved late is done again after a crash, not lost.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// The follower.
pub(crate) struct Follower {
    registry: Arc<Registry>,
    executor: Executor,
    table: Table,
    store: FollowUpStore,
    intake: Intake,
    /// What was taken from the queue or the log, and not looked at yet.
    piece: Piece,
    /// The log could not be read: not again before the next second.
    reads_later: bool,
    attempts: Attempts,
    /// Endpoints whose last message was not taken, and since when none was.
    failing: BTreeMap<u32, Instant>,
}

impl Follower {
    /// Runs for as long as the engine lives.
    pub(crate) async fn run(
        registry: Arc<Registry>,
        outside: Outside,
        store: FollowUpStore,
        intake: Intake,
        mut redeliveries: mpsc::Receiver<Redelivery>,
    ) {
        let table = store.load().and_then(|bytes| Table::load(bytes.as_deref())).unwrap_or_else(|why| {
            // Everything may be done twice, so beginning anew is safe; it only takes longer.
            tracing::error!(why, "the table of follow-ups cannot be read; everything in the log is looked at again");
            Table::default()
        });
        let executor = Executor { registry: Arc::clone(&registry), outside };
        let mut follower = Self {
            registry,
            executor,
            table,
            store,
            intake,
            piece: Piece::default(),
            reads_later: false,
            attempts: Attempts::new(),
            failing: BTreeMap::new(),
        };
        follower.plan_what_is_in_the_table();
        let mut save = tokio::time::interval(SAVE_EVERY);
        loop {
            follower.look_on().await;
            follower.attempts.begin(&mut follower.table, &follower.executor);
            // Where there is room, everything that was taken has been looked at.
            let has_room = follower.table.has_room();
            let is_behind = follower.intake.is_behind();
            let next_attempt = follower.attempts.next();
            tokio::select! {
                biased;
                Some((no, outcome)) = follower.attempts.ended() => follower.finish(no, outcome),
                Some(group) = follower.intake.next(), if has_room && !is_behind => follower.take(group),
                Some(Redelivery(work)) = redeliveries.recv(), if has_room => follower.add(work),
                () = until(next_attempt) => {}
                _ = save.tick() => follower.tick().await,
                // The log is read on at once, but not before everybody else had a turn.
                () = tokio::task::yield_now(), if has_room && is_behind && !follower.reads_later => {}
            }
        }
    }

    /// Once a second.
    async fn tick(&mut self) {
        self.reads_later = false;
        self.make_room();
        if self.intake.is_behind() || !self.table.has_room() {
            self.intake.leave_out();
        } else if let Some(reached) = self.intake.at_rest(self.table.position()) {
            self.table.reached(reached);
        }
        self.save().await;
    }

    /// Messages that nobody is to be told any more leave the table. Where it is full of messages to endpoints that take
    /// nothing, the one with the most of them is turned off: payments and refunds must not wait for it.
    fn make_room(&mut self) {
        let told = self.registry.endpoints.told();
        self.table.forget_messages_but_to(&told);
        self.failing.retain(|endpoint, _| told.contains(endpoint));
        let for_long = self.failing.iter().filter(|(_, since)| since.elapsed() >= TAKES_NOTHING_AFTER);
        let take_nothing = for_long.map(|(endpoint, _)| *endpoint).collect();
        if let Some(endpoint) = self.table.takes_up_all_room(&take_nothing) {
            tracing::error!(
                endpoint,
                "an endpoint does not take its messages, and there is no room beside them for what else is to be done; \
                 it is turned off. Turn it on when it is back, and have it told again what it missed"
            );
            self.registry.endpoints.is_to_be_off(EndpointNo(endpoint), DisabledBy::Unreachable);
        }
    }

    /// Saved work is to be tried, most of it at once.
    fn plan_what_is_in_the_table(&mut self) {
        let now = Instant::now();
        for (no, open) in self.table.open() {
            self.attempts.plan(now + self.registry.clock.until(open.not_before), no, &open.work);
        }
    }

    /// Takes a committed group, to be looked at.
    fn take(&mut self, group: Fed) {
        if self.intake.is_next(&group, self.table.position()) {
            self.piece = Piece::of_group(group);
        }
    }

    /// Looks at what was taken, and then at the next piece of the log where the queue has left something out.
    async fn look_on(&mut self) {
        self.look_at_piece().await;
        if self.table.has_room() && self.intake.is_behind() && !self.reads_later {
            self.read_on().await;
            self.look_at_piece().await;
        }
    }

    /// Looks at events for as long as there is room for what follows from them.
    async fn look_at_piece(&mut self) {
        while self.table.has_room() {
            let Some(next) = self.piece.next() else { return self.table.reached(self.piece.upto) };
            self.table.reached(next.before);
            self.look_at(next.stream, &next.event).await;
        }
    }

    /// Reads the next piece of the log behind the position.
    async fn read_on(&mut self) {
        let from = self.table.position();
        let Some(goal) = self.intake.goal(from) else { return };
        let reader = Arc::clone(&self.registry.reader);
        let read = tokio::task::spawn_blocking(move || Piece::read(reader.as_ref(), from, goal)).await;
        match read.map_err(|error| error.to_string()).and_then(|read| read) {
            Ok(piece) => self.piece = piece,
            Err(why) => {
                tracing::error!(why, "follow-ups cannot read the log; they try again");
                self.reads_later = true;
            }
        }
    }

    async fn look_at(&mut self, stream: ItemNo, event: &StreamEvent) {
        match event {
            StreamEvent::Item(recorded) => self.look_at_item(stream, recorded),
            StreamEvent::Partition(recorded) => self.look_at_partition(stream, recorded).await,
        }
    }

    async fn look_at_partition(&mut self, stream: ItemNo, recorded: &Recorded<PartitionEvent>) {
        work_of_partition(stream, recorded).into_iter().for_each(|work| self.add(work));
        if !self.registry.endpoints.is_any() && !notice::are_logged() {
            return;
        }
        let Some(bundle) = bundle_told_of(&recorded.event) else { return };
        let id = self.registry.partition.lock().await.partition.id_of(bundle);
        let messages = id.map(|id| messages_of_bundle(stream, id, recorded)).unwrap_or_default();
        notice::log(&messages);
        let work = self.registry.endpoints.tell(&messages);
        work.into_iter().for_each(|work| self.add(work));
    }

    fn look_at_item(&mut self, item: ItemNo, recorded: &Recorded) {
        let Some(slot) = self.registry.slot(item) else { return };
        let terms = self.registry.terms(&slot);
        if !is_of_interest(&recorded.event, terms) {
            return;
        }
        let mut work: Vec<Work> = work_of(item, recorded, terms).into_iter().collect();
        if terms.is_told {
            let about = About { item, sku: &slot.sku, key: &slot.key };
            let messages = messages(&about, recorded);
            notice::log(&messages);
            work.extend(self.registry.endpoints.tell(&messages));
        }
        work.into_iter().for_each(|work| self.add(work));
    }

    fn add(&mut self, work: Work) {
        if let Some(no) = self.table.add(work) {
            self.replan(no, Duration::ZERO);
        }
    }

    fn replan(&mut self, no: u64, pause: Duration) {
        if let Some(open) = self.table.get(no) {
            self.attempts.plan(Instant::now() + pause, no, &open.work);
        }
    }

    fn finish(&mut self, no: u64, outcome: Outcome) {
        // Off the table: its endpoint was turned off meanwhile.
        let Some(open) = self.table.get(no) else { return };
        if let Some(endpoint) = open.work.endpoint() {
            match outcome {
                Outcome::Later(_) => drop(self.failing.entry(endpoint).or_insert_with(Instant::now)),
                _ => drop(self.failing.remove(&endpoint)),
            }
        }
        match outcome {
            Outcome::Done => self.table.done(no),
            Outcome::GoneFor(endpoint) => {
                self.table.done(no);
                self.registry.endpoints.is_to_be_off(endpoint, DisabledBy::Gone);
            }
            Outcome::DoneAnd(work) => {
                self.table.done(no);
                self.add(work);
            }
            Outcome::Later(why) => match self.table.failed(no, self.registry.clock.now()) {
                Some(pause) => {
                    let work = self.table.get(no).map(|open| &open.work);
                    tracing::warn!(why, ?work, pause_s = pause.as_secs(), "a follow-up waits for its next attempt");
                    self.replan(no, pause);
                }
                None => {
                    tracing::error!(why, work = ?self.table.get(no), "an endpoint did not take a message; it is given up");
                    self.table.done(no);
                }
            },
            Outcome::Never(why) => {
                tracing::error!(why, work = ?self.table.get(no), "a follow-up cannot be done; an operator has to look");
                self.table.done(no);
            }
        }
        self.registry.open_follow_ups.store(self.table.len(), std::sync::atomic::Ordering::Relaxed);
    }

    async fn save(&mut self) {
        self.registry.open_follow_ups.store(self.table.len(), std::sync::atomic::Ordering::Relaxed);
        let Some(unsaved) = self.table.take_changed() else { return };
        let store = self.store.clone();
        // A write that fails is done again with the next change; until then a crash repeats more than it needs to.
        if let Ok(Err(why)) = tokio::task::spawn_blocking(move || store.save(unsaved.to_bytes()?)).await {
            tracing::error!(why, "the table of follow-ups cannot be saved");
        }
    }
}

async fn until(first: Option<Instant>) {
    match first {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
