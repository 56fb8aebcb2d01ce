//! Who was given a secret.

use std::collections::BTreeSet;

use bstr::BString;
use vigia_event::File;
use vigia_event::container::Container;
use vigia_event::mount::{MountTable, is_below};
use vigia_event::secret::SecretSource;

use super::{Claim, Key, MountGrant, name_of};
use crate::cgroup;
use crate::containers::{ContainerTable, Slot};
use crate::mountinfo;

/// Holders of one secret that are named.
const MAX_HOLDERS: usize = 8;

impl ContainerTable {
    /// Whether a container was granted the secret that a file is. What was declared for it alone counts only where nobody was
    /// given the file otherwise.
    #[must_use]
    pub fn is_granted(&self, file: &File, container: &Container) -> bool {
        let is_own = |mount: &u32| {
            let grant = self.grants.mounts.get(mount);
            grant.is_some_and(|grant| !grant.is_anothers)
        };
        let is_of_device = |mount: &u32| {
            let is_its = |ids: &BTreeSet<u32>| ids.contains(mount);
            is_own(mount) && self.grants.devices.get(&file.dev).is_some_and(is_its)
        };
        let key = self.grants.keys.get(&(file.dev, file.ino));
        let is_given =
            key.is_some_and(Key::is_given) || self.device_grants(file.dev).next().is_some();
        let holds_key = |slot| {
            let holder = key.and_then(|key| key.holders.get(&slot));
            holder.is_some_and(|holder| match holder.claim {
                Claim::Given => true,
                Claim::Declared => !is_given,
                Claim::Anothers => false,
            })
        };
        let holds_place = |slot| {
            self.place_of(file).is_some_and(|(owner, secret)| {
                owner == slot && !(secret.source == SecretSource::Declared && is_given)
            })
        };
        let holds = |slot| {
            self.grants.held.get(&slot).is_some_and(|held| {
                // Its own mount is proof enough while the file's key is still to be learned.
                holds_key(slot)
                    || held.mounts.contains(&file.mount_id)
                        && self
                            .mount_grant(file)
                            .is_some_and(|grant| !grant.is_anothers)
                    || held.mounts.iter().any(is_of_device)
                    || held.places.contains(&file.mount_id) && holds_place(slot)
            })
        };
        self.lives_of(container).any(holds)
            || self.shares(file, container)
            || self.is_declared_to(file, container)
            || key.is_some_and(|key| key.secret.source == SecretSource::Compose)
                && self.started_with_just(file, container)
    }

    /// Whether a container that was gone before its mounts could be read was to have a secret where a file was found.
    fn is_declared_to(&self, file: &File, container: &Container) -> bool {
        let Some(table) = container.mounts.as_ref().filter(|table| is_made_up(table)) else {
            return false;
        };
        let is_anothers = |point: &[u8]| {
            let mut mounts = table.mounts.iter().filter(|mount| mount.point == point);
            mounts.any(|mount| mountinfo::is_anothers(mount, &self.host_mounts, container))
        };
        let mut secrets = table.secrets.iter();
        let known = container.known();
        let mut of_swarm = known.into_iter().flat_map(|known| &known.swarm_grants);
        secrets.any(|secret| is_below(&file.path, &secret.path) && !is_anothers(&secret.path))
            || of_swarm.any(|grant| grant.target == file.path)
    }

    /// Whether a container was started with a file itself mounted, wherever it is then called: what compose does with a
    /// secret's `target`. A folder with the file in it does not count.
    fn started_with_just(&self, file: &File, container: &Container) -> bool {
        let slot = self.by_id.get(&container.id);
        let first = slot.and_then(|slot| self.first_mounts(*slot));
        let made_up = || container.mounts.clone().filter(|table| is_made_up(table));
        let table = first.or_else(made_up);
        table.is_some_and(|table| {
            let mut mounts = table.mounts.iter();
            mounts.any(|mount| {
                mount.point == file.path
                    && (mount.id == file.mount_id || mount.id == 0)
                    && !mountinfo::is_anothers(mount, &self.host_mounts, container)
            })
        })
    }

    /// Names of containers that were given the secret that a file is, a few of many, in alphabetical order.
    #[must_use]
    pub fn holders_of(&self, file: &File, time_ns: u64) -> Vec<BString> {
        let key = self.grants.keys.get(&(file.dev, file.ino));
        let by_key = key.into_iter().flat_map(|key| &key.holders);
        let by_key = by_key
            .filter(|(_, holder)| holder.claim == Claim::Given)
            .map(|(slot, _)| *slot);
        let by_device = self
            .device_grants(file.dev)
            .filter(|grant| !grant.is_anothers)
            .map(|grant| grant.slot);
        let slots: BTreeSet<Slot> = by_key.chain(by_device).collect();
        let there = slots
            .into_iter()
            .filter(|slot| self.was_there(*slot, time_ns))
            .filter_map(|slot| self.entries.get(&slot));
        let names: BTreeSet<BString> = there
            .map(|entry| name_of(&entry.snapshot))
            .take(MAX_HOLDERS)
            .collect();
        names.into_iter().collect()
    }

    /// Whether a container was started with the kubelet's folder of pods, and may write there: it provides volumes, or is the
    /// kubelet.
    #[must_use]
    pub fn serves_volumes(&self, container: &Container) -> bool {
        let slot = self.by_id.get(&container.id);
        let table = slot.and_then(|slot| self.first_mounts(*slot));
        table.is_some_and(|table| {
            table.mounts.iter().any(|mount| {
                let is_kubelets =
                    |path: &[u8]| path.ends_with(b"/kubelet") || path.ends_with(b"/kubelet/pods");
                !mount.read_only && is_kubelets(&mount.point) && is_kubelets(&mount.root)
            })
        })
    }

    /// Whether a container was started with a mount of a volume of which another container of its pod was granted secrets,
    /// wherever it put it: an agent that fetches secrets for the others writes them there.
    fn shares(&self, file: &File, container: &Container) -> bool {
        let Some(pod) = cgroup::pod_of(&container.cgroup_path) else {
            return false;
        };
        let of_its_pod = |grant: &MountGrant| {
            let entry = self.entries.get(&grant.slot);
            !grant.is_anothers
                && entry
                    .is_some_and(|entry| cgroup::pod_of(&entry.snapshot.cgroup_path) == Some(pod))
        };
        let slot = self.by_id.get(&container.id);
        self.device_grants(file.dev).any(of_its_pod)
            && slot.is_some_and(|slot| self.started_with(*slot, file))
    }

    /// The containers that were granted a secret, by its key; by its device alone where the key is not known.
    #[cfg(test)]
    pub(in crate::containers) fn granted(
        &self,
        dev: u32,
        ino: u64,
    ) -> Vec<&std::sync::Arc<Container>> {
        let by_key = self.grants.keys.get(&(dev, ino)).into_iter();
        let by_key = by_key.flat_map(|key| key.holders.keys()).copied();
        let by_device = self.device_grants(dev).map(|grant| grant.slot);
        let slots: BTreeSet<Slot> = by_key.chain(by_device).collect();
        slots
            .iter()
            .filter_map(|slot| self.entries.get(slot))
            .map(|entry| &entry.snapshot)
            .collect()
    }
}

/// Whether a table was made of an engine's declaration, because none was ever read.
fn is_made_up(table: &MountTable) -> bool {
    table.read_ns == 0
}
