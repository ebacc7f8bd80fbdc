//! The whole server as a host of the simulated network: the HTTP front and the engine, on a log in memory.

use api::{Accept, ApiConfig, Token, serve};
use domain::ids::PartitionNo;
use domain::time::{DurationMs, Timestamp};
use engine::commit::CommitOn;
use engine::{Engine, EngineConfig, FollowUpStore, Unrecovered};
use eventlog::{MemoryDisk, MemoryLog};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use turmoil::net::{TcpListener, TcpStream};

/// Its name on the network.
pub(crate) const HOST: &str = "shop";
/// Where customers ask.
pub(crate) const PUBLIC: u16 = 8_080;
/// Where operators ask.
pub(crate) const ADMIN: u16 = 9_090;
/// What operators show.
pub(crate) const OPERATOR: &str = "operator-token-0123456789";
/// What backends show.
pub(crate) const SERVICE: &str = "service-token-0123456789";

/// A listening socket of the simulated network.
struct Simulated(TcpListener);

impl Accept for Simulated {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, IpAddr)> {
        let (stream, peer) = self.0.accept().await?;
        Ok((stream, peer.ip()))
    }
}

/// One life of the server: recovers the disk, serves, and ends when its log fails, as the program does.
pub(crate) async fn live(disk: MemoryDisk) -> turmoil::Result {
    let log = Unrecovered {
        partition: PartitionNo(0),
        log: Box::new(MemoryLog::open(disk)),
        snapshots: None,
        follow_ups: FollowUpStore::memory(),
    };
    let config = EngineConfig {
        restart_grace: DurationMs::from_millis(500),
        // The network's clock, which goes on while the server is down.
        wall_clock: Arc::new(|| {
            let now = turmoil::since_epoch().unwrap_or_default();
            Timestamp::from_millis(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
        }),
        commit_on: CommitOn::Task,
        ..EngineConfig::default()
    };
    let (engine, report) = Engine::open_logs(vec![log], &config, None)?;
    assert!(report.partitions.iter().all(|partition| partition.broken.is_empty()), "{report:?}");
    let mut front = ApiConfig::new(Token::parse(OPERATOR)?, Token::parse(SERVICE)?);
    front.gateway.peers = vec!["0.0.0.0/0".parse()?];
    let public = Simulated(TcpListener::bind(("0.0.0.0", PUBLIC)).await?);
    let admin = Simulated(TcpListener::bind(("0.0.0.0", ADMIN)).await?);
    let mut failure = engine.failure();
    tokio::select! {
        _never = serve(public, admin, engine.clone(), front, std::future::pending()) => {}
        _failed = failure.wait_for(Option::is_some) => {}
    }
    Ok(())
}
