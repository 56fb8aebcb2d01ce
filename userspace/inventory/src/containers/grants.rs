//! Which files are secrets, and which containers were granted each.
//!
//! A secret is recognised by what it is, never by its path as text: by the key (device, inode) that the probes
//! report when the agent itself opens it, until then by the mount it lies on, and for secrets on an in-memory
//! file system of their own by the device alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use vigia_event::File;
use vigia_event::container::Container;
use vigia_event::mount::{MountKind, is_below};
use vigia_event::secret::{SecretKind, SecretRef, SecretSource};

use super::{ContainerTable, LearnSecret, Request, Slot};
use crate::mountinfo;

/// Keys of secrets known at one time.
const MAX_KEYS: usize = 16_384;
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
}

#[derive(Debug)]
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

impl ContainerTable {
    /// The secret that a file is, whoever has it open and by whatever path; `None` for any other file, for a
    /// folder, and for the public parts of a Kubernetes secret.
    #[must_use]
    pub fn secret_of(&self, file: &File) -> Option<SecretRef> {
        if file.is_directory() {
            return None;
        }
        let by_key = || {
            self.grants
                .keys
                .get(&(file.dev, file.ino))
                .map(|key| key.secret.clone())
        };
        // The mount of the opener says best under which name it knows the secret.
        let by_mount = || {
            let grant = self
                .grants
                .mounts
                .get(&file.mount_id)
                .filter(|grant| grant.secret.dev == file.dev)?;
            Some(SecretRef {
                ino: file.ino,
                ..grant.secret.clone()
            })
        };
        let secret = by_mount()
            .or_else(by_key)
            .or_else(|| self.secret_by_device(file))?;
        (!mountinfo::is_public_part(&secret, &file.path)).then_some(secret)
    }

    /// Whether a container was granted the secret that a file is.
    #[must_use]
    pub fn is_granted(&self, file: &File, container: &Container) -> bool {
        self.granted(file.dev, file.ino)
            .iter()
            .any(|granted| granted.id == container.id)
    }

    /// The containers that were granted a secret, by its key; by its device alone where the key is not known.
    #[must_use]
    pub fn granted(&self, dev: u32, ino: u64) -> Vec<&Arc<Container>> {
        let by_key = self
            .grants
            .keys
            .get(&(dev, ino))
            .into_iter()
            .flat_map(|key| &key.slots)
            .copied();
        let mount_ids = self.grants.devices.get(&dev).into_iter().flatten();
        let by_device = mount_ids
            .filter_map(|id| self.grants.mounts.get(id))
            .map(|grant| grant.slot);
        let slots: BTreeSet<Slot> = by_key.chain(by_device).collect();
        slots
            .iter()
            .filter_map(|slot| self.entries.get(slot))
            .map(|entry| &entry.snapshot)
            .collect()
    }

    fn secret_by_device(&self, file: &File) -> Option<SecretRef> {
        let mount_ids = self.grants.devices.get(&file.dev)?;
        let grants: Vec<&MountGrant> = mount_ids
            .iter()
            .filter_map(|id| self.grants.mounts.get(id))
            .collect();
        // From the host, a task's secrets are files named by their ids.
        let of_file = |grant: &&&MountGrant| {
            let name = grant.root.strip_prefix(b"/").unwrap_or_default();
            grant.secret.path == file.path || !name.is_empty() && file.path.ends_with(&grant.root)
        };
        let grant = grants.iter().find(of_file).or_else(|| grants.first())?;
        let one_kind = grants
            .iter()
            .all(|other| other.secret.kind == grant.secret.kind);
        let kind = if one_kind || of_file(&grant) {
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

    /// Takes the secrets of a container's mounts into the catalogue.
    pub(super) fn grant(&mut self, slot: Slot) {
        let Some(table) = self
            .entries
            .get(&slot)
            .and_then(|entry| entry.snapshot.mounts.clone())
        else {
            return;
        };
        let mounts = table
            .mounts
            .iter()
            .filter(|mount| mount.kind == MountKind::Secret && mount.id != 0);
        for mount in mounts {
            let Some(secret) = table
                .secrets
                .iter()
                .find(|secret| secret.path == mount.point)
            else {
                continue;
            };
            let grant = MountGrant {
                slot,
                secret: secret.clone(),
                root: mount.root.clone(),
            };
            self.grants.mounts.insert(mount.id, grant);
            for key in self
                .grants
                .keys
                .values_mut()
                .filter(|key| key.slots.contains(&slot))
            {
                if key.secret.path == secret.path {
                    key.secret = SecretRef {
                        ino: key.secret.ino,
                        dev: key.secret.dev,
                        ..secret.clone()
                    };
                }
            }
            if mount.fs_type == "tmpfs" {
                let ids = self.grants.devices.entry(mount.dev).or_default();
                if ids.is_empty() {
                    self.requests.push_back(Request::WatchSecret {
                        dev: mount.dev,
                        ino: None,
                    });
                }
                ids.insert(mount.id);
            }
        }
    }

    /// Asks for the keys of a container's secrets, and for the names of those that only a Swarm manager knows.
    pub(super) fn learn_secrets(&mut self, slot: Slot, pid: u32) {
        let Some(table) = self
            .entries
            .get(&slot)
            .and_then(|entry| entry.snapshot.mounts.clone())
        else {
            return;
        };
        let mut wanted = Vec::new();
        for mount in table
            .mounts
            .iter()
            .filter(|mount| mount.kind == MountKind::Secret && mount.id != 0)
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
        let key = self
            .grants
            .keys
            .entry((file.dev, file.ino))
            .or_insert_with(|| Key {
                secret,
                slots: BTreeSet::new(),
            });
        key.slots.insert(slot);
        if key.slots.len() == 1 {
            self.request(Request::WatchSecret {
                dev: file.dev,
                ino: Some(file.ino),
            });
        }
    }

    /// Takes a container's grants back.
    pub(super) fn revoke(&mut self, slot: Slot) {
        let mut unwatch = Vec::new();
        self.grants.keys.retain(|&(dev, ino), key| {
            if key.slots.remove(&slot) && key.slots.is_empty() {
                unwatch.push(Request::UnwatchSecret {
                    dev,
                    ino: Some(ino),
                });
            }
            !key.slots.is_empty()
        });
        let mounts = &mut self.grants.mounts;
        mounts.retain(|_, grant| grant.slot != slot);
        self.grants.devices.retain(|&dev, ids| {
            ids.retain(|id| mounts.contains_key(id));
            if ids.is_empty() {
                unwatch.push(Request::UnwatchSecret { dev, ino: None });
            }
            !ids.is_empty()
        });
        self.grants.plain.retain(|_, owner| *owner != slot);
        for request in unwatch {
            self.request(request);
        }
    }
}

fn last_part(path: &[u8]) -> bstr::BString {
    path.rsplit(|&byte| byte == b'/')
        .next()
        .unwrap_or_default()
        .into()
}
