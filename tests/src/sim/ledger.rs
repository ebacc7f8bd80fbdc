//! What the log says, counted again from its events alone: plain lists, no rule code of the engine.

use domain::event::{Event, Recorded};
use domain::identity::BundleId;
use domain::ids::{ItemNo, Ordinal, Seq};
use domain::payment::{Capture, PaymentEvent, Provider};
use domain::policy::Policy;
use domain::text::{CustomerId, PaymentId};
use domain::time::Timestamp;
use std::collections::{BTreeMap, HashMap};

/// Every item's book, and the events they were made of.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// In the order of the log.
    pub(super) events: Vec<(ItemNo, Recorded)>,
    books: BTreeMap<ItemNo, Book>,
    /// How often each idempotency key stands in the log.
    keys: HashMap<(ItemNo, u128), u32>,
}

/// One item's book.
#[derive(Debug)]
pub(super) struct Book {
    /// Its last event.
    pub(super) seq: Seq,
    at: Timestamp,
    total: i64,
    policy: Policy,
    /// Whether the sale is on.
    open: bool,
    /// Whether the sale is over.
    pub(super) closed: bool,
    /// Every reservation, by ordinal.
    pub(super) lines: Vec<Line>,
    /// Every capture, in the order in which they came.
    pub(super) captures: Vec<Money>,
}

/// One reservation.
#[derive(Debug)]
pub(super) struct Line {
    /// Whose.
    pub(super) customer: CustomerId,
    quantity: i64,
    /// What it is.
    pub(super) state: State,
    ordered: bool,
    /// How often its hold may still be extended.
    extensions: u8,
}

/// What a reservation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// In line.
    Waiting,
    /// Units are set aside until then.
    Held {
        /// The deadline.
        deadline: Timestamp,
        /// The deadline with its grace.
        release_at: Timestamp,
    },
    /// Units are set aside for this bundle.
    Part(BundleId),
    /// Sold.
    Sold,
    /// Expired: a late payment may honour it.
    Expired,
    /// Over otherwise.
    Over,
}

/// One capture.
#[derive(Debug)]
pub(super) struct Money {
    /// Who took it.
    pub(super) provider: Provider,
    /// Its id there.
    pub(super) payment: PaymentId,
    amount: u64,
    /// Where it is.
    pub(super) place: Place,
}

/// Where a capture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Parked,
    Kept,
    Due,
    Refunded,
}

impl Ledger {
    /// Takes the next event of the log.
    ///
    /// # Errors
    /// In words, which invariant it breaks.
    pub(super) fn take(&mut self, no: ItemNo, recorded: &Recorded) -> Result<(), String> {
        if let Some(key) = recorded.idempotency {
            let count = self.keys.entry((no, key.request.0)).or_default();
            *count += 1;
            check(*count == 1, || format!("invariant 29: one key had {count} effects"))?;
        }
        if let Event::ItemCreated { spec, .. } = &recorded.event {
            self.books.insert(no, Book::new(recorded, spec.total.get(), spec.settings.policy.clone()));
        } else {
            let book = self.books.get_mut(&no).ok_or("an event of an item never created")?;
            let before = (book.seq, book.at);
            check(recorded.seq == before.0.next(), || format!("invariant 34: {} follows {}", recorded.seq, before.0))?;
            check(recorded.at >= before.1, || "invariant 20: logged time runs backwards".to_owned())?;
            (book.seq, book.at) = (recorded.seq, recorded.at);
            book.take(recorded)?;
            book.check()?;
        }
        self.events.push((no, recorded.clone()));
        Ok(())
    }

    /// An item's book.
    #[must_use]
    pub(super) fn book(&self, no: ItemNo) -> Option<&Book> {
        self.books.get(&no)
    }

    /// How often a key stands in the log.
    #[must_use]
    pub(super) fn effects(&self, no: ItemNo, request: u128) -> u32 {
        self.keys.get(&(no, request)).copied().unwrap_or(0)
    }
}

fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

impl Book {
    fn new(recorded: &Recorded, total: u32, policy: Policy) -> Self {
        Self {
            seq: recorded.seq,
            at: recorded.at,
            total: i64::from(total),
            policy,
            open: false,
            closed: false,
            lines: Vec::new(),
            captures: Vec::new(),
        }
    }

    fn out(&self) -> i64 {
        let has = |line: &&Line| matches!(line.state, State::Held { .. } | State::Part(_) | State::Sold);
        self.lines.iter().filter(has).map(|line| line.quantity).sum()
    }

    fn check(&self) -> Result<(), String> {
        check(self.out() <= self.total, || format!("invariant 4: {} of {} units are out", self.out(), self.total))
    }

    /// Ordinals of those who wait.
    pub(super) fn waiting(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.lines).filter(|(_, line)| line.state == State::Waiting).map(|(ordinal, _)| ordinal)
    }

    /// Bundles whose parts have not been told how they ended.
    pub(super) fn parts(&self) -> impl Iterator<Item = BundleId> {
        self.lines.iter().filter_map(|line| match line.state {
            State::Part(bundle) => Some(bundle),
            _ => None,
        })
    }

    /// Whether this payment's money is in the book.
    #[must_use]
    pub(super) fn has_money(&self, provider: Provider, payment: &PaymentId) -> bool {
        self.captures.iter().any(|money| money.provider == provider && money.payment == *payment)
    }

    /// Whether a customer may be refused units without the item being asked, by what is durable.
    ///
    /// # Errors
    /// In words, why not.
    pub(super) fn may_refuse_unasked(
        &self,
        customer: &CustomerId,
        quantity: u32,
        now: Timestamp,
    ) -> Result<(), String> {
        let known = self.lines.iter().any(|line| line.customer == *customer);
        check(!known, || format!("rule 1: {customer} is a customer, and was refused as a newcomer"))?;
        let over = |line: &Line| matches!(line.state, State::Held { release_at, .. } if release_at <= now);
        check(!self.lines.iter().any(over), || "a newcomer was refused though a hold had ended by then".to_owned())?;
        let nobody_waits = self.waiting().next().is_none();
        let most = self.policy.per_order_max.get().min(self.policy.per_customer_limit.get());
        let free = self.open && nobody_waits && self.total - self.out() >= i64::from(quantity) && quantity <= most;
        check(!free, || format!("a newcomer was refused {quantity} units that are free"))
    }

    /// Every hold there is.
    pub(super) fn held(&self) -> impl Iterator<Item = Ordinal> {
        let held = (0..).zip(&self.lines).filter(|(_, line)| matches!(line.state, State::Held { .. }));
        held.map(|(ordinal, _)| Ordinal(ordinal))
    }

    /// Whether nothing is held, waiting, or parked.
    #[must_use]
    pub(super) fn is_at_rest(&self) -> bool {
        let live = |line: &Line| matches!(line.state, State::Held { .. } | State::Part(_) | State::Waiting);
        !self.lines.iter().any(live) && !self.captures.iter().any(|money| money.place == Place::Parked)
    }

    fn line(&mut self, ordinal: Ordinal) -> Result<&mut Line, String> {
        let place = usize::try_from(ordinal.0).map_err(|error| error.to_string())?;
        self.lines.get_mut(place).ok_or_else(|| format!("reservation {} is not known", ordinal.0))
    }

    fn join(&mut self, reservation: Ordinal, customer: &CustomerId, quantity: u32, state: State) -> Result<(), String> {
        check(reservation.0 as usize == self.lines.len(), || "ordinals are not in order of arrival".to_owned())?;
        check(self.open, || "rule 1: somebody was served while the sale was not on".to_owned())?;
        if state != State::Waiting {
            check(self.waiting().next().is_none(), || "invariant 15: a newcomer overtook a waiter".to_owned())?;
        }
        let mine = |line: &&Line| line.customer == *customer && !matches!(line.state, State::Expired | State::Over);
        let has: i64 = self.lines.iter().filter(mine).map(|line| line.quantity).sum();
        let limit = i64::from(self.policy.per_customer_limit.get());
        let quantity = i64::from(quantity);
        check(has + quantity <= limit, || format!("invariant 10: {has} and {quantity} units, of {limit} allowed"))?;
        let extensions = self.policy.extension.times;
        self.lines.push(Line { customer: customer.clone(), quantity, state, ordered: false, extensions });
        Ok(())
    }

    fn hold(&self, at: Timestamp, deadline: Timestamp) -> Result<State, String> {
        check(deadline == at.plus(self.policy.hold_time), || "invariant 21: not a whole hold".to_owned())?;
        Ok(State::Held { deadline, release_at: deadline })
    }

    fn take(&mut self, recorded: &Recorded) -> Result<(), String> {
        let at = recorded.at;
        match &recorded.event {
            Event::ItemCreated { .. } => return Err("created twice".to_owned()),
            Event::ItemRevised { settings } => self.policy = settings.policy.clone(),
            Event::SaleOpened { .. } | Event::SaleResumed => self.open = true,
            Event::SalePaused => self.open = false,
            Event::SaleClosed { lapsed, .. } => {
                let waiting = self.waiting().count();
                check(waiting == *lapsed as usize, || format!("{waiting} waited, and {lapsed} lapsed"))?;
                (self.open, self.closed) = (false, true);
                let waits = |line: &&mut Line| line.state == State::Waiting;
                self.lines.iter_mut().filter(waits).for_each(|line| line.state = State::Over);
            }
            Event::StockAdjusted { change, total, .. } => {
                self.total += i64::from(change.get());
                check(self.total == i64::from(total.get()), || "the total after a change is wrong".to_owned())?;
            }
            Event::HoldPlaced { reservation, customer, quantity, deadline, .. } => {
                let held = self.hold(at, *deadline)?;
                self.join(*reservation, customer, quantity.get(), held)?;
            }
            Event::PartHeld { reservation, customer, quantity, bundle } => {
                self.join(*reservation, customer, quantity.get(), State::Part(*bundle))?;
            }
            Event::PurchaseConfirmed { reservation, customer, quantity, capture, .. } => {
                self.join(*reservation, customer, quantity.get(), State::Sold)?;
                self.money(capture, Place::Kept)?;
            }
            Event::WaitlistJoined { reservation, customer, quantity, position, .. } => {
                let ahead = self.waiting().count();
                check(ahead + 1 == *position as usize, || format!("{ahead} are ahead of place {position}"))?;
                self.join(*reservation, customer, quantity.get(), State::Waiting)?;
            }
            Event::HoldPromoted { reservation, deadline, .. } => {
                check(self.waiting().next() == Some(reservation.0), || "invariant 14: not the head".to_owned())?;
                check(self.open, || "somebody was promoted while the sale was not on".to_owned())?;
                let (held, extensions) = (self.hold(at, *deadline)?, self.policy.extension.times);
                let line = self.line(*reservation)?;
                (line.state, line.extensions) = (held, extensions);
            }
            Event::WaitlistLapsed { reservation, .. } => {
                check(self.waiting().next() == Some(reservation.0), || "not the head lapsed".to_owned())?;
                self.line(*reservation)?.state = State::Over;
            }
            Event::ClockResumed { release_floor, .. } => self.lift(*release_floor),
            Event::Payment { reservation, event } => self.pay(*reservation, event, at)?,
            Event::ReservationCancelled { .. }
            | Event::HoldExtended { .. }
            | Event::OrderPlaced { .. }
            | Event::PartSettled { .. }
            | Event::HoldExpired { .. } => self.change(recorded)?,
        }
        Ok(())
    }

    /// No hold is released before the floor; its deadline goes along.
    fn lift(&mut self, floor: Timestamp) {
        let grace = self.policy.grace.as_millis();
        for line in &mut self.lines {
            let ordered = line.ordered;
            if let State::Held { deadline, release_at } = &mut line.state
                && *release_at < floor
            {
                *release_at = floor;
                *deadline = Timestamp::from_millis(floor.as_millis() - if ordered { grace } else { 0 });
            }
        }
    }

    /// What happens to one reservation besides money.
    fn change(&mut self, recorded: &Recorded) -> Result<(), String> {
        let (at, grace) = (recorded.at, self.policy.grace);
        match &recorded.event {
            Event::ReservationCancelled { reservation, .. } => {
                let line = self.line(*reservation)?;
                let live = matches!(line.state, State::Waiting | State::Held { .. });
                check(live, || "invariant 7: what was over was cancelled".to_owned())?;
                line.state = State::Over;
            }
            Event::HoldExtended { reservation, deadline: to } => {
                let line = self.line(*reservation)?;
                let State::Held { deadline, .. } = line.state else { return Err("no hold was extended".to_owned()) };
                check(*to > deadline && at < deadline, || "an extension that gives nothing".to_owned())?;
                let left = line.extensions.checked_sub(1);
                line.extensions = left.ok_or("rule 7: a hold was extended more often than its terms allow")?;
                let release_at = if line.ordered { to.plus(grace) } else { *to };
                line.state = State::Held { deadline: *to, release_at };
            }
            Event::OrderPlaced { reservation, release_at: until, .. } => {
                let line = self.line(*reservation)?;
                let State::Held { deadline, release_at } = line.state else {
                    return Err("invariant 8: what is not held was ordered".to_owned());
                };
                check(!line.ordered && *until >= release_at, || "ordered twice, or for less time".to_owned())?;
                line.ordered = true;
                line.state = State::Held { deadline, release_at: *until };
            }
            Event::PartSettled { reservation, released, .. } => {
                let line = self.line(*reservation)?;
                let part = matches!(line.state, State::Part(_) | State::Sold);
                check(part, || "a part was settled that is none".to_owned())?;
                line.state = if released.get() == 0 { State::Sold } else { State::Over };
            }
            Event::HoldExpired { reservation, released, .. } => {
                let line = self.line(*reservation)?;
                let State::Held { release_at, .. } = line.state else {
                    return Err("invariant 7: what is not held expired".to_owned());
                };
                check(at >= release_at, || format!("invariant 18: expired at {at:?}, before {release_at:?}"))?;
                check(i64::from(released.get()) == line.quantity, || "invariant 6: another quantity".to_owned())?;
                line.state = State::Expired;
            }
            _ => {}
        }
        Ok(())
    }

    fn pay(&mut self, reservation: Ordinal, event: &PaymentEvent, at: Timestamp) -> Result<(), String> {
        match event {
            PaymentEvent::Parked { capture, .. } => self.money(capture, Place::Parked)?,
            PaymentEvent::Captured { capture, .. } => {
                self.money(capture, Place::Kept)?;
                let line = self.line(reservation)?;
                let State::Held { release_at, .. } = line.state else {
                    return Err("invariant 25: money was kept for what is not held".to_owned());
                };
                check(at < release_at, || "paid in time after the time".to_owned())?;
                check(capture.amount.minor == price_of(line), || "invariant 25: another price".to_owned())?;
                line.state = State::Sold;
            }
            PaymentEvent::LateHonoured { capture, .. } => {
                self.money(capture, Place::Kept)?;
                let nobody = self.waiting().next().is_none();
                check(nobody, || "a late payment overtook a waiter".to_owned())?;
                let line = self.line(reservation)?;
                check(line.state == State::Expired, || "honoured, and it had not expired".to_owned())?;
                check(capture.amount.minor == price_of(line), || "invariant 25: another price".to_owned())?;
                line.state = State::Sold;
            }
            PaymentEvent::RefundDue { capture, .. } => self.money(capture, Place::Due)?,
            PaymentEvent::Unclaimed { capture, .. } => self.moved(capture.0, Place::Parked, Place::Due)?,
            PaymentEvent::OrderRefunded { capture, released, .. } => {
                self.moved(capture.0, Place::Kept, Place::Due)?;
                if released.get() > 0 {
                    self.line(reservation)?.state = State::Over;
                }
            }
            PaymentEvent::RefundSettled { capture, .. } => self.moved(capture.0, Place::Due, Place::Refunded)?,
            PaymentEvent::Offered { .. }
            | PaymentEvent::Failed { .. }
            | PaymentEvent::Noted { .. }
            | PaymentEvent::Disputed { .. }
            | PaymentEvent::RefundReported { .. } => {}
        }
        Ok(())
    }

    /// Money comes, or what was parked finds its place.
    fn money(&mut self, capture: &Capture, place: Place) -> Result<(), String> {
        let is = |money: &&mut Money| money.provider == capture.provider && money.payment == capture.payment;
        let Some(known) = self.captures.iter_mut().find(is) else {
            let (provider, payment) = (capture.provider, capture.payment.clone());
            self.captures.push(Money { provider, payment, amount: capture.amount.minor, place });
            return Ok(());
        };
        let parked = known.place == Place::Parked && place != Place::Parked && known.amount == capture.amount.minor;
        check(parked, || format!("invariant 24: one payment counted twice, {:?} and {place:?}", known.place))?;
        known.place = place;
        Ok(())
    }

    fn moved(&mut self, capture: u32, from: Place, to: Place) -> Result<(), String> {
        let money = self.captures.get_mut(capture as usize).ok_or("a capture that never came")?;
        check(money.place == from, || format!("invariant 27: {:?} money was moved from {from:?}", money.place))?;
        money.place = to;
        Ok(())
    }
}

fn price_of(line: &Line) -> u64 {
    super::plan::price().minor * line.quantity.unsigned_abs()
}
