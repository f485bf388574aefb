//! Settings from code and from the environment: what wins, and how a mistake is named.

use std::collections::HashMap;
use std::ffi::OsString;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use alan_driver::config::{ConfigProblem, Configuration, Layer, QueueFull, Settings};
use alan_driver::discovery::Schedule;
use alan_proto::Config;
use alan_proto::envelope::{Key, Keyring};

const KEY: &str = "0707070707070707070707070707070707070707070707070707070707070707";

fn variables(variables: &[(&str, &str)]) -> Result<Layer, ConfigProblem> {
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    Layer::from_variables(|name| variables.get(name).map(OsString::from))
}

fn key(byte: u8) -> Key {
    Key::from_bytes(&[byte; 32]).expect("32 bytes")
}

fn configure(settings: Settings) -> Configuration {
    settings.validate().expect("these settings are fine")
}

fn problem(settings: Settings) -> String {
    settings.validate().expect_err("these settings are not fine").to_string()
}

fn addresses(configuration: &mut Configuration) -> Vec<String> {
    let found = configuration.discover.discover().expect("nothing to look up");
    found.addresses.iter().map(SocketAddr::to_string).collect()
}

#[test]
fn the_defaults_are_the_go_librarys() {
    let configuration = configure(Settings::new().peers::<&str>([]));
    assert_eq!(configuration.core, Config::default());
    assert_eq!(configuration.bind, SocketAddr::from(([0, 0, 0, 0], 5000)));
    let interval = Some(Duration::from_secs(30));
    assert_eq!(configuration.schedule, Schedule { interval, max_addresses: 4_096 });
    assert!(configuration.keyring.is_none());
    assert_eq!((configuration.queue_size, configuration.event_queue), (256, 256));
    assert_eq!(configuration.queue_bytes, 64 * 1024 * 1024);
    assert_eq!(configuration.queue_full, QueueFull::Refuse);
    assert_eq!(configuration.kernel_buffer, 4 * 1024 * 1024);
    let kept = configuration.response_cache;
    assert_eq!((kept.answers, kept.bytes), (4_096, 8 * 1024 * 1024));
}

#[test]
fn what_is_set_in_code_arrives() {
    let mut configuration = configure(
        Settings::new()
            .peers(["10.0.0.2", "10.0.0.3:7000"])
            .port(6000)
            .bind(Ipv6Addr::UNSPECIFIED)
            .cluster_size(3)
            .buffer_size(1_280)
            .heartbeat_interval(Duration::from_millis(50))
            .heartbeat_timeout(Duration::from_millis(150))
            .timeout(Duration::from_secs(1))
            .refresh_interval(Duration::from_millis(10))
            .queue_size(1)
            .queue_bytes(65_537)
            .queue_full(QueueFull::Block)
            .event_queue(2)
            .kernel_buffer(65_536)
            .max_peers(1)
            .max_candidates(2)
            .max_requests(3)
            .max_locks(4)
            .max_lock_waiters(5)
            .max_long_lock_keys(6)
            .name("one")
            .metadata([7; 512])
            .observer(true)
            .classic_peers(false)
            .speak_classic(true)
            .drift_bound_ppm(7)
            .stranger_budget(10)
            .response_cache(8)
            .response_cache_bytes(9),
    );
    assert_eq!(addresses(&mut configuration), ["10.0.0.2:6000", "10.0.0.3:7000"]);
    assert_eq!(configuration.bind.to_string(), "[::]:6000");
    let core = &configuration.core;
    assert_eq!((core.port, core.cluster_size, core.buffer_size), (6000, 3, 1_280));
    assert_eq!(core.heartbeat_interval, Duration::from_millis(50));
    assert_eq!(core.heartbeat_timeout, Duration::from_millis(150));
    assert_eq!(core.timeout, Duration::from_secs(1));
    assert_eq!(core.join_interval, Duration::from_millis(200));
    assert_eq!(configuration.schedule.interval, Some(Duration::from_millis(10)));
    assert_eq!(configuration.schedule.max_addresses, 2);
    assert_eq!((core.max_peers, core.max_candidates, core.max_requests), (1, 2, 3));
    assert_eq!((core.max_locks, core.max_lock_waiters, core.max_long_lock_keys), (4, 5, 6));
    assert_eq!((configuration.queue_size, configuration.event_queue), (1, 2));
    assert_eq!(configuration.queue_bytes, 65_537);
    assert_eq!(configuration.queue_full, QueueFull::Block);
    assert_eq!(configuration.kernel_buffer, 65_536);
    assert_eq!((core.name.as_str(), core.metadata.len()), ("one", 512));
    assert_eq!((core.observer, core.classic_peers, core.speak_classic), (true, false, true));
    assert_eq!((core.drift_bound_ppm, core.stranger_budget), (7, 10));
    let kept = configuration.response_cache;
    assert_eq!((kept.answers, kept.bytes), (8, 9));
}

#[test]
fn every_variable_arrives() {
    let also = format!("{}, {}", "08".repeat(32), "09".repeat(32));
    let layer = variables(&[
        ("ALAN_PEERS", "10.0.0.2, [fd00::2]:7000,"),
        ("ALAN_PORT", "6000"),
        ("ALAN_BIND", "127.0.0.1"),
        ("ALAN_KEY", KEY),
        ("ALAN_SECURITY_ENABLED", "true"),
        ("ALAN_CLUSTER_SIZE", "3"),
        ("ALAN_BUFFER_SIZE", "1280"),
        ("ALAN_HEARTBEAT_INTERVAL", "50ms"),
        ("ALAN_HEARTBEAT_TIMEOUT", "1m 30s"),
        ("ALAN_TIMEOUT", "1s"),
        ("ALAN_REFRESH_INTERVAL", "off"),
        ("ALAN_QUEUE_SIZE", "1"),
        ("ALAN_QUEUE_BYTES", "65537"),
        ("ALAN_QUEUE_FULL", "block"),
        ("ALAN_EVENT_QUEUE", "2"),
        ("ALAN_KERNEL_BUFFER", "65536"),
        ("ALAN_MAX_PEERS", "1"),
        ("ALAN_MAX_CANDIDATES", "2"),
        ("ALAN_MAX_REQUESTS", "3"),
        ("ALAN_MAX_LOCKS", "4"),
        ("ALAN_MAX_LOCK_WAITERS", "5"),
        ("ALAN_MAX_LONG_LOCK_KEYS", "6"),
        ("ALAN_ALSO_OPEN_WITH", &also),
        ("ALAN_NAME", "one"),
        ("ALAN_METADATA", "rack 7"),
        ("ALAN_OBSERVER", "true"),
        ("ALAN_CLASSIC_PEERS", "false"),
        ("ALAN_DRIFT_BOUND_PPM", "7"),
        ("ALAN_STRANGER_BUDGET", "10"),
        ("ALAN_RESPONSE_CACHE", "8"),
        ("ALAN_RESPONSE_CACHE_BYTES", "9"),
    ]);
    let settings = Settings::new().apply(layer.expect("all are fine")).expect("no two of a kind");
    let mut configuration = configure(settings);
    assert_eq!(addresses(&mut configuration), ["10.0.0.2:6000", "[fd00::2]:7000"]);
    assert_eq!(configuration.bind.to_string(), "127.0.0.1:6000");
    let keys = configuration.keyring.as_ref().map(Keyring::len);
    assert_eq!(keys, Some(3));
    let core = &configuration.core;
    assert_eq!((core.port, core.cluster_size, core.buffer_size), (6000, 3, 1_280));
    assert_eq!(core.heartbeat_interval, Duration::from_millis(50));
    assert_eq!(core.heartbeat_timeout, Duration::from_secs(90));
    assert_eq!(core.timeout, Duration::from_secs(1));
    assert_eq!(configuration.schedule, Schedule { interval: None, max_addresses: 2 });
    assert_eq!((core.max_peers, core.max_candidates, core.max_requests), (1, 2, 3));
    assert_eq!((core.max_locks, core.max_lock_waiters, core.max_long_lock_keys), (4, 5, 6));
    assert_eq!((configuration.queue_size, configuration.event_queue), (1, 2));
    assert_eq!(configuration.queue_bytes, 65_537);
    assert_eq!(configuration.queue_full, QueueFull::Block);
    assert_eq!(configuration.kernel_buffer, 65_536);
    assert_eq!((core.name.as_str(), &core.metadata[..]), ("one", &b"rack 7"[..]));
    assert_eq!((core.observer, core.classic_peers, core.speak_classic), (true, false, false));
    assert_eq!((core.drift_bound_ppm, core.stranger_budget), (7, 10));
    let kept = configuration.response_cache;
    assert_eq!((kept.answers, kept.bytes), (8, 9));
}

#[test]
fn an_empty_list_of_peers_is_one_and_no_list_is_none() {
    let layer = variables(&[("ALAN_PEERS", "")]).expect("fine");
    let settings = Settings::new().apply(layer).expect("fine");
    assert!(addresses(&mut configure(settings)).is_empty());

    let settings = Settings::new().apply(variables(&[]).expect("fine")).expect("fine");
    assert_eq!(
        problem(settings),
        "discovery is not set, but must be one of dns, peers and discover"
    );
}

#[test]
fn a_later_layer_wins_and_leaves_the_rest() {
    let settings = Settings::new().dns("localhost").port(6000).cluster_size(3);
    let layer = variables(&[("ALAN_PEERS", "10.0.0.2"), ("ALAN_PORT", "7000")]).expect("fine");
    let mut configuration = configure(settings.apply(layer).expect("fine").cluster_size(5));
    assert_eq!(addresses(&mut configuration), ["10.0.0.2:7000"]);
    assert_eq!(configuration.core.cluster_size, 5);
}

#[test]
fn a_value_out_of_range_is_named_with_its_range() {
    let base = || Settings::new().peers::<&str>([]);
    let table = [
        (base().port(0), "port is 0, but must be 1 to 65535"),
        (base().queue_size(0), "queue_size is 0, but must be 1 to 1048576 messages"),
        (base().queue_bytes(1), "queue_bytes is 1, but must be 65536 to 1073741824 bytes"),
        (base().event_queue(0), "event_queue is 0, but must be 1 to 1048576 events"),
        (base().kernel_buffer(1), "kernel_buffer is 1, but must be 65536 to 1073741824 bytes"),
        (
            base().refresh_interval(Duration::ZERO),
            "refresh_interval is 0ns, but must be 1ms to 24h, or off",
        ),
        (
            base().dns("http://x"),
            "dns is \"http://x\", but must be a host name or an address, with or without a port",
        ),
        (
            base().peers(["10.0.0.2", "10.0.0.2:0"]),
            "peers is \"10.0.0.2:0\", but must be a host name or an address, with or without a port",
        ),
        (
            base().response_cache(2_000_000),
            "response_cache is 2000000, but must be 0 to 1048576 answers",
        ),
        (
            base().response_cache_bytes(2_000_000_000),
            "response_cache_bytes is 2000000000, but must be 0 to 1073741824 bytes",
        ),
        (base().name("n".repeat(65)), "name is 65, but must be at most 64 bytes long"),
        (
            base().also_open_with(key(2)),
            "key is not set, but must be set where also_open_with is: to seal with",
        ),
        (
            (2..7).map(key).fold(base().key(key(1)), Settings::also_open_with),
            "also_open_with is 5 keys, but must be at most 4 keys",
        ),
        (
            base().security_enabled(true),
            "key is not set, but must be 32 bytes in base64 or hexadecimal",
        ),
    ];
    for (settings, expected) in table {
        assert_eq!(problem(settings), expected);
    }
}

#[test]
fn a_variable_that_cannot_be_read_is_named_with_its_value() {
    let table = [
        ("ALAN_PORT", "70000", "port (from ALAN_PORT) is \"70000\", but must be 1 to 65535"),
        (
            "ALAN_TIMEOUT",
            "5",
            "timeout (from ALAN_TIMEOUT) is \"5\", but must be a duration such as 500ms, 5s or 1m 30s",
        ),
        (
            "ALAN_QUEUE_FULL",
            "drop",
            "queue_full (from ALAN_QUEUE_FULL) is \"drop\", but must be refuse or block",
        ),
        (
            "ALAN_KEY",
            "0707",
            "key (from ALAN_KEY) is 2 bytes long, but must be 32 bytes in base64 or hexadecimal",
        ),
        (
            "ALAN_ALSO_OPEN_WITH",
            "0707",
            "also_open_with (from ALAN_ALSO_OPEN_WITH) is 2 bytes long, but must be 32 bytes in base64 or hexadecimal",
        ),
        (
            "ALAN_KEY",
            "swordfish!",
            "key (from ALAN_KEY) is in another encoding, but must be 32 bytes in base64 or hexadecimal",
        ),
    ];
    for (name, value, expected) in table {
        let error = variables(&[(name, value)]).expect_err(name);
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.variable.as_deref(), Some(name));
    }
}

#[test]
fn a_variable_out_of_range_is_named_until_code_overrides_it() {
    let settings = || {
        let layer = variables(&[("ALAN_QUEUE_SIZE", "0"), ("ALAN_BUFFER_SIZE", "100")]);
        Settings::new().peers::<&str>([]).apply(layer.expect("both are numbers")).expect("fine")
    };
    assert_eq!(
        problem(settings()),
        "buffer_size (from ALAN_BUFFER_SIZE) is 100, but must be 1280 to 65507 bytes"
    );
    assert_eq!(
        problem(settings().buffer_size(99).queue_size(1)),
        "buffer_size is 99, but must be 1280 to 65507 bytes"
    );
}

#[test]
fn two_settings_of_a_kind_in_one_layer_are_refused() {
    let both = variables(&[("ALAN_DNS", "a"), ("ALAN_PEERS", "b")]).expect("each is fine");
    let error = Settings::new().apply(both).expect_err("which of them?");
    assert_eq!(
        error.to_string(),
        "peers (from ALAN_PEERS) is set together with dns, but must be set only where dns is not"
    );
    let both = variables(&[("ALAN_KEY", KEY), ("ALAN_KEY_FILE", "/k")]).expect("each is fine");
    let error = Settings::new().apply(both).expect_err("which of them?");
    assert_eq!(error.variable.as_deref(), Some("ALAN_KEY_FILE"));
}

#[cfg(not(feature = "passphrase"))]
#[test]
fn a_passphrase_that_this_build_can_not_use_is_refused() {
    let error = variables(&[("ALAN_PASSPHRASE", "open sesame")]).expect_err("no plain text");
    assert_eq!(
        error.to_string(),
        "passphrase (from ALAN_PASSPHRASE) is set, but must be unset in a program that was built \
         without the feature `passphrase`"
    );
}

#[test]
fn a_later_layers_keys_to_open_with_take_the_place_of_earlier_ones() {
    let layer = variables(&[("ALAN_ALSO_OPEN_WITH", KEY)]).expect("a key");
    let settings = Settings::new().peers::<&str>([]).key(key(1));
    let settings = settings.also_open_with(key(2)).also_open_with(key(3));
    let configuration = configure(settings.apply(layer).expect("fine"));
    assert_eq!(configuration.keyring.map(|keyring| keyring.len()), Some(2));
}

#[test]
fn security_can_be_off_although_there_is_a_key() {
    let layer = variables(&[("ALAN_KEY", KEY)]).expect("a key");
    let settings = Settings::new().peers::<&str>([]).apply(layer).expect("fine");
    assert!(configure(settings.security_enabled(false)).keyring.is_none());
}

#[test]
fn a_key_that_was_to_come_from_a_variable_must_be_there() {
    let error = Settings::new().key_from_env("ALAN_TEST_NO_SUCH_KEY").expect_err("it is not set");
    assert_eq!(
        error.to_string(),
        "key (from ALAN_TEST_NO_SUCH_KEY) is not set, but must be 32 bytes in base64 or hexadecimal"
    );
}

#[test]
fn a_key_is_read_from_a_file_and_a_bad_file_is_named() {
    let directory = std::env::temp_dir();
    let path = directory.join(format!("alan-key-{}", std::process::id()));
    std::fs::write(&path, format!("{KEY}\n")).expect("the directory can be written to");
    let settings = Settings::new().peers::<&str>([]).key_from_file(&path);
    std::fs::write(&path, "x".repeat(5_000)).expect("the directory can be written to");
    let too_long = Settings::new().key_from_file(&path);
    std::fs::remove_file(&path).expect("it is ours");
    assert!(configure(settings.expect("a key")).keyring.is_some());

    for result in [too_long, Settings::new().key_from_file(&path)] {
        let error = result.expect_err("no key there");
        assert_eq!(error.field, "key_file");
        assert!(error.value.contains(&path.display().to_string()), "{error}");
    }
}

#[test]
fn no_debug_output_shows_a_key() {
    let layer = variables(&[("ALAN_KEY", KEY)]).expect("a key");
    let shown = format!("{layer:?}");
    let settings = Settings::new().peers::<&str>([]).apply(layer).expect("fine");
    let shown = shown + &format!("{settings:?}");
    let shown = shown + &format!("{:?}", configure(settings));
    assert!(!shown.contains("07070707") && !shown.contains("7, 7, 7, 7"), "{shown}");
}
