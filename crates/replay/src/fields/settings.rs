//! An item's settings as fields.

use super::money;
use crate::instant::Rfc3339;
use domain::policy::Settings;
use serde_json::{Value, json};

/// All of them.
pub(super) fn json(settings: &Settings) -> Value {
    let policy = &settings.policy;
    json!({
        "name": settings.name.as_str(),
        "unit_price": money(settings.unit_price),
        "per_order_max": policy.per_order_max.get(),
        "per_customer_limit": policy.per_customer_limit.get(),
        "hold_time_ms": policy.hold_time.as_millis(),
        "grace_ms": policy.grace.as_millis(),
        "waitlist_enabled": policy.waitlist.enabled,
        "waitlist_capacity": policy.waitlist.capacity,
        "extension_times": policy.extension.times,
        "extension_by_ms": policy.extension.by.as_millis(),
        "cool_off_after_expiries": policy.cool_off.after_expiries,
        "cool_off_lasts_ms": policy.cool_off.lasts.as_millis(),
        "close_when_sold": policy.close_when_sold,
        "payment_provider": policy.payments.provider.map(|provider| provider.name()),
        "honours_late": policy.payments.honour_late,
        "parked_window_ms": policy.payments.parked_window.as_millis(),
        "opens_at": settings.opens_at.map(Rfc3339),
        "closes_at": settings.closes_at.map(Rfc3339),
    })
}
