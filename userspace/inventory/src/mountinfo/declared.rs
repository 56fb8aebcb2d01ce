//! The mounts of a container that was gone before they could be read: what the engine declared of them.

use bstr::BString;
use vigia_event::container::Inspected;
use vigia_event::mount::{Mount, MountKind, MountTable};

use super::classify::{Surroundings, classify};
use super::identity::ENGINE_FILES;

/// What every engine mounts by itself: point, type, read-only.
const ALWAYS: &[(&str, &str, bool)] = &[
    ("/proc", "proc", false),
    ("/proc/sys", "proc", true),
    ("/dev", "tmpfs", false),
    ("/dev/pts", "devpts", false),
    ("/dev/shm", "tmpfs", false),
    ("/sys", "sysfs", true),
];

/// A table made of the engine's declaration: no ids, no devices, no secrets of a Swarm (engines do not list them).
#[must_use]
pub fn table_of_declared(inspected: &Inspected, surroundings: &Surroundings<'_>) -> MountTable {
    let mount = |point: &[u8], fs_type: &str, read_only| Mount {
        point: BString::from(point),
        fs_type: fs_type.into(),
        root: "/".into(),
        read_only: read_only && !inspected.privileged,
        ..Mount::default()
    };
    let mut mounts = vec![Mount {
        read_only: inspected.declared_read_only,
        ..mount(b"/", "overlay", false)
    }];
    mounts.extend(
        ALWAYS
            .iter()
            .map(|(point, fs_type, read_only)| mount(point.as_bytes(), fs_type, *read_only)),
    );
    mounts.extend(
        inspected
            .mounts
            .iter()
            .filter(|declared| declared.destination.starts_with(b"/"))
            .map(|declared| {
                // Engines leave the source of an in-memory mount empty.
                let (fs_type, root) = if declared.source.is_empty() {
                    ("tmpfs", "/".into())
                } else {
                    ("", declared.source.clone())
                };
                Mount {
                    root,
                    read_only: !declared.read_write,
                    ..mount(&declared.destination, fs_type, false)
                }
            }),
    );
    let mut table = classify(mounts, surroundings);
    let engine_files = ENGINE_FILES
        .iter()
        .filter(|file| table.mounts.iter().all(|mount| mount.point != **file));
    let engine_files: Vec<Mount> = engine_files
        .map(|file| Mount {
            kind: MountKind::Engine,
            ..mount(file.as_bytes(), "", inspected.declared_read_only)
        })
        .collect();
    table.mounts.extend(engine_files);
    table
}
