//! Every acknowledged write is synced first, and concurrent requests share the sync: counted by strace.

use http::StatusCode;
use tests::{Server, server, strace_is_here};
use tokio::process::Command;

/// The syncs of the log's own file in a trace. The anchor and whatever else is synced does not count.
fn syncs(trace: &str, file: &str) -> usize {
    trace.lines().filter(|line| line.contains("fdatasync(") && line.contains(file)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_pays_one_sync_a_write_and_a_crowd_shares_them() {
    writes_are_synced("sled", "/db>").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_pays_one_sync_a_write_in_fjall_and_a_crowd_shares_them() {
    writes_are_synced("fjall", "/journals/0>").await;
}

async fn writes_are_synced(engine: &str, file: &str) {
    if !strace_is_here("counts syncs") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (data, trace) = (dir.path().join("data"), dir.path().join("trace"));
    let mut command = Command::new("strace");
    // -D: strace steps aside, so that the server is our child; -y: descriptors are shown with their paths.
    command
        .args(["-D", "-f", "-y", "-e", "trace=fdatasync,fsync,sync_file_range", "-o"])
        .arg(&trace)
        .arg(server::binary());
    let server = Server::start_as(command, &data, &["--log", engine]).await.expect("a server under strace");
    let client = server.client.clone();
    client.open_item("lamp", 10_000, serde_json::Value::Null).await.expect("an item");
    let read = || syncs(&std::fs::read_to_string(&trace).expect("a trace"), file);

    let before = read();
    for number in 0..20 {
        let answer = client.reserve(&format!("alone-{number}"), "lamp").await.expect("an answer");
        assert_eq!(answer.status, StatusCode::CREATED);
        let syncs = read() - before;
        assert!(syncs > number, "write {number} was acknowledged after {syncs} syncs");
    }

    let before = read();
    let mut crowd = tokio::task::JoinSet::new();
    for lane in 0..64 {
        let client = client.clone();
        crowd.spawn(async move {
            for number in 0..10 {
                let answer = client.reserve(&format!("crowd-{lane}-{number}"), "lamp").await.expect("an answer");
                assert_eq!(answer.status, StatusCode::CREATED);
            }
        });
    }
    while let Some(done) = crowd.join_next().await {
        done.expect("no panic");
    }
    let shared = read() - before;
    println!("640 concurrent writes shared {shared} syncs");
    assert!(shared >= 10, "ten writes one after another need ten syncs, there were {shared}");
    assert!(shared < 640, "concurrent writes do not share their syncs: {shared}");

    let spilled = blobs(&data);
    assert!(spilled.is_empty(), "records were moved where nothing syncs them: {spilled:?}");
}

/// Files in any `blobs` folder below.
fn blobs(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if folder.ends_with("blobs") {
                found.push(path);
            }
        }
    }
    found
}
