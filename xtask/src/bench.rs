//! `cargo xtask bench`: measurements, each by a program of its own.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::report::Report;
use crate::workspace::{self, Workspace};

/// What can be measured, and the package that does it.
const BENCHES: &[(&str, &str)] = &[("engine", "vigia-bench")];

/// What may be named on the command line.
pub(crate) fn names() -> Vec<&'static str> {
    BENCHES.iter().map(|(name, _)| *name).collect()
}

/// Builds a measuring program as it would be shipped, runs it and passes on what it found: its table, or its JSON
/// document as the data of the report.
pub(crate) fn run(workspace: &Workspace, what: &str, json: bool, quick: bool) -> Result<Report> {
    let Some((name, package)) = BENCHES.iter().find(|(name, _)| *name == what) else {
        bail!("no measurement called {what}");
    };
    let mut report = Report::new("bench");
    let built = report.act("build", || {
        let args = ["build", "--release", "--locked", "--package", package];
        workspace::run(workspace.cargo().args(args))
    });
    if built.is_none() {
        return Ok(report);
    }
    let output = report.act(name, || {
        let mut command = Command::new(workspace.target.join("release").join(package));
        command
            .current_dir(&workspace.root)
            .stderr(Stdio::inherit());
        let options = [(json, "--json"), (quick, "--quick")];
        command.args(
            options
                .iter()
                .filter(|(given, _)| *given)
                .map(|(_, option)| option),
        );
        let output = command
            .output()
            .with_context(|| format!("starting {package}"))?;
        ensure!(output.status.success(), "{package}: {}", output.status);
        Ok(output.stdout)
    });
    let Some(output) = output else {
        return Ok(report);
    };
    if json {
        report.data = Some(serde_json::from_slice(&output).context("what was measured")?);
    } else {
        print!("{}", String::from_utf8_lossy(&output));
    }
    Ok(report)
}
