//! Webhooks: signature headers and bodies, forged and genuine.
//!
//! The first byte says whose webhook it is and whether it is signed for the fuzzer, because chance never finds a
//! signature. Whatever is believed is checked against a signature made anew.

use super::{Verdict, steered};
use domain::payment::Provider;
use domain::time::Timestamp;
use integrations::inbound::{Inbound, InboundError, Inboxes, SignatureError, Signed, WebhookSecret, sign};

/// Header and body as they are, with a line feed between them.
pub const FORGED: u8 = 0;
/// Two bytes that choose a change, then a body, which is signed first.
pub const SIGNED: u8 = 1;

/// The secret that everything here is signed with.
pub const SECRET: &str = "whsec-0123456789abcdef";
/// When everything here arrives.
pub const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// The first byte of an input from this provider.
#[must_use]
pub const fn steering(kind: u8, provider: Provider) -> u8 {
    let whose = match provider {
        Provider::Generic | Provider::External => 0,
        Provider::Simulated => 1,
        Provider::Stripe => 2,
    };
    kind + 2 * whose
}

/// Takes a webhook as the server does.
#[must_use]
pub fn run(input: &[u8]) -> Verdict {
    let Some(([steering], rest)) = steered(input) else { return Verdict::Refused };
    let provider = match steering / 2 % 3 {
        0 => Provider::Generic,
        1 => Provider::Simulated,
        _ => Provider::Stripe,
    };
    let inbox = Inbox { inboxes: Inboxes::default().with(provider, vec![secret()]), provider };
    if steering % 2 == FORGED { forged(&inbox, rest) } else { signed(&inbox, rest) }
}

struct Inbox {
    inboxes: Inboxes,
    provider: Provider,
}

impl Inbox {
    fn read(&self, header: &str, body: &[u8]) -> Result<Inbound, InboundError> {
        self.inboxes.read(self.provider, &Signed { header: Some(header), body, now: NOW })
    }

    /// Whether the signature was believed, whatever the body then was.
    fn believes(&self, header: &str, body: &[u8]) -> bool {
        !matches!(self.read(header, body), Err(InboundError::Signature(_)))
    }
}

fn secret() -> WebhookSecret {
    WebhookSecret::parse(SECRET).expect("long enough")
}

fn forged(inbox: &Inbox, rest: &[u8]) -> Verdict {
    let mut parts = rest.splitn(2, |byte| *byte == b'\n');
    let (header, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    // As from a request: a header that is no text counts as none.
    let header = str::from_utf8(header).ok();
    let read = inbox.inboxes.read(inbox.provider, &Signed { header, body, now: NOW });
    match (&read, header) {
        (Err(InboundError::Signature(_)), _) => {}
        (Ok(_) | Err(InboundError::Body { .. }), Some(header)) => {
            assert!(is_genuine(header, body), "a forged signature is believed: {header:?}");
        }
        (Ok(_) | Err(InboundError::Body { .. }), None) => panic!("an unsigned webhook is believed"),
    }
    Verdict::of(&read)
}

/// Whether the header holds the one right signature for a time in it, spelled out here on its own.
fn is_genuine(header: &str, body: &[u8]) -> bool {
    let named = |name: &str| {
        let parts = header.split(',').filter_map(|part| part.trim().split_once('='));
        parts.filter(|(known, _)| *known == name).map(|(_, value)| value.to_ascii_lowercase()).collect::<Vec<_>>()
    };
    let Some(seconds) = named("t").first().and_then(|text| text.parse::<u64>().ok()) else { return false };
    let right = sign(&secret(), Timestamp::from_millis(seconds * 1_000), body);
    let right = right.rsplit('=').next().unwrap_or_default().to_owned();
    seconds.abs_diff(NOW.as_millis() / 1_000) <= 300 && named("v1").contains(&right)
}

fn signed(inbox: &Inbox, rest: &[u8]) -> Verdict {
    let Some((change, body)) = steered::<2>(rest) else { return Verdict::Refused };
    let header = sign(&secret(), NOW, body);
    let read = inbox.read(&header, body);
    assert!(!matches!(read, Err(InboundError::Signature(_))), "a genuine signature is not believed");
    refuses_changes(inbox, &header, body, usize::from(u16::from_le_bytes(change)));
    Verdict::of(&read)
}

/// A genuine webhook with one bit, one byte or its time changed is not believed any more.
fn refuses_changes(inbox: &Inbox, header: &str, body: &[u8], change: usize) {
    let mut changed = body.to_vec();
    let (at, bit) = (change / 8, 1 << (change % 8));
    if let Some(byte) = changed.get_mut(at % body.len().max(1)) {
        *byte ^= bit;
        assert!(!inbox.believes(header, &changed), "a changed body is believed");
    }
    let longer = [body, &[bit]].concat();
    assert!(!inbox.believes(header, &longer), "a longer body is believed");
    if let Some((_, shorter)) = body.split_last() {
        assert!(!inbox.believes(header, shorter), "a shorter body is believed");
    }
    let mut other = header.as_bytes().to_vec();
    let at = at % header.len();
    if let Some(byte) = other.get_mut(at) {
        *byte ^= bit & 0x7f;
    }
    let other = String::from_utf8(other).expect("still ASCII");
    // Letters of either case are one signature.
    assert!(
        other.eq_ignore_ascii_case(header) || !inbox.believes(&other, body),
        "a changed header is believed: {other}"
    );
    let shop = Inbox { inboxes: Inboxes::default().with(inbox.provider, vec![stranger()]), provider: inbox.provider };
    let read = shop.read(header, body);
    assert_eq!(read, Err(InboundError::Signature(SignatureError::Mismatch)), "another secret is believed");
}

fn stranger() -> WebhookSecret {
    WebhookSecret::parse("whsec-0123456789abcdeg").expect("long enough")
}
