//! The task of an item that is awake: carries requests into the pure shell and what comes of them out again.

use crate::commit::ToCommitter;
use crate::limits::{BACKLOG_AHEAD, IDLE_BEFORE_REST};
use crate::mailbox::{Caller, Lanes};
use crate::rebuild;
use crate::registry::Registry;
use crate::shell::{Asked, Handover, Shell, Ticket, TurnInput, TurnOutput, Wake};
use crate::slot::Slot;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::time::{Instant, Sleep};

/// Runs an item until it has nothing to do, then puts it to rest.
pub(crate) async fn run(registry: Arc<Registry>, slot: Arc<Slot>, mut shell: Box<Shell>, mut lanes: Lanes) {
    let (mut wake, mut alarm) = (Wake::Now, Alarm(None));
    loop {
        let when = (wake, shell.submitted(), &mut alarm);
        if wait(&registry, &slot, &mut lanes, when).await == Woken::Idle {
            match registry.rest(&slot, shell, lanes) {
                None => return,
                Some(back) => (shell, lanes) = back,
            }
        }
        let turned = match turn(&registry, &slot, &mut shell, lanes.drain()) {
            Ok(turned) => turned,
            Err(submitted) => {
                drop((shell, lanes));
                registry.awake.fetch_sub(1, Ordering::Relaxed);
                rebuild::after_panic(registry, slot, submitted).await;
                return;
            }
        };
        if let Some(handover) = turned.handover
            && registry.committer.send(ToCommitter::Handover(handover)).await.is_err()
        {
            // The committer has stopped: the process is about to end, and nothing more is acknowledged.
            return;
        }
        wake = turned.wake;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Woken {
    Asked,
    Due,
    Idle,
}

/// An item's alarm clock, one for as long as it is awake: a new one for each turn would cost more than most turns.
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Waits until then. Where it is set to ring earlier it does, and is set anew only then.
    async fn ring(&mut self, at: Instant) {
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        loop {
            if sleep.is_elapsed() || sleep.deadline() > at {
                sleep.as_mut().reset(at);
            }
            sleep.as_mut().await;
            if Instant::now() >= at {
                return;
            }
        }
    }
}

/// Waits for something to be asked, for the item's next instant, or for the end of patience, whichever comes first.
async fn wait(
    registry: &Registry,
    slot: &Slot,
    lanes: &mut Lanes,
    (wake, submitted, alarm): (Wake, Ticket, &mut Alarm),
) -> Woken {
    let (until, then) = match wake {
        Wake::Now => return go_on(registry, slot, lanes, submitted).await,
        Wake::Rested(at) => (at.0.saturating_sub(registry.mono().0), None),
        Wake::At(at) => {
            let until = registry.clock.until(at);
            if until <= IDLE_BEFORE_REST { (until, Some(Woken::Due)) } else { (IDLE_BEFORE_REST, Some(Woken::Idle)) }
        }
        Wake::Never => (IDLE_BEFORE_REST, Some(Woken::Idle)),
    };
    tokio::select! {
        biased;
        () = lanes.some() => {
            // Whoever is ready to ask on this thread does so before the turn begins, and shares it: its view, its
            // hand-over, its place in the commit. Alone it costs a look at the sockets.
            tokio::task::yield_now().await;
            Woken::Asked
        }
        () = alarm.ring(Instant::now() + until) => match then {
            Some(woken) => woken,
            None => go_on(registry, slot, lanes, submitted).await,
        },
    }
}

/// Waits until a backlog may go on: between the other tasks of this thread and not instead of them, and not far ahead of
/// the disk.
async fn go_on(registry: &Registry, slot: &Slot, lanes: &mut Lanes, submitted: Ticket) -> Woken {
    // Before the look at what is durable: a commit in between is told of too.
    let committed = registry.committed.notified();
    if submitted.0.saturating_sub(slot.durable().0) <= BACKLOG_AHEAD {
        tokio::task::yield_now().await;
        return Woken::Due;
    }
    tokio::select! {
        biased;
        () = lanes.some() => {}
        () = committed => {}
    }
    Woken::Due
}

/// What is left to do after a turn.
pub(crate) struct Turned {
    /// To the committer.
    pub(crate) handover: Option<Handover<Caller>>,
    /// When the item wants its next turn.
    pub(crate) wake: Wake,
}

/// One turn, with the answers that may leave at once.
///
/// # Errors
/// The last ticket handed over, if the turn panicked: the state is not to be trusted any more.
pub(crate) fn turn(
    registry: &Registry,
    slot: &Slot,
    shell: &mut Shell,
    asked: Vec<Asked<Caller>>,
) -> Result<Turned, Ticket> {
    // As it is now: what a turn makes that panics is never handed over, however far it came.
    let submitted = shell.submitted();
    let input = TurnInput { now: registry.clock.now(), mono: registry.mono(), durable: slot.durable(), asked };
    let turned = catch_unwind(AssertUnwindSafe(|| {
        #[cfg(test)]
        failpoint::pass(slot.no, failpoint::Panics::Before);
        let output = shell.turn(input);
        if let Some(wake) = slot.newcomers.after(shell, &output, slot.durable()) {
            slot.still_holds(wake);
        }
        #[cfg(test)]
        failpoint::pass(slot.no, failpoint::Panics::Behind);
        output
    }));
    let TurnOutput { handover, release, wake, refused: _ } = turned.map_err(|_panic_was_printed| submitted)?;
    for (caller, reply) in release {
        caller.answer(reply);
    }
    Ok(Turned { handover, wake })
}

/// Lets a test make a turn of an item panic, and count its turns.
#[cfg(test)]
pub(crate) mod failpoint {
    use domain::ids::ItemNo;
    use std::collections::HashMap;
    use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
    use std::thread::ThreadId;

    /// What a test knows of an item, and wants of it.
    #[derive(Default)]
    struct Point {
        turns: u64,
        /// The next turn panics: before anything of it is done, when all of it is, or after it.
        panics: Option<Panics>,
    }

    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Panics {
        Before,
        Behind,
        /// When its turn in its sleep is over, and what came of it is handed over.
        HandingOver,
    }

    /// By test and item: tests of one process share item numbers, so each thread's runtime has its own.
    fn points() -> MutexGuard<'static, HashMap<(ThreadId, ItemNo), Point>> {
        static POINTS: OnceLock<Mutex<HashMap<(ThreadId, ItemNo), Point>>> = OnceLock::new();
        POINTS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at<T>(item: ItemNo, look: impl FnOnce(&mut Point) -> T) -> T {
        look(points().entry((std::thread::current().id(), item)).or_default())
    }

    pub(crate) fn panic_next(item: ItemNo, when: Panics) {
        at(item, |point| point.panics = Some(when));
    }

    pub(crate) fn is_armed(item: ItemNo) -> bool {
        at(item, |point| point.panics.is_some())
    }

    /// How many turns it has begun.
    pub(crate) fn turns(item: ItemNo) -> u64 {
        at(item, |point| point.turns)
    }

    pub(crate) fn pass(item: ItemNo, when: Panics) {
        let hit = at(item, |point| {
            point.turns += u64::from(when == Panics::Before);
            point.panics.take_if(|panics| *panics == when).is_some()
        });
        assert!(!hit, "a test asked for this panic");
    }
}
