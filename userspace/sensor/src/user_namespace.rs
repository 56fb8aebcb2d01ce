#![allow(
    unsafe_code,
    reason = "the kernel tells who made a namespace through ioctl(2) alone"
)]
//! Who made the user namespace that a process lives in.
//!
//! An unprivileged engine cannot make a container without a user namespace, and the kernel remembers whose it is: the
//! user who made the first one below the host's owns all that is made inside of it, whatever ids are mapped there.

use std::ffi::c_ulong;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// `_IO(0xb7, 2)`: a descriptor of the namespace's parent.
const NS_GET_PARENT: c_ulong = 0xb702;
/// `_IO(0xb7, 4)`: the user who made it.
const NS_GET_OWNER_UID: c_ulong = 0xb704;
/// Inode number of the host's own user namespace: a constant of the kernel (`PROC_USER_INIT_INO`).
const HOST: u64 = 0xEFFF_FFFD;
/// The kernel's own limit of namespaces in each other is 32.
const MAX_DEPTH: usize = 33;

/// A process's user namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserNamespace {
    /// Inode number of the process's own namespace.
    pub inode: u32,
    /// Who made the outermost namespace below the host's that it lies in, as the host counts users; `None`: it is the
    /// host's own.
    pub maker: Option<u32>,
}

/// Looks at a process of the host's pid namespace. Needs `CAP_SYS_PTRACE` for processes of others.
///
/// # Errors
/// The process is gone, or the agent itself is not in the host's user namespace.
pub fn of_process(proc_root: &Path, pid: u32) -> io::Result<UserNamespace> {
    let own = File::open(proc_root.join(pid.to_string()).join("ns/user"))?;
    let inode = own.metadata()?.ino();
    let found = |maker| {
        u32::try_from(inode)
            .map(|inode| UserNamespace { inode, maker })
            .map_err(io::Error::other)
    };
    if inode == HOST {
        return found(None);
    }
    let mut namespace = own;
    for _ in 0..MAX_DEPTH {
        let parent = parent(&namespace)?;
        if parent.metadata()?.ino() == HOST {
            return found(Some(owner(&namespace)?));
        }
        namespace = parent;
    }
    Err(io::ErrorKind::InvalidData.into())
}

fn parent(namespace: &File) -> io::Result<File> {
    // SAFETY: the call takes no argument and touches no memory of ours.
    let descriptor = unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_PARENT as _) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }.into())
}

fn owner(namespace: &File) -> io::Result<u32> {
    let mut uid: libc::uid_t = 0;
    // SAFETY: the call writes one uid_t to where its argument points.
    let result = unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_OWNER_UID as _, &raw mut uid) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_not_there_has_none() {
        assert!(of_process(Path::new("/proc"), u32::MAX).is_err());
    }
}
