//! What follows from an event. Pure.

use domain::event::{Event, PartitionEvent, Recorded};
use domain::ids::{ItemNo, Ordinal};
use domain::payment::{PaymentEvent, Provider};
use serde::{Deserialize, Serialize};

/// Something to be done in the world outside. What exactly, the item says when it is done: by then a hold may have
/// ended, and a refund may be settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Work {
    /// Place the order of a hold, and ask its item's provider for an opportunity to pay it.
    Offer {
        /// The item; a partition's own stream for a bundle.
        item: u32,
        /// The hold, or the bundle's number.
        reservation: u32,
    },
    /// Withdraw the opportunity of an order that is over, or was paid otherwise.
    Withdraw {
        /// The item.
        item: u32,
        /// Whose order.
        reservation: u32,
    },
    /// Withdraw an opportunity that was never shown to anybody.
    WithdrawUnseen {
        /// The item.
        item: u32,
        /// Whose order.
        reservation: u32,
        /// At which provider, by its name.
        provider: String,
        /// Which payment.
        payment: String,
    },
    /// Tell an endpoint what happened.
    Notify {
        /// Which endpoint.
        endpoint: u32,
        /// The message's id.
        id: String,
        /// The message.
        body: String,
    },
    /// Give back what is due of an order.
    Refund {
        /// The item.
        item: u32,
        /// Whose order.
        reservation: u32,
    },
}

impl Work {
    /// Whom a message is for.
    pub(crate) const fn endpoint(&self) -> Option<u32> {
        match self {
            Self::Notify { endpoint, .. } => Some(*endpoint),
            Self::Offer { .. } | Self::Withdraw { .. } | Self::WithdrawUnseen { .. } | Self::Refund { .. } => None,
        }
    }

    pub(crate) const fn is_message(&self) -> bool {
        self.endpoint().is_some()
    }
}

/// What an item's follow-ups depend on, besides the event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// Who is asked for opportunities to pay.
    pub(crate) provider: Option<Provider>,
    /// Whether any endpoint is told of anything.
    pub(crate) is_told: bool,
}

/// Whether anything can follow from an event. Asked at every commit, so it looks at nothing but the event's kind.
pub(crate) const fn is_of_interest(event: &Event, terms: Terms) -> bool {
    if terms.is_told && super::notice::is_told(event) {
        return true;
    }
    match event {
        Event::HoldPlaced { .. }
        | Event::HoldPromoted { .. }
        | Event::HoldExpired { .. }
        | Event::ReservationCancelled { .. } => terms.provider.is_some(),
        Event::Payment { .. } => true,
        Event::ItemCreated { .. }
        | Event::ItemRevised { .. }
        | Event::SaleOpened { .. }
        | Event::SalePaused
        | Event::SaleResumed
        | Event::SaleClosed { .. }
        | Event::StockAdjusted { .. }
        | Event::WaitlistJoined { .. }
        | Event::PurchaseConfirmed { .. }
        | Event::PartHeld { .. }
        | Event::PartSettled { .. }
        | Event::HoldExtended { .. }
        | Event::OrderPlaced { .. }
        | Event::WaitlistLapsed { .. }
        | Event::ClockResumed { .. } => false,
    }
}

/// What follows from an event of an item.
pub(crate) fn work_of(item: ItemNo, recorded: &Recorded, terms: Terms) -> Option<Work> {
    let item = item.as_u32();
    let offer = |reservation: Ordinal| Work::Offer { item, reservation: reservation.0 };
    let withdraw = |reservation: Ordinal| Work::Withdraw { item, reservation: reservation.0 };
    match &recorded.event {
        Event::HoldPlaced { reservation, .. } | Event::HoldPromoted { reservation, .. } => {
            terms.provider.map(|_| offer(*reservation))
        }
        Event::HoldExpired { reservation, .. } => terms.provider.map(|_| withdraw(*reservation)),
        Event::ReservationCancelled { reservation, released } => {
            terms.provider.filter(|_| released.get() > 0).map(|_| withdraw(*reservation))
        }
        Event::Payment { reservation, event } => work_of_payment(item, *reservation, event, terms.provider.is_some()),
        _ => None,
    }
}

/// What follows from money, whoever's order it is for. `is_asked`: a provider may have shown an opportunity.
fn work_of_payment(item: u32, owner: Ordinal, event: &PaymentEvent, is_asked: bool) -> Option<Work> {
    let reservation = owner.0;
    match event {
        PaymentEvent::RefundDue { .. }
        | PaymentEvent::Unclaimed { .. }
        | PaymentEvent::OrderRefunded { .. }
        // A capture that a backend had confirmed can be refunded once its provider is known.
        | PaymentEvent::Noted { .. } => Some(Work::Refund { item, reservation }),
        PaymentEvent::Captured { .. } | PaymentEvent::LateHonoured { .. } => {
            is_asked.then_some(Work::Withdraw { item, reservation })
        }
        PaymentEvent::Offered { .. }
        | PaymentEvent::Failed { .. }
        | PaymentEvent::Parked { .. }
        | PaymentEvent::Disputed { .. }
        | PaymentEvent::RefundReported { .. }
        | PaymentEvent::RefundSettled { .. } => None,
    }
}

/// What follows from an event of a partition: a bundle has one order and one payment, and where every line's item has
/// the same provider, that one is asked.
pub(crate) fn work_of_partition(stream: ItemNo, recorded: &Recorded<PartitionEvent>) -> Option<Work> {
    let item = stream.as_u32();
    let withdraw = |bundle: Ordinal| Work::Withdraw { item, reservation: bundle.0 };
    match &recorded.event {
        PartitionEvent::BundleHeld { bundle, held, .. } => {
            held.terms.provider.map(|_| Work::Offer { item, reservation: bundle.0 })
        }
        PartitionEvent::BundleCancelled { bundle } | PartitionEvent::BundleExpired { bundle, .. } => {
            Some(withdraw(*bundle))
        }
        PartitionEvent::Payment { bundle, event } => work_of_payment(item, *bundle, event, true),
        PartitionEvent::ItemRegistered { .. }
        | PartitionEvent::PartitionKeyed { .. }
        | PartitionEvent::BundleOrdered { .. }
        | PartitionEvent::PaymentUnmatched { .. }
        | PartitionEvent::Endpoint { .. }
        | PartitionEvent::ClockResumed { .. } => None,
    }
}
