//! Which files are secrets, and which containers were granted each.
//!
//! A secret is recognised by what it is, never by its path as text: by the key (device, inode) that the probes
//! report when the agent itself opens it, until then by the mount it lies on, and for secrets on an in-memory
//! file system of their own by the device alone.

mod held;

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use vigia_event::File;
use vigia_event::container::Container;
use vigia_event::mount::{Mount, MountKind, MountTable, is_below};
use vigia_event::secret::{SecretKind, SecretRef, SecretSource};

use super::{ContainerTable, LearnSecret, Request, Slot};
use crate::mountinfo;
use held::Held;

/// Keys of secrets known at one time.
const MAX_KEYS: usize = 16_384;
/// Mounts that grant secrets to one container.
const MAX_GRANTS: usize = 512;
/// Where secrets may lie as plain files of the container's own layer: what compose does with `environment:` ones.
const PLAIN_SECRETS: &str = "/run/secrets";

/// What was granted to whom.
#[derive(Debug, Default)]
pub(super) struct Grants {
    keys: FxHashMap<(u32, u64), Key>,
    /// By `mnt_id` of the mount that grants it.
    mounts: FxHashMap<u32, MountGrant>,
    /// In-memory file systems that hold nothing but secrets (and configurations), with the mounts of each.
    devices: FxHashMap<u32, BTreeSet<u32>>,
    /// Mounts whose files may be plain secrets, with the container they belong to.
    plain: FxHashMap<u32, Slot>,
    /// What of the above is whose: nobody looks through everybody's for one container's.
    held: FxHashMap<Slot, Held>,
}

#[derive(Debug, Default)]
struct Key {
    secret: SecretRef,
    slots: BTreeSet<Slot>,
}

#[derive(Debug)]
struct MountGrant {
    slot: Slot,
    secret: SecretRef,
    /// What of the file system is mounted.
    root: bstr::BString,
}

#[cfg(test)]
impl Grants {
    /// How much each of its tables holds.
    pub(super) fn sizes(&self) -> [usize; 5] {
        [
            self.keys.len(),
            self.mounts.len(),
            self.devices.len(),
            self.plain.len(),
            self.held.len(),
        ]
    }
}

impl ContainerTable {
    /// The secret that a file is at a time (nanoseconds since the epoch), whoever has it open and by whatever path;
    /// `None` for any other file, for a folder, and for the public parts of a Kubernetes secret.
    ///
    /// The time matters because the kernel gives the numbers of devices and mounts away again as soon as a container
    /// is gone: its grants then stand for late events only.
    #[must_use]
    pub fn secret_of(&self, file: &File, time_ns: u64) -> Option<SecretRef> {
        if file.is_directory() {
            return None;
        }
        let by_key = || {
            let key = self.grants.keys.get(&(file.dev, file.ino))?;
            key.slots
                .iter()
                .any(|slot| self.was_there(*slot, time_ns))
                .then(|| key.secret.clone())
        };
        // The mount of the opener says best under which name it knows the secret.
        let by_mount = || {
            let grant = self.mount_grant(file)?;
            let secret = SecretRef {
                ino: file.ino,
                ..grant.secret.clone()
            };
            self.was_there(grant.slot, time_ns).then_some(secret)
        };
        let secret = by_mount()
            .or_else(by_key)
            .or_else(|| self.secret_by_device(file, time_ns))?;
        (!mountinfo::is_public_part(&secret, &file.path)).then_some(secret)
    }

    /// The secret that a container finds at a path: for opens of which no file is known.
    #[must_use]
    pub fn secret_at(&self, path: &[u8], container: &Container) -> Option<SecretRef> {
        let held = self
            .lives_of(container)
            .filter_map(|slot| self.grants.held.get(&slot));
        let grants = held
            .flat_map(|held| &held.mounts)
            .filter_map(|id| self.grants.mounts.get(id));
        let grant = grants
            .filter(|grant| is_below(path, &grant.secret.path))
            .max_by_key(|grant| grant.secret.path.len())?;
        let secret = grant.secret.clone();
        (!mountinfo::is_public_part(&secret, path)).then_some(secret)
    }

    /// Whether a container was granted the secret that a file is.
    #[must_use]
    pub fn is_granted(&self, file: &File, container: &Container) -> bool {
        let is_on_device = |mount: &u32| {
            let is_its = |ids: &BTreeSet<u32>| ids.contains(mount);
            self.grants.devices.get(&file.dev).is_some_and(is_its)
        };
        self.lives_of(container).any(|slot| {
            self.grants.held.get(&slot).is_some_and(|held| {
                // Its own mount is proof enough while the file's key is still to be learned.
                held.keys.contains(&(file.dev, file.ino))
                    || held.mounts.contains(&file.mount_id) && self.mount_grant(file).is_some()
                    || held.mounts.iter().any(is_on_device)
            })
        })
    }

    /// The containers that were granted a secret, by its key; by its device alone where the key is not known.
    #[must_use]
    pub fn granted(&self, dev: u32, ino: u64) -> Vec<&Arc<Container>> {
        let by_key = self.grants.keys.get(&(dev, ino)).into_iter();
        let by_key = by_key.flat_map(|key| &key.slots).copied();
        let by_device = self.device_grants(dev).map(|grant| grant.slot);
        let slots: BTreeSet<Slot> = by_key.chain(by_device).collect();
        slots
            .iter()
            .filter_map(|slot| self.entries.get(slot))
            .map(|entry| &entry.snapshot)
            .collect()
    }

    /// Whether a container had not gone yet.
    fn was_there(&self, slot: Slot, time_ns: u64) -> bool {
        let gone_ns = self.entries.get(&slot).map(|entry| entry.gone_ns);
        gone_ns.is_some_and(|gone_ns| gone_ns.is_none_or(|gone_ns| time_ns <= gone_ns))
    }

    fn is_there(&self, slot: Slot) -> bool {
        self.was_there(slot, u64::MAX)
    }

    fn mount_grant(&self, file: &File) -> Option<&MountGrant> {
        let grant = self.grants.mounts.get(&file.mount_id)?;
        (grant.secret.dev == file.dev).then_some(grant)
    }

    fn device_grants(&self, dev: u32) -> impl Iterator<Item = &MountGrant> {
        let mount_ids = self.grants.devices.get(&dev).into_iter().flatten();
        mount_ids
            .filter_map(|id| self.grants.mounts.get(id))
            .filter(move |grant| grant.secret.dev == dev)
    }

    fn secret_by_device(&self, file: &File, time_ns: u64) -> Option<SecretRef> {
        let grants: Vec<&MountGrant> = self
            .device_grants(file.dev)
            .filter(|grant| self.was_there(grant.slot, time_ns))
            .collect();
        // From the host, a task's secrets are files named by their ids.
        let is_of_file = |grant: &MountGrant| {
            grant.secret.path == file.path
                || grant.root.len() > 1 && file.path.ends_with(&grant.root)
        };
        let of_file = grants.iter().find(|grant| is_of_file(grant));
        let grant = of_file.or_else(|| grants.first())?;
        let is_certain = of_file.is_some()
            || grants
                .iter()
                .all(|other| other.secret.kind == grant.secret.kind);
        let kind = if is_certain {
            grant.secret.kind
        } else {
            SecretKind::Unknown
        };
        Some(SecretRef {
            kind,
            ino: file.ino,
            ..grant.secret.clone()
        })
    }

    /// Takes the secrets among a container's first mounts into the catalogue, or brings the catalogue up to date
    /// with what is now known of them.
    pub(super) fn grant(&mut self, slot: Slot) {
        let Some(table) = self.first_mounts(slot) else {
            return;
        };
        let mounts = table.mounts.iter().filter(|mount| is_grant(mount));
        let mut watch = Vec::new();
        for mount in mounts.take(MAX_GRANTS) {
            let mut secrets = table.secrets.iter();
            let Some(secret) = secrets.find(|secret| secret.path == mount.point) else {
                continue;
            };
            let held = self.grants.held.entry(slot).or_default();
            held.mounts.insert(mount.id);
            for place in &held.keys {
                if let Some(key) = self.grants.keys.get_mut(place)
                    && key.secret.path == secret.path
                {
                    key.secret = SecretRef {
                        ino: key.secret.ino,
                        dev: key.secret.dev,
                        ..secret.clone()
                    };
                }
            }
            let is_watched = self
                .device_grants(mount.dev)
                .any(|grant| self.is_there(grant.slot));
            let grant = MountGrant {
                slot,
                secret: secret.clone(),
                root: mount.root.clone(),
            };
            let former = self.grants.mounts.insert(mount.id, grant);
            if let Some(former) = former.filter(|former| former.slot != slot)
                && let Some(held) = self.grants.held.get_mut(&former.slot)
            {
                held.mounts.remove(&mount.id);
            }
            if mount.fs_type == "tmpfs" {
                let ids = self.grants.devices.entry(mount.dev).or_default();
                ids.insert(mount.id);
                if !is_watched {
                    watch.push(mount.dev);
                }
            }
        }
        for dev in watch {
            self.request(Request::WatchSecret { dev, ino: None });
        }
    }

    fn first_mounts(&self, slot: Slot) -> Option<Arc<MountTable>> {
        self.entries
            .get(&slot)
            .and_then(|entry| entry.first_mounts.clone())
    }

    /// Asks for the keys of a container's secrets, and for the names of those that only a Swarm manager knows.
    pub(super) fn learn_secrets(&mut self, slot: Slot, pid: u32) {
        let Some(table) = self.first_mounts(slot) else {
            return;
        };
        let mut wanted = Vec::new();
        for mount in table
            .mounts
            .iter()
            .filter(|mount| is_grant(mount))
            .take(MAX_GRANTS)
        {
            wanted.push(Request::LearnSecret(LearnSecret {
                pid,
                mount_id: mount.id,
                path: mount.point.clone(),
            }));
            let id = mount.root.strip_prefix(b"/").unwrap_or_default();
            if mountinfo::is_swarm_id(id)
                && let Ok(id) = std::str::from_utf8(id)
                && !self.swarm.contains_key(id)
            {
                wanted.push(Request::Resolve { id: id.to_owned() });
            }
        }
        if let Some(below) = table
            .find(PLAIN_SECRETS.as_bytes())
            .filter(|mount| mount.id != 0 && mount.kind != MountKind::Secret)
        {
            self.grants.plain.insert(below.id, slot);
            let held = self.grants.held.entry(slot).or_default();
            held.plain.insert(below.id);
            wanted.push(Request::LearnSecret(LearnSecret {
                pid,
                mount_id: below.id,
                path: PLAIN_SECRETS.into(),
            }));
        }
        for request in wanted {
            self.request(request);
        }
    }

    /// The probes report the key of a file that the agent opened.
    pub(super) fn learn_secret(&mut self, file: &File) {
        let (slot, secret) = if let Some(grant) = self.grants.mounts.get(&file.mount_id) {
            let is_whole_mount = file.path == grant.secret.path;
            let keeps_name = is_whole_mount || grant.secret.source == SecretSource::Kubernetes;
            let name = if keeps_name {
                grant.secret.name.clone()
            } else {
                last_part(&file.path)
            };
            (
                grant.slot,
                SecretRef {
                    name,
                    path: file.path.clone(),
                    dev: file.dev,
                    ino: file.ino,
                    ..grant.secret.clone()
                },
            )
        } else if let Some(slot) = self.grants.plain.get(&file.mount_id)
            && is_below(&file.path, PLAIN_SECRETS.as_bytes())
        {
            let secret = SecretRef {
                name: last_part(&file.path),
                path: file.path.clone(),
                kind: SecretKind::Secret,
                source: SecretSource::Compose,
                dev: file.dev,
                ino: file.ino,
            };
            (*slot, secret)
        } else {
            return;
        };
        if mountinfo::is_public_part(&secret, &file.path) || self.grants.keys.len() >= MAX_KEYS {
            return;
        }
        let place = (file.dev, file.ino);
        let known = self.grants.keys.get(&place);
        let is_watched = known.is_some_and(|key| key.slots.iter().any(|slot| self.is_there(*slot)));
        let key = self.grants.keys.entry(place).or_default();
        key.slots.insert(slot);
        self.grants.held.entry(slot).or_default().keys.insert(place);
        if !is_watched {
            key.secret = secret;
            self.request(Request::WatchSecret {
                dev: file.dev,
                ino: Some(file.ino),
            });
        }
    }
}

fn is_grant(mount: &Mount) -> bool {
    mount.kind == MountKind::Secret && mount.id != 0
}

fn last_part(path: &[u8]) -> bstr::BString {
    path.rsplit(|&byte| byte == b'/')
        .next()
        .unwrap_or_default()
        .into()
}
