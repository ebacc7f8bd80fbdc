//! What operators set about the HTTP front. Reading it from files and flags is the binary's business.

use crate::limits;
use crate::network::PeerNetwork;
use core::fmt;
use engine::ports::PaymentPage;
use integrations::inbound::Inboxes;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq as _;

/// The configuration of the HTTP front.
#[derive(Clone)]
pub struct ApiConfig {
    /// Whose word counts for who a customer is.
    pub gateway: GatewayConfig,
    /// What operators show on the admin listener.
    pub operator_token: Token,
    /// What a backend that may report money shows.
    pub service_token: Token,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// How many connections there may be.
    pub connections: Connections,
    /// The providers whose webhooks are taken.
    pub inboxes: Inboxes,
    /// Whether messages may go to private addresses, and by http.
    pub notify_private: bool,
    /// The page of the simulated provider, if there is one.
    pub payment_page: Option<Arc<dyn PaymentPage>>,
}

impl ApiConfig {
    /// A configuration with these tokens and the defaults for the rest.
    #[must_use]
    pub fn new(operator_token: Token, service_token: Token) -> Self {
        Self {
            gateway: GatewayConfig::default(),
            operator_token,
            service_token,
            timeouts: Timeouts::default(),
            connections: Connections::default(),
            inboxes: Inboxes::default(),
            notify_private: false,
            payment_page: None,
        }
    }
}

/// Whose word counts for who a customer is.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// The peers whose `X-Customer-Id` is believed.
    pub peers: Vec<PeerNetwork>,
    /// Whether these peers may also report money (purchases, confirmations) without the service token.
    pub reports_payments: bool,
}

impl Default for GatewayConfig {
    /// Loopback only, and no money.
    fn default() -> Self {
        Self { peers: PeerNetwork::loopback(), reports_payments: false }
    }
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For the head of a request; also how long a connection may sit without one.
    pub header_read: Duration,
    /// For the body of a request.
    pub body_read: Duration,
    /// For an item to reach the `min_sequence` asked for.
    pub fresh_read: Duration,
    /// For running requests when the server stops.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            header_read: limits::HEADER_READ_TIMEOUT,
            body_read: limits::BODY_READ_TIMEOUT,
            fresh_read: limits::FRESH_READ_TIMEOUT,
            drain: limits::DRAIN_TIMEOUT,
        }
    }
}

/// How many connections there may be at once. Further ones wait in the system's backlog until one closes.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    /// On the public listener.
    pub public: usize,
    /// On the admin listener.
    pub admin: usize,
}

impl Default for Connections {
    fn default() -> Self {
        Self { public: limits::PUBLIC_CONNECTIONS_MAX, admin: limits::ADMIN_CONNECTIONS_MAX }
    }
}

/// A secret that a caller shows as `Authorization: Bearer`. Never printed.
#[derive(Clone)]
pub struct Token(Box<[u8]>);

/// A text that is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token is 16 to 512 printable ASCII characters without spaces")]
pub struct TokenError;

impl Token {
    /// Takes a text as a token.
    ///
    /// # Errors
    /// [`TokenError`] where it is too short to be safe, too long, or has characters that a header cannot carry.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        if printable && limits::TOKEN_LEN.contains(&text.len()) {
            Ok(Self(text.as_bytes().into()))
        } else {
            Err(TokenError)
        }
    }

    /// Whether `shown` is this token. Takes the same time for every wrong one of the same length.
    pub(crate) fn is(&self, shown: &[u8]) -> bool {
        self.0.ct_eq(shown).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_printable_and_never_printed() {
        for bad in ["", "short", "has a space in the middle", &"x".repeat(513), "tab\tin the middle of it"] {
            assert_eq!(Token::parse(bad).err(), Some(TokenError), "{bad}");
        }
        let token = Token::parse("0123456789abcdef").expect("16 characters");
        assert!(token.is(b"0123456789abcdef"));
        assert!(!token.is(b"0123456789abcdeg") && !token.is(b"") && !token.is(b"0123456789abcdef0"));
        assert_eq!(format!("{token:?}"), "Token(secret)");
    }
}
