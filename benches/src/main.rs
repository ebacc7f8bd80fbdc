//! `cargo run --release -p benches`: the same as `holdfast bench`, with the server built first.

use anyhow::{Context, Result, ensure};
use benches::cli::{self, BenchArgs};
use benches::process::Programs;
use clap::Parser;
use std::path::PathBuf;
use std::process::Command;

/// The bench's own program.
#[derive(Debug, Parser)]
#[command(name = "benches", about = cli::ABOUT, max_term_width = 100)]
struct Cli {
    /// What to do.
    #[command(flatten)]
    bench: BenchArgs,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let this = std::env::current_exe().context("a program has a path")?;
    let server = if cli.bench.visits_the_server() { server_beside(&this)? } else { PathBuf::new() };
    cli::run(&cli.bench, Programs { server, contestant: vec![this.into(), "contestant".into()] })
}

/// The shipped binary, built from the same tree with the same profile.
fn server_beside(this: &std::path::Path) -> Result<PathBuf> {
    let profile = this.parent().context("a program lies in a directory")?;
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--quiet", "-p", "holdfast", "--target-dir"]);
    build.arg(profile.parent().context("a profile lies in the target directory")?);
    if profile.ends_with("release") {
        build.arg("--release");
    }
    build.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    ensure!(build.status().context("cargo does not run")?.success(), "the server cannot be built");
    Ok(profile.join("holdfast"))
}
