//! Stored shapes, frozen per version. A shape here never changes: a new one gets a new version and an upcaster, and
//! the golden bytes in `tests/golden` fail on any slip. The domain's own types stay free to change.

pub(crate) mod books;
mod bundle;
pub(crate) mod endpoint;
pub(crate) mod event;
pub(crate) mod item;
pub(crate) mod partition;
pub(crate) mod partition_event;
pub(crate) mod payment;
pub(crate) mod value;
