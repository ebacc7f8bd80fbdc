//! Counting a running contestant's user instructions: started under callgrind, which counts only while it is told to.
//!
//! Instructions are those of the contestant's own process, all threads. What it makes the kernel do is not among them;
//! [`crate::calls`] counts that.

use anyhow::{Context, Result, ensure};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The programs it takes.
const PROGRAMS: [&str; 2] = ["valgrind", "callgrind_control"];

/// What callgrind counts into.
#[derive(Debug)]
pub(crate) struct Callgrind {
    out: PathBuf,
    laps: u32,
}

impl Callgrind {
    /// One that will write what it counted into `out` and beside it.
    pub(crate) fn new(out: PathBuf) -> Self {
        Self { out, laps: 0 }
    }

    /// Why nothing can be counted here, if so.
    pub(crate) fn missing() -> Option<String> {
        if let Some(missing) = PROGRAMS.into_iter().find(|program| !is_here(program)) {
            return Some(format!("{missing} is missing; benches/install-counters.sh installs it"));
        }
        // It may be there without what it needs of the C library.
        let tried = Command::new("valgrind").args(["--tool=none", "-q", "true"]).output();
        let runs = tried.is_ok_and(|tried| tried.status.success());
        (!runs).then(|| "valgrind runs nothing here; benches/install-counters.sh installs what it needs".to_owned())
    }

    /// What a program is started under, so that it can be counted; nothing is yet.
    pub(crate) fn wrapper(&self) -> Vec<OsString> {
        let mut out = OsString::from("--callgrind-out-file=");
        out.push(&self.out);
        vec!["valgrind".into(), "--tool=callgrind".into(), "--instr-atstart=no".into(), out]
    }

    /// Counts while something is done to the program with this process id; what that brings, and how many there were.
    pub(crate) fn count<T>(&mut self, pid: u32, work: impl FnOnce() -> Result<T>) -> Result<(T, u64)> {
        control(pid, &["-i", "on"])?;
        let brought = work()?;
        control(pid, &["-i", "off"])?;
        // Writes, and begins at nothing again.
        control(pid, &["-d"])?;
        self.laps += 1;
        let mut out = self.out.clone().into_os_string();
        out.push(format!(".{}", self.laps));
        let out = PathBuf::from(out);
        let text = std::fs::read_to_string(&out).context("callgrind has written nothing")?;
        std::fs::remove_file(&out)?;
        let counted = total(&text).with_context(|| format!("{} has no total", out.display()))?;
        ensure!(counted > 0, "callgrind counted nothing");
        Ok((brought, counted))
    }

    /// Removes what it wrote when the program ended: what was counted after the last time, which is nothing.
    pub(crate) fn clean(self) -> Result<()> {
        std::fs::remove_file(&self.out).context("callgrind has written nothing at its end")
    }
}

/// Whether a program is installed.
pub(crate) fn is_here(program: impl AsRef<Path>) -> bool {
    let program = Command::new(program.as_ref()).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    program.is_ok()
}

/// Tells callgrind something. The program that does so ends well whatever happens, so what it says is looked at.
fn control(pid: u32, what: &[&str]) -> Result<()> {
    let mut command = Command::new("callgrind_control");
    let said = command.args(what).arg(pid.to_string()).output().context("callgrind_control does not run")?;
    let words = String::from_utf8_lossy(&said.stdout);
    let told = words.lines().any(|line| line.trim() == "OK.");
    ensure!(told, "callgrind cannot be told: {words}{}", String::from_utf8_lossy(&said.stderr));
    Ok(())
}

/// The sum at the end of what callgrind writes.
fn total(text: &str) -> Option<u64> {
    let lines = text.lines().rev();
    let of = |line: &str| line.strip_prefix("totals:").or_else(|| line.strip_prefix("summary:"))?.trim().parse().ok();
    lines.filter_map(of).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_stands_at_the_end() {
        assert_eq!(total("version: 1\nevents: Ir\nsummary: 12\n\nfn=(1)\n318 3\n\ntotals: 1039\n"), Some(1039));
        assert_eq!(total("version: 1\nevents: Ir\nsummary: 12\n\n318 12\n"), Some(12));
        assert_eq!(total("version: 1\nfn=(1) totals\n"), None);
    }
}
