//! Every bound of the log, each with its reason.

use std::time::Duration;

/// Longest record in bytes, header included. sled keeps values up to this size inside its leaves; larger ones spill
/// into blob files that it never syncs (docs/log-format.md, "Why records are small").
pub const RECORD_BYTES_MAX: usize = 6_000;

/// Length of a record's header in bytes.
pub const HEADER_BYTES: usize = 92;

/// Longest payload of one record.
pub const PAYLOAD_BYTES_MAX: usize = RECORD_BYTES_MAX - HEADER_BYTES;

/// Length of the header of one event inside a payload.
pub const EVENT_HEADER_BYTES: usize = 25;

/// Longest event, its header included. Four times what the longest event of today needs, and one always fits a
/// record.
pub const EVENT_BYTES_MAX: usize = 4_096;

const _: () = assert!(EVENT_BYTES_MAX <= PAYLOAD_BYTES_MAX);
const _: () = assert!(EVENT_HEADER_BYTES < EVENT_BYTES_MAX);
const _: () = assert!(EVENT_BYTES_MAX <= u16::MAX as usize);

/// Longest text that says who claims a log.
pub const CLAIMANT_BYTES_MAX: usize = 128;

const _: () = assert!(CLAIMANT_BYTES_MAX <= PAYLOAD_BYTES_MAX);

/// Most records of one group. A reader holds a group back until it is whole, so this bounds what it holds
/// (some 400 MB at the very worst; a usual group is one record).
pub const GROUP_RECORDS_MAX: usize = 65_536;

/// Bytes that one generation may take on disk (architecture.md, "The log").
pub const GENERATION_DISK_BYTES_MAX: u64 = 256 << 20;

/// What sled writes for every byte it is given, measured, rounded up.
pub const SLED_BYTES_PER_BYTE: u64 = 6;

/// Bytes of records after which a generation should be closed: then its files stay within
/// [`GENERATION_DISK_BYTES_MAX`], with some room for the group that passes the mark.
pub const GENERATION_RECORD_BYTES: u64 = 40 << 20;

/// The fewest that somebody may ask for. Making a generation takes several syncs; with fewer, commits would mostly wait
/// for the next one.
pub const GENERATION_RECORD_BYTES_MIN: u64 = 16 << 10;

/// The next generation is made ready when this share of the current one is left. Filling a quarter takes seconds, and
/// making one takes milliseconds; earlier it would take memory for nothing.
pub const SPARE_SHARE: u64 = 4;

const _: () = assert!(GENERATION_RECORD_BYTES * SLED_BYTES_PER_BYTE <= GENERATION_DISK_BYTES_MAX);

/// A commit that takes longer has met a disk or a library that will not come back: the process should end.
pub const COMMIT_STALL_MAX: Duration = Duration::from_secs(10);

/// How often the anchor follows the durable tail. What lies behind the anchor after a crash cannot be told from a
/// torn tail, so this is also the longest stretch of time that such doubt covers.
pub const ANCHOR_EVERY: Duration = Duration::from_secs(1);

/// Memory that one open generation may use for sled's page cache. Records are read once each, in order.
pub const SLED_CACHE_BYTES: u64 = 8 << 20;

/// Memory that one open generation may use for fjall's block cache. Its records lie in a memory table, not in blocks.
pub const FJALL_CACHE_BYTES: u64 = 1 << 20;

/// Records a reader takes in one step while it keeps generations from being closed: about a megabyte at most.
pub const READ_BATCH_RECORDS: usize = 128;

/// Snapshots kept. The older one is for the day on which the newer one turns out to be unreadable.
pub const SNAPSHOTS_KEPT: usize = 2;

/// Most sections of one snapshot: one per item of a partition and one for the partition itself.
pub const SNAPSHOT_SECTIONS_MAX: u64 = 1 << 24;

/// Longest section of one snapshot. An item at its own bounds needs some 4 GB; this is far above what has been seen
/// and keeps a damaged length from asking for more.
pub const SNAPSHOT_SECTION_BYTES_MAX: u64 = 8 << 30;

/// Most partitions of one data directory: what 8 bits of an item number count.
pub const PARTITIONS_MAX: u16 = 256;
