//! A stack of Swarm services, as `docker stack deploy` makes it.

use std::path::Path;

use anyhow::{Context, Result};

use super::{Docker, unique};
use crate::{command, wait};

/// A deployed stack; removed when dropped, with its volumes.
#[derive(Debug)]
pub struct Stack {
    docker: Docker,
    /// Its name, which those of its services, networks, secrets and volumes begin with.
    pub name: String,
}

impl Stack {
    /// `docker stack deploy -c FILE` with `environment` to fill in the file's variables; waits for nothing.
    ///
    /// # Errors
    /// The engine is no Swarm manager, or does not take the file.
    pub fn deploy(docker: &Docker, file: &Path, environment: &[(&str, String)]) -> Result<Self> {
        let stack = Self {
            docker: docker.clone(),
            name: unique("stack"),
        };
        let path = file.to_str().context("a path that is text")?;
        let words = ["stack", "deploy", "--resolve-image=never", "-c", path];
        let mut deploy = docker.command(&[&words[..], &[&stack.name]].concat());
        command::output(deploy.envs(environment.iter().map(|(name, value)| (name, value))))?;
        Ok(stack)
    }

    /// What Swarm calls a service of the file.
    #[must_use]
    pub fn service(&self, name: &str) -> String {
        format!("{}_{name}", self.name)
    }

    /// Ids of all its containers; those that ended included.
    ///
    /// # Errors
    /// The engine does not answer.
    pub fn containers(&self) -> Result<Vec<String>> {
        let filter = format!("com.docker.stack.namespace={}", self.name);
        self.labelled(&["-a"], &filter)
    }

    /// Ids of the running containers of a service.
    ///
    /// # Errors
    /// The engine does not answer.
    pub fn running(&self, service: &str) -> Result<Vec<String>> {
        let filter = format!("com.docker.swarm.service.name={}", self.service(service));
        self.labelled(&[], &filter)
    }

    fn labelled(&self, options: &[&str], label: &str) -> Result<Vec<String>> {
        let filter = format!("label={label}");
        let list = ["ps", "-q", "--no-trunc", "--filter", &filter];
        let ids = self.docker.output(&[&list, options].concat())?;
        Ok(ids.lines().map(str::to_owned).collect())
    }

    /// What became of a service: its tasks, and the end of what they wrote.
    #[must_use]
    pub fn describe(&self, service: &str) -> String {
        let service = self.service(service);
        let tasks = self
            .docker
            .output(&["service", "ps", "--no-trunc", &service])
            .unwrap_or_default();
        let logs = self
            .docker
            .attempt(&["service", "logs", "--raw", "--tail=40", &service])
            .map(|logs| [logs.stdout, logs.stderr].concat())
            .unwrap_or_default();
        format!("{tasks}\n{}", String::from_utf8_lossy(&logs))
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        drop(self.docker.attempt(&["stack", "rm", &self.name]));
        wait::poll(wait::seconds(40), || {
            self.containers().ok().filter(Vec::is_empty)
        });
        let filter = format!("label=com.docker.stack.namespace={}", self.name);
        let volumes = self
            .docker
            .output(&["volume", "ls", "-q", "--filter", &filter]);
        for volume in volumes.unwrap_or_default().lines() {
            drop(self.docker.attempt(&["volume", "rm", volume]));
        }
    }
}
