//! The world outside: what payment providers report, what they are asked for, and messages to integrators.
//!
//! What this crate does not know: what a report means for an order (`domain`), when something is to be asked or told
//! (`engine`'s follow-ups), and routes (`api`).

pub mod inbound;
pub mod simulated;
