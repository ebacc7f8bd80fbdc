//! What the journeys share: the real binary as a process, and a small HTTP client.
//!
//! Nothing here judges but [`history`], which says whether recorded answers fit together; otherwise the tests do.

pub mod client;
pub mod history;
pub mod log;
pub mod server;

pub use client::{Answer, Client};
pub use server::Server;
