//! What the bench stands on.

pub mod peers;
