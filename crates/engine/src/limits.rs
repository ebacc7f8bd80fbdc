//! Every bound of the engine, each with its reason.

use std::time::Duration;

/// Requests that finish a sale (payments, orders, cancellations, operators) waiting for one item.
pub const FINISH_LANE: usize = 4_096;

/// New reservations waiting for one item. At some ten microseconds each the last one waits well below the time in
/// which it must be judged; more would only be judged to be late.
pub const RESERVE_LANE: usize = 16_384;

/// Reads waiting for one item.
pub const READ_LANE: usize = 4_096;

/// What one turn takes from each lane at most. Larger turns save nothing (the commit is shared anyway) and let what
/// came later wait longer.
pub const TURN_TAKES: usize = 256;

/// Turns by which a backlog may run ahead of the disk. Whoever asks meanwhile is answered behind all of them, and some
/// of a thousand events each commit shares already.
pub const BACKLOG_AHEAD: u64 = 4;

/// The time that each event of a backlog uses up: a quarter of a million a second, which leaves most of two processors to those
/// who ask meanwhile.
pub const BACKLOG_EVENT: Duration = Duration::from_micros(4);

/// Time that an item without a backlog saves up for one. So a thousand holds that end together do so at once; and a
/// timer of the runtime may come some milliseconds late without costing any of the pace.
pub const BACKLOG_BURST: Duration = Duration::from_millis(4);

/// Reads one turn takes at most: they come last and must not make a turn long.
pub const TURN_TAKES_READS: usize = 64;

/// Turns handed to a partition's committer that it has not taken yet. When it is full, actors wait, their lanes
/// fill, and callers are told so: the disk's pace reaches the door.
pub const COMMITTER_QUEUE: usize = 1_024;

/// Turns one commit takes at most, however small they are.
pub const GROUP_TURNS_MAX: usize = 512;

/// Requests for which a commit begins without another look at who else is ready: among so many, what it costs is little.
pub const WORTH_A_COMMIT: usize = 64;

/// Bytes of events one commit takes at most, besides what the last turn adds. Far more than any disk is better at
/// writing at once, and far below the most records a group can have.
pub const GROUP_BYTES_MAX: usize = 8 << 20;

/// Committed groups on their way to their callers.
pub const RELEASE_QUEUE: usize = 16;

/// Messages to be told again, on their way into the table. They come from a reader that waits.
pub const REDELIVERY_QUEUE: usize = 64;

/// Endpoints on their way to be turned off. There are few, and whoever named one names it again.
pub const OFF_QUEUE: usize = 32;

/// Sleeping items whose time has come that have their turns before others of the thread go on: some tenths of a millisecond.
pub const WOKEN_AT_ONCE: usize = 64;

/// How long an item without work keeps its task. Long enough that a steady trickle never pays for waking.
pub const IDLE_BEFORE_REST: Duration = Duration::from_millis(500);

/// Mailboxes that are kept for the next items that wake, some four kilobytes each. Where items wake and rest at the
/// same rate, few are kept at any time.
pub const MAILBOXES_KEPT: usize = 256;

/// Places that a lane of a kept mailbox keeps: as many as the channel it comes by has in a block.
pub const LANE_KEPT: usize = 32;

/// Requests waiting for a turn of a partition's own stream.
pub const PARTITION_WAITERS: usize = 4_096;

/// Bundles of one partition being collected at once. Each has at most one part under way; more would only hold units
/// for bundles that cannot be ready in time.
pub const BUNDLES_AT_ONCE: usize = 4_096;

/// Bundles whose parts are told at once how they ended.
pub const PARTS_TOLD_AT_ONCE: usize = 256;

/// Customers that a turn enters at most into the filter by which newcomers are told, while it catches up: that takes some
/// tenths of a millisecond.
pub const ENTERED_PER_TURN: usize = 4_096;

/// How soon parts that could not be told are told again; each time twice as late.
pub const TELL_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// See [`TELL_AGAIN_AFTER`].
pub const TELL_AGAIN_AFTER_MAX: Duration = Duration::from_secs(30);

/// Panics within [`PANIC_WINDOW`] after which an item stays stopped.
pub const PANICS_MAX: usize = 3;

/// See [`PANICS_MAX`].
pub const PANIC_WINDOW: Duration = Duration::from_secs(60);

/// How often a record whose fate is unknown is sent again before the partition gives up and says so.
pub const RESENDS_MAX: u32 = 100;

/// Fastest rate at which an offset to the wall clock is worked off, in parts per million (domain rule 4).
pub const SLEW_PPM_MAX: i64 = 500;

/// How often the offset to the wall clock is measured.
pub const CLOCK_CHECK_EVERY: Duration = Duration::from_secs(1);

/// Partitions of one data directory: what 8 bits of an item number count.
pub const PARTITIONS_MAX: u16 = 256;
