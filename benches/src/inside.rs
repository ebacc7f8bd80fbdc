//! Inside a contestant's process: serves until it is told to stop. The shipped server is not here; it is itself.
//!
//! What only a bench wants (a log in memory, syncs left out) is put together here from the crates, so that the shipped
//! server has no switch for it.

use crate::contestant::Contestant;
use crate::peers::contest;
use crate::reply;
use anyhow::{Context, Result};
use api::{ApiConfig, Token};
use axum::Router;
use axum::routing::post;
use axum::serve::ListenerExt;
use domain::ids::PartitionNo;
use engine::{Engine, EngineConfig, FollowUpStore, Unrecovered};
use eventlog::data_dir::DataDir;
use eventlog::{DiskLog, DiskOptions, LogId, MemoryDisk, MemoryLog, PartitionCount, StorageEngine};
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// The tokens of a server that lives for seconds on a loopback address.
const TOKEN: &str = "the-bench-is-its-operator";

/// Serves as this contestant, on a directory that is new or was its own.
///
/// # Errors
/// When it cannot start.
pub fn serve(contestant: Contestant, dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match contestant {
            Contestant::Axum => plain().await,
            Contestant::Noop => behind_our_front(Router::new().route(reply::ROUTE, post(reply::held))).await,
            Contestant::Actor => engine(Logged { unrecovered: in_memory()?, data_dir: None }, dir).await,
            Contestant::Unsynced => engine(without_sync(dir, StorageEngine::Sled)?, dir).await,
            Contestant::UnsyncedFjall => engine(without_sync(dir, StorageEngine::Fjall)?, dir).await,
            Contestant::Redis | Contestant::Postgres | Contestant::PostgresBatched => peer(contestant, dir).await,
            Contestant::Durable | Contestant::DurableFjall => anyhow::bail!("the shipped server is started as itself"),
        }
    })
}

fn say_ready(listeners: &[(&str, &TcpListener)]) -> Result<()> {
    for (whom, listener) in listeners {
        println!("{whom}: http://{}", listener.local_addr()?);
    }
    println!("Ready.");
    Ok(())
}

async fn any_port() -> Result<TcpListener> {
    TcpListener::bind("127.0.0.1:0").await.context("no port on the loopback address")
}

async fn told_to_stop() -> Result<()> {
    signal(SignalKind::terminate())?.recv().await;
    Ok(())
}

/// As anybody would start axum.
async fn plain() -> Result<()> {
    let listener = any_port().await?;
    say_ready(&[("Customers", &listener)])?;
    let listener = listener.tap_io(|stream| {
        // Without it a refusal of the option would only make answers late.
        let _late = stream.set_nodelay(true);
    });
    let router = Router::new().route(reply::ROUTE, post(reply::held));
    tokio::select! {
        ended = axum::serve(listener, router).into_future() => ended.context("axum ended"),
        told = told_to_stop() => told,
    }
}

/// Routes of somebody else's behind the server's own accept loop and front.
async fn behind_our_front(router: Router) -> Result<()> {
    let listener = any_port().await?;
    say_ready(&[("Customers", &listener)])?;
    serve_behind_our_front(listener, router).await
}

async fn serve_behind_our_front(listener: TcpListener, router: Router) -> Result<()> {
    // For its clock alone.
    let (engine, _report) = Engine::open_logs(vec![in_memory()?], &EngineConfig::default(), None)?;
    let stop = async {
        // A signal that cannot be waited for ends it at once.
        let _told = told_to_stop().await;
    };
    api::serve_router(listener, router, engine.clone(), config()?, stop).await;
    engine.close().await;
    Ok(())
}

/// A peer: its server as a child of this process, its customers behind our front, its operators beside it.
async fn peer(who: Contestant, dir: &Path) -> Result<()> {
    // The sweep for its best settings takes a while; beside the data directories it leaves what it found.
    let found = dir.with_file_name(format!("{who}.best"));
    let told = std::fs::read_to_string(&found).ok();
    let served = match who {
        Contestant::Redis => contest::redis(dir, told.as_deref().and_then(|text| text.parse().ok())).await?,
        Contestant::Postgres => contest::postgres(dir, told.as_deref().and_then(|text| text.parse().ok())).await?,
        _ => contest::postgres_batched(dir).await?,
    };
    std::fs::write(&found, &served.setting)?;
    std::fs::write(dir.join("admin-token"), TOKEN)?;
    println!("{}", served.words);
    let (public, admin) = (any_port().await?, any_port().await?);
    say_ready(&[("Customers", &public), ("Operators", &admin)])?;
    let operators = tokio::spawn(axum::serve(admin, served.operators).into_future());
    let ended = serve_behind_our_front(public, served.customers).await;
    operators.abort();
    ended
}

/// The engine on such a log, behind the whole API.
async fn engine(log: Logged, dir: &Path) -> Result<()> {
    let (public, admin) = (any_port().await?, any_port().await?);
    let (engine, _report) = Engine::open_logs(vec![log.unrecovered], &EngineConfig::default(), log.data_dir)?;
    std::fs::write(dir.join("admin-token"), TOKEN)?;
    say_ready(&[("Customers", &public), ("Operators", &admin)])?;
    let stop = async {
        let _told = told_to_stop().await;
    };
    api::serve(public, admin, engine.clone(), config()?, stop).await;
    engine.close().await;
    Ok(())
}

fn config() -> Result<ApiConfig> {
    Ok(ApiConfig::new(Token::parse(TOKEN)?, Token::parse(TOKEN)?))
}

/// A log and what keeps its directory locked.
struct Logged {
    unrecovered: Unrecovered,
    data_dir: Option<DataDir>,
}

fn in_memory() -> Result<Unrecovered> {
    Ok(Unrecovered {
        partition: PartitionNo(0),
        log: Box::new(MemoryLog::open(MemoryDisk::new(LogId::random()))),
        snapshots: None,
        follow_ups: FollowUpStore::memory(),
    })
}

/// The shipped server's log, written like it and never synced: its own sync left out, sled's given nothing to do by the
/// file system in memory on which the bench starts it.
fn without_sync(dir: &Path, storage: StorageEngine) -> Result<Logged> {
    let data_dir = DataDir::open(dir, PartitionCount::ONE)?;
    let place = data_dir.partitions().next().context("there is one partition")?;
    let options = DiskOptions { engine: storage, sync: Arc::new(|_| Ok(())), ..DiskOptions::default() };
    let log = DiskLog::open(&place.path, place.log_id, options)?;
    let unrecovered = Unrecovered {
        partition: place.no,
        snapshots: Some(log.snapshots()),
        log: Box::new(log),
        follow_ups: FollowUpStore::File(place.path.join("follow-ups.json")),
    };
    Ok(Logged { unrecovered, data_dir: Some(data_dir) })
}
