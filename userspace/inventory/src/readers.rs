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
mod judge;
mod memory;
mod observe;
mod program;
mod reason;
mod start;

use std::sync::Arc;

use bstr::BString;
use rustc_hash::FxHashMap;
use vigia_event::captured::{Captured, What};
use vigia_event::container::Container;
use vigia_event::process::{Process, ProcessKey};
use vigia_event::secret::{SecretAccess, SecretRef};

use declared::Patterns;
use descent::{Descent, Descents};
use habit::Habits;
use memory::Memory;
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
    /// Readers that are expected on the host, likewise.
    pub declared_on_host: Vec<String>,
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
            declared_on_host: Vec::new(),
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
    /// Names of the containers that were granted it.
    pub holders: &'a [BString],
    /// Whether its container was started with the kubelet's folder of pods, in which it may write: as the drivers of volumes
    /// are.
    pub serves_volumes: bool,
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
    declared_on_host: Patterns,
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
            declared_on_host: Patterns::from_list(&options.declared_on_host),
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
            by_container_mount: false,
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
}

#[cfg(test)]
mod tests;
