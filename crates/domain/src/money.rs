//! Money: integer minor units with a currency. Never floating point, never computed by the caller.

use crate::limits::UNIT_PRICE_MAX;
use crate::units::Quantity;
use core::fmt;

/// A currency by its ISO 4217 letters. Only the form is checked: the list of codes changes, a typing mistake does not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Parses three upper-case ASCII letters.
    ///
    /// # Errors
    /// [`MoneyError::Currency`] for anything else.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        match text.as_bytes() {
            &[a, b, c] if [a, b, c].iter().all(u8::is_ascii_uppercase) => Ok(Self([a, b, c])),
            _ => Err(MoneyError::Currency),
        }
    }

    /// The three letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ASCII letters ever get in, so the fallback is never seen.
        core::str::from_utf8(&self.0).unwrap_or("???")
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    /// Minor units: cents for USD, yen for JPY.
    pub minor: u64,
    /// The currency they are of.
    pub currency: Currency,
}

impl Money {
    /// The price of `quantity` units at this price each. `None` only where the product would not fit, which the
    /// limits on price and quantity rule out for everything that was validated.
    #[must_use]
    pub fn times(self, quantity: Quantity) -> Option<Self> {
        let minor = self.minor.checked_mul(u64::from(quantity.get()))?;
        Some(Self { minor, currency: self.currency })
    }

    /// Checks that this can be the price of one unit.
    ///
    /// # Errors
    /// [`MoneyError::Price`] above [`UNIT_PRICE_MAX`].
    pub fn as_unit_price(self) -> Result<Self, MoneyError> {
        if self.minor > UNIT_PRICE_MAX { Err(MoneyError::Price) } else { Ok(self) }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} minor units", self.minor, self.currency.as_str())
    }
}

/// Why something is not money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not three upper-case letters.
    #[error("a currency is three upper-case letters, for example USD (ISO 4217)")]
    Currency,
    /// More than the highest unit price.
    #[error("a unit price is at most {UNIT_PRICE_MAX} minor units")]
    Price,
}
