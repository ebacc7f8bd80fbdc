//! The money of one stream: every capture and where it is, every report, and the sums by currency.

use crate::event::{Capture, Money, Provider};
use crate::finding::{Findings, Rule};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Where money is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pot {
    Parked,
    Kept,
    Due,
    Refunded,
}

/// One capture.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The reservation or bundle whose order it came for.
    pub owner: u32,
    /// Who took it.
    pub provider: Provider,
    /// How much.
    pub amount: Money,
    pub(crate) payment: String,
    pub(crate) pot: Pot,
    /// Until when it is parked, if it ever was.
    pub(crate) until: u64,
    /// It paid its order, also where that was refunded later.
    pub(crate) has_paid: bool,
    was_due: bool,
}

impl Taken {
    /// Whether it is to go back, or has gone back.
    #[must_use]
    pub const fn goes_back(&self) -> bool {
        matches!(self.pot, Pot::Due | Pot::Refunded)
    }

    /// Whether it has gone back.
    #[must_use]
    pub const fn has_gone_back(&self) -> bool {
        matches!(self.pot, Pot::Refunded)
    }
}

/// Sums in minor units of one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MoneySums {
    /// Captured, ever.
    pub captured: i128,
    /// Waiting for its order.
    pub parked: i128,
    /// Paid for goods.
    pub kept: i128,
    /// To go back.
    pub due: i128,
    /// Gone back.
    pub refunded: i128,
    /// What the orders cost that are paid and not refunded.
    pub sold_for: i128,
}

impl MoneySums {
    fn pot(&mut self, pot: Pot) -> &mut i128 {
        match pot {
            Pot::Parked => &mut self.parked,
            Pot::Kept => &mut self.kept,
            Pot::Due => &mut self.due,
            Pot::Refunded => &mut self.refunded,
        }
    }

    /// Adds another stream's.
    pub fn add(&mut self, other: &Self) {
        self.captured += other.captured;
        self.parked += other.parked;
        self.kept += other.kept;
        self.due += other.due;
        self.refunded += other.refunded;
        self.sold_for += other.sold_for;
    }
}

/// The purse of one stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Purse {
    pub(crate) captures: Vec<Taken>,
    pub(crate) sums: BTreeMap<[u8; 3], MoneySums>,
    /// Refunds that were due, ever.
    pub(crate) refunds: u64,
    /// Sales honoured though their payment came late.
    pub(crate) honoured_late: u64,
    by_payment: HashMap<String, Vec<usize>>,
    reports: HashSet<(Provider, String)>,
    /// Refunds that providers told of: payment, owner, amount.
    refunds_told: HashSet<(String, u32, Money)>,
}

/// Money moves in this stream, on behalf of this owner.
pub(super) struct Moving<'a> {
    pub(super) purse: &'a mut Purse,
    pub(super) findings: &'a mut Findings,
    pub(super) owner: u32,
}

impl Purse {
    /// The capture of this payment. A backend that confirms what it charged through a provider, and that provider,
    /// tell of one payment.
    fn find(&self, provider: Provider, payment: &str) -> Option<usize> {
        let is_one =
            |other: Provider| other == provider || other == Provider::External || provider == Provider::External;
        let same = self.by_payment.get(payment).into_iter().flatten();
        same.copied().find(|&no| self.captures.get(no).is_some_and(|taken| is_one(taken.provider)))
    }

    /// Whether a provider told that this money went back.
    pub(super) fn is_told_back(&self, no: u32) -> bool {
        let told = |taken: &Taken| self.refunds_told.contains(&(taken.payment.clone(), taken.owner, taken.amount));
        self.captures.get(no as usize).is_some_and(told)
    }

    /// How often an order was paid: once if it was sold.
    pub(super) fn paid_counts(&self) -> HashMap<u32, u32> {
        let mut counts = HashMap::new();
        for taken in self.captures.iter().filter(|taken| taken.has_paid) {
            *counts.entry(taken.owner).or_default() += 1;
        }
        counts
    }

    /// After an event: the pots hold what was captured, none is overdrawn, and what is kept was paid for goods.
    pub(super) fn balance(&self, findings: &mut Findings) {
        for sums in self.sums.values() {
            let MoneySums { captured, parked, kept, due, refunded, sold_for } = *sums;
            let adds_up =
                captured == parked + kept + due + refunded && [parked, kept, due, refunded].iter().all(|pot| *pot >= 0);
            findings.check(Rule::Unbalanced, adds_up && kept == sold_for, || {
                format!("{sums:?}: captured is not parked + kept + due + refunded, or kept is not what was sold for")
            });
        }
    }

    /// At the end: the sums are those of the captures, counted anew.
    pub(super) fn recount(&self, findings: &mut Findings) {
        let mut counted: BTreeMap<[u8; 3], MoneySums> = BTreeMap::new();
        for taken in &self.captures {
            let sums = counted.entry(taken.amount.currency).or_default();
            sums.captured += i128::from(taken.amount.minor);
            *sums.pot(taken.pot) += i128::from(taken.amount.minor);
        }
        for (currency, sums) in &self.sums {
            let counted = counted.get(currency).copied().unwrap_or_default();
            let same = MoneySums { sold_for: sums.sold_for, ..counted } == *sums;
            findings.check(Rule::Unbalanced, same, || {
                format!("the captures sum up to {counted:?}, the events to {sums:?}")
            });
        }
    }
}

impl Moving<'_> {
    /// A report is applied once.
    pub(super) fn report(&mut self, provider: Provider, report: &str) {
        let is_new = self.purse.reports.insert((provider, report.to_owned()));
        self.findings.check(Rule::Twice, is_new, || format!("report {report} of {provider:?} is applied twice"));
    }

    pub(super) fn refund_told(&mut self, payment: &str, amount: Money) {
        self.purse.refunds_told.insert((payment.to_owned(), self.owner, amount));
    }

    /// New money, or parked money that moves on.
    pub(super) fn take(&mut self, capture: &Capture, pot: Pot) {
        if let Some(known) = self.purse.find(capture.provider, &capture.payment) {
            let taken = self.purse.captures.get(known);
            let moves =
                taken.is_some_and(|taken| taken.pot == Pot::Parked && taken.owner == self.owner) && pot != Pot::Parked;
            self.findings.check(Rule::Twice, moves, || format!("payment {} is captured twice", capture.payment));
            let same = taken.is_some_and(|taken| taken.amount == capture.amount);
            self.findings.check(Rule::MoneyAstray, same, || format!("{capture:?} changes its amount"));
            return self.shift(u32::try_from(known).unwrap_or(u32::MAX), Pot::Parked, pot);
        }
        if let Some(report) = &capture.report {
            self.report(capture.provider, report);
        }
        let minor = i128::from(capture.amount.minor);
        let sums = self.purse.sums.entry(capture.amount.currency).or_default();
        sums.captured += minor;
        *sums.pot(pot) += minor;
        self.purse.refunds += u64::from(pot == Pot::Due);
        let (provider, payment, amount) = (capture.provider, capture.payment.clone(), capture.amount);
        self.purse.by_payment.entry(payment.clone()).or_default().push(self.purse.captures.len());
        let (has_paid, was_due) = (pot == Pot::Kept, pot == Pot::Due);
        self.purse.captures.push(Taken {
            owner: self.owner,
            provider,
            amount,
            payment,
            pot,
            until: 0,
            has_paid,
            was_due,
        });
    }

    /// Money that moves from one pot to the next. The sums follow the event, so that one that takes money from where
    /// it is not overdraws a pot.
    pub(super) fn shift(&mut self, no: u32, from: Pot, to: Pot) {
        let owner = self.owner;
        let Some(taken) = self.purse.captures.get_mut(no as usize) else {
            return self.findings.check(Rule::MoneyAstray, false, || format!("capture {no} of {owner} was never made"));
        };
        let (before, again) = (taken.pot, to == Pot::Due && taken.was_due);
        let right = before == from && taken.owner == owner && !again;
        taken.was_due |= to == Pot::Due;
        taken.has_paid |= to == Pot::Kept;
        taken.pot = to;
        let minor = i128::from(taken.amount.minor);
        let sums = self.purse.sums.entry(taken.amount.currency).or_default();
        *sums.pot(from) -= minor;
        *sums.pot(to) += minor;
        self.purse.refunds += u64::from(to == Pot::Due);
        self.findings.check(Rule::MoneyAstray, right, || {
            format!("capture {no} of {owner} goes to {to:?} from {from:?}, and it is {before:?}")
        });
    }

    /// An order of this price is paid (1) or refunded (-1).
    pub(super) fn sold_for(&mut self, price: Money, sign: i128) {
        self.purse.sums.entry(price.currency).or_default().sold_for += sign * i128::from(price.minor);
    }
}
