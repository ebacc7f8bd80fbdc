//! The records of a generation that lies in fjall, from its one journal (docs/log-format.md, "The journal of fjall").
//!
//! fjall itself is not asked: it cuts and repairs what it opens. The checksum of a batch is left aside too, because
//! each record has its own, and the chain has the last word.

use super::copy::names_in;
use super::{DirectoryError, failed};
use crate::record::Bytes;
use std::collections::BTreeMap;
use std::path::Path;

/// What a batch does to one key: sets its value, or removes it.
type Change<'b> = (&'b [u8], Option<&'b [u8]>);

/// The values of a journal's keys, in the order of the keys, each with its key.
pub(super) fn entries(database: &Path) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, DirectoryError> {
    let folder = database.join("journals");
    let names = names_in(&folder)?;
    if names != ["0"] {
        let why = format!("fjall's journal has the files {names:?}, and not one named 0");
        return Err(DirectoryError::Unreadable { path: database.to_owned(), why });
    }
    let path = folder.join("0");
    let bytes = std::fs::read(&path).map_err(failed("read", &path))?;
    let (mut rest, mut entries) = (Bytes(&bytes), BTreeMap::new());
    // What is no whole batch ends the journal: a torn tail, or the zeros behind it.
    while let Some(changes) = batch(&mut rest) {
        for (key, value) in changes {
            match value {
                Some(value) => entries.insert(key.to_vec(), value.to_vec()),
                None => entries.remove(key),
            };
        }
    }
    Ok(entries)
}

/// 1, how many changes, a sequence number, no compression; the changes; 3, a checksum, and a mark that all is there.
fn batch<'b>(rest: &mut Bytes<'b>) -> Option<Vec<Change<'b>>> {
    let [1] = rest.array()? else { return None };
    let count = u32::from_be_bytes(rest.array()?);
    let _sequence: [u8; 8] = rest.array()?;
    let [0, 0] = rest.array()? else { return None };
    let changes = (0..count).map(|_| change(rest)).collect::<Option<Vec<_>>>()?;
    let [3] = rest.array()? else { return None };
    let _checksum: [u8; 8] = rest.array()?;
    (rest.array()? == *b"FJL\x02").then_some(changes)
}

/// 2, what is done, in which partition, to which key, with which value.
fn change<'b>(rest: &mut Bytes<'b>) -> Option<Change<'b>> {
    let [2, kind, name_length] = rest.array()? else { return None };
    let name = rest.take(usize::from(name_length))?;
    let key_length = u16::from_be_bytes(rest.array()?);
    let key = rest.take(usize::from(key_length))?;
    let value_length = u32::from_be_bytes(rest.array()?);
    let value = rest.take(usize::try_from(value_length).ok()?)?;
    (name == b"records" && kind <= 1).then_some((key, (kind == 0).then_some(value)))
}
