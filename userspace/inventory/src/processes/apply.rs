//! What each kind of record does to the table.

use std::borrow::Cow;
use std::sync::Arc;

use vigia_event::Truncated;
use vigia_event::captured::{Exec, Fork, Task};
use vigia_event::mount::MountTable;
use vigia_event::process::{Lines, Process, ProcessKey};

use super::{Entry, Moment, ProcessTable, origin_of, script};

impl ProcessTable {
    /// The acting process by its header, brought up to date with it.
    pub(super) fn refresh(&mut self, task: &Task, moment: Moment) -> Arc<Process> {
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
            truncated: Truncated {
                cwd: known.truncated.cwd,
                ..Truncated::default()
            },
            ..Process::default()
        };
        entry.previous = Some(std::mem::replace(&mut entry.process, Arc::new(process)));
        entry.image_observed = false;
        entry.seen_ns = moment.boot_ns;
        self.generation += 1;
        self.look_up(key, moment);
        self.refresh(task, moment)
    }

    pub(super) fn exec(&mut self, task: &Task, exec: &Exec, moment: Moment) -> Arc<Process> {
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
            truncated: exec.truncated,
            observed: known.as_ref().is_none_or(|known| known.observed),
            task,
            lines: Lines::default(),
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

    pub(super) fn fork(&mut self, creator: &Arc<Process>, fork: &Fork, moment: Moment) {
        let mut task = fork.child.clone();
        as_main_thread(&mut task);
        task.entered = task.entered.or(creator.task.entered);
        let key = ProcessKey::new(task.pid, task.start_boottime_ns);
        let parent = self.entries.get(&creator.key());
        let image_observed = parent.is_some_and(|entry| entry.image_observed);
        let native_mnt = parent.map_or(0, |entry| entry.native_mnt);
        if native_mnt != 0 && native_mnt == task.namespaces.mnt {
            task.entered = Some(false);
        }
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
            native_mnt,
            ..Entry::new(Arc::new(process), moment.boot_ns)
        };
        if self.insert(key, entry) {
            self.link(key, creator.key());
        }
    }

    /// Takes a process for the first of a container whose engine has itself entered a mount namespace, as rootless ones
    /// do: the mark that all its processes inherit is the engine's, and says nothing of how they came into the container.
    pub fn begins_container(&mut self, process: &Arc<Process>) -> Arc<Process> {
        if let Some(entry) = self.entries.get_mut(&process.key()) {
            entry.native_mnt = process.task.namespaces.mnt;
        }
        self.replace(process, |process| process.task.entered = Some(false))
    }

    /// A header as it counts: without the mark of an engine, in the mount namespace of the container it made.
    pub(super) fn without_engines_mark<'t>(&self, task: &'t Task) -> Cow<'t, Task> {
        let key = ProcessKey::new(task.pid, task.start_boottime_ns);
        let native_mnt = self.entries.get(&key).map_or(0, |entry| entry.native_mnt);
        // A task that is about to end has no namespaces any more.
        let is_native = native_mnt != 0 && [0, native_mnt].contains(&task.namespaces.mnt);
        if is_native && task.entered == Some(true) {
            Cow::Owned(Task {
                entered: Some(false),
                ..task.clone()
            })
        } else {
            Cow::Borrowed(task)
        }
    }

    /// Puts a changed copy in the place of a snapshot, and returns it.
    pub(super) fn replace(
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
    // Named one by one, so that a new member cannot be forgotten here.
    let Task {
        pid: _,
        tid,
        parent_pid,
        start_boottime_ns,
        exec_id,
        vpid,
        vtid: _,
        sid,
        pgid,
        vpgid,
        comm,
        credentials,
        tty,
        namespaces,
        cgroup_id,
        container_cgroup_id,
        origin_cgroup_id,
        entered,
    } = seen;
    let comm = if *tid == seen.pid { comm } else { &known.comm };
    let entered = entered.or(known.entered);
    // A task that is about to end has none any more.
    let namespaces = if namespaces.mnt == 0 {
        known.namespaces
    } else {
        *namespaces
    };
    let unchanged = known.parent_pid == *parent_pid
        && known.start_boottime_ns == *start_boottime_ns
        && known.exec_id == *exec_id
        && known.vpid == *vpid
        && known.sid == *sid
        && known.pgid == *pgid
        && known.vpgid == *vpgid
        && known.comm == *comm
        && known.credentials == *credentials
        && known.tty == *tty
        && known.namespaces == namespaces
        && known.cgroup_id == *cgroup_id
        && known.container_cgroup_id == *container_cgroup_id
        && known.origin_cgroup_id == *origin_cgroup_id
        && known.entered == entered;
    if unchanged {
        return None;
    }
    let mut task = Task {
        comm: comm.clone(),
        entered,
        namespaces,
        ..seen.clone()
    };
    as_main_thread(&mut task);
    Some(task)
}
