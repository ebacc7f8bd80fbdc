//! `holdfast bench`: the bench, with this very program as the server.

use crate::exit::{Exit, Failure};
use anyhow::Context;
use benches::cli::{self, BenchArgs};
use benches::process::Programs;

/// Runs it. Call it outside of any runtime.
pub(crate) fn run(args: &BenchArgs) -> Result<Exit, Failure> {
    let this = std::env::current_exe().context("this program does not know its own path")?;
    let contestant = [this.as_os_str(), "bench".as_ref(), "contestant".as_ref()].map(Into::into);
    cli::run(args, Programs { server: this, contestant: contestant.into() })?;
    Ok(Exit::Fine)
}
