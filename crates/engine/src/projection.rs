//! A customer's reservations over all items of a partition: fed by the committed log, rebuilt from the items at
//! recovery. It knows only who has which reservation; what one is now, its item tells.

use domain::event::{Event, Recorded};
use domain::growth::{BlockList, SplitIndex};
use domain::ids::{ItemNo, Ordinal};
use domain::item::Item;
use domain::payment::PaymentEvent;
use domain::text::CustomerId;
use foldhash::fast::RandomState;
use std::collections::{BTreeSet, BinaryHeap};
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
    /// By a hash of a customer's id, seeded anew in each process.
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
pub(crate) struct HeardNo(NonZeroU32);

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
        // Of further items nobody knows how many are the same.
        if self.heard.is_empty() {
            self.customers.make_room(item.customer_count(), |whose| whose.hash);
        }
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
                self.add(customer.as_str(), Place { item, ordinal: *reservation });
            }
            if let Event::Payment { event, .. } = &recorded.event
                && goes_back(event)
            {
                self.money.insert(item);
            }
        }
    }

    fn add(&mut self, customer: &str, place: Place) {
        let hash = self.hasher.hash_one(customer);
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

    /// The last that was heard of a customer's.
    pub(crate) fn last_of(&self, customer: &CustomerId) -> Option<HeardNo> {
        let hash = self.hasher.hash_one(customer.as_str());
        self.customers.find(hash, |whose| whose.hash == hash).map(|whose| whose.last)
    }

    /// Walks a customer's chain, a slice of it at a time: somebody who came back a hundred thousand times must not hold
    /// up the commits that wait for this lock. Where it goes on, if it does; nothing that was heard of moves meanwhile.
    pub(crate) fn walk(&self, from: HeardNo, page: &mut Page) -> Option<HeardNo> {
        let mut next = Some(from);
        for _ in 0..PLACES_AT_ONCE {
            let heard = next.and_then(|no| self.heard.get(no.index()))?;
            page.offer(heard.place);
            next = heard.before;
        }
        next
    }
}

/// Places looked at under one lock: a tenth of a millisecond.
const PLACES_AT_ONCE: usize = 1_000;

/// The first so many places behind one: in the order of item and arrival, the same before and after a restart.
#[derive(Debug)]
pub(crate) struct Page {
    after: Option<Place>,
    limit: usize,
    /// One more than the page has, to know whether there are more.
    places: BinaryHeap<Place>,
}

impl Page {
    pub(crate) const fn new(after: Option<Place>, limit: usize) -> Self {
        Self { after, limit, places: BinaryHeap::new() }
    }

    fn offer(&mut self, place: Place) {
        if self.after.is_none_or(|after| place > after) {
            self.places.push(place);
            if self.places.len() > self.limit.saturating_add(1) {
                self.places.pop();
            }
        }
    }

    /// The places, and whether there are more.
    pub(crate) fn finish(self) -> (Vec<Place>, bool) {
        let (mut places, limit) = (self.places.into_sorted_vec(), self.limit);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn place(item: u32, ordinal: u32) -> Place {
        Place { item: ItemNo::from_u32(item), ordinal: Ordinal(ordinal) }
    }

    fn page(projection: &Projection, customer: &str, after: Option<Place>, limit: usize) -> (Vec<Place>, bool) {
        let customer = CustomerId::parse(customer).expect("a customer");
        let (mut page, mut next) = (Page::new(after, limit), projection.last_of(&customer));
        while let Some(no) = next {
            next = projection.walk(no, &mut page);
        }
        page.finish()
    }

    #[test]
    fn a_customers_reservations_come_in_the_order_of_item_and_arrival_page_by_page() {
        let mut projection = Projection::default();
        let count = 3 * PLACES_AT_ONCE as u32 + 1;
        for ordinal in 0..count {
            // Heard of in another order than they are told.
            projection.add("ann", place(2 - ordinal % 2, ordinal));
            projection.add("bob", place(3, ordinal));
        }
        let (mut told, mut after) = (Vec::new(), None);
        loop {
            let (places, more) = page(&projection, "ann", after, 700);
            after = places.last().copied();
            told.extend(places);
            if !more {
                break;
            }
        }
        assert_eq!(told.len(), count as usize);
        assert!(told.is_sorted() && told.first() == Some(&place(1, 1)) && told.last() == Some(&place(2, count - 1)));
        assert_eq!(page(&projection, "bob", Some(place(3, count - 2)), 1), (vec![place(3, count - 1)], false));
        assert_eq!(page(&projection, "cid", None, 10), (Vec::new(), false));
    }
}
