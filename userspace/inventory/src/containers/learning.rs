//! How secrets come to be known: from the mounts of a container when it starts, and from the keys that the probes report.

use bstr::BString;
use vigia_event::File;
use vigia_event::mount::{Mount, MountKind, is_below};
use vigia_event::secret::{SecretRef, SecretSource};

use super::grants::{Claim, HOST, Holder, Key, MountGrant};
use super::{ContainerTable, LearnSecret, Request, Slot};
use crate::mountinfo;

/// Keys of secrets known at one time.
const MAX_KEYS: usize = 16_384;
/// Mounts that grant secrets to one container.
const MAX_GRANTS: usize = 512;
/// Where secrets may lie as plain files of the container's own layer: what compose does with `environment:` ones.
const PLAIN_SECRETS: &str = "/run/secrets";

impl ContainerTable {
    /// Takes the secrets among a container's first mounts into the catalogue, or brings the catalogue up to date
    /// with what is now known of them.
    pub(super) fn grant(&mut self, slot: Slot) {
        let Some(table) = self.first_mounts(slot) else {
            return;
        };
        let mut watch = Vec::new();
        for mount in table
            .mounts
            .iter()
            .filter(|mount| is_grant(mount))
            .take(MAX_GRANTS)
        {
            let mut secrets = table.secrets.iter();
            let Some(secret) = secrets.find(|secret| secret.path == mount.point) else {
                continue;
            };
            let is_anothers = self.entries.get(&slot).is_some_and(|entry| {
                mountinfo::is_anothers(mount, &self.host_mounts, &entry.snapshot)
            });
            self.rename_keys(slot, secret);
            let is_watched = self
                .device_grants(mount.dev)
                .any(|grant| self.is_there(grant.slot));
            let known = self
                .grants
                .mounts
                .get(&mount.id)
                .filter(|known| known.slot == slot);
            let grant = MountGrant {
                slot,
                secret: secret.clone(),
                root: mount.root.clone(),
                is_anothers,
                is_file: known.is_some_and(|known| known.is_file),
                asked_ns: known.map_or(0, |known| known.asked_ns),
                slow: known.map_or(0, |known| known.slow),
            };
            self.grants.add_mount(mount.id, grant);
            if mountinfo::holds_only_secrets(mount, &self.host_mounts) {
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
        self.declare(slot, &table);
    }

    /// Applies what is now known of a mount to the files that were found on it.
    fn rename_keys(&mut self, slot: Slot, secret: &SecretRef) {
        self.grants.change_keys(slot, |key| {
            let path = &key.secret.path;
            if !is_below(path, &secret.path) {
                return;
            }
            let below = path.get(secret.path.len()..).unwrap_or_default();
            key.secret = SecretRef {
                ino: key.secret.ino,
                dev: key.secret.dev,
                ..mountinfo::part_of(secret, below)
            };
        });
    }

    /// Asks for the keys of a container's secrets, and for the names of those that only a Swarm manager knows.
    pub(super) fn learn_secrets(&mut self, slot: Slot, pid: u32) {
        let Some(table) = self.first_mounts(slot) else {
            return;
        };
        for mount in table
            .mounts
            .iter()
            .filter(|mount| is_grant(mount))
            .take(MAX_GRANTS)
        {
            self.request(Request::LearnSecret(LearnSecret {
                pid,
                mount_id: mount.id,
                path: mount.point.clone(),
                pattern: BString::default(),
            }));
            let id = mount.root.strip_prefix(b"/").unwrap_or_default();
            if mountinfo::is_swarm_id(id)
                && let Ok(id) = std::str::from_utf8(id)
                && !self.swarm.contains_key(id)
            {
                self.request(Request::Resolve { id: id.to_owned() });
            }
        }
        let below = table.find(PLAIN_SECRETS.as_bytes());
        if let Some(below) = below.filter(|mount| mount.kind != MountKind::Secret) {
            self.look_at(
                slot,
                pid,
                below,
                PLAIN_SECRETS.as_bytes(),
                SecretSource::Compose,
            );
        }
    }

    /// The probes report the key of a file that the agent opened, at a time in nanoseconds since the epoch.
    pub(super) fn learn_secret(&mut self, file: &File, time_ns: u64) {
        let Some((slot, secret, claim)) = self.found(file) else {
            return;
        };
        let place = (file.dev, file.ino);
        let is_known = self.grants.keys.contains_key(&place);
        if mountinfo::is_public_part(&secret) || !is_known && self.grants.keys.len() >= MAX_KEYS {
            return;
        }
        let is_watched = self.is_held(place);
        let was_given = self.grants.keys.get(&place).is_some_and(Key::is_given);
        let holder = Holder {
            mount_id: file.mount_id,
            found_ns: time_ns,
            claim,
        };
        let key = self.grants.add_holder(place, slot, holder);
        // Who was given it knows better what it is than whoever declares it. Where it is called otherwise than before by the same
        // one, the file was replaced: the numbers of files are given away again.
        let is_again = || {
            let known = key.holders.get(&slot);
            key.named_by == slot && known.is_some_and(|known| known.claim == claim)
        };
        if !is_watched || claim == Claim::Given && !was_given || is_again() {
            key.secret = secret;
            key.named_by = slot;
        }
        if !is_watched {
            self.request(Request::WatchSecret {
                dev: file.dev,
                ino: Some(file.ino),
            });
        }
    }

    /// Whose secret a file is that the agent opened, and why.
    fn found(&mut self, file: &File) -> Option<(Slot, SecretRef, Claim)> {
        let Some(grant) = self.grants.mounts.get_mut(&file.mount_id) else {
            let (slot, secret) = self.place_of(file)?;
            let is_declared = slot != HOST && secret.source == SecretSource::Declared;
            let claim = if is_declared {
                Claim::Declared
            } else {
                Claim::Given
            };
            return Some((slot, secret, claim));
        };
        let claim = if grant.is_anothers {
            Claim::Anothers
        } else {
            Claim::Given
        };
        grant.is_file |= file.path == grant.secret.path;
        let below = file.path.strip_prefix(grant.secret.path.as_slice());
        let secret = SecretRef {
            dev: file.dev,
            ino: file.ino,
            ..mountinfo::part_of(&grant.secret, below.unwrap_or_default())
        };
        Some((grant.slot, secret, claim))
    }
}

fn is_grant(mount: &Mount) -> bool {
    mount.kind == MountKind::Secret && mount.id != 0
}
