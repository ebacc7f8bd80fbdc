//! A partition's own stream, recounted: items registered, and bundles with their orders and their money.

use super::keys::Keys;
use super::later;
use super::money::{MoneySums, Moving, Purse, Taken};
use super::order::{Order, Stands};
use crate::event::{Body, Bundle, Event, Money, Payment, Provider};
use crate::finding::{Findings, Place, Rule};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Where a bundle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Held,
    Sold,
    Returned,
    Cancelled,
    Expired,
}

/// One bundle.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) held: Bundle,
    pub(super) state: State,
    amount: Money,
    deadline: u64,
    release_at: u64,
    is_ordered: bool,
}

impl Entry {
    fn move_to(&mut self, deadline: u64) {
        self.deadline = deadline;
        self.release_at = if self.is_ordered { later(deadline, self.held.grace_ms) } else { deadline };
    }
}

/// The books of one partition's own stream.
#[derive(Clone, Debug, Default)]
pub struct PartitionBooks {
    /// What was found.
    pub findings: Findings,
    pub(super) registered: BTreeMap<u32, String>,
    pub(super) bundles: Vec<Entry>,
    pub(super) by_id: HashMap<u128, usize>,
    purse: Purse,
    keys: Keys,
    skus: HashSet<String>,
    is_keyed: bool,
    unmatched: HashSet<(Provider, String)>,
    endpoints: HashSet<u32>,
    seq: u64,
    at: u64,
}

impl PartitionBooks {
    /// How many bundles were ever held, and how many of them are sold.
    #[must_use]
    pub fn bundle_counts(&self) -> (usize, usize) {
        let sold = |entry: &&Entry| matches!(entry.state, State::Sold | State::Returned);
        (self.bundles.len(), self.bundles.iter().filter(sold).count())
    }

    /// Every capture for a bundle, in the order in which they came.
    pub fn captures(&self) -> impl Iterator<Item = &Taken> {
        self.purse.captures.iter()
    }

    /// The bundles' money by currency.
    pub fn money(&self) -> impl Iterator<Item = ([u8; 3], MoneySums)> {
        self.purse.sums.iter().map(|(currency, sums)| (*currency, *sums))
    }

    fn check(&mut self, rule: Rule, is_kept: bool, words: impl FnOnce() -> String) {
        self.findings.check(rule, is_kept, words);
    }

    pub(super) fn enter(&mut self, place: Place, event: &Event) {
        self.findings.move_to(place);
        let (seq, at, before) = (event.seq, event.at, (self.seq, self.at));
        self.check(Rule::Sequence, seq == before.0 + 1, || format!("event {seq} follows event {}", before.0));
        self.check(Rule::Time, at >= before.1, || format!("{at} ms follows {} ms", before.1));
        (self.seq, self.at) = (seq, at);
        self.keys.enter(&mut self.findings, event.key, (seq, at));
        match &event.body {
            Body::ItemRegistered { item, sku } => self.register(event.item, *item, sku),
            Body::PartitionKeyed { .. } => {
                let again = std::mem::replace(&mut self.is_keyed, true);
                self.check(Rule::Registered, !again, || "the partition is given a second secret".to_owned());
            }
            Body::BundleHeld { bundle, held, amount, deadline_ms } => self.hold(*bundle, held, *amount, *deadline_ms),
            Body::BundleOrdered { bundle, amount, release_at_ms, .. } => self.order(*bundle, *amount, *release_at_ms),
            Body::BundleCancelled { bundle } => {
                self.in_time(*bundle, |entry| entry.release_at);
                self.turn(*bundle, State::Cancelled, State::Held);
            }
            Body::BundleExpired { bundle, release_at_ms } => self.expire(*bundle, *release_at_ms),
            Body::Payment { owner, event } => {
                self.pay(*owner, event);
                self.purse.balance(&mut self.findings);
            }
            Body::PaymentUnmatched { report, .. } => {
                let is_new = self.unmatched.insert((report.provider, report.report.clone()));
                self.check(Rule::Twice, is_new, || format!("the unmatched report {} is noted twice", report.report));
            }
            Body::Endpoint { endpoint, event } => {
                let adds = matches!(**event, crate::event::Endpoint::Added { .. });
                let known = self.endpoints.contains(endpoint);
                self.check(Rule::Life, known != adds, || format!("endpoint {endpoint} is known: {known}"));
                self.endpoints.insert(*endpoint);
            }
            Body::ClockResumed { release_floor_ms, .. } => self.resume(*release_floor_ms),
            Body::ItemCreated { .. }
            | Body::ItemRevised { .. }
            | Body::SaleOpened { .. }
            | Body::SalePaused
            | Body::SaleResumed
            | Body::SaleClosed { .. }
            | Body::StockAdjusted { .. }
            | Body::HoldPlaced { .. }
            | Body::WaitlistJoined { .. }
            | Body::PurchaseConfirmed(_)
            | Body::ReservationCancelled { .. }
            | Body::HoldExtended { .. }
            | Body::OrderPlaced { .. }
            | Body::PartHeld { .. }
            | Body::PartSettled { .. }
            | Body::HoldExpired { .. }
            | Body::HoldPromoted { .. }
            | Body::WaitlistLapsed { .. } => {
                self.check(Rule::Life, false, || "this belongs into an item's stream".to_owned());
            }
        }
    }

    fn register(&mut self, stream: u32, item: u32, sku: &str) {
        let expected = stream | (u32::try_from(self.registered.len()).unwrap_or(u32::MAX) + 1);
        let is_new = self.skus.insert(sku.to_owned());
        self.check(Rule::Registered, item == expected && is_new, || {
            format!("{sku} is registered as {item:#010x}, the next is {expected:#010x}; the sku is new: {is_new}")
        });
        self.registered.insert(item, sku.to_owned());
    }

    fn hold(&mut self, number: u32, held: &Bundle, amount: Money, deadline: u64) {
        let (next, known) = (self.bundles.len(), self.by_id.insert(held.id, self.bundles.len()));
        self.check(Rule::Life, next == number as usize && known.is_none() && self.is_keyed, || {
            format!("bundle {number} begins as number {next}; its id is known as {known:?}")
        });
        self.check(Rule::Torn, !held.lines.is_empty(), || format!("bundle {number} has no lines"));
        let sum = held.lines.iter().map(|line| u128::from(line.amount.minor)).sum::<u128>();
        let one = held.lines.iter().all(|line| line.amount.currency == amount.currency);
        self.check(Rule::Price, sum == u128::from(amount.minor) && one, || {
            format!("bundle {number} costs {amount:?}, and its lines {sum}, all in one currency: {one}")
        });
        let expected = later(self.at, held.hold_time_ms);
        self.check(Rule::Deadline, deadline == expected, || format!("held until {deadline}, not {expected}"));
        self.bundles.push(Entry {
            held: held.clone(),
            state: State::Held,
            amount,
            deadline,
            release_at: deadline,
            is_ordered: false,
        });
    }

    fn state(&self, number: u32) -> Option<State> {
        self.bundles.get(number as usize).map(|entry| entry.state)
    }

    fn turn(&mut self, number: u32, to: State, from: State) {
        let before = self.bundles.get_mut(number as usize).map(|entry| std::mem::replace(&mut entry.state, to));
        self.check(Rule::Life, before == Some(from), || format!("bundle {number} becomes {to:?} and was {before:?}"));
    }

    fn in_time(&mut self, number: u32, end: impl Fn(&Entry) -> u64) {
        let (at, Some(entry)) = (self.at, self.bundles.get(number as usize)) else { return };
        let end = end(entry);
        self.check(Rule::TooLate, at < end, || {
            format!("a command on bundle {number} at {at}; its time ended at {end}")
        });
    }

    fn order(&mut self, number: u32, amount: Money, release_at: u64) {
        self.in_time(number, |entry| entry.deadline);
        self.turn(number, State::Held, State::Held);
        let Some(entry) = self.bundles.get_mut(number as usize) else { return };
        let again = std::mem::replace(&mut entry.is_ordered, true);
        entry.move_to(entry.deadline);
        let (price, expected) = (entry.amount, entry.release_at);
        self.check(Rule::Twice, !again, || format!("bundle {number} is ordered twice"));
        self.check(Rule::Price, amount == price, || {
            format!("bundle {number} is ordered for {amount:?}, not {price:?}")
        });
        self.check(Rule::Deadline, release_at == expected, || format!("released at {release_at}, not {expected}"));
    }

    fn expire(&mut self, number: u32, release_at: u64) {
        let (at, due) = (self.at, self.bundles.get(number as usize).map(|entry| entry.release_at));
        self.check(Rule::EndedEarly, due == Some(release_at) && at >= release_at, || {
            format!("bundle {number} expires at {at} as if its time ended at {release_at}, and it ends at {due:?}")
        });
        self.turn(number, State::Expired, State::Held);
    }

    fn pay(&mut self, number: u32, event: &Payment) {
        let entry = self.bundles.get(number as usize);
        let (stands, price, window_ms) = match entry {
            None => (Stands::Unknown, Money { minor: 0, currency: *b"XXX" }, 0),
            Some(entry) => (stands(entry), entry.amount, entry.held.parked_window_ms),
        };
        let order = Order { stands, price, window_ms, at: self.at };
        order.pay(&mut Moving { purse: &mut self.purse, findings: &mut self.findings, owner: number }, event);
        match event {
            Payment::Captured { .. } => self.turn(number, State::Sold, State::Held),
            Payment::OrderRefunded { released, .. } => self.refund(number, i64::from(*released)),
            // Honouring a late payment is refused by how an ended bundle's order stands.
            Payment::LateHonoured { .. }
            | Payment::Parked { .. }
            | Payment::RefundDue { .. }
            | Payment::Unclaimed { .. }
            | Payment::Failed { .. }
            | Payment::Noted { .. }
            | Payment::Disputed { .. }
            | Payment::RefundReported { .. }
            | Payment::RefundSettled { .. }
            | Payment::Offered { .. } => {}
        }
    }

    fn refund(&mut self, number: u32, released: i64) {
        let state = self.state(number);
        self.check(Rule::Life, state == Some(State::Sold), || format!("bundle {number} is refunded and was {state:?}"));
        if released > 0 {
            let units = self
                .bundles
                .get(number as usize)
                .map(|entry| entry.held.lines.iter().map(|line| i64::from(line.quantity)).sum::<i64>());
            self.check(Rule::Released, units == Some(released), || format!("{released} of {units:?} units return"));
            self.turn(number, State::Returned, State::Sold);
        }
    }

    fn resume(&mut self, floor: u64) {
        for entry in self.bundles.iter_mut().filter(|entry| entry.state == State::Held && entry.release_at < floor) {
            let grace = if entry.is_ordered { entry.held.grace_ms } else { 0 };
            entry.move_to(floor.saturating_sub(grace));
        }
    }

    /// What can be said only once everything is entered.
    pub(super) fn close(&mut self) {
        self.purse.recount(&mut self.findings);
        let paid = self.purse.paid_counts();
        for (number, entry) in (0u32..).zip(&self.bundles) {
            if matches!(entry.state, State::Sold | State::Returned) {
                let times = paid.get(&number).copied().unwrap_or_default();
                self.findings.check(Rule::Twice, times == 1, || format!("bundle {number} was paid {times} times"));
            }
        }
    }
}

fn stands(entry: &Entry) -> Stands {
    match entry.state {
        State::Held if entry.is_ordered => Stands::Placed { release_at: entry.release_at },
        State::Held => Stands::NotPlaced,
        State::Sold | State::Returned => Stands::Paid,
        // A late payment for an ended bundle always goes back: its parts may be somebody else's already.
        State::Cancelled | State::Expired => Stands::Ended(vec![18]),
    }
}
