//! What the journeys share: the real binary as a process, and a small HTTP client.
//!
//! Nothing here judges; the tests do.

pub mod client;
pub mod log;
pub mod server;

pub use client::{Answer, Client};
pub use server::Server;
