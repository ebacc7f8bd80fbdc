//! The bodies that the crowd reads, as little of each as it needs.
//!
//! Read with its own shapes, not the server's: numbers are signed here, so that a negative stock would be seen.

use serde::Deserialize;
use std::time::Duration;

/// An instant as bodies write it: RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct At(jiff::Timestamp);

impl TryFrom<String> for At {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

/// An item, as everybody may see it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct ItemBody {
    /// `scheduled`, `open`, `paused` or `closed`.
    pub(crate) phase: String,
    /// All units.
    pub(crate) total: i64,
    /// Free ones.
    pub(crate) available: i64,
    /// Those set aside.
    pub(crate) held: i64,
    /// Those sold.
    pub(crate) sold: i64,
    /// How many people wait.
    pub(crate) waiting: i64,
    /// Units that one customer may have.
    pub(crate) per_customer_limit: usize,
    /// The place in the item's log that this reflects.
    pub(crate) sequence: u64,
}

/// What a reservation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// In line.
    Waiting,
    /// Units are set aside.
    Held,
    /// Sold.
    Confirmed,
    /// Given back.
    Cancelled,
    /// Time ran out.
    Expired,
    /// Never got a turn.
    Lapsed,
}

impl State {
    /// Whether it counts against the customer's limit.
    pub(crate) const fn counts(self) -> bool {
        match self {
            Self::Waiting | Self::Held | Self::Confirmed => true,
            Self::Cancelled | Self::Expired | Self::Lapsed => false,
        }
    }
}

/// A reservation, as its owner sees it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ReservationBody {
    /// Its id.
    pub(crate) id: String,
    /// What it is.
    pub(crate) state: State,
    /// The place in the item's log that this reflects.
    pub(crate) sequence: u64,
    /// When the hold ends.
    pub(crate) expires_at: Option<At>,
    /// The place in line.
    pub(crate) waitlist: Option<Line>,
    /// When to ask again.
    pub(crate) poll_after_ms: Option<u64>,
    /// When this was said.
    pub(crate) server_time: At,
}

/// A place in line.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Line {
    /// From 1.
    pub(crate) position: u64,
}

impl ReservationBody {
    /// How long the hold still lasts, by the server's own clock.
    pub(crate) fn remaining(&self) -> Duration {
        let left = self.expires_at.map(|end| end.0.duration_since(self.server_time.0));
        left.and_then(|left| Duration::try_from(left).ok()).unwrap_or_default()
    }
}

/// An order.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct OrderBody {
    /// Its id.
    pub(crate) id: String,
    /// `awaiting_payment`, `paid`, …
    pub(crate) state: String,
    /// How it can be, or was, paid.
    pub(crate) payment: Option<PaymentBody>,
}

/// An opportunity to pay, or the payment.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PaymentBody {
    /// Where.
    pub(crate) url: Option<String>,
}

/// A refusal.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ProblemBody {
    /// What kind.
    pub(crate) code: String,
    /// In words.
    #[serde(default)]
    pub(crate) detail: String,
}
