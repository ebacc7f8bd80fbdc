//! HTTP/1.1 answers, framed. Only what a server of ours or of axum's writes: a status line, headers, a length.
//!
//! A client library would do, and would cost as much processor time as the server it measures, on the same machine.

/// The head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its status.
    pub status: u16,
    /// How long the head is, its empty line included.
    pub head_bytes: usize,
    /// How long the body is.
    pub body_bytes: usize,
    /// Whether it says when to come back.
    pub has_retry_after: bool,
    /// Whether the connection ends with it.
    pub closes: bool,
    /// The reservation that it says was made, as the number in its id.
    pub reservation: Option<u128>,
}

/// An answer that is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an answer that is no HTTP/1.1 with a length")
    }
}

impl std::error::Error for Malformed {}

impl Head {
    /// Reads the head, if it is there whole.
    ///
    /// # Errors
    /// [`Malformed`] for what this client does not read.
    pub fn read(input: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some((first, mut rest)) = line(input) else { return Ok(None) };
        let status = first.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3)).ok_or(Malformed)?;
        let status = number(status).and_then(|status| u16::try_from(status).ok()).ok_or(Malformed)?;
        let mut head =
            Self { status, head_bytes: 0, body_bytes: 0, has_retry_after: false, closes: false, reservation: None };
        let mut length = None;
        loop {
            let Some((header, behind)) = line(rest) else { return Ok(None) };
            rest = behind;
            if header.is_empty() {
                head.head_bytes = input.len() - rest.len();
                head.body_bytes = length.ok_or(Malformed)?;
                return Ok(Some(head));
            }
            let first = header.first().map(u8::to_ascii_lowercase);
            match first {
                Some(b'c') => {
                    length = length.or_else(|| value(header, b"content-length: ").and_then(number));
                    head.closes |= value(header, b"connection: ") == Some(b"close");
                }
                Some(b'l') => {
                    let id = value(header, b"location: /v1/reservations/rsv_");
                    let id = id.and_then(|id| std::str::from_utf8(id).ok());
                    head.reservation = id.and_then(|id| u128::from_str_radix(id, 16).ok());
                }
                Some(b'r') => head.has_retry_after |= value(header, b"retry-after: ").is_some(),
                Some(_) | None => {}
            }
        }
    }
}

/// The next line, and what is behind it.
fn line(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = input.iter().position(|&byte| byte == b'\n')?;
    let (line, rest) = input.split_at_checked(end + 1)?;
    Some((line.strip_suffix(b"\r\n")?, rest))
}

fn value<'h>(header: &'h [u8], name: &[u8]) -> Option<&'h [u8]> {
    let (found, value) = header.split_at_checked(name.len())?;
    found.eq_ignore_ascii_case(name).then_some(value)
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nlocation: /v1/reservations/\
        rsv_000000010000800083c1be39b43fcb16\r\ncontent-length: 2\r\n\r\n{}";

    #[test]
    fn an_answer_is_read_when_its_head_is_there_and_not_before() {
        for length in 0..ANSWER.len() - 2 {
            assert_eq!(Head::read(ANSWER.get(..length).expect("a part of it")), Ok(None), "{length}");
        }
        let head = Head::read(ANSWER).expect("it is one").expect("it is whole");
        assert_eq!((head.status, head.head_bytes, head.body_bytes), (201, ANSWER.len() - 2, 2));
        assert_eq!(head.reservation, Some(0x0000_0001_0000_8000_83c1_be39_b43f_cb16));
        assert!(!head.closes && !head.has_retry_after);
    }

    #[test]
    fn what_a_refusal_says_besides_is_noticed() {
        let shed =
            b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let head = Head::read(shed).expect("it is one").expect("it is whole");
        assert!(head.has_retry_after && head.closes && head.reservation.is_none());
    }

    #[test]
    fn what_has_no_length_is_not_guessed_at() {
        let chunked: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        for other in [chunked, b"HTTP/1.0 200 OK\r\n", b"SSH-2.0\r\n"] {
            assert_eq!(Head::read(other), Err(Malformed));
        }
    }
}
