//! Containers of the tests.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use anyhow::{Context, Result, bail};

use super::{Docker, LABEL, unique};
use crate::{command, wait};

/// A container that ran, or runs; removed when dropped.
#[derive(Debug)]
pub struct Container {
    docker: Docker,
    /// Its name.
    pub name: String,
    /// Its id: 64 hex digits.
    pub id: String,
}

/// A container that runs in the background.
pub type Running = Container;

/// Options of a container that may do everything: `--privileged`, unless the machine itself lacks a capability, as
/// sandboxed ones do; then all others, and nothing that confines it.
///
/// # Errors
/// The machine lacks more than `CAP_SYS_RESOURCE`.
pub fn privileged() -> Result<Vec<&'static str>> {
    match missing_capabilities()? {
        0 => Ok(vec!["--privileged"]),
        SYS_RESOURCE => Ok(vec![
            "--cap-add=ALL",
            "--cap-drop=SYS_RESOURCE",
            "--security-opt=seccomp=unconfined",
            "--security-opt=apparmor=unconfined",
            "--security-opt=systempaths=unconfined",
        ]),
        missing => bail!(
            "this machine lacks capabilities {missing:#x}: no container can be privileged on it"
        ),
    }
}

/// `CAP_SYS_RESOURCE` as a set.
const SYS_RESOURCE: u64 = 1 << 24;

/// The capabilities that the kernel has and nothing on this machine can have.
///
/// # Errors
/// The kernel does not say.
pub fn missing_capabilities() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let bounding = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    let bounding = u64::from_str_radix(bounding.context("the bounding set")?.trim(), 16)?;
    let last: u32 = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap")?
        .trim()
        .parse()?;
    Ok(!bounding & ((2 << last) - 1))
}

/// A runtime for engines of machines that lack capabilities, under which `--privileged` means all others: without it
/// such a container cannot be started at all. Made in `folder`; the arguments that `dockerd` needs to use it.
///
/// # Errors
/// The script cannot be written.
pub fn forgiving_runtime(folder: &Path) -> Result<Vec<String>> {
    editing_runtime(folder, r#"s/"CAP_SYS_RESOURCE",//g"#)
}

/// A runtime that does something else than the engine asked it for: commands of sed(1) edit the configuration of a container (one
/// line of JSON) before `runc` reads it. Made in `folder`; the arguments that `dockerd` needs to use it.
///
/// # Errors
/// The script cannot be written.
pub fn editing_runtime(folder: &Path, edits: &str) -> Result<Vec<String>> {
    let path = folder.join("runtime");
    std::fs::write(&path, EDITING.replace("EDITS", edits))?;
    std::fs::set_permissions(&path, Permissions::from_mode(0o755))?;
    Ok(vec![
        format!("--add-runtime=editing={}", path.display()),
        "--default-runtime=editing".to_owned(),
    ])
}

const EDITING: &str = r#"#!/bin/sh
before=
for word in "$@"; do
  case $before in
    --bundle|-b) sed -i 'EDITS' "$word/config.json" ;;
    --process|-p) sed -i 'EDITS' "$word" ;;
  esac
  before=$word
done
exec runc "$@"
"#;

impl Docker {
    /// Runs a container to its end (`docker run OPTIONS IMAGE COMMAND`), whatever its exit code.
    ///
    /// # Errors
    /// The engine cannot run it.
    pub fn run(
        &self,
        options: &[&str],
        image: &str,
        command: &[&str],
    ) -> Result<(Container, Output)> {
        let container = self.create(options, image, command)?;
        let output = self.attempt(&["start", "--attach", &container.name])?;
        Ok((container, output))
    }

    /// Starts a container in the background.
    ///
    /// # Errors
    /// The engine cannot start it.
    pub fn start(&self, options: &[&str], image: &str, command: &[&str]) -> Result<Running> {
        let container = self.create(options, image, command)?;
        self.output(&["start", &container.name])?;
        Ok(container)
    }

    /// Makes a container that does not run yet (`docker create OPTIONS IMAGE COMMAND`).
    ///
    /// # Errors
    /// The engine cannot make it.
    pub fn create(&self, options: &[&str], image: &str, command: &[&str]) -> Result<Container> {
        let name = unique("box");
        let label = format!("{LABEL}=1");
        let fixed = [
            "create",
            "--name",
            &name,
            "--label",
            &label,
            "--stop-timeout",
            "0",
        ];
        let id = self.output(&[&fixed, options, &[image], command].concat())?;
        Ok(Container {
            docker: self.clone(),
            name,
            id,
        })
    }
}

impl Container {
    /// `docker exec OPTIONS CONTAINER COMMAND`, whatever its exit code.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn exec_with(&self, options: &[&str], command: &[&str]) -> Result<Output> {
        self.docker
            .attempt(&[&["exec"], options, &[&self.name], command].concat())
    }

    /// `docker exec CONTAINER COMMAND`, whatever its exit code.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn exec(&self, command: &[&str]) -> Result<Output> {
        self.exec_with(&[], command)
    }

    /// `docker exec -t CONTAINER COMMAND` below a terminal made by `script(1)`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn exec_on_terminal(&self, line: &str) -> Result<Output> {
        let line = format!(
            "docker -H {} exec -it {} {line}",
            self.docker.host(),
            self.name
        );
        command::run(command::limited(wait::seconds(60), "script").args([
            "-qec",
            &line,
            "/dev/null",
        ]))
    }

    /// The host's process id of its first process.
    ///
    /// # Errors
    /// It does not run.
    pub fn pid(&self) -> Result<u32> {
        let pid = self
            .docker
            .output(&["inspect", "--format", "{{.State.Pid}}", &self.name])?;
        pid.parse()
            .with_context(|| format!("the process id of {}", self.name))
    }

    /// Waits until it has ended, and gives back its exit code.
    ///
    /// # Errors
    /// The engine does not know it.
    pub fn wait(&self) -> Result<i32> {
        Ok(self.docker.output(&["wait", &self.name])?.parse()?)
    }

    /// What it wrote to standard output and error.
    ///
    /// # Errors
    /// The engine does not know it.
    pub fn logs(&self) -> Result<String> {
        let output = self.docker.attempt(&["logs", &self.name])?;
        Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        drop(self.docker.attempt(&["rm", "-f", "-v", &self.name]));
    }
}
