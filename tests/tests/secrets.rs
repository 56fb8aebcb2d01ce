//! Who reads a secret, and whether that is normal.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::json;
use vigia_tests::agent::{ALERT_LIMIT, list};
use vigia_tests::docker::{
    Configuration, Container, Secret, Service, Swarm, privileged, succeeded,
};
use vigia_tests::orders::Orders;
use vigia_tests::rules::SECRET_READ;
use vigia_tests::wait::{self, seconds};
use vigia_tests::{Alert, Scene, command};

/// The test configuration's window in which a container counts as starting, and some.
const WINDOW_S: u64 = 4;

/// Where the service finds its second secret.
const CUSTOM: &str = "/srv/token";
/// Where it finds its config.
const CONFIG: &str = "/srv/settings";

/// A service with two secrets and a config, whose entry script reads them and becomes the actor.
struct Shop {
    service: Service,
    orders: Orders,
    password: Secret,
    token: Secret,
    _config: Configuration,
    started: Instant,
    scene: Scene,
    _swarm: Swarm,
}

impl Shop {
    fn open() -> Result<Option<Self>> {
        Self::open_with(&[])
    }

    fn open_with(options: &[&str]) -> Result<Option<Self>> {
        // Every read is an alert of its own here.
        let Some(scene) = Scene::set_with(&[("/throttle/window_s", json!(0))])? else {
            return Ok(None);
        };
        let swarm = Swarm::join_or_make(&scene.docker)?;
        let password = Secret::create(&scene.docker, "password", "hush")?;
        let token = Secret::create(&scene.docker, "token", "hush")?;
        let config = Configuration::create(&scene.docker, "settings", "colour = blue")?;
        let orders = Orders::prepare()?;
        let script = format!(
            "cat /run/secrets/{} {CUSTOM} {CONFIG} > /dev/null && exec {}",
            password.name,
            Orders::command(&[]).join(" ")
        );
        let grants = [
            orders.mount(),
            format!("--secret={}", password.name),
            format!("--secret=source={},target={CUSTOM}", token.name),
            format!("--config=source={},target={CONFIG}", config.name),
        ];
        let all: Vec<_> = grants
            .iter()
            .map(String::as_str)
            .chain(options.iter().copied())
            .collect();
        let service = Service::create(
            &scene.docker,
            &all,
            &scene.image.name,
            &["/bin/sh", "-c", &script],
        )?;
        orders.ready()?;
        let started = Instant::now();
        Ok(Some(Self {
            service,
            orders,
            password,
            token,
            _config: config,
            started,
            scene,
            _swarm: swarm,
        }))
    }

    fn password_path(&self) -> String {
        format!("/run/secrets/{}", self.password.name)
    }

    /// Waits until the service does not count as starting any more.
    fn run_in(&self) -> Result<()> {
        wait::until("the window to pass", seconds(WINDOW_S + 1), || {
            (self.started.elapsed() > seconds(WINDOW_S)).then_some(())
        })
    }

    fn exec(&self, command: &[&str]) -> Result<()> {
        let container = self.service.container()?;
        succeeded(
            &self
                .scene
                .docker
                .attempt(&[&["exec", &container], command].concat())?,
        )
    }

    /// Where the engine keeps its data.
    fn engine_root(&self) -> Result<String> {
        let docker = &self.scene.docker;
        docker.output(&["info", "--format", "{{.DockerRootDir}}"])
    }

    /// Where the engine has the password for the service's container.
    fn engine_path(&self) -> Result<String> {
        let docker = &self.scene.docker;
        let name = &self.password.name;
        let id = docker.output(&["secret", "inspect", "--format", "{{.ID}}", name])?;
        let (root, container) = (self.engine_root()?, self.service.container()?);
        Ok(format!("{root}/containers/{container}/mounts/secrets/{id}"))
    }

    fn host_path(&self, path: &str) -> Result<String> {
        let container = self.service.container()?;
        let pid =
            self.scene
                .docker
                .output(&["inspect", "--format", "{{.State.Pid}}", &container])?;
        Ok(format!("/proc/{pid}/root{path}"))
    }

    /// Alerts about reads of secrets so far. Another agent on the machine reads them to learn what they are, and
    /// rightly is reported; it is not what is tested here.
    fn reads(&self) -> Vec<Alert> {
        let own = i64::from(self.scene.agent.pid());
        let others = |alert: &Alert| {
            alert.text("/evidence/process/name") == "vigia"
                && alert.number("/evidence/process/pid") != Some(own)
        };
        let alerts = self.scene.agent.alerts().into_iter();
        alerts
            .filter(|alert| alert.rule() == SECRET_READ && !others(alert))
            .collect()
    }

    /// Settles, and holds that exactly one read was reported, by this kind of reader.
    fn expect_one(&self, reader: &str) -> Result<Alert> {
        wait::until("the read of a secret to be reported", ALERT_LIMIT, || {
            (!self.reads().is_empty()).then_some(())
        })?;
        self.scene.settle()?;
        let reads = self.reads();
        ensure!(
            reads.len() == 1,
            "one read, {} alerts:\n  {}",
            reads.len(),
            list(&reads)
        );
        let alert = reads[0].clone();
        let found = alert.text("/evidence/secret/reader");
        ensure!(
            found == reader,
            "reader {found}, not {reader}: {}",
            alert.json()
        );
        ensure!(!alert.mentions("hush"), "the alert leaks the secret");
        Ok(alert)
    }

    /// Settles, and holds that nothing at all was reported about the service.
    fn expect_silence(&self, what: &str) -> Result<()> {
        self.scene.expect_silence(what, &self.service.container()?)
    }
}

#[test]
fn the_entry_script_and_the_main_process_may_read() -> Result<()> {
    let Some(shop) = Shop::open()? else {
        return Ok(());
    };
    shop.expect_silence("the entry script reads with cat")?;
    shop.run_in()?;
    shop.orders.read(&shop.password_path())?;
    shop.orders.read(CUSTOM)?;
    shop.orders.read(CONFIG)?;
    shop.expect_silence("the main process reads again")
}

#[test]
fn a_process_that_entered_is_reported_whatever_path_it_takes() -> Result<()> {
    let Some(shop) = Shop::open()? else {
        return Ok(());
    };
    let path = shop.password_path();
    let name = &shop.password.name;
    let ways: &[(&str, Vec<String>)] = &[
        ("plainly", vec!["cat".into(), path.clone()]),
        (
            "through a symlink",
            vec![
                "sh".into(),
                "-c".into(),
                format!("ln -s {path} /tmp/link && cat /tmp/link"),
            ],
        ),
        (
            "by a relative path",
            vec![
                "sh".into(),
                "-c".into(),
                format!("cd /run && cat secrets/{name}"),
            ],
        ),
        (
            "through /proc",
            vec!["cat".into(), format!("/proc/1/root{path}")],
        ),
    ];
    for (number, (way, command)) in ways.iter().enumerate() {
        let command: Vec<_> = command.iter().map(String::as_str).collect();
        shop.exec(&command)?;
        wait::until(way, seconds(15), || {
            (shop.reads().len() > number).then_some(())
        })?;
        shop.scene.settle()?;
        let reads = shop.reads();
        ensure!(reads.len() == number + 1, "{way}: {} alerts", reads.len());
        let alert = &reads[number];
        ensure!(
            alert.text("/evidence/secret/reader") == "entered",
            "{way}: {}",
            alert.json()
        );
        ensure!(
            alert.text("/evidence/secret/name") == name,
            "{way}: {}",
            alert.json()
        );
        ensure!(
            alert.text("/container/swarm/service") == shop.service.name,
            "{way}: {}",
            alert.json()
        );
    }
    Ok(())
}

#[test]
fn a_secret_with_a_target_of_its_own_is_one_and_a_config_is_none() -> Result<()> {
    let Some(shop) = Shop::open()? else {
        return Ok(());
    };
    shop.exec(&["cat", CONFIG])?;
    std::fs::read(shop.host_path(CONFIG)?)?;
    shop.expect_silence("a config is no secret")?;
    shop.exec(&["cat", CUSTOM])?;
    let alert = shop.expect_one("entered")?;
    ensure!(
        alert.text("/evidence/secret/name") == shop.token.name,
        "{}",
        alert.json()
    );
    ensure!(
        alert.text("/evidence/secret/path") == CUSTOM,
        "{}",
        alert.json()
    );
    Ok(())
}

#[test]
fn a_shell_below_the_main_process_is_late_behind_the_window() -> Result<()> {
    let Some(shop) = Shop::open()? else {
        return Ok(());
    };
    shop.run_in()?;
    let script = format!("cat {} > /dev/null; true", shop.password_path());
    shop.orders.run(&["sh", "-c", &script])?;
    let alert = shop.expect_one("late")?;
    let reason = alert.text("/evidence/secret/reason");
    ensure!(
        ["actor", "sh -> cat"]
            .iter()
            .all(|program| reason.contains(program)),
        "no chain in {reason:?}"
    );
    Ok(())
}

#[test]
fn a_copied_program_is_dropped() -> Result<()> {
    let Some(shop) = Shop::open()? else {
        return Ok(());
    };
    shop.orders.run(&["cp", "/bin/busybox", "/srv/cat"])?;
    shop.orders.run(&["/srv/cat", &shop.password_path()])?;
    shop.expect_one("dropped")?;
    Ok(())
}

#[test]
fn the_host_is_reported() -> Result<()> {
    let Some(shop) = Shop::open()? else {
        return Ok(());
    };
    let path = shop.host_path(&shop.password_path())?;
    command::output(command::limited(seconds(10), "cat").arg(path))?;
    shop.expect_one("host")?;
    Ok(())
}

#[test]
fn the_engines_own_folder_is_covered() -> Result<()> {
    let Some(shop) = Shop::open()? else {
        return Ok(());
    };
    let root = shop.engine_root()?;
    command::output(command::limited(seconds(10), "cat").arg(shop.engine_path()?))?;
    let alert = shop.expect_one("host")?;
    ensure!(
        alert.text("/evidence/secret/name") == shop.password.name,
        "{}",
        alert.json()
    );
    // The Swarm may be younger than the agent, which looks for its state now and then.
    let key = format!("{root}/swarm/certificates/swarm-node.key");
    wait::until("the read of the node's key", seconds(40), || {
        command::output(command::limited(seconds(10), "cat").arg(&key)).ok()?;
        let reads = shop.reads();
        let is_key = |alert: &Alert| alert.text("/evidence/secret/name") == "swarm-node-key";
        reads.iter().any(is_key).then_some(())
    })
}

#[test]
fn a_container_without_the_grant_is_foreign() -> Result<()> {
    let Some(shop) = Shop::open()? else {
        return Ok(());
    };
    let path = shop.host_path(&shop.password_path())?;
    let options = [privileged()?, vec!["--pid=host", "--network=none"]].concat();
    let container = shop.scene.run(&options, &["cat", &path])?;
    ensure!(container.wait()? == 0, "{}", container.logs()?);
    let alert = shop.expect_one("foreign")?;
    ensure!(alert.is_about(&container.id), "{}", alert.json());
    Ok(())
}

#[test]
fn a_secret_that_somebody_bound_from_the_engines_folder_is_foreign() -> Result<()> {
    let Some(shop) = Shop::open()? else {
        return Ok(());
    };
    let bind = format!("--volume={}:/run/secrets/mine:ro", shop.engine_path()?);
    let container = shop
        .scene
        .run(&["--network=none", &bind], &["cat", "/run/secrets/mine"])?;
    ensure!(container.wait()? == 0, "{}", container.logs()?);
    let alert = shop.expect_one("foreign")?;
    ensure!(alert.is_about(&container.id), "{}", alert.json());
    Ok(())
}

#[test]
fn the_containers_own_health_check_may_read() -> Result<()> {
    let options = [
        "--health-cmd=cat /run/secrets/* > /dev/null",
        "--health-interval=1s",
        "--health-retries=100",
    ];
    let Some(shop) = Shop::open_with(&options)? else {
        return Ok(());
    };
    let container = shop.service.container()?;
    // Beyond the window, and several times.
    shop.run_in()?;
    wait::until("the health check to have run", seconds(30), || {
        let format = "{{.State.Health.Status}} {{len .State.Health.Log}}";
        let state = shop
            .scene
            .docker
            .output(&["inspect", "--format", format, &container])
            .ok()?;
        let (status, runs) = state.split_once(' ')?;
        (status == "healthy" && runs.parse::<u32>().ok()? >= 4).then_some(())
    })?;
    shop.expect_silence("the health check reads the secret")
}

#[test]
fn a_compose_style_bind_is_a_secret_as_well() -> Result<()> {
    let Some(scene) = Scene::set_with(&[("/throttle/window_s", json!(0))])? else {
        return Ok(());
    };
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), "hush")?;
    let orders = Orders::prepare()?;
    let mount = format!("--volume={}:/run/secrets/db:ro", file.path().display());
    let command = Orders::command(&["/run/secrets/db"]);
    let command: Vec<_> = command.iter().map(String::as_str).collect();
    let container: Container =
        scene.start(&["--network=none", &mount, &orders.mount()], &command)?;
    orders.ready()?;
    scene.expect_silence("the main process reads its secret", &container.id)?;
    succeeded(&container.exec(&["cat", "/run/secrets/db"])?)?;
    let alert = scene.agent.expect("the read by exec", |alert| {
        alert.rule() == SECRET_READ && alert.is_about(&container.id)
    })?;
    for (pointer, expected) in [
        ("/evidence/secret/reader", "entered"),
        ("/evidence/secret/name", "db"),
        ("/evidence/secret/source", "compose"),
    ] {
        ensure!(
            alert.text(pointer) == expected,
            "{pointer} of {}",
            alert.json()
        );
    }
    Ok(())
}
