//! Money that is told of: rule 9, and what docs/decisions/0011 adds to it.

use domain::limits::{FAILURES_NOTED_MAX, REPORTS_NOTED_MAX};
use domain::money::Money;
use domain::payment::{
    Capture, LateRefusal, MoneyPlace, PaymentReport, Provider, RefundReason, SettledBy, Told as Report,
    UnclaimedBecause,
};
use domain::rejection::Rejection;
use domain::time::Timestamp;
use domain::views::PaymentVerdict;

use crate::book::{Book, EarlyRefund, Ending, Order, Payment, State};
use crate::customer::{Done, Judged};
use crate::told::Told;

/// What money for an order comes to.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Parked,
    Pays,
    Honoured,
    GoesBack(RefundReason),
}

fn verdict(verdict: PaymentVerdict) -> Judged {
    Ok(Done::Changed(Told::Payment(verdict)))
}

impl Book {
    /// A capture comes into the books.
    pub(crate) fn write_down(&mut self, owner: usize, capture: Capture, place: MoneyPlace) -> usize {
        self.happens();
        if let Some(report) = &capture.report {
            self.reports.push((capture.provider, report.clone()));
        }
        let payer = capture.provider;
        self.payments.push(Payment {
            owner,
            capture,
            at: self.now,
            place,
            payer,
            noted: Vec::new(),
            disputed: false,
            given_back: false,
        });
        self.payments.len() - 1
    }

    fn fate(&self, no: usize, amount: Money) -> Fate {
        let one = &self.reservations[no];
        let price = one.order.map_or_else(|| self.price_of(one.quantity), |order| order.amount);
        let wrong = RefundReason::WrongAmount { expected: price };
        let late = |refusal| Fate::GoesBack(RefundReason::Late(refusal));
        match one.state {
            // Verified money for a part alone was never asked for, but it is there.
            _ if one.bundle.is_some() && amount == price => late(LateRefusal::Bundle),
            _ if one.bundle.is_some() => Fate::GoesBack(wrong),
            State::Waiting | State::HeldInBundle => Fate::Parked,
            State::Held(_) if one.order.is_none() => Fate::Parked,
            State::Confirmed => Fate::GoesBack(RefundReason::SecondCapture),
            _ if amount != price => Fate::GoesBack(wrong),
            State::Held(_) => Fate::Pays,
            State::Cancelled => late(LateRefusal::Cancelled),
            State::Lapsed(_) => late(LateRefusal::Lapsed),
            State::Expired => match self.too_late(no) {
                Some(refusal) => late(refusal),
                None => Fate::Honoured,
            },
        }
    }

    /// The late-payment ladder below "the reservation expired".
    fn too_late(&self, no: usize) -> Option<LateRefusal> {
        let one = &self.reservations[no];
        let policy = &self.settings.policy;
        if !policy.payments.honour_late {
            Some(LateRefusal::Policy)
        } else if self.has(&one.customer) + one.quantity > policy.per_customer_limit.get() {
            Some(LateRefusal::CustomerLimit)
        } else if !self.line().is_empty() {
            Some(LateRefusal::OthersWait)
        } else if one.quantity > self.available() {
            Some(LateRefusal::NoStock)
        } else {
            None
        }
    }

    /// The money's way into the books, whatever comes of it.
    pub(crate) fn captured(&mut self, no: usize, capture: Capture) -> PaymentVerdict {
        let fate = self.fate(no, capture.amount);
        let until = Timestamp::from_millis(self.now + self.settings.policy.payments.parked_window.as_millis());
        let at = self.at();
        let place = match fate {
            Fate::Parked => MoneyPlace::Parked { until },
            Fate::Pays | Fate::Honoured => MoneyPlace::Kept,
            Fate::GoesBack(reason) => MoneyPlace::Due { reason, since: at },
        };
        let payment = self.write_down(no, capture, place);
        self.follow(no, payment, fate);
        match fate {
            Fate::Parked => PaymentVerdict::Stored,
            Fate::Pays => PaymentVerdict::Applied,
            Fate::Honoured => PaymentVerdict::Honoured,
            Fate::GoesBack(reason) => PaymentVerdict::RefundDue(reason),
        }
    }

    /// What money whose fate is known means for its order, and what a refund told of before means for it.
    fn follow(&mut self, no: usize, payment: usize, fate: Fate) {
        if matches!(fate, Fate::Pays | Fate::Honoured) {
            let price = self.price_of(self.reservations[no].quantity);
            let now = self.now;
            let one = &mut self.reservations[no];
            one.state = State::Confirmed;
            one.order.get_or_insert(Order { placed_at: now, amount: price });
            let customer = one.customer.clone();
            self.endings.push((customer, Ending::Paid, now));
        }
        if !matches!(fate, Fate::Parked) {
            self.early_refund(payment);
        }
    }

    /// The order is there: its parked money pays it, or goes back, in the order in which it came.
    pub(crate) fn apply_parked(&mut self, no: usize) {
        for payment in self.payments_of(no) {
            if !matches!(self.payments[payment].place, MoneyPlace::Parked { .. }) {
                continue;
            }
            let fate = self.fate(no, self.payments[payment].capture.amount);
            let place = match fate {
                Fate::GoesBack(reason) => MoneyPlace::Due { reason, since: self.at() },
                Fate::Pays | Fate::Honoured | Fate::Parked => MoneyPlace::Kept,
            };
            self.happens();
            self.payments[payment].place = place;
            self.follow(no, payment, fate);
        }
    }

    /// Parked money whose reservation is over.
    pub(crate) fn forsaken(&self) -> Option<usize> {
        self.payments
            .iter()
            .position(|one| matches!(one.place, MoneyPlace::Parked { .. }) && !self.reservations[one.owner].is_live())
    }

    /// The next step of a refund that the provider made by itself: the order is refunded, then the refund settled.
    pub(crate) fn gives_back(&mut self) -> bool {
        let Some(payment) = self.payments.iter().position(|one| one.given_back) else { return false };
        if matches!(self.payments[payment].place, MoneyPlace::Kept) {
            self.is_due(payment, RefundReason::OrderRefunded);
        } else {
            self.is_settled(payment, SettledBy::Report);
        }
        true
    }

    pub(crate) fn is_unclaimed(&mut self, payment: usize, because: UnclaimedBecause) {
        self.is_due(payment, RefundReason::Unclaimed(because));
        self.early_refund(payment);
    }

    /// A refund told of while what becomes of its capture was not known takes effect now.
    fn early_refund(&mut self, payment: usize) {
        let found = &mut self.payments[payment];
        if matches!(found.place, MoneyPlace::Parked { .. }) {
            return;
        }
        let of_it = |early: &EarlyRefund| {
            let same = early.provider == found.payer || found.payer == Provider::External;
            same && early.payment == found.capture.payment
        };
        // Two providers may use one id for two payments: the one that agrees speaks of this one.
        let whole = |early: &EarlyRefund| early.owner == found.owner && early.amount == found.capture.amount;
        let agrees = self.early.iter().position(|early| of_it(early) && whole(early));
        let Some(told) = agrees.or_else(|| self.early.iter().position(of_it)) else { return };
        self.early.remove(told);
        if agrees.is_some() {
            found.given_back = true;
        } else {
            found.disputed = true;
        }
    }

    pub(crate) fn record(&mut self, no: usize, report: &PaymentReport) -> Judged {
        if no >= self.reservations.len() {
            return Err(Rejection::NotFound);
        }
        if self.reports.contains(&(report.provider, report.report.clone())) {
            return self.no_change(report);
        }
        match report.told {
            Report::Captured(amount) => self.record_captured(no, report, amount),
            Report::Failed | Report::Cancelled => {
                let failures = &mut self.reservations[no].failures;
                if failures.len() >= usize::from(FAILURES_NOTED_MAX) {
                    return self.no_change(report);
                }
                failures.push(report.report.clone());
                self.noted(report);
                verdict(PaymentVerdict::Noted)
            }
            Report::Refunded(amount) => self.record_refunded(no, report, amount),
        }
    }

    /// What is known, or not worth writing down once more. Money that waits is told to be stored, as often as one asks.
    fn no_change(&self, report: &PaymentReport) -> Judged {
        let known = self.known(report.provider, &report.payment).map(|known| &self.payments[known].place);
        let waits = matches!((known, report.told), (Some(MoneyPlace::Parked { .. }), Report::Captured(_)));
        let verdict = if waits { PaymentVerdict::Stored } else { PaymentVerdict::Duplicate };
        Ok(Done::AsItIs(Told::Payment(verdict)))
    }

    fn noted(&mut self, report: &PaymentReport) {
        self.happens();
        self.reports.push((report.provider, report.report.clone()));
    }

    fn record_captured(&mut self, no: usize, report: &PaymentReport, amount: Money) -> Judged {
        let Some(known) = self.known(report.provider, &report.payment) else {
            let (provider, payment) = (report.provider, report.payment.clone());
            let capture = Capture { provider, payment, report: Some(report.report.clone()), amount };
            return verdict(self.captured(no, capture));
        };
        let found = &self.payments[known];
        let contradicts = amount != found.capture.amount || found.owner != no;
        if self.is_noted_enough(known, contradicts) {
            return self.no_change(report);
        }
        self.note(known, report, contradicts)
    }

    /// What contradicts a capture is noted once at least.
    fn is_noted_enough(&self, known: usize, contradicts: bool) -> bool {
        let found = &self.payments[known];
        found.noted.len() >= usize::from(REPORTS_NOTED_MAX) && (found.disputed || !contradicts)
    }

    /// A further report of a capture, by a provider that can give it back.
    fn note(&mut self, known: usize, report: &PaymentReport, contradicts: bool) -> Judged {
        self.noted(report);
        let found = &mut self.payments[known];
        found.noted.push(report.report.clone());
        if found.payer == Provider::External {
            found.payer = report.provider;
        }
        found.disputed |= contradicts;
        verdict(if contradicts { PaymentVerdict::Disputed } else { PaymentVerdict::Noted })
    }

    fn record_refunded(&mut self, no: usize, report: &PaymentReport, amount: Money) -> Judged {
        let early = |one: &EarlyRefund| one.provider == report.provider && one.payment == report.payment;
        if let Some(known) = self.known(report.provider, &report.payment) {
            let found = &self.payments[known];
            let whole = amount == found.capture.amount && found.owner == no;
            let is_done = matches!(found.place, MoneyPlace::Refunded { .. });
            if is_done || !whole {
                if self.is_noted_enough(known, !is_done) {
                    return self.no_change(report);
                }
                // Part of the money, or another order's: nobody but an operator can say what that means.
                return self.note(known, report, !is_done);
            }
            let told_before = self.early.iter().any(|one| early(one) && one.owner == no && one.amount == amount);
            if told_before && self.is_noted_enough(known, false) {
                return self.no_change(report);
            }
            self.payments[known].noted.push(report.report.clone());
            self.early.retain(|one| !early(one));
            let (provider, payment) = (report.provider, report.payment.clone());
            self.early.push(EarlyRefund { owner: no, provider, payment, amount });
            self.early_refund(known);
        } else {
            let told = &mut self.reservations[no].early_refunds;
            if told.len() >= usize::from(FAILURES_NOTED_MAX) {
                return self.no_change(report);
            }
            told.push(report.report.clone());
            self.early.retain(|one| !early(one));
            let (provider, payment) = (report.provider, report.payment.clone());
            self.early.push(EarlyRefund { owner: no, provider, payment, amount });
        }
        self.noted(report);
        verdict(PaymentVerdict::Noted)
    }
}
