//! What operations of the core cost, in what does not depend on the machine's mood: instructions and allocations.
//!
//! A package of its own, with few dependencies, so that CI can build it for release in the time it has.

pub mod baseline;
pub mod counted;
