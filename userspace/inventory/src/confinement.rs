//! What the kernel holds of a container's first process: its rights, and the namespaces it shares with the host.

pub(crate) mod limits;

use std::path::{Path, PathBuf};
use std::{fs, io};

use bstr::{BString, ByteSlice};
use vigia_event::container::{Confinement, HostNamespaces, Seccomp};

use crate::processes::scan::{hexadecimal, namespace, read_capped, real_and_effective};

/// Bytes read of `status`, and of a label.
const STATUS_BYTES: u64 = 16 * 1024;
const LABEL_BYTES: u64 = 4096;

/// Reads it of one process, which must be in a mount namespace: its number may have been given away meanwhile. The
/// namespaces it is compared with are the host's, as the same /proc shows them.
///
/// # Errors
/// If the process is gone, or may not be looked at.
pub(crate) fn read(proc_root: &Path, pid: u32, mnt_ns: u32) -> io::Result<Confinement> {
    let folder = proc_root.join(pid.to_string());
    let mut confinement = parse_status(&read_capped(&folder.join("status"), STATUS_BYTES)?);
    // Missing where no security module is at work.
    confinement.label = read_capped(&folder.join("attr/current"), LABEL_BYTES)
        .map(|label| label_of(&label))
        .unwrap_or_default();
    confinement.root_uid = fs::read(folder.join("uid_map"))
        .ok()
        .and_then(|map| root_of(&map))
        .unwrap_or_default();
    confinement.host_namespaces = shared(&folder, &host(proc_root));
    if namespace(&folder, "mnt") == mnt_ns {
        Ok(confinement)
    } else {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// The folder of a process in all of the host's namespaces: the first one, or the kernel's own first thread where sandboxes
/// hide that even from root.
fn host(proc_root: &Path) -> PathBuf {
    let init = proc_root.join("1");
    let thread = proc_root.join("2");
    let is_the_kernels = || {
        let status = fs::read(thread.join("stat")).unwrap_or_default();
        status.starts_with(b"2 (kthreadd) S 0 ")
    };
    if namespace(&init, "pid") == 0 && is_the_kernels() {
        return thread;
    }
    init
}

/// The namespaces that two processes share; `None` where one of them cannot be looked at.
fn shared(own: &Path, host: &Path) -> Option<HostNamespaces> {
    let shares = |kind: &str| match (namespace(own, kind), namespace(host, kind)) {
        (0, _) | (_, 0) => None,
        (own, host) => Some(own == host),
    };
    Some(HostNamespaces {
        pid: shares("pid")?,
        network: shares("net")?,
        ipc: shares("ipc")?,
        uts: shares("uts")?,
        user: shares("user")?,
        // Since Linux 4.6.
        cgroup: shares("cgroup").unwrap_or(false),
    })
}

fn parse_status(status: &[u8]) -> Confinement {
    let mut confinement = Confinement::default();
    for line in status.lines() {
        let Some((name, value)) = line.split_once_str(":") else {
            continue;
        };
        match name {
            // What a program of another user's gives is no promise of the engine's.
            b"Uid" => (confinement.uid, _) = real_and_effective(value),
            b"CapBnd" => confinement.capabilities = hexadecimal(value),
            b"NoNewPrivs" => confinement.no_new_privileges = value.trim() == b"1",
            b"Seccomp" => {
                confinement.seccomp = match value.trim() {
                    b"1" => Seccomp::Strict,
                    b"2" => Seccomp::Filtered,
                    _ => Seccomp::Unconfined,
                }
            }
            _ => {}
        }
    }
    confinement
}

/// What the host numbers the root of a user namespace: the kernel's text of its `uid_map`.
fn root_of(map: &[u8]) -> Option<u32> {
    map.lines().find_map(|line| {
        let mut numbers = line.fields().map(|field| field.to_str().ok()?.parse().ok());
        let (inside, outside): (u32, u32) = (numbers.next()??, numbers.next()??);
        (inside == 0).then_some(outside)
    })
}

/// SELinux ends its labels with a NUL, AppArmor with a line's end. A process without a profile is `unconfined`.
fn label_of(text: &[u8]) -> BString {
    text.trim_end_with(|end| end == '\n' || end == '\0').into()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use vigia_event::container::CgroupLimits;

    use super::*;

    const STATUS: &str = "Name:\tnginx\nUid:\t101\t0\t0\t0\nCapBnd:\t00000000a80425fb\nNoNewPrivs:\t1\nSeccomp:\t2\n";

    #[test]
    fn rights_and_shared_namespaces_are_read() {
        let proc_root = tempfile::tempdir().unwrap();
        for (pid, network) in [("1", "net:[1]"), ("42", "net:[2]")] {
            let folder = proc_root.path().join(pid);
            fs::create_dir_all(folder.join("ns")).unwrap();
            fs::create_dir_all(folder.join("attr")).unwrap();
            fs::write(folder.join("status"), STATUS).unwrap();
            fs::write(folder.join("uid_map"), "1 1 1\n 0 100000 65536\n").unwrap();
            fs::write(folder.join("attr/current"), "docker-default (enforce)\n").unwrap();
            symlink(network, folder.join("ns/net")).unwrap();
            symlink("uts:[7]", folder.join("ns/uts")).unwrap();
            symlink("mnt:[9]", folder.join("ns/mnt")).unwrap();
            for kind in ["pid", "ipc", "user"] {
                symlink(format!("{kind}:[{pid}]"), folder.join("ns").join(kind)).unwrap();
            }
        }
        let expected = Confinement {
            uid: 101,
            root_uid: 100_000,
            capabilities: 0xa804_25fb,
            no_new_privileges: true,
            seccomp: Seccomp::Filtered,
            label: "docker-default (enforce)".into(),
            host_namespaces: Some(HostNamespaces {
                uts: true,
                ..HostNamespaces::default()
            }),
            limits: CgroupLimits::default(),
        };
        assert_eq!(read(proc_root.path(), 42, 9).unwrap(), expected);
        assert!(read(proc_root.path(), 43, 9).is_err());
        fs::remove_file(proc_root.path().join("1/ns/pid")).unwrap();
        let found = read(proc_root.path(), 42, 9).unwrap();
        assert_eq!(
            found.host_namespaces, None,
            "the host's cannot be looked at"
        );
        assert!(read(proc_root.path(), 42, 8).is_err(), "another process");
        fs::rename(proc_root.path().join("1"), proc_root.path().join("2")).unwrap();
        symlink("pid:[1]", proc_root.path().join("2/ns/pid")).unwrap();
        for (stat, expected) in [
            ("2 (sh) S 1 2", None),
            ("2 (kthreadd) S 0 0", expected.host_namespaces),
        ] {
            fs::write(proc_root.path().join("2/stat"), stat).unwrap();
            let found = read(proc_root.path(), 42, 9).unwrap();
            assert_eq!(found.host_namespaces, expected, "{stat}");
        }
    }

    #[test]
    fn a_strange_status_is_no_confinement_and_no_panic() {
        for status in [
            "",
            "Uid:\n",
            "CapBnd:\tx\nSeccomp:\t9\n",
            "NoNewPrivs",
            "\u{fffd}:",
        ] {
            let found = parse_status(status.as_bytes());
            assert_eq!(found.capabilities, 0, "{status:?}");
            assert_eq!(found.seccomp, Seccomp::Unconfined);
        }
    }

    #[test]
    fn this_very_process_can_be_read() {
        let pid = std::process::id();
        let mnt_ns = namespace(&Path::new("/proc").join(pid.to_string()), "mnt");
        let found = read(Path::new("/proc"), pid, mnt_ns).unwrap();
        assert_eq!(found.uid, rustix::process::geteuid().as_raw());
    }
}
