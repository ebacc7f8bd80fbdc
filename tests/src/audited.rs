//! The independent auditor on a directory that a harness leaves behind.

use auditor::Report;
use std::path::Path;

/// Recounts the logs of a data directory and insists that every promise is kept.
///
/// # Panics
/// If the log is damaged, or contradicts itself; the words say where.
pub fn clean(dir: &Path, what: &str) -> Report {
    let report = auditor::audit_directory(dir).unwrap_or_else(|error| panic!("{what}: the auditor: {error}"));
    let found: Vec<String> = report.findings().map(ToString::to_string).collect();
    assert!(report.is_clean(), "{what}: the auditor found\n{}", found.join("\n"));
    assert!(report.events > 0, "{what}: the auditor read nothing");
    report
}
