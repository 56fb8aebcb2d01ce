//! Who reads a secret, and whether that was to be expected.
//!
//! A list of allowed program names is either noisy or useless: entry scripts of official images read secrets
//! with a shell and `cat`, and so does an intruder. What tells them apart is how the reading process *came to
//! be*. So this module records it when it happens (at fork and execution, never recomputed from parents,
//! because orphans are given other parents), learns during a container's start which chains of programs read
//! secrets, and judges later readings by that.
//!
//! It reads no clock; files are touched by [`Readers::load`] and [`Readers::save`] only.

mod declared;
mod descent;
mod engine;
mod habit;
mod memory;
mod program;
mod reason;
mod start;

use std::sync::Arc;

use bstr::BString;
use rustc_hash::FxHashMap;
use vigia_event::captured::{Captured, What};
use vigia_event::container::Container;
use vigia_event::file::Origin;
use vigia_event::process::{Process, ProcessKey};
use vigia_event::secret::{Reader, SecretAccess, SecretRef};

use declared::Patterns;
use descent::{Descent, Descents, Inside, Place, Tree};
use habit::Habits;
use memory::Memory;
use program::Program;
use reason::Reason;
use start::Start;

pub use declared::LABEL;
pub use memory::SaveError;

/// How readers are judged.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long after the last execution of a container's main process its start is over, nanoseconds.
    pub window_ns: u64,
    /// Readers that are expected everywhere: paths of programs or scripts, `*` and `**` as in the label.
    pub declared: Vec<String>,
    /// Paths of further executables that belong to a container engine.
    pub engines: Vec<BString>,
    /// The host's mount namespace (inode number); 0 for unknown.
    pub host_mnt_ns: u32,
    /// Processes whose descent is remembered.
    pub max_processes: usize,
    /// Containers whose start is remembered.
    pub max_containers: usize,
    /// How long the descent of an exited process is remembered, nanoseconds: longer than events wait for metadata.
    pub grace_ns: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            window_ns: 60_000_000_000,
            declared: Vec::new(),
            engines: Vec::new(),
            host_mnt_ns: 0,
            max_processes: 65_536,
            max_containers: 4096,
            grace_ns: 30_000_000_000,
        }
    }
}

/// One reading of a secret, to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// Who reads, as it was at the event.
    pub process: &'a Process,
    /// Its ancestors, parent first; for the reason's text where nothing better is known.
    pub ancestors: &'a [Arc<Process>],
    /// Its container; `None` on the host.
    pub container: Option<&'a Container>,
    /// What it reads.
    pub secret: &'a SecretRef,
    /// Whether its container was granted this secret.
    pub granted: bool,
    /// `CLOCK_BOOTTIME` of the reading, in nanoseconds.
    pub boot_time_ns: u64,
}

/// What was too much to be remembered; each only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Processes whose descent was not remembered, for lack of room: their readings are judged as unknown.
    pub untracked: u64,
    /// Containers whose start was forgotten, to make room.
    pub forgotten_starts: u64,
}

/// How every process came to be, and what was learned during the start of containers.
#[derive(Debug)]
pub struct Readers {
    options: Options,
    declared: Patterns,
    descents: Descents,
    starts: FxHashMap<String, Start>,
    memory: Memory,
    habits: Habits,
    counts: Counts,
}

impl Readers {
    /// Judges without any memory of earlier runs.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self::with_memory(options, Memory::default())
    }

    fn with_memory(options: Options, memory: Memory) -> Self {
        Self {
            declared: Patterns::from_list(&options.declared),
            descents: Descents::new(options.max_processes, options.grace_ns),
            starts: FxHashMap::default(),
            memory,
            habits: Habits::default(),
            counts: Counts::default(),
            options,
        }
    }

    /// Learns from one record. To be called with every fork, execution and exit, after the process and the
    /// container tables, with the acting process after the event and the container it is in.
    pub fn observe(
        &mut self,
        captured: &Captured,
        process: &Process,
        container: Option<&Container>,
    ) {
        let now = captured.boot_time_ns;
        self.descents.expire(now);
        match &captured.what {
            What::Fork(fork) if !fork.is_thread => {
                let parent = self.descent_of(process, container);
                let child = ProcessKey::new(fork.child.pid, fork.child.start_boottime_ns);
                self.fork(process.key(), child, fork.child.exec_id, parent);
            }
            What::Exec(_) => {
                let descent = self.descent_after_exec(process, container, now);
                self.remember(process.key(), process.task.exec_id, descent);
            }
            What::Exit {
                process_ended: true,
                ..
            } => self.descents.exit(process.key(), now),
            _ => {}
        }
    }

    /// Judges one reading. Judging the same reading again, when more is known of its container, is harmless.
    pub fn judge(&mut self, reading: &Reading<'_>) -> SecretAccess {
        let descent = self.descent_of(reading.process, reading.container);
        let (reader, reason) = self.decide(reading, &descent);
        let text = reason.text(reading, &descent);
        SecretAccess {
            secret: reading.secret.clone(),
            reader,
            reason: text,
        }
    }

    /// Forgets what only matters while a container exists. What was learned about its readers stays.
    pub fn forget(&mut self, container_id: &str) {
        self.starts.remove(container_id);
    }

    /// Forgets processes that are no longer known elsewhere: their end was not observed.
    pub fn reconcile(&mut self, is_known: impl Fn(ProcessKey) -> bool) {
        self.descents.retain(is_known);
    }

    /// What was too much to be remembered so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            untracked: self.descents.refused(),
            ..self.counts
        }
    }

    /// The precedence of [`Reader`], from top to bottom.
    fn decide(&mut self, reading: &Reading<'_>, descent: &Descent) -> (Reader, Reason) {
        let Reading {
            process, container, ..
        } = *reading;
        if matches!(descent, Descent::Engine) {
            return (Reader::Engine, Reason::Engine);
        }
        let Some(container) = container else {
            return (Reader::Host, Reason::Host);
        };
        let in_host_mounts = self.options.host_mnt_ns != 0
            && process.task.namespaces.mnt == self.options.host_mnt_ns
            && container.mnt_ns != self.options.host_mnt_ns;
        if in_host_mounts {
            return (Reader::Foreign, Reason::HostMounts);
        }
        if !reading.granted {
            return match container.mounts {
                Some(_) => (Reader::Foreign, Reason::NotGranted),
                None => (Reader::Unknown, Reason::MountsUnknown),
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

    /// How a process came to be; what was not recorded is told from what it is, outside containers.
    fn descent_of(&self, process: &Process, container: Option<&Container>) -> Descent {
        if let Some(descent) = self.descents.get(process.key(), process.task.exec_id) {
            return descent.clone();
        }
        match container {
            None if engine::is_engine(process, &self.options) => Descent::Engine,
            None => Descent::Host,
            Some(_) => Descent::Unknown,
        }
    }

    fn remember(&mut self, key: ProcessKey, exec_id: u32, descent: Descent) {
        match descent {
            Descent::Engine | Descent::Inside(_) => self.descents.insert(key, exec_id, descent),
            // Told from what the process is, when needed.
            Descent::Host | Descent::Unknown => {}
        }
    }

    fn fork(&mut self, parent: ProcessKey, child: ProcessKey, exec_id: u32, descent: Descent) {
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

    fn descent_after_exec(
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

#[cfg(test)]
mod tests;
