//! The planted bugs: each stands in one place, and none of them is in a usual build. `just planted` makes a build that has
//! them, and lets the simulation find them.

use domain::planted::{self, Bug};
use std::path::{Path, PathBuf};

/// Every source file of the program, without the list of the bugs itself.
fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            sources(&entry, found);
        } else if entry.extension().is_some_and(|ext| ext == "rs") && !entry.ends_with("planted.rs") {
            found.push(entry);
        }
    }
}

#[test]
fn each_planted_bug_stands_in_one_place() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates"), &mut files);
    let text: String = files.iter().map(|file| std::fs::read_to_string(file).expect("a source file")).collect();
    for bug in Bug::ALL {
        let asked = format!("planted::is(Bug::{bug:?})");
        assert_eq!(text.matches(&asked).count(), 1, "{asked}");
    }
    assert_eq!(text.matches("planted::is(").count(), Bug::ALL.len(), "a place that is not in the list");
}

#[test]
fn a_usual_build_has_no_planted_bug() {
    for bug in Bug::ALL {
        planted::choose(Some(bug));
        assert!(!planted::is(bug), "{bug:?}");
    }
}
