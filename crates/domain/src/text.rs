//! Short validated texts: each kind is a type of its own, parsed once at the edge and never checked again.

use crate::limits::{CUSTOMER_ID_BYTES_MAX, NAME_BYTES_MAX, PROVIDER_ID_BYTES_MAX, REASON_BYTES_MAX, SKU_BYTES_MAX};
use core::fmt;
use std::sync::Arc;

/// Why a text is not what it should be. Says what is allowed, so that the caller can mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing, or only what does not count.
    #[error("must not be empty")]
    Empty,
    /// Too long.
    #[error("must be at most {max} bytes long, got {len}")]
    TooLong {
        /// Longest allowed, in bytes.
        max: usize,
        /// What was given, in bytes.
        len: usize,
    },
    /// A character that is not allowed in this kind of text.
    #[error("{allowed}; it has {found:?}")]
    Character {
        /// What it has to be, in words that begin with "must".
        allowed: &'static str,
        /// The first character that is not.
        found: char,
    },
    /// A word that means something else.
    #[error("must not be {word:?}, which is reserved")]
    Reserved {
        /// The word.
        word: &'static str,
    },
}

fn check(text: &str, max: usize, allowed: &'static str, ok: impl Fn(usize, char) -> bool) -> Result<(), TextError> {
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    if text.len() > max {
        return Err(TextError::TooLong { max, len: text.len() });
    }
    match text.chars().enumerate().find(|&(at, c)| !ok(at, c)) {
        Some((_, found)) => Err(TextError::Character { allowed, found }),
        None => Ok(()),
    }
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, |$text:ident| $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses it.
            ///
            /// # Errors
            /// [`TextError`] names what is wrong and what is allowed.
            pub fn parse($text: &str) -> Result<Self, TextError> {
                $check?;
                Ok(Self(Arc::from($text)))
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

text!(
    /// The public name of an item: `[a-z0-9][a-z0-9._-]{0,62}`.
    Sku,
    |text| check(
        text,
        SKU_BYTES_MAX,
        "must be of a-z and 0-9, and after the first character also of . _ -",
        |at, c| matches!(c, 'a'..='z' | '0'..='9') || (at > 0 && matches!(c, '.' | '_' | '-')),
    )
);

text!(
    /// A customer: an opaque id of at most 64 bytes that the gateway or a verified token vouches for. `me` is none.
    CustomerId,
    |text| if text == "me" {
        Err(TextError::Reserved { word: "me" })
    } else {
        check(text, CUSTOMER_ID_BYTES_MAX, "must be printable ASCII without spaces", |_, c| c.is_ascii_graphic())
    }
);

text!(
    /// What an item is called for people, at most 200 bytes.
    ItemName,
    |text| check(text, NAME_BYTES_MAX, "must have no control characters", |_, c| !c.is_control())
);

text!(
    /// Why an operator did something, at most 500 bytes.
    Reason,
    |text| check(text, REASON_BYTES_MAX, "must have no control characters", |_, c| !c.is_control())
);

text!(
    /// The id a provider, or a backend that charged by itself, gives to one payment.
    PaymentId,
    |text| check(text, PROVIDER_ID_BYTES_MAX, "must be printable ASCII without spaces", |_, c| c
        .is_ascii_graphic())
);

text!(
    /// The id a provider gives to one report (a webhook event).
    ProviderEventId,
    |text| check(text, PROVIDER_ID_BYTES_MAX, "must be printable ASCII without spaces", |_, c| c
        .is_ascii_graphic())
);

text!(
    /// The id a provider gives to a refund it has made.
    RefundReference,
    |text| check(text, PROVIDER_ID_BYTES_MAX, "must be printable ASCII without spaces", |_, c| c
        .is_ascii_graphic())
);

impl CustomerId {
    /// An id that was parsed before.
    pub(crate) fn known(text: &str) -> Self {
        Self(Arc::from(text))
    }
}

impl From<crate::identity::ReservationId> for PaymentId {
    /// What stands for the payment of a purchase whose backend gave it no id.
    fn from(id: crate::identity::ReservationId) -> Self {
        Self(Arc::from(id.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sku_is_lower_case_and_starts_with_a_letter_or_digit() {
        for good in ["a", "iphone-15", "0.x_y", &"a".repeat(63)] {
            assert!(Sku::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", ".a", "iPhone", "a b", "é", &"a".repeat(64)] {
            assert!(Sku::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_text_reads_on_from_its_name() {
        let said = |error: TextError| format!("X-Customer-Id {error}");
        for (text, words) in [
            ("two words", "X-Customer-Id must be printable ASCII without spaces; it has ' '"),
            ("me", "X-Customer-Id must not be \"me\", which is reserved"),
            ("", "X-Customer-Id must not be empty"),
        ] {
            assert_eq!(CustomerId::parse(text).map_err(said), Err(words.to_owned()));
        }
        let wrong = Sku::parse("Lamp").map_err(|error| error.to_string());
        assert_eq!(
            wrong,
            Err("must be of a-z and 0-9, and after the first character also of . _ -; it has 'L'".to_owned())
        );
    }

    #[test]
    fn me_is_no_customer_id() {
        assert_eq!(CustomerId::parse("me"), Err(TextError::Reserved { word: "me" }));
        assert!(CustomerId::parse("men").is_ok());
        assert!(CustomerId::parse("tab\there").is_err());
        assert!(CustomerId::parse(&"x".repeat(65)).is_err());
    }
}
