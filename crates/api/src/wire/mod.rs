//! Bodies on the wire, both ways: parsed into domain types at the edge with every fault pointed at, and written
//! exactly as docs/api.md says.

pub(crate) mod json;
pub(crate) mod money;
pub(crate) mod node;
pub(crate) mod report;
pub(crate) mod time;
pub(crate) mod words;

pub(crate) mod bundle;
pub(crate) mod endpoint;
pub(crate) mod item;
pub(crate) mod order;
pub(crate) mod refund;
pub(crate) mod reservation;
pub(crate) mod rush;
pub(crate) mod shop;

pub(crate) mod operator;
mod settings;

use core::fmt::Display;
use serde::Serializer;

/// Writes anything that shows itself as a text.
pub(crate) fn shown<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// The same for what may be absent.
#[expect(clippy::ref_option, reason = "serde passes fields by reference")]
pub(crate) fn shown_if_any<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}
