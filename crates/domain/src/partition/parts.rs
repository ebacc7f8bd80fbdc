//! A partition laid open for a snapshot, and put together again from one. Only facts are laid open; every index is
//! built anew from them and recounted.

use super::bundle::{Bundle, BundleEnded, BundleHold, BundleSale, BundleState};
use super::{BundleAnswered, Partition};
use crate::bundle::NewBundle;
use crate::endpoint::Endpoints;
use crate::idempotency::{Entry, Fingerprint, IdempotencyTable};
use crate::identity::ItemKey;
use crate::ids::{CaptureNo, ItemNo, Ordinal, PartitionNo, Seq};
use crate::item::InvariantBroken;
use crate::limits::BUNDLES_PER_PARTITION_MAX;
use crate::money::Money;
use crate::payment::{Books, BooksParts, MoneyPlace};
use crate::text::Sku;
use crate::time::Timestamp;
use crate::views::UnmatchedPayment;
use crate::wheel::{TimerKey, TimerWheel};

/// All facts of one partition, besides its items.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of Partition, explained there")]
pub struct PartitionParts {
    pub no: PartitionNo,
    pub seq: Seq,
    pub now: Timestamp,
    pub items: Vec<(Sku, ItemNo)>,
    pub key: Option<ItemKey>,
    pub bundles: Vec<BundleParts>,
    pub books: BooksParts,
    pub idempotency: Vec<PartitionIdempotencyParts>,
    pub unmatched: Vec<UnmatchedPayment>,
    pub endpoints: Endpoints,
}

/// One bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of a bundle's record, explained there")]
pub struct BundleParts {
    pub held: NewBundle,
    pub amount: Money,
    pub accepted_at: Timestamp,
    pub changed: Seq,
    pub state: BundleStateParts,
}

/// A bundle's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are those of a bundle's state, explained there")]
pub enum BundleStateParts {
    Held { deadline: Timestamp, ordered_at: Option<Timestamp> },
    Confirmed { ordered_at: Timestamp, returned: bool },
    Cancelled { ordered_at: Option<Timestamp> },
    Expired { ordered_at: Option<Timestamp> },
}

/// One remembered acceptance.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the idempotency table, explained there")]
pub struct PartitionIdempotencyParts {
    pub request: Fingerprint,
    pub entry: Entry<BundleAnswered>,
}

fn broken(what: &str) -> InvariantBroken {
    InvariantBroken { number: 2, what: format!("the snapshot contradicts itself: {what}") }
}

impl Partition {
    /// All facts of this partition, in an order that depends on nothing but its events.
    #[must_use]
    pub fn to_parts(&self) -> PartitionParts {
        let idempotency = self.idempotency.iter();
        PartitionParts {
            no: self.no,
            seq: self.seq,
            now: self.now,
            items: self.items.iter().map(|(sku, &no)| (sku.clone(), no)).collect(),
            key: self.key,
            bundles: self.bundles.iter().map(bundle_parts).collect(),
            books: self.books.to_parts(),
            idempotency: idempotency
                .map(|(request, entry)| PartitionIdempotencyParts { request, entry: entry.clone() })
                .collect(),
            unmatched: self.unmatched.clone(),
            endpoints: self.endpoints.clone(),
        }
    }

    /// The partition with these facts.
    ///
    /// # Errors
    /// [`InvariantBroken`] where they contradict each other.
    pub fn from_parts(parts: PartitionParts) -> Result<Self, InvariantBroken> {
        let mut partition = Self::new(parts.no);
        let listed = parts.items.len();
        partition.seq = parts.seq;
        partition.now = parts.now;
        partition.timers = TimerWheel::new(parts.now);
        partition.items = parts.items.into_iter().collect();
        partition.key = parts.key;
        if partition.items.len() != listed {
            return Err(broken("an item is registered twice"));
        }
        if parts.key.is_none() && !parts.bundles.is_empty() {
            return Err(broken("bundles without a secret"));
        }
        if parts.bundles.len() > BUNDLES_PER_PARTITION_MAX as usize {
            return Err(broken("more bundles than a partition can take"));
        }
        for bundle in parts.bundles {
            partition.restore_bundle(bundle)?;
        }
        partition.restore_books(parts.books)?;
        for unmatched in &parts.unmatched {
            partition.unmatched_reports.insert((unmatched.report.provider, unmatched.report.report.clone()));
        }
        partition.unmatched = parts.unmatched;
        partition.endpoints = parts.endpoints;
        let entries = parts.idempotency.into_iter().map(|parts| (parts.request, parts.entry));
        partition.idempotency = IdempotencyTable::from_entries(entries).ok_or_else(|| broken("a key appears twice"))?;
        partition.recount()?;
        Ok(partition)
    }

    fn restore_bundle(&mut self, parts: BundleParts) -> Result<(), InvariantBroken> {
        let ordinal = Ordinal(self.bundle_count());
        let state = match parts.state {
            BundleStateParts::Held { deadline, ordered_at } => {
                let grace = parts.held.terms.grace;
                let release_at = if ordered_at.is_some() { deadline.plus(grace) } else { deadline };
                self.holds += 1;
                let timer = self.timers.arm(release_at, TimerKey(ordinal.0));
                BundleState::Held(BundleHold { deadline, release_at, ordered_at, timer })
            }
            BundleStateParts::Confirmed { ordered_at, returned } => {
                BundleState::Confirmed(BundleSale { ordered_at, returned })
            }
            BundleStateParts::Cancelled { ordered_at } => BundleState::Cancelled(BundleEnded { ordered_at }),
            BundleStateParts::Expired { ordered_at } => BundleState::Expired(BundleEnded { ordered_at }),
        };
        if self.by_id.insert(parts.held.id, ordinal).is_some() {
            return Err(broken("a bundle appears twice"));
        }
        let BundleParts { held, amount, accepted_at, changed, state: _ } = parts;
        self.bundles.push(Bundle { held: Box::new(held), amount, accepted_at, changed, state });
        Ok(())
    }

    /// The books, with a timer for every window, and what they say of bundles that are over.
    fn restore_books(&mut self, books: BooksParts) -> Result<(), InvariantBroken> {
        let parked = |place: &MoneyPlace| match place {
            MoneyPlace::Parked { until } => Some(*until),
            MoneyPlace::Kept | MoneyPlace::Due { .. } | MoneyPlace::Refunded { .. } => None,
        };
        let windows: Vec<_> = (0..)
            .map(CaptureNo)
            .zip(&books.captures)
            .filter_map(|(no, record)| Some((no, record.owner, parked(&record.place)?)))
            .collect();
        if books.captures.iter().any(|record| self.bundle(record.owner).is_none()) {
            return Err(broken("money without its bundle"));
        }
        self.books = Books::from_parts(books).map_err(|what| broken(&what))?;
        for (no, owner, until) in windows {
            self.arm_window(no, until);
            if self.bundle(owner).is_some_and(|found| found.ended().is_some()) {
                self.books.forsake(owner);
            }
        }
        Ok(())
    }
}

fn bundle_parts(bundle: &Bundle) -> BundleParts {
    let state = match bundle.state {
        BundleState::Held(hold) => BundleStateParts::Held { deadline: hold.deadline, ordered_at: hold.ordered_at },
        BundleState::Confirmed(sale) => {
            BundleStateParts::Confirmed { ordered_at: sale.ordered_at, returned: sale.returned }
        }
        BundleState::Cancelled(ended) => BundleStateParts::Cancelled { ordered_at: ended.ordered_at },
        BundleState::Expired(ended) => BundleStateParts::Expired { ordered_at: ended.ordered_at },
    };
    BundleParts {
        held: (*bundle.held).clone(),
        amount: bundle.amount,
        accepted_at: bundle.accepted_at,
        changed: bundle.changed,
        state,
    }
}
