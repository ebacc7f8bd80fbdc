//! Payment events of one order, in an item's stream or of a bundle: what money may do, given how the order stands.
//! What a sale means for units is the stream's own business.

use super::money::{Moving, Pot};
use crate::event::{Capture, Money, Payment, Reason, SettledBy};
use crate::finding::Rule;

/// How an order stands when an event about its money comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    /// Its reservation was never begun.
    Unknown,
    /// Its reservation waits or is held, and it is not placed.
    NotPlaced,
    /// Placed; payments are in time before this instant.
    Placed { release_at: u64 },
    /// Paid, also where it was refunded later.
    Paid,
    /// Ended without goods. Refusals that are true of a late payment, by their codes; none: it is to be honoured.
    Ended(Vec<u8>),
}

/// The order that an event is about.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) stands: Stands,
    pub(super) price: Money,
    /// How long money may be parked for it, in milliseconds.
    pub(super) window_ms: u64,
    /// Logged time of the event.
    pub(super) at: u64,
}

impl Order {
    /// The reasons that this much money may go back for, by their codes.
    fn reasons(&self, amount: Money) -> Vec<u8> {
        match &self.stands {
            Stands::Unknown | Stands::NotPlaced => Vec::new(),
            Stands::Paid => vec![2],
            Stands::Placed { .. } | Stands::Ended(_) if amount != self.price => vec![1],
            Stands::Placed { .. } => Vec::new(),
            Stands::Ended(refusals) => refusals.clone(),
        }
    }

    /// Checks a payment event and moves its money.
    pub(super) fn pay(&self, moving: &mut Moving<'_>, event: &Payment) {
        match event {
            Payment::Captured { capture, .. } => self.captured(moving, capture),
            Payment::LateHonoured { capture, .. } => self.honoured(moving, capture),
            Payment::Parked { capture, until_ms } => self.parked(moving, capture, *until_ms),
            Payment::RefundDue { capture, reason, .. } => self.refund_due(moving, capture, *reason),
            Payment::Unclaimed { capture, reservation_ended } => self.unclaimed(moving, *capture, *reservation_ended),
            Payment::Failed { provider, report, .. } => moving.report(*provider, report),
            Payment::Noted { capture, provider, report } | Payment::Disputed { capture, provider, report, .. } => {
                let known = (*capture as usize) < moving.purse.captures.len();
                moving.findings.check(Rule::MoneyAstray, known, || format!("{report} tells of capture {capture}"));
                moving.report(*provider, report);
            }
            Payment::RefundReported { provider, payment, report, amount } => {
                moving.report(*provider, report);
                moving.refund_told(payment, *amount);
            }
            Payment::RefundSettled { capture, by } => {
                moving.shift(*capture, Pot::Due, Pot::Refunded);
                self.check_told_back(moving, *capture, *by == SettledBy::Report);
            }
            Payment::OrderRefunded { capture, reason, .. } => {
                moving.shift(*capture, Pot::Kept, Pot::Due);
                moving.sold_for(self.price, -1);
                self.check_told_back(moving, *capture, reason.is_none());
            }
            Payment::Offered { payment, .. } => {
                let placed = matches!(self.stands, Stands::Placed { .. });
                moving.findings.check(Rule::Life, placed, || {
                    format!("payment {payment} is offered for an order that is {:?}", self.stands)
                });
            }
        }
    }

    fn captured(&self, moving: &mut Moving<'_>, capture: &Capture) {
        moving.take(capture, Pot::Kept);
        moving.sold_for(self.price, 1);
        self.check_price(moving, capture);
        let owner = moving.owner;
        moving.findings.check(Rule::Life, matches!(self.stands, Stands::Placed { .. }), || {
            format!("the order of {owner} is paid while it is {:?}", self.stands)
        });
        if let Stands::Placed { release_at } = self.stands {
            let at = self.at;
            moving.findings.check(Rule::TooLate, at < release_at, || {
                format!("the order of {owner} is paid at {at}, and its hold ended at {release_at}")
            });
        }
    }

    fn honoured(&self, moving: &mut Moving<'_>, capture: &Capture) {
        moving.take(capture, Pot::Kept);
        moving.sold_for(self.price, 1);
        moving.purse.honoured_late += 1;
        self.check_price(moving, capture);
        let owner = moving.owner;
        moving.findings.check(Rule::Life, self.stands == Stands::Ended(Vec::new()), || {
            format!("a late payment for {owner} is honoured while its order is {:?}", self.stands)
        });
    }

    fn check_price(&self, moving: &mut Moving<'_>, capture: &Capture) {
        let (price, amount, owner) = (self.price, capture.amount, moving.owner);
        moving
            .findings
            .check(Rule::Price, amount == price, || format!("{owner} is sold for {amount:?}, not {price:?}"));
    }

    fn parked(&self, moving: &mut Moving<'_>, capture: &Capture, until: u64) {
        moving.take(capture, Pot::Parked);
        if let Some(taken) = moving.purse.captures.last_mut() {
            taken.until = until;
        }
        let owner = moving.owner;
        moving.findings.check(Rule::MoneyAstray, self.stands == Stands::NotPlaced, || {
            format!("money for {owner} is parked while its order is {:?}", self.stands)
        });
        let expected = super::later(self.at, self.window_ms);
        moving.findings.check(Rule::Deadline, until == expected, || format!("parked until {until}, not {expected}"));
    }

    fn refund_due(&self, moving: &mut Moving<'_>, capture: &Capture, reason: Reason) {
        moving.take(capture, Pot::Due);
        let (owner, reasons) = (moving.owner, self.reasons(capture.amount));
        let right = reasons.contains(&reason.code) && reason.expected.is_none_or(|expected| expected == self.price);
        moving.findings.check(Rule::MoneyAstray, right, || {
            format!(
                "{:?} for {owner} goes back for {reason:?}; its order is {:?} and costs {:?}",
                capture.amount, self.stands, self.price
            )
        });
    }

    fn unclaimed(&self, moving: &mut Moving<'_>, capture: u32, reservation_ended: bool) {
        moving.shift(capture, Pot::Parked, Pot::Due);
        let owner = moving.owner;
        if reservation_ended {
            let ended = matches!(self.stands, Stands::Ended(_) | Stands::Paid);
            moving.findings.check(Rule::MoneyAstray, ended, || {
                format!("what is parked for {owner} goes back as if it had ended, and it is {:?}", self.stands)
            });
        } else {
            let until = moving.purse.captures.get(capture as usize).map(|taken| taken.until);
            moving.findings.check(Rule::EndedEarly, until.is_some_and(|until| self.at >= until), || {
                format!("the window of capture {capture} is over at {}, and it lasts until {until:?}", self.at)
            });
        }
    }

    /// What is settled because a provider told of it was told of.
    fn check_told_back(&self, moving: &mut Moving<'_>, capture: u32, by_report: bool) {
        let fine = !by_report || moving.purse.is_told_back(capture);
        moving.findings.check(Rule::MoneyAstray, fine, || format!("nobody told that capture {capture} went back"));
    }
}
