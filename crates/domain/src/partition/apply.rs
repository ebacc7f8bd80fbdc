//! `apply`: the only way a partition changes. An event that breaks an invariant panics, and the partition stops.

use super::bundle::{BundleChange, BundleHold, BundleState};
use super::{Bundle, Partition};
use crate::bundle::NewBundle;
use crate::event::{PartitionEvent, Recorded};
use crate::idempotency::Entry;
use crate::identity::OrderId;
use crate::ids::{CaptureNo, ItemNo, Ordinal};
use crate::item::PARKED_TIMER;
use crate::limits::BUNDLE_LINES_MAX;
use crate::money::Money;
use crate::payment::{Capture, PaymentEvent, PaymentReport};
use crate::text::Sku;
use crate::time::Timestamp;
use crate::units::Units;
use crate::views::UnmatchedPayment;
use crate::wheel::TimerKey;

impl Partition {
    /// Applies the next event of the partition's stream.
    ///
    /// # Panics
    /// If the event breaks an invariant: the log is wrong, and the partition must stop.
    pub fn apply(&mut self, recorded: &Recorded<PartitionEvent>) {
        assert_eq!(recorded.seq, self.seq.next(), "invariant 34: partition {} misses an event", self.no.0);
        assert!(recorded.at >= self.now, "invariant 20: logged time of partition {} runs backwards", self.no.0);
        self.seq = recorded.seq;
        self.now = recorded.at;
        self.change(&recorded.event);
        if let Some(idempotency) = recorded.idempotency
            && let Some(acceptance) = self.acceptance(recorded)
        {
            self.idempotency.insert(idempotency.request, Entry { content: idempotency.content, acceptance });
        }
        self.check_after(&recorded.event);
    }

    fn change(&mut self, event: &PartitionEvent) {
        match event {
            PartitionEvent::ItemRegistered { item, sku } => self.enter_item(*item, sku),
            PartitionEvent::PartitionKeyed { key } => {
                let before = self.key.replace(*key);
                assert!(before.is_none(), "invariant 34: partition {} is given two secrets", self.no.0);
            }
            PartitionEvent::BundleHeld { bundle, held, amount, deadline } => {
                self.hold_bundle(*bundle, held, *amount, *deadline);
            }
            PartitionEvent::BundleOrdered { bundle, amount, release_at, amount_named: _ } => {
                self.order_bundle(*bundle, *amount, *release_at);
            }
            PartitionEvent::BundleCancelled { bundle } => self.end_bundle(*bundle, BundleChange::Cancel),
            PartitionEvent::BundleExpired { bundle, release_at } => self.expire_bundle(*bundle, *release_at),
            PartitionEvent::Payment { bundle, event } => self.pay_bundle(*bundle, event),
            PartitionEvent::PaymentUnmatched { order, report } => self.note_unmatched(*order, report),
            PartitionEvent::Endpoint { endpoint, event } => self.endpoints.apply(*endpoint, event, self.now),
            PartitionEvent::ClockResumed { from: _, to: _, release_floor } => self.lift_releases(*release_floor),
        }
    }

    fn enter_item(&mut self, item: ItemNo, sku: &Sku) {
        let expected = ItemNo::new(self.no, self.items.len() as u32 + 1);
        assert_eq!(Some(item), expected, "invariant 34: item numbers of partition {} have a gap", self.no.0);
        let known = self.items.insert(sku.clone(), item);
        assert!(known.is_none(), "invariant 43: sku {sku} is registered twice");
    }

    fn hold_bundle(&mut self, ordinal: Ordinal, held: &NewBundle, amount: Money, deadline: Timestamp) {
        assert!(self.key.is_some(), "invariant 34: partition {} holds a bundle without a secret", self.no.0);
        assert_eq!(ordinal.0, self.bundle_count(), "invariant 11: partition {} skips a bundle", self.no.0);
        assert!((1..=BUNDLE_LINES_MAX).contains(&held.lines.len()), "invariant 11: {} has no lines", held.id);
        assert_eq!(held.amount(), Some(amount), "invariant 25: the lines of {} do not add up", held.id);
        let expected = self.now.plus(held.terms.hold_time);
        assert_eq!(deadline, expected, "invariant 21: {} is held until another instant", held.id);
        let known = self.by_id.insert(held.id, ordinal);
        assert!(known.is_none(), "invariant 8: {} is held twice", held.id);
        // What is held is not collected any more.
        self.collecting.remove(&held.id);
        let timer = self.timers.arm(deadline, TimerKey(ordinal.0));
        let hold = BundleHold { deadline, release_at: deadline, ordered_at: None, timer };
        self.holds += 1;
        self.bundles.push(Bundle {
            held: Box::new(held.clone()),
            amount,
            accepted_at: self.now,
            changed: self.seq,
            state: BundleState::Held(hold),
        });
    }

    fn order_bundle(&mut self, ordinal: Ordinal, amount: Money, release_at: Timestamp) {
        let now = self.now;
        assert_eq!(self.entry(ordinal).amount, amount, "invariant 25: {ordinal:?} is ordered for another price");
        let hold = self.hold_of(ordinal);
        assert!(hold.ordered_at.is_none(), "invariant 8: {ordinal:?} is ordered twice");
        hold.ordered_at = Some(now);
        let deadline = hold.deadline;
        self.set_bundle_deadline(ordinal, deadline);
        let actual = self.hold_of(ordinal).release_at;
        assert_eq!(actual, release_at, "invariant 21: the grace of {ordinal:?} does not add up");
    }

    fn set_bundle_deadline(&mut self, ordinal: Ordinal, deadline: Timestamp) {
        let grace = self.entry(ordinal).held.terms.grace;
        let hold = self.hold_of(ordinal);
        hold.deadline = deadline;
        let release_at = if hold.ordered_at.is_some() { deadline.plus(grace) } else { deadline };
        hold.release_at = release_at;
        let before = hold.timer;
        self.timers.cancel(before);
        let timer = self.timers.arm(release_at, TimerKey(ordinal.0));
        self.hold_of(ordinal).timer = timer;
        self.entry(ordinal).changed = self.seq;
    }

    fn expire_bundle(&mut self, ordinal: Ordinal, release_at: Timestamp) {
        assert!(self.now >= release_at, "invariant 18: {ordinal:?} expires early");
        let due = self.hold_of(ordinal).release_at;
        assert_eq!(due, release_at, "invariant 21: {ordinal:?} expires at another instant than its own");
        self.end_bundle(ordinal, BundleChange::Expire);
    }

    fn end_bundle(&mut self, ordinal: Ordinal, change: BundleChange) {
        let timer = self.hold_of(ordinal).timer;
        self.timers.cancel(timer);
        self.holds = self.holds.checked_sub(1).expect("invariant 3: a count of bundles falls below zero");
        self.books.forsake(ordinal);
        self.step(ordinal, change);
    }

    fn pay_bundle(&mut self, ordinal: Ordinal, event: &PaymentEvent) {
        match event {
            PaymentEvent::Captured { capture, .. } => {
                self.claim_parked(capture);
                self.confirm_bundle(ordinal, capture.amount);
            }
            PaymentEvent::LateHonoured { .. } => panic!("invariant 8: {ordinal:?}, a bundle, is granted anew"),
            PaymentEvent::RefundDue { capture, .. } => self.claim_parked(capture),
            PaymentEvent::Unclaimed { capture, .. } => {
                if let Some(timer) = self.books.take_timer_of(*capture) {
                    self.timers.cancel(timer);
                }
            }
            PaymentEvent::OrderRefunded { capture, released, by: _ } => {
                let owner = self.books.record(*capture).owner;
                assert_eq!(owner, ordinal, "invariant 26: {capture:?} is refunded for another order");
                self.refund_bundle(ordinal, *released);
            }
            PaymentEvent::Offered { .. }
            | PaymentEvent::Failed { .. }
            | PaymentEvent::Parked { .. }
            | PaymentEvent::Noted { .. }
            | PaymentEvent::Disputed { .. }
            | PaymentEvent::RefundReported { .. }
            | PaymentEvent::RefundSettled { .. } => {}
        }
        self.books.apply(ordinal, event, self.now);
        if let PaymentEvent::Parked { capture: _, until } = event {
            self.arm_window(CaptureNo(self.books.capture_count() - 1), *until);
        }
        let seq = self.seq;
        self.entry(ordinal).changed = seq;
    }

    pub(super) fn arm_window(&mut self, no: CaptureNo, until: Timestamp) {
        let timer = self.timers.arm(until, TimerKey(PARKED_TIMER | no.0));
        self.books.set_timer(no, timer);
    }

    /// If this money was parked, its window is over.
    fn claim_parked(&mut self, capture: &Capture) {
        if let Some(timer) = self.books.take_timer(capture) {
            self.timers.cancel(timer);
        }
    }

    fn confirm_bundle(&mut self, ordinal: Ordinal, amount: Money) {
        let now = self.now;
        assert_eq!(self.entry(ordinal).amount, amount, "invariant 25: {ordinal:?} is sold for another price");
        let hold = *self.hold_of(ordinal);
        assert!(hold.ordered_at.is_some(), "invariant 8: {ordinal:?} is paid without an order");
        assert!(now < hold.release_at, "invariant 25: {ordinal:?} is paid after its time");
        self.timers.cancel(hold.timer);
        self.holds = self.holds.checked_sub(1).expect("invariant 3: a count of bundles falls below zero");
        self.step(ordinal, BundleChange::Confirm);
    }

    /// A refund of sold units: they return to stock, or stay sold.
    fn refund_bundle(&mut self, ordinal: Ordinal, released: Units) {
        let entry = self.entry(ordinal);
        assert!(matches!(entry.state, BundleState::Confirmed(_)), "invariant 26: {ordinal:?} was not sold");
        if released != Units::ZERO {
            assert_eq!(entry.held.units(), released, "invariant 6: {ordinal:?} returns what it did not have");
            self.step(ordinal, BundleChange::Return);
        }
    }

    fn note_unmatched(&mut self, order: OrderId, report: &PaymentReport) {
        let new = self.unmatched_reports.insert((report.provider, report.report.clone()));
        assert!(new, "invariant 24: report {} is recorded twice", report.report);
        self.unmatched.push(UnmatchedPayment { at: self.now, order, report: report.clone() });
    }

    fn lift_releases(&mut self, floor: Timestamp) {
        let is_early = |found: &Bundle| found.hold().is_some_and(|hold| hold.release_at < floor);
        let early: Vec<Ordinal> =
            self.all_bundles().filter(|(_, found)| is_early(found)).map(|(ordinal, _)| ordinal).collect();
        for ordinal in early {
            let grace = self.entry(ordinal).held.terms.grace.as_millis();
            let grace = if self.hold_of(ordinal).ordered_at.is_some() { grace } else { 0 };
            let deadline = Timestamp::from_millis(floor.as_millis().saturating_sub(grace));
            self.set_bundle_deadline(ordinal, deadline);
        }
    }

    fn step(&mut self, ordinal: Ordinal, change: BundleChange) {
        let (seq, now) = (self.seq, self.now);
        let entry = self.entry(ordinal);
        match entry.state.after(change, now) {
            Ok(state) => entry.state = state,
            Err(illegal) => panic!("invariant 7: {ordinal:?} cannot {:?} from {:?}", illegal.change, illegal.from),
        }
        entry.changed = seq;
    }

    fn entry(&mut self, ordinal: Ordinal) -> &mut Bundle {
        self.bundles.get_mut(ordinal.0 as usize).expect("invariant 11: the log names a bundle never held")
    }

    fn hold_of(&mut self, ordinal: Ordinal) -> &mut BundleHold {
        match &mut self.entry(ordinal).state {
            BundleState::Held(hold) => hold,
            other => panic!("invariant 7: {ordinal:?} is not held but {other:?}"),
        }
    }
}
