//! `vigia doctor`: what this host offers the probes.

use std::fmt::Write as _;
use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use vigia_sensor::doctor::{self, Need, Outcome, Report};

use super::configuration::ConfigFile;
use crate::config::Config;
use crate::settings;

/// Flags of `vigia doctor`.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    config: ConfigFile,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
        examine(&self.config.read()?, self.json, out)
    }
}

/// Exit code 1 means that the agent cannot run here.
fn examine(config: &Config, json: bool, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let report = doctor::examine(&settings::sensor(config));
    if json {
        serde_json::to_writer_pretty(
            &mut *out,
            &Document {
                usable: report.is_usable(),
                report: &report,
            },
        )?;
        writeln!(out)?;
    } else {
        out.write_all(to_table(&report).as_bytes())?;
    }
    Ok(if report.is_usable() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[derive(Serialize)]
struct Document<'r> {
    usable: bool,
    #[serde(flatten)]
    report: &'r Report,
}

fn to_table(report: &Report) -> String {
    let width = report
        .rows
        .iter()
        .map(|row| row.name.len())
        .max()
        .unwrap_or(0);
    let mut text = format!("kernel {}\n\n", report.kernel);
    for row in &report.rows {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:14}  {:width$}  {}",
            row.outcome, row.name, row.detail
        );
        if row.outcome != Outcome::Yes && !row.without.is_empty() {
            let verb = if row.need == Need::Required {
                "needed; without it"
            } else {
                "without it"
            };
            let _ = writeln!(text, "{:14}  {:width$}  {verb}: {}", "", "", row.without);
        }
    }
    let verdict = match report.obstacles().count() {
        0 => "vigia can run here.".to_owned(),
        1 => "vigia cannot run here: one thing it needs is missing.".to_owned(),
        count => format!("vigia cannot run here: {count} things it needs are missing."),
    };
    let _ = writeln!(text, "\n{verdict}");
    text
}
