//! A dockerd of our own, apart from any other on the machine, stopped by its process id.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{DEFAULT_SOCKET, Docker};
use crate::{mounts, wait};

/// How much of the machine's network a daemon of ours may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Everything an engine does by default: for a machine on which no other engine runs.
    Whole,
    /// Nothing: it runs in a network namespace of its own, so that it can run beside another engine (in the
    /// same one, `--bridge=none` would remove the other's bridge). Its containers outlive it.
    None,
}

/// A dockerd with folders, socket and containerd namespace of its own.
#[derive(Debug)]
pub struct Daemon {
    child: Option<Child>,
    network: Network,
    arguments: Vec<String>,
    folder: TempDir,
}

impl Daemon {
    /// Starts one and waits until it answers.
    ///
    /// # Errors
    /// There is no `dockerd`, or it does not answer within a minute; the end of its log is in the message.
    pub fn start(network: Network) -> Result<Self> {
        Self::start_with(network, Vec::new())
    }

    /// [`Self::start`] with more arguments.
    ///
    /// # Errors
    /// As there.
    pub fn start_with(network: Network, arguments: Vec<String>) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("vigia-dockerd-")
            .tempdir()?;
        let mut daemon = Self {
            child: None,
            network,
            arguments,
            folder,
        };
        daemon.resume()?;
        Ok(daemon)
    }

    /// Its socket: the usual one where no other engine has it, for whatever expects an engine there.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        match self.network {
            Network::Whole => DEFAULT_SOCKET.into(),
            Network::None => self.folder.path().join("docker.sock"),
        }
    }

    /// Starts it again after [`Self::kill`], with the same folders.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn resume(&mut self) -> Result<Docker> {
        let path = |name: &str| self.folder.path().join(name);
        // A killed daemon leaves its process id behind, and a new one would take it for alive.
        drop(std::fs::remove_file(path("docker.pid")));
        let log = File::options()
            .create(true)
            .append(true)
            .open(path("dockerd.log"))?;
        let mut command = match self.network {
            Network::Whole => Command::new("dockerd"),
            Network::None => {
                let mut command = Command::new("unshare");
                command.args([
                    "--net",
                    "dockerd",
                    "--bridge=none",
                    "--iptables=false",
                    "--ip6tables=false",
                ]);
                command.arg("--live-restore");
                command
            }
        };
        command
            .arg(format!("--host=unix://{}", self.socket().display()))
            .arg(format!("--data-root={}", path("data").display()))
            .arg(format!("--exec-root={}", path("exec").display()))
            .arg(format!("--pidfile={}", path("docker.pid").display()))
            .arg(format!(
                "--containerd-namespace=vigia-{}",
                std::process::id()
            ))
            .arg(format!(
                "--containerd-plugins-namespace=vigia-plugins-{}",
                std::process::id()
            ));
        let child = command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn();
        self.child = Some(child.context("starting dockerd (Debian package docker.io)")?);
        let answer = wait::poll(wait::seconds(60), || match self.ended() {
            true => Some(Err(())),
            false => Docker::connect(self.socket()).ok().map(Ok),
        });
        match answer {
            Some(Ok(docker)) => Ok(docker),
            Some(Err(())) => bail!("dockerd ended while starting: {}", self.log_tail()),
            None => bail!("dockerd does not answer: {}", self.log_tail()),
        }
    }

    /// Kills it without a chance to clean up, as a crash would.
    ///
    /// # Errors
    /// It cannot be signalled.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            let containerd = self.containerd();
            child.kill()?;
            child.wait()?;
            // The kernel ends it with its parent; a successor that found it dying would wait for it in vain.
            if let Some(containerd) = containerd {
                wait::until("containerd to end", wait::seconds(10), || {
                    (!containerd.exists()).then_some(())
                })?;
            }
        }
        Ok(())
    }

    /// The process of the containerd that it started, as a path below /proc.
    fn containerd(&self) -> Option<PathBuf> {
        let pid =
            std::fs::read_to_string(self.folder.path().join("exec/containerd/containerd.pid"))
                .ok()?;
        Some(Path::new("/proc").join(pid.trim()))
    }

    /// Whether the process has ended by itself.
    fn ended(&mut self) -> bool {
        self.child
            .as_mut()
            .is_none_or(|child| child.try_wait().is_ok_and(|status| status.is_some()))
    }

    fn log_tail(&self) -> String {
        let log =
            std::fs::read_to_string(self.folder.path().join("dockerd.log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines
            .get(lines.len().saturating_sub(8)..)
            .unwrap_or_default()
            .join("\n")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            // Gone already is as good.
            let _ = kill_process(pid, Signal::TERM);
        }
        let ended = wait::poll(wait::seconds(30), || child.try_wait().ok().flatten());
        if ended.is_none() {
            drop(child.kill());
            drop(child.wait());
        }
        // Its data on itself, network namespaces.
        mounts::remove_below(self.folder.path());
    }
}
