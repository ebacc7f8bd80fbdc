//! The engine: one single-writer actor per item, one committer per partition, and what stands between them.
//!
//! A request enters through [`ItemHandle::command`], waits in a bounded mailbox, is judged in a turn of the pure
//! [`shell`], handed to the partition's committer, and answered when everything the answer rests on is durable.
//!
//! What this crate does not know: HTTP, credentials, wire shapes (`api`); bytes on disk (`eventlog`); rules (`domain`).

pub mod error;
pub mod handle;
mod open;
pub mod pace;

pub mod clock;
pub mod commit;
pub mod fold;
pub mod limits;
pub mod newcomers;
pub mod ports;
pub mod shell;
pub mod snapshots;

pub mod followups;

mod bundles;
mod partition;

mod actor;
mod endpoints;
mod keepers;
mod mailbox;
mod payments;
mod projection;
mod rebuild;
mod register;
mod registry;
mod seating;
mod slot;
mod stories;
mod wakeups;

pub use bundles::PartitionHandle;
pub use error::SubmitError;
pub use eventlog::Receipt;
pub use followups::{FollowUpStore, Outside};
pub use handle::{CustomerPage, Engine, EngineStatus, ItemHandle};
pub use open::{EngineConfig, OpenError, OpenReport, PartitionReport, Timeouts, Unrecovered};
pub use payments::Reported;

#[cfg(test)]
mod tests;
