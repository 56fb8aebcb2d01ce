//! How processes came to be, recorded when it happened.

use std::collections::VecDeque;
use std::sync::Arc;

use bstr::BString;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use vigia_event::container::Container;
use vigia_event::file::Origin;
use vigia_event::process::{Process, ProcessKey};

use super::program::{Chain, Program};

/// Where a process, with the program it runs now, comes from.
#[derive(Clone, Debug)]
pub(crate) enum Descent {
    /// It runs a program of a container engine, executed on the host.
    Engine,
    /// It was started outside containers.
    Host,
    /// It was started in a container, and all of it was observed.
    Inside(Inside),
    /// Something on the way was not observed.
    Unknown,
}

/// A process started in a container.
#[derive(Clone, Debug)]
pub(crate) struct Inside {
    pub(crate) container: Arc<str>,
    pub(crate) tree: Tree,
    pub(crate) place: Place,
    /// The programs from the first one of its tree to its own.
    pub(crate) chain: Chain,
    /// Whether the last execution happened during the start, or as one that had happened during the start.
    pub(crate) known: bool,
    /// The first program of the chain that did not come with the image.
    pub(crate) dropped: Option<Arc<(Program, Origin)>>,
}

/// Which tree of processes it belongs to.
#[derive(Clone, Debug)]
pub(crate) enum Tree {
    /// That of the container's first process.
    Init,
    /// That of a process which came in from outside, with the command line it came with.
    Entered(Arc<[BString]>),
}

/// Its place in the tree of the first process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The main process: the first one, or the one that an init wrapper runs.
    Main,
    /// Forked from the main process, and still running its program.
    Worker,
    /// Anything else.
    Below,
}

impl Tree {
    /// The command line it came in with.
    pub(crate) fn entered_command(&self) -> Option<&[BString]> {
        match self {
            Self::Entered(command) => Some(command),
            Self::Init => None,
        }
    }
}

impl Inside {
    /// The first process of a container, at its first execution.
    pub(crate) fn main(process: &Process, container: &Container) -> Self {
        Self::root(process, container, Tree::Init, Place::Main)
    }

    /// A process that came in from outside, at its first execution inside.
    pub(crate) fn entered(process: &Process, container: &Container) -> Self {
        let command = [&process.exe]
            .into_iter()
            .chain(process.args.iter())
            .cloned()
            .collect();
        Self::root(process, container, Tree::Entered(command), Place::Below)
    }

    fn root(process: &Process, container: &Container, tree: Tree, place: Place) -> Self {
        let program = Program::of(process);
        let dropped =
            foreign_origin(process, true).map(|origin| Arc::new((program.clone(), origin)));
        let chain = Chain::new(program);
        Self {
            container: container.id.as_str().into(),
            tree,
            place,
            chain,
            known: false,
            dropped,
        }
    }

    /// The same process, which now runs another program.
    pub(crate) fn after_exec(&self, process: &Process) -> Self {
        let program = Program::of(process);
        let dropped = self.dropped.clone();
        let dropped =
            dropped.or_else(|| Some(Arc::new((program.clone(), foreign_origin(process, true)?))));
        Self {
            container: Arc::clone(&self.container),
            tree: self.tree.clone(),
            place: if self.place == Place::Main {
                Place::Main
            } else {
                Place::Below
            },
            chain: self.chain.with(program),
            known: false,
            dropped,
        }
    }
}

/// Where a program or its script comes from, if that is not the image. What lies on a volume that the container
/// can write to counts only if it was not part of the start: mounted applications and scripts are common.
pub(crate) fn foreign_origin(process: &Process, known: bool) -> Option<Origin> {
    let script = process
        .script
        .as_ref()
        .map_or(Origin::Unknown, |script| script.origin);
    let writable = process
        .exe_file
        .as_ref()
        .is_some_and(|file| !file.mount_read_only && !file.fs_read_only);
    [(process.exe_origin, writable), (script, false)]
        .into_iter()
        .find_map(|(origin, writable)| match origin {
            Origin::Upper | Origin::Tmpfs | Origin::Memfd => Some(origin),
            Origin::Volume if writable && !known => Some(origin),
            Origin::Volume | Origin::Image | Origin::Unknown => None,
        })
}

/// Program generations kept per process: events that wait for metadata are judged after later executions.
const MAX_GENERATIONS: usize = 4;

/// The descents of all processes that came from an engine or run in a container, bounded.
#[derive(Debug)]
pub(crate) struct Descents {
    max_processes: usize,
    grace_ns: u64,
    /// By process, with the exec ids, oldest first.
    known: FxHashMap<ProcessKey, SmallVec<[(u32, Descent); 2]>>,
    exited: VecDeque<(u64, ProcessKey)>,
    refused: u64,
}

impl Descents {
    pub(crate) fn new(max_processes: usize, grace_ns: u64) -> Self {
        Self {
            max_processes,
            grace_ns,
            known: FxHashMap::default(),
            exited: VecDeque::new(),
            refused: 0,
        }
    }

    pub(crate) fn get(&self, key: ProcessKey, exec_id: u32) -> Option<&Descent> {
        let generations = self.known.get(&key)?;
        generations
            .iter()
            .rev()
            .find(|generation| generation.0 == exec_id)
            .map(|generation| &generation.1)
    }

    pub(crate) fn insert(&mut self, key: ProcessKey, exec_id: u32, descent: Descent) {
        if let Some(generations) = self.known.get_mut(&key) {
            generations.retain(|generation| generation.0 != exec_id);
            if generations.len() >= MAX_GENERATIONS {
                generations.remove(0);
            }
            generations.push((exec_id, descent));
            return;
        }
        while self.known.len() >= self.max_processes {
            let Some((_, exited)) = self.exited.pop_front() else {
                self.refused += 1;
                return;
            };
            self.known.remove(&exited);
        }
        self.known
            .insert(key, SmallVec::from_iter([(exec_id, descent)]));
    }

    pub(crate) fn exit(&mut self, key: ProcessKey, now_ns: u64) {
        if self.known.contains_key(&key) {
            self.exited.push_back((now_ns, key));
        }
    }

    pub(crate) fn expire(&mut self, now_ns: u64) {
        while let Some(&(exited_ns, key)) = self.exited.front()
            && exited_ns.saturating_add(self.grace_ns) <= now_ns
        {
            self.exited.pop_front();
            self.known.remove(&key);
        }
    }

    pub(crate) fn retain(&mut self, is_known: impl Fn(ProcessKey) -> bool) {
        self.known.retain(|key, _| is_known(*key));
    }

    /// How many processes found no room.
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }
}
