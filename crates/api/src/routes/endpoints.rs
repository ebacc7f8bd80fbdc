//! Outgoing endpoints: who is told what happened.

use crate::answer::{another_body, answered, json};
use crate::app::{App, SharedApp};
use crate::extract::body::JsonBody;
use crate::extract::identity::Operator;
use crate::extract::path::not_found;
use crate::problem::{Code, Problem};
use crate::wire::endpoint::{
    EndpointAsked, EndpointBody, EndpointsBody, OneEndpointBody, RedeliverAsked, RedeliveredBody,
};
use crate::wire::report::pointed;
use crate::wire::time::Rfc3339;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::endpoint::{DisabledBy, Endpoint, EndpointCommand, EndpointNo, SigningSecret};
use domain::views::Body;
use http::StatusCode;
use integrations::outgoing::check_url;

fn fresh_secret() -> Result<SigningSecret, Problem> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|_| Problem::new(Code::Overloaded, "the system has no randomness for a secret"))?;
    Ok(SigningSecret::from_bytes(bytes))
}

fn number(text: &str) -> Result<EndpointNo, Problem> {
    text.parse().map(EndpointNo).map_err(|_| not_found("there is no endpoint of this number"))
}

fn find(app: &SharedApp, no: EndpointNo) -> Result<Endpoint, Problem> {
    let found = app.engine.endpoints().into_iter().find(|endpoint| endpoint.no == no);
    found.ok_or_else(|| not_found("there is no endpoint of this number"))
}

/// Does it, and tells the endpoints as they are then.
async fn done(app: &SharedApp, command: EndpointCommand) -> Result<Vec<Endpoint>, Problem> {
    match answered(app.engine.endpoint(command).await?)?.body {
        Body::Endpoints(endpoints) => Ok(endpoints),
        _ => Err(another_body()),
    }
}

fn told(app: &App, status: StatusCode, endpoint: EndpointBody<'_>) -> Response {
    json(status, &OneEndpointBody { endpoint, server_time: Rfc3339(app.engine.now()) })
}

/// `GET /v1/admin/endpoints`
pub(super) async fn list(_: Operator, State(app): State<SharedApp>) -> Result<Response, Problem> {
    let all = app.engine.endpoints();
    let endpoints = all.iter().map(EndpointBody::of).collect();
    Ok(json(StatusCode::OK, &EndpointsBody { endpoints, server_time: Rfc3339(app.engine.now()) }))
}

/// `POST /v1/admin/endpoints`: the answer shows the secret, once.
pub(super) async fn add(_: Operator, State(app): State<SharedApp>, body: JsonBody) -> Result<Response, Problem> {
    let EndpointAsked { url, notices } = body.read(EndpointAsked::read)?;
    check_url(url.as_str(), app.config.notify_private).map_err(|refusal| pointed("/url", refusal.to_string()))?;
    let command = EndpointCommand::Add { url, notices, secret: fresh_secret()? };
    let endpoints = done(&app, command).await?;
    let added = endpoints.last().ok_or_else(another_body)?;
    Ok(told(&app, StatusCode::CREATED, EndpointBody::with_secret(added)))
}

/// `DELETE /v1/admin/endpoints/{no}`
pub(super) async fn remove(
    _: Operator,
    State(app): State<SharedApp>,
    Path(no): Path<String>,
) -> Result<Response, Problem> {
    let endpoint = find(&app, number(&no)?)?;
    done(&app, EndpointCommand::Remove(endpoint.no)).await?;
    Ok(told(&app, StatusCode::OK, EndpointBody::of(&endpoint)))
}

async fn changed(app: &SharedApp, no: EndpointNo, command: EndpointCommand) -> Result<Endpoint, Problem> {
    let endpoints = done(app, command).await?;
    endpoints.into_iter().find(|endpoint| endpoint.no == no).ok_or_else(another_body)
}

/// `POST …/rotate`: messages are signed with the new secret and the one before; the answer shows the new one, once.
pub(super) async fn rotate(
    _: Operator,
    State(app): State<SharedApp>,
    Path(no): Path<String>,
    body: JsonBody,
) -> Result<Response, Problem> {
    body.nothing()?;
    let no = number(&no)?;
    let endpoint = changed(&app, no, EndpointCommand::Rotate(no, fresh_secret()?)).await?;
    Ok(told(&app, StatusCode::OK, EndpointBody::with_secret(&endpoint)))
}

/// `POST …/disable`
pub(super) async fn disable(
    _: Operator,
    State(app): State<SharedApp>,
    Path(no): Path<String>,
    body: JsonBody,
) -> Result<Response, Problem> {
    body.nothing()?;
    let no = number(&no)?;
    let endpoint = changed(&app, no, EndpointCommand::Disable(no, DisabledBy::Operator)).await?;
    Ok(told(&app, StatusCode::OK, EndpointBody::of(&endpoint)))
}

/// `POST …/enable`: it is told what happens from now on; `redeliver` tells what it missed.
pub(super) async fn enable(
    _: Operator,
    State(app): State<SharedApp>,
    Path(no): Path<String>,
    body: JsonBody,
) -> Result<Response, Problem> {
    body.nothing()?;
    let no = number(&no)?;
    let endpoint = changed(&app, no, EndpointCommand::Enable(no)).await?;
    Ok(told(&app, StatusCode::OK, EndpointBody::of(&endpoint)))
}

/// `POST …/redeliver` `{since}`: everything since then is told again, with the ids it had.
pub(super) async fn redeliver(
    _: Operator,
    State(app): State<SharedApp>,
    Path(no): Path<String>,
    body: JsonBody,
) -> Result<Response, Problem> {
    let RedeliverAsked { since } = body.read(RedeliverAsked::read)?;
    // What it was not told while it was off is what it asks for.
    let endpoint = Endpoint { since, ..find(&app, number(&no)?)? };
    let messages = app.engine.redeliver(&endpoint, since).await.map_err(Problem::of_read)?;
    Ok(json(StatusCode::OK, &RedeliveredBody { messages, server_time: Rfc3339(app.engine.now()) }))
}
