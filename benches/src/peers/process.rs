//! A peer's server as a process of ours, in a fresh folder, reached over a socket there, and gone with it.

use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Starting a server on a busy machine takes seconds; longer is a fault.
const START_MAX: Duration = Duration::from_secs(60);

/// A server told to end closes its files; longer than this it is not waited for.
const END_MAX: Duration = Duration::from_secs(30);

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Why a peer did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It is not installed.
    #[error("SKIPPED: {program} is not installed; `bash benches/install-peers.sh` installs it")]
    NotInstalled {
        /// What was looked for.
        program: &'static str,
    },
    /// A program of it failed.
    #[error("{program} failed: {said}")]
    Failed {
        /// Which.
        program: String,
        /// What it said last.
        said: String,
    },
    /// Something of the system failed.
    #[error("{doing}: {error}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// How it failed.
        error: io::Error,
    },
}

/// Tells what was being done when the system failed.
pub(super) fn while_doing(doing: &'static str) -> impl FnOnce(io::Error) -> StartError {
    move |error| StartError::System { doing, error }
}

/// How a server is asked to end in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndsBy {
    /// SIGTERM.
    Terminate,
    /// SIGINT.
    Interrupt,
}

impl EndsBy {
    const fn signal(self) -> Signal {
        match self {
            Self::Terminate => Signal::TERM,
            Self::Interrupt => Signal::INT,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Terminate => "TERM",
            Self::Interrupt => "INT",
        }
    }
}

/// Who runs a peer: some refuse to be run by root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunBy {
    /// Whoever runs the bench.
    Caller,
    /// That user, if root runs the bench.
    UserNotRoot(&'static str),
}

impl RunBy {
    fn other(self) -> Option<&'static str> {
        match self {
            Self::UserNotRoot(user) if rustix::process::geteuid().is_root() => Some(user),
            Self::UserNotRoot(_) | Self::Caller => None,
        }
    }

    /// A command to be run by them, and to be sent `ends_by` when the thread that starts it is no more: a bench that is
    /// killed leaves no server behind. So it is started by a thread that lives as long as it is wanted.
    pub(super) fn command(self, program: impl AsRef<OsStr>, ends_by: EndsBy) -> Command {
        // It replaces itself by the program, so the process that is started is the one that is ended.
        let mut command = Command::new("setpriv");
        if let Some(user) = self.other() {
            command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups"]);
        }
        command.arg(format!("--pdeathsig={}", ends_by.name())).arg("--").arg(program);
        command
    }

    /// A fresh folder below `parent` that belongs to them.
    pub(super) fn folder(self, parent: &Path) -> Result<TempDir, StartError> {
        let folder = tempfile::Builder::new().prefix("peer-").tempdir_in(parent);
        let folder = folder.map_err(while_doing("making a folder for a peer"))?;
        if let Some(user) = self.other() {
            let id = |which| number(&run(Command::new("id").args([which, user]))?);
            std::os::unix::fs::chown(folder.path(), Some(id("-u")?), Some(id("-g")?))
                .map_err(while_doing("giving a folder to the peer's user"))?;
        }
        Ok(folder)
    }
}

fn number(output: &Output) -> Result<u32, StartError> {
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    said.parse().map_err(|_| StartError::Failed { program: "id".to_owned(), said })
}

/// Runs a program to its end.
pub(super) fn run(command: &mut Command) -> Result<Output, StartError> {
    let output = command.output().map_err(while_doing("starting a program of a peer"))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(StartError::Failed { program: command.get_program().to_string_lossy().into_owned(), said })
}

/// The first of these places where the program is.
pub(super) fn installed(program: &'static str, further: &[PathBuf]) -> Result<PathBuf, StartError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = further.iter().cloned().chain(std::env::split_paths(&path));
    places.map(|folder| folder.join(program)).find(|file| file.is_file()).ok_or(StartError::NotInstalled { program })
}

/// A running server. Dropped, it is ended and its folder removed; if the bench is killed, the folder stays.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    ends_by: EndsBy,
    folder: TempDir,
}

impl Process {
    /// Starts it, and waits until its socket takes connections.
    pub(super) fn start(
        mut command: Command,
        folder: TempDir,
        socket: &Path,
        ends_by: EndsBy,
    ) -> Result<Self, StartError> {
        let log = folder.path().join("said.log");
        let file = File::create(&log).map_err(while_doing("making a peer's log"))?;
        let errors = file.try_clone().map_err(while_doing("making a peer's log"))?;
        command.stdin(Stdio::null()).stdout(file).stderr(errors).current_dir(folder.path());
        let child = command.spawn().map_err(while_doing("starting a peer"))?;
        let mut process = Self { child, ends_by, folder };
        let begin = Instant::now();
        while UnixStream::connect(socket).is_err() {
            let ended = process.child.try_wait().map_err(while_doing("looking after a peer"))?;
            if ended.is_some() || begin.elapsed() > START_MAX {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(StartError::Failed { program: format!("{command:?}"), said });
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(process)
    }

    /// Its folder.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn end(&mut self) -> io::Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, self.ends_by.signal())?;
        }
        let begin = Instant::now();
        while self.child.try_wait()?.is_none() {
            if begin.elapsed() > END_MAX {
                self.child.kill()?;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            println!("a peer could not be stopped: {error}");
        }
    }
}
