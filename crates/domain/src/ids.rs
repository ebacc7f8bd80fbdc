//! Numbers that name things: partitions, items, reservations within an item, places in a stream.

use core::fmt;

/// One partition: a log, a committer and the items that belong to it. At most 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PartitionNo(pub u8);

/// An item's number inside: partition (8 bits) and counter (24 bits). Counter 0 is the partition's own stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemNo(u32);

impl ItemNo {
    const COUNTER_BITS: u32 = 24;

    /// The stream of the partition itself, which is no item.
    #[must_use]
    pub const fn partition_stream(partition: PartitionNo) -> Self {
        Self((partition.0 as u32) << Self::COUNTER_BITS)
    }

    /// Item `counter` of a partition. `None` where the counter does not fit into 24 bits.
    #[must_use]
    pub const fn new(partition: PartitionNo, counter: u32) -> Option<Self> {
        if counter >> Self::COUNTER_BITS == 0 {
            Some(Self(Self::partition_stream(partition).0 | counter))
        } else {
            None
        }
    }

    /// From the form it has in ids and in the log.
    #[must_use]
    pub const fn from_u32(raw: u32) -> Self {
        Self(raw)
    }

    /// The form it has in ids and in the log.
    #[must_use]
    pub const fn as_u32(self) -> u32 {
        self.0
    }

    /// The partition it belongs to.
    #[must_use]
    pub const fn partition(self) -> PartitionNo {
        PartitionNo((self.0 >> Self::COUNTER_BITS) as u8)
    }

    /// Its counter within the partition.
    #[must_use]
    pub const fn counter(self) -> u32 {
        self.0 & ((1 << Self::COUNTER_BITS) - 1)
    }

    /// Whether this is the partition's own stream.
    #[must_use]
    pub const fn is_partition_stream(self) -> bool {
        self.counter() == 0
    }
}

impl fmt::Display for ItemNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.partition().0, self.counter())
    }
}

/// A reservation's number within its item, or a bundle's within its partition, from 0 in order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ordinal(pub u32);

/// A capture's number within its stream, from 0 in order of arrival. Its refund, if there is one, has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CaptureNo(pub u32);

/// A place in one stream: 1, 2, 3, … without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(pub u64);

impl Seq {
    /// The place after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        // 2^64 events do not happen: at a million a second they would take half a million years.
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// How often operators have changed an item: 1 when created. What `If-Match` compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);
