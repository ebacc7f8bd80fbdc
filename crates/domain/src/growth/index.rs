//! An index: finds things by the hash of their names, without keeping the names.

use hashbrown::HashTable;

/// Entries at which an index is split: moving these takes a millisecond or two, once.
const SPLIT_AT: usize = 8_192;

/// Parts of an index that is split. A million entries are four thousand in each.
const PARTS: usize = 256;

/// Small entries by hash, whole while they are few and in parts from then on. An entry says where the thing it stands
/// for is kept; whoever asks compares, and whoever inserts says how an entry's hash is found again.
#[derive(Clone, Debug)]
pub struct SplitIndex<T> {
    parts: Vec<HashTable<T>>,
    len: usize,
}

impl<T> SplitIndex<T> {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self { parts: vec![HashTable::new()], len: 0 }
    }

    /// The entry with this hash that is the one sought.
    #[must_use]
    pub fn find(&self, hash: u64, sought: impl FnMut(&T) -> bool) -> Option<&T> {
        self.parts.get(self.part_of(hash))?.find(hash, sought)
    }

    /// The same, to be changed. Its hash has to stay as it is.
    pub fn find_mut(&mut self, hash: u64, sought: impl FnMut(&T) -> bool) -> Option<&mut T> {
        self.part_mut(hash).find_mut(hash, sought)
    }

    /// Puts in an entry that is not there yet.
    pub fn insert(&mut self, hash: u64, entry: T, hash_of: impl Fn(&T) -> u64) {
        self.part_mut(hash).insert_unique(hash, entry, &hash_of);
        self.len += 1;
        if self.len >= SPLIT_AT && self.parts.len() == 1 {
            self.split(hash_of);
        }
    }

    /// Makes room for so many more, for whoever knows how many there will be: growing step by step hashes every entry
    /// again at each step.
    pub fn make_room(&mut self, more: usize, hash_of: impl Fn(&T) -> u64) {
        if self.parts.len() == 1 && self.len + more >= SPLIT_AT {
            self.split(&hash_of);
        }
        let share = more.div_ceil(self.parts.len());
        // Parts differ in size, by some four times the root of it between the largest and the mean.
        let room = if self.parts.len() == 1 { share } else { share + 4 * share.isqrt() };
        self.parts.iter_mut().for_each(|part| part.reserve(room, &hash_of));
    }

    /// Takes out the entry with this hash that is the one sought.
    pub fn remove(&mut self, hash: u64, sought: impl FnMut(&T) -> bool) -> Option<T> {
        let found = self.part_mut(hash).find_entry(hash, sought).ok()?;
        let (entry, _vacant) = found.remove();
        self.len -= 1;
        Some(entry)
    }

    fn split(&mut self, hash_of: impl Fn(&T) -> u64) {
        let whole = std::mem::take(&mut self.parts);
        self.parts = (0..PARTS).map(|_| HashTable::with_capacity(2 * SPLIT_AT / PARTS)).collect();
        for entry in whole.into_iter().flatten() {
            let hash = hash_of(&entry);
            self.part_mut(hash).insert_unique(hash, entry, &hash_of);
        }
    }

    const fn part_of(&self, hash: u64) -> usize {
        // From the middle of the hash: a part itself looks at both ends.
        if self.parts.len() == 1 { 0 } else { (hash >> 32) as usize % PARTS }
    }

    fn part_mut(&mut self, hash: u64) -> &mut HashTable<T> {
        let part = self.part_of(hash);
        self.parts.get_mut(part).expect("there are as many parts as hashes are divided among")
    }
}

impl<T> Default for SplitIndex<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::MANY;
    use super::*;
    use foldhash::quality::FixedState;
    use std::hash::BuildHasher;

    fn hash(key: &usize) -> u64 {
        FixedState::with_seed(7).hash_one(key)
    }

    fn filled(entries: usize) -> SplitIndex<usize> {
        let mut index = SplitIndex::new();
        for key in 0..entries {
            index.insert(hash(&key), key, hash);
        }
        index
    }

    #[test]
    fn an_index_finds_the_same_before_and_after_it_is_split() {
        for entries in [1, SPLIT_AT - 1, SPLIT_AT, MANY] {
            let mut index = filled(entries);
            assert_eq!(index.parts.len(), if entries < SPLIT_AT { 1 } else { PARTS });
            assert!((0..entries).all(|key| index.find(hash(&key), |found| *found == key) == Some(&key)));
            assert_eq!(index.find(hash(&entries), |found| *found == entries), None);
            assert!((0..entries).all(|key| index.remove(hash(&key), |found| *found == key) == Some(key)));
            assert_eq!((index.len, index.remove(hash(&0), |_| true)), (0, None));
        }
    }

    #[test]
    fn whoever_makes_room_finds_the_same_and_nothing_grows_afterwards() {
        for (before, more) in [(0, 1), (0, MANY), (5, MANY), (SPLIT_AT - 1, 1), (2 * SPLIT_AT, 3 * SPLIT_AT)] {
            let mut index = filled(before);
            index.make_room(more, hash);
            let room = |index: &SplitIndex<usize>| index.parts.iter().map(HashTable::capacity).collect::<Vec<_>>();
            let made = room(&index);
            for key in before..before + more {
                index.insert(hash(&key), key, hash);
            }
            assert_eq!(room(&index), made, "{before} and {more} more");
            assert!((0..before + more).all(|key| index.find(hash(&key), |found| *found == key) == Some(&key)));
        }
    }

    #[test]
    fn things_with_the_same_hash_are_told_apart() {
        let mut index = SplitIndex::new();
        for key in 0..3 {
            index.insert(1, key, |_| 1);
        }
        *index.find_mut(1, |found| *found == 1).expect("it is there") = 10;
        assert_eq!((index.find(1, |found| *found == 1), index.find(1, |found| *found == 10)), (None, Some(&10)));
    }

    #[test]
    fn parts_do_not_double_all_at_once() {
        let index = filled(64 * SPLIT_AT);
        let (least, most) =
            (index.parts.iter().map(HashTable::len).min(), index.parts.iter().map(HashTable::len).max());
        assert!(least > Some(SPLIT_AT / 8) && most < Some(SPLIT_AT / 2), "{least:?} to {most:?} in a part");
    }
}
