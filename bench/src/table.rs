//! The reports of several runs as one Markdown table of peerway beside the server it is compared with.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::thread;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde_json::Value;

#[derive(Args)]
pub(crate) struct Table {
    /// Files with one report of `--json` per line
    #[arg(required = true)]
    reports: Vec<PathBuf>,
    /// The server the goals are for
    #[arg(long, default_value = "peerway")]
    ours: String,
    /// The server to compare with
    #[arg(long, default_value = "peerserver")]
    theirs: String,
    /// Which figures, and the goals for them
    #[arg(long, value_enum, default_value_t = Suite::Peerjs)]
    suite: Suite,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Suite {
    /// Beside `PeerServer`
    Peerjs,
    /// Rooms and relaying over Socket.IO
    Skyway,
}

struct Row {
    title: &'static str,
    scenario: &'static str,
    /// Where in the report, as a JSON pointer.
    figure: &'static str,
    /// What one unit of the table is in units of the report.
    unit: f64,
    goal: Goal,
}

enum Goal {
    /// Ours over theirs at most this.
    Ratio(f64),
    /// Ours at most this, in the unit of the row.
    AtMost(f64),
    /// At least this part of the cores.
    Cores(f64),
    /// Told, not judged.
    None,
}

const KIBIBYTE: f64 = 1024.0;
const MEBIBYTE: f64 = KIBIBYTE * KIBIBYTE;
const THIRD: f64 = 1.0 / 3.0;

const PEERJS: &[Row] = &[
    row("base memory, MiB", "idle", "/base_bytes", MEBIBYTE, Goal::Ratio(0.25)),
    row("memory per idle client, KiB", "idle", "/bytes_per_client", KIBIBYTE, Goal::Ratio(0.5)),
    row("CPU per connect-to-OPEN and close, us", "connect", "/cpu_us", 1.0, Goal::Ratio(THIRD)),
    row("CPU per OFFER at 2000/s, us", "relay", "/cpu_us", 1.0, Goal::Ratio(THIRD)),
    row("CPU per OFFER, saturated, us", "saturate", "/cpu_us", 1.0, Goal::Ratio(THIRD)),
    row("p99 latency at 2000/s, us", "relay", "/latency_us/p99", 1.0, Goal::Ratio(1.0)),
    row("threads sharing the work, saturated", "saturate", "/parallelism", 1.0, Goal::Cores(0.8)),
    row("cores in use, saturated", "saturate", "/cores", 1.0, Goal::None),
    row("OFFERs per second, saturated", "saturate", "/messages_per_second", 1.0, Goal::None),
    row("cores for the HEARTBEATs of idle clients", "idle", "/idle_cores", 1.0, Goal::None),
    row("p50 latency at 2000/s, us", "relay", "/latency_us/p50", 1.0, Goal::None),
    row("p99 lateness of the generator in that, us", "relay", "/lag_us/p99", 1.0, Goal::None),
    row("peak memory in a flood, MiB", "flood", "/peak_bytes", MEBIBYTE, Goal::None),
    row("p99 latency of others in a flood, us", "flood", "/latency_us/p99", 1.0, Goal::None),
];

const SKYWAY: &[Row] = &[
    row("base memory, MiB", "idle", "/base_bytes", MEBIBYTE, Goal::None),
    row("memory per idle client, KiB", "idle", "/bytes_per_client", KIBIBYTE, Goal::AtMost(12.0)),
    row("CPU per connect-to-OPEN and close, us", "connect", "/cpu_us", 1.0, Goal::None),
    row("connects per second", "connect", "/per_second", 1.0, Goal::None),
    row("joins per second, rooms of 50", "room", "/joins_per_second", 1.0, Goal::None),
    row("CPU per join, us", "room", "/join_cpu_us", 1.0, Goal::None),
    row("room data heard per second", "room", "/heard_per_second", 1.0, Goal::None),
    row("CPU per room data heard, us", "room", "/cpu_us", 1.0, Goal::None),
    row("p99 latency of room data, us", "room", "/latency_us/p99", 1.0, Goal::None),
    row("CPU per OFFER at 2000/s, us", "relay", "/cpu_us", 1.0, Goal::None),
    row("CPU per OFFER, saturated, us", "saturate", "/cpu_us", 1.0, Goal::None),
    row("OFFERs per second, saturated", "saturate", "/messages_per_second", 1.0, Goal::None),
    row("p99 latency at 2000/s, us", "relay", "/latency_us/p99", 1.0, Goal::None),
];

const fn row(
    title: &'static str,
    scenario: &'static str,
    figure: &'static str,
    unit: f64,
    goal: Goal,
) -> Row {
    Row { title, scenario, figure, unit, goal }
}

pub(crate) fn run(table: &Table) -> Result<String> {
    let mut reports = Vec::new();
    for path in &table.reports {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        for line in text.lines() {
            reports.push(serde_json::from_str(line).context("a line that is not a report")?);
        }
    }
    let cores = thread::available_parallelism()?.get();
    let mut out = format!("| | {} | {} | ratio | goal | met |\n", table.ours, table.theirs);
    out += "|---|--:|--:|--:|--:|---|\n";
    let rows = match table.suite {
        Suite::Peerjs => PEERJS,
        Suite::Skyway => SKYWAY,
    };
    for row in rows {
        let ours = row.median(&reports, &table.ours);
        let theirs = row.median(&reports, &table.theirs);
        let ratio = ours.zip(theirs).map(|(ours, theirs)| ours / theirs);
        let (goal, met) = row.goal.judge(ours, ratio, cores);
        let (ours, theirs, ratio) = (shown(ours), shown(theirs), shown(ratio));
        writeln!(out, "| {} | {ours} | {theirs} | {ratio} | {goal} | {met} |", row.title)?;
    }
    Ok(out)
}

impl Row {
    /// The median over the rounds.
    fn median(&self, reports: &[Value], server: &str) -> Option<f64> {
        let mut figures: Vec<f64> = reports
            .iter()
            .filter(|report| report["server"] == server && report["scenario"] == self.scenario)
            .filter_map(|report| report.pointer(self.figure)?.as_f64())
            .collect();
        figures.sort_by(f64::total_cmp);
        let (lower, upper) = (figures.len().checked_sub(1)? / 2, figures.len() / 2);
        Some(f64::midpoint(figures[lower], figures[upper]) / self.unit)
    }
}

impl Goal {
    fn judge(&self, ours: Option<f64>, ratio: Option<f64>, cores: usize) -> (String, &'static str) {
        #[expect(clippy::cast_precision_loss, reason = "no machine has 2^52 cores")]
        let (goal, met) = match *self {
            Self::Ratio(most) => (format!("≤ {most:.2}"), ratio.map(|ratio| ratio <= most)),
            Self::AtMost(most) => (format!("≤ {most:.0}"), ours.map(|ours| ours <= most)),
            Self::Cores(part) => {
                let least = part * cores as f64;
                (format!("≥ {least:.1} of {cores} cores"), ours.map(|ours| ours >= least))
            }
            Self::None => return (String::new(), ""),
        };
        (goal, met.map_or("", |met| if met { "yes" } else { "**no**" }))
    }
}

fn shown(figure: Option<f64>) -> String {
    match figure {
        Some(figure) if figure >= 100.0 => format!("{figure:.0}"),
        Some(figure) if figure >= 10.0 => format!("{figure:.1}"),
        Some(figure) => format!("{figure:.2}"),
        None => "–".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_judges_the_median_of_the_rounds() {
        let reports = [
            r#"{"server":"peerway","scenario":"relay","cpu_us":5.0}"#,
            r#"{"server":"peerway","scenario":"relay","cpu_us":7.0}"#,
            r#"{"server":"peerway","scenario":"relay","cpu_us":50.0}"#,
            r#"{"server":"peerway","scenario":"saturate","cpu_us":99.0}"#,
        ]
        .map(|report| serde_json::from_str(report).unwrap());
        let ours = PEERJS[3].median(&reports, "peerway");
        assert_eq!(ours, Some(7.0));
        assert_eq!(PEERJS[3].median(&reports[..2], "peerway"), Some(6.0));
        assert_eq!(PEERJS[3].median(&reports, "peerserver"), None);
        assert_eq!(Goal::Ratio(0.5).judge(ours, Some(0.5), 2).1, "yes");
        assert_eq!(Goal::Ratio(0.5).judge(ours, Some(0.6), 2).1, "**no**");
        assert_eq!(Goal::Cores(0.8).judge(Some(1.5), None, 2).1, "**no**");
    }
}
