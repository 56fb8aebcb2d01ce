//! Which containers there are, what each promised, and to which one an event belongs.
//!
//! A container is learned from its cgroup before its first process runs, and forgotten a while after the cgroup
//! went, so that late events still find it. Its first process is the first program executed in its cgroup inside
//! a mount namespace that is not the host's: before that, only stages of the runtime run there. At that moment
//! its mounts are final and are read; what the engine knows arrives separately and later, or never.

mod existing;
mod grants;
mod metadata;
mod mounts;
mod requests;
mod secret_files;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use vigia_event::captured::{CgroupChange, CgroupChangeKind, Task, What};
use vigia_event::container::{Container, Engine, Metadata};
use vigia_event::mount::{MountTable, is_below};
use vigia_event::{Captured, Process};

pub use existing::ExistingTask;
pub use requests::{LearnSecret, Request};
pub use secret_files::open_secret_files;

use crate::cgroup::{self, CgroupContainer};
use crate::mountinfo::SwarmObjects;
use grants::Grants;
use metadata::Engines;
use mounts::MountCache;

/// Cgroups below a container's own that are remembered as its; more are still found by namespace and origin.
const MAX_SUBGROUPS: usize = 128;

/// What the table needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// The host's /proc.
    pub proc_root: PathBuf,
    /// Inode number of the host's mount namespace.
    pub host_mnt_ns: u32,
    /// Where the hierarchy in which engines make their groups is mounted; needed only for containers that ran
    /// before the agent. `None`: their cgroup ids stay unknown.
    pub cgroup_folder: Option<PathBuf>,
    /// Containers kept at most, gone ones included.
    pub max_containers: usize,
    /// How long a gone container is kept, in nanoseconds.
    pub grace_ns: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            proc_root: "/proc".into(),
            host_mnt_ns: 0,
            cgroup_folder: None,
            max_containers: 4096,
            grace_ns: 60_000_000_000,
        }
    }
}

/// What happened in the table so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Containers learned, restarts included.
    pub learned: u64,
    /// Containers that were given up for others because the table was full.
    pub evicted: u64,
    /// Mount tables read.
    pub mounts_read: u64,
    /// Mount tables that could not be read, mostly of processes that were already gone.
    pub mounts_missed: u64,
    /// First processes whose mounts carry another container's id (a shared network does that).
    pub id_mismatches: u64,
    /// Cgroups that claim to be a container that lives elsewhere.
    pub impostors: u64,
    /// Cgroups below containers beyond what is remembered.
    pub subgroups_ignored: u64,
    /// Requests that did not fit.
    pub requests_dropped: u64,
}

/// Names one life of a container in the table.
type Slot = u64;

#[derive(Debug)]
struct Entry {
    snapshot: Arc<Container>,
    /// Kernfs ids of cgroups below the container's own.
    subgroups: Vec<u64>,
    /// When it went, nanoseconds since the epoch.
    gone_ns: Option<u64>,
    /// Whether its first process ended.
    init_over: bool,
    /// When its mounts were last read.
    mounts_read_ns: u64,
    /// Whether they changed since then.
    mounts_stale: bool,
}

/// The containers.
#[derive(Debug)]
pub struct ContainerTable {
    options: Options,
    entries: FxHashMap<Slot, Entry>,
    by_id: FxHashMap<String, Slot>,
    by_cgroup: FxHashMap<u64, Slot>,
    by_mnt_ns: FxHashMap<u32, Slot>,
    /// In the order in which they went.
    gone: VecDeque<(u64, Slot)>,
    next_slot: Slot,
    host_mounts: Arc<MountTable>,
    mount_cache: MountCache,
    engines: Engines,
    swarm: SwarmObjects,
    grants: Grants,
    requests: VecDeque<Request>,
    forgotten: Vec<String>,
    counts: Counts,
}

impl ContainerTable {
    /// An empty table. The host's own mounts are read at once.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let mut table = Self {
            options,
            entries: FxHashMap::default(),
            by_id: FxHashMap::default(),
            by_cgroup: FxHashMap::default(),
            by_mnt_ns: FxHashMap::default(),
            gone: VecDeque::new(),
            next_slot: 0,
            host_mounts: Arc::default(),
            mount_cache: MountCache::default(),
            engines: Engines::default(),
            swarm: SwarmObjects::default(),
            grants: Grants::default(),
            requests: VecDeque::new(),
            forgotten: Vec::new(),
            counts: Counts::default(),
        };
        table.read_host_mounts();
        table
    }

    /// Applies one record and returns the container of the acting task as it is after it.
    ///
    /// `process` is the acting process after the record; `time_ns` the record's time, nanoseconds since the epoch.
    pub fn observe(&mut self, captured: &Captured, process: &Process, time_ns: u64) -> Option<Arc<Container>> {
        self.forget_gone(time_ns);
        match &captured.what {
            What::Cgroup(change) => self.cgroup_changed(change, time_ns),
            What::Exec(_) => self.program_started(&captured.task, process, time_ns),
            What::Call(call) => self.mounts_changed(&captured.task, call),
            What::Exit { process_ended: true, .. } => self.process_ended(process, time_ns),
            What::SecretKey(file) => self.learn_secret(file),
            _ => {}
        }
        let slot = self.slot_of(&captured.task)?;
        self.refresh_mounts(slot, &captured.task, time_ns);
        self.entries.get(&slot).map(|entry| Arc::clone(&entry.snapshot))
    }

    /// A container by its whole id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<Container>> {
        self.by_id.get(id).and_then(|slot| self.entries.get(slot)).map(|entry| &entry.snapshot)
    }

    /// The container that a task with these marks belongs to.
    #[must_use]
    pub fn of_task(&self, task: &Task) -> Option<&Arc<Container>> {
        self.entries.get(&self.slot_of(task)?).map(|entry| &entry.snapshot)
    }

    /// The container of a cgroup, as kernel-side counters name it.
    #[must_use]
    pub fn of_cgroup(&self, cgroup_id: u64) -> Option<&Arc<Container>> {
        self.by_cgroup.get(&cgroup_id).and_then(|slot| self.entries.get(slot)).map(|entry| &entry.snapshot)
    }

    /// All containers that have not gone, in no particular order.
    pub fn running(&self) -> impl Iterator<Item = &Arc<Container>> {
        self.entries.values().filter(|entry| entry.gone_ns.is_none()).map(|entry| &entry.snapshot)
    }

    /// Containers in the table, gone ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the table is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What the rest of the agent shall do: ask an engine, tell the probes. In order; each is returned once.
    pub fn take_requests(&mut self) -> Vec<Request> {
        self.requests.drain(..).collect()
    }

    /// Ids of containers forgotten since the last call.
    pub fn take_forgotten(&mut self) -> Vec<String> {
        std::mem::take(&mut self.forgotten)
    }

    /// The cgroup the task is in, else the one it came from, else its mount namespace.
    fn slot_of(&self, task: &Task) -> Option<Slot> {
        let by_cgroup = |id: u64| (id != 0).then(|| self.by_cgroup.get(&id)).flatten();
        let by_mnt_ns = || {
            let mnt_ns = task.namespaces.mnt;
            (mnt_ns != 0 && mnt_ns != self.options.host_mnt_ns).then(|| self.by_mnt_ns.get(&mnt_ns)).flatten()
        };
        by_cgroup(task.cgroup_id).or_else(|| by_cgroup(task.origin_cgroup_id)).or_else(by_mnt_ns).copied()
    }

    fn cgroup_changed(&mut self, change: &CgroupChange, time_ns: u64) {
        match change.kind {
            CgroupChangeKind::Mkdir => {
                if let Some(found) = cgroup::container_of(&change.path) {
                    self.cgroup_made(change, found, time_ns);
                }
            }
            CgroupChangeKind::Rmdir => self.cgroup_removed(change.id, time_ns),
            CgroupChangeKind::Attach => {}
        }
    }

    fn cgroup_made(&mut self, change: &CgroupChange, found: CgroupContainer<'_>, time_ns: u64) {
        let is_own = found.own_path.len() == change.path.len();
        let living = self.by_id.get(found.id).copied().filter(|slot| {
            self.entries.get(slot).is_some_and(|entry| entry.gone_ns.is_none())
        });
        match living.and_then(|slot| self.entries.get(&slot).map(|entry| (slot, entry))) {
            Some((_, entry)) if !is_below(&change.path, &entry.snapshot.cgroup_path) => self.counts.impostors += 1,
            Some((slot, _)) if !is_own => self.add_subgroup(slot, change.id),
            // The same group anew: its removal was missed.
            Some((slot, _)) if self.by_cgroup.get(&change.id) != Some(&slot) => {
                self.gone_at(slot, time_ns);
                self.cgroup_made(change, found, time_ns);
            }
            Some(_) => {}
            None if is_own => {
                let container = Container {
                    id: found.id.to_owned(),
                    engine: found.engine,
                    cgroup_id: change.id,
                    cgroup_path: change.path.clone(),
                    observed: true,
                    ..Container::default()
                };
                self.add(container, time_ns);
            }
            // A group below a container that was never seen: its mount namespace will tell.
            None => {}
        }
    }

    fn add_subgroup(&mut self, slot: Slot, cgroup_id: u64) {
        let Some(entry) = self.entries.get_mut(&slot) else { return };
        if entry.subgroups.len() >= MAX_SUBGROUPS {
            self.counts.subgroups_ignored += 1;
            return;
        }
        entry.subgroups.push(cgroup_id);
        self.by_cgroup.insert(cgroup_id, slot);
        self.request(Request::AddCgroup { cgroup_id });
    }

    fn cgroup_removed(&mut self, cgroup_id: u64, time_ns: u64) {
        let Some(&slot) = self.by_cgroup.get(&cgroup_id) else { return };
        let Some(entry) = self.entries.get_mut(&slot) else { return };
        if entry.snapshot.cgroup_id == cgroup_id {
            self.gone_at(slot, time_ns);
        } else {
            entry.subgroups.retain(|&subgroup| subgroup != cgroup_id);
            self.by_cgroup.remove(&cgroup_id);
        }
    }

    /// Puts a container into the table, with what the engine already said of it.
    fn add(&mut self, mut container: Container, time_ns: u64) -> Slot {
        if self.entries.len() >= self.options.max_containers {
            self.evict();
        }
        let slot = self.next_slot;
        self.next_slot += 1;
        self.counts.learned += 1;
        self.prepare_metadata(&mut container);
        if container.cgroup_id != 0 {
            self.by_cgroup.insert(container.cgroup_id, slot);
        }
        if let Some(former) = self.by_id.insert(container.id.clone(), slot) {
            // A former life of the container answers for late events by its cgroup's id alone.
            self.gone_at(former, time_ns);
        }
        let entry = Entry {
            snapshot: Arc::new(container),
            subgroups: Vec::new(),
            gone_ns: None,
            init_over: false,
            mounts_read_ns: 0,
            mounts_stale: false,
        };
        self.entries.insert(slot, entry);
        self.reclassify(slot);
        slot
    }

    /// A program started: perhaps the first of a container.
    fn program_started(&mut self, task: &Task, process: &Process, time_ns: u64) {
        let mnt_ns = task.namespaces.mnt;
        if mnt_ns == 0 || mnt_ns == self.options.host_mnt_ns || task.entered == Some(true) {
            return;
        }
        let Some(slot) = self.slot_of(task).or_else(|| self.adopt(task, time_ns)) else { return };
        let Some(entry) = self.entries.get_mut(&slot) else { return };
        let snapshot = &entry.snapshot;
        let is_first = snapshot.init.is_none() && entry.gone_ns.is_none();
        // A group that is used again, as some drivers do on a restart: a new life has a new mount namespace.
        let is_again = entry.init_over && entry.gone_ns.is_none() && snapshot.mnt_ns != mnt_ns;
        if !is_first && !is_again {
            return;
        }
        let start_time_ns = if process.start_time_ns == 0 { time_ns } else { process.start_time_ns };
        entry.init_over = false;
        entry.mounts_read_ns = 0;
        self.by_mnt_ns.remove(&entry.snapshot.mnt_ns);
        self.by_mnt_ns.insert(mnt_ns, slot);
        self.replace(slot, |container| {
            container.init = Some(process.key());
            container.mnt_ns = mnt_ns;
            container.start_time_ns = start_time_ns;
            container.mounts = None;
        });
        self.read_first_mounts(slot, task.pid, time_ns);
    }

    fn process_ended(&mut self, process: &Process, time_ns: u64) {
        let Some(&slot) = self.by_mnt_ns.get(&process.task.namespaces.mnt) else { return };
        let Some(entry) = self.entries.get_mut(&slot) else { return };
        if entry.snapshot.init != Some(process.key()) {
            return;
        }
        entry.init_over = true;
        // Without a cgroup of its own, nothing else tells that it is over.
        if entry.snapshot.cgroup_id == 0 {
            self.gone_at(slot, time_ns);
        }
    }

    fn gone_at(&mut self, slot: Slot, time_ns: u64) {
        let Some(entry) = self.entries.get_mut(&slot) else { return };
        if entry.gone_ns.is_some() {
            return;
        }
        entry.gone_ns = Some(time_ns);
        // Numbers of namespaces are given away again at once; those of cgroups are not.
        let mnt_ns = entry.snapshot.mnt_ns;
        if self.by_mnt_ns.get(&mnt_ns) == Some(&slot) {
            self.by_mnt_ns.remove(&mnt_ns);
        }
        self.gone.push_back((time_ns.saturating_add(self.options.grace_ns), slot));
    }

    fn forget_gone(&mut self, time_ns: u64) {
        while self.gone.front().is_some_and(|(until_ns, _)| *until_ns <= time_ns) {
            if let Some((_, slot)) = self.gone.pop_front() {
                self.forget(slot);
            }
        }
    }

    /// Makes room: the one that went first, else the one that was learned first.
    fn evict(&mut self) {
        let slot = self.gone.pop_front().map(|(_, slot)| slot).or_else(|| self.entries.keys().min().copied());
        if let Some(slot) = slot {
            self.counts.evicted += 1;
            self.forget(slot);
        }
    }

    fn forget(&mut self, slot: Slot) {
        let Some(entry) = self.entries.remove(&slot) else { return };
        let container = &entry.snapshot;
        for cgroup_id in entry.subgroups.iter().chain([&container.cgroup_id]) {
            if self.by_cgroup.get(cgroup_id) == Some(&slot) {
                self.by_cgroup.remove(cgroup_id);
            }
        }
        if self.by_mnt_ns.get(&container.mnt_ns) == Some(&slot) {
            self.by_mnt_ns.remove(&container.mnt_ns);
        }
        if self.by_id.get(&container.id) == Some(&slot) {
            self.by_id.remove(&container.id);
            self.forgotten.push(container.id.clone());
        }
        self.revoke(slot);
    }

    /// Changes a container: a new snapshot; those already handed out stay as they are.
    fn replace(&mut self, slot: Slot, change: impl FnOnce(&mut Container)) {
        if let Some(entry) = self.entries.get_mut(&slot) {
            change(Arc::make_mut(&mut entry.snapshot));
        }
    }

    /// Whether the engine knows more of this container than the table.
    fn is_pending(&self, id: &str) -> bool {
        self.get(id).is_some_and(|container| matches!(container.metadata, Metadata::Pending))
    }

    /// Which engine made a container of the table.
    fn engine_of(&self, id: &str) -> Option<Engine> {
        self.get(id).map(|container| container.engine)
    }
}

#[cfg(test)]
mod tests;
