//! Where something that runs comes from.

use vigia_event::file::{File, Layer, Origin};
use vigia_event::mount::{Mount, MountKind, MountTable};

/// `TMPFS_MAGIC` of the kernel's magic.h.
const TMPFS_MAGIC: u64 = 0x0102_1994;

/// Where an executable comes from.
///
/// `mounts` are those of its container (empty while they are not known), or `None` for a process of the
/// host. On a container's root that is not an overlay nothing tells the image from what was written since:
/// that is [`Origin::Unknown`].
#[must_use]
pub fn origin_of(file: &File, mounts: Option<&MountTable>) -> Origin {
    if file.path_notes.detached {
        return if file.path.starts_with(b"memfd:") {
            Origin::Memfd
        } else {
            Origin::Unknown
        };
    }
    // Before the magic number: an overlay whose upper layer lies on a tmpfs is still an overlay.
    match (file.layer, mounts) {
        (Layer::Upper, Some(_)) => return Origin::Upper,
        (Layer::Lower, Some(_)) => return Origin::Image,
        _ => {}
    }
    if file.fs_magic == TMPFS_MAGIC {
        return Origin::Tmpfs;
    }
    let Some(mounts) = mounts else {
        return Origin::Image;
    };
    let by_id = mounts.mounts.iter().find(|mount| mount.id == file.mount_id);
    by_id
        .or_else(|| mounts.find(&file.path))
        .map_or(Origin::Unknown, origin_by_mount)
}

/// Where a script comes from, by its absolute path alone; `mounts` as for [`origin_of`].
///
/// A script on the root of a container is [`Origin::Unknown`]: its layer is known only for what the kernel
/// itself executes.
#[must_use]
pub fn origin_of_script(path: &[u8], mounts: Option<&MountTable>) -> Origin {
    let Some(mounts) = mounts else {
        return Origin::Image;
    };
    mounts.find(path).map_or(Origin::Unknown, origin_by_mount)
}

fn origin_by_mount(mount: &Mount) -> Origin {
    match mount.kind {
        MountKind::Tmpfs => Origin::Tmpfs,
        MountKind::Volume | MountKind::Secret | MountKind::Engine => Origin::Volume,
        MountKind::Root | MountKind::Kernel | MountKind::Other => Origin::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vigia_event::file::PathNotes;

    fn mounts() -> MountTable {
        let mount = |id, point: &str, kind| Mount {
            id,
            point: point.into(),
            kind,
            ..Mount::default()
        };
        MountTable {
            mounts: vec![
                mount(1, "/", MountKind::Root),
                mount(2, "/tmp", MountKind::Tmpfs),
                mount(3, "/srv", MountKind::Volume),
            ],
            ..MountTable::default()
        }
    }

    #[test]
    fn an_origin_is_read_from_layer_file_system_and_mount() {
        let detached = PathNotes {
            detached: true,
            ..PathNotes::default()
        };
        let file = |path: &str| File {
            path: path.into(),
            fs_magic: 0xEF53,
            ..File::default()
        };
        let none = MountTable::default();
        let mounts = mounts();
        for (name, file, mounts, expected) in [
            (
                "lower",
                File {
                    layer: Layer::Lower,
                    ..file("/bin/sh")
                },
                Some(&mounts),
                Origin::Image,
            ),
            (
                "upper",
                File {
                    layer: Layer::Upper,
                    ..file("/bin/x")
                },
                Some(&mounts),
                Origin::Upper,
            ),
            (
                "memfd",
                File {
                    path_notes: detached,
                    ..file("memfd:x")
                },
                Some(&mounts),
                Origin::Memfd,
            ),
            (
                "a pipe",
                File {
                    path_notes: detached,
                    ..file("pipe:[1]")
                },
                Some(&mounts),
                Origin::Unknown,
            ),
            (
                "tmpfs",
                File {
                    fs_magic: TMPFS_MAGIC,
                    ..file("/dev/shm/x")
                },
                Some(&mounts),
                Origin::Tmpfs,
            ),
            (
                "volume by path",
                file("/srv/x"),
                Some(&mounts),
                Origin::Volume,
            ),
            (
                "volume by id",
                File {
                    mount_id: 3,
                    ..file("/elsewhere/x")
                },
                Some(&mounts),
                Origin::Volume,
            ),
            (
                "a root that is no overlay",
                file("/bin/sh"),
                Some(&mounts),
                Origin::Unknown,
            ),
            (
                "mounts not known",
                file("/bin/sh"),
                Some(&none),
                Origin::Unknown,
            ),
            ("host", file("/bin/sh"), None, Origin::Image),
            (
                "host on an overlay",
                File {
                    layer: Layer::Upper,
                    ..file("/bin/sh")
                },
                None,
                Origin::Image,
            ),
            (
                "host in memory",
                File {
                    fs_magic: TMPFS_MAGIC,
                    ..file("/dev/shm/x")
                },
                None,
                Origin::Tmpfs,
            ),
        ] {
            assert_eq!(origin_of(&file, mounts), expected, "{name}");
        }
    }

    #[test]
    fn the_origin_of_a_script_is_read_from_its_mount() {
        let mounts = mounts();
        for (path, mounts, expected) in [
            ("/tmp/x.sh", Some(&mounts), Origin::Tmpfs),
            ("/srv/x.sh", Some(&mounts), Origin::Volume),
            ("/x.sh", Some(&mounts), Origin::Unknown),
            ("/x.sh", None, Origin::Image),
        ] {
            assert_eq!(
                origin_of_script(path.as_bytes(), mounts),
                expected,
                "{path}"
            );
        }
    }
}
