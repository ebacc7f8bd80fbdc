//! Signatures of incoming webhooks: `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`, as Stripe signs. Several
//! signatures may be given and several secrets configured, so that either side can rotate.

use core::fmt;
use domain::time::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How far the clocks of the two sides may be apart, and how long a webhook may have been under way, either way. What
/// is older may be a recording.
pub const TOLERANCE_S: u64 = 300;

/// Signatures looked at in one header: a provider that rotates sends two.
const SIGNATURES_MAX: usize = 8;

/// Bytes of a signature.
const SIGNATURE_BYTES: usize = 32;

/// A secret that a provider signs with. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(Box<[u8]>);

/// Shortest secret, in bytes: below it, it can be guessed.
const SECRET_BYTES_MIN: usize = 16;

/// A text that is no webhook secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a webhook secret has at least {SECRET_BYTES_MIN} printable ASCII characters without spaces or commas")]
pub struct SecretError;

impl WebhookSecret {
    /// Takes a text as a secret.
    ///
    /// # Errors
    /// [`SecretError`] where it is too short to be safe, or could not be written in a list.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
        if printable && text.len() >= SECRET_BYTES_MIN { Ok(Self(text.as_bytes().into())) } else { Err(SecretError) }
    }

    fn mac(&self, seconds: u64, body: &[u8]) -> Hmac<Sha256> {
        // HMAC takes keys of any length, so this never fails.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(format!("{seconds}.").as_bytes());
        mac.update(body);
        mac
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

/// Why a webhook is not believed. Nothing is recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no signature header.
    #[error("the webhook is not signed: the header {header} is missing")]
    Missing {
        /// Which header it would be in.
        header: &'static str,
    },
    /// The header is not what it should be.
    #[error("the signature header is not of the form t=<unix seconds>,v1=<hex>: {0}")]
    Malformed(&'static str),
    /// It was signed too long ago.
    #[error("the webhook was signed {age_s} s ago; at most {TOLERANCE_S} s are allowed. It may be a recording")]
    Stale {
        /// How long ago.
        age_s: u64,
    },
    /// By our clock it was signed in the future.
    #[error(
        "the webhook was signed {ahead_s} s ahead of the clock here; at most {TOLERANCE_S} s are allowed. \
         Compare the clocks of both sides"
    )]
    Ahead {
        /// How far from now.
        ahead_s: u64,
    },
    /// No secret that is configured makes any of the signatures given.
    #[error("the signature was made with another secret, or for another body")]
    Mismatch,
}

/// A signature header, for whoever sends webhooks of this form.
#[must_use]
pub fn sign(secret: &WebhookSecret, at: Timestamp, body: &[u8]) -> String {
    let seconds = at.as_millis() / 1_000;
    let mut header = format!("t={seconds},v1=");
    for byte in secret.mac(seconds, body).finalize().into_bytes() {
        header.push_str(&format!("{byte:02x}"));
    }
    header
}

/// Checks a signature header against the raw body. Takes as long for a wrong signature as for another wrong one.
///
/// # Errors
/// [`SignatureError`].
pub fn verify(secrets: &[WebhookSecret], header: &str, body: &[u8], now: Timestamp) -> Result<(), SignatureError> {
    let (seconds, signatures) = parse(header)?;
    let now = now.as_millis() / 1_000;
    let (age_s, ahead_s) = (now.saturating_sub(seconds), seconds.saturating_sub(now));
    if age_s > TOLERANCE_S {
        return Err(SignatureError::Stale { age_s });
    }
    if ahead_s > TOLERANCE_S {
        return Err(SignatureError::Ahead { ahead_s });
    }
    let mut is_genuine = false;
    for secret in secrets {
        let mac = secret.mac(seconds, body);
        for signature in &signatures {
            // Every pair is looked at, whether or not one fitted already.
            is_genuine |= mac.clone().verify_slice(signature).is_ok();
        }
    }
    if is_genuine { Ok(()) } else { Err(SignatureError::Mismatch) }
}

fn parse(header: &str) -> Result<(u64, Vec<[u8; SIGNATURE_BYTES]>), SignatureError> {
    let mut seconds = None;
    let mut signatures = Vec::new();
    for part in header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", _)) if seconds.is_some() => return Err(SignatureError::Malformed("t is given twice")),
            Some(("t", text)) => {
                let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                let number = text.parse::<u64>().ok().filter(|_| plain);
                seconds = Some(number.ok_or(SignatureError::Malformed("t is no number of seconds"))?);
            }
            Some(("v1", text)) if signatures.len() < SIGNATURES_MAX => {
                signatures.push(hex(text).ok_or(SignatureError::Malformed("v1 is not 64 hexadecimal digits"))?);
            }
            // Other schemes, and what a later one may add, are none of ours.
            Some(_) => {}
            None => return Err(SignatureError::Malformed("a part has no name")),
        }
    }
    match (seconds, signatures.is_empty()) {
        (None, _) => Err(SignatureError::Malformed("t is missing")),
        (_, true) => Err(SignatureError::Malformed("v1 is missing")),
        (Some(seconds), false) => Ok((seconds, signatures)),
    }
}

fn hex(text: &str) -> Option<[u8; SIGNATURE_BYTES]> {
    let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().chunks_exact(2);
    if text.len() != 2 * SIGNATURE_BYTES {
        return None;
    }
    let mut bytes = [0; SIGNATURE_BYTES];
    for (to, pair) in bytes.iter_mut().zip(pairs) {
        let &[high, low] = pair else { return None };
        *to = digit(high)? << 4 | digit(low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BODY: &[u8] = br#"{"id":"evt-1","type":"payment.captured"}"#;

    fn secret(text: &str) -> WebhookSecret {
        WebhookSecret::parse(text).expect("long enough")
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_signature_is_the_hmac_of_time_and_body() {
        // Computed with another implementation: HMAC-SHA256("0123456789abcdef", "1000.{}").
        let header = sign(&secret("0123456789abcdef"), at(1_000), b"{}");
        assert_eq!(header, "t=1000,v1=bd3e8b6d13803a2406a848a68bc7a2e80b251fb9d894858564c77ce80a4aa634");
    }

    #[test]
    fn either_side_can_rotate_its_secret() {
        let (old, new) = (secret("an-old-secret-of-ours"), secret("a-new-secret-of-ours"));
        let by_old = sign(&old, at(1_000), BODY);
        assert_eq!(verify(&[new.clone(), old.clone()], &by_old, BODY, at(1_000)), Ok(()));
        let both = format!("{by_old},{}", sign(&new, at(1_000), BODY).split_once(',').expect("two parts").1);
        assert_eq!(verify(&[new], &both, BODY, at(1_000)), Ok(()));
        assert_eq!(
            verify(&[], &by_old, BODY, at(1_000)),
            Err(SignatureError::Mismatch),
            "nobody is trusted by default"
        );
    }

    #[test]
    fn the_window_is_three_hundred_seconds_either_way() {
        let ours = secret("0123456789abcdef");
        let header = sign(&ours, at(1_000), BODY);
        let secrets = [ours];
        for (now, fine) in [(700, true), (1_300, true), (699, false), (1_301, false)] {
            assert_eq!(verify(&secrets, &header, BODY, at(now)).is_ok(), fine, "at {now}");
        }
        let said = |now| verify(&secrets, &header, BODY, at(now)).map_err(|error| error.to_string());
        let old = "the webhook was signed 9000 s ago; at most 300 s are allowed. It may be a recording";
        assert_eq!(said(10_000), Err(old.to_owned()));
        let ahead = "the webhook was signed 301 s ahead of the clock here; at most 300 s are allowed. \
                     Compare the clocks of both sides";
        assert_eq!(said(699), Err(ahead.to_owned()));
    }

    #[test]
    fn a_header_that_is_not_of_the_form_is_refused_in_words() {
        let good = format!("v1={}", "0".repeat(64));
        for header in [
            String::new(),
            "t=1".to_owned(),
            good.clone(),
            format!("t=1,t=1,{good}"),
            format!("t=-1,{good}"),
            format!("t=+1,{good}"),
            format!("t=,{good}"),
            "t=1,v1=abc".to_owned(),
            format!("t=1,v1={}", "g".repeat(64)),
            format!("t=99999999999999999999,{good}"),
            "nonsense".to_owned(),
        ] {
            let refused = verify(&[secret("0123456789abcdef")], &header, BODY, at(1));
            assert!(matches!(refused, Err(SignatureError::Malformed(_))), "{header}: {refused:?}");
        }
        let other_scheme = sign(&secret("0123456789abcdef"), at(1), BODY) + ",v0=abc,v2=what";
        assert_eq!(verify(&[secret("0123456789abcdef")], &other_scheme, BODY, at(1)), Ok(()));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 5_000, ..ProptestConfig::default() })]

        #[test]
        fn a_changed_body_header_or_secret_is_never_accepted(
            body in prop::collection::vec(any::<u8>(), 0..200),
            what in 0u8..4,
            place in any::<prop::sample::Index>(),
            bit in 0u8..8,
        ) {
            let ours = secret("0123456789abcdef");
            let header = sign(&ours, at(1_000), &body);
            prop_assert_eq!(verify(std::slice::from_ref(&ours), &header, &body, at(1_000)), Ok(()));
            let (mut body, mut header, mut ours) = (body, header.into_bytes(), ours);
            match what {
                0 if body.is_empty() => body.push(b'x'),
                0 => {
                    let at = place.index(body.len());
                    body.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << bit);
                }
                1 => {
                    // A digit of the signature, or of the time: anything but its case.
                    let (at, before) = (place.index(header.len()), header.clone());
                    header.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << bit);
                    prop_assume!(!before.eq_ignore_ascii_case(&header));
                }
                2 => drop(header.split_off(place.index(header.len()))),
                _ => ours = secret("0123456789abcdeF"),
            }
            let header = String::from_utf8_lossy(&header).into_owned();
            prop_assert!(verify(&[ours], &header, &body, at(1_000)).is_err(), "{header}");
        }
    }
}
