//! Records of the ring.
//!
//! One record is `Header`, then the body of its kind, then string bytes: [`Header::total_len`] bytes in
//! all. A reader must take every length and offset in here as hostile.

use crate::wire::wire;

/// Longest captured path or argument block, in bytes.
pub const TEXT_MAX: usize = 4096;
/// No record is longer than this, in bytes.
pub const RECORD_MAX: usize = 27 * 1024;
/// Components of a kernel path that are walked before it counts as truncated.
pub const WALK_MAX: usize = 128;

/// What a record tells; [`Header::kind`] as an enum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Kind {
    /// A task made another: [`ForkBody`].
    Fork = 1,
    /// A task runs another program: [`ExecBody`].
    Exec = 2,
    /// A task ended: [`ExitBody`].
    Exit = 3,
    /// A thread changed its name: [`RenameBody`].
    Rename = 4,
    /// A cgroup was made: [`CgroupBody`].
    CgroupMkdir = 5,
    /// A cgroup was removed: [`CgroupBody`].
    CgroupRmdir = 6,
    /// A task was moved to a cgroup: [`CgroupBody`].
    CgroupAttach = 7,
    /// A system call returned: [`CallBody`].
    Call = 8,
    /// A system call through the 32-bit (or x32) entry: [`CompatBody`].
    CompatCall = 9,
    /// The agent's own open of a file whose key it wants: [`CallBody`].
    SecretKey = 10,
}

impl Kind {
    /// The kind with this number, if there is one.
    #[must_use]
    pub const fn from_wire(number: u16) -> Option<Self> {
        Some(match number {
            1 => Self::Fork,
            2 => Self::Exec,
            3 => Self::Exit,
            4 => Self::Rename,
            5 => Self::CgroupMkdir,
            6 => Self::CgroupRmdir,
            7 => Self::CgroupAttach,
            8 => Self::Call,
            9 => Self::CompatCall,
            10 => Self::SecretKey,
            _ => return None,
        })
    }
}

/// Bits of [`Header::flags`].
pub mod flags {
    /// The acting task is in scope (in a container, or whatever the scope mode says).
    pub const IN_SCOPE: u16 = 1;
    /// The file of this call is a known secret or configuration: [`CallBody::secret_kind`](super::CallBody::secret_kind).
    pub const SECRET: u16 = 2;
    /// The record is sent although no rule asked for such calls: only because of [`SECRET`], or to keep state.
    pub const NO_INTEREST: u16 = 4;
    /// The acting task's cgroup is, or lies below, that of a container.
    pub const IN_CONTAINER: u16 = 8;
    /// The acting task's mount namespace is not the host's.
    pub const OWN_MOUNTS: u16 = 16;
}

/// Bits of [`Text::flags`].
pub mod text {
    /// There is such a text (it may be empty).
    pub const PRESENT: u16 = 1;
    /// Something is missing: the end of a user string, the beginning of a kernel path.
    pub const TRUNCATED: u16 = 2;
    /// The memory could not be read: the text is empty.
    pub const FAULT: u16 = 4;
    /// A kernel path: the file no longer has this name.
    pub const DELETED: u16 = 8;
    /// A kernel path: the walk ended at the top of a mount tree without passing the task's root.
    pub const ESCAPED: u16 = 16;
    /// A kernel path: the file has no place in any tree; the text is its bare name.
    pub const DETACHED: u16 = 32;
}

/// Values of [`Task::entered`].
pub mod entered {
    /// The start of the process was not observed.
    pub const UNKNOWN: u32 = 0;
    /// Neither it nor an ancestor joined another mount namespace.
    pub const NO: u32 = 1;
    /// It or an ancestor joined an existing mount namespace from another.
    pub const YES: u32 = 2;
}

/// Bits of [`File::flags`].
pub mod file {
    /// There is a file; without this bit the rest is zero.
    pub const PRESENT: u32 = 1;
    /// The mount is read-only.
    pub const MOUNT_READ_ONLY: u32 = 2;
    /// The file system is read-only.
    pub const FS_READ_ONLY: u32 = 4;
    /// On an overlay, in a lower layer.
    pub const LOWER: u32 = 8;
    /// On an overlay, in the upper layer.
    pub const UPPER: u32 = 16;
    /// This open created it.
    pub const CREATED: u32 = 32;
    /// It was opened with `O_PATH`.
    pub const PATH_ONLY: u32 = 64;
}

/// Bits of [`CallBody::flags`].
pub mod call {
    /// [`CallBody::open_how`](super::CallBody::open_how) was read.
    pub const OPEN_HOW: u32 = 1;
    /// It came through the 32-bit (or x32) entry; number and arguments are those of the 64-bit call.
    pub const COMPAT: u32 = 2;
    /// It was no system call of its own but a request of io_uring; number and arguments are those of the call that
    /// does the same.
    pub const IO_URING: u32 = 4;
}

/// Bits of [`Socket::flags`].
pub mod socket {
    /// The end that connected, or sent first.
    pub const CLIENT: u32 = 1;
    /// The end that was connected to.
    pub const SERVER: u32 = 2;
    /// This call gave it another address at either end.
    pub const NAME_CHANGED: u32 = 4;
}

wire! {
    /// Where in the record the bytes of a string lie.
    pub struct Text {
        /// From the beginning of the record.
        pub offset: u16,
        /// In bytes, without a terminating NUL.
        pub len: u16,
        /// See [`text`].
        pub flags: u16,
        /// Zero.
        pub padding: u16,
    }

    /// What every record begins with.
    pub struct Header {
        /// Length of the whole record in bytes.
        pub total_len: u32,
        /// See [`Kind`].
        pub kind: u16,
        /// See [`flags`].
        pub flags: u16,
        /// The processor it was captured on.
        pub cpu: u32,
        /// See [`crate::Class`].
        pub class: u32,
        /// Counts the records of this processor, from 1; a gap is a record that found the ring full.
        pub sequence: u64,
        /// `CLOCK_BOOTTIME` in nanoseconds.
        pub boot_time_ns: u64,
        /// The acting task.
        pub task: Task,
    }

    /// A task.
    pub struct Task {
        /// Start of the process (its first thread), `CLOCK_BOOTTIME` in nanoseconds.
        pub start_boottime_ns: u64,
        /// Kernfs id of its cgroup in the chosen hierarchy.
        pub cgroup_id: u64,
        /// Kernfs id of the cgroup of the container that its cgroup is or lies below; 0 for none.
        pub container_cgroup_id: u64,
        /// The first such id of it or its ancestors; 0 for none.
        pub origin_cgroup_id: u64,
        /// Capability sets.
        pub cap_effective: u64,
        /// See above.
        pub cap_permitted: u64,
        /// See above.
        pub cap_inheritable: u64,
        /// Process id on the host.
        pub pid: u32,
        /// Thread id on the host.
        pub tid: u32,
        /// Process id of the real parent.
        pub parent_pid: u32,
        /// The kernel's `self_exec_id`.
        pub exec_id: u32,
        /// Process id in its own namespace.
        pub vpid: u32,
        /// Thread id in its own namespace.
        pub vtid: u32,
        /// Session id on the host.
        pub sid: u32,
        /// Process group id on the host.
        pub pgid: u32,
        /// Process group id in its own namespace.
        pub vpgid: u32,
        /// Real user id in the initial namespace; so are the next three.
        pub uid: u32,
        /// Real group id.
        pub gid: u32,
        /// Effective user id.
        pub euid: u32,
        /// Effective group id.
        pub egid: u32,
        /// Audit login uid; `u32::MAX` for unset.
        pub loginuid: u32,
        /// Controlling terminal, `major << 8 | minor`; 0 for none.
        pub tty: u32,
        /// Inode number of the mount namespace; so are the next three for theirs.
        pub ns_mnt: u32,
        /// Its (active) pid namespace.
        pub ns_pid: u32,
        /// The user namespace of its credentials.
        pub ns_user: u32,
        /// Its network namespace.
        pub ns_net: u32,
        /// See [`entered`].
        pub entered: u32,
        /// Effective user id in its own user namespace; `u32::MAX` where that has no such user, or cannot be told.
        pub ns_uid: u32,
        /// Zero.
        pub padding: u32,
        /// Thread name, NUL-padded.
        pub comm: [u8; 16],
    }

    /// A file.
    pub struct File {
        /// Kernel path; the task's root itself is the empty text.
        pub path: Text,
        /// Path from the root of its file system, where that is also the task's root's and the mount shows only a part
        /// of it: another way to the file. Begins with the name of that root, a slash.
        pub underlying: Text,
        /// Inode number.
        pub ino: u64,
        /// `s_magic` of its file system.
        pub fs_magic: u64,
        /// Change time, nanoseconds since the epoch; 0 where not captured.
        pub ctime_ns: u64,
        /// Modification time, nanoseconds since the epoch; 0 where not captured.
        pub mtime_ns: u64,
        /// Device, `major << 20 | minor`.
        pub dev: u32,
        /// Inode generation.
        pub generation: u32,
        /// Type and permissions.
        pub mode: u32,
        /// Number of links.
        pub nlink: u32,
        /// `mnt_id` as in mountinfo.
        pub mount_id: u32,
        /// See [`mod@file`].
        pub flags: u32,
    }

    /// A path as a program passed it.
    pub struct GivenPath {
        /// The bytes as passed.
        pub given: Text,
        /// What it starts from; present where the path is relative (or empty) and the base was found.
        pub base: Text,
    }

    /// [`Kind::Fork`].
    pub struct ForkBody {
        /// The child.
        pub child: Task,
        /// 1 if the child is a thread of the same process, else 0.
        pub is_thread: u32,
        /// The system call that made it, by its 64-bit number; 0 for unknown.
        pub number: u32,
        /// The flags of `clone` or `clone3`; 0 for other calls.
        pub flags: u64,
    }

    /// [`Kind::Exec`].
    pub struct ExecBody {
        /// The name as passed to the kernel.
        pub filename: Text,
        /// NUL-separated arguments.
        pub args: Text,
        /// NUL-separated environment; absent unless asked for.
        pub env: Text,
        /// Working directory.
        pub cwd: Text,
        /// The file that runs.
        pub file: File,
    }

    /// [`Kind::Exit`].
    pub struct ExitBody {
        /// As in `wait(2)`.
        pub status: i32,
        /// 1 if the whole process ended, else 0.
        pub process_ended: u32,
    }

    /// [`Kind::Rename`].
    pub struct RenameBody {
        /// The new name, NUL-padded; the header's task still has the old one.
        pub comm: [u8; 16],
        /// Thread id of the renamed thread: a thread may rename another of its process.
        pub tid: u32,
        /// Zero.
        pub padding: u32,
    }

    /// [`Kind::CgroupMkdir`], [`Kind::CgroupRmdir`], [`Kind::CgroupAttach`].
    pub struct CgroupBody {
        /// Kernfs id.
        pub id: u64,
        /// Path from the root of the hierarchy.
        pub path: Text,
        /// The process that was moved; 0 for the other kinds.
        pub pid: u32,
        /// 1 if the cgroup is, or lies below, that of a container.
        pub in_container: u32,
    }

    /// [`Kind::Call`] and [`Kind::SecretKey`].
    pub struct CallBody {
        /// x86-64 system call number.
        pub number: u32,
        /// See [`call`].
        pub flags: u32,
        /// What it returned; `-errno` for a failure.
        pub result: i64,
        /// The argument registers.
        pub args: [u64; 6],
        /// `open_how` of `openat2`: flags, mode, resolve.
        pub open_how: [u64; 3],
        /// Path arguments in the order of the call's parameters.
        pub paths: [GivenPath; 2],
        /// What the paths were when the call began; absent where that was not captured.
        pub entry: [Text; 2],
        /// Text arguments that are no paths.
        pub texts: [Text; 2],
        /// The bytes of a [`Socket`].
        pub socket: Text,
        /// The socket address that the program passed or was given, as bytes of a `struct sockaddr`.
        pub address: Text,
        /// The bytes that were moved, as many as are asked for.
        pub data: Text,
        /// The working directory after the call.
        pub cwd: Text,
        /// The file the call made a descriptor for or was called on.
        pub file: File,
        /// The value of the secret map for this file, see [`crate::maps::SecretValue`]; 0 for none.
        pub secret_kind: u32,
        /// The process whose environment the file shows, as the host counts, see [`crate::maps::secret::ENVIRONMENT`]; 0 for
        /// any other file.
        pub shown_pid: u32,
    }

    /// A socket, after the call.
    pub struct Socket {
        /// Its address in the kernel, which tells the ends of Unix sockets apart.
        pub own: u64,
        /// That of the other end of a Unix socket; 0 for none.
        pub peer: u64,
        /// Its own address; of IPv4 the first four bytes.
        pub local: [u8; 16],
        /// The other end's; zero for none.
        pub remote: [u8; 16],
        /// Its own port; 0 for none.
        pub local_port: u16,
        /// The other end's; 0 for none.
        pub remote_port: u16,
        /// `AF_*`.
        pub family: u16,
        /// `SOCK_*`.
        pub kind: u16,
        /// `IPPROTO_*`.
        pub protocol: u16,
        /// The kernel's `TCP_*` state, which other sockets use, too.
        pub state: u16,
        /// See [`socket`].
        pub flags: u32,
        /// The name of the server's end of a Unix socket, as far as it is known; the name of an abstract one begins
        /// with a NUL.
        pub path: Text,
    }

    /// [`Kind::CompatCall`].
    pub struct CompatBody {
        /// The number in the table of that entry; x32 calls have bit 30 set.
        pub number: u32,
        /// Zero.
        pub padding: u32,
        /// What it returned.
        pub result: i64,
    }
}

// What is asserted here is what an object built from an older source would break silently.
const _: () = assert!(size_of::<Task>() == 160 && size_of::<Header>() == 192);
const _: () = assert!(size_of::<File>() == 72 && size_of::<CallBody>() == 264);
const _: () = assert!(core::mem::offset_of!(Header, task) == 32);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Wire;

    #[test]
    fn a_kind_survives_the_wire_and_other_numbers_do_not() {
        for number in 0..64 {
            if let Some(kind) = Kind::from_wire(number) {
                assert_eq!(kind as u16, number);
            }
        }
        assert_eq!(Kind::from_wire(0), None);
        assert_eq!(Kind::from_wire(11), None);
    }

    #[test]
    fn a_structure_is_read_field_by_field() {
        let mut bytes = [0; Header::SIZE];
        bytes[0] = 192;
        bytes[4] = 8;
        bytes[32..40].copy_from_slice(&77u64.to_le_bytes());
        bytes[176..180].copy_from_slice(b"bash");
        let header = Header::read(&bytes).expect("as long as a header");
        assert_eq!(
            (header.total_len, header.kind, header.task.start_boottime_ns),
            (192, 8, 77)
        );
        assert_eq!(header.task.comm, *b"bash\0\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(Header::read(&bytes[..191]), None);
    }
}
