//! Acceptances remembered under their keys (domain rule 3): the record stands in the same event as its effect, and
//! holds what is needed to give the first answer again, with the values of that moment.

use crate::growth::{BlockQueue, SplitIndex};
use crate::identity::ItemKey;
use crate::ids::{CaptureNo, Ordinal, Seq};
use crate::limits::{IDEMPOTENCY_KEY_LEN, IDEMPOTENCY_RECORDS_MAX, IDEMPOTENCY_RETENTION};
use crate::planted::{self, Bug};
use crate::rejection::Rejection;
use crate::time::Timestamp;
use crate::views::{ItemView, OrderState};

/// A 128-bit keyed hash. Packed, for a table of them should not leave a word empty beside each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(Rust, packed(8))]
pub struct Fingerprint(pub u128);

impl Fingerprint {
    pub(crate) fn of(key: &ItemKey, parts: &[&[u8]]) -> Self {
        Self(key.hash128(parts))
    }
}

/// The hashes an accepted command leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Of (caller, method, path, key).
    pub request: Fingerprint,
    /// Of the validated command.
    pub content: Fingerprint,
}

/// An idempotency key as a client sends it: 16 to 255 printable ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Parses it.
    ///
    /// # Errors
    /// [`IdempotencyKeyError`] says what a key looks like.
    pub fn parse(text: &str) -> Result<Self, IdempotencyKeyError> {
        let printable = text.bytes().all(|b| (b' '..=b'~').contains(&b));
        if printable && IDEMPOTENCY_KEY_LEN.contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdempotencyKeyError { len: text.len() })
        }
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Not an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key is 16 to 255 printable ASCII characters; this one has {len}")]
pub struct IdempotencyKeyError {
    /// How long it was.
    pub len: usize,
}

/// One attempt at a command, as its key scopes it.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Who asks: the customer, or the word for an operator.
    pub caller: String,
    /// Method and path, in one spelling.
    pub route: String,
    /// The key.
    pub key: IdempotencyKey,
}

impl Attempt {
    /// The keyed hash of this attempt.
    #[must_use]
    pub fn fingerprint(&self, key: &ItemKey) -> Fingerprint {
        Fingerprint::of(key, &[b"attempt", self.caller.as_bytes(), self.route.as_bytes(), self.key.0.as_bytes()])
    }
}

/// What an accepted command led to, with the values of that moment. What is answered is an item's business, or a
/// partition's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance<A = Answered> {
    /// The first event of the command.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// What was answered.
    pub answered: A,
}

/// What was answered, as far as it cannot be looked up later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// A reservation that is held until then.
    Held {
        /// Which.
        reservation: Ordinal,
        /// Until when.
        expires_at: Timestamp,
        /// When its order was placed, if it had one.
        ordered_at: Option<Timestamp>,
    },
    /// A reservation that waits.
    Waiting {
        /// Which.
        reservation: Ordinal,
        /// Place in line, from 1.
        position: u32,
        /// Rough estimate of the wait, in seconds.
        estimated_wait_s: u32,
    },
    /// A reservation that was cancelled.
    Cancelled {
        /// Which.
        reservation: Ordinal,
    },
    /// An order that waits for its payment until then.
    Ordered {
        /// Whose.
        reservation: Ordinal,
        /// Until when a payment is in time.
        expires_at: Timestamp,
    },
    /// An order that is paid.
    Paid {
        /// Whose.
        reservation: Ordinal,
    },
    /// Money that was reported for an order, but has no right to units.
    RefundDue {
        /// Whose order.
        reservation: Ordinal,
        /// Which capture.
        capture: CaptureNo,
        /// What the order was by then, if another payment had paid it.
        paid: Option<PaidThen>,
    },
    /// A refund that was settled.
    Settled {
        /// Of which capture.
        capture: CaptureNo,
    },
    /// A paid order whose money goes back.
    Refunded {
        /// Whose order.
        reservation: Ordinal,
        /// Which capture.
        capture: CaptureNo,
    },
    /// An operator's command: the item as it was then, settings and all.
    Item(Box<ItemView>),
}

/// What an order that had been paid was when a further payment came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaidThen {
    /// Paid.
    Paid,
    /// Its payment was to go back.
    RefundDue,
    /// Its payment had gone back.
    Refunded,
}

impl PaidThen {
    pub(crate) const fn of(state: OrderState) -> Self {
        match state {
            OrderState::RefundDue => Self::RefundDue,
            OrderState::Refunded => Self::Refunded,
            OrderState::Paid | OrderState::AwaitingPayment { .. } | OrderState::Cancelled | OrderState::Expired => {
                Self::Paid
            }
        }
    }
}

impl From<PaidThen> for OrderState {
    fn from(then: PaidThen) -> Self {
        match then {
            PaidThen::Paid => Self::Paid,
            PaidThen::RefundDue => Self::RefundDue,
            PaidThen::Refunded => Self::Refunded,
        }
    }
}

/// The acceptances of one stream by request hash, oldest dropped once they are past the retention.
#[derive(Clone, Debug)]
pub struct IdempotencyTable<A = Answered> {
    by_age: BlockQueue<Kept<A>>,
    /// Numbers in `by_age`.
    by_request: SplitIndex<u32>,
}

#[derive(Clone, Debug)]
struct Kept<A> {
    request: Fingerprint,
    entry: Entry<A>,
}

impl<A> Default for IdempotencyTable<A> {
    fn default() -> Self {
        Self { by_age: BlockQueue::new(), by_request: SplitIndex::new() }
    }
}

/// What is remembered of one acceptance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<A = Answered> {
    /// The hash of what was asked.
    pub content: Fingerprint,
    /// What it led to.
    pub acceptance: Acceptance<A>,
}

impl<A> IdempotencyTable<A> {
    /// What was accepted under this request hash.
    #[must_use]
    pub fn get(&self, request: Fingerprint) -> Option<&Entry<A>> {
        let is_it = |&number: &u32| self.by_age.get(number).is_some_and(|kept| kept.request == request);
        let number = self.by_request.find(hash_of(request), is_it)?;
        Some(&self.by_age.get(*number)?.entry)
    }

    /// What was accepted before for the very same request (domain rule 3). `None` for one that is new.
    ///
    /// # Errors
    /// A [`Rejection`] where the key came with other content, or where one more cannot be remembered.
    pub fn recall(&self, asked: Idempotency, now: Timestamp) -> Result<Option<&Acceptance<A>>, Rejection> {
        match self.get(asked.request) {
            Some(entry) if entry.content == asked.content || planted::is(Bug::KeyContentIgnored) => {
                Ok(Some(&entry.acceptance))
            }
            Some(entry) => Err(Rejection::IdempotencyKeyReused { accepted: entry.acceptance.seq }),
            None if !self.has_room(now) => Err(Rejection::IdempotencyTableFull),
            None => Ok(None),
        }
    }

    /// Whether another acceptance at `now` would find a place.
    #[must_use]
    pub fn has_room(&self, now: Timestamp) -> bool {
        self.by_age.len() < IDEMPOTENCY_RECORDS_MAX || self.by_age.front().is_some_and(|(_, kept)| kept.is_old(now))
    }

    /// Remembers an acceptance. Drops up to two that are past the retention, so that the table shrinks after a rush
    /// while no single command pays for it.
    pub fn insert(&mut self, request: Fingerprint, entry: Entry<A>) {
        let now = entry.acceptance.at;
        for _ in 0..2 {
            match self.by_age.front() {
                Some((oldest, kept)) if kept.is_old(now) => {
                    self.by_request.remove(hash_of(kept.request), |&number| number == oldest);
                    self.by_age.drop_front();
                }
                _ => break,
            }
        }
        self.push(request, entry);
    }

    fn push(&mut self, request: Fingerprint, entry: Entry<A>) {
        let number = self.by_age.push_back(Kept { request, entry });
        let by_age = &self.by_age;
        self.by_request.insert(hash_of(request), number, |&number| {
            hash_of(by_age.get(number).expect("all that is in the index is in the queue").request)
        });
    }

    /// How many acceptances are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_age.len()
    }

    /// Whether none is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_age.len() == 0
    }

    /// Every acceptance, oldest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Fingerprint, &Entry<A>)> + Clone {
        self.by_age.iter().map(|kept| (kept.request, &kept.entry))
    }

    /// A table from entries, oldest first, as [`IdempotencyTable::iter`] gives them. `None` where one appears twice.
    pub(crate) fn from_entries(entries: impl IntoIterator<Item = (Fingerprint, Entry<A>)>) -> Option<Self> {
        let mut builder = IdempotencyBuilder::default();
        entries.into_iter().for_each(|(request, entry)| builder.push(request, entry));
        builder.finish()
    }
}

/// A table whose entries are still coming, oldest first.
#[derive(Debug)]
pub(crate) struct IdempotencyBuilder<A = Answered>(BlockQueue<Kept<A>>);

impl<A> Default for IdempotencyBuilder<A> {
    fn default() -> Self {
        Self(BlockQueue::new())
    }
}

impl<A> IdempotencyBuilder<A> {
    pub(crate) fn push(&mut self, request: Fingerprint, entry: Entry<A>) {
        self.0.push_back(Kept { request, entry });
    }

    /// The table. `None` where an entry appears twice.
    pub(crate) fn finish(self) -> Option<IdempotencyTable<A>> {
        let (by_age, mut by_request) = (self.0, SplitIndex::new());
        let request_of = |number: &u32| by_age.get(*number).expect("all that is in the index is in the queue").request;
        let hashed = (0..).zip(by_age.iter()).map(|(number, kept)| (hash_of(kept.request), number));
        let same = |a: &u32, b: &u32| request_of(a) == request_of(b);
        by_request.add_all((by_age.len(), hashed), |number| hash_of(request_of(number)), same, |_, _| Err(())).ok()?;
        Some(IdempotencyTable { by_age, by_request })
    }
}

impl<A> Kept<A> {
    fn is_old(&self, now: Timestamp) -> bool {
        now.since(self.entry.acceptance.at) > IDEMPOTENCY_RETENTION
    }
}

/// The keys are keyed hashes already, so half of one serves as the index's hash: no stranger can aim at it.
const fn hash_of(request: Fingerprint) -> u64 {
    (request.0 & (u64::MAX as u128)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at: u64) -> Entry {
        let answered = Answered::Cancelled { reservation: Ordinal(0) };
        let acceptance = Acceptance { seq: Seq(1), at: Timestamp::from_millis(at), answered };
        Entry { content: Fingerprint(0), acceptance }
    }

    #[test]
    fn an_acceptance_is_remembered_for_the_whole_retention_and_dropped_by_later_ones() {
        let day = IDEMPOTENCY_RETENTION.as_millis();
        let mut table = IdempotencyTable::default();
        table.insert(Fingerprint(1), entry(0));
        table.insert(Fingerprint(2), entry(day));
        assert!(table.get(Fingerprint(1)).is_some(), "exactly at the retention it is still there");
        table.insert(Fingerprint(3), entry(day + 1));
        assert!(table.get(Fingerprint(1)).is_none());
        assert_eq!(table.iter().map(|(request, _)| request.0).collect::<Vec<_>>(), [2, 3]);
    }

    /// More than one block of the queue, and an index that is split, while old ones leave at the other end.
    #[test]
    fn every_acceptance_of_a_day_is_found_again_and_none_of_the_day_before() {
        let (count, day) = (20_000_u64, IDEMPOTENCY_RETENTION.as_millis());
        let request =
            |number: u64| Fingerprint(u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
        let mut table = IdempotencyTable::default();
        for number in 0..2 * count {
            // The second half comes more than a day after the first; each insertion drops two of these.
            let at = if number < count { 0 } else { day + 1 };
            table.insert(request(number), entry(at + number / count));
        }
        assert_eq!(table.len(), count as usize);
        assert!((0..count).all(|number| table.get(request(number)).is_none()));
        assert!((count..2 * count).all(|number| table.get(request(number)) == Some(&entry(day + 2))));
        let entries = || table.iter().map(|(request, entry)| (request, entry.clone()));
        let again = IdempotencyTable::from_entries(entries()).expect("none appears twice");
        assert!(again.iter().eq(table.iter()));
        assert!(IdempotencyTable::from_entries(entries().chain(entries().take(1))).is_none());
    }
}
