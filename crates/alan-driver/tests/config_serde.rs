//! Settings from a file.

use std::time::Duration;

use alan_driver::config::{Layer, QueueFull, Settings};

fn read(text: &str) -> Result<Layer, serde_json::Error> {
    serde_json::from_str(text)
}

#[test]
fn a_file_holds_numbers_texts_lists_and_durations() {
    let (key, other) = ("07".repeat(32), "08".repeat(32));
    let layer = read(&format!(
        r#"{{
            "peers": ["10.0.0.2", "b.example:7000"],
            "port": 6000,
            "bind": "127.0.0.1",
            "key": "{key}",
            "also_open_with": ["{other}"],
            "name": "one",
            "observer": true,
            "cluster_size": 3,
            "heartbeat_interval": "500ms",
            "heartbeat_timeout": "1m 30s",
            "refresh_interval": "off",
            "queue_bytes": 65537,
            "queue_full": "block"
        }}"#
    ))
    .expect("all is fine");
    assert!(!format!("{layer:?}").contains(&key) && !format!("{layer:?}").contains(&other));
    let settings = Settings::new().apply(layer).expect("no two of a kind");
    let configuration = settings.validate().expect("all is in range");
    assert_eq!(configuration.bind.to_string(), "127.0.0.1:6000");
    assert_eq!(configuration.keyring.map(|keyring| keyring.len()), Some(2));
    assert_eq!((configuration.core.name.as_str(), configuration.core.observer), ("one", true));
    assert_eq!(configuration.core.cluster_size, 3);
    assert_eq!(configuration.core.heartbeat_interval, Duration::from_millis(500));
    assert_eq!(configuration.core.heartbeat_timeout, Duration::from_secs(90));
    assert_eq!(configuration.schedule.interval, None);
    assert_eq!(configuration.queue_bytes, 65_537);
    assert_eq!(configuration.queue_full, QueueFull::Block);
}

#[test]
fn a_mistake_is_named_and_a_key_is_not_shown() {
    let table = [
        (r#"{"prot": 5000}"#, "unknown field `prot`"),
        (r#"{"timeout": "5"}"#, "time unit needed"),
        (r#"{"dns": "a b"}"#, "\"a b\" is not an address or a host name"),
        (r#"{"key": "swordfish!"}"#, "the key is neither base64 nor hexadecimal"),
        (r#"{"key": "0707"}"#, "a key must be exactly 32 bytes, but 2 were given"),
    ];
    for (text, expected) in table {
        let error = read(text).expect_err(text).to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("swordfish"), "{error}");
    }
}
