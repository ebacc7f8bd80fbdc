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
        let Some(turned) = turn(&registry, &slot, &mut shell, lanes.drain()) else {
            let submitted = shell.submitted();
            drop((shell, lanes));
            registry.awake.fetch_sub(1, Ordering::Relaxed);
            rebuild::after_panic(registry, slot, submitted).await;
            return;
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
        Wake::Now => {
            // Before the look at what is durable: a commit in between is told of too.
            let committed = registry.committed.notified();
            if submitted.0.saturating_sub(slot.durable().0) <= BACKLOG_AHEAD {
                // A backlog is worked off between requests, not instead of the other tasks of this thread.
                tokio::task::yield_now().await;
                return Woken::Due;
            }
            tokio::select! {
                biased;
                () = lanes.some() => {}
                () = committed => {}
            }
            return Woken::Due;
        }
        Wake::At(at) => {
            let until = registry.clock.until(at);
            if until <= IDLE_BEFORE_REST { (until, Woken::Due) } else { (IDLE_BEFORE_REST, Woken::Idle) }
        }
        Wake::Never => (IDLE_BEFORE_REST, Woken::Idle),
    };
    tokio::select! {
        biased;
        () = lanes.some() => {
            // Whoever is ready to ask on this thread does so before the turn begins, and shares it: its view, its
            // hand-over, its place in the commit. Alone it costs a look at the sockets.
            tokio::task::yield_now().await;
            Woken::Asked
        }
        () = alarm.ring(Instant::now() + until) => then,
    }
}

/// What is left to do after a turn.
pub(crate) struct Turned {
    /// To the committer.
    pub(crate) handover: Option<Handover<Caller>>,
    /// When the item wants its next turn.
    pub(crate) wake: Wake,
}

/// One turn, with the answers that may leave at once. `None` if it panicked: the state is not to be trusted any more.
pub(crate) fn turn(registry: &Registry, slot: &Slot, shell: &mut Shell, asked: Vec<Asked<Caller>>) -> Option<Turned> {
    let input = TurnInput { now: registry.clock.now(), mono: registry.mono(), durable: slot.durable(), asked };
    let turned = catch_unwind(AssertUnwindSafe(|| {
        #[cfg(test)]
        failpoint::pass(slot.no);
        let output = shell.turn(input);
        // Before anybody hears of it: whoever was accepted is known from here on.
        slot.newcomers.follow(shell.item(), output.refused);
        if output.handover.is_none() && slot.newcomers.any_refused() && slot.durable() >= shell.submitted() {
            slot.still_holds(output.wake);
        }
        output
    }));
    let TurnOutput { handover, release, wake, refused: _ } = turned.ok()?;
    for (caller, reply) in release {
        caller.answer(reply);
    }
    Some(Turned { handover, wake })
}

/// Lets a test make the next turn of an item panic, and count its turns.
#[cfg(test)]
pub(crate) mod failpoint {
    use domain::ids::ItemNo;
    use std::collections::{HashMap, HashSet};
    use std::sync::{Mutex, OnceLock, PoisonError};

    /// By test and item: tests of one process share item numbers, so each thread's runtime has its own.
    fn armed() -> std::sync::MutexGuard<'static, HashSet<(std::thread::ThreadId, ItemNo)>> {
        static ARMED: OnceLock<Mutex<HashSet<(std::thread::ThreadId, ItemNo)>>> = OnceLock::new();
        ARMED.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn here(item: ItemNo) -> (std::thread::ThreadId, ItemNo) {
        (std::thread::current().id(), item)
    }

    pub(crate) fn panic_next(item: ItemNo) {
        armed().insert(here(item));
    }

    pub(crate) fn is_armed(item: ItemNo) -> bool {
        armed().contains(&here(item))
    }

    fn counts() -> std::sync::MutexGuard<'static, HashMap<(std::thread::ThreadId, ItemNo), u64>> {
        static COUNTS: OnceLock<Mutex<HashMap<(std::thread::ThreadId, ItemNo), u64>>> = OnceLock::new();
        COUNTS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many turns it has begun.
    pub(crate) fn turns(item: ItemNo) -> u64 {
        counts().get(&here(item)).copied().unwrap_or_default()
    }

    pub(super) fn pass(item: ItemNo) {
        *counts().entry(here(item)).or_default() += 1;
        let hit = armed().remove(&here(item));
        assert!(!hit, "a test asked for this panic");
    }
}
