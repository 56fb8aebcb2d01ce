//! What the kernel holds of a container's first process: what became of the promises.

use bstr::{BString, ByteSlice};
use serde::{Deserialize, Serialize};

use super::{Container, Engine, HostNamespaces, Inspected, Promises};
use crate::mount::is_below;
use crate::text::capability_bits;

/// The rights of a container's first process, read from /proc when it started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Confinement {
    /// Its user, as the host numbers it.
    pub uid: u32,
    /// What the host numbers the root of its user namespace.
    pub root_uid: u32,
    /// Capabilities that none of its descendants can exceed; a bit for each, by number.
    pub capabilities: u64,
    /// Whether its processes can gain no rights by executing a program.
    pub no_new_privileges: bool,
    /// How system calls are filtered.
    pub seccomp: Seccomp,
    /// The label that a security module gave it: an AppArmor profile, or an SELinux context; empty for none.
    pub label: BString,
    /// The namespaces it shares with the host; `None` where those of the host cannot be looked at.
    pub host_namespaces: Option<HostNamespaces>,
    /// What its cgroup allows it.
    pub limits: CgroupLimits,
}

/// Limits of a cgroup; `u64::MAX` for no limit, `None` where that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CgroupLimits {
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
}

/// How a process's system calls are filtered, as in `Seccomp:` of proc(5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seccomp {
    /// Not at all.
    #[default]
    Unconfined,
    /// Only read, write, exit and sigreturn.
    Strict,
    /// By programs.
    Filtered,
}

impl Seccomp {
    /// The word rules use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unconfined => "unconfined",
            Self::Strict => "strict",
            Self::Filtered => "filtered",
        }
    }
}

/// What Docker and containerd leave a container that asks for nothing; a bit for each, by number.
pub const DEFAULT_CAPABILITIES: u64 = 0xa804_25fb;

impl Container {
    /// The promises that the kernel does not confirm, by the names of their fields below `container.`, in alphabetical
    /// order; `None` where either side is not known.
    #[must_use]
    pub fn broken_promises(&self) -> Option<Vec<&'static str>> {
        let (inspected, kernel) = (self.known()?, self.confinement.as_ref()?);
        let promises = &inspected.promises;
        let shared = kernel.host_namespaces.unwrap_or_default();
        let (declared, joined) = (inspected.host_namespaces, promises.joined_namespaces);
        let broken = [
            (
                "apparmor",
                is_profile(&promises.apparmor)
                    && profile_of(&kernel.label) != Some(promises.apparmor.as_slice()),
            ),
            (
                "capabilities",
                kernel.capabilities & !self.permitted(inspected) != 0,
            ),
            (
                "host_cgroup",
                shared.cgroup && !declared.cgroup && !joined.cgroup,
            ),
            ("host_ipc", shared.ipc && !declared.ipc && !joined.ipc),
            (
                "host_network",
                shared.network && !declared.network && !joined.network,
            ),
            ("host_pid", shared.pid && !declared.pid && !joined.pid),
            // Whoever has the host's network has its name.
            (
                "host_uts",
                shared.uts && !declared.uts && !joined.uts && !shared.network,
            ),
            (
                "memory_limit",
                is_beyond(kernel.limits.memory_bytes, promises.memory_limit_bytes),
            ),
            (
                "no_new_privileges",
                promises.no_new_privileges && !kernel.no_new_privileges,
            ),
            (
                "pids_limit",
                is_beyond(kernel.limits.pids, promises.pids_limit),
            ),
            (
                "read_only",
                inspected.declared_read_only && self.started_read_only == Some(false),
            ),
            ("read_only_mounts", self.has_writable_submount(inspected)),
            (
                "seccomp",
                !inspected.privileged
                    && promises.seccomp != "unconfined"
                    && kernel.seccomp == Seccomp::Unconfined,
            ),
            (
                "user",
                kernel.uid == kernel.root_uid && self.is_promised_another_user_than_root(promises),
            ),
        ];
        Some(
            broken
                .into_iter()
                .filter_map(|(name, is_broken)| is_broken.then_some(name))
                .collect(),
        )
    }
}

/// Whether the kernel allows more than was asked for; 0 asks for no limit.
fn is_beyond(allowed: Option<u64>, promised: u64) -> bool {
    promised != 0 && allowed.is_some_and(|allowed| allowed > promised)
}

/// Whether this is the name of a profile that confines.
fn is_profile(name: &[u8]) -> bool {
    !name.is_empty() && name != b"unconfined"
}

/// The profile that is enforced: the name in `docker-default (enforce)`; `None` for any other mode, which only complains.
fn profile_of(label: &[u8]) -> Option<&[u8]> {
    label.strip_suffix(b" (enforce)")
}

impl Container {
    /// Whether it was to start as a user that is known not to be root.
    fn is_promised_another_user_than_root(&self, promises: &Promises) -> bool {
        let name = promises.user.split(|&byte| byte == b':').next();
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return false;
        };
        let number = name.to_str().ok().and_then(|name| name.parse::<u32>().ok());
        let by_name = || {
            let mut users = self.users.users.iter();
            users.find(|user| user.name == name).map(|user| user.uid)
        };
        number.or_else(by_name).is_some_and(|uid| uid != 0)
    }

    /// The capabilities it may have by what was asked for; all of them where that cannot be told.
    fn permitted(&self, inspected: &Inspected) -> u64 {
        let promises = &inspected.promises;
        if inspected.privileged {
            return u64::MAX;
        }
        let is_all = |name: &&BString| name.eq_ignore_ascii_case(b"ALL");
        // One without a bit is newer than this program.
        let bits = |names: &[BString]| {
            names
                .iter()
                .filter(|name| !is_all(name))
                .try_fold(0, |all, name| Some(all | capability_bits(name)?))
        };
        let (Some(added), Some(dropped)) = (
            bits(&promises.capabilities_added),
            bits(&promises.capabilities_dropped),
        ) else {
            return u64::MAX;
        };
        let adds_all = promises.capabilities_added.iter().any(|name| is_all(&name));
        let drops_all = promises
            .capabilities_dropped
            .iter()
            .any(|name| is_all(&name));
        match (adds_all, drops_all, self.engine) {
            (true, ..) => !dropped,
            (false, true, _) => added,
            (false, false, Engine::Docker) => DEFAULT_CAPABILITIES & !dropped | added,
            // What others begin with is configured on the node.
            (false, false, _) => !dropped | added,
        }
    }

    /// Whether something below a mount that was declared read-only can be written to: engines make the mount itself
    /// read-only, and what is mounted below its source comes with it as it is.
    fn has_writable_submount(&self, inspected: &Inspected) -> bool {
        let Some(table) = &self.mounts else {
            return false;
        };
        let nearest = |point: &[u8]| {
            let declared = inspected.mounts.iter();
            declared
                .filter(|declared| is_below(point, &declared.destination))
                .max_by_key(|declared| declared.destination.len())
        };
        table.mounts.iter().any(|mount| {
            !mount.read_only && nearest(&mount.point).is_some_and(|declared| !declared.read_write)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::container::{DeclaredMount, Metadata};
    use crate::mount::{Mount, MountTable};
    use crate::text::ALL_CAPABILITIES;
    use crate::users::{User, Users};

    const SYS_ADMIN: u64 = 1 << 21;
    const CHOWN: u64 = 1;

    fn container(engine: Engine, inspected: Inspected, kernel: Confinement) -> Container {
        Container {
            engine,
            metadata: Metadata::Known(Arc::new(inspected)),
            confinement: Some(kernel),
            ..Container::default()
        }
    }

    fn broken(engine: Engine, inspected: Inspected, kernel: Confinement) -> Vec<&'static str> {
        let kernel = Confinement {
            seccomp: Seccomp::Filtered,
            ..kernel
        };
        container(engine, inspected, kernel)
            .broken_promises()
            .expect("both sides")
    }

    #[test]
    fn capabilities_beyond_what_was_asked_for_are_a_broken_promise() {
        let asking = |added: &[&str], dropped: &[&str]| Inspected {
            promises: Box::new(Promises {
                capabilities_added: added.iter().map(|&name| name.into()).collect(),
                capabilities_dropped: dropped.iter().map(|&name| name.into()).collect(),
                ..Promises::default()
            }),
            ..Inspected::default()
        };
        let holding = |capabilities| Confinement {
            capabilities,
            ..Confinement::default()
        };
        let (docker, podman) = (Engine::Docker, Engine::Podman);
        for (engine, added, dropped, held, is_broken) in [
            (docker, &[][..], &[][..], DEFAULT_CAPABILITIES, false),
            (docker, &[], &[], DEFAULT_CAPABILITIES | SYS_ADMIN, true),
            (podman, &[], &[], DEFAULT_CAPABILITIES | SYS_ADMIN, false),
            (podman, &[], &["CAP_SYS_ADMIN"], SYS_ADMIN, true),
            (docker, &["CAP_SYS_ADMIN"], &["ALL"], SYS_ADMIN, false),
            (
                docker,
                &["CAP_SYS_ADMIN"],
                &["ALL"],
                SYS_ADMIN | CHOWN,
                true,
            ),
            (docker, &["ALL"], &[], ALL_CAPABILITIES, false),
            (docker, &["ALL"], &["CAP_CHOWN"], ALL_CAPABILITIES, true),
            (docker, &["CAP_OF_THE_FUTURE"], &[], ALL_CAPABILITIES, false),
        ] {
            let found = broken(engine, asking(added, dropped), holding(held));
            assert_eq!(
                found == ["capabilities"],
                is_broken,
                "+{added:?} -{dropped:?}: {found:?}"
            );
        }
        let privileged = Inspected {
            privileged: true,
            ..Inspected::default()
        };
        assert!(broken(docker, privileged, holding(ALL_CAPABILITIES)).is_empty());
    }

    #[test]
    fn a_user_or_a_limit_that_was_not_kept_is_a_broken_promise() {
        let promised = |user: &str, memory_limit_bytes, pids_limit| Inspected {
            promises: Box::new(Promises {
                user: user.into(),
                memory_limit_bytes,
                pids_limit,
                ..Promises::default()
            }),
            ..Inspected::default()
        };
        let kept = |uid, memory, pids| Confinement {
            uid,
            root_uid: 100_000,
            seccomp: Seccomp::Filtered,
            limits: CgroupLimits {
                memory_bytes: memory,
                pids,
            },
            ..Confinement::default()
        };
        for (promise, kernel, expected) in [
            (
                promised("", 0, 0),
                kept(100_000, Some(u64::MAX), None),
                &[][..],
            ),
            (promised("1000:0", 0, 0), kept(101_000, None, None), &[]),
            (
                promised("1000:0", 0, 0),
                kept(100_000, None, None),
                &["user"],
            ),
            (promised("app", 0, 0), kept(100_000, None, None), &["user"]),
            (promised("toor:app", 0, 0), kept(100_000, None, None), &[]),
            (promised("unheard-of", 0, 0), kept(100_000, None, None), &[]),
            (promised("0", 0, 0), kept(100_000, None, None), &[]),
            // The kernel counts in pages.
            (promised("", 5000, 7), kept(0, Some(4096), Some(7)), &[]),
            (promised("", 5000, 7), kept(0, None, None), &[]),
            (
                promised("", 5000, 7),
                kept(0, Some(u64::MAX), Some(8)),
                &["memory_limit", "pids_limit"],
            ),
        ] {
            let words = format!("{promise:?} {kernel:?}");
            let mut container = container(Engine::Docker, promise, kernel);
            let user = |name: &str, uid| User {
                uid,
                name: name.into(),
                ..User::default()
            };
            container.users = Arc::new(Users {
                users: vec![user("toor", 0), user("app", 9)],
                ..Users::default()
            });
            assert_eq!(
                container.broken_promises().expect("both"),
                expected,
                "{words}"
            );
        }
    }

    #[test]
    fn a_namespace_of_another_container_is_no_broken_promise() {
        let shared = HostNamespaces {
            network: true,
            uts: true,
            cgroup: true,
            ..HostNamespaces::default()
        };
        let kernel = || Confinement {
            host_namespaces: Some(shared),
            ..Confinement::default()
        };
        let joining = |joined_namespaces| Inspected {
            promises: Box::new(Promises {
                joined_namespaces,
                ..Promises::default()
            }),
            ..Inspected::default()
        };
        let docker = Engine::Docker;
        let nothing = joining(HostNamespaces::default());
        assert_eq!(
            broken(docker, nothing, kernel()),
            ["host_cgroup", "host_network"]
        );
        assert!(broken(docker, joining(shared), kernel()).is_empty());
        let unseen = Confinement::default();
        assert!(broken(docker, Inspected::default(), unseen).is_empty());
    }

    #[test]
    fn what_is_writable_below_a_read_only_mount_is_a_broken_promise() {
        let declared = |destination: &str, read_write| DeclaredMount {
            destination: destination.into(),
            read_write,
            ..DeclaredMount::default()
        };
        let mount = |point: &str, read_only| Mount {
            point: point.into(),
            read_only,
            ..Mount::default()
        };
        for (name, below, is_broken) in [
            ("nothing below it", None, false),
            ("read-only as well", Some(mount("/host/proc", true)), false),
            ("writable", Some(mount("/host/proc", false)), true),
            ("the mount itself", Some(mount("/host", false)), true),
            (
                "declared writable",
                Some(mount("/host/data/more", false)),
                false,
            ),
            ("elsewhere", Some(mount("/hosts", false)), false),
        ] {
            let inspected = Inspected {
                mounts: vec![declared("/host", false), declared("/host/data", true)],
                ..Inspected::default()
            };
            let kernel = Confinement {
                seccomp: Seccomp::Filtered,
                ..Confinement::default()
            };
            let mut container = container(Engine::Docker, inspected, kernel);
            let mounts = [mount("/", false), mount("/host", true)];
            container.mounts = Some(Arc::new(MountTable {
                mounts: mounts.into_iter().chain(below).collect(),
                ..MountTable::default()
            }));
            let found = container.broken_promises().expect("both sides");
            assert_eq!(
                found == ["read_only_mounts"],
                is_broken,
                "{name}: {found:?}"
            );
        }
    }

    #[test]
    fn a_profile_that_only_complains_is_a_broken_promise() {
        for (label, is_broken) in [
            ("docker-default (enforce)", false),
            ("docker-default (complain)", true),
            ("docker-default", true),
            ("unconfined", true),
            ("", true),
            ("docker-default//child (enforce)", true),
        ] {
            let inspected = Inspected {
                promises: Box::new(Promises {
                    apparmor: "docker-default".into(),
                    ..Promises::default()
                }),
                ..Inspected::default()
            };
            let kernel = Confinement {
                label: label.into(),
                ..Confinement::default()
            };
            let found = broken(Engine::Docker, inspected, kernel);
            assert_eq!(found == ["apparmor"], is_broken, "{label}");
        }
    }
}
