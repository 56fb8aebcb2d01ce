//! Which processes belong to a container engine: by the executable and where it was executed, never by a name
//! that a process can give itself.

use bstr::ByteSlice;
use vigia_event::file::Origin;
use vigia_event::process::Process;
use vigia_event::secret::SecretSource;

use super::descent::{Descent, Tree};
use super::program::Program;
use super::{Options, Reading};

/// Executables of engines and orchestrators that run as services.
const SERVICES: &[&[u8]] = &[
    b"dockerd",
    b"containerd",
    b"crio",
    b"kubelet",
    b"kubelite",
    b"k3s",
    b"rke2",
    b"k0s",
    b"buildkitd",
];
const SERVICE_PREFIXES: &[&[u8]] = &[b"csi-"];
/// Those that services or people run for each container.
const RUNTIMES: &[&[u8]] = &[
    b"runc",
    b"crun",
    b"youki",
    b"podman",
    b"conmon",
    b"conmonrs",
];
const RUNTIME_PREFIXES: &[&[u8]] = &[b"containerd-shim"];
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
    // The kubelet of GKE, and that of minikube.
    b"/home/kubernetes/bin/",
    b"/var/lib/minikube/binaries/",
];

/// Nobody logged in to become this process or one of its ancestors.
const NO_LOGIN: u32 = u32::MAX;

/// Whether a process runs an engine's program, executed as root, in the host's mount namespace, in a cgroup of the host, and
/// without ever having been in a container's. A service's program that somebody started from a login is not the node's.
pub(super) fn is_engine(process: &Process, options: &Options) -> bool {
    if !is_root_of_the_host(process, options) || !is_of_the_host(process) {
        return false;
    }
    if options.engines.contains(&process.exe_path) {
        return true;
    }
    let is_service = is_named(process, SERVICES, SERVICE_PREFIXES)
        && process.task.credentials.loginuid == NO_LOGIN;
    is_installed(process) && (is_service || is_runtime(process))
}

/// Whether a user's own engine reads the store of secrets it keeps for that user: others' it may not open.
pub(super) fn is_users_own(reading: &Reading<'_>) -> bool {
    let process = reading.process;
    reading.container.is_none()
        && reading.secret.source == SecretSource::Podman
        && process.task.credentials.euid != 0
        && is_of_the_host(process)
        && is_installed(process)
        && is_runtime(process)
}

/// Whether a driver of volumes reads what it provides: a program of its container's image, in the tree of the main process, in
/// a container that was started with the kubelet's folder of pods.
pub(super) fn is_volume_driver(reading: &Reading<'_>, descent: &Descent) -> bool {
    let is_volume = matches!(
        reading.secret.source,
        SecretSource::Kubernetes | SecretSource::Csi
    );
    let Descent::Inside(inside) = descent else {
        return false;
    };
    is_volume
        && reading.serves_volumes
        && matches!(inside.tree, Tree::Init)
        && inside.dropped.is_none()
        && reading.process.task.entered == Some(false)
        && reading.process.exe_origin == Origin::Image
        && (name(&reading.process.exe_path).contains_str("csi")
            || is_named(reading.process, SERVICES, &[]))
}

/// Whether a process of the host can be one that the configuration names: a file of the host's own tree, on disk, and for a
/// script an interpreter that nobody but the administrator put where it is.
pub(super) fn may_be_named(process: &Process, program: &Program, options: &Options) -> bool {
    let mnt = process.task.namespaces.mnt;
    let in_host_mounts = options.host_mnt_ns == 0 || mnt == options.host_mnt_ns;
    let is_script = program.declared_as() != program.path();
    in_host_mounts && is_from_disk(process) && (!is_script || is_installed(process))
}

/// Whether its cgroup is the host's and always was.
fn is_of_the_host(process: &Process) -> bool {
    process.task.origin_cgroup_id == 0
}

/// Whether its executable lies where only the administrator can put it.
fn is_installed(process: &Process) -> bool {
    let mut folders = FOLDERS.iter();
    is_from_disk(process) && folders.any(|folder| process.exe_path.starts_with(folder))
}

fn is_from_disk(process: &Process) -> bool {
    matches!(process.exe_origin, Origin::Image | Origin::Unknown)
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

fn is_runtime(process: &Process) -> bool {
    is_named(process, RUNTIMES, RUNTIME_PREFIXES)
}

fn has_engine_name(process: &Process) -> bool {
    is_runtime(process) || is_named(process, SERVICES, SERVICE_PREFIXES)
}

fn is_named(process: &Process, names: &[&[u8]], prefixes: &[&[u8]]) -> bool {
    let name = name(&process.exe_path);
    names.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

fn name(path: &[u8]) -> &[u8] {
    path.rsplit_once_str("/").map_or(path, |(_, name)| name)
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
        task.credentials.loginuid = NO_LOGIN;
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
            ("/usr/bin/kubelet", 0, 1, 0, Origin::Image, true),
            ("/usr/libexec/csi-driver", 0, 1, 0, Origin::Image, true),
            ("/usr/bin/csi-driver", 0, 1, 7, Origin::Image, false),
        ] {
            let process = process(path, euid, mnt, origin, from);
            assert_eq!(
                is_engine(&process, &options),
                expected,
                "{path} {euid} {mnt} {origin}"
            );
        }
    }

    #[test]
    fn a_service_that_somebody_started_from_a_login_is_none() {
        let options = Options {
            host_mnt_ns: 1,
            ..Options::default()
        };
        for (path, loginuid, expected) in [
            ("/usr/bin/kubelet", NO_LOGIN, true),
            ("/usr/bin/kubelet", 0, false),
            ("/usr/bin/kubelet", 1000, false),
            ("/usr/bin/podman", 1000, true),
        ] {
            let mut process = process(path, 0, 1, 0, Origin::Image);
            process.task.credentials.loginuid = loginuid;
            assert_eq!(is_engine(&process, &options), expected, "{path} {loginuid}");
        }
    }
}
