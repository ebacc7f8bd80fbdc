//! A list in blocks.

use super::{BLOCK, begin_block};

/// A list that only grows at its end.
#[derive(Clone, Debug)]
pub struct BlockList<T> {
    /// All of them full but the last.
    blocks: Vec<Vec<T>>,
}

impl<T> BlockList<T> {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self { blocks: Vec::new() }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.blocks.last().map_or(0, |last| (self.blocks.len() - 1) * BLOCK + last.len())
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Puts one at the end.
    pub fn push(&mut self, element: T) {
        match self.blocks.last_mut() {
            Some(last) if last.len() < BLOCK => last.push(element),
            last => {
                let is_first = last.is_none();
                self.blocks.push(begin_block(element, is_first));
            }
        }
    }

    /// The one at this place, from 0.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<&T> {
        self.blocks.get(at / BLOCK)?.get(at % BLOCK)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.blocks.get_mut(at / BLOCK)?.get_mut(at % BLOCK)
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &T> + Clone {
        (0..self.len()).map(|at| self.get(at).expect("every place below the length is taken"))
    }

    /// Gives back the room that its last block has to spare.
    pub fn shrink_to_fit(&mut self) {
        self.blocks.last_mut().into_iter().for_each(Vec::shrink_to_fit);
    }

    /// All from `first` on.
    pub fn iter_from(&self, first: usize) -> impl Iterator<Item = &T> {
        self.blocks.iter().skip(first / BLOCK).flatten().skip(first % BLOCK)
    }
}

impl<T> Extend<T> for BlockList<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, elements: I) {
        elements.into_iter().for_each(|element| self.push(element));
    }
}

impl<T> IntoIterator for BlockList<T> {
    type Item = T;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Vec<T>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.blocks.into_iter().flatten()
    }
}

impl<T> Default for BlockList<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::MANY;
    use super::*;

    #[test]
    fn a_list_gives_back_what_was_put_in_across_its_blocks() {
        let mut list = BlockList::new();
        assert_eq!((list.len(), list.is_empty(), list.get(0)), (0, true, None));
        list.extend(0..MANY);
        *list.get_mut(BLOCK).expect("it is there") = 5;
        assert_eq!(
            (list.len(), list.get(BLOCK), list.get(MANY - 1), list.get(MANY)),
            (MANY, Some(&5), Some(&(MANY - 1)), None)
        );
        for first in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, MANY - 1, MANY, MANY + BLOCK] {
            assert_eq!(list.iter_from(first).count(), MANY.saturating_sub(first), "from {first}");
        }
        assert_eq!((list.iter().len(), list.iter().copied().nth(MANY - 1)), (MANY, Some(MANY - 1)));
        assert_eq!(list.iter_from(BLOCK + 1).next(), Some(&(BLOCK + 1)));
        list.shrink_to_fit();
        list.push(7);
        assert!(list.into_iter().skip(BLOCK + 1).eq((BLOCK + 1..MANY).chain([7])));
    }
}
