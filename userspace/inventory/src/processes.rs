//! The process table: who the acting process is, and whom it comes from.
//!
//! It exists because the kernel's records say only what a task *is* at an event. What it was given at its
//! execution (arguments, working directory, executable) and who made it must be remembered. The table turns
//! both into immutable [`Process`] snapshots, which an event can keep while the table moves on; a new
//! snapshot is made only when something that a rule can see has changed.
//!
//! The table reads no clock: it ages by the times of the records it is shown.

mod expiry;
mod lineage;
mod merge;
mod origin;
mod scan;
mod script;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use vigia_event::captured::{Captured, Exec, Fork, Task, What};
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
        let task = &captured.task;
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
            .map(|script| origin_of_script(&script.path, mounts));
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

    /// The acting process by its header, brought up to date with it.
    fn refresh(&mut self, task: &Task, moment: Moment) -> Arc<Process> {
        let key = ProcessKey::new(task.pid, task.start_boottime_ns);
        let Some(entry) = self.entries.get_mut(&key) else {
            return self.insert_placeholder(task, moment);
        };
        if entry.exec_id_known && task.exec_id < entry.process.task.exec_id {
            // Made before an execution that was read first: it belongs to the image of that time.
            return Arc::clone(entry.previous.as_ref().unwrap_or(&entry.process));
        }
        let missed_exec = entry.exec_id_known && task.exec_id > entry.process.task.exec_id;
        entry.exec_id_known = true;
        if missed_exec {
            return self.missed_exec(task, moment);
        }
        if moment.boot_ns < entry.seen_ns {
            return Arc::clone(&entry.process);
        }
        entry.seen_ns = moment.boot_ns;
        let Some(task) = updated(&entry.process.task, task) else {
            return Arc::clone(&entry.process);
        };
        let process = Arc::clone(&entry.process);
        self.replace(&process, |process| process.task = task)
    }

    /// A process that no record announced: made from its header, filled in from /proc.
    fn insert_placeholder(&mut self, task: &Task, moment: Moment) -> Arc<Process> {
        let mut process = Process {
            task: task.clone(),
            ..Process::default()
        };
        as_main_thread(&mut process.task);
        process.start_time_ns = moment.start_time_ns(task.start_boottime_ns);
        let process = Arc::new(process);
        if task.pid == 0 {
            return process;
        }
        self.counts.placeholders += 1;
        let key = process.key();
        if self.insert(key, Entry::new(Arc::clone(&process), moment.boot_ns)) {
            self.generation += 1;
            self.look_up(key, moment);
        }
        self.get(key).map_or(process, Arc::clone)
    }

    /// The process runs another program than the one known, and the record of it was lost.
    fn missed_exec(&mut self, task: &Task, moment: Moment) -> Arc<Process> {
        self.counts.missed_execs += 1;
        let key = ProcessKey::new(task.pid, task.start_boottime_ns);
        let Some(entry) = self.entries.get_mut(&key) else {
            return self.insert_placeholder(task, moment);
        };
        let known = &entry.process;
        let process = Process {
            task: updated(&known.task, task).unwrap_or_else(|| task.clone()),
            start_time_ns: known.start_time_ns,
            observed: known.observed,
            cwd: known.cwd.clone(),
            ..Process::default()
        };
        entry.previous = Some(std::mem::replace(&mut entry.process, Arc::new(process)));
        entry.image_observed = false;
        entry.seen_ns = moment.boot_ns;
        self.generation += 1;
        self.look_up(key, moment);
        self.refresh(task, moment)
    }

    fn exec(&mut self, task: &Task, exec: &Exec, moment: Moment) -> Arc<Process> {
        let key = ProcessKey::new(task.pid, task.start_boottime_ns);
        let known = self
            .entries
            .get(&key)
            .map(|entry| Arc::clone(&entry.process));
        let mut task = known
            .as_ref()
            .and_then(|known| updated(&known.task, task))
            .unwrap_or_else(|| task.clone());
        as_main_thread(&mut task);
        // Until the caller knows the container, only the mount namespace says whether this is the host.
        let no_mounts = MountTable::default();
        let mounts = (task.namespaces.mnt != self.options.host_mnt_ns).then_some(&no_mounts);
        let (exe, args) = exec
            .args
            .split_first()
            .map_or_else(Default::default, |(exe, args)| (exe.clone(), args));
        let process = Arc::new(Process {
            start_time_ns: moment.start_time_ns(task.start_boottime_ns),
            exe,
            exe_path: exec.file.path.clone(),
            exe_origin: origin_of(&exec.file, mounts),
            script: script::script_of(exec, known.as_deref(), mounts),
            exe_file: Some(Arc::new(exec.file.clone())),
            args: args.into(),
            env: exec.env.as_slice().into(),
            cwd: exec.cwd.clone(),
            observed: known.as_ref().is_none_or(|known| known.observed),
            task,
        });
        match self.entries.get_mut(&key) {
            Some(entry) => {
                entry.previous = Some(std::mem::replace(&mut entry.process, Arc::clone(&process)));
                entry.image_observed = true;
                entry.exec_id_known = true;
                entry.seen_ns = moment.boot_ns;
                self.generation += u64::from(entry.children > 0);
            }
            None => {
                self.counts.placeholders += 1;
                let entry = Entry {
                    image_observed: true,
                    ..Entry::new(Arc::clone(&process), moment.boot_ns)
                };
                self.insert(key, entry);
                self.generation += 1;
            }
        }
        process
    }

    fn fork(&mut self, creator: &Arc<Process>, fork: &Fork, moment: Moment) {
        let mut task = fork.child.clone();
        as_main_thread(&mut task);
        task.entered = task.entered.or(creator.task.entered);
        let key = ProcessKey::new(task.pid, task.start_boottime_ns);
        let image_observed = self
            .entries
            .get(&creator.key())
            .is_some_and(|entry| entry.image_observed);
        if let Some(child) = self.entries.get_mut(&key) {
            // The child was heard of before its birth: what it said itself is newer.
            if child.parent.is_none() && self.entries.contains_key(&creator.key()) {
                self.link(key, creator.key());
                self.generation += 1;
            }
            return;
        }
        let process = Process {
            start_time_ns: moment.start_time_ns(task.start_boottime_ns),
            task,
            observed: true,
            ..Process::clone(creator)
        };
        let entry = Entry {
            image_observed,
            ..Entry::new(Arc::new(process), moment.boot_ns)
        };
        if self.insert(key, entry) {
            self.link(key, creator.key());
        }
    }

    /// Puts a changed copy in the place of a snapshot, and returns it.
    fn replace(
        &mut self,
        process: &Arc<Process>,
        change: impl FnOnce(&mut Process),
    ) -> Arc<Process> {
        let mut changed = Process::clone(process);
        change(&mut changed);
        let changed = Arc::new(changed);
        if let Some(entry) = self.entries.get_mut(&process.key()) {
            if Arc::ptr_eq(&entry.process, process) {
                entry.process = Arc::clone(&changed);
                self.generation += u64::from(entry.children > 0);
            } else if entry
                .previous
                .as_ref()
                .is_some_and(|previous| Arc::ptr_eq(previous, process))
            {
                entry.previous = Some(Arc::clone(&changed));
            }
        }
        changed
    }
}

/// A process is shown with the ids of its main thread, whichever thread acts.
fn as_main_thread(task: &mut Task) {
    task.tid = task.pid;
    task.vtid = task.vpid;
}

/// What is known of a process, brought up to date with a header of one of its threads; `None` if that
/// changes nothing. The name of a thread is not the name of its process.
fn updated(known: &Task, seen: &Task) -> Option<Task> {
    let entered = seen.entered.or(known.entered);
    let comm = if seen.tid == seen.pid {
        &seen.comm
    } else {
        &known.comm
    };
    let unchanged = known.parent_pid == seen.parent_pid
        && known.start_boottime_ns == seen.start_boottime_ns
        && known.exec_id == seen.exec_id
        && known.vpid == seen.vpid
        && known.sid == seen.sid
        && known.pgid == seen.pgid
        && known.vpgid == seen.vpgid
        && known.comm == *comm
        && known.credentials == seen.credentials
        && known.tty == seen.tty
        && known.namespaces == seen.namespaces
        && known.cgroup_id == seen.cgroup_id
        && known.origin_cgroup_id == seen.origin_cgroup_id
        && known.entered == entered;
    if unchanged {
        return None;
    }
    let mut task = Task {
        comm: comm.clone(),
        entered,
        ..seen.clone()
    };
    as_main_thread(&mut task);
    Some(task)
}

#[cfg(test)]
mod tests;
