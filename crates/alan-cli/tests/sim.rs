//! `alan sim`: violations that can be seen again and understood, and pages of the documentation
//! that say what the tool says.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Mutex;

use serde_json::Value;

fn sim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_alan")).arg("sim").args(arguments).output().expect("runs")
}

fn words(line: &str) -> Output {
    sim(&line.split_whitespace().collect::<Vec<_>>())
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

#[test]
fn every_scenario_is_listed_with_what_happens_in_it() {
    let listed = words("list");
    assert!(listed.status.success());
    let objects = text(&words("list --json"));
    assert!(objects.lines().count() > 20, "{objects}");
    for line in objects.lines() {
        let object: Value = serde_json::from_str(line).expect("an object a line");
        for field in ["scenario", "summary"] {
            let value = object[field].as_str().expect("text");
            assert!(text(&listed).contains(value), "{value}");
        }
    }
}

#[test]
fn a_violation_comes_with_seed_command_small_history_and_timeline() {
    let output = words("run startup-race --locks classic --seeds 500 --cluster-size none");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = text(&output);
    let command = told
        .lines()
        .find_map(|line| line.trim().strip_prefix("replay alan sim "))
        .expect("a command that shows it again");
    let violation = told.lines().next().and_then(|line| line.split_once(" locks: ")).expect("what");
    let again = words(command);
    assert_eq!(again.status.code(), Some(1), "{command}: {again:?}");
    assert!(text(&again).contains(violation.1), "{command}: {}", violation.1);

    let (_, history) = told.split_once("Minimised history").expect("a history");
    let (history, timeline) = history.split_once("\n\n").expect("a timeline after it");
    assert!(history.lines().count() < 12, "{history}");
    assert!(timeline.contains("LOCK_REQUEST"), "{timeline}");
    let longest = timeline.lines().map(|line| line.chars().count()).max();
    assert!(longest <= Some(100), "{longest:?}: {timeline}");
}

#[test]
fn what_holds_exits_with_0_and_says_how_much_was_tried() {
    let output = words("run startup-race --seeds 20 --cluster-size nodes");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output).contains("held under 20 seeds"), "{output:?}");
    assert!(output.stderr.is_empty(), "no bar where there is no terminal");
}

#[test]
fn a_loss_that_was_asked_for_is_part_of_the_command_that_shows_a_violation_again() {
    let output = words("run pause --loss 5 --seeds 20 --cluster-size nodes");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = text(&output);
    assert!(told.contains("repaired locks, 5 % lost: exclusion"), "{told}");
    let again = told.lines().find_map(|line| line.trim().strip_prefix("replay alan sim "));
    let again = again.expect("a command that shows it again");
    assert!(again.ends_with(" --loss 5"), "{again}");
    assert_eq!(words(again).status.code(), Some(1), "{again}");
}

#[test]
fn json_is_one_object_for_each_cluster_size() {
    let output = words("run partition --locks repaired --seeds 50 --json");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let objects: Vec<Value> = text(&output)
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"))
        .collect();
    let sizes: Vec<_> = objects.iter().map(|object| object["cluster_size"].as_str()).collect();
    assert_eq!(sizes, [Some("none"), Some("nodes")]);
    let violation = &objects[0]["violation"];
    assert_eq!(violation["invariant"], "exclusion");
    let schedule = violation["minimised"]["schedule"].as_array().expect("entries");
    assert!((2..6).contains(&schedule.len()), "{schedule:?}");
}

#[test]
fn wrong_usage_exits_with_2_and_says_what_there_is() {
    let cases = [
        ("run no-such-thing", "startup-race"),
        ("run lossy --locks extended", "not in this version"),
        ("run lossy --locks other", "classic, repaired"),
        ("run lossy --seeds 0", "--seeds"),
        ("replay lossy", "--seed"),
        ("run lossy --loss 101", "0 to 100"),
        ("measure mesh --nodes 1", "--nodes"),
        ("measure mesh --loss 101", "0 to 100"),
    ];
    for (line, expected) in cases {
        let output = words(line);
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(expected), "{output:?}");
    }
}

#[test]
fn a_seed_that_violates_nothing_has_nothing_to_shrink_and_is_shown_all_the_same() {
    let output = words("shrink cold-start-3 --seed 1");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("violates nothing"), "{output:?}");
    let output = words("replay cold-start-3 --seed 1");
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output).contains("every invariant held"), "{output:?}");
}

#[test]
fn a_page_that_cannot_be_written_is_an_error_that_names_it() {
    let output = words("replay cold-start-3 --seed 1 --html /nonexistent/page.html");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nonexistent"), "{output:?}");
}

fn document(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)
}

fn blessing() -> bool {
    std::env::var_os("ALAN_BLESS").is_some()
}

/// With `ALAN_BLESS=1` in the environment the pages are written anew.
#[test]
fn the_pages_in_the_documentation_are_what_the_tool_writes() {
    let pages = [
        ("timelines/pause-classic.html", "replay pause --seed 3 --locks classic"),
        ("timelines/startup-race-classic.html", "shrink startup-race --seed 0 --locks classic"),
    ];
    for (name, command) in pages {
        let made = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("page.html");
        let flags = format!("{command} --html {}", made.display());
        assert_eq!(words(&flags).status.code(), Some(1), "{command} violates something");
        let page = fs::read(&made).expect("it was written");
        assert!(page.len() < 200 * 1_024, "{name} is too large for a repository");
        if blessing() {
            fs::write(document(name), page).expect("the page can be written");
        } else {
            let kept = fs::read(document(name)).expect("the page is there");
            assert!(kept == page, "run this test with ALAN_BLESS=1 to write {name} anew");
        }
    }
}

/// Held by who writes docs/simulation.md anew: two tests do.
static PAGE: Mutex<()> = Mutex::new(());

/// Tables of measurements that are quick to make.
const MEASURED: [&str; 3] = [
    "measure mesh --nodes 10,100",
    "measure deaths --hours 1 --loss 0,5,20",
    "measure flood --millis 200",
];

/// Those that are not: made anew with the others, and believed.
const MEASURED_FOR_LONG: [&str; 3] =
    ["measure mesh --nodes 1000", "measure deaths --hours 24", "measure flood"];

/// With `ALAN_BLESS=1` in the environment the tables are made anew, and with `ALAN_BLESS=all` also
/// those that take minutes.
#[test]
fn the_measurements_in_the_documentation_are_what_the_tool_prints() {
    let path = document("simulation.md");
    let _alone = blessing().then(|| PAGE.lock().expect("the other test writes in full or fails"));
    let mut page = fs::read_to_string(&path).expect("the page is there");
    let all = std::env::var_os("ALAN_BLESS").is_some_and(|bless| bless == "all");
    for line in MEASURED.into_iter().chain(MEASURED_FOR_LONG.into_iter().filter(|_| all)) {
        let output = words(line);
        assert_eq!(output.status.code(), Some(0), "{line}: {output:?}");
        let begin = format!("<!-- alan sim {line} -->\n");
        let from = page.find(&begin).expect("a place for it") + begin.len();
        let to = from + page[from..].find(END).expect("the place has an end");
        if blessing() {
            page.replace_range(from..to, &text(&output));
        } else {
            assert_eq!(page[from..to], text(&output), "run this test with ALAN_BLESS=1");
        }
    }
    if blessing() {
        fs::write(path, page).expect("the page can be written");
    }
}

#[test]
fn a_measurement_as_json_is_one_object_a_row() {
    let output = words("measure mesh --nodes 2,3 --loss 0 --json");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let objects: Vec<Value> = text(&output)
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"))
        .collect();
    let sizes: Vec<_> = objects.iter().map(|object| object["nodes"].as_u64()).collect();
    assert_eq!(sizes, [Some(2), Some(3)]);
    for field in ["met_after_ms", "datagrams_per_node_second", "crash_known_after_ms"] {
        assert!(objects.iter().all(|object| object[field].is_number()), "{field}: {objects:?}");
    }
}

const TABLES: [&str; 2] = ["classic", "repaired"];

/// The rows of a table in docs/simulation.md, each as its cells.
fn rows(page: &str, locks: &str) -> Vec<Vec<String>> {
    let (_, rest) = page.split_once(&begin(locks)).expect("the page has a place for the table");
    let (table, _) = rest.split_once(END).expect("the place has an end");
    let cells =
        |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().into()).collect();
    table.lines().filter(|line| line.starts_with('|')).skip(2).map(cells).collect()
}

fn begin(locks: &str) -> String {
    format!("<!-- alan sim table --locks {locks} --seeds 2000 -->\n")
}

const END: &str = "<!-- end -->";

fn bless_tables() {
    let _alone = PAGE.lock().expect("the other test writes in full or fails");
    let path = document("simulation.md");
    let mut page = fs::read_to_string(&path).expect("the page is there");
    for locks in TABLES {
        let table = words(&format!("table --locks {locks} --seeds 2000"));
        let from = page.find(&begin(locks)).expect("a place for it") + begin(locks).len();
        let to = from + page[from..].find(END).expect("the place has an end");
        page.replace_range(from..to, &text(&table));
    }
    fs::write(path, page).expect("the page can be written");
}

/// With `ALAN_BLESS=1` in the environment the tables are made anew, which takes a while. Without,
/// each row that fails must fail just so at the seed that it names, and not before; each that
/// holds must hold under some seeds.
#[test]
fn the_tables_in_the_documentation_are_true() {
    if blessing() {
        bless_tables();
    }
    let page = fs::read_to_string(document("simulation.md")).expect("the page is there");
    for locks in TABLES {
        let rows = rows(&page, locks);
        assert!(rows.len() > 20, "{rows:?}");
        for row in rows {
            let [scenario, size, invariant, seeds, _] = &row[..] else { panic!("{row:?}") };
            let flags = format!("{scenario} --cluster-size {size} --locks {locks}");
            let holds_for = if invariant == "–" {
                10
            } else {
                let first = seeds.parse::<u64>().expect("a number") - 1;
                let output = words(&format!("replay {flags} --seed {first} --rows 1"));
                let violated = format!("✗ {invariant} violated");
                assert!(text(&output).contains(&violated), "{row:?}: {output:?}");
                first
            };
            if holds_for > 0 {
                let output = words(&format!("run {flags} --seeds {holds_for}"));
                assert!(output.status.success(), "{row:?}: {output:?}");
            }
        }
    }
}
