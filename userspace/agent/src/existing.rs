//! What runs already: processes found in /proc, and the containers they belong to.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use vigia_inventory::containers::ExistingTask;
use vigia_inventory::processes::Scanned;
use vigia_inventory::{WallClock, cgroup};

/// A process as the container table wants to know of it; `None` outside of the hierarchy of this controller.
pub(crate) fn task(
    scanned: &Scanned,
    controller: Option<&str>,
    clock: &WallClock,
) -> Option<ExistingTask> {
    let path = cgroup::path_in(&scanned.cgroups, controller)?;
    let task = &scanned.process.task;
    let age_ns = WallClock::boot_now_ns().saturating_sub(task.start_boottime_ns);
    Some(ExistingTask {
        process: scanned.key(),
        start_time_ns: clock.epoch_ns(task.start_boottime_ns),
        // Its mounts are still being made: its first execution tells what they came to.
        mnt_ns: if is_runtime_stage(&task.comm, age_ns) {
            0
        } else {
            task.namespaces.mnt
        },
        cgroup_path: path.into(),
    })
}

/// Whether a process is a container that is just being made: the runtime's own program in the container's
/// namespaces, by the names that runc and crun give it. Anybody can take such a name, but not be this young as well.
fn is_runtime_stage(comm: &[u8], age_ns: u64) -> bool {
    const YOUNG_NS: u64 = 10_000_000_000;
    let is_named_so = comm.starts_with(b"runc:[") || matches!(comm, b"runc" | b"crun");
    is_named_so && age_ns < YOUNG_NS
}

/// Where the host is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    /// Inode number of its mount namespace; 0 where it cannot be told.
    pub mnt_ns: u32,
    /// A process that sees its files and mounts.
    pub pid: u32,
}

impl Host {
    /// Finds it from a /proc.
    ///
    /// Its mount namespace is that of the first process. Sandboxes hide that one even from root: then it is our own, unless we
    /// are in a container, and files and mounts are ours, too.
    pub(crate) fn find(proc_root: &Path) -> Self {
        let is_contained = || {
            let cgroups = fs::read(proc_root.join("self/cgroup")).unwrap_or_default();
            let mut paths = cgroups
                .split(|&byte| byte == b'\n')
                .filter_map(|line| line.splitn(3, |&byte| byte == b':').nth(2));
            paths.any(|path| cgroup::container_of(path).is_some())
        };
        let own = mount_namespace_of(proc_root, "self");
        let mnt_ns = mount_namespace_of(proc_root, "1")
            .or_else(|| own.filter(|_| !is_contained()))
            .unwrap_or(0);
        // By the number that this /proc shows: it may count other processes than the agent's own does.
        let own_pid = || {
            let link = fs::read_link(proc_root.join("self")).ok()?;
            link.to_str()?.parse().ok()
        };
        let is_ours = mnt_ns != 0 && own == Some(mnt_ns);
        Self {
            mnt_ns,
            pid: is_ours.then(own_pid).flatten().unwrap_or(1),
        }
    }
}

fn mount_namespace_of(proc_root: &Path, pid: &str) -> Option<u32> {
    let namespace = fs::metadata(proc_root.join(pid).join("ns/mnt")).ok()?;
    u32::try_from(namespace.ino()).ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::{Host, is_runtime_stage};

    #[test]
    fn the_host_is_what_the_first_process_sees_or_an_agent_of_the_host() {
        let id = "ab".repeat(32);
        for (has_first, cgroups, expected) in [
            (true, format!("0::/docker/{id}\n"), Some(("1", 1))),
            (
                false,
                "4:memory:/\n0::/system.slice/vigia.service\n".into(),
                Some(("77", 77)),
            ),
            (false, format!("4:memory:/docker/{id}\n0::/\n"), None),
        ] {
            let proc_root = tempfile::tempdir().expect("a folder");
            let file = |pid: &str| proc_root.path().join(pid).join("ns/mnt");
            for pid in ["1", "77"].into_iter().skip(usize::from(!has_first)) {
                std::fs::create_dir_all(file(pid).parent().expect("a folder")).expect("it");
                std::fs::write(file(pid), "").expect("a file");
            }
            std::os::unix::fs::symlink("77", proc_root.path().join("self")).expect("a link");
            std::fs::write(proc_root.path().join("77/cgroup"), cgroups).expect("a file");
            let expected = expected.map_or(Host { mnt_ns: 0, pid: 1 }, |(name, pid)| {
                let inode = std::fs::metadata(file(name)).expect("a file").ino();
                Host {
                    mnt_ns: u32::try_from(inode).expect("a small number"),
                    pid,
                }
            });
            assert_eq!(Host::find(proc_root.path()), expected);
        }
    }

    #[test]
    fn only_a_young_process_is_taken_for_a_stage_of_a_runtime() {
        for (comm, age_s, expected) in [
            (&b"runc:[2:INIT]"[..], 1, true),
            (b"runc:[2:INIT]", 60, false),
            (b"crun", 1, true),
            (b"runcible", 1, false),
            (b"nginx", 1, false),
        ] {
            assert_eq!(
                is_runtime_stage(comm, age_s * 1_000_000_000),
                expected,
                "{comm:?} {age_s}"
            );
        }
    }
}
