//! An index: finds things by the hash of their names, without keeping the names.

use hashbrown::HashTable;

/// Entries at which an index is split: moving these takes a millisecond or two, once.
const SPLIT_AT: usize = 8_192;

/// Parts of an index that is split. A million entries are four thousand in each.
const PARTS: usize = 256;

/// Entries of a part from which on what they stand for is nowhere near the processor.
const FAR_APART: usize = 1_024;

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
        self.parts.get(part_of(hash, self.parts.len()))?.find(hash, sought)
    }

    /// The same, to be changed. Its hash has to stay as it is.
    pub fn find_mut(&mut self, hash: u64, sought: impl FnMut(&T) -> bool) -> Option<&mut T> {
        self.part_mut(hash).find_mut(hash, sought)
    }

    /// Puts in an entry that is not there yet.
    pub fn insert(&mut self, hash: u64, entry: T, hash_of: impl Fn(&T) -> u64) {
        let part = self.part_mut(hash);
        if part.len() == part.capacity() && part.len() >= FAR_APART {
            grow(part, &hash_of);
        }
        part.insert_unique(hash, entry, &hash_of);
        self.len += 1;
        if self.len >= SPLIT_AT && self.parts.len() == 1 {
            self.split(hash_of);
        }
    }

    /// Puts in so many, with their hashes, and shows `meet` each that is the same as one that is there already.
    ///
    /// Where they are many, one part is filled after the other: a part of millions stays in the processor's cache meanwhile,
    /// and the index as a whole would not.
    ///
    /// # Errors
    /// The first of `meet`; some are in the index then, and some are not.
    pub fn add_all<E>(
        &mut self,
        (count, hashed): (usize, impl Iterator<Item = (u64, T)>),
        hash_of: impl Fn(&T) -> u64,
        same: impl Fn(&T, &T) -> bool,
        mut meet: impl FnMut(&mut T, T) -> Result<(), E>,
    ) -> Result<(), E> {
        if count < SPLIT_AT {
            for (hash, entry) in hashed {
                match self.find_mut(hash, |other| same(other, &entry)) {
                    Some(known) => meet(known, entry)?,
                    None => self.insert(hash, entry, &hash_of),
                }
            }
            return Ok(());
        }
        if self.parts.len() == 1 {
            self.split(&hash_of);
        }
        // Parts differ in size, by some four times the root of it between the largest and the mean.
        let share = count.div_ceil(PARTS);
        let mut shares: Vec<Vec<_>> = (0..PARTS).map(|_| Vec::with_capacity(share + 4 * share.isqrt())).collect();
        for (hash, entry) in hashed {
            let share = shares.get_mut(part_of(hash, PARTS));
            share.expect("there are as many as hashes are divided among").push((hash, entry));
        }
        for (part, share) in self.parts.iter_mut().zip(shares) {
            // Of an index that has some already nobody knows how many are the same.
            if part.is_empty() {
                part.reserve(share.len(), &hash_of);
            }
            for (hash, entry) in share {
                match part.find_mut(hash, |other| same(other, &entry)) {
                    Some(known) => meet(known, entry)?,
                    None => {
                        part.insert_unique(hash, entry, &hash_of);
                        self.len += 1;
                    }
                }
            }
        }
        Ok(())
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

    fn part_mut(&mut self, hash: u64) -> &mut HashTable<T> {
        let part = part_of(hash, self.parts.len());
        self.parts.get_mut(part).expect("there are as many parts as hashes are divided among")
    }
}

/// Makes room in a part that is full. The table by itself would hash one entry and put it in before it looks at the next;
/// where millions are, each of these waits for memory, and hashes that are asked for one behind the other wait together.
#[cold]
fn grow<T>(part: &mut HashTable<T>, hash_of: impl Fn(&T) -> u64) {
    let entries: Vec<T> = part.drain().collect();
    let hashes: Vec<u64> = entries.iter().map(hash_of).collect();
    // Where at least half of it is what was removed, it is large enough.
    if entries.len() > part.capacity() / 2 {
        part.reserve(part.capacity() + 1, |_| 0);
    }
    for (hash, entry) in hashes.into_iter().zip(entries) {
        part.insert_unique(hash, entry, |_| hash);
    }
}

/// The part of an index of so many that an entry is in.
const fn part_of(hash: u64, parts: usize) -> usize {
    // From the middle of the hash: a part itself looks at both ends.
    if parts == 1 { 0 } else { (hash >> 32) as usize % PARTS }
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
    fn what_is_put_in_all_at_once_is_found_like_what_is_put_in_step_by_step() {
        for (before, more) in [(0, 0), (0, 1), (5, MANY), (SPLIT_AT - 1, 1), (SPLIT_AT, 9), (0, MANY), (MANY, 0)] {
            let (mut index, all) = (filled(before), before + more);
            let add = |index: &mut SplitIndex<usize>, keys: std::ops::Range<usize>| {
                let hashed = keys.clone().map(|key| (hash(&key), key));
                let mut met = Vec::new();
                let meet = |known: &mut usize, key| {
                    assert_eq!(*known, key);
                    met.push(key);
                    if key == 3 && met.len() == 1 { Err("met three first") } else { Ok(()) }
                };
                index.add_all((keys.len(), hashed), hash, |a, b| a == b, meet).map(|()| met)
            };
            assert_eq!(add(&mut index, before..all), Ok(Vec::new()), "{before} and {more} more");
            assert_eq!((index.len, index.parts.len()), (all, filled(all).parts.len()));
            let from = all.min(before / 2 + 4);
            let mut met = add(&mut index, from..all + 1).expect("three is not the first of them");
            met.sort_unstable();
            assert!(met.into_iter().eq(from..all), "the rest is there already");
            assert!((0..=all).all(|key| index.find(hash(&key), |found| *found == key) == Some(&key)), "{all} and one");
            assert_eq!(add(&mut index, 3..4).err(), (all >= 3).then_some("met three first"));
        }
    }

    #[test]
    fn an_index_from_which_as_many_leave_as_come_finds_all_and_stays_as_large_as_it_is() {
        let stays = 3 * FAR_APART;
        let mut index = filled(stays);
        let room = |index: &SplitIndex<usize>| index.parts.iter().map(HashTable::num_buckets).sum::<usize>();
        // Once it may need more, for places of what was removed are taken until all is put in anew.
        let made = 2 * room(&index);
        for key in stays..10 * stays {
            assert_eq!(index.remove(hash(&(key - stays)), |found| *found == key - stays), Some(key - stays));
            index.insert(hash(&key), key, hash);
        }
        assert!(index.len == stays && room(&index) <= made, "{} in {}", index.len, room(&index));
        assert!((9 * stays..10 * stays).all(|key| index.find(hash(&key), |found| *found == key) == Some(&key)));
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
