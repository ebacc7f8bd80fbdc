//! What operators ask for: phases, stock, settings (rules 11 and 15), and refunds of paid orders.

use domain::item::Phase;
use domain::limits::STOCK_TOTAL_MAX;
use domain::payment::{MoneyPlace, RefundReason, SettledBy};
use domain::policy::{Settings, SettingsPatch};
use domain::rejection::{NotRefundable, Rejection};
use domain::time::Timestamp;
use domain::units::{StockChange, Units};

use crate::book::{Book, State};
use crate::customer::{Done, Judged};
use crate::told::Told;

impl Book {
    pub(crate) fn told_item(&self) -> Told {
        Told::Item(Box::new(self.item()))
    }

    /// An operator changed something about the item.
    fn revised(&mut self) -> Judged {
        self.happens();
        self.revision += 1;
        Ok(Done::Changed(self.told_item()))
    }

    /// `scheduled → open ⇄ paused`, and `closed` from all three.
    pub(crate) fn turn_to(&mut self, phase: Phase, from: &[Phase]) -> Judged {
        if !from.contains(&self.phase) {
            return Err(Rejection::PhaseConflict { phase: self.phase });
        }
        self.phase = phase;
        if phase == Phase::Closed {
            self.everybody_lapses();
        }
        self.revised()
    }

    pub(crate) fn adjust(&mut self, change: StockChange) -> Judged {
        if self.phase == Phase::Closed {
            return Err(Rejection::PhaseConflict { phase: self.phase });
        }
        let available = self.available();
        let change = change.get();
        if change < 0 && change.unsigned_abs() > available {
            return Err(Rejection::StockInUse { available: Units::new(available).expect("small") });
        }
        let total = self.total.checked_add_signed(change).filter(|total| *total <= STOCK_TOTAL_MAX);
        self.total = total.ok_or(Rejection::StockTooLarge)?;
        self.revised()
    }

    pub(crate) fn revise(&mut self, patch: &SettingsPatch, expected: Option<u64>) -> Judged {
        if expected.is_some_and(|expected| expected != self.revision) {
            return Err(Rejection::RevisionMismatch { current: domain::ids::Revision(self.revision) });
        }
        let new = patched(&self.settings, patch);
        let old = &self.settings;
        if self.phase == Phase::Closed {
            return Err(Rejection::PhaseConflict { phase: self.phase });
        }
        if self.phase != Phase::Scheduled {
            let frozen = |field| Rejection::SettingFrozen { field, phase: self.phase };
            if new.unit_price != old.unit_price {
                return Err(frozen("unit_price"));
            }
            if new.opens_at != old.opens_at {
                return Err(frozen("opens_at"));
            }
            if new.policy.payments.provider != old.policy.payments.provider {
                return Err(frozen("payments.provider"));
            }
        }
        new.validate().map_err(Rejection::InvalidSetting)?;
        self.settings = new;
        self.revised()
    }

    pub(crate) fn refund_order(&mut self, no: usize, return_units: bool) -> Judged {
        if no >= self.reservations.len() {
            return Err(Rejection::NotFound);
        }
        self.alone(no)?;
        let not = |reason| Err(Rejection::NotRefundable { reason });
        let Some(paid) = self.paid_by(no) else { return not(NotRefundable::NotPaid) };
        if self.payments[paid].goes_back() {
            return not(NotRefundable::Already);
        }
        self.is_due(paid, RefundReason::OrderRefunded);
        self.reservations[no].returned = return_units;
        Ok(Done::Changed(self.order_answer(no, Some(paid))))
    }

    pub(crate) fn settle(&mut self, no: usize, by: &SettledBy) -> Judged {
        let Some(payment) = self.payments.get(no) else { return Err(Rejection::NotFound) };
        match payment.place {
            MoneyPlace::Parked { .. } | MoneyPlace::Kept => {
                Err(Rejection::NotRefundable { reason: NotRefundable::NotDue })
            }
            MoneyPlace::Refunded { .. } => Ok(Done::AsItIs(Told::Refund(self.capture(no)))),
            MoneyPlace::Due { .. } => {
                self.is_settled(no, by.clone());
                Ok(Done::Changed(Told::Refund(self.capture_answer(no))))
            }
        }
    }

    /// It has gone back.
    pub(crate) fn is_settled(&mut self, no: usize, by: SettledBy) {
        self.happens();
        let at = self.at();
        let place = &mut self.payments[no].place;
        if let MoneyPlace::Due { reason, since } = *place {
            *place = MoneyPlace::Refunded { reason, since, at, by };
        }
        self.payments[no].given_back = false;
    }

    /// It is to go back.
    pub(crate) fn is_due(&mut self, no: usize, reason: RefundReason) {
        self.happens();
        self.payments[no].place = MoneyPlace::Due { reason, since: self.at() };
    }

    /// Rule 11: that waiting reservations have lapsed is derived from the close.
    pub(crate) fn everybody_lapses(&mut self) {
        for no in self.line() {
            self.reservations[no].state = State::Lapsed(domain::event::LapseReason::SaleClosed);
        }
    }
}

fn or<T: Clone>(new: Option<&T>, old: &T) -> T {
    new.unwrap_or(old).clone()
}

/// What a patch names changes; the rest stays.
fn patched(old: &Settings, patch: &SettingsPatch) -> Settings {
    let mut new = old.clone();
    new.name = or(patch.name.as_ref(), &old.name);
    new.unit_price = or(patch.unit_price.as_ref(), &old.unit_price);
    new.opens_at = or::<Option<Timestamp>>(patch.opens_at.as_ref(), &old.opens_at);
    new.closes_at = or(patch.closes_at.as_ref(), &old.closes_at);
    let (is, was) = (&mut new.policy, &old.policy);
    is.per_order_max = or(patch.per_order_max.as_ref(), &was.per_order_max);
    is.per_customer_limit = or(patch.per_customer_limit.as_ref(), &was.per_customer_limit);
    is.hold_time = or(patch.hold_time.as_ref(), &was.hold_time);
    is.grace = or(patch.grace.as_ref(), &was.grace);
    is.waitlist.enabled = or(patch.waitlist_enabled.as_ref(), &was.waitlist.enabled);
    is.waitlist.capacity = or(patch.waitlist_capacity.as_ref(), &was.waitlist.capacity);
    is.extension.times = or(patch.extension_times.as_ref(), &was.extension.times);
    is.extension.by = or(patch.extension_by.as_ref(), &was.extension.by);
    is.cool_off.after_expiries = or(patch.cool_off_after_expiries.as_ref(), &was.cool_off.after_expiries);
    is.cool_off.lasts = or(patch.cool_off_lasts.as_ref(), &was.cool_off.lasts);
    is.close_when_sold = or(patch.close_when_sold.as_ref(), &was.close_when_sold);
    is.payments.provider = or(patch.payment_provider.as_ref(), &was.payments.provider);
    is.payments.honour_late = or(patch.honour_late_payments.as_ref(), &was.payments.honour_late);
    is.payments.parked_window = or(patch.parked_window.as_ref(), &was.payments.parked_window);
    new
}
