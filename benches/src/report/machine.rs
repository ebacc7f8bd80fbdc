//! On what a run was made. Figures mean nothing without it.

use crate::cores;
use serde::Serialize;
use std::path::Path;

/// A machine.
#[derive(Serialize)]
pub(super) struct Machine {
    cores: usize,
    processor: Option<String>,
    memory_kib: Option<u64>,
    kernel: Option<String>,
    file_system: Option<String>,
    /// Whether the generator's threads go before the servers that share its processors.
    generator_goes_first: bool,
    began_at: String,
}

impl Machine {
    /// This one, with the file system of `place`.
    pub(super) fn here(place: &Path) -> Self {
        let read = |path: &str| std::fs::read_to_string(path).ok();
        let after = |text: String, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).map(str::to_owned)?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let memory = read("/proc/meminfo").and_then(|text| after(text, "MemTotal"));
        Self {
            cores: cores::count(),
            processor: read("/proc/cpuinfo").and_then(|text| after(text, "model name")),
            memory_kib: memory.and_then(|text| text.trim_end_matches(" kB").parse().ok()),
            kernel: read("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned()),
            file_system: read("/proc/self/mounts").and_then(|mounts| file_system(&mounts, place)),
            // Of a thread of its own, for it stays so.
            generator_goes_first: std::thread::spawn(|| cores::go_first(1)).join().unwrap_or_default(),
            began_at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }
}

/// The type of the file system with the longest mount point above `place`.
fn file_system(mounts: &str, place: &Path) -> Option<String> {
    let place = place.canonicalize().ok()?;
    let above = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (point, kind) = (fields.next()?, fields.next()?);
        place.starts_with(point).then_some((point.len(), kind))
    });
    above.max_by_key(|(length, _)| *length).map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_system_is_that_of_the_nearest_mount_point() {
        let mounts = "disk / ext4 rw 0 0\nproc /proc proc rw 0 0\n";
        assert_eq!(file_system(mounts, Path::new("/proc/self")).as_deref(), Some("proc"));
        assert_eq!(file_system(mounts, Path::new("/")).as_deref(), Some("ext4"));
    }
}
