//! The simulated payment provider: takes no money, keeps honest books about it, and calls back the real webhook route
//! as real providers do: early, late, twice, only after a while, or never.
//!
//! What it does not do: pay by itself. Its customers press a button on its page ([`SimulatedProvider`] is a
//! [`PaymentPage`]), which the HTTP front serves.

mod books;
mod callback;
mod fate;

pub use books::Totals;
pub use fate::{Fate, Rates};

use crate::inbound::WebhookSecret;
use books::{Books, Payment};
use callback::Callbacks;
use domain::money::Money;
use domain::payment::Provider;
use domain::text::PaymentId;
use engine::ports::{
    Opportunity, PaymentPage, PaymentProvider, PaymentRequest, PaymentState, Pressed, Promised, ProviderError,
    RefundRequest, Withdrawn,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How the simulated provider is set up.
#[derive(Clone, Debug)]
pub struct SimulatedConfig {
    /// The server whose webhook route it calls, and whose page it names: `http://host:port`.
    pub base_url: String,
    /// What it signs with.
    pub secret: WebhookSecret,
    /// What fates are drawn from.
    pub seed: u64,
    /// How often something goes wrong.
    pub rates: Rates,
}

/// The provider. Cheap to clone. Call it inside a Tokio runtime.
#[derive(Clone, Debug)]
pub struct SimulatedProvider {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    page: String,
    seed: u64,
    rates: Rates,
    callbacks: Callbacks,
    books: Mutex<Books>,
    pending: AtomicUsize,
    settled: Notify,
}

impl SimulatedProvider {
    /// Sets it up.
    ///
    /// # Errors
    /// When the system has no HTTP client for it.
    pub fn new(config: SimulatedConfig) -> Result<Self, reqwest::Error> {
        let callbacks = Callbacks::new(&config.base_url, config.secret)?;
        let page = format!("{}/simulated/pay", config.base_url.trim_end_matches('/'));
        let (pending, settled) = (AtomicUsize::new(0), Notify::new());
        let inner = Inner {
            page,
            seed: config.seed,
            rates: config.rates,
            callbacks,
            books: Mutex::default(),
            pending,
            settled,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What it took and gave back, so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.books().totals
    }

    /// Waits until every callback has arrived.
    pub async fn idle(&self) {
        loop {
            let settled = self.inner.settled.notified();
            if self.inner.pending.load(Ordering::Acquire) == 0 {
                return;
            }
            settled.await;
        }
    }

    /// The books are changed whole, so a poisoned lock guards whole ones.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.inner.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fate(&self, order: domain::identity::OrderId) -> Fate {
        Fate::of(self.inner.seed, order, &self.inner.rates)
    }

    fn in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        let inner = Arc::clone(&self.inner);
        inner.pending.fetch_add(1, Ordering::AcqRel);
        tokio::spawn(async move {
            work.await;
            inner.pending.fetch_sub(1, Ordering::AcqRel);
            inner.settled.notify_waiters();
        });
    }

    /// Calls back as the order's fate has it: early ones before this returns.
    async fn call_back(&self, id: &PaymentId, payment: &Payment) {
        let fate = self.fate(payment.order);
        if fate.is_early {
            self.inner.callbacks.captured(id, payment).await;
            return;
        }
        let after = match fate.late_by {
            Some(late_by) => {
                let left = payment.expires_at.since(callback::now()).as_millis();
                Duration::from_millis(left) + late_by
            }
            None => fate.callback_after,
        };
        for _ in 0..fate.copies {
            let (callbacks, id, payment) = (self.inner.callbacks.clone(), id.clone(), payment.clone());
            self.in_background(async move {
                tokio::time::sleep(after).await;
                callbacks.captured(&id, &payment).await;
            });
        }
    }

    async fn pressed(&self, id: &PaymentId) -> Pressed {
        let declines = |order| self.fate(order).declines_first;
        let amount = |order, asked: Money| {
            let wrong = self.fate(order).is_wrong_amount && asked.minor > 1;
            if wrong { Money { minor: asked.minor - 1, ..asked } } else { asked }
        };
        let (pressed, captured) = self.books().press(id, declines, amount);
        if let Some(payment) = captured {
            self.call_back(id, &payment).await;
        } else if pressed == Pressed::Declined
            && let Some(payment) = self.books().find(id)
        {
            let (callbacks, id) = (self.inner.callbacks.clone(), id.clone());
            self.in_background(async move { callbacks.failed(&id, &payment).await });
        }
        pressed
    }
}

impl PaymentPage for SimulatedProvider {
    fn press<'a>(&'a self, payment: &'a PaymentId) -> Promised<'a, Pressed> {
        Box::pin(self.pressed(payment))
    }
}

impl PaymentProvider for SimulatedProvider {
    fn provider(&self) -> Provider {
        Provider::Simulated
    }

    fn create<'a>(&'a self, request: &'a PaymentRequest) -> Promised<'a, Result<Opportunity, ProviderError>> {
        Box::pin(async move { self.books().create(request, &self.inner.page) })
    }

    fn state<'a>(&'a self, payment: &'a PaymentId) -> Promised<'a, Result<PaymentState, ProviderError>> {
        Box::pin(async move { self.books().state(payment) })
    }

    fn cancel<'a>(&'a self, payment: &'a PaymentId) -> Promised<'a, Result<Withdrawn, ProviderError>> {
        Box::pin(async move { self.books().cancel(payment) })
    }

    fn refund<'a>(&'a self, request: &'a RefundRequest) -> Promised<'a, Result<String, ProviderError>> {
        Box::pin(async move { self.books().refund(request) })
    }
}

#[cfg(test)]
mod tests;
