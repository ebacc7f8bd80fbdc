//! Payment events with names and fields.

use super::money;
use crate::instant::Rfc3339;
use domain::payment::{Capture, LateRefusal, PaymentEvent, RefundReason, RefundedBy, SettledBy, UnclaimedBecause};
use serde_json::{Value, json};

/// The name of a payment event.
pub(super) const fn name(event: &PaymentEvent) -> &'static str {
    match event {
        PaymentEvent::Offered { .. } => "PaymentOffered",
        PaymentEvent::Failed { .. } => "PaymentFailed",
        PaymentEvent::Parked { .. } => "PaymentParked",
        PaymentEvent::Captured { .. } => "PaymentCaptured",
        PaymentEvent::LateHonoured { .. } => "LatePaymentHonoured",
        PaymentEvent::RefundDue { .. } => "RefundDue",
        PaymentEvent::Unclaimed { .. } => "PaymentUnclaimed",
        PaymentEvent::Noted { .. } => "ReportNoted",
        PaymentEvent::Disputed { .. } => "CaptureDisputed",
        PaymentEvent::RefundReported { .. } => "RefundReported",
        PaymentEvent::OrderRefunded { .. } => "OrderRefunded",
        PaymentEvent::RefundSettled { .. } => "RefundSettled",
    }
}

/// Money that was taken.
pub(super) fn capture(of: &Capture) -> Value {
    let report = of.report.as_ref().map(|report| report.as_str());
    json!({ "provider": of.provider.name(), "payment": of.payment.as_str(), "report": report, "amount": money(of.amount) })
}

/// What a payment event says.
pub(super) fn said(event: &PaymentEvent) -> Value {
    match event {
        PaymentEvent::Offered { provider, payment, client } => {
            json!({ "provider": provider.name(), "payment": payment.as_str(), "url": client.url() })
        }
        PaymentEvent::Failed { provider, payment, report, withdrawn } => {
            let (payment, report) = (payment.as_str(), report.as_str());
            json!({ "provider": provider.name(), "payment": payment, "report": report, "withdrawn": withdrawn })
        }
        PaymentEvent::Parked { capture: taken, until } => {
            json!({ "capture": capture(taken), "until": Rfc3339(*until) })
        }
        PaymentEvent::Captured { capture: taken, amount_named }
        | PaymentEvent::LateHonoured { capture: taken, amount_named } => {
            json!({ "capture": capture(taken), "amount_named": amount_named })
        }
        PaymentEvent::RefundDue { capture: taken, reason, amount_named } => {
            json!({ "capture": capture(taken), "reason": refund(*reason), "amount_named": amount_named })
        }
        PaymentEvent::Unclaimed { capture, because } => {
            json!({ "capture_no": capture.0, "because": unclaimed(*because) })
        }
        PaymentEvent::Noted { capture, provider, report } => {
            json!({ "capture_no": capture.0, "provider": provider.name(), "report": report.as_str() })
        }
        PaymentEvent::Disputed { capture, provider, report, told } => {
            let (provider, report) = (provider.name(), report.as_str());
            json!({ "capture_no": capture.0, "provider": provider, "report": report, "told": money(*told) })
        }
        PaymentEvent::RefundReported { provider, payment, report, amount } => {
            let (payment, report) = (payment.as_str(), report.as_str());
            json!({ "provider": provider.name(), "payment": payment, "report": report, "amount": money(*amount) })
        }
        PaymentEvent::OrderRefunded { capture, released, by } => {
            let (by, reason) = match by {
                RefundedBy::Operator { reason } => ("operator", Some(reason.as_str())),
                RefundedBy::Provider => ("provider", None),
            };
            json!({ "capture_no": capture.0, "released": released.get(), "by": by, "reason": reason })
        }
        PaymentEvent::RefundSettled { capture, by } => {
            let (by, reference, reason) = match by {
                SettledBy::Provider { reference } => ("provider", Some(reference.as_str()), None),
                SettledBy::Report => ("report", None, None),
                SettledBy::Operator { reason } => ("operator", None, Some(reason.as_str())),
            };
            json!({ "capture_no": capture.0, "by": by, "reference": reference, "reason": reason })
        }
    }
}

const fn unclaimed(because: UnclaimedBecause) -> &'static str {
    match because {
        UnclaimedBecause::ReservationEnded => "reservation_ended",
        UnclaimedBecause::WindowPassed => "window_passed",
    }
}

fn refund(reason: RefundReason) -> Value {
    match reason {
        RefundReason::WrongAmount { expected } => json!({ "code": "wrong_amount", "expected": money(expected) }),
        RefundReason::SecondCapture => json!({ "code": "second_payment" }),
        RefundReason::OrderRefunded => json!({ "code": "order_refunded" }),
        RefundReason::Unclaimed(because) => json!({ "code": "unclaimed", "because": unclaimed(because) }),
        RefundReason::Late(why) => json!({ "code": "late", "because": late(why) }),
    }
}

const fn late(why: LateRefusal) -> &'static str {
    match why {
        LateRefusal::Cancelled => "cancelled",
        LateRefusal::Lapsed => "lapsed",
        LateRefusal::Bundle => "part_of_bundle",
        LateRefusal::Policy => "policy",
        LateRefusal::CustomerLimit => "limit_reached",
        LateRefusal::OthersWait => "others_wait",
        LateRefusal::NoStock => "no_stock",
    }
}
