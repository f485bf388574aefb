//! `alan keygen`: keys that are random, of the right length, and nobody else's to read.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

fn keygen(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_alan")).arg("keygen").args(arguments).output().expect("runs")
}

fn path(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_file(&path);
    path
}

fn key_length(text: &[u8]) -> usize {
    let line = text.strip_suffix(b"\n").expect("one line");
    data_encoding::BASE64.decode(line).expect("base64").len()
}

#[test]
fn a_key_is_printed_as_base64_of_32_bytes_and_is_another_each_time() {
    let (one, other) = (keygen(&[]), keygen(&[]));
    assert!(one.status.success() && other.status.success());
    assert_eq!(key_length(&one.stdout), 32);
    assert_ne!(one.stdout, other.stdout);
}

#[cfg(unix)]
#[test]
fn a_key_file_is_the_owners_alone_and_is_not_replaced_unasked() {
    use std::os::unix::fs::PermissionsExt;
    let path = path("alan-test-key");
    let name = path.to_str().expect("UTF-8");
    let made = keygen(&[name]);
    assert!(made.status.success(), "{made:?}");
    assert!(made.stdout.is_empty(), "the key is in the file only");
    let first = fs::read(&path).expect("it was written");
    assert_eq!(key_length(&first), 32);
    assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);

    let refused = keygen(&[name]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--force"), "{refused:?}");
    assert_eq!(fs::read(&path).expect("still there"), first);

    // Also one that others could read or hold open becomes the owner's alone.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("it is ours");
    assert!(keygen(&["--force", name]).status.success());
    assert_ne!(fs::read(&path).expect("still there"), first);
    assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_place_that_does_not_exist_is_an_error_that_names_it() {
    let output = keygen(&["/nonexistent/key"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nonexistent/key"), "{output:?}");
    assert_eq!(keygen(&["--force"]).status.code(), Some(2), "nothing to replace");
}
