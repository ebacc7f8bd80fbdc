//! Which reservations of an item are parts of bundles.

use crate::identity::BundleId;
use crate::ids::Ordinal;
use std::collections::BTreeMap;

/// Every part there ever was, both ways: a bundle has at most one part in an item.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bundled {
    by_reservation: BTreeMap<Ordinal, BundleId>,
    by_bundle: BTreeMap<BundleId, Ordinal>,
}

impl Bundled {
    pub(crate) fn bundle_of(&self, reservation: Ordinal) -> Option<BundleId> {
        self.by_reservation.get(&reservation).copied()
    }

    pub(crate) fn part_of(&self, bundle: BundleId) -> Option<Ordinal> {
        self.by_bundle.get(&bundle).copied()
    }

    pub(crate) fn note(&mut self, reservation: Ordinal, bundle: BundleId) {
        self.by_reservation.insert(reservation, bundle);
        let before = self.by_bundle.insert(bundle, reservation);
        assert!(before.is_none(), "invariant 8: bundle {bundle} has two parts in one item");
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Ordinal, BundleId)> {
        self.by_reservation.iter().map(|(&reservation, &bundle)| (reservation, bundle))
    }
}
