//! One reservation's story, told from its item's events: what happened to it and why, why it waited, and who was
//! served before it. Pure; whoever reads the log feeds it.

use crate::event::{ClosedBy, Event, LapseReason, PartDecision, Recorded};
use crate::ids::{Ordinal, Seq};
use crate::payment::{LateRefusal, PaymentEvent, RefundReason, RefundedBy, SettledBy, UnclaimedBecause};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Those served before a waiter that are told one by one. A line can be a million long; the rest is counted.
pub const SERVED_TOLD_MAX: usize = 50;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoryLine {
    /// Its place in the item's log.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// The event's name.
    pub event: &'static str,
    /// What it meant for this reservation.
    pub words: String,
}

/// A story while it is told.
#[derive(Debug)]
pub struct Story {
    about: Ordinal,
    lines: Vec<StoryLine>,
    waiting: BTreeSet<u32>,
    customers: BTreeMap<u32, String>,
    ahead: BTreeSet<u32>,
    served_told: usize,
    served_more: u32,
    is_known: bool,
}

impl Story {
    /// The story of a reservation, to be told from its item's first event on.
    #[must_use]
    pub const fn about(reservation: Ordinal) -> Self {
        Self {
            about: reservation,
            lines: Vec::new(),
            waiting: BTreeSet::new(),
            customers: BTreeMap::new(),
            ahead: BTreeSet::new(),
            served_told: 0,
            served_more: 0,
            is_known: false,
        }
    }

    /// What happened, in order. `None` where there was no such reservation.
    #[must_use]
    pub fn told(mut self) -> Option<Vec<StoryLine>> {
        if self.served_more > 0
            && let Some(last) = self.lines.last()
        {
            let (seq, at) = (last.seq, last.at);
            let words = match self.served_more {
                1 => "one more who was ahead was served or left".to_owned(),
                more => format!("{more} more who were ahead were served or left; they are not told one by one"),
            };
            self.lines.push(StoryLine { seq, at, event: "summary", words });
        }
        self.is_known.then_some(self.lines)
    }

    /// Takes the item's next event.
    pub fn take(&mut self, recorded: &Recorded) {
        match &recorded.event {
            Event::SaleOpened { .. } => self.tell_if_waiting(recorded, "SaleOpened", "the sale opened"),
            Event::SalePaused => {
                self.tell_if_live(recorded, "SalePaused", "the sale was paused: nobody is promoted meanwhile");
            }
            Event::SaleResumed => self.tell_if_live(recorded, "SaleResumed", "the sale went on"),
            Event::SaleClosed { by, lapsed } => self.closed(recorded, *by, *lapsed),
            Event::StockAdjusted { change, total, reason } => {
                let words = format!("the stock changed by {} to {total}: {reason}", change.get());
                self.tell_if_waiting(recorded, "StockAdjusted", words);
            }
            Event::HoldPlaced { reservation, customer, quantity, deadline, .. } => {
                self.enter(*reservation, customer.as_str());
                let words = format!(
                    "{customer} asked for {}; enough was free and nobody waited, so it was held at once, until {}",
                    quantity.get(),
                    ms(*deadline)
                );
                self.tell(recorded, *reservation, "HoldPlaced", words);
            }
            Event::WaitlistJoined { reservation, customer, quantity, position, available } => {
                self.enter(*reservation, customer.as_str());
                self.joined(
                    recorded,
                    *reservation,
                    &format!("{customer} asked for {}", quantity.get()),
                    *position,
                    available.get(),
                );
            }
            Event::HoldPromoted { reservation, deadline, because } => {
                let words =
                    format!("its turn came, because event {because} had set units free: held until {}", ms(*deadline));
                self.leave_line(recorded, *reservation, "HoldPromoted", "was promoted");
                self.tell(recorded, *reservation, "HoldPromoted", words);
            }
            Event::WaitlistLapsed { reservation, reason } => {
                let words = format!("it never got a turn: {}", lapse(*reason));
                self.leave_line(recorded, *reservation, "WaitlistLapsed", "lapsed");
                self.tell(recorded, *reservation, "WaitlistLapsed", words);
            }
            Event::ReservationCancelled { reservation, released } => {
                self.leave_line(recorded, *reservation, "ReservationCancelled", "left the line");
                let words = if released.get() > 0 {
                    "cancelled by its customer; its units went to the line first"
                } else {
                    "cancelled by its customer while waiting"
                };
                self.tell(recorded, *reservation, "ReservationCancelled", words);
            }
            Event::HoldExpired { reservation, release_at, .. } => {
                let words = format!("its time ran out unpaid: it was due at {}", ms(*release_at));
                self.tell(recorded, *reservation, "HoldExpired", words);
            }
            Event::HoldExtended { reservation, deadline } => {
                self.tell(recorded, *reservation, "HoldExtended", format!("extended until {}", ms(*deadline)));
            }
            Event::OrderPlaced { reservation, amount, release_at, .. } => {
                let words = format!("ordered for {amount}; payments are in time until {}", ms(*release_at));
                self.tell(recorded, *reservation, "OrderPlaced", words);
            }
            Event::PurchaseConfirmed { reservation, customer, quantity, capture, .. } => {
                self.enter(*reservation, customer.as_str());
                let words = format!(
                    "{customer} bought {} at once; a backend had charged {} (payment {})",
                    quantity.get(),
                    capture.amount,
                    capture.payment
                );
                self.tell(recorded, *reservation, "PurchaseConfirmed", words);
            }
            Event::PartHeld { reservation, customer, quantity, bundle } => {
                self.enter(*reservation, customer.as_str());
                let words =
                    format!("{} held for {customer} as part of bundle {bundle}, whose stream decides", quantity.get());
                self.tell(recorded, *reservation, "PartHeld", words);
            }
            Event::PartSettled { reservation, bundle, decision, .. } => {
                let words = format!("bundle {bundle} {}", decided(*decision));
                self.tell(recorded, *reservation, "PartSettled", words);
            }
            Event::Payment { reservation, event } => {
                let (name, words) = payment(event);
                self.tell(recorded, *reservation, name, words);
            }
            Event::ClockResumed { from, to, release_floor } => {
                let words = format!(
                    "the process was down from {} to {}: no hold ends before {}",
                    ms(*from),
                    ms(*to),
                    ms(*release_floor)
                );
                self.tell_if_live(recorded, "ClockResumed", words);
            }
            Event::ItemCreated { .. } | Event::ItemRevised { .. } => {}
        }
    }

    fn enter(&mut self, reservation: Ordinal, customer: &str) {
        self.is_known |= reservation == self.about;
        if reservation <= self.about {
            self.customers.insert(reservation.0, customer.to_owned());
        }
    }

    fn push(&mut self, recorded: &Recorded, event: &'static str, words: String) {
        self.lines.push(StoryLine { seq: recorded.seq, at: recorded.at, event, words });
    }

    fn tell(&mut self, recorded: &Recorded, reservation: Ordinal, event: &'static str, words: impl Into<String>) {
        if reservation == self.about {
            self.push(recorded, event, words.into());
        }
    }

    fn tell_if_waiting(&mut self, recorded: &Recorded, event: &'static str, words: impl Into<String>) {
        if self.waiting.contains(&self.about.0) {
            self.push(recorded, event, words.into());
        }
    }

    fn tell_if_live(&mut self, recorded: &Recorded, event: &'static str, words: impl Into<String>) {
        let ended = ["HoldExpired", "ReservationCancelled", "WaitlistLapsed", "PaymentCaptured", "PurchaseConfirmed"];
        if self.is_known && !self.lines.iter().any(|line| ended.contains(&line.event)) {
            self.push(recorded, event, words.into());
        }
    }

    fn joined(&mut self, recorded: &Recorded, reservation: Ordinal, asked: &str, position: u32, available: u32) {
        if reservation == self.about {
            self.ahead = self.waiting.clone();
            let free = match available {
                0 => "none was free".to_owned(),
                1 => "one was free".to_owned(),
                some => format!("{some} were free"),
            };
            let why = match self.ahead.len() {
                0 if available == 0 => free,
                0 => format!("only {free}"),
                1 => format!("{free} and one was waiting already"),
                ahead => format!("{free} and {ahead} were waiting already"),
            };
            self.push(recorded, "WaitlistJoined", format!("{asked}; {why}, so it waits at place {position}"));
        }
        self.waiting.insert(reservation.0);
    }

    /// Somebody leaves the line; if they were ahead, that is part of this story.
    fn leave_line(&mut self, recorded: &Recorded, reservation: Ordinal, event: &'static str, how: &str) {
        if !self.waiting.remove(&reservation.0) || !self.ahead.remove(&reservation.0) {
            return;
        }
        if self.served_told >= SERVED_TOLD_MAX {
            self.served_more = self.served_more.saturating_add(1);
            return;
        }
        self.served_told += 1;
        let customer = self.customers.get(&reservation.0).map_or("somebody", String::as_str);
        let words = format!("{customer}, who was ahead, {how}; {} still ahead", self.ahead.len());
        self.push(recorded, event, words);
    }

    fn closed(&mut self, recorded: &Recorded, by: ClosedBy, lapsed: u32) {
        let why = match by {
            ClosedBy::Operator => "an operator closed the sale",
            ClosedBy::Schedule => "the sale closed at its time",
            ClosedBy::SoldOut => "everything was sold, and the sale closed",
        };
        let words = match lapsed {
            1 => format!("{why}: this one, the only one who still waited, never got a turn"),
            all => format!("{why}: all {all} who still waited, this one among them, never got a turn"),
        };
        self.tell_if_waiting(recorded, "SaleClosed", words);
        self.waiting.clear();
        self.ahead.clear();
    }
}

fn ms(at: Timestamp) -> String {
    // The reader shows instants as it likes; here they are only named.
    format!("[{}]", at.as_millis())
}

const fn lapse(reason: LapseReason) -> &'static str {
    match reason {
        LapseReason::SaleClosed => "the sale closed",
        LapseReason::CanNeverBeServed => "it wanted more than there would ever be",
    }
}

const fn decided(decision: PartDecision) -> &'static str {
    match decision {
        PartDecision::Sold => "was paid: sold",
        PartDecision::Expired => "ran out of time unpaid: released",
        PartDecision::Cancelled => "was cancelled: released",
        PartDecision::Abandoned => "never came to be: released",
        PartDecision::Returned => "was refunded: its units returned to stock",
    }
}

fn refund(reason: RefundReason) -> String {
    match reason {
        RefundReason::WrongAmount { expected } => format!("it should have been {expected}"),
        RefundReason::SecondCapture => "the order was paid already".to_owned(),
        RefundReason::OrderRefunded => "the order was refunded".to_owned(),
        RefundReason::Unclaimed(because) => unclaimed(because).to_owned(),
        RefundReason::Late(why) => match why {
            LateRefusal::Cancelled => "the customer had cancelled",
            LateRefusal::Lapsed => "the reservation never got a turn",
            LateRefusal::Bundle => "it belongs to a bundle",
            LateRefusal::Policy => "it came late, and late payments are not honoured here",
            LateRefusal::CustomerLimit => "it came late, and the customer has as many as one may have",
            LateRefusal::OthersWait => "it came late, and others wait",
            LateRefusal::NoStock => "it came late, and too few units are free",
        }
        .to_owned(),
    }
}

const fn unclaimed(because: UnclaimedBecause) -> &'static str {
    match because {
        UnclaimedBecause::ReservationEnded => "the reservation ended before an order was placed",
        UnclaimedBecause::WindowPassed => "no order was placed in the time that money may wait",
    }
}

fn payment(event: &PaymentEvent) -> (&'static str, String) {
    match event {
        PaymentEvent::Offered { provider, payment, .. } => {
            ("PaymentOffered", format!("{} offered payment {payment}", provider.name()))
        }
        PaymentEvent::Failed { provider, payment, withdrawn, .. } => {
            let what = if *withdrawn { "was withdrawn" } else { "failed" };
            ("PaymentFailed", format!("payment {payment} {what}, says {}", provider.name()))
        }
        PaymentEvent::Parked { capture, until } => (
            "PaymentParked",
            format!(
                "{} came before the order (payment {}); it waits until {}",
                capture.amount,
                capture.payment,
                ms(*until)
            ),
        ),
        PaymentEvent::Captured { capture, .. } => (
            "PaymentCaptured",
            format!(
                "paid in time: {} by {} (payment {}); the sale is final",
                capture.amount,
                capture.provider.name(),
                capture.payment
            ),
        ),
        PaymentEvent::LateHonoured { capture, .. } => (
            "LatePaymentHonoured",
            format!(
                "{} came late (payment {}), but units were free and nobody waited: sold",
                capture.amount, capture.payment
            ),
        ),
        PaymentEvent::RefundDue { capture, reason, .. } => {
            ("RefundDue", format!("{} (payment {}) goes back: {}", capture.amount, capture.payment, refund(*reason)))
        }
        PaymentEvent::Unclaimed { because, .. } => {
            ("PaymentUnclaimed", format!("the money that waited goes back: {}", unclaimed(*because)))
        }
        PaymentEvent::Noted { provider, report, .. } => {
            ("ReportNoted", format!("{} told of the same payment again ({report})", provider.name()))
        }
        PaymentEvent::Disputed { provider, told, report, .. } => (
            "CaptureDisputed",
            format!("{} now tells of {} ({report}): an operator has to look", provider.name(), told),
        ),
        PaymentEvent::RefundReported { provider, payment, amount, .. } => {
            ("RefundReported", format!("{} says that {} of payment {payment} went back", provider.name(), amount))
        }
        PaymentEvent::OrderRefunded { released, by, .. } => {
            let who = match by {
                RefundedBy::Operator { reason } => format!("an operator refunded it: {reason}"),
                RefundedBy::Provider => "its provider refunded it".to_owned(),
            };
            let units = if released.get() > 0 { "its units returned to stock" } else { "its units stay sold" };
            ("OrderRefunded", format!("{who}; {units}"))
        }
        PaymentEvent::RefundSettled { by, .. } => {
            let how = match by {
                SettledBy::Provider { reference } => format!("the provider gave the money back ({reference})"),
                SettledBy::Report => "the provider had given the money back".to_owned(),
                SettledBy::Operator { reason } => format!("an operator gave the money back: {reason}"),
            };
            ("RefundSettled", how)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::events_of;

    fn story(sale: &str, about: u32) -> String {
        let mut story = Story::about(Ordinal(about));
        events_of(sale).iter().for_each(|event| story.take(event));
        let lines = story.told().expect("it is known");
        lines.iter().map(|line| format!("{} {}: {}\n", line.seq, line.event, line.words)).collect()
    }

    #[test]
    fn a_waiter_learns_why_it_waited_and_who_was_served_before_it() {
        let told = story(
            "
            item    stock=1 hold_ms=1000 price=500
            t=0     reserve r1 ann 1   -> held until 1000
            t=1     reserve r2 bob 1   -> waiting 1
            t=2     reserve r3 cyd 1   -> waiting 2
            t=3     reserve r4 dan 1   -> waiting 3
            t=4     cancel r2 bob      -> cancelled
            t=1000  tick               -> r1 expired, r3 held until 2000
            t=1001  order r3 cyd       -> ordered until 2000
            t=1002  report r3 e1 p1 500 -> applied, closed
        ",
            3,
        );
        let expected = "\
6 WaitlistJoined: dan asked for 1; none was free and 2 were waiting already, so it waits at place 3
7 ReservationCancelled: bob, who was ahead, left the line; 1 still ahead
9 HoldPromoted: cyd, who was ahead, was promoted; 0 still ahead
12 SaleClosed: everything was sold, and the sale closed: this one, the only one who still waited, never got a turn
";
        assert_eq!(told, expected);
    }

    #[test]
    fn a_sale_tells_its_money() {
        let told = story(
            "
            item    stock=2 hold_ms=1000 price=500
            t=0     reserve r1 ann 1   -> held until 1000
            t=1     order r1 ann       -> ordered until 1000
            t=1000  report r1 e1 p1 500 -> honoured, r1 expired
            t=1001  report r1 e2 p2 500 -> refund_due
            t=1002  done 1              -> refunded
        ",
            0,
        );
        let expected = "\
3 HoldPlaced: ann asked for 1; enough was free and nobody waited, so it was held at once, until [1000]
4 OrderPlaced: ordered for 500 USD minor units; payments are in time until [1000]
5 HoldExpired: its time ran out unpaid: it was due at [1000]
6 LatePaymentHonoured: 500 USD minor units came late (payment p1), but units were free and nobody waited: sold
7 RefundDue: 500 USD minor units (payment p2) goes back: the order was paid already
8 RefundSettled: the provider gave the money back (re-1)
";
        assert_eq!(told, expected);
    }

    #[test]
    fn one_is_told_as_one_and_more_as_more() {
        let told = story(
            "
            item    stock=2 per_order=2 limit=2 hold_ms=1000
            t=0     reserve r1 ann 1   -> held until 1000
            t=1     reserve r2 bob 2   -> waiting 1
            t=2     reserve r3 cyd 1   -> waiting 2
            t=3     close              -> closed
        ",
            1,
        );
        let expected = "\
4 WaitlistJoined: bob asked for 2; only one was free, so it waits at place 1
6 SaleClosed: an operator closed the sale: all 2 who still waited, this one among them, never got a turn
";
        assert_eq!(told, expected);
    }

    #[test]
    fn there_is_no_story_of_what_never_was() {
        assert_eq!(Story::about(Ordinal(7)).told(), None);
    }
}
