//! The books laid open for a snapshot, and put together again from one.

use super::{Books, BooksParts};
use crate::ids::CaptureNo;
use crate::payment::ledger::Pot;

impl Books {
    /// All facts, in an order that depends on nothing but the events.
    pub(crate) fn to_parts(&self) -> BooksParts {
        BooksParts {
            captures: self.captures.clone(),
            orders: self.orders.iter().map(|(&owner, book)| (owner, book.clone())).collect(),
            reports: self.reports.iter().cloned().collect(),
            early: self
                .early
                .iter()
                .map(|((payment, provider), early)| (*provider, payment.clone(), early.clone()))
                .collect(),
            given_back: self.given_back.iter().copied().collect(),
        }
    }

    /// The books with these facts; the timers of what is parked are the owner's to arm.
    pub(crate) fn from_parts(parts: BooksParts) -> Result<Self, String> {
        let mut books = Self { orders: parts.orders.into_iter().collect(), ..Self::default() };
        for (no, record) in (0..).map(CaptureNo).zip(parts.captures) {
            books.ledger.captured(record.capture.amount, record.place.pot());
            if record.place.pot() == Pot::Due {
                books.due.insert(no);
            }
            let key = (record.capture.payment.clone(), record.capture.provider);
            if books.by_payment.insert(key, no).is_some() {
                return Err("a payment is captured twice".to_owned());
            }
            if !books.order(record.owner).is_some_and(|book| book.captures.contains(&no)) {
                return Err("a capture without its order".to_owned());
            }
            books.captures.push(record);
        }
        let is_of = |owner, no: &CaptureNo| books.get(*no).is_some_and(|record| record.owner == owner);
        if !books.orders.iter().all(|(&owner, book)| book.captures.iter().all(|no| is_of(owner, no))) {
            return Err("an order names a capture that is not its own".to_owned());
        }
        if !parts.given_back.iter().all(|no| books.get(*no).is_some()) {
            return Err("a capture is given back that is not there".to_owned());
        }
        books.given_back = parts.given_back.into_iter().collect();
        books.reports = parts.reports.into_iter().collect();
        books.early = parts.early.into_iter().map(|(by, payment, early)| ((payment, by), early)).collect();
        Ok(books)
    }
}
