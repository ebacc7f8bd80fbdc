//! The words for what the domain has enums for.

use domain::event::LapseReason;
use domain::payment::{LateRefusal, RefundReason, UnclaimedBecause};
use domain::rejection::{EndedAs, ExtensionRefusal, NotRefundable};
use domain::views::{
    BundleStateView, CaptureFilter, OfferStatus, OrderState, PaymentVerdict, ReservationFilter, StateView,
};

/// A reservation's state.
pub(crate) const fn state(state: &StateView) -> &'static str {
    match state {
        StateView::Waiting { .. } => "waiting",
        StateView::Held { .. } | StateView::HeldInBundle => "held",
        StateView::Confirmed => "confirmed",
        StateView::Cancelled => "cancelled",
        StateView::Expired => "expired",
        StateView::Lapsed(_) => "lapsed",
    }
}

/// Why a reservation lapsed.
pub(crate) const fn lapse(reason: LapseReason) -> &'static str {
    match reason {
        LapseReason::SaleClosed => "sale_closed",
        LapseReason::CanNeverBeServed => "can_never_be_served",
    }
}

/// What a reservation ended as.
pub(crate) const fn ended(ended: EndedAs) -> &'static str {
    match ended {
        EndedAs::Confirmed => "confirmed",
        EndedAs::Cancelled => "cancelled",
        EndedAs::Expired => "expired",
        EndedAs::Lapsed(_) => "lapsed",
    }
}

/// What became of a reservation that somebody still wants to use.
pub(crate) const fn over(ended: EndedAs) -> &'static str {
    match ended {
        EndedAs::Confirmed => "the reservation is paid, and the sale is final",
        EndedAs::Cancelled => "the reservation was cancelled",
        EndedAs::Expired => "the reservation's time ran out",
        EndedAs::Lapsed(LapseReason::SaleClosed) => "the sale closed before the reservation got its turn",
        EndedAs::Lapsed(LapseReason::CanNeverBeServed) => {
            "the reservation never got its turn: it wanted more than was left to sell"
        }
    }
}

/// An order's state.
pub(crate) const fn order(state: OrderState) -> &'static str {
    match state {
        OrderState::AwaitingPayment { .. } => "awaiting_payment",
        OrderState::Paid => "paid",
        OrderState::Cancelled => "cancelled",
        OrderState::Expired => "expired",
        OrderState::RefundDue => "refund_due",
        OrderState::Refunded => "refunded",
    }
}

/// Why an extension is refused: the word, and the sentence.
pub(crate) const fn extension(reason: ExtensionRefusal) -> (&'static str, &'static str) {
    match reason {
        ExtensionRefusal::NotHeld => ("not_held", "there is no hold yet; the reservation is still waiting"),
        ExtensionRefusal::UsedUp => ("used_up", "no extension is left"),
        ExtensionRefusal::PastDeadline => ("past_deadline", "the deadline has passed; only a payment is still in time"),
    }
}

/// The filter of a list by its word.
pub(crate) fn filter(word: &str) -> Option<ReservationFilter> {
    Some(match word {
        "waiting" => ReservationFilter::Waiting,
        "held" => ReservationFilter::Held,
        "confirmed" => ReservationFilter::Confirmed,
        "cancelled" => ReservationFilter::Cancelled,
        "expired" => ReservationFilter::Expired,
        "lapsed" => ReservationFilter::Lapsed,
        _ => return None,
    })
}

/// Why money goes back: the word, and the sentence.
pub(crate) const fn refund(reason: RefundReason) -> (&'static str, &'static str) {
    match reason {
        RefundReason::WrongAmount { .. } => {
            ("wrong_amount", "another amount or currency was paid than the order costs")
        }
        RefundReason::SecondCapture => ("second_payment", "the order was paid already, by another payment"),
        RefundReason::OrderRefunded => ("order_refunded", "the order was paid and then refunded"),
        RefundReason::Unclaimed(UnclaimedBecause::ReservationEnded) => {
            ("unclaimed", "the reservation ended before an order was placed")
        }
        RefundReason::Unclaimed(UnclaimedBecause::WindowPassed) => {
            ("unclaimed", "no order was placed within the time that money may wait for it")
        }
        RefundReason::Late(why) => late(why),
    }
}

const fn late(why: LateRefusal) -> (&'static str, &'static str) {
    match why {
        LateRefusal::Cancelled => ("cancelled", "the customer had cancelled"),
        LateRefusal::Lapsed => ("lapsed", "the reservation never got its turn"),
        LateRefusal::Bundle => {
            ("part_of_bundle", "it belongs to a bundle, which is paid as a whole and in time or not at all")
        }
        LateRefusal::Policy => ("late", "the payment came after its time, and this item does not honour late ones"),
        LateRefusal::CustomerLimit => {
            ("late_limit_reached", "the payment came late, and the customer has as many as one may have")
        }
        LateRefusal::OthersWait => ("late_others_wait", "the payment came late, and others wait for the units"),
        LateRefusal::NoStock => ("late_no_stock", "the payment came late, and too few units are free"),
    }
}

/// What a provider's report came to.
pub(crate) const fn verdict(verdict: PaymentVerdict) -> &'static str {
    match verdict {
        PaymentVerdict::Applied => "applied",
        PaymentVerdict::Honoured => "honoured",
        PaymentVerdict::Stored => "stored",
        PaymentVerdict::RefundDue(_) => "refund_due",
        PaymentVerdict::Noted => "noted",
        PaymentVerdict::Disputed => "disputed",
        PaymentVerdict::Duplicate => "duplicate",
    }
}

/// How a payment opportunity stands.
pub(crate) const fn offer(status: OfferStatus) -> &'static str {
    match status {
        OfferStatus::Open => "open",
        OfferStatus::Paid => "captured",
        OfferStatus::Over => "closed",
    }
}

/// Why an order's money cannot be given back: the word, and the sentence.
pub(crate) const fn not_refundable(reason: NotRefundable) -> (&'static str, &'static str) {
    match reason {
        NotRefundable::NotPaid => ("not_paid", "nothing was paid for this order"),
        NotRefundable::Already => ("already_refunded", "the order's money goes back, or has gone back, already"),
        NotRefundable::NotDue => ("not_due", "this money was kept, so there is no refund of it that could be settled"),
    }
}

/// The filter of a list of captures by its word.
pub(crate) fn captures(word: &str) -> Option<CaptureFilter> {
    Some(match word {
        "due" => CaptureFilter::Due,
        "settled" => CaptureFilter::Refunded,
        "disputed" => CaptureFilter::Disputed,
        _ => return None,
    })
}

/// A bundle's state.
pub(crate) const fn bundle(state: BundleStateView) -> &'static str {
    match state {
        BundleStateView::Held { .. } => "held",
        BundleStateView::Confirmed => "confirmed",
        BundleStateView::Cancelled => "cancelled",
        BundleStateView::Expired => "expired",
    }
}
