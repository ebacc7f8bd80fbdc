//! An item as everybody sees it, and as operators do.

use super::money::MoneyBody;
use super::time::Rfc3339;
use domain::policy::{CoolOffPolicy, ExtensionPolicy, PaymentPolicy, WaitlistPolicy};
use domain::time::Timestamp;
use domain::views::ItemView;
use serde::Serialize;

/// An item as everybody sees it.
#[derive(Serialize)]
pub(crate) struct ItemBody<'a> {
    sku: &'a str,
    name: &'a str,
    phase: &'static str,
    total: u32,
    available: u32,
    held: u32,
    sold: u32,
    waiting: u32,
    unit_price: MoneyBody,
    per_order_max: u32,
    per_customer_limit: u32,
    hold_time_ms: u64,
    waitlist: WaitlistSettings,
    extension: ExtensionSettings,
    opens_at: Option<Rfc3339>,
    closes_at: Option<Rfc3339>,
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    operators: Option<OperatorsPart>,
    sequence: u64,
    server_time: Rfc3339,
}

/// What only operators see.
#[derive(Serialize)]
struct OperatorsPart {
    revision: u64,
    grace_ms: u64,
    cool_off: CoolOffSettings,
    close_when_sold: bool,
    payments: PaymentSettings,
}

#[derive(Serialize)]
struct PaymentSettings {
    provider: Option<&'static str>,
    honour_late: bool,
    parked_window_ms: u64,
}

#[derive(Serialize)]
struct WaitlistSettings {
    enabled: bool,
    capacity: u32,
}

#[derive(Serialize)]
struct ExtensionSettings {
    times: u8,
    by_ms: u64,
}

#[derive(Serialize)]
struct CoolOffSettings {
    after_expiries: u8,
    lasts_ms: u64,
}

impl From<PaymentPolicy> for PaymentSettings {
    fn from(PaymentPolicy { provider, honour_late, parked_window }: PaymentPolicy) -> Self {
        let provider = provider.map(domain::payment::Provider::name);
        Self { provider, honour_late, parked_window_ms: parked_window.as_millis() }
    }
}

impl From<WaitlistPolicy> for WaitlistSettings {
    fn from(WaitlistPolicy { enabled, capacity }: WaitlistPolicy) -> Self {
        Self { enabled, capacity }
    }
}

impl From<ExtensionPolicy> for ExtensionSettings {
    fn from(ExtensionPolicy { times, by }: ExtensionPolicy) -> Self {
        Self { times, by_ms: by.as_millis() }
    }
}

impl From<CoolOffPolicy> for CoolOffSettings {
    fn from(CoolOffPolicy { after_expiries, lasts }: CoolOffPolicy) -> Self {
        Self { after_expiries, lasts_ms: lasts.as_millis() }
    }
}

impl<'a> ItemBody<'a> {
    /// As everybody sees it at `now`.
    pub(crate) fn public(view: &'a ItemView, now: Timestamp) -> Self {
        let (status, settings, policy) = (&view.status, &*view.settings, &view.settings.policy);
        Self {
            sku: view.sku.as_str(),
            name: settings.name.as_str(),
            phase: status.phase.name(),
            total: status.total.get(),
            available: status.available.get(),
            held: status.held.get(),
            sold: status.sold.get(),
            waiting: status.waiting,
            unit_price: settings.unit_price.into(),
            per_order_max: policy.per_order_max.get(),
            per_customer_limit: policy.per_customer_limit.get(),
            hold_time_ms: policy.hold_time.as_millis(),
            waitlist: policy.waitlist.into(),
            extension: policy.extension.into(),
            opens_at: settings.opens_at.map(Rfc3339),
            closes_at: settings.closes_at.map(Rfc3339),
            operators: None,
            sequence: view.sequence.0,
            server_time: Rfc3339(now),
        }
    }

    /// As operators see it at `now`.
    pub(crate) fn operators(view: &'a ItemView, now: Timestamp) -> Self {
        let policy = &view.settings.policy;
        let part = OperatorsPart {
            revision: view.status.revision.0,
            grace_ms: policy.grace.as_millis(),
            cool_off: policy.cool_off.into(),
            close_when_sold: policy.close_when_sold,
            payments: policy.payments.into(),
        };
        Self { operators: Some(part), ..Self::public(view, now) }
    }
}
