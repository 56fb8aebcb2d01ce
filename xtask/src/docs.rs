//! `cargo xtask docs`: generated pages, and the documentation of the crates.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use crate::programs;
use crate::report::Report;
use crate::workspace::{self, Workspace};

/// Pages that the agent prints: path and arguments.
const PAGES: &[(&str, &[&str])] = &[
    ("docs/fields.md", &["fields", "--format", "markdown"]),
    ("docs/schema/rules.json", &["schema", "rules"]),
    ("docs/schema/config.json", &["schema", "config"]),
];

/// Writes or checks the pages, and builds the crates' documentation without a warning.
pub(crate) fn run(workspace: &Workspace, check: bool) -> Result<Report> {
    let mut report = Report::new("docs");
    let Some(agent) = report.act("building the agent", || programs::agent(workspace)) else {
        return Ok(report);
    };
    for (path, args) in PAGES {
        report.act(path, || page(workspace, &agent, path, args, check));
    }
    report.act("documentation of the crates", || {
        workspace::run(
            workspace
                .cargo()
                .args([
                    "doc",
                    "--locked",
                    "--no-deps",
                    "--workspace",
                    "--document-private-items",
                ])
                .env("RUSTDOCFLAGS", "-D warnings"),
        )
    });
    Ok(report)
}

fn page(workspace: &Workspace, agent: &Path, path: &str, args: &[&str], check: bool) -> Result<()> {
    let output = workspace
        .command(&agent.display().to_string())
        .args(args)
        .stdout(Stdio::piped())
        .output()?;
    ensure!(
        output.status.success(),
        "vigia {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    let path = workspace.root.join(path);
    if check {
        let committed =
            std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        ensure!(
            committed == output.stdout,
            "it is stale: run `cargo xtask docs` and commit the result"
        );
        return Ok(());
    }
    std::fs::write(&path, output.stdout).with_context(|| format!("writing {}", path.display()))
}
