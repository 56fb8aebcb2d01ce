//! What each mount is to its container.

use std::cmp::Reverse;

use bstr::{BString, ByteSlice};
use vigia_event::container::DeclaredMount;
use vigia_event::mount::{Mount, MountKind, MountTable, is_below};

use super::identity::{ENGINE_FILES, id_of};
use super::secrets::{SwarmObjects, secret_of};

/// File systems through which the kernel speaks.
const KERNEL_FILE_SYSTEMS: &[&str] = &[
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "mqueue",
    "nsfs",
    "proc",
    "pstore",
    "securityfs",
    "selinuxfs",
    "sysfs",
    "tracefs",
];
const IN_MEMORY: &[&str] = &["tmpfs", "ramfs"];
/// Places of one mount on the host that are looked at.
const MAX_PLACES: usize = 16;

/// What is known around a container when its mounts are read.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The host's mounts: they tell where a bind came from.
    pub host: &'a MountTable,
    /// What a Swarm manager said of secrets and configurations.
    pub swarm: &'a SwarmObjects,
    /// What the engine declared for this container; empty while that is unknown.
    pub declared: &'a [DeclaredMount],
}

/// Classifies the mounts of a container. Works from any earlier classification as well as from fresh mounts, so
/// that late knowledge (the engine's answer, the names of Swarm's secrets) can be applied to a table.
#[must_use]
pub fn classify(mut mounts: Vec<Mount>, surroundings: &Surroundings<'_>) -> MountTable {
    let mut secrets = Vec::new();
    for mount in &mut mounts {
        mount.kind = if mount.point == "/" {
            MountKind::Root
        } else if is_of_the_kernel(mount) {
            MountKind::Kernel
        } else if is_engine_file(mount) {
            MountKind::Engine
        } else {
            let places = places(mount, surroundings.host);
            match secret_of(mount, &places, surroundings) {
                Some(secret) => {
                    secrets.push(secret);
                    MountKind::Secret
                }
                None if is_in_memory(mount) && places.is_empty() => MountKind::Tmpfs,
                None => MountKind::Volume,
            }
        };
    }
    MountTable {
        mounts,
        secrets,
        ..MountTable::default()
    }
}

/// Classifies the host's own mounts, where no engine and no secret plays a part.
#[must_use]
pub fn classify_host(mut mounts: Vec<Mount>) -> MountTable {
    for mount in &mut mounts {
        mount.kind = if mount.point == "/" {
            MountKind::Root
        } else if is_of_the_kernel(mount) {
            MountKind::Kernel
        } else if is_in_memory(mount) {
            MountKind::Tmpfs
        } else {
            MountKind::Other
        };
    }
    MountTable {
        mounts,
        ..MountTable::default()
    }
}

/// proc, sysfs and the like, the container's `/dev`, and what the engine laid over paths below them: an empty
/// tmpfs or the null device.
fn is_of_the_kernel(mount: &Mount) -> bool {
    let masks = ["/proc", "/sys"]
        .iter()
        .any(|folder| is_below(&mount.point, folder.as_bytes()));
    KERNEL_FILE_SYSTEMS
        .iter()
        .any(|name| mount.fs_type == *name)
        || is_in_memory(mount) && (masks || mount.point == "/dev")
}

/// Hosts, hostname and resolv.conf of the engine's making. One that a user bound from elsewhere is a volume.
fn is_engine_file(mount: &Mount) -> bool {
    ENGINE_FILES.iter().any(|file| mount.point == *file)
        && (id_of(mount).is_some()
            || mount.root.contains_str("/sandboxes/")
            || mount.root.contains_str("/overlay-containers/")
            || mount.root.ends_with_str("/etc-hosts"))
}

pub(super) fn is_in_memory(mount: &Mount) -> bool {
    IN_MEMORY.iter().any(|name| mount.fs_type == *name)
}

/// Where on the host the mounted tree lies, the nearest mount's place first; none for what only the container has mounted.
pub(super) fn places(mount: &Mount, host: &MountTable) -> Vec<BString> {
    let mut same: Vec<&Mount> = host
        .mounts
        .iter()
        .filter(|host| host.dev == mount.dev && is_below(&mount.root, &host.root))
        .collect();
    same.sort_by_key(|host| Reverse(host.root.len()));
    let places = same.into_iter().take(MAX_PLACES).map(|host| {
        let rest = mount
            .root
            .strip_prefix(host.root.trim_end_with(|byte| byte == '/'))
            .unwrap_or_default();
        // The root of a whole file system is the place itself.
        let rest = rest.strip_suffix(b"/").unwrap_or(rest);
        [host.point.trim_end_with(|byte| byte == '/'), rest].concat()
    });
    places.map(BString::from).collect()
}
