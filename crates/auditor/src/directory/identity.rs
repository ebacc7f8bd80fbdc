//! `data.toml`: which logs a data directory has.

use super::DirectoryError;
use std::io::ErrorKind;
use std::path::Path;

/// The partitions' log ids, in the order of their numbers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) logs: Vec<[u8; 16]>,
}

impl Identity {
    pub(super) fn load(dir: &Path) -> Result<Self, DirectoryError> {
        let path = dir.join("data.toml");
        let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => DirectoryError::NotADataDirectory { path: dir.to_owned() },
            _ => super::failed("read", &path)(error),
        })?;
        Self::parse(&text).map_err(|problem| DirectoryError::Identity { path, problem })
    }

    /// The partitions' directories and logs.
    pub(super) fn partitions(&self) -> impl Iterator<Item = (String, [u8; 16])> {
        self.logs.iter().enumerate().map(|(number, log)| (format!("partition-{number:03}"), *log))
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        let (content, check) = text.split_once("check = ").ok_or("it has no line `check`")?;
        if check.trim().parse() != Ok(crc32fast::hash(content.as_bytes())) {
            return Err("it was changed after it was written");
        }
        let line = |name: &str| content.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
        if line("format") != Some("1") {
            return Err("it has a format that this auditor does not know");
        }
        let logs = line("logs").and_then(|list| list.strip_prefix('[')?.strip_suffix(']')).ok_or("it lists no logs")?;
        let logs: Option<Vec<[u8; 16]>> = logs.split(", ").map(log_id).collect();
        let logs = logs.ok_or("a log's id is not 32 hexadecimal digits")?;
        match line("partitions").and_then(|count| count.parse().ok()) {
            Some(count) if logs.len() == count => Ok(Self { logs }),
            _ => Err("it has not one log for each partition"),
        }
    }
}

fn log_id(quoted: &str) -> Option<[u8; 16]> {
    let digits = quoted.strip_prefix('"')?.strip_suffix('"')?;
    let number = u128::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 32)?;
    Some(number.to_be_bytes())
}
