//! Redis: one script, every acceptance synced to disk before it is told, over one pipelined connection.
//!
//! Its settings follow its makers' advice for durability (`appendonly yes`, `appendfsync always`, no snapshots) and for
//! speed (a unix socket, a script cached by its hash, many requests in flight on a connection). The log is never
//! rewritten while it is measured, and no latencies are tracked, in its favour.

mod bare;

pub use bare::Bare;

use super::process::{EndsBy, RunBy, installed};
use super::{Ask, HAPPEN_MAX, Operate, PeerError, Process, Reserve, Said, Sale, Standing};
use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, Cmd, ConnectionAddr, IntoConnectionInfo as _};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::path::{Path, PathBuf};

const SCRIPT: &str = include_str!("reserve.lua");

/// Ends it in order.
const ENDS_BY: EndsBy = EndsBy::Terminate;

/// Requests on the way to a connection's task: more than any bench has clients, so that none waits for room.
const IN_FLIGHT_MAX: usize = 4_096;

/// What is written to the socket at once, at most: every request of a thousand clients.
const WRITE_BYTES_MAX: usize = 256 * 1_024;

/// A Redis server of ours.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    script: String,
}

impl Redis {
    /// Starts one in a fresh folder below `parent`, which should lie on the disk that is measured and have a path short
    /// enough for a socket.
    ///
    /// # Errors
    /// [`PeerError::Start`] where it is not installed or does not come up.
    pub async fn start(parent: &Path) -> Result<Self, PeerError> {
        let program = installed("redis-server", &[])?;
        let folder = RunBy::Caller.folder(parent)?;
        let socket = socket_in(folder.path());
        let mut command = RunBy::Caller.command(program, ENDS_BY);
        command.arg("--unixsocket").arg(&socket).arg("--dir").arg(folder.path());
        for (setting, value) in SETTINGS {
            command.arg(format!("--{setting}")).arg(value);
        }
        let process = Process::start(command, folder, &socket, ENDS_BY)?;
        let script = Cmd::new().arg("SCRIPT").arg("LOAD").arg(SCRIPT).query_async(&mut connect(&socket).await?).await?;
        Ok(Self { process, script })
    }

    /// Its version, as it tells it.
    ///
    /// # Errors
    /// [`PeerError::Redis`]
    pub async fn version(&self) -> Result<String, PeerError> {
        let info: String = Cmd::new().arg("INFO").arg("server").query_async(&mut self.connect().await?).await?;
        Ok(info.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or("unknown").to_owned())
    }

    /// What speaks to it over that many pipelined connections.
    ///
    /// # Errors
    /// [`PeerError::Redis`]
    pub async fn pipelined(&self, connections: usize) -> Result<Pipelined, PeerError> {
        let mut open = Vec::new();
        for _ in 0..connections.max(1) {
            open.push(self.connect().await?);
        }
        Ok(Pipelined { connections: open, next: AtomicUsize::new(0), script: self.script.clone() })
    }

    /// What loads it without any front.
    #[must_use]
    pub fn bare(&self) -> Bare {
        Bare { socket: socket_in(self.process.folder()), script: self.script.clone() }
    }

    async fn connect(&self) -> Result<MultiplexedConnection, PeerError> {
        connect(&socket_in(self.process.folder())).await
    }
}

impl Operate for Redis {
    async fn open(&self, sale: &Sale) -> Result<(), PeerError> {
        let mut command = Cmd::new();
        command.arg("HSET").arg(item_key(&sale.sku)).arg("phase").arg("open");
        let numbers: [(&str, i64); 11] = [
            ("total", sale.units.into()),
            ("available", sale.units.into()),
            ("held", 0),
            ("waiting", 0),
            ("next", 0),
            ("sequence", 2),
            ("due", 0),
            ("per_order", sale.per_order.into()),
            ("per_customer", sale.per_customer.into()),
            ("hold_ms", sale.hold_ms),
            ("line_max", sale.line_max.into()),
        ];
        for (name, number) in numbers {
            command.arg(name).arg(number);
        }
        command.exec_async(&mut self.connect().await?).await?;
        Ok(())
    }

    async fn standing(&self, sku: &str) -> Result<Standing, PeerError> {
        let mut command = Cmd::new();
        command.arg("HMGET").arg(item_key(sku)).arg("total").arg("available").arg("held").arg("waiting");
        let (total, available, held, waiting) = command.query_async(&mut self.connect().await?).await?;
        Ok(Standing { total, available, held, waiting })
    }
}

const SETTINGS: [(&str, &str); 12] = [
    ("port", "0"),
    ("daemonize", "no"),
    ("save", ""),
    ("appendonly", "yes"),
    ("appendfsync", "always"),
    ("auto-aof-rewrite-percentage", "0"),
    ("maxclients", "4096"),
    ("tcp-backlog", "1024"),
    ("latency-tracking", "no"),
    ("slowlog-log-slower-than", "-1"),
    ("maxmemory-policy", "noeviction"),
    ("loglevel", "warning"),
];

fn socket_in(folder: &Path) -> PathBuf {
    folder.join("redis.sock")
}

fn item_key(sku: &str) -> String {
    format!("{{{sku}}}item")
}

/// The keys of an item, all in one slot.
fn keys(sku: &str) -> [String; 5] {
    ["item", "reservations", "customers", "holds", "line"].map(|name| format!("{{{sku}}}{name}"))
}

async fn connect(socket: &Path) -> Result<MultiplexedConnection, PeerError> {
    let address = ConnectionAddr::Unix(socket.to_owned()).into_connection_info()?;
    let config = AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_pipeline_buffer_size(IN_FLIGHT_MAX)
        .set_write_backpressure_boundary(WRITE_BYTES_MAX);
    Ok(Client::open(address)?.get_multiplexed_async_connection_with_config(&config).await?)
}

/// Reserves by one call of the script, many in flight on each connection.
pub struct Pipelined {
    connections: Vec<MultiplexedConnection>,
    next: AtomicUsize,
    script: String,
}

impl Reserve for Pipelined {
    async fn reserve(&self, ask: &Ask) -> Result<Said, PeerError> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(self.connections.len()).unwrap_or(0);
        let mut connection = self.connections.get(turn).ok_or(PeerError::Stopped)?.clone();
        let keys = keys(&ask.sku);
        let mut command = Cmd::new();
        command.arg("EVALSHA").arg(&self.script).arg(keys.len());
        keys.iter().for_each(|key| {
            command.arg(key);
        });
        command.arg(&ask.customer).arg(&ask.key).arg(ask.quantity).arg(i32::from(ask.wait)).arg(HAPPEN_MAX);
        let line: String = command.query_async(&mut connection).await?;
        Said::parse(&line)
    }
}
