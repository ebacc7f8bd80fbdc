//! The routes of the two listeners.

mod admin;
mod bundles;
mod customers;
mod endpoints;
mod explain;
mod health;
mod items;
mod orders;
mod payment_page;
mod problems;
mod purchases;
mod refunds;
pub(crate) mod reservations;
mod webhooks;

use crate::app::SharedApp;
use crate::extract::path::not_found;
use crate::problem::{Code, Problem};
use axum::Router;
use axum::routing::{delete, get, post};
use http::Uri;

/// What customers and their backends reach.
pub(crate) fn public(app: SharedApp) -> Router {
    Router::new()
        .route("/v1/items", get(items::list))
        .route("/v1/items/{sku}", get(items::read))
        .route("/v1/items/{sku}/reservations", post(reservations::reserve))
        .route("/v1/items/{sku}/purchases", post(purchases::purchase))
        .route("/v1/reservations/{id}", get(reservations::read).delete(reservations::cancel))
        .route("/v1/reservations/{id}/extend", post(reservations::extend))
        .route("/v1/bundles", post(bundles::reserve))
        .route("/v1/bundles/{id}", get(bundles::read).delete(bundles::cancel))
        .route("/v1/orders", post(orders::place))
        .route("/v1/orders/{id}", get(orders::read))
        .route("/v1/orders/{id}/confirm", post(orders::confirm))
        .route("/simulated/pay/{payment}", get(payment_page::show).post(payment_page::press))
        .route("/v1/payments/webhooks/{provider}", post(webhooks::take))
        .route("/v1/customers/{customer}/reservations", get(customers::reservations))
        .route("/v1/customers/{customer}/orders", get(customers::orders))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/problems/{code}", get(problems::page))
        .fallback(nothing_for_customers)
        .with_state(app)
}

/// What operators and their tools reach.
pub(crate) fn admin(app: SharedApp) -> Router {
    Router::new()
        .route("/v1/admin/items", get(admin::list).post(admin::create))
        .route("/v1/admin/items/{sku}", get(admin::read).patch(admin::revise))
        .route("/v1/admin/items/{sku}/open", post(admin::open))
        .route("/v1/admin/items/{sku}/pause", post(admin::pause))
        .route("/v1/admin/items/{sku}/resume", post(admin::resume))
        .route("/v1/admin/items/{sku}/close", post(admin::close))
        .route("/v1/admin/items/{sku}/stock", post(admin::stock))
        .route("/v1/admin/items/{sku}/reservations", get(admin::reservations))
        .route("/v1/admin/reservations/{id}/explain", get(explain::explain))
        .route("/v1/admin/orders/{id}/refund", post(refunds::refund))
        .route("/v1/admin/refunds", get(refunds::list))
        .route("/v1/admin/refunds/{id}/settle", post(refunds::settle))
        .route("/v1/admin/endpoints", get(endpoints::list).post(endpoints::add))
        .route("/v1/admin/endpoints/{no}", delete(endpoints::remove))
        .route("/v1/admin/endpoints/{no}/rotate", post(endpoints::rotate))
        .route("/v1/admin/endpoints/{no}/disable", post(endpoints::disable))
        .route("/v1/admin/endpoints/{no}/enable", post(endpoints::enable))
        .route("/v1/admin/endpoints/{no}/redeliver", post(endpoints::redeliver))
        .route("/v1/admin/payments/unmatched", get(refunds::unmatched))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready_in_words))
        .route("/problems/{code}", get(problems::page))
        .fallback(nothing_for_operators)
        .with_state(app)
}

/// Whether a path is one of operators.
fn is_of_operators(uri: &Uri) -> bool {
    uri.path().strip_prefix("/v1/admin").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

async fn nothing_for_customers(uri: Uri) -> Problem {
    if is_of_operators(&uri) {
        return not_found("operators are served at another address than this one: ask the admin listener");
    }
    not_found(Code::NotFound.meaning())
}

async fn nothing_for_operators(uri: Uri) -> Problem {
    if uri.path().starts_with("/v1/") && !is_of_operators(&uri) {
        return not_found(
            "customers and their backends are served at another address than this one: ask the public listener",
        );
    }
    not_found(Code::NotFound.meaning())
}
