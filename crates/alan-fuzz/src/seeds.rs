//! Inputs that are worth starting with: made of `tests/vectors/` and of the examples in
//! `docs/protocol.md`, written by hand, and found by the fuzzer before (`fuzz/seeds/`, one input a line, in hexadecimal).

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use serde_json::Value;

use crate::input::PAUSES;
use crate::node::write_datagram;

/// The repository's root.
pub fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The file of what the fuzzer found for a target.
pub fn found_file(target: &str) -> PathBuf {
    root().join("fuzz/seeds").join(format!("{target}.hex"))
}

/// All seeds of a target.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    let mut seeds = made(target);
    seeds.extend(found(target));
    seeds
}

/// Those that the fuzzer did not find.
pub fn made(target: &str) -> Vec<Vec<u8>> {
    match target {
        "decoder" => messages().into_iter().chain(examples()).collect(),
        "envelope" => datagrams(),
        "node" => conversations().into_iter().chain(lone_messages()).collect(),
        "pair" => (0..3).map(|kind| vec![kind]).collect(),
        "config" => SETTINGS.iter().map(|text| text.as_bytes().to_vec()).collect(),
        other => panic!("there is no target {other}"),
    }
}

fn found(target: &str) -> Vec<Vec<u8>> {
    let file = found_file(target);
    let text = fs::read_to_string(&file).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(hex).collect()
}

fn vectors(name: &str) -> Value {
    let file = root().join("tests/vectors").join(name);
    let text = fs::read_to_string(file).expect("the vectors are in the repository");
    serde_json::from_str(&text).expect("they are JSON")
}

fn rows<'v>(of: &'v Value, name: &str) -> &'v Vec<Value> {
    of[name].as_array().expect("their README names this list")
}

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).expect("it is hexadecimal")
}

fn field(row: &Value, name: &str) -> Option<Vec<u8>> {
    row[name].as_str().map(hex)
}

/// Each message of the wire vectors but the two that no datagram could hold.
fn messages() -> Vec<Vec<u8>> {
    let wire = vectors("classic-wire.json");
    rows(&wire, "vectors").iter().filter_map(|vector| field(vector, "plain_hex")).collect()
}

/// The bytes of each example in the document of the protocol: every message that there is, and
/// what is wrong with some.
fn examples() -> Vec<Vec<u8>> {
    let file = root().join("docs/protocol.md");
    let document = fs::read_to_string(file).expect("the document is in the repository");
    let blocks = document.split("```example\n").skip(1).map(|from| {
        let (block, _) = from.split_once("```").expect("an example ends");
        // What the bytes mean stands above them, in lines that go on where they end in `\`.
        let block = block.replace("\\\n", "");
        let lines = block.lines().skip(1).map(|line| line.split('#').next().unwrap_or(line));
        hex(&lines.flat_map(str::split_whitespace).collect::<String>())
    });
    blocks.collect()
}

/// Each sealed datagram of the vectors, for a node with another key.
fn datagrams() -> Vec<Vec<u8>> {
    let wire = vectors("classic-wire.json");
    let sealed = rows(&wire, "vectors").iter().filter_map(|vector| field(vector, "sealed_hex"));
    let cases = rows(&wire, "crypto_cases").iter().filter_map(|case| field(case, "datagram_hex"));
    sealed.chain(cases).map(|datagram| [&[0xa5, 0], datagram.as_slice()].concat()).collect()
}

/// Each message of the wire vectors, sent by a member.
fn lone_messages() -> Vec<Vec<u8>> {
    let join = [0x01, 0x13, 0x88];
    let seeds = messages().into_iter().map(|message| {
        let mut seed = vec![0, 7];
        write_datagram(&mut seed, 1, &join, true);
        write_datagram(&mut seed, 1, &message, true);
        seed
    });
    seeds.collect()
}

/// Each conversation, as what happens to its recorded node.
fn conversations() -> Vec<Vec<u8>> {
    let recorded = vectors("classic-conversations.json");
    let seeds = rows(&recorded, "conversations").iter().map(|conversation| {
        let nodes = conversation["nodes"].as_object().expect("addresses and what is there");
        let mut recorded =
            nodes.iter().filter(|(_, what)| what.as_str().is_some_and(|w| w.contains("recorded")));
        let at = recorded.next().map(|(at, _)| at.as_str()).expect("a node was recorded");
        play(at, rows(conversation, "entries"))
    });
    seeds.collect()
}

fn play(at: &str, entries: &[Value]) -> Vec<u8> {
    let mut seed = vec![0, 7];
    let mut moment = 0.0;
    for entry in entries {
        let now = entry["t_ms"].as_f64().expect("milliseconds");
        write_pause(&mut seed, now - moment);
        moment = now;
        match entry["kind"].as_str() {
            Some("datagram") if entry["to"] == at => write_received(&mut seed, entry),
            Some("call") if entry["at"] == at => {
                write_call(&mut seed, entry["call"].as_str().unwrap_or_default());
            }
            _ => {}
        }
    }
    seed
}

fn write_received(seed: &mut Vec<u8>, entry: &Value) {
    let from: SocketAddr =
        entry["from"].as_str().and_then(|from| from.parse().ok()).expect("an address");
    let SocketAddr::V4(from) = from else { return };
    let Some(mut message) = field(entry, "plain_hex").or_else(|| field(entry, "hex")) else {
        return;
    };
    // The recorded nodes' port becomes ours.
    if let [0x01..=0x03, 0x3a, 0x98, ..] = message[..] {
        message[1..3].copy_from_slice(&5000u16.to_be_bytes());
    }
    write_datagram(seed, from.ip().octets()[3] % 4, &message, true);
}

fn write_call(seed: &mut Vec<u8>, call: &str) {
    match call.split(' ').next().unwrap_or_default() {
        "lock" => seed.extend([220, 0, 0, 0]),
        "trylock" => seed.extend([220, 0, 1, 0]),
        "unlock" => seed.extend([250, 0]),
        "send" => seed.extend([194, 9, 0]),
        "sendto" => seed.extend([190, 1, 9, 0]),
        "request" => seed.extend([208, 8]),
        "requestto" => seed.extend([196, 1, 8]),
        "quit" => seed.extend([255, 1]),
        _ => {}
    }
}

fn write_pause(seed: &mut Vec<u8>, millis: f64) {
    let longer = PAUSES.iter().position(|pause| pause.as_secs_f64() * 1_000.0 > millis);
    let pause = longer.unwrap_or(PAUSES.len()).saturating_sub(1);
    if pause > 0 {
        seed.extend([140, u8::try_from(pause).expect("few pauses")]);
    }
}

/// Settings as variables and as files, right and wrong.
const SETTINGS: &[&str] = &[
    "ALAN_PEERS=10.0.0.2, 10.0.0.3:5001,[fd00::2]:5000\nALAN_PORT=5000\nALAN_BIND=::",
    "ALAN_DNS=alan.example:5001\nALAN_CLUSTER_SIZE=5\nALAN_REFRESH_INTERVAL=off",
    "ALAN_PEERS=\nALAN_KEY=00000000000000000000000000000000000000000000000000000000000000ff",
    "ALAN_PEERS=\nALAN_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "ALAN_PEERS=\nALAN_KEY=correct horse battery staple",
    "ALAN_PEERS=\nALAN_SECURITY_ENABLED=true",
    "ALAN_PEERS=a\nALAN_DNS=b",
    "ALAN_PEERS=\nALAN_HEARTBEAT_INTERVAL=1m 30s\nALAN_HEARTBEAT_TIMEOUT=15s\nALAN_TIMEOUT=1ms",
    "ALAN_PEERS=\nALAN_QUEUE_SIZE=0\nALAN_QUEUE_FULL=block\nALAN_EVENT_QUEUE=1048577",
    "ALAN_PEERS=\nALAN_KERNEL_BUFFER=65536\nALAN_MAX_PEERS=65537\nALAN_MAX_CANDIDATES=x",
    "ALAN_PEERS=\nALAN_MAX_REQUESTS=1\nALAN_MAX_LOCKS=1\nALAN_MAX_LOCK_WAITERS=1",
    "ALAN_PEERS=fe80::1%2,300.1.1.1,a..b,-\nALAN_MAX_LONG_LOCK_KEYS=0\nALAN_BUFFER_SIZE=1279",
    r#"{"peers":["10.0.0.2","node-2.example:5001"],"port":5000,"heartbeat_interval":"500ms"}"#,
    r#"{"dns":"alan.example","key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","cluster_size":3}"#,
    r#"{"refresh_interval":"off","queue_full":"block","bind":"127.0.0.1","security_enabled":true}"#,
    r#"{"unknown":1}"#,
];
