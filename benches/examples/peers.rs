//! The peers at work: each is started, swept over its settings, loaded and stopped; operations a second are printed.
//!
//! `cargo run --release -p benches --example peers [seconds of each run] [clients] [redis|bare|postgres]`. The load is a small closed loop,
//! enough to see that a peer works and which of its settings is its best; figures to be compared are the bench's.

use benches::peers::{Durability, Operate, PeerError, Postgres, Redis, Reserve, Sale, front, sweep};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// More than any of them grants in a run.
const UNITS: i32 = 1_000_000_000;

#[derive(Clone, Copy)]
struct Plan {
    length: Duration,
    clients: usize,
}

#[tokio::main]
async fn main() -> Result<(), PeerError> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>().ok());
    let mut number = |usual| arguments.next().flatten().unwrap_or(usual);
    let (seconds, clients) = (number(4), number(256));
    let plan = Plan { length: Duration::from_secs(seconds as u64), clients };
    println!("{clients} clients, {seconds} s each, after 1 s of warm-up");
    let wanted = std::env::args().nth(3);
    let is_wanted = |name| wanted.as_deref().is_none_or(|wanted| wanted == name);
    if is_wanted("redis") {
        or_skipped(redis(plan).await)?;
    }
    if is_wanted("bare") {
        or_skipped(bare(plan).await)?;
    }
    if is_wanted("postgres") {
        or_skipped(postgres(plan).await)?;
    }
    Ok(())
}

fn or_skipped(ended: Result<(), PeerError>) -> Result<(), PeerError> {
    match ended {
        Err(error) if error.is_not_installed() => println!("{error}"),
        ended => ended?,
    }
    Ok(())
}

fn folder() -> PathBuf {
    std::env::var_os("PEERS_DIR").map_or_else(std::env::temp_dir, PathBuf::from)
}

async fn redis(plan: Plan) -> Result<(), PeerError> {
    let redis = Redis::start(&folder()).await?;
    println!("Redis {}, appendfsync always", redis.version().await?);
    for connections in sweep::PIPELINES {
        let peer = redis.pipelined(connections).await?;
        run(&redis, peer, plan, &format!("over HTTP, {connections} pipelined connections")).await?;
    }
    Ok(())
}

async fn bare(plan: Plan) -> Result<(), PeerError> {
    let redis = Redis::start(&folder()).await?;
    redis.open(&Sale::usual("bare", UNITS)).await?;
    let bare = redis.bare().operations_per_s("bare", plan.clients, Duration::from_secs(1), plan.length).await?;
    println!("{bare:>10.0} /s  bare, over its own protocol");
    Ok(())
}

async fn postgres(plan: Plan) -> Result<(), PeerError> {
    let postgres = Postgres::start(&folder()).await?;
    println!("PostgreSQL {}, synchronous_commit on", postgres.version().await?);
    for commit_delay_us in sweep::COMMIT_DELAYS_US {
        for connections in sweep::POOLS {
            let peer = postgres.pooled(connections, Durability { commit_delay_us }).await?;
            let name = format!("over HTTP, pool of {connections}, commit_delay {commit_delay_us}");
            run(&postgres, peer, plan, &name).await?;
        }
    }
    let trial = sweep::Trial { clients: plan.clients, length: Duration::from_millis(500) };
    let sweep::Tried { setting, per_s } = sweep::postgres(&postgres, trial).await?;
    println!("{per_s:>10.0} /s  without HTTP, what the sweep takes for the best: {setting:?}");
    let peer = postgres.batched(1, Durability::default()).await?;
    run(&postgres, peer, plan, "over HTTP, batched").await
}

/// Loads a peer behind the front, on an item of its own, and prints what came of it.
async fn run(operator: &impl Operate, peer: impl Reserve, plan: Plan, name: &str) -> Result<(), PeerError> {
    let sku = name.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    operator.open(&Sale::usual(&sku, UNITS)).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(front::serve(listener, peer));
    let rate = load(address, &sku, plan).await?;
    server.abort();
    let standing = operator.standing(&sku).await?;
    let fits = standing.available.checked_add(standing.held) == Some(standing.total) && standing.waiting == 0;
    println!("{rate:>10.0} /s  {name}{}", if fits { "" } else { "  (its counts do not fit!)" });
    Ok(())
}

#[derive(Default)]
struct Shared {
    done: AtomicU64,
    over: AtomicBool,
}

async fn load(address: SocketAddr, sku: &str, plan: Plan) -> Result<f64, PeerError> {
    let shared = Arc::new(Shared::default());
    let mut clients = JoinSet::new();
    for number in 0..plan.clients {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        clients.spawn(client(stream, sku.to_owned(), number, Arc::clone(&shared)));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (begin, before) = (Instant::now(), shared.done.load(Ordering::Relaxed));
    tokio::time::sleep(plan.length).await;
    let (taken, after) = (begin.elapsed(), shared.done.load(Ordering::Relaxed));
    shared.over.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended.map_err(|_| PeerError::Stopped)??;
    }
    Ok(after.saturating_sub(before) as f64 / taken.as_secs_f64())
}

async fn client(mut stream: TcpStream, sku: String, client: usize, shared: Arc<Shared>) -> Result<(), PeerError> {
    let mut answer = Vec::with_capacity(2_048);
    for number in 0_u64.. {
        if shared.over.load(Ordering::Relaxed) {
            break;
        }
        let request = format!(
            "POST /v1/items/{sku}/reservations HTTP/1.1\r\nhost: peer\r\nx-customer-id: c{client}-{number}\r\n\
             idempotency-key: k{client:08}-{number:016}\r\ncontent-type: application/json\r\ncontent-length: 14\r\n\r\n\
             {{\"quantity\":1}}"
        );
        stream.write_all(request.as_bytes()).await?;
        answer.clear();
        // An answer is one object, and nothing comes behind it before the next request.
        while !answer.ends_with(b"}") {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err(PeerError::Stopped);
            }
        }
        if !answer.starts_with(b"HTTP/1.1 201") {
            return Err(PeerError::Nonsense(String::from_utf8_lossy(&answer).into_owned()));
        }
        shared.done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
