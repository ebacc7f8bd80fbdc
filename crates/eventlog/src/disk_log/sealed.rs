//! Closed generations: one flat file of records, one after another, that never changes again.
//!
//! sled writes some six bytes per byte and rewrites files when it opens them; fjall holds in memory what lies in its
//! journal. What is closed needs neither: its records are copied into a plain file, checked on the way, and the
//! engine's files go. Any program can read it.

use super::layout::GenerationDir;
use super::live::Live;
use crate::disk;
use crate::ids::{LogId, RecordNo};
use crate::limits::{HEADER_BYTES, PAYLOAD_BYTES_MAX, READ_BATCH_RECORDS};
use crate::log::{LogError, ReadError};
use crate::record::{Cursor, Verifier};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// How many records lie between two places that are remembered.
const INDEX_STRIDE: u64 = 64;

/// Where a record's payload length stands.
const PAYLOAD_LEN_AT: usize = 52;

/// A closed generation's file. Opened for each batch that is read: a long history has more files than a process may
/// keep open.
#[derive(Debug)]
pub(super) struct Sealed {
    path: PathBuf,
    first: RecordNo,
    /// Made when the file is first read.
    index: OnceLock<Index>,
}

#[derive(Debug)]
struct Index {
    /// Where every [`INDEX_STRIDE`]th record begins.
    begins: Vec<u64>,
    /// How many records there are, by the lengths they tell.
    count: u64,
}

impl Sealed {
    pub(super) const fn new(path: PathBuf, first: RecordNo) -> Self {
        Self { path, first, index: OnceLock::new() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Up to `limit` records from `from` to `upto`. A record that does not fit its place is given as the bytes that
    /// are there, and ends the list: whoever checks it will see what is wrong.
    pub(super) fn read(
        &self,
        from: RecordNo,
        upto: RecordNo,
        limit: usize,
    ) -> Result<Vec<(RecordNo, Vec<u8>)>, LogError> {
        let read = || -> std::io::Result<Vec<(RecordNo, Vec<u8>)>> {
            let file = File::open(&self.path)?;
            let mut found = Vec::new();
            let Some(mut offset) = self.find(&file, from)? else { return Ok(found) };
            for number in (from.0..=upto.0).take(limit).map(RecordNo) {
                let Some(bytes) = record_at(&file, offset)? else { break };
                offset = offset.saturating_add(bytes.len() as u64);
                found.push((number, bytes));
            }
            Ok(found)
        };
        read().map_err(LogError::io("read", &self.path))
    }

    /// Its last record, by the lengths that its records tell.
    pub(super) fn last(&self) -> Result<RecordNo, LogError> {
        let index = File::open(&self.path).and_then(|file| self.index(&file));
        Ok(self.first.plus(index.map_err(LogError::io("read", &self.path))?.count).before())
    }

    /// Where a record begins, if the file reaches so far.
    pub(super) fn offset_of(&self, record: RecordNo) -> Option<u64> {
        File::open(&self.path).and_then(|file| self.find(&file, record)).ok().flatten()
    }

    fn index(&self, file: &File) -> std::io::Result<&Index> {
        if let Some(index) = self.index.get() {
            return Ok(index);
        }
        let index = Index::of(file)?;
        Ok(self.index.get_or_init(|| index))
    }

    fn find(&self, file: &File, record: RecordNo) -> std::io::Result<Option<u64>> {
        let ahead = record.0.saturating_sub(self.first.0);
        let slot = usize::try_from(ahead / INDEX_STRIDE).unwrap_or(usize::MAX);
        let Some(&(mut offset)) = self.index(file)?.begins.get(slot) else { return Ok(None) };
        for _ in 0..ahead % INDEX_STRIDE {
            let Some(length) = length_at(file, offset)? else { return Ok(None) };
            offset = offset.saturating_add(length);
        }
        Ok(Some(offset))
    }
}

impl Index {
    fn of(file: &File) -> std::io::Result<Self> {
        let mut index = Self { begins: Vec::new(), count: 0 };
        let mut offset = 0u64;
        loop {
            if index.count.is_multiple_of(INDEX_STRIDE) {
                index.begins.push(offset);
            }
            let Some(length) = length_at(file, offset)? else { return Ok(index) };
            offset = offset.saturating_add(length);
            index.count = index.count.saturating_add(1);
        }
    }
}

/// The length that the record at `offset` tells of itself; `None` at the end, and where it cannot be.
fn length_at(file: &File, offset: u64) -> std::io::Result<Option<u64>> {
    let mut head = [0; HEADER_BYTES];
    let read = read_up_to(file, &mut head, offset)?;
    let told = head.get(PAYLOAD_LEN_AT..read).and_then(|rest| Cursor(rest).u32());
    let told = told.and_then(|told| usize::try_from(told).ok()).filter(|&told| told <= PAYLOAD_BYTES_MAX);
    Ok(told.filter(|_| read == HEADER_BYTES).map(|told| (HEADER_BYTES + told) as u64))
}

/// The record at `offset`. Bytes that are no record are handed out too, so that the reader names what is wrong.
fn record_at(file: &File, offset: u64) -> std::io::Result<Option<Vec<u8>>> {
    let length = length_at(file, offset)?.and_then(|length| usize::try_from(length).ok());
    let mut bytes = vec![0; length.unwrap_or(HEADER_BYTES)];
    let read = read_up_to(file, &mut bytes, offset)?;
    bytes.truncate(read);
    Ok((read > 0).then_some(bytes))
}

fn read_up_to(file: &File, to: &mut [u8], offset: u64) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = to.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Copies a closed generation's records into their flat file, checking the chain on the way. The engine's files
/// stay.
pub(super) fn seal(
    at: &GenerationDir,
    live: &Live,
    log_id: LogId,
    first: RecordNo,
    last: RecordNo,
) -> Result<Sealed, LogError> {
    let sealing = at.sealing();
    let file = disk::Steady::create(&sealing).map_err(LogError::io("create", &sealing))?;
    let mut to = BufWriter::with_capacity(disk::PIECE_BYTES, file);
    let mut verifier = Verifier::trusting(log_id);
    let mut next = first;
    while next <= last {
        let batch = live.read(next, last, READ_BATCH_RECORDS)?;
        if batch.is_empty() {
            let place = crate::log::Place { generation: 0, path: live.dir().to_owned(), offset: None };
            return Err(ReadError::Missing { record: next, place }.into());
        }
        for (record, bytes) in batch {
            to.write_all(&bytes).map_err(LogError::io("write", &sealing))?;
            verifier.push(bytes).map_err(|error| LogError::Record { record, error })?;
            next = record.next();
        }
    }
    let file = to.into_inner().map_err(|error| LogError::io("write", &sealing)(error.into_error()))?;
    file.finish().map_err(LogError::io("sync", &sealing))?;
    let path = at.sealed(first);
    disk::rename(&sealing, &path)?;
    Ok(Sealed::new(path, first))
}
