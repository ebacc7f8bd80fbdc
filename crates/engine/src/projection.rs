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
use std::convert::Infallible;
use std::hash::BuildHasher;
use std::iter::successors;
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

/// A customer, by the hash of their id, and the last that was heard of theirs. Two whose hashes agree share a chain;
/// items tell neither anything of the other's. Packed, for there are millions of them.
#[derive(Clone, Copy, Debug)]
#[repr(Rust, packed(2))]
struct Whose {
    hash: NameHash,
    last: HeardNo,
}

/// 48 bits of a hash: the same for two of ten million customers in one of five sales.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct NameHash([u16; 3]);

impl NameHash {
    fn of(name: &str, hasher: &RandomState) -> Self {
        #[cfg(test)]
        if tests::SAME_HASH.get() {
            return Self([1, 2, 3]);
        }
        let hash = hasher.hash_one(name);
        Self([(hash >> 32) as u16, (hash >> 16) as u16, hash as u16])
    }

    /// For an index, which looks at all 64 bits.
    const fn spread(self) -> u64 {
        let [a, b, c] = self.0;
        (((a as u64) << 32) | ((b as u64) << 16) | (c as u64)).wrapping_mul(SPREAD)
    }
}

/// An odd number whose bits look like noise (of the golden ratio).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Projection {
    /// Takes in everything an item holds already.
    pub(crate) fn add_item(&mut self, item: &Item) {
        // An item knows who is who among its own: only who comes from another item too is looked for.
        let mut last_of = vec![None; item.customer_count()];
        for (ordinal, nth) in item.owners_by_number() {
            let last = last_of.get_mut(nth).expect("an owner is one of the customers");
            *last = Some(push(&mut self.heard, Place { item: item.no(), ordinal }, *last));
        }
        let Self { heard, customers, hasher, .. } = self;
        let hashed = item.customers_from(0).zip(&last_of).filter_map(|(name, last)| {
            let hash = NameHash::of(name, hasher);
            Some((hash.spread(), Whose { hash, last: (*last)? }))
        });
        let joined: Result<(), Infallible> = customers.add_all(
            (last_of.len(), hashed),
            |whose| whose.hash.spread(),
            |a, b| a.hash == b.hash,
            |known, whose| {
                first_of(heard, whose.last).before = Some(known.last);
                known.last = whose.last;
                Ok(())
            },
        );
        let Ok(()) = joined;
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
        let hash = NameHash::of(customer, &self.hasher);
        if let Some(whose) = self.customers.find_mut(hash.spread(), |whose| whose.hash == hash) {
            whose.last = push(&mut self.heard, place, Some(whose.last));
            return;
        }
        let last = push(&mut self.heard, place, None);
        self.customers.insert(hash.spread(), Whose { hash, last }, |whose| whose.hash.spread());
    }

    /// The last that was heard of a customer's.
    pub(crate) fn last_of(&self, customer: &CustomerId) -> Option<HeardNo> {
        let hash = NameHash::of(customer.as_str(), &self.hasher);
        self.customers.find(hash.spread(), |whose| whose.hash == hash).map(|whose| whose.last)
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

/// Puts a reservation behind those that were heard of before.
fn push(heard: &mut BlockList<Heard>, place: Place, before: Option<HeardNo>) -> HeardNo {
    let count = u32::try_from(heard.len()).ok().and_then(|count| NonZeroU32::MIN.checked_add(count));
    heard.push(Heard { place, before });
    HeardNo(count.expect("memory ends long before four thousand million reservations"))
}

/// The one that a chain began with.
fn first_of(heard: &mut BlockList<Heard>, last: HeardNo) -> &mut Heard {
    let before = |no: &HeardNo| heard.get(no.index()).and_then(|heard| heard.before);
    let first = successors(Some(last), before).last().unwrap_or(last);
    heard.get_mut(first.index()).expect("a number is only made when something is heard of")
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
    use domain::identity::ItemKey;
    use domain::ids::{Revision, Seq};
    use domain::item::{CustomerParts, ItemHead, ItemParts, ItemPiece, Phase, ReservationParts, StateParts};
    use domain::time::Timestamp;
    use domain::units::Quantity;
    use std::cell::Cell;

    thread_local! {
        /// Whether all names have the same hash in this test.
        pub(super) static SAME_HASH: Cell<bool> = const { Cell::new(false) };
    }

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

    /// An item on which these wait, each as often as they are named.
    fn item(no: u32, names: &[&str]) -> Item {
        let spec = crate::tests::spec("lamp", 1);
        let head = ItemHead {
            no: ItemNo::from_u32(no),
            key: ItemKey::from_bytes([7; 32]),
            sku: spec.sku,
            settings: spec.settings,
            phase: Phase::Open,
            total: spec.total,
            revision: Revision(1),
            seq: Seq(9),
            now: Timestamp::from_millis(1),
            freed_by: Seq(1),
        };
        let mut parts = ItemParts::of([ItemPiece::Head(Box::new(head))]).expect("a head");
        for name in names {
            let id = CustomerId::parse(name).expect("a customer");
            let known = parts.customers.iter().position(|known| known.id == id);
            let nth = known.unwrap_or(parts.customers.len());
            if known.is_none() {
                parts.customers.push(CustomerParts { id, expiries_in_row: 0, cooling_until: Timestamp::default() });
            }
            parts.reservations.push(ReservationParts {
                customer: nth as u32,
                quantity: Quantity::ONE,
                accepted_at: Timestamp::from_millis(1),
                changed: Seq(2),
                state: StateParts::Waiting,
            });
        }
        Item::from_parts(parts).expect("it adds up")
    }

    #[test]
    fn after_a_restart_a_projection_tells_what_it_told_before() {
        let items = [
            (3, vec!["ann", "bob", "ann", "cid", "ann"]),
            (1, vec!["dan"]),
            (2, vec!["bob", "ann", "dan", "bob", "eve"]),
            (4, vec![]),
        ];
        let (mut live, mut again) = (Projection::default(), Projection::default());
        for (no, names) in items {
            for (ordinal, name) in (0..).zip(&names) {
                live.add(name, place(no, ordinal));
            }
            again.add_item(&item(no, &names));
        }
        for projection in [&mut live, &mut again] {
            projection.add("ann", place(4, 0));
        }
        let told = ["ann", "bob", "cid", "dan", "eve", "fay"].map(|name| page(&live, name, None, 10).0);
        assert_eq!(told, ["ann", "bob", "cid", "dan", "eve", "fay"].map(|name| page(&again, name, None, 10).0));
        assert_eq!(told.each_ref().map(Vec::len), [5, 3, 1, 2, 1, 0]);
    }

    #[test]
    fn after_a_restart_with_many_on_several_items_everybody_has_what_they_had() {
        let name = |number: usize| format!("customer-{number}");
        let (count, both) = (10_000, 6_000);
        let mut projection = Projection::default();
        for (no, range) in [(1, 0..count), (2, count - both..2 * count - both)] {
            let names: Vec<String> = range.map(name).collect();
            let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
            names.push(names.first().copied().expect("there are some"));
            projection.add_item(&item(no, &names));
        }
        let of = |number| page(&projection, &name(number), None, 10).0;
        assert_eq!(of(0), [place(1, 0), place(1, count as u32)]);
        assert_eq!(of(count - both), [place(1, 4_000), place(2, 0), place(2, count as u32)]);
        for number in 1..2 * count - both {
            let (first, second) = (number < count, number >= count - both);
            let expected = usize::from(first) + usize::from(second) + usize::from(number == count - both);
            assert_eq!(of(number).len(), expected, "{number}");
        }
    }

    #[test]
    fn two_of_one_item_whose_hashes_agree_share_a_chain() {
        SAME_HASH.set(true);
        let mut projection = Projection::default();
        for (no, names) in [(1, ["ann", "bob", "ann"]), (2, ["bob", "cid", "cid"])] {
            projection.add_item(&item(no, &names));
        }
        projection.add("dan", place(3, 0));
        let all: Vec<_> =
            (1..3).flat_map(|no| (0..3).map(move |ordinal| place(no, ordinal))).chain([place(3, 0)]).collect();
        for name in ["ann", "bob", "cid", "dan"] {
            assert_eq!(page(&projection, name, None, 10), (all.clone(), false));
        }
        SAME_HASH.set(false);
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
