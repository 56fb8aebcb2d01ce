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

/// The host's mount namespace; 0 where it cannot be told.
///
/// It is that of the first process. Sandboxes hide that one even from root: then it is our own, unless we are in a
/// container.
pub(crate) fn mount_namespace(proc_root: &Path) -> u32 {
    let is_contained = || {
        let cgroups = fs::read(proc_root.join("self/cgroup")).unwrap_or_default();
        let mut paths = cgroups
            .split(|&byte| byte == b'\n')
            .filter_map(|line| line.splitn(3, |&byte| byte == b':').nth(2));
        paths.any(|path| cgroup::container_of(path).is_some())
    };
    mount_namespace_of(proc_root, "1")
        .or_else(|| mount_namespace_of(proc_root, "self").filter(|_| !is_contained()))
        .unwrap_or(0)
}

/// A process that sees the host's files: the agent itself where it does, which works where the first process may not be looked
/// into. `host_mnt_ns` is what [`mount_namespace`] says.
pub(crate) fn host_process(host_mnt_ns: u32) -> u32 {
    match mount_namespace_of(Path::new("/proc"), "self") {
        Some(own) if own == host_mnt_ns => std::process::id(),
        _ => 1,
    }
}

fn mount_namespace_of(proc_root: &Path, pid: &str) -> Option<u32> {
    let namespace = fs::metadata(proc_root.join(pid).join("ns/mnt")).ok()?;
    u32::try_from(namespace.ino()).ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::{is_runtime_stage, mount_namespace};

    #[test]
    fn the_hosts_mount_namespace_is_that_of_the_first_process_or_of_an_agent_of_the_host() {
        let id = "ab".repeat(32);
        for (has_first, cgroups, expected) in [
            (true, format!("0::/docker/{id}\n"), Some("1")),
            (
                false,
                "4:memory:/\n0::/system.slice/vigia.service\n".into(),
                Some("self"),
            ),
            (false, format!("4:memory:/docker/{id}\n0::/\n"), None),
        ] {
            let proc_root = tempfile::tempdir().expect("a folder");
            let file = |pid: &str| proc_root.path().join(pid).join("ns/mnt");
            for pid in ["1", "self"].into_iter().skip(usize::from(!has_first)) {
                std::fs::create_dir_all(file(pid).parent().expect("a folder")).expect("it");
                std::fs::write(file(pid), "").expect("a file");
            }
            std::fs::write(proc_root.path().join("self/cgroup"), cgroups).expect("a file");
            let expected = expected.map_or(0, |pid| {
                let inode = std::fs::metadata(file(pid)).expect("a file").ino();
                u32::try_from(inode).expect("a small number")
            });
            assert_eq!(mount_namespace(proc_root.path()), expected);
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
