//! Events as the log tells them: plain numbers and texts, with the names of docs/log-format.md.

use std::fmt;

/// One event and its place in its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The stream: partition in the upper 8 bits, counter in the lower 24. Counter 0 is the partition's own.
    pub item: u32,
    /// Its number in that stream.
    pub seq: u64,
    /// Logged time in milliseconds since the Unix epoch.
    pub at: u64,
    /// The hashes of the request that it accepts.
    pub key: Option<Key>,
    /// What happened.
    pub body: Body,
}

/// Idempotency hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Of caller, method, path and key.
    pub request: u128,
    /// Of the validated command.
    pub content: u128,
}

/// An amount of money.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money {
    /// In minor units.
    pub minor: u64,
    /// Three ASCII letters.
    pub currency: [u8; 3],
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.minor, String::from_utf8_lossy(&self.currency))
    }
}

/// Who takes money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "names as in docs/log-format.md")]
pub enum Provider {
    External,
    Simulated,
    Generic,
    Stripe,
}

/// Money that a provider took.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields as in docs/log-format.md")]
pub struct Capture {
    pub provider: Provider,
    pub payment: String,
    pub report: Option<String>,
    pub amount: Money,
}

/// An item's settings; those of version 1 read as what they meant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields as in docs/log-format.md")]
pub struct Settings {
    pub name: String,
    pub unit_price: Money,
    pub per_order_max: u32,
    pub per_customer_limit: u32,
    pub hold_time_ms: u64,
    pub grace_ms: u64,
    pub waitlist_enabled: bool,
    pub waitlist_capacity: u32,
    pub extension_times: u8,
    pub extension_by_ms: u64,
    pub cool_off_after_expiries: u8,
    pub cool_off_lasts_ms: u64,
    pub close_when_sold: bool,
    pub opens_at_ms: Option<u64>,
    pub closes_at_ms: Option<u64>,
    pub provider: Option<Provider>,
    pub honours_late: bool,
    pub parked_window_ms: u64,
}

/// Who opened a sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "names as in docs/log-format.md")]
pub enum OpenedBy {
    Operator,
    Schedule,
}

/// Who closed a sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "names as in docs/log-format.md")]
pub enum ClosedBy {
    Operator,
    Schedule,
    SoldOut,
}

/// What a bundle's part follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "names as in docs/log-format.md")]
pub enum Decision {
    Sold,
    Expired,
    Cancelled,
    Abandoned,
    Returned,
}

/// Why money goes back: the code, and with code 1 the right amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields as in docs/log-format.md")]
pub struct Reason {
    pub code: u8,
    pub expected: Option<Money>,
}

/// Who says that a refund was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "names as in docs/log-format.md")]
pub enum SettledBy {
    Provider { reference: String },
    Report,
    Operator { reason: String },
}

/// What a report tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "names as in docs/log-format.md")]
pub enum Told {
    Captured(Money),
    Failed,
    Cancelled,
    Refunded(Money),
}

/// A provider's report.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields as in docs/log-format.md")]
pub struct Report {
    pub provider: Provider,
    pub report: String,
    pub payment: String,
    pub told: Told,
}

/// A bundle as it was held.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields as in docs/log-format.md")]
pub struct Bundle {
    pub id: u128,
    pub customer: String,
    pub lines: Vec<BundleLine>,
    pub hold_time_ms: u64,
    pub grace_ms: u64,
    pub parked_window_ms: u64,
    pub provider: Option<Provider>,
}

/// One part of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields as in docs/log-format.md")]
pub struct BundleLine {
    pub sku: String,
    pub reservation: u128,
    pub quantity: u32,
    pub amount: Money,
}

/// What happened to the money of one order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "names and fields as in docs/log-format.md")]
pub enum Payment {
    Captured { capture: Capture, amount_named: bool },
    Parked { capture: Capture, until_ms: u64 },
    LateHonoured { capture: Capture, amount_named: bool },
    RefundDue { capture: Capture, reason: Reason, amount_named: bool },
    Unclaimed { capture: u32, reservation_ended: bool },
    Failed { provider: Provider, payment: String, report: String, withdrawn: bool },
    Noted { capture: u32, provider: Provider, report: String },
    Disputed { capture: u32, provider: Provider, report: String, told: Money },
    RefundReported { provider: Provider, payment: String, report: String, amount: Money },
    RefundSettled { capture: u32, by: SettledBy },
    OrderRefunded { capture: u32, released: u32, reason: Option<String> },
    Offered { provider: Provider, payment: String, url: Option<String>, client_secret: Option<String> },
}

/// What happened to an integrator's endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "names and fields as in docs/log-format.md")]
pub enum Endpoint {
    Added { url: String, types: Vec<u8>, secret: [u8; 32] },
    SecretRotated { secret: [u8; 32] },
    Disabled { by: u8 },
    Enabled,
    Removed,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "names and fields as in docs/log-format.md")]
pub enum Body {
    ItemCreated {
        sku: String,
        total: u32,
        settings: Box<Settings>,
        key: [u8; 32],
    },
    ItemRevised {
        settings: Box<Settings>,
    },
    SaleOpened {
        by: OpenedBy,
    },
    SalePaused,
    SaleResumed,
    SaleClosed {
        by: ClosedBy,
        lapsed: u32,
    },
    StockAdjusted {
        change: i32,
        reason: String,
        total: u32,
    },
    HoldPlaced {
        reservation: u32,
        customer: String,
        quantity: u32,
        declines_waitlist: bool,
        deadline_ms: u64,
    },
    WaitlistJoined {
        reservation: u32,
        customer: String,
        quantity: u32,
        position: u32,
        available: u32,
    },
    PurchaseConfirmed(Box<Purchase>),
    ReservationCancelled {
        reservation: u32,
        released: u32,
    },
    HoldExtended {
        reservation: u32,
        deadline_ms: u64,
    },
    OrderPlaced {
        reservation: u32,
        amount: Money,
        release_at_ms: u64,
        amount_named: bool,
    },
    PartHeld {
        reservation: u32,
        customer: String,
        quantity: u32,
        bundle: u128,
    },
    PartSettled {
        reservation: u32,
        bundle: u128,
        decision: Decision,
        released: u32,
    },
    HoldExpired {
        reservation: u32,
        release_at_ms: u64,
        released: u32,
    },
    HoldPromoted {
        reservation: u32,
        deadline_ms: u64,
        because: u64,
    },
    WaitlistLapsed {
        reservation: u32,
        can_never_be_served: bool,
    },
    ClockResumed {
        from_ms: u64,
        to_ms: u64,
        release_floor_ms: u64,
    },
    /// Of the order of a reservation, or of a bundle in the partition's stream.
    Payment {
        owner: u32,
        event: Box<Payment>,
    },
    ItemRegistered {
        item: u32,
        sku: String,
    },
    PartitionKeyed {
        key: [u8; 32],
    },
    BundleHeld {
        bundle: u32,
        held: Box<Bundle>,
        amount: Money,
        deadline_ms: u64,
    },
    BundleOrdered {
        bundle: u32,
        amount: Money,
        release_at_ms: u64,
        amount_named: bool,
    },
    BundleCancelled {
        bundle: u32,
    },
    BundleExpired {
        bundle: u32,
        release_at_ms: u64,
    },
    PaymentUnmatched {
        order: u128,
        report: Box<Report>,
    },
    Endpoint {
        endpoint: u32,
        event: Box<Endpoint>,
    },
}

/// A purchase: reserved, ordered and paid at once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields as in docs/log-format.md")]
pub struct Purchase {
    pub reservation: u32,
    pub customer: String,
    pub quantity: u32,
    pub capture: Capture,
    pub payment_named: bool,
    pub amount_named: bool,
}
