//! Containers of containerd, as Kubernetes makes them: attacks in them are told with name, image, labels and pod.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use vigia_tests::containerd::calls::{
    Capabilities, ContainerConfig, ContainerLinux, ContainerSecurity, Mount, Resources, Variable,
};
use vigia_tests::containerd::owned;
use vigia_tests::rules::{READ_ONLY_WRITE, SECRET_READ};
use vigia_tests::scene::{Programs, Turn, default_rules};
use vigia_tests::{Alert, Containerd, Docker, Scene, command, wait};

/// What an alert about a container in a pod must say, beside what its rule says.
const IDENTITY: &[&str] = &[
    "container.id",
    "container.name",
    "container.type",
    "container.image",
    "container.image.repository",
    "container.image.tag",
    "container.image.digest",
    "container.image.id",
    "container.labels",
    "container.privileged",
    "k8s.ns.name",
    "k8s.pod.name",
    "k8s.pod.uid",
    "k8s.pod.id",
    "k8s.pod.label[app]",
    "k8s.pod.labels",
    "k8s.pod.sandbox_id",
    "k8s.pod.full_sandbox_id",
];

/// What it must say of how the container was started.
const PROMISES: &[&str] = &[
    "container.read_only",
    "container.no_new_privileges",
    "container.cap_added",
    "container.memory_limit",
    "container.host_network",
    "container.secret_variables",
    "container.mount.dest[/*/data]",
];

/// A rule for every container that starts, or is found running.
const SEEN: &str = "Container Seen";
const SEEN_RULE: &str = "
- rule: Container Seen
  desc: every container
  condition: evt.type = container
  output: seen
  priority: NOTICE
  group_by: [container.id]
";

/// A containerd with a pod, and what watches it.
struct Stage {
    containerd: Containerd,
    programs: Programs,
    turn: Turn,
    docker: Docker,
    folder: tempfile::TempDir,
}

impl Stage {
    fn set() -> Result<Option<Self>> {
        let Some(programs) = Programs::find()? else {
            return Ok(None);
        };
        let turn = Turn::take()?;
        let docker = Docker::find()?;
        docker.sweep()?;
        Ok(Some(Self {
            containerd: Containerd::start(&docker)?,
            programs,
            turn,
            docker,
            folder: tempfile::tempdir()?,
        }))
    }

    /// Starts an agent that asks Docker and containerd.
    fn watch(self) -> Result<Watched> {
        let rules = self.folder.path().join("seen.yaml");
        fs::write(&rules, SEEN_RULE)?;
        let fields: Vec<_> = IDENTITY.iter().chain(PROMISES).collect();
        let overrides = [
            (
                "/engines/sockets",
                json!([self.docker.socket(), self.containerd.socket()]),
            ),
            ("/rules/paths", json!([default_rules(), rules])),
            (
                "/outputs/append_output",
                json!([{"suggested_output": true, "extra_fields": fields}]),
            ),
        ];
        let scene = Scene::on(self.docker, self.turn, &self.programs, &overrides, &[])?;
        Ok(Watched {
            scene,
            containerd: self.containerd,
            folder: self.folder,
        })
    }
}

/// Fields are dropped from top to bottom: the agent ends before what it watched.
struct Watched {
    scene: Scene,
    containerd: Containerd,
    folder: tempfile::TempDir,
}

fn words(command: &[&str]) -> Vec<String> {
    command.iter().map(|&word| word.to_owned()).collect()
}

/// A container that keeps some promises.
fn hardened(command: &[&str]) -> ContainerConfig {
    ContainerConfig {
        command: words(command),
        labels: owned(&[("tier", "front")]),
        envs: vec![Variable {
            key: "DB_PASSWORD".to_owned(),
            value: "hush-4c1d".to_owned(),
        }],
        linux: Some(ContainerLinux {
            resources: Some(Resources {
                memory_limit_in_bytes: 64 << 20,
            }),
            security_context: Some(ContainerSecurity {
                capabilities: Some(Capabilities {
                    add: words(&["NET_ADMIN"]),
                    drop: words(&["ALL"]),
                }),
                namespace_options: None,
                readonly_rootfs: true,
                no_new_privs: true,
            }),
        }),
        ..ContainerConfig::default()
    }
}

fn field<'a>(alert: &'a Alert, name: &str) -> Option<&'a Value> {
    let fields = alert.json().get("output_fields")?;
    fields.get(name).filter(|value| !value.is_null())
}

/// Fails where one of the fields has another value.
fn expect_fields(alert: &Alert, expected: &[(&str, Value)]) -> Result<()> {
    for (name, value) in expected {
        ensure!(
            field(alert, name) == Some(value),
            "{name} is not {value}: {}",
            alert.json()
        );
    }
    Ok(())
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

#[test]
fn an_attack_in_a_pod_is_told_with_all_that_its_engine_knows() -> Result<()> {
    let Some(stage) = Stage::set()? else {
        return Ok(());
    };
    let Watched {
        scene,
        containerd,
        folder,
    } = stage.watch()?;
    let pod = containerd.pod("shop-7d8", "prod", &[("app", "shop")])?;
    let data = folder.path().join("data");
    fs::create_dir(&data)?;
    let mut config = hardened(&["touch", "/marker"]);
    config.mounts = vec![Mount {
        container_path: "/srv/volume".to_owned(),
        host_path: data.display().to_string(),
        readonly: true,
    }];
    let id = pod.start("web", config)?;
    let alert = scene.agent.expect("a refused write", |alert| {
        alert.rule() == READ_ONLY_WRITE && alert.is_about(&id)
    })?;
    let (repository, tag) = containerd.image.rsplit_once(':').context("a tag")?;
    expect_fields(
        &alert,
        &[
            ("container.id", json!(short(&id))),
            ("container.name", json!("web")),
            ("container.type", json!("containerd")),
            ("container.image", json!(containerd.image)),
            ("container.image.repository", json!(repository)),
            ("container.image.tag", json!(tag)),
            ("container.image.digest", json!(containerd.digest)),
            ("container.labels", json!("tier:front")),
            ("container.privileged", json!(false)),
            ("k8s.ns.name", json!("prod")),
            ("k8s.pod.name", json!("shop-7d8")),
            ("k8s.pod.uid", json!(pod.uid())),
            ("k8s.pod.id", json!(pod.uid())),
            ("k8s.pod.label[app]", json!("shop")),
            ("k8s.pod.labels", json!("app:shop")),
            ("k8s.pod.sandbox_id", json!(short(&pod.id))),
            ("k8s.pod.full_sandbox_id", json!(pod.id)),
            ("container.read_only", json!(true)),
            ("container.no_new_privileges", json!(true)),
            ("container.memory_limit", json!(64 << 20)),
            ("container.host_network", json!(true)),
            ("container.mount.dest[/*/data]", json!("/srv/volume")),
        ],
    )?;
    for name in IDENTITY.iter().chain(PROMISES) {
        ensure!(field(&alert, name).is_some(), "{name}: {}", alert.json());
    }
    for (pointer, expected) in [
        ("/container/id", id.as_str()),
        ("/container/engine", "containerd"),
        ("/container/name", "web"),
        ("/container/repository", repository),
        ("/container/tag", tag),
        ("/container/digest", containerd.digest.as_str()),
        ("/container/pod/name", "shop-7d8"),
        ("/container/pod/namespace", "prod"),
        ("/container/pod/uid", pod.uid()),
    ] {
        ensure!(
            alert.text(pointer) == expected,
            "{pointer} is not {expected}: {}",
            alert.json()
        );
    }
    ensure!(
        alert
            .text("/output")
            .contains("k8s_pod_name=shop-7d8 k8s_ns_name=prod"),
        "{}",
        alert.json()
    );
    ensure!(!alert.mentions("hush-4c1d"), "a secret: {}", alert.json());
    // Docker's own containers are not taken for those of containerd, which does not know them.
    scene.settle()?;
    let marker = scene.run(&["--read-only", "--network=none"], &["touch", "/marker"])?;
    let alert = scene.agent.expect("a refused write in Docker", |alert| {
        alert.rule() == READ_ONLY_WRITE && alert.is_about(&marker.id)
    })?;
    ensure!(
        alert.text("/container/name") == marker.name && alert.text("/container/engine") == "docker",
        "{}",
        alert.json()
    );
    Ok(())
}

#[test]
fn a_sandbox_is_known_by_its_pod() -> Result<()> {
    let Some(stage) = Stage::set()? else {
        return Ok(());
    };
    let Watched {
        scene, containerd, ..
    } = stage.watch()?;
    let pod = containerd.pod("shop-7d8", "prod", &[("app", "shop")])?;
    // On a busy machine its start is told before containerd has noted it, and once more when it has.
    let alert = scene.agent.expect("a sandbox", |alert| {
        alert.rule() == SEEN
            && alert.is_about(&pod.id)
            && alert.text("/metadata/container") == "known"
    })?;
    expect_fields(
        &alert,
        &[
            ("container.name", json!("shop-7d8")),
            ("container.type", json!("containerd")),
            ("container.image", json!(containerd.image)),
            ("k8s.pod.name", json!("shop-7d8")),
            ("k8s.pod.uid", json!(pod.uid())),
            ("k8s.pod.labels", json!("app:shop")),
            ("k8s.pod.full_sandbox_id", json!(pod.id)),
        ],
    )
}

/// A secret as a kubelet lays it out: a folder in memory, below the pod's volumes.
struct KubeletSecret {
    folder: PathBuf,
    _below: tempfile::TempDir,
}

impl KubeletSecret {
    fn make() -> Result<Self> {
        let below = tempfile::tempdir()?;
        let folder = below.path().join("pods/1/volumes/kubernetes.io~secret/db");
        fs::create_dir_all(&folder)?;
        let mut mount = command::limited(wait::seconds(10), "mount");
        mount.args(["-t", "tmpfs", "tmpfs"]).arg(&folder);
        command::output(&mut mount)?;
        let made = Self {
            folder,
            _below: below,
        };
        fs::write(made.folder.join("password"), "hush-4c1d")?;
        Ok(made)
    }
}

impl Drop for KubeletSecret {
    fn drop(&mut self) {
        let mut unmount = command::limited(wait::seconds(10), "umount");
        drop(command::output(unmount.arg(&self.folder)));
    }
}

#[test]
fn what_ran_before_the_agent_is_known_and_its_secrets_are_watched() -> Result<()> {
    let Some(stage) = Stage::set()? else {
        return Ok(());
    };
    let secret = KubeletSecret::make()?;
    let before = stage.containerd.pod("old-1", "prod", &[("app", "old")])?;
    let with_secret = || ContainerConfig {
        mounts: vec![Mount {
            container_path: "/etc/db".to_owned(),
            host_path: secret.folder.display().to_string(),
            readonly: true,
        }],
        ..hardened(&["sleep", "600"])
    };
    let old = before.start("old", with_secret())?;
    let Watched {
        scene, containerd, ..
    } = stage.watch()?;
    let alert = scene.agent.expect("a container that ran before", |alert| {
        alert.rule() == SEEN && alert.is_about(&old)
    })?;
    expect_fields(
        &alert,
        &[
            ("container.name", json!("old")),
            ("k8s.pod.name", json!("old-1")),
            ("k8s.pod.labels", json!("app:old")),
        ],
    )?;
    let after = containerd.pod("new-1", "prod", &[("app", "new")])?;
    let new = after.start("new", with_secret())?;
    scene.settle()?;
    after.exec(&new, &["cat", "/etc/db/password"])?;
    let alert = scene.agent.expect("a read of a secret", |alert| {
        alert.rule() == SECRET_READ && alert.is_about(&new)
    })?;
    expect_fields(
        &alert,
        &[
            ("container.name", json!("new")),
            ("k8s.pod.name", json!("new-1")),
            ("k8s.pod.label[app]", json!("new")),
        ],
    )?;
    ensure!(
        alert.json()["container"]["secrets"] == json!(["db"]),
        "{}",
        alert.json()
    );
    Ok(())
}
