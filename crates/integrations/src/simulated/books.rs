//! The simulated provider's own books: what it took and gave back, so that an audit can compare.

use domain::identity::{OrderId, RefundId};
use domain::money::Money;
use domain::payment::{ClientData, Provider};
use domain::text::PaymentId;
use domain::time::Timestamp;
use engine::ports::{Opportunity, PaymentRequest, PaymentState, Pressed, ProviderError, RefundRequest, Withdrawn};
use std::collections::{BTreeSet, HashMap};

/// Payments that may be open at once. Each is a few hundred bytes; a provider that forgot them would take money for
/// nothing.
pub(super) const PAYMENTS_MAX: usize = 1_000_000;

/// One payment.
#[derive(Clone, Debug)]
pub(super) struct Payment {
    pub(super) order: OrderId,
    pub(super) asked: Money,
    pub(super) expires_at: Timestamp,
    captured: Option<Money>,
    refunded: BTreeSet<RefundId>,
    is_withdrawn: bool,
    clicks: u32,
}

/// What the provider has and had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many payments were captured.
    pub captures: u64,
    /// What was captured, in minor units, over all currencies.
    pub captured: u128,
    /// How many payments were refunded.
    pub refunds: u64,
    /// What was given back.
    pub refunded: u128,
}

#[derive(Debug, Default)]
pub(super) struct Books {
    payments: HashMap<PaymentId, Payment>,
    pub(super) totals: Totals,
}

impl Books {
    /// The opportunity for an order: the same one, however often it is asked for.
    pub(super) fn create(&mut self, request: &PaymentRequest, page: &str) -> Result<Opportunity, ProviderError> {
        let payment = format!("sim_{}", request.order.reservation().uuid().simple());
        let payment = PaymentId::parse(&payment).map_err(|error| ProviderError::Refused(error.to_string()))?;
        if !self.payments.contains_key(&payment) {
            if self.payments.len() >= PAYMENTS_MAX {
                return Err(ProviderError::Unavailable(format!("it has {PAYMENTS_MAX} payments and takes no more")));
            }
            let new = Payment {
                order: request.order,
                asked: request.amount,
                expires_at: request.expires_at,
                captured: None,
                refunded: BTreeSet::new(),
                is_withdrawn: false,
                clicks: 0,
            };
            self.payments.insert(payment.clone(), new);
        }
        let client = ClientData::new(Some(format!("{page}/{payment}")), None)
            .map_err(|error| ProviderError::Refused(error.to_string()))?;
        Ok(Opportunity { payment, client })
    }

    /// A payment as it is.
    pub(super) fn find(&self, payment: &PaymentId) -> Option<Payment> {
        self.payments.get(payment).cloned()
    }

    pub(super) fn state(&self, payment: &PaymentId) -> Result<PaymentState, ProviderError> {
        let found = self.payments.get(payment).ok_or_else(unknown)?;
        Ok(match found.captured {
            Some(amount) => PaymentState::Captured(amount),
            None if found.is_withdrawn => PaymentState::Cancelled,
            None => PaymentState::Open,
        })
    }

    /// The customer pays. With the first capture comes the payment, for the callback.
    pub(super) fn press(
        &mut self,
        payment: &PaymentId,
        declines_first: impl FnOnce(OrderId) -> bool,
        amount: impl FnOnce(OrderId, Money) -> Money,
    ) -> (Pressed, Option<Payment>) {
        let Some(found) = self.payments.get_mut(payment) else {
            return (Pressed::Closed("there is no such payment".to_owned()), None);
        };
        if found.captured.is_some() {
            return (Pressed::Charged, None);
        }
        if found.is_withdrawn {
            return (Pressed::Closed("this payment was withdrawn: its order is over".to_owned()), None);
        }
        found.clicks = found.clicks.saturating_add(1);
        if found.clicks == 1 && declines_first(found.order) {
            return (Pressed::Declined, None);
        }
        let amount = amount(found.order, found.asked);
        found.captured = Some(amount);
        self.totals.captures += 1;
        self.totals.captured += u128::from(amount.minor);
        (Pressed::Charged, Some(found.clone()))
    }

    pub(super) fn cancel(&mut self, payment: &PaymentId) -> Result<Withdrawn, ProviderError> {
        // A provider that was started again has forgotten what nobody paid: then nobody can pay it any more.
        let Some(found) = self.payments.get_mut(payment) else { return Ok(Withdrawn::Cancelled) };
        if found.captured.is_some() {
            return Ok(Withdrawn::AlreadyPaid);
        }
        found.is_withdrawn = true;
        Ok(Withdrawn::Cancelled)
    }

    /// Gives money back, once for each refund, and never more than was taken.
    pub(super) fn refund(&mut self, request: &RefundRequest) -> Result<String, ProviderError> {
        let reference = format!("sim_re_{}", request.refund);
        // One that it took before it was started again: its memory is as simulated as its money.
        let Some(found) = self.payments.get_mut(&request.payment) else { return Ok(reference) };
        if found.refunded.contains(&request.refund) {
            return Ok(reference);
        }
        if found.captured != Some(request.amount) || !found.refunded.is_empty() {
            return Err(ProviderError::Refused("there is no such money left to give back".to_owned()));
        }
        found.refunded.insert(request.refund);
        self.totals.refunds += 1;
        self.totals.refunded += u128::from(request.amount.minor);
        Ok(reference)
    }
}

impl Payment {
    /// What was captured.
    pub(super) fn captured(&self) -> Money {
        self.captured.unwrap_or(self.asked)
    }
}

fn unknown() -> ProviderError {
    ProviderError::Refused(format!("the {} provider knows no such payment", Provider::Simulated.name()))
}
