//! Stored events and facts of outgoing endpoints (version 1).

use super::value::{at, checked, list};
use crate::codec::{CodecError, Kind, from_bytes, to_bytes};
use crate::record::{BodyVersion, Tag};
use domain::endpoint::{
    DisabledBy, Endpoint, EndpointEvent, EndpointNo, EndpointUrl, Endpoints, Notice, SigningSecret,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const fn v1(tag: u16) -> Kind {
    Kind { tag: Tag(tag), version: BodyVersion(1) }
}

const ENDPOINT_ADDED: Kind = v1(320);
const ENDPOINT_SECRET_ROTATED: Kind = v1(321);
const ENDPOINT_DISABLED: Kind = v1(322);
const ENDPOINT_ENABLED: Kind = v1(323);
const ENDPOINT_REMOVED: Kind = v1(324);

/// Endpoint events never come with an idempotency key: the shape has no place for one.
pub(crate) fn encode(no: EndpointNo, event: &EndpointEvent) -> (Kind, Vec<u8>) {
    let no = no.0;
    match event {
        EndpointEvent::Added { url, notices, secret } => {
            let shape = (no, url.as_str(), numbers(notices), *secret.as_bytes());
            (ENDPOINT_ADDED, to_bytes(&shape))
        }
        EndpointEvent::SecretRotated { secret } => (ENDPOINT_SECRET_ROTATED, to_bytes(&(no, *secret.as_bytes()))),
        EndpointEvent::Disabled { by } => (ENDPOINT_DISABLED, to_bytes(&(no, disabled_to(*by)))),
        EndpointEvent::Enabled => (ENDPOINT_ENABLED, to_bytes(&no)),
        EndpointEvent::Removed => (ENDPOINT_REMOVED, to_bytes(&no)),
    }
}

#[derive(Deserialize)]
struct AddedV1 {
    no: u32,
    url: String,
    #[serde(deserialize_with = "list")]
    notices: Vec<u8>,
    secret: [u8; 32],
}

/// An endpoint's event; `None` where the kind is another's.
pub(crate) fn decode(kind: Kind, bytes: &[u8]) -> Result<Option<(EndpointNo, EndpointEvent)>, CodecError> {
    let (no, event) = match kind {
        ENDPOINT_ADDED => {
            let added: AddedV1 = from_bytes(bytes)?;
            let (url, notices) = (address(&added.url)?, named(&added.notices)?);
            (added.no, EndpointEvent::Added { url, notices, secret: SigningSecret::from_bytes(added.secret) })
        }
        ENDPOINT_SECRET_ROTATED => {
            let (no, secret): (u32, [u8; 32]) = from_bytes(bytes)?;
            (no, EndpointEvent::SecretRotated { secret: SigningSecret::from_bytes(secret) })
        }
        ENDPOINT_DISABLED => {
            let (no, by): (u32, u8) = from_bytes(bytes)?;
            (no, EndpointEvent::Disabled { by: disabled_from(by)? })
        }
        ENDPOINT_ENABLED => (from_bytes(bytes)?, EndpointEvent::Enabled),
        ENDPOINT_REMOVED => (from_bytes(bytes)?, EndpointEvent::Removed),
        _ => return Ok(None),
    };
    Ok(Some((EndpointNo(no), event)))
}

fn numbers(notices: &BTreeSet<Notice>) -> Vec<u8> {
    // Numbered from 1 in the order of the list; there are far fewer than 256.
    let number = |notice: &Notice| Notice::ALL.iter().position(|known| known == notice).map(|at| at as u8 + 1);
    notices.iter().filter_map(number).collect()
}

fn named(given: &[u8]) -> Result<BTreeSet<Notice>, CodecError> {
    let known = |number: &u8| {
        let found = usize::from(*number).checked_sub(1).and_then(|at| Notice::ALL.get(at)).copied();
        checked("notice", found.ok_or_else(|| format!("{number} is not known")))
    };
    let notices = given.iter().map(known).collect::<Result<_, _>>()?;
    let one_spelling = numbers(&notices) == given;
    checked("notices", if one_spelling { Ok(notices) } else { Err("they are out of order, or one is there twice") })
}

fn address(text: &str) -> Result<EndpointUrl, CodecError> {
    checked("url", EndpointUrl::parse(text))
}

const fn disabled_to(by: DisabledBy) -> u8 {
    match by {
        DisabledBy::Operator => 1,
        DisabledBy::Gone => 2,
        DisabledBy::Unreachable => 3,
    }
}

fn disabled_from(code: u8) -> Result<DisabledBy, CodecError> {
    match code {
        1 => Ok(DisabledBy::Operator),
        2 => Ok(DisabledBy::Gone),
        3 => Ok(DisabledBy::Unreachable),
        other => checked("disabled", Err(format!("{other} is not known"))),
    }
}

/// All endpoints, for a snapshot.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct EndpointsV1 {
    added: u32,
    #[serde(deserialize_with = "list")]
    list: Vec<EndpointV1>,
}

#[derive(Serialize, Deserialize)]
struct EndpointV1 {
    no: u32,
    url: String,
    #[serde(deserialize_with = "list")]
    notices: Vec<u8>,
    #[serde(deserialize_with = "list")]
    secrets: Vec<[u8; 32]>,
    since_ms: u64,
    disabled: Option<u8>,
}

impl From<&Endpoints> for EndpointsV1 {
    fn from(endpoints: &Endpoints) -> Self {
        let stored = |endpoint: &Endpoint| EndpointV1 {
            no: endpoint.no.0,
            url: endpoint.url.as_str().to_owned(),
            notices: numbers(&endpoint.notices),
            secrets: endpoint.secrets.iter().map(|secret| *secret.as_bytes()).collect(),
            since_ms: endpoint.since.as_millis(),
            disabled: endpoint.disabled.map(disabled_to),
        };
        Self { added: endpoints.added(), list: endpoints.iter().map(stored).collect() }
    }
}

impl TryFrom<EndpointsV1> for Endpoints {
    type Error = CodecError;

    fn try_from(stored: EndpointsV1) -> Result<Self, CodecError> {
        let endpoint = |stored: EndpointV1| {
            Ok(Endpoint {
                no: EndpointNo(stored.no),
                url: address(&stored.url)?,
                notices: named(&stored.notices)?,
                secrets: stored.secrets.into_iter().map(SigningSecret::from_bytes).collect(),
                since: at(stored.since_ms)?,
                disabled: stored.disabled.map(disabled_from).transpose()?,
            })
        };
        let list = stored.list.into_iter().map(endpoint).collect::<Result<Vec<_>, CodecError>>()?;
        let rising = list.is_sorted_by(|left, right| left.no < right.no);
        let list =
            checked("endpoints", if rising { Ok(list) } else { Err("they are out of order, or one is there twice") });
        Ok(Self::from_parts(list?, stored.added))
    }
}
