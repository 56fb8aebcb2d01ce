//! `cargo xtask attacks`: attacks in real containers, each with the effect it must have and the alert it must raise.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use vigia_attacks::row::Row;
use vigia_attacks::stage::{Programs, Stage};
use vigia_attacks::suite::{self, Verdict};
use vigia_tests::docker::{Daemon, Docker, Network, forgiving_runtime, missing_capabilities};
use vigia_tests::scene::{self, Turn};

use crate::engine::Engine;
use crate::report::{Check, Report};
use crate::workspace::Workspace;
use crate::{packages, programs};

/// The attacks of some names, or all.
pub(crate) fn run(workspace: &Workspace, names: &[String]) -> Result<Report> {
    let rows = suite::rows(names)?;
    ensure!(
        scene::is_root(),
        "the agent loads eBPF programs and attacks are performed in containers: run it as root"
    );
    packages::ensure(&[packages::BUSYBOX, packages::DEBOOTSTRAP])?;
    let mut report = Report::new("attacks");
    let built = report.act("building the agent and what attacks", || {
        Ok(Programs {
            agent: programs::static_agent(workspace)?,
            attack: programs::attack(workspace)?,
        })
    });
    let Some(programs) = built else {
        return Ok(report);
    };
    let ground = Ground::find()?;
    let turn = Turn::take()?;
    let stage = report.act("the stage", || {
        Stage::set(ground.docker.clone(), turn, &programs, &rows)
    });
    let Some(stage) = stage else {
        return Ok(report);
    };
    eprintln!("==> {} attacks", rows.len());
    let verdicts = suite::run(&stage, &rows)?;
    let losses = stage.losses();
    if !losses.is_empty() {
        eprintln!("    losses: {losses}");
    }
    drop(stage);
    summarize(&mut report, &rows, &verdicts);
    report.data = Some(serde_json::to_value(&verdicts)?);
    Ok(report)
}

/// The engine that attacks are performed with.
#[derive(Debug)]
struct Ground {
    docker: Docker,
    _engine: Option<Engine>,
    _daemon: Option<Daemon>,
    _folder: Option<TempDir>,
}

impl Ground {
    /// The engine that runs; on a machine that lacks capabilities one of our own, whose containers can be privileged.
    fn find() -> Result<Self> {
        if missing_capabilities()? == 0 {
            let engine = Engine::ensure()?;
            return Ok(Self {
                docker: engine.docker.clone(),
                _engine: Some(engine),
                _daemon: None,
                _folder: None,
            });
        }
        packages::ensure(&[packages::DOCKER])?;
        let folder = tempfile::Builder::new()
            .prefix("vigia-runtime-")
            .tempdir()?;
        let daemon = Daemon::start_with(Network::None, forgiving_runtime(folder.path())?)?;
        let docker = Docker::connect(daemon.socket()).context("the engine we started")?;
        Ok(Self {
            docker,
            _engine: None,
            _daemon: Some(daemon),
            _folder: Some(folder),
        })
    }
}

/// One check a row, and the sums.
fn summarize(report: &mut Report, rows: &[&Row], verdicts: &[Verdict]) {
    let width = |text: fn(&Verdict) -> &'static str| {
        verdicts
            .iter()
            .map(|verdict| text(verdict).len())
            .max()
            .unwrap_or(0)
    };
    let (actions, places) = (
        width(|verdict| verdict.action),
        width(|verdict| verdict.place),
    );
    for verdict in verdicts {
        let name = format!(
            "{:actions$}  {:places$}  {}",
            verdict.action,
            verdict.place,
            verdict.rule.unwrap_or("-"),
        );
        let result = if verdict.passed {
            Ok(())
        } else {
            Err(anyhow::anyhow!("{}", verdict.faults.join("; ")))
        };
        let mut check = Check::judged(&name, Duration::from_secs_f64(verdict.seconds), &result);
        if let (true, Some(why)) = (verdict.passed, verdict.skipped) {
            check.note = format!("alert skipped: {why}");
        }
        report.add(check);
    }
    let right = verdicts.iter().filter(|verdict| verdict.passed).count();
    report
        .closing
        .push(format!("{right} of {} attacks", rows.len()));
    let upstream: Vec<_> = verdicts
        .iter()
        .filter(|verdict| verdict.owner == "upstream")
        .collect();
    let skipped = upstream
        .iter()
        .filter(|verdict| verdict.skipped.is_some())
        .count();
    if skipped > 0 {
        report.closing.push(format!(
            "skipped: no upstream rules in ../shared/upstream-rules, so {skipped} attacks were asked for their \
             effect only"
        ));
        return;
    }
    let mut rules: Vec<_> = upstream.iter().map(|verdict| verdict.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    if rules.is_empty() {
        return;
    }
    let fired = rules
        .iter()
        .filter(|rule| {
            upstream
                .iter()
                .filter(|verdict| verdict.rule == **rule)
                .all(|verdict| verdict.passed)
        })
        .count();
    report
        .closing
        .push(format!("{fired} of {} upstream rules", rules.len()));
}
