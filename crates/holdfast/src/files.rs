//! How many files the process may have open. Connections are files too, and the log must never lack one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files besides connections: the log's generations, snapshots, the anchor, listeners, and some to spare.
const FILES_BESIDES_CONNECTIONS: u64 = 256;

/// Raises the limit on open files as far as the system allows. Tells in words if it is still too low for so many
/// connections.
pub(crate) fn raise_limit(connections: usize) -> Option<String> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // If this is refused, the limit stays as it was, and is judged as it is.
    let _refused = setrlimit(Resource::Nofile, raised);
    let needed = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(FILES_BESIDES_CONNECTIONS);
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    (allowed < needed).then(|| {
        format!(
            "this process may have {allowed} files open, and {needed} are needed for all the connections that are \
             allowed. Raise the limit (ulimit -n {needed}), or lower connections.public: with every file taken by \
             idle connections neither operators nor the log's anchor get one"
        )
    })
}
