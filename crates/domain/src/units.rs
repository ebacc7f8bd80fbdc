//! Counts of goods: what is asked for, what there is, and by how much it changes.

use crate::limits::{QUANTITY_MAX, STOCK_TOTAL_MAX};
use core::fmt;

/// How many units one reservation asks for: at least one, at most [`QUANTITY_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(u32);

impl Quantity {
    /// One unit.
    pub const ONE: Self = Self(1);

    /// `count` units.
    ///
    /// # Errors
    /// [`UnitsError::Quantity`] for zero and for more than [`QUANTITY_MAX`].
    pub const fn new(count: u32) -> Result<Self, UnitsError> {
        if count == 0 || count > QUANTITY_MAX { Err(UnitsError::Quantity) } else { Ok(Self(count)) }
    }

    /// The count.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The same as a count of stock.
    #[must_use]
    pub const fn units(self) -> Units {
        Units(self.0)
    }
}

/// A count of an item's units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Units(u32);

impl Units {
    /// None.
    pub const ZERO: Self = Self(0);

    /// `count` units.
    ///
    /// # Errors
    /// [`UnitsError::Total`] above [`STOCK_TOTAL_MAX`].
    pub const fn new(count: u32) -> Result<Self, UnitsError> {
        if count > STOCK_TOTAL_MAX { Err(UnitsError::Total) } else { Ok(Self(count)) }
    }

    /// The count.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The sum, unless it passes [`STOCK_TOTAL_MAX`].
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(|sum| Self::new(sum).ok())
    }

    /// The difference, unless it would be negative.
    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// By how many units an operator changes the stock: positive restocks, negative shrinks, never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StockChange(i32);

impl StockChange {
    /// A change by `by` units.
    ///
    /// # Errors
    /// [`UnitsError::Change`] for zero and for more than [`STOCK_TOTAL_MAX`] either way.
    pub const fn new(by: i32) -> Result<Self, UnitsError> {
        if by == 0 || by.unsigned_abs() > STOCK_TOTAL_MAX { Err(UnitsError::Change) } else { Ok(Self(by)) }
    }

    /// The signed count.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0
    }

    /// `units` changed by this: `None` where it would fall below zero or pass [`STOCK_TOTAL_MAX`].
    #[must_use]
    pub fn applied_to(self, units: Units) -> Option<Units> {
        units.0.checked_add_signed(self.0).and_then(|count| Units::new(count).ok())
    }
}

/// Why a number is no count of goods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitsError {
    /// Zero or too many in one reservation.
    #[error("a quantity is a whole number from 1 to {QUANTITY_MAX}")]
    Quantity,
    /// More than stock can count.
    #[error("a stock is a whole number from 0 to {STOCK_TOTAL_MAX}")]
    Total,
    /// A change by nothing, or by more than stock can count.
    #[error("a change of stock is a whole number other than 0, at most {STOCK_TOTAL_MAX} either way")]
    Change,
}
