//! A container engine and what the tests make in it, through the `docker` command.
//!
//! Everything made carries [`LABEL`] and a name of its own, and is removed when its value is dropped.

mod container;
mod daemon;
mod stack;
mod swarm;
mod volume;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};

use crate::{command, wait};

pub use container::{
    Container, Running, editing_runtime, forgiving_runtime, missing_capabilities, privileged,
};
pub use daemon::{Daemon, Network};
pub use stack::Stack;
pub use swarm::{Configuration, Secret, Service, Swarm};
pub use volume::Volume;

/// On everything the tests make, so that what a killed run left can be found.
pub const LABEL: &str = "org.vigia.tests";

/// Where an engine listens by default.
pub const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// An engine that answers.
#[derive(Clone, Debug)]
pub struct Docker {
    socket: PathBuf,
}

impl Docker {
    /// The engine behind a socket.
    ///
    /// # Errors
    /// It does not answer within 10 s.
    pub fn connect(socket: impl Into<PathBuf>) -> Result<Self> {
        let docker = Self {
            socket: socket.into(),
        };
        command::output(command::limited(wait::seconds(10), "docker").args([
            "-H",
            &docker.host(),
            "version",
            "--format",
            "{{.Server.Version}}",
        ]))
        .with_context(|| format!("asking the engine at {}", docker.socket.display()))?;
        Ok(docker)
    }

    /// The engine the environment names (`DOCKER_HOST=unix://...`), or the one at the usual place.
    ///
    /// # Errors
    /// None answers.
    pub fn find() -> Result<Self> {
        Self::connect(match std::env::var("DOCKER_HOST") {
            Ok(host) => PathBuf::from(
                host.strip_prefix("unix://")
                    .context("DOCKER_HOST must be unix://PATH")?,
            ),
            Err(_) => PathBuf::from(DEFAULT_SOCKET),
        })
    }

    /// The socket's path.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The socket as `DOCKER_HOST` wants it.
    #[must_use]
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// A `docker` command against this engine, ended after two minutes.
    #[must_use]
    pub fn command<S: AsRef<str>>(&self, args: &[S]) -> Command {
        let mut command = command::limited(wait::seconds(120), "docker");
        command
            .args(["-H", &self.host()])
            .args(args.iter().map(AsRef::as_ref));
        // The containers are named by the tests, never by the user's configuration.
        command
            .env_remove("DOCKER_CONTEXT")
            .env_remove("DOCKER_HOST");
        command
    }

    /// Runs `docker ARGS` and gives back what it prints.
    ///
    /// # Errors
    /// It fails.
    pub fn output<S: AsRef<str>>(&self, args: &[S]) -> Result<String> {
        command::output(&mut self.command(args))
    }

    /// Runs `docker ARGS`, whatever the end.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn attempt<S: AsRef<str>>(&self, args: &[S]) -> Result<Output> {
        command::run(&mut self.command(args))
    }

    /// Removes what an earlier run was not able to remove.
    ///
    /// # Errors
    /// The engine does not answer.
    pub fn sweep(&self) -> Result<()> {
        let filter = format!("label={LABEL}");
        if Swarm::is_active(self)? {
            for kind in ["service", "secret", "config"] {
                self.remove_all(kind, &["ls", "-q", "--filter", &filter], "rm")?;
            }
        }
        self.remove_all("container", &["ls", "-aq", "--filter", &filter], "rm")?;
        self.remove_all("volume", &["ls", "-q", "--filter", &filter], "rm")?;
        self.remove_all("image", &["ls", "-q", "--filter", &filter], "rm")
    }

    fn remove_all(&self, kind: &str, list: &[&str], verb: &str) -> Result<()> {
        let ids = self.output(&[&[kind], list].concat())?;
        for id in ids.lines() {
            let force: &[&str] = if matches!(kind, "container" | "image") {
                &["-f"]
            } else {
                &[]
            };
            // Another run may be removing it at this moment.
            self.attempt(&[&[kind, verb], force, &[id]].concat())?;
        }
        Ok(())
    }
}

/// A name nothing else on this machine has.
#[must_use]
pub fn unique(stem: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!(
        "vigia-{stem}-{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// The error of a failed `docker` command that was allowed to fail.
///
/// # Errors
/// The command failed.
pub fn succeeded(output: &Output) -> Result<()> {
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
