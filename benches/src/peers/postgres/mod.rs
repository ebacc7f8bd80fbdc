//! PostgreSQL: one function call for a reserve, under a lock on the item's row, synced to disk before it is told.
//!
//! Settings follow its makers' advice for a busy server of this size, with everything that durability needs left on
//! (`fsync`, `synchronous_commit`, `full_page_writes`), and what a single server without replicas may do without off.
//! The pool's size and `commit_delay` are swept by whoever measures. See [`Pooled`], [`Batched`].

mod batch;
mod pool;

pub use batch::Batched;
pub use pool::Pooled;

use super::process::{EndsBy, RunBy, StartError, installed as find, run};
use super::{Operate, PeerError, Process, Sale, Standing};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config, NoTls, Statement};

const SCHEMA: &str = include_str!("schema.sql");

const USER: &str = "bench";

/// Ends it in order, without waiting for whoever is connected.
const ENDS_BY: EndsBy = EndsBy::Interrupt;

/// Debian keeps each version's programs here.
const VERSIONS: &str = "/usr/lib/postgresql";

/// A PostgreSQL server of ours.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
}

/// How commits are made durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durability {
    /// How long a commit waits for others to share its sync, in microseconds (`commit_delay`).
    pub commit_delay_us: u32,
}

/// Whether its programs are here.
pub(super) fn installed() -> Result<(), StartError> {
    let versions = versions();
    ["initdb", "postgres"].into_iter().try_for_each(|program| find(program, &versions).map(drop))
}

impl Postgres {
    /// Starts one in a fresh folder below `parent`, which should lie on the disk that is measured and have a path short
    /// enough for a socket. It refuses root, so root has it run by the user `postgres`, who has to reach `parent`.
    ///
    /// # Errors
    /// [`PeerError::Start`] where it is not installed or does not come up.
    pub async fn start(parent: &Path) -> Result<Self, PeerError> {
        let versions = versions();
        let (initdb, server) = (find("initdb", &versions)?, find("postgres", &versions)?);
        let run_by = RunBy::UserNotRoot("postgres");
        let folder = run_by.folder(parent)?;
        let data = folder.path().join("data");
        let mut make = run_by.command(initdb, ENDS_BY);
        make.arg("--pgdata").arg(&data).current_dir(folder.path());
        make.args(["--username", USER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"]);
        run(&mut make)?;
        let mut command = run_by.command(server, ENDS_BY);
        command.arg("-D").arg(&data).arg("-k").arg(folder.path());
        for (setting, value) in SETTINGS {
            command.arg("-c").arg(format!("{setting}={value}"));
        }
        let socket = folder.path().join(".s.PGSQL.5432");
        let process = Process::start(command, folder, &socket, ENDS_BY)?;
        let postgres = Self { process };
        postgres.first_client().await?.batch_execute(SCHEMA).await?;
        Ok(postgres)
    }

    /// The socket takes connections a little before the server does.
    async fn first_client(&self) -> Result<Client, PeerError> {
        for _ in 0..100 {
            match self.connect(Durability::default()).await {
                Err(PeerError::Postgres(error))
                    if error.code() == Some(&tokio_postgres::error::SqlState::CANNOT_CONNECT_NOW) =>
                {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
                done => return done,
            }
        }
        self.connect(Durability::default()).await
    }

    /// Its version, as it tells it.
    ///
    /// # Errors
    /// [`PeerError::Postgres`]
    pub async fn version(&self) -> Result<String, PeerError> {
        let client = self.connect(Durability::default()).await?;
        Ok(client.query_one("SHOW server_version", &[]).await?.try_get(0)?)
    }

    /// One call for each reserve, over a pool of that many connections.
    ///
    /// # Errors
    /// [`PeerError::Postgres`]
    pub async fn pooled(&self, connections: usize, durability: Durability) -> Result<Pooled, PeerError> {
        let mut judges = Vec::new();
        for _ in 0..connections.max(1) {
            judges.push(Judge::new(self.connect(durability).await?).await?);
        }
        Ok(Pooled::new(judges))
    }

    /// One call for all the reserves that came while the call before it ran, on each of that many connections.
    ///
    /// # Errors
    /// [`PeerError::Postgres`]
    pub async fn batched(&self, connections: usize, durability: Durability) -> Result<Batched, PeerError> {
        let mut judges = Vec::new();
        for _ in 0..connections.max(1) {
            judges.push(Judge::new(self.connect(durability).await?).await?);
        }
        Ok(Batched::new(judges))
    }

    async fn connect(&self, Durability { commit_delay_us }: Durability) -> Result<Client, PeerError> {
        let (client, connection) = Config::new()
            .host_path(self.process.folder())
            .user(USER)
            .dbname("postgres")
            .options(format!("-c commit_delay={commit_delay_us}"))
            .connect(NoTls)
            .await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                println!("a connection to PostgreSQL broke: {error}");
            }
        });
        Ok(client)
    }
}

impl Operate for Postgres {
    async fn open(&self, sale: &Sale) -> Result<(), PeerError> {
        let client = self.connect(Durability::default()).await?;
        let insert = "INSERT INTO item (sku, phase, total, available, per_order, per_customer, hold_ms, line_max)
            VALUES ($1, 'open', $2, $2, $3, $4, $5, $6)";
        let Sale { sku, units, hold_ms, per_order, per_customer, line_max } = sale;
        client.execute(insert, &[sku, units, per_order, per_customer, hold_ms, line_max]).await?;
        Ok(())
    }

    async fn standing(&self, sku: &str) -> Result<Standing, PeerError> {
        let client = self.connect(Durability::default()).await?;
        let row = client.query_one("SELECT total, available, held, waiting FROM item WHERE sku = $1", &[&sku]).await?;
        let [total, available, held, waiting] = [row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?];
        Ok(Standing { total, available, held, waiting })
    }
}

/// Where its programs may be, the newest version first.
fn versions() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    let number = |path: &PathBuf| path.file_name().and_then(OsStr::to_str).and_then(|name| name.parse::<u32>().ok());
    found.sort_by_key(|path| core::cmp::Reverse(number(path)));
    found.iter().map(|path| path.join("bin")).collect()
}

const SETTINGS: [(&str, &str); 26] = [
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0777"),
    ("max_connections", "200"),
    // Durable.
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    ("wal_sync_method", "fdatasync"),
    // A single server: nothing is kept for replicas.
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    // A commit delay counts as soon as another transaction is open.
    ("commit_siblings", "1"),
    ("wal_buffers", "64MB"),
    ("min_wal_size", "1GB"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "30min"),
    ("checkpoint_completion_target", "0.9"),
    ("shared_buffers", "1GB"),
    ("effective_cache_size", "3GB"),
    ("huge_pages", "try"),
    ("autovacuum_naptime", "10s"),
    // Measuring itself costs it.
    ("track_activities", "off"),
    ("track_counts", "on"),
    ("track_io_timing", "off"),
    // One plan for a call that is always the same.
    ("plan_cache_mode", "force_generic_plan"),
    ("jit", "off"),
    ("max_parallel_workers_per_gather", "0"),
    ("random_page_cost", "1.1"),
];

/// A connection that judges reserves.
struct Judge {
    client: Client,
    call: Statement,
}

impl Judge {
    async fn new(client: Client) -> Result<Self, PeerError> {
        let types = [Type::TEXT, Type::TEXT_ARRAY, Type::TEXT_ARRAY, Type::INT4_ARRAY, Type::BOOL_ARRAY, Type::INT4];
        let call = client.prepare_typed("SELECT reserve($1, $2, $3, $4, $5, $6)", &types).await?;
        Ok(Self { client, call })
    }
}
