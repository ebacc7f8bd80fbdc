//! Where timers live: one list of nodes with a free list, so that arming allocates nothing of its own. Nodes are
//! named by index and linked by index; what the links mean is for `levels` to say.

use super::{Due, TimerId, TimerKey};
use crate::growth::BlockList;
use crate::time::Timestamp;

/// The index of no node.
pub(super) const NIL: u32 = u32::MAX;

/// One slot of one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) level: u8,
    pub(super) slot: u8,
}

/// Where a node is, so that cancelling finds it without searching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On the free list, linked by `next` alone.
    Free,
    /// In the ring of one slot.
    Slot(Spot),
    /// Among the strays, unlinked.
    Stray,
}

/// One timer.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) due: Timestamp,
    pub(super) key: TimerKey,
    pub(super) next: u32,
    pub(super) prev: u32,
    pub(super) place: Place,
}

// Millions of these exist at once.
const _: () = assert!(size_of::<Node>() <= 24);

/// All nodes, used and free.
#[derive(Clone, Debug)]
pub(super) struct Slab {
    nodes: BlockList<Node>,
    /// Head of the free list: the node freed last is used next, while it is still in the cache.
    free: u32,
    used: usize,
}

impl Slab {
    pub(super) const fn new() -> Self {
        Self { nodes: BlockList::new(), free: NIL, used: 0 }
    }

    pub(super) const fn used(&self) -> usize {
        self.used
    }

    /// Takes a node for a timer. It is nowhere yet: the caller puts it in its place.
    pub(super) fn take(&mut self, due: Timestamp, key: TimerKey) -> u32 {
        let node = Node { due, key, next: NIL, prev: NIL, place: Place::Stray };
        self.used += 1;
        if self.free == NIL {
            let index = u32::try_from(self.nodes.len()).ok().filter(|&index| index < NIL);
            self.nodes.push(node);
            return index.expect("more than 2^32 timers armed at once");
        }
        let index = self.free;
        self.free = core::mem::replace(self.node_mut(index), node).next;
        index
    }

    /// Gives a node back that is in no ring and no stray any more.
    pub(super) fn give_back(&mut self, index: u32) {
        let next = self.free;
        let node = self.node_mut(index);
        debug_assert_ne!(node.place, Place::Free, "a node is given back once");
        node.place = Place::Free;
        node.next = next;
        self.free = index;
        self.used -= 1;
    }

    /// The node a caller's handle names, unless it is free.
    pub(super) fn armed(&self, id: TimerId) -> Option<&Node> {
        self.nodes.get(id.index() as usize).filter(|node| node.place != Place::Free)
    }

    pub(super) fn node(&self, index: u32) -> &Node {
        self.nodes.get(index as usize).expect("links and heads name nodes of this slab, which never shrinks while used")
    }

    pub(super) fn node_mut(&mut self, index: u32) -> &mut Node {
        self.nodes
            .get_mut(index as usize)
            .expect("links and heads name nodes of this slab, which never shrinks while used")
    }

    /// A timer as the outside sees it.
    pub(super) fn due(&self, index: u32) -> Due {
        let node = self.node(index);
        Due { due: node.due, key: node.key, id: TimerId::of(index) }
    }

    /// Gives back what memory it can: all where nothing is armed, else what the list has to spare.
    pub(super) fn shrink_to_fit(&mut self) {
        if self.used == 0 {
            *self = Self::new();
        } else {
            self.nodes.shrink_to_fit();
        }
    }
}
