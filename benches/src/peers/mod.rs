//! The peers: what others would build a reservation on, made as good as their makers' advice allows, with the same
//! rules as Holdfast's reserve, and as durable.
//!
//! A peer is a server of its own ([`Redis`], [`Postgres`]), started in a fresh folder and stopped again, and what
//! speaks to it ([`Reserve`]), behind the same HTTP front as everything else that is measured ([`front`]). Where a
//! peer is not installed, starting it says so in words; nothing here installs anything.
//!
//! The rules that the peers keep: an acceptance is remembered under customer and key, and its answer repeated; a limit
//! per customer; stock; a line in order of arrival; holds that end, seen whenever the item is touched. Orders, money and
//! everything else is left out, in their favour.

pub mod admin;
pub mod contest;
pub mod front;
mod postgres;
mod process;
mod redis;
mod said;
pub mod sweep;

pub use postgres::{Batched, Durability, Pooled, Postgres};
pub use redis::{Bare, Pipelined, Redis};
pub use said::{Place, Refusal, Said, Taken};

use process::{Process, StartError};

/// How many expiries and promotions may happen before one command is judged: as many as in a turn of Holdfast's.
const HAPPEN_MAX: i32 = 128;

/// A sale to be set up.
#[derive(Clone, Debug)]
pub struct Sale {
    /// The item's public name.
    pub sku: String,
    /// Units there are.
    pub units: i32,
    /// How long a hold lasts.
    pub hold_ms: i64,
    /// Units of one order at most.
    pub per_order: i32,
    /// Units of one customer at most, waiting and held.
    pub per_customer: i32,
    /// Places in the line; none is no line.
    pub line_max: i32,
}

impl Sale {
    /// A sale with Holdfast's defaults.
    #[must_use]
    pub fn usual(sku: impl Into<String>, units: i32) -> Self {
        Self { sku: sku.into(), units, hold_ms: 120_000, per_order: 1, per_customer: 1, line_max: 1_000_000 }
    }
}

/// A customer's attempt.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Of what.
    pub sku: String,
    /// Who.
    pub customer: String,
    /// Told once, judged once.
    pub key: String,
    /// How many.
    pub quantity: i32,
    /// Whether to wait where there is nothing.
    pub wait: bool,
}

/// How an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Units there are.
    pub total: i32,
    /// Units to be had.
    pub available: i32,
    /// Units held.
    pub held: i32,
    /// Reservations in the line.
    pub waiting: i32,
}

/// Whoever can reserve.
pub trait Reserve: Send + Sync + 'static {
    /// Reserves, durably.
    fn reserve(&self, ask: &Ask) -> impl Future<Output = Result<Said, PeerError>> + Send;
}

/// Whoever has sales.
pub trait Operate: Send + Sync + 'static {
    /// Makes an item and puts it on sale.
    fn open(&self, sale: &Sale) -> impl Future<Output = Result<(), PeerError>> + Send;

    /// How an item stands.
    fn standing(&self, sku: &str) -> impl Future<Output = Result<Standing, PeerError>> + Send;
}

/// Whether the peers are installed.
///
/// # Errors
/// [`PeerError::Start`] says what is not, and how it gets here.
pub fn are_installed() -> Result<(), PeerError> {
    process::installed("redis-server", &[])?;
    postgres::installed()?;
    Ok(())
}

/// What can go wrong with a peer; a refusal is not of that kind.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// It is not there, or does not come up: do without it.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Talking to Redis failed.
    #[error("Redis: {0}")]
    Redis(#[from] ::redis::RedisError),
    /// Talking to PostgreSQL failed.
    #[error("PostgreSQL: {0}")]
    Postgres(#[from] tokio_postgres::Error),
    /// Talking to a socket failed.
    #[error("the peer's socket: {0}")]
    Io(#[from] std::io::Error),
    /// It said what it must not say.
    #[error("the peer said {0:?}")]
    Nonsense(String),
    /// What speaks to it is gone.
    #[error("what speaks to the peer has stopped")]
    Stopped,
}

impl PeerError {
    /// Whether the peer is not installed, so that it is to be skipped with these words.
    #[must_use]
    pub const fn is_not_installed(&self) -> bool {
        matches!(self, Self::Start(StartError::NotInstalled { .. }))
    }
}
