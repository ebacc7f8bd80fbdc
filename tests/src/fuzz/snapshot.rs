//! The snapshot loader: files, and the sections inside them.
//!
//! The first byte says what the rest is. The hash of a file is repaired in some ways of reading it, because chance
//! never finds it; what lies behind it must not trust it with more than damage.

use super::{Verdict, steered};
use domain::item::Item;
use domain::partition::Partition;
use engine::snapshots::{sections, unfold};
use eventlog::{
    LogId, RecordNo, Section as _, SnapshotStore, decode_item, decode_partition, encode_item, encode_partition,
};
use std::path::{Path, PathBuf};

/// A file, as it is.
pub const FILE: u8 = 0;
/// A file whose hash is repaired.
pub const FILE_REPAIRED: u8 = 1;
/// One section: an item.
pub const ITEM: u8 = 2;
/// One section: a partition.
pub const PARTITION: u8 = 3;
/// Sections, each behind its length in two bytes, made into a file.
pub const SECTIONS: u8 = 4;

/// The log that files have to belong to.
pub const OURS: LogId = LogId([7; 16]);

/// Magic, log id, record, event, hash.
const HEAD_BYTES: usize = 4 + 16 + 8 + 8 + 32;

thread_local! {
    // In memory where there is such a place: every input is written as a file.
    static FOLDER: tempfile::TempDir = {
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        tempfile::tempdir_in(place).expect("a directory for one file")
    };
}

/// Reads bytes as a restart would.
#[must_use]
pub fn run(input: &[u8]) -> Verdict {
    let Some(([kind], bytes)) = steered(input) else { return Verdict::Refused };
    match kind % 5 {
        FILE => file(bytes),
        FILE_REPAIRED => file(&hashed(bytes)),
        ITEM => item(bytes),
        PARTITION => partition(bytes),
        _ => file(&hashed(&file_of(bytes))),
    }
}

fn file(bytes: &[u8]) -> Verdict {
    let record = bytes.get(20..28).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
    FOLDER.with(|folder| {
        let path: PathBuf = folder.path().join(format!("upto-{record:020}.snapshot"));
        std::fs::write(&path, bytes).expect("the file can be written");
        let verdict = load(&SnapshotStore::new(folder.path(), OURS), &path);
        std::fs::remove_file(&path).expect("the file can be removed");
        verdict
    })
}

fn load(store: &SnapshotStore, path: &Path) -> Verdict {
    let Ok(snapshot) = store.open(path) else { return Verdict::Refused };
    assert!(snapshot.point.record <= RecordNo(u64::MAX), "it says what it covers");
    let Ok(folded) = unfold(&snapshot) else { return Verdict::Refused };
    for section in sections(&folded).skip(1) {
        let parts = decode_item(&section.bytes()).expect("what was loaded can be stored");
        Item::from_parts(parts).expect("what was stored can be loaded");
    }
    Verdict::Taken
}

fn item(bytes: &[u8]) -> Verdict {
    let Ok(parts) = decode_item(bytes) else { return Verdict::Refused };
    let again = encode_item(&parts);
    assert_eq!(decode_item(&again).as_ref(), Ok(&parts), "it means something else when it is written again");
    assert!(again.len() < bytes.len() || again == bytes, "other bytes come back: {again:02x?}");
    let Ok(item) = Item::from_parts(parts) else { return Verdict::Refused };
    item.recount().expect("what was loaded adds up");
    let stored = item.to_parts();
    let restored = Item::from_parts(stored.clone()).expect("what was loaded can be loaded again");
    assert_eq!(restored.to_parts(), stored, "an item comes back as it was");
    Verdict::Taken
}

fn partition(bytes: &[u8]) -> Verdict {
    let Ok(parts) = decode_partition(bytes) else { return Verdict::Refused };
    let again = encode_partition(&parts);
    assert_eq!(decode_partition(&again).as_ref(), Ok(&parts), "it means something else when it is written again");
    assert!(again.len() < bytes.len() || again == bytes, "other bytes come back: {again:02x?}");
    let Ok(partition) = Partition::from_parts(parts) else { return Verdict::Refused };
    partition.recount().expect("what was loaded adds up");
    let stored = partition.to_parts();
    let restored = Partition::from_parts(stored.clone()).expect("what was loaded can be loaded again");
    assert_eq!(restored.to_parts(), stored, "a partition comes back as it was");
    Verdict::Taken
}

/// With the hash of all that stands before it, and a head that fits.
fn hashed(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.get(..bytes.len().saturating_sub(32)).unwrap_or_default().to_vec();
    if let Some((head, _)) = bytes.split_first_chunk_mut::<20>() {
        head.copy_from_slice(&head_of());
    }
    let hash = blake3::hash(&bytes);
    bytes.extend_from_slice(hash.as_bytes());
    bytes
}

fn head_of() -> [u8; 20] {
    let mut head = [0; 20];
    let (magic, log) = head.split_at_mut(4);
    magic.copy_from_slice(b"HFS3");
    log.copy_from_slice(&OURS.0);
    head
}

/// A file of the sections given, with room for its hash.
fn file_of(mut bytes: &[u8]) -> Vec<u8> {
    let (mut file, mut count) = (vec![0; HEAD_BYTES], 0u64);
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (section, rest) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
        bytes = rest;
        count += 1;
        file.extend_from_slice(&(section.len() as u64).to_le_bytes());
        file.extend_from_slice(section);
    }
    file.extend_from_slice(&u64::MAX.to_le_bytes());
    file.extend_from_slice(&count.to_le_bytes());
    file.extend_from_slice(&[0; 32]);
    file
}
