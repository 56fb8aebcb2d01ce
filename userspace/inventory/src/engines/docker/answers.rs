//! The parts of the API's answers that are read. Everything is optional: versions and engines differ, and one odd
//! member must not cost the rest.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use vigia_event::container::{DeclaredMount, HostNamespaces, Inspected};

use crate::engines::image::ImageName;
use crate::engines::limits;

/// Mounts kept of one container.
const MAX_MOUNTS: usize = 1024;
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
}

/// An element of `GET /containers/json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Listed {
    #[serde(deserialize_with = "or_default")]
    pub(super) id: String,
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

/// `GET /secrets/ID` and `GET /configs/ID`, without a configuration's content.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SwarmAnswer {
    #[serde(rename = "ID", deserialize_with = "or_default")]
    pub(super) id: String,
    #[serde(rename = "Spec", deserialize_with = "or_default")]
    pub(super) spec: SwarmSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct SwarmSpec {
    #[serde(deserialize_with = "or_default")]
    pub(super) name: String,
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
    pid_mode: String,
    #[serde(deserialize_with = "or_default")]
    network_mode: String,
    #[serde(deserialize_with = "or_default")]
    ipc_mode: String,
    #[serde(deserialize_with = "or_default")]
    tmpfs: BTreeMap<String, Option<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct MountAnswer {
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

/// `null` and a value of an unexpected type count as absent.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Lenient<T> {
        Value(T),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Lenient::deserialize(from)? {
        Lenient::Value(value) => value,
        Lenient::Other(_) => T::default(),
    })
}

impl ContainerAnswer {
    /// What rules see of it; `image` tells what its name leaves out.
    pub(super) fn into_inspected(self, image: &ImageAnswer) -> Inspected {
        let health_check_interval_s = self.config.healthcheck.interval_s();
        let names = image_names(&self.config.image, &self.image, image);
        let host = &self.host_config;
        let mut mounts: Vec<DeclaredMount> =
            self.mounts.into_iter().take(MAX_MOUNTS).map(MountAnswer::into_declared).collect();
        for point in host.tmpfs.keys().take(MAX_MOUNTS) {
            let destination = limits::text(point.clone());
            if mounts.iter().all(|mount| mount.destination != destination) {
                mounts.push(DeclaredMount { destination, read_write: true, ..DeclaredMount::default() });
            }
        }
        Inspected {
            name: limits::text(self.name.strip_prefix('/').map_or(self.name.clone(), str::to_owned)),
            image_repository: names.0,
            image_tag: names.1,
            image_digest: names.2,
            image: limits::text(self.config.image),
            image_id: limits::text(self.image),
            privileged: host.privileged,
            declared_read_only: host.readonly_rootfs,
            host_namespaces: HostNamespaces {
                pid: host.pid_mode == "host",
                network: host.network_mode == "host",
                ipc: host.ipc_mode == "host",
            },
            labels: limits::labels(self.config.labels),
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
                let shell = if shell.is_empty() { vec!["/bin/sh".to_owned(), "-c".to_owned()] } else { shell };
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

/// Repository, tag and digest of an image that was named by its creator.
fn image_names(named: &str, id: &str, image: &ImageAnswer) -> (bstr::BString, bstr::BString, bstr::BString) {
    let hex = id.strip_prefix("sha256:").unwrap_or(id);
    let is_id = !named.is_empty() && (hex.starts_with(named) || id.starts_with(named));
    let tagged = image.repo_tags.first().map(String::as_str).unwrap_or_default();
    let mut name = ImageName::parse(if is_id { tagged } else { named });
    if name.tag.is_empty() && name.digest.is_empty() && !name.repository.is_empty() {
        name.tag = "latest";
    }
    if name.digest.is_empty() {
        let digests = image.repo_digests.iter().map(|digest| ImageName::parse(digest));
        name.digest = digests.into_iter().find(|digest| same_repository(digest.repository, name.repository)).unwrap_or_default().digest;
    }
    (limits::text(name.repository.into()), limits::text(name.tag.into()), limits::text(name.digest.into()))
}

/// Docker writes `nginx` where Podman and registries write `docker.io/library/nginx`.
fn same_repository(one: &str, other: &str) -> bool {
    fn short(name: &str) -> &str {
        let name = name.strip_prefix("docker.io/").unwrap_or(name);
        name.strip_prefix("library/").unwrap_or(name)
    }
    short(one) == short(other)
}

fn created_ns(created: &str) -> u64 {
    let timestamp: Option<jiff::Timestamp> = created.parse().ok();
    timestamp.and_then(|time| u64::try_from(time.as_nanosecond()).ok()).unwrap_or(0)
}
