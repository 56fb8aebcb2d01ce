//! Where secrets come from beside a Swarm: volumes of pods, what people declare, variables, and the same data on the host.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tempfile::TempDir;
use vigia_tests::agent::{ALERT_LIMIT, list};
use vigia_tests::docker::{Container, Daemon, Docker, Network, Swarm, succeeded};
use vigia_tests::orders::Orders;
use vigia_tests::rules::{ENVIRONMENT_READ, SECRET_READ, SECRET_SOURCE_READ};
use vigia_tests::scene::{Programs, Turn};
use vigia_tests::wait::{self, seconds};
use vigia_tests::{Alert, Scene, command};

/// What every secret here holds.
const CONTENT: &str = "hush";

/// A volume of secrets as the kubelet makes it: at its place on the host, in memory or on disk, with the first version.
struct Volume {
    path: PathBuf,
    in_memory: bool,
    _pod: TempDir,
}

impl Volume {
    fn make(name: &str, in_memory: bool) -> Result<Self> {
        let pods = Path::new("/var/lib/kubelet/pods");
        std::fs::create_dir_all(pods)?;
        let pod = tempfile::Builder::new()
            .prefix("vigia-pod-")
            .tempdir_in(pods)?;
        let path = pod.path().join("volumes/kubernetes.io~secret").join(name);
        std::fs::create_dir_all(&path)?;
        let volume = Self {
            path,
            in_memory,
            _pod: pod,
        };
        if in_memory {
            command::output(
                command::limited(seconds(10), "mount")
                    .args(["-t", "tmpfs", "tmpfs"])
                    .arg(&volume.path),
            )?;
        }
        Ok(volume)
    }

    fn key(&self) -> PathBuf {
        self.path.join("..data/password")
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        if self.in_memory {
            drop(command::output(
                command::limited(seconds(10), "umount")
                    .arg("-l")
                    .arg(&self.path),
            ));
        }
    }
}

/// A program of the host that writes new versions of a volume, reading the last one each time.
struct Rewriter(Child);

impl Rewriter {
    fn start(program: &Path, volume: &Volume) -> Result<Self> {
        let mut command = std::process::Command::new(program);
        let child = command
            .arg("rewrite")
            .arg(&volume.path)
            .arg("100")
            .arg(CONTENT)
            .spawn()?;
        let rewriter = Self(child);
        wait::until("the first version", seconds(10), || {
            volume.key().exists().then_some(())
        })?;
        Ok(rewriter)
    }
}

impl Drop for Rewriter {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A scene in which the kubelet is a copy of the actor at a place of its own, and every read is an alert.
struct Node {
    scene: Scene,
    kubelet: PathBuf,
    _folder: TempDir,
}

impl Node {
    fn set() -> Result<Option<Self>> {
        let folder = tempfile::Builder::new().prefix("vigia-node-").tempdir()?;
        let kubelet = folder.path().join("kubelet");
        let overrides = [
            ("/throttle/window_s", json!(0)),
            ("/secrets/engine_programs", json!([kubelet])),
        ];
        let Some(scene) = Scene::set_with(&overrides)? else {
            return Ok(None);
        };
        let actor = std::env::var_os(vigia_tests::scene::ACTOR).context("the actor")?;
        std::fs::copy(&actor, &kubelet)?;
        std::fs::copy(&actor, folder.path().join("imitation"))?;
        Ok(Some(Self {
            scene,
            kubelet,
            _folder: folder,
        }))
    }

    /// Alerts of the rules about secrets so far.
    fn reads(&self) -> Vec<Alert> {
        let alerts = self.scene.agent.alerts().into_iter();
        let rules = [SECRET_READ, SECRET_SOURCE_READ, ENVIRONMENT_READ];
        alerts
            .filter(|alert| rules.contains(&alert.rule()))
            .collect()
    }

    /// Waits for what is reported beyond the first alerts, and holds that it is one of this rule, reader and secret.
    fn expect_next(
        &self,
        known: usize,
        what: &str,
        [rule, reader, name]: [&str; 3],
    ) -> Result<Alert> {
        wait::until(what, ALERT_LIMIT, || {
            (self.reads().len() > known).then_some(())
        })?;
        self.scene.settle()?;
        let reads = self.reads();
        ensure!(reads.len() == known + 1, "{what}:\n  {}", list(&reads));
        let alert = reads.get(known).context("the last one")?;
        for (pointer, expected) in [
            ("/rule", rule),
            ("/evidence/secret/reader", reader),
            ("/evidence/secret/name", name),
        ] {
            let found = alert.text(pointer);
            ensure!(
                found == expected,
                "{what}: {pointer} is {found}: {}",
                alert.json()
            );
        }
        ensure!(
            !alert.mentions(CONTENT),
            "{what}: the alert leaks the secret"
        );
        Ok(alert.clone())
    }

    fn expect_silence(&self, what: &str) -> Result<()> {
        self.scene.settle()?;
        let reads = self.reads();
        ensure!(reads.is_empty(), "{what}:\n  {}", list(&reads));
        Ok(())
    }
}

/// A container whose main process takes orders.
fn start(scene: &Scene, options: &[&str], secrets: &[&str]) -> Result<(Container, Orders)> {
    let orders = Orders::prepare()?;
    let mount = orders.mount();
    let command = Orders::command(secrets);
    let command: Vec<_> = command.iter().map(String::as_str).collect();
    let options = [&["--network=none", &mount], options].concat();
    let container = scene.start(&options, &command)?;
    orders.ready()?;
    Ok((container, orders))
}

fn read_on_host(path: &Path) -> Result<()> {
    command::output(command::limited(seconds(10), "cat").arg(path)).map(drop)
}

fn version(volume: &Volume) -> Result<PathBuf> {
    Ok(std::fs::read_link(volume.path.join("..data"))?)
}

#[test]
fn a_volume_of_a_pod_stays_a_secret_through_all_its_versions() -> Result<()> {
    let Some(node) = Node::set()? else {
        return Ok(());
    };
    let volume = Volume::make("creds", true)?;
    let rewriter = Rewriter::start(&node.kubelet, &volume)?;
    let whole = format!("--volume={}:/etc/creds:ro", volume.path.display());
    let (container, orders) = start(&node.scene, &[&whole], &["/etc/creds/password"])?;
    // As a subPath is bound: the file of one version.
    let one = std::fs::canonicalize(volume.key())?;
    let one = format!("--volume={}:/etc/one:ro", one.display());
    let (single, _single_orders) = start(&node.scene, &[&one], &["/etc/one"])?;
    let mut versions = vec![version(&volume)?];
    wait::until("three more versions", seconds(60), || {
        orders.read("/etc/creds/password").ok()?;
        let now = version(&volume).ok()?;
        if versions.last() != Some(&now) {
            versions.push(now);
        }
        (versions.len() > 3).then_some(())
    })?;
    node.expect_silence("the kubelet and the main process read every version")?;

    succeeded(&container.exec(&["cat", "/etc/creds/password"])?)?;
    let expected = [SECRET_READ, "entered", "creds/password"];
    let alert = node.expect_next(0, "an exec", expected)?;
    ensure!(
        alert.text("/evidence/secret/source") == "kubernetes",
        "{}",
        alert.json()
    );
    ensure!(
        alert.text("/evidence/secret/path") == "/etc/creds/password",
        "{}",
        alert.json()
    );
    succeeded(&single.exec(&["cat", "/etc/one"])?)?;
    node.expect_next(1, "an exec that reads a part", expected)?;
    read_on_host(&volume.key())?;
    node.expect_next(2, "the host", [SECRET_READ, "host", "creds/password"])?;
    drop(rewriter);
    // The same program elsewhere is no kubelet.
    let imitation = node.kubelet.with_file_name("imitation");
    let _imitation = Rewriter::start(&imitation, &volume)?;
    wait::until("an imitation to be reported", ALERT_LIMIT, || {
        let reads = node.reads();
        let program = imitation.to_string_lossy();
        let is_its = |alert: &Alert| alert.text("/output_fields/proc.exepath") == program;
        reads.iter().any(is_its).then_some(())
    })
}

#[test]
fn a_volume_on_disk_is_found_again_after_a_swap() -> Result<()> {
    let Some(node) = Node::set()? else {
        return Ok(());
    };
    let volume = Volume::make("disk", false)?;
    let rewriter = Rewriter::start(&node.kubelet, &volume)?;
    let whole = format!("--volume={}:/etc/disk:ro", volume.path.display());
    let (container, orders) = start(&node.scene, &[&whole], &["/etc/disk/password"])?;
    let first = version(&volume)?;
    wait::until("a second version", seconds(30), || {
        (version(&volume).ok()? != first).then_some(())
    })?;
    // The last version stays.
    drop(rewriter);
    orders.read("/etc/disk/password")?;
    node.expect_silence("the kubelet and the main process read")?;
    wait::until(
        "the host's read of a new version to be reported",
        seconds(40),
        || {
            read_on_host(&volume.key()).ok()?;
            (!node.reads().is_empty()).then_some(())
        },
    )?;
    node.scene.settle()?;
    let reads = node.reads();
    for alert in &reads {
        ensure!(
            alert.text("/evidence/secret/reader") == "host",
            "{}",
            alert.json()
        );
        ensure!(
            alert.text("/evidence/secret/name") == "disk/password",
            "{}",
            alert.json()
        );
    }
    succeeded(&container.exec(&["cat", "/etc/disk/password"])?)?;
    node.expect_next(
        reads.len(),
        "an exec",
        [SECRET_READ, "entered", "disk/password"],
    )?;
    Ok(())
}

#[test]
fn a_container_declares_its_own_secrets_by_a_label() -> Result<()> {
    let Some(node) = Node::set()? else {
        return Ok(());
    };
    let label = ["--label=vigia.secrets=/srv/data.txt"];
    let (container, orders) = start(&node.scene, &label, &["/srv/data.txt"])?;
    let (other, _other_orders) = start(&node.scene, &[], &["/srv/data.txt"])?;
    node.expect_silence("the main processes read")?;
    orders.read("/srv/data.txt")?;
    succeeded(&other.exec(&["cat", "/srv/data.txt"])?)?;
    node.expect_silence("it is no secret in a container without the label")?;
    succeeded(&container.exec(&["cat", "/srv/data.txt"])?)?;
    let alert = node.expect_next(0, "an exec", [SECRET_READ, "entered", "data.txt"])?;
    ensure!(
        alert.text("/evidence/secret/source") == "declared",
        "{}",
        alert.json()
    );
    read_on_host(Path::new(&format!(
        "/proc/{}/root/srv/data.txt",
        container.pid()?
    )))?;
    node.expect_next(1, "the host", [SECRET_READ, "host", "data.txt"])?;
    Ok(())
}

#[test]
fn an_environment_with_secrets_is_reported_to_whoever_else_reads_it() -> Result<()> {
    let Some(node) = Node::set()? else {
        return Ok(());
    };
    let secret = ["--env=DB_PASSWORD=hush"];
    let (container, orders) = start(&node.scene, &secret, &["/proc/self/environ"])?;
    let (plain, _plain_orders) = start(&node.scene, &["--env=COLOUR=blue"], &[])?;
    node.scene.settle()?;
    orders.read("/proc/self/environ")?;
    succeeded(&container.exec(&["cat", "/proc/self/environ"])?)?;
    succeeded(&plain.exec(&["cat", "/proc/1/environ"])?)?;
    read_on_host(Path::new(&format!("/proc/{}/environ", plain.pid()?)))?;
    command::output(command::limited(seconds(10), "cat").arg("/proc/self/environ"))?;
    node.expect_silence("one's own environment, and those without secrets")?;

    read_on_host(Path::new(&format!("/proc/{}/environ", container.pid()?)))?;
    let alert = node.expect_next(0, "the host", [ENVIRONMENT_READ, "host", "DB_PASSWORD"])?;
    ensure!(
        alert.text("/evidence/secret/source") == "environment",
        "{}",
        alert.json()
    );
    succeeded(&container.exec(&["cat", "/proc/1/environ"])?)?;
    node.expect_next(1, "an exec", [ENVIRONMENT_READ, "entered", "DB_PASSWORD"])?;
    let path = format!("/proc/{}/environ", container.pid()?);
    let options = [
        vigia_tests::docker::privileged()?,
        vec!["--pid=host", "--network=none"],
    ]
    .concat();
    let stranger = node.scene.run(&options, &["cat", &path])?;
    ensure!(stranger.wait()? == 0, "{}", stranger.logs()?);
    let alert = node.expect_next(
        2,
        "another container",
        [ENVIRONMENT_READ, "foreign", "DB_PASSWORD"],
    )?;
    ensure!(alert.is_about(&stranger.id), "{}", alert.json());
    Ok(())
}

#[test]
fn the_source_of_a_compose_secret_is_told_once_a_day_for_each_program_and_secret() -> Result<()> {
    let Some(node) = Node::set()? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("db_password.txt");
    std::fs::write(&file, CONTENT)?;
    let other = folder.path().join("api_key.txt");
    std::fs::write(&other, CONTENT)?;
    let mount = format!("--volume={}:/run/secrets/db:ro", file.display());
    let another = format!("--volume={}:/run/secrets/api:ro", other.display());
    let secrets = ["/run/secrets/db", "/run/secrets/api"];
    let (container, _orders) = start(&node.scene, &[&mount, &another], &secrets)?;
    node.expect_silence("the main process reads")?;
    for _ in 0..3 {
        read_on_host(&file)?;
    }
    let alert = node.expect_next(0, "the host", [SECRET_SOURCE_READ, "host", "db"])?;
    ensure!(alert.priority() == "Notice", "{}", alert.json());
    command::output(command::limited(seconds(10), "head").arg(&file))?;
    node.expect_next(1, "another program", [SECRET_SOURCE_READ, "host", "db"])?;
    read_on_host(&other)?;
    node.expect_next(2, "another secret", [SECRET_SOURCE_READ, "host", "api"])?;
    // Where the container finds it, it is as any other secret, whatever the path says.
    let root = format!("/proc/{}/root", container.pid()?);
    read_on_host(Path::new(&format!("{root}/run/secrets/db")))?;
    let expected = [SECRET_READ, "host", "db"];
    node.expect_next(3, "in the container's root", expected)?;
    let mut tail = command::limited(seconds(10), "tail");
    command::output(tail.current_dir(&root).arg("run/secrets/db"))?;
    node.expect_next(4, "from the container's root", expected)?;
    Ok(())
}

#[test]
fn jobs_that_are_gone_at_once_may_read_what_they_were_given() -> Result<()> {
    let Some(node) = Node::set()? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("db_password.txt");
    std::fs::write(&file, CONTENT)?;
    let mount = |point: &str| format!("--volume={}:{point}:ro", file.display());
    let usual = mount("/run/secrets/db");
    let (_container, _orders) = start(&node.scene, &[&usual], &["/run/secrets/db"])?;
    for _ in 0..8 {
        node.scene
            .run(&["--network=none", &usual], &["cat", "/run/secrets/db"])?;
    }
    let target = mount("/etc/app/key");
    let (app, orders) = start(&node.scene, &[&target], &["/etc/app/key"])?;
    orders.read("/etc/app/key")?;
    node.expect_silence("each was given it, also by another name")?;
    succeeded(&app.exec(&["cat", "/etc/app/key"])?)?;
    node.expect_next(0, "an exec", [SECRET_READ, "entered", "db"])?;
    let whole = format!("--volume={}:/data:ro", folder.path().display());
    node.scene.run(
        &["--network=none", &whole],
        &["cat", "/data/db_password.txt"],
    )?;
    node.expect_next(1, "by a folder", [SECRET_READ, "foreign", "db"])?;
    Ok(())
}

#[test]
fn the_state_of_an_engine_is_watched_wherever_it_keeps_it() -> Result<()> {
    let Some(programs) = Programs::find()? else {
        return Ok(());
    };
    let turn = Turn::take()?;
    // A Swarm does without containers that outlive their engine.
    let daemon = Daemon::start_with(Network::None, vec!["--live-restore=false".to_owned()])?;
    let docker = Docker::connect(daemon.socket())?;
    let root = docker.output(&["info", "--format", "{{.DockerRootDir}}"])?;
    ensure!(root != "/var/lib/docker", "it has a folder of its own");
    let swarm = Swarm::join_or_make(&docker)?;
    let scene = Scene::on(
        docker,
        turn,
        &programs,
        &[("/throttle/window_s", json!(0))],
        &[],
    )?;
    for (place, name) in [
        ("certificates/swarm-node.key", "swarm-node-key"),
        ("worker/tasks.db", "swarm-worker"),
        (
            "raft/wal-v3-encrypted/0000000000000000-0000000000000000.wal",
            "swarm-raft",
        ),
    ] {
        let path = format!("{root}/swarm/{place}");
        // The engine says where it is once the agent is connected, which need not be so at its start.
        wait::until(place, ALERT_LIMIT, || {
            command::output(
                command::limited(seconds(10), "cat")
                    .arg(&path)
                    .stdout(Stdio::null()),
            )
            .ok()?;
            let alerts = scene.agent.alerts();
            let is_it = |alert: &Alert| {
                alert.rule() == SECRET_READ
                    && alert.text("/evidence/secret/name") == name
                    && alert.text("/evidence/secret/reader") == "host"
            };
            alerts.iter().any(is_it).then_some(())
        })?;
    }
    drop(swarm);
    Ok(())
}
