//! `GET /problems/{code}`: where every problem's `type` leads.

use crate::extract::path::not_found;
use crate::problem::{Code, Problem, page::html};
use axum::extract::Path;
use axum::response::{Html, IntoResponse, Response};

/// The page of one code.
pub(super) async fn page(Path(code): Path<String>) -> Result<Response, Problem> {
    let code = Code::find(&code).ok_or_else(|| not_found("there is no problem of this name"))?;
    Ok(Html(html(code)).into_response())
}
