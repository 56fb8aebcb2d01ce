//! How containers come, start, end and are forgotten.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use vigia_event::Process;
use vigia_event::captured::{CgroupChange, CgroupChangeKind, ContainerChange, Task};
use vigia_event::container::Container;
use vigia_event::mount::is_below;

use super::owner::{Owner, is_delegated};
use super::{ContainerTable, Entry, Request, Slot};
use crate::cgroup::{self, CgroupContainer};

/// Cgroups below a container's own that are remembered as its; more are still found by namespace and origin.
pub(super) const MAX_SUBGROUPS: usize = 128;

/// What a cgroup that carries the id of a container is to the container that the table has by that id.
pub(super) enum Claim {
    /// There is none, or there is no longer.
    Free,
    /// Its own, or below that.
    Its(Slot),
    /// One that imitates it.
    Imitates,
}

impl ContainerTable {
    pub(super) fn cgroup_changed(&mut self, change: &CgroupChange, time_ns: u64) {
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
        let living = self
            .by_id
            .get(found.id)
            .copied()
            .filter(|slot| self.is_there(*slot));
        match living.map_or(Claim::Free, |slot| self.claim(slot, found.own_path)) {
            Claim::Imitates => {}
            Claim::Its(slot) if !is_own => self.add_subgroup(slot, change.id),
            // The same group anew: its removal was missed.
            Claim::Its(slot) if self.by_cgroup.get(&change.id) != Some(&slot) => {
                self.gone_at(slot, time_ns);
                self.cgroup_made(change, found, time_ns);
            }
            Claim::Its(_) => {}
            Claim::Free if is_own => {
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
            Claim::Free => {}
        }
    }

    /// Judges the cgroup at a path by the id that it carries, which is that of a container in the table. Anybody may give a
    /// group any name where systemd delegates, and be there first: such a group counts only as long as there is no other.
    pub(super) fn claim(&mut self, slot: Slot, own_path: &[u8]) -> Claim {
        let Some(entry) = self.entries.get(&slot) else {
            return Claim::Free;
        };
        let known = &entry.snapshot.cgroup_path;
        // One that only its mounts tell of lies in no cgroup of its own.
        if !known.is_empty() && is_below(own_path, known) {
            return Claim::Its(slot);
        }
        if entry.gone_ns.is_some() {
            return Claim::Free;
        }
        self.counts.impostors += 1;
        let yields = match is_delegated(own_path) {
            true => known.is_empty() && entry.owner != Owner::Machine,
            false => known.is_empty() || is_delegated(known),
        };
        if !yields {
            return Claim::Imitates;
        }
        // Not gone, but never been: nothing in it is the container's.
        self.forget(slot);
        Claim::Free
    }

    pub(super) fn add_subgroup(&mut self, slot: Slot, cgroup_id: u64) {
        let Some(entry) = self.entries.get_mut(&slot) else {
            return;
        };
        if entry.subgroups.len() >= MAX_SUBGROUPS {
            self.counts.subgroups_ignored += 1;
            return;
        }
        entry.subgroups.push(cgroup_id);
        let container_cgroup_id = match entry.snapshot.cgroup_id {
            0 => cgroup_id,
            own => own,
        };
        self.by_cgroup.insert(cgroup_id, slot);
        self.request(Request::AddCgroup {
            cgroup_id,
            container_cgroup_id,
        });
    }

    fn cgroup_removed(&mut self, cgroup_id: u64, time_ns: u64) {
        let Some(&slot) = self.by_cgroup.get(&cgroup_id) else {
            return;
        };
        let Some(entry) = self.entries.get_mut(&slot) else {
            return;
        };
        if entry.snapshot.cgroup_id == cgroup_id {
            self.gone_at(slot, time_ns);
        } else {
            entry.subgroups.retain(|&subgroup| subgroup != cgroup_id);
            self.by_cgroup.remove(&cgroup_id);
            // The probes forgot it before the request to add it reached them, perhaps.
            self.request(Request::ForgetCgroup { cgroup_id });
        }
    }

    /// Puts a container into the table, with what the engine already said of it.
    pub(super) fn add(&mut self, mut container: Container, time_ns: u64) -> Slot {
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
            survived: false,
            init_over: false,
            told_without_metadata: false,
            owner: Owner::default(),
            denied_by: Vec::new(),
            first_mounts: None,
            declared: Vec::new(),
            declared_in_vain: false,
            mounts_read_ns: 0,
            mounts_stale: false,
        };
        self.entries.insert(slot, entry);
        self.reclassify(slot);
        self.watch_environments(slot);
        slot
    }

    /// A program started: perhaps the first of a container.
    pub(super) fn program_started(&mut self, task: &Task, process: &Process, time_ns: u64) {
        let mnt_ns = task.namespaces.mnt;
        if mnt_ns == 0 || mnt_ns == self.options.host_mnt_ns {
            return;
        }
        let known = self.slot_of(task);
        if task.entered == Some(true) && !self.may_carry_engines_mark(task, known) {
            return;
        }
        let Some(slot) = known.or_else(|| self.adopt(task, time_ns)) else {
            return;
        };
        let Some(entry) = self.entries.get_mut(&slot) else {
            return;
        };
        let snapshot = &entry.snapshot;
        let is_first = snapshot.init.is_none() && entry.gone_ns.is_none();
        // A group that is used again, as some drivers do on a restart: a new life has a new mount namespace.
        let is_again = entry.init_over && entry.gone_ns.is_none() && snapshot.mnt_ns != mnt_ns;
        if !is_first && !is_again {
            return;
        }
        let start_time_ns = if process.start_time_ns == 0 {
            time_ns
        } else {
            process.start_time_ns
        };
        entry.init_over = false;
        entry.mounts_read_ns = 0;
        entry.first_mounts = None;
        entry.declared.clear();
        let former = entry.snapshot.mnt_ns;
        self.leave_namespace(slot, former);
        self.by_mnt_ns.insert(mnt_ns, slot);
        self.replace(slot, |container| {
            container.init = Some(process.key());
            container.mnt_ns = mnt_ns;
            container.start_time_ns = start_time_ns;
            container.mounts = None;
            container.started_read_only = None;
            container.confinement = None;
        });
        self.read_first_mounts(slot, task.pid, time_ns);
        self.learn_owner(slot, task.pid, task.namespaces.user);
        self.announce(slot, ContainerChange::Started);
    }

    /// Whether a task may be a container's first although it is marked as entered: a user's engine joins the user's
    /// namespaces before it makes a container, and all processes of the container inherit that mark. Whoever is the first in
    /// a pid namespace has not entered that; and once a container's first process is known, whoever is marked has entered it.
    fn may_carry_engines_mark(&self, task: &Task, known: Option<Slot>) -> bool {
        let is_awaited = |slot| {
            self.entries
                .get(&slot)
                .is_some_and(|entry| entry.snapshot.observed && entry.snapshot.init.is_none())
        };
        task.vpid == 1 && known.is_none_or(is_awaited)
    }

    pub(super) fn process_ended(&mut self, process: &Process, time_ns: u64) {
        let Some(&slot) = self.by_mnt_ns.get(&process.task.namespaces.mnt) else {
            return;
        };
        let Some(entry) = self.entries.get_mut(&slot) else {
            return;
        };
        if entry.snapshot.init != Some(process.key()) {
            return;
        }
        entry.init_over = true;
        // Without a cgroup of its own, nothing else tells that it is over.
        if entry.snapshot.cgroup_id == 0 {
            self.gone_at(slot, time_ns);
        }
    }

    pub(super) fn gone_at(&mut self, slot: Slot, time_ns: u64) {
        let Some(entry) = self.entries.get_mut(&slot) else {
            return;
        };
        if entry.gone_ns.is_some() {
            return;
        }
        entry.gone_ns = Some(time_ns);
        // Numbers of namespaces are given away again at once; those of cgroups are not.
        let mnt_ns = entry.snapshot.mnt_ns;
        self.leave_namespace(slot, mnt_ns);
        self.unwatch(slot);
        self.watch_environments(slot);
        self.gone
            .push_back((time_ns.saturating_add(self.options.grace_ns), slot));
    }

    /// Its number may be another container's by now.
    fn leave_namespace(&mut self, slot: Slot, mnt_ns: u32) {
        if self.by_mnt_ns.get(&mnt_ns) == Some(&slot) {
            self.by_mnt_ns.remove(&mnt_ns);
        }
    }

    /// Forgets the containers whose grace period is over. Every record does so, too; on a machine on which nothing happens
    /// there are none. `time_ns` is now, nanoseconds since the epoch.
    pub fn expire(&mut self, time_ns: u64) {
        while self
            .gone
            .front()
            .is_some_and(|(until_ns, _)| *until_ns <= time_ns)
        {
            let Some((_, slot)) = self.gone.pop_front() else {
                return;
            };
            if self.entries.get(&slot).is_some_and(|entry| entry.survived) {
                self.gone
                    .push_back((time_ns.saturating_add(self.options.grace_ns), slot));
            } else {
                self.forget(slot);
            }
        }
    }

    /// Keeps those gone containers of which processes live on elsewhere: whoever escaped from a container does not
    /// become a process of the host by waiting until it is gone. To be called more often than containers are
    /// forgotten, with the origins of all running processes.
    pub fn keep_survived(&mut self, origins: impl Iterator<Item = u64>) {
        if self.gone.is_empty() {
            return;
        }
        let origins: FxHashSet<u64> = origins.collect();
        for (_, slot) in &self.gone {
            if let Some(entry) = self.entries.get_mut(slot) {
                entry.survived = origins.contains(&entry.snapshot.cgroup_id);
            }
        }
    }

    /// Makes room: the one that went first, else the one that was learned first.
    fn evict(&mut self) {
        let gone = std::iter::from_fn(|| self.gone.pop_front())
            .map(|(_, slot)| slot)
            .find(|slot| self.entries.contains_key(slot));
        if let Some(slot) = gone.or_else(|| self.entries.keys().min().copied()) {
            self.counts.evicted += 1;
            self.forget(slot);
        }
    }

    fn forget(&mut self, slot: Slot) {
        // One that is given up while it runs has not gone yet.
        self.gone_at(slot, 0);
        let Some(entry) = self.entries.remove(&slot) else {
            return;
        };
        let container = &entry.snapshot;
        for cgroup_id in entry.subgroups.iter().chain([&container.cgroup_id]) {
            if self.by_cgroup.get(cgroup_id) == Some(&slot) {
                self.by_cgroup.remove(cgroup_id);
            }
        }
        self.leave_namespace(slot, container.mnt_ns);
        if self.by_id.get(&container.id) == Some(&slot) {
            self.by_id.remove(&container.id);
            self.forgotten.push(container.id.clone());
        }
        self.revoke(slot);
    }
}
