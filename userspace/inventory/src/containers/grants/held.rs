//! What one container was granted: found without a look at what all others were.

use std::collections::BTreeSet;

use vigia_event::container::Container;

use super::Key;
use crate::containers::{ContainerTable, Request, Slot};

/// The grants of one container.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) keys: BTreeSet<(u32, u64)>,
    pub(super) mounts: BTreeSet<u32>,
    pub(super) plain: BTreeSet<u32>,
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
            let key = self.grants.keys.get(&(dev, ino));
            let is_left = |key: &Key| key.slots.iter().any(|slot| self.is_there(*slot));
            if !key.is_some_and(is_left) {
                unwatch.push(Request::UnwatchSecret {
                    dev,
                    ino: Some(ino),
                });
            }
        }
        for dev in self.devices_of(held) {
            let mut left = self.device_grants(dev).map(|grant| grant.slot);
            if !left.any(|slot| self.is_there(slot)) {
                unwatch.push(Request::UnwatchSecret { dev, ino: None });
            }
        }
        for request in unwatch {
            self.request(request);
        }
    }

    /// The in-memory file systems that a container's secrets lie on.
    fn devices_of(&self, held: &Held) -> BTreeSet<u32> {
        let mounts = held.mounts.iter();
        mounts
            .filter_map(|id| self.grants.mounts.get(id))
            .map(|grant| grant.secret.dev)
            .filter(|dev| self.grants.devices.contains_key(dev))
            .collect()
    }

    /// Forgets a container's grants.
    pub(in crate::containers) fn revoke(&mut self, slot: Slot) {
        let Some(held) = self.grants.held.remove(&slot) else {
            return;
        };
        let devices = self.devices_of(&held);
        let grants = &mut self.grants;
        for place in held.keys {
            if let Some(key) = grants.keys.get_mut(&place) {
                key.slots.remove(&slot);
                if key.slots.is_empty() {
                    grants.keys.remove(&place);
                }
            }
        }
        for dev in devices {
            if let Some(ids) = grants.devices.get_mut(&dev) {
                ids.retain(|id| !held.mounts.contains(id));
                if ids.is_empty() {
                    grants.devices.remove(&dev);
                }
            }
        }
        for id in held.mounts {
            grants.mounts.remove(&id);
        }
        for id in held.plain {
            if grants.plain.get(&id) == Some(&slot) {
                grants.plain.remove(&id);
            }
        }
    }
}
