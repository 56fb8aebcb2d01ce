//! The container of an alert: who it is, and what it promised.

use bstr::{BStr, BString};
use serde::Serialize;
use vigia_event::Container;
use vigia_event::container::{Inspected, Severity};

use super::texts::{NAME_BYTES, Texts};

/// Names of secrets that are listed.
const MAX_SECRETS: usize = 32;

/// The container an alert is about. Labels and environment are left out on purpose: they may hold secrets, and a rule
/// that needs one names it in its output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ContainerEvidence {
    /// What Compose says of it; `None` outside Compose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compose: Option<ComposeEvidence>,
    /// `sha256:...`; `None` where unknown or not pulled by digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// `docker`, `podman`, `containerd`, `cri-o` or `unknown`.
    pub engine: &'static str,
    /// The whole id.
    pub id: String,
    /// The image as the container's creator named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The image's id; of some engines a digest of its configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    /// Whether the image is on the list of trusted ones; `None` without a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_trusted: Option<bool>,
    /// What a scanner knows of the image; `None` without a report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_vulnerabilities: Option<VulnerabilityEvidence>,
    /// The container's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The pod it belongs to; `None` outside Kubernetes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodEvidence>,
    /// Whether its root is read-only; `None` while its mounts are unknown.
    pub read_only: Option<bool>,
    /// The image without tag and digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Names of the secrets it was granted.
    pub secrets: Vec<String>,
    /// What Swarm says of it; `None` outside Swarm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swarm: Option<SwarmEvidence>,
    /// The image's tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// What a scanner knows of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct VulnerabilityEvidence {
    /// How many vulnerabilities, of each package each one once.
    pub count: u64,
    /// The highest severity; `none` where there are none.
    pub highest: &'static str,
}

/// What Compose says of a container, by the labels it gives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ComposeEvidence {
    /// The project's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The service's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// What Kubernetes says of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PodEvidence {
    /// The pod's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its uid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
}

/// What Swarm says of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SwarmEvidence {
    /// The node's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The service's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The stack's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// The task's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
}

impl ContainerEvidence {
    pub(super) fn of(container: &Container, texts: &Texts<'_>) -> Self {
        let name = |bytes: &[u8]| (!bytes.is_empty()).then(|| texts.bounded(bytes, NAME_BYTES));
        let known = container.known();
        let label = |value: Option<&BString>| value.and_then(|value| name(value));
        let facts = known.and_then(|known| known.image_facts.as_deref());
        let compose = |known: &Inspected| {
            let evidence = ComposeEvidence {
                project: label(known.label("com.docker.compose.project")),
                service: label(known.label("com.docker.compose.service")),
            };
            (evidence != ComposeEvidence::default()).then_some(evidence)
        };
        Self {
            compose: known.and_then(compose),
            digest: known.and_then(|known| name(&known.image_digest)),
            engine: container.engine.name(),
            id: texts.plain(container.id.as_bytes(), NAME_BYTES),
            image: known.and_then(|known| name(&known.image)),
            image_id: known.and_then(|known| name(&known.image_id)),
            image_trusted: facts.and_then(|facts| facts.trusted),
            image_vulnerabilities: facts.and_then(|facts| facts.vulnerabilities.as_ref()).map(
                |found| VulnerabilityEvidence {
                    count: found.count,
                    highest: found.highest.map_or("none", Severity::name),
                },
            ),
            name: known.and_then(|known| name(&known.name)),
            pod: known.and_then(|known| known.pod()).map(|pod| PodEvidence {
                name: label(pod.name()),
                namespace: label(pod.namespace()),
                uid: label(pod.uid()),
            }),
            read_only: container.is_read_only(),
            repository: known.and_then(|known| name(&known.image_repository)),
            secrets: secret_names(container, texts),
            swarm: known
                .and_then(|known| known.swarm())
                .map(|swarm| SwarmEvidence {
                    node: label(swarm.node()),
                    service: label(swarm.service()),
                    stack: label(swarm.stack()),
                    task: label(swarm.task()),
                }),
            tag: known.and_then(|known| name(&known.image_tag)),
        }
    }
}

fn secret_names(container: &Container, texts: &Texts<'_>) -> Vec<String> {
    let Some(mounts) = &container.mounts else {
        return Vec::new();
    };
    let mut names: Vec<&BStr> = mounts
        .granted()
        .map(|secret| secret.name.as_ref())
        .collect();
    names.sort_unstable();
    names.dedup();
    names.truncate(MAX_SECRETS);
    names
        .into_iter()
        .map(|name| texts.bounded(name, NAME_BYTES))
        .collect()
}
