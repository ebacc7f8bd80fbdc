//! Stored books: what a snapshot holds of a stream's money (version 1).

use super::payment::{OfferV1, RefundReasonV1, SettledByV1, payment_id, report_id};
use super::value::{CaptureV1, MoneyV1, at, list, provider_from, provider_to};
use crate::codec::{CodecError, PieceReader, PieceWriter};
use domain::ids::{CaptureNo, Ordinal};
use domain::payment::{BooksParts, CaptureRecord, EarlyRefund, MoneyPlace, OrderBook, Provider};
use domain::text::{PaymentId, ProviderEventId};
use serde::{Deserialize, Serialize};
use std::io::Read;

#[derive(Serialize, Deserialize)]
pub(crate) struct BooksV1 {
    #[serde(deserialize_with = "list")]
    captures: Vec<CaptureRecordV1>,
    #[serde(deserialize_with = "list")]
    orders: Vec<OrderBookV1>,
    #[serde(deserialize_with = "list")]
    reports: Vec<ReportV1>,
    #[serde(deserialize_with = "list")]
    early: Vec<EarlyV1>,
    #[serde(deserialize_with = "list")]
    given_back: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
struct CaptureRecordV1 {
    owner: u32,
    capture: CaptureV1,
    at_ms: u64,
    place: MoneyPlaceV1,
    payer: u8,
    reports: u8,
    disputed: bool,
}

// The order of variants is part of the stored shape.
#[derive(Serialize, Deserialize)]
enum MoneyPlaceV1 {
    Parked(u64),
    Kept,
    Due(RefundReasonV1, u64),
    Refunded(RefundReasonV1, u64, u64, SettledByV1),
}

#[derive(Serialize, Deserialize)]
struct OrderBookV1 {
    owner: u32,
    offer: Option<OfferV1>,
    #[serde(deserialize_with = "list")]
    captures: Vec<u32>,
    failures: u8,
    early_refunds: u8,
}

/// Provider, and its id of the report.
type ReportV1 = (u8, String);

/// Provider, payment, owner and amount.
type EarlyV1 = (u8, String, u32, MoneyV1);

/// The same bytes as a [`BooksV1`], list by list.
pub(crate) fn write_books(parts: &BooksParts, to: &mut PieceWriter<'_>) -> std::io::Result<()> {
    to.list(parts.captures.iter().map(record_to))?;
    to.list(parts.orders.iter().map(order_to))?;
    to.list(parts.reports.iter().map(report_to))?;
    to.list(parts.early.iter().map(early_to))?;
    to.list(parts.given_back.iter().map(|no| no.0))
}

/// What [`write_books`] has written.
pub(crate) fn read_books<R: Read>(from: &mut PieceReader<'_, R>) -> Result<BooksParts, CodecError> {
    Ok(BooksParts {
        captures: from.list(record_from)?,
        orders: from.list(order_from)?,
        reports: from.list(report_from)?,
        early: from.list(early_from)?,
        given_back: from.list(|no| Ok(CaptureNo(no)))?,
    })
}

impl From<&BooksParts> for BooksV1 {
    fn from(parts: &BooksParts) -> Self {
        Self {
            captures: parts.captures.iter().map(record_to).collect(),
            orders: parts.orders.iter().map(order_to).collect(),
            reports: parts.reports.iter().map(report_to).collect(),
            early: parts.early.iter().map(early_to).collect(),
            given_back: parts.given_back.iter().map(|no| no.0).collect(),
        }
    }
}

impl TryFrom<BooksV1> for BooksParts {
    type Error = CodecError;

    fn try_from(stored: BooksV1) -> Result<Self, CodecError> {
        Ok(Self {
            captures: stored.captures.into_iter().map(record_from).collect::<Result<_, _>>()?,
            orders: stored.orders.into_iter().map(order_from).collect::<Result<_, _>>()?,
            reports: stored.reports.into_iter().map(report_from).collect::<Result<_, _>>()?,
            early: stored.early.into_iter().map(early_from).collect::<Result<_, _>>()?,
            given_back: stored.given_back.into_iter().map(CaptureNo).collect(),
        })
    }
}

fn report_to((provider, report): &(Provider, ProviderEventId)) -> ReportV1 {
    (provider_to(*provider), report.as_str().to_owned())
}

fn report_from((provider, report): ReportV1) -> Result<(Provider, ProviderEventId), CodecError> {
    Ok((provider_from(provider)?, report_id(&report)?))
}

fn early_to((provider, payment, early): &(Provider, PaymentId, EarlyRefund)) -> EarlyV1 {
    (provider_to(*provider), payment.as_str().to_owned(), early.owner.0, early.amount.into())
}

fn early_from((provider, payment, owner, amount): EarlyV1) -> Result<(Provider, PaymentId, EarlyRefund), CodecError> {
    let early = EarlyRefund { owner: Ordinal(owner), amount: amount.try_into()? };
    Ok((provider_from(provider)?, payment_id(&payment)?, early))
}

fn record_to(record: &CaptureRecord) -> CaptureRecordV1 {
    let place = match &record.place {
        MoneyPlace::Parked { until } => MoneyPlaceV1::Parked(until.as_millis()),
        MoneyPlace::Kept => MoneyPlaceV1::Kept,
        MoneyPlace::Due { reason, since } => MoneyPlaceV1::Due((*reason).into(), since.as_millis()),
        MoneyPlace::Refunded { reason, since, at, by } => {
            MoneyPlaceV1::Refunded((*reason).into(), since.as_millis(), at.as_millis(), by.into())
        }
    };
    CaptureRecordV1 {
        owner: record.owner.0,
        capture: (&record.capture).into(),
        at_ms: record.at.as_millis(),
        place,
        payer: provider_to(record.payer),
        reports: record.reports,
        disputed: record.disputed,
    }
}

fn record_from(stored: CaptureRecordV1) -> Result<CaptureRecord, CodecError> {
    let place = match stored.place {
        MoneyPlaceV1::Parked(until) => MoneyPlace::Parked { until: at(until)? },
        MoneyPlaceV1::Kept => MoneyPlace::Kept,
        MoneyPlaceV1::Due(reason, since) => MoneyPlace::Due { reason: reason.try_into()?, since: at(since)? },
        MoneyPlaceV1::Refunded(reason, since, done, by) => {
            MoneyPlace::Refunded { reason: reason.try_into()?, since: at(since)?, at: at(done)?, by: by.try_into()? }
        }
    };
    Ok(CaptureRecord {
        owner: Ordinal(stored.owner),
        capture: stored.capture.try_into()?,
        at: at(stored.at_ms)?,
        place,
        payer: provider_from(stored.payer)?,
        reports: stored.reports,
        disputed: stored.disputed,
    })
}

fn order_to((owner, book): &(Ordinal, OrderBook)) -> OrderBookV1 {
    OrderBookV1 {
        owner: owner.0,
        offer: book.offer.as_ref().map(OfferV1::from),
        captures: book.captures.iter().map(|no| no.0).collect(),
        failures: book.failures,
        early_refunds: book.early_refunds,
    }
}

fn order_from(stored: OrderBookV1) -> Result<(Ordinal, OrderBook), CodecError> {
    let book = OrderBook {
        offer: stored.offer.map(TryInto::try_into).transpose()?,
        captures: stored.captures.into_iter().map(CaptureNo).collect(),
        failures: stored.failures,
        early_refunds: stored.early_refunds,
    };
    Ok((Ordinal(stored.owner), book))
}
