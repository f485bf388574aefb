//! Keys from passphrases: who understands whom, and what is refused.

mod by_hand;

use std::collections::HashMap;
use std::ffi::OsString;

use alan_driver::config::passphrase::{Passphrase, derive_key};
use alan_driver::config::{ConfigProblem, Layer, Settings};
use alan_driver::{Builder, Key};

use by_hand::{Bench, ByHand};

const PASSPHRASE: &str = "correct horse battery staple";
const NAME: &str = "alan-test";

fn variables(variables: &[(&str, &str)]) -> Result<Layer, ConfigProblem> {
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    Layer::from_variables(|name| variables.get(name).map(OsString::from))
}

fn derived() -> Key {
    let bytes = derive_key(&PASSPHRASE.into(), NAME).expect("both are in range");
    Key::from_bytes(&*bytes).expect("32 bytes")
}

/// Whether a node with the derived key opens what a node with these settings seals.
fn understands(set: impl FnOnce(Builder<ByHand>) -> Builder<ByHand>) -> bool {
    let mut listener = Bench::with(|builder| builder.key(derived()));
    let speaker = Bench::with(set);
    speaker.node.send_to(listener.node.local_addr(), b"hello").expect("it leaves");
    while listener.driver.receive().is_ok() {}
    assert!(speaker.node.is_secure());
    let stats = listener.node.stats();
    assert_eq!(stats.protocol.rejected_in_all() + listener.node.usage().queued_messages as u64, 1);
    stats.protocol.rejected_in_all() == 0
}

fn problem(layer: Layer) -> ConfigProblem {
    let settings = Settings::new().peers::<&str>([]).apply(layer).expect("one secret");
    settings.validate().expect_err("these settings are not fine")
}

#[test]
fn a_passphrase_and_a_name_are_as_good_as_the_key_that_is_derived_from_them() {
    assert!(understands(|builder| builder.key_from_passphrase(PASSPHRASE, NAME)));
}

#[test]
fn nodes_with_another_passphrase_or_another_name_are_strangers() {
    assert!(!understands(|builder| builder.key_from_passphrase("open sesame", NAME)));
    assert!(!understands(|builder| builder.key_from_passphrase(PASSPHRASE, "other")));
}

#[test]
fn the_later_of_a_key_and_a_passphrase_wins() {
    let other = || Key::from_bytes(&[7; 32]).expect("32 bytes");
    assert!(understands(|builder| builder.key(other()).key_from_passphrase(PASSPHRASE, NAME)));
    assert!(!understands(|builder| builder.key_from_passphrase(PASSPHRASE, NAME).key(other())));
}

#[test]
fn the_passphrase_and_the_name_may_come_from_different_places() {
    let name = variables(&[("ALAN_CLUSTER_NAME", NAME)]).expect("a name");
    let secret = variables(&[("ALAN_PASSPHRASE", &format!("{PASSPHRASE}\n"))]).expect("a text");
    let settings = Settings::new().apply(name).and_then(|settings| settings.apply(secret));
    let settings = settings.expect("one secret").peers::<&str>([]).bind([127, 0, 0, 1]);
    // A port that is free, as the bench finds it for itself.
    let port = Bench::new().node.local_addr().port();
    assert!(understands(|_| Builder::from_settings(settings.port(port))));
}

#[test]
fn what_is_missing_or_out_of_range_is_named_and_not_shown() {
    let table: [(&[(&str, &str)], &str); 4] = [
        (
            &[("ALAN_PASSPHRASE", "sesame"), ("ALAN_CLUSTER_NAME", NAME)],
            "passphrase (from ALAN_PASSPHRASE) is 6 bytes long, but must be 8 to 1024 bytes of \
             UTF-8",
        ),
        (
            &[("ALAN_PASSPHRASE", ""), ("ALAN_CLUSTER_NAME", NAME)],
            "passphrase (from ALAN_PASSPHRASE) is 0 bytes long, but must be 8 to 1024 bytes of \
             UTF-8",
        ),
        (
            &[("ALAN_PASSPHRASE", PASSPHRASE)],
            "cluster_name is not set, but must be 1 to 255 bytes where there is a passphrase, the \
             same at all nodes",
        ),
        (
            &[("ALAN_PASSPHRASE", PASSPHRASE), ("ALAN_CLUSTER_NAME", "")],
            "cluster_name (from ALAN_CLUSTER_NAME) is 0 bytes long, but must be 1 to 255 bytes \
             where there is a passphrase, the same at all nodes",
        ),
    ];
    for (set, expected) in table {
        assert_eq!(problem(variables(set).expect("texts")).to_string(), expected);
    }
    let key = "07".repeat(32);
    let both = variables(&[("ALAN_PASSPHRASE", PASSPHRASE), ("ALAN_KEY", &key)]);
    let error = Settings::new().apply(both.expect("each is fine")).expect_err("which of them?");
    assert_eq!(error.variable.as_deref(), Some("ALAN_PASSPHRASE"));
    assert!(!error.to_string().contains("horse"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_passphrase_that_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStringExt;
    let value = OsString::from_vec(b"sesame\xff\xff\xff".to_vec());
    let layer = Layer::from_variables(|name| (name == "ALAN_PASSPHRASE").then(|| value.clone()));
    let error = layer.expect_err("not UTF-8").to_string();
    assert_eq!(
        error,
        "passphrase (from ALAN_PASSPHRASE) is in another encoding, but must be 8 to 1024 bytes of \
         UTF-8"
    );
}

#[test]
fn security_can_be_off_although_there_is_a_passphrase() {
    let settings = Settings::new().peers::<&str>([]).key_from_passphrase(PASSPHRASE, NAME);
    let configuration = settings.security_enabled(false).validate().expect("all is fine");
    assert!(configuration.keyring.is_none());
}

#[test]
fn no_debug_output_shows_a_passphrase() {
    let layer = variables(&[("ALAN_PASSPHRASE", PASSPHRASE)]).expect("a text");
    let shown = format!("{layer:?}{:?}", Passphrase::from(PASSPHRASE));
    let settings = Settings::new().apply(layer).expect("one secret");
    let shown = shown + &format!("{settings:?}");
    assert!(shown.contains("redacted") && !shown.contains("horse"), "{shown}");
}

#[cfg(feature = "serde")]
#[test]
fn a_file_may_hold_the_passphrase_and_the_name() {
    let text = format!(r#"{{"passphrase": "{PASSPHRASE}", "cluster_name": "{NAME}"}}"#);
    let layer: Layer = serde_json::from_str(&text).expect("both are texts");
    let settings = Settings::new().apply(layer).expect("one secret");
    let settings = settings.peers::<&str>([]).bind([127, 0, 0, 1]);
    let port = Bench::new().node.local_addr().port();
    assert!(understands(|_| Builder::from_settings(settings.port(port))));
}
