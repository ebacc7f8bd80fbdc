//! The simulated provider's page: where its customers press the button. It exists only where that provider does.

use crate::answer::json;
use crate::app::{App, SharedApp};
use crate::extract::path::not_found;
use crate::problem::{Code, Problem};
use crate::wire::time::Rfc3339;
use axum::extract::{Path, State};
use axum::response::{Html, Response};
use domain::text::PaymentId;
use engine::ports::{PaymentPage, Pressed};
use http::StatusCode;
use serde::Serialize;

#[derive(Serialize)]
struct PressedBody {
    status: &'static str,
    server_time: Rfc3339,
}

/// What a browser shows. The form has no address of its own, so the button posts to the page's.
const PAGE: &str = "<!doctype html>\n<html lang=\"en\">\n\
    <head><meta charset=\"utf-8\"><title>Simulated payment</title></head>\n<body>\n\
    <h1>Simulated payment</h1>\n<p>No money moves here. The provider tells the shop of this payment as a real one would.</p>\n\
    <form method=\"post\"><button>Pay</button></form>\n\
    <p>The answer is charged, declined (press again), or why this payment cannot be used any more.</p>\n\
    </body>\n</html>\n";

/// The provider's page and the payment of this name, if there can be both.
fn find<'a>(app: &'a App, payment: &str) -> Result<(&'a dyn PaymentPage, PaymentId), Problem> {
    let page = app.config.payment_page.as_deref().ok_or_else(|| not_found("no such path"))?;
    let payment = PaymentId::parse(payment).map_err(|_| not_found("there is no such payment"))?;
    Ok((page, payment))
}

/// `GET /simulated/pay/{payment}`: the page with the button, for whoever follows an order's `url` in a browser.
pub(super) async fn show(
    State(app): State<SharedApp>,
    Path(payment): Path<String>,
) -> Result<Html<&'static str>, Problem> {
    find(&app, &payment).map(|_| Html(PAGE))
}

/// `POST /simulated/pay/{payment}`: needs no credential but the payment's own name, as a hosted page would.
pub(super) async fn press(State(app): State<SharedApp>, Path(payment): Path<String>) -> Result<Response, Problem> {
    let (page, payment) = find(&app, &payment)?;
    let status = match page.press(&payment).await {
        Pressed::Charged => "charged",
        Pressed::Declined => "declined",
        Pressed::Closed(why) => return Err(Problem::new(Code::PaymentClosed, why)),
    };
    Ok(json(StatusCode::OK, &PressedBody { status, server_time: Rfc3339(app.engine.now()) }))
}
