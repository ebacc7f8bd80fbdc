//! The server: two listeners, and how they end.
//!
//! `axum::serve` installs no timer, so its header timeouts never fire and slow clients hold connections for ever;
//! hence an accept loop of our own.

mod accept;
mod connection;
mod listener;
mod socket;

pub use accept::Accept;

use crate::app::{App, Stage};
use crate::config::ApiConfig;
use crate::front::{Front, Serves};
use crate::request_id::RequestIds;
use crate::routes;
use axum::Router;
use engine::handle::Engine;
use listener::Listener;
use std::sync::Arc;
use tokio::sync::watch;

/// How the server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that still had a request running at the drain timeout, and were cut off. Zero is a clean end.
    pub cut_off: usize,
}

/// Serves customers on `public` and operators on `admin` until `shutdown` resolves. Then nothing new is accepted,
/// what runs is finished within the drain timeout, and the rest is cut off. The engine has to answer until this
/// returns.
pub async fn serve<L: Accept>(
    public: L,
    admin: L,
    engine: Engine,
    config: ApiConfig,
    shutdown: impl Future<Output = ()>,
) -> Drained {
    let (stage, watching) = watch::channel(Stage::Running);
    let (timeouts, connections) = (config.timeouts, config.connections);
    let app = Arc::new(App::new(engine, config, watching.clone()));
    let ids = Arc::new(RequestIds::new());
    let front = |serves, router| Arc::new(Front::new(Arc::clone(&app), serves, router, Arc::clone(&ids)));
    let listen = |socket, front, most| Listener::new(socket, front, most, timeouts, watching.clone());
    let customers = front(Serves::Customers, routes::public(Arc::clone(&app)));
    let public = listen(public, customers, connections.public);
    let admin = listen(admin, front(Serves::Others, routes::admin(Arc::clone(&app))), connections.admin);
    tokio::select! {
        () = shutdown => {}
        _ = async { tokio::join!(public.accept(), admin.accept()) } => {}
    }
    // From here on the listening sockets are closed: whoever connects is told so by the system.
    let (public, admin) = (public.close(), admin.close());
    stage.send_replace(Stage::Draining);
    let all = async { tokio::join!(public.wait(), admin.wait()) };
    if tokio::time::timeout(timeouts.drain, all).await.is_ok() {
        return Drained { cut_off: 0 };
    }
    let cut_off = public.open().saturating_add(admin.open());
    stage.send_replace(Stage::CutOff);
    tokio::join!(public.wait(), admin.wait());
    tracing::warn!(cut_off, "connections were cut off at the drain timeout");
    Drained { cut_off }
}

/// Serves routes of somebody else's behind the same accept loop and front, until `shutdown` resolves. A bench compares
/// the server with it: what is left when nothing is decided and nothing is written. The engine gives the time.
pub async fn serve_router<L: Accept>(
    socket: L,
    router: Router,
    engine: Engine,
    config: ApiConfig,
    shutdown: impl Future<Output = ()>,
) {
    let (stage, watching) = watch::channel(Stage::Running);
    let (timeouts, most) = (config.timeouts, config.connections.public);
    let app = Arc::new(App::new(engine, config, watching.clone()));
    let front = Arc::new(Front::new(app, Serves::Others, router, Arc::new(RequestIds::new())));
    let listener = Listener::new(socket, front, most, timeouts, watching);
    tokio::select! {
        () = shutdown => {}
        () = listener.accept() => {}
    }
    let connections = listener.close();
    stage.send_replace(Stage::Draining);
    let _cut_off = tokio::time::timeout(timeouts.drain, connections.wait()).await;
}
