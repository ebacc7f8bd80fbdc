//! A stored partition: what a snapshot holds of it besides its items (version 2).

use super::books::BooksV1;
use super::bundle::{NewBundleV1, ReportV1};
use super::endpoint::EndpointsV1;
use super::value::{IdempotencyV1, MoneyV1, at, checked, list, paid_from, paid_to};
use crate::codec::{CodecError, from_snapshot_bytes, to_bytes};
use domain::idempotency::{Acceptance, Entry, Idempotency};
use domain::identity::{ItemKey, OrderId};
use domain::ids::{CaptureNo, ItemNo, Ordinal, PartitionNo, Seq};
use domain::partition::{BundleAnswered, BundleParts, BundleStateParts, PartitionIdempotencyParts, PartitionParts};
use domain::text::Sku;
use domain::time::Timestamp;
use domain::views::UnmatchedPayment;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct PartitionV2 {
    no: u8,
    seq: u64,
    now_ms: u64,
    #[serde(deserialize_with = "list")]
    items: Vec<(String, u32)>,
    key: Option<[u8; 32]>,
    #[serde(deserialize_with = "list")]
    bundles: Vec<BundleV1>,
    books: BooksV1,
    #[serde(deserialize_with = "list")]
    idempotency: Vec<(IdempotencyV1, AcceptanceV1)>,
    #[serde(deserialize_with = "list")]
    unmatched: Vec<UnmatchedV1>,
    endpoints: EndpointsV1,
}

#[derive(Serialize, Deserialize)]
struct BundleV1 {
    held: NewBundleV1,
    amount: MoneyV1,
    accepted_at_ms: u64,
    changed: u64,
    state: BundleStateV1,
}

// The order of variants is part of the stored shape.
#[derive(Serialize, Deserialize)]
enum BundleStateV1 {
    Held { deadline_ms: u64, ordered_at_ms: Option<u64> },
    Confirmed { ordered_at_ms: u64, returned: bool },
    Cancelled { ordered_at_ms: Option<u64> },
    Expired { ordered_at_ms: Option<u64> },
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
    Held { bundle: u32, expires_at_ms: u64 },
    Cancelled(u32),
    Ordered { bundle: u32, expires_at_ms: u64 },
    Paid(u32),
    RefundDue { bundle: u32, capture: u32, paid: u8 },
    Settled(u32),
    Refunded(u32, u32),
}

#[derive(Serialize, Deserialize)]
struct UnmatchedV1 {
    at_ms: u64,
    order: [u8; 16],
    report: ReportV1,
}

/// A partition's facts as bytes: the same for the same facts on every machine.
#[must_use]
pub fn encode_partition(parts: &PartitionParts) -> Vec<u8> {
    let unmatched = |found: &UnmatchedPayment| UnmatchedV1 {
        at_ms: found.at.as_millis(),
        order: found.order.as_u128().to_le_bytes(),
        report: (&found.report).into(),
    };
    to_bytes(&PartitionV2 {
        no: parts.no.0,
        seq: parts.seq.0,
        now_ms: parts.now.as_millis(),
        items: parts.items.iter().map(|(sku, item)| (sku.as_str().to_owned(), item.as_u32())).collect(),
        key: parts.key.as_ref().map(|key| *key.as_bytes()),
        bundles: parts.bundles.iter().map(bundle_to).collect(),
        books: (&parts.books).into(),
        idempotency: parts.idempotency.iter().map(idempotency_to).collect(),
        unmatched: parts.unmatched.iter().map(unmatched).collect(),
        endpoints: (&parts.endpoints).into(),
    })
}

/// A partition's facts from bytes.
///
/// # Errors
/// [`CodecError`] where the bytes are not what [`encode_partition`] writes.
pub fn decode_partition(bytes: &[u8]) -> Result<PartitionParts, CodecError> {
    let stored: PartitionV2 = from_snapshot_bytes(bytes)?;
    let item = |(sku, item): (String, u32)| Ok((checked("sku", Sku::parse(&sku))?, ItemNo::from_u32(item)));
    let unmatched = |found: UnmatchedV1| {
        let order = OrderId::from_u128(u128::from_le_bytes(found.order));
        Ok(UnmatchedPayment { at: at(found.at_ms)?, order, report: found.report.try_into()? })
    };
    Ok(PartitionParts {
        no: PartitionNo(stored.no),
        seq: Seq(stored.seq),
        now: at(stored.now_ms)?,
        items: stored.items.into_iter().map(item).collect::<Result<_, CodecError>>()?,
        key: stored.key.map(ItemKey::from_bytes),
        bundles: stored.bundles.into_iter().map(bundle_from).collect::<Result<_, _>>()?,
        books: stored.books.try_into()?,
        idempotency: stored.idempotency.into_iter().map(idempotency_from).collect::<Result<_, _>>()?,
        unmatched: stored.unmatched.into_iter().map(unmatched).collect::<Result<_, CodecError>>()?,
        endpoints: stored.endpoints.try_into()?,
    })
}

fn bundle_to(parts: &BundleParts) -> BundleV1 {
    let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
    let state = match parts.state {
        BundleStateParts::Held { deadline, ordered_at } => {
            BundleStateV1::Held { deadline_ms: deadline.as_millis(), ordered_at_ms: millis(ordered_at) }
        }
        BundleStateParts::Confirmed { ordered_at, returned } => {
            BundleStateV1::Confirmed { ordered_at_ms: ordered_at.as_millis(), returned }
        }
        BundleStateParts::Cancelled { ordered_at } => BundleStateV1::Cancelled { ordered_at_ms: millis(ordered_at) },
        BundleStateParts::Expired { ordered_at } => BundleStateV1::Expired { ordered_at_ms: millis(ordered_at) },
    };
    BundleV1 {
        held: (&parts.held).into(),
        amount: parts.amount.into(),
        accepted_at_ms: parts.accepted_at.as_millis(),
        changed: parts.changed.0,
        state,
    }
}

fn bundle_from(stored: BundleV1) -> Result<BundleParts, CodecError> {
    let state = match stored.state {
        BundleStateV1::Held { deadline_ms, ordered_at_ms } => {
            BundleStateParts::Held { deadline: at(deadline_ms)?, ordered_at: ordered_at_ms.map(at).transpose()? }
        }
        BundleStateV1::Confirmed { ordered_at_ms, returned } => {
            BundleStateParts::Confirmed { ordered_at: at(ordered_at_ms)?, returned }
        }
        BundleStateV1::Cancelled { ordered_at_ms } => {
            BundleStateParts::Cancelled { ordered_at: ordered_at_ms.map(at).transpose()? }
        }
        BundleStateV1::Expired { ordered_at_ms } => {
            BundleStateParts::Expired { ordered_at: ordered_at_ms.map(at).transpose()? }
        }
    };
    Ok(BundleParts {
        held: stored.held.try_into()?,
        amount: stored.amount.try_into()?,
        accepted_at: at(stored.accepted_at_ms)?,
        changed: Seq(stored.changed),
        state,
    })
}

fn idempotency_to(parts: &PartitionIdempotencyParts) -> (IdempotencyV1, AcceptanceV1) {
    let acceptance = &parts.entry.acceptance;
    let answered = match acceptance.answered {
        BundleAnswered::Held { bundle, expires_at } => {
            AnsweredV1::Held { bundle: bundle.0, expires_at_ms: expires_at.as_millis() }
        }
        BundleAnswered::Cancelled { bundle } => AnsweredV1::Cancelled(bundle.0),
        BundleAnswered::Ordered { bundle, expires_at } => {
            AnsweredV1::Ordered { bundle: bundle.0, expires_at_ms: expires_at.as_millis() }
        }
        BundleAnswered::Paid { bundle } => AnsweredV1::Paid(bundle.0),
        BundleAnswered::RefundDue { bundle, capture, paid } => {
            AnsweredV1::RefundDue { bundle: bundle.0, capture: capture.0, paid: paid_to(paid) }
        }
        BundleAnswered::Settled { capture } => AnsweredV1::Settled(capture.0),
        BundleAnswered::Refunded { bundle, capture } => AnsweredV1::Refunded(bundle.0, capture.0),
    };
    let hashes = Idempotency { request: parts.request, content: parts.entry.content };
    (hashes.into(), AcceptanceV1 { seq: acceptance.seq.0, at_ms: acceptance.at.as_millis(), answered })
}

fn idempotency_from((hashes, stored): (IdempotencyV1, AcceptanceV1)) -> Result<PartitionIdempotencyParts, CodecError> {
    let answered = match stored.answered {
        AnsweredV1::Held { bundle, expires_at_ms } => {
            BundleAnswered::Held { bundle: Ordinal(bundle), expires_at: at(expires_at_ms)? }
        }
        AnsweredV1::Cancelled(bundle) => BundleAnswered::Cancelled { bundle: Ordinal(bundle) },
        AnsweredV1::Ordered { bundle, expires_at_ms } => {
            BundleAnswered::Ordered { bundle: Ordinal(bundle), expires_at: at(expires_at_ms)? }
        }
        AnsweredV1::Paid(bundle) => BundleAnswered::Paid { bundle: Ordinal(bundle) },
        AnsweredV1::RefundDue { bundle, capture, paid } => {
            BundleAnswered::RefundDue { bundle: Ordinal(bundle), capture: CaptureNo(capture), paid: paid_from(paid)? }
        }
        AnsweredV1::Settled(capture) => BundleAnswered::Settled { capture: CaptureNo(capture) },
        AnsweredV1::Refunded(bundle, capture) => {
            BundleAnswered::Refunded { bundle: Ordinal(bundle), capture: CaptureNo(capture) }
        }
    };
    let hashes = Idempotency::from(hashes);
    let acceptance = Acceptance { seq: Seq(stored.seq), at: at(stored.at_ms)?, answered };
    Ok(PartitionIdempotencyParts { request: hashes.request, entry: Entry { content: hashes.content, acceptance } })
}
