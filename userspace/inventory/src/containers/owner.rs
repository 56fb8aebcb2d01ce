//! Whose containers are, so that a user's engine can describe that user's and nobody else's.
//!
//! The engine of a user answers what the user likes. What the user cannot choose is the user namespace: without
//! privileges a container can only be made in a new one, and the kernel remembers who made it. So a container is a user's
//! when the outermost user namespace below the host's, in which its first process lives, was made by that user. Ids are
//! no criterion: a container's first process may run as any of the user's subordinate ids, and root may run a container
//! as any id, in the host's namespace, too.
//!
//! Where the first process was gone before anybody could look, the path of its cgroup decides, if it lies below the slice
//! that systemd delegates to one user; else it is undecided, and only those speak whose word counts for everybody.

use std::io;
use std::path::Path;

use super::{ContainerTable, Slot};
use crate::engines::Reach;

/// Inode number of the host's own user namespace: the same on every machine.
const HOST_USER_NS: u32 = 0xEFFF_FFFD;

/// The user namespace of a process, as [`super::Options::user_namespace`] tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserNamespace {
    /// Its inode number.
    pub inode: u32,
    /// Who made the outermost one below the host's; `None`: it is the host's.
    pub maker: Option<u32>,
}

/// Looks at the user namespace of a process: the host's /proc, and the process's id.
pub type LookUpUserNamespace = fn(&Path, u32) -> io::Result<UserNamespace>;

/// Who made a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Owner {
    /// Its first process is yet to come.
    #[default]
    Unknown,
    /// Root, or what acts for root.
    Machine,
    /// This user, without privileges.
    User(u32),
    /// Its first process came and went, and nothing else tells.
    Undecided,
}

impl Owner {
    /// Whether an engine of this reach may describe the container.
    pub(super) fn is_within(self, reach: Reach) -> bool {
        match reach {
            Reach::Everybody => true,
            Reach::User(user) => self == Self::User(user),
        }
    }

    /// Whether it may turn out so.
    pub(super) fn may_be_within(self, reach: Reach) -> bool {
        self == Self::Unknown || self.is_within(reach)
    }

    fn of_maker(maker: Option<u32>) -> Self {
        match maker {
            None | Some(0) => Self::Machine,
            Some(user) => Self::User(user),
        }
    }
}

impl ContainerTable {
    /// Finds out whose a container is, by its first process. `user_ns` is the process's user namespace as it was
    /// captured; 0 for unknown.
    pub(super) fn learn_owner(&mut self, slot: Slot, pid: u32, user_ns: u32) {
        let Some(entry) = self.entries.get_mut(&slot) else {
            return;
        };
        entry.owner = if user_ns == HOST_USER_NS {
            Owner::Machine
        } else {
            // Another process may have got the id meanwhile: it lives in another namespace, or is of the same user.
            (self.options.user_namespace)(&self.options.proc_root, pid)
                .ok()
                .filter(|found| user_ns == 0 || user_ns == found.inode)
                .map(|found| Owner::of_maker(found.maker))
                .or_else(|| user_of_slice(&entry.snapshot.cgroup_path).map(Owner::User))
                .unwrap_or(Owner::Undecided)
        };
        self.owner_known(slot);
    }

    /// Whether a process lives in a user namespace that a user made.
    pub(super) fn is_users(&self, pid: u32) -> bool {
        let found = (self.options.user_namespace)(&self.options.proc_root, pid);
        found.is_ok_and(|found| matches!(Owner::of_maker(found.maker), Owner::User(_)))
    }
}

/// Whether a cgroup lies below the slice of which systemd delegates parts to users, on this machine or in a container that
/// runs a systemd of its own: there, users make groups and name them as they like.
pub(super) fn is_delegated(cgroup: &[u8]) -> bool {
    cgroup
        .split(|&byte| byte == b'/')
        .any(|part| part == b"user.slice")
}

/// The user to whom systemd delegated the slice that a cgroup lies below.
fn user_of_slice(cgroup: &[u8]) -> Option<u32> {
    let below = cgroup.strip_prefix(b"/user.slice/user-")?;
    let end = below.iter().position(|&byte| byte == b'.')?;
    let (user, rest) = below.split_at_checked(end)?;
    if !rest.starts_with(b".slice/") {
        return None;
    }
    std::str::from_utf8(user).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slice_of_a_user_is_known() {
        for (path, user) in [
            (
                "/user.slice/user-1000.slice/user@1000.service/a",
                Some(1000),
            ),
            ("/user.slice/user-1000.slice", None),
            ("/user.slice/user-x.slice/a", None),
            ("/system.slice/user.slice/user-1000.slice/a", None),
            ("/docker/user.slice/user-1000.slice/a", None),
            ("/", None),
        ] {
            assert_eq!(user_of_slice(path.as_bytes()), user, "{path}");
        }
    }

    #[test]
    fn what_users_may_make_groups_in_is_known() {
        for (path, expected) in [
            ("/user.slice/user-1000.slice/user@1000.service/a", true),
            ("/lxc/user.slice/user-1000.slice/a", true),
            ("/system.slice/a", false),
            ("/my-user.slice/a", false),
            ("", false),
        ] {
            assert_eq!(is_delegated(path.as_bytes()), expected, "{path}");
        }
    }

    #[test]
    fn a_users_engine_reaches_that_users_containers_only() {
        let (own, all) = (Reach::User(7), Reach::Everybody);
        for (owner, by_own, by_all) in [
            (Owner::User(7), true, true),
            (Owner::User(8), false, true),
            (Owner::Machine, false, true),
            (Owner::Undecided, false, true),
            (Owner::Unknown, false, true),
            (Owner::of_maker(Some(0)), false, true),
        ] {
            assert_eq!(owner.is_within(own), by_own, "{owner:?}");
            assert_eq!(owner.is_within(all), by_all, "{owner:?}");
        }
        assert!(Owner::Unknown.may_be_within(own));
    }
}
