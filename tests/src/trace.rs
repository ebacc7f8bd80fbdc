//! What a traced server did to its files and said to its clients, in order: strace's text, read.
//!
//! It knows the system calls that the server is seen to make on files below one directory. One that it does not know
//! fails the reading: a recording with a hole proves nothing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What strace is told: all threads, whole contents as hexadecimal digits, and descriptors with their paths.
pub const STRACE: [&str; 12] = [
    "-D",
    "-f",
    "-y",
    "-xx",
    "-s",
    "4194304",
    "-qq",
    "-e",
    "signal=none",
    "-e",
    "trace=openat,open,creat,write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,lseek,ftruncate,truncate,fallocate,\
     rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,fsync,fdatasync,sync_file_range,\
     copy_file_range,sendfile,mmap",
    "-o",
];

/// A system call that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Opens or creates a file or directory; the result is its descriptor.
    Open {
        /// Which.
        path: PathBuf,
        /// Whether it is made where it is not.
        creates: bool,
        /// Whether it is emptied where it is.
        empties: bool,
        /// Whether, where it is made, others may not look into it.
        private: bool,
        /// Whether what is written goes to its end, wherever that is then.
        appends: bool,
    },
    /// Writes to a file; `at` the descriptor's own position where that is not given.
    Write {
        /// To which descriptor.
        file: i64,
        /// From which byte on.
        at: Option<u64>,
        /// What.
        bytes: Vec<u8>,
    },
    /// Moves the descriptor's position to the result.
    Seek {
        /// Which descriptor's.
        file: i64,
    },
    /// Gives a file this length.
    Length {
        /// Which descriptor's.
        file: i64,
        /// In bytes.
        bytes: u64,
    },
    /// Copies from one descriptor's position to another's, as many bytes as the result says.
    Copy {
        /// From which.
        from: i64,
        /// To which.
        to: i64,
    },
    /// Makes what was written to a file durable, or what was made, renamed and removed in a directory.
    Sync {
        /// Which descriptor's.
        file: i64,
    },
    /// Makes a directory.
    Mkdir(PathBuf),
    /// Renames.
    Rename(PathBuf, PathBuf),
    /// Removes a file or an empty directory.
    Remove(PathBuf),
    /// Answers a client.
    Answer(Vec<u8>),
}

/// A call's beginning or its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which of the recording's calls.
    pub call: usize,
    /// Its result, at its end.
    pub result: Option<i64>,
}

/// What one process did.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// Every call.
    pub calls: Vec<Call>,
    /// Every beginning and end, in the order in which they came.
    pub steps: Vec<Step>,
}

/// Reads a trace: of files, those below `root`.
///
/// # Panics
/// If there is something in it that is not understood.
#[must_use]
pub fn read(text: &str, root: &Path) -> Recording {
    let mut recording = Recording::default();
    let mut open: HashMap<&str, usize> = HashMap::new();
    for line in text.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(resumed) = rest.strip_prefix("<... ") {
            if let (Some(call), Some(result)) = (open.remove(thread), result_of(resumed)) {
                recording.steps.push(Step { call, result: Some(result) });
            }
            continue;
        }
        let Some((name, arguments)) = rest.split_once('(') else { continue };
        let unfinished = arguments.strip_suffix(" <unfinished ...>");
        let arguments = match unfinished {
            Some(arguments) => arguments,
            None => arguments.rsplit_once(" = ").map_or(arguments, |(before, _)| before.trim_end()),
        };
        let arguments = if unfinished.is_some() { arguments } else { arguments.strip_suffix(')').unwrap_or(arguments) };
        let Some(call) = understand(name, &split(arguments), root) else { continue };
        recording.calls.push(call);
        let call = recording.calls.len() - 1;
        recording.steps.push(Step { call, result: None });
        match (unfinished, result_of(rest)) {
            (Some(_), _) => drop(open.insert(thread, call)),
            (None, Some(result)) => recording.steps.push(Step { call, result: Some(result) }),
            // Killed in the middle.
            (None, None) => {}
        }
    }
    recording
}

fn result_of(line: &str) -> Option<i64> {
    let result = line.rsplit_once(" = ")?.1;
    let digits = result.find(|c: char| !(c.is_ascii_digit() || c == '-')).unwrap_or(result.len());
    result.get(..digits)?.parse().ok()
}

/// Arguments, split at the commas that are not inside of anything. Strings are all digits, so they hold none.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0_i32, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            b',' if depth == 0 => {
                parts.extend(text.get(from..at).map(str::trim));
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(from..).map(str::trim));
    parts
}

/// The bytes of every string in `text`, one after another.
fn bytes(text: &str) -> Vec<u8> {
    assert!(!text.contains("\"..."), "strace cut a string short");
    let strings = text.split('"').skip(1).step_by(2);
    strings.flat_map(|string| hexadecimal(string).into_iter()).collect()
}

fn hexadecimal(string: &str) -> Vec<u8> {
    let digits = string.split("\\x").skip(1);
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("two hexadecimal digits")).collect()
}

fn path_in(text: &str) -> PathBuf {
    PathBuf::from(String::from_utf8(bytes(text)).expect("paths are UTF-8"))
}

/// A descriptor and the path behind it.
fn descriptor(text: &str) -> (i64, PathBuf) {
    let (number, path) = text.split_once('<').unwrap_or((text, ""));
    let path = hexadecimal(path.split('>').next().unwrap_or_default());
    (number.parse().unwrap_or(-1), PathBuf::from(String::from_utf8_lossy(&path).into_owned()))
}

/// A path beside the descriptor that it begins at.
fn path_at(base: &str, path: &str) -> PathBuf {
    descriptor(base).1.join(path_in(path))
}

fn understand(name: &str, arguments: &[&str], root: &Path) -> Option<Call> {
    let at = |place: usize| arguments.get(place).copied().unwrap_or_default();
    let number = |place: usize| at(place).parse::<u64>().expect("a number");
    let below = |path: &PathBuf| path.starts_with(root);
    let (file, behind) = descriptor(at(0));
    match name {
        "openat" => {
            let (path, flags) = (path_at(at(0), at(1)), at(2));
            let opened = Call::Open {
                creates: flags.contains("O_CREAT"),
                empties: flags.contains("O_TRUNC"),
                path: path.clone(),
                private: at(3) == "0600",
                appends: flags.contains("O_APPEND"),
            };
            Some(opened).filter(|_| below(&path))
        }
        "mkdir" => Some(path_in(at(0))).filter(below).map(Call::Mkdir),
        "mkdirat" => Some(path_at(at(0), at(1))).filter(below).map(Call::Mkdir),
        "unlink" | "rmdir" => Some(path_in(at(0))).filter(below).map(Call::Remove),
        "unlinkat" => Some(path_at(at(0), at(1))).filter(below).map(Call::Remove),
        "rename" => Some(path_in(at(0))).filter(below).map(|from| Call::Rename(from, path_in(at(1)))),
        "renameat" | "renameat2" => {
            Some(path_at(at(0), at(1))).filter(below).map(|from| Call::Rename(from, path_at(at(2), at(3))))
        }
        "copy_file_range" => {
            let (to, target) = descriptor(at(2));
            assert!(
                !below(&target) || (at(1) == "NULL" && at(3) == "NULL"),
                "a copy from a given place: {arguments:?}"
            );
            below(&target).then_some(Call::Copy { from: file, to })
        }
        "write" | "writev" | "sendto" | "sendmsg" if !below(&behind) => {
            let answer = bytes(at(1));
            answer.starts_with(b"HTTP/1.1 2").then_some(Call::Answer(answer))
        }
        _ if !below(&behind) => None,
        "write" => Some(Call::Write { file, at: None, bytes: bytes(at(1)) }),
        "pwrite64" => Some(Call::Write { file, at: Some(number(3)), bytes: bytes(at(1)) }),
        "lseek" => Some(Call::Seek { file }),
        "ftruncate" => Some(Call::Length { file, bytes: number(1) }),
        "fsync" | "fdatasync" => Some(Call::Sync { file }),
        // Hands pages to the disk and waits; what the disk itself keeps in its cache, and the file's length, may be lost.
        "sync_file_range" => None,
        other => panic!("a system call that the recording does not know: {other}({arguments:?})"),
    }
}
