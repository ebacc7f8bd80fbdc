//! The open loop: customers come when their schedule says.
//!
//! One task hands out arrivals as they fall due, to a free connection or to a queue; latency counts from when an
//! arrival was due, so waiting for a connection is part of it. Whoever has no answer at the deadline is written down
//! with it, sent or not.

use super::Thread;
use super::connection::Connection;
use super::schedule::Schedule;
use super::tally::{Ending, Moment, micros};
use super::timer::Timer;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout_at;

/// How often the schedule is looked at. To wake up for each arrival would take as much of the processors as to serve it,
/// and the lag that is written down, and every latency, holds what this costs.
const LOOKED_AT_EVERY: Duration = Duration::from_micros(250);

/// Where arrivals meet connections.
struct Desk {
    thread: Rc<Thread>,
    /// How many of the schedule have been handed out.
    handed_out: Cell<usize>,
    schedule: Schedule,
    due: RefCell<VecDeque<Instant>>,
    idle: RefCell<Vec<usize>>,
    bells: Vec<Notify>,
    is_over: Cell<bool>,
}

impl Desk {
    /// When the next one comes.
    fn next_due(&self) -> Option<Instant> {
        self.schedule.arrival(self.handed_out.get()).map(|at| self.thread.began + at)
    }

    /// Hands out whoever has come. Every task does so whenever it runs: the one that keeps the schedule may have to
    /// wait until many answers have been read.
    fn hand_out(&self) {
        while let Some(due) = self.next_due() {
            let now = Instant::now();
            if due > now || self.is_over.get() {
                return;
            }
            self.handed_out.set(self.handed_out.get() + 1);
            let is_measured = due >= self.thread.measured_from();
            if is_measured {
                self.thread.lag_us.borrow_mut().saturating_record(micros(now - due));
            }
            if self.has_room(self.thread.plan.queue_max) {
                self.arrive(due);
                continue;
            }
            let mut tally = self.thread.tally.borrow_mut();
            tally.turned_away += u64::from(is_measured);
            if self.thread.plan.keeps_moments {
                tally.moments.push(Moment { at: now, latency: now - due, ending: None });
            }
        }
    }

    /// Whether a connection is free, or so few wait for one that one more may.
    fn has_room(&self, queue_max: usize) -> bool {
        !self.idle.borrow().is_empty() || self.due.borrow().len() < queue_max
    }

    fn arrive(&self, due: Instant) {
        self.due.borrow_mut().push_back(due);
        if let Some(bell) = self.idle.borrow_mut().pop().and_then(|index| self.bells.get(index)) {
            bell.notify_one();
        }
    }

    /// The next arrival, when there is one; none any more when the run is over.
    async fn take(&self, index: usize) -> Option<Instant> {
        loop {
            self.hand_out();
            if let Some(due) = self.due.borrow_mut().pop_front() {
                return Some(due);
            }
            if self.is_over.get() {
                return None;
            }
            self.idle.borrow_mut().push(index);
            self.bells.get(index)?.notified().await;
        }
    }

    fn close(&self) {
        self.is_over.set(true);
        self.bells.iter().for_each(Notify::notify_one);
    }
}

pub(super) async fn run(thread: &Rc<Thread>, connections: Vec<Connection>, schedule: Schedule) -> std::io::Result<()> {
    let bells = connections.iter().map(|_| Notify::new()).collect();
    let (due, idle, is_over) = (RefCell::default(), RefCell::default(), Cell::new(false));
    let (thread, handed_out) = (Rc::clone(thread), Cell::new(0));
    let desk = Rc::new(Desk { thread, handed_out, schedule, due, idle, bells, is_over });
    let mut loops = JoinSet::new();
    for (index, connection) in connections.into_iter().enumerate() {
        loops.spawn_local(serve(Rc::clone(&desk), index, connection));
    }
    let kept = keep(&desk).await;
    desk.close();
    // Everybody has an answer or a deadline.
    while loops.join_next().await.is_some() {}
    kept
}

/// Keeps the schedule until everybody has come.
async fn keep(desk: &Desk) -> std::io::Result<()> {
    let timer = Timer::new()?;
    while let Some(due) = desk.next_due().filter(|_| !desk.thread.is_halted()) {
        let wait = due.saturating_duration_since(Instant::now()).max(LOOKED_AT_EVERY);
        timer.wait(wait).await?;
        desk.hand_out();
    }
    Ok(())
}

async fn serve(desk: Rc<Desk>, index: usize, mut connection: Connection) {
    let thread = &desk.thread;
    let mut request = Vec::with_capacity(512);
    let (measured_from, patience) = (thread.measured_from(), thread.plan.patience);
    while let Some(due) = desk.take(index).await {
        let is_measured = due >= measured_from;
        let is_sent = Instant::now() < due + patience;
        if !is_sent {
            thread.tally.borrow_mut().unsent += 1;
            thread.record(None, Ending::TimedOut, patience, is_measured);
            if thread.plan.again == 0 {
                continue;
            }
        }
        request.clear();
        if !thread.source.borrow_mut().next(&mut request) {
            continue;
        }
        let mut ending = Ending::TimedOut;
        if is_sent {
            ending = ask(thread, &mut connection, &request, (due, due)).await;
        }
        for _ in 0..thread.plan.again {
            if !matches!(ending, Ending::Shed | Ending::TimedOut) || thread.is_halted() {
                break;
            }
            // Who asks again has all their patience again; how long they wait counts from when they first came.
            ending = ask(thread, &mut connection, &request, (due, Instant::now())).await;
        }
    }
}

/// Asks once, and writes down how it ended. Somebody came at the first instant and is patient since the second.
async fn ask(thread: &Thread, connection: &mut Connection, request: &[u8], came: (Instant, Instant)) -> Ending {
    let (due, since) = came;
    let (patience, is_measured) = (thread.plan.patience, due >= thread.measured_from());
    let exchanged = timeout_at((since + patience).into(), connection.exchange(request)).await;
    let latency = due.elapsed();
    match exchanged {
        Ok(Ok(head)) => {
            let ending = Ending::of(head.status);
            thread.record(Some(head), ending, latency, is_measured);
            ending
        }
        Ok(Err(_)) => {
            thread.record(None, Ending::Failed, latency, is_measured);
            // A server that refuses connections is not asked in a tight loop.
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ending::Failed
        }
        Err(_) => {
            thread.hangs_up(request);
            connection.drop_stream();
            thread.record(None, Ending::TimedOut, latency.max(patience), is_measured);
            Ending::TimedOut
        }
    }
}
