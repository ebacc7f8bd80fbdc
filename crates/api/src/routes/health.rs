//! Whether the process lives, and whether it takes work.

use crate::answer::json;
use crate::app::{App, SharedApp};
use crate::extract::params::Params;
use crate::problem::{Code, Problem};
use crate::wire::time::Rfc3339;
use axum::extract::State;
use axum::response::Response;
use engine::handle::EngineStatus;
use http::StatusCode;
use serde_json::{Value, json as value};

/// `GET /livez`: the process answers.
pub(super) async fn live(State(app): State<SharedApp>) -> Response {
    json(StatusCode::OK, &value!({ "status": "live", "server_time": Rfc3339(app.engine.now()).to_string() }))
}

/// `GET /readyz` for balancers: ready, or a problem.
pub(super) async fn ready(State(app): State<SharedApp>) -> Result<Response, Problem> {
    trouble(&app).map_or(Ok(()), Err)?;
    Ok(json(StatusCode::OK, &value!({ "status": "ready", "server_time": Rfc3339(app.engine.now()).to_string() })))
}

/// `GET /readyz` for operators: with `?verbose` also why, and how things are.
pub(super) async fn ready_in_words(State(app): State<SharedApp>, params: Params) -> Result<Response, Problem> {
    if params.text("verbose")?.is_none() {
        return ready(State(app)).await;
    }
    let status = app.engine.status();
    match trouble(&app) {
        Some(problem) => Err(problem.with("engine", words(&status))),
        None => {
            let now = Rfc3339(app.engine.now()).to_string();
            Ok(json(StatusCode::OK, &value!({ "status": "ready", "engine": words(&status), "server_time": now })))
        }
    }
}

/// Why no work is taken, if none is. An item that has stopped alone is no reason: the others sell. Asked by anybody and often,
/// so it looks at no item.
fn trouble(app: &App) -> Option<Problem> {
    if let Some(reason) = app.engine.failed() {
        let detail = format!("the process cannot go on, and stops: {reason}");
        return Some(Problem::new(Code::Draining, detail).come_back_soon());
    }
    (app.engine.is_draining() || app.is_draining())
        .then(|| Problem::new(Code::Draining, "the process is shutting down").come_back_soon())
}

fn words(status: &EngineStatus) -> Value {
    let stopped: Vec<Value> = status
        .items_stopped
        .iter()
        .map(|(sku, reason)| value!({ "item": sku.to_string(), "reason": reason }))
        .collect();
    let streams_stopped: Vec<Value> = status
        .partitions_stopped
        .iter()
        .map(|(partition, reason)| value!({ "partition": partition.0, "reason": reason }))
        .collect();
    let partitions: Vec<Value> = status
        .partitions
        .iter()
        .map(|(partition, record)| value!({ "partition": partition.0, "durable_record": record }))
        .collect();
    value!({
        "draining": status.draining,
        "failed": status.failed,
        "item_count": status.items,
        "items_awake": status.items_awake,
        "items_stopped": stopped,
        "partition_streams_stopped": streams_stopped,
        "bundles_following": status.bundles_following,
        "clock_offset_ms": status.clock_offset_ms,
        "follow_ups_open": status.follow_ups_open,
        "partitions": partitions,
    })
}
