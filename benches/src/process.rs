//! A contestant as a process: started on a directory of its own, ready when it says so, stopped by a signal.

use crate::contestant::Contestant;
use crate::cores::Cores;
use crate::neighbours::MILLIS_PER_TICK;
use crate::operator::Operator;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How the processes are started.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The shipped binary.
    pub server: PathBuf,
    /// The program and the arguments that start another contestant when its name and `--data-dir` are added.
    pub contestant: Vec<OsString>,
}

/// A contestant that runs.
#[derive(Debug)]
pub struct Running {
    contestant: Contestant,
    child: Child,
    /// Where customers are served.
    pub public: SocketAddr,
    /// Who makes its items, if it has any.
    pub operator: Option<Operator>,
    /// From the start of the process until it was ready.
    pub ready_after: Duration,
    /// Where it keeps its data.
    pub dir: PathBuf,
}

/// How a contestant is started, where that is not as usual.
#[derive(Clone, Copy, Debug, Default)]
pub struct How<'h> {
    /// Another program that becomes it, as a tool of valgrind does: its name and its options.
    pub under: &'h [OsString],
    /// Settings of its own.
    pub flags: &'h [String],
}

/// What a process has in memory, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Now.
    pub resident: u64,
    /// The most it ever had.
    pub most: u64,
}

/// What takes less than a fiftieth of a processor for so long does nothing.
const RESTS_FOR: Duration = Duration::from_secs(1);

/// A snapshot of a million takes seconds.
const RESTS_WITHIN: Duration = Duration::from_secs(180);

impl Running {
    /// Starts a contestant on a directory, a new one or one that it left.
    ///
    /// # Errors
    /// When it ends before it is ready; the error holds what it said.
    pub fn start(contestant: Contestant, programs: &Programs, dir: &Path, cores: Option<Cores>) -> Result<Self> {
        Self::start_as(How::default(), contestant, programs, dir, cores)
    }

    /// The same in another way.
    ///
    /// # Errors
    /// When it ends before it is ready; the error holds what it said.
    pub fn start_as(
        how: How<'_>,
        contestant: Contestant,
        programs: &Programs,
        dir: &Path,
        cores: Option<Cores>,
    ) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let complaints = dir.with_extension("stderr");
        let began = Instant::now();
        let mut command = wrapped(how.under, command(contestant, programs)?);
        command.args(how.flags).arg("--data-dir").arg(dir).stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(File::create(&complaints)?);
        let spawn = move || {
            if let Some(cores) = cores {
                cores.keep_this_thread_to()?;
            }
            Ok::<Child, anyhow::Error>(command.spawn()?)
        };
        // On a thread of its own: a process inherits the processors of the thread that starts it.
        let spawned = std::thread::spawn(spawn).join().unwrap_or_else(|_| bail!("a panic"));
        let mut child = spawned.with_context(|| format!("{contestant} does not start"))?;
        let stdout = child.stdout.take().context("its output is piped")?;
        let mut addresses = Vec::new();
        let mut lines = BufReader::new(stdout).lines();
        loop {
            let Some(line) = lines.next().transpose()? else {
                let (status, said) = (child.wait()?, std::fs::read_to_string(&complaints).unwrap_or_default());
                bail!("{contestant} ended with {status} before it was ready: {said}");
            };
            if line.starts_with("Ready") {
                break;
            }
            addresses.extend(line.split_once("http://").and_then(|(_, rest)| rest.trim().parse::<SocketAddr>().ok()));
        }
        let ready_after = began.elapsed();
        // Whatever it says later must not fill the pipe and stop it.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let operator = match addresses.get(1) {
            Some(&admin) => {
                let token = std::fs::read_to_string(dir.join("admin-token")).context("no operators' token")?;
                Some(Operator::new(admin, token.trim().to_owned()))
            }
            None => None,
        };
        let public = *addresses.first().context("it did not say where it listens")?;
        Ok(Self { contestant, child, public, operator, ready_after, dir: dir.to_owned() })
    }

    /// Who it is.
    #[must_use]
    pub const fn contestant(&self) -> Contestant {
        self.contestant
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What a backend shows that may report money.
    ///
    /// # Errors
    /// When it is a contestant that has none.
    pub fn service_token(&self) -> Result<String> {
        let token = std::fs::read_to_string(self.dir.join("service-token")).context("no services' token")?;
        Ok(token.trim().to_owned())
    }

    /// Processor time it has taken so far, all threads, and that of the processes it has started: a peer's server is one.
    ///
    /// # Errors
    /// When it is gone.
    pub fn cpu(&self) -> Result<Duration> {
        let mut known = BTreeMap::new();
        for entry in std::fs::read_dir("/proc")? {
            let pid = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
            // Some end while one looks.
            let stat = pid.and_then(|pid| Some((pid, std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)));
            known.extend(stat.and_then(|(pid, stat)| Some((pid, parent_and_ticks(&stat)?))));
        }
        let mut family = vec![self.child.id()];
        let mut ticks = 0_u64;
        let mut next = 0;
        while let Some(&member) = family.get(next) {
            next += 1;
            ticks += known.get(&member).map_or(0, |(_, ticks)| *ticks);
            family.extend(known.iter().filter(|(_, (parent, _))| *parent == member).map(|(pid, _)| *pid));
        }
        anyhow::ensure!(known.contains_key(&self.child.id()), "{} is gone", self.contestant);
        Ok(Duration::from_millis(MILLIS_PER_TICK.saturating_mul(ticks)))
    }

    /// What it has in memory.
    ///
    /// # Errors
    /// When it is gone.
    pub fn memory(&self) -> Result<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let bytes = |field: &str| -> Result<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            let kib: u64 = line.context("a process has memory")?.trim().trim_end_matches(" kB").parse()?;
            Ok(kib * 1024)
        };
        Ok(Memory { resident: bytes("VmRSS:")?, most: bytes("VmHWM:")? })
    }

    /// Waits until it does nothing any more, of what nobody waits for either: it folds a snapshot, for example.
    ///
    /// # Errors
    /// When it is gone, or busy for minutes.
    pub fn rest(&self) -> Result<()> {
        let until = Instant::now() + RESTS_WITHIN;
        let mut before = self.cpu()?;
        loop {
            std::thread::sleep(RESTS_FOR);
            let now = self.cpu()?;
            if now.saturating_sub(before) <= RESTS_FOR / 50 {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < until, "{} does not come to rest", self.contestant);
            before = now;
        }
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("it has a process id")?;
        kill_process(pid, signal).with_context(|| format!("{} cannot be signalled", self.contestant))
    }

    /// Ends it in order, and gives its directory.
    ///
    /// # Errors
    /// When it does not end well.
    pub fn stop(mut self) -> Result<PathBuf> {
        self.signal(Signal::TERM)?;
        let status = self.child.wait()?;
        if !status.success() {
            let said = std::fs::read_to_string(self.dir.with_extension("stderr")).unwrap_or_default();
            bail!("{} ended with {status}: {said}", self.contestant);
        }
        Ok(std::mem::take(&mut self.dir))
    }

    /// `kill -9`, and gives its directory.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub fn kill(mut self) -> Result<PathBuf> {
        self.child.kill()?;
        let _status: ExitStatus = self.child.wait()?;
        Ok(std::mem::take(&mut self.dir))
    }
}

/// Who started a process, and the processor time it has taken, with that of its children that have ended.
fn parent_and_ticks(stat: &str) -> Option<(u32, u64)> {
    // Behind the name, which is in brackets and may hold anything: the state is field 3, the parent 4, times 14 to 17.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let parent = fields.get(1)?.parse().ok()?;
    let ticks = fields.get(11..15)?.iter().filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Some((parent, ticks))
}

impl Drop for Running {
    fn drop(&mut self) {
        // Stopped already, or nobody needs it any more.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn wrapped(wrapper: &[OsString], command: Command) -> Command {
    let Some((program, options)) = wrapper.split_first() else { return command };
    let mut outer = Command::new(program);
    outer.args(options).arg(command.get_program()).args(command.get_args());
    outer
}

fn command(contestant: Contestant, programs: &Programs) -> Result<Command> {
    Ok(match contestant {
        Contestant::Durable | Contestant::DurableFjall => {
            let mut command = Command::new(&programs.server);
            command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
            if contestant == Contestant::DurableFjall {
                command.args(["--log", "fjall"]);
            }
            command
        }
        Contestant::Axum
        | Contestant::Noop
        | Contestant::Actor
        | Contestant::Unsynced
        | Contestant::UnsyncedFjall
        | Contestant::Redis
        | Contestant::Postgres
        | Contestant::PostgresBatched => {
            let (program, arguments) = programs.contestant.split_first().context("no program for contestants")?;
            let mut command = Command::new(program);
            command.args(arguments).arg(contestant.name());
            command
        }
    })
}
