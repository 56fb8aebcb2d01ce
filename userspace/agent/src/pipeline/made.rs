//! Events that no record of the kernel stands for: they are made of what the agent knows, and judged like all others.

use std::sync::Arc;

use vigia_event::Event;
use vigia_event::call::named;
use vigia_event::captured::{Captured, Task, What};
use vigia_event::container::Container;
use vigia_inventory::WallClock;

use super::Stages;
use super::track::Tracked;

impl Stages {
    /// A container used up its budget of events.
    pub(super) fn report_budget(&mut self, cgroup_id: u64, count: u64) {
        let container = self.containers.of_cgroup(cgroup_id).cloned();
        self.report(What::BudgetExceeded { count }, cgroup_id, container);
    }

    /// What became of containers since the last call: they started, or what is known of them changed.
    pub(super) fn report_containers(&mut self) {
        for (id, change) in self.containers.take_news() {
            let container = self.containers.get(&id).cloned();
            let is_wanted = |container: &Arc<Container>| {
                self.wanted.contains(named::CONTAINER)
                    && self.scope.contains(&container.cgroup_path)
            };
            if let Some(container) = container.filter(is_wanted) {
                self.report(
                    What::Container(change),
                    container.cgroup_id,
                    Some(container),
                );
            }
        }
    }

    /// The acting process is the container's first.
    fn report(&mut self, what: What, cgroup_id: u64, container: Option<Arc<Container>>) {
        let Some(event_type) = Event::type_of(&what) else {
            return;
        };
        let process = container
            .as_deref()
            .and_then(|container| self.processes.get(container.init?))
            .cloned()
            .unwrap_or_default();
        let task = Task {
            cgroup_id,
            ..process.task.clone()
        };
        let boot_time_ns = WallClock::boot_now_ns();
        let captured = Captured::made(what, task, boot_time_ns);
        let time_ns = self.clock.epoch_ns(boot_time_ns);
        self.metrics.made.inc();
        let event = self.enrich(Tracked {
            captured,
            event_type,
            time_ns,
            process,
            container,
        });
        for event in self.wait(event) {
            self.judge(event);
        }
    }
}
