//! Which payments are known: a (provider, payment id) is captured at most once on an item (invariant 24).

use crate::ids::Ordinal;
use crate::payment::{Capture, Provider};
use crate::text::PaymentId;
use std::collections::BTreeMap;

/// The order that each known payment belongs to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Captures {
    by_payment: BTreeMap<(Provider, PaymentId), Ordinal>,
}

impl Captures {
    pub(crate) fn order_of(&self, provider: Provider, payment: &PaymentId) -> Option<Ordinal> {
        self.by_payment.get(&(provider, payment.clone())).copied()
    }

    pub(crate) fn note(&mut self, capture: &Capture, order: Ordinal) {
        let known = self.by_payment.insert((capture.provider, capture.payment.clone()), order);
        assert!(known.is_none(), "invariant 24: payment {:?} is captured twice", capture.payment);
    }

    pub(crate) fn len(&self) -> usize {
        self.by_payment.len()
    }
}
