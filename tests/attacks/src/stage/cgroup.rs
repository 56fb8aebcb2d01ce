//! Where attacks on the host are performed: apart from everything else that runs there.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use vigia_tests::docker::unique;
use vigia_tests::wait;

/// A cgroup of the test's own in every hierarchy that a sensor may look at; removed when dropped.
#[derive(Debug)]
pub(super) struct Cgroup {
    /// Its name below the roots of the hierarchies.
    pub(super) name: String,
    /// It, in each of them.
    pub(super) folders: Vec<PathBuf>,
}

impl Cgroup {
    pub(super) fn make() -> Result<Self> {
        let name = unique("attacks");
        let base = Path::new("/sys/fs/cgroup");
        let hierarchies: Vec<_> = if base.join("cgroup.controllers").exists() {
            vec![base.to_owned()]
        } else {
            ["memory", "pids", "unified", "systemd"]
                .map(|controller| base.join(controller))
                .into_iter()
                .filter(|folder| folder.join("cgroup.procs").exists())
                .collect()
        };
        let folders: Vec<_> = hierarchies
            .iter()
            .map(|folder| folder.join(&name))
            .collect();
        for folder in &folders {
            // The refuge of a process that leaves its container.
            fs::create_dir_all(folder.join("refuge"))
                .with_context(|| format!("making {}", folder.display()))?;
        }
        Ok(Self { name, folders })
    }

    /// Where a process of a container moves to.
    pub(super) fn refuge(&self) -> Result<PathBuf> {
        Ok(self.folders.first().context("a hierarchy")?.join("refuge"))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for folder in &self.folders {
            for folder in [&folder.join("refuge"), folder] {
                // Busy until the last process that was in it is gone.
                let _ = wait::poll(wait::seconds(2), || fs::remove_dir(folder).ok());
            }
        }
    }
}
