//! The start of a container: the time in which whatever its image runs is taken as normal, and learned.

use rustc_hash::FxHashSet;
use vigia_event::container::Inspected;
use vigia_event::process::ProcessKey;

use super::descent::{Inside, Place};
use super::memory::Memory;
use super::program::{Chain, ChainId};

/// Chains learned per container.
const MAX_SEEN: usize = 256;

/// The (latest) start of one container.
#[derive(Debug)]
pub(crate) struct Start {
    init: ProcessKey,
    /// The first process, or the one that an init wrapper runs.
    main: ProcessKey,
    /// The main process is an init wrapper, and has not started anything yet.
    wrapper_waits: bool,
    /// How often it started. Only the first start teaches: otherwise, whoever can make a container crash could
    /// teach it, start by start, what he wants to do later.
    starts: u32,
    /// `CLOCK_BOOTTIME` at which the start is over.
    window_end_ns: u64,
    /// Chains executed during the first start.
    seen: FxHashSet<ChainId>,
    /// Chains that read a secret during the first start.
    readers: Vec<Chain>,
    /// Image and service, once the engine has told them.
    service: Option<String>,
}

impl Start {
    pub(crate) fn new(init: ProcessKey, window_end_ns: u64) -> Self {
        Self {
            init,
            main: init,
            wrapper_waits: false,
            starts: 1,
            window_end_ns,
            seen: FxHashSet::default(),
            readers: Vec::new(),
            service: None,
        }
    }

    /// The same container starts again, with another first process.
    pub(crate) fn again(&mut self, init: ProcessKey, window_end_ns: u64) {
        self.starts = self.starts.saturating_add(u32::from(init != self.init));
        self.init = init;
        self.main = init;
        self.wrapper_waits = false;
        self.window_end_ns = window_end_ns;
    }

    pub(crate) fn in_window(&self, now_ns: u64) -> bool {
        now_ns <= self.window_end_ns
    }

    pub(crate) fn window_end_ns(&self) -> u64 {
        self.window_end_ns
    }

    /// Image and service, once known.
    pub(crate) fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    fn learns(&self) -> bool {
        self.starts == 1
    }

    /// A process of the first process's tree executed a program: whether that belongs to the start, or happened
    /// the same way during the first start.
    pub(crate) fn judge_exec(
        &mut self,
        after: &Inside,
        before: Option<&Inside>,
        process: ProcessKey,
        now_ns: u64,
        window_ns: u64,
    ) -> bool {
        let mut in_window = self.in_window(now_ns);
        if after.place == Place::Main && process == self.main {
            // An entry script may wait long for a database before it executes the real program. A program that is
            // not there to execute another one, however, does not open the window again: that would be an intruder.
            let leads_on = |before: &Inside| {
                before
                    .chain
                    .last()
                    .is_some_and(|last| last.is_script() || last.is_init_wrapper())
            };
            in_window |= before.is_some_and(leads_on);
            if in_window {
                self.window_end_ns = self.window_end_ns.max(now_ns.saturating_add(window_ns));
            }
            self.wrapper_waits = after
                .chain
                .last()
                .is_some_and(|last| last.is_init_wrapper());
        }
        let Some(id) = after.chain.id() else {
            return in_window;
        };
        if in_window && self.learns() && after.dropped.is_none() && self.seen.len() < MAX_SEEN {
            self.seen.insert(id);
        }
        in_window || self.seen.contains(&id)
    }

    /// Makes a child the main process, if its parent is an init wrapper that has waited for it.
    pub(crate) fn hand_over_main(&mut self, parent: ProcessKey, child: ProcessKey) -> bool {
        let is_first = self.wrapper_waits && parent == self.main;
        if is_first {
            self.main = child;
            self.wrapper_waits = false;
        }
        is_first
    }

    /// A chain read a secret during the start.
    pub(crate) fn learn_reader(&mut self, container_id: &str, chain: &Chain, memory: &mut Memory) {
        if !self.learns()
            || self.readers.iter().any(|known| known.id() == chain.id())
            || self.readers.len() >= MAX_SEEN
        {
            return;
        }
        self.readers.push(chain.clone());
        memory.learn_for_container(container_id, chain);
        if let Some(service) = &self.service {
            memory.learn_for_service(service, chain);
        }
    }

    /// The engine told image and service: what was learned before is learned for them, too.
    pub(crate) fn learn_service(&mut self, known: &Inspected, memory: &mut Memory) {
        if self.service.is_some() {
            return;
        }
        let service = service_of(known);
        for chain in &self.readers {
            memory.learn_for_service(&service, chain);
        }
        self.service = Some(service);
    }
}

/// Names what containers have in common that run the same image for the same purpose: without the tag, so that
/// an update does not forget.
fn service_of(known: &Inspected) -> String {
    let compose = known.label("com.docker.compose.service");
    let swarm = known.swarm().and_then(|swarm| swarm.service());
    let service = swarm.or(compose).unwrap_or(&known.name);
    let mut name = format!("{} {}", known.image_repository, service);
    let end = name
        .char_indices()
        .map(|(index, _)| index)
        .take_while(|index| *index < 512)
        .last()
        .unwrap_or(0);
    if name.len() > 512 {
        name.truncate(end);
    }
    name
}
