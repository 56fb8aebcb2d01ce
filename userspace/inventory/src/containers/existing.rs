//! Containers that ran before the agent, found in /proc.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use bstr::BString;
use rustc_hash::FxHashSet;
use vigia_event::captured::ContainerChange;
use vigia_event::container::Container;
use vigia_event::process::ProcessKey;

use super::life::Claim;
use super::{ContainerTable, Request, Slot};
use crate::cgroup::{self, CgroupContainer};
use crate::mountinfo;

/// A running process, as far as it says which container it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExistingTask {
    /// Names it.
    pub process: ProcessKey,
    /// When it was made, nanoseconds since the epoch; 0 for unknown.
    pub start_time_ns: u64,
    /// Its mount namespace; 0 for unknown.
    pub mnt_ns: u32,
    /// Path of its cgroup in the hierarchy in which engines make their groups (see [`cgroup::path_in`]).
    pub cgroup_path: BString,
}

impl ContainerTable {
    /// Adds the containers that running processes belong to. A container that was observed meanwhile stays as it
    /// is. The oldest process of a container in a mount namespace of its own is taken for its first.
    ///
    /// `time_ns` is now, nanoseconds since the epoch.
    pub fn add_existing(&mut self, tasks: &[ExistingTask], time_ns: u64) {
        let mut tasks: Vec<&ExistingTask> = tasks.iter().collect();
        tasks.sort_unstable_by_key(|task| (task.process.start_ticks, task.process.pid));
        let mut seen = FxHashSet::default();
        for task in tasks {
            let slot = match cgroup::container_of(&task.cgroup_path) {
                Some(found) => self.existing_slot(task, found, time_ns),
                None if seen.insert(task.mnt_ns) => self.existing_by_mounts(task, time_ns),
                None => None,
            };
            if let Some(slot) = slot {
                self.add_existing_init(slot, task, time_ns);
            }
        }
    }

    /// The container in whose cgroup a path lies; `None` for one that only carries the id of a container.
    #[must_use]
    pub fn of_cgroup_path(&self, path: &[u8]) -> Option<&Arc<Container>> {
        let found = cgroup::container_of(path)?;
        self.get(found.id)
            .filter(|container| container.cgroup_path == found.own_path)
    }

    /// A container without a cgroup, by the mounts of the oldest process in its mount namespace.
    fn existing_by_mounts(&mut self, task: &ExistingTask, time_ns: u64) -> Option<Slot> {
        if task.mnt_ns == 0
            || task.mnt_ns == self.options.host_mnt_ns
            || self.by_mnt_ns.contains_key(&task.mnt_ns)
        {
            return None;
        }
        let pid = task.process.pid;
        let read = mountinfo::read(&self.options.proc_root, pid).ok()?;
        let container = self.named_by_mounts(&read.mounts, pid)?;
        Some(self.add(container, time_ns))
    }

    fn existing_slot(
        &mut self,
        task: &ExistingTask,
        found: CgroupContainer<'_>,
        time_ns: u64,
    ) -> Option<Slot> {
        let known = self.by_id.get(found.id).copied();
        let slot = match known.map_or(Claim::Free, |slot| self.claim(slot, found.own_path)) {
            Claim::Imitates => return None,
            Claim::Its(slot) => slot,
            Claim::Free => {
                let cgroup_id = self.cgroup_id(found.own_path);
                let container = Container {
                    id: found.id.to_owned(),
                    engine: found.engine,
                    cgroup_id,
                    cgroup_path: found.own_path.into(),
                    ..Container::default()
                };
                if cgroup_id != 0 {
                    self.request(Request::AddCgroup {
                        cgroup_id,
                        container_cgroup_id: cgroup_id,
                    });
                }
                self.add(container, time_ns)
            }
        };
        if found.own_path.len() < task.cgroup_path.len() {
            let cgroup_id = self.cgroup_id(&task.cgroup_path);
            if cgroup_id != 0 && !self.by_cgroup.contains_key(&cgroup_id) {
                self.add_subgroup(slot, cgroup_id);
            }
        }
        Some(slot)
    }

    fn add_existing_init(&mut self, slot: Slot, task: &ExistingTask, time_ns: u64) {
        let Some(entry) = self.entries.get(&slot) else {
            return;
        };
        let is_inside = task.mnt_ns != 0 && task.mnt_ns != self.options.host_mnt_ns;
        if !is_inside
            || entry.snapshot.init.is_some()
            || entry.snapshot.observed
            || entry.gone_ns.is_some()
        {
            return;
        }
        self.by_mnt_ns.insert(task.mnt_ns, slot);
        self.replace(slot, |container| {
            container.init = Some(task.process);
            container.mnt_ns = task.mnt_ns;
            container.start_time_ns = task.start_time_ns;
        });
        self.read_first_mounts(slot, task.process.pid, time_ns);
        self.learn_owner(slot, task.process.pid, 0);
        self.announce(slot, ContainerChange::Started);
    }

    /// The kernfs node id of a cgroup is its folder's inode number.
    fn cgroup_id(&self, path: &[u8]) -> u64 {
        let Some(folder) = &self.options.cgroup_folder else {
            return 0;
        };
        let below = Path::new(std::ffi::OsStr::from_bytes(
            path.strip_prefix(b"/").unwrap_or(path),
        ));
        rustix::fs::stat(folder.join(below)).map_or(0, |status| status.st_ino)
    }
}
