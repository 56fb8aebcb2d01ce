//! How processes leave the table: some time after their end, oldest first when room is needed, and never
//! while a descendant still needs them to tell where it comes from (unless room is needed).

use vigia_event::process::ProcessKey;

use super::{Entry, Moment, ProcessTable};

impl ProcessTable {
    /// Remembers a new process; false if there is no room.
    pub(super) fn insert(&mut self, key: ProcessKey, entry: Entry) -> bool {
        while self.entries.len() >= self.options.max_processes {
            if !self.evict() {
                self.counts.untracked += 1;
                return false;
            }
        }
        let holder = self
            .by_pid
            .get(&key.pid)
            .copied()
            .filter(|holder| *holder != key);
        // A late record may name a process whose pid was given away already.
        if holder.is_none_or(|holder| holder.start_ticks <= key.start_ticks) {
            self.by_pid.insert(key.pid, key);
            if let Some(holder) = holder
                && self.exit(holder, Moment::new(entry.seen_ns, 0))
            {
                self.counts.missed_exits += 1;
            }
        }
        self.entries.insert(key, entry);
        true
    }

    /// Marks a process as ended; false if it was already, or is unknown.
    pub(super) fn exit(&mut self, key: ProcessKey, moment: Moment) -> bool {
        let Some(entry) = self.entries.get_mut(&key) else {
            return false;
        };
        if entry.exited {
            return false;
        }
        entry.exited = true;
        self.exited.push_back((moment.boot_ns, key));
        true
    }

    /// Forgets the processes whose grace period is over. Every record does so, too; on a machine on which nothing happens
    /// there are none. `now_boot_ns` is `CLOCK_BOOTTIME` in nanoseconds.
    pub fn expire(&mut self, now_boot_ns: u64) {
        while let Some(&(exited_ns, key)) = self.exited.front()
            && exited_ns.saturating_add(self.options.grace_ns) <= now_boot_ns
        {
            self.exited.pop_front();
            self.retire(key);
        }
    }

    /// Forgets an exited process, or keeps it for its children.
    fn retire(&mut self, key: ProcessKey) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        if entry.children == 0 {
            self.remove(key);
            return;
        }
        entry.retained = true;
        self.retained.push_back(key);
        if self.retained.len() > self.options.max_processes / 4
            && let Some(oldest) = self.retained.pop_front()
            && self.entries.contains_key(&oldest)
        {
            self.counts.evicted += 1;
            self.remove(oldest);
        }
    }

    /// Makes room; false if everything in the table still runs.
    fn evict(&mut self) -> bool {
        let exited = self.exited.pop_front().map(|(_, key)| key);
        let Some(key) = exited.or_else(|| self.retained.pop_front()) else {
            return false;
        };
        if self.entries.contains_key(&key) {
            self.counts.evicted += 1;
            self.remove(key);
        }
        true
    }

    fn remove(&mut self, key: ProcessKey) {
        let mut next = Some(key);
        while let Some(key) = next.take() {
            let Some(entry) = self.entries.remove(&key) else {
                return;
            };
            if self.by_pid.get(&key.pid) == Some(&key) {
                self.by_pid.remove(&key.pid);
            }
            self.generation += u64::from(entry.children > 0);
            if let Some(parent_key) = entry.parent
                && let Some(parent) = self.entries.get_mut(&parent_key)
            {
                parent.children = parent.children.saturating_sub(1);
                if parent.retained && parent.children == 0 {
                    next = Some(parent_key);
                }
            }
        }
    }
}
