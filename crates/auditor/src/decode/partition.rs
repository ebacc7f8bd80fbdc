//! Bodies of a partition's own stream, but for payments.

use super::item::clock_resumed;
use super::reader::Reader;
use super::{BodyError, money, provider, unknown};
use crate::event::{Body, Bundle, BundleLine, Endpoint, Report, Told};

/// Endpoints' events, which have no place for idempotency hashes.
pub(super) const ENDPOINT_TAGS: std::ops::RangeInclusive<u16> = 320..=324;

/// The event of this kind; `None` where partitions' streams know no such kind.
pub(super) fn decode(tag: u16, version: u8, from: &mut Reader<'_>) -> Result<Option<Body>, BodyError> {
    if version != 1 {
        return Ok(None);
    }
    Ok(Some(match tag {
        256 => Body::ItemRegistered { item: from.u32()?, sku: from.string()? },
        257 => Body::PartitionKeyed { key: from.array()? },
        258 => Body::BundleHeld {
            bundle: from.u32()?,
            held: Box::new(bundle(from)?),
            amount: money(from)?,
            deadline_ms: from.u64()?,
        },
        259 => Body::BundleOrdered {
            bundle: from.u32()?,
            amount: money(from)?,
            release_at_ms: from.u64()?,
            amount_named: from.bool()?,
        },
        260 => Body::BundleCancelled { bundle: from.u32()? },
        261 => Body::BundleExpired { bundle: from.u32()?, release_at_ms: from.u64()? },
        262 => Body::PaymentUnmatched { order: from.id()?, report: Box::new(report(from)?) },
        263 => clock_resumed(from)?,
        320..=324 => {
            let endpoint = from.u32()?;
            Body::Endpoint { endpoint, event: Box::new(self::endpoint(tag, from)?) }
        }
        _ => return Ok(None),
    }))
}

fn bundle(from: &mut Reader<'_>) -> Result<Bundle, BodyError> {
    Ok(Bundle {
        id: from.id()?,
        customer: from.string()?,
        lines: from.list(line)?,
        hold_time_ms: from.u64()?,
        grace_ms: from.u64()?,
        parked_window_ms: from.u64()?,
        provider: from.option(provider)?,
    })
}

fn line(from: &mut Reader<'_>) -> Result<BundleLine, BodyError> {
    Ok(BundleLine { sku: from.string()?, reservation: from.id()?, quantity: from.u32()?, amount: money(from)? })
}

fn report(from: &mut Reader<'_>) -> Result<Report, BodyError> {
    Ok(Report { provider: provider(from)?, report: from.string()?, payment: from.string()?, told: told(from)? })
}

fn told(from: &mut Reader<'_>) -> Result<Told, BodyError> {
    match from.u32()? {
        0 => Ok(Told::Captured(money(from)?)),
        1 => Ok(Told::Failed),
        2 => Ok(Told::Cancelled),
        3 => Ok(Told::Refunded(money(from)?)),
        code => Err(BodyError::Code { what: "report of a payment", code }),
    }
}

fn endpoint(tag: u16, from: &mut Reader<'_>) -> Result<Endpoint, BodyError> {
    Ok(match tag {
        320 => Endpoint::Added { url: from.string()?, types: from.list(Reader::u8)?, secret: from.array()? },
        321 => Endpoint::SecretRotated { secret: from.array()? },
        322 => Endpoint::Disabled {
            by: match from.u8()? {
                by @ 1..=3 => by,
                code => return Err(unknown("way to disable an endpoint", code)),
            },
        },
        323 => Endpoint::Enabled,
        _ => Endpoint::Removed,
    })
}
