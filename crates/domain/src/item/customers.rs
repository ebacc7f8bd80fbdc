//! Customers of one item: what each has, exactly, and how often their holds expired in a row.

use super::Phase;
use crate::growth::{BlockList, SplitMap};
use crate::identity::ItemKey;
use crate::planted::{self, Bug};
use crate::policy::CoolOffPolicy;
use crate::text::CustomerId;
use crate::time::Timestamp;
use foldhash::quality::FixedState;

/// A customer's place in the item's list of customers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CustomerIx(pub(crate) u32);

/// What one customer has on this item.
#[derive(Clone, Debug)]
pub(crate) struct Customer {
    pub(crate) id: CustomerId,
    pub(crate) held: u32,
    pub(crate) waiting: u32,
    pub(crate) sold: u32,
    pub(crate) expiries_in_row: u8,
    pub(crate) cooling_until: Timestamp,
}

/// All customers who were ever accepted on this item.
#[derive(Clone, Debug)]
pub(crate) struct Customers {
    by_id: SplitMap<CustomerId, CustomerIx, FixedState>,
    list: BlockList<Customer>,
}

impl Customers {
    /// None yet. The table's hash is seeded by the item's secret: strangers choose the ids.
    pub(crate) fn new(key: &ItemKey) -> Self {
        Self { by_id: SplitMap::with_hasher(FixedState::with_seed(key.table_seed())), list: BlockList::new() }
    }

    pub(crate) fn find(&self, id: &CustomerId) -> Option<&Customer> {
        self.by_id.get(id).map(|&ix| self.get(ix))
    }

    pub(crate) fn get(&self, ix: CustomerIx) -> &Customer {
        self.list.get(ix.0 as usize).expect("a customer index is only made when the customer is entered")
    }

    pub(crate) fn get_mut(&mut self, ix: CustomerIx) -> &mut Customer {
        self.list.get_mut(ix.0 as usize).expect("a customer index is only made when the customer is entered")
    }

    /// The customer of this id, entered if new.
    pub(crate) fn enter(&mut self, id: &CustomerId) -> CustomerIx {
        if let Some(&ix) = self.by_id.get(id) {
            return ix;
        }
        // A customer is entered with a reservation, so there are never more than RESERVATIONS_PER_ITEM_MAX.
        let ix = CustomerIx(self.list.len() as u32);
        self.by_id.insert(id.clone(), ix);
        self.list.push(Customer {
            id: id.clone(),
            held: 0,
            waiting: 0,
            sold: 0,
            expiries_in_row: 0,
            cooling_until: Timestamp::default(),
        });
        ix
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Customer> {
        self.list.from(0)
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

    /// Notes an expiry; enough of them in a row start the cool-off, and the count begins anew.
    pub(crate) fn note_expiry(&mut self, at: Timestamp, policy: CoolOffPolicy) {
        self.expiries_in_row = self.expiries_in_row.saturating_add(1);
        if policy.after_expiries > 0 && self.expiries_in_row >= policy.after_expiries {
            self.expiries_in_row = 0;
            self.cooling_until = at.plus(policy.lasts);
        }
    }
}
