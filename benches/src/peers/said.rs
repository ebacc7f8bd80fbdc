//! What a peer says to a reserve: the same line of text from each.
//!
//! `held 7 9 1790000000000 1790000120000` (number, sequence, made at, ends at), `waiting 7 9 1790000000000 3` (the
//! position), either with `again ` before it where the key was seen before, or `refused sold_out`.

use super::PeerError;

/// What came of a reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// There is a reservation.
    Taken(Taken),
    /// There is none, and nothing was written.
    Refused(Refusal),
}

/// A reservation, as it was when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its number within the item.
    pub number: u32,
    /// The item's sequence after it.
    pub sequence: u64,
    /// When it was made.
    pub at_ms: i64,
    /// Where it stands.
    pub place: Place,
    /// Whether this repeats an earlier answer to the same key.
    pub again: bool,
}

/// Where a reservation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It has its units.
    Held {
        /// Until when.
        ends_ms: i64,
    },
    /// It waits.
    Waiting {
        /// At which place.
        position: u32,
    },
}

/// Why there is no reservation, in Holdfast's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such item.
    NotFound,
    /// It is not on sale.
    SaleNotOpen,
    /// More than an order may have.
    QuantityAboveMaximum,
    /// More than a customer may have.
    CustomerLimitReached,
    /// Nothing is left.
    SoldOut,
    /// Less is left.
    InsufficientStock,
    /// No place in the line is left.
    WaitlistFull,
    /// The key was used for something else.
    IdempotencyKeyReused,
}

impl Refusal {
    const ALL: [Self; 8] = [
        Self::NotFound,
        Self::SaleNotOpen,
        Self::QuantityAboveMaximum,
        Self::CustomerLimitReached,
        Self::SoldOut,
        Self::InsufficientStock,
        Self::WaitlistFull,
        Self::IdempotencyKeyReused,
    ];

    /// Its code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::SaleNotOpen => "sale_not_open",
            Self::QuantityAboveMaximum => "quantity_above_maximum",
            Self::CustomerLimitReached => "customer_limit_reached",
            Self::SoldOut => "sold_out",
            Self::InsufficientStock => "insufficient_stock",
            Self::WaitlistFull => "waitlist_full",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
        }
    }
}

impl Said {
    /// Reads a peer's line.
    pub(super) fn parse(line: &str) -> Result<Self, PeerError> {
        read(line).ok_or_else(|| PeerError::Nonsense(line.to_owned()))
    }
}

fn read(line: &str) -> Option<Said> {
    let (again, line) = line.strip_prefix("again ").map_or((false, line), |rest| (true, rest));
    let mut words = line.split(' ');
    let kind = words.next()?;
    if kind == "refused" {
        let code = words.next()?;
        return Refusal::ALL.into_iter().find(|refusal| refusal.code() == code).map(Said::Refused);
    }
    let number = words.next()?.parse().ok()?;
    let sequence = words.next()?.parse().ok()?;
    let at_ms = words.next()?.parse().ok()?;
    let last = words.next()?;
    let place = match kind {
        "held" => Place::Held { ends_ms: last.parse().ok()? },
        "waiting" => Place::Waiting { position: last.parse().ok()? },
        _ => return None,
    };
    Some(Said::Taken(Taken { number, sequence, at_ms, place, again }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_and_nonsense_is_not() {
        let place = Place::Held { ends_ms: 1_790_000_120_000 };
        let taken = Taken { number: 7, sequence: 9, at_ms: 1_790_000_000_000, place, again: false };
        assert_eq!(read("held 7 9 1790000000000 1790000120000"), Some(Said::Taken(taken)));
        let again = Taken { place: Place::Waiting { position: 3 }, again: true, ..taken };
        assert_eq!(read("again waiting 7 9 1790000000000 3"), Some(Said::Taken(again)));
        for refusal in Refusal::ALL {
            assert_eq!(read(&format!("refused {}", refusal.code())), Some(Said::Refused(refusal)));
        }
        for nonsense in
            ["", "held", "held 7 9 1790000000000", "held -1 9 1 1", "refused", "refused thing", "gone 1 2 3 4"]
        {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }
}
