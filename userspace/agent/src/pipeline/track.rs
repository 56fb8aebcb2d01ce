//! The stage that keeps state: every record changes the tables before anybody judges it.

use std::sync::Arc;

use vigia_event::captured::What;
use vigia_event::{Captured, Container, Event, EventType, Process};

use super::Stages;

/// A record that rules may want to know of, with whom it concerns.
pub(super) struct Tracked {
    pub(super) captured: Captured,
    pub(super) event_type: EventType,
    pub(super) time_ns: u64,
    pub(super) process: Arc<Process>,
    pub(super) container: Option<Arc<Container>>,
}

impl Stages {
    /// Updates processes, containers and what is known of readers; `None` for records that only keep state.
    pub(super) fn track(&mut self, mut captured: Captured) -> Option<Tracked> {
        self.metrics.tracked.inc();
        let time_ns = self.clock.epoch_ns(captured.boot_time_ns);
        let mut process = self.processes.observe(&captured, time_ns);
        let container = self.containers.observe(&captured, &process, time_ns);
        if process.task.entered == Some(true)
            && container
                .as_ref()
                .is_some_and(|container| container.init == Some(process.key()))
        {
            process = self.processes.begins_container(&process);
        }
        if process.task.entered == Some(false) {
            captured.task.entered = Some(false);
        }
        if matches!(captured.what, What::Exec(_)) {
            let mounts = container
                .as_ref()
                .map(|container| container.mounts.clone().unwrap_or_default());
            process = self.processes.refine_origin(&process, mounts.as_deref());
        }
        self.readers
            .observe(&captured, &process, container.as_deref());
        self.forget_gone();

        let event_type = self.judged_type(&captured);
        if event_type.is_none() {
            self.metrics.state_only.inc();
        }
        Some(Tracked {
            event_type: event_type?,
            captured,
            time_ns,
            process,
            container,
        })
    }

    /// The event's type if it is wanted and in scope, or touches a secret.
    fn judged_type(&self, captured: &Captured) -> Option<EventType> {
        let event_type = Event::type_of(&captured.what)?;
        let is_watched = captured.in_scope || captured.is_secret;
        (is_watched && self.wanted.contains(event_type)).then_some(event_type)
    }

    /// Forgets what hangs on containers that are forgotten.
    pub(super) fn forget_gone(&mut self) {
        for id in self.containers.take_forgotten() {
            self.readers.forget(&id);
            self.waiting.forget(&id);
        }
    }
}
