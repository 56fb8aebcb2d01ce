//! Which container a cgroup belongs to, told by the cgroup's path alone.
//!
//! The path is known before the first process of a container starts, needs no engine, and cannot be chosen
//! by the container. That last point decides how nested paths are read: the *outermost* container counts,
//! because everything below its cgroup can be made and named by whoever controls the container, and a group
//! named like another container must not borrow that container's identity.

use bstr::ByteSlice;
use vigia_event::container::Engine;

/// Digits of a container id.
const ID_DIGITS: usize = 64;

/// Paths longer than this are not looked at: the kernel's own limit for a path.
const PATH_MAX: usize = 4096;

/// Prefixes that a runtime puts before the id, in scopes of systemd (`docker-ID.scope`) and in plain groups.
const PREFIXES: &[(&str, Engine)] = &[
    ("docker", Engine::Docker),
    ("libpod", Engine::Podman),
    // What `--cgroups=split` makes in the group of a service, as Quadlet does.
    ("libpod-payload", Engine::Podman),
    ("crio", Engine::CriO),
    ("cri-containerd", Engine::Containerd),
    ("nerdctl", Engine::Containerd),
    ("containerd", Engine::Containerd),
];

/// Groups in which a bare id names something else: a pod of Podman, in which its containers have groups of their own
/// beside the monitor; the host's side of a virtual machine of Kata.
const NO_CONTAINERS_IN: &[&[u8]] = &[b"libpod_parent", b"kata_overhead"];

/// A container as the path of a cgroup names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CgroupContainer<'p> {
    /// 64 hex digits.
    pub id: &'p str,
    /// Who made it, as far as the path tells: [`Engine::Unknown`] for a bare id below a parent of the user's choice.
    pub engine: Engine,
    /// The path of the container's own cgroup: `path` up to and with the part that carries the id.
    pub own_path: &'p [u8],
}

/// The outermost container on a cgroup path; `None` for a path of the host.
///
/// ```
/// let path = format!("/system.slice/docker-{}.scope", "a".repeat(64));
/// let found = vigia_inventory::cgroup::container_of(path.as_bytes()).expect("a container");
/// assert_eq!(found.id, "a".repeat(64));
/// ```
#[must_use]
pub fn container_of(path: &[u8]) -> Option<CgroupContainer<'_>> {
    let path = path.get(..PATH_MAX.min(path.len()))?;
    let mut parent: &[u8] = b"";
    let mut end = 0;
    for part in path.split(|&byte| byte == b'/') {
        end += part.len();
        if let Some((id, engine)) = container_of_part(part, parent) {
            return Some(CgroupContainer {
                id,
                engine,
                own_path: path.get(..end).unwrap_or(path),
            });
        }
        parent = part;
        end += 1;
    }
    None
}

/// The cgroup of the pod that a container of the kubelet's is in, by the path of the container's own; `None` for any other
/// container.
#[must_use]
pub fn pod_of(own_path: &[u8]) -> Option<&[u8]> {
    let (pod, _) = own_path.rsplit_once_str("/")?;
    let name = pod.rsplit_str("/").next()?;
    (pod.contains_str("kubepods") && name.contains_str("pod") && name != b"kubepods").then_some(pod)
}

/// The uid of that pod, as Kubernetes writes it.
#[must_use]
pub fn pod_uid(own_path: &[u8]) -> Option<String> {
    let name = pod_of(own_path)?.rsplit_str("/").next()?;
    let name = name.strip_suffix(b".slice").unwrap_or(name);
    let (_, uid) = name.rsplit_once_str("pod")?;
    // In the name of a slice, a hyphen would stand for a slice above.
    Some(uid.to_str().ok()?.replace('_', "-"))
}

/// The path of one hierarchy in the text of `/proc/PID/cgroup`: `controller` names a v1 controller
/// (`memory`, `name=systemd`), `None` the unified hierarchy.
#[must_use]
pub fn path_in<'t>(text: &'t [u8], controller: Option<&str>) -> Option<&'t [u8]> {
    text.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.splitn(3, |&byte| byte == b':');
        let (id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let wanted = match controller {
            None => id == b"0" && controllers.is_empty(),
            Some(name) => controllers
                .split(|&byte| byte == b',')
                .any(|one| one == name.as_bytes()),
        };
        wanted.then_some(path)
    })
}

/// Whether this is a whole container id.
#[must_use]
pub fn is_container_id(text: &[u8]) -> bool {
    text.len() == ID_DIGITS
        && text
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn container_of_part<'p>(part: &'p [u8], parent: &[u8]) -> Option<(&'p str, Engine)> {
    let part = std::str::from_utf8(part).ok()?;
    let part = part.strip_suffix(".scope").unwrap_or(part);
    // `slice:cri-containerd:ID` is what runc makes of a systemd path when it was told to use cgroupfs.
    if let Some((head, id)) = part.rsplit_once(':') {
        let word = head.rsplit_once(':').map_or(head, |(_, word)| word);
        return is_container_id(id.as_bytes()).then(|| (id, engine_of_prefix(word)));
    }
    if is_container_id(part.as_bytes()) {
        return (!NO_CONTAINERS_IN.contains(&parent)).then(|| (part, engine_of_parent(parent)));
    }
    let (prefix, id) = part.rsplit_once('-')?;
    let (_, engine) = PREFIXES.iter().find(|(name, _)| *name == prefix)?;
    is_container_id(id.as_bytes()).then_some((id, *engine))
}

fn engine_of_prefix(word: &str) -> Engine {
    PREFIXES
        .iter()
        .find(|(name, _)| *name == word)
        .map_or(Engine::Unknown, |(_, engine)| *engine)
}

/// The engine of a bare id, from the group above it.
fn engine_of_parent(parent: &[u8]) -> Engine {
    match parent {
        b"docker" => Engine::Docker,
        b"k8s.io" | b"default" => Engine::Containerd,
        // cri-o writes `crio-ID`; a bare id in a pod's group is containerd's, or now and then cri-dockerd's,
        // which the answer of the Docker API corrects.
        pod if pod.starts_with(b"pod") || pod.starts_with(b"kubepods") => Engine::Containerd,
        _ => Engine::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_of_one_pod_share_its_group() {
        let id = "a".repeat(64);
        for (parent, is_pod) in [
            ("/kubepods/burstable/pod1234", true),
            (
                "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod12.slice",
                true,
            ),
            ("/docker", false),
            ("/libpod_parent", false),
            ("/kubepods", false),
            ("/machine.slice/pods", false),
        ] {
            let path = format!("{parent}/{id}");
            let expected = is_pod.then_some(parent.as_bytes());
            assert_eq!(pod_of(path.as_bytes()), expected, "{path}");
        }
    }

    const ID: &str = "cb88e9aa616de881d907571c99dd391a8b8e42a205685db372ef402055eb838a";
    const OTHER: &str = "aa0ab810283dba822752b3bc8e939426f544725b0f000f67a61b213765fd8854";

    #[test]
    fn what_is_almost_an_id_is_none() {
        for path in [
            String::new(),
            format!("/docker/{}", &ID[..63]),
            format!("/docker/{ID}0"),
            format!("/docker/{}", ID.to_uppercase()),
            format!("/docker/{}", "é".repeat(32)),
            format!("/system.slice/unit-{ID}.scope"),
            format!("/system.slice/docker-{ID}.service"),
            format!("/system.slice/docker-{ID}-more.scope"),
            format!("/libpod_parent/{ID}"),
        ] {
            assert_eq!(container_of(path.as_bytes()), None, "{path}");
        }
    }

    #[test]
    fn the_outermost_container_counts() {
        for path in [
            format!("/docker/{ID}/docker/{OTHER}"),
            format!("/docker/{ID}/kubelet/kubepods/besteffort/pod1/{OTHER}"),
            format!("/docker/{ID}/system.slice/docker-{OTHER}.scope"),
        ] {
            let found = container_of(path.as_bytes()).expect("a container");
            assert_eq!(
                (found.id, found.own_path),
                (ID, format!("/docker/{ID}").as_bytes()),
                "{path}"
            );
        }
    }

    #[test]
    fn the_line_of_a_hierarchy_is_found() {
        let text = b"9:name=systemd:/s\n3:cpu,cpuacct:/c:d\n0::/u\n";
        for (controller, path) in [
            (Some("name=systemd"), Some("/s")),
            (Some("cpuacct"), Some("/c:d")),
            (None, Some("/u")),
            (Some("memory"), None),
        ] {
            assert_eq!(
                path_in(text, controller),
                path.map(str::as_bytes),
                "{controller:?}"
            );
        }
    }
}
