//! JSON bodies of every route that has one. The first byte says which; the rest is the body.

use super::{Verdict, steered};
use api::bodies::{Asking, RefusedBody};
use serde_json::Value;

/// The first byte of a body for this route.
///
/// # Panics
/// Never: every route is in the list.
#[must_use]
pub fn steering(asking: Asking) -> u8 {
    let at = Asking::ALL.iter().position(|known| *known == asking);
    at.and_then(|at| u8::try_from(at).ok()).expect("every route is in the list")
}

/// Reads a body as its route does.
#[must_use]
pub fn run(input: &[u8]) -> Verdict {
    let Some(([which], body)) = steered(input) else { return Verdict::Refused };
    let Some(asking) = Asking::ALL.get(usize::from(which) % Asking::ALL.len()) else { return Verdict::Refused };
    match asking.read(body) {
        Ok(understood) => {
            means_the_same_when_written_otherwise(*asking, body, &understood);
            Verdict::Taken
        }
        Err(refused) => {
            is_a_problem_document(&refused);
            Verdict::Refused
        }
    }
}

/// Spaces, escapes and the order of members change nothing.
fn means_the_same_when_written_otherwise(asking: Asking, body: &[u8], understood: &str) {
    if body.is_empty() {
        return;
    }
    let value: Value = serde_json::from_slice(body).expect("what is taken is JSON");
    let (compact, spaced) = (value.to_string(), serde_json::to_string_pretty(&value).expect("JSON"));
    for other in [compact, spaced] {
        assert_eq!(
            asking.read(other.as_bytes()).as_deref(),
            Ok(understood),
            "written otherwise, it means another thing"
        );
    }
}

/// Whatever is refused is refused as the caller's fault, in a document that can be read.
fn is_a_problem_document(refused: &RefusedBody) {
    let status = refused.code.status();
    assert!(status.is_client_error(), "{status} for a body");
    let document: Value = serde_json::from_slice(&refused.document).expect("a problem document is JSON");
    let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    assert_eq!(text("code"), refused.code.name());
    assert!(!text("detail").is_empty() && !text("title").is_empty());
    assert_eq!(document.get("status"), Some(&Value::from(status.as_u16())));
}
