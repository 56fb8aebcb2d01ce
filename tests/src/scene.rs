//! What every end-to-end test stands on: an engine, the image, an agent; one scene at a time on a machine.
//!
//! `cargo xtask test` builds the programs and names them in the environment; that is the deliberate act
//! without which a test is skipped. Once it is there, nothing is skipped: what is missing is a failure.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::agent::{Agent, Alert, Settings};
use crate::docker::{Container, Docker};
use crate::image::Image;
use crate::rules::READ_ONLY_WRITE;
use crate::wait;

/// Names the agent's program. Not `VIGIA_...`: the agent takes those for its configuration.
pub const BINARY: &str = "E2E_AGENT";
/// Names a build of the agent that loses records uncounted.
pub const LOSING: &str = "E2E_LOSING_AGENT";
/// Names the static program that acts inside containers (`src/bin/actor.rs`).
pub const ACTOR: &str = "E2E_ACTOR";
/// Names the container image of the agent, for the tests of its deployment.
pub const IMAGE: &str = "E2E_IMAGE";
/// Says for how many seconds the test of churn makes containers; the whole of it takes minutes.
pub const CHURN_S: &str = "E2E_CHURN_S";
/// What it is where nobody says.
pub const DEFAULT_CHURN_S: u64 = 20;
/// Says for how many seconds the test of the stack puts it under load; minutes show more.
pub const LOAD_S: &str = "E2E_LOAD_S";
/// What it is where nobody says.
pub const DEFAULT_LOAD_S: u64 = 20;

/// An engine, an image in it, and an agent that watches.
///
/// Fields are dropped from top to bottom: the agent ends before what it watched is removed.
#[derive(Debug)]
pub struct Scene {
    /// The agent.
    pub agent: Agent,
    /// The image of the tests.
    pub image: Image,
    /// The engine.
    pub docker: Docker,
    /// The agent's program.
    pub program: PathBuf,
    _turn: Turn,
}

/// The right to be the only scene of the machine: agents would see each other's containers.
#[derive(Debug)]
pub struct Turn {
    _lock: File,
}

/// The programs under test.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The agent.
    pub agent: PathBuf,
    /// What acts inside containers.
    pub actor: PathBuf,
}

impl Programs {
    /// The programs the environment names; `None`, and a line that says why, when it names none.
    ///
    /// # Errors
    /// The environment names what does not exist, or the test does not run as root.
    #[allow(clippy::print_stdout, reason = "a skipped test says why")]
    pub fn find() -> Result<Option<Self>> {
        let Some(agent) = std::env::var_os(BINARY) else {
            println!("skipped: end-to-end tests are started by `cargo xtask test`");
            return Ok(None);
        };
        ensure!(
            rustix::process::geteuid().is_root(),
            "end-to-end tests load eBPF programs: they need root"
        );
        let actor = std::env::var_os(ACTOR).with_context(|| format!("{ACTOR} is not set"))?;
        let programs = Self {
            agent: agent.into(),
            actor: actor.into(),
        };
        for program in [&programs.agent, &programs.actor] {
            ensure!(program.is_file(), "{} does not exist", program.display());
        }
        Ok(Some(programs))
    }

    /// The same with an agent that loses every hundredth record uncounted.
    ///
    /// # Errors
    /// The environment does not name it.
    pub fn losing(self) -> Result<Self> {
        let agent = std::env::var_os(LOSING).with_context(|| format!("{LOSING} is not set"))?;
        Ok(Self {
            agent: agent.into(),
            ..self
        })
    }
}

impl Turn {
    /// Waits for the end of every other scene of this machine.
    ///
    /// # Errors
    /// The lock file cannot be made.
    pub fn take() -> Result<Self> {
        let lock = File::create(std::env::temp_dir().join("vigia-tests.lock"))?;
        lock.lock()?;
        Ok(Self { _lock: lock })
    }
}

impl Scene {
    /// Sets the scene with the default rules; `None` when the test is to be skipped.
    ///
    /// # Errors
    /// Something it needs is missing.
    pub fn set() -> Result<Option<Self>> {
        Self::set_with(&[])
    }

    /// [`Self::set`] with changes to the agent's configuration: JSON pointers and values.
    ///
    /// # Errors
    /// As there.
    pub fn set_with(overrides: &[(&'static str, Value)]) -> Result<Option<Self>> {
        let Some(programs) = Programs::find()? else {
            return Ok(None);
        };
        let turn = Turn::take()?;
        let docker = Docker::find()?;
        docker.sweep()?;
        Self::on(docker, turn, &programs, overrides, &[]).map(Some)
    }

    /// A scene on a given engine.
    ///
    /// # Errors
    /// The image cannot be made or the agent does not start.
    pub fn on(
        docker: Docker,
        turn: Turn,
        programs: &Programs,
        overrides: &[(&'static str, Value)],
        arguments: &[&str],
    ) -> Result<Self> {
        let image = Image::make(&docker, Some(&programs.actor))?;
        let settings = Settings {
            program: programs.agent.clone(),
            socket: docker.socket().to_owned(),
            rules: vec![default_rules()],
            overrides: overrides.to_vec(),
            arguments: arguments
                .iter()
                .map(|&argument| argument.to_owned())
                .collect(),
        };
        let agent = Agent::start(&settings)?;
        Ok(Self {
            agent,
            image,
            docker,
            program: programs.agent.clone(),
            _turn: turn,
        })
    }

    /// Runs a container to its end.
    ///
    /// # Errors
    /// The engine cannot.
    pub fn run(&self, options: &[&str], command: &[&str]) -> Result<Container> {
        Ok(self.docker.run(options, &self.image.name, command)?.0)
    }

    /// Starts a container in the background.
    ///
    /// # Errors
    /// The engine cannot.
    pub fn start(&self, options: &[&str], command: &[&str]) -> Result<Container> {
        self.docker.start(options, &self.image.name, command)
    }

    /// Waits until everything done so far has been judged: a misdeed of a container of its own is
    /// reported only after all that happened before it, and no event waits for metadata any more.
    ///
    /// # Errors
    /// The marker is not reported in time.
    pub fn settle(&self) -> Result<()> {
        let marker = self.run(&["--read-only", "--network=none"], &["touch", "/marker"])?;
        self.agent.expect("the marker misdeed", |alert| {
            alert.rule() == READ_ONLY_WRITE && alert.is_about(&marker.id)
        })?;
        wait::until(
            "the queue of waiting events to be empty",
            Duration::from_secs(15),
            || {
                let metrics = self.agent.metrics().ok()?;
                (metrics.sum("vigia_events_waiting", &[]) == 0.0).then_some(())
            },
        )
    }

    /// Alerts about a container so far, but for those below `Warning`.
    #[must_use]
    pub fn serious(&self, id: &str) -> Vec<Alert> {
        self.agent
            .alerts()
            .into_iter()
            .filter(|alert| alert.is_about(id) && !alert.is_low())
            .collect()
    }

    /// Fails when anything at all was reported about a container; settles first.
    ///
    /// # Errors
    /// There is an alert.
    pub fn expect_silence(&self, what: &str, id: &str) -> Result<()> {
        self.settle()?;
        self.agent.refuse(what, |alert| alert.is_about(id))
    }
}

/// The repository's default rules.
#[must_use]
pub fn default_rules() -> PathBuf {
    repository().join("rules")
}

/// The repository's root.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default()
}

/// How long the environment wants something to take, in seconds by the variable's name; `default_s` where it says nothing.
///
/// # Errors
/// It says something that is no number.
pub fn time(variable: &str, default_s: u64) -> Result<Duration> {
    let seconds = match std::env::var(variable) {
        Ok(text) => text.parse().with_context(|| format!("{variable}={text}"))?,
        Err(_) => default_s,
    };
    Ok(Duration::from_secs(seconds))
}

/// Whether we are root.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
