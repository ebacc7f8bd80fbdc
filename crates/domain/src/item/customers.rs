//! Customers of one item: what each has, exactly, and how often their holds expired in a row.

use super::Phase;
use crate::growth::{BlockList, SplitIndex, TextAt, Texts};
use crate::identity::ItemKey;
use crate::limits::QUANTITY_MAX;
use crate::planted::{self, Bug};
use crate::policy::CoolOffPolicy;
use crate::text::CustomerId;
use crate::time::Timestamp;
use crate::units::Quantity;
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
    pub(crate) held: CustomerUnits,
    pub(crate) waiting: CustomerUnits,
    pub(crate) sold: CustomerUnits,
}

// With ten million of them, eight bytes more are eighty megabytes.
const _: () = assert!(size_of::<Customer>() == 12);

/// Units of one customer, in one of their states. No limit on a customer is above [`QUANTITY_MAX`], which fits easily.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CustomerUnits(u16);

const _: () = assert!(QUANTITY_MAX <= u16::MAX as u32);

impl CustomerUnits {
    /// How many.
    pub(crate) const fn get(self) -> u32 {
        self.0 as u32
    }

    /// So many more, if that can be.
    pub(crate) fn plus(self, quantity: Quantity) -> Option<Self> {
        u16::try_from(quantity.get()).ok().and_then(|more| self.0.checked_add(more)).map(Self)
    }

    pub(crate) fn add(&mut self, quantity: Quantity) {
        *self = self.plus(quantity).expect("invariant 3: a customer's count of units overflows");
    }

    pub(crate) fn sub(&mut self, quantity: Quantity) {
        let left = self.get().checked_sub(quantity.get()).and_then(|left| u16::try_from(left).ok());
        *self = Self(left.expect("invariant 3: a customer's count of units falls below zero"));
    }
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
        Self {
            hasher: FixedState::with_seed(key.table_seed()),
            by_id: SplitIndex::new(),
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
        let ix = self.append(id);
        let (list, ids, hasher) = (&self.list, &self.ids, &self.hasher);
        self.by_id.insert(hash, ix, |ix| {
            let entered = list.get(ix.0 as usize).expect("all that is in the index is in the list");
            hasher.hash_one(ids.get(entered.id))
        });
        ix
    }

    /// Puts a customer at the end of the list. They are found when they are indexed too.
    pub(crate) fn append(&mut self, id: &CustomerId) -> CustomerIx {
        // A customer is entered with a reservation, so there are never more than RESERVATIONS_PER_ITEM_MAX.
        let ix = CustomerIx(self.list.len() as u32);
        let id = self.ids.push(id.as_str());
        let none = CustomerUnits::default();
        self.list.push(Customer { id, expiries_in_row: 0, held: none, waiting: none, sold: none });
        ix
    }

    /// Indexes all who have been appended, and none before. `Err` where one appears twice.
    pub(crate) fn index(&mut self) -> Result<(), ()> {
        let mut by_id = SplitIndex::new();
        let hash_of = |ix: &CustomerIx| self.hasher.hash_one(self.name(*ix));
        let hashed = (0..self.len() as u32).map(CustomerIx).map(|ix| (hash_of(&ix), ix));
        let same = |a: &CustomerIx, b: &CustomerIx| self.name(*a) == self.name(*b);
        by_id.add_all((self.len(), hashed), hash_of, same, |_, _| Err(()))?;
        self.by_id = by_id;
        Ok(())
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
        let waiting = if phase == Phase::Closed { 0 } else { self.waiting.get() };
        let sold = if planted::is(Bug::LimitForgetsSold) { 0 } else { self.sold.get() };
        self.held.get() + sold + waiting
    }
}
