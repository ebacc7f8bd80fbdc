//! What the journeys share: the real binary as a process, a small HTTP client, what a disk keeps, what fuzzing runs.
//!
//! Nothing here judges but [`history`], which says whether recorded answers fit together, and [`audited`], which lets
//! the independent auditor judge a log; otherwise the tests do.

pub mod audited;
pub mod client;
pub mod disk;
pub mod fuzz;
pub mod history;
pub mod log;
pub mod server;
pub mod sim;
pub mod trace;
pub mod wire;

pub use client::{Answer, Client};
pub use server::Server;

/// A number that a test's size or seed is taken from: the environment's, to go deeper or to repeat a run, or else `usual`.
#[must_use]
pub fn from_environment<N: std::str::FromStr>(name: &str, usual: N) -> N {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Whether strace is here; says in words what is skipped where it is not.
///
/// # Panics
/// If it is not, and CI says that nothing may be skipped.
#[must_use]
pub fn strace_is_here(what_it_does: &str) -> bool {
    let found = std::process::Command::new("strace").arg("-V").stdout(std::process::Stdio::null()).status().is_ok();
    let must_run = std::env::var_os("HOLDFAST_TESTS_MUST_RUN").is_some();
    assert!(found || !must_run, "strace is missing; tests/install-tools.sh installs it");
    if !found {
        println!("SKIPPED: strace is not installed; run tests/install-tools.sh, then this test {what_it_does}");
    }
    found
}
