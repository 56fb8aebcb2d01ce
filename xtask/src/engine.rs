//! The container engine of the demo and the tests: the one that runs, or one of our own.

use std::path::Path;

use anyhow::{Context, Result};
use vigia_tests::docker::{Daemon, Docker, Network};
use vigia_tests::wait;

use crate::{packages, workspace};

/// An engine for as long as the value lives.
#[derive(Debug)]
pub(crate) struct Engine {
    /// The engine.
    pub(crate) docker: Docker,
    _own: Option<Daemon>,
}

impl Engine {
    /// Uses the engine that runs; otherwise installs Docker if need be and starts one, which ends with the value.
    pub(crate) fn ensure() -> Result<Self> {
        let installed = packages::on_path("dockerd");
        if let Ok(docker) = Docker::find() {
            return Ok(Self { docker, _own: None });
        }
        mount_cgroups()?;
        packages::ensure(&[packages::DOCKER])?;
        // Where systemd runs, the package starts its service.
        let patience = if !installed && Path::new("/run/systemd/system").exists() {
            20
        } else {
            0
        };
        if let Some(docker) = wait::poll(wait::seconds(patience), || Docker::find().ok()) {
            return Ok(Self { docker, _own: None });
        }
        eprintln!("    no Docker engine runs: starting one, to be stopped at the end");
        let daemon = Daemon::start(Network::Whole)?;
        let docker = Docker::connect(daemon.socket()).context("the engine we started")?;
        Ok(Self {
            docker,
            _own: Some(daemon),
        })
    }
}

/// A machine without an init system may have no cgroups mounted, and no engine works without them.
fn mount_cgroups() -> Result<()> {
    let mounted =
        std::fs::read_dir("/sys/fs/cgroup").is_ok_and(|mut entries| entries.next().is_some());
    if mounted {
        return Ok(());
    }
    packages::ensure(&[packages::CGROUP_MOUNT])?;
    eprintln!("    mounting the cgroup hierarchies");
    workspace::run(&mut std::process::Command::new("cgroupfs-mount"))
}
