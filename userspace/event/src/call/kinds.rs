//! What event types are about: descriptors, data, waiting, and which of them the probes deliver.

use std::sync::LazyLock;

use super::EventType;

/// Where the number of the descriptor of a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DescriptorNumber {
    /// The call returns it.
    Result,
    /// The call returns it, or fails on the one it was given first.
    ResultOrArg0,
    /// An argument, by position.
    Arg(u8),
    /// The call makes two, and writes them to memory.
    Pair,
}

/// Whether a call moves data, and in which direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Transfer {
    Read,
    Write,
}

impl EventType {
    /// Where a call has the number of its descriptor; `None` for event types that are not about one.
    #[must_use]
    pub fn descriptor_number(self) -> Option<DescriptorNumber> {
        self.kind().descriptor_number
    }

    /// Whether a call moves data through a descriptor.
    #[must_use]
    pub fn transfer(self) -> Option<Transfer> {
        self.kind().transfer
    }

    /// Whether a call makes the thread wait.
    #[must_use]
    pub fn waits(self) -> bool {
        self.kind().waits
    }

    /// The word of `evt.category`; that of calls which move data depends on what they move it through.
    #[must_use]
    pub fn category(self) -> &'static str {
        self.kind().category
    }

    /// Whether the probes report events of this type; a rule about others only is loaded, and never fires.
    #[must_use]
    pub fn is_delivered(self) -> bool {
        self.kind().is_delivered
    }

    fn kind(self) -> &'static Kind {
        &KINDS[self.index()]
    }
}

/// What is known of an event type, looked up once by its name.
struct Kind {
    descriptor_number: Option<DescriptorNumber>,
    transfer: Option<Transfer>,
    waits: bool,
    category: &'static str,
    is_delivered: bool,
}

static KINDS: LazyLock<Box<[Kind]>> = LazyLock::new(|| {
    let kind = |event_type: EventType| {
        let name = event_type.name();
        Kind {
            descriptor_number: descriptor_number(name),
            transfer: transfer(name),
            waits: waits(name),
            category: category(name),
            is_delivered: DELIVERED.contains(&name),
        }
    };
    EventType::all().map(kind).collect()
});

fn descriptor_number(name: &str) -> Option<DescriptorNumber> {
    use DescriptorNumber as D;
    Some(match name {
        "open" | "openat" | "openat2" | "creat" | "open_by_handle_at" | "socket" | "accept"
        | "accept4" | "eventfd" | "eventfd2" | "timerfd_create" | "inotify_init"
        | "inotify_init1" | "epoll_create" | "epoll_create1" | "userfaultfd" | "memfd_create"
        | "memfd_secret" | "pidfd_open" | "pidfd_getfd" | "io_uring_setup" | "bpf" | "signalfd"
        | "signalfd4" | "perf_event_open" | "fanotify_init" | "open_tree" | "fsopen"
        | "fsmount" | "fspick" => D::Result,
        "dup" | "dup2" | "dup3" => D::ResultOrArg0,
        "pipe" | "pipe2" | "socketpair" => D::Pair,
        "mmap" => D::Arg(4),
        "symlinkat" => D::Arg(1),
        "read" | "write" | "close" | "readv" | "writev" | "pread" | "pwrite" | "preadv"
        | "pwritev" | "preadv2" | "pwritev2" | "connect" | "bind" | "listen" | "sendto"
        | "sendmsg" | "sendmmsg" | "recvfrom" | "recvmsg" | "recvmmsg" | "shutdown"
        | "getsockopt" | "setsockopt" | "getsockname" | "getpeername" | "fstat" | "fchmod"
        | "fchown" | "ftruncate" | "fsetxattr" | "fremovexattr" | "fgetxattr" | "flistxattr"
        | "fchdir" | "fcntl" | "ioctl" | "flock" | "lseek" | "getdents" | "getdents64"
        | "fsync" | "fdatasync" | "syncfs" | "fallocate" | "fadvise64" | "readahead" | "setns"
        | "finit_module" | "io_uring_enter" | "io_uring_register" | "sendfile" | "splice"
        | "tee" | "copy_file_range" | "inotify_add_watch" | "inotify_rm_watch"
        | "timerfd_settime" | "timerfd_gettime" | "epoll_ctl" | "epoll_wait" | "epoll_pwait"
        | "epoll_pwait2" | "pidfd_send_signal" | "fsconfig" | "quotactl_fd" | "unlinkat"
        | "mkdirat" | "fchmodat" => D::Arg(0),
        _ => return None,
    })
}

fn transfer(name: &str) -> Option<Transfer> {
    Some(match name {
        "read" | "readv" | "pread" | "preadv" | "preadv2" | "recv" | "recvfrom" | "recvmsg"
        | "recvmmsg" => Transfer::Read,
        "write" | "writev" | "pwrite" | "pwritev" | "pwritev2" | "send" | "sendto" | "sendmsg"
        | "sendmmsg" | "sendfile" => Transfer::Write,
        _ => return None,
    })
}

fn waits(name: &str) -> bool {
    matches!(
        name,
        "poll"
            | "ppoll"
            | "select"
            | "pselect6"
            | "epoll_wait"
            | "epoll_pwait"
            | "epoll_pwait2"
            | "nanosleep"
            | "clock_nanosleep"
            | "futex"
            | "flock"
            | "semop"
            | "semtimedop"
            | "pause"
            | "wait4"
            | "waitid"
    )
}

fn category(name: &str) -> &'static str {
    match name {
        "open" | "openat" | "openat2" | "open_by_handle_at" | "creat" | "close" | "stat"
        | "lstat" | "fstat" | "stat64" | "lstat64" | "fstat64" | "newfstatat" | "statx"
        | "lseek" | "llseek" | "getcwd" | "chdir" | "fchdir" | "chroot" | "rename" | "renameat"
        | "renameat2" | "mkdir" | "mkdirat" | "rmdir" | "link" | "linkat" | "unlink"
        | "unlinkat" | "symlink" | "symlinkat" | "chmod" | "fchmod" | "fchmodat" | "fchmodat2"
        | "chown" | "fchown" | "lchown" | "fchownat" | "mknod" | "mknodat" | "access"
        | "faccessat" | "faccessat2" | "getdents" | "getdents64" | "mount" | "umount"
        | "umount2" | "flock" | "inotify_init" | "inotify_init1" | "copy_file_range"
        | "truncate" | "ftruncate" => "file",
        "socket" | "bind" | "connect" | "listen" | "accept" | "accept4" | "shutdown"
        | "getsockname" | "getpeername" | "setsockopt" | "getsockopt" | "send" | "sendto"
        | "sendmsg" | "sendmmsg" | "recv" | "recvfrom" | "recvmsg" | "recvmmsg" => "net",
        "pipe" | "pipe2" | "socketpair" | "eventfd" | "eventfd2" | "futex" | "semop" | "semctl"
        | "semget" | "dup" | "dup2" | "dup3" | "splice" => "IPC",
        "brk" | "mmap" | "mmap2" | "munmap" | "mprotect" | "mlock" | "mlock2" | "munlock"
        | "mlockall" | "munlockall" | "memfd_create" | "userfaultfd" => "memory",
        "clone" | "clone3" | "fork" | "vfork" | "execve" | "execveat" | "procexit" | "ptrace"
        | "setns" | "unshare" | "setpgid" | "setsid" | "getrlimit" | "setrlimit" | "prlimit"
        | "capset" | "prctl" | "seccomp" => "process",
        "nanosleep" | "clock_nanosleep" | "pause" => "sleep",
        "poll" | "ppoll" | "select" | "pselect6" | "epoll_wait" | "epoll_pwait" => "wait",
        "kill" | "tkill" | "tgkill" | "signalfd" | "signalfd4" | "signaldeliver" => "signal",
        "setuid" | "setgid" | "setreuid" | "setregid" | "setresuid" | "setresgid" | "getuid"
        | "geteuid" | "getgid" | "getegid" | "getresuid" | "getresgid" => "user",
        "timerfd_create" => "time",
        "init_module" | "finit_module" | "bpf" | "quotactl" => "system",
        _ => "other",
    }
}

/// Kept equal to the table of the probes by a test of the sensor.
const DELIVERED: &[&str] = &[
    "open",
    "creat",
    "openat",
    "openat2",
    "open_by_handle_at",
    "truncate",
    "ftruncate",
    "rename",
    "mkdir",
    "rmdir",
    "link",
    "unlink",
    "symlink",
    "chmod",
    "fchmod",
    "chown",
    "fchown",
    "lchown",
    "utime",
    "mknod",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "removexattr",
    "lremovexattr",
    "fremovexattr",
    "utimes",
    "setxattrat",
    "removexattrat",
    "mkdirat",
    "mknodat",
    "fchownat",
    "futimesat",
    "unlinkat",
    "renameat",
    "linkat",
    "symlinkat",
    "fchmodat",
    "utimensat",
    "renameat2",
    "fchmodat2",
    "pivot_root",
    "chroot",
    "mount",
    "umount2",
    "open_tree",
    "move_mount",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "unshare",
    "setns",
    "execve",
    "execveat",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_open",
    "pidfd_getfd",
    "kill",
    "rt_sigqueueinfo",
    "tkill",
    "tgkill",
    "pidfd_send_signal",
    "chdir",
    "fchdir",
    "setuid",
    "setgid",
    "setpgid",
    "setsid",
    "setreuid",
    "setregid",
    "setgroups",
    "setresuid",
    "setresgid",
    "setfsuid",
    "setfsgid",
    "capset",
    "prctl",
    "setrlimit",
    "prlimit",
    "seccomp",
    "add_key",
    "request_key",
    "keyctl",
    "swapon",
    "swapoff",
    "reboot",
    "iopl",
    "ioperm",
    "init_module",
    "delete_module",
    "kexec_load",
    "perf_event_open",
    "fanotify_init",
    "finit_module",
    "kexec_file_load",
    "bpf",
    "userfaultfd",
    "io_uring_setup",
    "memfd_create",
    "memfd_secret",
    "dup",
    "dup2",
    "dup3",
    "socket",
    "connect",
    "accept",
    "accept4",
    "shutdown",
    "bind",
    "listen",
    "socketpair",
    "sendto",
    "recvfrom",
    "sendmsg",
    "recvmsg",
    "sendmmsg",
    "recvmmsg",
    "clone",
    "clone3",
    "fork",
    "vfork",
    "procexit",
    "task_rename",
    "compat_syscall",
    "budget_exceeded",
    "container",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_list_is_an_event_type() {
        for name in DELIVERED {
            let event_type = EventType::from_name(name).expect("a row");
            assert!(event_type.is_delivered(), "{name}");
        }
        let read = EventType::from_name("read").expect("a row");
        assert!(!read.is_delivered());
    }

    #[test]
    fn the_descriptor_of_a_call_is_where_the_call_has_it() {
        for (name, expected) in [
            ("openat", Some(DescriptorNumber::Result)),
            ("connect", Some(DescriptorNumber::Arg(0))),
            ("dup2", Some(DescriptorNumber::ResultOrArg0)),
            ("pipe", Some(DescriptorNumber::Pair)),
            ("rename", None),
            ("execve", None),
        ] {
            let event_type = EventType::from_name(name).expect("a row");
            assert_eq!(event_type.descriptor_number(), expected, "{name}");
        }
    }
}
