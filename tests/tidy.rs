//! House rules about the tree that no compiler checks. Each failure names the file and the line.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a Rust file that are neither blank nor comment.
const MOST_LINES_OF_CODE: usize = 600;

/// Marks of work that is not done. In halves, or this file would break its own rule.
const UNFINISHED: [&str; 5] = [
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
    concat!("#[ig", "nore"),
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
];

/// Top-level directories that exist on somebody's machine and mean nothing on another.
const MACHINE_DIRECTORIES: [&str; 5] = ["home", "root", "tmp", "Users", "work"];

/// Dependencies of the core that have no default features to switch off.
const WITHOUT_DEFAULT_FEATURES: [&str; 1] = ["heapless"];

#[test]
fn no_rust_file_is_too_long_to_read() {
    expect_none(rust_files().filter_map(|file| {
        let lines = file.lines().filter(|(_, line)| is_code(line)).count();
        (lines > MOST_LINES_OF_CODE)
            .then(|| format!("{}: {lines} lines of code, over {MOST_LINES_OF_CODE}", file.name))
    }));
}

#[test]
fn every_rust_file_says_first_what_it_is() {
    expect_none(rust_files().filter_map(|file| {
        (!file.text.starts_with("//! ")).then(|| format!("{}:1: no `//!` line", file.name))
    }));
}

#[test]
fn nothing_is_left_unfinished() {
    expect_none(lines_that(rust_files(), |line| UNFINISHED.iter().any(|mark| line.contains(mark))));
}

#[test]
fn no_file_names_a_path_of_somebodys_machine() {
    let here = env!("CARGO_MANIFEST_DIR");
    expect_none(lines_that(files(), |line| {
        line.contains(here)
            || MACHINE_DIRECTORIES.iter().any(|directory| {
                let path = format!("/{directory}/");
                line.match_indices(&path).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    before.is_none_or(|c| c.is_whitespace() || "\"'`(=:<".contains(c))
                })
            })
    }));
}

#[test]
fn versions_and_lints_are_said_once_for_the_workspace() {
    expect_none(manifests_of_crates().flat_map(|manifest| {
        let mut problems = Vec::new();
        for (section, number, line) in manifest.settings() {
            if section.ends_with("dependencies") && !line.contains("workspace = true") {
                problems.push(format!("{}:{number}: not inherited: {line}", manifest.name));
            }
        }
        let inherits = |(section, _, line)| section == "lints" && line == "workspace = true";
        if !manifest.settings().any(inherits) {
            problems.push(format!("{}: does not inherit the lints", manifest.name));
        }
        problems
    }));
}

#[test]
fn no_dependency_of_the_core_asks_for_std() {
    let core = read(&root().join("crates/alan-proto/Cargo.toml"));
    let workspace = read(&root().join("Cargo.toml"));
    expect_none(core.settings().filter_map(|(section, number, line)| {
        let (name, _) = line.split_once('=').filter(|_| section == "dependencies")?;
        let name = name.trim();
        let (_, _, inherited) = workspace
            .settings()
            .find(|(section, _, line)| {
                let key = line.split_once('=').map(|(key, _)| key.trim());
                *section == "workspace.dependencies" && key == Some(name)
            })
            .expect("every version is inherited");
        let is_bare = inherited.contains("default-features = false")
            || WITHOUT_DEFAULT_FEATURES.contains(&name);
        (!is_bare || line.contains("std") || inherited.contains("\"std\""))
            .then(|| format!("{}:{number}: may bring std: {line}", core.name))
    }));
}

#[test]
fn the_rules_see_what_they_are_about() {
    assert!(rust_files().any(|file| file.name == "tests/tidy.rs"));
    assert!(files().any(|file| file.name == ".ci/run"));
    assert!(manifests_of_crates().count() >= 4);
}

/// A text file of the tree.
struct File {
    /// Its path from the root, with slashes.
    name: String,
    text: String,
}

impl File {
    /// With their numbers, from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    /// The settings of a manifest, one per line: section, line number and text.
    fn settings(&self) -> impl Iterator<Item = (&str, usize, &str)> {
        let mut section = "";
        self.lines().filter_map(move |(number, line)| {
            let line = line.trim();
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']');
                return None;
            }
            (!line.is_empty() && !line.starts_with('#')).then_some((section, number, line))
        })
    }
}

fn is_code(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with("//")
}

#[track_caller]
fn expect_none(problems: impl Iterator<Item = String>) {
    let problems: Vec<_> = problems.collect();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

fn lines_that(
    files: impl Iterator<Item = File>,
    is_bad: impl Fn(&str) -> bool,
) -> impl Iterator<Item = String> {
    files.flat_map(move |file| {
        let bad = file.lines().filter(|(_, line)| is_bad(line));
        bad.map(|(number, line)| format!("{}:{number}: {}", file.name, line.trim()))
            .collect::<Vec<_>>()
    })
}

fn rust_files() -> impl Iterator<Item = File> {
    files().filter(|file| has_extension(&file.name, "rs"))
}

fn manifests_of_crates() -> impl Iterator<Item = File> {
    let crates = fs::read_dir(root().join("crates")).expect("the workspace has crates");
    crates.map(|entry| {
        let directory = entry.expect("a readable directory").path();
        read(&directory.join("Cargo.toml"))
    })
}

/// All text files of the tree, sorted.
fn files() -> impl Iterator<Item = File> {
    let mut paths = Vec::new();
    collect(root(), &mut paths);
    paths.sort();
    paths.into_iter().filter_map(|path| {
        let text = String::from_utf8(fs::read(&path).ok()?).ok()?;
        Some(File { name: name(&path), text })
    })
}

fn collect(directory: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a readable directory") {
        let path = entry.expect("a readable entry").path();
        let name = path.file_name().and_then(|name| name.to_str());
        // A symbolic link is not followed: it may lead out of the tree.
        // Nor is what was built or found here anybody's to keep.
        let made_here = matches!(name, Some("target" | ".git" | "corpus" | "artifacts"));
        if path.is_symlink() || made_here {
            continue;
        }
        if path.is_dir() {
            collect(&path, paths);
        } else {
            paths.push(path);
        }
    }
}

fn read(path: &Path) -> File {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", name(path)));
    File { name: name(path), text }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn name(path: &Path) -> String {
    let below = path.strip_prefix(root()).expect("a path of the tree");
    below.to_string_lossy().replace('\\', "/")
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|e| e == extension)
}
