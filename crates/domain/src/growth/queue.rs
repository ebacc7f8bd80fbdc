//! A queue in blocks, whose elements keep their numbers.

use super::{BLOCK, begin_block};
use std::collections::VecDeque;

/// First in, first out. Elements are numbered as they come, and the numbers wrap around: far fewer stand in it at a
/// time than there are numbers.
#[derive(Clone, Debug)]
pub(crate) struct BlockQueue<T> {
    /// All of them full but the last.
    blocks: VecDeque<Vec<T>>,
    /// The number that the first block begins with.
    begins: u32,
    /// How many of the first block have left. They are freed with it.
    gone: usize,
}

impl<T> BlockQueue<T> {
    /// An empty one.
    pub(crate) const fn new() -> Self {
        Self { blocks: VecDeque::new(), begins: 0, gone: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.blocks.back().map_or(0, |last| (self.blocks.len() - 1) * BLOCK + last.len()) - self.gone
    }

    /// Puts one at the end; gives back its number.
    pub(crate) fn push_back(&mut self, element: T) -> u32 {
        let offset = self.gone + self.len();
        match self.blocks.back_mut() {
            Some(last) if last.len() < BLOCK => last.push(element),
            last => {
                let is_first = last.is_none();
                self.blocks.push_back(begin_block(element, is_first));
            }
        }
        self.begins.wrapping_add(offset as u32)
    }

    /// The one with this number, if it has not left.
    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        let offset = number.wrapping_sub(self.begins) as usize;
        if offset < self.gone {
            return None;
        }
        self.blocks.get(offset / BLOCK)?.get(offset % BLOCK)
    }

    /// The first, with its number.
    pub(crate) fn front(&self) -> Option<(u32, &T)> {
        let first = self.blocks.front()?.get(self.gone)?;
        Some((self.begins.wrapping_add(self.gone as u32), first))
    }

    /// Lets the first one leave, if there is one.
    pub(crate) fn drop_front(&mut self) {
        if self.len() == 0 {
            return;
        }
        self.gone += 1;
        if self.gone == BLOCK {
            self.blocks.pop_front();
            self.begins = self.begins.wrapping_add(BLOCK as u32);
            self.gone = 0;
        }
    }

    /// All of them, first to last.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &T> + Clone {
        (self.gone..self.gone + self.len()).map(|offset| {
            let block = self.blocks.get(offset / BLOCK);
            block.and_then(|block| block.get(offset % BLOCK)).expect("every place below the length is taken")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::MANY;
    use super::*;

    #[test]
    fn a_queue_lets_out_in_the_order_in_which_it_took_in_and_numbers_stay_what_they_are() {
        // The second begins where numbers wrap around.
        for begins in [0, 0u32.wrapping_sub(BLOCK as u32)] {
            let mut queue = BlockQueue { begins, ..BlockQueue::new() };
            let number = |nth: usize| begins.wrapping_add(nth as u32);
            assert!((0..MANY).all(|nth| queue.push_back(nth) == number(nth)));
            for first in 0..MANY {
                assert_eq!(queue.front(), Some((number(first), &first)));
                assert_eq!((queue.len(), queue.get(number(MANY - 1))), (MANY - first, Some(&(MANY - 1))));
                queue.drop_front();
                assert_eq!(queue.get(number(first)), None);
            }
            queue.drop_front();
            assert_eq!((queue.len(), queue.front(), queue.iter().count()), (0, None, 0));
            assert_eq!(queue.push_back(7), number(MANY));
            assert_eq!((queue.len(), queue.front(), queue.iter().count()), (1, Some((number(MANY), &7)), 1));
        }
    }
}
