//! Snapshots there and back, and what is wrong with the ones that are passed over.

use super::*;

const LOG: LogId = LogId([9; 16]);

fn point(record: u64) -> ChainPoint {
    ChainPoint { record: RecordNo(record), hash: ChainHash::of(&record.to_le_bytes()), event: EventNo(record * 10) }
}

fn store() -> (tempfile::TempDir, SnapshotStore) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = SnapshotStore::new(dir.path(), LOG);
    (dir, store)
}

fn sections(record: u64) -> Vec<Vec<u8>> {
    vec![vec![], record.to_le_bytes().to_vec(), vec![7; 100]]
}

fn newest(store: &SnapshotStore) -> (Option<u64>, usize) {
    let mut found = Vec::new();
    for store in [store.clone(), store.alone(), store.unhurried()] {
        let read = |snapshot: &Snapshot| {
            let sections = snapshot.sections().and_then(Iterator::collect::<Result<Vec<Vec<u8>>, SnapshotError>>);
            (snapshot.point, sections)
        };
        let newest = store.newest(read).expect("the directory can be read");
        let read = newest.read.map(|(found, read)| {
            assert_eq!(found, point(found.record.0));
            assert_eq!(read.expect("it is whole"), sections(found.record.0));
            found.record.0
        });
        found.push((read, newest.skipped.len()));
    }
    assert!(found.iter().all(|of_one| Some(of_one) == found.first()), "however it is read: {found:?}");
    found.pop().expect("there are some")
}

#[test]
fn the_newest_snapshot_wins_and_two_are_kept() {
    let (_dir, store) = store();
    assert_eq!(newest(&store), (None, 0));
    for record in [5, 70, 700, 7_000] {
        store.write(point(record), sections(record)).expect("it is written");
        assert_eq!(newest(&store), (Some(record), 0));
    }
    let kept: Vec<u64> = store.list().expect("a list").into_iter().map(|(record, _)| record.0).collect();
    assert_eq!(kept, [700, 7_000]);
}

#[test]
fn a_damaged_snapshot_is_passed_over_with_a_report() {
    let (_dir, store) = store();
    store.write(point(1), sections(1)).expect("it is written");
    let path = store.write(point(2), sections(2)).expect("it is written");
    let whole = std::fs::read(&path).expect("a file");
    for bit in (0..whole.len() * 8).step_by(5) {
        let mut flipped = whole.clone();
        flipped.get_mut(bit / 8).map(|byte| *byte ^= 1 << (bit % 8)).expect("in range");
        std::fs::write(&path, flipped).expect("it is written");
        assert_eq!(newest(&store), (Some(1), 1), "bit {bit}");
    }
    for len in 0..whole.len() {
        std::fs::write(&path, whole.get(..len).expect("in range")).expect("it is written");
        assert_eq!(newest(&store), (Some(1), 1), "{len} bytes");
    }
}

#[test]
fn a_damaged_snapshot_is_passed_over_whatever_reading_it_leads_to() {
    let (_dir, store) = store();
    store.write(point(1), sections(1)).expect("it is written");
    let path = store.write(point(2), sections(2)).expect("it is written");
    let damage = |path: &Path| {
        let mut bytes = std::fs::read(path).expect("a file");
        *bytes.last_mut().expect("it has a hash") ^= 1;
        std::fs::write(path, bytes).expect("it is written");
    };
    damage(&path);
    let read = |snapshot: &Snapshot| {
        assert_eq!(snapshot.point, point(1), "bytes nobody can make sense of");
        snapshot.point.record.0
    };
    let newest = store.newest(read).expect("the directory can be read");
    assert_eq!((newest.read, newest.skipped.len()), (Some(1), 1));
    damage(&path);
    let whole = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| store.newest(read)));
    assert!(whole.is_err(), "of one that is whole, it is passed on");
}

#[test]
fn another_logs_snapshot_and_a_renamed_one_are_passed_over() {
    let (dir, store) = store();
    let path = store.write(point(1), sections(1)).expect("it is written");
    assert_eq!(newest(&SnapshotStore::new(dir.path(), LogId([8; 16]))), (None, 1));
    std::fs::rename(path, dir.path().join(name(RecordNo(9)))).expect("it is renamed");
    assert_eq!(newest(&store), (None, 1));
}

#[test]
fn files_left_by_a_crash_do_no_harm() {
    let (dir, store) = store();
    store.write(point(1), sections(1)).expect("it is written");
    std::fs::write(dir.path().join(name(RecordNo(2))).with_extension("tmp"), b"half").expect("it is written");
    std::fs::write(dir.path().join("notes"), b"not ours").expect("it is written");
    assert_eq!(newest(&store), (Some(1), 0));
    store.write(point(2), sections(2)).expect("it is written over");
    assert_eq!(newest(&store), (Some(2), 0));
}
