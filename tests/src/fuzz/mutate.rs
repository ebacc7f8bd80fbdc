//! Seeded mutations of a corpus: what a fuzzer without coverage can do.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Most changes made to one input. Few, so that much of what was right stays so.
const CHANGES_MAX: usize = 4;

/// Numbers at which something is often off by one.
const EDGES: [u64; 8] = [0, 1, 0x7f, 0xfa, 0xff, 0xffff, u32::MAX as u64, u64::MAX];

/// Makes inputs out of a corpus, the same ones from the same seed.
#[derive(Debug)]
pub struct Mutator<'c> {
    corpus: &'c [(String, Vec<u8>)],
    dice: ChaCha8Rng,
    longest: usize,
}

impl<'c> Mutator<'c> {
    /// Of this corpus, by this seed; no input gets longer than `longest` bytes.
    #[must_use]
    pub fn new(corpus: &'c [(String, Vec<u8>)], seed: u64, longest: usize) -> Self {
        Self { corpus, dice: ChaCha8Rng::seed_from_u64(seed), longest }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.dice.random_range(0..bound.max(1))
    }

    fn any_file(&mut self) -> &'c [u8] {
        let at = self.below(self.corpus.len());
        self.corpus.get(at).map_or(&[], |(_, bytes)| bytes)
    }

    /// A stretch of a file of the corpus.
    fn any_stretch(&mut self) -> &'c [u8] {
        let file = self.any_file();
        let (from, length) = (self.below(file.len()), self.below(64));
        file.get(from..).map_or(&[], |rest| rest.get(..length).unwrap_or(rest))
    }

    /// The next input.
    pub fn next_input(&mut self) -> Vec<u8> {
        let mut bytes = self.any_file().to_vec();
        for _ in 0..=self.below(CHANGES_MAX) {
            self.change(&mut bytes);
        }
        bytes.truncate(self.longest);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len());
        match self.below(9) {
            0 => replace(bytes, at, &[self.dice.random::<u8>()]),
            1 => {
                let bit = self.below(8);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            2 => bytes.truncate(at),
            3 => {
                let length = self.below(16).min(bytes.len().saturating_sub(at));
                drop(bytes.drain(at..at + length));
            }
            4 => insert(bytes, at, self.any_stretch()),
            5 => {
                let stretch = self.any_stretch();
                replace(bytes, at, stretch);
            }
            6 => {
                // The same again: what may come once comes twice.
                let length = self.below(32);
                let again: Vec<u8> = bytes.iter().skip(at).take(length).copied().collect();
                insert(bytes, at, &again);
            }
            7 => {
                let (edge, width) = (self.below(EDGES.len()), 1 << self.below(4));
                let edge = EDGES.get(edge).copied().unwrap_or_default().to_le_bytes();
                replace(bytes, at, edge.get(..width).unwrap_or_default());
            }
            _ => {
                let random: Vec<u8> = (0..self.below(8)).map(|_| self.dice.random()).collect();
                insert(bytes, at, &random);
            }
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, more: &[u8]) {
    drop(bytes.splice(at..at, more.iter().copied()));
}

fn replace(bytes: &mut [u8], at: usize, other: &[u8]) {
    for (to, from) in bytes.iter_mut().skip(at).zip(other) {
        *to = *from;
    }
}
