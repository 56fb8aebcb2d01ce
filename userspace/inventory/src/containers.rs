//! Which containers there are, what each promised, and to which one an event belongs.
//!
//! A container is learned from its cgroup before its first process runs, and forgotten a while after the cgroup
//! went, so that late events still find it. Its first process is the first program executed in its cgroup inside
//! a mount namespace that is not the host's: before that, only stages of the runtime run there. At that moment
//! its mounts are final and are read; what the engine knows arrives separately and later, or never.

mod declared_secrets;
mod environments;
mod existing;
mod grants;
mod learning;
mod life;
mod looking;
mod metadata;
mod mounts;
mod owner;
mod requests;
mod secret_files;
mod sources;

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bstr::BString;
use rustc_hash::{FxHashMap, FxHashSet};
use vigia_event::captured::{ContainerChange, Task, What};
use vigia_event::container::Container;
use vigia_event::mount::MountTable;
use vigia_event::{Captured, Process};

pub use declared_secrets::{
    DeclaredSecrets, HostSecret, LABEL as SECRETS_LABEL, can_be_declared, engine_state,
};
pub use existing::ExistingTask;
pub use grants::ReadSecret;
pub use owner::{LookUpUserNamespace, UserNamespace};
pub use requests::{LearnSecret, Request};
pub use secret_files::{SecretFiles, open_secret_files};

use crate::engines::SourceId;
use crate::images::ImageIndex;
use crate::mountinfo::{MountChanges, SwarmObjects};
use grants::Grants;
use mounts::MountCache;
use owner::Owner;
use sources::Sources;

/// What the table needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// The host's /proc.
    pub proc_root: PathBuf,
    /// Inode number of the host's mount namespace.
    pub host_mnt_ns: u32,
    /// A process that sees the host's files and mounts.
    pub host_pid: u32,
    /// Where the hierarchy in which engines make their groups is mounted; needed only for containers that ran
    /// before the agent. `None`: their cgroup ids stay unknown.
    pub cgroup_folder: Option<PathBuf>,
    /// Looks at the user namespace of a process, which takes a system call that is not safe Rust. Without it nothing is
    /// known of it.
    pub user_namespace: LookUpUserNamespace,
    /// Containers kept at most, gone ones included.
    pub max_containers: usize,
    /// How long a gone container is kept, in nanoseconds.
    pub grace_ns: u64,
    /// Secrets of containers of which no mount tells.
    pub declared_secrets: Vec<DeclaredSecrets>,
    /// Secrets on the host that were granted to no container.
    pub host_secrets: Vec<HostSecret>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            proc_root: "/proc".into(),
            host_mnt_ns: 0,
            host_pid: 1,
            cgroup_folder: None,
            user_namespace: |_, _| Err(io::ErrorKind::Unsupported.into()),
            max_containers: 4096,
            grace_ns: 60_000_000_000,
            declared_secrets: Vec::new(),
            host_secrets: Vec::new(),
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
    /// First processes whose mounts carry another container's id (a shared network or a pod's sandbox does that): the
    /// cgroup counts.
    pub id_mismatches: u64,
    /// Containers whose cgroup does not tell their id, but whose mounts do.
    pub adopted: u64,
    /// Cgroups, and mounts where the cgroup tells nothing, that claim to be a container that lives elsewhere.
    pub impostors: u64,
    /// Cgroups below containers beyond what is remembered.
    pub subgroups_ignored: u64,
    /// Answers of users' engines about containers that are not known to be those users'.
    pub foreign_answers: u64,
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
    /// Whether processes that came from it lived on elsewhere when that was last looked at.
    survived: bool,
    /// Whether its first process ended.
    init_over: bool,
    /// Whether its start was judged while nobody had said what it is: then it is told again once somebody does.
    told_without_metadata: bool,
    /// Who made it.
    owner: Owner,
    /// Engines that do not know it.
    denied_by: Vec<SourceId>,
    /// What was mounted before its first program ran: only that was granted. What a container mounts later, it
    /// has not been given, even if it looks like a secret.
    first_mounts: Option<Arc<MountTable>>,
    /// Paths declared to be its secrets that are looked for already.
    declared: Vec<BString>,
    /// Whether its label names paths that cannot be looked for, and that was said.
    declared_in_vain: bool,
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
    host_changes: MountChanges,
    mount_cache: MountCache,
    sources: Sources,
    swarm: SwarmObjects,
    grants: Grants,
    /// Running containers with secrets in their environments: while there are any, the probes report opens of those.
    secret_environments: FxHashSet<Slot>,
    /// How often it was looked again for secrets.
    rounds: u32,
    requests: VecDeque<Request>,
    images: Arc<ImageIndex>,
    /// What is to be told of containers, by id.
    news: Vec<(String, ContainerChange)>,
    forgotten: Vec<String>,
    /// Containers whose metadata was settled by something else than an engine's message.
    settled: Vec<String>,
    counts: Counts,
}

impl ContainerTable {
    /// An empty table. The host's own mounts are read at once.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let mut table = Self {
            // Before they are read: no change in between is missed.
            host_changes: MountChanges::of(&options.proc_root, options.host_pid),
            options,
            entries: FxHashMap::default(),
            by_id: FxHashMap::default(),
            by_cgroup: FxHashMap::default(),
            by_mnt_ns: FxHashMap::default(),
            gone: VecDeque::new(),
            next_slot: 0,
            host_mounts: Arc::default(),
            mount_cache: MountCache::default(),
            sources: Sources::default(),
            swarm: SwarmObjects::default(),
            grants: Grants::default(),
            secret_environments: FxHashSet::default(),
            rounds: 0,
            requests: VecDeque::new(),
            images: Arc::default(),
            news: Vec::new(),
            forgotten: Vec::new(),
            settled: Vec::new(),
            counts: Counts::default(),
        };
        table.read_host_mounts();
        table
    }

    /// Applies one record and returns the container of the acting task as it is after it; its mounts are those that
    /// a call which changes them has found.
    ///
    /// `process` is the acting process after the record; `time_ns` the record's time, nanoseconds since the epoch.
    pub fn observe(
        &mut self,
        captured: &Captured,
        process: &Process,
        time_ns: u64,
    ) -> Option<Arc<Container>> {
        self.expire(time_ns);
        match &captured.what {
            What::Cgroup(change) => self.cgroup_changed(change, time_ns),
            What::Exec(_) => self.program_started(&captured.task, process, time_ns),
            What::Exit {
                process_ended: true,
                ..
            } => self.process_ended(process, time_ns),
            What::SecretKey(file) => self.learn_secret(file, time_ns),
            _ => {}
        }
        let slot = self.slot_of(&captured.task)?;
        self.refresh_mounts(slot, &captured.task, time_ns);
        let snapshot = self
            .entries
            .get(&slot)
            .map(|entry| Arc::clone(&entry.snapshot));
        // Last, because a mount is judged by what it covers, and not by itself.
        if let What::Call(call) = &captured.what {
            self.mounts_changed(&captured.task, call);
        }
        snapshot
    }

    /// A container by its whole id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<Container>> {
        self.by_id
            .get(id)
            .and_then(|slot| self.entries.get(slot))
            .map(|entry| &entry.snapshot)
    }

    /// The container that a task with these marks belongs to.
    #[must_use]
    pub fn of_task(&self, task: &Task) -> Option<&Arc<Container>> {
        self.entries
            .get(&self.slot_of(task)?)
            .map(|entry| &entry.snapshot)
    }

    /// The container of a cgroup, as kernel-side counters name it.
    #[must_use]
    pub fn of_cgroup(&self, cgroup_id: u64) -> Option<&Arc<Container>> {
        self.by_cgroup
            .get(&cgroup_id)
            .and_then(|slot| self.entries.get(slot))
            .map(|entry| &entry.snapshot)
    }

    /// All containers that have not gone, in no particular order.
    pub fn running(&self) -> impl Iterator<Item = &Arc<Container>> {
        self.entries
            .values()
            .filter(|entry| entry.gone_ns.is_none())
            .map(|entry| &entry.snapshot)
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

    /// What has become of which containers since the last call, in order. Whoever wants to know asks after every record
    /// and every answer of an engine, so that these are few.
    pub fn take_news(&mut self) -> Vec<(String, ContainerChange)> {
        std::mem::take(&mut self.news)
    }

    /// Notes that a container's start was judged without its metadata.
    pub fn told_without_metadata(&mut self, id: &str) {
        if let Some(entry) = self
            .by_id
            .get(id)
            .and_then(|slot| self.entries.get_mut(slot))
        {
            entry.told_without_metadata = true;
        }
    }

    /// Ids of containers forgotten since the last call.
    pub fn take_forgotten(&mut self) -> Vec<String> {
        std::mem::take(&mut self.forgotten)
    }

    /// Ids of containers whose metadata was settled since the last call, but not by a message of an engine: what waited for
    /// it need not wait any longer.
    pub fn take_settled(&mut self) -> Vec<String> {
        std::mem::take(&mut self.settled)
    }

    /// The cgroup the task is in, else the one it came from, else its mount namespace.
    fn slot_of(&self, task: &Task) -> Option<Slot> {
        let by_cgroup = |id: u64| (id != 0).then(|| self.by_cgroup.get(&id)).flatten();
        let by_mnt_ns = || {
            let mnt_ns = task.namespaces.mnt;
            (mnt_ns != 0 && mnt_ns != self.options.host_mnt_ns)
                .then(|| self.by_mnt_ns.get(&mnt_ns))
                .flatten()
        };
        by_cgroup(task.cgroup_id)
            .or_else(|| by_cgroup(task.origin_cgroup_id))
            .or_else(by_mnt_ns)
            .copied()
    }

    fn announce(&mut self, slot: Slot, change: ContainerChange) {
        if let Some(entry) = self.entries.get(&slot) {
            self.news.push((entry.snapshot.id.clone(), change));
        }
    }

    /// Changes a container: a new snapshot; those already handed out stay as they are.
    fn replace(&mut self, slot: Slot, change: impl FnOnce(&mut Container)) {
        if let Some(entry) = self.entries.get_mut(&slot) {
            change(Arc::make_mut(&mut entry.snapshot));
        }
    }
}

#[cfg(test)]
mod tests;
