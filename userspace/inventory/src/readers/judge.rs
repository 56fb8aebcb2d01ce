//! The decision: the precedence of [`Reader`], from top to bottom.

use bstr::BString;
use vigia_event::container::Container;
use vigia_event::file::Origin;
use vigia_event::process::Process;
use vigia_event::secret::Reader;

use super::declared;
use super::descent::{self, Descent, Inside, Place};
use super::program::Program;
use super::reason::Reason;
use super::start::Start;
use super::{Readers, Reading, engine};

impl Readers {
    /// The precedence of [`Reader`], from top to bottom.
    pub(super) fn decide(&mut self, reading: &Reading<'_>, descent: &Descent) -> (Reader, Reason) {
        let Reading {
            process, container, ..
        } = *reading;
        if matches!(descent, Descent::Engine)
            || engine::is_users_own(reading)
            || engine::is_volume_driver(reading, descent)
        {
            return (Reader::Engine, Reason::Engine);
        }
        let Some(container) = container else {
            let program = Program::of(process);
            let pattern = self.declared_on_host.find(&program);
            let may_be_named = engine::may_be_named(process, &program, &self.options);
            return match pattern.filter(|_| may_be_named) {
                Some(pattern) => (Reader::Declared, Reason::Declared { pattern }),
                None => (Reader::Host, Reason::Host { may_be_named }),
            };
        };
        let in_host_mounts = self.options.host_mnt_ns != 0
            && process.task.namespaces.mnt == self.options.host_mnt_ns
            && container.mnt_ns != self.options.host_mnt_ns;
        if in_host_mounts {
            return (Reader::Foreign, Reason::HostMounts);
        }
        if !reading.granted {
            // What an engine declares of its mounts lists none of a Swarm's secrets.
            let is_known = container
                .mounts
                .as_ref()
                .is_some_and(|table| table.read_ns != 0 || !is_of_swarm(container));
            return match is_known {
                true => (Reader::Foreign, Reason::NotGranted),
                false => (Reader::Unknown, Reason::MountsUnknown),
            };
        }
        let inside = match descent {
            Descent::Inside(inside) => Some(inside),
            Descent::Engine | Descent::Host | Descent::Unknown => None,
        };
        let entered_command = inside.and_then(|inside| inside.tree.entered_command());
        if entered_command.is_some() || process.task.entered == Some(true) {
            return self.decide_entered(reading, container, inside, entered_command);
        }
        if let Some((program, origin)) = dropped(process, inside) {
            return (Reader::Dropped, Reason::Dropped { program, origin });
        }
        let program = Program::of(process);
        if let Some(pattern) = self
            .declared
            .find(&program)
            .or_else(|| declared::by_label(container, &program))
        {
            return (Reader::Declared, Reason::Declared { pattern });
        }
        match inside {
            Some(inside) => self.decide_by_chain(reading, container, inside),
            None => (Reader::Unknown, Reason::StartNotObserved),
        }
    }

    fn decide_entered(
        &mut self,
        reading: &Reading<'_>,
        container: &Container,
        inside: Option<&Inside>,
        command: Option<&[BString]>,
    ) -> (Reader, Reason) {
        // The command line alone is no proof: inside, its program may have been replaced.
        let is_altered = descent::foreign_origin(reading.process, true).is_some()
            || inside.is_some_and(|inside| inside.dropped.is_some());
        if is_altered {
            return (Reader::Entered, Reason::Entered);
        }
        let health_check = container
            .known()
            .map(|known| known.health_check.as_slice())
            .unwrap_or_default();
        if let Some(command) = command
            && declared::is_health_check(command, health_check)
        {
            return (Reader::Probe, Reason::HealthCheck);
        }
        if let (Some(inside), Some(command)) = (inside, command) {
            let period = self.habits.observe(
                container,
                command,
                &inside.chain,
                reading.secret,
                reading.boot_time_ns,
            );
            if let Some(period_ns) = period {
                return (Reader::Probe, Reason::Steady { period_ns });
            }
        }
        (Reader::Entered, Reason::Entered)
    }

    /// The main process and what it started.
    fn decide_by_chain(
        &mut self,
        reading: &Reading<'_>,
        container: &Container,
        inside: &Inside,
    ) -> (Reader, Reason) {
        let chain = &inside.chain;
        let start = self.starts.get_mut(container.id.as_str());
        let in_window = start
            .as_ref()
            .is_some_and(|start| start.in_window(reading.boot_time_ns));
        if let (Some(start), Some(known)) = (start, container.known()) {
            start.learn_service(known, &mut self.memory);
        }
        if !inside.known {
            let service = self
                .starts
                .get(container.id.as_str())
                .and_then(Start::service);
            return match self.memory.knows(&container.id, service, chain) {
                true => (Reader::Lineage, Reason::Lineage),
                false => (Reader::Late, Reason::Late),
            };
        }
        if in_window && let Some(start) = self.starts.get_mut(container.id.as_str()) {
            start.learn_reader(&container.id, chain, &mut self.memory);
        }
        match inside.place {
            Place::Main | Place::Worker => (Reader::Main, Reason::Main),
            Place::Below if in_window => (Reader::Startup, Reason::Startup),
            Place::Below if self.memory.knows(&container.id, None, chain) => {
                (Reader::Lineage, Reason::Lineage)
            }
            Place::Below => (Reader::Main, Reason::SeenAtStart),
        }
    }
}

fn is_of_swarm(container: &Container) -> bool {
    container
        .known()
        .is_some_and(|known| known.swarm().is_some())
}

/// The program that did not come with the image: the reader itself, or one of those it descends from.
fn dropped(process: &Process, inside: Option<&Inside>) -> Option<(Program, Origin)> {
    let known = inside.is_some_and(|inside| inside.known);
    if let Some(origin) = descent::foreign_origin(process, known) {
        return Some((Program::of(process), origin));
    }
    inside
        .and_then(|inside| inside.dropped.clone())
        .map(|dropped| (Program::clone(&dropped.0), dropped.1))
}
