//! JSON bodies: bounded in size and time, whether or not the client says how large they are.

use crate::app::SharedApp;
use crate::limits::BODY_BYTES_MAX;
use crate::problem::{Code, Problem};
use crate::wire::json::Json;
use axum::extract::{FromRequest, Request};
use bytes::{Bytes, BytesMut};
use core::fmt::Display;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt as _;
use serde_json::error::Category;

/// A request's body, read and not looked at yet.
pub(crate) struct JsonBody(Bytes);

/// A body byte by byte as it came, of whatever type: what a signature is over.
pub(crate) struct RawBody(pub(crate) Bytes);

impl JsonBody {
    /// A body that has arrived.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(bytes))
    }

    /// Waits until a body has arrived, and refuses what is no JSON by its headers.
    pub(crate) async fn arrived<B>(headers: &HeaderMap, body: B, app: &SharedApp) -> Result<Self, Problem>
    where
        B: hyper::body::Body<Data = Bytes, Error: Display> + Unpin,
    {
        let bytes = within_limits(headers, body, app).await?;
        if !bytes.is_empty() {
            refuse_what_is_not_json(headers)?;
        }
        Ok(Self(bytes))
    }

    /// Parses it with one of the readers of [`crate::wire`].
    pub(crate) fn read<T>(&self, reader: impl FnOnce(&Json<'_>) -> Result<T, Problem>) -> Result<T, Problem> {
        if self.0.is_empty() {
            return Err(Problem::new(Code::MalformedRequest, "a JSON object is expected, and the body is empty"));
        }
        let json: Json<'_> = serde_json::from_slice(&self.0).map_err(|error| not_json(&error))?;
        reader(&json)
    }

    /// Checks that there is nothing in it, where there is nothing to say: no body, or an empty object.
    pub(crate) fn nothing(&self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { self.read(crate::wire::shop::nothing) }
    }
}

fn not_json(error: &serde_json::Error) -> Problem {
    let detail = match error.classify() {
        // JSON, but not of one meaning: what our reader refuses by itself.
        Category::Data => format!("the body is refused: {error}"),
        // The parser's word for anything that begins like null, true or false.
        Category::Io | Category::Syntax | Category::Eof => {
            format!(
                "the body cannot be read as JSON: {}",
                error.to_string().replace("expected ident", "expected a value")
            )
        }
    };
    Problem::new(Code::MalformedRequest, detail).with("line", error.line()).with("column", error.column())
}

impl FromRequest<SharedApp> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &SharedApp) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        Self::arrived(&parts.headers, body, app).await
    }
}

impl FromRequest<SharedApp> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &SharedApp) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        within_limits(&parts.headers, body, app).await.map(Self)
    }
}

async fn within_limits<B>(headers: &HeaderMap, body: B, app: &SharedApp) -> Result<Bytes, Problem>
where
    B: hyper::body::Body<Data = Bytes, Error: Display> + Unpin,
{
    refuse_what_is_said_to_be_too_large(headers)?;
    let limit = app.config.timeouts.body_read;
    tokio::time::timeout(limit, collect(body)).await.map_err(|_| {
        let detail = format!("the body did not arrive within {} ms; nothing happened", limit.as_millis());
        Problem::new(Code::RequestTimeout, detail)
    })?
}

fn too_large() -> Problem {
    let detail = format!("a body has at most {BODY_BYTES_MAX} bytes");
    Problem::new(Code::ContentTooLarge, detail).with("max_bytes", BODY_BYTES_MAX)
}

/// Refused before a byte of it is read, and before a client that expects `100 Continue` sends one.
fn refuse_what_is_said_to_be_too_large(headers: &HeaderMap) -> Result<(), Problem> {
    let said = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|said| said > BODY_BYTES_MAX as u64) { Err(too_large()) } else { Ok(()) }
}

/// Reads a body up to the limit. Most arrive in one piece, which is taken as it is.
async fn collect<B>(mut body: B) -> Result<Bytes, Problem>
where
    B: hyper::body::Body<Data = Bytes, Error: Display> + Unpin,
{
    let mut first = Bytes::new();
    let mut gathered = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let broken = |error: B::Error| Problem::new(Code::MalformedRequest, format!("the body broke off: {error}"));
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        if first.len().max(gathered.len()).saturating_add(data.len()) > BODY_BYTES_MAX {
            return Err(too_large());
        }
        if first.is_empty() && gathered.is_empty() {
            first = data;
        } else {
            gathered.extend_from_slice(&std::mem::take(&mut first));
            gathered.extend_from_slice(&data);
        }
    }
    Ok(if gathered.is_empty() { first } else { gathered.freeze() })
}

fn refuse_what_is_not_json(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(Problem::new(Code::UnsupportedMediaType, "compressed bodies are not read"));
    }
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if given == "application/json" || is_json(given) {
        return Ok(());
    }
    let detail = format!("the body's Content-Type has to be application/json, not {given:?}");
    Err(Problem::new(Code::UnsupportedMediaType, detail))
}

/// `application/json` or a type built on it, in any case, with any parameters.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let Some((kind, subtype)) = essence.split_once('/') else { return false };
    let suffix = subtype.rsplit('+').next().unwrap_or_default();
    kind.eq_ignore_ascii_case("application") && suffix.eq_ignore_ascii_case("json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::convert::Infallible;
    use core::pin::Pin;
    use core::task::{Context, Poll};
    use hyper::body::Frame;

    /// A body that comes in pieces and does not say its size.
    struct Pieces(Vec<Bytes>);

    impl hyper::body::Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop().map(|piece| Ok(Frame::data(piece))))
        }
    }

    #[test]
    fn json_is_known_by_its_type_whatever_its_case_and_parameters() {
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"] {
            assert!(is_json(good), "{good}");
        }
        for bad in ["", "text/json", "application/x-www-form-urlencoded", "json", "application/jsonp"] {
            assert!(!is_json(bad), "{bad}");
        }
    }

    #[test]
    fn a_body_that_is_refused_is_not_said_to_be_no_json_if_it_is() {
        let said = |body: &[u8]| JsonBody::of(body).read(|_| Ok(())).map_err(|problem| problem.detail().to_owned());
        let twice = "the body is refused: \"quantity\" is given twice at line 1 column 24";
        assert_eq!(said(b"{\"quantity\":1,\"quantity\":2}"), Err(twice.to_owned()));
        let no_json = "the body cannot be read as JSON: expected a value at line 1 column 2";
        assert_eq!(said(b"not json"), Err(no_json.to_owned()));
    }

    #[tokio::test]
    async fn a_body_in_pieces_is_put_together_and_one_that_never_says_its_size_is_cut_off() {
        let body = |pieces: usize, size: usize| Pieces(vec![Bytes::from(vec![b'x'; size]); pieces]);
        assert_eq!(collect(body(3, 1_000)).await.map(|bytes| bytes.len()), Ok(3_000));
        assert_eq!(collect(body(64, 1_024)).await.map(|bytes| bytes.len()), Ok(BODY_BYTES_MAX));
        assert_eq!(collect(body(65, 1_024)).await, Err(too_large()));
        assert_eq!(collect(body(1, BODY_BYTES_MAX + 1)).await, Err(too_large()));
    }
}
