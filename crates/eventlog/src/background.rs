//! Threads that nobody waits for: sealing closed generations, folding snapshots.

/// How much less of a busy processor such a thread gets: a tenth of what one that serves gets (nice(1)).
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Makes the calling thread give way to those that serve. Elsewhere than on Linux a priority is a whole process's, and
/// is left alone.
pub fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "a thread in the background keeps its usual priority");
    }
}
