//! The reports of a run as Markdown tables: a table for each figure, a row for each room, a column for each server.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::Value;

#[derive(Args)]
pub(crate) struct Table {
    /// Files with one report of `--json` per line
    #[arg(required = true)]
    reports: Vec<PathBuf>,
    /// The server that is judged
    #[arg(long, default_value = "peerway")]
    ours: String,
    /// What the names of those begin with that it is compared with: the best of them counts
    #[arg(long, default_value = "janus")]
    theirs: String,
}

struct Figure {
    title: &'static str,
    /// Where in the report, as a JSON pointer.
    pointer: &'static str,
    /// What one unit of the table is in units of the report.
    unit: f64,
    /// What the names of its scenarios begin with.
    scenarios: &'static [&'static str],
    best: Best,
    /// Ours at most this, and ours over theirs at most this.
    goals: (Option<f64>, Option<f64>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Best {
    Least,
    Most,
}

const LOADED: &[&str] = &["sfu-video", "sfu-full", "sfu-all", "sfu-audio"];
const GROWING: &[&str] = &["sfu-video", "sfu-full", "sfu-audio"];
const CROWDED: &[&str] = &["sfu-video", "sfu-full"];
const LATENCY: &[&str] = &["sfu-latency"];
const JOINING: &[&str] = &["sfu-join"];

const FIGURES: &[Figure] = &[
    figure("CPU per forwarded packet, us", "/cpu_us", 1.0, LOADED).goals(Some(3.0), Some(0.5)),
    figure("CPU per forwarded megabit, us", "/cpu_us_per_megabit", 1.0, LOADED),
    figure("streams of 1 Mbit/s per core", "/streams_per_core", 1.0, CROWDED).most(),
    figure("memory per subscriber, KB", "/bytes_per_subscriber", 1e3, GROWING)
        .goals(Some(150.0), None),
    figure("from the first request to the first packet, ms, median", "/join_us/p50", 1e3, JOINING)
        .goals(Some(20.0), None),
    figure("the same, p95", "/join_us/p95", 1e3, JOINING).goals(Some(20.0), None),
    figure("from send to arrival, us, median", "/latency_us/p50", 1.0, LATENCY),
    figure("the same, p99", "/latency_us/p99", 1.0, LATENCY),
    figure("lost, %", "/lost", 0.01, LOADED),
    figure("% of a core while nobody sends", "/idle_cores", 0.01, LOADED),
];

const fn figure(
    title: &'static str,
    pointer: &'static str,
    unit: f64,
    scenarios: &'static [&'static str],
) -> Figure {
    Figure { title, pointer, unit, scenarios, best: Best::Least, goals: (None, None) }
}

pub(crate) fn run(table: &Table) -> Result<String> {
    let mut reports = Vec::new();
    for path in &table.reports {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        for line in text.lines() {
            reports.push(serde_json::from_str(line).context("a line that is not a report")?);
        }
    }
    let servers = in_order(&reports, "server");
    let scenarios = in_order(&reports, "scenario");
    let mut out = String::new();
    for figure in FIGURES {
        let rows: Vec<&str> =
            scenarios.iter().copied().filter(|scenario| figure.is_of(scenario)).collect();
        if rows.is_empty() {
            continue;
        }
        let (head, line) = (servers.join(" | "), "--:|".repeat(servers.len()));
        writeln!(
            out,
            "| {} | {head} | ratio | goal | met |\n|---|{line}--:|--:|---|",
            figure.title
        )?;
        for scenario in rows {
            let cells: Vec<Option<f64>> =
                servers.iter().map(|server| figure.median(&reports, server, scenario)).collect();
            let of = |matches: &dyn Fn(&str) -> bool| {
                let cells = servers.iter().zip(&cells).filter(|(server, _)| matches(server));
                figure.best(cells.filter_map(|(_, cell)| *cell))
            };
            let ours = of(&|server| server == table.ours);
            let theirs = of(&|server| server.starts_with(&table.theirs));
            let ratio = ours.zip(theirs).map(|(ours, theirs)| ours / theirs);
            let (goal, met) = figure.judge(scenario, ours, ratio);
            let name = scenario.trim_start_matches("sfu-").replace('-', ", ");
            let cells: Vec<String> = cells.into_iter().map(shown).collect();
            let (cells, ratio) = (cells.join(" | "), shown(ratio));
            writeln!(out, "| {name} | {cells} | {ratio} | {goal} | {met} |")?;
        }
        out.push('\n');
    }
    Ok(out)
}

/// The different values of a member, in the order in which they come.
fn in_order<'a>(reports: &'a [Value], member: &str) -> Vec<&'a str> {
    let mut all = Vec::new();
    for value in reports.iter().filter_map(|report| report[member].as_str()) {
        if !all.contains(&value) {
            all.push(value);
        }
    }
    all
}

impl Figure {
    const fn goals(self, most: Option<f64>, ratio: Option<f64>) -> Self {
        Self { goals: (most, ratio), ..self }
    }

    const fn most(self) -> Self {
        Self { best: Best::Most, ..self }
    }

    fn is_of(&self, scenario: &str) -> bool {
        self.scenarios.iter().any(|prefix| scenario.starts_with(prefix))
    }

    /// The median over the rounds.
    fn median(&self, reports: &[Value], server: &str, scenario: &str) -> Option<f64> {
        let mut figures: Vec<f64> = reports
            .iter()
            .filter(|report| report["server"] == server && report["scenario"] == scenario)
            .filter_map(|report| report.pointer(self.pointer)?.as_f64())
            .collect();
        figures.sort_by(f64::total_cmp);
        let (lower, upper) = (figures.len().checked_sub(1)? / 2, figures.len() / 2);
        Some(f64::midpoint(figures[lower], figures[upper]) / self.unit)
    }

    fn best(&self, figures: impl Iterator<Item = f64>) -> Option<f64> {
        figures.reduce(if self.best == Best::Least { f64::min } else { f64::max })
    }

    fn judge(
        &self,
        scenario: &str,
        ours: Option<f64>,
        ratio: Option<f64>,
    ) -> (String, &'static str) {
        let (most, at_ratio) = self.goals;
        // The goal for a packet is of packets of 1100 bytes to a crowd.
        let is_for_all = at_ratio.is_none() || CROWDED.iter().any(|it| scenario.starts_with(it));
        let most = most.filter(|_| is_for_all);
        let mut goals = Vec::new();
        let mut met = Vec::new();
        if let Some(most) = most {
            goals.push(format!("≤ {most}"));
            met.push(ours.map(|ours| ours <= most));
        }
        if let Some(most) = at_ratio {
            goals.push(format!("ratio ≤ {most:.2}"));
            met.push(ratio.map(|ratio| ratio <= most));
        }
        let met = match met.as_slice() {
            [] => "",
            met if met.contains(&Some(false)) => "**no**",
            met if met.contains(&None) => "",
            _ => "yes",
        };
        (goals.join(", "), met)
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
    fn ours_is_judged_beside_the_best_of_theirs() {
        let reports: Vec<Value> = [
            r#"{"server":"peerway","scenario":"sfu-video-50","cpu_us":2.9}"#,
            r#"{"server":"janus","scenario":"sfu-video-50","cpu_us":28.0}"#,
            r#"{"server":"janus-2","scenario":"sfu-video-50","cpu_us":5.0}"#,
            r#"{"server":"peerway","scenario":"sfu-audio-50","cpu_us":3.5}"#,
            r#"{"server":"janus-2","scenario":"sfu-audio-50","cpu_us":10.0}"#,
        ]
        .map(|report| serde_json::from_str(report).unwrap())
        .into();
        let path = std::env::temp_dir().join(format!("peerway-bench-{}.jsonl", std::process::id()));
        let lines: Vec<String> = reports.iter().map(Value::to_string).collect();
        fs::write(&path, lines.join("\n")).unwrap();
        let table = Table {
            reports: vec![path.clone()],
            ours: "peerway".to_owned(),
            theirs: "janus".to_owned(),
        };
        let text = run(&table).unwrap();
        fs::remove_file(path).unwrap();
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(
            rows[0],
            "| CPU per forwarded packet, us | peerway | janus | janus-2 | ratio | goal | met |"
        );
        assert_eq!(
            rows[2],
            "| video, 50 | 2.90 | 28.0 | 5.00 | 0.58 | ≤ 3, ratio ≤ 0.50 | **no** |"
        );
        assert_eq!(rows[3], "| audio, 50 | 3.50 | – | 10.0 | 0.35 | ratio ≤ 0.50 | yes |");
    }
}
