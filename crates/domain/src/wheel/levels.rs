//! The levels of the wheel: 64 slots each, a bitmap of those occupied, and in every slot a ring of timers.
//!
//! A slot of level 0 is one millisecond, one of level *n* is 64ⁿ of them. Where a timer belongs follows from the
//! highest group of six bits in which its due instant differs from the cursor (Varghese and Lauck, "Hashed and
//! hierarchical timing wheels", 1987, scheme 7). So every timer of a slot agrees with the cursor in all groups above
//! it, slots of a lower level come before those of a higher one, and eight levels reach past `Timestamp::MAX`.
//!
//! When the cursor moves and which ring keeps what order is for the wheel to say.

use super::slab::{NIL, Place, Slab, Spot};
use crate::time::Timestamp;

const BITS_PER_LEVEL: u32 = 6;
const SLOTS: usize = 1 << BITS_PER_LEVEL;
const SLOT_MASK: u64 = SLOTS as u64 - 1;
const LEVELS: usize = 8;

const _: () = assert!(Timestamp::MAX.as_millis() >> (BITS_PER_LEVEL * LEVELS as u32) == 0);

/// The slot that an instant belongs to while the cursor is where it is. The instant is not before the cursor.
pub(super) fn spot_of(cursor: Timestamp, due: Timestamp) -> Spot {
    let differing = (cursor.as_millis() ^ due.as_millis()) | SLOT_MASK;
    let level = (u64::BITS - 1 - differing.leading_zeros()) / BITS_PER_LEVEL;
    let slot = (due.as_millis() >> (level * BITS_PER_LEVEL)) & SLOT_MASK;
    // Both fit: a level is at most 7 and a slot at most 63.
    Spot { level: level as u8, slot: slot as u8 }
}

/// An occupied slot and the first instant of its span.
#[derive(Clone, Copy, Debug)]
pub(super) struct Occupied {
    pub(super) spot: Spot,
    pub(super) start: Timestamp,
}

impl Occupied {
    /// Whether its timers may be of different milliseconds and have yet to be told apart.
    pub(super) const fn is_coarse(self) -> bool {
        self.spot.level > 0
    }
}

#[derive(Clone, Debug, Default)]
struct Level {
    occupied: u64,
    /// The first node of each slot's ring. Made when first needed, because most items use few levels at a time.
    heads: Option<Box<[u32; SLOTS]>>,
}

/// All levels. Their nodes live in a slab that comes along as an argument.
#[derive(Clone, Debug, Default)]
pub(super) struct Levels([Level; LEVELS]);

impl Levels {
    /// The occupied slot that begins first; of two that begin together the coarser one, because what it holds may
    /// come before what the finer one holds.
    pub(super) fn earliest(&self, cursor: Timestamp) -> Option<Occupied> {
        let mut earliest: Option<Occupied> = None;
        for (level, Level { occupied, .. }) in (0..LEVELS as u8).zip(&self.0).rev() {
            if *occupied == 0 {
                continue;
            }
            // A bit's number is at most 63.
            let spot = Spot { level, slot: occupied.trailing_zeros() as u8 };
            let start = start_of(cursor, spot);
            if earliest.is_none_or(|found| start < found.start) {
                earliest = Some(Occupied { spot, start });
            }
        }
        earliest
    }

    /// The first node of a slot's ring.
    pub(super) fn first(&self, spot: Spot) -> Option<u32> {
        let heads = self.level(spot).heads.as_ref()?;
        heads.get(usize::from(spot.slot)).copied().filter(|&head| head != NIL)
    }

    /// The last node of a slot's ring.
    pub(super) fn last(&self, slab: &Slab, spot: Spot) -> Option<u32> {
        self.first(spot).map(|head| slab.node(head).prev)
    }

    /// Puts a node behind all others of a slot.
    pub(super) fn push_back(&mut self, slab: &mut Slab, spot: Spot, index: u32) {
        let (prev, next) = match self.first(spot) {
            None => {
                self.set_first(spot, index);
                (index, index)
            }
            Some(head) => {
                let tail = core::mem::replace(&mut slab.node_mut(head).prev, index);
                slab.node_mut(tail).next = index;
                (tail, head)
            }
        };
        let node = slab.node_mut(index);
        (node.prev, node.next, node.place) = (prev, next, Place::Slot(spot));
    }

    /// Takes a node out of the slot it is in.
    pub(super) fn unlink(&mut self, slab: &mut Slab, spot: Spot, index: u32) {
        let node = slab.node(index);
        let (prev, next) = (node.prev, node.next);
        if next == index {
            self.set_first(spot, NIL);
            return;
        }
        slab.node_mut(prev).next = next;
        slab.node_mut(next).prev = prev;
        if self.first(spot) == Some(index) {
            self.set_first(spot, next);
        }
    }

    /// Frees the levels that hold nothing.
    pub(super) fn shrink_to_fit(&mut self) {
        for level in self.0.iter_mut().filter(|level| level.occupied == 0) {
            level.heads = None;
        }
    }

    /// Asserts what the module's head says of every node, and that level 0 is sorted. Returns the nodes found.
    #[cfg(test)]
    pub(super) fn assert_sound(&self, slab: &Slab, cursor: Timestamp) -> usize {
        let mut found = 0;
        for (level, own) in (0..LEVELS as u8).zip(&self.0) {
            for slot in 0..SLOTS as u8 {
                let spot = Spot { level, slot };
                let Some(head) = own.heads.as_ref().and_then(|_| self.first(spot)) else {
                    assert_eq!(own.occupied >> slot & 1, 0, "{spot:?} is empty");
                    continue;
                };
                assert_eq!(own.occupied >> slot & 1, 1, "{spot:?} holds something");
                let (start, width) = (start_of(cursor, spot), 1 << (u32::from(level) * BITS_PER_LEVEL));
                let mut index = head;
                loop {
                    let node = slab.node(index);
                    let next = slab.node(node.next);
                    assert_eq!((node.place, next.prev), (Place::Slot(spot), index));
                    assert!(node.due >= cursor && start <= node.due && node.due.since(start).as_millis() < width);
                    assert!(level > 0 || node.next == head || node.key <= next.key, "{spot:?} is out of order");
                    found += 1;
                    index = node.next;
                    if index == head {
                        break;
                    }
                }
            }
        }
        found
    }

    fn level(&self, spot: Spot) -> &Level {
        self.0.get(usize::from(spot.level)).expect("spot_of makes levels below LEVELS only")
    }

    fn set_first(&mut self, spot: Spot, index: u32) {
        let level = self.0.get_mut(usize::from(spot.level)).expect("spot_of makes levels below LEVELS only");
        let heads = level.heads.get_or_insert_with(|| Box::new([NIL; SLOTS]));
        *heads.get_mut(usize::from(spot.slot)).expect("spot_of makes slots below SLOTS only") = index;
        let bit = 1 << spot.slot;
        level.occupied = if index == NIL { level.occupied & !bit } else { level.occupied | bit };
    }
}

/// The first instant of a slot's span: the cursor's groups above its level, then its number, then zeros.
fn start_of(cursor: Timestamp, spot: Spot) -> Timestamp {
    let shift = u32::from(spot.level) * BITS_PER_LEVEL;
    let block = cursor.as_millis() >> (shift + BITS_PER_LEVEL) << (shift + BITS_PER_LEVEL);
    Timestamp::from_millis(block | (u64::from(spot.slot) << shift))
}
