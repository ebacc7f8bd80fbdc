//! What state a replay came to: a line for each item, and a hash of all of it that is the same on every machine.
//!
//! The hash is over what a snapshot would hold (docs/log-format.md, "The state hash"), so it covers every fact there
//! is: each reservation, each capture, each remembered key.

use core::fmt;
use domain::ids::{ItemNo, Revision, Seq};
use domain::item::{Item, Phase, Stock};
use domain::money::Currency;
use domain::payment::Sums;
use domain::text::Sku;
use domain::time::Timestamp;
use engine::fold::{Folded, FoldedItem};
use engine::snapshots::sections;
use eventlog::Section as _;
use std::io::{BufWriter, Write as _};

/// BLAKE3 over folded state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StateHash(pub [u8; 32]);

impl fmt::Display for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&blake3::Hash::from_bytes(self.0).to_hex(), f)
    }
}

impl fmt::Debug for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const NEVER_FULL: &str = "a hash takes all that is written";

/// Hashes the state of partitions, one after another.
#[derive(Debug, Default)]
pub struct StateHasher {
    hasher: blake3::Hasher,
    has_broken: bool,
}

impl StateHasher {
    /// Adds the next partition's state: its own facts, then each item's in the order of their numbers.
    pub fn add(&mut self, folded: &Folded) {
        self.has_broken |= folded.items.values().any(|item| matches!(item, FoldedItem::Broken { .. }));
        for section in sections(folded) {
            let mut to = BufWriter::new(&mut self.hasher);
            let written = section.length().and_then(|length| {
                to.write_all(&length.to_le_bytes())?;
                section.write_to(&mut to)?;
                to.flush()
            });
            written.expect(NEVER_FULL);
        }
    }

    /// The hash of all that was added. `None` where an item is broken: what it is cannot be said.
    #[must_use]
    pub fn finish(&self) -> Option<StateHash> {
        (!self.has_broken).then(|| StateHash(*self.hasher.finalize().as_bytes()))
    }
}

/// One item's state, in figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemState {
    /// Its number.
    pub no: ItemNo,
    /// Its name.
    pub sku: Sku,
    /// Its phase.
    pub phase: Phase,
    /// The last event applied.
    pub sequence: Seq,
    /// When that was.
    pub now: Timestamp,
    /// How often operators have changed it.
    pub revision: Revision,
    /// Where its units are.
    pub stock: Stock,
    /// Reservations ever accepted.
    pub reservations: u32,
    /// Of these, how many are held.
    pub holds: u32,
    /// And how many wait.
    pub waiting: u32,
    /// Its money, by currency.
    pub money: Vec<(Currency, Sums)>,
    /// BLAKE3 over its part of the state.
    pub hash: StateHash,
    /// Which invariant it breaks, if it does. Then all this is how it was when it broke.
    pub broken: Option<String>,
}

impl ItemState {
    fn of(item: &Item, broken: Option<&str>) -> Self {
        let mut to = BufWriter::new(blake3::Hasher::new());
        let written = eventlog::write_item(&item.parts(), &mut to).and_then(|()| to.flush());
        written.expect(NEVER_FULL);
        let hash = StateHash(*to.get_ref().finalize().as_bytes());
        Self {
            no: item.no(),
            sku: item.sku().clone(),
            phase: item.phase(),
            sequence: item.seq(),
            now: item.now(),
            revision: item.revision(),
            stock: item.stock(),
            reservations: item.reservation_count(),
            holds: item.hold_count(),
            waiting: item.waiting_count(),
            money: item.money().collect(),
            hash,
            broken: broken.map(str::to_owned),
        }
    }
}

/// Every item of a partition in figures, in the order of their numbers.
#[must_use]
pub fn items(folded: &Folded) -> Vec<ItemState> {
    let states = folded.items.values().filter_map(|item| match item {
        FoldedItem::Whole(item) => Some(ItemState::of(item, None)),
        FoldedItem::Broken { item: Some(item), why } => Some(ItemState::of(item, Some(why))),
        FoldedItem::Broken { item: None, .. } => None,
    });
    states.collect()
}
