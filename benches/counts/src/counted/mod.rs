//! What is counted, one operation after another: instructions by callgrind, allocations by a counting allocator.
//!
//! Everything an operation needs is prepared outside of the count: customers' names, hashed keys, items with their
//! histories. What an operation makes, its answer and its events, it also drops within the count. Nothing here knows a
//! clock or a random number, so that two runs of one build count the same.

pub mod bytes;
mod item;
mod log;
mod reservations;

pub use item::{open_item, reserve};

/// One kind of operation.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// Its name in the baseline.
    pub name: &'static str,
    /// How many operations one run has.
    pub operations: u32,
    /// Prepares a run.
    pub prepare: fn() -> Prepared,
}

/// A run, ready to be counted once. Dropping it is not part of the count.
pub type Prepared = Box<dyn FnMut()>;

/// How many operations a run has where nothing says otherwise. Enough that what happens now and then, as when a table
/// grows, is in the figure with its share.
const USUAL: u32 = 1_000;

/// Operations behind a line. So few that no table grows within either of the two runs: their ratio is to show what a
/// longer line costs, and not which of the two met a doubling.
const BEHIND_A_LINE: u32 = 600;

/// A short line: beyond 1,024, where vectors double, and with all newcomers below 1,792, where hash tables do.
pub const SHORT_LINE: u32 = 1_100;

/// A long line. The next doublings are at 1,048,576 and 1,835,008.
pub const LONG_LINE: u32 = 1_000_000;

const _: () = assert!(SHORT_LINE > 1_024 && SHORT_LINE + BEHIND_A_LINE < 1_792);
const _: () = assert!(LONG_LINE > 917_504 && LONG_LINE + BEHIND_A_LINE < 1_048_576);

const fn usual(name: &'static str, prepare: fn() -> Prepared) -> Counted {
    Counted { name, operations: USUAL, prepare }
}

/// Names that other modules ask for.
pub mod name {
    /// A reservation behind [`super::SHORT_LINE`] others.
    pub const QUEUED_BEHIND_A_SHORT_LINE: &str = "reserve_queued_behind_a_short_line";
    /// A reservation behind [`super::LONG_LINE`] others.
    pub const QUEUED_BEHIND_A_LONG_LINE: &str = "reserve_queued_behind_a_long_line";
}

/// All that is counted.
pub const ALL: [Counted; 15] = [
    usual("hash_of_a_request", reservations::hashed),
    usual("reserve_granted", reservations::granted),
    Counted {
        name: name::QUEUED_BEHIND_A_SHORT_LINE,
        operations: BEHIND_A_LINE,
        prepare: || reservations::queued(SHORT_LINE, BEHIND_A_LINE),
    },
    Counted {
        name: name::QUEUED_BEHIND_A_LONG_LINE,
        operations: BEHIND_A_LINE,
        prepare: || reservations::queued(LONG_LINE, BEHIND_A_LINE),
    },
    usual("repeat_under_a_known_key", reservations::repeated),
    usual("refusal_when_sold_out", reservations::refused),
    usual("order_and_confirm", reservations::ordered_and_confirmed),
    usual("cancel_with_promotion", reservations::cancelled),
    usual("expiry_with_promotion", reservations::expired),
    usual("fold_of_an_event", reservations::folded),
    usual("encode_an_event", bytes::encoded),
    usual("decode_an_event", bytes::decoded),
    usual("frame_a_group_of_1", || bytes::framed(1)),
    usual("frame_a_group_of_64", || bytes::framed(64)),
    usual("reserve_granted_to_the_log", log::reserved),
];

/// The one with this name.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn named(name: &str) -> &'static Counted {
    ALL.iter().find(|counted| counted.name == name).unwrap_or_else(|| panic!("{name} is not counted"))
}

/// Prepares the run with this name.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn prepare(name: &str) -> Prepared {
    (named(name).prepare)()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_name_is_there_once() {
        let names: BTreeSet<&str> = ALL.iter().map(|counted| counted.name).collect();
        assert_eq!(names.len(), ALL.len());
        for name in [name::QUEUED_BEHIND_A_SHORT_LINE, name::QUEUED_BEHIND_A_LONG_LINE] {
            assert!(names.contains(name), "{name}");
        }
    }

    #[test]
    fn every_run_does_what_its_name_says() {
        // Each run asserts its own outcomes. The long line takes too long without optimisation, and is the short one's code.
        for counted in ALL.iter().filter(|counted| counted.name != name::QUEUED_BEHIND_A_LONG_LINE) {
            let mut run = (counted.prepare)();
            run();
        }
    }
}
