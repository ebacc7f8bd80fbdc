//! The follower of one partition: takes committed events, keeps the table, makes the attempts.

use super::Outside;
use super::execute::{Executor, Outcome};
use super::feed::{Fed, Intake};
use super::notice::{self, About, bundle_told_of, messages, messages_of_bundle};
use super::piece::Piece;
use super::redelivery::Redelivery;
use super::store::FollowUpStore;
use super::table::Table;
use super::work::{Work, is_of_interest, work_of, work_of_partition};
use crate::registry::Registry;
use domain::event::{PartitionEvent, Recorded};
use domain::ids::ItemNo;
use eventlog::StreamEvent;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Attempts under way at once, in each partition: enough for a provider that takes a second to keep up with a hundred
/// holds a second, few enough not to be a flood.
const ATTEMPTS_AT_ONCE: usize = 128;

/// Longest time one attempt may take. Longer than any provider's own timeout, so that it only ends what hangs.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);

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
    ready: std::collections::BTreeSet<(Instant, u64)>,
    attempts: JoinSet<(u64, Outcome)>,
    under_way: usize,
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
            ready: std::collections::BTreeSet::new(),
            attempts: JoinSet::new(),
            under_way: 0,
        };
        follower.ready.extend(follower.due_from_the_table());
        let mut save = tokio::time::interval(SAVE_EVERY);
        loop {
            follower.look_on().await;
            follower.start_attempts();
            // Where there is room, everything that was taken has been looked at.
            let has_room = follower.table.has_room();
            let is_behind = follower.intake.is_behind();
            tokio::select! {
                biased;
                Some(finished) = follower.attempts.join_next(), if follower.under_way > 0 => follower.finish(finished),
                Some(group) = follower.intake.next(), if has_room && !is_behind => follower.take(group),
                Some(Redelivery(work)) = redeliveries.recv(), if has_room => follower.add(work),
                () = until(follower.ready.first().copied()), if follower.under_way < ATTEMPTS_AT_ONCE => {}
                _ = save.tick() => follower.tick().await,
                // The log is read on at once, but not before everybody else had a turn.
                () = tokio::task::yield_now(), if has_room && is_behind && !follower.reads_later => {}
            }
        }
    }

    /// Once a second.
    async fn tick(&mut self) {
        self.reads_later = false;
        if self.intake.is_behind() || !self.table.has_room() {
            self.intake.leave_out();
        } else if let Some(reached) = self.intake.at_rest(self.table.position()) {
            self.table.reached(reached);
        }
        self.save().await;
    }

    /// When each piece of saved work is to be tried: most of it at once.
    fn due_from_the_table(&self) -> Vec<(Instant, u64)> {
        let now = Instant::now();
        let due = |no: u64| {
            let not_before = self.table.get(no).map(|open| open.not_before).unwrap_or_default();
            (now + self.registry.clock.until(not_before), no)
        };
        self.table.numbers().map(due).collect()
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
            self.ready.insert((Instant::now(), no));
        }
    }

    fn start_attempts(&mut self) {
        let now = Instant::now();
        while self.under_way < ATTEMPTS_AT_ONCE {
            let Some((at, no)) = self.ready.first().copied().filter(|(at, _)| *at <= now) else { return };
            self.ready.remove(&(at, no));
            let Some(work) = self.table.begin(no) else { continue };
            let executor = self.executor.clone();
            self.under_way += 1;
            self.attempts.spawn(async move {
                let attempt = tokio::time::timeout(ATTEMPT_TIMEOUT, executor.attempt(&work)).await;
                (no, attempt.unwrap_or_else(|_| Outcome::Later("it took too long".to_owned())))
            });
        }
    }

    fn finish(&mut self, finished: Result<(u64, Outcome), tokio::task::JoinError>) {
        self.under_way = self.under_way.saturating_sub(1);
        let Ok((no, outcome)) = finished else {
            // A panic in an executor loses its number; a restart finds the work in the table again.
            tracing::error!("a follow-up panicked; it is tried again after a restart");
            return;
        };
        match outcome {
            Outcome::Done => self.table.done(no),
            Outcome::GoneFor(endpoint) => {
                self.table.done(no);
                self.registry.endpoints.is_gone(endpoint);
            }
            Outcome::DoneAnd(work) => {
                self.table.done(no);
                self.add(work);
            }
            Outcome::Later(why) => match self.table.failed(no, self.registry.clock.now()) {
                Some(pause) => {
                    let work = self.table.get(no).map(|open| &open.work);
                    tracing::warn!(why, ?work, pause_s = pause.as_secs(), "a follow-up waits for its next attempt");
                    self.ready.insert((Instant::now() + pause, no));
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

async fn until(first: Option<(Instant, u64)>) {
    match first {
        Some((at, _)) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
