//! Which files are secrets, and which containers were granted each.
//!
//! A secret is recognised by what it is, never by its path as text: by the key (device, inode) that the probes
//! report when the agent itself opens it, until then by the mount it lies on, and for secrets on an in-memory
//! file system of their own by the device alone. How they come to be known is the subject of `learning`, who was given
//! one that of `granted`.

mod granted;
mod held;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bstr::BString;
use rustc_hash::FxHashMap;
use vigia_event::File;
use vigia_event::container::Container;
use vigia_event::mount::{Mount, MountTable, is_below};
use vigia_event::secret::{SecretKind, SecretRef, SecretSource};

use super::{ContainerTable, Slot};
use crate::mountinfo::{self, last_part};
use crate::path_pattern;
use held::Held;

/// Stands for the host where a container would stand: what engines keep there was granted to nobody.
pub(super) const HOST: Slot = Slot::MAX;

/// A secret that somebody reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadSecret {
    /// Which one.
    pub secret: SecretRef,
    /// Whether the reader's container was given it.
    pub granted: bool,
    /// Names of containers that were, where it is somebody else who reads.
    pub holders: Vec<BString>,
}

/// What was granted to whom.
#[derive(Debug, Default)]
pub(super) struct Grants {
    pub(super) keys: FxHashMap<(u32, u64), Key>,
    /// By `mnt_id` of the mount that grants it.
    pub(super) mounts: FxHashMap<u32, MountGrant>,
    /// In-memory file systems that hold nothing but secrets (and configurations), with the mounts of each.
    pub(super) devices: FxHashMap<u32, BTreeSet<u32>>,
    /// Files and folders on mounts that grant nothing by themselves, by `mnt_id`.
    pub(super) places: FxHashMap<u32, Vec<Place>>,
    /// What of the above is whose: nobody looks through everybody's for one container's.
    held: FxHashMap<Slot, Held>,
}

#[derive(Debug, Default)]
pub(super) struct Key {
    pub(super) secret: SecretRef,
    /// Who it is called so by.
    pub(super) named_by: Slot,
    pub(super) holders: BTreeMap<Slot, Holder>,
}

/// How a container came to hold a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder {
    /// The mount that the file was found on.
    pub(super) mount_id: u32,
    /// When it was last found there, nanoseconds since the epoch.
    pub(super) found_ns: u64,
    /// What makes it one.
    pub(super) claim: Claim,
}

/// Why a container is held to have a secret; the better reason is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Claim {
    /// Somebody bound into it what was made for another: it has the file, and was never given it.
    Anothers,
    /// It only says so itself, or the configuration does: no proof where somebody else was given the file.
    Declared,
    /// It was given it.
    Given,
}

impl Key {
    /// Whether somebody holds it by more than a declaration.
    pub(super) fn is_given(&self) -> bool {
        self.holders
            .values()
            .any(|holder| holder.claim == Claim::Given)
    }
}

#[derive(Debug)]
pub(super) struct MountGrant {
    pub(super) slot: Slot,
    pub(super) secret: SecretRef,
    /// What of the file system is mounted.
    pub(super) root: BString,
    /// Whether what is on it was made for somebody else.
    pub(super) is_anothers: bool,
    /// Whether it turned out to be a single file: that stays what it is as long as it is mounted.
    pub(super) is_file: bool,
    /// When its files were last looked for, nanoseconds since the epoch; 0 for never.
    pub(super) asked_ns: u64,
    /// How often looking took too long: its file system may be the container's own.
    pub(super) slow: u8,
}

/// A file or folder that holds secrets because somebody says so: compose by where it puts them, people by declaring them,
/// an engine by keeping its state there.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) slot: Slot,
    /// Where it was looked for.
    pub(super) wanted: BString,
    /// Where that is when links are followed.
    pub(super) found: BString,
    /// What a path below, or a folder on it, must match; empty for all of it.
    pub(super) pattern: BString,
    /// What every file in it is called; `None`: by its own name.
    pub(super) name: Option<BString>,
    pub(super) source: SecretSource,
    /// As in [`MountGrant`].
    pub(super) asked_ns: u64,
    /// As there.
    pub(super) slow: u8,
}

impl Place {
    /// The secret that a file at a path is.
    pub(super) fn secret_at(&self, path: &[u8]) -> Option<SecretRef> {
        if !is_below(path, &self.found) {
            return None;
        }
        let below = path.get(self.found.len()..)?;
        let below = below.strip_prefix(b"/").unwrap_or(below);
        if !self.pattern.is_empty() && !path_pattern::matches_above(&self.pattern, below) {
            return None;
        }
        Some(SecretRef {
            name: self.name.clone().unwrap_or_else(|| last_part(path)),
            path: path.into(),
            kind: SecretKind::Secret,
            source: self.source,
            dev: 0,
            ino: 0,
        })
    }
}

#[cfg(test)]
impl Grants {
    /// How much each of its tables holds.
    pub(super) fn sizes(&self) -> [usize; 5] {
        [
            self.keys.len(),
            self.mounts.len(),
            self.devices.len(),
            self.places.len(),
            self.held.len(),
        ]
    }
}

impl ContainerTable {
    /// The secret that a file is at a time (nanoseconds since the epoch), whoever has it open and by whatever path;
    /// `None` for any other file, for a folder, and for the public parts of a Kubernetes secret. `container` is the opener's:
    /// what somebody declares for a container of theirs is no secret to others that have the file mounted, too.
    ///
    /// The time matters because the kernel gives the numbers of devices and mounts away again as soon as a container
    /// is gone: its grants then stand for late events only.
    #[must_use]
    pub fn secret_of(
        &self,
        file: &File,
        container: Option<&Container>,
        time_ns: u64,
    ) -> Option<SecretRef> {
        if file.is_directory() {
            return None;
        }
        let key = self.grants.keys.get(&(file.dev, file.ino));
        let by_key = || {
            let key = key?;
            let is_there = key
                .holders
                .keys()
                .any(|slot| self.was_there(*slot, time_ns));
            let concerns = key.secret.source != SecretSource::Declared
                || !self.has_as_its_own(file, key, container);
            (is_there && concerns).then(|| key.secret.clone())
        };
        // The mount of the opener says best under which name it knows the secret.
        let by_mount = || {
            let grant = self.mount_grant(file)?;
            let below = file.path.strip_prefix(grant.secret.path.as_slice());
            let secret = SecretRef {
                ino: file.ino,
                ..mountinfo::part_of(&grant.secret, below.unwrap_or_default())
            };
            self.was_there(grant.slot, time_ns).then_some(secret)
        };
        let by_place = || {
            let (slot, secret) = self.place_of(file)?;
            self.was_there(slot, time_ns).then_some(secret)
        };
        let known = by_mount().or_else(by_key).or_else(by_place);
        match known {
            // A file that was learned is no public part, whatever it is called here.
            Some(secret) if secret.source != SecretSource::Declared => {
                (key.is_some() || !mountinfo::is_public_part(&secret)).then_some(secret)
            }
            // What somebody declares does not rename what somebody else was given.
            declared => self.secret_by_device(file, container, time_ns).or(declared),
        }
    }

    /// Whether a mount of a container led to a file at a time (nanoseconds since the epoch), whoever has it open: that of its
    /// secret, or any other that it was started with. On a bind mount the file is the host's, and only the mount tells.
    #[must_use]
    pub fn is_on_its_mount(&self, file: &File, time_ns: u64) -> bool {
        let grants_it = self
            .mount_grant(file)
            .is_some_and(|grant| self.was_there(grant.slot, time_ns));
        if grants_it {
            return true;
        }
        // Most of what is read by way of no grant is read by one of the host's: one table to look through, not everybody's.
        if mount_below(&self.host_mounts, file).is_some() {
            return false;
        }
        let was_started_with_it = |entry: &super::Entry| {
            let was_there = entry.gone_ns.is_none_or(|gone_ns| time_ns <= gone_ns);
            let first = entry.first_mounts.as_deref();
            was_there && first.is_some_and(|table| mount_below(table, file).is_some())
        };
        self.entries.values().any(was_started_with_it)
    }

    /// The secret that a container finds at a path, and whether it was granted it: for opens of which no file is known.
    #[must_use]
    pub fn secret_at(&self, path: &[u8], container: &Container) -> Option<(SecretRef, bool)> {
        let held = self
            .lives_of(container)
            .filter_map(|slot| self.grants.held.get(&slot));
        let grants = held
            .flat_map(|held| &held.mounts)
            .filter_map(|id| self.grants.mounts.get(id));
        let grant = grants
            .filter(|grant| is_below(path, &grant.secret.path))
            .max_by_key(|grant| grant.secret.path.len())?;
        let below = path.get(grant.secret.path.len()..).unwrap_or_default();
        let secret = mountinfo::part_of(&grant.secret, below);
        (!mountinfo::is_public_part(&secret)).then_some((secret, !grant.is_anothers))
    }

    /// Whether a container had not gone yet.
    pub(super) fn was_there(&self, slot: Slot, time_ns: u64) -> bool {
        let gone_ns = self.entries.get(&slot).map(|entry| entry.gone_ns);
        slot == HOST
            || gone_ns.is_some_and(|gone_ns| gone_ns.is_none_or(|gone_ns| time_ns <= gone_ns))
    }

    pub(super) fn is_there(&self, slot: Slot) -> bool {
        self.was_there(slot, u64::MAX)
    }

    /// Whether a container reaches a file by a mount that it was started with, and holds no grant of it. What the administrator
    /// declares on the host is nobody's own.
    fn has_as_its_own(&self, file: &File, key: &Key, container: Option<&Container>) -> bool {
        let slot = container.and_then(|container| self.by_id.get(&container.id));
        !key.holders.contains_key(&HOST)
            && slot.is_some_and(|slot| {
                !key.holders.contains_key(slot) && self.started_with(*slot, file)
            })
    }

    /// Whether a container was started with the mount that a file was reached by.
    fn started_with(&self, slot: Slot, file: &File) -> bool {
        self.first_mounts(slot)
            .is_some_and(|table| mount_below(&table, file).is_some())
    }

    /// Where a file lies in its file system, if it was reached by one of the host's mounts, or one that its opener was started
    /// with: whoever makes others names them as they like.
    fn path_in_volume(&self, file: &File, container: Option<&Container>) -> Option<BString> {
        let slot = container.and_then(|container| self.by_id.get(&container.id));
        let first = slot.and_then(|slot| self.first_mounts(*slot));
        let mount = mount_below(&self.host_mounts, file)
            .or_else(|| mount_below(first.as_deref()?, file))?;
        let below = is_below(&file.path, &mount.point)
            .then(|| file.path.get(mount.point.len()..))
            .flatten()?;
        Some(
            [mount.root.strip_suffix(b"/").unwrap_or(&mount.root), below]
                .concat()
                .into(),
        )
    }

    pub(super) fn first_mounts(&self, slot: Slot) -> Option<Arc<MountTable>> {
        self.entries
            .get(&slot)
            .and_then(|entry| entry.first_mounts.clone())
    }

    fn mount_grant(&self, file: &File) -> Option<&MountGrant> {
        let grant = self.grants.mounts.get(&file.mount_id)?;
        (grant.secret.dev == file.dev).then_some(grant)
    }

    pub(super) fn place_of(&self, file: &File) -> Option<(Slot, SecretRef)> {
        self.grants
            .places
            .get(&file.mount_id)?
            .iter()
            .filter_map(|place| {
                let secret = SecretRef {
                    dev: file.dev,
                    ino: file.ino,
                    ..place.secret_at(&file.path)?
                };
                Some((place.slot, secret))
            })
            // Where it is another's word, too, that of the container's own label comes last.
            .min_by_key(|(_, secret)| secret.source == SecretSource::Declared)
    }

    pub(super) fn device_grants(&self, dev: u32) -> impl Iterator<Item = &MountGrant> {
        let mount_ids = self.grants.devices.get(&dev).into_iter().flatten();
        mount_ids
            .filter_map(|id| self.grants.mounts.get(id))
            .filter(move |grant| grant.secret.dev == dev)
    }

    fn secret_by_device(
        &self,
        file: &File,
        container: Option<&Container>,
        time_ns: u64,
    ) -> Option<SecretRef> {
        let in_volume = self.path_in_volume(file, container);
        let grants: Vec<&MountGrant> = self
            .device_grants(file.dev)
            .filter(|grant| self.was_there(grant.slot, time_ns))
            .collect();
        // From the host, a task's secrets are files named by their ids.
        let is_of_file = |grant: &MountGrant| match &in_volume {
            Some(path) => grant.root == *path,
            None => {
                grant.secret.path == file.path
                    || grant.root.len() > 1 && file.path.ends_with(&grant.root)
            }
        };
        let of_file = grants.iter().find(|grant| is_of_file(grant));
        // A volume as a whole rather than one file of it that is mounted somewhere.
        let whole = || grants.iter().find(|grant| grant.root == "/");
        let grant = of_file.or_else(whole).or_else(|| grants.first())?;
        let is_certain = of_file.is_some()
            || grants
                .iter()
                .all(|other| other.secret.kind == grant.secret.kind);
        let kind = if is_certain {
            grant.secret.kind
        } else {
            SecretKind::Unknown
        };
        let below = match (&in_volume, grant.root == "/") {
            (Some(path), true) => Some(path.as_slice()),
            (None, true) => mountinfo::key_on_host(&file.path),
            (_, false) => None,
        };
        let secret = SecretRef {
            kind,
            ino: file.ino,
            ..mountinfo::part_of(&grant.secret, below.unwrap_or_default())
        };
        let is_learned = self.grants.keys.contains_key(&(file.dev, file.ino));
        let is_public = in_volume.is_some() && !is_learned && mountinfo::is_public_part(&secret);
        (!is_public).then_some(secret)
    }
}

/// The mount of a table that a file was reached by.
fn mount_below<'t>(table: &'t MountTable, file: &File) -> Option<&'t Mount> {
    let mut mounts = table.mounts.iter();
    mounts.find(|mount| mount.id == file.mount_id && mount.dev == file.dev)
}

/// What people call a container.
pub(super) fn name_of(container: &Container) -> BString {
    let name = container.known().map(|known| &known.name);
    match name.filter(|name| !name.is_empty()) {
        Some(name) => name.clone(),
        None => container.short_id().into(),
    }
}
