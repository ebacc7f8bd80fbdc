//! An HTTP client as the API's documentation asks for one: keep-alive, a bounded number of connections, and patience.
//!
//! 503 and 429 are tried again after `Retry-After`; 500, 504 and broken connections are tried again with the *same*
//! key, because it may have happened. Every exchange is measured by itself, from the moment a connection is free for
//! it to the last byte of the answer; how long it waited for one is the crowd's own doing.

use super::statistics::{Ending, Kind, Statistics};
use crate::tokens::Secret;
use anyhow::{Context, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, IF_NONE_MATCH, RETRY_AFTER};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const CUSTOMER_ID: HeaderName = HeaderName::from_static("x-customer-id");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// How often one request is tried before the crowd gives up on it.
const ATTEMPTS_MAX: u32 = 30;

/// How long one exchange may take, a long poll's wait not counted.
const EXCHANGE_TIME_MAX: Duration = Duration::from_secs(15);

/// Looking how things are leaves one connection in so many to those who act: whoever is about to pay does not stand
/// behind thousands who only ask whether it is their turn.
const CONNECTIONS_PER_ACTING: usize = 2;

/// The pauses before trying again grow from the first to the last of these.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Longest `Retry-After` that is believed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    /// Of which kind, for the figures.
    pub(crate) kind: Kind,
    /// Its method.
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    /// Whose: `X-Customer-Id`.
    pub(crate) customer: Option<String>,
    /// `Idempotency-Key`.
    pub(crate) key: Option<String>,
    /// `Authorization: Bearer`.
    pub(crate) token: Option<Secret>,
    /// A JSON body.
    pub(crate) body: Option<serde_json::Value>,
    /// Ask to be answered when something changes, and since when.
    pub(crate) wait: Option<Wait>,
}

/// A long poll.
#[derive(Clone, Debug)]
pub(crate) struct Wait {
    /// For how long at most, in seconds.
    pub(crate) seconds: u32,
    /// The ETag of what is known.
    pub(crate) known: Option<HeaderValue>,
}

impl Ask {
    /// A request without anything special.
    pub(crate) fn new(kind: Kind, method: Method, path: String) -> Self {
        Self { kind, method, path, customer: None, key: None, token: None, body: None, wait: None }
    }

    /// In the name of this customer.
    pub(crate) fn by(mut self, customer: &str) -> Self {
        self.customer = Some(customer.to_owned());
        self
    }

    /// Under this key.
    pub(crate) fn under(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// With this token.
    pub(crate) fn with_token(mut self, token: &Secret) -> Self {
        self.token = Some(token.clone());
        self
    }

    /// With this body.
    pub(crate) fn with(mut self, body: serde_json::Value) -> Self {
        self.body = Some(body);
        self
    }
}

/// A final answer: 2xx, 304 or a refusal.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: StatusCode,
    /// Its body.
    pub(crate) body: Bytes,
    /// Whether the server says that this answers an earlier request of the same key.
    pub(crate) is_replayed: bool,
    /// Its ETag.
    pub(crate) etag: Option<HeaderValue>,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn read<T: serde::de::DeserializeOwned>(&self) -> anyhow::Result<T> {
        let shown = || format!("the answer {} {} is not understood", self.status, String::from_utf8_lossy(&self.body));
        serde_json::from_slice(&self.body).with_context(shown)
    }
}

/// A client of one server. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: legacy::Client<HttpConnector, Full<Bytes>>,
    target: Arc<str>,
    connections: Arc<Semaphore>,
    looking: Arc<Semaphore>,
    statistics: Arc<Statistics>,
}

impl Client {
    /// A client that opens at most `connections` to `target` (`http://host:port`).
    pub(crate) fn new(target: &Uri, connections: usize, statistics: Arc<Statistics>) -> anyhow::Result<Self> {
        let authority = match (target.scheme_str(), target.authority()) {
            (Some("http"), Some(authority)) => authority,
            _ => bail!(
                "the target {target} is not understood; it looks like http://127.0.0.1:8080 (https is for the gateway)"
            ),
        };
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(EXCHANGE_TIME_MAX));
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(connections)
            .build(connector);
        let target = Arc::from(format!("http://{authority}{}", target.path().trim_end_matches('/')));
        let looking = connections - connections / CONNECTIONS_PER_ACTING;
        let [connections, looking] = [connections, looking].map(|count| Arc::new(Semaphore::new(count)));
        Ok(Self { http, target, connections, looking, statistics })
    }

    /// Asks until there is a final answer.
    ///
    /// # Errors
    /// When there is still none after many attempts.
    pub(crate) async fn ask(&self, ask: &Ask) -> anyhow::Result<Answer> {
        let mut pause = PAUSE_MIN;
        let mut trouble = String::new();
        for _attempt in 0..ATTEMPTS_MAX {
            let (wait, words) = match self.exchange(ask).await {
                Ok(Exchange::Final(answer)) => return Ok(answer),
                Ok(Exchange::Shed { retry_after, status }) => (retry_after.unwrap_or(pause), status.to_string()),
                Ok(Exchange::Unknown { status }) => (pause, status.to_string()),
                Err(error) => (pause, format!("{error:#}")),
            };
            trouble = words;
            tokio::time::sleep(wait).await;
            pause = pause.saturating_mul(2).min(PAUSE_MAX);
        }
        bail!("{} {}: no answer after {ATTEMPTS_MAX} attempts; the last one ended with {trouble}", ask.method, ask.path)
    }

    async fn exchange(&self, ask: &Ask) -> anyhow::Result<Exchange> {
        let request = self.request(ask)?;
        let _looking = if ask.method == Method::GET { Some(self.looking.acquire().await?) } else { None };
        let _connection = self.connections.acquire().await?;
        let allowed =
            EXCHANGE_TIME_MAX + Duration::from_secs(ask.wait.as_ref().map_or(0, |wait| u64::from(wait.seconds)));
        let began = Instant::now();
        let exchanged = tokio::time::timeout(allowed, self.send(request)).await;
        let exchanged = exchanged.map_err(anyhow::Error::from).and_then(|sent| sent);
        let ending = exchanged.as_ref().map_or(Ending::Broken, Exchange::ending);
        self.statistics.record(ask.kind, ending, began.elapsed());
        exchanged
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Exchange> {
        let response = self.http.request(request).await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Exchange::judge(parts.status, &parts.headers, body))
    }

    fn request(&self, ask: &Ask) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut request = Request::builder().method(&ask.method).uri(format!("{}{}", self.target, ask.path));
        if let Some(customer) = &ask.customer {
            request = request.header(CUSTOMER_ID, customer);
        }
        if let Some(key) = &ask.key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        if let Some(token) = &ask.token {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.reveal()))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(wait) = &ask.wait {
            request = request.header(PREFER, format!("wait={}", wait.seconds));
            if let Some(known) = &wait.known {
                request = request.header(IF_NONE_MATCH, known);
            }
        }
        let body = match &ask.body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        Ok(request.body(Full::new(body))?)
    }
}

/// One exchange that got an answer.
#[derive(Debug)]
enum Exchange {
    Final(Answer),
    Shed { retry_after: Option<Duration>, status: StatusCode },
    Unknown { status: StatusCode },
}

impl Exchange {
    fn judge(status: StatusCode, headers: &HeaderMap, body: Bytes) -> Self {
        match status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                Self::Shed { retry_after: retry_after(headers), status }
            }
            _ if status.is_server_error() => Self::Unknown { status },
            _ => {
                let is_replayed = headers.get(IDEMPOTENT_REPLAYED).is_some_and(|value| value == "true");
                Self::Final(Answer { status, body, is_replayed, etag: headers.get(ETAG).cloned() })
            }
        }
    }

    fn ending(&self) -> Ending {
        match self {
            Self::Final(answer) if answer.status.is_client_error() => Ending::Refused,
            Self::Final(_) => Ending::Fine,
            Self::Shed { .. } => Ending::Shed,
            Self::Unknown { .. } => Ending::Unknown,
        }
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(status: u16, headers: &[(HeaderName, &'static str)]) -> Exchange {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        Exchange::judge(StatusCode::from_u16(status).expect("it works"), &headers, Bytes::new())
    }

    #[test]
    fn a_shed_request_waits_as_long_as_the_server_says() {
        let after = |value| match judge(503, &[(RETRY_AFTER, value)]) {
            Exchange::Shed { retry_after, .. } => retry_after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after("2"), Some(Duration::from_secs(2)));
        assert_eq!(after("86400"), Some(RETRY_AFTER_MAX));
        assert_eq!(after("soon"), None);
    }

    #[test]
    fn refusals_are_final_and_unknown_outcomes_are_not() {
        assert_eq!(judge(409, &[]).ending(), Ending::Refused);
        assert_eq!(judge(202, &[]).ending(), Ending::Fine);
        assert_eq!(judge(304, &[]).ending(), Ending::Fine);
        assert_eq!(judge(429, &[]).ending(), Ending::Shed);
        assert_eq!(judge(504, &[]).ending(), Ending::Unknown);
        assert_eq!(judge(500, &[]).ending(), Ending::Unknown);
    }

    #[test]
    fn a_target_is_an_http_url() {
        let client = |target: &str| Client::new(&target.parse().expect("it works"), 1, Arc::default());
        assert!(client("http://127.0.0.1:8080/").is_ok());
        assert!(client("127.0.0.1:8080").is_err());
        assert!(client("https://shop.example").is_err());
    }
}
