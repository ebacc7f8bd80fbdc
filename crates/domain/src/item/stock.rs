//! Units and where they are. `total = available + held + sold` holds after every change, by construction.

use crate::units::{StockChange, Units};

/// How many units are where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stock {
    total: Units,
    available: Units,
    held: Units,
    sold: Units,
}

/// A place units can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Available,
    Held,
    Sold,
}

impl Stock {
    /// `total` units, all of them free.
    #[must_use]
    pub const fn new(total: Units) -> Self {
        Self { total, available: total, held: Units::ZERO, sold: Units::ZERO }
    }

    pub(crate) fn from_counts(total: Units, held: Units, sold: Units) -> Option<Self> {
        let available = total.minus(held)?.minus(sold)?;
        Some(Self { total, available, held, sold })
    }

    /// All units.
    #[must_use]
    pub const fn total(&self) -> Units {
        self.total
    }

    /// Free ones.
    #[must_use]
    pub const fn available(&self) -> Units {
        self.available
    }

    /// Units set aside for live holds.
    #[must_use]
    pub const fn held(&self) -> Units {
        self.held
    }

    /// Units sold.
    #[must_use]
    pub const fn sold(&self) -> Units {
        self.sold
    }

    /// Units that are not sold: the most that anybody who waits can ever be given.
    #[must_use]
    pub fn unsold(&self) -> u64 {
        u64::from(self.available.get()) + u64::from(self.held.get())
    }

    /// Moves units from one place to another.
    ///
    /// # Panics
    /// If there are not as many: an event that no correct decision can have led to (invariants 1 and 3).
    pub(crate) fn shift(&mut self, units: Units, from: Place, to: Place) {
        let source = self.place(from);
        *source = source.minus(units).unwrap_or_else(|| broken(units, from));
        let target = self.place(to);
        *target = target.plus(units).unwrap_or_else(|| broken(units, to));
    }

    /// What the stock would be after `change`: `None` where more would go than is free, or the total would be too
    /// large to count.
    #[must_use]
    pub(crate) fn adjusted(mut self, change: StockChange) -> Option<Self> {
        self.total = change.applied_to(self.total)?;
        self.available = change.applied_to(self.available)?;
        Some(self)
    }

    fn place(&mut self, place: Place) -> &mut Units {
        match place {
            Place::Available => &mut self.available,
            Place::Held => &mut self.held,
            Place::Sold => &mut self.sold,
        }
    }
}

fn broken(units: Units, place: Place) -> Units {
    panic!("invariant 1: the log moves {units} units that {place:?} does not have or cannot take")
}
