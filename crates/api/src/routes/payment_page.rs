//! The simulated provider's page: where its customers press the button. It exists only where that provider does.

use crate::answer::json;
use crate::app::SharedApp;
use crate::extract::path::not_found;
use crate::problem::{Code, Problem};
use crate::wire::time::Rfc3339;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::text::PaymentId;
use engine::ports::Pressed;
use http::StatusCode;
use serde::Serialize;

#[derive(Serialize)]
struct PressedBody {
    status: &'static str,
    server_time: Rfc3339,
}

/// `POST /simulated/pay/{payment}`: needs no credential but the payment's own name, as a hosted page would.
pub(super) async fn press(State(app): State<SharedApp>, Path(payment): Path<String>) -> Result<Response, Problem> {
    let page = app.config.payment_page.as_ref().ok_or_else(|| not_found("no such path"))?;
    let payment = PaymentId::parse(&payment).map_err(|_| not_found("there is no such payment"))?;
    let status = match page.press(&payment).await {
        Pressed::Charged => "charged",
        Pressed::Declined => "declined",
        Pressed::Closed(why) => return Err(Problem::new(Code::PaymentClosed, why)),
    };
    Ok(json(StatusCode::OK, &PressedBody { status, server_time: Rfc3339(app.engine.now()) }))
}
