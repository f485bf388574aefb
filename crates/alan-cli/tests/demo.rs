//! `alan demo`: every step is seen to happen, and a step that does not happen is noticed.

use std::net::UdpSocket;
use std::process::{Command, Output};

use serde_json::Value;

/// Each way to spoil the demo, and the step that must notice.
const SABOTAGE: [(&str, &str); 10] = [
    ("another-key", "discovery"),
    ("nothing-broadcast", "broadcast"),
    ("no-reply", "request"),
    ("one-reply-missing", "request-all"),
    ("lock-kept", "lock"),
    ("restarted-late", "restart"),
    ("nobody-killed", "death"),
    ("quorum-kept", "quorum-lost"),
    ("not-restarted", "quorum-regained"),
    ("no-goodbye", "goodbye"),
];

fn demo(flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_alan")).arg("demo").args(flags).output().expect("it runs")
}

fn steps(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object per line")).collect()
}

#[test]
fn each_step_is_told_as_one_json_object_and_the_exit_code_is_0() {
    let output = demo(&["--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let steps = steps(&output);
    let names: Vec<_> = steps.iter().map(|step| step["step"].as_str()).collect();
    assert_eq!(names, SABOTAGE.map(|(_, step)| Some(step)));
    for step in &steps {
        assert_eq!(step["ok"], Value::Bool(true), "{step}");
        assert!(step["ms"].is_u64(), "{step}");
        assert_eq!(step.as_object().map(serde_json::Map::len), Some(3), "{step}");
    }
}

#[test]
fn the_story_has_every_step_and_no_escape_codes_in_a_pipe() {
    let output = demo(&[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    for number in 1..=SABOTAGE.len() {
        assert!(text.contains(&format!("\n{number}. ")), "{text}");
    }
    assert!(text.contains("All 10 steps were seen to happen"), "{text}");
    assert!(!text.contains('\x1b'), "{text:?}");
}

/// The story without what differs from run to run: numbers, and their units of time.
fn without_numbers(story: &str) -> Vec<String> {
    let word = |word: &str| match word {
        "µs" | "ms" => "(time)".to_owned(),
        _ if word.contains(|c: char| c.is_ascii_digit()) && !word.ends_with('.') => "#".to_owned(),
        _ => word.to_owned(),
    };
    story
        .lines()
        .map(|line| line.split_whitespace().map(word).collect::<Vec<_>>().join(" "))
        .collect()
}

/// With `ALAN_BLESS=1` in the environment the README gets what this run printed.
#[test]
fn the_readme_shows_what_the_demo_prints() {
    const BEGIN: &str = "<!-- demo output -->\n";
    const END: &str = "<!-- end -->";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
    let readme = std::fs::read_to_string(path).expect("the README is there");
    let begin = readme.find(BEGIN).expect("the README has a place for it") + BEGIN.len();
    let end = begin + readme[begin..].find(END).expect("the place has an end");
    let printed = String::from_utf8(demo(&[]).stdout).expect("UTF-8");
    let printed = format!("```text\n{printed}```\n");
    if std::env::var_os("ALAN_BLESS").is_some() {
        let blessed = [&readme[..begin], &printed, &readme[end..]].concat();
        std::fs::write(path, blessed).expect("the README can be written");
        return;
    }
    assert_eq!(
        without_numbers(&readme[begin..end]),
        without_numbers(&printed),
        "run this test with ALAN_BLESS=1 to record a new run"
    );
}

fn spoiled(what: &str, step: &str) {
    let output = demo(&["--json", "--sabotage", what]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let steps = steps(&output);
    let (last, before) = steps.split_last().expect("at least one step");
    assert_eq!(last["step"], step, "{output:?}");
    assert_eq!(last["ok"], Value::Bool(false), "{output:?}");
    assert!(last["error"].as_str().is_some_and(|why| !why.is_empty()), "{output:?}");
    assert!(before.iter().all(|step| step["ok"] == Value::Bool(true)), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains(&format!("\"{step}\"")), "{told}");
}

macro_rules! spoiled {
    ($($name:ident: $index:literal;)+) => {
        $(
            #[test]
            fn $name() {
                let (what, step) = SABOTAGE[$index];
                spoiled(what, step);
            }
        )+

        #[test]
        fn every_sabotage_has_its_test() {
            assert_eq!([$($index),+].len(), SABOTAGE.len());
        }
    };
}

spoiled! {
    a_node_with_another_key_spoils_discovery: 0;
    a_broadcast_that_is_not_sent_spoils_the_broadcast: 1;
    a_node_that_does_not_reply_spoils_the_request: 2;
    one_reply_missing_spoils_the_request_to_all: 3;
    a_lock_that_is_kept_spoils_its_way_from_node_to_node: 4;
    a_node_that_is_away_for_long_spoils_the_restart: 5;
    a_holder_that_stays_alive_spoils_the_death: 6;
    a_second_node_that_stays_alive_spoils_the_loss_of_the_quorum: 7;
    nodes_that_stay_dead_spoil_the_quorum_regained: 8;
    a_death_without_a_word_spoils_the_goodbye: 9;
}

#[test]
fn a_port_in_use_is_an_error_that_names_the_address() {
    let taken = UdpSocket::bind("127.0.0.2:0").expect("a free port");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let output = demo(&["--port", &port]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains(&format!("127.0.0.2:{port}")), "{told}");
}

#[test]
fn wrong_flags_exit_with_2() {
    for flags in [&["--port", "0"][..], &["--sabotage", "everything"], &["--jsn"]] {
        assert_eq!(demo(flags).status.code(), Some(2), "{flags:?}");
    }
}
