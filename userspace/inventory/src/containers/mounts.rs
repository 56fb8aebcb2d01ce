//! Reading the mounts of containers, and reading them again when they change.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use vigia_event::call::EventType;
use vigia_event::captured::{Call, Task};
use vigia_event::container::{Confinement, Container, Engine};
use vigia_event::mount::{Mount, MountTable};

use super::{ContainerTable, Slot};
use crate::mountinfo::{self, Surroundings};
use crate::{WallClock, confinement, users};

/// A container that mounts in a loop must not make the agent read in a loop.
const REREAD_NS: u64 = 100_000_000;
/// How long the mounts of a namespace that is no container's are believed.
const CACHE_NS: u64 = 2_000_000_000;
/// Such namespaces remembered.
const MAX_CACHED: usize = 256;
/// Calls after which a mount namespace looks different.
const MOUNT_CALLS: &[&str] = &[
    "mount",
    "umount2",
    "pivot_root",
    "move_mount",
    "mount_setattr",
    "fsmount",
    "open_tree",
];

/// Mounts of namespaces that are neither the host's nor a container's, by namespace: of sandboxed services, of
/// containers inside containers, of `unshare`. `None` where they could not be read.
#[derive(Debug, Default)]
pub(super) struct MountCache {
    tables: FxHashMap<u32, Cached>,
}

#[derive(Debug)]
struct Cached {
    read_ns: u64,
    /// Whether it was read because a program started there. Before, the mounts may still be in the making.
    by_program: bool,
    table: Option<Arc<MountTable>>,
}

impl ContainerTable {
    /// The mounts of the host itself.
    #[must_use]
    pub fn host_mounts(&self) -> &Arc<MountTable> {
        &self.host_mounts
    }

    /// The mounts a task sees. Where it has left its container's mount namespace, they are not those of the
    /// container; where they cannot be read, the table is empty.
    pub fn mounts_of(
        &mut self,
        task: &Task,
        container: Option<&Container>,
        time_ns: u64,
    ) -> Arc<MountTable> {
        let mnt_ns = task.namespaces.mnt;
        if mnt_ns == self.options.host_mnt_ns {
            return Arc::clone(&self.host_mounts);
        }
        match container {
            // Not yet known, or its first process is yet to come: what the engine declares, or nothing.
            Some(container) if container.mnt_ns == mnt_ns || container.mnt_ns == 0 => {
                container.mounts.clone().unwrap_or_default()
            }
            _ => self
                .foreign_mounts(task, false, time_ns)
                .unwrap_or_default(),
        }
    }

    /// Reads the host's mounts again if they changed: an engine, or an administrator, mounts without any container.
    pub(super) fn refresh_host_mounts(&mut self) {
        if self.host_changes.any() {
            self.read_host_mounts();
        }
    }

    pub(super) fn read_host_mounts(&mut self) {
        match mountinfo::read(&self.options.proc_root, self.options.host_pid) {
            Ok(read) => {
                let mut table = mountinfo::classify_host(read.mounts);
                table.read_ns = WallClock::boot_now_ns();
                self.host_mounts = Arc::new(table);
            }
            Err(error) => tracing::debug!(%error, "cannot read the host's mounts"),
        }
    }

    /// A process in a mount namespace nobody knows: perhaps of an engine without cgroups (rootless ones on version 1), or
    /// in a group that does not carry the id. The engine's binds do.
    pub(super) fn adopt(&mut self, task: &Task, time_ns: u64) -> Option<Slot> {
        let mounts = self.foreign_mounts(task, true, time_ns)?;
        let container = self.named_by_mounts(&mounts.mounts, task.pid)?;
        self.mount_cache.tables.remove(&task.namespaces.mnt);
        let container = Container {
            observed: true,
            ..container
        };
        Some(self.add(container, time_ns))
    }

    /// The container that a process without a cgroup of a container's lies in, as its mounts name it.
    ///
    /// They can be imitated by anybody who may mount: a container that is known stays what it is, and an unknown one
    /// is at worst one that nobody has.
    pub(super) fn named_by_mounts(&mut self, mounts: &[Mount], pid: u32) -> Option<Container> {
        let (id, engine) = mountinfo::container_id(mounts)?;
        // Root's Docker and containerd make a cgroup for every container.
        let without_cgroup = engine == Engine::Podman || self.is_users(pid);
        let is_taken = self
            .by_id
            .get(id)
            .and_then(|slot| self.entries.get(slot))
            .is_some_and(|entry| entry.gone_ns.is_none() || entry.snapshot.cgroup_id != 0);
        if !without_cgroup || is_taken {
            self.counts.impostors += 1;
            return None;
        }
        self.counts.adopted += 1;
        Some(Container {
            id: id.to_owned(),
            engine,
            ..Container::default()
        })
    }

    /// Reads what a container's first process sees, and who its users are.
    pub(super) fn read_first_mounts(&mut self, slot: Slot, pid: u32, time_ns: u64) {
        // What the kubelet or an engine has just mounted for this container is on the host, too.
        self.read_host_mounts();
        if self.read_mounts(slot, pid, time_ns)
            && let Ok(found) = users::of_process(&self.options.proc_root, pid)
        {
            self.replace(slot, |container| container.users = Arc::new(found));
        }
        if let Some(entry) = self.entries.get_mut(&slot) {
            entry.first_mounts.clone_from(&entry.snapshot.mounts);
        }
        let proc_root = self.options.proc_root.clone();
        self.replace(slot, |container| {
            container.confinement = confinement::read(&proc_root, pid, container.mnt_ns).ok();
            let mounts = container.mounts.as_ref();
            container.started_read_only = mounts.and_then(|mounts| mounts.root_read_only());
        });
        self.read_limits(slot);
        self.reclassify(slot);
        self.learn_secrets(slot, pid);
    }

    /// Reads what the cgroup of a running container allows it: that may be changed at any time.
    pub(super) fn read_limits(&mut self, slot: Slot) {
        let Some(folder) = &self.options.cgroup_folder else {
            return;
        };
        let Some(entry) = self.entries.get_mut(&slot) else {
            return;
        };
        let limits = confinement::limits::read(folder, &entry.snapshot.cgroup_path);
        let is_news = |known: &Confinement| known.limits != limits;
        if entry.snapshot.confinement.as_ref().is_some_and(is_news)
            && let Some(known) = &mut Arc::make_mut(&mut entry.snapshot).confinement
        {
            known.limits = limits;
        }
    }

    /// Notes that a task changed the mounts of its container.
    pub(super) fn mounts_changed(&mut self, task: &Task, call: &Call) {
        if call.result >= 0
            && changes_mounts(call.event_type)
            && let Some(slot) = self.slot_of(task)
            && let Some(entry) = self.entries.get_mut(&slot)
            && entry.snapshot.mnt_ns == task.namespaces.mnt
        {
            entry.mounts_stale = true;
        }
    }

    /// Reads changed mounts again, unless that was done a moment ago.
    pub(super) fn refresh_mounts(&mut self, slot: Slot, task: &Task, time_ns: u64) {
        let Some(entry) = self.entries.get_mut(&slot) else {
            return;
        };
        let is_due =
            entry.mounts_stale && time_ns >= entry.mounts_read_ns.saturating_add(REREAD_NS);
        if is_due && entry.snapshot.mnt_ns == task.namespaces.mnt {
            entry.mounts_stale = false;
            // A process that has changed its root sees other mounts, or none: the first process tells better.
            let init = entry.snapshot.init.filter(|_| !entry.init_over);
            let pid = init.map_or(task.pid, |init| init.pid);
            if self.read_mounts(slot, pid, time_ns)
                || pid != task.pid && self.read_mounts(slot, task.pid, time_ns)
            {
                self.reclassify(slot);
            }
        }
    }

    /// Applies what is known now (the engine's declaration, the names of secrets, the host's mounts) to the
    /// mounts of a container; makes up a table from the declaration where none could be read.
    pub(super) fn reclassify(&mut self, slot: Slot) {
        let Some(entry) = self.entries.get_mut(&slot) else {
            return;
        };
        let inspected = entry.snapshot.known().cloned();
        let declared = inspected
            .as_ref()
            .map(|inspected| inspected.mounts.as_slice())
            .unwrap_or_default();
        let surroundings = Surroundings {
            host: &self.host_mounts,
            swarm: &self.swarm,
            declared,
        };
        if let Some(first) = &mut entry.first_mounts {
            *first = Arc::new(classify_again(first, &surroundings));
        }
        let table = match (&entry.snapshot.mounts, &inspected) {
            (Some(read), _) if entry.mounts_read_ns != 0 => classify_again(read, &surroundings),
            // None was ever read: it is made up, again each time that more is known.
            (_, Some(inspected)) => mountinfo::table_of_declared(inspected, &surroundings),
            _ => return,
        };
        if entry.snapshot.mounts.as_deref() != Some(&table) {
            Arc::make_mut(&mut entry.snapshot).mounts = Some(Arc::new(table));
        }
        self.grant(slot);
    }

    fn read_mounts(&mut self, slot: Slot, pid: u32, time_ns: u64) -> bool {
        let Some(entry) = self.entries.get_mut(&slot) else {
            return false;
        };
        match mountinfo::read(&self.options.proc_root, pid) {
            Ok(read) => {
                self.counts.mounts_read += 1;
                let named = mountinfo::container_id(&read.mounts).map(|(id, _)| id);
                if named.is_some_and(|id| id != entry.snapshot.id) {
                    self.counts.id_mismatches += 1;
                }
                entry.mounts_read_ns = time_ns.max(1);
                let table = MountTable {
                    mounts: read.mounts,
                    read_ns: WallClock::boot_now_ns(),
                    ..MountTable::default()
                };
                Arc::make_mut(&mut entry.snapshot).mounts = Some(Arc::new(table));
                true
            }
            Err(_) => {
                self.counts.mounts_missed += 1;
                false
            }
        }
    }

    /// The mounts of a namespace that is no container's, read anew where a program has started and they were not read
    /// for that reason a moment ago.
    fn foreign_mounts(
        &mut self,
        task: &Task,
        by_program: bool,
        time_ns: u64,
    ) -> Option<Arc<MountTable>> {
        let mnt_ns = task.namespaces.mnt;
        if let Some(cached) = self.mount_cache.tables.get(&mnt_ns)
            && time_ns < cached.read_ns.saturating_add(CACHE_NS)
            && (cached.by_program || !by_program)
        {
            return cached.table.clone();
        }
        let read = mountinfo::read(&self.options.proc_root, task.pid).ok();
        let surroundings = Surroundings {
            host: &self.host_mounts,
            swarm: &self.swarm,
            declared: &[],
        };
        let table = read.map(|read| {
            let mut table = mountinfo::classify(read.mounts, &surroundings);
            table.read_ns = WallClock::boot_now_ns();
            Arc::new(table)
        });
        match &table {
            Some(_) => self.counts.mounts_read += 1,
            None => self.counts.mounts_missed += 1,
        }
        if self.mount_cache.tables.len() >= MAX_CACHED {
            self.mount_cache.tables.clear();
        }
        let cached = Cached {
            read_ns: time_ns,
            by_program,
            table: table.clone(),
        };
        self.mount_cache.tables.insert(mnt_ns, cached);
        table
    }
}

fn classify_again(table: &MountTable, surroundings: &Surroundings<'_>) -> MountTable {
    MountTable {
        read_ns: table.read_ns,
        ..mountinfo::classify(table.mounts.clone(), surroundings)
    }
}

fn changes_mounts(event_type: EventType) -> bool {
    MOUNT_CALLS.contains(&event_type.name())
}
