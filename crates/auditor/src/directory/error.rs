//! Why a directory could not be audited: what happened, where, what it means and what to do.

use crate::chain::Damage;
use crate::record::Fault;
use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;

/// Why a directory could not be audited.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It is none of a server: name the right one.
    #[error("{} is no data directory: it has no data.toml. Give the directory that holds data.toml and partition-000 (of a server, a copy or a backup)", path.display())]
    NotADataDirectory {
        /// The place.
        path: PathBuf,
    },
    /// Its identity was changed: restore it.
    #[error("{}: {problem}. Restore the file from a backup; without it nobody knows which logs belong here", path.display())]
    Identity {
        /// Its identity file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A file could not be read or copied.
    #[error("could not {action} {}: {source}. {}", path.display(), remedy(source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A generation's database does not open, neither as it is nor without its own snapshots: restore a backup.
    #[error("the database of a generation cannot be read: {why}.\n  where: {}\n{DO_NEXT}", path.display())]
    Unreadable {
        /// The generation.
        path: PathBuf,
        /// What the database says.
        why: String,
    },
    /// A log is damaged: restore a backup.
    #[error("{}", Told { path, damage })]
    Damaged {
        /// The file or the generation in which it shows.
        path: PathBuf,
        /// Where and how.
        damage: Damage,
    },
}

impl DirectoryError {
    /// Whether the log itself is damaged.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        match self {
            Self::Unreadable { .. } | Self::Damaged { .. } => true,
            Self::NotADataDirectory { .. } | Self::Identity { .. } | Self::Io { .. } => false,
        }
    }
}

/// A copy comes first: it is what is audited most, and what tears most easily.
const DO_NEXT: &str = "  what to do: nothing was changed; the audit reads a private copy.
    Is this a copy that was made while a server ran? Then it may lack what was written meanwhile: stop the server and copy
    again, or audit the server's own directory, which can be done while it runs.
    Otherwise keep a copy of the whole data directory, look at the disk's health,
    restore the latest backup of this partition's directory, and audit again.";

/// What is done about trouble with the private copy, or with what it is made of.
fn remedy(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::PermissionDenied => {
            "The audit needs to read all of the data directory and to write to the temporary directory: run it as the user \
             that the data directory belongs to, or name another temporary directory with TMPDIR"
        }
        _ => {
            "The audit works on a private copy in the temporary directory, never on the log itself, and that takes as much \
             room as the log; make room, or name another place with TMPDIR. If there is room, look at the disk's health"
        }
    }
}

/// Damage as it is told.
struct Told<'a> {
    path: &'a PathBuf,
    damage: &'a Damage,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, damage } = self;
        let (record, place) = (damage.record, path.display());
        writeln!(f, "{damage}.\n  where: {place}")?;
        match (&damage.fault, damage.known) {
            (Fault::Newer { .. }, _) => {
                return write!(
                    f,
                    "  what it means: nothing is wrong with the log; this program does not know what is in it.\n  what to \
                     do: audit it with the program that wrote it, or a newer one."
                );
            }
            (Fault::Anchor, _) => {
                writeln!(f, "  what it means: without its anchor, lost events cannot be told from an unclean stop.")?;
            }
            (_, Some(known)) => writeln!(
                f,
                "  what it means: the log had durably reached record {known}, so answers that rest on record {record} and \
                 later ones may\n    have been given. Nothing is concluded about any of them."
            )?,
            (_, None) => writeln!(f, "  what it means: from record {record} on the log says nothing.")?,
        }
        f.write_str(DO_NEXT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: &DirectoryError, expected: &[&str]) {
        let told = error.to_string();
        for words in expected {
            assert!(told.contains(words), "{words:?} is missing in:\n{told}");
        }
    }

    fn damaged(fault: Fault) -> DirectoryError {
        let damage = Damage { log: "0f".to_owned(), record: 10, known: Some(12), fault };
        DirectoryError::Damaged { path: PathBuf::from("/backup/partition-000/gen-00000002"), damage }
    }

    #[test]
    fn damage_is_told_with_its_place_what_it_means_and_what_to_do() {
        let place = "where: /backup/partition-000/gen-00000002";
        check(&damaged(Fault::Missing), &["record 10", "it is missing", place, "record 12", "what to do", "copy"]);
        check(&damaged(Fault::Anchor), &["anchor", place, "unclean stop", "restore the latest backup"]);
        let newer = damaged(Fault::Newer { version: 2, flags: 3 });
        check(&newer, &[place, "the program that wrote it"]);
        assert!(!newer.to_string().contains("disk's health"), "{newer}");
        let path = PathBuf::from("/backup/partition-000/gen-00000002");
        check(
            &DirectoryError::Unreadable { path, why: "sled panicked".to_owned() },
            &["sled panicked", place, "what to do"],
        );
    }

    #[test]
    fn a_full_temporary_directory_is_told_with_another_place_to_name() {
        let io = |kind: ErrorKind| DirectoryError::Io {
            action: "copy",
            path: PathBuf::from("/data/db"),
            source: std::io::Error::from(kind),
        };
        check(&io(ErrorKind::StorageFull), &["could not copy /data/db", "make room", "TMPDIR"]);
        check(&io(ErrorKind::PermissionDenied), &["the user that the data directory belongs to"]);
    }
}
