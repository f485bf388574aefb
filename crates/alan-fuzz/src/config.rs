//! Configuration: lines `NAME=value` are environment variables; what starts with a brace is a file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use alan_driver::config::{ConfigProblem, Configuration, Layer, Settings};
use alan_driver::discovery::Host;

/// What a key's text must never be part of. Shorter ones could be there by chance.
const SHORTEST_SECRET: usize = 12;

pub fn run(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if text.starts_with('{') {
        return run_file(text);
    }
    let variables: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.split_once('=')).collect();
    let outcome = start(read_variables(&variables));
    let again = start(read_variables(&variables));
    assert_eq!(in_words(&outcome), in_words(&again), "it depends on what is set and nothing else");
    match &outcome {
        Ok(configuration) => check(configuration),
        Err(problem) => check_problem(problem, &variables),
    }
    if let Some(&secret) = variables.get("ALAN_KEY")
        && secret.trim().len() >= SHORTEST_SECRET
    {
        let visible: Vec<_> = variables.iter().filter(|(name, _)| **name != "ALAN_KEY").collect();
        let elsewhere = format!("{visible:?}").contains(secret.trim());
        assert!(elsewhere || !in_words(&outcome).contains(secret.trim()), "a key is shown");
    }
    for value in variables.values() {
        check_host(value);
    }
}

fn run_file(text: &str) {
    let Ok(layer) = serde_json::from_str::<Layer>(text) else { return };
    if layer.key_file.is_some() {
        return; // Reads whatever file is named.
    }
    let words = format!("{layer:?}");
    assert!(!words.contains("key: Some") || words.contains("redacted"), "{words}");
    if let Ok(configuration) = start(Ok(layer)) {
        check(&configuration);
    }
}

fn read_variables(variables: &BTreeMap<&str, &str>) -> Result<Layer, ConfigProblem> {
    Layer::from_variables(|name| {
        if name == "ALAN_KEY_FILE" {
            return None; // Would read whatever file is named.
        }
        variables.get(name).map(|value| OsString::from(*value))
    })
}

fn start(layer: Result<Layer, ConfigProblem>) -> Result<Configuration, ConfigProblem> {
    Settings::new().apply(layer?)?.validate()
}

fn in_words(outcome: &Result<Configuration, ConfigProblem>) -> String {
    match outcome {
        Ok(configuration) => format!("{configuration:?}"),
        Err(problem) => format!("{problem} {problem:?}"),
    }
}

/// Everything that passes the check is in its range.
fn check(configuration: &Configuration) {
    assert_eq!(configuration.core.validate(), Ok(()));
    assert_eq!(configuration.bind.port(), configuration.core.port);
    assert!((1..=1_048_576).contains(&configuration.queue_size));
    assert!((1..=1_048_576).contains(&configuration.event_queue));
    assert!((65_536..=1_073_741_824).contains(&configuration.kernel_buffer));
    let core = &configuration.core;
    assert!(core.heartbeat_timeout * 5 >= core.heartbeat_interval * 6);
    assert!((1_280..=65_507).contains(&core.buffer_size));
    let interval = configuration.schedule.interval.unwrap_or(Duration::from_secs(1));
    assert!(interval >= Duration::from_millis(1) && interval <= Duration::from_secs(86_400));
    assert_eq!(configuration.schedule.max_addresses, core.max_candidates as usize);
}

/// A problem names the variable that caused it, which is one that was set.
fn check_problem(problem: &ConfigProblem, variables: &BTreeMap<&str, &str>) {
    let Some(variable) = problem.variable.as_deref() else {
        let missing = problem.value == "not set";
        let related = problem.field == "heartbeat_timeout";
        assert!(missing || related, "{problem} names no variable");
        return;
    };
    assert!(variables.contains_key(variable), "{problem} names a variable that is not set");
    assert_eq!(variable, format!("ALAN_{}", problem.field.to_ascii_uppercase()));
}

/// A host that parses is written as a text that parses to the same.
fn check_host(text: &str) {
    if let Ok(host) = text.parse::<Host>() {
        assert_eq!(host.to_string().parse::<Host>(), Ok(host.clone()), "{text:?} as {host}");
    }
}
