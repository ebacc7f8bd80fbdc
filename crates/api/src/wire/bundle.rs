//! Bundles, both ways.

use super::json::Json;
use super::money::MoneyBody;
use super::order::PaymentBody;
use super::refund::RefundBody;
use super::reservation::{OrderShortBody, payable_until};
use super::shop::{object, quantity};
use super::time::Rfc3339;
use super::{shown, words};
use crate::problem::Problem;
use crate::wire::report::pointed;
use domain::bundle::{BundleLine, WantedLines, WantedLinesError};
use domain::identity::{BundleId, OrderId, ReservationId};
use domain::limits::BUNDLE_LINES_MAX;
use domain::text::Sku;
use domain::views::{BundleOrderView, BundleStateView, BundleView};
use serde::Serialize;

/// `POST /v1/bundles`.
#[derive(Debug)]
pub(crate) struct BundleAsked {
    pub(crate) lines: WantedLines,
}

impl BundleAsked {
    /// Reads it.
    pub(crate) fn read(json: &Json<'_>) -> Result<Self, Problem> {
        let lines = object(json, &["lines"], |members, report| {
            members.required("lines", report, |node, report| {
                node.each(report, BUNDLE_LINES_MAX, |node, report| {
                    let line = node.object(report)?;
                    let sku = line.required("sku", report, |node, report| node.parsed(report, Sku::parse));
                    let quantity = quantity(&line, report);
                    line.only(&["sku", "quantity"], report);
                    Some((sku?, quantity?))
                })
            })
        })?;
        match WantedLines::new(lines) {
            Ok(lines) => Ok(Self { lines }),
            Err(error @ (WantedLinesError::Count | WantedLinesError::Twice { .. })) => {
                Err(pointed("/lines", error.to_string()))
            }
        }
    }
}

/// A bundle as it is written.
#[derive(Serialize)]
pub(crate) struct BundleBody<'a> {
    #[serde(serialize_with = "shown")]
    id: BundleId,
    state: &'static str,
    customer: &'a str,
    lines: Vec<LineBody<'a>>,
    amount: MoneyBody,
    sequence: u64,
    created_at: Rfc3339,
    expires_at: Option<Rfc3339>,
    order: Option<OrderShortBody>,
    links: BundleLinks,
    server_time: Rfc3339,
}

/// One line of a bundle.
#[derive(Serialize)]
struct LineBody<'a> {
    item: &'a str,
    quantity: u32,
    amount: MoneyBody,
    #[serde(serialize_with = "shown")]
    reservation: ReservationId,
}

#[derive(Serialize)]
struct BundleLinks {
    #[serde(rename = "self")]
    this: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<String>,
}

/// The order of a bundle as it is written.
#[derive(Serialize)]
pub(crate) struct BundleOrderBody<'a> {
    #[serde(serialize_with = "shown")]
    id: OrderId,
    state: &'static str,
    #[serde(serialize_with = "shown")]
    bundle: BundleId,
    lines: Vec<LineBody<'a>>,
    customer: &'a str,
    amount: MoneyBody,
    payment: Option<PaymentBody<'a>>,
    refunds: Vec<RefundBody<'a>>,
    sequence: u64,
    created_at: Rfc3339,
    expires_at: Option<Rfc3339>,
    links: OrderLinks,
    server_time: Rfc3339,
}

#[derive(Serialize)]
struct OrderLinks {
    #[serde(rename = "self")]
    this: String,
    bundle: String,
}

impl<'a> From<&'a BundleLine> for LineBody<'a> {
    fn from(line: &'a BundleLine) -> Self {
        Self {
            item: line.sku.as_str(),
            quantity: line.quantity.get(),
            amount: line.amount.into(),
            reservation: line.reservation,
        }
    }
}

impl<'a> From<&'a BundleView> for BundleBody<'a> {
    fn from(view: &'a BundleView) -> Self {
        let expires_at = match view.state {
            BundleStateView::Held { expires_at } => Some(Rfc3339(expires_at)),
            BundleStateView::Confirmed | BundleStateView::Cancelled | BundleStateView::Expired => None,
        };
        Self {
            id: view.id,
            state: words::bundle(view.state),
            customer: view.customer.as_str(),
            lines: view.lines.iter().map(LineBody::from).collect(),
            amount: view.amount.into(),
            sequence: view.sequence.0,
            created_at: Rfc3339(view.created_at),
            expires_at,
            order: view.order.map(OrderShortBody::from),
            links: BundleLinks {
                this: format!("/v1/bundles/{}", view.id),
                order: view.order.map(|order| format!("/v1/orders/{}", order.id)),
            },
            server_time: Rfc3339(view.at),
        }
    }
}

impl<'a> From<&'a BundleOrderView> for BundleOrderBody<'a> {
    fn from(view: &'a BundleOrderView) -> Self {
        let payment = view.capture.as_ref().map(PaymentBody::from);
        Self {
            id: view.summary.id,
            state: words::order(view.summary.state),
            bundle: view.bundle,
            lines: view.lines.iter().map(LineBody::from).collect(),
            customer: view.customer.as_str(),
            amount: view.summary.amount.into(),
            payment: payment.or(view.payment.as_ref().map(PaymentBody::from)),
            refunds: view.refunds.iter().map(RefundBody::of).collect(),
            sequence: view.sequence.0,
            created_at: Rfc3339(view.placed_at),
            expires_at: payable_until(view.summary.state),
            links: OrderLinks {
                this: format!("/v1/orders/{}", view.summary.id),
                bundle: format!("/v1/bundles/{}", view.bundle),
            },
            server_time: Rfc3339(view.at),
        }
    }
}
