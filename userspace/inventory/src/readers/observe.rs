//! What forks and executions teach.

use vigia_event::container::Container;
use vigia_event::process::{Process, ProcessKey};

use super::descent::{Descent, Inside, Place, Tree};
use super::start::Start;
use super::{Readers, engine};

impl Readers {
    pub(super) fn remember(&mut self, key: ProcessKey, exec_id: u32, descent: Descent) {
        match descent {
            Descent::Engine | Descent::Inside(_) => self.descents.insert(key, exec_id, descent),
            // Told from what the process is, when needed.
            Descent::Host | Descent::Unknown => {}
        }
    }

    pub(super) fn fork(
        &mut self,
        parent: ProcessKey,
        child: ProcessKey,
        exec_id: u32,
        descent: Descent,
    ) {
        let descent = match descent {
            Descent::Inside(inside) => {
                let start = self.starts.get_mut(&*inside.container);
                // An init wrapper (tini) only waits: the first process it makes is the one that counts.
                let is_main = start.is_some_and(|start| start.hand_over_main(parent, child));
                let place = match inside.place {
                    Place::Main if is_main => Place::Main,
                    Place::Main => Place::Worker,
                    place => place,
                };
                Descent::Inside(Inside { place, ..inside })
            }
            descent => descent,
        };
        self.remember(child, exec_id, descent);
    }

    pub(super) fn descent_after_exec(
        &mut self,
        process: &Process,
        container: Option<&Container>,
        now: u64,
    ) -> Descent {
        let before = process
            .task
            .exec_id
            .checked_sub(1)
            .and_then(|id| self.descents.get(process.key(), id))
            .cloned();
        // The runtime's own stages: executed on the host, and running in the container's cgroup before anything
        // of the container's does.
        if engine::is_engine(process, &self.options)
            || (matches!(before, Some(Descent::Engine))
                && engine::is_own_copy(process, &self.options))
        {
            return Descent::Engine;
        }
        let Some(container) = container else {
            return Descent::Host;
        };
        match before {
            Some(Descent::Inside(inside)) if *inside.container == *container.id => {
                Descent::Inside(self.after_exec_inside(&inside, process, now))
            }
            _ if container.observed && container.init == Some(process.key()) => {
                Descent::Inside(self.first_exec(process, container, now))
            }
            _ if process.task.entered == Some(true) => {
                Descent::Inside(Inside::entered(process, container))
            }
            _ => Descent::Unknown,
        }
    }

    /// A container's first process executes its first program: the container starts, or starts again.
    fn first_exec(&mut self, process: &Process, container: &Container, now: u64) -> Inside {
        let window_end_ns = now.saturating_add(self.options.window_ns);
        if let Some(start) = self.starts.get_mut(&container.id) {
            start.again(process.key(), window_end_ns);
        } else {
            self.make_room_for_start();
            self.starts.insert(
                container.id.clone(),
                Start::new(process.key(), window_end_ns),
            );
        }
        let mut inside = Inside::main(process, container);
        if let Some(start) = self.starts.get_mut(&container.id) {
            inside.known =
                start.judge_exec(&inside, None, process.key(), now, self.options.window_ns);
        }
        inside
    }

    fn after_exec_inside(&mut self, before: &Inside, process: &Process, now: u64) -> Inside {
        let mut inside = before.after_exec(process);
        if let (Tree::Init, Some(start)) = (&inside.tree, self.starts.get_mut(&*inside.container)) {
            inside.known = start.judge_exec(
                &inside,
                Some(before),
                process.key(),
                now,
                self.options.window_ns,
            );
        }
        inside
    }

    /// Forgets the start that began longest ago.
    fn make_room_for_start(&mut self) {
        while self.starts.len() >= self.options.max_containers.max(1) {
            let oldest = self
                .starts
                .iter()
                .min_by_key(|(_, start)| start.window_end_ns())
                .map(|(id, _)| id.clone());
            let Some(oldest) = oldest else { return };
            self.starts.remove(&oldest);
            self.counts.forgotten_starts += 1;
        }
    }
}
