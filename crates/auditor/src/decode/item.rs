//! Bodies of items' streams, but for payments.

use super::reader::Reader;
use super::{BodyError, capture, money, provider, unknown};
use crate::event::{Body, ClosedBy, Decision, OpenedBy, Purchase, Settings};

/// What settings meant before there was a choice, in milliseconds.
const PARKED_WINDOW_BEFORE_MS: u64 = 900_000;

/// The event of this kind; `None` where items' streams know no such kind.
pub(super) fn decode(tag: u16, version: u8, from: &mut Reader<'_>) -> Result<Option<Body>, BodyError> {
    Ok(Some(match (tag, version) {
        (1, 1 | 2) => Body::ItemCreated {
            sku: from.string()?,
            total: from.u32()?,
            settings: Box::new(settings(version, from)?),
            key: from.array()?,
        },
        (2, 1 | 2) => Body::ItemRevised { settings: Box::new(settings(version, from)?) },
        (3, 1) => Body::SaleOpened { by: opened_by(from)? },
        (4, 1) => Body::SalePaused,
        (5, 1) => Body::SaleResumed,
        (6, 1) => Body::SaleClosed { by: closed_by(from)?, lapsed: from.u32()? },
        (7, 1) => Body::StockAdjusted { change: from.i32()?, reason: from.string()?, total: from.u32()? },
        (16..=24, 1) => sale(tag, from)?,
        (32, 1) => Body::HoldExpired { reservation: from.u32()?, release_at_ms: from.u64()?, released: from.u32()? },
        (33, 1) => Body::HoldPromoted { reservation: from.u32()?, deadline_ms: from.u64()?, because: from.u64()? },
        (34, 1) => Body::WaitlistLapsed { reservation: from.u32()?, can_never_be_served: lapse(from)? },
        (35, 1) => clock_resumed(from)?,
        _ => return Ok(None),
    }))
}

/// Tags 16 to 24; 22 is a payment and decoded before this is asked.
fn sale(tag: u16, from: &mut Reader<'_>) -> Result<Body, BodyError> {
    let reservation = from.u32()?;
    Ok(match tag {
        16 => Body::HoldPlaced {
            reservation,
            customer: from.string()?,
            quantity: from.u32()?,
            declines_waitlist: from.bool()?,
            deadline_ms: from.u64()?,
        },
        17 => Body::WaitlistJoined {
            reservation,
            customer: from.string()?,
            quantity: from.u32()?,
            position: from.u32()?,
            available: from.u32()?,
        },
        18 => Body::PurchaseConfirmed(Box::new(Purchase {
            reservation,
            customer: from.string()?,
            quantity: from.u32()?,
            capture: capture(from)?,
            payment_named: from.bool()?,
            amount_named: from.bool()?,
        })),
        19 => Body::ReservationCancelled { reservation, released: from.u32()? },
        20 => Body::HoldExtended { reservation, deadline_ms: from.u64()? },
        21 => Body::OrderPlaced {
            reservation,
            amount: money(from)?,
            release_at_ms: from.u64()?,
            amount_named: from.bool()?,
        },
        23 => Body::PartHeld { reservation, customer: from.string()?, quantity: from.u32()?, bundle: from.id()? },
        24 => {
            let (bundle, decision) = (from.id()?, decision(from)?);
            Body::PartSettled { reservation, bundle, decision, released: from.u32()? }
        }
        _ => return Err(BodyError::Kind { tag, version: 1 }),
    })
}

pub(super) fn clock_resumed(from: &mut Reader<'_>) -> Result<Body, BodyError> {
    Ok(Body::ClockResumed { from_ms: from.u64()?, to_ms: from.u64()?, release_floor_ms: from.u64()? })
}

fn settings(version: u8, from: &mut Reader<'_>) -> Result<Settings, BodyError> {
    let mut settings = Settings {
        name: from.string()?,
        unit_price: money(from)?,
        per_order_max: from.u32()?,
        per_customer_limit: from.u32()?,
        hold_time_ms: from.u64()?,
        grace_ms: from.u64()?,
        waitlist_enabled: from.bool()?,
        waitlist_capacity: from.u32()?,
        extension_times: from.u8()?,
        extension_by_ms: from.u64()?,
        cool_off_after_expiries: from.u8()?,
        cool_off_lasts_ms: from.u64()?,
        close_when_sold: from.bool()?,
        opens_at_ms: from.option(Reader::u64)?,
        closes_at_ms: from.option(Reader::u64)?,
        provider: None,
        honours_late: true,
        parked_window_ms: PARKED_WINDOW_BEFORE_MS,
    };
    if version >= 2 {
        settings.provider = from.option(provider)?;
        settings.honours_late = from.bool()?;
        settings.parked_window_ms = from.u64()?;
    }
    Ok(settings)
}

fn opened_by(from: &mut Reader<'_>) -> Result<OpenedBy, BodyError> {
    match from.u8()? {
        1 => Ok(OpenedBy::Operator),
        2 => Ok(OpenedBy::Schedule),
        code => Err(unknown("way to open a sale", code)),
    }
}

fn closed_by(from: &mut Reader<'_>) -> Result<ClosedBy, BodyError> {
    match from.u8()? {
        1 => Ok(ClosedBy::Operator),
        2 => Ok(ClosedBy::Schedule),
        3 => Ok(ClosedBy::SoldOut),
        code => Err(unknown("way to close a sale", code)),
    }
}

fn decision(from: &mut Reader<'_>) -> Result<Decision, BodyError> {
    match from.u8()? {
        1 => Ok(Decision::Sold),
        2 => Ok(Decision::Expired),
        3 => Ok(Decision::Cancelled),
        4 => Ok(Decision::Abandoned),
        5 => Ok(Decision::Returned),
        code => Err(unknown("decision of a bundle", code)),
    }
}

fn lapse(from: &mut Reader<'_>) -> Result<bool, BodyError> {
    match from.u8()? {
        1 => Ok(false),
        2 => Ok(true),
        code => Err(unknown("reason to lapse", code)),
    }
}
