//! Counts with sums over any first of them, at O(log n) to change and to ask.
//!
//! What is counted, and that no count falls below zero, is for the waitlist to say.

/// Entry *i*, from 1, is the sum of as many counts as the lowest bit of *i* says, the last of them count *i*.
#[derive(Clone, Debug, Default)]
pub(super) struct Fenwick(Vec<u32>);

impl Fenwick {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Appends a count of zero. O(1) amortized.
    pub(super) fn push_zero(&mut self) {
        let new = self.0.len() + 1;
        let below = self.sum_between(new - lowest_bit(new), new - 1);
        self.0.push(below);
    }

    /// Changes the count at `index`, from 0, by `by`.
    pub(super) fn add(&mut self, index: usize, by: i32) {
        let mut i = index + 1;
        while let Some(entry) = self.0.get_mut(i - 1) {
            *entry = entry.checked_add_signed(by).expect("nobody leaves who has not joined");
            i += lowest_bit(i);
        }
    }

    /// The sum of the counts before `index`, from 0.
    pub(super) fn sum_before(&self, index: usize) -> u32 {
        self.sum_between(0, index)
    }

    /// The sum of the counts from `from` up to but without `to`, for a `from` that the walk down from `to` meets.
    fn sum_between(&self, from: usize, to: usize) -> u32 {
        let (mut i, mut sum) = (to, 0);
        while i > from {
            sum += self.entry(i);
            i -= lowest_bit(i);
        }
        sum
    }

    /// The first index, from 0, whose count is not zero.
    pub(super) fn first_nonzero(&self) -> Option<usize> {
        let mut zeros = 0;
        let mut step = (self.0.len() + 1).next_power_of_two();
        while step > 0 {
            let to = zeros + step;
            if to <= self.0.len() && self.entry(to) == 0 {
                zeros = to;
            }
            step /= 2;
        }
        (zeros < self.0.len()).then_some(zeros)
    }

    fn entry(&self, i: usize) -> u32 {
        self.0.get(i - 1).copied().expect("walks stay between 1 and the number of counts")
    }
}

const fn lowest_bit(i: usize) -> usize {
    i & i.wrapping_neg()
}
