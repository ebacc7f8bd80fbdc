//! Refusing cheaply: when a sale is over, or hopelessly sold out, most who come can be told so by what the item has
//! published, without its mailbox, its turn and the waking of its task.
//!
//! Only newcomers can: customers of whom the item has certainly never accepted anything. For them there is no answer to
//! give again, no limit and no cool-off, so rule 1 needs nothing but the published view. Everybody else reaches the item.
//! What keeps that true:
//!
//! - Whoever is accepted is entered at the end of that turn, before it is handed to the committer; so before any answer.
//! - Whoever leaves without an answer is entered as they leave: what became of their request they ask with the same key,
//!   and that has to reach the item too.
//! - A view counts only until the next instant at which time itself changes something, so that nobody is refused units
//!   whose hold has ended.

use crate::clock::Clock;
use crate::limits::ENTERED_PER_TURN;
use crate::shell::{Published, Reply, Shell, Ticket, TurnOutput, Wake};
use crate::slot::Slot;
use domain::command::{Command, WaitlistChoice};
use domain::identity::ItemKey;
use domain::item::Item;
use domain::planted::{self, Bug};
use domain::time::Timestamp;
use domain::units::Quantity;
use domain::views::Judgement;
use foldhash::quality::FixedState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

#[cfg(test)]
mod tests;

/// Words of a line: one line of the processor's cache.
const LINE_WORDS: usize = 8;

/// Customers for each line at most, 16 bits each.
const PER_LINE: usize = 32;

/// Bits set for each customer. With 16 bits each, one newcomer in some four hundred is taken for a customer, and reaches
/// the item.
const BITS_EACH: u32 = 6;

/// Customers and leavers that there is room for at least, beyond the customers there are: a few lines.
const ROOM_MIN: usize = 256;

/// Whom an item may refuse from outside.
#[derive(Debug)]
pub struct Newcomers {
    /// Seeded by the item's secret: strangers choose the ids.
    hasher: FixedState,
    /// None until the item has refused somebody.
    known: RwLock<Option<Arc<Known>>>,
    /// Whether there are any: of most items there are none, and reading this is nearly all that it costs them.
    any: AtomicBool,
}

/// Customers of whom an item has accepted something, as far as it has entered them, and some who may seem so: a Bloom
/// filter in blocks, each of one cache line.
#[derive(Debug)]
struct Known {
    lines: Box<[Line]>,
    /// How many it is made for.
    room: usize,
    /// How many left without an answer.
    left: AtomicUsize,
    /// How many of the item's customers are entered, in the order in which they came.
    entered: AtomicUsize,
    /// Whether these are all.
    complete: AtomicBool,
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Line([AtomicU64; LINE_WORDS]);

impl Known {
    fn with_room_for(room: usize) -> Self {
        let lines = (0..room.div_ceil(PER_LINE)).map(|_| Line::default()).collect();
        let none = || AtomicUsize::new(0);
        Self { lines, room, left: none(), entered: none(), complete: AtomicBool::new(false) }
    }

    /// A customer's line, and which bits of which of its words are theirs.
    fn place(&self, hash: u64) -> (Option<&Line>, [u64; LINE_WORDS]) {
        // The upper half chooses the line; the bits come from all of it, mixed once more.
        let line = ((hash >> 32) * self.lines.len() as u64) >> 32;
        let mut rest = hash.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut bits = [0; LINE_WORDS];
        for _ in 0..BITS_EACH {
            if let Some(word) = bits.get_mut((rest >> 61) as usize) {
                *word |= 1 << ((rest >> 55) & 63);
            }
            rest = rest.rotate_left(9);
        }
        (self.lines.get(line as usize), bits)
    }

    fn note(&self, hash: u64) {
        if let (Some(line), bits) = self.place(hash) {
            for (word, bits) in line.0.iter().zip(bits).filter(|(_, bits)| *bits != 0) {
                word.fetch_or(bits, Ordering::AcqRel);
            }
        }
    }

    fn may_have(&self, hash: u64) -> bool {
        let (line, bits) = self.place(hash);
        line.is_none_or(|line| line.0.iter().zip(bits).all(|(word, bits)| word.load(Ordering::Acquire) & bits == bits))
    }

    /// Enters those of the item's customers who are not yet: all if they were complete, else so many that the turn stays
    /// short.
    fn enter(&self, item: &Item, hasher: &FixedState) {
        let most = if self.complete.load(Ordering::Relaxed) { usize::MAX } else { ENTERED_PER_TURN };
        let mut entered = self.entered.load(Ordering::Relaxed);
        for customer in item.customers_from(entered).take(most) {
            self.note(hasher.hash_one(customer));
            entered = entered.saturating_add(1);
        }
        self.entered.store(entered, Ordering::Relaxed);
        // Of an item that is at a bound of its own the view does not say so.
        let complete = entered == item.customer_count() && !item.is_at_a_bound();
        self.complete.store(complete, Ordering::Release);
    }

    /// Whether there is room for so many customers besides those who left.
    fn has_room_for(&self, customers: usize) -> bool {
        customers.saturating_add(self.left.load(Ordering::Relaxed)) <= self.room
    }
}

/// A wish for units, with what an item's filter knows its customer by.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    customer: u64,
    quantity: Quantity,
    waitlist: WaitlistChoice,
}

impl Wish {
    /// What a newcomer is told by what is published, if that is a refusal: the judgement that the item would give.
    #[must_use]
    pub fn refusal(&self, published: &Published, now: Timestamp) -> Option<Judgement> {
        if published.due.is_some_and(|due| due <= now) && !planted::is(Bug::RefusedByAStaleView) {
            return None;
        }
        let rejection = published.refusal_of_newcomer(self.quantity, self.waitlist)?;
        Some(Judgement { sequence: published.sequence, at: now.max(published.at), outcome: Err(rejection) })
    }
}

impl Newcomers {
    /// An item's that has refused nobody yet.
    #[must_use]
    pub fn new(key: &ItemKey) -> Self {
        let hasher = FixedState::with_seed(key.table_seed());
        Self { hasher, known: RwLock::new(None), any: AtomicBool::new(false) }
    }

    /// A command that may be refused here, which is one that asks for units.
    #[must_use]
    pub fn wish(&self, command: &Command) -> Option<Wish> {
        let Command::Reserve { customer, quantity, waitlist } = command else { return None };
        Some(Wish { customer: self.hasher.hash_one(customer.as_str()), quantity: *quantity, waitlist: *waitlist })
    }

    fn known(&self) -> Option<Arc<Known>> {
        self.any_refused().then(|| self.read().clone()).flatten()
    }

    fn read(&self) -> RwLockReadGuard<'_, Option<Arc<Known>>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaced whole, so a poisoned lock holds a good one.
    fn set(&self, known: Option<Arc<Known>>) {
        let any = known.is_some();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        self.any.store(any, Ordering::Release);
    }

    /// Whether the item has refused somebody, so that there is something to keep up.
    fn any_refused(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Enters who was accepted by a turn in which somebody was refused or nobody. Only for whoever does the item's turns.
    ///
    /// Where it is full, all customers are entered anew, and who left is not: no later turn judges their request, for they
    /// are gone, and if an earlier one has accepted it, or this one, they are among the customers.
    fn follow(&self, item: &Item, refused: bool) {
        match self.known() {
            None if !refused => {}
            Some(_) if planted::is(Bug::AcceptedNotEntered) => {}
            Some(known) if known.has_room_for(item.customer_count()) => known.enter(item, &self.hasher),
            _ => {
                let room = item.customer_count().saturating_add(item.customer_count() / 4).saturating_add(ROOM_MIN);
                let known = Known::with_room_for(room);
                known.enter(item, &self.hasher);
                self.set(Some(Arc::new(known)));
            }
        }
    }

    /// Takes in what a turn has done, before anybody hears of it: whoever was accepted is known from here on. Where that
    /// shows that what is published holds longer, says until when: the turn found nothing due, and all that the item
    /// handed over is durable, so that nobody publishes anything newer meanwhile.
    pub fn after<R>(&self, shell: &Shell, turned: &TurnOutput<R>, durable: Ticket) -> Option<Wake> {
        self.follow(shell.item(), turned.refused);
        let holds = turned.handover.is_none() && self.any_refused() && durable >= shell.submitted();
        holds.then_some(turned.wake)
    }

    /// Lets everybody reach the item.
    pub fn forget(&self) {
        self.set(None);
    }

    /// Whether it is certainly not a customer of the item's who wishes this.
    #[must_use]
    pub fn is_newcomers(&self, wish: &Wish) -> bool {
        let certain = |known: &Arc<Known>| known.complete.load(Ordering::Acquire) && !known.may_have(wish.customer);
        self.any_refused() && self.read().as_ref().is_some_and(certain)
    }

    /// Enters somebody who leaves without an answer.
    pub fn leaves(&self, wish: &Wish) {
        if let Some(known) = self.known() {
            known.note(wish.customer);
            known.left.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Somebody who asks an item for something, and may leave without having heard what became of it.
#[derive(Debug)]
pub(crate) struct Asking<'s> {
    slot: &'s Slot,
    /// Where units are asked for and no answer has come yet.
    unanswered: Option<Wish>,
}

impl<'s> Asking<'s> {
    /// Somebody begins to ask; or is refused at once, with the judgement that the item would give.
    pub(crate) fn begin(slot: &'s Slot, command: &Command, clock: &Clock) -> Result<Self, Judgement> {
        let unanswered = slot.newcomers.wish(command);
        if let Some(wish) = unanswered.filter(|wish| slot.newcomers.is_newcomers(wish))
            && let Some(refused) = wish.refusal(&slot.published(), clock.now())
        {
            return Err(refused);
        }
        Ok(Self { slot, unanswered })
    }

    /// An answer came, or none will.
    pub(crate) fn heard(mut self, reply: Reply) -> Reply {
        if reply.as_ref().map_or_else(|error| error.nothing_happened(), |_| true) {
            self.unanswered = None;
        }
        reply
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if let Some(wish) = self.unanswered {
            self.slot.newcomers.leaves(&wish);
        }
    }
}
