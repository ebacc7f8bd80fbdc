//! Every bound of the HTTP front, each with its reason. What operators may set is in [`crate::config`]; its defaults
//! are here too.

use std::time::Duration;

/// Largest request body in bytes. The largest honest one (a new item with every setting) is below 2 KiB; this leaves
/// room for any spelling of it and bounds what a connection can make us hold.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Most members of one JSON object. No body of ours has twenty; it keeps the search for repeated names cheap.
pub const JSON_MEMBERS_MAX: usize = 64;

/// Elements of one JSON array that are looked at. A bundle has at most 20 lines, an endpoint at most 14 types; what is
/// behind this is only counted as too many.
pub const JSON_ELEMENTS_MAX: usize = 64;

/// Most errors that one `validation_failed` lists: more than any body of ours has fields.
pub const FIELD_ERRORS_MAX: usize = 32;

/// Longest request target (path and query) in bytes. The longest honest one is below 300.
pub const TARGET_BYTES_MAX: usize = 4 * 1024;

/// All header fields of a request together, in bytes; what most servers and proxies allow.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Header fields in a request. Browsers behind a few proxies send some thirty.
pub const HEADERS_MAX: usize = 64;

/// Header fields at which hyper itself gives up. Above [`HEADERS_MAX`], so that requests a little too large still get
/// a problem document. It is hyper's own number and not set: with a number set, hyper makes room for them on the heap
/// for every request, twice.
const HEADERS_HARD_MAX: usize = 100;

const _: () = assert!(HEADERS_MAX < HEADERS_HARD_MAX);

/// Read buffer of an HTTP/1 connection, and so the size of a head at which hyper itself gives up.
pub const CONNECTION_BUFFER_BYTES: usize = 32 * 1024;

const _: () = assert!(HEADER_BYTES_MAX + TARGET_BYTES_MAX < CONNECTION_BUFFER_BYTES);

/// Requests that one HTTP/2 connection may have under way. Browsers need some ten, gateways open more connections.
pub const H2_STREAMS_MAX: u32 = 128;

/// Streams reset before they were answered that one HTTP/2 connection may pile up ("rapid reset", CVE-2023-44487).
pub const H2_RESET_STREAMS_MAX: usize = 20;

/// What an HTTP/2 client may send unasked per stream; one body fits.
pub const H2_STREAM_WINDOW_BYTES: u32 = 64 * 1024;

/// What an HTTP/2 client may send unasked per connection.
pub const H2_CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;

/// What we keep of answers that an HTTP/2 client does not read, per stream.
pub const H2_SEND_BUFFER_BYTES: usize = 64 * 1024;

/// How often a quiet HTTP/2 connection is asked whether it is still there.
pub const H2_PING_EVERY: Duration = Duration::from_secs(20);

/// How long it has to say so.
pub const H2_PING_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a closed connection's remaining input is read and thrown away. A socket closed with unread input resets
/// the connection, and the client may lose the answer that told it why.
pub const LINGER: Duration = Duration::from_secs(2);

/// How long accepting pauses when the system has no file descriptor left for a connection.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Longest `Prefer: wait`, in seconds: below the idle timeout of every common proxy (60 s).
pub const PREFER_WAIT_MAX: Duration = Duration::from_secs(30);

/// A waiting read asks the item again at most this often, however often the item changes.
pub const PREFER_ASK_EVERY: Duration = Duration::from_millis(100);

/// How long the last look of a wait may take that saw no change. Well within [`DRAIN_TIMEOUT`], so that whoever waits
/// when the server stops is answered all the same.
pub const PREFER_LAST_LOOK: Duration = Duration::from_secs(1);

const _: () = assert!(PREFER_LAST_LOOK.as_millis() < DRAIN_TIMEOUT.as_millis());

/// Reads that wait for a change at once. Further ones are answered without waiting.
pub const PREFER_WAITERS_MAX: usize = 16_384;

/// Entries of a page when the caller does not say.
pub const PAGE_DEFAULT: usize = 50;

/// Most entries of a page: some 60 KiB of answer.
pub const PAGE_MAX: usize = 100;

/// Longest request id taken over from a gateway, in bytes. Trace ids and UUIDs are shorter.
pub const REQUEST_ID_BYTES_MAX: usize = 128;

/// How soon a refused caller is asked back at least, in seconds.
pub const RETRY_AFTER_MIN_S: u64 = 1;

/// By how many seconds the callers refused at one moment are spread.
pub const RETRY_AFTER_SPREAD_S: u64 = 3;

/// How often a waiting client should look at the soonest, in milliseconds.
pub const POLL_AFTER_MS_MIN: u64 = 1_000;

/// How often a waiting client should look at the latest, in milliseconds: a hold lasts two minutes by default, and
/// nobody should learn of theirs when a quarter of it is gone.
pub const POLL_AFTER_MS_MAX: u64 = 15_000;

/// Operator and service tokens, in bytes: long enough not to be guessed.
pub const TOKEN_LEN: core::ops::RangeInclusive<usize> = 16..=512;

/// How long a client has for the head of a request, and how long a connection may sit without one.
pub const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client has for the body of a request.
pub const BODY_READ_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a read waits for a `min_sequence` that the item has not reached.
pub const FRESH_READ_TIMEOUT: Duration = Duration::from_secs(5);

/// How long running requests have when the server stops.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections of the public listener. Each costs some 10 KiB at rest, and one file descriptor: the process's limit
/// must be higher.
pub const PUBLIC_CONNECTIONS_MAX: usize = 16_384;

/// Connections of the admin listener: operators and their tools.
pub const ADMIN_CONNECTIONS_MAX: usize = 256;

/// How long a connection that has been quiet for too long has to take leave.
pub const LEAVE: Duration = Duration::from_millis(500);
