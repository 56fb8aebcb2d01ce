//! The engines that may speak of containers, and what each has said.

use std::collections::BTreeMap;
use std::sync::Arc;

use bstr::BString;
use rustc_hash::FxHashMap;
use vigia_event::container::{Engine, Inspected};

use super::owner::Owner;
use crate::engines::{Reach, Source, SourceId};

/// Answers kept of an engine, of containers that are in the table or not (yet): how many, and their bytes.
const MAX_KEPT: (usize, usize) = (8192, 64 << 20);
/// The same of a user's engine.
const MAX_KEPT_OF_USER: (usize, usize) = (512, 2 << 20);

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
    answers: Answers,
}

/// Answers of one engine.
#[derive(Debug, Default)]
struct Answers {
    by_container: FxHashMap<String, Kept>,
    /// Containers by when their answers came, the oldest first.
    order: BTreeMap<u64, String>,
    next: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    inspected: Arc<Inspected>,
    bytes: usize,
    /// Its key in the order.
    number: u64,
}

impl Answers {
    fn get(&self, container: &str) -> Option<&Arc<Inspected>> {
        self.by_container.get(container).map(|kept| &kept.inspected)
    }

    /// Keeps an answer, and drops the oldest ones that there is no room for.
    fn keep(&mut self, container: &str, inspected: &Arc<Inspected>, max: (usize, usize)) {
        self.remove(container);
        let kept = Kept {
            inspected: Arc::clone(inspected),
            bytes: size(inspected),
            number: self.next,
        };
        self.next += 1;
        self.bytes += kept.bytes;
        self.order.insert(kept.number, container.to_owned());
        self.by_container.insert(container.to_owned(), kept);
        while (self.order.len() > max.0 || self.bytes > max.1)
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.remove(&oldest);
        }
    }

    /// Whether there was one.
    fn remove(&mut self, container: &str) -> bool {
        let Some(kept) = self.by_container.remove(container) else {
            return false;
        };
        self.order.remove(&kept.number);
        self.bytes -= kept.bytes;
        true
    }
}

/// About how many bytes an answer takes: what whoever starts a container can make long.
fn size(inspected: &Inspected) -> usize {
    let texts = |texts: &[BString]| {
        texts
            .iter()
            .map(|text| text.len() + size_of::<BString>())
            .sum::<usize>()
    };
    let labels = |labels: &BTreeMap<String, BString>| {
        let sizes = labels
            .iter()
            .map(|(name, value)| name.len() + value.len() + 2 * size_of::<BString>());
        sizes.sum::<usize>()
    };
    let mounts = inspected.mounts.iter().map(|mount| {
        size_of_val(mount)
            + mount.source.len()
            + mount.destination.len()
            + mount.mode.len()
            + mount.propagation.len()
    });
    let grants = inspected.swarm_grants.iter().map(|grant| {
        size_of_val(grant)
            + grant.id.len()
            + grant.name.len()
            + grant.target.len()
            + grant.owner.len()
    });
    let promises = &inspected.promises;
    let ports = promises
        .ports
        .iter()
        .map(|port| size_of_val(port) + port.address.len() + port.protocol.len());
    let names = [
        &inspected.name,
        &inspected.image,
        &inspected.image_repository,
        &inspected.image_tag,
        &inspected.image_digest,
        &inspected.image_id,
        &promises.user,
        &promises.seccomp,
        &promises.apparmor,
        &promises.selinux,
        &promises.restart_policy,
    ];
    let lists = [
        &inspected.health_check,
        &promises.capabilities_added,
        &promises.capabilities_dropped,
        &promises.devices,
        &promises.tmpfs,
        &promises.secret_variables,
    ];
    size_of_val(inspected)
        + size_of_val(promises.as_ref())
        + names.iter().map(|name| name.len()).sum::<usize>()
        + lists.iter().map(|list| texts(list)).sum::<usize>()
        + labels(&inspected.labels)
        + labels(&inspected.pod_labels)
        + mounts.sum::<usize>()
        + grants.sum::<usize>()
        + ports.sum::<usize>()
}

#[cfg(test)]
impl Sources {
    /// How many answers are held.
    pub(super) fn held(&self) -> usize {
        self.known
            .values()
            .map(|known| known.answers.by_container.len())
            .sum()
    }
}

impl Sources {
    /// Takes an engine in: it may answer.
    pub(super) fn add(&mut self, source: Source) {
        let known = Known {
            reach: source.reach,
            engine: Engine::Unknown,
            awaited: true,
            answers: Answers::default(),
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
        let max = match known.reach {
            Reach::Everybody => MAX_KEPT,
            Reach::User(_) => MAX_KEPT_OF_USER,
        };
        known.answers.keep(container, inspected, max);
    }

    /// Drops an answer.
    pub(super) fn drop_answer(&mut self, id: SourceId, container: &str) {
        if let Some(known) = self.known.get_mut(&id) {
            known.answers.remove(container);
        }
    }

    /// Drops the answers about a container that do not count, now that its owner is known; how many there were.
    pub(super) fn drop_foreign(&mut self, container: &str, owner: Owner) -> u64 {
        let foreign = self.known.values_mut();
        foreign
            .filter(|known| !owner.is_within(known.reach))
            .map(|known| u64::from(known.answers.remove(container)))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn named(bytes: usize) -> Arc<Inspected> {
        Arc::new(Inspected {
            name: vec![b'x'; bytes].into(),
            ..Inspected::default()
        })
    }

    #[test]
    fn answers_are_bounded_in_number_and_bytes_and_the_oldest_goes_first() {
        let mut answers = Answers::default();
        let kept = |answers: &Answers| answers.order.values().cloned().collect::<String>();
        for container in ["a", "b", "c"] {
            answers.keep(container, &named(0), (3, 1 << 20));
        }
        // What was dropped and comes again, or is told anew, is not the oldest.
        assert!(answers.remove("a") && !answers.remove("a"));
        answers.keep("a", &named(0), (3, 1 << 20));
        answers.keep("b", &named(0), (3, 1 << 20));
        assert_eq!(kept(&answers), "cab");
        answers.keep("d", &named(0), (3, 1 << 20));
        assert_eq!(kept(&answers), "abd");

        answers.keep("e", &named(1 << 19), (9, 1 << 20));
        assert_eq!(kept(&answers), "abde");
        answers.keep("f", &named(1 << 19), (9, 1 << 20));
        assert_eq!(kept(&answers), "f");
        answers.keep("g", &named(1 << 20), (9, 1 << 20));
        assert_eq!((kept(&answers), answers.bytes), (String::new(), 0));
    }

    #[test]
    fn a_users_engine_takes_little_memory_whatever_it_says() {
        let mut sources = Sources::default();
        let (id, reach) = (SourceId(0), Reach::User(1000));
        sources.add(Source { id, reach });
        for number in 0..1000 {
            let container = format!("{number:064x}");
            sources.remember(id, &container, &named(64 << 10));
        }
        assert!((1..=32).contains(&sources.held()), "{}", sources.held());
    }
}
