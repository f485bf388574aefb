//! What each adapter drags along: as many crates as the README says, and no runtime that it does
//! not name.

use std::collections::BTreeSet;
use std::process::Command;

/// The crates in a package's tree, itself included.
fn tree(package: &str, flags: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none"])
        .args(["--package", package])
        .args(flags)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().filter(|line| !line.ends_with("(*)")).map(str::to_owned).collect()
}

#[test]
fn the_readme_says_how_many_crates_each_adapter_brings() {
    let readme = include_str!("../README.md");
    for package in ["alan-tokio", "alan-smol", "alan-sync", "alan-driver", "alan-proto"] {
        let count = tree(package, &[]).len();
        let row = readme
            .lines()
            .find(|line| line.starts_with(&format!("| `{package}`")))
            .unwrap_or_else(|| panic!("the README has a row for {package}"));
        let told = row.rsplit('|').nth(1).map(str::trim).expect("the row has a last column");
        let first = told.split(',').next().expect("a split has a first part");
        assert_eq!(first, count.to_string(), "{package}");
        if let Some((_, without)) = told.split_once(", or ") {
            let count = tree(package, &["--no-default-features"]).len();
            assert!(without.starts_with(&format!("{count} ")), "{package}: {count}");
        }
    }
}

#[test]
fn the_thread_adapter_and_what_it_stands_on_bring_no_async_runtime() {
    let runtimes = ["tokio ", "async-io ", "async-executor ", "async-std ", "smol ", "polling "];
    for package in ["alan-sync", "alan-driver", "alan-proto"] {
        let tree = tree(package, &[]);
        let brought: Vec<_> = tree
            .iter()
            .filter(|line| runtimes.iter().any(|runtime| line.starts_with(runtime)))
            .collect();
        assert!(brought.is_empty(), "{package}: {brought:?}");
    }
    assert!(tree("alan-tokio", &[]).iter().any(|line| line.starts_with("tokio ")));
}
