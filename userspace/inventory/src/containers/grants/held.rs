//! What one container was granted: found without a look at what all others were.

use std::collections::BTreeSet;

use vigia_event::container::Container;

use super::{Grants, Holder, Key, MountGrant, Place};
use crate::containers::{ContainerTable, Request, Slot};

/// The grants of one container, or of the host.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) keys: BTreeSet<(u32, u64)>,
    pub(super) mounts: BTreeSet<u32>,
    /// The mounts that its places are on.
    pub(super) places: BTreeSet<u32>,
}

impl Grants {
    /// Takes in what a mount grants, instead of what another mount with its number granted.
    pub(in crate::containers) fn add_mount(&mut self, id: u32, grant: MountGrant) {
        let (slot, dev) = (grant.slot, grant.secret.dev);
        if let Some(former) = self.mounts.insert(id, grant) {
            if former.slot != slot
                && let Some(held) = self.held.get_mut(&former.slot)
            {
                held.mounts.remove(&id);
            }
            if former.secret.dev != dev {
                self.leave_device(former.secret.dev, &BTreeSet::from([id]));
            }
        }
        self.held.entry(slot).or_default().mounts.insert(id);
    }

    /// Takes in a place on a mount.
    pub(in crate::containers) fn add_place(&mut self, mount_id: u32, place: Place) {
        let held = self.held.entry(place.slot).or_default();
        held.places.insert(mount_id);
        self.places.entry(mount_id).or_default().push(place);
    }

    /// Forgets the places of a container, or of the host.
    pub(in crate::containers) fn remove_places(&mut self, slot: Slot) {
        let held = self.held.get_mut(&slot);
        for mount_id in held
            .map(|held| std::mem::take(&mut held.places))
            .into_iter()
            .flatten()
        {
            if let Some(places) = self.places.get_mut(&mount_id) {
                places.retain(|place| place.slot != slot);
                if places.is_empty() {
                    self.places.remove(&mount_id);
                }
            }
        }
    }

    /// Takes in that a file was found with a container, and returns what is known of the file. Found by a declaration alone, it
    /// stays what the container was given.
    pub(in crate::containers) fn add_holder(
        &mut self,
        file: (u32, u64),
        slot: Slot,
        holder: Holder,
    ) -> &mut Key {
        self.held.entry(slot).or_default().keys.insert(file);
        let key = self.keys.entry(file).or_default();
        let known = key.holders.entry(slot).or_insert(holder);
        if holder.claim >= known.claim {
            *known = holder;
        }
        key
    }

    /// Forgets that a file was found with a container.
    pub(in crate::containers) fn remove_holder(&mut self, file: (u32, u64), slot: Slot) {
        if let Some(held) = self.held.get_mut(&slot) {
            held.keys.remove(&file);
        }
        self.leave_key(file, slot);
    }

    /// Changes what is known of the files that were found with a container.
    pub(in crate::containers) fn change_keys(&mut self, slot: Slot, change: impl Fn(&mut Key)) {
        for file in self.held.get(&slot).into_iter().flat_map(|held| &held.keys) {
            if let Some(key) = self.keys.get_mut(file) {
                change(key);
            }
        }
    }

    fn leave_key(&mut self, file: (u32, u64), slot: Slot) {
        if let Some(key) = self.keys.get_mut(&file) {
            key.holders.remove(&slot);
            if key.holders.is_empty() {
                self.keys.remove(&file);
            }
        }
    }

    fn leave_device(&mut self, dev: u32, mounts: &BTreeSet<u32>) {
        if let Some(ids) = self.devices.get_mut(&dev) {
            ids.retain(|id| !mounts.contains(id));
            if ids.is_empty() {
                self.devices.remove(&dev);
            }
        }
    }

    /// The in-memory file systems that a container's secrets lie on.
    fn devices_of(&self, held: &Held) -> BTreeSet<u32> {
        let mounts = held.mounts.iter();
        mounts
            .filter_map(|id| self.mounts.get(id))
            .map(|grant| grant.secret.dev)
            .filter(|dev| self.devices.contains_key(dev))
            .collect()
    }
}

impl ContainerTable {
    /// The lives of a container in the table that one of its snapshots can be of: the present one, and its own.
    pub(super) fn lives_of(&self, container: &Container) -> impl Iterator<Item = Slot> {
        let present = self.by_id.get(&container.id).copied();
        let own = self.by_cgroup.get(&container.cgroup_id).copied();
        present.into_iter().chain(own.filter(|_| own != present))
    }

    /// Stops watching what only a gone container was granted.
    pub(in crate::containers) fn unwatch(&mut self, slot: Slot) {
        let Some(held) = self.grants.held.get(&slot) else {
            return;
        };
        let mut unwatch = Vec::new();
        for &(dev, ino) in &held.keys {
            if !self.is_held((dev, ino)) {
                unwatch.push(Request::UnwatchSecret {
                    dev,
                    ino: Some(ino),
                });
            }
        }
        for dev in self.grants.devices_of(held) {
            let mut left = self.device_grants(dev).map(|grant| grant.slot);
            if !left.any(|slot| self.is_there(slot)) {
                unwatch.push(Request::UnwatchSecret { dev, ino: None });
            }
        }
        for request in unwatch {
            self.request(request);
        }
    }

    /// Whether a file is a secret of somebody who is still there: then it is watched.
    pub(in crate::containers) fn is_held(&self, file: (u32, u64)) -> bool {
        let key = self.grants.keys.get(&file);
        key.is_some_and(|key| key.holders.keys().any(|slot| self.is_there(*slot)))
    }

    /// Forgets a container's grants.
    pub(in crate::containers) fn revoke(&mut self, slot: Slot) {
        let grants = &mut self.grants;
        grants.remove_places(slot);
        let Some(held) = grants.held.remove(&slot) else {
            return;
        };
        for dev in grants.devices_of(&held) {
            grants.leave_device(dev, &held.mounts);
        }
        for file in held.keys {
            grants.leave_key(file, slot);
        }
        for id in held.mounts {
            grants.mounts.remove(&id);
        }
    }
}
