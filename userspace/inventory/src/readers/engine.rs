//! Which processes belong to a container engine: by the executable and where it was executed, never by a name
//! that a process can give itself.

use bstr::ByteSlice;
use vigia_event::file::Origin;
use vigia_event::process::Process;

use super::Options;

/// Executables of engines, runtimes and orchestrators.
const NAMES: &[&[u8]] = &[
    b"dockerd",
    b"containerd",
    b"runc",
    b"crun",
    b"youki",
    b"podman",
    b"conmon",
    b"conmonrs",
    b"crio",
    b"kubelet",
    b"kubelite",
    b"k3s",
    b"rke2",
    b"k0s",
    b"buildkitd",
];
const NAME_PREFIXES: &[&[u8]] = &[b"containerd-shim", b"csi-"];
/// Where packages put them; only the administrator can write there.
const FOLDERS: &[&[u8]] = &[
    b"/usr/",
    b"/bin/",
    b"/sbin/",
    b"/opt/",
    b"/snap/",
    b"/nix/store/",
    b"/var/lib/rancher/",
    b"/var/lib/k0s/",
];

/// Whether a process runs an engine's program, executed as root, in the host's mount namespace, and without
/// ever having belonged to a container.
pub(super) fn is_engine(process: &Process, options: &Options) -> bool {
    if !is_root_of_the_host(process, options) || process.task.origin_cgroup_id != 0 {
        return false;
    }
    if options.engines.contains(&process.exe_path) {
        return true;
    }
    let from_disk = matches!(process.exe_origin, Origin::Image | Origin::Unknown);
    from_disk
        && FOLDERS
            .iter()
            .any(|folder| process.exe_path.starts_with(folder))
        && has_engine_name(process)
}

/// Whether an engine's process executed a copy of itself: runc does so, from memory or through a mount nobody
/// else sees, to protect its file from the container.
pub(super) fn is_own_copy(process: &Process, options: &Options) -> bool {
    let notes = process
        .exe_file
        .as_ref()
        .map(|file| file.path_notes)
        .unwrap_or_default();
    // A file that is the root of everything it can see lies on a mount that was taken out of the tree.
    let is_hidden = notes.detached || notes.escaped || process.exe_path == "/";
    is_root_of_the_host(process, options) && (is_hidden || has_engine_name(process))
}

fn is_root_of_the_host(process: &Process, options: &Options) -> bool {
    let mnt = process.task.namespaces.mnt;
    process.task.credentials.euid == 0 && (options.host_mnt_ns == 0 || mnt == options.host_mnt_ns)
}

fn has_engine_name(process: &Process) -> bool {
    let path = process.exe_path.as_bytes();
    let name = path.rsplit_once_str("/").map_or(path, |(_, name)| name);
    NAMES.contains(&name) || NAME_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vigia_event::captured::{Namespaces, Task};

    fn process(
        path: &str,
        euid: u32,
        mnt: u32,
        origin_cgroup_id: u64,
        exe_origin: Origin,
    ) -> Process {
        let mut task = Task {
            namespaces: Namespaces {
                mnt,
                ..Namespaces::default()
            },
            origin_cgroup_id,
            ..Task::default()
        };
        task.credentials.euid = euid;
        Process {
            task,
            exe_path: path.into(),
            exe_origin,
            ..Process::default()
        }
    }

    #[test]
    fn an_engine_is_known_by_its_file_its_user_and_its_place() {
        let options = Options {
            host_mnt_ns: 1,
            engines: vec!["/srv/engine".into()],
            ..Options::default()
        };
        for (path, euid, mnt, origin, from, expected) in [
            ("/usr/bin/dockerd", 0, 1, 0, Origin::Image, true),
            (
                "/usr/bin/containerd-shim-runc-v2",
                0,
                1,
                0,
                Origin::Unknown,
                true,
            ),
            ("/srv/engine", 0, 1, 0, Origin::Image, true),
            ("/tmp/dockerd", 0, 1, 0, Origin::Image, false),
            ("/usr/bin/dockerd", 1000, 1, 0, Origin::Image, false),
            ("/usr/bin/dockerd", 0, 2, 0, Origin::Image, false),
            ("/usr/bin/dockerd", 0, 1, 7, Origin::Image, false),
            ("/opt/x/runc", 0, 1, 0, Origin::Tmpfs, false),
            ("/usr/bin/cat", 0, 1, 0, Origin::Image, false),
        ] {
            let process = process(path, euid, mnt, origin, from);
            assert_eq!(
                is_engine(&process, &options),
                expected,
                "{path} {euid} {mnt} {origin}"
            );
        }
    }
}
