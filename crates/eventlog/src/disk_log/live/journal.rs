//! fjall's journal as it lies on disk, read by ourselves: what a whole batch is, and where whole batches end.
//!
//! fjall cuts a torn tail silently, refuses to open some torn tails, and ignores some errors of writing. So what counts
//! is what can be read back here. The format is that of fjall 2 (docs/log-format.md, "The journal of fjall"). Nothing
//! here writes.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use xxhash_rust::xxh3::Xxh3;

/// Nothing that we write is longer, so a longer length is damage.
const VALUE_BYTES_MAX: u32 = 1 << 16;

/// What ends a whole batch.
const MAGIC: [u8; 4] = *b"FJL\x02";

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;

/// Something that a batch does: a key, and its value unless the key is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) key: Vec<u8>,
    pub(super) value: Option<Vec<u8>>,
}

/// A batch, and how long it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) items: Vec<Item>,
    pub(super) bytes: u64,
}

/// What is in a journal.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// Where whole batches end.
    pub(super) whole: u64,
    /// How many bytes lie behind that, up to the last that is not zero.
    pub(super) torn: u64,
    /// The first and the last key that are left.
    pub(super) ends: Option<(u64, u64)>,
}

/// The batch of this partition at `offset`, if a whole one begins there.
pub(super) fn batch_at(file: &File, offset: u64, partition: &str) -> std::io::Result<Option<Batch>> {
    Reader::at(file, offset, partition).batch()
}

/// Reads a whole journal.
pub(super) fn scan(file: &File, partition: &str) -> std::io::Result<Scan> {
    let mut found = Scan::default();
    let mut reader = Reader::at(file, 0, partition);
    while let Some(batch) = reader.batch()? {
        found.whole = found.whole.saturating_add(batch.bytes);
        for item in &batch.items {
            found.note(item);
        }
    }
    found.torn = bytes_behind(file, found.whole)?;
    Ok(found)
}

impl Scan {
    fn note(&mut self, item: &Item) {
        let Ok(number) = item.key.as_slice().try_into().map(u64::from_be_bytes) else { return };
        self.ends = match (self.ends, &item.value) {
            (None, Some(_)) => Some((number, number)),
            (None, None) => None,
            (Some((first, last)), Some(_)) => Some((first.min(number), last.max(number))),
            // Keys are only ever removed from one on to the last.
            (Some((first, last)), None) => Some((first, last.min(number.saturating_sub(1)))).filter(|(a, b)| a <= b),
        };
    }
}

/// How far behind `from` the last byte lies that is not zero. fjall makes its file long before it fills it.
fn bytes_behind(file: &File, from: u64) -> std::io::Result<u64> {
    let (mut read, mut last) = (0_u64, 0);
    let mut rest = At { file, offset: from };
    let (mut buffer, zeros) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let count = rest.read(&mut buffer)?;
        let filled = buffer.get(..count).unwrap_or_default();
        if filled.is_empty() {
            return Ok(last);
        }
        // Compared as a whole, for nearly all of it is zeros.
        if zeros.get(..count) != Some(filled) {
            let at = filled.iter().rposition(|byte| *byte != 0).unwrap_or_default();
            last = read.saturating_add(at as u64).saturating_add(1);
        }
        read = read.saturating_add(count as u64);
    }
}

/// A file read from a place on, without moving a position that others share.
struct At<'a> {
    file: &'a File,
    offset: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read_at(buffer, self.offset)?;
        self.offset = self.offset.saturating_add(count as u64);
        Ok(count)
    }
}

struct Reader<'a> {
    rest: BufReader<At<'a>>,
    partition: &'a str,
    /// Bytes of the batch that is being read.
    bytes: u64,
}

/// Why reading a batch came to an end before the batch did.
enum Stopped {
    NotWhole,
    Io(std::io::Error),
}

impl From<std::io::Error> for Stopped {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == ErrorKind::UnexpectedEof { Self::NotWhole } else { Self::Io(error) }
    }
}

impl<'a> Reader<'a> {
    fn at(file: &'a File, offset: u64, partition: &'a str) -> Self {
        Self { rest: BufReader::new(At { file, offset }), partition, bytes: 0 }
    }

    /// The next batch; nothing where none begins, or one that is not whole.
    fn batch(&mut self) -> std::io::Result<Option<Batch>> {
        self.bytes = 0;
        match self.whole() {
            Ok(items) => Ok(Some(Batch { items, bytes: self.bytes })),
            Err(Stopped::NotWhole) => Ok(None),
            Err(Stopped::Io(error)) => Err(error),
        }
    }

    fn whole(&mut self) -> Result<Vec<Item>, Stopped> {
        self.expect(&[START])?;
        let count = u32::from_be_bytes(self.array()?);
        let _seqno: [u8; 8] = self.array()?;
        // No compression, and padding.
        self.expect(&[0, 0])?;
        let (mut checksum, mut items) = (Xxh3::new(), Vec::new());
        for _ in 0..count {
            items.push(self.item(&mut checksum)?);
        }
        self.expect(&[END])?;
        let told = u64::from_be_bytes(self.array()?);
        self.expect(&MAGIC)?;
        if told == checksum.digest() { Ok(items) } else { Err(Stopped::NotWhole) }
    }

    fn item(&mut self, checksum: &mut Xxh3) -> Result<Item, Stopped> {
        self.expect(&[ITEM])?;
        let [kind, name_bytes] = self.array()?;
        let name = self.take(usize::from(name_bytes))?;
        let key_bytes: [u8; 2] = self.array()?;
        let key = self.take(usize::from(u16::from_be_bytes(key_bytes)))?;
        let value_bytes: [u8; 4] = self.array()?;
        let length = u32::from_be_bytes(value_bytes);
        if name != self.partition.as_bytes() || length > VALUE_BYTES_MAX || kind > 1 {
            return Err(Stopped::NotWhole);
        }
        let value = self.take(usize::try_from(length).unwrap_or(usize::MAX))?;
        for part in [&[ITEM, kind, name_bytes], name.as_slice(), &key_bytes, &key, &value_bytes, &value] {
            checksum.update(part);
        }
        // 0 puts a value, 1 removes a key.
        Ok(Item { key, value: (kind == 0).then_some(value) })
    }

    fn expect(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        if self.take(bytes.len())? == bytes { Ok(()) } else { Err(Stopped::NotWhole) }
    }

    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], Stopped> {
        let mut bytes = [0; LENGTH];
        self.rest.read_exact(&mut bytes)?;
        self.bytes = self.bytes.saturating_add(LENGTH as u64);
        Ok(bytes)
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>, Stopped> {
        let mut bytes = vec![0; length];
        self.rest.read_exact(&mut bytes)?;
        self.bytes = self.bytes.saturating_add(length as u64);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;
