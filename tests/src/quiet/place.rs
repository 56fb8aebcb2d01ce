//! A service that runs, and what is done to it from outside.

use std::cell::RefCell;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use super::{Service, Variant};
use crate::debian::services::Images;
use crate::docker::{Container, Secret, Service as SwarmService, Volume, succeeded};
use crate::scene::Scene;
use crate::wait::{self, seconds};

/// Password of everything that has one.
pub(super) const PASSWORD: &str = "correct-horse-battery-staple";

/// How long a service may take to start, to obey, and to stop.
const LIMIT: Duration = seconds(60);

/// What services are made with; laid before any agent watches.
#[derive(Debug)]
pub(super) struct Ground<'a> {
    images: &'a Images,
    /// Self-signed, in PEM.
    key: String,
    certificate: String,
    /// /etc/passwd of the images.
    users: String,
}

impl<'a> Ground<'a> {
    pub(super) fn lay(images: &'a Images) -> Result<Self> {
        let (key, certificate) = images.certificate()?;
        Ok(Self {
            images,
            key,
            certificate,
            users: images.output(&["cat", "/etc/passwd"])?,
        })
    }

    /// What a secret of this name holds.
    fn content(&self, secret: &str) -> &str {
        match secret {
            "tls-key" => &self.key,
            "tls-certificate" => &self.certificate,
            _ => PASSWORD,
        }
    }

    fn uid(&self, user: &str) -> Result<u32> {
        let lines = self.users.lines().map(|line| line.split(':'));
        let mut found = lines.filter_map(|mut words| (words.next() == Some(user)).then_some(words));
        let uid = found.next().and_then(|mut words| words.nth(1));
        Ok(uid.with_context(|| format!("no user {user}"))?.parse()?)
    }
}

/// A service that runs. Fields are dropped from top to bottom.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// Id of its container.
    pub(super) id: String,
    pub(super) scene: &'a Scene,
    service: &'a Service,
    base: &'a str,
    helpers: RefCell<Vec<Container>>,
    _runs: Runs,
    _secrets: Vec<Secret>,
    volumes: Vec<(&'static str, Volume)>,
    _folder: TempDir,
}

/// As what it runs; removed when dropped.
#[derive(Debug)]
enum Runs {
    Alone { _container: Container },
    InSwarm { _service: SwarmService },
}

impl<'a> Place<'a> {
    pub(super) fn open(
        scene: &'a Scene,
        ground: &'a Ground<'_>,
        service: &'a Service,
        variant: Variant,
    ) -> Result<Self> {
        let docker = &scene.docker;
        let image = ground.images.of(service.name)?;
        let uid = ground.uid(service.user)?;
        let folder = tempfile::Builder::new()
            .prefix("vigia-secrets-")
            .tempdir()?;
        let mut volumes = Vec::new();
        let mut options: Vec<String> = Vec::new();
        for &point in service.volumes {
            let volume = Volume::create(docker)?;
            options.push(format!(
                "--mount=type=volume,source={},destination={point}",
                volume.name
            ));
            volumes.push((point, volume));
        }
        options.extend(
            service
                .environment
                .iter()
                .map(|pair| format!("--env={pair}")),
        );
        let mut secrets = Vec::new();
        let (id, runs) = match variant {
            Variant::Plain => {
                for name in service.secrets {
                    let path = folder.path().join(name);
                    write_secret(&path, ground.content(name), uid)?;
                    options.push(format!(
                        "--mount=type=bind,source={},destination=/run/secrets/{name},readonly",
                        path.display()
                    ));
                }
                options.push("--stop-timeout=20".to_owned());
                let container = docker.start(&words(&options), image, &[])?;
                (
                    container.id.clone(),
                    Runs::Alone {
                        _container: container,
                    },
                )
            }
            Variant::ReadOnly => {
                for &name in service.secrets {
                    let secret = Secret::create(docker, name, ground.content(name))?;
                    options.push(format!(
                        "--secret=source={},target={name},uid={uid},mode=0400",
                        secret.name
                    ));
                    secrets.push(secret);
                }
                options.extend(service.read_only_options());
                options.push("--stop-grace-period=20s".to_owned());
                let swarm = SwarmService::create(
                    docker,
                    &words(&options),
                    image,
                    service.read_only_command,
                )?;
                (swarm.container()?, Runs::InSwarm { _service: swarm })
            }
        };
        Ok(Self {
            id,
            scene,
            service,
            base: &ground.images.base,
            helpers: RefCell::default(),
            _runs: runs,
            _secrets: secrets,
            volumes,
            _folder: folder,
        })
    }

    /// The containers of the service and its loads, the service first.
    pub(super) fn ids(&self) -> Vec<String> {
        let helpers = self.helpers.borrow();
        std::iter::once(&self.id)
            .chain(helpers.iter().map(|helper| &helper.id))
            .cloned()
            .collect()
    }

    /// Where its (first) secret lies.
    pub(super) fn secret_path(&self) -> String {
        format!(
            "/run/secrets/{}",
            self.service.secrets.first().unwrap_or(&"")
        )
    }

    /// Waits until it serves.
    pub(super) fn ready(&self) -> Result<()> {
        if let Some(port) = self.service.port {
            let script = format!(
                "until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.1; done"
            );
            self.load(&script).map(drop)
        } else {
            self.said(self.service.ready, 0)
        }
        .with_context(|| format!("it does not serve: {}", self.logs()))
    }

    /// Runs a script in a container that shares the service's network and volumes; what it printed.
    pub(super) fn load(&self, script: &str) -> Result<String> {
        let mut options = vec![
            format!("--network=container:{}", self.id),
            format!("--env=PGPASSWORD={PASSWORD}"),
            format!("--env=REDISCLI_AUTH={PASSWORD}"),
        ];
        for (point, volume) in &self.volumes {
            options.push(format!(
                "--mount=type=volume,source={},destination={point}",
                volume.name
            ));
        }
        let (container, output) =
            self.scene
                .docker
                .run(&words(&options), self.base, &["bash", "-euc", script])?;
        self.helpers.borrow_mut().push(container);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "{script}: {}: {said}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(said)
    }

    /// `docker exec` as the container's own user; what it printed.
    pub(super) fn exec(&self, command: &[&str]) -> Result<String> {
        self.exec_as(&[], command)
    }

    /// `docker exec OPTIONS`.
    pub(super) fn exec_as(&self, options: &[&str], command: &[&str]) -> Result<String> {
        let output = self
            .scene
            .docker
            .attempt(&[&["exec"], options, &[&self.id], command].concat())?;
        succeeded(&output).with_context(|| command.join(" "))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// `docker kill --signal`.
    pub(super) fn signal(&self, name: &str) -> Result<()> {
        self.scene
            .docker
            .output(&["kill", "--signal", name, &self.id])
            .map(drop)
    }

    /// How often it has written a text to its standard output or error.
    pub(super) fn count_said(&self, text: &str) -> usize {
        self.logs().matches(text).count()
    }

    /// Waits until it has written a text more often than `before`.
    pub(super) fn said(&self, text: &str, before: usize) -> Result<()> {
        wait::until(&format!("{text:?} in its log"), LIMIT, || {
            (self.count_said(text) > before).then_some(())
        })
    }

    /// Waits until a command in the container succeeds.
    pub(super) fn holds(&self, what: &str, command: &[&str]) -> Result<()> {
        wait::until(what, LIMIT, || self.exec(command).ok().map(drop))
    }

    fn logs(&self) -> String {
        let output = self.scene.docker.attempt(&["logs", &self.id]);
        output
            .map(|output| {
                String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
            })
            .unwrap_or_default()
    }

    /// Stops it as `docker stop` does; it has to end by itself.
    pub(super) fn stop(&self) -> Result<()> {
        let docker = &self.scene.docker;
        docker.output(&["stop", "--time=20", &self.id])?;
        let code = docker.output(&["inspect", "--format={{.State.ExitCode}}", &self.id])?;
        match code.as_str() {
            "0" => Ok(()),
            code if code == self.service.stopped => Ok(()),
            code => bail!("it ended with {code}: {}", self.logs()),
        }
    }
}

fn write_secret(path: &PathBuf, content: &str, owner: u32) -> Result<()> {
    fs::write(path, content)?;
    fs::set_permissions(path, Permissions::from_mode(0o400))?;
    Ok(chown(path, Some(owner), None)?)
}

fn words(options: &[String]) -> Vec<&str> {
    options.iter().map(String::as_str).collect()
}
