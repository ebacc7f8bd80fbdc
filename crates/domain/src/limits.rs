//! Every bound of the domain, each with its reason. Queues and timeouts of the engine have their own list.

use crate::time::DurationMs;

/// Reservations that one item takes in its whole life. Ten million buyers and room for those who cancel and come
/// back; at about a hundred bytes each this bounds one item near two gigabytes. Then: `item_full`.
pub const RESERVATIONS_PER_ITEM_MAX: u32 = 1 << 24;

/// Units that an item's stock can count. Far above any flash sale, far below where 32-bit sums of it could wrap.
pub const STOCK_TOTAL_MAX: u32 = 1_000_000_000;

/// Highest `per_order_max` and `per_customer_limit`: with [`UNIT_PRICE_MAX`] their product stays below 2^53, so that
/// every amount is exact in a JSON number too.
pub const QUANTITY_MAX: u32 = 1_000;

/// Highest unit price in minor units: ten billion of a currency with cents.
pub const UNIT_PRICE_MAX: u64 = 1_000_000_000_000;

const _: () = assert!(UNIT_PRICE_MAX * (QUANTITY_MAX as u64) < (1 << 53));

/// Longest hold and grace time: a month. A longer one is a typing mistake in milliseconds.
pub const HOLD_TIME_MAX: DurationMs = DurationMs::from_secs(31 * 24 * 3600);

/// Shortest hold time: below a second nobody can pay.
pub const HOLD_TIME_MIN: DurationMs = DurationMs::from_secs(1);

/// Most extensions of one hold.
pub const EXTENSIONS_MAX: u8 = 10;

/// Most places on a waitlist; a place is a reservation.
pub const WAITLIST_CAPACITY_MAX: u32 = RESERVATIONS_PER_ITEM_MAX;

/// What is due or promotable that one turn works off before and after the commands it was woken for. At some ten
/// microseconds each a turn stays within a few milliseconds; the rest is a backlog (domain rule 4).
pub const TURN_BATCH: usize = 256;

/// Timers that a wheel moves at once. A turn has it do so a few times; of many timers each is a miss of the cache, and
/// all that is at most some tenths of a millisecond.
pub const TIMER_MOVES_AT_ONCE: usize = 1_024;

/// How long an acceptance is remembered under its idempotency key, at least. Published in the API's documentation.
pub const IDEMPOTENCY_RETENTION: DurationMs = DurationMs::from_secs(24 * 3600);

/// Idempotency records one item keeps. Every reservation can have been placed, extended, ordered and paid under a
/// key each within the retention only on an item near its own bound.
pub const IDEMPOTENCY_RECORDS_MAX: usize = RESERVATIONS_PER_ITEM_MAX as usize;

/// Items one partition can register: what 24 bits of an item number count, without number 0, the partition's stream.
pub const ITEMS_PER_PARTITION_MAX: u32 = (1 << 24) - 1;

/// Longest customer id in bytes.
pub const CUSTOMER_ID_BYTES_MAX: usize = 64;

/// Longest sku in bytes; a DNS label's worth.
pub const SKU_BYTES_MAX: usize = 63;

/// Longest item name in bytes.
pub const NAME_BYTES_MAX: usize = 200;

/// Longest reason an operator gives, in bytes.
pub const REASON_BYTES_MAX: usize = 500;

/// Longest id a payment provider gives to a payment or an event, in bytes (Stripe's are at most 255).
pub const PROVIDER_ID_BYTES_MAX: usize = 255;

/// Most bytes of what a provider gives for the customer's client (a URL, a secret): it is stored in the log with
/// every payment opportunity.
pub const CLIENT_DATA_BYTES_MAX: usize = 512;

/// Failed attempts to pay one order that are written down; later ones change nothing and are only counted. A customer
/// with a wrong card tries a few times; more would let a broken provider fill the log.
pub const FAILURES_NOTED_MAX: u8 = 8;

/// Further reports of one capture that are written down, for the same reason. Providers send two or three.
pub const REPORTS_NOTED_MAX: u8 = 8;

/// Captures that one stream can number. An order sees one or two; this is twice what an item takes reservations.
pub const CAPTURES_PER_STREAM_MAX: u32 = 2 * RESERVATIONS_PER_ITEM_MAX;

/// Longest time that money may wait for its order. A week: longer than any checkout, shorter than a dispute.
pub const PARKED_WINDOW_MAX: DurationMs = DurationMs::from_secs(7 * 24 * 3600);

/// Outgoing endpoints of one partition. Each is told of every event it wants: more of them is a job for a message broker
/// behind one endpoint.
pub const ENDPOINTS_MAX: usize = 32;

/// Longest address of an endpoint, in bytes.
pub const ENDPOINT_URL_BYTES_MAX: usize = 2_048;

/// Most lines of one bundle: a cart, not a warehouse. Each line is a part held in another item.
pub const BUNDLE_LINES_MAX: usize = 20;

/// Bundles that one partition takes in its whole life, as many as one item takes reservations.
pub const BUNDLES_PER_PARTITION_MAX: u32 = RESERVATIONS_PER_ITEM_MAX;

/// Highest sum of a bundle's lines: below 2^53, so that it is exact in a JSON number too.
pub const BUNDLE_AMOUNT_MAX: u64 = (1 << 53) - 1;

/// Reports of orders never issued that one partition keeps for its operators. They are rare: a provider shared with
/// another system, or a lost log. More would let whoever can sign such reports fill the log.
pub const UNMATCHED_PAYMENTS_MAX: usize = 1 << 16;

/// Idempotency keys: long enough not to be guessed or to clash by accident, short enough to hash at once.
pub const IDEMPOTENCY_KEY_LEN: core::ops::RangeInclusive<usize> = 16..=255;
