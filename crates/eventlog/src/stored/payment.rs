//! Stored payment events and books: the same shapes in items' streams and in a partition's own. The owner is a
//! reservation's number there, a bundle's here.

use super::event::{body, kind};
use super::value::{CaptureV1, IdempotencyV1, MoneyV1, at, checked, provider_from, provider_to, units};
use crate::codec::{CodecError, Kind, from_bytes};
use domain::idempotency::Idempotency;
use domain::ids::{CaptureNo, Ordinal};
use domain::payment::{
    ClientData, LateRefusal, Offer, PaymentEvent, RefundReason, RefundedBy, SettledBy, UnclaimedBecause,
};
use domain::text::{PaymentId, ProviderEventId, Reason, RefundReference};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Why money goes back: a number, and the right amount where that matters.
#[derive(Serialize, Deserialize)]
pub(crate) struct RefundReasonV1 {
    code: u8,
    expected: Option<MoneyV1>,
}

impl From<RefundReason> for RefundReasonV1 {
    fn from(value: RefundReason) -> Self {
        let plain = |code| Self { code, expected: None };
        match value {
            RefundReason::WrongAmount { expected } => Self { code: 1, expected: Some(expected.into()) },
            RefundReason::SecondCapture => plain(2),
            RefundReason::OrderRefunded => plain(3),
            RefundReason::Unclaimed(UnclaimedBecause::ReservationEnded) => plain(4),
            RefundReason::Unclaimed(UnclaimedBecause::WindowPassed) => plain(5),
            RefundReason::Late(LateRefusal::Cancelled) => plain(16),
            RefundReason::Late(LateRefusal::Lapsed) => plain(17),
            RefundReason::Late(LateRefusal::Bundle) => plain(18),
            RefundReason::Late(LateRefusal::Policy) => plain(19),
            RefundReason::Late(LateRefusal::CustomerLimit) => plain(20),
            RefundReason::Late(LateRefusal::OthersWait) => plain(21),
            RefundReason::Late(LateRefusal::NoStock) => plain(22),
        }
    }
}

impl TryFrom<RefundReasonV1> for RefundReason {
    type Error = CodecError;

    fn try_from(value: RefundReasonV1) -> Result<Self, CodecError> {
        Ok(match (value.code, value.expected) {
            (1, Some(expected)) => Self::WrongAmount { expected: expected.try_into()? },
            (2, None) => Self::SecondCapture,
            (3, None) => Self::OrderRefunded,
            (4, None) => Self::Unclaimed(UnclaimedBecause::ReservationEnded),
            (5, None) => Self::Unclaimed(UnclaimedBecause::WindowPassed),
            (16, None) => Self::Late(LateRefusal::Cancelled),
            (17, None) => Self::Late(LateRefusal::Lapsed),
            (18, None) => Self::Late(LateRefusal::Bundle),
            (19, None) => Self::Late(LateRefusal::Policy),
            (20, None) => Self::Late(LateRefusal::CustomerLimit),
            (21, None) => Self::Late(LateRefusal::OthersWait),
            (22, None) => Self::Late(LateRefusal::NoStock),
            (other, _) => return checked("refund reason", Err(format!("{other} is not known"))),
        })
    }
}

// The order of variants is part of the stored shape.
#[derive(Serialize, Deserialize)]
pub(crate) enum SettledByV1 {
    Provider(String),
    Report,
    Operator(String),
}

impl From<&SettledBy> for SettledByV1 {
    fn from(value: &SettledBy) -> Self {
        match value {
            SettledBy::Provider { reference } => Self::Provider(reference.as_str().to_owned()),
            SettledBy::Report => Self::Report,
            SettledBy::Operator { reason } => Self::Operator(reason.as_str().to_owned()),
        }
    }
}

impl TryFrom<SettledByV1> for SettledBy {
    type Error = CodecError;

    fn try_from(value: SettledByV1) -> Result<Self, CodecError> {
        Ok(match value {
            SettledByV1::Provider(text) => {
                Self::Provider { reference: checked("reference", RefundReference::parse(&text))? }
            }
            SettledByV1::Report => Self::Report,
            SettledByV1::Operator(text) => Self::Operator { reason: checked("reason", Reason::parse(&text))? },
        })
    }
}

/// A payment and the report that told of it.
#[derive(Serialize, Deserialize)]
struct ReportedV1 {
    owner: u32,
    provider: u8,
    payment: String,
    report: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct OfferV1 {
    provider: u8,
    payment: String,
    url: Option<String>,
    client_secret: Option<String>,
}

impl From<&Offer> for OfferV1 {
    fn from(value: &Offer) -> Self {
        Self {
            provider: provider_to(value.provider),
            payment: value.payment.as_str().to_owned(),
            url: value.client.url().map(str::to_owned),
            client_secret: value.client.client_secret().map(str::to_owned),
        }
    }
}

impl TryFrom<OfferV1> for Offer {
    type Error = CodecError;

    fn try_from(value: OfferV1) -> Result<Self, CodecError> {
        Ok(Self {
            provider: provider_from(value.provider)?,
            payment: payment_id(&value.payment)?,
            client: checked("client data", ClientData::new(value.url, value.client_secret))?,
        })
    }
}

pub(crate) fn payment_id(text: &str) -> Result<PaymentId, CodecError> {
    checked("payment", PaymentId::parse(text))
}

pub(crate) fn report_id(text: &str) -> Result<ProviderEventId, CodecError> {
    checked("report", ProviderEventId::parse(text))
}

/// A payment event of `owner`'s order, as every stream stores it.
pub(crate) fn encode(owner: Ordinal, event: &PaymentEvent, key: Option<Idempotency>) -> (Kind, Vec<u8>) {
    let owner = owner.0;
    match event {
        PaymentEvent::Captured { capture, amount_named } => {
            (kind::PAYMENT_CAPTURED, body(key, (owner, CaptureV1::from(capture), *amount_named)))
        }
        PaymentEvent::Parked { capture, until } => {
            (kind::PAYMENT_PARKED, body(key, (owner, CaptureV1::from(capture), until.as_millis())))
        }
        PaymentEvent::LateHonoured { capture, amount_named } => {
            (kind::LATE_PAYMENT_HONOURED, body(key, (owner, CaptureV1::from(capture), *amount_named)))
        }
        PaymentEvent::RefundDue { capture, reason, amount_named } => {
            let reason = RefundReasonV1::from(*reason);
            (kind::REFUND_DUE, body(key, (owner, CaptureV1::from(capture), reason, *amount_named)))
        }
        PaymentEvent::Unclaimed { capture, because } => {
            let ended = *because == UnclaimedBecause::ReservationEnded;
            (kind::PAYMENT_UNCLAIMED, body(key, (owner, capture.0, ended)))
        }
        PaymentEvent::Offered { provider, payment, client } => {
            let offer = Offer { provider: *provider, payment: payment.clone(), client: client.clone() };
            (kind::PAYMENT_OFFERED, body(key, (owner, OfferV1::from(&offer))))
        }
        PaymentEvent::OrderRefunded { capture, released, by } => {
            let reason = match by {
                RefundedBy::Operator { reason } => Some(reason.as_str()),
                RefundedBy::Provider => None,
            };
            (kind::ORDER_REFUNDED, body(key, (owner, capture.0, released.get(), reason)))
        }
        PaymentEvent::RefundSettled { capture, by } => {
            (kind::REFUND_SETTLED, body(key, (owner, capture.0, SettledByV1::from(by))))
        }
        PaymentEvent::Failed { .. }
        | PaymentEvent::Noted { .. }
        | PaymentEvent::Disputed { .. }
        | PaymentEvent::RefundReported { .. } => encode_report(owner, event, key),
    }
}

/// The events that only take note of a report.
fn encode_report(owner: u32, event: &PaymentEvent, key: Option<Idempotency>) -> (Kind, Vec<u8>) {
    match event {
        PaymentEvent::Failed { provider, payment, report, withdrawn } => {
            let reported = ReportedV1 {
                owner,
                provider: provider_to(*provider),
                payment: payment.as_str().to_owned(),
                report: report.as_str().to_owned(),
            };
            (kind::PAYMENT_FAILED, body(key, (reported, *withdrawn)))
        }
        PaymentEvent::RefundReported { provider, payment, report, amount } => {
            let reported = ReportedV1 {
                owner,
                provider: provider_to(*provider),
                payment: payment.as_str().to_owned(),
                report: report.as_str().to_owned(),
            };
            (kind::REFUND_REPORTED, body(key, (reported, MoneyV1::from(*amount))))
        }
        PaymentEvent::Noted { capture, provider, report } => {
            (kind::REPORT_NOTED, body(key, (owner, capture.0, provider_to(*provider), report.as_str())))
        }
        PaymentEvent::Disputed { capture, provider, report, told } => {
            let shape = (owner, capture.0, provider_to(*provider), report.as_str(), MoneyV1::from(*told));
            (kind::CAPTURE_DISPUTED, body(key, shape))
        }
        other => unreachable!("{other:?} is encoded by encode"),
    }
}

fn open<T: DeserializeOwned>(bytes: &[u8]) -> Result<(Option<Idempotency>, T), CodecError> {
    let (key, shape): (Option<IdempotencyV1>, T) = from_bytes(bytes)?;
    Ok((key.map(Idempotency::from), shape))
}

/// A payment event and its owner, with its key; `None` where the kind is not a payment's.
pub(crate) fn decode(
    kind: Kind,
    bytes: &[u8],
) -> Result<Option<(Option<Idempotency>, Ordinal, PaymentEvent)>, CodecError> {
    Ok(Some(match kind {
        kind::PAYMENT_CAPTURED => {
            let (key, (owner, capture, amount_named)) = open::<(u32, CaptureV1, bool)>(bytes)?;
            (key, Ordinal(owner), PaymentEvent::Captured { capture: capture.try_into()?, amount_named })
        }
        kind::PAYMENT_PARKED => {
            let (key, (owner, capture, until)) = open::<(u32, CaptureV1, u64)>(bytes)?;
            (key, Ordinal(owner), PaymentEvent::Parked { capture: capture.try_into()?, until: at(until)? })
        }
        kind::LATE_PAYMENT_HONOURED => {
            let (key, (owner, capture, amount_named)) = open::<(u32, CaptureV1, bool)>(bytes)?;
            (key, Ordinal(owner), PaymentEvent::LateHonoured { capture: capture.try_into()?, amount_named })
        }
        kind::REFUND_DUE => {
            let (key, (owner, capture, reason, amount_named)) = open::<(u32, CaptureV1, RefundReasonV1, bool)>(bytes)?;
            let (capture, reason) = (capture.try_into()?, reason.try_into()?);
            (key, Ordinal(owner), PaymentEvent::RefundDue { capture, reason, amount_named })
        }
        kind::PAYMENT_UNCLAIMED => {
            let (key, (owner, capture, ended)) = open::<(u32, u32, bool)>(bytes)?;
            let because = if ended { UnclaimedBecause::ReservationEnded } else { UnclaimedBecause::WindowPassed };
            (key, Ordinal(owner), PaymentEvent::Unclaimed { capture: CaptureNo(capture), because })
        }
        kind::PAYMENT_OFFERED => {
            let (key, (owner, offer)) = open::<(u32, OfferV1)>(bytes)?;
            let Offer { provider, payment, client } = offer.try_into()?;
            (key, Ordinal(owner), PaymentEvent::Offered { provider, payment, client })
        }
        kind::ORDER_REFUNDED => {
            let (key, (owner, capture, released, reason)) = open::<(u32, u32, u32, Option<String>)>(bytes)?;
            let by = match reason {
                Some(reason) => RefundedBy::Operator { reason: checked("reason", Reason::parse(&reason))? },
                None => RefundedBy::Provider,
            };
            let (capture, released) = (CaptureNo(capture), units(released)?);
            (key, Ordinal(owner), PaymentEvent::OrderRefunded { capture, released, by })
        }
        kind::REFUND_SETTLED => {
            let (key, (owner, capture, by)) = open::<(u32, u32, SettledByV1)>(bytes)?;
            (key, Ordinal(owner), PaymentEvent::RefundSettled { capture: CaptureNo(capture), by: by.try_into()? })
        }
        _ => return decode_report(kind, bytes),
    }))
}

fn decode_report(kind: Kind, bytes: &[u8]) -> Result<Option<(Option<Idempotency>, Ordinal, PaymentEvent)>, CodecError> {
    Ok(Some(match kind {
        kind::PAYMENT_FAILED => {
            let (key, (told, withdrawn)) = open::<(ReportedV1, bool)>(bytes)?;
            let (provider, payment) = (provider_from(told.provider)?, payment_id(&told.payment)?);
            let report = report_id(&told.report)?;
            (key, Ordinal(told.owner), PaymentEvent::Failed { provider, payment, report, withdrawn })
        }
        kind::REFUND_REPORTED => {
            let (key, (told, amount)) = open::<(ReportedV1, MoneyV1)>(bytes)?;
            let (provider, payment) = (provider_from(told.provider)?, payment_id(&told.payment)?);
            let (report, amount) = (report_id(&told.report)?, amount.try_into()?);
            (key, Ordinal(told.owner), PaymentEvent::RefundReported { provider, payment, report, amount })
        }
        kind::REPORT_NOTED => {
            let (key, (owner, capture, provider, report)) = open::<(u32, u32, u8, String)>(bytes)?;
            let (capture, provider) = (CaptureNo(capture), provider_from(provider)?);
            (key, Ordinal(owner), PaymentEvent::Noted { capture, provider, report: report_id(&report)? })
        }
        kind::CAPTURE_DISPUTED => {
            let (key, (owner, capture, provider, report, told)) = open::<(u32, u32, u8, String, MoneyV1)>(bytes)?;
            let (capture, provider) = (CaptureNo(capture), provider_from(provider)?);
            let (report, told) = (report_id(&report)?, told.try_into()?);
            (key, Ordinal(owner), PaymentEvent::Disputed { capture, provider, report, told })
        }
        _ => return Ok(None),
    }))
}
