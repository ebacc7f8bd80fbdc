//! The rules of style that a machine can check.

use cargo_metadata::{DependencyKind, MetadataCommand};
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Files longer than this are drawers.
const FILE_LINES_MAX: usize = 500;

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> =
        ["crates", "tests", "benches"].iter().map(|name| Path::new(ROOT).join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                found.push((path, text));
            }
        }
    }
    assert!(found.len() > 30, "the sources are where they should be");
    found
}

/// What each crate may use of the others: only what lies below it.
fn below(name: &str) -> &'static [&'static str] {
    match name {
        // What the auditor shared with the rest could be wrong for both.
        "domain" | "auditor" => &[],
        "eventlog" => &["domain"],
        "engine" => &["domain", "eventlog"],
        "integrations" => &["domain", "eventlog", "engine"],
        "api" => &["domain", "eventlog", "engine", "integrations"],
        "replay" | "counts" => &["domain", "eventlog", "engine"],
        "benches" => &["domain", "eventlog", "engine", "integrations", "api", "replay", "auditor", "counts"],
        // `holdfast bench` is the same bench; it starts the server as a process and uses nothing of it.
        "holdfast" | "tests" => {
            &["domain", "eventlog", "engine", "integrations", "api", "replay", "auditor", "benches"]
        }
        other => panic!("{other} is not in the tree of docs/architecture.md"),
    }
}

#[test]
fn dependencies_point_down_only() {
    let metadata = MetadataCommand::new().manifest_path(Path::new(ROOT).join("Cargo.toml")).no_deps().exec();
    let metadata = metadata.expect("cargo metadata");
    let ours: Vec<&str> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    for package in &metadata.packages {
        for dependency in package.dependencies.iter().filter(|found| found.kind != DependencyKind::Build) {
            if ours.contains(&dependency.name.as_str()) {
                let allowed = below(&package.name);
                assert!(allowed.contains(&dependency.name.as_str()), "{} uses {}", package.name, dependency.name);
            }
        }
    }
}

#[test]
fn the_domain_knows_no_clock_no_randomness_no_disk_and_no_runtime() {
    let forbidden = [
        "SystemTime",
        "Instant::now",
        "std::time",
        "tokio",
        "sled",
        "std::fs",
        "std::net",
        "std::thread",
        "getrandom",
        "rand::",
        "RandomState",
        "serde",
        "async fn",
    ];
    for (path, text) in sources().into_iter().filter(|(path, _)| path.to_string_lossy().contains("crates/domain/src")) {
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for word in forbidden {
                assert!(!line.contains(word), "{}:{}: {word} has no place in the domain", path.display(), number + 1);
            }
        }
    }
}

#[test]
fn every_file_says_at_the_top_what_it_does_and_is_no_drawer() {
    for (path, text) in sources() {
        let name = path.display();
        assert!(text.starts_with("//!"), "{name} does not say what it does");
        let lines = text.lines().count();
        assert!(lines <= FILE_LINES_MAX, "{name} has {lines} lines");
    }
}

#[test]
fn nothing_unfinished_and_nothing_flaky_is_left() {
    // Put together here, so that this file does not find itself.
    let words = ["todo", "unimplemented"].map(|word| format!("{word}!("));
    let attributes = ["ignore", "should_panic"].map(|word| format!("#[{word}"));
    let sleeps = ["thread::", "time::"].map(|module| format!("{module}sleep("));
    for (path, text) in sources() {
        let below_root = path.strip_prefix(ROOT).expect("a source lies below the root");
        let in_tests = below_root.to_string_lossy().contains("tests");
        for (number, line) in text.lines().enumerate() {
            let unfinished = words.iter().chain(&attributes).find(|word| line.contains(word.as_str()));
            assert!(unfinished.is_none(), "{}:{}: {line}", path.display(), number + 1);
            let slept = in_tests && sleeps.iter().any(|word| line.contains(word.as_str()));
            let excused = line.contains("// waits:");
            assert!(!slept || excused, "{}:{}: a real sleep in a test", path.display(), number + 1);
        }
    }
}

#[test]
fn durations_say_their_unit() {
    for (path, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            for bare in ["timeout", "ttl", "delay", "interval"].map(|name| format!("{name}: u")) {
                assert!(!line.contains(&bare), "{}:{}: a bare number of what?", path.display(), number + 1);
            }
        }
    }
}

#[test]
fn the_top_level_holds_what_the_tree_says_and_nothing_else() {
    let allowed = [
        "Cargo.toml",
        "Cargo.lock",
        "justfile",
        "README.md",
        "LICENSE",
        "docs",
        "crates",
        "tests",
        "benches",
        "target",
        "rustfmt.toml",
        "clippy.toml",
        "deny.toml",
    ];
    for entry in std::fs::read_dir(ROOT).expect("the top level") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(name.starts_with('.') || allowed.contains(&name.as_str()), "{name} is not in the tree");
    }
}

#[test]
fn decision_notes_are_numbered_without_gaps_and_code_cites_ones_that_exist() {
    let mut numbers: Vec<u32> = std::fs::read_dir(Path::new(ROOT).join("docs/decisions"))
        .expect("decision notes")
        .filter_map(|entry| entry.ok()?.file_name().to_string_lossy().get(..4)?.parse().ok())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=numbers.len() as u32).collect::<Vec<_>>());
    for (path, text) in sources() {
        for cited in text.split("docs/decisions/").skip(1).filter_map(|rest| rest.get(..4)?.parse::<u32>().ok()) {
            assert!(numbers.contains(&cited), "{} cites note {cited}", path.display());
        }
    }
}

#[test]
fn every_test_that_the_safety_document_names_exists() {
    let sources: String = sources().into_iter().map(|(_, text)| text).collect();
    let text = std::fs::read_to_string(Path::new(ROOT).join("docs/safety.md")).expect("the document");
    let words = |name: &&str| {
        name.matches('_').count() >= 3
            && !name.contains(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'))
    };
    let named: Vec<&str> = text.split('`').skip(1).step_by(2).filter(words).collect();
    assert!(named.len() > 30, "it names tests");
    for name in named {
        assert!(sources.contains(&format!("fn {name}(")), "there is no test {name}");
    }
}
