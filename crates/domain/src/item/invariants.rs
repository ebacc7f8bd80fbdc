//! What must hold after every event, and the full recount that recovery, the snapshot folder and tests do.

use super::customers::CustomerIx;
use super::{Item, Phase, ReservationState};
use crate::event::Event;
use crate::ids::Ordinal;
use crate::units::Quantity;

/// An invariant of domain.md that does not hold, by its number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invariant {number}: {what}")]
pub struct InvariantBroken {
    /// Its number in domain.md.
    pub number: u8,
    /// What is wrong.
    pub what: String,
}

fn require(number: u8, holds: bool, what: impl FnOnce() -> String) -> Result<(), InvariantBroken> {
    if holds { Ok(()) } else { Err(InvariantBroken { number, what: what() }) }
}

impl Item {
    /// The cheap checks after every event: sums, counters, and the reservation that the event touched.
    pub(super) fn check_after(&self, event: &Event) {
        if let Err(broken) = self.check_counters().and_then(|()| match touched(event) {
            Some(ordinal) => self.check_reservation(ordinal),
            None => Ok(()),
        }) {
            panic!("{broken} (item {}, sequence {})", self.no, self.seq);
        }
    }

    /// Invariant 10, at the moment a reservation is accepted or a late payment honoured, also after the sale.
    pub(super) fn assert_within_limit(&self, customer: CustomerIx, quantity: Quantity) {
        let limit = self.settings.policy.per_customer_limit.get();
        let counted = self.customers.get(customer).counted(self.phase);
        let within = counted.checked_add(quantity.get()).is_some_and(|sum| sum <= limit);
        assert!(within, "invariant 10: customer {} goes over the limit of {limit}", self.customers.id(customer));
    }

    fn check_counters(&self) -> Result<(), InvariantBroken> {
        let stock = self.stock;
        let sum = stock.available().plus(stock.held()).and_then(|units| units.plus(stock.sold()));
        require(1, sum == Some(stock.total()), || format!("{stock:?} does not add up"))?;
        let (timers, holds, parked) = (self.timers.len(), self.holds as usize, self.books.parked_count());
        require(23, timers == holds + parked, || {
            format!("{timers} timers are armed for {holds} holds and {parked} parked payments")
        })?;
        self.books.ledger().check().or_else(|what| require(27, false, || what))
    }

    fn check_reservation(&self, ordinal: Ordinal) -> Result<(), InvariantBroken> {
        let Some(reservation) = self.reservation(ordinal) else {
            return require(11, false, || format!("{ordinal:?} is absent"));
        };
        let waits = matches!(reservation.state, ReservationState::Waiting) && self.phase != Phase::Closed;
        require(6, waits == self.waitlist.contains(ordinal.0), || format!("{ordinal:?} and the waitlist disagree"))?;
        if let ReservationState::Held(hold) = &reservation.state {
            let release = hold.release_for(hold.deadline);
            require(21, hold.release_at == release, || format!("{ordinal:?} is released at another instant"))?;
        }
        Ok(())
    }

    /// Counts everything anew and compares: invariants 1, 2, 6, 21, 23, 24 and 25 over the whole item.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn recount(&self) -> Result<(), InvariantBroken> {
        self.check_counters()?;
        let mut sums = Sums { customers: vec![(0, 0, 0); self.customers.len()], ..Sums::default() };
        for (ordinal, reservation) in self.reservations_from(Ordinal(0)) {
            self.check_reservation(ordinal)?;
            let units = reservation.quantity.get();
            let quantity = u64::from(units);
            let of_customer = sums.customers.get_mut(reservation.customer.0 as usize);
            let of_customer = of_customer.expect("a customer index is only made when the customer is entered");
            match &reservation.state {
                ReservationState::Held(_) => {
                    sums.held += quantity;
                    sums.holds += 1;
                    of_customer.0 = of_customer.0.saturating_add(units);
                }
                ReservationState::Part => {
                    sums.held += quantity;
                    of_customer.0 = of_customer.0.saturating_add(units);
                }
                ReservationState::Confirmed(sale) => {
                    self.check_sale(ordinal, reservation.quantity)?;
                    if !sale.returned {
                        sums.sold += quantity;
                        of_customer.1 = of_customer.1.saturating_add(units);
                    }
                }
                ReservationState::Waiting => {
                    of_customer.2 = of_customer.2.saturating_add(units);
                    sums.waiting += u32::from(self.phase != Phase::Closed);
                }
                ReservationState::Cancelled(_) | ReservationState::Expired(_) | ReservationState::Lapsed(_) => {}
            }
        }
        self.compare(&sums)
    }

    /// Invariant 25: a sale rests on one capture of exactly its price, kept or given back by an operator's refund. The
    /// money of a part is in its bundle's books.
    fn check_sale(&self, ordinal: Ordinal, quantity: Quantity) -> Result<(), InvariantBroken> {
        if self.bundled.bundle_of(ordinal).is_some() {
            return Ok(());
        }
        let price = self.price_of(quantity);
        let paid = self.books.captures_of(ordinal).filter(|known| known.record.paid_its_order());
        let right = paid.map(|known| known.record.capture.amount == price).collect::<Vec<_>>();
        require(25, right == [true], || format!("{ordinal:?} is sold on {right:?}"))
    }

    fn compare(&self, sums: &Sums) -> Result<(), InvariantBroken> {
        let (held, sold) = (u64::from(self.stock.held().get()), u64::from(self.stock.sold().get()));
        require(2, held == sums.held, || format!("held is {held}, the reservations say {}", sums.held))?;
        require(2, sold == sums.sold, || format!("sold is {sold}, the reservations say {}", sums.sold))?;
        require(23, self.holds == sums.holds, || format!("{} holds counted, {} found", self.holds, sums.holds))?;
        let waiting = self.waitlist.len();
        require(6, waiting == sums.waiting, || format!("{waiting} in line, {} reservations wait", sums.waiting))?;
        self.books.recount().or_else(|what| require(27, false, || what))?;
        for ((ix, customer), found) in self.customers.iter().zip(&sums.customers) {
            let counted = (customer.held.get(), customer.sold.get(), customer.waiting.get());
            // A lapse by closing leaves the old count of waiting units behind; nothing reads it any more.
            require(10, counted == *found, || format!("customer {} is counted {counted:?}, found {found:?}", ix.0))?;
        }
        Ok(())
    }

    /// Invariant 5, outside a backlog: nobody waits for units that are free.
    #[must_use]
    pub fn serves_all_it_can(&self) -> bool {
        let Some(head) = self.waitlist.head() else { return true };
        let wanted = self.reservation(Ordinal(head)).map_or(0, |reservation| reservation.quantity.get());
        self.phase != Phase::Open || self.stock.available().get() < wanted
    }
}

#[derive(Default)]
struct Sums {
    held: u64,
    holds: u32,
    sold: u64,
    waiting: u32,
    /// Held, sold and waiting units by customer: small, for there are as many as customers.
    customers: Vec<(u32, u32, u32)>,
}

fn touched(event: &Event) -> Option<Ordinal> {
    match event {
        Event::ItemCreated { .. }
        | Event::ItemRevised { .. }
        | Event::SaleOpened { .. }
        | Event::SalePaused
        | Event::SaleResumed
        | Event::SaleClosed { .. }
        | Event::StockAdjusted { .. }
        | Event::ClockResumed { .. } => None,
        Event::HoldPlaced { reservation, .. }
        | Event::WaitlistJoined { reservation, .. }
        | Event::PurchaseConfirmed { reservation, .. }
        | Event::ReservationCancelled { reservation, .. }
        | Event::HoldExtended { reservation, .. }
        | Event::OrderPlaced { reservation, .. }
        | Event::Payment { reservation, .. }
        | Event::PartHeld { reservation, .. }
        | Event::PartSettled { reservation, .. }
        | Event::HoldExpired { reservation, .. }
        | Event::HoldPromoted { reservation, .. }
        | Event::WaitlistLapsed { reservation, .. } => Some(*reservation),
    }
}
