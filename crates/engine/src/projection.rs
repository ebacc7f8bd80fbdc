//! A customer's reservations over all items of a partition: fed by the committed log, rebuilt from the items at
//! recovery. It knows only who has which reservation; what one is now, its item tells.

use domain::event::{Event, Recorded};
use domain::growth::SplitMap;
use domain::ids::{ItemNo, Ordinal};
use domain::item::Item;
use domain::payment::PaymentEvent;
use domain::text::CustomerId;
use foldhash::fast::RandomState;
use std::collections::BTreeSet;

/// A reservation's place, small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) item: ItemNo,
    pub(crate) ordinal: Ordinal,
}

/// Who has which reservations, each customer's in the order of item and arrival: the same before and after a restart.
#[derive(Debug, Default)]
pub(crate) struct Projection {
    by_customer: SplitMap<CustomerId, Vec<Place>, RandomState>,
    /// Items with money that went, or is to go, back, or that is disputed: where operators have to look.
    money: BTreeSet<ItemNo>,
}

impl Projection {
    /// Takes in everything an item holds already.
    pub(crate) fn add_item(&mut self, item: &Item) {
        for (ordinal, customer) in item.owners() {
            self.add(customer, Place { item: item.no(), ordinal });
        }
        if item.has_money_to_look_at() {
            self.money.insert(item.no());
        }
    }

    /// Items with refunds or disputes, from `from` on.
    pub(crate) fn money_from(&self, from: ItemNo) -> Vec<ItemNo> {
        self.money.range(from..).copied().collect()
    }

    /// Follows the log.
    pub(crate) fn follow(&mut self, item: ItemNo, events: &[Recorded]) {
        for recorded in events {
            if let Event::HoldPlaced { reservation, customer, .. }
            | Event::WaitlistJoined { reservation, customer, .. }
            | Event::PartHeld { reservation, customer, .. }
            | Event::PurchaseConfirmed { reservation, customer, .. } = &recorded.event
            {
                self.add(customer, Place { item, ordinal: *reservation });
            }
            if let Event::Payment { event, .. } = &recorded.event
                && goes_back(event)
            {
                self.money.insert(item);
            }
        }
    }

    fn add(&mut self, customer: &CustomerId, place: Place) {
        match self.by_customer.get_mut(customer) {
            Some(places) => {
                let at = places.partition_point(|known| *known < place);
                places.insert(at, place);
            }
            None => {
                self.by_customer.insert(customer.clone(), vec![place]);
            }
        }
    }

    /// A customer's places after `after`, at most `limit`, and whether there are more.
    pub(crate) fn page(&self, customer: &CustomerId, after: Option<Place>, limit: usize) -> (Vec<Place>, bool) {
        let places = self.by_customer.get(customer).map(Vec::as_slice).unwrap_or_default();
        let mut rest = places.iter().copied().skip_while(|place| after.is_some_and(|after| *place <= after));
        let page = rest.by_ref().take(limit).collect();
        (page, rest.next().is_some())
    }
}

const fn goes_back(event: &PaymentEvent) -> bool {
    matches!(
        event,
        PaymentEvent::RefundDue { .. }
            | PaymentEvent::Unclaimed { .. }
            | PaymentEvent::OrderRefunded { .. }
            | PaymentEvent::Disputed { .. }
            | PaymentEvent::RefundReported { .. }
    )
}
