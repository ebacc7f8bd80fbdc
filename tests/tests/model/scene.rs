//! The item a run begins with: any settings that can be, small enough that limits and deadlines meet.

use domain::money::{Currency, Money};
use domain::payment::Provider;
use domain::policy::{CoolOffPolicy, ExtensionPolicy, ItemSpec, PaymentPolicy, Policy, Settings, WaitlistPolicy};
use domain::text::{ItemName, Sku};
use domain::time::{DurationMs, Timestamp};
use domain::units::{Quantity, Units};
use proptest::prelude::*;

pub(crate) fn units(count: u32) -> Quantity {
    Quantity::new(count).expect("a quantity")
}

pub(crate) fn euro(minor: u64) -> Money {
    Money { minor, currency: Currency::parse("EUR").expect("a currency") }
}

/// One of a few lengths of time.
fn ms(some: &'static [u64]) -> impl Strategy<Value = DurationMs> {
    prop::sample::select(some).prop_map(DurationMs::from_millis)
}

fn waitlist(places: impl Strategy<Value = u32>) -> impl Strategy<Value = WaitlistPolicy> {
    (prop::bool::weighted(0.9), places).prop_map(|(enabled, capacity)| WaitlistPolicy { enabled, capacity })
}

fn extension() -> impl Strategy<Value = ExtensionPolicy> {
    (0u8..3, ms(&[400, 1_000, 0])).prop_map(|(times, by)| ExtensionPolicy { times, by })
}

fn cool_off() -> impl Strategy<Value = CoolOffPolicy> {
    (0u8..3, ms(&[700, 2_500])).prop_map(|(after_expiries, lasts)| CoolOffPolicy { after_expiries, lasts })
}

fn payments() -> impl Strategy<Value = PaymentPolicy> {
    let provider = prop::option::of(Just(Provider::Simulated));
    (provider, prop::bool::weighted(0.85), ms(&[900_000, 400, 2_000, 0]))
        .prop_map(|(provider, honour_late, parked_window)| PaymentPolicy { provider, honour_late, parked_window })
}

fn policy(places: impl Strategy<Value = u32>) -> impl Strategy<Value = Policy> {
    let limits = (prop_oneof![Just(1u32), 2u32..4], prop_oneof![Just(1u32), 2u32..9]);
    let times = (ms(&[1_000, 2_000, 3_100]), ms(&[0, 200, 1_000]));
    (limits, times, waitlist(places), extension(), cool_off(), prop::bool::weighted(0.2), payments()).prop_map(
        |((per_order, limit), (hold_time, grace), waitlist, extension, cool_off, close_when_sold, payments)| Policy {
            per_order_max: units(per_order),
            per_customer_limit: units(limit),
            hold_time,
            grace,
            waitlist,
            extension,
            cool_off,
            close_when_sold,
            payments,
        },
    )
}

fn spec(total: u32, policy: Policy, (opens, closes): (Option<u64>, Option<u64>)) -> ItemSpec {
    let settings = Settings {
        name: ItemName::parse("thing").expect("a name"),
        unit_price: euro(100),
        policy,
        opens_at: opens.map(Timestamp::from_millis),
        closes_at: closes.map(Timestamp::from_millis),
    };
    settings.validate().expect("settings that can be");
    ItemSpec { sku: Sku::parse("thing").expect("a sku"), total: Units::new(total).expect("units"), settings }
}

pub(crate) fn small() -> impl Strategy<Value = ItemSpec> {
    let total = prop_oneof![1 => Just(0u32), 9 => 1u32..5, 9 => 5u32..14];
    let opens = prop_oneof![12 => Just(Some(0u64)), 1 => Just(Some(500u64)), 1 => Just(None)];
    let closes = prop_oneof![12 => Just(None), 1 => Just(Some(20_000u64)), 1 => Just(Some(3_000u64))];
    (total, policy(prop_oneof![4 => 1u32..6, 1 => Just(0u32)]), (opens, closes))
        .prop_map(|(total, policy, times)| spec(total, policy, times))
}

pub(crate) fn crowded() -> impl Strategy<Value = ItemSpec> {
    (100u32..500, policy(200u32..600)).prop_map(|(total, policy)| spec(total, policy, (Some(0), None)))
}
