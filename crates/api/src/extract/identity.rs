//! Who asks: a customer the gateway vouches for, an operator, or a backend that may report money.

use crate::app::{App, SharedApp};
use crate::problem::{Code, Problem};
use axum::extract::FromRequestParts;
use domain::text::CustomerId;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName};
use http::request::Parts;
use std::net::IpAddr;

/// The peer at the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Where the gateway says who the customer is.
const CUSTOMER_HEADER: HeaderName = HeaderName::from_static("x-customer-id");

/// Where operators find their token.
const ADMIN_TOKEN_PLACE: &str = "the file admin-token of the server's data directory, unless one is configured";

/// Where backends find theirs.
const SERVICE_TOKEN_PLACE: &str = "the file service-token of the server's data directory, unless one is configured";

/// The customer who asks.
pub(crate) struct Customer(pub(crate) CustomerId);

/// An operator asks.
pub(crate) struct Operator;

/// A backend that may report money asks.
pub(crate) struct Service;

/// Whether the peer is one whose word counts.
pub(crate) fn is_gateway(app: &App, peer: IpAddr) -> bool {
    app.config.gateway.peers.iter().any(|network| network.contains(peer))
}

fn comes_from_gateway(parts: &Parts, app: &App) -> bool {
    parts.extensions.get::<Peer>().is_some_and(|peer| is_gateway(app, peer.0))
}

fn unauthenticated(detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(Code::Unauthenticated, detail)
}

/// The customer a gateway names; anybody else's word does not count.
pub(crate) fn customer(headers: &HeaderMap, from_gateway: bool) -> Result<CustomerId, Problem> {
    let mut given = headers.get_all(CUSTOMER_HEADER).iter();
    let Some(id) = given.next() else {
        return Err(unauthenticated("the request does not name a customer (X-Customer-Id, set by the gateway)"));
    };
    if !from_gateway {
        return Err(unauthenticated("X-Customer-Id is believed only from the configured gateways"));
    }
    if given.next().is_some() {
        return Err(unauthenticated("X-Customer-Id is given more than once"));
    }
    let id = id.to_str().map_err(|_| unauthenticated("X-Customer-Id has characters other than printable ASCII"))?;
    CustomerId::parse(id).map_err(|error| unauthenticated(format!("X-Customer-Id {error}")))
}

/// What is shown as `Authorization: Bearer`, if exactly one such header is.
fn bearer(parts: &Parts) -> Option<&[u8]> {
    let mut given = parts.headers.get_all(AUTHORIZATION).iter();
    let (Some(header), None) = (given.next(), given.next()) else { return None };
    let (scheme, token) = header.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// What is wrong with the token that a caller shows where another is needed. It says no more than the caller knows.
fn shown_instead(parts: &Parts) -> &'static str {
    match (bearer(parts), parts.headers.contains_key(AUTHORIZATION)) {
        (Some(_), _) => "another one is shown",
        (None, true) => "Authorization is not one Bearer token",
        (None, false) => "none is shown (Authorization: Bearer …)",
    }
}

fn is_operator(parts: &Parts, app: &App) -> bool {
    bearer(parts).is_some_and(|shown| app.config.operator_token.is(shown))
}

fn shows_service_token(parts: &Parts, app: &App) -> bool {
    bearer(parts).is_some_and(|shown| app.config.service_token.is(shown))
}

impl FromRequestParts<SharedApp> for Customer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        customer(&parts.headers, comes_from_gateway(parts, app)).map(Self)
    }
}

impl FromRequestParts<SharedApp> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        if is_operator(parts, app) {
            Ok(Self)
        } else if shows_service_token(parts, app) {
            Err(Problem::new(Code::Forbidden, "the service token does not make an operator"))
        } else {
            let shown = shown_instead(parts);
            Err(unauthenticated(format!("this needs the operator token, and {shown}; it lies in {ADMIN_TOKEN_PLACE}")))
        }
    }
}

impl FromRequestParts<SharedApp> for Service {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let trusted_gateway = app.config.gateway.reports_payments && comes_from_gateway(parts, app);
        if trusted_gateway || shows_service_token(parts, app) || is_operator(parts, app) {
            Ok(Self)
        } else {
            let shown = shown_instead(parts);
            let detail = format!(
                "only a backend with the service token may report money, and {shown}; it lies in {SERVICE_TOKEN_PLACE}"
            );
            Err(Problem::new(Code::Forbidden, detail))
        }
    }
}

/// The customer whose things are listed: oneself (`me`, or one's own id), or anybody for operators. For everybody
/// else another customer's things do not exist.
pub(crate) struct Listed(pub(crate) CustomerId);

impl FromRequestParts<SharedApp> for Listed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let named = super::path::param(parts, "customer").await?;
        if named == "me" {
            return customer(&parts.headers, comes_from_gateway(parts, app)).map(Self);
        }
        let not_found = || Problem::new(Code::NotFound, "there is no such customer, or it is somebody else");
        let operator = is_operator(parts, app);
        let caller = if operator { None } else { Some(customer(&parts.headers, comes_from_gateway(parts, app))?) };
        let named = CustomerId::parse(&named).map_err(|_| not_found())?;
        match caller {
            Some(caller) if caller != named => Err(not_found()),
            _ => Ok(Self(named)),
        }
    }
}
