//! What the kernel captured: the decoded form of one record of the probes.
//!
//! Everything in here was read in the kernel *at the event*. What needs memory of earlier events (who the
//! ancestors are, which container this is) is added later, in [`crate::Event`].

use bstr::{BString, ByteVec};
use serde::{Deserialize, Serialize};

use crate::EventType;
use crate::call::named;
use crate::descriptor::Descriptor;
use crate::file::File;
use crate::socket::{Address, Socket};
use crate::truncation::Truncated;

/// One record of the probes, decoded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Captured {
    /// The processor it was captured on.
    pub cpu: u16,
    /// Counts the records of this processor, from 1; a gap is a lost record.
    pub sequence: u64,
    /// `CLOCK_BOOTTIME` in nanoseconds.
    pub boot_time_ns: u64,
    /// Whether the task is among those that are watched. Records of others keep state, and are judged only where
    /// they touch a secret.
    pub in_scope: bool,
    /// Whether the probes know the file it opened as a secret's.
    pub is_secret: bool,
    /// The task that did it.
    pub task: Task,
    /// What it did.
    pub what: What,
}

/// The acting task as the kernel knew it at the event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Task {
    /// Process (thread group) id in the host's pid namespace.
    pub pid: u32,
    /// Thread id in the host's pid namespace.
    pub tid: u32,
    /// Process id of the parent; 0 for none.
    pub parent_pid: u32,
    /// When the process started, `CLOCK_BOOTTIME` in nanoseconds; with `pid` it names the process for good.
    pub start_boottime_ns: u64,
    /// Counts the executions of the process and those it inherited at fork.
    pub exec_id: u32,
    /// Process id in its own pid namespace.
    pub vpid: u32,
    /// Thread id in its own pid namespace.
    pub vtid: u32,
    /// Session id in the host's pid namespace.
    pub sid: u32,
    /// Process group id in the host's pid namespace.
    pub pgid: u32,
    /// Process group id in its own pid namespace.
    pub vpgid: u32,
    /// The thread's name, at most 15 bytes.
    pub comm: BString,
    /// Who it acts as.
    pub credentials: Credentials,
    /// Controlling terminal, `major << 8 | minor`; 0 for none.
    pub tty: u32,
    /// Its namespaces.
    pub namespaces: Namespaces,
    /// Kernfs node id of its cgroup in the hierarchy in which engines make their groups.
    pub cgroup_id: u64,
    /// The cgroup of the container that its cgroup is or lies below, as the probes know it; 0 for none.
    pub container_cgroup_id: u64,
    /// The cgroup of the container it (or an ancestor) first belonged to; 0 for none. Never cleared.
    pub origin_cgroup_id: u64,
    /// Whether it, or an ancestor, joined an existing mount namespace from another one (`nsenter`, `runc exec`);
    /// `None` where its start was not observed.
    pub entered: Option<bool>,
}

/// Identities and capabilities, in the initial user namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are the kernel's")]
pub struct Credentials {
    pub uid: u32,
    pub gid: u32,
    pub euid: u32,
    pub egid: u32,
    /// `euid` as the task's own user namespace counts; `None` where that has no such user, or it is not known.
    pub ns_uid: Option<u32>,
    /// Audit login uid; `u32::MAX` for unset.
    pub loginuid: u32,
    pub cap_effective: u64,
    pub cap_permitted: u64,
    pub cap_inheritable: u64,
}

/// Inode numbers of a task's namespaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are the kernel's")]
pub struct Namespaces {
    pub mnt: u32,
    pub pid: u32,
    pub user: u32,
    pub net: u32,
}

/// What was done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum What {
    /// The task made another one.
    Fork(Fork),
    /// The task now runs another program.
    Exec(Box<Exec>),
    /// The task ended.
    Exit {
        /// As in `wait(2)`.
        status: i32,
        /// Whether the whole process ended (its last thread).
        process_ended: bool,
    },
    /// The thread changed its name.
    Rename {
        /// The new name.
        comm: BString,
    },
    /// A cgroup came, went, or got a task.
    Cgroup(CgroupChange),
    /// A system call returned.
    Call(Box<Call>),
    /// A system call through the 32-bit entry, whose table of numbers is another.
    CompatCall {
        /// The 32-bit system call number.
        number: i32,
    },
    /// The answer to the agent's own open of a secret's file: the key the probes match it by.
    SecretKey(Box<File>),
    /// A container started, or what is known of it is another now; made in user space.
    Container(ContainerChange),
    /// The budget of one container was used up; made in user space from the kernel's counters.
    BudgetExceeded {
        /// Records refused since the last such event.
        count: u64,
    },
}

impl Captured {
    /// What no record of the kernel stands for: made in user space, of a task that it knows.
    #[must_use]
    pub fn made(what: What, task: Task, boot_time_ns: u64) -> Self {
        Self {
            cpu: 0,
            sequence: 0,
            boot_time_ns,
            in_scope: true,
            is_secret: false,
            task,
            what,
        }
    }
}

/// See [`What::Container`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContainerChange {
    /// Its first program runs, or it was found running when the agent started.
    Started,
    /// Its engine says something else of it than before.
    Changed,
}

impl ContainerChange {
    /// The word of `evt.arg.change`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Changed => "changed",
        }
    }
}

/// A new task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    /// The child as the kernel knew it; `comm` and credentials are those of the parent.
    pub child: Task,
    /// Whether the child is a thread of the same process.
    pub is_thread: bool,
    /// The system call that made it, where that is known.
    #[serde(default)]
    pub call: Option<EventType>,
    /// The flags it passed.
    #[serde(default)]
    pub flags: u64,
}

/// A successful execution.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Exec {
    /// The name as it was passed to the kernel.
    pub filename: BString,
    /// The file that runs: for a script, its interpreter.
    pub file: File,
    /// Arguments, `argv[0]` first.
    pub args: Vec<BString>,
    /// `NAME=value` strings; empty unless a rule asks for the environment.
    pub env: Vec<BString>,
    /// Working directory, resolved by the kernel; empty where it lies too deep.
    pub cwd: BString,
    /// Which of these are incomplete.
    pub truncated: Truncated,
}

/// A change of the cgroup tree, in the hierarchy in which engines make their groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupChange {
    /// Made, removed, or joined.
    pub kind: CgroupChangeKind,
    /// Kernfs node id of the cgroup.
    pub id: u64,
    /// Path from the root of the hierarchy.
    pub path: BString,
    /// The process that was moved, for [`CgroupChangeKind::Attach`].
    pub pid: u32,
}

/// See [`CgroupChange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the kernel's")]
pub enum CgroupChangeKind {
    Mkdir,
    Rmdir,
    Attach,
}

impl Call {
    /// Which of the paths the call is about: the one that it changes of `move_mount`, else the first.
    pub(crate) fn subject(&self) -> usize {
        usize::from(self.event_type == named::MOVE_MOUNT)
    }
}

/// A system call that returned.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// Which one.
    pub event_type: EventType,
    /// What it returned; `-errno` for a failure.
    pub result: i64,
    /// The six arguments as registers held them.
    pub args: [u64; 6],
    /// The path arguments, in the order of the call's parameters. For `symlink*` only the link's own path, for
    /// `mount` only the target: what they point at is text.
    pub paths: Vec<GivenPath>,
    /// Text arguments that are no paths: the target of `symlink*`; the attribute's name of `*xattr`; file system
    /// type, then source, of `mount`.
    pub texts: Vec<BString>,
    /// Whether something of these texts is missing.
    #[serde(default)]
    pub texts_truncated: bool,
    /// `open_how` of `openat2`: flags, mode, resolve.
    pub open_how: Option<[u64; 3]>,
    /// The file the call made a descriptor for, or was called on.
    pub file: Option<File>,
    /// The same where it is no file.
    pub descriptor: Option<Descriptor>,
    /// The address that the program passed: the peer of `connect` and `sendto`, the own one of `bind`.
    pub address: Option<Address>,
    /// The bytes it read, wrote, sent or received, as far as captured; `None` where data is not captured.
    pub data: Option<BString>,
    /// Whether there was more of it.
    #[serde(default)]
    pub data_truncated: bool,
    /// The working directory after the call, of calls that change it; empty where it lies too deep.
    #[serde(default)]
    pub cwd: Option<BString>,
    /// How it came into the kernel.
    #[serde(default)]
    pub entry: Entry,
}

/// How a system call came into the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// As a 64-bit call.
    #[default]
    Native,
    /// Through the 32-bit (or x32) entry.
    Compat,
    /// As a request of io_uring: there was no system call of its own.
    IoUring,
}

impl Entry {
    /// The word of `evt.entry`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Compat => "compat",
            Self::IoUring => "io_uring",
        }
    }
}

impl Call {
    /// A call of which nothing is known beyond its result.
    #[must_use]
    pub fn new(event_type: EventType, result: i64) -> Self {
        Self {
            event_type,
            result,
            args: [0; 6],
            paths: Vec::new(),
            texts: Vec::new(),
            texts_truncated: false,
            open_how: None,
            file: None,
            descriptor: None,
            address: None,
            data: None,
            data_truncated: false,
            cwd: None,
            entry: Entry::Native,
        }
    }

    /// The socket the call made or was called on.
    #[must_use]
    pub fn socket(&self) -> Option<&Socket> {
        self.descriptor.as_ref()?.socket()
    }

    /// Whether another thread changed one of its paths while the call ran.
    #[must_use]
    pub fn has_changed_path(&self) -> bool {
        self.paths.iter().any(|path| path.changed.is_some())
    }

    /// Whether the call has put a mount onto its path.
    #[must_use]
    pub fn covers_its_path(&self) -> bool {
        // The kernel asks in this order: REMOUNT; BIND; a change of propagation; else something is moved or mounted.
        const REMOUNT: u64 = 1 << 5;
        const BIND: u64 = 1 << 12;
        const PROPAGATION: u64 = 0b1111 << 17;
        let [.., flags, _, _] = self.args;
        let mounts = flags & REMOUNT == 0 && (flags & BIND != 0 || flags & PROPAGATION == 0);
        self.result >= 0
            && match self.event_type {
                named::MOUNT => mounts,
                named::MOVE_MOUNT => true,
                _ => false,
            }
    }
}

/// A path as a program passed it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenPath {
    /// The bytes as passed: when the call began where that was captured, else when it returned.
    pub given: BString,
    /// What the same memory held when the call returned, where that is something else: another thread changed it, and
    /// either may be what the kernel has read.
    #[serde(default)]
    pub changed: Option<BString>,
    /// What a relative path starts from (working directory or directory descriptor), resolved by the
    /// kernel; `None` where the path is absolute or the base could not be resolved.
    pub base: Option<BString>,
    /// Whether the path was longer than what was captured, or its memory could not be read to the end.
    pub truncated: bool,
}

impl GivenPath {
    /// The path made absolute: joined to its base, with `//`, `.` and `..` resolved as text.
    #[must_use]
    pub fn absolute(&self) -> BString {
        self.join(&self.given)
    }

    /// The same for what the memory held when the call returned, where that is something else.
    #[must_use]
    pub fn absolute_changed(&self) -> Option<BString> {
        self.changed.as_ref().map(|changed| self.join(changed))
    }

    fn join(&self, path: &[u8]) -> BString {
        let mut joined = Vec::with_capacity(path.len() + 16);
        if !path.starts_with(b"/") {
            match &self.base {
                Some(base) => joined.push_str(base),
                None => joined.push_str("<UNKNOWN>"),
            }
            joined.push(b'/');
        }
        joined.push_str(path);
        normalise(&joined)
    }
}

/// A path of a program's own, such as a script among its arguments, made absolute by its working directory; empty for
/// unknown, which is another folder than the root.
#[must_use]
pub fn absolute_below(cwd: &BString, given: &[u8]) -> BString {
    GivenPath {
        given: given.into(),
        base: (!cwd.is_empty()).then(|| cwd.clone()),
        ..GivenPath::default()
    }
    .absolute()
}

/// Collapses `//`, drops `.`, and resolves `..` as text. A trailing slash goes, too.
#[must_use]
pub fn normalise(path: &[u8]) -> BString {
    let absolute = path.starts_with(b"/");
    let mut out: Vec<u8> = Vec::with_capacity(path.len());
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                let keep = out.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
                out.truncate(keep);
            }
            part => {
                if absolute || !out.is_empty() {
                    out.push(b'/');
                }
                out.push_str(part);
            }
        }
    }
    if out.is_empty() && absolute {
        out.push(b'/');
    }
    BString::from(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_absolute_as_text() {
        for (base, given, expected) in [
            (None, "/etc/passwd", "/etc/passwd"),
            (None, "//etc/./x/../passwd/", "/etc/passwd"),
            (None, "/", "/"),
            (None, "/..", "/"),
            (Some("/srv"), "../etc/shadow", "/etc/shadow"),
            (Some("/"), "x", "/x"),
            (Some("/srv"), "", "/srv"),
            (None, "x/y", "<UNKNOWN>/x/y"),
        ] {
            let path = GivenPath {
                given: given.into(),
                base: base.map(Into::into),
                changed: None,
                truncated: false,
            };
            assert_eq!(path.absolute(), expected, "{base:?} + {given}");
        }
        for (cwd, given, expected) in [
            ("/srv", "x.sh", "/srv/x.sh"),
            ("/", "x.sh", "/x.sh"),
            ("", "x.sh", "<UNKNOWN>/x.sh"),
            ("", "/x.sh", "/x.sh"),
        ] {
            let found = absolute_below(&cwd.into(), given.as_bytes());
            assert_eq!(found, expected, "{cwd} + {given}");
        }
    }
}
