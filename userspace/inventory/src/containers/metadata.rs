//! What engines say of containers, in whatever order it comes: before the container's cgroup, after it, or never.

use std::sync::Arc;

use vigia_event::captured::ContainerChange;
use vigia_event::container::{Container, Engine, Inspected, Metadata, PublishedPort, SwarmGrant};

use super::owner::Owner;
use super::{ContainerTable, Entry, Request, Slot};
use crate::engines::{EngineMessage, Reach, Said, Source, SourceId};
use crate::images::ImageIndex;
use crate::mountinfo::SwarmObject;

/// Secrets and configurations of a Swarm whose names are kept.
const MAX_SWARM_OBJECTS: usize = 8192;

impl ContainerTable {
    /// Announces an engine that will be connected to: until it says otherwise, metadata is on its way.
    pub fn await_engine(&mut self, source: Source) {
        self.sources.add(source);
    }

    /// Forgets an engine that is watched no longer; what it said of containers stays with them.
    pub fn forget_engine(&mut self, source: SourceId) {
        self.sources.forget(source);
        self.settle_unanswerable();
    }

    /// Applies what an engine said. Returns the id of the container whose metadata is settled by it: known, or
    /// known not to come.
    pub fn apply(&mut self, said: &Said) -> Option<String> {
        let source = said.source;
        match &said.message {
            EngineMessage::Connected { engine, .. } => {
                self.sources.connected(source, *engine);
                self.settle_unanswerable();
                self.ask_connected(source);
                None
            }
            EngineMessage::Lost { is_absent, .. } => {
                self.sources.lost(source, *is_absent);
                self.settle_unanswerable();
                None
            }
            EngineMessage::Inspected {
                engine,
                id,
                inspected,
                ..
            } => {
                self.set_swarm_objects(source, &inspected.swarm_grants);
                self.set_inspected(source, *engine, id, inspected)
            }
            EngineMessage::NotFound { id, .. } => self.deny(source, id),
            EngineMessage::Gone { id, .. } => {
                self.sources.drop_answer(source, id);
                None
            }
            EngineMessage::DataRoot { engine, path } => {
                // A user's engine would have any file of the host taken for its state.
                if self.speaks_for_all(source) {
                    self.watch_state(*engine, path);
                }
                None
            }
            EngineMessage::Resolved { id, object } => {
                if self.speaks_for_all(source) {
                    self.set_swarm_object(id, object);
                }
                None
            }
        }
    }

    /// Takes over what is known of images; containers are looked up anew.
    pub fn set_images(&mut self, images: Arc<ImageIndex>) {
        self.images = images;
        let slots: Vec<_> = self.entries.keys().copied().collect();
        for slot in slots {
            let known = self
                .entries
                .get(&slot)
                .and_then(|entry| match &entry.snapshot.metadata {
                    Metadata::Known(inspected) => Some(self.with_facts(inspected)),
                    _ => None,
                });
            if let Some(inspected) = known {
                self.replace(slot, |container| {
                    container.metadata = Metadata::Known(inspected)
                });
            }
        }
    }

    /// The engine's answer with what is known of the image.
    fn with_facts(&self, inspected: &Arc<Inspected>) -> Arc<Inspected> {
        let facts = self.images.of(inspected);
        if facts.as_ref() == inspected.image_facts.as_deref() {
            return Arc::clone(inspected);
        }
        Arc::new(Inspected {
            image_facts: facts.map(Arc::new),
            ..Inspected::clone(inspected)
        })
    }

    /// Sets what is known of a container; returns its id if the table has it.
    pub fn set_metadata(&mut self, id: &str, metadata: Metadata) -> Option<String> {
        let slot = *self.by_id.get(id)?;
        self.replace(slot, |container| container.metadata = metadata);
        self.reclassify(slot);
        self.watch_environments(slot);
        Some(id.to_owned())
    }

    /// An engine does not know a container: final if nobody is left to ask.
    fn deny(&mut self, source: SourceId, id: &str) -> Option<String> {
        let slot = *self.by_id.get(id)?;
        let entry = self.entries.get_mut(&slot)?;
        if !entry.denied_by.contains(&source) {
            entry.denied_by.push(source);
        }
        self.give_up_if_denied(slot).then(|| id.to_owned())
    }

    /// Whether everybody who might have known a container has said that they do not.
    fn give_up_if_denied(&mut self, slot: Slot) -> bool {
        let Some(entry) = self.entries.get(&slot) else {
            return false;
        };
        let container = &entry.snapshot;
        let is_final = matches!(container.metadata, Metadata::Pending)
            && self
                .sources
                .candidates(container.engine, entry.owner)
                .iter()
                .all(|candidate| entry.denied_by.contains(candidate));
        if is_final {
            self.replace(slot, |container| {
                container.metadata = Metadata::Unavailable;
            });
            self.reclassify(slot);
        }
        is_final
    }

    /// An engine said what it is, or speaks no longer: others may have waited for its word alone.
    fn settle_unanswerable(&mut self) {
        let slots: Vec<_> = self.entries.keys().copied().collect();
        for slot in slots {
            if self.give_up_if_denied(slot)
                && let Some(entry) = self.entries.get(&slot)
            {
                self.settled.push(entry.snapshot.id.clone());
            }
        }
    }

    /// Asks an engine that has begun to answer for what nobody has told yet: it heard no question before, and lists only what
    /// runs.
    fn ask_connected(&mut self, source: SourceId) {
        let Some(reach) = self.sources.reach(source) else {
            return;
        };
        let may_know = |entry: &&Entry| {
            let container = &entry.snapshot;
            matches!(container.metadata, Metadata::Pending)
                && entry.owner.is_within(reach)
                && !entry.denied_by.contains(&source)
                && self
                    .sources
                    .candidates(container.engine, entry.owner)
                    .contains(&source)
        };
        let entries = self.entries.values().filter(may_know);
        let ids: Vec<_> = entries.map(|entry| entry.snapshot.id.clone()).collect();
        for id in ids {
            self.ask(id, vec![source]);
        }
    }

    fn set_inspected(
        &mut self,
        source: SourceId,
        engine: Engine,
        id: &str,
        inspected: &Arc<Inspected>,
    ) -> Option<String> {
        let reach = self.sources.reach(source)?;
        self.sources.remember(source, id, inspected);
        let slot = *self.by_id.get(id)?;
        let owner = self.entries.get(&slot)?.owner;
        if !owner.is_within(reach) {
            // As long as it may turn out to be the user's, the answer is only kept.
            if !owner.may_be_within(reach) {
                self.sources.drop_answer(source, id);
                self.counts.foreign_answers += 1;
            }
            return None;
        }
        self.describe(slot, engine, inspected);
        Some(id.to_owned())
    }

    /// Takes over an answer that counts.
    fn describe(&mut self, slot: Slot, engine: Engine, inspected: &Arc<Inspected>) {
        self.read_limits(slot);
        let Some(entry) = self.entries.get_mut(&slot) else {
            return;
        };
        let known = entry.snapshot.known();
        let was_created = known.is_some_and(|known| known.pid == 0);
        let has_changed = known.is_some_and(|known| differs(known, inspected));
        let has_ports = was_created && known.is_some_and(|known| chose_ports(known, inspected));
        let was_untold = std::mem::take(&mut entry.told_without_metadata);
        let has_started = entry.snapshot.init.is_some();
        let runs = has_started && entry.gone_ns.is_none();
        let broken = entry.snapshot.broken_promises();
        let metadata = Metadata::Known(self.with_facts(inspected));
        self.replace(slot, |container| {
            container.engine = engine;
            container.metadata = metadata;
        });
        self.reclassify(slot);
        self.watch_environments(slot);
        // Security profiles are told only of what runs: then a promise may turn out to be broken.
        let turned_out = was_created
            && self
                .entries
                .get(&slot)
                .is_some_and(|entry| entry.snapshot.broken_promises() != broken);
        if was_untold && has_started {
            self.announce(slot, ContainerChange::Started);
        } else if runs && (has_changed || has_ports || turned_out) {
            self.announce(slot, ContainerChange::Changed);
        }
    }

    /// The metadata of a container that is being learned.
    pub(super) fn prepare_metadata(&mut self, container: &mut Container) {
        let owner = Owner::Unknown;
        if let Some((engine, inspected)) = self.sources.answer(&container.id, owner) {
            container.metadata = Metadata::Known(self.with_facts(inspected));
            container.engine = engine;
            return;
        }
        let candidates = self.sources.candidates(container.engine, owner);
        if candidates.is_empty() {
            container.metadata = Metadata::Unavailable;
            return;
        }
        container.metadata = Metadata::Pending;
        // A user's engine is asked once it is known that the container is the user's: its id is nobody else's business.
        let ask = candidates
            .into_iter()
            .filter(|candidate| self.sources.reach(*candidate) == Some(Reach::Everybody))
            .collect();
        self.ask(container.id.clone(), ask);
    }

    /// Takes over what users' engines have said of a container, now that it is known whose it is, or asks them.
    pub(super) fn owner_known(&mut self, slot: Slot) {
        let Some(entry) = self.entries.get(&slot) else {
            return;
        };
        let (id, owner) = (entry.snapshot.id.clone(), entry.owner);
        let made_by = entry.snapshot.engine;
        self.counts.foreign_answers += self.sources.drop_foreign(&id, owner);
        if entry.snapshot.known().is_some() {
            return;
        }
        let answer = self.sources.answer(&id, owner);
        if let Some((engine, inspected)) = answer.map(|(engine, one)| (engine, Arc::clone(one))) {
            self.describe(slot, engine, &inspected);
            self.settled.push(id);
            return;
        }
        let is_users = |reach| matches!(reach, Some(Reach::User(_)));
        let mut candidates = self.sources.candidates(made_by, owner);
        candidates.retain(|candidate| is_users(self.sources.reach(*candidate)));
        if !candidates.is_empty() {
            self.ask(id, candidates);
        } else if self.give_up_if_denied(slot) {
            self.settled.push(id);
        }
    }

    fn ask(&mut self, id: String, sources: Vec<SourceId>) {
        if !sources.is_empty() {
            self.request(Request::Inspect { id, sources });
        }
    }

    /// What is called a configuration is no secret any more: not for a user to say.
    fn speaks_for_all(&self, source: SourceId) -> bool {
        self.sources.reach(source) == Some(Reach::Everybody)
    }

    /// A manager tells the names of what a container is given before it is asked for them.
    fn set_swarm_objects(&mut self, source: SourceId, grants: &[SwarmGrant]) {
        if !self.speaks_for_all(source) {
            return;
        }
        for grant in grants {
            let object = SwarmObject {
                kind: grant.kind,
                name: grant.name.clone(),
            };
            self.set_swarm_object(&grant.id, &object);
        }
    }

    fn set_swarm_object(&mut self, id: &str, object: &SwarmObject) {
        if self.swarm.get(id) == Some(object) {
            return;
        }
        if self.swarm.len() >= MAX_SWARM_OBJECTS {
            self.swarm.clear();
        }
        self.swarm.insert(id.to_owned(), object.clone());
        let granted = |container: &Container| {
            let mounts = container.mounts.iter().flat_map(|table| &table.mounts);
            mounts
                .into_iter()
                .any(|mount| mount.root.strip_prefix(b"/") == Some(id.as_bytes()))
        };
        let concerned: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| granted(&entry.snapshot))
            .map(|(slot, _)| *slot)
            .collect();
        for slot in concerned {
            self.reclassify(slot);
        }
    }
}

/// Whether an engine has since chosen ports of the host that lead into a container.
fn chose_ports(known: &Inspected, now: &Inspected) -> bool {
    let before = &known.promises.ports;
    now.promises.ports.iter().any(|port| {
        let is_it = |one: &PublishedPort| {
            (one.host_port, one.port, &one.protocol) == (port.host_port, port.port, &port.protocol)
        };
        !before.iter().any(is_it)
    })
}

/// Whether an engine says something else than before, beyond what it only knows once a container runs: the first process,
/// ports of its own choice, security profiles.
fn differs(known: &Inspected, now: &Inspected) -> bool {
    let was_running = known.pid != 0;
    let mut as_known = now.clone();
    as_known.pid = known.pid;
    as_known.image_facts.clone_from(&known.image_facts);
    // The image was asked for its digest, and did not answer.
    if as_known.image_digest.is_empty() {
        as_known.image_digest.clone_from(&known.image_digest);
    }
    was_running && as_known != *known
}
