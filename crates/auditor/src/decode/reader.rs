//! Values of a body: the few shapes of bincode's standard configuration that bodies are made of.

use super::BodyError;
use crate::record::Bytes;

/// Takes values from the front of a body.
#[derive(Debug)]
pub(super) struct Reader<'b>(pub(super) Bytes<'b>);

impl Reader<'_> {
    fn ends<T>(found: Option<T>) -> Result<T, BodyError> {
        found.ok_or(BodyError::Shape("it ends inside a value"))
    }

    pub(super) fn u8(&mut self) -> Result<u8, BodyError> {
        Self::ends(self.0.u8())
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], BodyError> {
        Self::ends(self.0.array())
    }

    pub(super) fn id(&mut self) -> Result<u128, BodyError> {
        self.array().map(u128::from_le_bytes)
    }

    pub(super) fn bool(&mut self) -> Result<bool, BodyError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(BodyError::Shape("a bool is 0 or 1")),
        }
    }

    /// A varint; the shortest form is the only one.
    pub(super) fn u64(&mut self) -> Result<u64, BodyError> {
        let (value, least) = match self.u8()? {
            251 => (Self::ends(self.0.u16())?.into(), 251),
            252 => (Self::ends(self.0.u32())?.into(), 1 << 16),
            253 => (Self::ends(self.0.u64())?, 1 << 32),
            254 | 255 => return Err(BodyError::Shape("no number here has 16 bytes")),
            small => (u64::from(small), 0),
        };
        if value < least { Err(BodyError::Shape("a number is not in its shortest form")) } else { Ok(value) }
    }

    pub(super) fn u32(&mut self) -> Result<u32, BodyError> {
        u32::try_from(self.u64()?).map_err(|_| BodyError::Shape("a number does not fit 32 bits"))
    }

    pub(super) fn i32(&mut self) -> Result<i32, BodyError> {
        let coded = self.u32()?;
        // Even codes are the numbers from 0 up, odd ones those from -1 down.
        let half = i32::try_from(coded / 2).map_err(|_| BodyError::Shape("a number does not fit 32 bits"))?;
        Ok(if coded % 2 == 0 { half } else { -half - 1 })
    }

    fn length(&mut self) -> Result<usize, BodyError> {
        usize::try_from(self.u64()?).map_err(|_| BodyError::Shape("a length does not fit memory"))
    }

    pub(super) fn string(&mut self) -> Result<String, BodyError> {
        let length = self.length()?;
        let bytes = Self::ends(self.0.take(length))?;
        str::from_utf8(bytes).map(str::to_owned).map_err(|_| BodyError::Shape("a text is not UTF-8"))
    }

    pub(super) fn option<T>(
        &mut self,
        value: impl Fn(&mut Self) -> Result<T, BodyError>,
    ) -> Result<Option<T>, BodyError> {
        if self.bool()? { value(self).map(Some) } else { Ok(None) }
    }

    /// A list. Every element takes a byte at least, so a wrong length ends with the body.
    pub(super) fn list<T>(&mut self, value: impl Fn(&mut Self) -> Result<T, BodyError>) -> Result<Vec<T>, BodyError> {
        let mut list = Vec::new();
        for _ in 0..self.length()? {
            list.push(value(self)?);
        }
        Ok(list)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.0.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(bytes: &[u8]) -> Result<u64, BodyError> {
        Reader(Bytes(bytes)).u64()
    }

    #[test]
    fn a_varint_has_one_form_for_each_number() {
        assert_eq!(number(&[250]), Ok(250));
        assert_eq!(number(&[251, 251, 0]), Ok(251));
        assert_eq!(number(&[252, 0, 0, 1, 0]), Ok(1 << 16));
        assert_eq!(number(&[253, 0, 0, 0, 0, 1, 0, 0, 0]), Ok(1 << 32));
        for wrong in [&[251, 250, 0][..], &[252, 0, 1, 0, 0], &[253, 1, 0, 0, 0, 0, 0, 0, 0], &[254], &[251, 1]] {
            assert!(number(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn signed_numbers_alternate_around_zero() {
        for (byte, expected) in [(0, 0), (1, -1), (2, 1), (9, -5), (250, 125)] {
            assert_eq!(Reader(Bytes(&[byte])).i32(), Ok(expected));
        }
        assert_eq!(Reader(Bytes(&[252, 255, 255, 255, 255])).i32(), Ok(i32::MIN));
    }
}
