//! Who is measured: a program that answers `POST /v1/items/{sku}/reservations`, each in a process of its own.
//!
//! The rungs of the ladder are what stands between a server that decides nothing and one that may be believed. All of
//! them are reached the same way, over HTTP, and answer the same request with a body of the same size. A further one
//! (a peer: another database behind the same front) is one more variant here and one more arm in [`crate::inside`],
//! which serves it; nothing else has to know of it. How it is started and stopped is [`crate::process`]'s.

use std::fmt;

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, clap::ValueEnum)]
pub enum Contestant {
    /// axum as anybody would start it, with a handler that reads the body and answers the same bytes.
    Axum,
    /// The same handler behind Holdfast's own accept loop and front.
    Noop,
    /// The engine with its log in memory, over HTTP.
    Actor,
    /// The engine with the same log on a file system in memory, where syncing is nothing. Leaving out the log's own
    /// sync would not do: sled writes ranges back and waits for them, and syncs by itself now and then.
    Unsynced,
    /// The same with the log in fjall.
    UnsyncedFjall,
    /// The shipped server: `holdfast serve`.
    Durable,
    /// The shipped server with its other log engine: `holdfast serve --log fjall`.
    DurableFjall,
    /// Redis with one script, behind our front.
    Redis,
    /// PostgreSQL with one function call for each reserve, behind our front.
    Postgres,
    /// PostgreSQL with one call for all reserves that came while the one before it ran, behind our front.
    PostgresBatched,
}

impl Contestant {
    /// The ladder, from nothing to durable.
    pub const LADDER: [Self; 7] =
        [Self::Axum, Self::Noop, Self::Actor, Self::Unsynced, Self::UnsyncedFjall, Self::Durable, Self::DurableFjall];

    /// The shipped server with each of its log engines, the default first.
    pub const SHIPPED: [Self; 2] = [Self::Durable, Self::DurableFjall];

    /// What others would build it on.
    pub const PEERS: [Self; 3] = [Self::Redis, Self::Postgres, Self::PostgresBatched];

    /// Its name on the command line, in files and in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Axum => "axum",
            Self::Noop => "noop",
            Self::Actor => "actor",
            Self::Unsynced => "unsynced",
            Self::UnsyncedFjall => "unsynced-fjall",
            Self::Durable => "durable",
            Self::DurableFjall => "durable-fjall",
            Self::Redis => "redis",
            Self::Postgres => "postgres",
            Self::PostgresBatched => "postgres-batched",
        }
    }

    /// What it is, in a few words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Axum => "axum, no-op",
            Self::Noop => "our front, no-op",
            Self::Actor => "+ engine, log in memory",
            Self::Unsynced => "+ log, no disk under it",
            Self::UnsyncedFjall => "+ log in fjall, no disk under it",
            Self::Durable => "holdfast serve",
            Self::DurableFjall => "holdfast serve --log fjall",
            Self::Redis => "Redis, one script",
            Self::Postgres => "PostgreSQL, row lock",
            Self::PostgresBatched => "PostgreSQL, batched",
        }
    }

    /// Whether it has items that an operator makes, and can be asked how many are left.
    #[must_use]
    pub const fn has_operators(self) -> bool {
        match self {
            Self::Axum | Self::Noop => false,
            Self::Actor | Self::Unsynced | Self::UnsyncedFjall | Self::Durable | Self::DurableFjall => true,
            Self::Redis | Self::Postgres | Self::PostgresBatched => true,
        }
    }

    /// Whether its data must lie in memory.
    #[must_use]
    pub const fn lies_in_memory(self) -> bool {
        match self {
            Self::Unsynced | Self::UnsyncedFjall => true,
            Self::Axum | Self::Noop | Self::Actor | Self::Durable | Self::DurableFjall => false,
            Self::Redis | Self::Postgres | Self::PostgresBatched => false,
        }
    }

    /// Whether it leaves a log of Holdfast's behind that can be read after it stopped.
    #[must_use]
    pub const fn leaves_a_log(self) -> bool {
        match self {
            Self::Axum | Self::Noop | Self::Actor => false,
            Self::Redis | Self::Postgres | Self::PostgresBatched => false,
            Self::Unsynced | Self::UnsyncedFjall | Self::Durable | Self::DurableFjall => true,
        }
    }
}

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
