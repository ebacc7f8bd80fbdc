//! The shipped binary as a process of its own, on a data directory of the test's.

use crate::client::Client;
use anyhow::{Context, Result, bail};
pub use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// The last line of its greeting.
const READY: &str = "Ready.";

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// What it printed until it was ready.
    pub greeting: Vec<String>,
    /// A client of it.
    pub client: Client,
    later: JoinHandle<Vec<String>>,
    complaints: JoinHandle<String>,
}

/// How a server ended.
#[derive(Clone, Debug)]
pub struct Ending {
    /// Its exit code; none after a signal that it did not catch.
    pub code: Option<i32>,
    /// What it printed after it was ready.
    pub said: Vec<String>,
    /// What it wrote to standard error.
    pub complained: String,
}

/// The binary, built from this tree with this profile.
///
/// # Panics
/// If it cannot be built.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let test = std::env::current_exe().expect("a test has a path");
        // target/<profile>/deps/<test>
        let profile = test.parent().and_then(Path::parent).expect("tests are built into deps").to_path_buf();
        let mut build = std::process::Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
        build.args(["build", "--quiet", "-p", "holdfast", "--target-dir"]);
        build.arg(profile.parent().expect("a profile lies in the target directory"));
        if profile.ends_with("release") {
            build.arg("--release");
        }
        build.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
        assert!(build.status().expect("cargo runs").success(), "the binary could not be built");
        profile.join("holdfast")
    })
}

impl Server {
    /// Starts it and waits until it says where it listens.
    ///
    /// # Errors
    /// When it ends before that; the error holds what it printed.
    pub async fn start(data_dir: &Path) -> Result<Self> {
        Self::start_as(Command::new(binary()), data_dir, &[]).await
    }

    /// Starts `command` (the binary, or something that runs it) with `serve` and more arguments.
    ///
    /// # Errors
    /// When it ends before it is ready.
    pub async fn start_as(mut command: Command, data_dir: &Path, more: &[&str]) -> Result<Self> {
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data-dir"])
            .arg(data_dir)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().context("the server does not start")?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let mut stderr = child.stderr.take().context("stderr is piped")?;
        let mut lines = BufReader::new(stdout).lines();
        let (mut greeting, mut public, mut admin) = (Vec::new(), None, None);
        while greeting.last().is_none_or(|line: &String| line != READY) {
            let Some(line) = lines.next_line().await? else {
                let mut said = String::new();
                tokio::io::AsyncReadExt::read_to_string(&mut stderr, &mut said).await?;
                let status = child.wait().await?;
                bail!("the server ended with {status} before it was ready:\n{}\n{said}", greeting.join("\n"));
            };
            // One address a line: customers first, then operators.
            if let Some(at) = line.find("http://127.0.0.1:") {
                let url = line.get(at..).unwrap_or_default().split_whitespace().next().unwrap_or_default();
                let url = url.trim_end_matches(['/', '.', ',']).to_owned();
                if public.is_none() { public = Some(url) } else { admin = Some(url) }
            }
            greeting.push(line);
        }
        // Whatever it says later must not fill the pipes and stop it.
        let later = tokio::spawn(async move {
            let mut said = Vec::new();
            while let Ok(Some(line)) = lines.next_line().await {
                said.push(line);
            }
            said
        });
        let complaints = tokio::spawn(async move {
            let mut said = Vec::new();
            let _what_came_counts = tokio::io::AsyncReadExt::read_to_end(&mut stderr, &mut said).await;
            String::from_utf8_lossy(&said).into_owned()
        });
        let token = |name: &str| std::fs::read_to_string(data_dir.join(name)).map(|text| text.trim().to_owned());
        let client = Client::new(
            public.unwrap_or_default(),
            admin.unwrap_or_default(),
            token("admin-token").context("no admin token")?,
            token("service-token").context("no service token")?,
        );
        Ok(Self { child, greeting, client, later, complaints })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// `kill -9`, and waits until it is gone.
    ///
    /// # Errors
    /// When the process cannot be reached.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("kill -9")
    }

    /// SIGTERM, and waits until it has ended; its exit code.
    ///
    /// # Errors
    /// When the process cannot be reached.
    pub async fn stop(self) -> Result<Option<i32>> {
        self.terminate()?;
        Ok(self.ended().await?.code)
    }

    /// SIGTERM, without waiting for what it does about it.
    ///
    /// # Errors
    /// When the process cannot be reached.
    pub fn terminate(&self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// Any signal, without waiting for what comes of it.
    ///
    /// # Errors
    /// When the process cannot be reached.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.pid().and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?));
        Ok(rustix::process::kill_process(pid.context("it runs")?, signal)?)
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When the process cannot be reached.
    pub async fn ended(mut self) -> Result<Ending> {
        let code = self.child.wait().await?.code();
        Ok(Ending { code, said: self.later.await?, complained: self.complaints.await? })
    }
}
