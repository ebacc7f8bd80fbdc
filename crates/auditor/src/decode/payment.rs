//! Bodies of payment events: the same in both kinds of stream.

use super::reader::Reader;
use super::{BodyError, capture, money, provider, unknown};
use crate::event::{Payment, Reason, SettledBy};

/// The payment event of this kind, with its owner; `None` where the kind is no payment's.
pub(super) fn decode(tag: u16, version: u8, from: &mut Reader<'_>) -> Result<Option<(u32, Payment)>, BodyError> {
    if version != 1 || !matches!(tag, 22 | 48..=58) {
        return Ok(None);
    }
    let owner = from.u32()?;
    let event = match tag {
        22 => Payment::Captured { capture: capture(from)?, amount_named: from.bool()? },
        48 => Payment::Parked { capture: capture(from)?, until_ms: from.u64()? },
        49 => Payment::LateHonoured { capture: capture(from)?, amount_named: from.bool()? },
        50 => Payment::RefundDue { capture: capture(from)?, reason: reason(from)?, amount_named: from.bool()? },
        51 => Payment::Unclaimed { capture: from.u32()?, reservation_ended: from.bool()? },
        52 => Payment::Failed {
            provider: provider(from)?,
            payment: from.string()?,
            report: from.string()?,
            withdrawn: from.bool()?,
        },
        53 => Payment::Noted { capture: from.u32()?, provider: provider(from)?, report: from.string()? },
        54 => Payment::Disputed {
            capture: from.u32()?,
            provider: provider(from)?,
            report: from.string()?,
            told: money(from)?,
        },
        55 => Payment::RefundReported {
            provider: provider(from)?,
            payment: from.string()?,
            report: from.string()?,
            amount: money(from)?,
        },
        56 => Payment::RefundSettled { capture: from.u32()?, by: settled_by(from)? },
        57 => {
            Payment::OrderRefunded { capture: from.u32()?, released: from.u32()?, reason: from.option(Reader::string)? }
        }
        _ => Payment::Offered {
            provider: provider(from)?,
            payment: from.string()?,
            url: from.option(Reader::string)?,
            client_secret: from.option(Reader::string)?,
        },
    };
    Ok(Some((owner, event)))
}

fn reason(from: &mut Reader<'_>) -> Result<Reason, BodyError> {
    let (code, expected) = (from.u8()?, from.option(money)?);
    if matches!(code, 1..=5 | 16..=22) && expected.is_some() == (code == 1) {
        Ok(Reason { code, expected })
    } else {
        Err(unknown("reason of a refund", code))
    }
}

fn settled_by(from: &mut Reader<'_>) -> Result<SettledBy, BodyError> {
    match from.u32()? {
        0 => Ok(SettledBy::Provider { reference: from.string()? }),
        1 => Ok(SettledBy::Report),
        2 => Ok(SettledBy::Operator { reason: from.string()? }),
        code => Err(BodyError::Code { what: "way to settle a refund", code }),
    }
}
