//! `alan keygen`: keys that are random, of the right length, and nobody else's to read.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use alan_tokio::config::passphrase::derive_key;

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

const PASSPHRASE: &str = "correct horse battery staple";

/// What comes of a passphrase on the standard input.
fn derive(input: &str, arguments: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_alan"))
        .args(["keygen", "--from-passphrase"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    // It may have ended already, if it was asked wrongly.
    let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
    child.wait_with_output().expect("runs")
}

/// The line that a node's own derivation comes to.
fn expected(cluster_name: &str) -> String {
    let key = derive_key(&PASSPHRASE.into(), cluster_name).expect("both are in range");
    data_encoding::BASE64.encode(&*key) + "\n"
}

#[test]
fn a_key_from_a_passphrase_is_the_one_that_nodes_derive_themselves() {
    for input in [PASSPHRASE.to_owned(), format!("{PASSPHRASE}\r\nand what else there is\n")] {
        let made = derive(&input, &["--cluster-name", "alan-test"]);
        assert!(made.status.success(), "{made:?}");
        assert_eq!(String::from_utf8_lossy(&made.stdout), expected("alan-test"));
        assert!(made.stderr.is_empty(), "nobody is asked where nobody sits: {made:?}");
    }
    let other = derive(PASSPHRASE, &["--cluster-name", "other"]);
    assert_eq!(String::from_utf8_lossy(&other.stdout), expected("other"));

    let path = path("alan-test-derived-key");
    let name = path.to_str().expect("UTF-8");
    let made = derive(PASSPHRASE, &["--cluster-name", "alan-test", name]);
    assert!(made.status.success() && made.stdout.is_empty(), "{made:?}");
    assert_eq!(fs::read_to_string(&path).expect("it was written"), expected("alan-test"));
}

#[test]
fn a_passphrase_that_can_not_be_used_is_refused_and_not_shown() {
    for input in ["sesame", "", "\n", &"sesame".repeat(1_000)] {
        let refused = derive(input, &["--cluster-name", "alan-test"]);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(refused.stdout.is_empty(), "{refused:?}");
        let told = String::from_utf8_lossy(&refused.stderr);
        assert!(told.contains("must be 8 to 1024 bytes") && !told.contains("sesame"), "{told}");
    }
    let refused = derive(PASSPHRASE, &["--cluster-name", &"n".repeat(256)]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
}

#[test]
fn a_passphrase_without_a_name_is_wrong_usage_and_so_is_the_reverse() {
    for arguments in [&[][..], &["--cluster-name"], &["--cluster-name", ""]] {
        assert_eq!(derive(PASSPHRASE, arguments).status.code(), Some(2), "{arguments:?}");
    }
    assert_eq!(keygen(&["--cluster-name", "alan-test"]).status.code(), Some(2));
    assert_eq!(keygen(&["--from-passphrase=secret"]).status.code(), Some(2));
}

#[cfg(target_os = "linux")]
mod at_a_terminal {
    //! With a terminal for the standard input, of which the test holds the other end.

    use std::io::{BufReader, Read};
    use std::process::{Child, ChildStderr};
    use std::time::{Duration, Instant};

    use rustix::fd::OwnedFd;
    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
    use rustix::termios::{LocalModes, tcgetattr};

    use super::*;

    /// Longer than anything here takes.
    const PATIENCE: Duration = Duration::from_secs(60);

    struct Session {
        child: Child,
        prompts: BufReader<ChildStderr>,
        keyboard: OwnedFd,
    }

    impl Session {
        fn start() -> Self {
            let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
            let keyboard = openpt(flags).expect("the system has terminals");
            grantpt(&keyboard).expect("it is ours");
            unlockpt(&keyboard).expect("it is ours");
            let terminal = ioctl_tiocgptpeer(&keyboard, flags).expect("it has another end");
            let mut child = Command::new(env!("CARGO_BIN_EXE_alan"))
                .args(["keygen", "--from-passphrase", "--cluster-name", "alan-test"])
                .stdin(terminal)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("runs");
            let prompts = BufReader::new(child.stderr.take().expect("it is piped"));
            Self { child, prompts, keyboard }
        }

        /// Types an answer once the terminal shows nothing of it.
        fn answer(&mut self, prompt: &str, text: &str) {
            let mut shown = vec![0; prompt.len()];
            self.prompts.read_exact(&mut shown).expect("it asks");
            assert_eq!(String::from_utf8_lossy(&shown).trim_start(), prompt.trim_start());
            let echoes = || {
                let modes = tcgetattr(&self.keyboard).expect("it is a terminal").local_modes;
                modes.contains(LocalModes::ECHO)
            };
            let asked = Instant::now();
            while echoes() {
                assert!(asked.elapsed() < PATIENCE, "it would show what is typed");
                std::thread::yield_now();
            }
            let line = format!("{text}\n");
            rustix::io::write(&self.keyboard, line.as_bytes()).expect("somebody reads");
        }

        fn end(mut self) -> (Output, String) {
            let mut told = String::new();
            self.prompts.read_to_string(&mut told).expect("UTF-8");
            let output = self.child.wait_with_output().expect("runs");
            // Ends with an error, since nobody has the other end any more.
            let mut shown = Vec::new();
            let _ = fs::File::from(self.keyboard).read_to_end(&mut shown);
            let shown = String::from_utf8_lossy(&shown);
            assert!(!shown.contains("battery"), "{shown}");
            (output, told)
        }
    }

    #[test]
    fn it_is_asked_for_twice_and_not_shown() {
        let mut session = Session::start();
        session.answer("Passphrase: ", PASSPHRASE);
        session.answer("\nThe same again: ", PASSPHRASE);
        let (output, _) = session.end();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected("alan-test"));
    }

    #[test]
    fn a_mistyped_one_is_refused() {
        let mut session = Session::start();
        session.answer("Passphrase: ", PASSPHRASE);
        session.answer("\nThe same again: ", "correct hoarse battery staple");
        let (output, told) = session.end();
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty(), "{output:?}");
        assert!(told.contains("two different passphrases") && !told.contains("horse"), "{told}");
    }
}
