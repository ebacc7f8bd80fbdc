//! Stored values of bundles and of reports (version 1): in events and in snapshots alike.

use super::event::bundle;
use super::value::{MoneyV1, checked, list, provider_from, provider_to, quantity};
use crate::codec::CodecError;
use domain::bundle::{BundleLine, BundleTerms, NewBundle};
use domain::identity::ReservationId;
use domain::payment::{PaymentReport, Told};
use domain::text::{CustomerId, PaymentId, ProviderEventId, Sku};
use domain::time::DurationMs;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(super) struct NewBundleV1 {
    id: [u8; 16],
    customer: String,
    #[serde(deserialize_with = "list")]
    lines: Vec<BundleLineV1>,
    hold_time_ms: u64,
    grace_ms: u64,
    parked_window_ms: u64,
    provider: Option<u8>,
}

#[derive(Serialize, Deserialize)]
struct BundleLineV1 {
    sku: String,
    reservation: [u8; 16],
    quantity: u32,
    amount: MoneyV1,
}

impl From<&NewBundle> for NewBundleV1 {
    fn from(value: &NewBundle) -> Self {
        let line = |line: &BundleLine| BundleLineV1 {
            sku: line.sku.as_str().to_owned(),
            reservation: line.reservation.as_u128().to_le_bytes(),
            quantity: line.quantity.get(),
            amount: line.amount.into(),
        };
        Self {
            id: value.id.as_u128().to_le_bytes(),
            customer: value.customer.as_str().to_owned(),
            lines: value.lines.iter().map(line).collect(),
            hold_time_ms: value.terms.hold_time.as_millis(),
            grace_ms: value.terms.grace.as_millis(),
            parked_window_ms: value.terms.parked_window.as_millis(),
            provider: value.terms.provider.map(provider_to),
        }
    }
}

impl TryFrom<NewBundleV1> for NewBundle {
    type Error = CodecError;

    fn try_from(value: NewBundleV1) -> Result<Self, CodecError> {
        let line = |line: BundleLineV1| {
            Ok(BundleLine {
                sku: checked("sku", Sku::parse(&line.sku))?,
                reservation: ReservationId::from_u128(u128::from_le_bytes(line.reservation)),
                quantity: quantity(line.quantity)?,
                amount: line.amount.try_into()?,
            })
        };
        Ok(Self {
            id: bundle(value.id),
            customer: checked("customer", CustomerId::parse(&value.customer))?,
            lines: value.lines.into_iter().map(line).collect::<Result<_, CodecError>>()?,
            terms: BundleTerms {
                hold_time: DurationMs::from_millis(value.hold_time_ms),
                grace: DurationMs::from_millis(value.grace_ms),
                parked_window: DurationMs::from_millis(value.parked_window_ms),
                provider: value.provider.map(provider_from).transpose()?,
            },
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct ReportV1 {
    provider: u8,
    report: String,
    payment: String,
    told: ToldV1,
}

// The order of variants is part of the stored shape.
#[derive(Serialize, Deserialize)]
enum ToldV1 {
    Captured(MoneyV1),
    Failed,
    Cancelled,
    Refunded(MoneyV1),
}

impl From<&PaymentReport> for ReportV1 {
    fn from(value: &PaymentReport) -> Self {
        Self {
            provider: provider_to(value.provider),
            report: value.report.as_str().to_owned(),
            payment: value.payment.as_str().to_owned(),
            told: match value.told {
                Told::Captured(amount) => ToldV1::Captured(amount.into()),
                Told::Failed => ToldV1::Failed,
                Told::Cancelled => ToldV1::Cancelled,
                Told::Refunded(amount) => ToldV1::Refunded(amount.into()),
            },
        }
    }
}

impl TryFrom<ReportV1> for PaymentReport {
    type Error = CodecError;

    fn try_from(value: ReportV1) -> Result<Self, CodecError> {
        Ok(Self {
            provider: provider_from(value.provider)?,
            report: checked("report", ProviderEventId::parse(&value.report))?,
            payment: checked("payment", PaymentId::parse(&value.payment))?,
            told: match value.told {
                ToldV1::Captured(amount) => Told::Captured(amount.try_into()?),
                ToldV1::Failed => Told::Failed,
                ToldV1::Cancelled => Told::Cancelled,
                ToldV1::Refunded(amount) => Told::Refunded(amount.try_into()?),
            },
        })
    }
}
