//! Tables and lists that grow a little at a time.
//!
//! A hash table that doubles moves everything in it within one insertion, and a vector copies itself; with half a
//! million customers that was half a second in which nobody was answered. Here a table is split into parts that double
//! each at their own time, and a list or a queue begins a new block when the last one is full. What they hold and in
//! which order does not depend on any of it.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash};

/// Entries at which a table is split: moving these takes a fraction of a millisecond, once.
const SPLIT_AT: usize = 8_192;

/// Parts of a table that is split. A million entries are four thousand in each.
const PARTS: usize = 256;

/// Elements of a block: so large that a list of a million is a few hundred blocks, so small that none takes long to
/// make.
const BLOCK: usize = 4_096;

/// A hash table, whole while it is small and in parts from then on.
#[derive(Clone, Debug)]
pub struct SplitMap<K, V, S> {
    parts: Vec<HashMap<K, V, S>>,
    hasher: S,
    len: usize,
}

impl<K: Eq + Hash, V, S: BuildHasher + Clone> SplitMap<K, V, S> {
    /// An empty one.
    #[must_use]
    pub fn with_hasher(hasher: S) -> Self {
        Self { parts: vec![HashMap::with_hasher(hasher.clone())], hasher, len: 0 }
    }

    fn part_of(&self, key: &K) -> usize {
        if self.parts.len() == 1 {
            return 0;
        }
        // From the middle of the hash: a part itself looks at both ends.
        (self.hasher.hash_one(key) >> 32) as usize % PARTS
    }

    fn part(&self, key: &K) -> &HashMap<K, V, S> {
        self.parts.get(self.part_of(key)).expect("there are as many parts as keys are divided among")
    }

    fn part_mut(&mut self, key: &K) -> &mut HashMap<K, V, S> {
        let part = self.part_of(key);
        self.parts.get_mut(part).expect("there are as many parts as keys are divided among")
    }

    /// What stands under a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.part(key).get(key)
    }

    /// What stands under a key, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.part_mut(key).get_mut(key)
    }

    /// Puts a value under a key; gives back what stood there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let before = self.part_mut(&key).insert(key, value);
        self.len += usize::from(before.is_none());
        if self.len == SPLIT_AT && self.parts.len() == 1 {
            self.split();
        }
        before
    }

    /// Takes away what stands under a key.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let removed = self.part_mut(key).remove(key);
        self.len -= usize::from(removed.is_some());
        removed
    }

    fn split(&mut self) {
        let whole = std::mem::take(&mut self.parts);
        self.parts = (0..PARTS).map(|_| HashMap::with_hasher(self.hasher.clone())).collect();
        for (key, value) in whole.into_iter().flatten() {
            self.part_mut(&key).insert(key, value);
        }
    }
}

impl<K: Eq + Hash, V, S: BuildHasher + Clone + Default> Default for SplitMap<K, V, S> {
    fn default() -> Self {
        Self::with_hasher(S::default())
    }
}

/// A list that only grows at its end.
#[derive(Clone, Debug)]
pub(crate) struct BlockList<T> {
    /// All of them full but the last.
    blocks: Vec<Vec<T>>,
}

impl<T> BlockList<T> {
    /// An empty one.
    pub(crate) const fn new() -> Self {
        Self { blocks: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.blocks.last().map_or(0, |last| (self.blocks.len() - 1) * BLOCK + last.len())
    }

    pub(crate) fn push(&mut self, element: T) {
        match self.blocks.last_mut() {
            Some(last) if last.len() < BLOCK => last.push(element),
            // The first grows as it is needed: most lists never fill it.
            Some(_) => {
                let mut block = Vec::with_capacity(BLOCK);
                block.push(element);
                self.blocks.push(block);
            }
            None => self.blocks.push(vec![element]),
        }
    }

    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.blocks.get(at / BLOCK)?.get(at % BLOCK)
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.blocks.get_mut(at / BLOCK)?.get_mut(at % BLOCK)
    }

    /// All from `from` on.
    pub(crate) fn from(&self, from: usize) -> impl Iterator<Item = &T> {
        self.blocks.iter().skip(from / BLOCK).flatten().skip(from % BLOCK)
    }
}

/// First in, first out.
#[derive(Clone, Debug)]
pub(crate) struct BlockQueue<T> {
    /// None of them empty.
    blocks: VecDeque<VecDeque<T>>,
    len: usize,
}

impl<T> BlockQueue<T> {
    /// An empty one.
    pub(crate) const fn new() -> Self {
        Self { blocks: VecDeque::new(), len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn push_back(&mut self, element: T) {
        self.len += 1;
        match self.blocks.back_mut() {
            Some(last) if last.len() < BLOCK => last.push_back(element),
            Some(_) | None => self.blocks.push_back(VecDeque::from([element])),
        }
    }

    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let first = self.blocks.front_mut()?;
        let element = first.pop_front()?;
        if first.is_empty() {
            self.blocks.pop_front();
        }
        self.len -= 1;
        Some(element)
    }

    pub(crate) fn front(&self) -> Option<&T> {
        self.blocks.front()?.front()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.blocks.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use foldhash::quality::FixedState;

    const MANY: usize = 3 * SPLIT_AT;

    #[test]
    fn a_map_holds_the_same_before_and_after_it_is_split() {
        let mut map = SplitMap::<usize, usize, FixedState>::default();
        for key in 0..MANY {
            assert_eq!(map.insert(key, key), None);
        }
        assert_eq!(map.parts.len(), PARTS);
        assert_eq!(map.insert(7, 8), Some(7));
        *map.get_mut(&9).expect("it is there") = 10;
        assert_eq!((map.get(&7), map.get(&9), map.get(&MANY)), (Some(&8), Some(&10), None));
        assert!((0..MANY).all(|key| map.remove(&key).is_some()));
        assert_eq!((map.len, map.remove(&0)), (0, None));
    }

    #[test]
    fn parts_do_not_double_all_at_once() {
        let mut map = SplitMap::<usize, usize, FixedState>::default();
        for key in 0..64 * SPLIT_AT {
            map.insert(key, key);
        }
        let (least, most) = (map.parts.iter().map(HashMap::len).min(), map.parts.iter().map(HashMap::len).max());
        assert!(least > Some(SPLIT_AT / 8) && most < Some(SPLIT_AT / 2), "{least:?} to {most:?} in a part");
    }

    #[test]
    fn a_list_gives_back_what_was_put_in_across_its_blocks() {
        let mut list = BlockList::new();
        assert_eq!((list.len(), list.get(0)), (0, None));
        (0..MANY).for_each(|element| list.push(element));
        *list.get_mut(BLOCK).expect("it is there") = 5;
        assert_eq!(
            (list.len(), list.get(BLOCK), list.get(MANY - 1), list.get(MANY)),
            (MANY, Some(&5), Some(&(MANY - 1)), None)
        );
        for from in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, MANY - 1, MANY, MANY + BLOCK] {
            assert_eq!(list.from(from).count(), MANY.saturating_sub(from), "from {from}");
        }
        assert_eq!(list.from(BLOCK + 1).next(), Some(&(BLOCK + 1)));
    }

    #[test]
    fn a_queue_gives_out_in_the_order_in_which_it_took_in() {
        let mut queue = BlockQueue::new();
        (0..MANY).for_each(|element| queue.push_back(element));
        assert_eq!((queue.len(), queue.front(), queue.iter().count()), (MANY, Some(&0), MANY));
        assert!((0..MANY).all(|element| queue.pop_front() == Some(element)));
        assert_eq!((queue.len(), queue.pop_front(), queue.front()), (0, None, None));
    }
}
