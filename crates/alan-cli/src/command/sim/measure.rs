//! `alan sim measure`: what a cluster does, in numbers, as tables in Markdown or as JSON.

use std::process::ExitCode;
use std::time::Duration;

use alan_sim::PerMille;
use alan_sim::measure::{Deaths, Flooded, Mesh, deaths, flooded, mesh};
use alan_sim::plan::Flood;
use serde_json::{Value, json};

use super::super::Outcome;
use super::print;
use super::progress::thousands;
use crate::args::measure::{DeathsArgs, FloodArgs, MeasureCommand, MeshArgs};

const MESH: &str = "\
| nodes | lost | all have met after | datagrams a second, each node | bytes a datagram | a crash is known to all after | false deaths |
| --- | --- | --- | --- | --- | --- | --- |
";

const DEATHS: &str = "\
| nodes | lost | simulated time | datagrams | false deaths |
| --- | --- | --- | --- | --- |
";

const FLOOD: &str = "\
| flood | cluster | datagrams | bytes back for each byte | most members of three nodes | false deaths | messages | of these received |
| --- | --- | --- | --- | --- | --- | --- | --- |
";

const FLOODS: [(Flood, bool); 5] = [
    (Flood::Joins, false),
    (Flood::ClassicJoins, false),
    (Flood::Noise, false),
    (Flood::Joins, true),
    (Flood::Noise, true),
];

pub(super) fn run(command: &MeasureCommand) -> Outcome {
    match command {
        MeasureCommand::Mesh(args) => measure_mesh(args),
        MeasureCommand::Deaths(args) => measure_deaths(args),
        MeasureCommand::Flood(args) => measure_flood(args),
    }
}

fn measure_mesh(args: &MeshArgs) -> Outcome {
    let common = args.common;
    let sizes = args.nodes.iter();
    let cases = sizes.flat_map(|&nodes| args.loss.iter().map(move |&lost| (nodes, lost)));
    let rows = cases.map(|(nodes, lost)| mesh(nodes, lost, common.seed));
    tell(MESH, common.json, rows.map(|row| (mesh_row(&row), mesh_object(&row))))
}

fn measure_deaths(args: &DeathsArgs) -> Outcome {
    let common = args.common;
    let lasts = Duration::from_secs(u64::from(args.hours) * 3_600);
    let rows = args.loss.iter().map(|&lost| deaths(args.nodes, lost, lasts, common.seed));
    tell(DEATHS, common.json, rows.map(|row| (deaths_row(&row), deaths_object(&row))))
}

fn measure_flood(args: &FloodArgs) -> Outcome {
    let common = args.common;
    let lasts = Duration::from_millis(args.millis.into());
    let rows = FLOODS.into_iter().map(|(what, sealed)| flooded(what, sealed, lasts, common.seed));
    tell(FLOOD, common.json, rows.map(|row| (flood_row(&row), flood_object(&row))))
}

/// Prints each row as soon as it is measured.
fn tell(head: &str, as_json: bool, rows: impl Iterator<Item = (String, Value)>) -> Outcome {
    if !as_json {
        print(head)?;
    }
    for (row, object) in rows {
        print(&if as_json { format!("{object}\n") } else { row })?;
    }
    Ok(ExitCode::SUCCESS)
}

fn mesh_row(mesh: &Mesh) -> String {
    let Mesh { nodes, lost, met, datagrams, bytes, crash_seen, false_deaths, .. } = *mesh;
    let (nodes, lost) = (thousands(nodes.into()), percent(lost));
    let (met, crash_seen) = (seconds(met), seconds(crash_seen));
    let (false_deaths, each) = (thousands(false_deaths), bytes / datagrams);
    format!(
        "| {nodes} | {lost} | {met} | {datagrams:.1} | {each:.0} | {crash_seen} | {false_deaths} |\n"
    )
}

fn mesh_object(mesh: &Mesh) -> Value {
    json!({
        "nodes": mesh.nodes,
        "lost_per_mille": mesh.lost.0,
        "met_after_ms": mesh.met.map(millis),
        "datagrams_per_node_second": mesh.datagrams,
        "bytes_per_node_second": mesh.bytes,
        "crash_known_after_ms": mesh.crash_seen.map(millis),
        "false_deaths": mesh.false_deaths,
    })
}

fn deaths_row(deaths: &Deaths) -> String {
    let Deaths { nodes, lost, lasts, datagrams, false_deaths, .. } = *deaths;
    let (lost, hours) = (percent(lost), lasts.as_secs() / 3_600);
    let (datagrams, false_deaths) = (thousands(datagrams), thousands(false_deaths));
    format!("| {nodes} | {lost} | {hours} h | {datagrams} | {false_deaths} |\n")
}

fn deaths_object(deaths: &Deaths) -> Value {
    json!({
        "nodes": deaths.nodes,
        "lost_per_mille": deaths.lost.0,
        "seconds": deaths.lasts.as_secs(),
        "datagrams": deaths.datagrams,
        "false_deaths": deaths.false_deaths,
    })
}

fn flood_row(flooded: &Flooded) -> String {
    let (what, cluster) = (name(flooded.what), if flooded.sealed { "sealed" } else { "plain" });
    let (datagrams, members) =
        (thousands(flooded.datagrams), thousands(flooded.most_members as u64));
    let back = back(flooded);
    let Flooded { false_deaths, messages, received, .. } = *flooded;
    format!(
        "| {what} | {cluster} | {datagrams} | {back:.3} | {members} | {false_deaths} | {messages} \
         | {received} |\n"
    )
}

/// How many bytes went to strangers for each that came from them.
#[allow(clippy::cast_precision_loss, reason = "a ratio to look at")]
fn back(flooded: &Flooded) -> f64 {
    flooded.to_strangers as f64 / flooded.from_strangers as f64
}

fn flood_object(flooded: &Flooded) -> Value {
    json!({
        "flood": name(flooded.what),
        "sealed": flooded.sealed,
        "datagrams": flooded.datagrams,
        "bytes_from_strangers": flooded.from_strangers,
        "bytes_to_strangers": flooded.to_strangers,
        "most_members": flooded.most_members,
        "false_deaths": flooded.false_deaths,
        "messages": flooded.messages,
        "received": flooded.received,
    })
}

const fn name(flood: Flood) -> &'static str {
    match flood {
        Flood::Joins => "JOINs",
        Flood::ClassicJoins => "classic JOINs",
        Flood::Noise => "noise",
    }
}

fn percent(lost: PerMille) -> String {
    format!("{} %", lost.0 / 10)
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or_else(|| "–".into(), |time| format!("{:.2} s", time.as_secs_f64()))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
