//! Events of containers whose metadata is still on its way.
//!
//! Each waits behind the earlier events of its container until the engine answers or a deadline passes, so that
//! their order is kept. The queue is bounded per container and in total: what does not fit makes its container's
//! events go on at once, to be judged with unknown values. Pure: time is a parameter.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use vigia_event::Event;
use vigia_event::container::{Container, Metadata};

/// How much may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Events of one container.
    pub per_container: usize,
    /// Events of all containers together.
    pub total: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_container: 2048,
            total: 16_384,
        }
    }
}

/// What became of the events that were pushed: `pushed = passed + released + overflowed + expired + waiting`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events handed in.
    pub pushed: u64,
    /// Events that need not wait: their container's deadline had passed, or its queue had overflowed.
    pub passed: u64,
    /// Events whose metadata came in time.
    pub released: u64,
    /// Events that went on because a queue was full.
    pub overflowed: u64,
    /// Events that went on because the deadline passed.
    pub expired: u64,
}

/// The queues.
#[derive(Debug, Default)]
pub struct Waiting {
    limits: Limits,
    queues: FxHashMap<String, Queue>,
    /// When each queue's wait is over, the first one first: asked for with every batch of events.
    deadlines: BTreeSet<(u64, String)>,
    /// Containers that are waited for no longer, until their metadata comes or they are forgotten.
    given_up: FxHashSet<String>,
    /// Events in all queues.
    total: usize,
    counts: Counts,
}

#[derive(Debug)]
struct Queue {
    events: VecDeque<Event>,
    deadline_ns: u64,
}

impl Waiting {
    /// Empty queues.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Takes an event in and returns what can be judged now, in order: the event itself where it need not wait,
    /// nothing where it must, and all that waited for its container where a queue is full.
    ///
    /// `deadline_ns` counts for the first event that waits for a container; later ones wait no longer than it.
    pub fn push(&mut self, event: Event, deadline_ns: u64) -> Vec<Event> {
        self.counts.pushed += 1;
        let Some(id) = self.must_wait(&event).map(str::to_owned) else {
            self.counts.passed += 1;
            return vec![event];
        };
        let deadlines = &mut self.deadlines;
        let queue = self.queues.entry(id.clone()).or_insert_with(|| {
            deadlines.insert((deadline_ns, id.clone()));
            Queue {
                events: VecDeque::new(),
                deadline_ns,
            }
        });
        queue.events.push_back(event);
        self.total += 1;
        if queue.events.len() <= self.limits.per_container && self.total <= self.limits.total {
            return Vec::new();
        }
        let released = self.take(&id);
        self.counts.overflowed += len(&released);
        self.give_up(id);
        released
    }

    /// What waited for a container, now that the engine has spoken (or has said that it will not): the events
    /// keep their snapshots but for the metadata, for the kind of engine, which the cgroup only lets guess, and for the mounts
    /// where the container was gone before its own could be read.
    pub fn release(&mut self, told: &Container) -> Vec<Event> {
        self.given_up.remove(&told.id);
        let mut events = self.take(&told.id);
        self.counts.released += len(&events);
        let mut last: Option<(Arc<Container>, Arc<Container>)> = None;
        for event in &mut events {
            let Some(before) = event.container.take() else {
                continue;
            };
            if let (None, Some(mounts)) = (&before.mounts, &told.mounts)
                && [0, event.captured.task.namespaces.mnt].contains(&before.mnt_ns)
            {
                event.mounts = Arc::clone(mounts);
            }
            // Neighbours mostly share one snapshot, and go on sharing one.
            let after = match &last {
                Some((known, after)) if Arc::ptr_eq(known, &before) => Arc::clone(after),
                _ => Arc::new(Container {
                    engine: told.engine,
                    metadata: told.metadata.clone(),
                    mounts: before.mounts.clone().or_else(|| told.mounts.clone()),
                    ..(*before).clone()
                }),
            };
            last = Some((before, Arc::clone(&after)));
            event.container = Some(after);
        }
        events
    }

    /// What has waited until its deadline; its metadata stays pending, so that fields from it are unknown.
    pub fn expired(&mut self, now_ns: u64) -> Vec<Event> {
        let mut events = Vec::new();
        while self
            .deadlines
            .first()
            .is_some_and(|(deadline_ns, _)| *deadline_ns <= now_ns)
        {
            let Some((_, id)) = self.deadlines.pop_first() else {
                break;
            };
            events.append(&mut self.take(&id));
            self.give_up(id);
        }
        self.counts.expired += len(&events);
        events
    }

    /// When [`Waiting::expired`] will have something to return.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        self.deadlines.first().map(|(deadline_ns, _)| *deadline_ns)
    }

    /// Forgets that a container was given up; called when the container itself is forgotten.
    pub fn forget(&mut self, container_id: &str) {
        self.given_up.remove(container_id);
    }

    /// How many events wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.total
    }

    /// Whether no event waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// What became of the events so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The container that an event must wait for.
    fn must_wait<'e>(&self, event: &'e Event) -> Option<&'e str> {
        let container = event.container.as_deref()?;
        let pending = matches!(container.metadata, Metadata::Pending);
        (pending && !self.given_up.contains(&container.id)).then_some(container.id.as_str())
    }

    fn take(&mut self, container_id: &str) -> Vec<Event> {
        let Some((id, queue)) = self.queues.remove_entry(container_id) else {
            return Vec::new();
        };
        self.deadlines.remove(&(queue.deadline_ns, id));
        self.total -= queue.events.len();
        queue.events.into()
    }

    fn give_up(&mut self, id: String) {
        // Bounded like the queues: forgetting merely means waiting once more.
        if self.given_up.len() >= self.limits.total {
            self.given_up.clear();
        }
        self.given_up.insert(id);
    }
}

fn len(events: &[Event]) -> u64 {
    u64::try_from(events.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use vigia_event::call::named;
    use vigia_event::captured::What;
    use vigia_event::container::{Engine, Inspected};
    use vigia_event::mount::{Mount, MountTable};

    use super::*;
    use crate::fixture;

    const NONE: [u64; 0] = [];

    fn event(number: u64, container: Option<(&str, Metadata)>) -> Event {
        let container = container.map(|(id, metadata)| {
            Arc::new(Container {
                id: id.to_owned(),
                metadata,
                ..Container::default()
            })
        });
        Event {
            number,
            time_ns: 0,
            event_type: named::PROCEXIT,
            captured: fixture::captured(
                0,
                &fixture::task(7),
                What::Exit {
                    status: 0,
                    process_ended: true,
                },
            ),
            process: Arc::default(),
            ancestors: Arc::default(),
            session_leader: None,
            group_leader: None,
            container,
            mounts: Arc::default(),
            users: Arc::default(),
            secret: None,
            node: Arc::default(),
            domain_names: Arc::default(),
            paths: Default::default(),
        }
    }

    fn pending(number: u64, id: &str) -> Event {
        event(number, Some((id, Metadata::Pending)))
    }

    fn numbers(events: &[Event]) -> Vec<u64> {
        events.iter().map(|event| event.number).collect()
    }

    fn known() -> Metadata {
        Metadata::Known(Arc::new(Inspected {
            name: "web".into(),
            ..Inspected::default()
        }))
    }

    fn told(id: &str) -> Container {
        Container {
            id: id.to_owned(),
            engine: Engine::Docker,
            metadata: known(),
            ..Container::default()
        }
    }

    #[test]
    fn only_events_without_metadata_wait() {
        let mut waiting = Waiting::new(Limits::default());
        assert_eq!(numbers(&waiting.push(event(1, None), 9)), [1]);
        assert_eq!(
            numbers(&waiting.push(event(2, Some(("a", known()))), 9)),
            [2]
        );
        assert_eq!(
            numbers(&waiting.push(event(3, Some(("a", Metadata::Unavailable))), 9)),
            [3]
        );
        assert_eq!(numbers(&waiting.push(pending(4, "a"), 9)), NONE);
        assert_eq!((waiting.len(), waiting.next_deadline()), (1, Some(9)));
    }

    #[test]
    fn an_answer_releases_one_container_in_order_and_fills_it_in() {
        let mut waiting = Waiting::new(Limits::default());
        for (number, id) in [(1, "a"), (2, "b"), (3, "a")] {
            assert_eq!(numbers(&waiting.push(pending(number, id), 9)), NONE);
        }
        let released = waiting.release(&told("a"));
        assert_eq!(numbers(&released), [1, 3]);
        for event in &released {
            let container = event.container.as_deref().expect("a container");
            assert_eq!(
                container
                    .known()
                    .map(|inspected| inspected.name.to_string()),
                Some("web".to_owned())
            );
            assert_eq!(container.engine, Engine::Docker, "not what the cgroup said");
        }
        assert_eq!(numbers(&waiting.release(&told("a"))), NONE);
        assert_eq!((waiting.len(), waiting.counts().released), (1, 2));
    }

    #[test]
    fn mounts_made_from_the_declaration_serve_events_that_have_none_and_only_those() {
        let table = |count| {
            Arc::new(MountTable {
                mounts: vec![Mount::default(); count],
                ..MountTable::default()
            })
        };
        let (read, declared) = (table(2), table(1));
        for (own, expected) in [(None, 1), (Some(read), 2)] {
            let mut waiting = Waiting::new(Limits::default());
            let mut event = pending(1, "a");
            let container = Arc::make_mut(event.container.as_mut().expect("a container"));
            container.mounts = own.clone();
            event.mounts = own.unwrap_or_default();
            waiting.push(event, 9);
            let released = waiting.release(&Container {
                mounts: Some(Arc::clone(&declared)),
                ..told("a")
            });
            let container = released[0].container.as_deref().expect("a container");
            assert_eq!(
                container.mounts.as_ref().map(|table| table.mounts.len()),
                Some(expected)
            );
            assert_eq!(released[0].mounts.mounts.len(), expected);
        }
    }

    #[test]
    fn the_deadline_is_that_of_the_first_event_and_ends_the_waiting() {
        let mut waiting = Waiting::new(Limits::default());
        waiting.push(pending(1, "a"), 10);
        waiting.push(pending(2, "a"), 99);
        waiting.push(pending(3, "b"), 20);
        assert_eq!(numbers(&waiting.expired(9)), NONE);
        assert_eq!(numbers(&waiting.expired(10)), [1, 2]);
        assert_eq!(numbers(&waiting.push(pending(4, "a"), 99)), [4], "given up");
        assert_eq!(waiting.next_deadline(), Some(20));
        waiting.forget("a");
        assert_eq!(
            numbers(&waiting.push(pending(5, "a"), 99)),
            NONE,
            "a new container of that id waits again"
        );
    }

    #[test]
    fn a_full_queue_goes_on_at_once_and_the_sums_hold() {
        let mut waiting = Waiting::new(Limits {
            per_container: 2,
            total: 3,
        });
        assert_eq!(numbers(&waiting.push(pending(1, "a"), 9)), NONE);
        assert_eq!(numbers(&waiting.push(pending(2, "a"), 9)), NONE);
        assert_eq!(
            numbers(&waiting.push(pending(3, "a"), 9)),
            [1, 2, 3],
            "its own limit"
        );
        assert_eq!(numbers(&waiting.push(pending(4, "a"), 9)), [4]);
        for (number, id) in [(5, "b"), (6, "c"), (7, "d")] {
            assert_eq!(numbers(&waiting.push(pending(number, id), 9)), NONE);
        }
        assert_eq!(
            numbers(&waiting.push(pending(8, "b"), 9)),
            [5, 8],
            "the limit of all"
        );
        waiting.expired(9);
        waiting.release(&told("x"));
        assert_eq!(
            (waiting.queues.len(), waiting.deadlines.len()),
            (0, 0),
            "nothing is left of what went"
        );
        let counts = waiting.counts();
        let gone = counts.passed + counts.released + counts.overflowed + counts.expired;
        assert_eq!(
            counts.pushed,
            gone + u64::try_from(waiting.len()).expect("small")
        );
        assert_eq!(
            (counts.overflowed, counts.expired, counts.passed),
            (5, 2, 1)
        );
    }
}
