//! One reservation, and where it is.

/// Where a reservation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// In line.
    Waiting,
    /// Units are set aside for it.
    Held(Hold),
    /// Units are set aside for it as part of a bundle, which alone says until when.
    Part,
    /// Sold.
    Sold,
    /// Sold, and its units returned.
    Returned,
    /// Cancelled; for a part also: given up because its bundle was never held.
    Cancelled,
    /// Expired.
    Expired,
    /// Never got a turn.
    Lapsed,
}

/// The terms of one hold, as they were when it was granted, and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Until when it can be ordered and extended.
    pub deadline: u64,
    /// Until when payments are in time.
    pub release_at: u64,
    /// Whether its order is placed.
    pub is_ordered: bool,
    pub(super) grace_ms: u64,
    pub(super) extensions: u8,
    pub(super) extension_ms: u64,
}

impl Hold {
    pub(super) fn move_to(&mut self, deadline: u64) {
        self.deadline = deadline;
        self.release_at = if self.is_ordered { super::later(deadline, self.grace_ms) } else { deadline };
    }

    /// After a restart nothing is released before `floor`.
    pub(super) fn lift(&mut self, floor: u64) {
        if self.release_at < floor {
            let grace = if self.is_ordered { self.grace_ms } else { 0 };
            self.move_to(floor.saturating_sub(grace));
        }
    }
}

impl Life {
    /// Whether it is waiting or holds units.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Waiting | Self::Held(_) | Self::Part)
    }
}

/// One reservation.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) customer: String,
    pub(super) quantity: i64,
    pub(super) life: Life,
    /// The bundle that it is a part of, and what it followed.
    pub(super) part: Option<Part>,
}

/// A part's bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) bundle: u128,
    pub(super) decision: Option<crate::event::Decision>,
}

/// What one customer has of an item.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Customer {
    /// Waiting, held and sold units together.
    pub(super) units: i64,
    pub(super) expiries_in_row: u8,
    pub(super) cooling_until: u64,
}
