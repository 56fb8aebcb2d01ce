//! The process table: who the acting process is, and whom it comes from.
//!
//! It exists because the kernel's records say only what a task *is* at an event. What it was given at its
//! execution (arguments, working directory, executable) and who made it must be remembered. The table turns
//! both into immutable [`Process`] snapshots, which an event can keep while the table moves on; a new
//! snapshot is made only when something that a rule can see has changed.
//!
//! The table reads no clock: it ages by the times of the records it is shown.

mod apply;
mod expiry;
mod layer;
mod lineage;
mod merge;
mod origin;
pub(crate) mod scan;
mod script;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use vigia_event::captured::{Captured, What};
use vigia_event::file::Origin;
use vigia_event::mount::MountTable;
use vigia_event::process::{Ancestors, Process, ProcessKey};

pub use lineage::MAX_ANCESTORS;
pub use origin::{origin_of, origin_of_script};
pub use scan::{ScanOptions, Scanned, read_process, scan};
pub(crate) use script::{Runs, invocation};

/// How large the table may grow, and where it looks for what it was not told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Processes kept at most, running and exited together.
    pub max_processes: usize,
    /// How long an exited process still resolves, nanoseconds.
    pub grace_ns: u64,
    /// The host's mount namespace (inode number); 0 for unknown.
    pub host_mnt_ns: u32,
    /// The host's /proc; `None` to never look there.
    pub proc_root: Option<PathBuf>,
    /// What to read of a process found in /proc.
    pub scan: ScanOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_processes: 65_536,
            grace_ns: 30_000_000_000,
            host_mnt_ns: 0,
            proc_root: None,
            scan: ScanOptions::default(),
        }
    }
}

/// What the table had to do that it would rather not have done; each only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Processes first met in a record that did not announce them.
    pub placeholders: u64,
    /// Processes looked up in /proc because a record named an unknown one.
    pub lookups: u64,
    /// Such look-ups that found nothing, mostly because the process had ended.
    pub lookups_failed: u64,
    /// Such look-ups not made, because there were too many in one second.
    pub lookups_refused: u64,
    /// Records whose process had executed a program that was never announced.
    pub missed_execs: u64,
    /// Processes found to have ended without a record of it.
    pub missed_exits: u64,
    /// Exited processes forgotten before their time, to make room.
    pub evicted: u64,
    /// Running processes not remembered, for lack of room.
    pub untracked: u64,
}

/// All processes of the machine that were seen, and for a while those that ended.
#[derive(Debug)]
pub struct ProcessTable {
    options: Options,
    entries: FxHashMap<ProcessKey, Entry>,
    /// The latest process of every pid.
    by_pid: FxHashMap<u32, ProcessKey>,
    /// Exited processes, oldest first, with the time of their end.
    exited: VecDeque<(u64, ProcessKey)>,
    /// Exited processes past their grace period which still have children; may hold stale keys.
    retained: VecDeque<ProcessKey>,
    /// Changes when the ancestors of any process may have changed.
    generation: u64,
    /// The second of `CLOCK_BOOTTIME` the look-ups were last counted in, and how many there were.
    lookups_in: (u64, u32),
    counts: Counts,
}

#[derive(Debug)]
struct Entry {
    process: Arc<Process>,
    /// The snapshot before the last execution, for records that were made before it and arrive after it.
    previous: Option<Arc<Process>>,
    /// Whether executable and arguments come from a record, and not from /proc or nowhere.
    image_observed: bool,
    /// Whether `process.task.exec_id` is the kernel's; /proc does not tell it.
    exec_id_known: bool,
    /// Who made it: the creator where its start was observed, else the kernel's parent when first needed.
    parent: Option<ProcessKey>,
    /// How many entries name this one as their parent.
    children: u32,
    /// `CLOCK_BOOTTIME` of the newest record applied.
    seen_ns: u64,
    /// The mount namespace of the container that it or an ancestor is the first process of, where the engine that made
    /// the container had itself entered a namespace; 0 for none.
    native_mnt: u32,
    exited: bool,
    /// Past its grace period and kept for its children only.
    retained: bool,
    ancestors: Option<(u64, Ancestors)>,
}

impl Entry {
    fn new(process: Arc<Process>, seen_ns: u64) -> Self {
        Self {
            process,
            previous: None,
            image_observed: false,
            exec_id_known: true,
            parent: None,
            children: 0,
            seen_ns,
            native_mnt: 0,
            exited: false,
            retained: false,
            ancestors: None,
        }
    }
}

/// The times of one record: on the kernel's clock, and from there to the wall clock.
#[derive(Clone, Copy, Debug)]
struct Moment {
    boot_ns: u64,
    /// Nanoseconds from the epoch to boot.
    epoch_offset_ns: u64,
}

impl Moment {
    fn new(boot_ns: u64, time_ns: u64) -> Self {
        Self {
            boot_ns,
            epoch_offset_ns: time_ns.saturating_sub(boot_ns),
        }
    }

    fn start_time_ns(self, start_boottime_ns: u64) -> u64 {
        if self.epoch_offset_ns == 0 {
            0
        } else {
            start_boottime_ns.saturating_add(self.epoch_offset_ns)
        }
    }
}

impl ProcessTable {
    /// An empty table.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            entries: FxHashMap::default(),
            by_pid: FxHashMap::default(),
            exited: VecDeque::new(),
            retained: VecDeque::new(),
            generation: 1,
            lookups_in: (0, 0),
            counts: Counts::default(),
        }
    }

    /// Applies one record and returns the acting process as it is after it.
    ///
    /// `time_ns` is the wall-clock time of the record in nanoseconds since the epoch, or 0 if unknown.
    pub fn observe(&mut self, captured: &Captured, time_ns: u64) -> Arc<Process> {
        let moment = Moment::new(captured.boot_time_ns, time_ns);
        self.expire(moment.boot_ns);
        let task = &*self.without_engines_mark(&captured.task);
        let process = match &captured.what {
            What::Exec(exec) => self.exec(task, exec, moment),
            _ => self.refresh(task, moment),
        };
        match &captured.what {
            What::Fork(fork) if !fork.is_thread => self.fork(&process, fork, moment),
            What::Exit {
                process_ended: true,
                ..
            } => {
                self.exit(process.key(), moment);
            }
            What::Rename { comm } if task.tid == task.pid => {
                let mut task = process.task.clone();
                task.comm.clone_from(comm);
                return self.replace(&process, |process| process.task = task);
            }
            What::Call(call) => {
                let known = (&process.cwd, process.truncated.cwd);
                if let Some(cwd) = &call.cwd
                    && (cwd, cwd.is_empty()) != known
                {
                    return self.replace(&process, |process| {
                        process.cwd.clone_from(cwd);
                        process.truncated.cwd = cwd.is_empty();
                    });
                }
            }
            _ => {}
        }
        process
    }

    /// Judges again where the executable and the script of a process come from, now that its mounts are
    /// known: those of its container, or `None` for a process of the host. To be called after an execution.
    pub fn refine_origin(
        &mut self,
        process: &Arc<Process>,
        mounts: Option<&MountTable>,
    ) -> Arc<Process> {
        let Some(file) = &process.exe_file else {
            return Arc::clone(process);
        };
        let exe_origin = origin_of(file, mounts);
        let script_origin = process
            .script
            .as_ref()
            .map(|script| self.origin_of_script(&script.path, mounts));
        if exe_origin == process.exe_origin
            && script_origin == process.script.as_ref().map(|script| script.origin)
        {
            return Arc::clone(process);
        }
        self.replace(process, |process| {
            process.exe_origin = exe_origin;
            if let (Some(script), Some(origin)) = (&mut process.script, script_origin) {
                script.origin = origin;
            }
        })
    }

    /// Where a script comes from: by its mount, and on an overlay by whether the folder of what was written has it.
    fn origin_of_script(&self, path: &[u8], mounts: Option<&MountTable>) -> Origin {
        let origin = origin_of_script(path, mounts);
        let root = mounts
            .and_then(|mounts| mounts.find(path))
            .filter(|mount| origin == Origin::Unknown && !mount.upper.is_empty());
        match (root, &self.options.proc_root) {
            (Some(root), Some(proc_root)) => {
                let inside = path.strip_prefix(root.point.as_slice()).unwrap_or(path);
                layer::origin_in(proc_root, &root.upper, inside)
            }
            _ => origin,
        }
    }

    /// The process of this name, running or ended not long ago.
    #[must_use]
    pub fn get(&self, key: ProcessKey) -> Option<&Arc<Process>> {
        self.entries.get(&key).map(|entry| &entry.process)
    }

    /// The latest process that has or had a pid.
    #[must_use]
    pub fn latest(&self, pid: u32) -> Option<&Arc<Process>> {
        self.get(*self.by_pid.get(&pid)?)
    }

    /// All processes that have not ended, in no particular order.
    pub fn running(&self) -> impl Iterator<Item = &Arc<Process>> {
        self.entries
            .values()
            .filter(|entry| !entry.exited)
            .map(|entry| &entry.process)
    }

    /// How many processes are remembered, running and exited.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What went less than well so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }
}

#[cfg(test)]
mod tests;
