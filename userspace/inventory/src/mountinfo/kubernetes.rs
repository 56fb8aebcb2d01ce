//! Secrets of a pod: volumes of the kubelet's, tokens of clouds, what Vault's agent writes.
//!
//! A volume of secrets is a file system in memory of its own (on some nodes a folder on disk) that the kubelet binds into
//! every container that mounts it. In it, `..data` links to a folder named by the time of the current version, and each key
//! to its file below `..data`; a new version is a new folder, and a swap of that one link. Only the host's mounts, or the
//! runtime's declaration, tell from where a bind came.

use bstr::{BString, ByteSlice};
use vigia_event::mount::{Mount, is_below};
use vigia_event::secret::{SecretKind, SecretRef, SecretSource};

use super::classify::{Surroundings, is_in_memory};

/// Folders of the kubelet, one a kind of volume, whose volumes hold secrets.
const SECRET_VOLUMES: &[&[u8]] = &[b"kubernetes.io~secret", b"kubernetes.io~projected"];
/// Those of the other kinds that matter here.
const CSI_VOLUMES: &[u8] = b"kubernetes.io~csi";
const EMPTY_VOLUMES: &[u8] = b"kubernetes.io~empty-dir";
/// Where the kubelet binds what a `subPath` names, as in `volume-subpaths/VOLUME/CONTAINER/0`.
const SUB_PATHS: &[u8] = b"volume-subpaths";
/// Where a CSI driver mounts a volume, below the volume's folder.
const CSI_TARGET: &[u8] = b"/mount";
/// Where secrets are mounted by convention, what they are called, and who provides them. `/var/run` is `/run` in most
/// images.
const KNOWN_PLACES: &[(&str, &str, SecretSource)] = &[
    (
        "/run/secrets/kubernetes.io/serviceaccount",
        "service-account",
        SecretSource::Kubernetes,
    ),
    (
        "/run/secrets/eks.amazonaws.com/serviceaccount",
        "aws-iam-token",
        SecretSource::Kubernetes,
    ),
    (
        "/run/secrets/pods.eks.amazonaws.com/serviceaccount",
        "eks-pod-identity-token",
        SecretSource::Kubernetes,
    ),
    (
        "/run/secrets/azure/tokens",
        "azure-identity-token",
        SecretSource::Kubernetes,
    ),
    (
        "/run/secrets/openshift/serviceaccount",
        "bound-sa-token",
        SecretSource::Kubernetes,
    ),
    ("/run/secrets/tokens", "tokens", SecretSource::Kubernetes),
    ("/vault/secrets", "vault", SecretSource::Vault),
    ("/mnt/secrets-store", "secrets-store", SecretSource::Csi),
];

/// A place in a volume of the kubelet's, read from a path of the host.
struct InVolume<'p> {
    kind: &'p [u8],
    name: &'p [u8],
    /// What follows the volume's folder: empty, or from a slash on.
    rest: &'p [u8],
}

impl<'p> InVolume<'p> {
    fn of(path: &'p [u8]) -> Option<Self> {
        let kinds = SECRET_VOLUMES.iter().chain([&CSI_VOLUMES, &EMPTY_VOLUMES]);
        let (kind, at) = kinds
            .filter_map(|&kind| Some((kind, find_component(path, kind)?)))
            .next()?;
        let below = path.get(at + kind.len() + 1..)?;
        let end = below.find_byte(b'/').unwrap_or(below.len());
        let (name, rest) = below.split_at_checked(end)?;
        let rest = match kind == CSI_VOLUMES {
            true => rest.strip_prefix(CSI_TARGET).unwrap_or(rest),
            false => rest,
        };
        (!name.is_empty()).then_some(Self { kind, name, rest })
    }
}

/// Where a whole component of a path begins.
fn find_component(path: &[u8], wanted: &[u8]) -> Option<usize> {
    path.find_iter(wanted).find(|&at| {
        let before = at.checked_sub(1).and_then(|before| path.get(before));
        let behind = path.get(at + wanted.len());
        before == Some(&b'/') && behind == Some(&b'/')
    })
}

/// Which key of a volume lies at a path below the volume's root: without the folder of the version; `None` for the volume
/// itself and for such a folder.
pub(super) fn key_below(below: &[u8]) -> Option<&[u8]> {
    let below = below.trim_start_with(|byte| byte == '/');
    let key = match below.strip_prefix(b"..") {
        Some(version) => version.split_once_str("/")?.1,
        None => below,
    };
    (!key.is_empty()).then_some(key)
}

/// The uid of the pod whose volume, or part of one, lies at a path of the host.
pub(super) fn pod_of_volume(path: &[u8]) -> Option<&[u8]> {
    let (pod, _) = ["/volumes/kubernetes.io~", "/volume-subpaths/"]
        .iter()
        .find_map(|folder| path.split_once_str(folder))?;
    let uid = pod.rsplit_str("/").next()?;
    (!uid.is_empty()).then_some(uid)
}

/// Which key of a volume of the kubelet's lies at a path of the host.
pub(crate) fn key_on_host(path: &[u8]) -> Option<&[u8]> {
    key_below(InVolume::of(path)?.rest)
}

/// The secret that a volume of a pod grants; `places` are the mount's own on the host, the nearest first.
pub(super) fn secret_of(
    mount: &Mount,
    places: &[BString],
    surroundings: &Surroundings<'_>,
) -> Option<SecretRef> {
    // The kubelet's own folder, seen through a bind of the host's tree (a node's agents have one): nothing was granted.
    if InVolume::of(&mount.point).is_some() || is_of_sub_paths(&mount.point) {
        return None;
    }
    let declared = surroundings
        .declared
        .iter()
        .find(|declared| declared.destination == mount.point);
    let volume = places
        .iter()
        .chain([&mount.root])
        .chain(declared.map(|declared| &declared.source))
        .find_map(|path| InVolume::of(path));
    let known = known_place(mount);
    let (name, source) = match (&volume, known) {
        (Some(volume), _) if SECRET_VOLUMES.contains(&volume.kind) => {
            (volume.name, SecretSource::Kubernetes)
        }
        // Drivers of secrets keep them in memory, those of disks do not. Which driver it is, no mount tells.
        (Some(volume), _)
            if volume.kind == CSI_VOLUMES && (is_in_memory(mount) || known.is_some()) =>
        {
            (volume.name, SecretSource::Csi)
        }
        (_, Some((name, source))) => (name.as_bytes(), source),
        _ => return None,
    };
    // A `subPath` is a part of the volume, as it was when the container was made.
    let below = match &volume {
        Some(volume) if !volume.rest.is_empty() => volume.rest,
        _ if is_in_memory(mount) && mount.root.starts_with(b"/..") => &mount.root,
        _ => &[],
    };
    let name = match key_below(below) {
        Some(key) => [name, b"/", key].concat(),
        None => name.to_vec(),
    };
    Some(SecretRef {
        name: name.into(),
        path: mount.point.clone(),
        kind: SecretKind::Secret,
        source,
        dev: mount.dev,
        ino: 0,
    })
}

/// Whether an in-memory file system is one volume of the kubelet's.
pub(super) fn is_volume(host: &Mount) -> bool {
    host.root == "/" && InVolume::of(&host.point).is_some_and(|volume| volume.rest.is_empty())
}

fn is_of_sub_paths(path: &[u8]) -> bool {
    find_component(path, SUB_PATHS).is_some()
}

fn known_place(mount: &Mount) -> Option<(&'static str, SecretSource)> {
    let point = without_var(&mount.point);
    KNOWN_PLACES
        .iter()
        .find(|(place, ..)| is_below(point, place.as_bytes()))
        .map(|&(_, name, source)| (name, source))
        // Tokens are always in memory; a secret of compose may have such a name.
        .filter(|(_, source)| *source != SecretSource::Kubernetes || is_in_memory(mount))
}

/// A path as it is called where `/var/run` is a link to `/run`.
fn without_var(path: &[u8]) -> &[u8] {
    let rest = path.strip_prefix(b"/var");
    rest.filter(|rest| rest.starts_with(b"/run/"))
        .unwrap_or(path)
}
