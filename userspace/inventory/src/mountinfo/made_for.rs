//! For whom the secrets on a mount were made, as their place on the host tells.

use bstr::{BString, ByteSlice};
use vigia_event::container::Container;
use vigia_event::mount::{Mount, MountTable};

use super::classify::places;
use super::kubernetes;
use super::secrets::ENGINE_SECRETS;
use crate::cgroup::{self, is_container_id};

/// Where Podman and CRI-O keep what is a container's own, below the container's folder.
const OWN_FILES: &[u8] = b"/userdata";

/// Whose secrets they are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum MadeFor {
    /// Of the container with this id.
    Container(BString),
    /// Of the pod with this uid.
    Pod(BString),
}

/// Whether the secrets on a mount were made for somebody else than the container that has it: whoever may bind what he likes
/// into his container may bind another's, too. `false` where the place does not tell.
pub(crate) fn is_anothers(mount: &Mount, host: &MountTable, container: &Container) -> bool {
    let places = places(mount, host);
    let mut paths = places.iter().chain([&mount.root]);
    match paths.find_map(|path| owner_of(path)) {
        Some(MadeFor::Container(id)) => id != container.id.as_bytes(),
        // Who is in no pod at all may well be the kubelet's, under an engine of its own.
        Some(MadeFor::Pod(uid)) => {
            cgroup::pod_uid(&container.cgroup_path).is_some_and(|own| uid != own.as_bytes())
        }
        None => false,
    }
}

fn owner_of(path: &[u8]) -> Option<MadeFor> {
    if let Some(uid) = kubernetes::pod_of_volume(path) {
        return Some(MadeFor::Pod(uid.into()));
    }
    [ENGINE_SECRETS, OWN_FILES].iter().find_map(|folder| {
        let (before, _) = path.split_once_str(folder)?;
        let id = before.rsplit_str("/").next()?;
        is_container_id(id).then(|| MadeFor::Container(id.into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "cb88e9aa616de881d907571c99dd391a8b8e42a205685db372ef402055eb838a";
    const UID: &str = "0b7a3c52-7b8e-4c4b-8a5e-1a2b3c4d5e6f";

    #[test]
    fn a_place_on_the_host_tells_whose_secrets_are_there() {
        let other = "a".repeat(64);
        let container = Container {
            id: ID.to_owned(),
            cgroup_path: format!(
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{}.slice/cri-containerd-{ID}.scope",
                UID.replace('-', "_")
            )
            .into(),
            ..Container::default()
        };
        let kubelet = "/var/lib/kubelet/pods";
        for (root, expected) in [
            (
                format!("/var/lib/docker/containers/{ID}/mounts/secrets/x"),
                false,
            ),
            (
                format!("/var/lib/docker/containers/{other}/mounts/secrets/x"),
                true,
            ),
            (
                format!("/storage/overlay-containers/{ID}/userdata/secrets/x"),
                false,
            ),
            (
                format!("/storage/overlay-containers/{other}/userdata/secrets/x"),
                true,
            ),
            (
                format!("{kubelet}/{UID}/volumes/kubernetes.io~secret/db"),
                false,
            ),
            (format!("{kubelet}/{UID}/volume-subpaths/db/web/0"), false),
            (
                format!("{kubelet}/other/volumes/kubernetes.io~secret/db"),
                true,
            ),
            (format!("{kubelet}/other/volume-subpaths/db/web/0"), true),
            ("/srv/mounts/secrets/x".to_owned(), false),
            ("/oh8kfhfxd70pt7f7hc9vb4kxz".to_owned(), false),
        ] {
            let mount = Mount {
                root: root.as_str().into(),
                ..Mount::default()
            };
            let host = MountTable::default();
            assert_eq!(is_anothers(&mount, &host, &container), expected, "{root}");
            let plain = Container {
                cgroup_path: format!("/docker/{ID}").into(),
                ..container.clone()
            };
            let expected = expected && !root.starts_with(kubelet);
            assert_eq!(is_anothers(&mount, &host, &plain), expected, "{root}");
        }
    }
}
