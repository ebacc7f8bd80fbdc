//! The deterministic replay tool: what a log says, read from a private copy of it.
//!
//! From the inside out: `copy` makes a copy that a running server does not notice, `source` opens its logs, `walk`
//! reads them record by record and checks every one. On top of that `fold` makes state again (up to any event or
//! instant), `verify` checks all that can be checked on the way, `redecide` judges every recorded command once more,
//! `state` says what came out and gives it a hash, `diff` compares two logs, `explain` tells one reservation's story,
//! `export` writes events for other programs, and `receipt` proves that an event stands where it stands.
//!
//! What this crate does not do: it never writes to the log it is asked about, holds no rule of its own about what is
//! right (those are `domain`'s), and prints nothing.

pub mod error;
pub mod instant;

mod copy;
pub mod source;
pub mod walk;

pub mod finding;
pub mod fold;
mod redecide;
mod scope;
pub mod state;
mod verify;

pub mod diff;
pub mod explain;
pub mod export;
mod fields;
pub mod receipt;

pub use copy::Workplace;
pub use error::ReplayError;
pub use eventlog::{Receipt, ReceiptError};
pub use finding::{Finding, Findings, Promise};
pub use fold::{Ask, PartitionReplayed, Progress, Redecided, Verified, replay_partition};
pub use instant::{Rfc3339, Until, with_instants};
pub use receipt::Refused;
pub use source::{Logs, Source, Wanted};
pub use state::{ItemState, StateHash, StateHasher};
pub use walk::{Placed, Torn, Walk, WalkError};
