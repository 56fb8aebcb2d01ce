//! Secrets: what was granted, and who reads it.

use bstr::BString;
use serde::{Deserialize, Serialize};

/// A secret or configuration that a container's mounts grant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SecretRef {
    /// Its name: as the orchestrator calls it where that is known, else the last component of its path.
    pub name: BString,
    /// Where the container finds it.
    pub path: BString,
    /// What it is.
    pub kind: SecretKind,
    /// Who provides it.
    pub source: SecretSource,
    /// `major << 20 | minor` of the file system it lies on, where known.
    pub dev: u32,
    /// Its inode number; 0 where only the device is known.
    pub ino: u64,
}

/// Secret or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SecretKind {
    /// A secret.
    #[default]
    Secret,
    /// A configuration: never fires.
    Config,
    /// One of the two.
    Unknown,
}

/// Who provides a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are those of the products")]
pub enum SecretSource {
    Swarm,
    Compose,
    Podman,
    Kubernetes,
    /// A driver of the Container Storage Interface, such as the Secrets Store.
    Csi,
    Vault,
    /// Variables that a process was started with, read where /proc shows them.
    Environment,
    Declared,
    #[default]
    Unknown,
}

/// Who a reader of a secret is; the precedence is that of this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reader {
    /// The container engine or its runtime.
    Engine,
    /// A process outside containers.
    Host,
    /// A container that was not granted this secret.
    Foreign,
    /// The container's own health check.
    Probe,
    /// A process that entered the container from outside (`docker exec`, `nsenter`).
    Entered,
    /// A program that is not from the image.
    Dropped,
    /// A reader named by label or configuration.
    Declared,
    /// The container's main process.
    Main,
    /// A program of the image, during start.
    Startup,
    /// A chain of programs that read a secret during start.
    Lineage,
    /// Any other chain.
    Late,
    /// The start of the container was not observed.
    Unknown,
}

/// One access to a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretAccess {
    /// Which secret.
    pub secret: SecretRef,
    /// Who reads it.
    pub reader: Reader,
    /// Why the reader is judged so, in words, with the chain of programs.
    pub reason: String,
    /// Whether a mount of a container led to it, whoever reads, rather than one of the host.
    #[serde(default)]
    pub by_container_mount: bool,
}

impl SecretKind {
    /// The word rules use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Config => "config",
            Self::Unknown => "unknown",
        }
    }
}

impl SecretSource {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Swarm,
        Self::Compose,
        Self::Podman,
        Self::Kubernetes,
        Self::Csi,
        Self::Vault,
        Self::Environment,
        Self::Declared,
        Self::Unknown,
    ];

    /// The word rules use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Swarm => "swarm",
            Self::Compose => "compose",
            Self::Podman => "podman",
            Self::Kubernetes => "kubernetes",
            Self::Csi => "csi",
            Self::Vault => "vault",
            Self::Environment => "environment",
            Self::Declared => "declared",
            Self::Unknown => "unknown",
        }
    }
}

impl Reader {
    /// The word rules use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Host => "host",
            Self::Foreign => "foreign",
            Self::Probe => "probe",
            Self::Entered => "entered",
            Self::Dropped => "dropped",
            Self::Declared => "declared",
            Self::Main => "main",
            Self::Startup => "startup",
            Self::Lineage => "lineage",
            Self::Late => "late",
            Self::Unknown => "unknown",
        }
    }
}
