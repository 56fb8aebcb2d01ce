//! The engines that may speak of containers, and what each has said.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use vigia_event::container::{Engine, Inspected};

use super::owner::Owner;
use crate::engines::{Reach, Source, SourceId};

/// Answers kept of an engine for containers that are not (or not yet) in the table.
const MAX_ANSWERS: usize = 8192;
/// The same of a user's engine.
const MAX_ANSWERS_OF_USER: usize = 512;

/// What is known of the engines.
#[derive(Debug, Default)]
pub(super) struct Sources {
    known: FxHashMap<SourceId, Known>,
}

/// One engine.
#[derive(Debug)]
struct Known {
    reach: Reach,
    /// What it says it is; [`Engine::Unknown`] until it has.
    engine: Engine,
    /// Whether it may still answer: it is connected, being connected to for the first time, or there and silent.
    awaited: bool,
    answers: FxHashMap<String, Arc<Inspected>>,
    /// Ids of `answers`, oldest first; ids that were removed may linger.
    order: VecDeque<String>,
}

#[cfg(test)]
impl Sources {
    /// How many answers are held.
    pub(super) fn held(&self) -> usize {
        self.known.values().map(|known| known.answers.len()).sum()
    }
}

impl Sources {
    /// Takes an engine in: it may answer.
    pub(super) fn add(&mut self, source: Source) {
        let known = Known {
            reach: source.reach,
            engine: Engine::Unknown,
            awaited: true,
            answers: FxHashMap::default(),
            order: VecDeque::new(),
        };
        self.known.insert(source.id, known);
    }

    /// It answers, and says what it is.
    pub(super) fn connected(&mut self, id: SourceId, engine: Engine) {
        if let Some(known) = self.known.get_mut(&id) {
            known.engine = engine;
            known.awaited = true;
        }
    }

    /// It answers no longer. One that is there and silent may still.
    pub(super) fn lost(&mut self, id: SourceId, is_absent: bool) {
        if let Some(known) = self.known.get_mut(&id) {
            known.awaited = !is_absent;
        }
    }

    /// It is watched no longer.
    pub(super) fn forget(&mut self, id: SourceId) {
        self.known.remove(&id);
    }

    /// Whose containers it may describe; `None` for one that is not watched.
    pub(super) fn reach(&self, id: SourceId) -> Option<Reach> {
        self.known.get(&id).map(|known| known.reach)
    }

    /// Keeps an answer.
    pub(super) fn remember(&mut self, id: SourceId, container: &str, inspected: &Arc<Inspected>) {
        let Some(known) = self.known.get_mut(&id) else {
            return;
        };
        let former = known
            .answers
            .insert(container.to_owned(), Arc::clone(inspected));
        if former.is_some() {
            return;
        }
        known.order.push_back(container.to_owned());
        let max = match known.reach {
            Reach::Everybody => MAX_ANSWERS,
            Reach::User(_) => MAX_ANSWERS_OF_USER,
        };
        while known.order.len() > max {
            if let Some(oldest) = known.order.pop_front() {
                known.answers.remove(&oldest);
            }
        }
    }

    /// Drops an answer; whether there was one.
    pub(super) fn drop_answer(&mut self, id: SourceId, container: &str) -> bool {
        self.known
            .get_mut(&id)
            .is_some_and(|known| known.answers.remove(container).is_some())
    }

    /// Drops the answers about a container that do not count, now that its owner is known; how many there were.
    pub(super) fn drop_foreign(&mut self, container: &str, owner: Owner) -> u64 {
        let foreign = self.known.values_mut();
        foreign
            .filter(|known| !owner.is_within(known.reach))
            .map(|known| u64::from(known.answers.remove(container).is_some()))
            .sum()
    }

    /// The answer that counts for a container.
    pub(super) fn answer(
        &self,
        container: &str,
        owner: Owner,
    ) -> Option<(Engine, &Arc<Inspected>)> {
        let mut ids: Vec<_> = self.known.keys().copied().collect();
        ids.sort_unstable();
        ids.into_iter().find_map(|id| {
            let known = self.known.get(&id)?;
            let answer = known.answers.get(container)?;
            owner
                .is_within(known.reach)
                .then_some((known.engine, answer))
        })
    }

    /// The engines that may yet say what a container is that this kind of engine made, the oldest first. One that has
    /// not said what it is may be of any kind.
    pub(super) fn candidates(&self, made_by: Engine, owner: Owner) -> Vec<SourceId> {
        // A path tells Docker and Podman for sure. It can be mistaken about containerd, whose groups those of cri-dockerd
        // look like, and which runs beside Docker on most machines without knowing Docker's containers.
        let is_kind = |engine: Engine| match made_by {
            Engine::Docker | Engine::Podman => [Engine::Unknown, made_by].contains(&engine),
            Engine::Containerd | Engine::CriO | Engine::Unknown => true,
        };
        let mut ids: Vec<_> = self
            .known
            .iter()
            .filter(|(_, known)| {
                known.awaited && is_kind(known.engine) && owner.may_be_within(known.reach)
            })
            .map(|(id, _)| *id)
            .collect();
        ids.sort_unstable();
        ids
    }
}
