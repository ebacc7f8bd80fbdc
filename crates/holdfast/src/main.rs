//! Holdfast, the program: command line, configuration, start and stop, and a crowd to try it with.

mod cli;
mod config;
mod exit;
mod logs;
mod outside;
mod pages;
mod stop;
mod tables;
mod tokens;

mod data_dir;
mod files;
mod listeners;
mod recovered;
mod serve;
mod server;
mod unserved;

mod audit;
mod benching;
mod crowd;
mod demo;
mod replaying;

use clap::Parser;
use cli::{Cli, Command, ConfigCommand};
use exit::{Exit, Failure};
use mimalloc::MiMalloc;
use std::process::ExitCode;
use std::time::Duration;

/// A reservation takes some fifty small allocations, and most are freed by another thread than the one that made them.
/// mimalloc does each of them with a third of the instructions of the C library's (docs/decisions/0014).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// How long what still runs in the background may take to end with the program.
const BACKGROUND_END: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            eprintln!("{}", failure.in_words());
            failure.exit.into()
        }
    }
}

fn run(command: Command) -> Result<Exit, Failure> {
    if let Command::Bench(args) = &command {
        // It has threads and processes of its own.
        return benching::run(args);
    }
    pages::stay_small();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        match command {
            Command::Serve(args) => serve::run(&args).await,
            Command::Demo(args) => demo::run(&args).await,
            Command::Crowd(args) => crowd::command::run(&args).await,
            Command::Bench(_) => Ok(Exit::Fine),
            Command::Replay(args) => replaying::run(&args).await,
            Command::Audit(args) => audit::command::run(&args).await,
            Command::Config(ConfigCommand::Show(args)) => {
                let shown = config::show(&args, &config::stray_variables())
                    .map_err(|error| Failure::new(Exit::Usage, error))?;
                crowd::say(shown.trim_end());
                Ok(Exit::Fine)
            }
        }
    });
    runtime.shutdown_timeout(BACKGROUND_END);
    ended
}
