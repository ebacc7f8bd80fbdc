//! Secrets of endpoints, as Standard Webhooks writes them (`whsec_<base64>`), and the signatures made with them.
//!
//! What this module does not do: keep secrets, or find the randomness for new ones.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::ports::EndpointSecret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a secret begins with, so that scanners of leaked secrets know it.
pub const PREFIX: &str = "whsec_";

/// Shortest secret, in bytes: what Standard Webhooks asks for. Below it, it can be guessed.
pub const SECRET_BYTES_MIN: usize = 24;

/// Longest secret, in bytes: what Standard Webhooks allows. Beyond it, HMAC-SHA256 would shorten it anyway.
pub const SECRET_BYTES_MAX: usize = 64;

/// A text that is no secret of an endpoint. It does not repeat the text, which may be a secret all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It begins otherwise.
    #[error("a secret of an endpoint begins with {PREFIX}; copy all of it")]
    Prefix,
    /// What follows is not base64.
    #[error("what follows {PREFIX} in a secret of an endpoint is base64 with its padding; copy all of it")]
    Encoding,
    /// It is too short, or too long.
    #[error(
        "a secret of an endpoint has {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes, and this one has {bytes}; \
         generate one of 32 random bytes"
    )]
    Length {
        /// How many bytes it has.
        bytes: usize,
    },
}

/// Reads a secret.
///
/// # Errors
/// [`SecretError`] where it is not of the form, or has not 24 to 64 bytes.
pub fn parse_secret(text: &str) -> Result<EndpointSecret, SecretError> {
    let encoded = text.strip_prefix(PREFIX).ok_or(SecretError::Prefix)?;
    let bytes = STANDARD.decode(encoded).map_err(|_| SecretError::Encoding)?;
    if (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len()) {
        Ok(EndpointSecret(bytes))
    } else {
        Err(SecretError::Length { bytes: bytes.len() })
    }
}

/// Writes a secret, for the integrator to whom it belongs and for nobody else.
#[must_use]
pub fn print_secret(secret: &EndpointSecret) -> String {
    format!("{PREFIX}{}", STANDARD.encode(&secret.0))
}

/// A new secret from 32 bytes that nobody can guess.
#[must_use]
pub fn generate(random: [u8; 32]) -> EndpointSecret {
    EndpointSecret(random.to_vec())
}

/// The value of `webhook-signature`: a signature by every secret, in their order, so that a receiver that knows any
/// of them believes the message.
#[must_use]
pub fn sign(secrets: &[EndpointSecret], id: &str, seconds: u64, body: &[u8]) -> String {
    let one = |secret: &EndpointSecret| {
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret.0).expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    };
    secrets.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_of_standard_webhooks() {
        let secret = parse_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let body = br#"{"test": 2432232314}"#;
        // Computed with another implementation, Python's hmac.
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(sign(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body), expected);
    }

    #[test]
    fn every_secret_signs_and_the_newest_comes_first() {
        let (old, new) = (generate([1; 32]), generate([2; 32]));
        let by = |secrets: &[EndpointSecret]| sign(secrets, "evt_1", 1, b"{}");
        let (by_new, by_old) = (by(std::slice::from_ref(&new)), by(std::slice::from_ref(&old)));
        assert_ne!(by_new, by_old);
        assert_eq!(by(&[new, old]), format!("{by_new} {by_old}"));
    }

    #[test]
    fn a_secret_is_read_as_it_was_written() {
        for text in ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &print_secret(&generate([7; 32]))] {
            assert_eq!(parse_secret(text).map(|secret| print_secret(&secret)).as_deref(), Ok(text));
        }
        assert_eq!(parse_secret(&print_secret(&generate([7; 32]))), Ok(EndpointSecret(vec![7; 32])));
    }

    #[test]
    fn a_secret_has_twenty_four_to_sixty_four_bytes() {
        for (bytes, fine) in [(0, false), (23, false), (24, true), (32, true), (64, true), (65, false)] {
            let secret = EndpointSecret(vec![9; bytes]);
            let expected = if fine { Ok(secret.clone()) } else { Err(SecretError::Length { bytes }) };
            assert_eq!(parse_secret(&print_secret(&secret)), expected, "{bytes} bytes");
        }
    }

    #[test]
    fn what_is_no_secret_is_refused_and_not_repeated() {
        for (text, expected) in [
            ("", SecretError::Prefix),
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", SecretError::Prefix),
            ("WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", SecretError::Prefix),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", SecretError::Encoding),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw ", SecretError::Encoding),
            ("whsec_not-base64-at-all-but-long-enough-", SecretError::Encoding),
        ] {
            assert_eq!(parse_secret(text), Err(expected), "{text:?}");
            assert!(!expected.to_string().contains("MfKQ"));
        }
    }
}
