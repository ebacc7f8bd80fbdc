//! What an operator decides about an item: price, limits, times.

use crate::limits::{EXTENSIONS_MAX, HOLD_TIME_MAX, HOLD_TIME_MIN, PARKED_WINDOW_MAX, WAITLIST_CAPACITY_MAX};
use crate::money::Money;
use crate::payment::Provider;
use crate::text::{ItemName, Sku};
use crate::time::{DurationMs, Timestamp};
use crate::units::{Quantity, Units};

/// The rules one item sells by. Changes apply to later grants; existing reservations keep theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Most units in one reservation.
    pub per_order_max: Quantity,
    /// Most units one customer can have live and sold on this item.
    pub per_customer_limit: Quantity,
    /// How long a hold lasts.
    pub hold_time: DurationMs,
    /// How much longer a payment is in time once an order is placed.
    pub grace: DurationMs,
    /// Whether and how far people can wait.
    pub waitlist: WaitlistPolicy,
    /// How a customer can extend a hold.
    pub extension: ExtensionPolicy,
    /// What happens to a customer whose holds expire unpaid again and again.
    pub cool_off: CoolOffPolicy,
    /// Whether an item with all units sold and nothing held closes by itself.
    pub close_when_sold: bool,
    /// How its orders are paid.
    pub payments: PaymentPolicy,
}

/// How an item's orders are paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaymentPolicy {
    /// Who is asked for an opportunity to pay for every hold; none: the integrator arranges payments.
    pub provider: Option<Provider>,
    /// Whether a payment after its hold has expired is honoured where units are free and nobody waits.
    pub honour_late: bool,
    /// How long money that came before its order waits for it.
    pub parked_window: DurationMs,
}

/// Whether and how far people can wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitlistPolicy {
    /// Whether there is a waitlist.
    pub enabled: bool,
    /// How many reservations can wait at once.
    pub capacity: u32,
}

/// How a customer can extend a hold: `times` times, `by` each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtensionPolicy {
    /// How often.
    pub times: u8,
    /// By how much each time.
    pub by: DurationMs,
}

/// Hoarding (domain rule 14): after `after_expiries` holds in a row expired unpaid, no new ones for `lasts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoolOffPolicy {
    /// How many in a row; 0 turns it off.
    pub after_expiries: u8,
    /// For how long.
    pub lasts: DurationMs,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            per_order_max: Quantity::ONE,
            per_customer_limit: Quantity::ONE,
            hold_time: DurationMs::from_secs(120),
            grace: DurationMs::ZERO,
            waitlist: WaitlistPolicy { enabled: true, capacity: 1_000_000 },
            extension: ExtensionPolicy { times: 1, by: DurationMs::from_secs(60) },
            cool_off: CoolOffPolicy { after_expiries: 0, lasts: DurationMs::ZERO },
            close_when_sold: true,
            payments: PaymentPolicy::default(),
        }
    }
}

impl Default for PaymentPolicy {
    fn default() -> Self {
        Self { provider: None, honour_late: true, parked_window: DurationMs::from_secs(15 * 60) }
    }
}

/// A setting that cannot be. `field` is the setting's name in the API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct SettingError {
    /// Which setting.
    pub field: &'static str,
    /// What is wrong and what is allowed.
    pub problem: String,
}

fn within(field: &'static str, value: DurationMs, min: DurationMs, max: DurationMs) -> Result<(), SettingError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    let problem = format!("must be from {} to {} ms, got {}", min.as_millis(), max.as_millis(), value.as_millis());
    Err(SettingError { field, problem })
}

/// Everything an operator can change about an item after it is created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What it is called.
    pub name: ItemName,
    /// What one unit costs. Fixed once the sale has opened.
    pub unit_price: Money,
    /// The rules it sells by.
    pub policy: Policy,
    /// When it opens by itself.
    pub opens_at: Option<Timestamp>,
    /// When it closes by itself, in any phase.
    pub closes_at: Option<Timestamp>,
}

impl Settings {
    /// Checks what the types do not: ranges, and that the sale opens before it closes.
    ///
    /// # Errors
    /// The first setting that cannot be.
    pub fn validate(&self) -> Result<(), SettingError> {
        let policy = &self.policy;
        self.unit_price
            .as_unit_price()
            .map_err(|error| SettingError { field: "unit_price", problem: error.to_string() })?;
        within("hold_time_ms", policy.hold_time, HOLD_TIME_MIN, HOLD_TIME_MAX)?;
        within("grace_ms", policy.grace, DurationMs::ZERO, HOLD_TIME_MAX)?;
        within("extension.by_ms", policy.extension.by, DurationMs::ZERO, HOLD_TIME_MAX)?;
        within("payments.parked_window_ms", policy.payments.parked_window, DurationMs::ZERO, PARKED_WINDOW_MAX)?;
        if matches!(policy.payments.provider, Some(Provider::External)) {
            let problem = "external is no provider that can be asked: leave it out, and confirm orders".to_owned();
            return Err(SettingError { field: "payments.provider", problem });
        }
        within("cool_off.lasts_ms", policy.cool_off.lasts, DurationMs::ZERO, HOLD_TIME_MAX)?;
        if policy.extension.times > EXTENSIONS_MAX {
            let problem = format!("must be at most {EXTENSIONS_MAX}");
            return Err(SettingError { field: "extension.times", problem });
        }
        if policy.waitlist.capacity > WAITLIST_CAPACITY_MAX {
            let problem = format!("must be at most {WAITLIST_CAPACITY_MAX}");
            return Err(SettingError { field: "waitlist.capacity", problem });
        }
        match (self.opens_at, self.closes_at) {
            (Some(opens), Some(closes)) if closes <= opens => {
                Err(SettingError { field: "closes_at", problem: "must be after opens_at".to_owned() })
            }
            _ => Ok(()),
        }
    }
}

/// A new item as an operator asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemSpec {
    /// Its public name.
    pub sku: Sku,
    /// How many units there are.
    pub total: Units,
    /// Everything that can be changed later.
    pub settings: Settings,
}

/// A change of settings: what is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingsPatch {
    /// What it is called.
    pub name: Option<ItemName>,
    /// What one unit costs.
    pub unit_price: Option<Money>,
    /// Most units in one reservation.
    pub per_order_max: Option<Quantity>,
    /// Most units one customer can have.
    pub per_customer_limit: Option<Quantity>,
    /// How long a hold lasts.
    pub hold_time: Option<DurationMs>,
    /// How much longer a payment is in time once an order is placed.
    pub grace: Option<DurationMs>,
    /// Whether there is a waitlist.
    pub waitlist_enabled: Option<bool>,
    /// How many can wait.
    pub waitlist_capacity: Option<u32>,
    /// How often a hold can be extended.
    pub extension_times: Option<u8>,
    /// By how much each time.
    pub extension_by: Option<DurationMs>,
    /// After how many expiries in a row the cool-off begins.
    pub cool_off_after_expiries: Option<u8>,
    /// How long the cool-off lasts.
    pub cool_off_lasts: Option<DurationMs>,
    /// Whether a sold-out item closes by itself.
    pub close_when_sold: Option<bool>,
    /// Who is asked for opportunities to pay; `Some(None)`: nobody.
    pub payment_provider: Option<Option<Provider>>,
    /// Whether late payments are honoured where possible.
    pub honour_late_payments: Option<bool>,
    /// How long money waits for its order.
    pub parked_window: Option<DurationMs>,
    /// When it opens by itself; `Some(None)` takes the instant away.
    pub opens_at: Option<Option<Timestamp>>,
    /// When it closes by itself; `Some(None)` takes the instant away.
    pub closes_at: Option<Option<Timestamp>>,
}

impl SettingsPatch {
    /// The settings after this change.
    #[must_use]
    pub fn applied_to(&self, old: &Settings) -> Settings {
        let (policy, cool_off) = (&old.policy, old.policy.cool_off);
        Settings {
            name: self.name.clone().unwrap_or_else(|| old.name.clone()),
            unit_price: self.unit_price.unwrap_or(old.unit_price),
            policy: Policy {
                per_order_max: self.per_order_max.unwrap_or(policy.per_order_max),
                per_customer_limit: self.per_customer_limit.unwrap_or(policy.per_customer_limit),
                hold_time: self.hold_time.unwrap_or(policy.hold_time),
                grace: self.grace.unwrap_or(policy.grace),
                waitlist: WaitlistPolicy {
                    enabled: self.waitlist_enabled.unwrap_or(policy.waitlist.enabled),
                    capacity: self.waitlist_capacity.unwrap_or(policy.waitlist.capacity),
                },
                extension: ExtensionPolicy {
                    times: self.extension_times.unwrap_or(policy.extension.times),
                    by: self.extension_by.unwrap_or(policy.extension.by),
                },
                cool_off: CoolOffPolicy {
                    after_expiries: self.cool_off_after_expiries.unwrap_or(cool_off.after_expiries),
                    lasts: self.cool_off_lasts.unwrap_or(cool_off.lasts),
                },
                close_when_sold: self.close_when_sold.unwrap_or(policy.close_when_sold),
                payments: PaymentPolicy {
                    provider: self.payment_provider.unwrap_or(policy.payments.provider),
                    honour_late: self.honour_late_payments.unwrap_or(policy.payments.honour_late),
                    parked_window: self.parked_window.unwrap_or(policy.payments.parked_window),
                },
            },
            opens_at: self.opens_at.unwrap_or(old.opens_at),
            closes_at: self.closes_at.unwrap_or(old.closes_at),
        }
    }

    /// The payment settings of items that were created before there was a choice.
    pub(crate) fn usual_payments() -> Self {
        let usual = PaymentPolicy::default();
        Self {
            payment_provider: Some(usual.provider),
            honour_late_payments: Some(usual.honour_late),
            parked_window: Some(usual.parked_window),
            ..Self::default()
        }
    }

    /// The patch that makes any settings equal to `settings`: what a recorded revision says its command was.
    #[must_use]
    pub fn to(settings: &Settings) -> Self {
        let policy = &settings.policy;
        Self {
            name: Some(settings.name.clone()),
            unit_price: Some(settings.unit_price),
            per_order_max: Some(policy.per_order_max),
            per_customer_limit: Some(policy.per_customer_limit),
            hold_time: Some(policy.hold_time),
            grace: Some(policy.grace),
            waitlist_enabled: Some(policy.waitlist.enabled),
            waitlist_capacity: Some(policy.waitlist.capacity),
            extension_times: Some(policy.extension.times),
            extension_by: Some(policy.extension.by),
            cool_off_after_expiries: Some(policy.cool_off.after_expiries),
            cool_off_lasts: Some(policy.cool_off.lasts),
            close_when_sold: Some(policy.close_when_sold),
            payment_provider: Some(policy.payments.provider),
            honour_late_payments: Some(policy.payments.honour_late),
            parked_window: Some(policy.payments.parked_window),
            opens_at: Some(settings.opens_at),
            closes_at: Some(settings.closes_at),
        }
    }
}
