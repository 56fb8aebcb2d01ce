//! What rules see of a container or sandbox, made of the engine's answers.

use std::collections::{BTreeMap, HashMap};

use bstr::BString;
use vigia_event::container::{
    DeclaredMount, Inspected, POD_NAME, POD_NAMESPACE, POD_UID, SANDBOX_ID,
};

use super::info::Info;
use super::messages::{
    ContainerStatus, Image, LinuxPodSandboxStatus, Mount, NamespaceOption, PodSandboxStatus,
};
use super::promises;
use crate::engines::image::{ImageName, same_repository};
use crate::engines::limits::{self, MAX_MOUNTS};

/// What is known of a pod.
#[derive(Debug, Default)]
pub(super) struct Pod {
    /// Who it is, in the labels of [`vigia_event::container::Pod`].
    identity: BTreeMap<String, BString>,
    /// Its labels.
    labels: BTreeMap<String, BString>,
    /// The namespaces it asked for.
    namespaces: NamespaceOption,
}

impl Pod {
    /// What a sandbox tells.
    pub(super) fn of(status: &PodSandboxStatus) -> Self {
        let mut pod = Self::unknown(&status.id);
        let metadata = status.metadata.clone().unwrap_or_default();
        for (label, value) in [
            (POD_NAME, metadata.name),
            (POD_NAMESPACE, metadata.namespace),
            (POD_UID, metadata.uid),
        ] {
            if !value.is_empty() {
                pod.identity.insert(label.to_owned(), limits::text(value));
            }
        }
        pod.labels = labels(status.labels.clone());
        pod.namespaces = namespaces(status.linux.as_ref());
        pod
    }

    /// One of which nothing but the sandbox's id is known.
    pub(super) fn unknown(sandbox_id: &str) -> Self {
        let id = limits::text(sandbox_id.to_owned());
        Self {
            identity: BTreeMap::from([(SANDBOX_ID.to_owned(), id)]),
            ..Self::default()
        }
    }

    /// A container's labels with those that say which pod it belongs to: an engine knows that better than whoever
    /// labelled the container.
    fn named(&self, mut labels: BTreeMap<String, BString>) -> BTreeMap<String, BString> {
        labels.extend(self.identity.clone());
        labels
    }
}

/// A container.
pub(super) fn container(
    status: ContainerStatus,
    info: Info,
    pod: &Pod,
    image: &Image,
) -> Inspected {
    let spec = status.image.unwrap_or_default();
    let told_id = match status.image_id.is_empty() {
        true => info.config.image.image.clone(),
        false => status.image_id,
    };
    let named = match spec.user_specified_image.is_empty() {
        true => spec.image,
        false => spec.user_specified_image,
    };
    Inspected {
        name: limits::text(status.metadata.unwrap_or_default().name),
        mounts: mounts(status.mounts),
        labels: pod.named(labels(status.labels)),
        created_ns: u64::try_from(status.created_at).unwrap_or(0),
        ..inspected(info, pod, &named, (told_id, status.image_ref), image)
    }
}

/// A pod's sandbox: its name is the pod's.
pub(super) fn sandbox(status: PodSandboxStatus, info: Info, pod: &Pod, image: &Image) -> Inspected {
    let named = info.image.clone();
    Inspected {
        name: limits::text(status.metadata.unwrap_or_default().name),
        labels: pod.named(labels(status.labels)),
        created_ns: u64::try_from(status.created_at).unwrap_or(0),
        ..inspected(info, pod, &named, (named.clone(), String::new()), image)
    }
}

/// What both have in common. `told` are the image's id, if it is one, and its name with a digest.
fn inspected(
    info: Info,
    pod: &Pod,
    named: &str,
    (told_id, image_ref): (String, String),
    image: &Image,
) -> Inspected {
    let is_id = |name: &&String| ImageName::is_id(name);
    let image_id = Some(&image.id)
        .filter(|id| !id.is_empty())
        .or([&told_id, &image_ref].into_iter().find(is_id))
        .cloned()
        .unwrap_or_default();
    let digests: Vec<String> = image
        .repo_digests
        .iter()
        .cloned()
        .chain([image_ref])
        .collect();
    let name = ImageName::complete(named, &image_id, &image.repo_tags, &digests);
    // The creator may have left out the registry.
    let full = image.repo_tags.iter().chain(&digests);
    let repository = full
        .map(|full| ImageName::parse(full).repository)
        .find(|full| !full.is_empty() && same_repository(full, name.repository))
        .unwrap_or(name.repository);
    let pid = info.pid;
    let declared = promises::of(info, pod.namespaces);
    Inspected {
        image: limits::text(named.to_owned()),
        image_repository: limits::text(repository.to_owned()),
        image_tag: limits::text(name.tag.to_owned()),
        image_digest: limits::text(name.digest.to_owned()),
        image_id: limits::text(image_id),
        pod_labels: pod.labels.clone(),
        privileged: declared.privileged,
        declared_read_only: declared.read_only,
        host_namespaces: declared.host_namespaces,
        promises: Box::new(declared.promises),
        pid,
        ..Inspected::default()
    }
}

fn labels(labels: HashMap<String, String>) -> BTreeMap<String, BString> {
    limits::labels(
        labels
            .into_iter()
            .map(|(name, value)| (name, Some(value)))
            .collect(),
    )
}

fn namespaces(status: Option<&LinuxPodSandboxStatus>) -> NamespaceOption {
    status
        .and_then(|linux| linux.namespaces.as_ref()?.options)
        .unwrap_or_default()
}

fn mounts(mounts: Vec<Mount>) -> Vec<DeclaredMount> {
    let declared = |mount: Mount| DeclaredMount {
        source: limits::text(mount.host_path),
        destination: limits::text(mount.container_path),
        mode: BString::default(),
        read_write: !mount.readonly,
        propagation: match mount.propagation {
            0 => "rprivate",
            1 => "rslave",
            2 => "rshared",
            _ => "",
        }
        .into(),
    };
    let mut mounts: Vec<DeclaredMount> =
        mounts.into_iter().take(MAX_MOUNTS).map(declared).collect();
    mounts.sort_by(|one, other| one.destination.cmp(&other.destination));
    mounts
}
