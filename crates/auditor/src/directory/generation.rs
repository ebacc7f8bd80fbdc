//! The records of one partition's generations, oldest first, from the private copy.

use super::copy::{FJALL, SLED, database, is_generation, is_records, names_in, tree};
use super::{DirectoryError, failed, journal};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Length of a record's header, which ends with all that is needed to find the next.
const HEADER_BYTES: usize = 92;

/// Where the header tells of its number and of its payload's length.
const NUMBER_AT: std::ops::Range<usize> = 24..32;
const PAYLOAD_LENGTH_AT: std::ops::Range<usize> = 52..56;

/// Where a generation's original is, and its records.
type Read = (PathBuf, Result<Vec<Vec<u8>>, DirectoryError>);

/// The records of each generation in its turn: some 40 MiB at a time.
pub(super) fn records(original: &Path, copy: &Path) -> Result<impl Iterator<Item = Read> + use<>, DirectoryError> {
    let names: Vec<String> = names_in(copy)?.into_iter().filter(|name| is_generation(name)).collect();
    let paths: Vec<(PathBuf, PathBuf)> = names.iter().map(|name| (original.join(name), copy.join(name))).collect();
    Ok(paths.into_iter().map(|(original, copy)| {
        let read = generation(&original, &copy);
        (original, read)
    }))
}

fn generation(original: &Path, copy: &Path) -> Result<Vec<Vec<u8>>, DirectoryError> {
    if let Some(name) = names_in(copy)?.iter().find(|name| is_records(name)) {
        let path = copy.join(name);
        return std::fs::read(&path).map(|bytes| split(&bytes)).map_err(failed("read", &path));
    }
    let in_fjall = copy.join(FJALL.own);
    if in_fjall.exists() {
        let entries = journal::entries(&in_fjall)?;
        return Ok(entries.into_iter().map(|(key, value)| under_its_number(&key, value)).collect());
    }
    let first = match open_and_read(&copy.join(SLED.own)) {
        Ok(records) => return Ok(records),
        Err(first) => first,
    };
    // sled's own snapshots may be what keeps it from opening; the log is whole without them.
    let again = copy.join("again");
    tree(&database(original, SLED), &again)?;
    for name in names_in(&again)?.iter().filter(|name| name.starts_with("snap.")) {
        std::fs::remove_file(again.join(name)).map_err(failed("remove", &again))?;
    }
    open_and_read(&again).map_err(|second| DirectoryError::Unreadable {
        path: original.to_owned(),
        why: format!("{first}; without sled's snapshots: {second}"),
    })
}

fn open_and_read(dir: &Path) -> Result<Vec<Vec<u8>>, String> {
    let read = || -> Result<Vec<Vec<u8>>, sled::Error> {
        let db = sled::Config::new().path(dir).mode(sled::Mode::LowSpace).use_compression(false).open()?;
        let mut records = Vec::new();
        for entry in db.iter() {
            let (key, value) = entry?;
            records.push(under_its_number(&key, value.to_vec()));
        }
        Ok(records)
    };
    // sled says with a panic that some damage is beyond it.
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(read) => read.map_err(|error| error.to_string()),
        Err(_) => Err("sled panicked".to_owned()),
    }
}

/// What stands under another record's number is no record: nothing, which the chain takes for damage.
fn under_its_number(key: &[u8], value: Vec<u8>) -> Vec<u8> {
    let mut number: Vec<u8> = value.get(NUMBER_AT).unwrap_or_default().to_vec();
    number.reverse();
    if number == key { value } else { Vec::new() }
}

/// A flat file into its records. What does not make one is given as it is, for the chain to refuse.
fn split(mut rest: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while !rest.is_empty() {
        let told = rest.get(PAYLOAD_LENGTH_AT).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
        let length = told.and_then(|told| HEADER_BYTES.checked_add(usize::try_from(told).ok()?));
        let (record, behind) = length.and_then(|length| rest.split_at_checked(length)).unwrap_or((rest, &[]));
        records.push(record.to_vec());
        rest = behind;
    }
    records
}
