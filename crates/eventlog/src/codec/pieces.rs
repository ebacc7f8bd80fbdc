//! Large state, piece by piece: the same bytes as in one piece, without having all of it a second and a third time.

use super::{CodecError, EVENT_DECODE_LIMIT, from_reader};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{Error, Read, Result as IoResult, Take, Write};

/// Writes pieces one behind the other.
pub(crate) struct PieceWriter<'w>(pub(crate) &'w mut dyn Write);

impl PieceWriter<'_> {
    pub(crate) fn put<T: Serialize>(&mut self, piece: &T) -> IoResult<()> {
        let written = bincode::serde::encode_into_std_write(piece, &mut self.0, bincode::config::standard());
        written.map(drop).map_err(|error| match error {
            bincode::error::EncodeError::Io { inner, .. } => inner,
            other => Error::other(other),
        })
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

/// Reads pieces one behind the other.
pub(crate) struct PieceReader<'r, R>(pub(crate) &'r mut Take<R>);

impl<R: Read> PieceReader<'_, R> {
    /// A piece no larger than an event.
    pub(crate) fn piece<T: DeserializeOwned>(&mut self) -> Result<T, CodecError> {
        from_reader::<T, EVENT_DECODE_LIMIT>(self.0)
    }

    /// A piece of any size, with lists of its own.
    pub(crate) fn large_piece<T: DeserializeOwned>(&mut self) -> Result<T, CodecError> {
        let left = self.0.limit();
        super::state_within!(left, from_reader, T, self.0)
    }

    /// A list. How long it says it is is not believed, and room is made only for what is read.
    pub(crate) fn list<S: DeserializeOwned, T>(
        &mut self,
        mut element: impl FnMut(S) -> Result<T, CodecError>,
    ) -> Result<Vec<T>, CodecError> {
        let count: u64 = self.piece()?;
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(element(self.piece()?)?);
        }
        Ok(list)
    }

    /// Nothing may be left.
    pub(crate) fn end(self) -> Result<(), CodecError> {
        match self.0.limit() {
            0 => Ok(()),
            left => Err(CodecError::Shape(format!("{left} bytes too many"))),
        }
    }
}
