//! A sale's main line, recounted: who gets units, who waits, and how reservations end.

use super::item::{ItemBooks, Phase};
use super::later;
use super::life::{Entry, Hold, Life, Part};
use super::money::Pot;
use super::order::{Order, Stands};
use crate::event::{Body, Decision, Money, Payment, Provider, Purchase};
use crate::finding::Rule;

impl ItemBooks {
    pub(super) fn book_sale(&mut self, body: &Body) {
        match body {
            Body::HoldPlaced { reservation, customer, quantity, deadline_ms, .. } => {
                self.nobody_waits(*reservation);
                self.begin(*reservation, customer, *quantity);
                self.grant(*reservation, *deadline_ms);
            }
            Body::WaitlistJoined { reservation, customer, quantity, position, available } => {
                self.join(*reservation, customer, *quantity, (*position, *available));
            }
            Body::PurchaseConfirmed(purchase) => self.purchase(purchase),
            Body::ReservationCancelled { reservation, released } => self.cancel(*reservation, i64::from(*released)),
            Body::HoldExtended { reservation, deadline_ms } => self.extend(*reservation, *deadline_ms),
            Body::OrderPlaced { reservation, amount, release_at_ms, .. } => {
                self.order(*reservation, *amount, *release_at_ms);
            }
            Body::PartHeld { reservation, customer, quantity, bundle } => {
                self.nobody_waits(*reservation);
                self.begin(*reservation, customer, *quantity);
                self.turn(*reservation, Life::Part, &|life| life == Life::Waiting);
                self.take_units(*reservation);
                if let Some(entry) = self.entries.get_mut(*reservation as usize) {
                    entry.part = Some(Part { bundle: *bundle, decision: None });
                }
            }
            Body::PartSettled { reservation, bundle, decision, released } => {
                self.settle_part(*reservation, *bundle, *decision, i64::from(*released));
            }
            Body::HoldExpired { reservation, release_at_ms, released } => {
                self.expire(*reservation, *release_at_ms, i64::from(*released));
            }
            Body::HoldPromoted { reservation, deadline_ms, because } => {
                self.promote(*reservation, *deadline_ms, *because);
            }
            Body::WaitlistLapsed { reservation, .. } => self.lapse(*reservation),
            // Entered by whoever asks.
            Body::ItemCreated { .. }
            | Body::ItemRevised { .. }
            | Body::SaleOpened { .. }
            | Body::SalePaused
            | Body::SaleResumed
            | Body::SaleClosed { .. }
            | Body::StockAdjusted { .. }
            | Body::ClockResumed { .. }
            | Body::Payment { .. }
            | Body::ItemRegistered { .. }
            | Body::PartitionKeyed { .. }
            | Body::BundleHeld { .. }
            | Body::BundleOrdered { .. }
            | Body::BundleCancelled { .. }
            | Body::BundleExpired { .. }
            | Body::PaymentUnmatched { .. }
            | Body::Endpoint { .. } => {}
        }
    }

    fn quantity_of(&self, ordinal: u32) -> i64 {
        self.entries.get(ordinal as usize).map_or(0, |entry| entry.quantity)
    }

    fn customer_of(&self, ordinal: u32) -> String {
        self.entries.get(ordinal as usize).map(|entry| entry.customer.clone()).unwrap_or_default()
    }

    /// A newcomer never passes anybody who waits.
    fn nobody_waits(&mut self, ordinal: u32) {
        let waiting = self.line.len();
        self.check(Rule::Overtaken, waiting == 0, || {
            format!("{ordinal} was granted units at once while {waiting} were waiting")
        });
    }

    /// A new reservation, within phase, maximum, limit and cool-off.
    fn begin(&mut self, ordinal: u32, customer: &str, quantity: u32) {
        let (next, phase) = (self.entries.len(), self.phase);
        self.check(Rule::Life, next == ordinal as usize, || format!("reservation {ordinal} begins as number {next}"));
        self.check(Rule::Phase, phase == Phase::Open, || format!("reservation {ordinal} begins while {phase:?}"));
        let max = self.settings.per_order_max;
        self.check(Rule::Terms, (1..=max).contains(&quantity), || format!("{quantity} units, and {max} is the most"));
        let units = i64::from(quantity);
        let (at, theirs) = (self.at, self.customers.entry(customer.to_owned()).or_default());
        theirs.units += units;
        let theirs = *theirs;
        self.check(Rule::Terms, theirs.cooling_until <= at, || {
            format!("{customer} is served at {at} and has to wait until {}", theirs.cooling_until)
        });
        self.check_limit(customer, theirs.units);
        self.entries.push(Entry { customer: customer.to_owned(), quantity: units, life: Life::Waiting, part: None });
    }

    fn check_limit(&mut self, customer: &str, units: i64) {
        let limit = i64::from(self.settings.per_customer_limit);
        self.check(Rule::Limit, units <= limit, || format!("{customer} has {units}, and the limit is {limit}"));
    }

    /// Moves a reservation on, if it is where it has to be; otherwise says so and moves it all the same.
    fn turn(&mut self, ordinal: u32, to: Life, from: &dyn Fn(Life) -> bool) {
        let found = self.entries.get_mut(ordinal as usize);
        let before = found.map(|entry| std::mem::replace(&mut entry.life, to));
        self.line.remove(&ordinal);
        self.check(Rule::Life, before.is_some_and(from), || {
            format!("reservation {ordinal} becomes {to:?} and was {before:?}")
        });
    }

    fn take_units(&mut self, ordinal: u32) {
        let quantity = self.quantity_of(ordinal);
        self.units.granted += quantity;
        self.units.available -= quantity;
        self.units.held += quantity;
    }

    fn grant(&mut self, ordinal: u32, deadline: u64) {
        let settings = &self.settings;
        let (extensions, extension_ms) = (settings.extension_times, settings.extension_by_ms);
        let expected = later(self.at, settings.hold_time_ms);
        let (grace_ms, release_at) = (settings.grace_ms, deadline);
        self.check(Rule::Deadline, deadline == expected, || {
            format!("reservation {ordinal} is held until {deadline}, not {expected}")
        });
        let hold = Hold { deadline, release_at, is_ordered: false, grace_ms, extensions, extension_ms };
        self.turn(ordinal, Life::Held(hold), &|life| life == Life::Waiting);
        self.take_units(ordinal);
    }

    /// Somebody waits only where units are not free for newcomers, and at the end of the line.
    fn join(&mut self, ordinal: u32, customer: &str, quantity: u32, (position, available): (u32, u32)) {
        self.begin(ordinal, customer, quantity);
        let (units, ahead, free) = (i64::from(quantity), self.line.len(), self.units.available);
        let (enabled, capacity) = (self.settings.waitlist_enabled, self.settings.waitlist_capacity);
        let unsold = free + self.units.held;
        self.check(Rule::Terms, enabled && ahead < capacity as usize && units <= unsold, || {
            format!("{ordinal} joins behind {ahead} of at most {capacity}, for {units} of {unsold} units not sold")
        });
        self.check(Rule::Place, (ahead > 0 || free < units) && free == i64::from(available), || {
            format!("{ordinal} has to wait for {units} behind {ahead} while {free} are free; {available} were told")
        });
        self.line.insert(ordinal);
        self.units.waited += 1;
        let place = self.line.len();
        self.check(Rule::Place, place == position as usize, || {
            format!("{ordinal} joined at place {place} and was told {position}")
        });
    }

    fn purchase(&mut self, purchase: &Purchase) {
        let ordinal = purchase.reservation;
        self.nobody_waits(ordinal);
        self.begin(ordinal, &purchase.customer, purchase.quantity);
        let by_backend = purchase.capture.provider == Provider::External;
        self.check(Rule::MoneyAstray, by_backend, || format!("purchase {ordinal} is paid by {:?}", purchase.capture));
        self.turn(ordinal, Life::Sold, &|life| life == Life::Waiting);
        self.take_units(ordinal);
        self.sell_units(ordinal);
        let (price, amount) = (self.price_of(ordinal), purchase.capture.amount);
        self.check(Rule::Price, amount == price, || {
            format!("purchase {ordinal} is paid with {amount:?}, not {price:?}")
        });
        let mut moving = self.moving(ordinal);
        moving.take(&purchase.capture, Pot::Kept);
        moving.sold_for(price, 1);
    }

    /// Units that were held are sold; whoever buys is no hoarder.
    fn sell_units(&mut self, ordinal: u32) {
        let quantity = self.quantity_of(ordinal);
        self.units.held -= quantity;
        self.units.sold += quantity;
        let customer = self.customer_of(ordinal);
        if let Some(theirs) = self.customers.get_mut(&customer) {
            theirs.expiries_in_row = 0;
        }
    }

    /// A command finds a hold ended whose time is over.
    fn in_time(&mut self, ordinal: u32, end: impl Fn(&Hold) -> u64) {
        let (at, Some(Life::Held(hold))) = (self.at, self.life(ordinal)) else { return };
        let end = end(&hold);
        self.check(Rule::TooLate, at < end, || format!("a command on {ordinal} at {at}, and its time ended at {end}"));
    }

    fn cancel(&mut self, ordinal: u32, released: i64) {
        self.in_time(ordinal, |hold| hold.release_at);
        self.units.cancelled += 1;
        self.end(ordinal, Life::Cancelled, released);
    }

    fn extend(&mut self, ordinal: u32, deadline: u64) {
        self.in_time(ordinal, |hold| hold.deadline);
        let Some(Life::Held(mut hold)) = self.life(ordinal) else {
            return self.check(Rule::Life, false, || format!("reservation {ordinal} is extended and not held"));
        };
        let expected = later(hold.deadline, hold.extension_ms);
        self.check(Rule::Deadline, deadline == expected && hold.extensions > 0, || {
            format!("{ordinal} is extended to {deadline}, not {expected}; {} extensions were left", hold.extensions)
        });
        hold.extensions = hold.extensions.saturating_sub(1);
        hold.move_to(deadline);
        self.turn(ordinal, Life::Held(hold), &|life| matches!(life, Life::Held(_)));
    }

    fn order(&mut self, ordinal: u32, amount: Money, release_at: u64) {
        self.in_time(ordinal, |hold| hold.deadline);
        let Some(Life::Held(mut hold)) = self.life(ordinal) else {
            return self.check(Rule::Life, false, || format!("reservation {ordinal} is ordered and not held"));
        };
        let price = self.price_of(ordinal);
        self.check(Rule::Price, amount == price, || format!("{ordinal} is ordered for {amount:?}, not {price:?}"));
        self.check(Rule::Twice, !hold.is_ordered, || format!("reservation {ordinal} is ordered twice"));
        hold.is_ordered = true;
        hold.move_to(hold.deadline);
        self.check(Rule::Deadline, hold.release_at == release_at, || {
            format!("{ordinal} is released at {release_at}, not {}", hold.release_at)
        });
        self.turn(ordinal, Life::Held(hold), &|life| matches!(life, Life::Held(_)));
    }

    pub(super) fn price_of(&self, ordinal: u32) -> Money {
        let quantity = u64::try_from(self.quantity_of(ordinal)).unwrap_or_default();
        let Money { minor, currency } = self.settings.unit_price;
        Money { minor: minor.saturating_mul(quantity), currency }
    }

    fn expire(&mut self, ordinal: u32, release_at: u64, released: i64) {
        let (at, before) = (self.at, self.life(ordinal));
        let right = matches!(before, Some(Life::Held(hold)) if hold.release_at == release_at) && at >= release_at;
        self.check(Rule::EndedEarly, right, || {
            format!("{ordinal} expires at {at} as if its time ended at {release_at}, and it is {before:?}")
        });
        self.units.expired += 1;
        self.end(ordinal, Life::Expired, released);
        let (after, lasts) = (self.settings.cool_off_after_expiries, self.settings.cool_off_lasts_ms);
        let customer = self.customer_of(ordinal);
        let Some(theirs) = self.customers.get_mut(&customer) else { return };
        theirs.expiries_in_row = theirs.expiries_in_row.saturating_add(1);
        if after > 0 && theirs.expiries_in_row >= after {
            theirs.expiries_in_row = 0;
            theirs.cooling_until = later(at, lasts);
        }
    }

    /// Strictly from the head, while the units are there and the sale is open.
    fn promote(&mut self, ordinal: u32, deadline: u64, because: u64) {
        let (head, wanted, free) = (self.line.first().copied(), self.quantity_of(ordinal), self.units.available);
        let (phase, freed_by) = (self.phase, self.freed_by);
        self.check(Rule::OutOfTurn, head == Some(ordinal) && wanted <= free && phase == Phase::Open, || {
            format!(
                "{ordinal} is promoted for {wanted} of {free} units while {head:?} is the head and the sale {phase:?}"
            )
        });
        self.check(Rule::Because, because == freed_by, || {
            format!("{ordinal} is promoted because of event {because}; it was event {freed_by} that freed units")
        });
        self.units.promoted += 1;
        self.grant(ordinal, deadline);
    }

    /// Only a head that wants more than will ever be free may be passed over.
    fn lapse(&mut self, ordinal: u32) {
        let (head, wanted) = (self.line.first().copied(), self.quantity_of(ordinal));
        let (unsold, phase) = (self.units.available + self.units.held, self.phase);
        self.check(Rule::OutOfTurn, head == Some(ordinal) && wanted > unsold && phase == Phase::Open, || {
            format!("{ordinal} lapses, wants {wanted}, and {unsold} are not sold; {head:?} is the head")
        });
        self.units.lapsed += 1;
        self.end(ordinal, Life::Lapsed, 0);
    }

    /// Ends a hold, a part or a wait. `released` is what the event says it set free.
    pub(super) fn end(&mut self, ordinal: u32, to: Life, released: i64) {
        let held = matches!(self.life(ordinal), Some(Life::Held(_) | Life::Part));
        let quantity = self.quantity_of(ordinal);
        let may_end = |life| match to {
            Life::Expired => matches!(life, Life::Held(_) | Life::Part),
            Life::Lapsed => life == Life::Waiting,
            Life::Waiting | Life::Held(_) | Life::Part | Life::Sold | Life::Cancelled | Life::Returned => {
                life.is_live()
            }
        };
        self.turn(ordinal, to, &may_end);
        let due = if held { quantity } else { 0 };
        self.check(Rule::Released, released == due, || {
            format!("{ordinal} ends as {to:?} and releases {released} of {due}")
        });
        self.units.released += released;
        self.units.held -= released;
        self.units.available += released;
        if held {
            self.freed_by = self.seq;
        }
        self.take_from_customer(ordinal, quantity);
    }

    fn take_from_customer(&mut self, ordinal: u32, quantity: i64) {
        let customer = self.customer_of(ordinal);
        if let Some(theirs) = self.customers.get_mut(&customer) {
            theirs.units -= quantity;
        }
    }

    /// Sold units return to stock.
    fn give_back(&mut self, ordinal: u32, released: i64) {
        let quantity = self.quantity_of(ordinal);
        self.turn(ordinal, Life::Returned, &|life| life == Life::Sold);
        self.check(Rule::Released, released == quantity, || format!("{ordinal} returns {released} of {quantity}"));
        self.units.sold -= released;
        self.units.released += released;
        self.units.available += released;
        self.freed_by = self.seq;
        self.take_from_customer(ordinal, quantity);
    }

    fn settle_part(&mut self, ordinal: u32, bundle: u128, decision: Decision, released: i64) {
        let part = self.entries.get_mut(ordinal as usize).and_then(|entry| entry.part.as_mut());
        let of = part.as_ref().map(|part| part.bundle);
        if let Some(part) = part {
            part.decision = Some(decision);
        }
        self.check(Rule::Torn, of == Some(bundle), || format!("{ordinal} follows bundle {bundle:x} and is of {of:x?}"));
        match decision {
            Decision::Sold => {
                self.turn(ordinal, Life::Sold, &|life| life == Life::Part);
                self.check(Rule::Released, released == 0, || format!("part {ordinal} is sold and releases {released}"));
                self.sell_units(ordinal);
            }
            Decision::Expired => {
                self.units.expired += 1;
                self.end(ordinal, Life::Expired, released);
            }
            Decision::Cancelled | Decision::Abandoned => {
                self.units.cancelled += 1;
                self.end(ordinal, Life::Cancelled, released);
            }
            Decision::Returned => self.give_back(ordinal, released),
        }
    }

    /// How the order of a reservation stands, by what is known before the event.
    fn stands(&self, ordinal: u32) -> Stands {
        let Some(entry) = self.entries.get(ordinal as usize) else { return Stands::Unknown };
        if entry.part.is_some() {
            return Stands::Ended(vec![18]);
        }
        match entry.life {
            Life::Waiting | Life::Part => Stands::NotPlaced,
            Life::Held(hold) if hold.is_ordered => Stands::Placed { release_at: hold.release_at },
            Life::Held(_) => Stands::NotPlaced,
            Life::Sold | Life::Returned => Stands::Paid,
            Life::Cancelled => Stands::Ended(vec![16]),
            Life::Lapsed => Stands::Ended(vec![17]),
            Life::Expired => Stands::Ended(self.refusals(entry)),
        }
    }

    /// What speaks against honouring a late payment of an expired reservation.
    fn refusals(&self, entry: &Entry) -> Vec<u8> {
        let theirs = self.customers.get(&entry.customer).map_or(0, |theirs| theirs.units);
        let reasons = [
            (19, !self.settings.honours_late),
            (20, theirs + entry.quantity > i64::from(self.settings.per_customer_limit)),
            (21, !self.line.is_empty()),
            (22, self.units.available < entry.quantity),
        ];
        reasons.into_iter().filter(|(_, is_so)| *is_so).map(|(code, _)| code).collect()
    }

    pub(super) fn pay(&mut self, owner: u32, event: &Payment) {
        let (stands, price) = (self.stands(owner), self.price_of(owner));
        let order = Order { stands, price, window_ms: self.settings.parked_window_ms, at: self.at };
        order.pay(&mut self.moving(owner), event);
        match event {
            Payment::Captured { .. } => {
                self.turn(owner, Life::Sold, &|life| matches!(life, Life::Held(_)));
                self.sell_units(owner);
            }
            Payment::LateHonoured { .. } => {
                self.nobody_waits(owner);
                self.turn(owner, Life::Sold, &|life| life == Life::Expired);
                let (quantity, customer) = (self.quantity_of(owner), self.customer_of(owner));
                let theirs = self.customers.entry(customer.clone()).or_default();
                theirs.units += quantity;
                let units = theirs.units;
                self.check_limit(&customer, units);
                self.take_units(owner);
                self.sell_units(owner);
            }
            Payment::OrderRefunded { released, .. } => {
                let life = self.life(owner);
                self.check(Rule::Life, life == Some(Life::Sold), || format!("{owner} is refunded and was {life:?}"));
                if *released > 0 {
                    self.give_back(owner, i64::from(*released));
                }
            }
            Payment::Parked { .. }
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
}
