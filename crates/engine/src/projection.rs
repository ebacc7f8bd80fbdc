//! A customer's reservations over all items of a partition: fed by the committed log, rebuilt from the items at
//! recovery. It knows only who has which reservation; what one is now, its item tells.

use domain::event::{Event, Recorded};
use domain::growth::{BlockList, SplitIndex};
use domain::ids::{ItemNo, Ordinal};
use domain::item::Item;
use domain::payment::PaymentEvent;
use domain::text::CustomerId;
use foldhash::fast::RandomState;
use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::num::NonZeroU32;

/// A reservation's place, small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) item: ItemNo,
    pub(crate) ordinal: Ordinal,
}

/// Who has which reservations. It keeps no names: they are kept once, by the items.
#[derive(Debug, Default)]
pub(crate) struct Projection {
    /// Everybody's reservations, as they were heard of.
    heard: BlockList<Heard>,
    /// By the keyed hash of a customer's id.
    customers: SplitIndex<Whose>,
    hasher: RandomState,
    /// Items with money that went, or is to go, back, or that is disputed: where operators have to look.
    money: BTreeSet<ItemNo>,
}

/// A reservation, and the one of the same customer that was heard of before it.
#[derive(Debug)]
struct Heard {
    place: Place,
    before: Option<HeardNo>,
}

/// A number in `heard`, from 1: so that none at all takes no room of its own.
#[derive(Clone, Copy, Debug)]
struct HeardNo(NonZeroU32);

impl HeardNo {
    const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// A customer, by the hash of their id, and the last that was heard of theirs. Two whose hashes of 64 bits agree share
/// a chain; items tell neither anything of the other's.
#[derive(Debug)]
struct Whose {
    hash: u64,
    last: HeardNo,
}

impl Projection {
    /// Takes in everything an item holds already.
    pub(crate) fn add_item(&mut self, item: &Item) {
        for (ordinal, customer) in item.owners() {
            self.add(&customer, Place { item: item.no(), ordinal });
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
        let hash = self.hasher.hash_one(customer.as_str());
        let count = u32::try_from(self.heard.len()).ok().and_then(|count| NonZeroU32::MIN.checked_add(count));
        let no = HeardNo(count.expect("memory ends long before four thousand million reservations"));
        let before = match self.customers.find_mut(hash, |whose| whose.hash == hash) {
            Some(whose) => Some(std::mem::replace(&mut whose.last, no)),
            None => {
                self.customers.insert(hash, Whose { hash, last: no }, |whose| whose.hash);
                None
            }
        };
        self.heard.push(Heard { place, before });
    }

    /// A customer's places after `after`, at most `limit`, and whether there are more: in the order of item and
    /// arrival, the same before and after a restart.
    pub(crate) fn page(&self, customer: &CustomerId, after: Option<Place>, limit: usize) -> (Vec<Place>, bool) {
        let hash = self.hasher.hash_one(customer.as_str());
        let last = self.customers.find(hash, |whose| whose.hash == hash).map(|whose| whose.last);
        let mut next = last.and_then(|no| self.heard.get(no.index()));
        let mut places = Vec::new();
        while let Some(heard) = next {
            places.extend(Some(heard.place).filter(|place| after.is_none_or(|after| *place > after)));
            next = heard.before.and_then(|no| self.heard.get(no.index()));
        }
        places.sort_unstable();
        let more = places.len() > limit;
        places.truncate(limit);
        (places, more)
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
