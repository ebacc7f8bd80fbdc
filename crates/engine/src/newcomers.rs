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
use crate::shell::Reply;
use crate::slot::Slot;
use domain::command::Command;
use domain::identity::ItemKey;
use domain::item::Item;
use domain::text::CustomerId;
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
pub(crate) struct Newcomers {
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

impl Newcomers {
    pub(crate) fn new(key: &ItemKey) -> Self {
        let hasher = FixedState::with_seed(key.table_seed());
        Self { hasher, known: RwLock::new(None), any: AtomicBool::new(false) }
    }

    fn hash(&self, customer: &CustomerId) -> u64 {
        self.hasher.hash_one(customer.as_str())
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
    pub(crate) fn any_refused(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Takes in what a turn has done, in which somebody was refused or nobody. Only for whoever does the item's turns.
    ///
    /// Where it is full, all customers are entered anew, and who left is not: no later turn judges their request, for they
    /// are gone, and if an earlier one has accepted it, or this one, they are among the customers.
    pub(crate) fn follow(&self, item: &Item, refused: bool) {
        match self.known() {
            None if !refused => {}
            Some(known) if known.has_room_for(item.customer_count()) => known.enter(item, &self.hasher),
            _ => {
                let room = item.customer_count().saturating_add(item.customer_count() / 4).saturating_add(ROOM_MIN);
                let known = Known::with_room_for(room);
                known.enter(item, &self.hasher);
                self.set(Some(Arc::new(known)));
            }
        }
    }

    /// Lets everybody reach the item.
    pub(crate) fn forget(&self) {
        self.set(None);
    }

    /// Whether a customer of this hash is certainly none of the item's.
    fn is_newcomer(&self, hash: u64) -> bool {
        let certain = |known: &Arc<Known>| known.complete.load(Ordering::Acquire) && !known.may_have(hash);
        self.any_refused() && self.read().as_ref().is_some_and(certain)
    }

    /// Enters somebody who leaves without an answer.
    fn note(&self, hash: u64) {
        if let Some(known) = self.known() {
            known.note(hash);
            known.left.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Somebody who asks an item for something, and may leave without having heard what became of it.
#[derive(Debug)]
pub(crate) struct Asking<'s> {
    slot: &'s Slot,
    /// The customer, where units are asked for and no answer has come yet.
    unanswered: Option<u64>,
}

impl<'s> Asking<'s> {
    /// Somebody begins to ask; or is refused at once, with the judgement that the item would give.
    pub(crate) fn begin(slot: &'s Slot, command: &Command, clock: &Clock) -> Result<Self, Judgement> {
        let Command::Reserve { customer, quantity, waitlist } = command else {
            return Ok(Self { slot, unanswered: None });
        };
        let hash = slot.newcomers.hash(customer);
        let asking = Self { slot, unanswered: Some(hash) };
        if !slot.newcomers.is_newcomer(hash) {
            return Ok(asking);
        }
        let (published, now) = (slot.published(), clock.now());
        if published.due.is_some_and(|due| due <= now) {
            return Ok(asking);
        }
        match published.refusal_of_newcomer(*quantity, *waitlist) {
            None => Ok(asking),
            Some(rejection) => {
                asking.answered();
                Err(Judgement { sequence: published.sequence, at: now.max(published.at), outcome: Err(rejection) })
            }
        }
    }

    /// An answer came, or none will.
    pub(crate) fn heard(self, reply: Reply) -> Reply {
        if reply.as_ref().map_or_else(|error| error.nothing_happened(), |_| true) {
            self.answered();
        }
        reply
    }

    fn answered(mut self) {
        self.unanswered = None;
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if let Some(hash) = self.unanswered {
            self.slot.newcomers.note(hash);
        }
    }
}
