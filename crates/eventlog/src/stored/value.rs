//! Values that several stored shapes share (version 1), and their way back into the domain's checked types.

use crate::codec::CodecError;
use domain::idempotency::{Fingerprint, Idempotency, PaidThen};
use domain::money::{Currency, Money};
use domain::payment::{Capture, Provider};
use domain::policy::{CoolOffPolicy, ExtensionPolicy, PaymentPolicy, Policy, Settings, WaitlistPolicy};
use domain::text::{ItemName, PaymentId, ProviderEventId};
use domain::time::{DurationMs, Timestamp};
use domain::units::{Quantity, Units};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::marker::PhantomData;

/// Turns what a domain type refuses into an error that names the field.
pub(crate) fn checked<T, E: std::fmt::Display>(field: &'static str, parsed: Result<T, E>) -> Result<T, CodecError> {
    parsed.map_err(|error| CodecError::Value { field, problem: error.to_string() })
}

pub(crate) fn quantity(count: u32) -> Result<Quantity, CodecError> {
    checked("quantity", Quantity::new(count))
}

pub(crate) fn units(count: u32) -> Result<Units, CodecError> {
    checked("units", Units::new(count))
}

/// An instant. One out of range has been written by nobody: taken for the latest there is, it would be another instant
/// than the one whose bytes were hashed.
pub(crate) fn at(millis: u64) -> Result<Timestamp, CodecError> {
    let at = Timestamp::from_millis(millis);
    checked("time", if at.as_millis() == millis { Ok(at) } else { Err(format!("{millis} ms is out of range")) })
}

/// What an order that had been paid was then; 0 if nothing had paid it.
pub(crate) const fn paid_to(paid: Option<PaidThen>) -> u8 {
    match paid {
        None => 0,
        Some(PaidThen::Paid) => 1,
        Some(PaidThen::RefundDue) => 2,
        Some(PaidThen::Refunded) => 3,
    }
}

pub(crate) fn paid_from(code: u8) -> Result<Option<PaidThen>, CodecError> {
    match code {
        0 => Ok(None),
        1 => Ok(Some(PaidThen::Paid)),
        2 => Ok(Some(PaidThen::RefundDue)),
        3 => Ok(Some(PaidThen::Refunded)),
        other => checked("what an order was", Err(format!("{other} is not known"))),
    }
}

/// Reads a list. How long it says it is is not believed, and room is made only for what is read: serde alone would make
/// a megabyte of room for the damaged length of a list of nothing.
pub(crate) fn list<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    struct Reader<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(element) = elements.next_element()? {
                list.push(element);
            }
            Ok(list)
        }
    }

    from.deserialize_seq(Reader(PhantomData))
}

#[derive(Serialize, Deserialize)]
pub(crate) struct IdempotencyV1 {
    request: [u8; 16],
    content: [u8; 16],
}

impl From<Idempotency> for IdempotencyV1 {
    fn from(value: Idempotency) -> Self {
        Self { request: value.request.0.to_le_bytes(), content: value.content.0.to_le_bytes() }
    }
}

impl From<IdempotencyV1> for Idempotency {
    fn from(value: IdempotencyV1) -> Self {
        Self {
            request: Fingerprint(u128::from_le_bytes(value.request)),
            content: Fingerprint(u128::from_le_bytes(value.content)),
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct MoneyV1 {
    minor: u64,
    currency: [u8; 3],
}

impl From<Money> for MoneyV1 {
    fn from(value: Money) -> Self {
        let mut currency = [0; 3];
        for (to, from) in currency.iter_mut().zip(value.currency.as_str().bytes()) {
            *to = from;
        }
        Self { minor: value.minor, currency }
    }
}

impl TryFrom<MoneyV1> for Money {
    type Error = CodecError;

    fn try_from(value: MoneyV1) -> Result<Self, CodecError> {
        let letters = String::from_utf8_lossy(&value.currency);
        Ok(Self { minor: value.minor, currency: checked("currency", Currency::parse(&letters))? })
    }
}

pub(crate) const fn provider_to(provider: Provider) -> u8 {
    match provider {
        Provider::External => 1,
        Provider::Simulated => 2,
        Provider::Generic => 3,
        Provider::Stripe => 4,
    }
}

pub(crate) fn provider_from(code: u8) -> Result<Provider, CodecError> {
    match code {
        1 => Ok(Provider::External),
        2 => Ok(Provider::Simulated),
        3 => Ok(Provider::Generic),
        4 => Ok(Provider::Stripe),
        other => checked("provider", Err(format!("{other} is not known"))),
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct CaptureV1 {
    provider: u8,
    payment: String,
    report: Option<String>,
    amount: MoneyV1,
}

impl From<&Capture> for CaptureV1 {
    fn from(value: &Capture) -> Self {
        Self {
            provider: provider_to(value.provider),
            payment: value.payment.as_str().to_owned(),
            report: value.report.as_ref().map(|report| report.as_str().to_owned()),
            amount: value.amount.into(),
        }
    }
}

impl TryFrom<CaptureV1> for Capture {
    type Error = CodecError;

    fn try_from(value: CaptureV1) -> Result<Self, CodecError> {
        Ok(Self {
            provider: provider_from(value.provider)?,
            payment: checked("payment", PaymentId::parse(&value.payment))?,
            report: match value.report {
                Some(report) => Some(checked("report", ProviderEventId::parse(&report))?),
                None => None,
            },
            amount: value.amount.try_into()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct SettingsV1 {
    name: String,
    unit_price: MoneyV1,
    per_order_max: u32,
    per_customer_limit: u32,
    hold_time_ms: u64,
    grace_ms: u64,
    waitlist_enabled: bool,
    waitlist_capacity: u32,
    extension_times: u8,
    extension_by_ms: u64,
    cool_off_after_expiries: u8,
    cool_off_lasts_ms: u64,
    close_when_sold: bool,
    opens_at_ms: Option<u64>,
    closes_at_ms: Option<u64>,
}

impl From<&Settings> for SettingsV1 {
    fn from(value: &Settings) -> Self {
        let policy = &value.policy;
        Self {
            name: value.name.as_str().to_owned(),
            unit_price: value.unit_price.into(),
            per_order_max: policy.per_order_max.get(),
            per_customer_limit: policy.per_customer_limit.get(),
            hold_time_ms: policy.hold_time.as_millis(),
            grace_ms: policy.grace.as_millis(),
            waitlist_enabled: policy.waitlist.enabled,
            waitlist_capacity: policy.waitlist.capacity,
            extension_times: policy.extension.times,
            extension_by_ms: policy.extension.by.as_millis(),
            cool_off_after_expiries: policy.cool_off.after_expiries,
            cool_off_lasts_ms: policy.cool_off.lasts.as_millis(),
            close_when_sold: policy.close_when_sold,
            opens_at_ms: value.opens_at.map(Timestamp::as_millis),
            closes_at_ms: value.closes_at.map(Timestamp::as_millis),
        }
    }
}

impl TryFrom<SettingsV1> for Settings {
    type Error = CodecError;

    fn try_from(value: SettingsV1) -> Result<Self, CodecError> {
        // Ranges are checked where settings come in. Were they checked here too, stricter rules would make old logs
        // unreadable; only what keeps prices exact must hold for ever.
        Ok(Self {
            name: checked("name", ItemName::parse(&value.name))?,
            unit_price: checked("unit_price", Money::try_from(value.unit_price)?.as_unit_price())?,
            policy: Policy {
                per_order_max: quantity(value.per_order_max)?,
                per_customer_limit: quantity(value.per_customer_limit)?,
                hold_time: DurationMs::from_millis(value.hold_time_ms),
                grace: DurationMs::from_millis(value.grace_ms),
                waitlist: WaitlistPolicy { enabled: value.waitlist_enabled, capacity: value.waitlist_capacity },
                extension: ExtensionPolicy {
                    times: value.extension_times,
                    by: DurationMs::from_millis(value.extension_by_ms),
                },
                cool_off: CoolOffPolicy {
                    after_expiries: value.cool_off_after_expiries,
                    lasts: DurationMs::from_millis(value.cool_off_lasts_ms),
                },
                close_when_sold: value.close_when_sold,
                // Written before there was a choice: as every item was then.
                payments: PaymentPolicy::default(),
            },
            opens_at: value.opens_at_ms.map(at).transpose()?,
            closes_at: value.closes_at_ms.map(at).transpose()?,
        })
    }
}

/// Settings as they were, and how orders are paid.
#[derive(Serialize, Deserialize)]
pub(crate) struct SettingsV2 {
    before: SettingsV1,
    provider: Option<u8>,
    honours_late: bool,
    parked_window_ms: u64,
}

impl From<&Settings> for SettingsV2 {
    fn from(value: &Settings) -> Self {
        let payments = value.policy.payments;
        Self {
            before: value.into(),
            provider: payments.provider.map(provider_to),
            honours_late: payments.honour_late,
            parked_window_ms: payments.parked_window.as_millis(),
        }
    }
}

impl TryFrom<SettingsV2> for Settings {
    type Error = CodecError;

    fn try_from(value: SettingsV2) -> Result<Self, CodecError> {
        let mut settings = Self::try_from(value.before)?;
        settings.policy.payments = PaymentPolicy {
            provider: value.provider.map(provider_from).transpose()?,
            honour_late: value.honours_late,
            parked_window: DurationMs::from_millis(value.parked_window_ms),
        };
        Ok(settings)
    }
}
