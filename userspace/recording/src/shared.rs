//! Snapshots that events share: written once, then referred to by number.
//!
//! Both sides count alike. When a side of it would grow too large the writer says [`Forget`](crate::format::Record),
//! and both begin anew: simpler than to evict one by one, and as cheap, since what is in use is soon there again.

use std::collections::HashMap;
use std::sync::Arc;

use vigia_event::container::Inspected;
use vigia_event::mount::MountTable;
use vigia_event::names::DomainNames;
use vigia_event::users::Users;
use vigia_event::{Container, File, Node, Process};

use crate::format::MAX_SHARED;

/// Weight of all snapshots that a reader holds: an estimate of their memory in bytes.
pub(crate) const MAX_WEIGHT: usize = 256 << 20;
/// Weight at which a writer begins anew, well below what a reader takes.
pub(crate) const ENOUGH_WEIGHT: usize = 64 << 20;
/// Snapshots of one kind at which a writer begins anew; one event never has as many as are missing to the limit.
pub(crate) const ENOUGH_SHARED: usize = MAX_SHARED / 2;
/// What an element of a list takes in memory beyond its bytes.
const ELEMENT_BYTES: usize = 64;

/// What a snapshot weighs, of its encoded length and the elements of its lists: an empty text in a list is one byte
/// long and takes many in memory.
pub(crate) trait Weigh {
    /// Elements of lists whose encoded form may be much shorter than what they take in memory.
    fn elements(&self) -> usize {
        0
    }

    fn weight(&self, encoded_bytes: usize) -> usize {
        2 * encoded_bytes + 512 + self.elements() * ELEMENT_BYTES
    }
}

impl Weigh for File {}
impl Weigh for Node {}
impl Weigh for DomainNames {
    fn elements(&self) -> usize {
        self.iter()
            .map(|(_, addresses)| 2 + addresses.map_or(0, <[_]>::len))
            .sum()
    }
}
impl Weigh for Container {}
impl Weigh for MountTable {
    fn elements(&self) -> usize {
        4 * (self.mounts.len() + self.secrets.len())
    }
}
impl Weigh for Users {
    fn elements(&self) -> usize {
        self.groups.len() + 2 * self.users.len() + self.gid_ranges.len()
    }
}
impl Weigh for Inspected {
    fn elements(&self) -> usize {
        let promises = &self.promises;
        let names = promises.capabilities_added.len()
            + promises.capabilities_dropped.len()
            + promises.devices.len()
            + promises.tmpfs.len()
            + promises.secret_variables.len();
        2 * (self.labels.len() + self.pod_labels.len())
            + self.health_check.len()
            + 2 * self.mounts.len()
            + 2 * promises.ports.len()
            + names
    }
}
impl Weigh for Process {
    fn elements(&self) -> usize {
        self.args.len() + self.env.len()
    }
}

/// The writer's side: what was written already, by identity.
#[derive(Debug)]
pub(crate) struct Written<T> {
    /// The snapshot is kept beside its number: as long as it lives, nothing else has its address.
    numbers: HashMap<usize, (u32, Arc<T>)>,
}

impl<T> Default for Written<T> {
    fn default() -> Self {
        Self {
            numbers: HashMap::new(),
        }
    }
}

impl<T> Written<T> {
    pub(crate) fn number(&self, snapshot: &Arc<T>) -> Option<u32> {
        self.numbers
            .get(&Arc::as_ptr(snapshot).addr())
            .map(|(number, _)| *number)
    }

    /// The next number, for a snapshot that is being written; `None` where there is no room.
    pub(crate) fn add(&mut self, snapshot: &Arc<T>) -> Option<u32> {
        let number = u32::try_from(self.numbers.len()).ok()?;
        if self.numbers.len() >= MAX_SHARED {
            return None;
        }
        self.numbers
            .insert(Arc::as_ptr(snapshot).addr(), (number, Arc::clone(snapshot)));
        Some(number)
    }

    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }
}

/// The reader's side: what was read, by number.
#[derive(Debug)]
pub(crate) struct Known<T>(Vec<Arc<T>>);

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Known<T> {
    pub(crate) fn get(&self, number: u32) -> Option<&Arc<T>> {
        self.0.get(usize::try_from(number).ok()?)
    }

    /// Whether there was room.
    pub(crate) fn add(&mut self, snapshot: T) -> bool {
        let has_room = self.0.len() < MAX_SHARED;
        if has_room {
            self.0.push(Arc::new(snapshot));
        }
        has_room
    }
}
