//! Where it happens: the container, its mounts, and what its engine says of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bstr::BString;
use vigia_event::container::{DeclaredMount, Engine, Inspected};
use vigia_event::mount::{Mount, MountKind, MountTable};
use vigia_event::users::Users;
use vigia_event::{Container, Metadata};

use super::{SECOND_NS, promises};
use crate::document::{Kind, Node};
use crate::reading::{self, Keys, Result};

const KEYS: &[&str] = &[
    "id",
    "name",
    "image",
    "engine",
    "read_only",
    "privileged",
    "labels",
    "k8s",
    "mounts",
    "uptime_s",
    "observed",
    "health_check",
    "host_pid",
    "host_network",
    "host_ipc",
    "host_uts",
    "host_user",
    "host_cgroup",
    "user",
    "cap_added",
    "cap_dropped",
    "no_new_privileges",
    "seccomp",
    "apparmor",
    "selinux",
    "memory_limit",
    "pids_limit",
    "cpu_limit",
    "ports",
    "devices",
    "tmpfs",
    "secret_variables",
    "kernel",
    "image_facts",
];

/// A container and the mounts its processes see.
pub(super) struct Surroundings {
    pub(super) container: Option<Container>,
    pub(super) mounts: Arc<MountTable>,
}

/// Reads where a case happens.
pub(super) fn read(
    case: &Keys<'_>,
    on_host: bool,
    now_ns: u64,
    users: &Arc<Users>,
) -> Result<Surroundings> {
    let node = case.get("container");
    if let Some(node) = node
        && matches!(node.kind, Kind::Scalar(_))
        && !on_host
    {
        return Err(node.fault("a container is a map, as in {image: nginx:1.27}, or the word host"));
    }
    let nothing = Node {
        place: Default::default(),
        kind: Kind::Null,
    };
    let keys = match node {
        Some(node) if matches!(node.kind, Kind::Mapping(_)) => Keys::only(node, KEYS)?,
        _ => Keys::only(&nothing, KEYS)?,
    };
    let read_only = keys.flag("read_only")?.unwrap_or(false);
    let mut mounts = everyday_mounts(read_only, on_host);
    let mut declared = Vec::new();
    for node in keys.items("mounts")? {
        let (mount, as_declared) = mount(node)?;
        mounts.push(mount);
        declared.push(as_declared);
    }
    let mounts = Arc::new(MountTable {
        mounts,
        ..MountTable::default()
    });
    if on_host {
        return Ok(Surroundings {
            container: None,
            mounts,
        });
    }
    let mut inspected = inspected(&keys)?;
    inspected.declared_read_only = read_only;
    inspected.mounts = declared;
    // `uptime_s: ~` is a container that the engine still sets up.
    let start_time_ns = match (keys.has("uptime_s"), keys.number::<u64>("uptime_s")?) {
        (false, _) => now_ns - 3600 * SECOND_NS,
        (true, None) => 0,
        (true, Some(seconds)) => now_ns.saturating_sub(seconds.saturating_mul(SECOND_NS)),
    };
    let container = Container {
        id: keys
            .text("id")?
            .map_or_else(|| "ab".repeat(32), str::to_owned),
        engine: keys
            .get("engine")
            .map_or(Ok(Engine::Docker), |node| engine(node))?,
        start_time_ns,
        observed: keys.flag("observed")?.unwrap_or(true),
        mounts: Some(Arc::clone(&mounts)),
        started_read_only: Some(read_only),
        confinement: promises::kernel(&keys)?,
        users: Arc::clone(users),
        metadata: Metadata::Known(Arc::new(inspected)),
        ..Container::default()
    };
    Ok(Surroundings {
        container: Some(container),
        mounts,
    })
}

fn engine(node: &Node) -> Result<Engine> {
    const ENGINES: [Engine; 5] = [
        Engine::Docker,
        Engine::Podman,
        Engine::Containerd,
        Engine::CriO,
        Engine::Unknown,
    ];
    reading::one_of(node, &ENGINES, Engine::name)
}

/// What the engine says.
fn inspected(keys: &Keys<'_>) -> Result<Inspected> {
    let image = keys.text("image")?.unwrap_or("nginx:1.27");
    let (tagged, digest) = image.split_once('@').unwrap_or((image, ""));
    // A colon before the last slash belongs to the port of a registry.
    let (repository, tag) = match tagged.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (tagged, ""),
    };
    let mut labels = labels_of(keys)?;
    let mut pod_labels = BTreeMap::new();
    if let Some(node) = keys.get("k8s") {
        let pod = Keys::only(node, &["namespace", "pod", "uid", "container", "labels"])?;
        for (key, label) in [
            ("namespace", "io.kubernetes.pod.namespace"),
            ("pod", "io.kubernetes.pod.name"),
            ("uid", "io.kubernetes.pod.uid"),
            ("container", "io.kubernetes.container.name"),
        ] {
            if let Some(text) = pod.text(key)? {
                labels.insert(label.to_owned(), text.into());
            }
        }
        pod_labels = labels_of(&pod)?;
    }
    Ok(Inspected {
        name: keys.text("name")?.unwrap_or("web").into(),
        image: image.into(),
        image_repository: repository.into(),
        image_tag: tag.into(),
        image_digest: digest.into(),
        privileged: keys.flag("privileged")?.unwrap_or(false),
        labels,
        pod_labels,
        health_check: keys
            .texts("health_check")?
            .into_iter()
            .map(BString::from)
            .collect(),
        host_namespaces: promises::host_namespaces(keys)?,
        promises: Box::new(promises::declared(keys)?),
        image_facts: promises::image_facts(keys)?.map(Arc::new),
        ..Inspected::default()
    })
}

/// What is written below `labels`.
fn labels_of(keys: &Keys<'_>) -> Result<BTreeMap<String, BString>> {
    let mut labels = BTreeMap::new();
    if let Some(node) = keys.get("labels") {
        for (name, value) in node.entries() {
            labels.insert(
                reading::text(name)?.to_owned(),
                BString::from(reading::text(value)?),
            );
        }
    }
    Ok(labels)
}

/// A mount of the case: as mountinfo shows it, and as the engine declares it.
fn mount(node: &Node) -> Result<(Mount, DeclaredMount)> {
    const KINDS: [MountKind; 7] = [
        MountKind::Root,
        MountKind::Volume,
        MountKind::Tmpfs,
        MountKind::Secret,
        MountKind::Engine,
        MountKind::Kernel,
        MountKind::Other,
    ];
    let keys = Keys::only(node, &["path", "source", "kind", "read_only", "mode"])?;
    let path = keys
        .text("path")?
        .ok_or_else(|| node.fault("a mount needs its `path`"))?;
    let source = keys.text("source")?.unwrap_or("/srv/data");
    let read_only = keys.flag("read_only")?.unwrap_or(false);
    let kind = keys.get("kind").map_or(Ok(MountKind::Volume), |node| {
        reading::one_of(node, &KINDS, MountKind::name)
    })?;
    let declared = DeclaredMount {
        source: source.into(),
        destination: path.into(),
        mode: keys
            .text("mode")?
            .unwrap_or(if read_only { "ro" } else { "rw" })
            .into(),
        read_write: !read_only,
        ..DeclaredMount::default()
    };
    Ok((made(path, kind, read_only, "ext4"), declared))
}

/// What a container of Docker's has mounted, with one volume of each kind and a secret; or what a host has.
fn everyday_mounts(read_only_root: bool, on_host: bool) -> Vec<Mount> {
    let mut mounts = vec![
        made(
            "/",
            MountKind::Root,
            read_only_root,
            if on_host { "ext4" } else { "overlay" },
        ),
        made("/proc", MountKind::Kernel, false, "proc"),
        made("/proc/sys", MountKind::Kernel, !on_host, "proc"),
        made("/sys", MountKind::Kernel, !on_host, "sysfs"),
        made("/dev", MountKind::Kernel, false, "tmpfs"),
        made("/tmp", MountKind::Tmpfs, false, "tmpfs"),
    ];
    if !on_host {
        mounts.extend([
            made("/data", MountKind::Volume, false, "ext4"),
            made("/config", MountKind::Volume, true, "ext4"),
            made("/etc/hosts", MountKind::Engine, read_only_root, "ext4"),
            made("/run/secrets/db_password", MountKind::Secret, true, "tmpfs"),
        ]);
    }
    mounts
}

fn made(point: &str, kind: MountKind, read_only: bool, fs_type: &str) -> Mount {
    Mount {
        point: point.into(),
        kind,
        read_only,
        fs_type: fs_type.into(),
        ..Mount::default()
    }
}
