//! Looking for the files of secrets: those of which no mount tells, and again where files may have been replaced since.

use bstr::{BStr, BString};
use vigia_event::container::Engine;
use vigia_event::mount::{Mount, MountTable};
use vigia_event::secret::SecretSource;

use super::declared_secrets::{self, LABEL, MAX_PATTERNS, can_be_declared};
use super::grants::{HOST, Holder, Place};
use super::{ContainerTable, LearnSecret, Request, Slot};
use crate::path_pattern;

/// Places that are looked at again at one time.
const MAX_AGAIN: usize = 256;
/// Secrets on the host looked for: engines come and go in a long life.
const MAX_HOST_SECRETS: usize = 256;
/// Bytes shown of a path that cannot be looked for.
const MAX_SHOWN: usize = 100;
/// How often in a row looking may take too long.
const MAX_SLOW: u8 = 3;
/// In which of the rounds it is done all the same.
const RARELY: u32 = 30;

impl ContainerTable {
    /// Looks for what is declared to be a secret of a container, once that is known.
    pub(super) fn declare(&mut self, slot: Slot, table: &MountTable) {
        let Some(entry) = self.entries.get_mut(&slot) else {
            return;
        };
        let Some(init) = entry.snapshot.init.filter(|_| entry.gone_ns.is_none()) else {
            return;
        };
        let (mut paths, others) =
            declared_secrets::of_container(&entry.snapshot, &self.options.declared_secrets);
        if let Some(first) = others.first()
            && !std::mem::replace(&mut entry.declared_in_vain, true)
        {
            // Whoever made the container should know.
            let shown = first.get(..MAX_SHOWN).unwrap_or(first);
            tracing::warn!(
                container = %entry.snapshot.id,
                path = ?BStr::new(shown),
                of = others.len(),
                "the label {LABEL} names what cannot be looked for: it takes absolute paths without `..`, and globs below a folder"
            );
        }
        paths.retain(|path| !entry.declared.contains(path));
        paths.truncate(MAX_PATTERNS.saturating_sub(entry.declared.len()));
        entry.declared.extend(paths.iter().cloned());
        for path in paths {
            let (folder, _) = path_pattern::split(&path);
            if let Some(mount) = table.find(folder) {
                self.look_at(slot, init.pid, mount, &path, SecretSource::Declared);
            }
        }
    }

    /// Looks for the files of a place on a mount.
    pub(super) fn look_at(
        &mut self,
        slot: Slot,
        pid: u32,
        mount: &Mount,
        path: &[u8],
        source: SecretSource,
    ) {
        if mount.id == 0 {
            return;
        }
        let (folder, pattern) = path_pattern::split(path);
        let place = Place {
            slot,
            wanted: folder.into(),
            found: folder.into(),
            pattern: pattern.into(),
            name: None,
            source,
            asked_ns: 0,
            slow: 0,
        };
        let wanted = place.question(pid, mount.id);
        self.grants.add_place(mount.id, place);
        self.request(Request::LearnSecret(wanted));
    }

    /// Looks for what engines keep on the host, and for what else is declared there, at first or again. To be called
    /// every ten seconds or so, after [`Self::look_again`].
    pub fn look_at_host(&mut self) {
        self.refresh_host_mounts();
        self.grants.remove_places(HOST);
        for secret in self.options.host_secrets.clone() {
            let (folder, pattern) = path_pattern::split(&secret.path);
            let mount = self.host_mounts.find(folder).filter(|mount| mount.id != 0);
            let Some(mount) = mount else {
                continue;
            };
            let place = Place {
                slot: HOST,
                wanted: folder.into(),
                found: folder.into(),
                pattern: pattern.into(),
                name: secret.name,
                source: secret.source,
                asked_ns: 0,
                slow: 0,
            };
            let mount_id = mount.id;
            self.request(Request::LearnSecret(
                place.question(self.options.host_pid, mount_id),
            ));
            self.grants.add_place(mount_id, place);
        }
    }

    /// Looks for what an engine keeps in its folder on the host, from now on.
    pub(super) fn watch_state(&mut self, engine: Engine, root: &[u8]) {
        let is_pattern = root.iter().any(path_pattern::is_wildcard);
        let mut is_new = false;
        for secret in declared_secrets::state_below(engine, root) {
            let known = &mut self.options.host_secrets;
            let may_be = !is_pattern
                && can_be_declared(&secret.path)
                && known.len() < MAX_HOST_SECRETS
                && !known.contains(&secret);
            if may_be {
                known.push(secret);
                is_new = true;
            }
        }
        if is_new {
            self.look_at_host();
        }
    }

    /// Looks again at folders of secrets whose files may have been replaced, as the kubelet does, and forgets what was not
    /// found there any more. In-memory file systems that hold nothing else need no looking. To be called every ten seconds
    /// or so.
    pub fn look_again(&mut self) {
        self.forget_missing();
        self.rounds = self.rounds.wrapping_add(1);
        let is_rare = self.rounds.is_multiple_of(RARELY);
        let mut wanted = Vec::new();
        for (&id, grant) in &self.grants.mounts {
            let is_whole = self.grants.devices.contains_key(&grant.secret.dev);
            if !grant.is_file
                && (grant.slow < MAX_SLOW || is_rare)
                && !is_whole
                && let Some(pid) = self.init_of(grant.slot)
            {
                let question = LearnSecret {
                    pid,
                    mount_id: id,
                    path: grant.secret.path.clone(),
                    pattern: BString::default(),
                };
                wanted.push((grant.asked_ns, question));
            }
        }
        for (&id, places) in &self.grants.places {
            for place in places.iter().filter(|place| {
                place.source == SecretSource::Declared && (place.slow < MAX_SLOW || is_rare)
            }) {
                if let Some(pid) = self.init_of(place.slot) {
                    wanted.push((place.asked_ns, place.question(pid, id)));
                }
            }
        }
        // Where there are too many, those come first that were looked at longest ago.
        wanted.sort_unstable_by_key(|(asked_ns, _)| *asked_ns);
        wanted.truncate(MAX_AGAIN);
        for (_, wanted) in wanted {
            self.request(Request::LearnSecret(wanted));
        }
    }

    /// Notes that a question was put to the probes at a time (nanoseconds since the epoch), and where its place really is.
    /// To be called before the answers are.
    pub fn asked(&mut self, wanted: &LearnSecret, found: &[u8], time_ns: u64) {
        if let Some(grant) = self.grants.mounts.get_mut(&wanted.mount_id)
            && grant.secret.path == wanted.path
        {
            grant.asked_ns = time_ns;
        }
        let places = self.grants.places.get_mut(&wanted.mount_id);
        for place in places.into_iter().flatten() {
            if place.wanted == wanted.path && place.pattern == wanted.pattern {
                place.found = found.into();
                place.asked_ns = time_ns;
            }
        }
    }

    /// Notes whether looking took too long. Where it did a few times in a row it is done rarely: a file system that is served by a
    /// container must not hold the agent up again and again. A disk that was busy is forgiven when it answers in time.
    pub fn looked(&mut self, wanted: &LearnSecret, was_slow: bool) {
        let count = |slow: u8| if was_slow { slow.saturating_add(1) } else { 0 };
        if let Some(grant) = self.grants.mounts.get_mut(&wanted.mount_id) {
            grant.slow = count(grant.slow);
        }
        let places = self.grants.places.get_mut(&wanted.mount_id);
        for place in places.into_iter().flatten() {
            place.slow = count(place.slow);
        }
    }

    /// Forgets keys of files that were looked for where they once were, and not found.
    fn forget_missing(&mut self) {
        let mut gone = Vec::new();
        for (&place, key) in &self.grants.keys {
            let missing = |&(slot, holder): &(&Slot, &Holder)| {
                self.is_there(*slot) && self.is_missing(*slot, holder, &key.secret.path)
            };
            let missing = key.holders.iter().filter(missing);
            gone.extend(missing.map(|(slot, _)| (place, *slot)));
        }
        for (place, slot) in gone {
            self.grants.remove_holder(place, slot);
            if !self.is_held(place) {
                let (dev, ino) = place;
                let ino = Some(ino);
                self.request(Request::UnwatchSecret { dev, ino });
            }
        }
    }

    fn is_missing(&self, slot: Slot, holder: &Holder, path: &[u8]) -> bool {
        let by_mount = self
            .grants
            .mounts
            .get(&holder.mount_id)
            .filter(|grant| grant.slot == slot && !grant.is_file)
            .map(|grant| grant.asked_ns);
        let places = self
            .grants
            .places
            .get(&holder.mount_id)
            .into_iter()
            .flatten();
        let asked_ns = places
            .filter(|place| place.slot == slot && place.secret_at(path).is_some())
            .map(|place| place.asked_ns)
            .chain(by_mount)
            .min();
        asked_ns.is_some_and(|asked_ns| holder.found_ns < asked_ns)
    }

    /// The first process of a container that runs.
    fn init_of(&self, slot: Slot) -> Option<u32> {
        let entry = self.entries.get(&slot)?;
        let runs = entry.gone_ns.is_none() && !entry.init_over;
        entry.snapshot.init.filter(|_| runs).map(|init| init.pid)
    }
}

impl Place {
    fn question(&self, pid: u32, mount_id: u32) -> LearnSecret {
        LearnSecret {
            pid,
            mount_id,
            path: self.wanted.clone(),
            pattern: self.pattern.clone(),
        }
    }
}
