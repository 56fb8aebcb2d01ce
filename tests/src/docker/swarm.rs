//! Swarm: the node itself, services, secrets and configs.

use std::io::Write;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use super::{Docker, LABEL, unique};
use crate::wait;

/// The engine as a Swarm manager; the Swarm is left again when dropped, if it was made here.
#[derive(Debug)]
pub struct Swarm {
    docker: Docker,
    made: bool,
}

impl Swarm {
    /// Uses the engine's Swarm, or makes one that listens on loopback only.
    ///
    /// # Errors
    /// The engine belongs to a Swarm it does not manage, or cannot make one.
    pub fn join_or_make(docker: &Docker) -> Result<Self> {
        let made = !Self::is_active(docker)?;
        if made {
            docker.output(&[
                "swarm",
                "init",
                "--advertise-addr=127.0.0.1",
                "--listen-addr=127.0.0.1",
                "--task-history-limit=1",
            ])?;
        }
        Ok(Self {
            docker: docker.clone(),
            made,
        })
    }

    pub(super) fn is_active(docker: &Docker) -> Result<bool> {
        Ok(docker.output(&["info", "--format", "{{.Swarm.LocalNodeState}}"])? == "active")
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        if self.made {
            drop(self.docker.attempt(&["swarm", "leave", "--force"]));
        }
    }
}

/// A Swarm service; removed when dropped, with its containers.
#[derive(Debug)]
pub struct Service {
    docker: Docker,
    /// Its name.
    pub name: String,
}

impl Service {
    /// `docker service create OPTIONS IMAGE COMMAND`; waits until one task runs.
    ///
    /// # Errors
    /// It cannot be made, or no task runs within a minute.
    pub fn create(
        docker: &Docker,
        options: &[&str],
        image: &str,
        command: &[&str],
    ) -> Result<Self> {
        let name = unique("service");
        let label = format!("{LABEL}=1");
        let fixed = [
            "service",
            "create",
            "--detach",
            "--no-resolve-image",
            "--name",
            &name,
            "--label",
            &label,
            "--container-label",
            &label,
            "--restart-condition=none",
            "--stop-grace-period=0s",
        ];
        docker.output(&[&fixed, options, &[image], command].concat())?;
        let service = Self {
            docker: docker.clone(),
            name,
        };
        wait::until(
            &format!("a task of service {}", service.name),
            wait::seconds(60),
            || service.container().ok(),
        )?;
        Ok(service)
    }

    /// Id of the container of its running task.
    ///
    /// # Errors
    /// No task runs.
    pub fn container(&self) -> Result<String> {
        let filter = format!("label=com.docker.swarm.service.name={}", self.name);
        let ids = self
            .docker
            .output(&["ps", "-q", "--no-trunc", "--filter", &filter])?;
        Ok(ids
            .lines()
            .next()
            .with_context(|| format!("service {} has no running task", self.name))?
            .to_owned())
    }

    /// What its tasks wrote.
    ///
    /// # Errors
    /// The engine does not know it.
    pub fn logs(&self) -> Result<String> {
        self.docker
            .output(&["service", "logs", "--raw", &self.name])
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.docker.attempt(&["service", "rm", &self.name]));
        let filter = format!("label=com.docker.swarm.service.name={}", self.name);
        // Secrets can be removed only when no task holds them any more.
        wait::poll(wait::seconds(30), || {
            let ids = self
                .docker
                .output(&["ps", "-aq", "--filter", &filter])
                .ok()?;
            ids.is_empty().then_some(())
        });
    }
}

/// A Swarm secret; removed when dropped.
#[derive(Debug)]
pub struct Secret {
    docker: Docker,
    /// Its name.
    pub name: String,
}

/// A Swarm config; removed when dropped.
#[derive(Debug)]
pub struct Configuration {
    docker: Docker,
    /// Its name.
    pub name: String,
}

impl Secret {
    /// Makes one with this content.
    ///
    /// # Errors
    /// The engine is no Swarm manager.
    pub fn create(docker: &Docker, stem: &str, content: &str) -> Result<Self> {
        Ok(Self {
            docker: docker.clone(),
            name: store(docker, "secret", stem, content)?,
        })
    }
}

impl Configuration {
    /// Makes one with this content.
    ///
    /// # Errors
    /// The engine is no Swarm manager.
    pub fn create(docker: &Docker, stem: &str, content: &str) -> Result<Self> {
        Ok(Self {
            docker: docker.clone(),
            name: store(docker, "config", stem, content)?,
        })
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        drop(self.docker.attempt(&["secret", "rm", &self.name]));
    }
}

impl Drop for Configuration {
    fn drop(&mut self) {
        drop(self.docker.attempt(&["config", "rm", &self.name]));
    }
}

/// `docker secret|config create NAME -`.
fn store(docker: &Docker, kind: &str, stem: &str, content: &str) -> Result<String> {
    let name = unique(stem);
    let label = format!("{LABEL}=1");
    let mut child = docker
        .command(&[kind, "create", "--label", &label, &name, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    child
        .stdin
        .take()
        .context("standard input of docker")?
        .write_all(content.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "docker {kind} create: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(name)
}
