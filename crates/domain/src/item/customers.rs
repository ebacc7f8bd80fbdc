//! Customers of one item: what each has, exactly, and how often their holds expired in a row.

use super::Phase;
use crate::growth::{BlockList, SplitIndex, TextAt, Texts};
use crate::identity::ItemKey;
use crate::planted::{self, Bug};
use crate::policy::CoolOffPolicy;
use crate::text::CustomerId;
use crate::time::Timestamp;
use foldhash::quality::FixedState;
use std::collections::BTreeMap;
use std::hash::BuildHasher;

/// A customer's place in the item's list of customers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CustomerIx(pub(crate) u32);

/// What one customer has on this item.
#[derive(Clone, Debug)]
pub(crate) struct Customer {
    id: TextAt,
    pub(crate) expiries_in_row: u8,
    pub(crate) held: u32,
    pub(crate) waiting: u32,
    pub(crate) sold: u32,
}

/// All customers who were ever accepted on this item. Their ids are kept once, here.
#[derive(Clone, Debug)]
pub(crate) struct Customers {
    /// Seeded by the item's secret: strangers choose the ids.
    hasher: FixedState,
    by_id: SplitIndex<CustomerIx>,
    list: BlockList<Customer>,
    ids: Texts,
    /// Until when those are kept off who let too many holds expire in a row: few.
    cooling: BTreeMap<CustomerIx, Timestamp>,
}

impl Customers {
    /// None yet.
    pub(crate) fn new(key: &ItemKey) -> Self {
        Self::with_room_for(0, key)
    }

    /// None yet, and so many to come.
    pub(crate) fn with_room_for(count: usize, key: &ItemKey) -> Self {
        let mut by_id = SplitIndex::new();
        by_id.make_room(count, |_| 0);
        Self {
            hasher: FixedState::with_seed(key.table_seed()),
            by_id,
            list: BlockList::new(),
            ids: Texts::default(),
            cooling: BTreeMap::new(),
        }
    }

    pub(crate) fn find(&self, id: &CustomerId) -> Option<CustomerIx> {
        self.find_hashed(self.hasher.hash_one(id.as_str()), id)
    }

    pub(crate) fn get(&self, ix: CustomerIx) -> &Customer {
        self.list.get(ix.0 as usize).expect("a customer index is only made when the customer is entered")
    }

    pub(crate) fn get_mut(&mut self, ix: CustomerIx) -> &mut Customer {
        self.list.get_mut(ix.0 as usize).expect("a customer index is only made when the customer is entered")
    }

    /// All ids in the order in which they came, from the nth on.
    pub(crate) fn names_from(&self, nth: usize) -> impl Iterator<Item = &str> {
        (nth..self.len()).map(|nth| self.name(CustomerIx(nth as u32)))
    }

    /// The id as it is kept.
    pub(crate) fn name(&self, ix: CustomerIx) -> &str {
        self.ids.get(self.get(ix).id)
    }

    pub(crate) fn id(&self, ix: CustomerIx) -> CustomerId {
        CustomerId::known(self.name(ix))
    }

    /// Whether this id is that customer's.
    pub(crate) fn is(&self, ix: CustomerIx, id: &CustomerId) -> bool {
        self.name(ix) == id.as_str()
    }

    /// The customer of this id, entered if new.
    pub(crate) fn enter(&mut self, id: &CustomerId) -> CustomerIx {
        let hash = self.hasher.hash_one(id.as_str());
        if let Some(ix) = self.find_hashed(hash, id) {
            return ix;
        }
        // A customer is entered with a reservation, so there are never more than RESERVATIONS_PER_ITEM_MAX.
        let ix = CustomerIx(self.list.len() as u32);
        let id_at = self.ids.push(id.as_str());
        self.list.push(Customer { id: id_at, expiries_in_row: 0, held: 0, waiting: 0, sold: 0 });
        let (list, ids, hasher) = (&self.list, &self.ids, &self.hasher);
        self.by_id.insert(hash, ix, |ix| {
            let entered = list.get(ix.0 as usize).expect("all that is in the index is in the list");
            hasher.hash_one(ids.get(entered.id))
        });
        ix
    }

    /// Until when this customer is kept off; an instant long past for nearly all.
    pub(crate) fn cooling_until(&self, ix: CustomerIx) -> Timestamp {
        self.cooling.get(&ix).copied().unwrap_or_default()
    }

    pub(crate) fn cool_off(&mut self, ix: CustomerIx, until: Timestamp) {
        self.cooling.insert(ix, until);
    }

    /// Notes an expiry; enough of them in a row start the cool-off, and the count begins anew.
    pub(crate) fn note_expiry(&mut self, ix: CustomerIx, at: Timestamp, policy: CoolOffPolicy) {
        let customer = self.get_mut(ix);
        customer.expiries_in_row = customer.expiries_in_row.saturating_add(1);
        if policy.after_expiries > 0 && customer.expiries_in_row >= policy.after_expiries {
            customer.expiries_in_row = 0;
            self.cool_off(ix, at.plus(policy.lasts));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// All of them, in the order in which they came.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (CustomerIx, &Customer)> + Clone {
        self.list.iter().enumerate().map(|(nth, customer)| (CustomerIx(nth as u32), customer))
    }

    fn find_hashed(&self, hash: u64, id: &CustomerId) -> Option<CustomerIx> {
        self.by_id.find(hash, |&ix| self.is(ix, id)).copied()
    }
}

impl Customer {
    /// Units that count towards the limit. Whoever waited when the sale closed has lapsed.
    pub(crate) fn counted(&self, phase: Phase) -> u32 {
        // Each is bounded by the limits on quantity and reservations; the sum of three cannot pass 2^32.
        let waiting = if phase == Phase::Closed { 0 } else { self.waiting };
        let sold = if planted::is(Bug::LimitForgetsSold) { 0 } else { self.sold };
        self.held.saturating_add(sold).saturating_add(waiting)
    }
}
