//! Event types: one row per system call and per event of our own, with the parameters rules can name.
//!
//! All names that Falco knows are here, so that rules with them load; [`EventType::is_delivered`] says for which of
//! them there are events.

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

mod kinds;

pub use kinds::{DescriptorNumber, Transfer};

use crate::text::TextStyle;

/// One event type; an index into [`EVENT_TYPES`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventType(u16);

/// A row of [`EVENT_TYPES`].
#[derive(Debug)]
pub struct EventTypeRow {
    /// The name rules use: that of the system call.
    pub name: &'static str,
    /// The x86-64 system call number; `None` for events that are no system call.
    pub number: Option<u16>,
    /// Parameters in printing order, as `evt.arg.NAME` names them.
    pub params: &'static [ParamRow],
    /// Whether the call exists to change the file system (opens are judged by their flags).
    pub changes_files: bool,
}

/// A parameter of an event type.
#[derive(Debug)]
pub struct ParamRow {
    /// The name after `evt.arg.`.
    pub name: &'static str,
    /// How its value becomes text.
    pub style: TextStyle,
    /// Where its value stands in what was captured.
    pub source: ParamSource,
}

/// Where the value of a parameter stands in what was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the number is the position: of a register, of a captured path or text, in open_how"
)]
pub enum ParamSource {
    /// The return value.
    Result,
    Arg0,
    Arg1,
    Arg2,
    Arg3,
    Arg4,
    Arg5,
    Path0,
    Path1,
    Text0,
    Text1,
    OpenHow0,
    OpenHow1,
    OpenHow2,
    /// Device of the opened file.
    FileDev,
    /// Inode number of the opened file.
    FileIno,
    /// What `creat(2)` did beyond its fixed flags: whether the file is new, and its layer.
    CreatedFlags,
    /// Path of the opened file, as the kernel resolved it.
    FilePath,
    /// The flags within the type of `socket(2)`.
    SocketFlags,
    /// Both ends of the socket.
    Tuple,
    /// The address that was passed.
    Address,
    /// The data that was moved.
    Data,
    /// How much data was moved: the result, 0 for a failure.
    Size,
    /// Not captured: the parameter has a name, and is empty.
    Absent,
    /// Not a system call's argument: read from the process or the event itself, by name.
    Own,
}

impl EventType {
    /// How many event types there are; every [`EventType::index`] is below it.
    pub const COUNT: usize = EVENT_TYPES.len();

    /// The event type of a name, as in `evt.type = openat`; also of the few system calls whose events are named
    /// differently (`pread64`).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let name = ALIASES
            .iter()
            .find(|(alias, _)| *alias == name)
            .map_or(name, |(_, name)| *name);
        let index = EVENT_TYPES.iter().position(|row| row.name == name)?;
        u16::try_from(index).ok().map(Self)
    }

    /// The event type of an x86-64 system call number.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        match BY_NUMBER.get(usize::from(number)) {
            None | Some(&NO_TYPE) => None,
            Some(&index) => Some(Self(index)),
        }
    }

    /// All event types, in table order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..).map(Self).take(Self::COUNT)
    }

    /// The position in [`EVENT_TYPES`].
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The row of this type.
    #[must_use]
    pub fn row(self) -> &'static EventTypeRow {
        &EVENT_TYPES[self.index()]
    }

    /// The name rules use.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }
}

/// By name: positions in the table change from version to version.
impl Serialize for EventType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for EventType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = EventType;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the name of an event type")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<EventType, E> {
                EventType::from_name(name)
                    .ok_or_else(|| E::custom(format_args!("no event type is named {name:?}")))
            }
        }
        deserializer.deserialize_str(Name)
    }
}

impl std::fmt::Debug for EventType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// System calls whose events Falco gives another name.
const ALIASES: &[(&str, &str)] = &[
    ("pread64", "pread"),
    ("pwrite64", "pwrite"),
    ("prlimit64", "prlimit"),
];

/// x86-64 system call numbers are below this.
const NUMBERS: usize = 512;
const NO_TYPE: u16 = u16::MAX;
static BY_NUMBER: [u16; NUMBERS] = by_number();

#[allow(
    clippy::cast_possible_truncation,
    reason = "the table has fewer than 2^16 rows"
)]
const fn by_number() -> [u16; NUMBERS] {
    let mut table = [NO_TYPE; NUMBERS];
    let mut index = 0;
    while index < EVENT_TYPES.len() {
        if let Some(number) = EVENT_TYPES[index].number {
            table[number as usize] = index as u16;
        }
        index += 1;
    }
    table
}

macro_rules! event_types {
    ($( $name:literal $number:tt [ $( $param:ident : $style:ident = $source:ident )* ] )*) => {
        /// Every event type.
        pub static EVENT_TYPES: &[EventTypeRow] = &[
            $( EventTypeRow {
                name: $name,
                number: event_types!(@number $number),
                params: &[ $( ParamRow {
                    name: param_name(stringify!($param)),
                    style: TextStyle::$style,
                    source: ParamSource::$source,
                } ),* ],
                changes_files: changes_files($name),
            }, )*
        ];
    };
    (@number -) => { None };
    (@number $number:literal) => { Some($number) };
}

/// `type` is a keyword of Rust, so the table writes `r#type`.
const fn param_name(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// Calls that exist to change the file system.
const CHANGING_CALLS: &[&str] = &[
    "mkdir",
    "mkdirat",
    "unlink",
    "unlinkat",
    "rmdir",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "mknod",
    "mknodat",
    "truncate",
    "ftruncate",
    "chmod",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "chown",
    "fchown",
    "lchown",
    "fchownat",
    "utime",
    "utimes",
    "futimesat",
    "utimensat",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "setxattrat",
    "removexattr",
    "lremovexattr",
    "fremovexattr",
    "removexattrat",
];

const fn changes_files(name: &str) -> bool {
    let mut index = 0;
    while index < CHANGING_CALLS.len() {
        if same(CHANGING_CALLS[index].as_bytes(), name.as_bytes()) {
            return true;
        }
        index += 1;
    }
    false
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut index = 0;
    while index < a.len() {
        if a[index] != b[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// Event types that the rest of the agent names.
pub mod named {
    use super::{EventType, same};

    macro_rules! named {
        ($( $constant:ident = $name:literal )*) => {
            $( #[doc = concat!("`", $name, "`")] pub const $constant: EventType = EventType(index_of($name)); )*
        };
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "the table has fewer than 2^16 rows"
    )]
    const fn index_of(name: &str) -> u16 {
        let mut index = 0;
        while index < super::EVENT_TYPES.len() {
            if same(super::EVENT_TYPES[index].name.as_bytes(), name.as_bytes()) {
                return index as u16;
            }
            index += 1;
        }
        panic!("no such event type")
    }

    named! {
        OPEN = "open"
        OPENAT = "openat"
        OPENAT2 = "openat2"
        OPEN_BY_HANDLE_AT = "open_by_handle_at"
        CREAT = "creat"
        EXECVE = "execve"
        EXECVEAT = "execveat"
        CLONE = "clone"
        SETNS = "setns"
        UNSHARE = "unshare"
        MOUNT = "mount"
        MOVE_MOUNT = "move_mount"
        PROCEXIT = "procexit"
        TASK_RENAME = "task_rename"
        CGROUP_ATTACH = "cgroup_attach"
        COMPAT_SYSCALL = "compat_syscall"
        BUDGET_EXCEEDED = "budget_exceeded"
        CONTAINER = "container"
    }
}

event_types! {
    "read" 0 [res:Errno=Result data:Bytes=Data fd:Fd=Arg0 size:Uint=Arg2]
    "write" 1 [res:Errno=Result data:Bytes=Data fd:Fd=Arg0 size:Uint=Arg2]
    "open" 2 [fd:Fd=Result name:Path=Path0 flags:OpenFlags=Arg1 mode:Octal=Arg2 dev:Hex=FileDev ino:Uint=FileIno]
    "close" 3 [res:Errno=Result fd:Fd=Arg0]
    "stat" 4 [res:Errno=Result path:Path=Path0]
    "fstat" 5 [res:Errno=Result fd:Fd=Arg0]
    "lstat" 6 [res:Errno=Result path:Path=Path0]
    "poll" 7 [res:Errno=Result fds:FdList=Absent timeout:Int=Arg2]
    "lseek" 8 [res:Errno=Result fd:Fd=Arg0 offset:Uint=Arg1 whence:Whence=Arg2]
    "mmap" 9 [res:Uint=Result vm_size:Uint=Absent vm_rss:Uint=Absent vm_swap:Uint=Absent addr:Hex=Arg0 length:Uint=Arg1 prot:ProtFlags=Arg2 flags:MmapFlags=Arg3 fd:Fd=Arg4 offset:Uint=Arg5]
    "mprotect" 10 [res:Errno=Result addr:Hex=Arg0 length:Uint=Arg1 prot:ProtFlags=Arg2]
    "munmap" 11 [res:Errno=Result vm_size:Uint=Absent vm_rss:Uint=Absent vm_swap:Uint=Absent addr:Hex=Arg0 length:Uint=Arg1]
    "brk" 12 [res:Uint=Result vm_size:Uint=Absent vm_rss:Uint=Absent vm_swap:Uint=Absent addr:Hex=Arg0]
    "rt_sigaction" 13 []
    "rt_sigprocmask" 14 []
    "rt_sigreturn" 15 []
    "ioctl" 16 [res:Errno=Result fd:Fd=Arg0 request:Hex=Arg1 argument:Hex=Arg2]
    "pread" 17 [res:Errno=Result data:Bytes=Data fd:Fd=Arg0 size:Uint=Arg2 pos:Uint=Arg3]
    "pwrite" 18 [res:Errno=Result data:Bytes=Data fd:Fd=Arg0 size:Uint=Arg2 pos:Uint=Arg3]
    "readv" 19 [res:Errno=Result size:Uint=Size data:Bytes=Data fd:Fd=Arg0]
    "writev" 20 [res:Errno=Result data:Bytes=Data fd:Fd=Arg0 size:Uint=Size]
    "access" 21 [res:Errno=Result name:Path=Path0 mode:AccessFlags=Arg1]
    "pipe" 22 [res:Errno=Result fd1:Fd=Absent fd2:Fd=Absent ino:Uint=Absent]
    "select" 23 [res:Errno=Result]
    "sched_yield" 24 []
    "mremap" 25 []
    "msync" 26 []
    "mincore" 27 []
    "madvise" 28 []
    "shmget" 29 []
    "shmat" 30 []
    "shmctl" 31 []
    "dup" 32 [res:Fd=Result oldfd:Fd=Arg0]
    "dup2" 33 [res:Fd=Result oldfd:Fd=Arg0 newfd:Fd=Arg1]
    "pause" 34 []
    "nanosleep" 35 [res:Errno=Result interval:RelTime=Absent]
    "getitimer" 36 []
    "alarm" 37 []
    "setitimer" 38 []
    "getpid" 39 []
    "sendfile" 40 [res:Errno=Result offset:Uint=Absent out_fd:Fd=Arg0 in_fd:Fd=Arg1 size:Uint=Arg3]
    "socket" 41 [fd:Fd=Result domain:SocketDomain=Arg0 r#type:Uint=Arg1 proto:Uint=Arg2 flags:FileFlags=SocketFlags]
    "connect" 42 [res:Errno=Result tuple:SockTuple=Tuple fd:Fd=Arg0 addr:SockAddr=Address]
    "accept" 43 [fd:Fd=Result tuple:SockTuple=Tuple queuepct:Uint=Absent queuelen:Uint=Absent queuemax:Uint=Absent]
    "sendto" 44 [res:Errno=Result data:Bytes=Data fd:Fd=Arg0 size:Uint=Arg2 tuple:SockTuple=Tuple]
    "recvfrom" 45 [res:Errno=Result data:Bytes=Data tuple:SockTuple=Tuple fd:Fd=Arg0 size:Uint=Arg2]
    "sendmsg" 46 [res:Errno=Result data:Bytes=Data fd:Fd=Arg0 size:Uint=Size tuple:SockTuple=Tuple]
    "recvmsg" 47 [res:Errno=Result size:Uint=Size data:Bytes=Data tuple:SockTuple=Tuple msgcontrol:Bytes=Absent fd:Fd=Arg0]
    "shutdown" 48 [res:Errno=Result fd:Fd=Arg0 how:ShutdownHow=Arg1]
    "bind" 49 [res:Errno=Result addr:SockAddr=Address fd:Fd=Arg0]
    "listen" 50 [res:Errno=Result fd:Fd=Arg0 backlog:Int=Arg1]
    "getsockname" 51 []
    "getpeername" 52 []
    "socketpair" 53 [res:Errno=Result fd1:Fd=Absent fd2:Fd=Absent source:Hex=Absent peer:Hex=Absent domain:SocketDomain=Arg0 r#type:Uint=Arg1 proto:Uint=Arg2]
    "setsockopt" 54 [res:Errno=Result fd:Fd=Arg0 level:Uint=Arg1 optname:Uint=Arg2 val:Dynamic=Absent optlen:Uint=Arg4]
    "getsockopt" 55 [res:Errno=Result fd:Fd=Arg0 level:Uint=Arg1 optname:Uint=Arg2 val:Dynamic=Absent optlen:Uint=Absent]
    "clone" 56 [res:Pid=Own exe:Text=Own args:Bytes=Own tid:Pid=Own pid:Pid=Own ptid:Pid=Own cwd:Text=Own fdlimit:Uint=Absent pgft_maj:Uint=Absent pgft_min:Uint=Absent vm_size:Uint=Absent vm_rss:Uint=Absent vm_swap:Uint=Absent comm:Text=Own cgroups:Bytes=Own flags:CloneFlags=Own uid:Uid=Own gid:Gid=Own vtid:Pid=Own vpid:Pid=Own pidns_init_start_ts:Uint=Absent]
    "fork" 57 [res:Pid=Own exe:Text=Own args:Bytes=Own tid:Pid=Own pid:Pid=Own ptid:Pid=Own cwd:Text=Own fdlimit:Uint=Absent pgft_maj:Uint=Absent pgft_min:Uint=Absent vm_size:Uint=Absent vm_rss:Uint=Absent vm_swap:Uint=Absent comm:Text=Own cgroups:Bytes=Own flags:CloneFlags=Own uid:Uid=Own gid:Gid=Own vtid:Pid=Own vpid:Pid=Own pidns_init_start_ts:Uint=Absent]
    "vfork" 58 [res:Pid=Own exe:Text=Own args:Bytes=Own tid:Pid=Own pid:Pid=Own ptid:Pid=Own cwd:Text=Own fdlimit:Uint=Absent pgft_maj:Uint=Absent pgft_min:Uint=Absent vm_size:Uint=Absent vm_rss:Uint=Absent vm_swap:Uint=Absent comm:Text=Own cgroups:Bytes=Own flags:CloneFlags=Own uid:Uid=Own gid:Gid=Own vtid:Pid=Own vpid:Pid=Own pidns_init_start_ts:Uint=Absent]
    "execve" 59 [res:Errno=Own exe:Text=Own args:Bytes=Own tid:Pid=Own pid:Pid=Own ptid:Pid=Own cwd:Text=Own fdlimit:Uint=Absent pgft_maj:Uint=Absent pgft_min:Uint=Absent vm_size:Uint=Absent vm_rss:Uint=Absent vm_swap:Uint=Absent comm:Text=Own cgroups:Bytes=Own env:Bytes=Own tty:Uint=Own vpgid:Pid=Own loginuid:Uid=Own flags:ExecFlags=Own cap_inheritable:Hex=Own cap_permitted:Hex=Own cap_effective:Hex=Own exe_ino:Uint=Own exe_ino_ctime:Uint=Own exe_ino_mtime:Uint=Own uid:Uid=Own trusted_exepath:Path=Own pgid:Pid=Own gid:Gid=Own filename:Path=Own]
    "exit" 60 []
    "wait4" 61 []
    "kill" 62 [res:Errno=Result pid:Pid=Arg0 sig:Signal=Arg1]
    "uname" 63 []
    "semget" 64 [res:Errno=Result key:Hex=Arg0 nsems:Int=Arg1 semflg:Hex=Arg2]
    "semop" 65 [res:Errno=Result semid:Int=Arg0 nsops:Uint=Arg2]
    "semctl" 66 [res:Errno=Result semid:Int=Arg0 semnum:Int=Arg1 cmd:Uint=Arg2 val:Int=Arg3]
    "shmdt" 67 []
    "msgget" 68 []
    "msgsnd" 69 []
    "msgrcv" 70 []
    "msgctl" 71 []
    "fcntl" 72 [res:Fd=Result fd:Fd=Arg0 cmd:FcntlCommand=Arg1]
    "flock" 73 [res:Errno=Result fd:Fd=Arg0 operation:FlockOperation=Arg1]
    "fsync" 74 []
    "fdatasync" 75 []
    "truncate" 76 [res:Errno=Result path:Path=Path0 length:Uint=Arg1]
    "ftruncate" 77 [res:Errno=Result fd:Fd=Arg0 length:Uint=Arg1]
    "getdents" 78 [res:Errno=Result fd:Fd=Arg0]
    "getcwd" 79 [res:Errno=Result path:Path=Absent]
    "chdir" 80 [res:Errno=Result path:Path=Path0]
    "fchdir" 81 [res:Errno=Result fd:Fd=Arg0]
    "rename" 82 [res:Errno=Result oldpath:Path=Path0 newpath:Path=Path1]
    "mkdir" 83 [res:Errno=Result path:Path=Path0 mode:HexInt=Arg1]
    "rmdir" 84 [res:Errno=Result path:Path=Path0]
    "creat" 85 [fd:Fd=Result name:Path=Path0 mode:Octal=Arg1 dev:Hex=FileDev ino:Uint=FileIno creat_flags:FileFlags=CreatedFlags]
    "link" 86 [res:Errno=Result oldpath:Path=Path0 newpath:Path=Path1]
    "unlink" 87 [res:Errno=Result path:Path=Path0]
    "symlink" 88 [res:Errno=Result target:Text=Text0 linkpath:Path=Path0]
    "readlink" 89 []
    "chmod" 90 [res:Errno=Result filename:Path=Path0 mode:Mode=Arg1]
    "fchmod" 91 [res:Errno=Result fd:Fd=Arg0 mode:Mode=Arg1]
    "chown" 92 [res:Errno=Result path:Path=Path0 uid:Uid=Arg1 gid:Gid=Arg2]
    "fchown" 93 [res:Errno=Result fd:Fd=Arg0 uid:Uid=Arg1 gid:Gid=Arg2]
    "lchown" 94 [res:Errno=Result path:Path=Path0 uid:Uid=Arg1 gid:Gid=Arg2]
    "umask" 95 []
    "gettimeofday" 96 []
    "getrlimit" 97 [res:Errno=Result cur:Int=Absent max:Int=Absent resource:Resource=Arg0]
    "getrusage" 98 []
    "sysinfo" 99 []
    "times" 100 []
    "ptrace" 101 [res:Errno=Result addr:Dynamic=Absent data:Dynamic=Absent request:PtraceRequest=Arg0 pid:Pid=Arg1]
    "getuid" 102 [uid:Uid=Result]
    "syslog" 103 []
    "getgid" 104 [gid:Gid=Result]
    "setuid" 105 [res:Errno=Result uid:Uid=Arg0]
    "setgid" 106 [res:Errno=Result gid:Gid=Arg0]
    "geteuid" 107 [euid:Uid=Result]
    "getegid" 108 [egid:Gid=Result]
    "setpgid" 109 [res:Pid=Result pid:Pid=Arg0 pgid:Pid=Arg1]
    "getppid" 110 []
    "getpgrp" 111 []
    "setsid" 112 [res:Pid=Result]
    "setreuid" 113 [res:Errno=Result ruid:Uid=Arg0 euid:Uid=Arg1]
    "setregid" 114 [res:Errno=Result rgid:Gid=Arg0 egid:Gid=Arg1]
    "getgroups" 115 []
    "setgroups" 116 [res:Errno=Result size:Uint=Arg0]
    "setresuid" 117 [res:Errno=Result ruid:Uid=Arg0 euid:Uid=Arg1 suid:Uid=Arg2]
    "getresuid" 118 [res:Errno=Result ruid:Uid=Absent euid:Uid=Absent suid:Uid=Absent]
    "setresgid" 119 [res:Errno=Result rgid:Gid=Arg0 egid:Gid=Arg1 sgid:Gid=Arg2]
    "getresgid" 120 [res:Errno=Result rgid:Gid=Absent egid:Gid=Absent sgid:Gid=Absent]
    "getpgid" 121 []
    "setfsuid" 122 [res:Uid=Result uid:Uid=Arg0]
    "setfsgid" 123 [res:Gid=Result gid:Gid=Arg0]
    "getsid" 124 []
    "capget" 125 []
    "capset" 126 [res:Errno=Result cap_inheritable:Hex=Own cap_permitted:Hex=Own cap_effective:Hex=Own]
    "rt_sigpending" 127 []
    "rt_sigtimedwait" 128 []
    "rt_sigqueueinfo" 129 [res:Errno=Result pid:Pid=Arg0 sig:Signal=Arg1]
    "rt_sigsuspend" 130 []
    "sigaltstack" 131 []
    "utime" 132 [res:Errno=Result filename:Path=Path0]
    "mknod" 133 [res:Errno=Result path:Path=Path0 mode:Mode=Arg1 dev:Hex=Arg2]
    "uselib" 134 []
    "personality" 135 []
    "ustat" 136 []
    "statfs" 137 []
    "fstatfs" 138 []
    "sysfs" 139 []
    "getpriority" 140 []
    "setpriority" 141 []
    "sched_setparam" 142 []
    "sched_getparam" 143 []
    "sched_setscheduler" 144 []
    "sched_getscheduler" 145 []
    "sched_get_priority_max" 146 []
    "sched_get_priority_min" 147 []
    "sched_rr_get_interval" 148 []
    "mlock" 149 [res:Errno=Result addr:Hex=Arg0 len:Uint=Arg1]
    "munlock" 150 [res:Errno=Result addr:Hex=Arg0 len:Uint=Arg1]
    "mlockall" 151 [res:Errno=Result flags:Hex=Arg0]
    "munlockall" 152 [res:Errno=Result]
    "vhangup" 153 []
    "modify_ldt" 154 []
    "pivot_root" 155 [res:Errno=Result new_root:Path=Path0 put_old:Path=Path1]
    "_sysctl" 156 []
    "prctl" 157 [res:Errno=Result option:PrctlOption=Arg0 arg2_str:Text=Text0 arg2_int:Hex=Arg1]
    "arch_prctl" 158 []
    "adjtimex" 159 []
    "setrlimit" 160 [res:Errno=Result cur:Int=Absent max:Int=Absent resource:Resource=Arg0]
    "chroot" 161 [res:Errno=Result path:Path=Path0]
    "sync" 162 []
    "acct" 163 []
    "settimeofday" 164 []
    "mount" 165 [res:Errno=Result dev:Text=Text1 dir:Path=Path0 r#type:Text=Text0 flags:MountFlags=Arg3]
    "umount2" 166 [res:Errno=Result name:Path=Path0 flags:UmountFlags=Arg1]
    "swapon" 167 [res:Errno=Result path:Path=Path0 flags:Hex=Arg1]
    "swapoff" 168 [res:Errno=Result path:Path=Path0]
    "reboot" 169 [res:Errno=Result cmd:Hex=Arg2]
    "sethostname" 170 []
    "setdomainname" 171 []
    "iopl" 172 [res:Errno=Result level:Uint=Arg0]
    "ioperm" 173 [res:Errno=Result from:Uint=Arg0 num:Uint=Arg1 turn_on:Int=Arg2]
    "create_module" 174 []
    "init_module" 175 [res:Errno=Result img:Bytes=Data length:Uint=Arg1 uargs:Text=Text0]
    "delete_module" 176 [res:Errno=Result name:Text=Text0 flags:FileFlags=Arg1]
    "get_kernel_syms" 177 []
    "query_module" 178 []
    "quotactl" 179 [res:Errno=Result special:Text=Text0 cmd:Hex=Arg0 id:Uint=Arg2]
    "nfsservctl" 180 []
    "getpmsg" 181 []
    "putpmsg" 182 []
    "afs_syscall" 183 []
    "tuxcall" 184 []
    "security" 185 []
    "gettid" 186 []
    "readahead" 187 []
    "setxattr" 188 [res:Errno=Result path:Path=Path0 name:Text=Text0 flags:Hex=Arg4]
    "lsetxattr" 189 [res:Errno=Result path:Path=Path0 name:Text=Text0 flags:Hex=Arg4]
    "fsetxattr" 190 [res:Errno=Result fd:Fd=Arg0 name:Text=Text0 flags:Hex=Arg4]
    "getxattr" 191 []
    "lgetxattr" 192 []
    "fgetxattr" 193 []
    "listxattr" 194 []
    "llistxattr" 195 []
    "flistxattr" 196 []
    "removexattr" 197 [res:Errno=Result path:Path=Path0 name:Text=Text0]
    "lremovexattr" 198 [res:Errno=Result path:Path=Path0 name:Text=Text0]
    "fremovexattr" 199 [res:Errno=Result fd:Fd=Arg0 name:Text=Text0]
    "tkill" 200 [res:Errno=Result tid:Pid=Arg0 sig:Signal=Arg1]
    "time" 201 []
    "futex" 202 [res:Errno=Result addr:Hex=Arg0 op:FutexOp=Arg1 val:Uint=Arg2]
    "sched_setaffinity" 203 []
    "sched_getaffinity" 204 []
    "set_thread_area" 205 []
    "io_setup" 206 []
    "io_destroy" 207 []
    "io_getevents" 208 []
    "io_submit" 209 []
    "io_cancel" 210 []
    "get_thread_area" 211 []
    "lookup_dcookie" 212 []
    "epoll_create" 213 [res:Errno=Result size:Int=Arg0]
    "epoll_ctl_old" 214 []
    "epoll_wait_old" 215 []
    "remap_file_pages" 216 []
    "getdents64" 217 [res:Errno=Result fd:Fd=Arg0]
    "set_tid_address" 218 []
    "restart_syscall" 219 []
    "semtimedop" 220 []
    "fadvise64" 221 []
    "timer_create" 222 []
    "timer_settime" 223 []
    "timer_gettime" 224 []
    "timer_getoverrun" 225 []
    "timer_delete" 226 []
    "clock_settime" 227 []
    "clock_gettime" 228 []
    "clock_getres" 229 []
    "clock_nanosleep" 230 []
    "exit_group" 231 []
    "epoll_wait" 232 [res:Errno=Result maxevents:Int=Arg2]
    "epoll_ctl" 233 []
    "tgkill" 234 [res:Errno=Result pid:Pid=Arg0 tid:Pid=Arg1 sig:Signal=Arg2]
    "utimes" 235 [res:Errno=Result filename:Path=Path0]
    "vserver" 236 []
    "mbind" 237 []
    "set_mempolicy" 238 []
    "get_mempolicy" 239 []
    "mq_open" 240 []
    "mq_unlink" 241 []
    "mq_timedsend" 242 []
    "mq_timedreceive" 243 []
    "mq_notify" 244 []
    "mq_getsetattr" 245 []
    "kexec_load" 246 [res:Errno=Result entry:Hex=Arg0 segments:Uint=Arg1 flags:Hex=Arg3]
    "waitid" 247 []
    "add_key" 248 [res:Int=Result r#type:Text=Text0 description:Text=Text1 size:Uint=Arg3 keyring:Int=Arg4]
    "request_key" 249 [res:Int=Result r#type:Text=Text0 description:Text=Text1 keyring:Int=Arg3]
    "keyctl" 250 [res:Int=Result operation:Uint=Arg0 arg2:Hex=Arg1 arg3:Hex=Arg2]
    "ioprio_set" 251 []
    "ioprio_get" 252 []
    "inotify_init" 253 [res:Fd=Result]
    "inotify_add_watch" 254 []
    "inotify_rm_watch" 255 []
    "migrate_pages" 256 []
    "openat" 257 [fd:Fd=Result dirfd:Fd=Arg0 name:Path=Path0 flags:OpenFlags=Arg2 mode:Octal=Arg3 dev:Hex=FileDev ino:Uint=FileIno]
    "mkdirat" 258 [res:Errno=Result dirfd:Fd=Arg0 path:Path=Path0 mode:HexInt=Arg2]
    "mknodat" 259 [res:Errno=Result dirfd:Fd=Arg0 path:Path=Path0 mode:Mode=Arg2 dev:Hex=Arg3]
    "fchownat" 260 [res:Errno=Result dirfd:Fd=Arg0 pathname:Path=Path0 uid:Uid=Arg2 gid:Gid=Arg3 flags:Hex=Arg4]
    "futimesat" 261 [res:Errno=Result dirfd:Fd=Arg0 filename:Path=Path0]
    "newfstatat" 262 [res:Errno=Result dirfd:Fd=Arg0 path:Path=Path0 flags:Hex=Arg3]
    "unlinkat" 263 [res:Errno=Result dirfd:Fd=Arg0 name:Path=Path0 flags:UnlinkatFlags=Arg2]
    "renameat" 264 [res:Errno=Result olddirfd:Fd=Arg0 oldpath:Path=Path0 newdirfd:Fd=Arg2 newpath:Path=Path1]
    "linkat" 265 [res:Errno=Result olddir:Fd=Arg0 oldpath:Path=Path0 newdir:Fd=Arg2 newpath:Path=Path1 flags:LinkatFlags=Arg4]
    "symlinkat" 266 [res:Errno=Result target:Text=Text0 linkdirfd:Fd=Arg1 linkpath:Path=Path0]
    "readlinkat" 267 []
    "fchmodat" 268 [res:Errno=Result dirfd:Fd=Arg0 filename:Path=Path0 mode:Mode=Arg2]
    "faccessat" 269 []
    "pselect6" 270 []
    "ppoll" 271 [res:Errno=Result fds:FdList=Absent timeout:RelTime=Absent sigmask:Hex=Absent]
    "unshare" 272 [res:Errno=Result flags:CloneFlags=Arg0]
    "set_robust_list" 273 []
    "get_robust_list" 274 []
    "splice" 275 [res:Errno=Result fd_in:Fd=Arg0 fd_out:Fd=Arg2 size:Uint=Arg4 flags:SpliceFlags=Arg5]
    "tee" 276 []
    "sync_file_range" 277 []
    "vmsplice" 278 []
    "move_pages" 279 []
    "utimensat" 280 [res:Errno=Result dirfd:Fd=Arg0 path:Path=Path0 flags:Hex=Arg3]
    "epoll_pwait" 281 []
    "signalfd" 282 [res:Fd=Result fd:Fd=Arg0 mask:Hex=Absent]
    "timerfd_create" 283 [res:Fd=Result clockid:Uint=Arg0 flags:FileFlags=Arg1]
    "eventfd" 284 [res:Fd=Result initval:Uint=Arg0]
    "fallocate" 285 []
    "timerfd_settime" 286 []
    "timerfd_gettime" 287 []
    "accept4" 288 [fd:Fd=Result tuple:SockTuple=Tuple queuepct:Uint=Absent queuelen:Uint=Absent queuemax:Uint=Absent flags:FileFlags=Arg3]
    "signalfd4" 289 [res:Fd=Result fd:Fd=Arg0 mask:Hex=Absent flags:FileFlags=Arg3]
    "eventfd2" 290 [res:Fd=Result initval:Uint=Arg0 flags:FileFlags=Arg1]
    "epoll_create1" 291 [res:Errno=Result flags:FileFlags=Arg0]
    "dup3" 292 [res:Fd=Result oldfd:Fd=Arg0 newfd:Fd=Arg1 flags:FileFlags=Arg2]
    "pipe2" 293 [res:Errno=Result fd1:Fd=Absent fd2:Fd=Absent ino:Uint=Absent flags:FileFlags=Arg1]
    "inotify_init1" 294 [res:Fd=Result flags:FileFlags=Arg0]
    "preadv" 295 [res:Errno=Result size:Uint=Size data:Bytes=Data fd:Fd=Arg0 pos:Uint=Arg3]
    "pwritev" 296 [res:Errno=Result data:Bytes=Data fd:Fd=Arg0 size:Uint=Size pos:Uint=Arg3]
    "rt_tgsigqueueinfo" 297 []
    "perf_event_open" 298 [fd:Fd=Result pid:Pid=Arg1 cpu:Int=Arg2 group_fd:Fd=Arg3 flags:Hex=Arg4]
    "recvmmsg" 299 [res:Errno=Result fd:Fd=Arg0 size:Uint=Absent data:Bytes=Data tuple:SockTuple=Tuple msgcontrol:Bytes=Absent]
    "fanotify_init" 300 [fd:Fd=Result flags:Hex=Arg0 event_flags:Hex=Arg1]
    "fanotify_mark" 301 []
    "prlimit" 302 [res:Errno=Result newcur:Int=Absent newmax:Int=Absent oldcur:Int=Absent oldmax:Int=Absent pid:Pid=Arg0 resource:Resource=Arg1]
    "name_to_handle_at" 303 []
    "open_by_handle_at" 304 [fd:Fd=Result mountfd:Fd=Arg0 flags:OpenFlags=Arg2 path:Path=FilePath dev:Hex=FileDev ino:Uint=FileIno]
    "clock_adjtime" 305 []
    "syncfs" 306 []
    "sendmmsg" 307 [res:Errno=Result fd:Fd=Arg0 size:Uint=Absent data:Bytes=Data tuple:SockTuple=Tuple]
    "setns" 308 [res:Errno=Result fd:Fd=Arg0 nstype:CloneFlags=Arg1]
    "getcpu" 309 []
    "process_vm_readv" 310 [res:Errno=Result pid:Pid=Arg0 data:Bytes=Data]
    "process_vm_writev" 311 [res:Errno=Result pid:Pid=Arg0 data:Bytes=Data]
    "kcmp" 312 []
    "finit_module" 313 [res:Errno=Result fd:Fd=Arg0 uargs:Text=Text0 flags:ModuleFlags=Arg2]
    "sched_setattr" 314 []
    "sched_getattr" 315 []
    "renameat2" 316 [res:Errno=Result olddirfd:Fd=Arg0 oldpath:Path=Path0 newdirfd:Fd=Arg2 newpath:Path=Path1 flags:RenameFlags=Arg4]
    "seccomp" 317 [res:Errno=Result op:SeccompOp=Arg0 flags:Hex=Arg1]
    "getrandom" 318 []
    "memfd_create" 319 [fd:Fd=Result name:Text=Text0 flags:MemfdFlags=Arg1]
    "kexec_file_load" 320 [res:Errno=Result fd:Fd=Arg0 initrd_fd:Fd=Arg1 flags:Hex=Arg4]
    "bpf" 321 [fd:Fd=Result cmd:BpfCommand=Arg0]
    "execveat" 322 [res:Errno=Own exe:Text=Own args:Bytes=Own tid:Pid=Own pid:Pid=Own ptid:Pid=Own cwd:Text=Own fdlimit:Uint=Absent pgft_maj:Uint=Absent pgft_min:Uint=Absent vm_size:Uint=Absent vm_rss:Uint=Absent vm_swap:Uint=Absent comm:Text=Own cgroups:Bytes=Own env:Bytes=Own tty:Uint=Own vpgid:Pid=Own loginuid:Uid=Own flags:ExecFlags=Own cap_inheritable:Hex=Own cap_permitted:Hex=Own cap_effective:Hex=Own exe_ino:Uint=Own exe_ino_ctime:Uint=Own exe_ino_mtime:Uint=Own uid:Uid=Own trusted_exepath:Path=Own pgid:Pid=Own gid:Gid=Own pathname:Path=Own]
    "userfaultfd" 323 [res:Errno=Result flags:FileFlags=Arg0]
    "membarrier" 324 []
    "mlock2" 325 [res:Errno=Result addr:Hex=Arg0 len:Uint=Arg1 flags:Hex=Arg2]
    "copy_file_range" 326 [res:Errno=Result fdout:Fd=Arg2 offout:Uint=Absent fdin:Fd=Arg0 offin:Uint=Absent len:Uint=Arg4]
    "preadv2" 327 []
    "pwritev2" 328 []
    "pkey_mprotect" 329 []
    "pkey_alloc" 330 []
    "pkey_free" 331 []
    "statx" 332 []
    "io_pgetevents" 333 []
    "rseq" 334 []
    "pidfd_send_signal" 424 [res:Errno=Result fd:Fd=Arg0 sig:Signal=Arg1 flags:Hex=Arg3]
    "io_uring_setup" 425 [res:Errno=Result entries:Uint=Arg0 sq_entries:Uint=Absent cq_entries:Uint=Absent flags:Hex=Absent sq_thread_cpu:Uint=Absent sq_thread_idle:Uint=Absent features:Hex=Absent]
    "io_uring_enter" 426 [res:Errno=Result fd:Fd=Arg0 to_submit:Uint=Arg1 min_complete:Uint=Arg2 flags:Hex=Arg3 sig:Hex=Absent]
    "io_uring_register" 427 [res:Errno=Result fd:Fd=Arg0 opcode:Uint=Arg1 arg:Hex=Arg2 nr_args:Uint=Arg3]
    "open_tree" 428 [fd:Fd=Result dirfd:Fd=Arg0 path:Path=Path0 flags:Hex=Arg2]
    "move_mount" 429 [res:Errno=Result fromdirfd:Fd=Arg0 frompath:Path=Path0 todirfd:Fd=Arg2 topath:Path=Path1 flags:Hex=Arg4]
    "fsopen" 430 [fd:Fd=Result fsname:Text=Text0 flags:Hex=Arg1]
    "fsconfig" 431 [res:Errno=Result fd:Fd=Arg0 cmd:Uint=Arg1 key:Text=Text0 value_bytebuf:Bytes=Absent value_charbuf:Text=Text1 aux:Int=Arg4]
    "fsmount" 432 [fd:Fd=Result fs_fd:Fd=Arg0 flags:Hex=Arg1 attr_flags:Hex=Arg2]
    "fspick" 433 [fd:Fd=Result dirfd:Fd=Arg0 path:Path=Path0 flags:Hex=Arg2]
    "pidfd_open" 434 [res:Errno=Result pid:Pid=Arg0 flags:FileFlags=Arg1]
    "clone3" 435 [res:Pid=Own exe:Text=Own args:Bytes=Own tid:Pid=Own pid:Pid=Own ptid:Pid=Own cwd:Text=Own fdlimit:Uint=Absent pgft_maj:Uint=Absent pgft_min:Uint=Absent vm_size:Uint=Absent vm_rss:Uint=Absent vm_swap:Uint=Absent comm:Text=Own cgroups:Bytes=Own flags:CloneFlags=Own uid:Uid=Own gid:Gid=Own vtid:Pid=Own vpid:Pid=Own pidns_init_start_ts:Uint=Absent]
    "close_range" 436 [res:Errno=Result first:Uint=Arg0 last:Uint=Arg1 flags:CloseRangeFlags=Arg2]
    "openat2" 437 [fd:Fd=Result dirfd:Fd=Arg0 name:Path=Path0 flags:OpenFlags=OpenHow0 mode:Octal=OpenHow1 resolve:ResolveFlags=OpenHow2 dev:Hex=FileDev ino:Uint=FileIno]
    "pidfd_getfd" 438 [fd:Fd=Result pid_fd:Fd=Arg0 target_fd:Fd=Arg1 flags:Uint=Arg2]
    "faccessat2" 439 []
    "process_madvise" 440 []
    "epoll_pwait2" 441 []
    "mount_setattr" 442 [res:Errno=Result dirfd:Fd=Arg0 path:Path=Path0 flags:Hex=Arg2]
    "quotactl_fd" 443 []
    "landlock_create_ruleset" 444 []
    "landlock_add_rule" 445 []
    "landlock_restrict_self" 446 []
    "memfd_secret" 447 [fd:Fd=Result flags:FileFlags=Arg0]
    "process_mrelease" 448 []
    "futex_waitv" 449 []
    "set_mempolicy_home_node" 450 []
    "cachestat" 451 []
    "fchmodat2" 452 [res:Errno=Result dirfd:Fd=Arg0 filename:Path=Path0 mode:Mode=Arg2 flags:Hex=Arg3]
    "map_shadow_stack" 453 []
    "futex_wake" 454 []
    "futex_wait" 455 []
    "futex_requeue" 456 []
    "statmount" 457 []
    "listmount" 458 []
    "lsm_get_self_attr" 459 []
    "lsm_set_self_attr" 460 []
    "lsm_list_modules" 461 []
    "mseal" 462 []
    "setxattrat" 463 [res:Errno=Result dirfd:Fd=Arg0 path:Path=Path0 name:Text=Text0 flags:Hex=Arg2]
    "getxattrat" 464 []
    "listxattrat" 465 []
    "removexattrat" 466 [res:Errno=Result dirfd:Fd=Arg0 path:Path=Path0 name:Text=Text0 flags:Hex=Arg2]
    "open_tree_attr" 467 []
    "file_getattr" 468 []
    "file_setattr" 469 []
    "procexit" - [status:Errno=Own ret:Errno=Own sig:Signal=Own core:Uint=Own reaper_tid:Pid=Absent]
    "task_rename" - [comm:Text=Own]
    "cgroup_attach" - [path:Text=Own]
    "compat_syscall" - [number:Int=Own]
    "budget_exceeded" - [count:Uint=Own]
    "send" - [res:Errno=Result data:Bytes=Data fd:Fd=Arg0 size:Uint=Arg2]
    "recv" - [res:Errno=Result data:Bytes=Data fd:Fd=Arg0 size:Uint=Arg2]
    "stat64" - [res:Errno=Result path:Path=Path0]
    "lstat64" - [res:Errno=Result path:Path=Path0]
    "fstat64" - [res:Errno=Result fd:Fd=Arg0]
    "llseek" - [res:Errno=Result fd:Fd=Arg0 offset:Uint=Absent whence:Whence=Absent]
    "mmap2" - [res:Uint=Result]
    "umount" - [res:Errno=Result name:Path=Path0]
    "socketcall" - []
    "ugetrlimit" - []
    "fcntl64" - []
    "sendfile64" - []
    "waitpid" - []
    "signaldeliver" - [spid:Pid=Absent dpid:Pid=Absent sig:Signal=Absent]
    "switch" - [next:Pid=Absent pgft_maj:Uint=Absent pgft_min:Uint=Absent vm_size:Uint=Absent vm_rss:Uint=Absent vm_swap:Uint=Absent]
    "drop" - [ratio:Uint=Absent]
    "scapevent" - [event_type:Uint=Absent event_data:Uint=Absent]
    "procinfo" - [cpu_usr:Uint=Absent cpu_sys:Uint=Absent]
    "cpu_hotplug" - [cpu:Uint=Absent action:Uint=Absent]
    "page_fault" - [addr:Hex=Absent ip:Hex=Absent error:Hex=Absent]
    "tracer" - [id:Int=Absent tags:Text=Absent args:Text=Absent]
    "k8s" - [json:Text=Absent]
    "mesos" - [json:Text=Absent]
    "notification" - [id:Text=Absent desc:Text=Absent]
    "infra" - [source:Text=Absent name:Text=Absent description:Text=Absent scope:Text=Absent]
    "container" - [json:Text=Absent change:Text=Own]
    "useradded" - [uid:Uint=Absent gid:Uint=Absent name:Text=Absent home:Text=Absent shell:Text=Absent container_id:Text=Absent]
    "userdeleted" - [uid:Uint=Absent gid:Uint=Absent name:Text=Absent home:Text=Absent shell:Text=Absent container_id:Text=Absent]
    "groupadded" - [gid:Uint=Absent name:Text=Absent container_id:Text=Absent]
    "groupdeleted" - [gid:Uint=Absent name:Text=Absent container_id:Text=Absent]
    "pluginevent" - [plugin_id:Uint=Absent event_data:Bytes=Absent]
    "asyncevent" - [plugin_id:Uint=Absent name:Text=Absent data:Bytes=Absent]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_leads_back_to_the_row_that_has_it() {
        for kind in EventType::all() {
            if let Some(number) = kind.row().number {
                assert_eq!(EventType::from_number(number), Some(kind));
            }
        }
        assert_eq!(EventType::from_number(500), None);
        assert_eq!(EventType::from_number(u16::MAX), None);
    }

    #[test]
    fn names_are_unique() {
        for kind in EventType::all() {
            assert_eq!(
                EventType::from_name(kind.name()),
                Some(kind),
                "{kind:?} stands twice"
            );
        }
    }

    #[test]
    fn a_keyword_parameter_loses_its_prefix() {
        assert_eq!(named::MOUNT.row().params[3].name, "type");
    }
}
