//! Where an item's state is, and how it gets there: asleep in the registry, awake with a task, or being rebuilt.
//!
//! An item at rest has no task and no mailbox. Whoever asks it has its turn done in their own task, under the seat's lock.
//! Who asks while answers to others are still on their way wakes it: then it has a task, and the next requests share its
//! turns. So an item that is asked now and then never pays for waking, which takes longer than a turn.

use crate::actor;
use crate::commit::ToCommitter;
use crate::error::SubmitError;
use crate::keepers::{Watch, watched};
use crate::limits::WOKEN_AT_ONCE;
use crate::mailbox::{Caller, Lanes, NotTaken};
use crate::rebuild;
use crate::registry::Registry;
use crate::shell::{Asked, Shell, Wake};
use crate::slot::{Asleep, Seat, Slot};
use domain::ids::ItemNo;
use domain::time::Timestamp;
use domain::wheel::TimerId;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;

/// The longest the keeper of time sleeps at once: the rate of the clock may change meanwhile.
pub(crate) const LONGEST_SLEEP: Duration = Duration::from_secs(5);

impl Registry {
    /// Puts something into an item's mailbox. An item that sleeps is woken, or asked in its sleep.
    pub(crate) fn put(self: &Arc<Self>, slot: &Arc<Slot>, asked: Asked<Caller>) -> Result<(), SubmitError> {
        let mut seat = slot.seat();
        let asked = match &*seat {
            Seat::Awake(senders) => match senders.send(asked) {
                Ok(()) => return Ok(()),
                Err(NotTaken::Full) => return Err(SubmitError::Overloaded),
                // The actor ended without giving its state back: its committer is gone.
                Err(NotTaken::Closed) => return Err(SubmitError::OutcomeUnknown),
            },
            Seat::Rebuilding => return Err(SubmitError::ItemRebuilding { item: slot.no }),
            Seat::Stopped(_) => return Err(SubmitError::ItemStopped { item: slot.no }),
            Seat::Asleep(_) => asked,
        };
        let Some(asked) = self.ask_asleep(slot, &mut seat, asked) else { return Ok(()) };
        match self.wake_locked(slot, &mut seat, Some(asked)) {
            Some(_) => Err(SubmitError::Overloaded),
            None => Ok(()),
        }
    }

    /// Has a sleeping item judge in its sleep, under its seat's lock: one turn, by whoever asks. Gives back what should
    /// wake it: because others are waiting for what it wrote, because its first turn after a start is a long one, or because
    /// the committer has no place for what it would write.
    fn ask_asleep(self: &Arc<Self>, slot: &Arc<Slot>, seat: &mut Seat, asked: Asked<Caller>) -> Option<Asked<Caller>> {
        let Seat::Asleep(asleep) = seat else { return Some(asked) };
        if !asleep.can_turn(slot) {
            return Some(asked);
        }
        let Ok(place) = self.committer.try_reserve() else { return Some(asked) };
        self.turn_asleep(slot, seat, vec![asked], place);
        None
    }

    /// One turn of a sleeping item by whoever holds its seat's lock. It goes on sleeping unless more is due at once.
    fn turn_asleep(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        seat: &mut Seat,
        asked: Vec<Asked<Caller>>,
        place: mpsc::Permit<'_, ToCommitter>,
    ) {
        let Seat::Asleep(asleep) = seat else { return };
        let turned = match actor::turn(self, slot, &mut asleep.shell, asked) {
            Ok(turned) => turned,
            Err(submitted) => {
                self.disarm(slot.no, asleep);
                rebuild::leave(slot, seat);
                let rebuilding = rebuild::after_panic(Arc::clone(self), Arc::clone(slot), submitted);
                tokio::spawn(watched("an item's rebuilding", self.failure.clone(), rebuilding));
                return;
            }
        };
        // A turn's own panic was caught. One from here on would leave an item without its timer, and nobody would know.
        let _watch = Watch::over("who had an item's turn in its sleep", &self.failure);
        #[cfg(test)]
        actor::failpoint::pass(slot.no, actor::failpoint::Panics::HandingOver);
        if let Some(handover) = turned.handover {
            place.send(ToCommitter::Handover(handover));
        }
        if matches!(turned.wake, Wake::Now | Wake::Rested(_)) {
            self.wake_locked(slot, seat, None);
        } else if asleep.wake.map(|(_, at)| at) != turned.wake.due() {
            self.disarm(slot.no, asleep);
            asleep.wake = self.arm(slot.no, turned.wake);
        }
    }

    /// Wakes a sleeping item, with a first thing to do or just because its time has come.
    fn wake_locked(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        seat: &mut Seat,
        first: Option<Asked<Caller>>,
    ) -> Option<Asked<Caller>> {
        if !matches!(seat, Seat::Asleep(_)) {
            return first;
        }
        let (senders, lanes) = self.mailboxes.take();
        // An empty mailbox has room for one.
        let refused = first.and_then(|asked| senders.send(asked).err()).is_some();
        debug_assert!(!refused, "an empty mailbox refuses its first request");
        let Seat::Asleep(mut asleep) = std::mem::replace(seat, Seat::Awake(senders)) else { return None };
        self.disarm(slot.no, &mut asleep);
        self.awake.fetch_add(1, Ordering::Relaxed);
        let running = actor::run(Arc::clone(self), Arc::clone(slot), asleep.shell, lanes);
        tokio::spawn(watched("an item's task", self.failure.clone(), running));
        None
    }

    /// Puts an item to rest, unless something came for it meanwhile: then shell and lanes come back.
    pub(crate) fn rest(&self, slot: &Slot, mut shell: Box<Shell>, lanes: Lanes) -> Option<(Box<Shell>, Lanes)> {
        let mut seat = slot.seat();
        if !lanes.is_empty() {
            return Some((shell, lanes));
        }
        shell.rest();
        let asleep = self.to_sleep(slot.no, shell);
        if let Seat::Awake(senders) = std::mem::replace(&mut *seat, Seat::Asleep(asleep)) {
            self.mailboxes.give_back(senders, lanes);
        }
        self.awake.fetch_sub(1, Ordering::Relaxed);
        None
    }

    /// Arms the wake-up of an item that sleeps from the start.
    pub(crate) fn settle(&self, slot: &Slot) {
        if let Seat::Asleep(asleep) = &mut *slot.seat() {
            asleep.wake = self.arm(slot.no, asleep.shell.wake());
        }
    }

    /// Seats an item anew after it was rebuilt.
    pub(crate) fn reseat(&self, slot: &Slot, shell: Box<Shell>) {
        // Under the seat's lock, so that a timer that is due at once finds the item seated.
        let mut seat = slot.seat();
        *seat = Seat::Asleep(self.to_sleep(slot.no, shell));
    }

    fn to_sleep(&self, no: ItemNo, shell: Box<Shell>) -> Asleep {
        let wake = self.arm(no, shell.wake());
        Asleep { shell, wake }
    }

    fn disarm(&self, no: ItemNo, asleep: &mut Asleep) {
        if let Some((timer, _)) = asleep.wake.take() {
            self.wakeups.cancel(timer, no);
        }
    }

    fn arm(&self, no: ItemNo, wake: Wake) -> Option<(TimerId, Timestamp)> {
        let at = match wake {
            Wake::Now | Wake::Rested(_) => self.clock.now(),
            Wake::At(at) => at,
            Wake::Never => return None,
        };
        Some((self.wakeups.arm(at, no), at))
    }

    /// Wakes sleeping items when their time comes, for as long as the engine lives.
    pub(crate) async fn keep_time(self: Arc<Self>) {
        loop {
            let next = self.wake_due().await;
            let earlier = self.wakeups.earlier();
            match next {
                Some(at) => {
                    let until = self.clock.until(at).min(LONGEST_SLEEP);
                    let _earlier_or_due = tokio::time::timeout(until, earlier).await;
                }
                None => earlier.await,
            }
        }
    }

    async fn wake_due(self: &Arc<Self>) -> Option<Timestamp> {
        let (due, next) = self.wakeups.take_due(self.clock.now());
        for counters in due.chunks(WOKEN_AT_ONCE) {
            for &counter in counters {
                let Some(slot) = ItemNo::new(self.no, counter).and_then(|no| self.slot(no)) else { continue };
                // Where the disk is behind, so is time.
                match self.committer.reserve().await {
                    Ok(place) => self.come_due(&slot, place),
                    // The committer has gone, and the process is about to end.
                    Err(_) => return next,
                }
            }
            tokio::task::yield_now().await;
        }
        next
    }

    /// A sleeping item's time has come. Where a hundred thousand sales open at one instant each has its turn here and sleeps
    /// on: a task, a mailbox and an alarm for each would be hundreds of megabytes for half a second.
    fn come_due(self: &Arc<Self>, slot: &Arc<Slot>, place: mpsc::Permit<'_, ToCommitter>) {
        let mut seat = slot.seat();
        let Seat::Asleep(asleep) = &mut *seat else { return };
        // The one that rang, or another if it was asked meanwhile: the turn says when it wants the next.
        self.disarm(slot.no, asleep);
        if asleep.can_turn(slot) {
            self.turn_asleep(slot, &mut seat, Vec::new(), place);
        } else {
            self.wake_locked(slot, &mut seat, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::{disk, settled, spec, start};
    use domain::item::Phase;
    use domain::time::DurationMs;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn sales_that_open_at_one_instant_open_in_their_sleep() {
        let engine = start(&disk());
        let opens = engine.now().plus(DurationMs::from_secs(9));
        let mut items = Vec::new();
        for number in 0..200 {
            let mut spec = spec(&format!("lamp-{number}"), 1);
            spec.settings.opens_at = Some(opens);
            let sku = spec.sku.clone();
            settled(engine.create_item(spec, None)).await.expect("judged").outcome.expect("created");
            items.push(engine.find(&sku).expect("it is there"));
        }
        tokio::time::advance(Duration::from_millis(9_001)).await;
        for item in &items {
            let mut watch = item.watch();
            settled(watch.wait_for(|view| view.status.phase == Phase::Open)).await.expect("published");
            assert_eq!(engine.status().items_awake, 0, "{}", item.view().sku);
        }
    }
}
