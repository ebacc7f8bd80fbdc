//! The rules of one sale item.
//!
//! Pure: no clock, no network, no disk, no randomness, no async. Time and secrets enter as arguments. A turn
//! ([`turn::Turn`]) takes commands; [`decide::decide`] says what they lead to and never changes anything;
//! [`item::Item::apply`] makes it so and never refuses. Live running, recovery, replay and the tests use the same
//! two.
//!
//! What this crate does not know: how events look as bytes (`eventlog`), who may ask for what (`api`), and when a
//! turn runs (`engine`).

pub mod limits;
pub mod money;
pub mod planted;
/// Version of the rules: bumped when the same command, judged on the same item, would lead to other events. Every
/// record of the log carries the one its events were decided by.
pub const RULES_VERSION: u16 = 1;

pub mod story;
pub mod text;
pub mod time;
pub mod units;

pub mod endpoint;
pub mod idempotency;
pub mod identity;
pub mod ids;
pub mod payment;
pub mod policy;

pub mod bundle;
pub mod command;
pub mod event;
pub mod rejection;
pub mod views;

pub mod growth;
pub mod waitlist;
pub mod wheel;

pub mod decide;
pub mod item;
pub mod partition;
pub mod redecide;
pub mod turn;

#[cfg(test)]
mod scenario;
