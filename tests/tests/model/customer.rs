//! What customers ask for: rules 1, 6, 7, 8, 14 and 16, and the parts of bundles (rule 12).

use domain::command::{Claim, WaitlistChoice};
use domain::event::PartDecision;
use domain::identity::BundleId;
use domain::item::Phase;
use domain::money::Money;
use domain::payment::{Capture, MoneyPlace, Provider};
use domain::rejection::{EndedAs, ExtensionRefusal, Rejection};
use domain::text::{CustomerId, PaymentId};
use domain::time::Timestamp;
use domain::units::{Quantity, Units};
use domain::views::OrderState;

use crate::book::{Book, Ending, Hold, Order, Reservation, State};
use crate::told::{ReservationTold, Told};

/// What came of a command that was not refused.
#[derive(Clone, Debug)]
pub(crate) enum Done {
    /// It was accepted and had its effect.
    Changed(Told),
    /// Nothing changed: it is so already.
    AsItIs(Told),
}

pub(crate) type Judged = Result<Done, Rejection>;

/// There is no hold to use.
pub(crate) fn is_over(state: &State) -> Rejection {
    let ended = match state {
        State::Confirmed => EndedAs::Confirmed,
        State::Expired => EndedAs::Expired,
        State::Lapsed(reason) => EndedAs::Lapsed(*reason),
        State::Waiting | State::Held(_) | State::HeldInBundle | State::Cancelled => EndedAs::Cancelled,
    };
    Rejection::HoldExpired { ended }
}

impl Book {
    /// Rule 1 up to the stock: phase, quantity, limit, cool-off.
    fn admits(&self, customer: &CustomerId, quantity: u32) -> Result<(), Rejection> {
        match self.phase {
            Phase::Scheduled => return Err(Rejection::SaleNotStarted { opens_at: self.settings.opens_at }),
            Phase::Paused => return Err(Rejection::SalePaused),
            Phase::Closed => return Err(Rejection::SaleClosed),
            Phase::Open => {}
        }
        let policy = &self.settings.policy;
        if quantity > policy.per_order_max.get() {
            return Err(Rejection::QuantityAboveMaximum { max: policy.per_order_max });
        }
        let existing = self.has(customer);
        if existing + quantity > policy.per_customer_limit.get() {
            return Err(Rejection::CustomerLimitReached { limit: policy.per_customer_limit, existing });
        }
        match self.cools_off_until(customer) {
            Some(until) => Err(Rejection::CoolingOff { until: Timestamp::from_millis(until) }),
            None => Ok(()),
        }
    }

    fn is_free(&self, quantity: u32) -> bool {
        self.line().is_empty() && quantity <= self.available()
    }

    /// Why somebody who does not wait gets nothing. What others wait for is not on offer.
    fn none_free(&self, quantity: u32) -> Rejection {
        match if self.line().is_empty() { self.available() } else { 0 } {
            0 => Rejection::SoldOut,
            some => Rejection::InsufficientStock {
                available: Units::new(some).expect("small"),
                is_final: quantity > self.available() + self.held(),
            },
        }
    }

    pub(crate) fn hold_now(&self) -> State {
        let policy = &self.settings.policy;
        State::Held(Hold {
            deadline: self.now + policy.hold_time.as_millis(),
            grace: policy.grace.as_millis(),
            extension: policy.extension,
            extended: 0,
        })
    }

    fn begins(&mut self, customer: &CustomerId, quantity: u32, state: State) -> usize {
        self.happens();
        self.reservations.push(Reservation::new(customer.clone(), quantity, self.now, state));
        self.reservations.len() - 1
    }

    pub(crate) fn reserve(&mut self, customer: &CustomerId, quantity: Quantity, choice: WaitlistChoice) -> Judged {
        let quantity = quantity.get();
        self.admits(customer, quantity)?;
        let waitlist = self.settings.policy.waitlist;
        let state = if self.is_free(quantity) {
            self.hold_now()
        } else if choice == WaitlistChoice::Decline || !waitlist.enabled {
            return Err(self.none_free(quantity));
        } else if quantity > self.available() + self.held() {
            // It will not come free either.
            return Err(match self.available() + self.held() {
                0 => Rejection::SoldOut,
                _ => Rejection::InsufficientStock {
                    available: Units::new(self.available()).expect("small"),
                    is_final: true,
                },
            });
        } else if self.line().len() >= waitlist.capacity as usize {
            return Err(Rejection::WaitlistFull { capacity: waitlist.capacity });
        } else {
            State::Waiting
        };
        let no = self.begins(customer, quantity, state);
        Ok(Done::Changed(Told::Reservation(self.reservation(no))))
    }

    pub(crate) fn purchase(
        &mut self,
        customer: &CustomerId,
        quantity: Quantity,
        payment: &PaymentId,
        amount: Option<Money>,
    ) -> Judged {
        let quantity = quantity.get();
        self.admits(customer, quantity)?;
        if !self.is_free(quantity) {
            return Err(self.none_free(quantity));
        }
        let price = self.price_of(quantity);
        if amount.is_some_and(|amount| amount != price) {
            return Err(Rejection::AmountMismatch { expected: price });
        }
        if self.known(Provider::External, payment).is_some() {
            return Err(Rejection::PaymentAlreadyUsed);
        }
        let no = self.begins(customer, quantity, State::Confirmed);
        self.reservations[no].order = Some(Order { placed_at: self.now, amount: price });
        self.endings.push((customer.clone(), Ending::Paid, self.now));
        let capture = Capture { provider: Provider::External, payment: payment.clone(), report: None, amount: price };
        self.write_down(no, capture, MoneyPlace::Kept);
        Ok(Done::Changed(self.order_answer(no, None)))
    }

    /// Rule 6: a stranger's id answers as if it did not exist.
    pub(crate) fn claimed(&self, claim: &Claim) -> Result<usize, Rejection> {
        let no = claim.reservation.0 as usize;
        match self.reservations.get(no) {
            Some(one) if one.customer == claim.customer => Ok(no),
            Some(_) | None => Err(Rejection::NotFound),
        }
    }

    /// Rule 12: parts refuse to be ordered, extended, cancelled or paid alone.
    pub(crate) fn alone(&self, no: usize) -> Result<usize, Rejection> {
        match self.reservations[no].bundle {
            Some(bundle) => Err(Rejection::PartOfBundle { bundle }),
            None => Ok(no),
        }
    }

    pub(crate) fn cancel(&mut self, claim: &Claim) -> Judged {
        let no = self.alone(self.claimed(claim)?)?;
        let ended = match self.reservations[no].state {
            State::Waiting | State::Held(_) | State::HeldInBundle => {
                self.happens();
                self.reservations[no].state = State::Cancelled;
                // An answer tells what its command did; of money that goes back, reads tell.
                let order = self.reservations[no].order.map(|order| (OrderState::Cancelled, order.amount));
                return Ok(Done::Changed(Told::Reservation(ReservationTold { order, ..self.reservation(no) })));
            }
            State::Cancelled => return Ok(Done::AsItIs(Told::Reservation(self.reservation(no)))),
            State::Confirmed => EndedAs::Confirmed,
            State::Expired => EndedAs::Expired,
            State::Lapsed(reason) => EndedAs::Lapsed(reason),
        };
        Err(Rejection::NotCancellable { ended })
    }

    pub(crate) fn extend(&mut self, claim: &Claim) -> Judged {
        let no = self.alone(self.claimed(claim)?)?;
        let now = self.now;
        let refused = |reason| Err(Rejection::ExtensionRefused { reason });
        match &mut self.reservations[no].state {
            State::Held(hold) if now >= hold.deadline => return refused(ExtensionRefusal::PastDeadline),
            State::Held(hold) if hold.extended >= hold.extension.times => return refused(ExtensionRefusal::UsedUp),
            State::Held(hold) => {
                hold.extended += 1;
                hold.deadline += hold.extension.by.as_millis();
            }
            State::Waiting => return refused(ExtensionRefusal::NotHeld),
            State::Confirmed => return Err(Rejection::HoldAlreadyUsed),
            over => return Err(is_over(over)),
        }
        self.happens();
        Ok(Done::Changed(Told::Reservation(self.reservation(no))))
    }

    pub(crate) fn place_order(&mut self, claim: &Claim, amount: Option<Money>) -> Judged {
        let no = self.alone(self.claimed(claim)?)?;
        let one = &self.reservations[no];
        let price = one.order.map_or_else(|| self.price_of(one.quantity), |order| order.amount);
        if amount.is_some_and(|amount| amount != price) {
            return Err(Rejection::AmountMismatch { expected: price });
        }
        match &one.state {
            State::Waiting => return Err(Rejection::StillWaiting),
            State::Held(_) | State::Confirmed => {}
            over => return Err(is_over(over)),
        }
        if let Some(order) = self.order(no) {
            return Ok(Done::AsItIs(Told::Order(order)));
        }
        self.happens();
        self.reservations[no].order = Some(Order { placed_at: self.now, amount: price });
        self.apply_parked(no);
        Ok(Done::Changed(self.order_answer(no, None)))
    }

    pub(crate) fn hold_part(&mut self, bundle: BundleId, customer: &CustomerId, quantity: Quantity) -> Judged {
        if let Some(no) = self.part(bundle) {
            return match &self.reservations[no].state {
                State::HeldInBundle => Ok(Done::AsItIs(Told::Reservation(self.reservation(no)))),
                // Given up before it was asked for again: whoever asks now is late.
                over => Err(is_over(over)),
            };
        }
        self.admits(customer, quantity.get())?;
        if !self.is_free(quantity.get()) {
            return Err(self.none_free(quantity.get()));
        }
        let no = self.begins(customer, quantity.get(), State::HeldInBundle);
        self.reservations[no].bundle = Some(bundle);
        Ok(Done::Changed(Told::Reservation(self.reservation(no))))
    }

    pub(crate) fn part(&self, bundle: BundleId) -> Option<usize> {
        self.reservations.iter().position(|one| one.bundle == Some(bundle))
    }

    pub(crate) fn settle_part(&mut self, bundle: BundleId, decision: PartDecision) -> Judged {
        let no = self.part(bundle).ok_or(Rejection::NotFound)?;
        let one = &self.reservations[no];
        let state = match (&one.state, decision) {
            (State::HeldInBundle, PartDecision::Sold) => State::Confirmed,
            (State::HeldInBundle, PartDecision::Expired) => State::Expired,
            (State::HeldInBundle, PartDecision::Cancelled | PartDecision::Abandoned) => State::Cancelled,
            (State::Confirmed, PartDecision::Returned) if !one.returned => State::Confirmed,
            _ => return Ok(Done::AsItIs(Told::Reservation(self.reservation(no)))),
        };
        let customer = one.customer.clone();
        self.happens();
        if decision == PartDecision::Sold {
            self.endings.push((customer, Ending::Paid, self.now));
        }
        let one = &mut self.reservations[no];
        one.returned = decision == PartDecision::Returned;
        one.state = state;
        Ok(Done::Changed(Told::Reservation(self.reservation(no))))
    }
}
