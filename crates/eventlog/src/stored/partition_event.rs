//! Stored events of a partition's own stream. Payment events have the shapes they have in items' streams; the owner is
//! the bundle's number.

use super::bundle::{NewBundleV1, ReportV1};
use super::endpoint;
use super::event::{body, kind, open};
use super::payment;
use super::value::{MoneyV1, at, checked};
use crate::codec::{CodecError, Kind};
use crate::record::RawEvent;
use domain::event::{PartitionEvent, Recorded};
use domain::idempotency::Idempotency;
use domain::identity::{ItemKey, OrderId};
use domain::ids::{ItemNo, Ordinal};
use domain::text::Sku;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct ItemRegisteredV1 {
    item: u32,
    sku: String,
}

#[derive(Serialize, Deserialize)]
struct BundleHeldV1 {
    bundle: u32,
    held: NewBundleV1,
    amount: MoneyV1,
    deadline_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct BundleOrderedV1 {
    bundle: u32,
    amount: MoneyV1,
    release_at_ms: u64,
    amount_named: bool,
}

#[derive(Serialize, Deserialize)]
struct PaymentUnmatchedV1 {
    order: [u8; 16],
    report: ReportV1,
}

pub(crate) fn encode(recorded: &Recorded<PartitionEvent>) -> (Kind, Vec<u8>) {
    let key = recorded.idempotency;
    match &recorded.event {
        PartitionEvent::ItemRegistered { item, sku } => {
            let shape = ItemRegisteredV1 { item: item.as_u32(), sku: sku.as_str().to_owned() };
            (kind::ITEM_REGISTERED, body(key, shape))
        }
        PartitionEvent::PartitionKeyed { key: secret } => (kind::PARTITION_KEYED, body(key, *secret.as_bytes())),
        PartitionEvent::BundleHeld { bundle, held, amount, deadline } => {
            let shape = BundleHeldV1 {
                bundle: bundle.0,
                held: (&**held).into(),
                amount: (*amount).into(),
                deadline_ms: deadline.as_millis(),
            };
            (kind::BUNDLE_HELD, body(key, shape))
        }
        PartitionEvent::BundleOrdered { bundle, amount, release_at, amount_named } => {
            let shape = BundleOrderedV1 {
                bundle: bundle.0,
                amount: (*amount).into(),
                release_at_ms: release_at.as_millis(),
                amount_named: *amount_named,
            };
            (kind::BUNDLE_ORDERED, body(key, shape))
        }
        PartitionEvent::BundleCancelled { bundle } => (kind::BUNDLE_CANCELLED, body(key, bundle.0)),
        PartitionEvent::BundleExpired { bundle, release_at } => {
            (kind::BUNDLE_EXPIRED, body(key, (bundle.0, release_at.as_millis())))
        }
        PartitionEvent::Payment { bundle, event } => payment::encode(*bundle, event, key),
        PartitionEvent::PaymentUnmatched { order, report } => {
            let shape = PaymentUnmatchedV1 { order: order.as_u128().to_le_bytes(), report: (&**report).into() };
            (kind::PAYMENT_UNMATCHED, body(key, shape))
        }
        PartitionEvent::Endpoint { endpoint: no, event } => endpoint::encode(*no, event),
        PartitionEvent::ClockResumed { from, to, release_floor } => {
            let shape = (from.as_millis(), to.as_millis(), release_floor.as_millis());
            (kind::PARTITION_CLOCK_RESUMED, body(key, shape))
        }
    }
}

pub(crate) fn decode(raw: &RawEvent<'_>) -> Result<Recorded<PartitionEvent>, CodecError> {
    let (idempotency, event) = decode_event(raw)?;
    Ok(Recorded { seq: raw.head.seq, at: raw.head.at, idempotency, event })
}

fn decode_event(raw: &RawEvent<'_>) -> Result<(Option<Idempotency>, PartitionEvent), CodecError> {
    Ok(match (Kind { tag: raw.head.tag, version: raw.head.version }) {
        kind::ITEM_REGISTERED => {
            let (key, stored) = open::<ItemRegisteredV1>(raw)?;
            let sku = checked("sku", Sku::parse(&stored.sku))?;
            (key, PartitionEvent::ItemRegistered { item: ItemNo::from_u32(stored.item), sku })
        }
        kind::PARTITION_KEYED => {
            let (key, secret) = open::<[u8; 32]>(raw)?;
            (key, PartitionEvent::PartitionKeyed { key: ItemKey::from_bytes(secret) })
        }
        kind::BUNDLE_HELD => {
            let (key, stored) = open::<BundleHeldV1>(raw)?;
            let event = PartitionEvent::BundleHeld {
                bundle: Ordinal(stored.bundle),
                held: Box::new(stored.held.try_into()?),
                amount: stored.amount.try_into()?,
                deadline: at(stored.deadline_ms)?,
            };
            (key, event)
        }
        kind::BUNDLE_ORDERED => {
            let (key, stored) = open::<BundleOrderedV1>(raw)?;
            let event = PartitionEvent::BundleOrdered {
                bundle: Ordinal(stored.bundle),
                amount: stored.amount.try_into()?,
                release_at: at(stored.release_at_ms)?,
                amount_named: stored.amount_named,
            };
            (key, event)
        }
        kind::BUNDLE_CANCELLED => {
            let (key, bundle) = open::<u32>(raw)?;
            (key, PartitionEvent::BundleCancelled { bundle: Ordinal(bundle) })
        }
        kind::BUNDLE_EXPIRED => {
            let (key, (bundle, release_at)) = open::<(u32, u64)>(raw)?;
            (key, PartitionEvent::BundleExpired { bundle: Ordinal(bundle), release_at: at(release_at)? })
        }
        kind::PAYMENT_UNMATCHED => {
            let (key, stored) = open::<PaymentUnmatchedV1>(raw)?;
            let order = OrderId::from_u128(u128::from_le_bytes(stored.order));
            (key, PartitionEvent::PaymentUnmatched { order, report: Box::new(stored.report.try_into()?) })
        }
        kind::PARTITION_CLOCK_RESUMED => {
            let (key, (from, to, floor)) = open::<(u64, u64, u64)>(raw)?;
            (key, PartitionEvent::ClockResumed { from: at(from)?, to: at(to)?, release_floor: at(floor)? })
        }
        other => match payment::decode(other, raw.body)? {
            Some((key, bundle, event)) => (key, PartitionEvent::Payment { bundle, event: Box::new(event) }),
            None => match endpoint::decode(other, raw.body)? {
                Some((endpoint, event)) => (None, PartitionEvent::Endpoint { endpoint, event: Box::new(event) }),
                None => return Err(CodecError::Kind(other)),
            },
        },
    })
}
