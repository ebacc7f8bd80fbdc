//! A whole data directory: a private copy of it, and every log in the copy.
//!
//! Opening a database after an unclean stop writes over what lies behind the first tear, or cuts it, so nothing of the
//! original is ever opened. A server may run on it meanwhile; what it writes can tear the copy, so a copy that does not
//! hold is made again if the original changed under it.

mod copy;
mod error;
mod generation;
mod identity;
mod journal;

pub use error::DirectoryError;

use crate::chain::{Anchor, Damage};
use crate::record::{Bytes, Fault};
use crate::recount::{Auditor, Moment};
use crate::report::Report;
use copy::Copied;
use identity::Identity;
use std::path::Path;

/// How often a copy is made while the original goes on changing under it.
const COPIES_MAX: usize = 5;

/// Reads every log of a data directory, of a copy or a backup of one, and recounts everything.
///
/// # Errors
/// [`DirectoryError`]: nothing is concluded then. Whatever contradicts itself is in the report.
pub fn audit_directory(dir: &Path) -> Result<Report, DirectoryError> {
    for last in (1..=COPIES_MAX).map(|copy| copy == COPIES_MAX) {
        let before = copy::trace(dir);
        let read = copy_and_read(dir);
        let stood_still = before == copy::trace(dir);
        match read {
            Ok((Copied::AtOneMoment, auditor)) => return Ok(auditor.finish(Moment::One)),
            Ok((Copied::WhileItChanged, auditor)) if last => return Ok(auditor.finish(Moment::Several)),
            Err(error) if last || stood_still => return Err(error),
            Ok((Copied::WhileItChanged, _)) | Err(_) => {}
        }
    }
    unreachable!("the last copy ends the loop")
}

fn copy_and_read(dir: &Path) -> Result<(Copied, Auditor), DirectoryError> {
    // Its owner's alone, as the log itself: it holds who bought what.
    let place = tempfile::Builder::new().prefix("holdfast-audit-").tempdir();
    let place = place.map_err(failed("make a directory in", &std::env::temp_dir()))?;
    let identity = Identity::load(dir)?;
    let copied = copy::logs(dir, place.path(), identity.logs.len())?;
    Ok((copied, read(dir, place.path(), &identity)?))
}

fn read(dir: &Path, place: &Path, identity: &Identity) -> Result<Auditor, DirectoryError> {
    let mut auditor = Auditor::default();
    for (name, log_id) in identity.partitions() {
        let original = dir.join(&name);
        let anchor = anchor(&place.join(&name).join("anchor"), log_id).ok_or_else(|| {
            let damage = Damage { log: crate::chain::hex(&log_id), record: 0, known: None, fault: Fault::Anchor };
            DirectoryError::Damaged { path: original.join("anchor"), damage }
        })?;
        // Where reading has come to: damage shows in the generation that was read last.
        let (mut trouble, mut at) = (None, original.clone());
        let generations = generation::records(&original, &place.join(&name))?;
        let read = generations.map_while(|(path, read)| {
            at = path;
            read.map_err(|error| trouble = Some(error)).ok()
        });
        let logged = auditor.log(read.flatten(), Some(anchor));
        if let Some(error) = trouble {
            return Err(error);
        }
        logged.map_err(|damage| DirectoryError::Damaged { path: at, damage })?;
    }
    Ok(auditor)
}

/// The anchor, if it is there, whole and this log's.
fn anchor(path: &Path, log_id: [u8; 16]) -> Option<Anchor> {
    let bytes = std::fs::read(path).ok()?;
    let (content, crc) = bytes.split_last_chunk::<4>()?;
    let mut at = Bytes(content);
    let (magic, found, record) = (at.array::<4>()?, at.array()?, at.u64()?);
    let (_last_event, hash) = (at.u64()?, at.array()?);
    let right = magic == *b"HFA1" && found == log_id && at.0.is_empty();
    (right && crc32fast::hash(content) == u32::from_le_bytes(*crc)).then_some(Anchor { log_id, record, hash })
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> DirectoryError {
    let path = path.to_owned();
    move |source| DirectoryError::Io { action, path, source }
}
