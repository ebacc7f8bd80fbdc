//! A disk that remembers what it promised to keep, and what it may have lost when the power goes.
//!
//! What was written to a file is kept for sure once that file was synced after the write had ended. Until then each
//! write is there or not, whole or in some of its sectors, or only its length. What was made, renamed or removed in a
//! directory is kept for sure once that directory was synced; until then only some first part of it, for directories
//! are journalled, each by itself.

mod left;

use crate::trace::{Call, Recording, Step};
use anyhow::{Context, Result};
use left::Kind;
use rand::{Rng, RngExt};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Disks write these as a whole or not at all, the small ones of old and the large ones of now.
const SECTORS: [u64; 2] = [512, 4_096];

pub use left::Left;

type Inode = usize;
type Names = BTreeMap<String, Inode>;

#[derive(Clone, Debug)]
enum Change {
    Write { at: u64, bytes: Vec<u8> },
    Length(u64),
}

#[derive(Clone, Debug)]
struct Pending {
    /// The call that makes it; done once that has ended.
    call: (usize, usize),
    done: bool,
    change: Change,
}

#[derive(Clone, Debug)]
enum Entry {
    Put(String, Inode),
    Move(String, String),
    Remove(String),
}

#[derive(Clone, Debug)]
enum Node {
    File { kept: Vec<u8>, now: Vec<u8>, pending: Vec<Pending>, private: bool },
    Directory { kept: Names, now: Names, pending: Vec<Entry> },
}

impl Node {
    const fn file(private: bool) -> Self {
        Self::File { kept: Vec::new(), now: Vec::new(), pending: Vec::new(), private }
    }

    const fn directory() -> Self {
        Self::Directory { kept: Names::new(), now: Names::new(), pending: Vec::new() }
    }
}

/// The disk below one directory, which is taken to have been there for ever.
#[derive(Clone, Debug)]
pub struct Disk {
    root: PathBuf,
    /// The first is the root.
    nodes: Vec<Node>,
    /// Descriptors of the process that runs: what is behind each, and its position.
    open: HashMap<i64, (Inode, u64)>,
    /// Those of them whose writes go to the end.
    appending: HashSet<i64>,
    /// Syncs under way: which writes they cover.
    syncing: HashMap<(usize, usize), Vec<(usize, usize)>>,
    /// Renames under way.
    renaming: BTreeMap<(usize, usize), (PathBuf, PathBuf)>,
    process: usize,
    syncs: usize,
    /// What the last of them was of.
    synced: Option<Inode>,
    /// Syncs that will have promised and not kept.
    pub lies: Vec<usize>,
}

impl Disk {
    /// A disk on which nothing is below `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        let nodes = vec![Node::directory()];
        let (open, appending, syncing) = (HashMap::new(), HashSet::new(), HashMap::new());
        Self {
            root: root.to_owned(),
            nodes,
            open,
            appending,
            syncing,
            renaming: BTreeMap::new(),
            process: 0,
            syncs: 0,
            synced: None,
            lies: Vec::new(),
        }
    }

    /// Another process begins: it has no files open. A kill has cut off calls of the one before, and only what it left
    /// tells which of them the system has done to their end all the same: those are done now.
    pub fn next_process(&mut self, left: &Left) {
        self.process += 1;
        self.open.clear();
        for (from, to) in std::mem::take(&mut self.renaming).into_values() {
            if self.find(&from).is_some() && !left.0.contains_key(&from) && left.0.contains_key(&to) {
                self.rename(&from, &to);
            }
        }
        let root = self.root.clone();
        self.forget_all_but(0, &root, left);
        // In the order of their names, so that a directory comes before what is in it.
        for (path, kind) in &left.0 {
            if self.find(path).is_none() {
                self.nodes.push(match kind {
                    Kind::Directory => Node::directory(),
                    Kind::File { private } => Node::file(*private),
                });
                self.put(path, self.nodes.len() - 1);
            }
        }
    }

    fn forget_all_but(&mut self, node: Inode, path: &Path, left: &Left) {
        let Some(Node::Directory { now, .. }) = self.nodes.get(node) else { return };
        for (name, inside) in now.clone() {
            let path = path.join(&name);
            if left.0.contains_key(&path) {
                self.forget_all_but(inside, &path, left);
            } else {
                self.enter(node, Entry::Remove(name));
            }
        }
    }

    /// Syncs so far that made bytes of a file durable that had not been.
    #[must_use]
    pub const fn syncs(&self) -> usize {
        self.syncs
    }

    /// The name of the file that the last of them was of.
    #[must_use]
    pub fn last_synced(&self) -> Option<&str> {
        let directories = self.nodes.iter().filter_map(|node| match node {
            Node::Directory { now, .. } => Some(now),
            Node::File { .. } => None,
        });
        directories.flatten().find(|(_, node)| Some(**node) == self.synced).map(|(name, _)| name.as_str())
    }

    /// Takes the next step.
    ///
    /// # Panics
    /// If it does not fit what came before: the recording is not whole.
    pub fn step(&mut self, recording: &Recording, step: Step) {
        let call = recording.calls.get(step.call).expect("steps are of calls");
        let id = (self.process, step.call);
        if step.result.is_some() {
            self.renaming.remove(&id);
        }
        match step.result {
            None => self.begin(id, call),
            Some(result) if result >= 0 => self.end(id, call, result),
            Some(_) => assert!(!matches!(call, Call::Write { .. } | Call::Sync { .. }), "{call:?} failed"),
        }
    }

    fn begin(&mut self, id: (usize, usize), call: &Call) {
        match call {
            Call::Write { file, at, bytes } => {
                let change = Change::Write { at: at.unwrap_or_else(|| self.place(*file)), bytes: bytes.clone() };
                let node = self.behind(*file);
                self.change(node, Pending { call: id, done: false, change });
            }
            Call::Sync { file } => {
                let node = self.behind(*file);
                if let Some(Node::File { pending, .. }) = self.nodes.get(node) {
                    let covered = pending.iter().filter(|pending| pending.done).map(|pending| pending.call).collect();
                    self.syncing.insert(id, covered);
                }
            }
            Call::Open { .. } | Call::Seek { .. } | Call::Length { .. } | Call::Copy { .. } => {}
            Call::Rename(from, to) => drop(self.renaming.insert(id, (from.clone(), to.clone()))),
            Call::Mkdir(_) | Call::Remove(_) | Call::Answer(_) => {}
        }
    }

    fn end(&mut self, id: (usize, usize), call: &Call, result: i64) {
        let length = u64::try_from(result).expect("it is not negative");
        match call {
            Call::Open { .. } => self.opened(id, call, result),
            Call::Write { file, at, bytes } => {
                assert_eq!(length, bytes.len() as u64, "a write that fell short");
                if at.is_none() {
                    self.open.entry(*file).and_modify(|(_, position)| *position += length);
                }
                let node = self.behind(*file);
                if let Some(Node::File { pending, .. }) = self.nodes.get_mut(node) {
                    pending.iter_mut().filter(|pending| pending.call == id).for_each(|pending| pending.done = true);
                }
            }
            Call::Seek { file } => {
                self.open.entry(*file).and_modify(|(_, position)| *position = length);
            }
            Call::Length { file, bytes } => {
                self.change(self.behind(*file), Pending { call: id, done: true, change: Change::Length(*bytes) });
            }
            Call::Copy { from, to } => {
                let (at, bytes) = (self.position(*to), self.content(*from, length));
                self.change(self.behind(*to), Pending { call: id, done: true, change: Change::Write { at, bytes } });
                for file in [from, to] {
                    self.open.entry(*file).and_modify(|(_, position)| *position += length);
                }
            }
            Call::Sync { file } => self.synced(id, self.behind(*file)),
            Call::Mkdir(path) => {
                self.nodes.push(Node::directory());
                self.put(path, self.nodes.len() - 1);
            }
            Call::Rename(from, to) => self.rename(from, to),
            Call::Remove(path) => {
                let (parent, name) = self.parent(path);
                self.enter(parent, Entry::Remove(name));
            }
            Call::Answer(_) => {}
        }
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        let (parent, old) = self.parent(from);
        let (other, new) = self.parent(to);
        assert_eq!(parent, other, "a rename across directories");
        self.enter(parent, Entry::Move(old, new));
    }

    fn behind(&self, file: i64) -> Inode {
        self.open.get(&file).expect("the descriptor was seen to be opened").0
    }

    fn position(&self, file: i64) -> u64 {
        self.open.get(&file).expect("the descriptor was seen to be opened").1
    }

    /// Where the next write goes that names no place.
    fn place(&self, file: i64) -> u64 {
        match self.nodes.get(self.behind(file)) {
            Some(Node::File { now, .. }) if self.appending.contains(&file) => now.len() as u64,
            _ => self.position(file),
        }
    }

    fn content(&self, file: i64, length: u64) -> Vec<u8> {
        let Some(Node::File { now, .. }) = self.nodes.get(self.behind(file)) else { panic!("a directory was copied") };
        let from = self.position(file) as usize;
        now.get(from..from + length as usize).expect("only what is there is copied").to_vec()
    }

    fn opened(&mut self, id: (usize, usize), call: &Call, descriptor: i64) {
        let Call::Open { path, creates, empties, private, appends } = call else { return };
        let found = self.find(path);
        let node = found.unwrap_or_else(|| {
            assert!(*creates, "{} was opened, and nobody made it", path.display());
            self.nodes.push(Node::file(*private));
            self.put(path, self.nodes.len() - 1);
            self.nodes.len() - 1
        });
        if found.is_some() && *empties {
            self.change(node, Pending { call: id, done: true, change: Change::Length(0) });
        }
        self.open.insert(descriptor, (node, 0));
        self.appending.remove(&descriptor);
        self.appending.extend(appends.then_some(descriptor));
    }

    fn change(&mut self, node: Inode, made: Pending) {
        let Some(Node::File { now, pending, .. }) = self.nodes.get_mut(node) else { panic!("not a file") };
        apply(now, &made.change);
        pending.push(made);
    }

    fn synced(&mut self, id: (usize, usize), node: Inode) {
        match self.nodes.get_mut(node) {
            Some(Node::File { kept, pending, .. }) => {
                let covered = self.syncing.remove(&id).unwrap_or_default();
                let (durable, left) =
                    std::mem::take(pending).into_iter().partition(|made| covered.contains(&made.call));
                *pending = left;
                let durable: Vec<Pending> = durable;
                if durable.is_empty() {
                    return;
                }
                self.syncs += 1;
                self.synced = Some(node);
                if !self.lies.contains(&self.syncs) {
                    durable.iter().for_each(|made| apply(kept, &made.change));
                }
            }
            Some(Node::Directory { kept, now, pending }) => {
                kept.clone_from(now);
                pending.clear();
            }
            None => {}
        }
    }

    fn names(&self, node: Inode) -> &Names {
        match self.nodes.get(node) {
            Some(Node::Directory { now, .. }) => now,
            Some(Node::File { .. }) | None => panic!("not a directory"),
        }
    }

    fn find(&self, path: &Path) -> Option<Inode> {
        let below = path.strip_prefix(&self.root).expect("only what is below the root is recorded");
        below.iter().try_fold(0, |node, name| self.names(node).get(name.to_string_lossy().as_ref()).copied())
    }

    fn parent(&self, path: &Path) -> (Inode, String) {
        let parent = path.parent().and_then(|parent| self.find(parent)).expect("its directory is there");
        (parent, path.file_name().expect("it has a name").to_string_lossy().into_owned())
    }

    fn put(&mut self, path: &Path, node: Inode) {
        let (parent, name) = self.parent(path);
        self.enter(parent, Entry::Put(name, node));
    }

    fn enter(&mut self, parent: Inode, entry: Entry) {
        let Some(Node::Directory { now, pending, .. }) = self.nodes.get_mut(parent) else { panic!("not a directory") };
        enter(now, &entry);
        pending.push(entry);
    }

    /// How many bytes a power cut now could lose; a name in a directory counts as one.
    #[must_use]
    pub fn at_risk(&self) -> usize {
        let of = |node: &Node| match node {
            Node::File { pending, .. } => pending.iter().map(|made| size(&made.change)).sum(),
            Node::Directory { pending, .. } => pending.len(),
        };
        self.nodes.iter().map(of).sum()
    }

    /// Lays what may be left after a power cut now into the directory `into`. With a luck of 0 only what was promised is
    /// left, with 1 everything. How many files and directories are not as they were.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn power_cut(&self, into: &Path, luck: f64, random: &mut impl Rng) -> Result<usize> {
        self.lay_out(0, into, luck, random)
    }

    fn lay_out(&self, node: Inode, into: &Path, luck: f64, random: &mut impl Rng) -> Result<usize> {
        match self.nodes.get(node).context("there is no such node")? {
            Node::File { kept, now, pending, private } => {
                let mut content = kept.clone();
                for made in pending {
                    apply_what_is_left(&mut content, &made.change, luck, random);
                }
                std::fs::write(into, &content)?;
                let mode = if *private { 0o600 } else { 0o644 };
                std::fs::set_permissions(into, std::fs::Permissions::from_mode(mode))?;
                Ok(usize::from(content != *now))
            }
            Node::Directory { kept, now, pending } => {
                let mut names = kept.clone();
                let count =
                    if random.random_bool(luck) { pending.len() } else { random.random_range(0..=pending.len()) };
                let count = if luck == 0.0 { 0 } else { count };
                pending.iter().take(count).for_each(|entry| enter(&mut names, entry));
                std::fs::create_dir_all(into)?;
                let mut changed = usize::from(names != *now);
                for (name, node) in names {
                    changed += self.lay_out(node, &into.join(name), luck, random)?;
                }
                Ok(changed)
            }
        }
    }
}

fn size(change: &Change) -> usize {
    match change {
        Change::Write { bytes, .. } => bytes.len(),
        Change::Length(_) => 1,
    }
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(length) => content.resize(*length as usize, 0),
        Change::Write { at, bytes } => {
            let (from, to) = (*at as usize, *at as usize + bytes.len());
            if content.len() < to && !bytes.is_empty() {
                content.resize(to, 0);
            }
            content.iter_mut().skip(from).zip(bytes).for_each(|(kept, new)| *kept = *new);
        }
    }
}

fn enter(names: &mut Names, entry: &Entry) {
    match entry {
        Entry::Put(name, node) => drop(names.insert(name.clone(), *node)),
        Entry::Move(from, to) => {
            let node = names.remove(from).expect("what is renamed is there");
            names.insert(to.clone(), node);
        }
        Entry::Remove(name) => drop(names.remove(name)),
    }
}

/// Does to a file what is left of a change that was not synced.
fn apply_what_is_left(content: &mut Vec<u8>, change: &Change, luck: f64, random: &mut impl Rng) {
    let is_done = random.random_bool(luck);
    match change {
        Change::Write { at, bytes } if is_done && random.random_bool(0.5) => tear(content, *at, bytes, random),
        Change::Write { .. } | Change::Length(_) if is_done => apply(content, change),
        // The length got there, the content did not.
        Change::Write { at, bytes } if luck > 0.0 && random.random_bool(0.2) => {
            let end = *at as usize + bytes.len();
            content.resize(content.len().max(end), 0);
        }
        Change::Write { .. } | Change::Length(_) => {}
    }
}

/// Does only some sectors of a write: the first ones, or any.
fn tear(content: &mut Vec<u8>, at: u64, bytes: &[u8], random: &mut impl Rng) {
    let [small, large] = SECTORS;
    let sector = if random.random_bool(0.5) { small } else { large };
    let end = at + bytes.len() as u64;
    let (first, last) = (at / sector, end / sector);
    let (reached, in_order) = (random.random_range(first..=last), random.random_bool(0.5));
    for no in first..=last {
        let is_done = if in_order { no < reached } else { random.random_bool(0.5) };
        let (from, to) = ((no * sector).max(at), ((no + 1) * sector).min(end));
        if is_done && from < to {
            let piece = bytes.get((from - at) as usize..(to - at) as usize).expect("it lies inside").to_vec();
            apply(content, &Change::Write { at: from, bytes: piece });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kill_cut_off_was_done_if_the_process_left_it_so() {
        let real = tempfile::tempdir().expect("a directory");
        let root = real.path();
        let [made, not_made, removed, old, new] =
            ["made", "not-made", "removed", "old", "new"].map(|name| root.join(name));
        let calls = vec![
            Call::Mkdir(removed.clone()),
            Call::Mkdir(old.clone()),
            Call::Mkdir(made.clone()),
            Call::Mkdir(not_made.clone()),
            Call::Rename(old.clone(), new.clone()),
        ];
        let recording = Recording { calls, steps: Vec::new() };
        let mut disk = Disk::new(root);
        for (call, result) in [(0, None), (0, Some(0)), (1, None), (1, Some(0)), (2, None), (3, None), (4, None)] {
            disk.step(&recording, Step { call, result });
        }
        let moved = disk.find(&old);
        [&made, &new].into_iter().for_each(|path| std::fs::create_dir(path).expect("it is made"));
        disk.next_process(&Left::below(root).expect("readable"));
        let there = [&made, &not_made, &removed, &old].map(|path| disk.find(path).is_some());
        assert_eq!(there, [true, false, false, false]);
        assert_eq!(disk.find(&new), moved, "the same, under its new name");
        assert_eq!(disk.at_risk(), 5, "none of it is kept for sure");
    }
}
