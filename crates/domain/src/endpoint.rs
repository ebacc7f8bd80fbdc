//! Where integrators want to be told what happened: outgoing webhook endpoints, as a partition's stream keeps them.

use crate::limits::{ENDPOINT_URL_BYTES_MAX, ENDPOINTS_MAX};
use crate::text::TextError;
use crate::time::Timestamp;
use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

/// An endpoint's number, from 1 in the order in which they were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointNo(pub u32);

impl fmt::Display for EndpointNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

macro_rules! notices {
    ($($variant:ident $name:literal)*) => {
        /// What integrators can be told of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the names say it")]
        pub enum Notice {
            $($variant,)*
        }

        impl Notice {
            /// Every kind, in the order of their stored numbers, which begin at 1.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name in messages and in an endpoint's settings.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

notices! {
    ReservationHeld "reservation.held"
    ReservationWaiting "reservation.waiting"
    ReservationPromoted "reservation.promoted"
    ReservationExtended "reservation.extended"
    ReservationExpired "reservation.expired"
    ReservationCancelled "reservation.cancelled"
    ReservationConfirmed "reservation.confirmed"
    OrderCreated "order.created"
    OrderPaid "order.paid"
    OrderRefundDue "order.refund_due"
    OrderRefunded "order.refunded"
    ItemOpened "item.opened"
    ItemSoldOut "item.sold_out"
    ItemClosed "item.closed"
}

impl Notice {
    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|notice| notice.name() == name)
    }
}

/// An endpoint's address. Whether it may be reached is for whoever sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointUrl(String);

impl EndpointUrl {
    /// Takes an address that begins like one.
    ///
    /// # Errors
    /// [`TextError`].
    pub fn parse(text: &str) -> Result<Self, TextError> {
        if text.is_empty() {
            return Err(TextError::Empty);
        }
        if text.len() > ENDPOINT_URL_BYTES_MAX {
            return Err(TextError::TooLong { max: ENDPOINT_URL_BYTES_MAX, len: text.len() });
        }
        match text.chars().find(|c| !c.is_ascii_graphic()) {
            Some(found) => {
                Err(TextError::Character { allowed: "an address has printable ASCII characters without spaces", found })
            }
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What signatures to an endpoint are keyed with. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret([u8; 32]);

impl SigningSecret {
    /// From 32 random bytes, or from the log.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

/// Why an endpoint is not told anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisabledBy {
    /// An operator turned it off.
    Operator,
    /// It answered that it is gone for good (410).
    Gone,
    /// It did not take its messages for so long that there was no room beside them for payments and refunds.
    Unreachable,
}

/// Something that happened to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointEvent {
    /// It was added.
    Added {
        /// Where.
        url: EndpointUrl,
        /// What it is told of; empty: everything.
        notices: BTreeSet<Notice>,
        /// What its messages are signed with.
        secret: SigningSecret,
    },
    /// It has a new secret; messages are signed with the one before, too, until the next change.
    SecretRotated {
        /// The new one.
        secret: SigningSecret,
    },
    /// It is not told anything any more.
    Disabled {
        /// Why.
        by: DisabledBy,
    },
    /// It is told again, from now on.
    Enabled,
    /// It is no more.
    Removed,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its number.
    pub no: EndpointNo,
    /// Where.
    pub url: EndpointUrl,
    /// What it is told of; empty: everything.
    pub notices: BTreeSet<Notice>,
    /// What its messages are signed with, newest first: at most two.
    pub secrets: Vec<SigningSecret>,
    /// Since when it is told: what happened before is not its business.
    pub since: Timestamp,
    /// Whether it is off, and why.
    pub disabled: Option<DisabledBy>,
}

impl Endpoint {
    /// Whether it wants to be told of something that happened at `at`.
    #[must_use]
    pub fn wants(&self, notice: Notice, at: Timestamp) -> bool {
        self.disabled.is_none() && at >= self.since && (self.notices.is_empty() || self.notices.contains(&notice))
    }
}

/// Why something cannot be done with an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointRefusal {
    /// There is none of this number.
    NotFound,
    /// There are as many as there can be.
    TooMany,
}

/// What is asked about an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointCommand {
    /// Add one.
    Add {
        /// Where.
        url: EndpointUrl,
        /// What it is told of; empty: everything.
        notices: BTreeSet<Notice>,
        /// What its messages are to be signed with.
        secret: SigningSecret,
    },
    /// Give it a new secret.
    Rotate(EndpointNo, SigningSecret),
    /// Turn it off.
    Disable(EndpointNo, DisabledBy),
    /// Turn it on.
    Enable(EndpointNo),
    /// Remove it.
    Remove(EndpointNo),
}

/// All endpoints of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    list: BTreeMap<EndpointNo, Endpoint>,
    added: u32,
}

impl Endpoints {
    /// What a command leads to; `None` where it is so already.
    ///
    /// # Errors
    /// [`EndpointRefusal`].
    pub fn decide(&self, command: &EndpointCommand) -> Result<Option<(EndpointNo, EndpointEvent)>, EndpointRefusal> {
        let known = |no: &EndpointNo| self.list.get(no).ok_or(EndpointRefusal::NotFound);
        Ok(match command {
            EndpointCommand::Add { .. } if self.list.len() >= ENDPOINTS_MAX => return Err(EndpointRefusal::TooMany),
            EndpointCommand::Add { url, notices, secret } => {
                let event = EndpointEvent::Added { url: url.clone(), notices: notices.clone(), secret: secret.clone() };
                Some((EndpointNo(self.added.saturating_add(1)), event))
            }
            EndpointCommand::Rotate(no, secret) => {
                known(no)?;
                Some((*no, EndpointEvent::SecretRotated { secret: secret.clone() }))
            }
            EndpointCommand::Disable(no, by) => {
                known(no)?.disabled.is_none().then_some((*no, EndpointEvent::Disabled { by: *by }))
            }
            EndpointCommand::Enable(no) => known(no)?.disabled.is_some().then_some((*no, EndpointEvent::Enabled)),
            EndpointCommand::Remove(no) => {
                known(no)?;
                Some((*no, EndpointEvent::Removed))
            }
        })
    }

    /// Applies an event.
    ///
    /// # Panics
    /// If it names an endpoint that is not there: the log is wrong.
    pub fn apply(&mut self, no: EndpointNo, event: &EndpointEvent, at: Timestamp) {
        match event {
            EndpointEvent::Added { url, notices, secret } => {
                assert_eq!(no.0, self.added.saturating_add(1), "invariant 34: endpoint numbers have a gap");
                self.added = no.0;
                let (url, notices, secrets) = (url.clone(), notices.clone(), vec![secret.clone()]);
                self.list.insert(no, Endpoint { no, url, notices, secrets, since: at, disabled: None });
            }
            EndpointEvent::SecretRotated { secret } => {
                let secrets = &mut self.entry(no).secrets;
                secrets.insert(0, secret.clone());
                secrets.truncate(2);
            }
            EndpointEvent::Disabled { by } => self.entry(no).disabled = Some(*by),
            EndpointEvent::Enabled => {
                let endpoint = self.entry(no);
                endpoint.disabled = None;
                endpoint.since = at;
            }
            EndpointEvent::Removed => {
                let removed = self.list.remove(&no);
                assert!(removed.is_some(), "invariant 7: endpoint {no} is removed twice");
            }
        }
    }

    fn entry(&mut self, no: EndpointNo) -> &mut Endpoint {
        self.list.get_mut(&no).expect("invariant 7: the log names an endpoint that is not there")
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, no: EndpointNo) -> Option<&Endpoint> {
        self.list.get(&no)
    }

    /// All of them, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Endpoint> {
        self.list.values()
    }

    /// How many were ever added.
    #[must_use]
    pub const fn added(&self) -> u32 {
        self.added
    }

    /// The endpoints with these facts, from a snapshot.
    #[must_use]
    pub fn from_parts(list: Vec<Endpoint>, added: u32) -> Self {
        Self { list: list.into_iter().map(|endpoint| (endpoint.no, endpoint)).collect(), added }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(endpoints: &mut Endpoints, at: u64, command: &EndpointCommand) -> Result<bool, EndpointRefusal> {
        let decided = endpoints.decide(command)?;
        if let Some((no, event)) = &decided {
            endpoints.apply(*no, event, Timestamp::from_millis(at));
        }
        Ok(decided.is_some())
    }

    fn secret(byte: u8) -> SigningSecret {
        SigningSecret::from_bytes([byte; 32])
    }

    fn add(notices: &[Notice]) -> EndpointCommand {
        let url = EndpointUrl::parse("https://example.com/hook").expect("an address");
        EndpointCommand::Add { url, notices: notices.iter().copied().collect(), secret: secret(1) }
    }

    #[test]
    fn an_endpoint_is_told_what_it_asked_for_from_then_on() {
        let mut endpoints = Endpoints::default();
        assert_eq!(run(&mut endpoints, 10, &add(&[Notice::OrderPaid])), Ok(true));
        let endpoint = endpoints.get(EndpointNo(1)).expect("added");
        let wants = |notice, at| endpoint.wants(notice, Timestamp::from_millis(at));
        assert!(wants(Notice::OrderPaid, 10) && !wants(Notice::OrderPaid, 9) && !wants(Notice::OrderCreated, 10));
    }

    #[test]
    fn two_secrets_sign_after_a_rotation_and_an_endpoint_that_is_off_is_told_nothing() {
        let mut endpoints = Endpoints::default();
        run(&mut endpoints, 1, &add(&[])).expect("added");
        let one = EndpointNo(1);
        for byte in 2..5 {
            run(&mut endpoints, 2, &EndpointCommand::Rotate(one, secret(byte))).expect("rotated");
        }
        assert_eq!(endpoints.get(one).expect("there").secrets, [secret(4), secret(3)]);
        assert_eq!(run(&mut endpoints, 3, &EndpointCommand::Disable(one, DisabledBy::Gone)), Ok(true));
        assert_eq!(run(&mut endpoints, 3, &EndpointCommand::Disable(one, DisabledBy::Operator)), Ok(false));
        assert!(!endpoints.get(one).expect("there").wants(Notice::OrderPaid, Timestamp::from_millis(9)));
        assert_eq!(run(&mut endpoints, 7, &EndpointCommand::Enable(one)), Ok(true));
        assert!(endpoints.get(one).expect("there").wants(Notice::OrderPaid, Timestamp::from_millis(7)));
        assert_eq!(run(&mut endpoints, 8, &EndpointCommand::Remove(one)), Ok(true));
        assert_eq!(run(&mut endpoints, 9, &EndpointCommand::Remove(one)), Err(EndpointRefusal::NotFound));
        run(&mut endpoints, 9, &add(&[])).expect("added");
        assert!(endpoints.get(EndpointNo(2)).is_some(), "numbers are never given twice");
    }

    #[test]
    fn there_are_only_so_many() {
        let mut endpoints = Endpoints::default();
        for _ in 0..ENDPOINTS_MAX {
            assert_eq!(run(&mut endpoints, 1, &add(&[])), Ok(true));
        }
        assert_eq!(run(&mut endpoints, 1, &add(&[])), Err(EndpointRefusal::TooMany));
    }
}
