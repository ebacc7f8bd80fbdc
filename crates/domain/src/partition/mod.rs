//! A partition's own stream, number 0: which sku has which item number, the bundles that live here with their money,
//! and reports of orders that were never issued.
//!
//! Like an item it changes only through [`Partition::apply`]; a turn ([`PartitionTurn`]) takes commands and
//! [`decide::decide`] says what they lead to. Which bundles are being collected at the moment is no fact of the stream
//! but kept beside it: a crash forgets it, and forgetting means that the bundle never was (presumed abort).

mod apply;
mod bundle;
mod command;
pub mod decide;
mod invariants;
mod parts;
pub mod redecide;
mod register;
mod turn;
mod view;

pub(crate) use bundle::{Bundle, BundleState};
pub use command::{BundleClaim, PartitionCommand, PartitionQuery, PartitionRequest};
pub use parts::{BundleParts, BundleStateParts, PartitionIdempotencyParts, PartitionParts};
pub use register::{RegisterRefusal, Registration};
pub use turn::{PartitionTurn, PartitionTurnEnd};
pub use view::BundleAnswered;

use crate::endpoint::Endpoints;
use crate::event::PartDecision;
use crate::idempotency::IdempotencyTable;
use crate::identity::{BundleId, ItemKey, RefundId};
use crate::ids::{CaptureNo, ItemNo, Ordinal, PartitionNo, Seq};
use crate::money::Currency;
use crate::payment::{Books, Provider, Sums};
use crate::text::{ProviderEventId, Sku};
use crate::time::Timestamp;
use crate::views::UnmatchedPayment;
use crate::wheel::TimerWheel;
use std::collections::{BTreeMap, BTreeSet};

/// The partition that a sku belongs to: the first 8 bytes of its BLAKE3 hash, little-endian, modulo the count.
#[must_use]
pub fn partition_of(sku: &Sku, partition_count: u16) -> PartitionNo {
    if partition_count <= 1 {
        // Asked at every request: nothing to hash where there is nothing to choose.
        return PartitionNo(0);
    }
    of_hash(&blake3::hash(sku.as_str().as_bytes()), partition_count)
}

pub(crate) fn of_hash(hash: &blake3::Hash, partition_count: u16) -> PartitionNo {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(hash.as_bytes()) {
        *to = *from;
    }
    let number = u64::from_le_bytes(first) % u64::from(partition_count.clamp(1, 256));
    // At most 255, by the modulo.
    PartitionNo(number as u8)
}

/// What a partition knows besides its items.
#[derive(Clone, Debug)]
pub struct Partition {
    no: PartitionNo,
    seq: Seq,
    now: Timestamp,
    items: BTreeMap<Sku, ItemNo>,
    key: Option<ItemKey>,
    bundles: Vec<Bundle>,
    by_id: BTreeMap<BundleId, Ordinal>,
    holds: u32,
    timers: TimerWheel,
    books: Books,
    idempotency: IdempotencyTable<BundleAnswered>,
    endpoints: Endpoints,
    unmatched: Vec<UnmatchedPayment>,
    unmatched_reports: BTreeSet<(Provider, ProviderEventId)>,
    /// Bundles whose coordinators are at work. Not a fact of the stream: see the module.
    collecting: BTreeSet<BundleId>,
}

/// What an item is told that asks what to do with a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing is decided: wait.
    Undecided,
    /// This.
    Decided(PartDecision),
}

impl Fate {
    /// What a part is told, in this order: told again it changes nothing, so a part that has heard the first already
    /// goes on to the second.
    #[must_use]
    pub const fn steps(self) -> &'static [PartDecision] {
        match self {
            Self::Undecided => &[],
            Self::Decided(PartDecision::Sold) => &[PartDecision::Sold],
            Self::Decided(PartDecision::Expired) => &[PartDecision::Expired],
            Self::Decided(PartDecision::Cancelled) => &[PartDecision::Cancelled],
            Self::Decided(PartDecision::Abandoned) => &[PartDecision::Abandoned],
            Self::Decided(PartDecision::Returned) => &[PartDecision::Sold, PartDecision::Returned],
        }
    }
}

impl Partition {
    /// A partition without items.
    #[must_use]
    pub fn new(no: PartitionNo) -> Self {
        let now = Timestamp::from_millis(0);
        Self {
            no,
            seq: Seq(0),
            now,
            items: BTreeMap::new(),
            key: None,
            bundles: Vec::new(),
            by_id: BTreeMap::new(),
            holds: 0,
            timers: TimerWheel::new(now),
            books: Books::default(),
            idempotency: IdempotencyTable::default(),
            endpoints: Endpoints::default(),
            unmatched: Vec::new(),
            unmatched_reports: BTreeSet::new(),
            collecting: BTreeSet::new(),
        }
    }

    /// Its number.
    #[must_use]
    pub const fn no(&self) -> PartitionNo {
        self.no
    }

    /// Its stream's number among those of items.
    #[must_use]
    pub const fn stream(&self) -> ItemNo {
        ItemNo::partition_stream(self.no)
    }

    /// The last event of its stream.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.seq
    }

    /// Logged time of its stream.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Its secret, once it was needed.
    #[must_use]
    pub const fn key(&self) -> Option<&ItemKey> {
        self.key.as_ref()
    }

    /// The item of this name.
    #[must_use]
    pub fn find(&self, sku: &Sku) -> Option<ItemNo> {
        self.items.get(sku).copied()
    }

    /// Every item, by name.
    pub fn items(&self) -> impl ExactSizeIterator<Item = (&Sku, ItemNo)> {
        self.items.iter().map(|(sku, &no)| (sku, no))
    }

    /// How many bundles were ever held: the next one's number.
    #[must_use]
    pub fn bundle_count(&self) -> u32 {
        // Bounded by BUNDLES_PER_PARTITION_MAX, far below 2^32.
        self.bundles.len() as u32
    }

    /// Sums of money by where it is, for every currency that ever came.
    pub fn money(&self) -> impl Iterator<Item = (Currency, Sums)> {
        self.books.ledger().iter()
    }

    /// How many timers are armed (invariant 23).
    #[must_use]
    pub const fn timers_armed(&self) -> usize {
        self.timers.len()
    }

    /// The next instant at which time itself will change something. It may be early, never late.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.timers.next_wake()
    }

    /// A coordinator sets to work: until it gives up or its bundle is held, parts of this bundle wait.
    pub fn begin_collecting(&mut self, bundle: BundleId) {
        self.collecting.insert(bundle);
    }

    /// A coordinator has given up. From here on its bundle is refused.
    pub fn give_up(&mut self, bundle: BundleId) {
        self.collecting.remove(&bundle);
    }

    /// How many bundles are being collected.
    #[must_use]
    pub fn collecting_count(&self) -> usize {
        self.collecting.len()
    }

    /// What a part of this bundle has to do. No record and nobody at work means that the bundle never was.
    #[must_use]
    pub fn fate_of(&self, bundle: BundleId) -> Fate {
        let Some((_, found)) = self.find_bundle(bundle) else {
            let collecting = self.collecting.contains(&bundle);
            return if collecting { Fate::Undecided } else { Fate::Decided(PartDecision::Abandoned) };
        };
        match &found.state {
            BundleState::Held(_) => Fate::Undecided,
            BundleState::Confirmed(sale) if sale.returned => Fate::Decided(PartDecision::Returned),
            BundleState::Confirmed(_) => Fate::Decided(PartDecision::Sold),
            BundleState::Cancelled(_) => Fate::Decided(PartDecision::Cancelled),
            BundleState::Expired(_) => Fate::Decided(PartDecision::Expired),
        }
    }

    /// The parts of a bundle: their items.
    #[must_use]
    pub fn items_of(&self, bundle: Ordinal) -> Vec<ItemNo> {
        let lines = self.bundle(bundle).map(|found| found.held.lines.as_slice()).unwrap_or_default();
        lines.iter().map(|line| line.reservation.item()).collect()
    }

    /// The id of the bundle of this number.
    #[must_use]
    pub fn id_of(&self, bundle: Ordinal) -> Option<BundleId> {
        self.bundle(bundle).map(|found| found.held.id)
    }

    /// The id of a capture's refund. Before there is a secret there is no capture.
    pub(crate) fn refund_id(&self, capture: CaptureNo) -> Option<RefundId> {
        Some(RefundId::new(self.stream(), capture.0, self.key.as_ref()?))
    }

    pub(crate) fn bundle(&self, ordinal: Ordinal) -> Option<&Bundle> {
        self.bundles.get(ordinal.0 as usize)
    }

    pub(crate) fn find_bundle(&self, id: BundleId) -> Option<(Ordinal, &Bundle)> {
        let ordinal = *self.by_id.get(&id)?;
        Some((ordinal, self.bundle(ordinal)?))
    }

    pub(crate) fn all_bundles(&self) -> impl Iterator<Item = (Ordinal, &Bundle)> {
        (0..).map(Ordinal).zip(&self.bundles)
    }

    pub(crate) fn is_collecting(&self, bundle: BundleId) -> bool {
        self.collecting.contains(&bundle)
    }

    pub(crate) fn knows_unmatched(&self, provider: Provider, report: &ProviderEventId) -> bool {
        self.unmatched_reports.contains(&(provider, report.clone()))
    }

    /// Its outgoing endpoints.
    #[must_use]
    pub const fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    pub(crate) const fn unmatched(&self) -> &Vec<UnmatchedPayment> {
        &self.unmatched
    }

    pub(crate) const fn books(&self) -> &Books {
        &self.books
    }

    pub(crate) const fn timers(&self) -> &TimerWheel {
        &self.timers
    }

    /// Lets the timer wheel find what is due at `now`, as an item does.
    pub(crate) fn advance_timers(&mut self, now: Timestamp) {
        self.timers.advance(now, crate::limits::TIMER_MOVES_AT_ONCE);
    }

    pub(crate) const fn idempotency(&self) -> &IdempotencyTable<BundleAnswered> {
        &self.idempotency
    }
}
