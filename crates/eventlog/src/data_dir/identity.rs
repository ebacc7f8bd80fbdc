//! The identity file of a data directory: a few lines of TOML, written once and read strictly.

use super::{DataDirError, PartitionCount};
use crate::disk;
use crate::ids::LogId;
use domain::ids::PartitionNo;
use std::fmt::Write;
use std::path::Path;

const FORMAT: u16 = 1;

/// Which logs belong to a data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    partitions: PartitionCount,
    logs: Vec<LogId>,
}

impl Identity {
    pub(super) fn draw(partitions: PartitionCount) -> Self {
        Self { partitions, logs: partitions.partitions().map(|_| LogId::random()).collect() }
    }

    pub(super) const fn partitions(&self) -> PartitionCount {
        self.partitions
    }

    pub(super) fn logs(&self) -> impl Iterator<Item = (PartitionNo, LogId)> + use<> {
        self.partitions.partitions().zip(self.logs.clone())
    }

    pub(super) fn load(path: &Path) -> Result<Option<Self>, DataDirError> {
        let Some(bytes) = disk::read_if_there(path)? else { return Ok(None) };
        let text = String::from_utf8(bytes).map_err(|error| error.to_string());
        let parsed = text.and_then(|text| Self::parse(&text));
        parsed.map(Some).map_err(|problem| DataDirError::Identity { path: path.to_owned(), problem })
    }

    pub(super) fn to_text(&self) -> String {
        let mut text = String::from("# A Holdfast data directory. Written once; not to be edited.\n");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "format = {FORMAT}");
        let _ = writeln!(text, "partitions = {}", self.partitions.get());
        let logs: Vec<String> = self.logs.iter().map(|log_id| format!("\"{log_id}\"")).collect();
        let _ = writeln!(text, "logs = [{}]", logs.join(", "));
        let _ = writeln!(text, "check = {}", crc32fast::hash(text.as_bytes()));
        text
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (content, check) = text.rsplit_once("check = ").ok_or("it has no line `check`")?;
        if check.trim_end().parse() != Ok(crc32fast::hash(content.as_bytes())) {
            return Err("it was changed after it was written".to_owned());
        }
        let field = |name: &str| {
            let value = content.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
            value.ok_or_else(|| format!("it has no line `{name}`"))
        };
        let format = field("format")?;
        if format.parse() != Ok(FORMAT) {
            return Err(format!("it has format {format}, which this program does not know; use the newer one"));
        }
        let count = field("partitions")?.parse().ok().and_then(PartitionCount::new);
        let partitions = count.ok_or("its partition count is not a number from 1 to 256")?;
        let list = field("logs")?.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let list = list.ok_or("its log ids are not a list")?;
        let logs: Option<Vec<LogId>> =
            list.split(", ").map(|id| LogId::parse(id.strip_prefix('"')?.strip_suffix('"')?)).collect();
        let logs = logs.filter(|logs| logs.len() == usize::from(partitions.get()));
        Ok(Self { partitions, logs: logs.ok_or("it has not one log id for each partition")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_reads_back_and_any_change_to_it_is_noticed() {
        let identity = Identity::draw(PartitionCount(3));
        let text = identity.to_text();
        assert_eq!(Identity::parse(&text), Ok(identity));
        for (at, _) in text.char_indices().filter(|(_, c)| !c.is_whitespace()) {
            let mut changed = text.clone().into_bytes();
            if let Some(byte) = changed.get_mut(at) {
                *byte ^= 1;
            }
            let changed = String::from_utf8_lossy(&changed).into_owned();
            assert!(Identity::parse(&changed).is_err(), "byte {at} of {text}");
        }
    }
}
