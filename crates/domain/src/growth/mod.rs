//! Tables and lists that grow a little at a time.
//!
//! A hash table that doubles moves everything in it within one insertion, and a vector copies itself; with half a
//! million customers that was half a second in which nobody was answered. Here an index is split into parts that double
//! each at their own time, and a list or a queue begins a new block when the last one is full. What they hold and in
//! which order does not depend on any of it.

mod index;
mod list;
mod queue;
mod texts;

pub use index::SplitIndex;
pub use list::BlockList;
pub(crate) use queue::BlockQueue;
pub(crate) use texts::{TextAt, Texts};

/// Elements of a block: so large that a list of a million is a few hundred blocks, so small that none takes long to
/// make.
const BLOCK: usize = 4_096;

/// A block that begins with this element. The first of all grows as it is needed: most lists and queues never fill it.
fn begin_block<T>(element: T, is_first: bool) -> Vec<T> {
    let mut block = if is_first { Vec::new() } else { Vec::with_capacity(BLOCK) };
    block.push(element);
    block
}

/// What a test fills tables and lists with: several blocks, and an index that is split.
#[cfg(test)]
const MANY: usize = 6 * BLOCK;
