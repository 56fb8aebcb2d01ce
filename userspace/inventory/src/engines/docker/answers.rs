//! The parts of the API's answers that are read. Everything is optional: versions and engines differ, and one odd
//! member must not cost the rest.

use std::collections::BTreeMap;

use serde::Deserialize;
use vigia_event::container::{DeclaredMount, Engine, Inspected, Promises};

use super::promises::{self, ConfigPromises, HostPromises, Ports};

use crate::engines::image::ImageName;
use crate::engines::lenient::or_default;
use crate::engines::limits::{self, MAX_MOUNTS};

/// What Docker does where a health check names no interval.
const DEFAULT_INTERVAL_S: u64 = 30;

/// `GET /version`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Version {
    #[serde(deserialize_with = "or_default")]
    pub(super) version: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) api_version: String,
    #[serde(rename = "MinAPIVersion", deserialize_with = "or_default")]
    pub(super) min_api_version: String,
    #[serde(deserialize_with = "or_default")]
    components: Vec<Component>,
}

/// `GET /info`, as far as it is wanted. Podman calls its folder so, too.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Info {
    #[serde(deserialize_with = "or_default")]
    pub(super) docker_root_dir: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Component {
    #[serde(deserialize_with = "or_default")]
    name: String,
}

impl Version {
    /// Which engine answers. Whoever does not say that it is Podman speaks Docker's API as Docker does.
    pub(super) fn engine(&self) -> Engine {
        let is_podman = self
            .components
            .iter()
            .any(|component| component.name == "Podman Engine");
        if is_podman {
            Engine::Podman
        } else {
            Engine::Docker
        }
    }
}

/// A line of `GET /events`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Announced {
    #[serde(rename = "Type", deserialize_with = "or_default")]
    pub(super) subject: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) action: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) actor: Actor,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Actor {
    #[serde(rename = "ID", deserialize_with = "or_default")]
    pub(super) id: String,
}

/// `GET /images/ID/json`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct ImageAnswer {
    #[serde(deserialize_with = "or_default")]
    pub(super) repo_tags: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) repo_digests: Vec<String>,
}

/// `GET /containers/ID/json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct ContainerAnswer {
    #[serde(deserialize_with = "or_default")]
    pub(super) id: String,
    #[serde(deserialize_with = "or_default")]
    name: String,
    #[serde(deserialize_with = "or_default")]
    created: String,
    /// The image's id.
    #[serde(deserialize_with = "or_default")]
    pub(super) image: String,
    #[serde(deserialize_with = "or_default")]
    state: State,
    #[serde(deserialize_with = "or_default")]
    config: Config,
    #[serde(deserialize_with = "or_default")]
    host_config: HostConfig,
    #[serde(deserialize_with = "or_default")]
    mounts: Vec<MountAnswer>,
    #[serde(deserialize_with = "or_default")]
    app_armor_profile: String,
    #[serde(deserialize_with = "or_default")]
    process_label: String,
    #[serde(deserialize_with = "or_default")]
    network_settings: NetworkSettings,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct NetworkSettings {
    #[serde(deserialize_with = "or_default")]
    ports: Ports,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct State {
    #[serde(deserialize_with = "or_default")]
    pid: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Config {
    #[serde(deserialize_with = "or_default")]
    image: String,
    #[serde(deserialize_with = "or_default")]
    labels: BTreeMap<String, Option<String>>,
    #[serde(deserialize_with = "or_default")]
    healthcheck: Healthcheck,
    #[serde(deserialize_with = "or_default")]
    shell: Vec<String>,
    #[serde(flatten)]
    promises: ConfigPromises,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Healthcheck {
    #[serde(deserialize_with = "or_default")]
    test: Vec<String>,
    /// Nanoseconds.
    #[serde(deserialize_with = "or_default")]
    interval: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct HostConfig {
    #[serde(deserialize_with = "or_default")]
    privileged: bool,
    #[serde(deserialize_with = "or_default")]
    readonly_rootfs: bool,
    #[serde(deserialize_with = "or_default")]
    tmpfs: BTreeMap<String, Option<String>>,
    #[serde(flatten)]
    promises: HostPromises,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct MountAnswer {
    #[serde(rename = "Type", deserialize_with = "or_default")]
    kind: String,
    #[serde(deserialize_with = "or_default")]
    source: String,
    #[serde(deserialize_with = "or_default")]
    destination: String,
    #[serde(deserialize_with = "or_default")]
    mode: String,
    #[serde(rename = "RW", deserialize_with = "or_default")]
    read_write: bool,
    #[serde(deserialize_with = "or_default")]
    propagation: String,
}

impl ContainerAnswer {
    /// Its labels alone.
    pub(super) fn into_labels(self) -> BTreeMap<String, bstr::BString> {
        limits::labels(self.config.labels)
    }

    /// What rules see of it, as `engine` tells it; `image` tells what its name leaves out.
    pub(super) fn into_inspected(self, engine: Engine, image: &ImageAnswer) -> Inspected {
        let health_check_interval_s = self.config.healthcheck.interval_s();
        let name = ImageName::complete(
            &self.config.image,
            &self.image,
            &image.repo_tags,
            &image.repo_digests,
        );
        let host = self.host_config;
        let mut tmpfs: Vec<_> = self
            .mounts
            .iter()
            .filter(|mount| mount.kind == "tmpfs")
            .take(MAX_MOUNTS)
            .map(|mount| limits::text(mount.destination.clone()))
            .collect();
        let mut mounts: Vec<DeclaredMount> = self
            .mounts
            .into_iter()
            .take(MAX_MOUNTS)
            .map(MountAnswer::into_declared)
            .collect();
        for point in host.tmpfs.into_keys().take(MAX_MOUNTS) {
            let destination = limits::text(point);
            if !tmpfs.contains(&destination) {
                tmpfs.push(destination.clone());
            }
            if mounts.iter().all(|mount| mount.destination != destination) {
                mounts.push(DeclaredMount {
                    destination,
                    read_write: true,
                    ..DeclaredMount::default()
                });
            }
        }
        // Docker walks a table whose order is another each time.
        mounts.sort_by(|one, other| one.destination.cmp(&other.destination));
        tmpfs.sort_unstable();
        Inspected {
            name: limits::text(
                self.name
                    .strip_prefix('/')
                    .map_or(self.name.clone(), str::to_owned),
            ),
            image_repository: limits::text(name.repository.into()),
            image_tag: limits::text(name.tag.into()),
            image_digest: limits::text(name.digest.into()),
            image: limits::text(self.config.image),
            image_id: limits::text(self.image),
            // Not the engine's to say.
            image_facts: None,
            // Not this answer's.
            swarm_grants: Vec::new(),
            privileged: host.privileged,
            declared_read_only: host.readonly_rootfs,
            host_namespaces: host.promises.host_namespaces(),
            promises: Box::new(Promises {
                tmpfs,
                ..promises::of(
                    engine,
                    self.config.promises,
                    host.promises,
                    self.network_settings.ports,
                    self.app_armor_profile,
                    self.process_label,
                )
            }),
            labels: limits::labels(self.config.labels),
            pod_labels: BTreeMap::new(),
            health_check: self.config.healthcheck.command(self.config.shell),
            mounts,
            health_check_interval_s,
            pid: self.state.pid,
            created_ns: created_ns(&self.created),
        }
    }
}

impl Healthcheck {
    fn interval_s(&self) -> u64 {
        match (self.test.len(), self.interval / 1_000_000_000) {
            (0 | 1, _) => 0,
            (_, 0) => DEFAULT_INTERVAL_S,
            (_, seconds) => seconds,
        }
    }

    /// The argument vector that the engine runs.
    fn command(self, shell: Vec<String>) -> Vec<bstr::BString> {
        let mut test = self.test.into_iter();
        match test.next().as_deref() {
            Some("CMD") => limits::words(test.collect()),
            Some("CMD-SHELL") => {
                let shell = if shell.is_empty() {
                    vec!["/bin/sh".to_owned(), "-c".to_owned()]
                } else {
                    shell
                };
                limits::words(shell.into_iter().chain(test).collect())
            }
            _ => Vec::new(),
        }
    }
}

impl MountAnswer {
    fn into_declared(self) -> DeclaredMount {
        DeclaredMount {
            source: limits::text(self.source),
            destination: limits::text(self.destination),
            mode: limits::text(self.mode),
            read_write: self.read_write,
            propagation: limits::text(self.propagation),
        }
    }
}

fn created_ns(created: &str) -> u64 {
    let timestamp: Option<jiff::Timestamp> = created.parse().ok();
    timestamp
        .and_then(|time| u64::try_from(time.as_nanosecond()).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use vigia_event::container::HostNamespaces;

    use super::*;

    const ID: &str = "sha256:1080c4e3474155dc6d57b41472d809a797dfb5e7fb1d50eef4a5ed2473bf93cc";

    fn inspected(json: &str, image: &ImageAnswer) -> Inspected {
        serde_json::from_str::<ContainerAnswer>(json)
            .expect("an answer")
            .into_inspected(Engine::Docker, image)
    }

    #[test]
    fn a_container_of_a_swarm_is_read_as_docker_tells_it() {
        let inspected = inspected(
            r#"{"Id": "cb88", "Name": "/web.1.jtcm", "Created": "2026-11-21T21:40:45.105166127Z",
                "Image": "sha256:1080c4e3474155dc6d57b41472d809a797dfb5e7fb1d50eef4a5ed2473bf93cc", "State": {"Pid": 11944, "Running": true},
                "Config": {"Image": "team/web:1.2", "Healthcheck": {"Test": ["CMD-SHELL", "cat /x"], "Interval": 5000000000},
                    "Labels": {"com.docker.swarm.service.name": "web", "com.docker.swarm.task": ""}},
                "HostConfig": {"Privileged": true, "ReadonlyRootfs": true, "PidMode": "host", "NetworkMode": "default",
                    "IpcMode": "private", "UTSMode": "host", "UsernsMode": "", "CgroupnsMode": "private", "Tmpfs": {"/t": "size=1m", "/scratch": ""}},
                "Mounts": [{"Type": "tmpfs", "Source": "", "Destination": "/scratch", "Mode": "", "RW": true, "Propagation": ""},
                    {"Type": "volume", "Name": "v", "Source": "/v/_data", "Destination": "/data", "Mode": "z", "RW": false}]}"#,
            &ImageAnswer::default(),
        );
        assert_eq!(
            (inspected.name.to_string(), inspected.pid),
            ("web.1.jtcm".into(), 11944)
        );
        assert_eq!(
            (
                inspected.image_repository.to_string(),
                inspected.image_tag.to_string()
            ),
            ("team/web".into(), "1.2".into())
        );
        assert_eq!(inspected.image_id, ID);
        assert_eq!(inspected.created_ns, 1_795_297_245_105_166_127);
        assert!(inspected.privileged && inspected.declared_read_only);
        assert_eq!(
            inspected.host_namespaces,
            HostNamespaces {
                pid: true,
                uts: true,
                ..HostNamespaces::default()
            }
        );
        assert_eq!(inspected.health_check, ["/bin/sh", "-c", "cat /x"]);
        assert_eq!(inspected.health_check_interval_s, 5);
        let points: Vec<_> = inspected
            .mounts
            .iter()
            .map(|mount| (mount.destination.to_string(), mount.read_write))
            .collect();
        assert_eq!(
            points,
            [
                ("/data".into(), false),
                ("/scratch".into(), true),
                ("/t".into(), true)
            ]
        );
        assert_eq!(
            inspected
                .swarm()
                .and_then(|swarm| swarm.service())
                .map(ToString::to_string),
            Some("web".into())
        );
    }

    #[test]
    fn odd_members_cost_nothing_but_themselves() {
        for json in [
            "{}",
            r#"{"Name": null, "State": null, "Config": null, "HostConfig": null, "Mounts": null}"#,
            r#"{"Name": 7, "State": "running", "Config": [], "HostConfig": {"Privileged": "yes"}, "Mounts": {"a": 1}}"#,
            r#"{"State": {"Pid": -1}, "Created": "yesterday", "Config": {"Healthcheck": {"Test": ["NONE"]}}}"#,
            r#"{"Config": {"Healthcheck": {"Test": [], "Interval": 3000000000}, "Labels": {"a": 1}}}"#,
        ] {
            let mut expected = Inspected::default();
            // Nothing is said of that namespace.
            expected.promises.joined_namespaces.cgroup = true;
            assert_eq!(inspected(json, &ImageAnswer::default()), expected, "{json}");
        }
        let inspected = inspected(
            r#"{"Name": "/web", "Mounts": 3, "Config": {"Labels": {"a": null}}}"#,
            &ImageAnswer::default(),
        );
        assert_eq!(
            (inspected.name.to_string(), inspected.labels.len()),
            ("web".into(), 1)
        );
    }

    #[test]
    fn health_checks_are_what_the_engine_runs() {
        for (test, shell, expected) in [
            (vec!["CMD", "/check", "-q"], vec![], vec!["/check", "-q"]),
            (
                vec!["CMD-SHELL", "a || b"],
                vec![],
                vec!["/bin/sh", "-c", "a || b"],
            ),
            (
                vec!["CMD-SHELL", "a"],
                vec!["/bin/bash", "-ec"],
                vec!["/bin/bash", "-ec", "a"],
            ),
            (vec!["NONE"], vec![], vec![]),
            (vec![], vec![], vec![]),
        ] {
            let own = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect::<Vec<_>>();
            let check = Healthcheck {
                test: own(test.clone()),
                interval: 0,
            };
            assert_eq!(check.command(own(shell)), expected, "{test:?}");
        }
    }
}
