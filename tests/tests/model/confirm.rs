//! Backends that confirm what they have charged (rule 16), and opportunities to pay (rule 8).

use domain::command::Claim;
use domain::money::Money;
use domain::payment::{Capture, Offer, Provider};
use domain::rejection::Rejection;
use domain::text::PaymentId;

use crate::book::{Book, State};
use crate::customer::{Done, Judged, is_over};
use crate::told::Told;

impl Book {
    /// A backend that has charged already reports the capture (rule 16).
    pub(crate) fn confirm(&mut self, claim: &Claim, payment: &PaymentId, amount: Option<Money>) -> Judged {
        let no = self.alone(self.claimed(claim)?)?;
        let known = self.known(Provider::External, payment);
        if known.is_some_and(|known| self.payments[known].owner != no) {
            return Err(Rejection::PaymentAlreadyUsed);
        }
        let price = self.price_of(self.reservations[no].quantity);
        if amount.is_some_and(|amount| amount != price) {
            return Err(Rejection::AmountMismatch { expected: price });
        }
        let Some(order) = self.order(no) else {
            return Err(match self.reservations[no].state {
                State::Waiting => Rejection::StillWaiting,
                _ => Rejection::NotFound,
            });
        };
        if known.is_some() {
            return Ok(Done::AsItIs(Told::Order(order)));
        }
        let (provider, payment) = (Provider::External, payment.clone());
        self.captured(no, Capture { provider, payment, report: None, amount: order.amount });
        let payment = self.payments.len() - 1;
        let refund = Some(payment).filter(|&payment| self.payments[payment].goes_back());
        Ok(Done::Changed(self.order_answer(no, refund)))
    }

    pub(crate) fn offer(&mut self, no: usize, offer: &Offer) -> Judged {
        if no >= self.reservations.len() {
            return Err(Rejection::NotFound);
        }
        let one = &self.reservations[self.alone(no)?];
        if one.offer.as_ref() == Some(offer) {
            return Ok(Done::AsItIs(Told::Order(self.order(no).expect("it was offered a payment"))));
        }
        match &one.state {
            State::Held(_) if one.order.is_some() => {}
            State::Held(_) => return Err(Rejection::NotFound),
            State::Confirmed => return Err(Rejection::HoldAlreadyUsed),
            State::Waiting => return Err(Rejection::StillWaiting),
            over => return Err(is_over(over)),
        }
        self.happens();
        self.reservations[no].offer = Some(offer.clone());
        Ok(Done::Changed(Told::Order(self.order(no).expect("it has one"))))
    }
}
