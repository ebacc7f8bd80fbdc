//! The words for what the domain has enums for.

use domain::event::LapseReason;
use domain::rejection::{EndedAs, ExtensionRefusal};
use domain::views::{OrderState, ReservationFilter, StateView};

/// A reservation's state.
pub(crate) const fn state(state: &StateView) -> &'static str {
    match state {
        StateView::Waiting { .. } => "waiting",
        StateView::Held { .. } => "held",
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

/// An order's state.
pub(crate) const fn order(state: OrderState) -> &'static str {
    match state {
        OrderState::AwaitingPayment { .. } => "awaiting_payment",
        OrderState::Paid => "paid",
        OrderState::Cancelled => "cancelled",
        OrderState::Expired => "expired",
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
