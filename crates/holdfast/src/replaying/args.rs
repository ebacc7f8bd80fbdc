//! The flags of `holdfast replay`, and the help that explains them.

use clap::{Args, Subcommand, ValueEnum};
use domain::identity::ReservationId;
use domain::text::Sku;
use replay::{Receipt, Until};
use std::path::PathBuf;

pub(crate) const ABOUT: &str = "\
Fold a log into state again, check it, and say what it says.

DIR is a data directory, a copy of one or a backup; without it, the configured one (HOLDFAST_DATA_DIR, or `data_dir` in \
the file that HOLDFAST_CONFIG names). Replay works on a private copy in the temporary directory (TMPDIR) and never \
takes the lock of the original, so a server may run on it meanwhile: the last record that the copy got is named.

The state hash is the same on every machine and in every build: two logs that tell of the same state have the same.";

pub(crate) const EXAMPLES: &str = "\
Examples:
  holdfast replay                                      the state, its hash, and whether the invariants hold
  holdfast replay --verify --redecide /backup/monday   check everything that can be checked
  holdfast replay --item iphone-15 --until 2026-01-31T12:00:00Z
  holdfast replay diff /backup/monday /backup/tuesday
  holdfast replay explain rsv_0000000100008000845a48761373e38b
  holdfast replay export --format csv > events.csv
  holdfast replay receipt make --item iphone-15 --seq 17";

/// What to replay.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ReplayArgs {
    /// Something other than folding a log and printing its state.
    #[command(subcommand)]
    pub(crate) command: Option<ReplayCommand>,
    /// Which log.
    #[command(flatten)]
    pub(crate) whole: WholeArgs,
}

/// Which part of which log, and what to check.
#[derive(Clone, Debug, Args)]
pub(crate) struct WholeArgs {
    /// A data directory, a copy or a backup [default: the configured one]
    #[arg(value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Only what is asked for.
    #[command(flatten)]
    pub(crate) part: PartArgs,
    /// Check all that can be checked: chain, numbers, checksums, every event's bytes, invariants after every event,
    /// snapshots against the fold
    #[arg(long)]
    pub(crate) verify: bool,
    /// Judge every recorded command again and compare the events byte for byte
    #[arg(long)]
    pub(crate) redecide: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Only a part of a log.
#[derive(Clone, Debug, Args)]
pub(crate) struct PartArgs {
    /// Only this item
    #[arg(long, value_name = "SKU", value_parser = sku)]
    pub(crate) item: Option<Sku>,
    /// Only up to this event (the item's own number with --item, else the number in the partition), or up to this
    /// instant
    #[arg(long, value_name = "SEQ|TIME")]
    pub(crate) until: Option<Until>,
}

/// What else can be done with a log.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ReplayCommand {
    /// Compare two logs: where they part, and what their states differ in. Ends with 1 where they differ
    Diff {
        /// The first
        #[arg(value_name = "A")]
        a: PathBuf,
        /// The second
        #[arg(value_name = "B")]
        b: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell one reservation's whole story: what happened to it and why, and who was served before it
    Explain {
        /// Its id (rsv_…)
        #[arg(value_name = "RESERVATION", value_parser = ReservationId::parse)]
        reservation: ReservationId,
        /// A data directory, a copy or a backup [default: the configured one]
        #[arg(value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write every event to standard output, one line each
    Export {
        /// How lines look
        #[arg(long, value_enum)]
        format: Format,
        /// A data directory, a copy or a backup [default: the configured one]
        #[arg(value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Only what is asked for.
        #[command(flatten)]
        part: PartArgs,
    },
    /// Fairness receipts: a line that says which event stands where, and a check of such a line against a log
    #[command(subcommand)]
    Receipt(ReceiptCommand),
}

/// What can be done with receipts.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ReceiptCommand {
    /// Print the receipt of one event of an item
    Make {
        /// The item
        #[arg(long, value_name = "SKU", value_parser = sku)]
        item: Sku,
        /// The event's sequence number, as the API and `explain` show it
        #[arg(long, value_name = "SEQ")]
        seq: u64,
        /// A data directory, a copy or a backup [default: the configured one]
        #[arg(value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Check whether a log bears a receipt out. Ends with 3 where it does not
    Check {
        /// The receipt (hfr1:…)
        #[arg(value_name = "RECEIPT")]
        receipt: Receipt,
        /// A data directory, a copy or a backup [default: the configured one]
        #[arg(value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// How exported lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One JSON object a line
    Ndjson,
    /// Comma-separated values with a header line
    Csv,
}

fn sku(text: &str) -> Result<Sku, String> {
    Sku::parse(text).map_err(|error| error.to_string())
}
