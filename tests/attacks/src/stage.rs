//! What attacks are performed on: an engine, two images, the places, and the agents that watch.

mod cgroup;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use vigia_tests::agent::{Settings, signal};
use vigia_tests::docker::{Container, Docker};
use vigia_tests::image::Image;
use vigia_tests::scene::{self, Turn};
use vigia_tests::{Agent, Alert};

use crate::images::{self, PROGRAM};
use crate::order::{FOLDER, Orders};
use crate::peers;
use crate::row::{Place, Row};
use crate::table::NAMES;
use cgroup::Cgroup;

/// What is built before a stage can be set.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The agent.
    pub agent: PathBuf,
    /// The program that acts.
    pub attack: PathBuf,
}

/// The stage. Fields are dropped from top to bottom: the agents end before what they watched is removed.
#[derive(Debug)]
pub struct Stage {
    containers: Agent,
    host: Option<Agent>,
    stations: BTreeMap<&'static str, Station>,
    cgroup: Cgroup,
    small: Image,
    debian: Option<Image>,
    docker: Docker,
    _folder: TempDir,
    _turn: Turn,
}

/// A place where the program takes orders.
#[derive(Debug)]
pub struct Station {
    /// How it is told.
    pub orders: Orders,
    /// The container, or the process on the host.
    pub kind: Kind,
}

/// What a station is.
#[derive(Debug)]
pub enum Kind {
    /// A container and its image.
    Container(Container, String),
    /// A process.
    Process(Actor),
}

/// The program on the host; ended when dropped.
#[derive(Debug)]
pub struct Actor(Child);

/// Where the upstream rule files lie, if they do.
#[must_use]
pub fn upstream_rules() -> Option<PathBuf> {
    let folder = scene::repository().parent()?.join("shared/upstream-rules");
    folder.is_dir().then_some(folder)
}

impl Stage {
    /// Sets the stage for some rows.
    ///
    /// # Errors
    /// Something it needs is missing.
    pub fn set(docker: Docker, turn: Turn, programs: &Programs, rows: &[&Row]) -> Result<Self> {
        let needs = |place: Place| rows.iter().any(|row| row.place == place);
        docker.sweep()?;
        let folder = tempfile::Builder::new()
            .prefix("vigia-attacks-")
            .tempdir()?;
        let small = images::small(&docker, &programs.attack).context("the small image")?;
        let debian = needs(Place::Debian)
            .then(|| images::debian(&docker, &programs.attack).context("the Debian image"))
            .transpose()?;
        let cgroup = Cgroup::make()?;
        let containers = Agent::start(&settings(
            with_own_hosts(folder.path(), &programs.agent)?,
            &docker,
            "containers",
        ))?;
        let host = needs(Place::Host)
            .then(|| {
                let scope = format!("cgroup:/{}", cgroup.name);
                Agent::start(&settings(programs.agent.clone(), &docker, &scope))
            })
            .transpose()?;
        let mut stage = Self {
            containers,
            host,
            stations: BTreeMap::new(),
            cgroup,
            small,
            debian,
            docker,
            _folder: folder,
            _turn: turn,
        };
        for place in [
            Place::Container,
            Place::Privileged,
            Place::ReadOnly,
            Place::Debian,
            Place::Host,
        ] {
            if needs(place) {
                let station = stage
                    .station(place, programs)
                    .with_context(|| format!("making the place {}", place.name()))?;
                stage.stations.insert(place.name(), station);
            }
        }
        Ok(stage)
    }

    fn station(&self, place: Place, programs: &Programs) -> Result<Station> {
        let orders = Orders::prepare()?;
        let kind = if place == Place::Host {
            Kind::Process(self.actor(&orders, &programs.attack)?)
        } else {
            let image = self.image(place)?;
            let mount = orders.mount();
            let refuge = format!("--volume={}:/refuge", self.cgroup.refuge()?.display());
            let hosts = format!("--add-host=example.com:{}", peers::EXAMPLE);
            let secret = orders.folder().join("secret");
            fs::write(&secret, "hush\n")?;
            let secret = format!("--volume={}:/run/secrets/token:ro", secret.display());
            let mut options = vec![
                "--network=none",
                "--cap-add=NET_ADMIN",
                "--label=io.kubernetes.pod.namespace=attacked",
                "--tmpfs=/dev/shm:rw,exec",
                &hosts,
                &mount,
                &secret,
            ];
            options.extend(match place {
                Place::Privileged => vec!["--privileged", &refuge],
                Place::Debian => vec!["--privileged"],
                Place::ReadOnly => vec![
                    "--read-only",
                    "--tmpfs=/tmp:rw,exec",
                    "--cap-add=SYS_ADMIN",
                    "--security-opt=seccomp=unconfined",
                    "--security-opt=apparmor=unconfined",
                ],
                _ => vec![
                    "--security-opt=seccomp=unconfined",
                    "--security-opt=apparmor=unconfined",
                ],
            });
            let socket = format!("{FOLDER}/socket");
            let command = [PROGRAM, "serve", &socket, "with-peers"];
            let container = self.docker.start(&options, image, &command)?;
            Kind::Container(container, image.to_owned())
        };
        orders.ready().with_context(|| match &kind {
            Kind::Container(container, _) => container.logs().unwrap_or_default(),
            Kind::Process(_) => String::new(),
        })?;
        if let Kind::Container(container, _) = &kind {
            fill_shared_memory(container)?;
        }
        Ok(Station { orders, kind })
    }

    /// The program as a process of the host, in the cgroup.
    fn actor(&self, orders: &Orders, program: &Path) -> Result<Actor> {
        let names = orders.folder();
        fs::copy(program, names.join("attack")).context("copying the program")?;
        for name in NAMES {
            symlink("attack", names.join(name))?;
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let moved: String = self
            .cgroup
            .folders
            .iter()
            .fold(String::new(), |mut script, folder| {
                script.push_str(&format!("echo $$ > {}/cgroup.procs; ", folder.display()));
                script
            });
        let script = format!("{moved} exec attack serve {}", orders.socket().display());
        let child = Command::new("sh")
            .args(["-ec", &script])
            .env("PATH", format!("{}:{path}", names.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("starting the program on the host")?;
        Ok(Actor(child))
    }

    /// The image of a place.
    ///
    /// # Errors
    /// It was not made for these rows.
    pub fn image(&self, place: Place) -> Result<&str> {
        let image = match place {
            Place::Debian => self
                .debian
                .as_ref()
                .context("no row needs the Debian image")?,
            _ => &self.small,
        };
        Ok(&image.name)
    }

    /// The place of a row, unless it has one of its own.
    #[must_use]
    pub fn found(&self, place: Place) -> Option<&Station> {
        self.stations.get(place.name())
    }

    /// Runs the container of a row with a place of its own, to its end.
    ///
    /// # Errors
    /// The engine cannot.
    pub fn run(&self, options: &[&str], command: &[&str]) -> Result<(Container, i32, String)> {
        let target = format!("--env=TARGET={}", std::process::id());
        let fixed = ["--network=none", &target];
        let (container, _) =
            self.docker
                .run(&[&fixed, options].concat(), &self.small.name, command)?;
        let code = container.wait()?;
        let output = container.logs()?;
        Ok((container, code, output))
    }

    /// The alerts so far of the agent that watches a place.
    #[must_use]
    pub fn alerts(&self, place: Place) -> Vec<Alert> {
        match (place, &self.host) {
            (Place::Host, Some(host)) => host.alerts(),
            _ => self.containers.alerts(),
        }
    }

    /// What the agents lost, for messages.
    #[must_use]
    pub fn losses(&self) -> String {
        self.containers.losses()
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        drop(signal(&self.0, Signal::TERM));
        drop(self.0.wait());
    }
}

/// What attacks find in shared memory: not in the image, because a mount hides what that has there.
fn fill_shared_memory(container: &Container) -> Result<()> {
    let root = PathBuf::from(format!("/proc/{}/root/dev/shm", container.pid()?));
    fs::create_dir_all(root.join("etc"))?;
    for (path, content, mode) in [
        ("payload", "#!/bin/sh\necho executed from /dev/shm\n", 0o755),
        ("etc/shadow", "root:*:19000:0:99999:7:::\n", 0o640),
    ] {
        let path = root.join(path);
        fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
    }
    Ok(())
}

fn settings(program: PathBuf, docker: &Docker, scope: &str) -> Settings {
    let mut rules: Vec<_> = upstream_rules().into_iter().collect();
    rules.push(scene::default_rules());
    rules.push(scene::repository().join("tests/attacks/rules"));
    Settings {
        program,
        socket: docker.socket().to_owned(),
        rules,
        overrides: vec![
            ("/scope", json!(scope)),
            // Whatever its maturity: every rule counts, and an event may fire many.
            ("/rules/select", json!([{"enable": {"rule": "*"}}])),
            ("/rules/matching", json!("all")),
            ("/throttle/window_s", json!(0)),
            // What rows ask of rules whose outputs do not say it.
            (
                "/outputs/append_output",
                json!([{"extra_fields": ["evt.args", "evt.truncated"]}]),
            ),
            (
                "/sensor/budget",
                json!({"events_per_second": 100_000, "burst": 100_000}),
            ),
            ("/log/level", Value::from("info")),
        ],
        arguments: Vec::new(),
    }
}

/// A program that is the agent with a hosts file of its own, by which it finds the names that rules ask for.
fn with_own_hosts(folder: &Path, agent: &Path) -> Result<PathBuf> {
    let hosts = folder.join("hosts");
    let kept = fs::read_to_string("/etc/hosts").unwrap_or_default();
    let name = "kubernetes.default.svc.cluster.local";
    fs::write(&hosts, format!("{kept}\n{} {name}\n", peers::KUBERNETES))?;
    let program = folder.join("agent");
    fs::write(
        &program,
        format!(
            "#!/bin/sh\nexec unshare --mount --propagation slave sh -c \
             'mount --bind {} /etc/hosts && exec {} \"$@\"' agent \"$@\"\n",
            hosts.display(),
            agent.display()
        ),
    )?;
    fs::set_permissions(&program, Permissions::from_mode(0o755))?;
    Ok(program)
}
