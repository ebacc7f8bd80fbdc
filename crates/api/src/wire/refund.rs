//! A capture whose money goes back, as owners and operators see it.

use super::money::MoneyBody;
use super::time::Rfc3339;
use super::{shown, words};
use domain::identity::{OrderId, RefundId};
use domain::payment::{MoneyPlace, SettledBy, Told};
use domain::time::Timestamp;
use domain::views::{CaptureView, Origin, UnmatchedPayment};
use serde::Serialize;

/// A refund as it is written. A capture that is only disputed is listed in the same shape, `kept` or `parked`.
#[derive(Serialize)]
pub(crate) struct RefundBody<'a> {
    #[serde(serialize_with = "shown")]
    id: RefundId,
    state: &'static str,
    #[serde(serialize_with = "shown")]
    order: OrderId,
    amount: MoneyBody,
    provider: &'static str,
    payment_reference: &'a str,
    reason: Option<&'static str>,
    detail: Option<&'static str>,
    captured_at: Rfc3339,
    due_at: Option<Rfc3339>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_s: Option<u64>,
    settled_at: Option<Rfc3339>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settled_by: Option<SettledByBody<'a>>,
    disputed: bool,
}

/// One refund as an answer of its own.
#[derive(Serialize)]
pub(crate) struct SettledRefundBody<'a> {
    #[serde(flatten)]
    refund: RefundBody<'a>,
    server_time: Rfc3339,
}

impl<'a> SettledRefundBody<'a> {
    /// As of `at`; repeated under its key, as of when it was settled.
    pub(crate) fn of(view: &'a CaptureView, origin: Origin, at: Timestamp) -> Self {
        let settled_at = match view.record.place {
            MoneyPlace::Refunded { at, .. } if origin == Origin::Replayed => at,
            MoneyPlace::Refunded { .. } | MoneyPlace::Parked { .. } | MoneyPlace::Kept | MoneyPlace::Due { .. } => at,
        };
        Self { refund: RefundBody::of(view), server_time: Rfc3339(settled_at) }
    }
}

/// A page of refunds.
#[derive(Serialize)]
pub(crate) struct RefundsPage<'a> {
    pub(crate) refunds: Vec<RefundBody<'a>>,
    pub(crate) next_cursor: Option<String>,
    pub(crate) server_time: Rfc3339,
}

/// How a refund was settled.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum SettledByBody<'a> {
    Provider { reference: &'a str },
    ProviderReport,
    Operator { reason: &'a str },
}

impl<'a> RefundBody<'a> {
    /// As its owner sees it.
    pub(crate) fn of(view: &'a CaptureView) -> Self {
        let (state, reason, due_at, settled) = match &view.record.place {
            MoneyPlace::Parked { .. } => ("parked", None, None, None),
            MoneyPlace::Kept => ("kept", None, None, None),
            MoneyPlace::Due { reason, since } => ("due", Some(*reason), Some(*since), None),
            MoneyPlace::Refunded { reason, since, at, by } => {
                ("settled", Some(*reason), Some(*since), Some((*at, settled_by(by))))
            }
        };
        let (settled_at, settled_by) = settled.unzip();
        Self {
            id: view.refund,
            state,
            order: view.order,
            amount: view.record.capture.amount.into(),
            provider: view.record.payer.name(),
            payment_reference: view.record.capture.payment.as_str(),
            reason: reason.map(|reason| words::refund(reason).0),
            detail: reason.map(|reason| words::refund(reason).1),
            captured_at: Rfc3339(view.record.at),
            due_at: due_at.map(Rfc3339),
            age_s: None,
            settled_at: settled_at.map(Rfc3339),
            settled_by,
            disputed: view.record.disputed,
        }
    }

    /// As operators see it: with its age while it is due.
    pub(crate) fn aged(view: &'a CaptureView, now: Timestamp) -> Self {
        let age_s = match view.record.place {
            MoneyPlace::Due { since, .. } => Some(now.since(since).as_millis() / 1_000),
            MoneyPlace::Parked { .. } | MoneyPlace::Kept | MoneyPlace::Refunded { .. } => None,
        };
        Self { age_s, ..Self::of(view) }
    }
}

fn settled_by(by: &SettledBy) -> SettledByBody<'_> {
    match by {
        SettledBy::Provider { reference } => SettledByBody::Provider { reference: reference.as_str() },
        SettledBy::Report => SettledByBody::ProviderReport,
        SettledBy::Operator { reason } => SettledByBody::Operator { reason: reason.as_str() },
    }
}

/// A page of reports that name orders never issued.
#[derive(Serialize)]
pub(crate) struct UnmatchedPage<'a> {
    pub(crate) payments: Vec<UnmatchedBody<'a>>,
    pub(crate) next_cursor: Option<String>,
    pub(crate) server_time: Rfc3339,
}

/// A report that names an order never issued. Nothing is given back by itself.
#[derive(Serialize)]
pub(crate) struct UnmatchedBody<'a> {
    provider: &'static str,
    event: &'a str,
    payment_reference: &'a str,
    told: &'static str,
    amount: Option<MoneyBody>,
    #[serde(serialize_with = "shown")]
    order: OrderId,
    received_at: Rfc3339,
}

impl<'a> From<&'a UnmatchedPayment> for UnmatchedBody<'a> {
    fn from(found: &'a UnmatchedPayment) -> Self {
        let (told, amount) = match found.report.told {
            Told::Captured(amount) => ("captured", Some(amount.into())),
            Told::Refunded(amount) => ("refunded", Some(amount.into())),
            Told::Failed => ("failed", None),
            Told::Cancelled => ("cancelled", None),
        };
        Self {
            provider: found.report.provider.name(),
            event: found.report.report.as_str(),
            payment_reference: found.report.payment.as_str(),
            told,
            amount,
            order: found.order,
            received_at: Rfc3339(found.at),
        }
    }
}
