//! A stored item: what a snapshot holds of it (version 2). The long lists are written and read element by element, for
//! an item of a million reservations is some two hundred megabytes.

use super::books::{read_books, write_books};
use super::event::{lapse_from, lapse_to};
use super::value::{IdempotencyV1, SettingsV2, at, checked, paid_from, paid_to, quantity, units};
use crate::codec::{CodecError, PieceReader, PieceWriter};
use domain::idempotency::{Acceptance, Answered, Entry, Idempotency};
use domain::identity::{BundleId, ItemKey};
use domain::ids::{CaptureNo, ItemNo, Ordinal, Revision, Seq};
use domain::item::{
    CustomerParts, HoldParts, IdempotencyParts, ItemHead, ItemParts, ItemPiece, Phase, ReservationParts, SaleParts,
    StateParts,
};
use domain::policy::ExtensionPolicy;
use domain::text::{CustomerId, Sku};
use domain::time::{DurationMs, Timestamp};
use domain::views::{ItemStatus, ItemView};
use serde::{Deserialize, Serialize};
use std::io::{Read, Take, Write};
use std::sync::Arc;

/// The first piece. Behind it stand the customers, the reservations, the books, the parts of bundles, and what is
/// remembered under keys.
#[derive(Serialize, Deserialize)]
struct ItemV2 {
    no: u32,
    key: [u8; 32],
    sku: String,
    settings: SettingsV2,
    phase: u8,
    total: u32,
    revision: u64,
    seq: u64,
    now_ms: u64,
    freed_by: u64,
}

/// Id, expiries in a row, until when it cools off.
type CustomerV1 = (String, u8, u64);

type PartV1 = (u32, [u8; 16]);

#[derive(Serialize, Deserialize)]
struct ReservationV1 {
    customer: u32,
    quantity: u32,
    accepted_at_ms: u64,
    changed: u64,
    state: StateV1,
}

// The order of variants is part of the stored shape.
#[derive(Serialize, Deserialize)]
enum StateV1 {
    Waiting,
    Held { deadline_ms: u64, ordered_at_ms: Option<u64>, times: u8, by_ms: u64, grace_ms: u64 },
    Confirmed { ordered_at_ms: u64, returned: bool },
    Cancelled { ordered_at_ms: Option<u64> },
    Expired { ordered_at_ms: Option<u64> },
    Lapsed(u8),
    Part,
}

#[derive(Serialize, Deserialize)]
struct AcceptanceV1 {
    seq: u64,
    at_ms: u64,
    answered: AnsweredV1,
}

// The order of variants is part of the stored shape.
#[derive(Serialize, Deserialize)]
enum AnsweredV1 {
    Held {
        reservation: u32,
        expires_at_ms: u64,
        ordered_at_ms: Option<u64>,
    },
    Waiting {
        reservation: u32,
        position: u32,
        estimated_wait_s: u32,
    },
    Cancelled(u32),
    Ordered {
        reservation: u32,
        expires_at_ms: u64,
    },
    Paid(u32),
    Item {
        phase: u8,
        total: u32,
        available: u32,
        held: u32,
        sold: u32,
        waiting: u32,
        revision: u64,
        settings: SettingsV2,
    },
    RefundDue {
        reservation: u32,
        capture: u32,
        paid: u8,
    },
    Settled(u32),
    Refunded(u32, u32),
}

const fn phase_to(phase: Phase) -> u8 {
    match phase {
        Phase::Scheduled => 1,
        Phase::Open => 2,
        Phase::Paused => 3,
        Phase::Closed => 4,
    }
}

fn phase_from(code: u8) -> Result<Phase, CodecError> {
    match code {
        1 => Ok(Phase::Scheduled),
        2 => Ok(Phase::Open),
        3 => Ok(Phase::Paused),
        4 => Ok(Phase::Closed),
        other => checked("phase", Err(format!("{other} is not known"))),
    }
}

impl From<&ItemHead> for ItemV2 {
    fn from(head: &ItemHead) -> Self {
        Self {
            no: head.no.as_u32(),
            key: *head.key.as_bytes(),
            sku: head.sku.as_str().to_owned(),
            settings: (&head.settings).into(),
            phase: phase_to(head.phase),
            total: head.total.get(),
            revision: head.revision.0,
            seq: head.seq.0,
            now_ms: head.now.as_millis(),
            freed_by: head.freed_by.0,
        }
    }
}

impl TryFrom<ItemV2> for ItemHead {
    type Error = CodecError;

    fn try_from(stored: ItemV2) -> Result<Self, CodecError> {
        Ok(Self {
            no: ItemNo::from_u32(stored.no),
            key: ItemKey::from_bytes(stored.key),
            sku: checked("sku", Sku::parse(&stored.sku))?,
            settings: stored.settings.try_into()?,
            phase: phase_from(stored.phase)?,
            total: units(stored.total)?,
            revision: Revision(stored.revision),
            seq: Seq(stored.seq),
            now: at(stored.now_ms)?,
            freed_by: Seq(stored.freed_by),
        })
    }
}

/// Writes an item's facts: the same bytes for the same facts on every machine, so their hash is the state's hash.
///
/// # Errors
/// They could not be written there.
pub fn write_item<C, R, I>(parts: &ItemParts<C, R, I>, to: &mut dyn Write) -> std::io::Result<()>
where
    C: Clone + IntoIterator<Item = CustomerParts, IntoIter: ExactSizeIterator>,
    R: Clone + IntoIterator<Item = ReservationParts, IntoIter: ExactSizeIterator>,
    I: Clone + IntoIterator<Item = IdempotencyParts, IntoIter: ExactSizeIterator>,
{
    let mut to = PieceWriter::new(to);
    to.put(&ItemV2::from(&parts.head))?;
    to.list(parts.customers.clone().into_iter().map(|parts| customer_to(&parts)))?;
    to.list(parts.reservations.clone().into_iter().map(|parts| reservation_to(&parts)))?;
    write_books(&parts.books, &mut to)?;
    to.list(parts.bundled.iter().map(|(part, bundle)| -> PartV1 { (part.0, bundle.as_u128().to_le_bytes()) }))?;
    to.list(parts.idempotency.clone().into_iter().map(|parts| idempotency_to(&parts)))
}

/// What [`write_item`] writes.
#[must_use]
pub fn encode_item(parts: &ItemParts) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_item(parts, &mut bytes).expect("memory takes all that is written");
    bytes
}

/// Reads an item's facts to the end, and gives out one after another.
///
/// # Errors
/// [`CodecError`] where the bytes cannot be read, or are not what [`write_item`] writes.
pub fn read_item(from: &mut Take<impl Read>, out: &mut dyn FnMut(ItemPiece)) -> Result<(), CodecError> {
    let mut from = PieceReader::new(from);
    let head = ItemHead::try_from(from.piece::<ItemV2>()?)?;
    let sku = head.sku.clone();
    out(ItemPiece::Head(Box::new(head)));
    from.each(|stored| customer_from(stored).map(|parts| out(ItemPiece::Customer(parts))))?;
    from.each(|stored| reservation_from(&stored).map(|parts| out(ItemPiece::Reservation(parts))))?;
    let books = read_books(&mut from)?;
    out(ItemPiece::Money(Box::new(books), from.list(|stored| Ok(part_from(stored)))?));
    from.each(|stored| idempotency_from(&sku, stored).map(|parts| out(ItemPiece::Remembered(parts))))?;
    from.end()
}

/// [`read_item`] from bytes, all of it.
///
/// # Errors
/// As there.
pub fn decode_item(bytes: &[u8]) -> Result<ItemParts, CodecError> {
    let mut pieces = Vec::new();
    read_item(&mut bytes.take(bytes.len() as u64), &mut |piece| pieces.push(piece))?;
    ItemParts::of(pieces).ok_or_else(|| CodecError::Shape("no item stands at its beginning".to_owned()))
}

fn part_from((part, bundle): PartV1) -> (Ordinal, BundleId) {
    (Ordinal(part), BundleId::from_u128(u128::from_le_bytes(bundle)))
}

fn customer_to(parts: &CustomerParts) -> CustomerV1 {
    (parts.id.as_str().to_owned(), parts.expiries_in_row, parts.cooling_until.as_millis())
}

fn customer_from((id, expiries_in_row, cooling_until): CustomerV1) -> Result<CustomerParts, CodecError> {
    let id = checked("customer", CustomerId::parse(&id))?;
    Ok(CustomerParts { id, expiries_in_row, cooling_until: at(cooling_until)? })
}

fn reservation_to(parts: &ReservationParts) -> ReservationV1 {
    let ordered = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
    let state = match &parts.state {
        StateParts::Waiting => StateV1::Waiting,
        StateParts::Held(hold) => StateV1::Held {
            deadline_ms: hold.deadline.as_millis(),
            ordered_at_ms: ordered(hold.ordered_at),
            times: hold.extension.times,
            by_ms: hold.extension.by.as_millis(),
            grace_ms: hold.grace.as_millis(),
        },
        StateParts::Confirmed(sale) => {
            StateV1::Confirmed { ordered_at_ms: sale.ordered_at.as_millis(), returned: sale.returned }
        }
        StateParts::Cancelled { ordered_at } => StateV1::Cancelled { ordered_at_ms: ordered(*ordered_at) },
        StateParts::Expired { ordered_at } => StateV1::Expired { ordered_at_ms: ordered(*ordered_at) },
        StateParts::Lapsed(reason) => StateV1::Lapsed(lapse_to(*reason)),
        StateParts::Part => StateV1::Part,
    };
    ReservationV1 {
        customer: parts.customer,
        quantity: parts.quantity.get(),
        accepted_at_ms: parts.accepted_at.as_millis(),
        changed: parts.changed.0,
        state,
    }
}

fn reservation_from(stored: &ReservationV1) -> Result<ReservationParts, CodecError> {
    let state = match stored.state {
        StateV1::Waiting => StateParts::Waiting,
        StateV1::Held { deadline_ms, ordered_at_ms, times, by_ms, grace_ms } => StateParts::Held(HoldParts {
            deadline: at(deadline_ms)?,
            ordered_at: ordered_at_ms.map(at).transpose()?,
            extension: ExtensionPolicy { times, by: DurationMs::from_millis(by_ms) },
            grace: DurationMs::from_millis(grace_ms),
        }),
        StateV1::Confirmed { ordered_at_ms, returned } => {
            StateParts::Confirmed(SaleParts { ordered_at: at(ordered_at_ms)?, returned })
        }
        StateV1::Cancelled { ordered_at_ms } => {
            StateParts::Cancelled { ordered_at: ordered_at_ms.map(at).transpose()? }
        }
        StateV1::Expired { ordered_at_ms } => StateParts::Expired { ordered_at: ordered_at_ms.map(at).transpose()? },
        StateV1::Lapsed(reason) => StateParts::Lapsed(lapse_from(reason)?),
        StateV1::Part => StateParts::Part,
    };
    Ok(ReservationParts {
        customer: stored.customer,
        quantity: quantity(stored.quantity)?,
        accepted_at: at(stored.accepted_at_ms)?,
        changed: Seq(stored.changed),
        state,
    })
}

fn idempotency_to(parts: &IdempotencyParts) -> (IdempotencyV1, AcceptanceV1) {
    let acceptance = &parts.entry.acceptance;
    let answered = match &acceptance.answered {
        Answered::Held { reservation, expires_at, ordered_at } => AnsweredV1::Held {
            reservation: reservation.0,
            expires_at_ms: expires_at.as_millis(),
            ordered_at_ms: ordered_at.map(Timestamp::as_millis),
        },
        Answered::Waiting { reservation, position, estimated_wait_s } => {
            AnsweredV1::Waiting { reservation: reservation.0, position: *position, estimated_wait_s: *estimated_wait_s }
        }
        Answered::Cancelled { reservation } => AnsweredV1::Cancelled(reservation.0),
        Answered::Ordered { reservation, expires_at } => {
            AnsweredV1::Ordered { reservation: reservation.0, expires_at_ms: expires_at.as_millis() }
        }
        Answered::Paid { reservation } => AnsweredV1::Paid(reservation.0),
        Answered::RefundDue { reservation, capture, paid } => {
            AnsweredV1::RefundDue { reservation: reservation.0, capture: capture.0, paid: paid_to(*paid) }
        }
        Answered::Settled { capture } => AnsweredV1::Settled(capture.0),
        Answered::Refunded { reservation, capture } => AnsweredV1::Refunded(reservation.0, capture.0),
        Answered::Item(view) => AnsweredV1::Item {
            phase: phase_to(view.status.phase),
            total: view.status.total.get(),
            available: view.status.available.get(),
            held: view.status.held.get(),
            sold: view.status.sold.get(),
            waiting: view.status.waiting,
            revision: view.status.revision.0,
            settings: (&*view.settings).into(),
        },
    };
    let hashes = Idempotency { request: parts.request, content: parts.entry.content };
    (hashes.into(), AcceptanceV1 { seq: acceptance.seq.0, at_ms: acceptance.at.as_millis(), answered })
}

fn idempotency_from(
    sku: &Sku,
    (hashes, stored): (IdempotencyV1, AcceptanceV1),
) -> Result<IdempotencyParts, CodecError> {
    let answered = match stored.answered {
        AnsweredV1::Held { reservation, expires_at_ms, ordered_at_ms } => Answered::Held {
            reservation: Ordinal(reservation),
            expires_at: at(expires_at_ms)?,
            ordered_at: ordered_at_ms.map(at).transpose()?,
        },
        AnsweredV1::Waiting { reservation, position, estimated_wait_s } => {
            Answered::Waiting { reservation: Ordinal(reservation), position, estimated_wait_s }
        }
        AnsweredV1::Cancelled(reservation) => Answered::Cancelled { reservation: Ordinal(reservation) },
        AnsweredV1::Ordered { reservation, expires_at_ms } => {
            Answered::Ordered { reservation: Ordinal(reservation), expires_at: at(expires_at_ms)? }
        }
        AnsweredV1::Paid(reservation) => Answered::Paid { reservation: Ordinal(reservation) },
        AnsweredV1::RefundDue { reservation, capture, paid } => Answered::RefundDue {
            reservation: Ordinal(reservation),
            capture: CaptureNo(capture),
            paid: paid_from(paid)?,
        },
        AnsweredV1::Settled(capture) => Answered::Settled { capture: CaptureNo(capture) },
        AnsweredV1::Refunded(reservation, capture) => {
            Answered::Refunded { reservation: Ordinal(reservation), capture: CaptureNo(capture) }
        }
        AnsweredV1::Item { phase, total, available, held, sold, waiting, revision, settings } => {
            let status = ItemStatus {
                phase: phase_from(phase)?,
                total: units(total)?,
                available: units(available)?,
                held: units(held)?,
                sold: units(sold)?,
                waiting,
                revision: Revision(revision),
            };
            let (settings, sequence) = (Arc::new(settings.try_into()?), Seq(stored.seq));
            Answered::Item(Box::new(ItemView { sku: sku.clone(), status, settings, sequence, at: at(stored.at_ms)? }))
        }
    };
    let hashes = Idempotency::from(hashes);
    let acceptance = Acceptance { seq: Seq(stored.seq), at: at(stored.at_ms)?, answered };
    Ok(IdempotencyParts { request: hashes.request, entry: Entry { content: hashes.content, acceptance } })
}
