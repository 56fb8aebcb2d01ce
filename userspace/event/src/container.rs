//! A container as an event's rules see it: an immutable snapshot.

mod confinement;
mod image;
mod pod;
mod promises;
mod swarm;

use std::collections::BTreeMap;
use std::sync::Arc;

use bstr::BString;
use serde::{Deserialize, Serialize};

use crate::mount::MountTable;
use crate::process::ProcessKey;
use crate::users::Users;

pub use confinement::{CgroupLimits, Confinement, DEFAULT_CAPABILITIES, Seccomp};
pub use image::{ImageFacts, Severity, Vulnerabilities, VulnerablePackage};
pub use pod::{POD_NAME, POD_NAMESPACE, POD_UID, Pod, SANDBOX_ID};
pub use promises::{Promises, PublishedPort, is_secret_variable};
pub use swarm::{Swarm, SwarmGrant};

/// One container between two changes of what is in here.
///
/// What is shared between snapshots is no part of its serialised form: whoever stores one refers to it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Container {
    /// The whole id: 64 hex digits.
    pub id: String,
    /// Which engine made it.
    pub engine: Engine,
    /// Kernfs node id of its cgroup.
    pub cgroup_id: u64,
    /// Path of its cgroup.
    pub cgroup_path: BString,
    /// Its first process; `None` while none was seen.
    pub init: Option<ProcessKey>,
    /// Mount namespace of its first process; 0 while none was seen.
    pub mnt_ns: u32,
    /// When its first process started, nanoseconds since the epoch; 0 for unknown.
    pub start_time_ns: u64,
    /// Whether its start was observed: false for one that ran before the agent.
    pub observed: bool,
    /// Its mounts, read from the first process; `None` while not yet read.
    #[serde(skip)]
    pub mounts: Option<Arc<MountTable>>,
    /// Whether its root was read-only when its first program started; `None` while that is not known.
    pub started_read_only: Option<bool>,
    /// The rights of its first process; `None` while they are not known.
    pub confinement: Option<Confinement>,
    /// Users and groups of its root.
    #[serde(skip)]
    pub users: Arc<Users>,
    /// What the engine says of it.
    #[serde(skip)]
    pub metadata: Metadata,
}

impl Container {
    /// The first 12 digits of the id, as engines print it.
    #[must_use]
    pub fn short_id(&self) -> &str {
        self.id.get(..12).unwrap_or(&self.id)
    }

    /// Whether its root is meant to be read-only: as its engine declares, or as it was when it started. What a
    /// process made of it since does not count. `None` for not known.
    #[must_use]
    pub fn is_read_only(&self) -> Option<bool> {
        let declared = self.known().map(|inspected| inspected.declared_read_only);
        let mounted = || {
            self.mounts
                .as_ref()
                .and_then(|mounts| mounts.root_read_only())
        };
        match declared {
            Some(true) => declared,
            _ => self.started_read_only.or_else(mounted).or(declared),
        }
    }

    /// What the engine says, where it is known.
    #[must_use]
    pub fn known(&self) -> Option<&Inspected> {
        match &self.metadata {
            Metadata::Known(inspected) => Some(inspected),
            Metadata::Pending | Metadata::Unavailable => None,
        }
    }
}

/// The engine that made a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are those of the products")]
pub enum Engine {
    Docker,
    Podman,
    Containerd,
    CriO,
    #[default]
    Unknown,
}

impl Engine {
    /// The word rules use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Containerd => "containerd",
            Self::CriO => "cri-o",
            Self::Unknown => "unknown",
        }
    }
}

/// What the engine says of a container, or why it says nothing.
#[derive(Clone, Debug, Default)]
pub enum Metadata {
    /// Asked for, and on its way: fields from it are unknown.
    #[default]
    Pending,
    /// There is no engine to ask, or it does not know the container: fields from it are missing.
    Unavailable,
    /// Here it is.
    Known(Arc<Inspected>),
}

/// An engine's answer about one container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Inspected {
    /// Without the leading slash.
    pub name: BString,
    /// The image as the container's creator named it, as in `nginx:1.27`.
    pub image: BString,
    /// The image without tag and digest.
    pub image_repository: BString,
    /// The tag; empty for none.
    pub image_tag: BString,
    /// The digest; empty for none.
    pub image_digest: BString,
    /// The image's id.
    pub image_id: BString,
    /// What others found out about the image; `None` where nobody was asked. Not recorded: it may be another when a
    /// recording is judged.
    #[serde(skip)]
    pub image_facts: Option<Arc<ImageFacts>>,
    /// Whether it was started with `--privileged`.
    pub privileged: bool,
    /// Whether it was started with `--read-only`.
    pub declared_read_only: bool,
    /// Labels, bounded in number and length.
    pub labels: BTreeMap<String, BString>,
    /// Labels of its pod, likewise; empty outside Kubernetes.
    pub pod_labels: BTreeMap<String, BString>,
    /// What the specification of its Swarm service gives it; empty where no manager tells.
    pub swarm_grants: Vec<SwarmGrant>,
    /// The health check's command, as the engine runs it: an argument vector; empty for none.
    pub health_check: Vec<BString>,
    /// Mounts as the engine declares them.
    pub mounts: Vec<DeclaredMount>,
    /// Which namespaces of the host it is declared to use.
    pub host_namespaces: HostNamespaces,
    /// Its rights, limits and ways in.
    pub promises: Box<Promises>,
    /// Seconds between two runs of the health check; 0 for none.
    pub health_check_interval_s: u64,
    /// Process id of its first process, in the host's pid namespace; 0 while it does not run.
    pub pid: u32,
    /// When it was created, nanoseconds since the epoch; 0 for unknown.
    pub created_ns: u64,
}

/// Which namespaces of the host a container uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are the kernel's")]
pub struct HostNamespaces {
    pub pid: bool,
    pub network: bool,
    pub ipc: bool,
    pub uts: bool,
    pub user: bool,
    pub cgroup: bool,
}

/// A mount as the engine declares it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are those of the engine's API")]
pub struct DeclaredMount {
    pub source: BString,
    pub destination: BString,
    pub mode: BString,
    pub read_write: bool,
    pub propagation: BString,
}

impl Inspected {
    /// One label.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&BString> {
        self.labels.get(name)
    }

    /// What Kubernetes says; `None` outside pods.
    #[must_use]
    pub fn pod(&self) -> Option<Pod<'_>> {
        self.labels.contains_key(POD_NAME).then_some(Pod {
            labels: &self.labels,
        })
    }
}
