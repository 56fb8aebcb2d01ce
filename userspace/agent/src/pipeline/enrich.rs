//! The stage that makes an event of a record: snapshots of everything a rule may test.

use std::sync::Arc;

use vigia_event::{Event, PathSpellings};

use super::Stages;
use super::track::Tracked;

impl Stages {
    /// Joins a record with its process, ancestors, container, mounts, users and secret.
    pub(super) fn enrich(&mut self, tracked: Tracked) -> Event {
        let Tracked {
            captured,
            event_type,
            time_ns,
            process,
            container,
        } = tracked;
        self.metrics.enriched.inc();
        self.events += 1;
        let mounts = self
            .containers
            .mounts_of(&captured.task, container.as_deref(), time_ns);
        let users = container.as_ref().map_or_else(
            || Arc::clone(&self.host_users),
            |container| Arc::clone(&container.users),
        );
        let mut event = Event {
            number: self.events,
            time_ns,
            event_type,
            ancestors: self.processes.ancestors(&process),
            session_leader: self.processes.session_leader(&process),
            group_leader: self.processes.group_leader(&process),
            captured,
            process,
            container,
            mounts,
            users,
            secret: None,
            node: Arc::clone(&self.node),
            domain_names: Arc::clone(&self.domain_names),
            paths: PathSpellings::default(),
        };
        event.prepare();
        event
    }
}
