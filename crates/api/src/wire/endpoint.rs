//! Outgoing endpoints, both ways.

use super::json::Json;
use super::shop::object;
use super::time::Rfc3339;
use crate::problem::Problem;
use domain::endpoint::{DisabledBy, Endpoint, EndpointUrl, Notice};
use domain::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;

/// `POST /v1/admin/endpoints`.
#[derive(Debug)]
pub(crate) struct EndpointAsked {
    pub(crate) url: EndpointUrl,
    pub(crate) notices: BTreeSet<Notice>,
}

fn notice(name: &str) -> Result<Notice, String> {
    let known = || Notice::ALL.iter().map(|notice| notice.name()).collect::<Vec<_>>().join(", ");
    Notice::named(name).ok_or_else(|| format!("is no type of message; known: {}", known()))
}

impl EndpointAsked {
    /// Reads it. Without `types` it is told everything.
    pub(crate) fn read(json: &Json<'_>) -> Result<Self, Problem> {
        object(json, &["url", "types"], |members, report| {
            let url = members.required("url", report, |node, report| node.parsed(report, EndpointUrl::parse));
            let types = members.optional("types", report, |node, report| {
                node.each(report, Notice::ALL.len(), |node, report| node.parsed(report, notice))
            });
            Some(Self { url: url?, notices: types.unwrap_or_default().into_iter().collect() })
        })
    }
}

/// `POST …/redeliver`.
#[derive(Debug)]
pub(crate) struct RedeliverAsked {
    pub(crate) since: Timestamp,
}

impl RedeliverAsked {
    /// Reads it.
    pub(crate) fn read(json: &Json<'_>) -> Result<Self, Problem> {
        object(json, &["since"], |members, report| {
            Some(Self { since: members.required("since", report, |node, report| node.instant(report))? })
        })
    }
}

/// An endpoint as it is written. Its secret is told only where it is new.
#[derive(Serialize)]
pub(crate) struct EndpointBody<'a> {
    no: u32,
    url: &'a str,
    types: Vec<&'static str>,
    state: &'static str,
    since: Rfc3339,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// One endpoint as an answer of its own.
#[derive(Serialize)]
pub(crate) struct OneEndpointBody<'a> {
    #[serde(flatten)]
    pub(crate) endpoint: EndpointBody<'a>,
    pub(crate) server_time: Rfc3339,
}

/// Every endpoint.
#[derive(Serialize)]
pub(crate) struct EndpointsBody<'a> {
    pub(crate) endpoints: Vec<EndpointBody<'a>>,
    pub(crate) server_time: Rfc3339,
}

/// How many messages are told again.
#[derive(Serialize)]
pub(crate) struct RedeliveredBody {
    pub(crate) messages: u64,
    pub(crate) server_time: Rfc3339,
}

impl<'a> EndpointBody<'a> {
    /// Without its secret.
    pub(crate) fn of(endpoint: &'a Endpoint) -> Self {
        Self {
            no: endpoint.no.0,
            url: endpoint.url.as_str(),
            types: endpoint.notices.iter().map(|notice| notice.name()).collect(),
            state: match endpoint.disabled {
                None => "on",
                Some(DisabledBy::Operator) => "off",
                Some(DisabledBy::Gone) => "gone",
                Some(DisabledBy::Unreachable) => "unreachable",
            },
            since: Rfc3339(endpoint.since),
            secret: None,
        }
    }

    /// With its newest secret, for the one answer that shows it.
    pub(crate) fn with_secret(endpoint: &'a Endpoint) -> Self {
        let newest = endpoint.secrets.first();
        let secret = newest.map(|secret| {
            integrations::outgoing::print_secret(&engine::ports::EndpointSecret(secret.as_bytes().to_vec()))
        });
        Self { secret, ..Self::of(endpoint) }
    }
}
