//! A process as an event's rules see it: an immutable snapshot.

mod lines;

use std::borrow::Cow;
use std::sync::Arc;

use bstr::{BString, ByteSlice};
use serde::{Deserialize, Serialize};

use crate::captured::Task;
use crate::file::{File, Origin};
use crate::truncation::Truncated;

pub use lines::Lines;

/// Names a process for good, also after its pid was given away again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessKey {
    /// Process id in the host's pid namespace.
    pub pid: u32,
    /// Start time, `CLOCK_BOOTTIME` in nanoseconds, truncated to clock ticks (10 ms), which is what /proc can tell.
    pub start_ticks: u64,
}

/// Nanoseconds per clock tick of /proc (`USER_HZ` is 100 on every Linux that the agent runs on).
pub const TICK_NS: u64 = 10_000_000;

impl ProcessKey {
    /// The key of a process that started at a `CLOCK_BOOTTIME` in nanoseconds.
    #[must_use]
    pub fn new(pid: u32, start_boottime_ns: u64) -> Self {
        Self {
            pid,
            start_ticks: start_boottime_ns / TICK_NS,
        }
    }
}

/// One process between two changes of what is in here.
///
/// What is shared between snapshots is no part of its serialised form: whoever stores one refers to it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Process {
    /// What the kernel said of it last.
    pub task: Task,
    /// When it was made, nanoseconds since the epoch; 0 for unknown.
    pub start_time_ns: u64,
    /// `argv[0]`.
    pub exe: BString,
    /// The executable's path, resolved by the kernel; empty for unknown.
    pub exe_path: BString,
    /// The executable, where its execution was observed.
    #[serde(skip)]
    pub exe_file: Option<Arc<File>>,
    /// Arguments after `argv[0]`.
    #[serde(with = "shared_list")]
    pub args: Arc<[BString]>,
    /// `NAME=value`; empty unless a rule asks for the environment.
    #[serde(with = "shared_list")]
    pub env: Arc<[BString]>,
    /// Working directory; empty for unknown.
    pub cwd: BString,
    /// Where the executable comes from.
    pub exe_origin: Origin,
    /// The script behind an interpreter, and where it comes from.
    pub script: Option<Script>,
    /// Whether its start was observed: false for what was found in /proc.
    pub observed: bool,
    /// Which of its texts are incomplete.
    pub truncated: Truncated,
    /// What rules ask for again and again, made once.
    #[serde(skip)]
    pub lines: Lines,
}

/// A script: run by its `#!` line, or given to an interpreter as an argument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// Absolute path.
    pub path: BString,
    /// Where it comes from.
    pub origin: Origin,
}

impl Process {
    /// Names this process.
    #[must_use]
    pub fn key(&self) -> ProcessKey {
        ProcessKey::new(self.task.pid, self.task.start_boottime_ns)
    }

    /// The thread's name and its arguments, joined by spaces: Falco's `proc.cmdline`.
    #[must_use]
    pub fn command_line(&self) -> Cow<'_, [u8]> {
        self.lines.command(self.task.comm.as_bstr(), &self.args)
    }

    /// The arguments, joined by spaces.
    #[must_use]
    pub fn argument_line(&self) -> Cow<'_, [u8]> {
        self.lines.arguments(self.task.comm.as_bstr(), &self.args)
    }

    /// The environment, joined by spaces.
    #[must_use]
    pub fn environment_line(&self) -> Cow<'_, [u8]> {
        self.lines.environment(&self.env)
    }

    /// The working directory with a slash at its end; `./` where it is unknown.
    #[must_use]
    pub fn working_directory(&self) -> Cow<'_, [u8]> {
        if self.cwd.is_empty() {
            return Cow::Borrowed(b"./");
        }
        self.lines.folder(self.cwd.as_bstr())
    }
}

/// Serialises a shared list like a list of one's own.
mod shared_list {
    use std::sync::Arc;

    use bstr::BString;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        list: &Arc<[BString]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        list.as_ref().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<[BString]>, D::Error> {
        Vec::deserialize(deserializer).map(Arc::from)
    }
}

/// The ancestors of a process, parent first.
pub type Ancestors = Arc<[Arc<Process>]>;
