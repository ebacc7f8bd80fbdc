//! An item's place in the registry: asleep with its state, awake with a mailbox, or stopped with a reason.
//!
//! Senders into a mailbox are used only under the seat's lock. So an actor that finds its lanes empty under that
//! lock knows that nothing is on its way, and can give its state back and go to rest without losing a request.

use crate::mailbox::Senders;
use crate::newcomers::Newcomers;
use crate::shell::{Published, Resume, Shell, Ticket, Wake};
use domain::identity::ItemKey;
use domain::ids::{ItemNo, Seq};
use domain::item::Item;
use domain::text::Sku;
use domain::time::Timestamp;
use domain::views::ItemView;
use domain::wheel::TimerId;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio::time::Instant;

/// One item in the registry.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) no: ItemNo,
    pub(crate) sku: Sku,
    pub(crate) key: ItemKey,
    published: watch::Sender<Published>,
    /// Whom it may refuse without being asked.
    pub(crate) newcomers: Newcomers,
    durable: AtomicU64,
    seat: Mutex<Seat>,
    panics: Mutex<VecDeque<Instant>>,
    /// How holds that end too soon are treated, and the last event before this start of the process.
    resume: Option<(Resume, Seq)>,
}

/// Where an item's state is.
#[derive(Debug)]
pub(crate) enum Seat {
    /// No task and no mailbox; the state is here.
    Asleep(Asleep),
    /// A task has the state; this is its mailbox.
    Awake(Senders),
    /// The state is being folded from the log again.
    Rebuilding,
    /// Nobody can use it until an operator has looked.
    Stopped(String),
}

/// An item at rest.
#[derive(Debug)]
pub(crate) struct Asleep {
    pub(crate) shell: Box<Shell>,
    /// Its timer in the registry's wheel, and for when.
    pub(crate) wake: Option<(TimerId, Timestamp)>,
}

impl Asleep {
    /// Whether it can have a turn in its sleep: nobody waits for what it wrote before, and it is not its first after a start,
    /// which is a long one.
    pub(crate) fn can_turn(&self, slot: &Slot) -> bool {
        slot.durable() >= self.shell.submitted() && !self.shell.is_resuming()
    }
}

impl Slot {
    pub(crate) fn asleep(shell: Box<Shell>) -> Self {
        let item = shell.item();
        Self {
            no: item.no(),
            sku: item.sku().clone(),
            key: *item.key(),
            published: watch::Sender::new(Published::new(item, shell.wake())),
            newcomers: Newcomers::new(item.key()),
            durable: AtomicU64::new(shell.submitted().0),
            seat: Mutex::new(Seat::Asleep(Asleep { shell, wake: None })),
            panics: Mutex::new(VecDeque::new()),
            resume: None,
        }
    }

    /// An item recovered at a start of the process.
    pub(crate) fn resuming(item: Item, resume: Resume) -> Self {
        let before = item.seq();
        let shell = Shell::new(item, Ticket(0)).resuming(resume);
        Self { resume: Some((resume, before)), ..Self::asleep(Box::new(shell)) }
    }

    /// The shell of the item folded again. If nothing was logged since the start of the process, its first turn is
    /// still to come.
    pub(crate) fn rebuilt(&self, item: Item, submitted: Ticket) -> Shell {
        let resume = self.resume.filter(|(_, before)| *before == item.seq());
        let shell = Shell::new(item, submitted);
        match resume {
            Some((resume, _)) => shell.resuming(resume),
            None => shell,
        }
    }

    /// An item whose log breaks an invariant: what it looked like can be seen, and nothing else.
    pub(crate) fn stopped(item: Item, why: String) -> Self {
        let slot = Self::asleep(Box::new(Shell::new(item, Ticket(0))));
        *slot.seat() = Seat::Stopped(why);
        slot
    }

    /// Turns under this lock catch their panics, and everything else replaces a seat whole: a poisoned one holds a good one.
    pub(crate) fn seat(&self) -> MutexGuard<'_, Seat> {
        self.seat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn view(&self) -> Arc<ItemView> {
        Arc::clone(&self.published.borrow().view)
    }

    /// The same, with the instant until which it holds.
    pub(crate) fn published(&self) -> watch::Ref<'_, Published> {
        self.published.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Published> {
        self.published.subscribe()
    }

    /// The last ticket that is durable.
    pub(crate) fn durable(&self) -> Ticket {
        Ticket(self.durable.load(Ordering::Acquire))
    }

    /// Publishes what a commit made true. The view first: whoever sees the ticket sees the view.
    pub(crate) fn publish(&self, ticket: Ticket, view: Option<Published>) {
        if let Some(view) = view {
            self.published.send_if_modified(|now| {
                *now = view;
                // Telling nobody takes as long as half a turn. Whoever begins to watch meanwhile is counted before they
                // first look, and so either is counted here or sees this view.
                self.published.receiver_count() > 0
            });
        }
        self.durable.store(ticket.0, Ordering::Release);
    }

    /// Publishes that what was published holds longer: a turn found nothing due. Only for whoever does the item's turns, and
    /// only where all it handed over is durable, so that nobody publishes anything newer meanwhile.
    pub(crate) fn still_holds(&self, wake: Wake) {
        self.published.send_if_modified(|now| {
            now.due = wake.due();
            false
        });
    }

    /// Notes a panic at `now`; true if that is one too many within the window.
    pub(crate) fn note_panic(&self, now: Instant) -> bool {
        let mut panics = self.panics.lock().unwrap_or_else(PoisonError::into_inner);
        panics.push_back(now);
        while panics.front().is_some_and(|&at| now.duration_since(at) > crate::limits::PANIC_WINDOW) {
            panics.pop_front();
        }
        panics.len() >= crate::limits::PANICS_MAX
    }
}
