//! The independent auditor: reads a log by its published format (docs/log-format.md) and recounts stock, line, limits,
//! holds, orders, bundles and money from the events alone, with plain lists and maps.
//!
//! It shares no code with the engine: not the decoder, not the ids, not the rules. Where the two disagree, one of
//! them is wrong, and that is what it is for. So numbers are plain numbers here, as they stand in the log: an item's,
//! a reservation's, milliseconds, minor units. It repairs nothing and stops at no contradiction; only a log that is
//! damaged, which says nothing, is an error.
//!
//! ```
//! let no_log: [&[u8]; 0] = [];
//! let mut auditor = auditor::Auditor::default();
//! auditor.log(no_log, None)?;
//! assert!(auditor.finish(auditor::Moment::One).is_clean());
//! # Ok::<(), auditor::Damage>(())
//! ```

mod chain;
mod decode;
mod directory;
mod event;
mod finding;
mod record;
mod recount;
mod report;

pub use chain::{Anchor, Damage, LogRead, Torn};
pub use decode::{BodyError, decode_event};
pub use directory::{DirectoryError, audit_directory};
pub use event::{
    Body, Bundle, BundleLine, Capture, ClosedBy, Decision, Endpoint, Event, Key, Money, OpenedBy, Payment, Provider,
    Purchase, Reason, Report as PaymentReport, Settings, SettledBy, Told,
};
pub use finding::{Finding, Findings, Place, Promise, Rule};
pub use record::Fault;
pub use recount::{Auditor, Came, ItemBooks, Life, Moment, MoneySums, PartitionBooks, Taken, Units};
pub use report::{Report, Summary};
