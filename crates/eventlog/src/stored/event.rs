//! Stored events. Tags are never reused; a body is the idempotency hashes, if any, and the shape of its version.

use super::payment;
use super::value::{CaptureV1, IdempotencyV1, MoneyV1, SettingsV1, SettingsV2, at, checked, quantity, units};
use crate::codec::{CodecError, Kind, USUAL_BODY_BYTES, encode_onto, from_bytes};
use crate::record::RawEvent;
use domain::command::WaitlistChoice;
use domain::event::{ClosedBy, Event, LapseReason, OpenedBy, PartDecision, Recorded};
use domain::idempotency::Idempotency;
use domain::identity::{BundleId, ItemKey};
use domain::ids::{Ordinal, Seq};
use domain::policy::{ItemSpec, Settings};
use domain::text::{CustomerId, Reason, Sku};
use domain::units::StockChange;
use serde::{Deserialize, Serialize};

/// The tag of every event there ever was, each with its current version.
pub(crate) mod kind {
    use crate::codec::Kind;
    use crate::record::{BodyVersion, Tag};

    const fn v1(tag: u16) -> Kind {
        Kind { tag: Tag(tag), version: BodyVersion(1) }
    }

    const fn v2(tag: u16) -> Kind {
        Kind { tag: Tag(tag), version: BodyVersion(2) }
    }

    pub(crate) const ITEM_CREATED_V1: Kind = v1(1);
    pub(crate) const ITEM_CREATED: Kind = v2(1);
    pub(crate) const ITEM_REVISED_V1: Kind = v1(2);
    pub(crate) const ITEM_REVISED: Kind = v2(2);
    pub(crate) const SALE_OPENED: Kind = v1(3);
    pub(crate) const SALE_PAUSED: Kind = v1(4);
    pub(crate) const SALE_RESUMED: Kind = v1(5);
    pub(crate) const SALE_CLOSED: Kind = v1(6);
    pub(crate) const STOCK_ADJUSTED: Kind = v1(7);
    pub(crate) const HOLD_PLACED: Kind = v1(16);
    pub(crate) const WAITLIST_JOINED: Kind = v1(17);
    pub(crate) const PURCHASE_CONFIRMED: Kind = v1(18);
    pub(crate) const RESERVATION_CANCELLED: Kind = v1(19);
    pub(crate) const HOLD_EXTENDED: Kind = v1(20);
    pub(crate) const ORDER_PLACED: Kind = v1(21);
    pub(crate) const PAYMENT_CAPTURED: Kind = v1(22);
    pub(crate) const PART_HELD: Kind = v1(23);
    pub(crate) const PART_SETTLED: Kind = v1(24);
    pub(crate) const HOLD_EXPIRED: Kind = v1(32);
    pub(crate) const HOLD_PROMOTED: Kind = v1(33);
    pub(crate) const WAITLIST_LAPSED: Kind = v1(34);
    pub(crate) const CLOCK_RESUMED: Kind = v1(35);
    pub(crate) const PAYMENT_PARKED: Kind = v1(48);
    pub(crate) const LATE_PAYMENT_HONOURED: Kind = v1(49);
    pub(crate) const REFUND_DUE: Kind = v1(50);
    pub(crate) const PAYMENT_UNCLAIMED: Kind = v1(51);
    pub(crate) const PAYMENT_FAILED: Kind = v1(52);
    pub(crate) const REPORT_NOTED: Kind = v1(53);
    pub(crate) const CAPTURE_DISPUTED: Kind = v1(54);
    pub(crate) const REFUND_REPORTED: Kind = v1(55);
    pub(crate) const REFUND_SETTLED: Kind = v1(56);
    pub(crate) const ORDER_REFUNDED: Kind = v1(57);
    pub(crate) const PAYMENT_OFFERED: Kind = v1(58);
    pub(crate) const ITEM_REGISTERED: Kind = v1(256);
    pub(crate) const PARTITION_KEYED: Kind = v1(257);
    pub(crate) const BUNDLE_HELD: Kind = v1(258);
    pub(crate) const BUNDLE_ORDERED: Kind = v1(259);
    pub(crate) const BUNDLE_CANCELLED: Kind = v1(260);
    pub(crate) const BUNDLE_EXPIRED: Kind = v1(261);
    pub(crate) const PAYMENT_UNMATCHED: Kind = v1(262);
    pub(crate) const PARTITION_CLOCK_RESUMED: Kind = v1(263);
}

/// The shape of both versions, which differ in that of the settings.
#[derive(Serialize, Deserialize)]
struct ItemCreatedStored<S> {
    sku: String,
    total: u32,
    settings: S,
    key: [u8; 32],
}

impl<S> ItemCreatedStored<S>
where
    Settings: TryFrom<S, Error = CodecError>,
{
    fn into_event(self) -> Result<Event, CodecError> {
        let spec = ItemSpec {
            sku: checked("sku", Sku::parse(&self.sku))?,
            total: units(self.total)?,
            settings: self.settings.try_into()?,
        };
        Ok(Event::ItemCreated { spec: Box::new(spec), key: ItemKey::from_bytes(self.key) })
    }
}

#[derive(Serialize, Deserialize)]
struct StockAdjustedV1 {
    change: i32,
    reason: String,
    total: u32,
}

#[derive(Serialize, Deserialize)]
struct HoldPlacedV1 {
    reservation: u32,
    customer: String,
    quantity: u32,
    declines_waitlist: bool,
    deadline_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct WaitlistJoinedV1 {
    reservation: u32,
    customer: String,
    quantity: u32,
    position: u32,
    available: u32,
}

#[derive(Serialize, Deserialize)]
struct PurchaseConfirmedV1 {
    reservation: u32,
    customer: String,
    quantity: u32,
    capture: CaptureV1,
    payment_named: bool,
    amount_named: bool,
}

#[derive(Serialize, Deserialize)]
struct OrderPlacedV1 {
    reservation: u32,
    amount: MoneyV1,
    release_at_ms: u64,
    amount_named: bool,
}

#[derive(Serialize, Deserialize)]
struct PartHeldV1 {
    reservation: u32,
    customer: String,
    quantity: u32,
    bundle: [u8; 16],
}

/// A body: the idempotency hashes, if any, and what the kind says.
pub(super) fn body<T: Serialize>(idempotency: Option<Idempotency>, shape: T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(USUAL_BODY_BYTES);
    // The bytes of `Option<IdempotencyV1>`, not one at a time.
    match idempotency {
        Some(Idempotency { request, content }) => {
            bytes.push(1);
            bytes.extend_from_slice(&{ request.0 }.to_le_bytes());
            bytes.extend_from_slice(&{ content.0 }.to_le_bytes());
        }
        None => bytes.push(0),
    }
    encode_onto(&shape, &mut bytes);
    bytes
}

pub(crate) const fn lapse_to(reason: LapseReason) -> u8 {
    match reason {
        LapseReason::SaleClosed => 1,
        LapseReason::CanNeverBeServed => 2,
    }
}

pub(crate) fn lapse_from(code: u8) -> Result<LapseReason, CodecError> {
    match code {
        1 => Ok(LapseReason::SaleClosed),
        2 => Ok(LapseReason::CanNeverBeServed),
        other => checked("reason", Err(format!("{other} is not known"))),
    }
}

pub(crate) fn encode(recorded: &Recorded) -> (Kind, Vec<u8>) {
    let key = recorded.idempotency;
    match &recorded.event {
        Event::ItemCreated { spec, key: secret } => {
            let shape = ItemCreatedStored {
                sku: spec.sku.as_str().to_owned(),
                total: spec.total.get(),
                settings: SettingsV2::from(&spec.settings),
                key: *secret.as_bytes(),
            };
            (kind::ITEM_CREATED, body(key, shape))
        }
        Event::ItemRevised { settings } => (kind::ITEM_REVISED, body(key, SettingsV2::from(&**settings))),
        Event::SaleOpened { by } => {
            let by: u8 = match by {
                OpenedBy::Operator => 1,
                OpenedBy::Schedule => 2,
            };
            (kind::SALE_OPENED, body(key, by))
        }
        Event::SalePaused => (kind::SALE_PAUSED, body(key, ())),
        Event::SaleResumed => (kind::SALE_RESUMED, body(key, ())),
        Event::SaleClosed { by, lapsed } => {
            let by: u8 = match by {
                ClosedBy::Operator => 1,
                ClosedBy::Schedule => 2,
                ClosedBy::SoldOut => 3,
            };
            (kind::SALE_CLOSED, body(key, (by, lapsed)))
        }
        Event::StockAdjusted { change, reason, total } => {
            let shape =
                StockAdjustedV1 { change: change.get(), reason: reason.as_str().to_owned(), total: total.get() };
            (kind::STOCK_ADJUSTED, body(key, shape))
        }
        Event::ReservationCancelled { reservation, released } => {
            (kind::RESERVATION_CANCELLED, body(key, (reservation.0, released.get())))
        }
        Event::HoldExtended { reservation, deadline } => {
            (kind::HOLD_EXTENDED, body(key, (reservation.0, deadline.as_millis())))
        }
        Event::HoldExpired { reservation, release_at, released } => {
            (kind::HOLD_EXPIRED, body(key, (reservation.0, release_at.as_millis(), released.get())))
        }
        Event::HoldPromoted { reservation, deadline, because } => {
            (kind::HOLD_PROMOTED, body(key, (reservation.0, deadline.as_millis(), because.0)))
        }
        Event::WaitlistLapsed { reservation, reason } => {
            (kind::WAITLIST_LAPSED, body(key, (reservation.0, lapse_to(*reason))))
        }
        Event::ClockResumed { from, to, release_floor } => {
            (kind::CLOCK_RESUMED, body(key, (from.as_millis(), to.as_millis(), release_floor.as_millis())))
        }
        Event::HoldPlaced { .. }
        | Event::WaitlistJoined { .. }
        | Event::PurchaseConfirmed { .. }
        | Event::OrderPlaced { .. }
        | Event::PartHeld { .. }
        | Event::PartSettled { .. } => encode_sale(&recorded.event, key),
        Event::Payment { reservation, event } => payment::encode(*reservation, event, key),
    }
}

/// The events of a sale's main line.
fn encode_sale(event: &Event, key: Option<Idempotency>) -> (Kind, Vec<u8>) {
    match event {
        Event::HoldPlaced { reservation, customer, quantity, waitlist, deadline } => {
            let shape = HoldPlacedV1 {
                reservation: reservation.0,
                customer: customer.as_str().to_owned(),
                quantity: quantity.get(),
                declines_waitlist: *waitlist == WaitlistChoice::Decline,
                deadline_ms: deadline.as_millis(),
            };
            (kind::HOLD_PLACED, body(key, shape))
        }
        Event::WaitlistJoined { reservation, customer, quantity, position, available } => {
            let shape = WaitlistJoinedV1 {
                reservation: reservation.0,
                customer: customer.as_str().to_owned(),
                quantity: quantity.get(),
                position: *position,
                available: available.get(),
            };
            (kind::WAITLIST_JOINED, body(key, shape))
        }
        Event::PurchaseConfirmed { reservation, customer, quantity, capture, payment_named, amount_named } => {
            let shape = PurchaseConfirmedV1 {
                reservation: reservation.0,
                customer: customer.as_str().to_owned(),
                quantity: quantity.get(),
                capture: capture.into(),
                payment_named: *payment_named,
                amount_named: *amount_named,
            };
            (kind::PURCHASE_CONFIRMED, body(key, shape))
        }
        Event::OrderPlaced { reservation, amount, release_at, amount_named } => {
            let shape = OrderPlacedV1 {
                reservation: reservation.0,
                amount: (*amount).into(),
                release_at_ms: release_at.as_millis(),
                amount_named: *amount_named,
            };
            (kind::ORDER_PLACED, body(key, shape))
        }
        Event::PartHeld { reservation, customer, quantity, bundle } => {
            let shape = PartHeldV1 {
                reservation: reservation.0,
                customer: customer.as_str().to_owned(),
                quantity: quantity.get(),
                bundle: bundle.as_u128().to_le_bytes(),
            };
            (kind::PART_HELD, body(key, shape))
        }
        Event::PartSettled { reservation, bundle, decision, released } => {
            let shape = (reservation.0, bundle.as_u128().to_le_bytes(), decision_to(*decision), released.get());
            (kind::PART_SETTLED, body(key, shape))
        }
        other => unreachable!("{other:?} is encoded by encode"),
    }
}

/// Splits a body into its hashes and its shape.
pub(super) fn open<T: serde::de::DeserializeOwned>(raw: &RawEvent<'_>) -> Result<(Option<Idempotency>, T), CodecError> {
    let (idempotency, shape): (Option<IdempotencyV1>, T) = from_bytes(raw.body)?;
    Ok((idempotency.map(Idempotency::from), shape))
}

pub(crate) fn decode(raw: &RawEvent<'_>) -> Result<Recorded, CodecError> {
    let kind = Kind { tag: raw.head.tag, version: raw.head.version };
    let (idempotency, event) = match kind {
        kind::ITEM_CREATED_V1 => {
            let (key, stored) = open::<ItemCreatedStored<SettingsV1>>(raw)?;
            (key, stored.into_event()?)
        }
        kind::ITEM_CREATED => {
            let (key, stored) = open::<ItemCreatedStored<SettingsV2>>(raw)?;
            (key, stored.into_event()?)
        }
        kind::ITEM_REVISED_V1 => {
            let (key, stored) = open::<SettingsV1>(raw)?;
            (key, Event::ItemRevised { settings: Box::new(stored.try_into()?) })
        }
        kind::ITEM_REVISED => {
            let (key, stored) = open::<SettingsV2>(raw)?;
            (key, Event::ItemRevised { settings: Box::new(stored.try_into()?) })
        }
        kind::SALE_OPENED => {
            let (key, by) = open::<u8>(raw)?;
            let by = match by {
                1 => OpenedBy::Operator,
                2 => OpenedBy::Schedule,
                other => return checked("by", Err(format!("{other} is not known"))),
            };
            (key, Event::SaleOpened { by })
        }
        kind::SALE_PAUSED => (open::<()>(raw)?.0, Event::SalePaused),
        kind::SALE_RESUMED => (open::<()>(raw)?.0, Event::SaleResumed),
        kind::SALE_CLOSED => {
            let (key, (by, lapsed)) = open::<(u8, u32)>(raw)?;
            let by = match by {
                1 => ClosedBy::Operator,
                2 => ClosedBy::Schedule,
                3 => ClosedBy::SoldOut,
                other => return checked("by", Err(format!("{other} is not known"))),
            };
            (key, Event::SaleClosed { by, lapsed })
        }
        kind::STOCK_ADJUSTED => {
            let (key, stored) = open::<StockAdjustedV1>(raw)?;
            let event = Event::StockAdjusted {
                change: checked("change", StockChange::new(stored.change))?,
                reason: checked("reason", Reason::parse(&stored.reason))?,
                total: units(stored.total)?,
            };
            (key, event)
        }
        kind::RESERVATION_CANCELLED => {
            let (key, (reservation, released)) = open::<(u32, u32)>(raw)?;
            (key, Event::ReservationCancelled { reservation: Ordinal(reservation), released: units(released)? })
        }
        kind::HOLD_EXTENDED => {
            let (key, (reservation, deadline)) = open::<(u32, u64)>(raw)?;
            (key, Event::HoldExtended { reservation: Ordinal(reservation), deadline: at(deadline)? })
        }
        kind::HOLD_EXPIRED => {
            let (key, (reservation, release_at, released)) = open::<(u32, u64, u32)>(raw)?;
            let (reservation, release_at) = (Ordinal(reservation), at(release_at)?);
            (key, Event::HoldExpired { reservation, release_at, released: units(released)? })
        }
        kind::HOLD_PROMOTED => {
            let (key, (reservation, deadline, because)) = open::<(u32, u64, u64)>(raw)?;
            let (reservation, deadline) = (Ordinal(reservation), at(deadline)?);
            (key, Event::HoldPromoted { reservation, deadline, because: Seq(because) })
        }
        kind::WAITLIST_LAPSED => {
            let (key, (reservation, reason)) = open::<(u32, u8)>(raw)?;
            (key, Event::WaitlistLapsed { reservation: Ordinal(reservation), reason: lapse_from(reason)? })
        }
        kind::CLOCK_RESUMED => {
            let (key, (from, to, floor)) = open::<(u64, u64, u64)>(raw)?;
            (key, Event::ClockResumed { from: at(from)?, to: at(to)?, release_floor: at(floor)? })
        }
        _ => decode_sale(kind, raw)?,
    };
    Ok(Recorded { seq: raw.head.seq, at: raw.head.at, idempotency, event })
}

fn decode_sale(kind: Kind, raw: &RawEvent<'_>) -> Result<(Option<Idempotency>, Event), CodecError> {
    Ok(match kind {
        kind::HOLD_PLACED => {
            let (key, stored) = open::<HoldPlacedV1>(raw)?;
            let event = Event::HoldPlaced {
                reservation: Ordinal(stored.reservation),
                customer: checked("customer", CustomerId::parse(&stored.customer))?,
                quantity: quantity(stored.quantity)?,
                waitlist: if stored.declines_waitlist { WaitlistChoice::Decline } else { WaitlistChoice::Join },
                deadline: at(stored.deadline_ms)?,
            };
            (key, event)
        }
        kind::WAITLIST_JOINED => {
            let (key, stored) = open::<WaitlistJoinedV1>(raw)?;
            let event = Event::WaitlistJoined {
                reservation: Ordinal(stored.reservation),
                customer: checked("customer", CustomerId::parse(&stored.customer))?,
                quantity: quantity(stored.quantity)?,
                position: stored.position,
                available: units(stored.available)?,
            };
            (key, event)
        }
        kind::PURCHASE_CONFIRMED => {
            let (key, stored) = open::<PurchaseConfirmedV1>(raw)?;
            let event = Event::PurchaseConfirmed {
                reservation: Ordinal(stored.reservation),
                customer: checked("customer", CustomerId::parse(&stored.customer))?,
                quantity: quantity(stored.quantity)?,
                capture: stored.capture.try_into()?,
                payment_named: stored.payment_named,
                amount_named: stored.amount_named,
            };
            (key, event)
        }
        kind::ORDER_PLACED => {
            let (key, stored) = open::<OrderPlacedV1>(raw)?;
            let event = Event::OrderPlaced {
                reservation: Ordinal(stored.reservation),
                amount: stored.amount.try_into()?,
                release_at: at(stored.release_at_ms)?,
                amount_named: stored.amount_named,
            };
            (key, event)
        }
        kind::PART_HELD => {
            let (key, stored) = open::<PartHeldV1>(raw)?;
            let event = Event::PartHeld {
                reservation: Ordinal(stored.reservation),
                customer: checked("customer", CustomerId::parse(&stored.customer))?,
                quantity: quantity(stored.quantity)?,
                bundle: bundle(stored.bundle),
            };
            (key, event)
        }
        kind::PART_SETTLED => {
            let (key, (reservation, of, decision, released)) = open::<(u32, [u8; 16], u8, u32)>(raw)?;
            let (reservation, decision) = (Ordinal(reservation), decision_from(decision)?);
            (key, Event::PartSettled { reservation, bundle: bundle(of), decision, released: units(released)? })
        }
        other => match payment::decode(other, raw.body)? {
            Some((key, reservation, event)) => (key, Event::Payment { reservation, event: Box::new(event) }),
            None => return Err(CodecError::Kind(other)),
        },
    })
}

pub(super) fn bundle(bytes: [u8; 16]) -> BundleId {
    BundleId::from_u128(u128::from_le_bytes(bytes))
}

const fn decision_to(decision: PartDecision) -> u8 {
    match decision {
        PartDecision::Sold => 1,
        PartDecision::Expired => 2,
        PartDecision::Cancelled => 3,
        PartDecision::Abandoned => 4,
        PartDecision::Returned => 5,
    }
}

fn decision_from(code: u8) -> Result<PartDecision, CodecError> {
    match code {
        1 => Ok(PartDecision::Sold),
        2 => Ok(PartDecision::Expired),
        3 => Ok(PartDecision::Cancelled),
        4 => Ok(PartDecision::Abandoned),
        5 => Ok(PartDecision::Returned),
        other => checked("decision", Err(format!("{other} is not known"))),
    }
}
