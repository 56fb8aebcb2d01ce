//! Podman of our own: root's, or an ordinary user's, apart from any other on the machine.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

use crate::docker::{LABEL, unique};
use crate::user::User;
use crate::{command, image, mounts, wait};

/// What makes Podman run where there is no systemd, and where the machine's own limits cannot be raised. `crun` refuses
/// hosts with both versions of cgroups.
const CONFIGURATION: &str = "\
[containers]
default_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]
[engine]
cgroup_manager = \"cgroupfs\"
events_logger = \"file\"
runtime = \"runc\"
";

/// Podman's service with folders and a socket of its own, and the `podman` command on the same folders.
#[derive(Debug)]
pub struct Podman {
    service: Option<Child>,
    folder: TempDir,
    user: Option<User>,
    /// The image of the tests, by name and tag.
    pub image: String,
}

/// A container that runs in the background; removed with its engine.
#[derive(Debug)]
pub struct Contained {
    /// Its name.
    pub name: String,
    /// Its id: 64 hex digits.
    pub id: String,
}

impl Podman {
    /// Starts root's.
    ///
    /// # Errors
    /// There is no `podman`, or its service does not answer within half a minute; the end of its log is in the message.
    pub fn of_root() -> Result<Self> {
        Self::start(None)
    }

    /// Starts that of a user, with its socket at the usual place below the user's runtime folder.
    ///
    /// # Errors
    /// As [`Self::of_root`].
    pub fn of_user(user: User) -> Result<Self> {
        Self::start(Some(user))
    }

    fn start(user: Option<User>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("vigia-podman-").tempdir()?;
        let mut podman = Self {
            service: None,
            folder,
            user,
            image: String::new(),
        };
        fs::write(podman.path("containers.conf"), CONFIGURATION)?;
        let socket = podman.socket();
        let at = socket.parent().context("the socket's folder")?;
        fs::create_dir_all(at)?;
        for path in ["home", "run", "tmp"] {
            fs::create_dir(podman.path(path))?;
        }
        if let Some(user) = &podman.user {
            let own = ["", "home", "run", "tmp"].map(|path| podman.path(path));
            for path in own.iter().map(PathBuf::as_path).chain([at]) {
                chown(path, Some(user.uid), Some(user.uid))?;
            }
        }
        podman.resume()?;
        let root = tempfile::Builder::new().prefix("vigia-image-").tempdir()?;
        image::fill(root.path(), None).context("filling the image's root")?;
        let name = image::import(root.path(), &[], |args| podman.command(args))?;
        podman.image = format!("localhost/{name}");
        Ok(podman)
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        match &self.user {
            Some(user) => user.runtime().join("podman/podman.sock"),
            None => self.path("podman.sock"),
        }
    }

    /// Whose it is; `None` for root's.
    #[must_use]
    pub fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// Starts the service, again after [`Self::kill`].
    ///
    /// # Errors
    /// As [`Self::of_root`].
    pub fn resume(&mut self) -> Result<()> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.path("service.log"))?;
        let socket = self.socket();
        drop(fs::remove_file(&socket));
        let mut service = Command::new("podman");
        self.prepare(&mut service);
        service
            .args(["system", "service", "--time=0"])
            .arg(format!("unix://{}", socket.display()))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        let service = service.spawn();
        self.service = Some(service.context("starting podman (Debian package podman)")?);
        let answers = || std::os::unix::net::UnixStream::connect(&socket).ok();
        if wait::poll(wait::seconds(30), answers).is_none() {
            let log = fs::read_to_string(self.path("service.log")).unwrap_or_default();
            bail!("podman's service does not answer: {log}");
        }
        Ok(())
    }

    /// Ends the service; containers live on, and the socket's file goes.
    ///
    /// # Errors
    /// It cannot be signalled.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut service) = self.service.take() {
            // A user's starts itself again in a user namespace: both are to end.
            if let Some(group) = i32::try_from(service.id()).ok().and_then(Pid::from_raw) {
                kill_process_group(group, Signal::TERM)?;
            }
            let ended = wait::poll(wait::seconds(10), || service.try_wait().ok().flatten());
            if ended.is_none() {
                service.kill()?;
                service.wait()?;
            }
            drop(fs::remove_file(self.socket()));
        }
        Ok(())
    }

    /// A `podman` command on the same folders, ended after two minutes.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = command::limited(wait::seconds(120), "podman");
        self.prepare(&mut command);
        command.args(args);
        command
    }

    /// Runs `podman ARGS` and gives back what it prints.
    ///
    /// # Errors
    /// It fails.
    pub fn output(&self, args: &[&str]) -> Result<String> {
        command::output(&mut self.command(args))
    }

    /// Starts a container in the background.
    ///
    /// # Errors
    /// Podman cannot start it.
    pub fn run(&self, options: &[&str], words: &[&str]) -> Result<Contained> {
        let name = unique("box");
        let label = format!("{LABEL}=1");
        let fixed = ["run", "--detach", "--name", &name, "--label", &label];
        let id = self.output(&[&fixed, options, &[&self.image], words].concat())?;
        Ok(Contained { name, id })
    }

    /// `podman exec OPTIONS CONTAINER COMMAND`, whatever its exit code.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn exec(&self, container: &Contained, options: &[&str], words: &[&str]) -> Result<Output> {
        let args = [&["exec"], options, &[&container.name], words].concat();
        command::run(&mut self.command(&args))
    }

    /// Makes a secret.
    ///
    /// # Errors
    /// Podman refuses it.
    pub fn secret(&self, name: &str, content: &str) -> Result<()> {
        let file = self.path("home").join(name);
        fs::write(&file, content)?;
        self.output(&["secret", "create", name, &file.to_string_lossy()])?;
        Ok(())
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// Who runs a command, with which folders.
    fn prepare(&self, command: &mut Command) {
        command
            .current_dir(self.folder.path())
            .env("CONTAINERS_CONF", self.path("containers.conf"))
            .env("HOME", self.path("home"))
            .env_remove("CONTAINER_HOST");
        match &self.user {
            Some(user) => {
                command
                    .uid(user.uid)
                    .gid(user.uid)
                    .env("XDG_RUNTIME_DIR", user.runtime());
            }
            None => {
                command.env_remove("XDG_RUNTIME_DIR");
            }
        }
        // `timeout` has been given the program already: these are the arguments of `podman`.
        for (option, path) in [
            ("--root", "home/data"),
            ("--runroot", "run"),
            ("--tmpdir", "tmp"),
        ] {
            command.arg(option).arg(self.path(path));
        }
    }

    /// Ends what holds the namespaces of a user's containers together.
    fn end_pause(&self) {
        let Ok(pid) = fs::read_to_string(self.path("tmp/pause.pid")) else {
            return;
        };
        if let Some(pid) = pid.trim().parse().ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        drop(self.output(&["rm", "--all", "--force", "--time=0"]));
        drop(self.kill());
        self.end_pause();
        mounts::remove_below(self.folder.path());
    }
}
