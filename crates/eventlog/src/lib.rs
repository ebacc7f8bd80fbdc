//! Events as bytes on disk.
//!
//! From the inside out: `record` frames groups of encoded events into hash-chained records and checks them;
//! `codec` and `stored` say what an event's body looks like, frozen per version; `log` is the contract of a claimed
//! log, `disk_log` and `memory_log` its engines and `conformance` the contract as tests; `recovery` reads a log
//! back, cuts a torn tail and never anything else; `snapshot` keeps folded state; `data_dir` holds a data directory
//! for one process.
//!
//! What this crate does not know: what events mean for state (`domain`), who runs when (`engine`), and Tokio.
//! The formats are published in docs/log-format.md.

pub mod ids;
pub mod limits;

pub mod record;

pub mod codec;
mod stored;

pub mod log;

mod admission;
mod disk;

pub mod anchor;
pub mod data_dir;
pub mod disk_log;
pub mod memory_log;

pub mod ahead;
pub mod background;
pub mod events;
pub mod receipt;
pub mod recovery;
pub mod snapshot;

pub mod conformance;

pub use codec::{CodecError, StreamEvent, decode_event, encode_item_event, encode_partition_event};
pub use data_dir::{DataDir, DataDirError, PartitionCount};
pub use disk::{read_if_there as read_small_file, write_whole as replace_small_file};
pub use disk_log::{DiskLog, DiskOptions, StorageEngine};
pub use events::{DecodedEvent, EventsError, events};
pub use ids::{ChainHash, ChainPoint, Epoch, EventNo, LogId, RecordNo, RulesVersion};
pub use log::{Appended, Claim, EventLog, LocalLog, LogError, LogReader, Place, ReadError, Records};
pub use memory_log::{MemoryDisk, MemoryLog};
pub use receipt::{Receipt, ReceiptError};
pub use record::{Chain, EncodedEvent, RawEvent, Record, RecordError, Verifier};
pub use recovery::{Cut, Damage, RecoverError, Recovered, Scanned, recover, scan};
pub use snapshot::{Paced, Section, Sections, Snapshot, SnapshotStore};
pub use stored::item::{decode_item, encode_item, read_item, write_item};
pub use stored::partition::{decode_partition, encode_partition};
