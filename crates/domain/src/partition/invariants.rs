//! What must hold after every event of a partition, and the full recount.

use super::{BundleState, Partition};
use crate::event::PartitionEvent;
use crate::ids::Ordinal;
use crate::item::InvariantBroken;

fn require(number: u8, holds: bool, what: impl FnOnce() -> String) -> Result<(), InvariantBroken> {
    if holds { Ok(()) } else { Err(InvariantBroken { number, what: what() }) }
}

impl Partition {
    /// The cheap checks after every event: counters, and the bundle that the event touched.
    pub(super) fn check_after(&self, event: &PartitionEvent) {
        let touched = match event {
            PartitionEvent::ItemRegistered { .. }
            | PartitionEvent::PartitionKeyed { .. }
            | PartitionEvent::PaymentUnmatched { .. }
            | PartitionEvent::Endpoint { .. }
            | PartitionEvent::ClockResumed { .. } => None,
            PartitionEvent::BundleHeld { bundle, .. }
            | PartitionEvent::BundleOrdered { bundle, .. }
            | PartitionEvent::BundleCancelled { bundle }
            | PartitionEvent::BundleExpired { bundle, .. }
            | PartitionEvent::Payment { bundle, .. } => Some(*bundle),
        };
        let checked = self.check_counters().and_then(|()| touched.map_or(Ok(()), |bundle| self.check_bundle(bundle)));
        if let Err(broken) = checked {
            panic!("{broken} (partition {}, sequence {})", self.no.0, self.seq);
        }
    }

    fn check_counters(&self) -> Result<(), InvariantBroken> {
        let (timers, holds, parked) = (self.timers.len(), self.holds as usize, self.books.parked_count());
        require(23, timers == holds + parked, || {
            format!("{timers} timers are armed for {holds} bundles held and {parked} parked payments")
        })?;
        self.books.ledger().check().or_else(|what| require(27, false, || what))
    }

    fn check_bundle(&self, ordinal: Ordinal) -> Result<(), InvariantBroken> {
        let Some(found) = self.bundle(ordinal) else {
            return require(11, false, || format!("bundle {ordinal:?} is absent"));
        };
        match &found.state {
            BundleState::Held(hold) => require(21, hold.release_at == found.release_for(hold), || {
                format!("{} is released at another instant", found.held.id)
            }),
            BundleState::Confirmed(_) => {
                let paid = self.books.captures_of(ordinal).filter(|known| known.record.paid_its_order());
                let right = paid.map(|known| known.record.capture.amount == found.amount).collect::<Vec<_>>();
                require(25, right == [true], || format!("{} is sold on {right:?}", found.held.id))
            }
            BundleState::Cancelled(_) | BundleState::Expired(_) => {
                let kept = self.books.kept_of(ordinal).is_some();
                require(26, !kept, || format!("{} ended without goods and its money is kept", found.held.id))
            }
        }
    }

    /// Counts everything anew and compares.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn recount(&self) -> Result<(), InvariantBroken> {
        self.check_counters()?;
        self.books.recount().or_else(|what| require(27, false, || what))?;
        let mut holds = 0_u32;
        for (ordinal, found) in self.all_bundles() {
            self.check_bundle(ordinal)?;
            holds += u32::from(found.hold().is_some());
            let sum = found.held.amount();
            require(25, sum == Some(found.amount), || format!("the lines of {} do not add up", found.held.id))?;
            let known = self.by_id.get(&found.held.id) == Some(&ordinal);
            require(8, known, || format!("{} is not found under its id", found.held.id))?;
        }
        require(23, holds == self.holds, || format!("{} bundles held counted, {holds} found", self.holds))?;
        let (known, listed) = (self.unmatched_reports.len(), self.unmatched.len());
        require(24, known == listed, || format!("{known} unmatched reports are known, {listed} listed"))
    }
}
