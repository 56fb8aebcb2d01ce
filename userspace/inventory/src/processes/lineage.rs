//! Ancestors and session leaders.
//!
//! The parent of a process is whoever *made* it, as observed, for as long as the table remembers. The kernel
//! gives orphans to a reaper, which would let a program hide its origin by forking twice; `proc.ppid` still
//! tells the kernel's view, from the header of every record.

use std::sync::Arc;

use smallvec::SmallVec;
use vigia_event::captured::Task;
use vigia_event::process::{Ancestors, Process, ProcessKey};

use super::ProcessTable;

/// How many ancestors are told at most.
pub const MAX_ANCESTORS: usize = 32;

impl ProcessTable {
    /// The ancestors of a process, parent first, at most [`MAX_ANCESTORS`]; kept until one of them changes.
    pub fn ancestors(&mut self, process: &Process) -> Ancestors {
        let key = process.key();
        if let Some(entry) = self.entries.get(&key)
            && let Some((generation, ancestors)) = &entry.ancestors
            && *generation == self.generation
        {
            return Arc::clone(ancestors);
        }
        let ancestors = self.walk(process);
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.ancestors = Some((self.generation, Arc::clone(&ancestors)));
        }
        ancestors
    }

    /// The leader of the session a process belongs to: the process with the session's id, or, if that one is
    /// no longer known, the oldest ancestor in the same session.
    pub fn session_leader(&mut self, process: &Process) -> Option<Arc<Process>> {
        self.leader(process, |task| task.sid)
    }

    /// The leader of the group a process belongs to, found like [`ProcessTable::session_leader`].
    pub fn group_leader(&mut self, process: &Process) -> Option<Arc<Process>> {
        self.leader(process, |task| task.pgid)
    }

    fn leader(&mut self, process: &Process, of: fn(&Task) -> u32) -> Option<Arc<Process>> {
        let id = of(&process.task);
        if id == 0 {
            return None;
        }
        // The kernel does not give a pid away while a session or group has it as its id, so this is never a
        // stranger.
        if let Some(leader) = self.latest(id).filter(|leader| of(&leader.task) == id) {
            return Some(Arc::clone(leader));
        }
        let ancestors = self.ancestors(process);
        ancestors
            .iter()
            .take_while(|ancestor| of(&ancestor.task) == id)
            .last()
            .cloned()
    }

    fn walk(&mut self, process: &Process) -> Ancestors {
        let mut ancestors: SmallVec<[Arc<Process>; 16]> = SmallVec::new();
        let mut parent = self.parent_of(process);
        while let Some(process) = parent
            && ancestors.len() < MAX_ANCESTORS
        {
            parent = self.parent_of(&process);
            ancestors.push(process);
        }
        ancestors.into_iter().collect()
    }

    fn parent_of(&mut self, child: &Process) -> Option<Arc<Process>> {
        let child_key = child.key();
        let recorded = self.entries.get(&child_key).and_then(|entry| entry.parent);
        if let Some(parent) = recorded.and_then(|parent| self.get(parent)) {
            return Some(Arc::clone(parent));
        }
        let parent = Arc::clone(self.latest(child.task.parent_pid)?);
        let parent_key = parent.key();
        if parent_key == child_key || parent_key.start_ticks > child_key.start_ticks {
            return None;
        }
        self.link(child_key, parent_key);
        Some(parent)
    }

    /// Records who made a process; both should be in the table.
    pub(super) fn link(&mut self, child: ProcessKey, parent: ProcessKey) {
        let known = self.entries.contains_key(&parent);
        let Some(child) = self.entries.get_mut(&child) else {
            return;
        };
        // A link that stands points to a forgotten process, which counts no children any more.
        child.parent = known.then_some(parent);
        if let Some(parent) = self.entries.get_mut(&parent) {
            parent.children += 1;
        }
    }
}
