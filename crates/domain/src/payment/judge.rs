//! Rule 9 as a decision: what a provider's report leads to. Pure, and the same for an item's orders and a bundle's.

use super::books::{Books, Known};
use super::event::{LateRefusal, PaymentEvent, RefundReason};
use super::{Capture, PaymentReport, Provider, Told};
use crate::ids::Ordinal;
use crate::limits::{FAILURES_NOTED_MAX, REPORTS_NOTED_MAX};
use crate::money::Money;
use crate::planted::{self, Bug};
use crate::text::PaymentId;
use crate::time::Timestamp;

/// How an order stands when money for it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its reservation is live, the order is not placed yet.
    NotPlaced {
        /// How long money may wait for it.
        park_until: Timestamp,
    },
    /// Placed, and still in time.
    Awaiting,
    /// Paid.
    Paid,
    /// Its reservation ended without goods. `Ok`: the sale can be honoured late.
    Ended(Result<(), LateRefusal>),
}

/// What a report leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// This event.
    New(Box<PaymentEvent>),
    /// Nothing: it is known, or there is no use in writing it down once more.
    Nothing,
}

impl Verdict {
    fn new(event: PaymentEvent) -> Self {
        Self::New(Box::new(event))
    }
}

/// Judges a report about the order of `owner`, which costs `price`.
pub(crate) fn judge(
    books: &Books,
    owner: Ordinal,
    standing: Standing,
    price: Money,
    report: &PaymentReport,
) -> Verdict {
    let PaymentReport { provider, report: id, payment, told } = report;
    if books.knows_report(*provider, id) {
        return Verdict::Nothing;
    }
    match *told {
        Told::Captured(amount) => match books.find(*provider, payment) {
            Some(known) => known_again(known, owner, report, amount),
            None => {
                let (provider, payment, report) = (*provider, payment.clone(), Some(id.clone()));
                if planted::is(Bug::LateMoneyDropped) && matches!(standing, Standing::Ended(Err(_))) {
                    return Verdict::Nothing;
                }
                if planted::is(Bug::SecondPaymentDropped) && matches!(standing, Standing::Paid) {
                    return Verdict::Nothing;
                }
                Verdict::new(judge_capture(standing, price, Capture { provider, payment, report, amount }, false))
            }
        },
        Told::Failed | Told::Cancelled if books.failures_of(owner) >= FAILURES_NOTED_MAX => Verdict::Nothing,
        Told::Failed | Told::Cancelled => Verdict::new(PaymentEvent::Failed {
            provider: *provider,
            payment: payment.clone(),
            report: id.clone(),
            withdrawn: *told == Told::Cancelled,
        }),
        Told::Refunded(amount) => refunded(books, owner, report, amount),
    }
}

/// What new money leads to. The ladder of rule 9.
pub(crate) fn judge_capture(standing: Standing, price: Money, capture: Capture, amount_named: bool) -> PaymentEvent {
    let refund = |capture, reason| PaymentEvent::RefundDue { capture, reason, amount_named };
    match standing {
        Standing::NotPlaced { park_until } => PaymentEvent::Parked { capture, until: park_until },
        Standing::Paid => refund(capture, RefundReason::SecondCapture),
        Standing::Awaiting | Standing::Ended(_)
            if capture.amount != price && !planted::is(Bug::WrongAmountAccepted) =>
        {
            refund(capture, RefundReason::WrongAmount { expected: price })
        }
        Standing::Awaiting => PaymentEvent::Captured { capture, amount_named },
        Standing::Ended(Ok(())) => PaymentEvent::LateHonoured { capture, amount_named },
        Standing::Ended(Err(why)) => refund(capture, RefundReason::Late(why)),
    }
}

/// What parked money leads to when its order is placed: the first right capture pays, the others go back.
pub(crate) fn claim_parked(books: &Books, owner: Ordinal, price: Money) -> Vec<PaymentEvent> {
    let mut standing = Standing::Awaiting;
    let mut events = Vec::new();
    for record in books.parked_of(owner) {
        let event = judge_capture(standing, price, record.capture.clone(), false);
        if matches!(event, PaymentEvent::Captured { .. }) {
            standing = Standing::Paid;
        }
        events.push(event);
    }
    events
}

fn known_again(known: Known<'_>, owner: Ordinal, report: &PaymentReport, amount: Money) -> Verdict {
    let (capture, provider, id) = (known.no, report.provider, report.report.clone());
    let agrees = known.record.capture.amount == amount && known.record.owner == owner;
    if is_noted_enough(known, !agrees) {
        return Verdict::Nothing;
    }
    Verdict::new(if agrees {
        PaymentEvent::Noted { capture, provider, report: id }
    } else {
        PaymentEvent::Disputed { capture, provider, report: id, told: amount }
    })
}

/// Whether a further report of a capture is not written down any more. The first that contradicts it always is: an operator
/// has to look at it.
const fn is_noted_enough(known: Known<'_>, contradicts: bool) -> bool {
    (known.record.disputed || !contradicts) && known.record.reports >= REPORTS_NOTED_MAX
}

fn refunded(books: &Books, owner: Ordinal, report: &PaymentReport, amount: Money) -> Verdict {
    let PaymentReport { provider, report: id, payment, told: _ } = report;
    let known = books.find(*provider, payment);
    let (provider, payment, report) = (*provider, payment.clone(), id.clone());
    match known {
        Some(known) => {
            let (capture, record) = (known.no, known.record);
            let (whole, is_done) = (record.owner == owner && record.capture.amount == amount, record.is_refunded());
            if whole && !is_done {
                // The first is never one report too many: the money is gone. Of parked money it takes effect later.
                let again = books.is_refund_told(provider, &payment, owner, amount);
                if again && record.reports >= REPORTS_NOTED_MAX {
                    return Verdict::Nothing;
                }
                return Verdict::new(PaymentEvent::RefundReported { provider, payment, report, amount });
            }
            if is_noted_enough(known, !is_done) {
                return Verdict::Nothing;
            }
            Verdict::new(if is_done {
                PaymentEvent::Noted { capture, provider, report }
            } else {
                // Part of the money went back, or it is another order's: nobody but an operator can say what that means.
                PaymentEvent::Disputed { capture, provider, report, told: amount }
            })
        }
        None if books.early_refunds_of(owner) >= FAILURES_NOTED_MAX => Verdict::Nothing,
        None => Verdict::new(PaymentEvent::RefundReported { provider, payment, report, amount }),
    }
}

/// Whether reports of these two tell of one payment, where its id is the same: a backend that confirms what it has
/// charged through a provider, and the provider's own webhook, tell of one capture.
pub(super) fn tell_of_one(left: Provider, right: Provider) -> bool {
    left == right || left == Provider::External || right == Provider::External
}

/// Whether `payment` is one that `owner`'s order may be paid with, for callers who are refused rather than refunded.
pub(crate) fn belongs_elsewhere(books: &Books, owner: Ordinal, payment: &PaymentId) -> bool {
    books.find(Provider::External, payment).is_some_and(|known| known.record.owner != owner)
}
