//! `cargo xtask quiet`: services that people run, under load, about which nothing may be reported.

use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use serde_json::Value;
use vigia_tests::quiet::{self, Pace, Row, SERVICES};
use vigia_tests::scene::{self, Programs};

use crate::engine::Engine;
use crate::report::{Check, Report};
use crate::workspace::Workspace;
use crate::{packages, programs};

/// What may be named on the command line.
pub(crate) fn names() -> Vec<&'static str> {
    SERVICES.iter().map(|service| service.name).collect()
}

/// The services of some names, or all.
pub(crate) fn run(workspace: &Workspace, names: &[String], quick: bool) -> Result<Report> {
    ensure!(
        scene::is_root(),
        "the agent loads eBPF programs and services run in containers: run it as root"
    );
    packages::ensure(&[packages::BUSYBOX, packages::MMDEBSTRAP])?;
    let mut report = Report::new("quiet");
    let built = report.act("building the agent", || {
        Ok(Programs {
            agent: programs::static_agent(workspace)?,
            actor: programs::actor(workspace)?,
        })
    });
    let Some(programs) = built else {
        return Ok(report);
    };
    let engine = Engine::ensure()?;
    let pace = if quick { Pace::SHORT } else { Pace::FULL };
    let rows = quiet::run(&engine.docker, &programs, pace, names, tell)?;
    for row in &rows {
        report.add(check(row));
    }
    let total = |count: fn(&Row) -> usize| rows.iter().map(count).sum::<usize>();
    report.closing.push(format!(
        "{} alerts below default priority",
        total(|row| row.lower.len())
    ));
    report
        .closing
        .push(format!("{} alerts", total(|row| row.alerts.len())));
    report.data = Some(Value::from_iter(rows.iter().map(Row::json)));
    Ok(report)
}

/// What happened, as soon as it is known.
fn tell(row: &Row) {
    eprintln!("==> {}", row.line());
    for line in row.complaints() {
        eprintln!("    {line}");
    }
    for line in &row.lower {
        eprintln!("    (lower) {line}");
    }
    eprintln!(
        "    agent: {:.1} s of processor time in {:.0} s, {} MB",
        row.processor_s,
        row.seconds,
        row.memory_bytes >> 20
    );
}

fn check(row: &Row) -> Check {
    let complaints = row.complaints();
    let result = match complaints.is_empty() {
        true => Ok(()),
        false => Err(anyhow!("{}", complaints.join("\n"))),
    };
    Check::judged(&row.line(), Duration::from_secs_f64(row.seconds), &result)
}
