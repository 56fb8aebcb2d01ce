//! Which mounts of a container are secrets, and which merely look like them.

use bstr::{BString, ByteSlice};
use rustc_hash::FxHashMap;
use vigia_event::mount::{Mount, MountTable, is_below};
use vigia_event::secret::{SecretKind, SecretRef, SecretSource};

use super::classify::{Surroundings, is_in_memory};
use super::kubernetes;

/// Where Swarm, compose and Podman put secrets unless told otherwise.
pub const SECRET_FOLDERS: &[&str] = &["/run/secrets", "/var/run/secrets"];
/// Swarm's ids: this many digits of base 36.
const SWARM_ID_DIGITS: usize = 25;
/// Where the Docker engine mounts the secrets of a Swarm task, below the task's own folder.
pub(super) const ENGINE_SECRETS: &[u8] = b"/mounts/secrets";
/// Files beside a service account's token that are no secrets.
const PUBLIC_PARTS: &[&[u8]] = &[b"ca.crt", b"namespace"];

/// What a Swarm manager says of the secrets and configurations it knows, by id.
pub type SwarmObjects = FxHashMap<String, SwarmObject>;

/// A secret or configuration of a Swarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwarmObject {
    /// [`SecretKind::Secret`] or [`SecretKind::Config`].
    pub kind: SecretKind,
    /// Its name in the Swarm.
    pub name: BString,
}

/// Whether this is an id as Swarm gives it to secrets and configurations.
#[must_use]
pub fn is_swarm_id(text: &[u8]) -> bool {
    text.len() == SWARM_ID_DIGITS
        && text
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z'))
}

/// Whether a file of a Kubernetes secret volume is none: the certificate and the namespace beside a token. Its name in the
/// volume decides: a path can be made to end as one likes.
#[must_use]
pub fn is_public_part(secret: &SecretRef) -> bool {
    let key = secret.name.split_once_str("/").map(|(_, key)| key);
    let name = key.and_then(|key| key.rsplit_str("/").next());
    secret.source == SecretSource::Kubernetes
        && name.is_some_and(|name| PUBLIC_PARTS.contains(&name))
}

/// What a file on a mount is that grants a secret: the secret itself, or one of those in a folder. `below` is the file's path
/// without that of the mount; empty for the mount itself.
pub(crate) fn part_of(granted: &SecretRef, below: &[u8]) -> SecretRef {
    let is_volume = matches!(
        granted.source,
        SecretSource::Kubernetes | SecretSource::Csi | SecretSource::Vault
    );
    let key = match is_volume {
        true => kubernetes::key_below(below),
        false => Some(below.trim_start_with(|byte| byte == '/')).filter(|key| !key.is_empty()),
    };
    let Some(key) = key else {
        return granted.clone();
    };
    let joined = |start: &[u8]| BString::from([start, b"/", key].concat());
    SecretRef {
        name: match is_volume {
            true => joined(&granted.name),
            false => last_part(key),
        },
        path: joined(&granted.path),
        ..granted.clone()
    }
}

/// Whether everything on the file system of a mount that grants a secret is one: it is in memory, and made for nothing else.
/// Of others (an engine's folder below `/run`) only known files are.
pub(crate) fn holds_only_secrets(mount: &Mount, host: &MountTable) -> bool {
    let whole = |other: &&Mount| other.dev == mount.dev && other.root == "/";
    is_in_memory(mount)
        && host
            .mounts
            .iter()
            .filter(whole)
            .all(|whole| kubernetes::is_volume(whole) || whole.point.ends_with(ENGINE_SECRETS))
}

/// The secret that a mount grants. `places` are the mount's own in the host's tree, the nearest first.
pub(super) fn secret_of(
    mount: &Mount,
    places: &[BString],
    surroundings: &Surroundings<'_>,
) -> Option<SecretRef> {
    swarm(mount, surroundings.swarm)
        .or_else(|| kubernetes::secret_of(mount, places, surroundings))
        .or_else(|| podman(mount, places.first().map(|place| place.as_bytes())))
        .or_else(|| below_secret_folder(mount))
}

/// Swarm keeps the secrets *and* the configurations of a task on one tmpfs, each as a file named by its id.
fn swarm(mount: &Mount, known: &SwarmObjects) -> Option<SecretRef> {
    let id = mount.root.strip_prefix(b"/")?;
    if mount.fs_type != "tmpfs" || !is_swarm_id(id) {
        return None;
    }
    let known = id.to_str().ok().and_then(|id| known.get(id));
    let (kind, name) = match known {
        Some(object) => (object.kind, object.name.clone()),
        None if in_secret_folder(&mount.point) => (SecretKind::Secret, last_part(&mount.point)),
        None => (SecretKind::Unknown, last_part(&mount.point)),
    };
    Some(secret(mount, name, kind, SecretSource::Swarm))
}

/// Podman keeps a container's secrets in `overlay-containers/ID/userdata/secrets/NAME`, or `vfs-containers` and the like.
fn podman(mount: &Mount, came_from: Option<&[u8]>) -> Option<SecretRef> {
    [came_from, Some(mount.root.as_bytes())]
        .into_iter()
        .flatten()
        .find(|path| {
            let (_, rest) = path.split_once_str("-containers/").unwrap_or_default();
            let mut parts = rest.split_str("/").skip(1);
            let folder = (parts.next(), parts.next(), parts.next());
            matches!(folder, (Some(b"userdata"), Some(b"secrets"), Some(_)))
                || matches!(folder, (Some(b"userdata"), Some(b"run"), Some(b"secrets")))
        })
        .map(|_| {
            secret(
                mount,
                last_part(&mount.point),
                SecretKind::Secret,
                SecretSource::Podman,
            )
        })
}

/// What compose makes of `file:` secrets: binds below the well-known folder. A tmpfs there holds secrets, too.
fn below_secret_folder(mount: &Mount) -> Option<SecretRef> {
    let source = if mount.fs_type == "tmpfs" && mount.root == "/" {
        SecretSource::Unknown
    } else {
        SecretSource::Compose
    };
    in_secret_folder(&mount.point)
        .then(|| secret(mount, last_part(&mount.point), SecretKind::Secret, source))
}

/// Whether a path is one of the well-known folders of secrets or lies below one.
fn in_secret_folder(path: &[u8]) -> bool {
    SECRET_FOLDERS
        .iter()
        .any(|folder| is_below(path, folder.as_bytes()))
}

/// The last component of a path.
pub(crate) fn last_part(path: &[u8]) -> BString {
    path.rsplit(|&byte| byte == b'/')
        .next()
        .unwrap_or_default()
        .into()
}

fn secret(mount: &Mount, name: BString, kind: SecretKind, source: SecretSource) -> SecretRef {
    SecretRef {
        name,
        path: mount.point.clone(),
        kind,
        source,
        dev: mount.dev,
        ino: 0,
    }
}
