//! The container's id as its own mounts tell it: a second source beside the cgroup.

use bstr::ByteSlice;
use vigia_event::container::Engine;
use vigia_event::mount::Mount;

use crate::cgroup::is_container_id;

/// Files that engines bind into every container.
pub(super) const ENGINE_FILES: &[&str] = &[
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/run/.containerenv",
];

/// Folders in which an engine keeps such files, one folder a container.
const KEPT_IN: &[(&[u8], Engine)] = &[
    (b"containers", Engine::Docker),
    (b"overlay-containers", Engine::Podman),
];

/// The id that most of the engine's binds (hosts, hostname, resolv.conf) carry, and whose it is.
///
/// Absent where no bind carries one (Kubernetes), or where they disagree evenly. A container that shares another
/// one's network carries that one's id, so this is a cross-check where the cgroup speaks and evidence only where
/// it does not.
#[must_use]
pub fn container_id(mounts: &[Mount]) -> Option<(&str, Engine)> {
    let mut votes: Vec<(&str, Engine, usize)> = Vec::new();
    for mount in mounts
        .iter()
        .filter(|mount| ENGINE_FILES.iter().any(|file| mount.point == *file))
    {
        let Some((id, engine)) = id_of(mount) else {
            continue;
        };
        match votes.iter().position(|vote| vote.0 == id) {
            Some(index) => votes[index].2 += 1,
            None if votes.len() < ENGINE_FILES.len() => votes.push((id, engine, 1)),
            None => {}
        }
    }
    votes.sort_by_key(|vote| std::cmp::Reverse(vote.2));
    match votes.as_slice() {
        [first, second, ..] if first.2 == second.2 => None,
        [(id, engine, _), ..] => Some((id, *engine)),
        [] => None,
    }
}

/// The id in a path like `.../containers/ID/hostname`.
pub(super) fn id_of(mount: &Mount) -> Option<(&str, Engine)> {
    let mut parent: &[u8] = b"";
    for part in mount.root.split_str("/") {
        if is_container_id(part) {
            let (_, engine) = KEPT_IN.iter().find(|(folder, _)| *folder == parent)?;
            return Some((part.to_str().ok()?, *engine));
        }
        parent = part;
    }
    None
}
