//! Turns: what is due happens first, then commands, each with all that follows from it (rules 2 to 5, 11 and 14).

use domain::command::{Command, Request};
use domain::event::LapseReason;
use domain::item::Phase;
use domain::limits::TURN_BATCH;
use domain::payment::UnclaimedBecause;
use domain::rejection::Rejection;
use domain::turn::Query;
use domain::views::Origin;

use crate::book::{Book, Ending, Key, Remembered, State};
use crate::customer::{Done, Judged};
use crate::shop::ACCEPTED;
use crate::told::Told;

/// An answer as it is compared.
pub(crate) type Answered = Result<(Told, Origin), Rejection>;

/// Expiries leave this much of a batch to promotions (docs/decisions/0006).
const EXPIRIES_AT_ONCE: usize = TURN_BATCH / 2;

/// What time ends by itself; of two at one instant the hold comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Hold(usize),
    Window(usize),
}

impl Book {
    /// A turn begins at `clock`.
    pub(crate) fn begin(&mut self, clock: u64) {
        self.now = clock.max(self.logged);
        self.batch = TURN_BATCH;
        self.work_off();
    }

    /// The first turn after a restart: no hold is released before `resumed + grace`.
    pub(crate) fn resume(&mut self, clock: u64, resumed: u64, grace: u64) {
        self.now = clock.max(self.logged);
        let floor = resumed.max(self.logged) + grace;
        let mut moved = false;
        for no in 0..self.reservations.len() {
            let later = self.reservations[no].release_at().and_then(|release_at| floor.checked_sub(release_at));
            if let (State::Held(hold), Some(later @ 1..)) = (&mut self.reservations[no].state, later) {
                hold.deadline += later;
                moved = true;
            }
        }
        if moved {
            self.happens();
        }
        self.batch = TURN_BATCH;
        self.work_off();
    }

    /// What can be read of it; what is due of the reservation asked for happens first.
    pub(crate) fn read(&mut self, query: &Query) -> Answered {
        let told = match query {
            Query::Reservation(claim) => {
                self.end_if_due(claim.reservation.0 as usize);
                Told::Reservation(self.reservation(self.claimed(claim)?))
            }
            Query::Order(claim) => {
                self.end_if_due(claim.reservation.0 as usize);
                let no = self.claimed(claim)?;
                Told::Order(self.order(no).ok_or(Rejection::NotFound)?)
            }
            Query::Refund(no) => {
                let no = no.0 as usize;
                if no >= self.payments.len() {
                    return Err(Rejection::NotFound);
                }
                Told::Refund(self.capture(no))
            }
            Query::Item => self.told_item(),
            Query::Reservations { .. }
            | Query::Captures { .. }
            | Query::RefundsOf(_)
            | Query::AnyReservation(_)
            | Query::AnyOrder(_) => panic!("the model does not ask {query:?}"),
        };
        Ok((told, Origin::AsItIs))
    }

    pub(crate) fn judge(&mut self, command: &Command, key: Option<&Key>) -> Answered {
        if let Some(named) = Request::from(command.clone()).command.names() {
            self.end_if_due(named.0 as usize);
        }
        if let Some(found) = key.and_then(|key| self.remembers(key)) {
            return if found.content == *command {
                Ok((found.answer.clone().given_again(), Origin::Replayed))
            } else {
                Err(Rejection::IdempotencyKeyReused { accepted: domain::ids::Seq(0) })
            };
        }
        match self.decide(command)? {
            Done::AsItIs(told) => Ok((told, Origin::AsItIs)),
            Done::Changed(answer) => {
                if let Some(key) = key.cloned() {
                    let (content, at) = (command.clone(), self.now);
                    self.remembered.push(Remembered { key, content, at, answer: answer.clone() });
                }
                self.work_off();
                Ok((answer, ACCEPTED))
            }
        }
    }

    fn decide(&mut self, command: &Command) -> Judged {
        use Phase::{Closed, Open, Paused, Scheduled};
        match command {
            Command::CreateItem(_) => Err(Rejection::ItemExists),
            Command::ReviseItem { patch, expected } => self.revise(patch, expected.map(|revision| revision.0)),
            Command::OpenSale => self.turn_to(Open, &[Scheduled]),
            Command::PauseSale => self.turn_to(Paused, &[Open]),
            Command::ResumeSale => self.turn_to(Open, &[Paused]),
            Command::CloseSale => self.turn_to(Closed, &[Scheduled, Open, Paused]),
            Command::AdjustStock { change, .. } => self.adjust(*change),
            Command::Reserve { customer, quantity, waitlist } => self.reserve(customer, *quantity, *waitlist),
            Command::Purchase { customer, quantity, payment, amount } => {
                let payment = payment.as_ref().expect("the model names every payment");
                self.purchase(customer, *quantity, payment, *amount)
            }
            Command::CancelReservation(claim) => self.cancel(claim),
            Command::ExtendHold(claim) => self.extend(claim),
            Command::PlaceOrder { claim, amount } => self.place_order(claim, *amount),
            Command::ConfirmOrder { claim, payment, amount } => self.confirm(claim, payment, *amount),
            Command::RecordPayment { reservation, report } => self.record(reservation.0 as usize, report),
            Command::OfferPayment { reservation, offer } => self.offer(reservation.0 as usize, offer),
            Command::SettleRefund { capture, by } => self.settle(capture.0 as usize, by),
            Command::RefundOrder { reservation, return_units, .. } => {
                self.refund_order(reservation.0 as usize, *return_units)
            }
            Command::HoldPart { bundle, customer, quantity } => self.hold_part(*bundle, customer, *quantity),
            Command::SettlePart { bundle, decision } => self.settle_part(*bundle, *decision),
        }
    }

    fn end_if_due(&mut self, no: usize) {
        let release_at = self.reservations.get(no).and_then(crate::book::Reservation::release_at);
        if release_at.is_some_and(|release_at| release_at <= self.now) {
            self.expire(no);
            self.work_off();
        }
    }

    fn expire(&mut self, no: usize) {
        self.happens();
        let one = &mut self.reservations[no];
        one.state = State::Expired;
        let customer = one.customer.clone();
        let ending = Ending::Expired(self.settings.policy.cool_off);
        self.endings.push((customer, ending, self.now));
    }

    /// Up to a batch of what is due or promotable: phases, expiries in their order, promotions, money.
    fn work_off(&mut self) {
        let expiries_end = self.batch.saturating_sub(EXPIRIES_AT_ONCE);
        while self.phase_changes() {}
        while self.batch > expiries_end
            && let Some(due) = self.next_due()
        {
            self.batch -= 1;
            match due {
                Due::Hold(no) => self.expire(no),
                Due::Window(payment) => self.is_unclaimed(payment, UnclaimedBecause::WindowPassed),
            }
        }
        while self.batch > 0 && self.serves_the_head() {
            self.batch -= 1;
        }
        while self.phase_changes() {}
        while self.batch > 0 && self.moves_money() {
            self.batch -= 1;
        }
    }

    fn moves_money(&mut self) -> bool {
        match self.forsaken() {
            Some(payment) => self.is_unclaimed(payment, UnclaimedBecause::ReservationEnded),
            None => return self.gives_back(),
        }
        true
    }

    fn is_money_to_move(&self) -> bool {
        self.forsaken().is_some() || self.payments.iter().any(|one| one.given_back)
    }

    fn phase_changes(&mut self) -> bool {
        let due = |at: Option<domain::time::Timestamp>| at.is_some_and(|at| at.as_millis() <= self.now);
        if self.phase == Phase::Scheduled && due(self.settings.opens_at) {
            self.happens();
            self.phase = Phase::Open;
            return true;
        }
        let (total, sold) = (self.total, self.sold());
        let all_sold = self.settings.policy.close_when_sold && sold > 0 && sold == total && self.held() == 0;
        if self.phase != Phase::Closed && (due(self.settings.closes_at) || all_sold) {
            self.happens();
            self.phase = Phase::Closed;
            self.everybody_lapses();
            return true;
        }
        false
    }

    /// What is due next, in the order of (time, ordinal): a hold, or the window of money that waits for its order.
    fn next_due(&self) -> Option<Due> {
        let hold = |no: usize| Some((self.reservations[no].release_at()?, Due::Hold(no)));
        let holds = (0..self.reservations.len()).filter_map(hold);
        let window = |no: usize| Some((self.payments[no].until()?, Due::Window(no)));
        let windows = (0..self.payments.len()).filter_map(window);
        let (at, due) = holds.chain(windows).min()?;
        (at <= self.now).then_some(due)
    }

    /// Rule 5: strictly from the head; while it does not fit, nobody behind it is served. While paused nobody's turn comes.
    fn turn_of_the_head(&self) -> Option<(usize, State)> {
        let head = *self.line().first().filter(|_| self.phase == Phase::Open)?;
        let quantity = self.reservations[head].quantity;
        if quantity > self.available() + self.held() {
            Some((head, State::Lapsed(LapseReason::CanNeverBeServed)))
        } else if quantity <= self.available() {
            Some((head, self.hold_now()))
        } else {
            None
        }
    }

    fn serves_the_head(&mut self) -> bool {
        let Some((head, state)) = self.turn_of_the_head() else { return false };
        self.happens();
        self.reservations[head].state = state;
        true
    }

    /// Whether more is due or promotable than this turn's batch let happen.
    pub(crate) fn has_backlog(&self) -> bool {
        self.next_due().is_some() || self.turn_of_the_head().is_some() || self.is_money_to_move()
    }
}
