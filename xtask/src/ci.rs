//! `cargo xtask ci`: what decides whether a change is good.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::report::Report;
use crate::workspace::{self, Workspace};
use crate::{docs, ebpf, packages, test};

/// Adds its checks to the report.
type Piece = fn(&Workspace, &mut Report);

/// The pieces, cheapest first.
const PIECES: &[(&str, Piece)] = &[
    ("fmt", |workspace, report| {
        report.act("cargo fmt", || {
            workspace::run(workspace.cargo().args(["fmt", "--all", "--check"]))
        });
    }),
    ("clippy", |workspace, report| {
        report.act("cargo clippy", || {
            let args = [
                "clippy",
                "--locked",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ];
            workspace::run(workspace.cargo().args(args))
        });
    }),
    ("docs", |workspace, report| {
        part(report, "docs", || docs::run(workspace, true))
    }),
    ("test", |workspace, report| {
        part(report, "test", || {
            test::run(workspace, &["all".to_owned()], test::Times::default())
        })
    }),
    ("ebpf", |_, report| {
        report.act("committed eBPF object", || ebpf::run(true));
    }),
    ("deny", |workspace, report| deny(workspace, report)),
];

/// What may be named on the command line.
pub(crate) fn names() -> Vec<&'static str> {
    PIECES.iter().map(|(name, _)| *name).collect()
}

/// Runs pieces and prints the closing line that counts every check and every test.
pub(crate) fn run(workspace: &Workspace, wanted: &[String]) -> Result<Report> {
    let mut report = Report::new("ci");
    for (name, piece) in PIECES {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            piece(workspace, &mut report);
        }
    }
    Ok(report)
}

/// Takes over the checks of another verb, or that it could not be done.
fn part(report: &mut Report, name: &'static str, act: impl FnOnce() -> Result<Report>) {
    match act() {
        Ok(part) => report.absorb(part),
        Err(error) => {
            eprintln!("error: {error:#}");
            report.absorb(Report::failure(name, &error));
        }
    }
}

/// Licences, sources and bans always; advisories where their database can be reached.
fn deny(workspace: &Workspace, report: &mut Report) {
    let installed = report.act("cargo-deny", || {
        if packages::on_path("cargo-deny") {
            return Ok(());
        }
        eprintln!("    installing cargo-deny from crates.io");
        workspace::run(
            workspace
                .cargo()
                .args(["install", "--locked", "--quiet", "cargo-deny"]),
        )
    });
    if installed.is_none() {
        return;
    }
    report.act("cargo deny check bans licenses sources", || {
        let args = [
            "deny",
            "--locked",
            "check",
            "--hide-inclusion-graph",
            "bans",
            "licenses",
            "sources",
        ];
        workspace::run(workspace.cargo().args(args))
    });
    match fetch_advisories(workspace) {
        Ok(()) => {
            report.act("cargo deny check advisories", || {
                let args = ["deny", "--locked", "check", "--disable-fetch", "advisories"];
                workspace::run(workspace.cargo().args(args))
            });
        }
        Err(error) => eprintln!("    advisories are not checked: {error:#}"),
    }
}

fn fetch_advisories(workspace: &Workspace) -> Result<()> {
    let output = Command::new("timeout")
        .args(["120", "cargo", "deny", "fetch", "db"])
        .current_dir(&workspace.root)
        .stdin(Stdio::null())
        .output()
        .context("starting cargo deny")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!(
            "their database cannot be reached: {}",
            said.lines()
                .rfind(|line| !line.trim().is_empty())
                .unwrap_or_default()
        );
    }
    Ok(())
}
