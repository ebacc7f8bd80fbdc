//! The HTTP front: an accept loop with limits and timeouts of its own, routes, wire shapes, problem documents.
//!
//! [`serve`] runs it. Everything is parsed here, at the edge, into the domain's types; every refusal is a problem
//! document (RFC 9457) with a code from one list ([`problem::Code`]). What is sold to whom is not decided here: the
//! engine's items judge, and this crate writes down what they say. docs/api.md tells the same to people.

pub mod bodies;
pub mod config;
pub mod limits;
pub mod network;
pub mod problem;

mod answer;
mod app;
mod extract;
mod front;
mod request_id;
mod routes;
mod server;
mod wire;

pub use config::{ApiConfig, Connections, GatewayConfig, Timeouts, Token, TokenError};
pub use network::{PeerNetwork, PeerNetworkError};
pub use server::{Accept, Drained, serve, serve_router};
