//! What engines say of containers, in whatever order it comes: before the container's cgroup, after it, or never.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use vigia_event::captured::ContainerChange;
use vigia_event::container::{Container, Engine, Inspected, Metadata};

use super::{ContainerTable, Request};
use crate::engines::EngineMessage;
use crate::images::ImageIndex;
use crate::mountinfo::SwarmObject;

/// Answers kept for containers that are not (or not yet) in the table.
const MAX_ANSWERS: usize = 8192;
/// Secrets and configurations of a Swarm whose names are kept.
const MAX_SWARM_OBJECTS: usize = 8192;

/// What is known of the engines.
#[derive(Debug, Default)]
pub(super) struct Engines {
    /// Those that may still answer: connected, being connected to for the first time, or there and silent.
    awaited: FxHashSet<Engine>,
    answers: FxHashMap<String, (Engine, Arc<Inspected>)>,
    /// Ids of `answers`, oldest first; ids that were removed may linger.
    order: VecDeque<String>,
}

#[cfg(test)]
impl Engines {
    /// How many answers are held.
    pub(super) fn held(&self) -> usize {
        self.answers.len()
    }
}

impl ContainerTable {
    /// Announces an engine that will be connected to: until it says otherwise, metadata is on its way.
    pub fn await_engine(&mut self, engine: Engine) {
        self.engines.awaited.insert(engine);
    }

    /// Applies what an engine said. Returns the id of the container whose metadata is settled by it: known, or
    /// known not to come.
    pub fn apply(&mut self, message: &EngineMessage) -> Option<String> {
        match message {
            EngineMessage::Connected { engine, .. } => {
                self.engines.awaited.insert(*engine);
                None
            }
            EngineMessage::Lost {
                engine, is_absent, ..
            } => {
                if *is_absent {
                    self.engines.awaited.remove(engine);
                } else {
                    self.engines.awaited.insert(*engine);
                }
                None
            }
            EngineMessage::Inspected {
                engine,
                id,
                inspected,
                ..
            } => self.set_inspected(*engine, id, inspected),
            EngineMessage::NotFound { engine, id } => self.deny(*engine, id),
            EngineMessage::Gone { id, .. } => {
                self.engines.answers.remove(id);
                None
            }
            EngineMessage::Resolved { id, object } => {
                self.set_swarm_object(id, object);
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
        Some(id.to_owned())
    }

    /// An engine does not know a container: final if it is the one that made it, or if no other is left to ask. A path can
    /// be mistaken about containerd, whose groups those of cri-dockerd look like, and which runs beside Docker on most
    /// machines without knowing Docker's containers.
    fn deny(&mut self, engine: Engine, id: &str) -> Option<String> {
        let entry = self.entries.get_mut(self.by_id.get(id)?)?;
        if !matches!(entry.snapshot.metadata, Metadata::Pending) {
            return None;
        }
        if !entry.denied_by.contains(&engine) {
            entry.denied_by.push(engine);
        }
        let denied = |engine: &Engine| entry.denied_by.contains(engine);
        let made_by = &entry.snapshot.engine;
        let is_final = *made_by != Engine::Containerd && denied(made_by)
            || self.engines.awaited.iter().all(denied);
        if is_final {
            self.set_metadata(id, Metadata::Unavailable)
        } else {
            None
        }
    }

    fn set_inspected(
        &mut self,
        engine: Engine,
        id: &str,
        inspected: &Arc<Inspected>,
    ) -> Option<String> {
        self.remember(engine, id, inspected);
        let slot = *self.by_id.get(id)?;
        let entry = self.entries.get_mut(&slot)?;
        let known = entry.snapshot.known();
        let was_created = known.is_some_and(|known| known.pid == 0);
        let has_changed = known.is_some_and(|known| differs(known, inspected));
        let was_untold = std::mem::take(&mut entry.told_without_metadata);
        let has_started = entry.snapshot.init.is_some();
        let runs = has_started && entry.gone_ns.is_none();
        let broken = entry.snapshot.broken_promises();
        self.replace(slot, |container| container.engine = engine);
        let settled = self.set_metadata(id, Metadata::Known(self.with_facts(inspected)));
        // Security profiles are told only of what runs: then a promise may turn out to be broken.
        let turned_out = was_created
            && self
                .entries
                .get(&slot)
                .is_some_and(|entry| entry.snapshot.broken_promises() != broken);
        if was_untold && has_started {
            self.announce(slot, ContainerChange::Started);
        } else if runs && (has_changed || turned_out) {
            self.announce(slot, ContainerChange::Changed);
        }
        settled
    }

    /// The metadata of a container that is being learned.
    pub(super) fn prepare_metadata(&mut self, container: &mut Container) {
        if let Some((engine, inspected)) = self.engines.answers.get(&container.id) {
            container.engine = *engine;
            container.metadata = Metadata::Known(self.with_facts(inspected));
        } else if self.engines.awaited.is_empty() {
            container.metadata = Metadata::Unavailable;
        } else {
            container.metadata = Metadata::Pending;
            // A path tells Docker and Podman for sure. What serves Kubernetes is told by its socket, which may be called
            // anything.
            let engine = match container.engine {
                Engine::Docker | Engine::Podman => container.engine,
                Engine::Containerd | Engine::CriO | Engine::Unknown => Engine::Unknown,
            };
            self.request(Request::Inspect {
                id: container.id.clone(),
                engine,
            });
        }
    }

    fn remember(&mut self, engine: Engine, id: &str, inspected: &Arc<Inspected>) {
        let engines = &mut self.engines;
        if engines
            .answers
            .insert(id.to_owned(), (engine, Arc::clone(inspected)))
            .is_some()
        {
            return;
        }
        engines.order.push_back(id.to_owned());
        while engines.order.len() > MAX_ANSWERS {
            if let Some(oldest) = engines.order.pop_front() {
                engines.answers.remove(&oldest);
            }
        }
    }

    fn set_swarm_object(&mut self, id: &str, object: &SwarmObject) {
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
