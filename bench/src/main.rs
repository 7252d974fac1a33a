//! Load generator for any server that speaks the PeerJS signalling protocol.

mod client;
mod clock;
mod connect;
mod crowd;
mod dialect;
mod flood;
mod frame;
mod identity;
mod idle;
mod latency;
mod offer;
mod paced;
mod pair;
mod process;
mod relay;
mod room;
mod saturated;
mod sfu;
mod table;
mod target;

use std::fmt::Display;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use serde::Serialize;

use crate::target::Target;

/// Loads a PeerJS signalling server and tells what that cost it.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    scenario: Scenario,
    #[command(flatten)]
    target: Target,
    /// Print one JSON object instead of a sentence
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Scenario {
    /// Memory: connect many clients and let them be
    Idle(idle::Idle),
    /// The cost of a visit: connect, OPEN, close
    Connect(connect::Connect),
    /// The cost of an OFFER from one client to another
    Relay(relay::Relay),
    /// Rooms: what a join and a message to all others cost
    Room(room::Room),
    /// One client sends OFFERs to nobody as fast as it can
    Flood(flood::Flood),
    /// Media in a room: what forwarding a packet costs, joining, latency
    Sfu(sfu::Sfu),
    /// Reports of earlier runs, made with --json, as a Markdown table
    Table(table::Table),
    /// The same of reports of sfu: a table for each figure
    SfuTable(sfu::Table),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let Arguments { scenario, target, json } = Arguments::parse();
    rlimit::increase_nofile_limit(u64::MAX).context("cannot raise the limit of open files")?;
    clock::wake_on_time();
    let server = target.server.clone();
    let output = Output { server: &server, json };
    match scenario {
        Scenario::Idle(idle) => output.print("idle", &idle::run(target, idle).await?),
        Scenario::Connect(connect) => {
            output.print("connect", &connect::run(target, connect).await?)
        }
        Scenario::Relay(relay) => output.print(relay.scenario(), &relay::run(target, relay).await?),
        Scenario::Room(room) => output.print("room", &room::run(target, room).await?),
        Scenario::Flood(flood) => output.print("flood", &flood::run(target, flood).await?),
        Scenario::Sfu(sfu) => {
            let report = sfu::run(&target, &sfu)?;
            if json {
                // A run of many cells takes long: somebody watches.
                eprintln!("  {report}");
            }
            output.print(&sfu.scenario(), &report)
        }
        Scenario::SfuTable(table) => {
            print!("{}", sfu::table(&table)?);
            Ok(())
        }
        Scenario::Table(table) => {
            print!("{}", table::run(&table)?);
            Ok(())
        }
    }
}

struct Output<'a> {
    server: &'a str,
    json: bool,
}

impl Output<'_> {
    fn print(&self, scenario: &str, report: &(impl Serialize + Display)) -> Result<()> {
        if self.json {
            let record = Record { server: self.server, scenario, report };
            println!("{}", serde_json::to_string(&record)?);
        } else {
            println!("{}, {scenario}: {report}", self.server);
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Record<'a, R> {
    server: &'a str,
    scenario: &'a str,
    #[serde(flatten)]
    report: &'a R,
}
