//! Which cgroup hierarchy tells containers apart on this host.
//!
//! A task is in one cgroup per hierarchy, and up to a dozen hierarchies can exist at once. The kernel's own
//! shortcut (`bpf_get_current_cgroup_id`) answers for the version 2 tree only, in which an engine on a
//! version 1 or hybrid host may have nothing. Container runtimes decide by one question, so we ask the same
//! one: is `/sys/fs/cgroup` itself a version 2 file system? If so they use that tree and nothing else; if
//! not, they make a group in every version 1 hierarchy they find, and any controller that every runtime
//! manages will do.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Controllers that every runtime puts its containers into, best first: `memory` and `pids` are never shared
/// between containers, the rest may be mounted together with others.
const CONTROLLERS: [&str; 7] = [
    "memory", "pids", "devices", "freezer", "cpu", "blkio", "cpuset",
];

/// Where runtimes look for the version 2 tree.
const UNIFIED_POINT: &[u8] = b"/sys/fs/cgroup";

/// Files larger than this are no `cgroups` or `mountinfo` of a sane host.
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// The hierarchy in which engines make their groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// The version 1 controller by which the kernel finds it; `None` for the version 2 tree.
    pub controller: Option<&'static str>,
    /// `cgroup_root.hierarchy_id`, as in `/proc/cgroups`; 0 for the version 2 tree.
    pub id: u32,
    /// Where the host mounts it, seen from the host's root.
    pub mount_point: PathBuf,
    /// How the host is set up.
    pub layout: Layout,
}

/// How a host mounts cgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Version 2 only, or version 2 with version 1 leftovers that no engine uses.
    Unified,
    /// Version 1 controllers beside a version 2 tree.
    Hybrid,
    /// Version 1 only.
    Legacy,
}

/// Why no hierarchy could be chosen.
#[derive(Debug, thiserror::Error)]
pub enum HierarchyError {
    /// A file of the host's /proc could not be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel answered.
        #[source]
        source: io::Error,
    },
    /// Nothing is mounted in which an engine could make a group.
    #[error("no cgroup hierarchy is mounted that a container engine could use")]
    NotMounted,
}

impl Hierarchy {
    /// Chooses the hierarchy of the host whose /proc is at `proc_root`.
    ///
    /// # Errors
    /// When /proc cannot be read there, or no usable hierarchy is mounted.
    pub fn choose(proc_root: &Path) -> Result<Self, HierarchyError> {
        let mounts = read_host_mountinfo(proc_root)?;
        // Without version 1 support in the kernel the file is absent: there is then only the version 2 tree.
        let controllers = match read_bounded(&proc_root.join("cgroups")) {
            Err(HierarchyError::Read { source, .. })
                if source.kind() == io::ErrorKind::NotFound =>
            {
                Vec::new()
            }
            other => other?,
        };
        choose(&controllers, &mounts).ok_or(HierarchyError::NotMounted)
    }

    /// A folder through which this process reaches the root of the hierarchy.
    ///
    /// Goes through the host's init, so that it is the host's tree even where this process has a mount or
    /// cgroup namespace of its own; falls back to the plain path.
    #[must_use]
    pub fn folder(&self, proc_root: &Path) -> PathBuf {
        let relative = self
            .mount_point
            .strip_prefix("/")
            .unwrap_or(&self.mount_point);
        let through_init = proc_root.join("1/root").join(relative);
        if through_init.is_dir() {
            through_init
        } else {
            self.mount_point.clone()
        }
    }

    /// Why this hierarchy, in words for `doctor`.
    #[must_use]
    pub fn reason(&self) -> String {
        match (self.layout, self.controller) {
            (Layout::Unified, _) => "/sys/fs/cgroup is the version 2 tree".to_owned(),
            (Layout::Hybrid, Some(name)) => {
                format!(
                    "hybrid host: engines make a group in every version 1 hierarchy, {name} is one of them"
                )
            }
            (Layout::Legacy, Some(name)) => {
                format!("version 1 host: engines make a group under {name}")
            }
            (_, None) => {
                "no version 1 controller is mounted, so only the version 2 tree is left".to_owned()
            }
        }
    }
}

/// Prefers the mounts of the host's init: those of this process are the container's where it runs in one.
fn read_host_mountinfo(proc_root: &Path) -> Result<Vec<u8>, HierarchyError> {
    read_bounded(&proc_root.join("1/mountinfo"))
        .or_else(|_| read_bounded(&proc_root.join("self/mountinfo")))
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, HierarchyError> {
    use io::Read as _;
    let read = || -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        std::fs::File::open(path)?
            .take(MAX_FILE_BYTES)
            .read_to_end(&mut content)?;
        Ok(content)
    };
    read().map_err(|source| HierarchyError::Read {
        path: path.to_owned(),
        source,
    })
}

/// The decision itself, from the text of `/proc/cgroups` and of a mountinfo.
fn choose(controllers: &[u8], mountinfo: &[u8]) -> Option<Hierarchy> {
    let mounts: Vec<CgroupMount<'_>> = mountinfo
        .split(|&byte| byte == b'\n')
        .filter_map(cgroup_mount)
        .collect();
    let unified = mounts.iter().rev().find(|mount| mount.is_v2);
    // A later mount on the same point covers an earlier one, hence the reverse order.
    let at_unified_point = mounts
        .iter()
        .rev()
        .find(|mount| mount.point == UNIFIED_POINT);
    if at_unified_point.is_some_and(|mount| mount.is_v2) {
        return unified_hierarchy(at_unified_point?, Layout::Unified);
    }
    let layout = if unified.is_some() {
        Layout::Hybrid
    } else {
        Layout::Legacy
    };
    for name in CONTROLLERS {
        let Some(id) = v1_hierarchy_id(controllers, name) else {
            continue;
        };
        if let Some(mount) = mounts.iter().rev().find(|mount| mount.has_controller(name)) {
            return Some(Hierarchy {
                controller: Some(name),
                id,
                mount_point: unescape(mount.point),
                layout,
            });
        }
    }
    unified_hierarchy(unified?, Layout::Hybrid)
}

fn unified_hierarchy(mount: &CgroupMount<'_>, layout: Layout) -> Option<Hierarchy> {
    Some(Hierarchy {
        controller: None,
        id: 0,
        mount_point: unescape(mount.point),
        layout,
    })
}

/// The hierarchy a controller is bound to, from `/proc/cgroups`; `None` where it is disabled or on version 2.
fn v1_hierarchy_id(controllers: &[u8], name: &str) -> Option<u32> {
    controllers.split(|&byte| byte == b'\n').find_map(|line| {
        let mut columns = words(line);
        if columns.next()? != name.as_bytes() {
            return None;
        }
        let id: u32 = number(columns.next()?)?;
        let enabled = columns.nth(1)? == b"1";
        (enabled && id != 0).then_some(id)
    })
}

/// One line of mountinfo that mounts a whole cgroup hierarchy.
#[derive(Debug, PartialEq, Eq)]
struct CgroupMount<'a> {
    is_v2: bool,
    point: &'a [u8],
    super_options: &'a [u8],
}

impl CgroupMount<'_> {
    fn has_controller(&self, name: &str) -> bool {
        !self.is_v2
            && self
                .super_options
                .split(|&byte| byte == b',')
                .any(|option| option == name.as_bytes())
    }
}

fn cgroup_mount(line: &[u8]) -> Option<CgroupMount<'_>> {
    let mut columns = words(line);
    let root = columns.nth(3)?;
    let point = columns.next()?;
    // Options and any number of optional fields follow, closed by a single dash.
    columns.find(|&word| word == b"-")?;
    let is_v2 = match columns.next()? {
        b"cgroup2" => true,
        b"cgroup" => false,
        _ => return None,
    };
    let super_options = columns.nth(1)?;
    // A bind of a part of the tree (docker-in-docker) is not where groups are made.
    (root == b"/").then_some(CgroupMount {
        is_v2,
        point,
        super_options,
    })
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| byte.is_ascii_whitespace())
        .filter(|word| !word.is_empty())
}

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// mountinfo writes space, tab, newline and backslash as `\ooo`.
fn unescape(text: &[u8]) -> PathBuf {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        match (byte, tail) {
            (
                b'\\',
                [
                    a @ b'0'..=b'3',
                    b @ b'0'..=b'7',
                    c @ b'0'..=b'7',
                    after @ ..,
                ],
            ) => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            _ => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    PathBuf::from(OsString::from_vec(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: &str = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n\
        cpuset\t3\t1\t1\ncpu\t1\t1\t1\nmemory\t4\t21\t1\ndevices\t5\t1\t1\npids\t8\t1\t1\n";
    const NO_MEMORY: &str = "memory\t0\t1\t0\npids\t8\t1\t1\n";
    const ON_V2: &str = "cpu\t0\t90\t1\nmemory\t0\t90\t1\npids\t0\t90\t1\n";

    const V2: &str =
        "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
    const TMPFS: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n";
    const MEMORY: &str =
        "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";
    const PIDS: &str =
        "39 31 0:36 / /sys/fs/cgroup/pids rw,relatime master:2 - cgroup cgroup rw,pids\n";
    const UNIFIED: &str = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
    const NESTED: &str =
        "50 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";

    type Expected = Option<(Option<&'static str>, u32, &'static str, Layout)>;

    #[test]
    fn the_hierarchy_runtimes_use_is_chosen() {
        use Layout::{Hybrid, Legacy, Unified};
        let cases: &[(&str, &str, String, Expected)] = &[
            (
                "version 2",
                ON_V2,
                V2.into(),
                Some((None, 0, "/sys/fs/cgroup", Unified)),
            ),
            (
                "version 2 without version 1 support",
                "",
                V2.into(),
                Some((None, 0, "/sys/fs/cgroup", Unified)),
            ),
            (
                "hybrid",
                BOUND,
                [TMPFS, MEMORY, PIDS, UNIFIED].concat(),
                Some((Some("memory"), 4, "/sys/fs/cgroup/memory", Hybrid)),
            ),
            (
                "version 1",
                BOUND,
                [TMPFS, PIDS, MEMORY].concat(),
                Some((Some("memory"), 4, "/sys/fs/cgroup/memory", Legacy)),
            ),
            (
                "memory controller disabled at boot",
                NO_MEMORY,
                [TMPFS, MEMORY, PIDS].concat(),
                Some((Some("pids"), 8, "/sys/fs/cgroup/pids", Legacy)),
            ),
            (
                "memory bound but not mounted",
                BOUND,
                [TMPFS, PIDS].concat(),
                Some((Some("pids"), 8, "/sys/fs/cgroup/pids", Legacy)),
            ),
            (
                "hybrid with all controllers on version 2",
                ON_V2,
                [TMPFS, UNIFIED].concat(),
                Some((None, 0, "/sys/fs/cgroup/unified", Hybrid)),
            ),
            (
                "version 2 mounted over version 1",
                BOUND,
                [MEMORY, V2].concat(),
                Some((None, 0, "/sys/fs/cgroup", Unified)),
            ),
            (
                "a leftover version 1 mount beside version 2",
                BOUND,
                [V2, MEMORY].concat(),
                Some((None, 0, "/sys/fs/cgroup", Unified)),
            ),
            (
                "a part of the tree only",
                BOUND,
                [TMPFS, NESTED].concat(),
                None,
            ),
            ("nothing", "", String::new(), None),
            (
                "rubbish",
                "memory\nmemory x\n\0",
                "1 2 3\n- - -\n\u{0}".into(),
                None,
            ),
        ];
        for (name, controllers, mountinfo, expected) in cases {
            let chosen = choose(controllers.as_bytes(), mountinfo.as_bytes());
            let expected = expected.map(|(controller, id, mount_point, layout)| Hierarchy {
                controller,
                id,
                mount_point: mount_point.into(),
                layout,
            });
            assert_eq!(chosen, expected, "{name}");
        }
    }

    #[test]
    fn escaped_mount_points_are_decoded() {
        for (given, expected) in [
            ("/a\\040b", "/a b"),
            ("/a\\134", "/a\\"),
            ("/a\\04", "/a\\04"),
            ("/a\\", "/a\\"),
            ("/\\999", "/\\999"),
        ] {
            assert_eq!(
                unescape(given.as_bytes()),
                PathBuf::from(expected),
                "{given}"
            );
        }
    }

    #[test]
    fn the_host_files_are_found_below_the_given_root() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("1")).unwrap();
        std::fs::write(root.path().join("cgroups"), BOUND).unwrap();
        std::fs::write(root.path().join("1/mountinfo"), [TMPFS, PIDS].concat()).unwrap();
        assert_eq!(
            Hierarchy::choose(root.path()).unwrap().controller,
            Some("pids")
        );

        std::fs::remove_file(root.path().join("1/mountinfo")).unwrap();
        let error = Hierarchy::choose(root.path()).unwrap_err();
        assert!(error.to_string().contains("self/mountinfo"), "{error}");
    }
}
