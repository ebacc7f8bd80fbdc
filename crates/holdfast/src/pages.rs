//! How the kernel backs this process's memory.

/// Asks for pages of the usual size. The allocator would ask for huge ones, two megabytes each, which the kernel clears
/// whole when the first byte of one is touched and keeps whole while any byte of one is in use: after a snapshot was
/// folded, a million who wait took a third more memory, and a turn that met a fresh page took milliseconds longer.
pub(crate) fn stay_small() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "memory may be in huge pages");
    }
}
