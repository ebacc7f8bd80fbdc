//! Answers in words of the model's own, and what the item tells in these: without places in the log and estimates.

use domain::identity::BundleId;
use domain::item::Phase;
use domain::money::Money;
use domain::payment::{Capture, CaptureRecord, Offer};
use domain::policy::Settings;
use domain::text::CustomerId;
use domain::time::Timestamp;
use domain::views::{
    Body, CaptureView, ItemView, OfferStatus, OrderState, OrderView, PaymentVerdict, ReservationView, StateView,
};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    Reservation(ReservationTold),
    Order(OrderTold),
    Item(Box<ItemTold>),
    Payment(PaymentVerdict),
    Refund(CaptureTold),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ReservationTold {
    pub(crate) no: u32,
    pub(crate) customer: CustomerId,
    pub(crate) quantity: u32,
    pub(crate) state: StateView,
    pub(crate) created_at: Timestamp,
    pub(crate) at: Timestamp,
    pub(crate) order: Option<(OrderState, Money)>,
    pub(crate) bundle: Option<BundleId>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OrderTold {
    pub(crate) no: u32,
    pub(crate) state: OrderState,
    pub(crate) amount: Money,
    pub(crate) customer: CustomerId,
    pub(crate) quantity: u32,
    pub(crate) placed_at: Timestamp,
    pub(crate) capture: Option<Capture>,
    pub(crate) payment: Option<(Offer, OfferStatus)>,
    pub(crate) refunds: Vec<CaptureTold>,
    pub(crate) at: Timestamp,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CaptureTold {
    pub(crate) no: u32,
    pub(crate) record: CaptureRecord,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ItemTold {
    pub(crate) phase: Phase,
    /// Total, available, held, sold, waiting.
    pub(crate) counts: [u32; 5],
    pub(crate) revision: u64,
    pub(crate) settings: Settings,
    pub(crate) at: Timestamp,
}

impl Told {
    /// What the item told.
    pub(crate) fn heard(body: &Body) -> Self {
        match body {
            Body::Reservation(view) => Self::Reservation(ReservationTold::heard(view)),
            Body::Order(view) => Self::Order(OrderTold::heard(view)),
            Body::Item(view) => Self::Item(Box::new(ItemTold::heard(view))),
            Body::Payment(verdict) => Self::Payment(*verdict),
            Body::Refund(view) => Self::Refund(CaptureTold::heard(view)),
            Body::Bundle(_)
            | Body::BundleOrder(_)
            | Body::Endpoints(_)
            | Body::Unmatched { .. }
            | Body::Captures { .. }
            | Body::Reservations { .. } => panic!("nobody asked for {body:?}"),
        }
    }
}

impl Told {
    /// Less what an answer that is given again is known not to keep: an acceptance remembers which refund it told of,
    /// not what was said of that besides.
    pub(crate) fn given_again(mut self) -> Self {
        let forget = |refund: &mut CaptureTold| {
            let record = &mut refund.record;
            (record.payer, record.reports, record.disputed) = (record.capture.provider, 0, false);
        };
        match &mut self {
            Self::Order(order) => {
                order.refunds.iter_mut().for_each(forget);
            }
            Self::Refund(refund) => forget(refund),
            Self::Reservation(_) | Self::Item(_) | Self::Payment(_) => {}
        }
        self
    }
}

impl ReservationTold {
    pub(crate) fn heard(view: &ReservationView) -> Self {
        Self {
            no: view.id.ordinal().0,
            customer: view.customer.clone(),
            quantity: view.quantity.get(),
            state: match view.state {
                // How long it will take is an estimate, and promised to nobody.
                StateView::Waiting { position, .. } => StateView::Waiting { position, estimated_wait_s: 0 },
                state => state,
            },
            created_at: view.created_at,
            at: view.at,
            order: view.order.map(|order| (order.state, order.amount)),
            bundle: view.bundle,
        }
    }
}

impl OrderTold {
    pub(crate) fn heard(view: &OrderView) -> Self {
        let domain::identity::OrderOf::Reservation(id) = view.summary.id.owner() else {
            panic!("an item's order is a reservation's")
        };
        Self {
            no: id.ordinal().0,
            state: view.summary.state,
            amount: view.summary.amount,
            customer: view.customer.clone(),
            quantity: view.quantity.get(),
            placed_at: view.placed_at,
            capture: view.capture.clone(),
            payment: view.payment.as_ref().map(|payment| (payment.offer.clone(), payment.status)),
            refunds: view.refunds.iter().map(CaptureTold::heard).collect(),
            at: view.at,
        }
    }
}

impl CaptureTold {
    pub(crate) fn heard(view: &CaptureView) -> Self {
        Self { no: view.refund.capture(), record: view.record.clone() }
    }
}

impl ItemTold {
    pub(crate) fn heard(view: &ItemView) -> Self {
        let status = &view.status;
        let [total, available, held, sold] =
            [status.total, status.available, status.held, status.sold].map(domain::units::Units::get);
        Self {
            phase: status.phase,
            counts: [total, available, held, sold, status.waiting],
            revision: status.revision.0,
            settings: (*view.settings).clone(),
            at: view.at,
        }
    }
}
