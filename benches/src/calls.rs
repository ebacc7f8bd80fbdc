//! What a running contestant makes the kernel do: system calls, counted by strace, and how often its threads slept.

use crate::callgrind::is_here;
use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Where a system lets nobody look into processes that are not their own children, strace cannot.
#[derive(Debug, thiserror::Error)]
#[error("strace cannot look: {0}")]
pub(crate) struct NotAllowed(String);

/// A process that is traced.
#[derive(Debug)]
pub(crate) struct Traced {
    strace: Child,
    table: PathBuf,
}

impl Traced {
    /// Why nothing can be traced here, if so.
    pub(crate) fn missing() -> Option<String> {
        (!is_here("strace")).then(|| "strace is missing".to_owned())
    }

    /// Counts this process's system calls from here on, all threads. `table` is where strace writes.
    pub(crate) fn attach(pid: u32, table: PathBuf) -> Result<Self> {
        let mut command = Command::new("strace");
        command.args(["-f", "-c", "-o"]).arg(&table).arg("-p").arg(pid.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut strace = command.spawn().context("strace does not run")?;
        let said = strace.stderr.take().context("what it says is piped")?;
        let mut lines = BufReader::new(said).lines();
        let first = lines.next().transpose()?.unwrap_or_default();
        if !first.contains("attached") {
            let _gone = strace.kill();
            let _reaped = strace.wait();
            return Err(NotAllowed(first).into());
        }
        // Whatever it says later must not fill the pipe and stop it.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Ok(Self { strace, table })
    }

    /// Lets go of the process, and tells how many calls it made.
    pub(crate) fn calls(mut self) -> Result<u64> {
        let pid = i32::try_from(self.strace.id()).ok().and_then(Pid::from_raw).context("it has a process id")?;
        kill_process(pid, Signal::INT)?;
        // It ends by the signal that it was told to stop with.
        let _interrupted = self.strace.wait()?;
        let text = std::fs::read_to_string(&self.table).context("strace has written nothing")?;
        std::fs::remove_file(&self.table)?;
        let calls = total(&text).with_context(|| format!("no total in {text}"))?;
        ensure!(calls > 0, "strace saw nothing");
        Ok(calls)
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        // Told to end already, or nobody needs it any more: killed, it lets go of the process, too.
        let _gone = self.strace.kill();
        let _reaped = self.strace.wait();
    }
}

/// How often the threads that a process has went to sleep of themselves, each of which takes a wake-up.
pub(crate) fn sleeps(pid: u32) -> Result<u64> {
    let mut sum = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).context("it is gone")? {
        // Some end while one looks.
        let Ok(status) = std::fs::read_to_string(thread?.path().join("status")) else { continue };
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        sum += line.context("a thread has switches")?.trim().parse::<u64>()?;
    }
    Ok(sum)
}

/// The last line of strace's table: share, seconds, microseconds of each, calls, errors if there were any, `total`.
fn total(table: &str) -> Option<u64> {
    let last = table.lines().rev().find(|line| line.trim_end().ends_with(" total"))?;
    last.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_stand_in_the_last_line_with_errors_or_without() {
        let head = "% time     seconds  usecs/call     calls    errors syscall\n 33.3    0.01   1    2     read\n";
        assert_eq!(total(&format!("{head}100.00    0.000006           0         7           total\n")), Some(7));
        assert_eq!(total(&format!("{head}100.00    0.000006           0        37         2 total\n")), Some(37));
        assert_eq!(total(head), None);
    }

    #[test]
    fn a_process_that_runs_has_slept_a_countable_number_of_times() {
        assert!(sleeps(std::process::id()).is_ok());
        assert!(sleeps(u32::MAX).is_err());
    }
}
