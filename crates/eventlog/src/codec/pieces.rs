//! Large state, piece by piece: the same bytes as in one piece, without having all of it a second and a third time.

use super::{CodecError, EVENT_DECODE_LIMIT, encode_onto};
use bincode::error::DecodeError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{Read, Result as IoResult, Take, Write};

/// What is read ahead at least. Elements of lists are far smaller, so that few of them are tried twice.
const AHEAD_BYTES: usize = 4 * 1024;

/// What is read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Writes pieces one behind the other.
pub(crate) struct PieceWriter<'w> {
    to: &'w mut dyn Write,
    /// The piece on its way: written at once, for it is made of single bytes.
    piece: Vec<u8>,
}

impl<'w> PieceWriter<'w> {
    pub(crate) fn new(to: &'w mut dyn Write) -> Self {
        Self { to, piece: Vec::new() }
    }

    pub(crate) fn put<T: Serialize>(&mut self, piece: &T) -> IoResult<()> {
        self.piece.clear();
        encode_onto(piece, &mut self.piece);
        self.to.write_all(&self.piece)
    }

    /// A list: how long it is, and its elements.
    pub(crate) fn list<T: Serialize>(&mut self, elements: impl ExactSizeIterator<Item = T>) -> IoResult<()> {
        self.put(&(elements.len() as u64))?;
        for element in elements {
            self.put(&element)?;
        }
        Ok(())
    }
}

/// Reads pieces one behind the other, from bytes read ahead: a number at a time from a file would take three times as
/// long.
pub(crate) struct PieceReader<'r, R> {
    from: &'r mut Take<R>,
    ahead: Vec<u8>,
    /// How many of them have been decoded.
    used: usize,
}

impl<'r, R: Read> PieceReader<'r, R> {
    pub(crate) const fn new(from: &'r mut Take<R>) -> Self {
        Self { from, ahead: Vec::new(), used: 0 }
    }

    /// A piece no larger than an event.
    pub(crate) fn piece<T: DeserializeOwned>(&mut self) -> Result<T, CodecError> {
        let config = bincode::config::standard().with_limit::<EVENT_DECODE_LIMIT>();
        self.decode(|bytes| bincode::serde::decode_from_slice(bytes, config))
    }

    /// A list. How long it says it is is not believed, and room is made only for what is read.
    pub(crate) fn list<S: DeserializeOwned, T>(
        &mut self,
        mut element: impl FnMut(S) -> Result<T, CodecError>,
    ) -> Result<Vec<T>, CodecError> {
        let mut list = Vec::new();
        self.each(|stored| {
            list.push(element(stored)?);
            Ok(())
        })?;
        Ok(list)
    }

    /// A list, one element after the other.
    pub(crate) fn each<S: DeserializeOwned>(
        &mut self,
        mut element: impl FnMut(S) -> Result<(), CodecError>,
    ) -> Result<(), CodecError> {
        let count: u64 = self.piece()?;
        (0..count).try_for_each(|_| element(self.piece()?))
    }

    /// Nothing may be left.
    pub(crate) fn end(self) -> Result<(), CodecError> {
        let ahead = self.ahead.len().saturating_sub(self.used) as u64;
        match self.from.limit().saturating_add(ahead) {
            0 => Ok(()),
            left => Err(CodecError::Shape(format!("{left} bytes too many"))),
        }
    }

    fn decode<T>(&mut self, decode: impl Fn(&[u8]) -> Result<(T, usize), DecodeError>) -> Result<T, CodecError> {
        if self.ahead.len().saturating_sub(self.used) < AHEAD_BYTES {
            self.read_on(CHUNK_BYTES)?;
        }
        loop {
            let bytes = self.ahead.get(self.used..).unwrap_or_default();
            match decode(bytes) {
                Ok((piece, length)) => {
                    self.used = self.used.saturating_add(length);
                    return Ok(piece);
                }
                // Perhaps it only goes on behind what has been read: twice as much, so that this ends soon.
                Err(DecodeError::UnexpectedEnd { .. }) if self.from.limit() > 0 => {
                    let more = bytes.len().max(CHUNK_BYTES);
                    self.read_on(more)?;
                }
                Err(error) => return Err(CodecError::Shape(error.to_string())),
            }
        }
    }

    /// Forgets what has been decoded and reads so many bytes more, or what there is.
    fn read_on(&mut self, bytes: usize) -> Result<(), CodecError> {
        self.ahead.drain(..self.used);
        self.used = 0;
        let more = self.from.by_ref().take(bytes as u64).read_to_end(&mut self.ahead);
        match more {
            Ok(0) if self.from.limit() > 0 => Err(CodecError::Shape("it ends too early".to_owned())),
            Ok(_) => Ok(()),
            Err(error) => Err(CodecError::Shape(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(elements: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut to = PieceWriter::new(&mut bytes);
        to.list(elements.iter()).expect("memory takes all");
        to.put(&7_u8).expect("memory takes all");
        bytes
    }

    fn read(bytes: &[u8], length: usize) -> Result<(Vec<Vec<u8>>, u8), CodecError> {
        let mut from = bytes.take(length as u64);
        let mut from = PieceReader::new(&mut from);
        let read = (from.list(Ok)?, from.piece()?);
        from.end()?;
        Ok(read)
    }

    #[test]
    fn pieces_come_back_wherever_what_is_read_ahead_ends() {
        for size in [0, 1, AHEAD_BYTES - 1, AHEAD_BYTES, AHEAD_BYTES + 1, 30_000] {
            let elements = vec![vec![5; size]; 40];
            let bytes = written(&elements);
            let (list, last) = read(&bytes, bytes.len()).expect("it is whole");
            assert!(list == elements && last == 7, "elements of {size} bytes");
        }
    }

    #[test]
    fn too_few_bytes_and_too_many_are_both_told() {
        let bytes = written(&vec![vec![5; 3_000]; 40]);
        for length in [0, 1, 3_000, CHUNK_BYTES, bytes.len() - 1] {
            assert!(read(&bytes, length).is_err(), "{length} of {} bytes", bytes.len());
            let cut = bytes.get(..length).unwrap_or_default();
            assert!(read(cut, bytes.len()).is_err(), "{length} bytes that say they are more");
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(read(&longer, longer.len()), Err(CodecError::Shape("1 bytes too many".to_owned())));
    }
}
