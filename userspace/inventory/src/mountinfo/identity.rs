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

/// The id in a path like `.../containers/ID/hostname`. Other parts may look like one, too: a volume's name in which a
/// nested engine keeps its files, a layer of an image.
pub(super) fn id_of(mount: &Mount) -> Option<(&str, Engine)> {
    let (mut before, mut parent): (&[u8], &[u8]) = (b"", b"");
    let mut found = None;
    for (depth, part) in mount.root.split_str("/").enumerate() {
        if is_container_id(part)
            && let Some(engine) = keeper(depth, before, parent)
        {
            found = Some((part.to_str().ok()?, engine));
        }
        (before, parent) = (parent, part);
    }
    found
}

/// The engine that keeps the files of a container in a folder named by its id: told by the folder above it, or by the
/// two above it.
fn keeper(depth: usize, before: &[u8], parent: &[u8]) -> Option<Engine> {
    match (before, parent) {
        (_, b"containers") => Some(Engine::Docker),
        // The storage driver comes first: `overlay-containers`, `vfs-containers`. CRI-O keeps its sandboxes so as well.
        (_, parent) if parent.ends_with(b"-containers") => Some(Engine::Podman),
        // Of nerdctl: by the namespace of containerd.
        (b"containers" | b"etchosts", _) => Some(Engine::Containerd),
        // Docker's, where its folder of containers is a file system of its own.
        _ if depth == 1 => Some(Engine::Docker),
        _ => None,
    }
}
