//! `cargo xtask test`: the suites, and what each of them needs.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};
use vigia_tests::scene;

use crate::engine::Engine;
use crate::packages::{self, Package};
use crate::report::{Check, Report};
use crate::workspace::{self, Workspace};
use crate::{attacks, image, kubernetes, programs};

/// How long some suites go on.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Times {
    /// Seconds for which the suite `churn` makes and removes containers.
    #[arg(long, value_name = "SECONDS", default_value_t = scene::DEFAULT_CHURN_S)]
    churn_s: u64,
    /// Seconds for which the suite `stack` puts its services under load.
    #[arg(long, value_name = "SECONDS", default_value_t = scene::DEFAULT_LOAD_S)]
    load_s: u64,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            churn_s: scene::DEFAULT_CHURN_S,
            load_s: scene::DEFAULT_LOAD_S,
        }
    }
}

/// One suite.
#[derive(Debug)]
struct Suite {
    name: &'static str,
    kind: Kind,
    /// Packages it needs beyond those of its kind.
    packages: &'static [Package],
}

/// What a suite runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Anywhere: `cargo test` with these arguments.
    Plain(&'static [&'static str]),
    /// Anywhere: the agent with these arguments.
    Agent(&'static [&'static str]),
    /// A real kernel and real containers: the test file of the suite's name in tests/.
    EndToEnd,
    /// As [`Kind::EndToEnd`], with the agent's container image.
    Deployment,
    /// As [`Kind::EndToEnd`], on a stage of its own: `cargo xtask attacks`.
    Attacks,
    /// The manifests in deploy/kubernetes against the schemas of Kubernetes.
    Kubernetes,
}

/// A suite of [`Kind::EndToEnd`] without packages of its own.
const fn end_to_end(name: &'static str) -> Suite {
    Suite {
        name,
        kind: Kind::EndToEnd,
        packages: &[],
    }
}

const SUITES: &[Suite] = &[
    Suite {
        name: "unit",
        kind: Kind::Plain(&["--workspace", "--exclude=vigia-tests"]),
        packages: &[],
    },
    Suite {
        name: "rules",
        kind: Kind::Agent(&["test", "rules", "--coverage=require"]),
        packages: &[],
    },
    Suite {
        name: "cases",
        kind: Kind::Plain(&[
            "--package=vigia-engine",
            "--lib",
            "tests::cases",
            "--",
            "--nocapture",
        ]),
        packages: &[],
    },
    Suite {
        name: "kubernetes",
        kind: Kind::Kubernetes,
        packages: &[packages::PYTHON],
    },
    end_to_end("stage"),
    end_to_end("cli"),
    end_to_end("readonly"),
    end_to_end("secrets"),
    end_to_end("secret_sources"),
    end_to_end("processes"),
    end_to_end("promises"),
    end_to_end("docker"),
    Suite {
        name: "containerd",
        kind: Kind::EndToEnd,
        packages: &[packages::CONTAINERD],
    },
    Suite {
        name: "podman",
        kind: Kind::EndToEnd,
        packages: &[packages::PODMAN, packages::RUNC, packages::UIDMAP],
    },
    end_to_end("user_namespaces"),
    end_to_end("storm"),
    end_to_end("escape"),
    end_to_end("shortlived"),
    end_to_end("flood"),
    end_to_end("churn"),
    end_to_end("delivery"),
    Suite {
        name: "metrics",
        kind: Kind::EndToEnd,
        packages: &[packages::PROMETHEUS],
    },
    end_to_end("counters"),
    end_to_end("canary"),
    end_to_end("replay"),
    end_to_end("engine_restart"),
    Suite {
        name: "attacks",
        kind: Kind::Attacks,
        packages: &[],
    },
    Suite {
        name: "quiet",
        kind: Kind::EndToEnd,
        packages: &[packages::MMDEBSTRAP],
    },
    Suite {
        name: "stack",
        kind: Kind::EndToEnd,
        packages: &[packages::MMDEBSTRAP],
    },
    Suite {
        name: "swarm",
        kind: Kind::Deployment,
        packages: &[],
    },
];

/// What together shows that containers are known: on every engine, by what they promised, with their secrets.
const IDENTITY: &[&str] = &[
    "promises",
    "secret_sources",
    "docker",
    "containerd",
    "podman",
    "user_namespaces",
    "storm",
    "stack",
];

/// What may be named on the command line.
pub(crate) fn names() -> Vec<&'static str> {
    GROUPS
        .into_iter()
        .chain(SUITES.iter().map(|suite| suite.name))
        .collect()
}

/// Names that stand for several suites.
const GROUPS: [&str; 3] = ["all", "e2e", "identity"];

impl Suite {
    fn is_in(&self, group: &str) -> bool {
        match group {
            "all" => true,
            "e2e" => self.kind.is_end_to_end(),
            "identity" => IDENTITY.contains(&self.name),
            name => self.name == name,
        }
    }
}

/// Runs the named suites and groups.
pub(crate) fn run(workspace: &Workspace, wanted: &[String], times: Times) -> Result<Report> {
    let chosen: Vec<_> = SUITES
        .iter()
        .filter(|suite| wanted.iter().any(|name| suite.is_in(name)))
        .collect();
    let mut report = Report::new("test");
    let mut stage = None;
    if chosen.iter().any(|suite| suite.kind.needs_engine()) {
        let deployment = chosen.iter().any(|suite| suite.kind == Kind::Deployment);
        stage = report.act("stage of the end-to-end tests", || {
            Stage::set(workspace, deployment, times)
        });
    }
    for suite in chosen {
        eprintln!("==> {}", suite.name);
        report.add(suite.run(workspace, stage.as_ref()));
    }
    Ok(report)
}

impl Kind {
    fn is_end_to_end(self) -> bool {
        self.needs_engine() || self == Self::Attacks
    }

    /// Whether it stands on the [`Stage`] that all such suites share.
    fn needs_engine(self) -> bool {
        matches!(self, Self::EndToEnd | Self::Deployment)
    }
}

/// What end-to-end tests stand on: the agent that is tested is the one that is shipped.
#[derive(Debug)]
struct Stage {
    environment: Vec<(&'static str, String)>,
    _engine: Engine,
}

impl Stage {
    fn set(workspace: &Workspace, deployment: bool, times: Times) -> Result<Self> {
        anyhow::ensure!(
            scene::is_root(),
            "end-to-end tests load eBPF programs and drive containers: run them as root"
        );
        packages::ensure(&[packages::BUSYBOX, packages::TERMINAL])?;
        let engine = Engine::ensure()?;
        let mut environment = vec![
            (
                scene::BINARY,
                programs::static_agent(workspace)?.display().to_string(),
            ),
            (
                scene::ACTOR,
                programs::actor(workspace)?.display().to_string(),
            ),
            (
                scene::LOSING,
                programs::losing_agent(workspace)?.display().to_string(),
            ),
            ("DOCKER_HOST", engine.docker.host()),
            (scene::CHURN_S, times.churn_s.to_string()),
            (scene::LOAD_S, times.load_s.to_string()),
        ];
        if deployment {
            image::build(workspace, &engine.docker, image::DEFAULT_TAG)?;
            environment.push((scene::IMAGE, image::DEFAULT_TAG.to_owned()));
        }
        Ok(Self {
            environment,
            _engine: engine,
        })
    }
}

impl Suite {
    fn run(&self, workspace: &Workspace, stage: Option<&Stage>) -> Check {
        let start = Instant::now();
        let result = packages::ensure(self.packages).and_then(|()| match self.kind {
            Kind::Plain(args) => count(
                workspace
                    .cargo()
                    .args(["test", "--locked", "--no-fail-fast"])
                    .args(args),
            ),
            Kind::Agent(args) => count(
                workspace
                    .cargo()
                    .args(["run", "--locked", "--quiet", "--package=vigia", "--"])
                    .args(args),
            ),
            Kind::Kubernetes => kubernetes::check(workspace),
            Kind::Attacks => attacks::run(workspace, &[]).map(|report| {
                for line in report.table() {
                    eprintln!("{line}");
                }
                report.counts()
            }),
            Kind::EndToEnd | Kind::Deployment => {
                let stage = stage.context("the stage could not be set")?;
                let mut command = workspace.cargo();
                command.args([
                    "test",
                    "--locked",
                    "--package=vigia-tests",
                    "--test",
                    self.name,
                ]);
                command
                    .args(["--", "--test-threads=1"])
                    .envs(stage.environment.clone());
                count(&mut command)
            }
        });
        let seconds = start.elapsed().as_secs_f64();
        match result {
            Ok((passed, failed)) => Check {
                name: self.name.to_owned(),
                passed,
                failed,
                seconds,
                note: String::new(),
            },
            Err(error) => {
                eprintln!("error: {error:#}");
                Check::judged(self.name, start.elapsed(), &Err(error))
            }
        }
    }
}

/// Runs tests and counts what they say: (passed, failed).
fn count(command: &mut Command) -> Result<(u32, u32)> {
    eprintln!("    {}", workspace::line(command));
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("starting cargo")?;
    let (mut passed, mut failed) = (0, 0);
    for line in BufReader::new(child.stdout.take().context("standard output of cargo")?).lines() {
        let line = line?;
        eprintln!("{line}");
        if let Some((ok, bad)) = counts(&line) {
            passed += ok;
            failed += bad;
        }
    }
    let status = child.wait()?;
    // A test program that does not build or dies counts no test.
    if !status.success() && failed == 0 {
        failed = 1;
    }
    Ok((passed, failed))
}

/// Reads `test result: ok. 3 passed; 0 failed; ...`, and the `3 cases in 1 file: 3 passed, 0 failed` of `vigia test`.
fn counts(line: &str) -> Option<(u32, u32)> {
    let result = line
        .strip_prefix("test result: ")
        .or_else(|| line.split_once(" cases in ").map(|(_, result)| result))?;
    let mut words = result.split(' ');
    let mut number_before = |word: &str| -> Option<u32> {
        let mut last = None;
        for next in words.by_ref() {
            if next.trim_end_matches([';', ',']) == word {
                return last;
            }
            last = next.parse().ok();
        }
        None
    };
    Some((number_before("passed")?, number_before("failed")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_test_programs_are_counted() {
        for (line, expected) in [
            (
                "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out",
                Some((3, 0)),
            ),
            (
                "test result: FAILED. 12 passed; 4 failed; 0 ignored; 0 measured",
                Some((12, 4)),
            ),
            ("140 cases in 5 files: 139 passed, 1 failed", Some((139, 1))),
            ("test result: nonsense", None),
            ("test a ... ok", None),
        ] {
            assert_eq!(counts(line), expected, "{line}");
        }
    }

    #[test]
    fn groups_name_suites() {
        for name in IDENTITY {
            assert!(SUITES.iter().any(|suite| suite.name == *name), "{name}");
        }
        for name in names() {
            assert!(SUITES.iter().any(|suite| suite.is_in(name)), "{name}");
        }
    }

    #[test]
    fn every_test_file_is_a_suite() {
        let folder = scene::repository().join("tests/tests");
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(
                SUITES
                    .iter()
                    .any(|suite| suite.kind.needs_engine() && suite.name == name),
                "{name}"
            );
        }
    }
}
