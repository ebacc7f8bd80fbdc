//! `holdfast audit`: a log recounted by the auditor, from a private copy.

use super::{Audit, render};
use crate::crowd::say;
use crate::exit::{Exit, Failure};
use crate::replaying;
use crate::stop::Stop;
use anyhow::anyhow;
use auditor::audit_directory;
use clap::Args;
use std::path::{Path, PathBuf};

pub(crate) const ABOUT: &str = "\
Recount a log with the independent auditor: stock, line, limits, holds, orders, bundles and money.

The auditor reads the published format with a decoder of its own and shares no code with the engine that wrote the \
log. It works on a private copy in the temporary directory (TMPDIR), so a server may run meanwhile. Ends with 3 where \
a promise is broken and with 4 where the log is damaged.";

/// Which log.
#[derive(Clone, Debug, Args)]
pub(crate) struct AuditArgs {
    /// A data directory, a copy or a backup [default: the configured one]
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) async fn run(args: &AuditArgs) -> Result<Exit, Failure> {
    let mut stop = Stop::listen()?;
    let (dir, json) = (replaying::chosen(args.dir.as_deref())?, args.json);
    // Reading a log blocks; the runtime has threads for that.
    let work = tokio::task::spawn_blocking(move || audit(&dir, json));
    tokio::select! {
        done = work => done.map_err(|error| anyhow!("the audit itself failed; this is a bug: {error}"))?,
        name = stop.first() => Err(anyhow!("{name}: called off; nothing is concluded").into()),
    }
}

fn audit(dir: &Path, json: bool) -> Result<Exit, Failure> {
    let report = audit_directory(dir)
        .map_err(|error| Failure::new(if error.is_damage() { Exit::Damaged } else { Exit::Error }, error))?;
    let audit = Audit::of(report);
    if json {
        say(&serde_json::to_string_pretty(&audit.report.summary())?);
    } else {
        say(render(&audit).trim_end());
    }
    Ok(if audit.is_clean() { Exit::Fine } else { Exit::Violation })
}
