//! The mounts of one mount namespace, as `/proc/PID/mountinfo` tells them.

use bstr::{BString, ByteSlice};
use serde::{Deserialize, Serialize};

use crate::secret::{SecretKind, SecretRef};

/// One line of mountinfo.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// `mnt_id`.
    pub id: u32,
    /// `mnt_id` of the mount it stands on.
    pub parent_id: u32,
    /// `major << 20 | minor`.
    pub dev: u32,
    /// What of the file system is mounted.
    pub root: BString,
    /// Where, seen from the process's root.
    pub point: BString,
    /// Whether the mount or its file system is read-only.
    pub read_only: bool,
    /// File system type.
    pub fs_type: BString,
    /// Mount source.
    pub source: BString,
    /// What the mount is to its container.
    pub kind: MountKind,
    /// Of an overlay, the folder on the host that holds what was written; empty for unknown.
    #[serde(skip)]
    pub upper: BString,
}

/// What a mount is to its container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MountKind {
    /// The root.
    Root,
    /// Mounted from outside: a bind or a volume.
    Volume,
    /// In-memory, made for this container.
    Tmpfs,
    /// A secret or a configuration.
    Secret,
    /// `/etc/hosts`, `/etc/hostname`, `/etc/resolv.conf` as an engine binds them.
    Engine,
    /// proc, sysfs, cgroup, devices, and paths that the engine masks.
    Kernel,
    /// None of these.
    #[default]
    Other,
}

impl MountKind {
    /// The word rules use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Volume => "volume",
            Self::Tmpfs => "tmpfs",
            Self::Secret => "secret",
            Self::Engine => "engine",
            Self::Kernel => "kernel",
            Self::Other => "other",
        }
    }
}

/// All mounts of one namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MountTable {
    /// In the order of mountinfo: a later mount on the same point covers an earlier one.
    pub mounts: Vec<Mount>,
    /// Secrets and configurations among them.
    pub secrets: Vec<SecretRef>,
    /// When the table had been read, in nanoseconds of `CLOCK_BOOTTIME`; 0 where it was made up from an engine's answer.
    pub read_ns: u64,
}

impl MountTable {
    /// The mount an absolute, normalised path lies on.
    #[must_use]
    pub fn find(&self, path: &[u8]) -> Option<&Mount> {
        let mut best: Option<&Mount> = None;
        for mount in &self.mounts {
            if is_below(path, &mount.point)
                && best.is_none_or(|best| mount.point.len() >= best.point.len())
            {
                best = Some(mount);
            }
        }
        best
    }

    /// The secrets that it grants, each once: a folder of secrets stands for those in it only where they are no mounts of
    /// their own (Podman mounts both).
    pub fn granted(&self) -> impl Iterator<Item = &SecretRef> {
        let is_part_of = |other: &SecretRef, secret: &SecretRef| {
            other.kind != SecretKind::Config
                && other.path != secret.path
                && is_below(&other.path, &secret.path)
        };
        self.secrets.iter().filter(move |secret| {
            secret.kind != SecretKind::Config
                && !self.secrets.iter().any(|other| is_part_of(other, secret))
        })
    }

    /// The mount that something mounted onto `path` at `time_ns` has covered. A table read after that time shows the
    /// newcomer on top: what it stands on is meant.
    #[must_use]
    pub fn find_covered(&self, path: &[u8], time_ns: u64) -> Option<&Mount> {
        let top = self.find(path)?;
        if self.read_ns < time_ns || top.point != path {
            return Some(top);
        }
        let below = self.mounts.iter().find(|mount| mount.id == top.parent_id);
        Some(below.unwrap_or(top))
    }

    /// Whether the root is read-only; `None` where no root is known.
    #[must_use]
    pub fn root_read_only(&self) -> Option<bool> {
        self.find(b"/").map(|root| root.read_only)
    }
}

/// Whether `path` is `folder` or lies below it, by whole components.
#[must_use]
pub fn is_below(path: &[u8], folder: &[u8]) -> bool {
    let folder = folder.strip_suffix(b"/").unwrap_or(folder);
    path.strip_prefix(folder.as_bytes())
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_and_latest_mount_wins() {
        let mount = |id, point: &str| Mount {
            id,
            point: point.into(),
            ..Mount::default()
        };
        let table = MountTable {
            mounts: vec![
                mount(1, "/"),
                mount(2, "/run"),
                mount(3, "/run/secrets/db"),
                mount(4, "/run"),
            ],
            ..MountTable::default()
        };
        for (path, id) in [
            ("/", 1),
            ("/etc", 1),
            ("/run", 4),
            ("/runner", 1),
            ("/run/secrets/db", 3),
            ("/run/secrets/dbx", 4),
        ] {
            assert_eq!(
                table.find(path.as_bytes()).map(|mount| mount.id),
                Some(id),
                "{path}"
            );
        }
    }

    #[test]
    fn a_folder_of_secrets_is_listed_where_nothing_in_it_is() {
        let secret = |path: &str, kind| SecretRef {
            name: path.rsplit('/').next().expect("a name").into(),
            path: path.into(),
            kind,
            ..SecretRef::default()
        };
        let table = MountTable {
            secrets: vec![
                secret("/run/secrets", SecretKind::Secret),
                secret("/run/secrets/db", SecretKind::Secret),
                secret("/run/secrets/app.conf", SecretKind::Config),
                secret("/etc/certs", SecretKind::Secret),
            ],
            ..MountTable::default()
        };
        let names: Vec<_> = table
            .granted()
            .map(|secret| secret.name.as_slice())
            .collect();
        assert_eq!(names, [b"db".as_slice(), b"certs"]);
    }

    #[test]
    fn what_was_covered_lies_below_a_newcomer_the_table_already_shows() {
        let mount = |id, parent_id, point: &str| Mount {
            id,
            parent_id,
            point: point.into(),
            ..Mount::default()
        };
        let before = [mount(1, 0, "/"), mount(2, 1, "/tmp")];
        let after = [mount(3, 1, "/srv"), mount(4, 2, "/tmp")];
        let table = |read_ns, mounts: &[&[Mount]]| MountTable {
            mounts: mounts.concat(),
            read_ns,
            ..MountTable::default()
        };
        for (path, covered) in [("/srv", 1), ("/tmp", 2), ("/tmp/x", 2), ("/", 1)] {
            let read_before = table(99, &[&before]);
            let read_after = table(101, &[&before, &after]);
            for table in [&read_before, &read_after] {
                let found = table.find_covered(path.as_bytes(), 100);
                let expected = if path == "/tmp/x" && table.read_ns > 100 {
                    4
                } else {
                    covered
                };
                assert_eq!(found.map(|mount| mount.id), Some(expected), "{path}");
            }
        }
    }
}
