//! Who waits, in order of arrival, with exact positions.
//!
//! One bit per ordinal and, over blocks of 512 of them, a Fenwick tree of how many wait in each (P. M. Fenwick, "A
//! new data structure for cumulative frequency tables", 1994). Members join with ever larger ordinals, so the bits
//! are in order of arrival by themselves. That is about 1.1 bits per ordinal between the first and the last who
//! wait, and every operation is O(log n) at worst.
//!
//! What the waitlist does not know: who may join and when somebody is served.

mod fenwick;
#[cfg(test)]
mod tests;

use fenwick::Fenwick;

const WORD_BITS: u32 = u64::BITS;
const WORDS_PER_BLOCK: usize = 8;
const BLOCK_BITS: u32 = WORD_BITS * WORDS_PER_BLOCK as u32;

/// The ordinals that wait.
#[derive(Clone, Debug, Default)]
pub struct Waitlist {
    /// The ordinal of the first bit: of the last who joined an empty line. So ordinals long gone take no room.
    base: u32,
    blocks: Vec<Block>,
    counts: Fenwick,
    len: u32,
    head: Option<u32>,
    /// The last who joined, still here or not.
    last_joined: Option<u32>,
}

impl Waitlist {
    /// How many wait.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether nobody waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts an ordinal at the end of the line. O(log n) and, for ordinals skipped, O(1) for each 512.
    ///
    /// # Panics
    /// Where the ordinal is not larger than all that joined before: the line would not be in order of arrival.
    pub fn join(&mut self, ordinal: u32) {
        assert!(self.last_joined < Some(ordinal), "{ordinal} joins the waitlist after {:?}", self.last_joined);
        self.last_joined = Some(ordinal);
        if self.is_empty() {
            self.blocks.clear();
            self.counts.clear();
            self.base = ordinal;
            self.head = Some(ordinal);
        }
        let bit = BitIndex::of(ordinal - self.base);
        while self.blocks.len() <= bit.block {
            self.blocks.push(Block::default());
            self.counts.push_zero();
        }
        self.block_mut(bit.block).set(bit);
        self.counts.add(bit.block, 1);
        self.len += 1;
    }

    /// Takes an ordinal out of the line, wherever it stands. False where it was not in it.
    pub fn leave(&mut self, ordinal: u32) -> bool {
        let Some(bit) = self.find(ordinal) else { return false };
        self.block_mut(bit.block).clear(bit);
        self.counts.add(bit.block, -1);
        self.len -= 1;
        if self.head == Some(ordinal) {
            self.head = self.first();
        }
        true
    }

    /// Who is served next. O(1).
    #[must_use]
    pub const fn head(&self) -> Option<u32> {
        self.head
    }

    /// The place of an ordinal in the line, from 1. `None` where it is not in it.
    #[must_use]
    pub fn position(&self, ordinal: u32) -> Option<u32> {
        let bit = self.find(ordinal)?;
        let ahead_in_block = self.blocks.get(bit.block)?.count_before(bit);
        Some(self.counts.sum_before(bit.block) + ahead_in_block + 1)
    }

    /// Whether an ordinal is in the line.
    #[must_use]
    pub fn contains(&self, ordinal: u32) -> bool {
        self.find(ordinal).is_some()
    }

    /// Sends all away and gives the memory back. Who joins later still needs a larger ordinal.
    pub fn clear(&mut self) {
        *self = Self { last_joined: self.last_joined, ..Self::default() };
    }

    /// All who wait, from the head on.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let dead = self.head.map_or(0, |head| BitIndex::of(head - self.base).block);
        let blocks = (0..).zip(&self.blocks).skip(dead);
        blocks.flat_map(move |(index, block)| block.bits().map(move |bit| self.ordinal_of(index, bit)))
    }

    /// The bit of an ordinal that waits.
    fn find(&self, ordinal: u32) -> Option<BitIndex> {
        let bit = BitIndex::of(ordinal.checked_sub(self.base)?);
        self.blocks.get(bit.block)?.has(bit).then_some(bit)
    }

    fn first(&self) -> Option<u32> {
        let index = self.counts.first_nonzero()?;
        let bit = self.blocks.get(index)?.bits().next()?;
        // Blocks are made for ordinals, so there are fewer than 2^23.
        Some(self.ordinal_of(index as u32, bit))
    }

    /// The ordinal of a bit that is set. It was a u32 when it joined.
    const fn ordinal_of(&self, block: u32, bit: u32) -> u32 {
        self.base + block * BLOCK_BITS + bit
    }

    fn block_mut(&mut self, index: usize) -> &mut Block {
        self.blocks.get_mut(index).expect("a bit is found in, or blocks are made for it")
    }
}

/// Where a bit is.
#[derive(Clone, Copy)]
struct BitIndex {
    block: usize,
    word: usize,
    mask: u64,
}

impl BitIndex {
    const fn of(offset: u32) -> Self {
        let in_block = offset % BLOCK_BITS;
        let (block, word) = ((offset / BLOCK_BITS) as usize, (in_block / WORD_BITS) as usize);
        Self { block, word, mask: 1 << (in_block % WORD_BITS) }
    }
}

/// 512 bits: one line of cache.
#[derive(Clone, Debug, Default)]
struct Block([u64; WORDS_PER_BLOCK]);

impl Block {
    fn has(&self, bit: BitIndex) -> bool {
        self.0.get(bit.word).is_some_and(|word| word & bit.mask != 0)
    }

    fn set(&mut self, bit: BitIndex) {
        *self.word_mut(bit) |= bit.mask;
    }

    fn clear(&mut self, bit: BitIndex) {
        *self.word_mut(bit) &= !bit.mask;
    }

    fn count_before(&self, bit: BitIndex) -> u32 {
        let whole: u32 = self.0.iter().take(bit.word).map(|word| word.count_ones()).sum();
        let part = self.0.get(bit.word).map_or(0, |word| (word & (bit.mask - 1)).count_ones());
        whole + part
    }

    fn bits(&self) -> impl Iterator<Item = u32> + '_ {
        (0..).step_by(WORD_BITS as usize).zip(&self.0).flat_map(|(first, &word)| {
            // Each step removes the lowest bit that is left.
            let rests = core::iter::successors(Some(word), |rest| Some(rest & rest.wrapping_sub(1)));
            rests.take_while(|rest| *rest != 0).map(move |rest| first + rest.trailing_zeros())
        })
    }

    fn word_mut(&mut self, bit: BitIndex) -> &mut u64 {
        self.0.get_mut(bit.word).expect("BitIndex::of makes words below WORDS_PER_BLOCK only")
    }
}
