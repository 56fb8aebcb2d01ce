//! Joining what /proc says with what records said. A record always wins: /proc only fills what is blank.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use vigia_event::file::Origin;
use vigia_event::process::{Process, ProcessKey};

use super::scan::{Scanned, read_process};
use super::{Entry, MAX_ANCESTORS, Moment, ProcessTable};

/// Look-ups in /proc per second: enough for a calm machine after lost records, too few to be a burden.
const LOOKUPS_PER_SECOND: u32 = 500;

impl ProcessTable {
    /// Joins a scan of the whole /proc, which began at `boot_time_ns` (`CLOCK_BOOTTIME`) or `time_ns` (since the
    /// epoch). Processes that the table believes to run, but of which neither the scan nor any later record
    /// knows, have ended.
    pub fn merge(&mut self, scanned: &[Scanned], boot_time_ns: u64, time_ns: u64) {
        let moment = Moment::new(boot_time_ns, time_ns);
        for found in scanned {
            self.merge_one(found, moment);
        }
        if scanned.is_empty() {
            // A machine without processes is a /proc that cannot be read.
            return;
        }
        let alive: FxHashSet<ProcessKey> = scanned.iter().map(Scanned::key).collect();
        let gone = |(key, entry): (&ProcessKey, &Entry)| {
            (!entry.exited && entry.seen_ns < boot_time_ns && !alive.contains(key)).then_some(*key)
        };
        let gone: Vec<ProcessKey> = self.entries.iter().filter_map(gone).collect();
        for key in gone {
            self.counts.missed_exits += 1;
            self.exit(key, moment);
        }
    }

    fn merge_one(&mut self, found: &Scanned, moment: Moment) {
        let key = found.key();
        let Some(entry) = self.entries.get_mut(&key) else {
            let mut process = self.completed(&found.process);
            process.start_time_ns = moment.start_time_ns(process.task.start_boottime_ns);
            let entry = Entry {
                exec_id_known: false,
                ..Entry::new(Arc::new(process), moment.boot_ns)
            };
            self.insert(key, entry);
            self.generation += 1;
            return;
        };
        entry.seen_ns = entry.seen_ns.max(moment.boot_ns);
        if entry.image_observed {
            return;
        }
        let known = Arc::clone(&entry.process);
        let found = self.completed(&found.process);
        self.replace(&known, |process| {
            let known = std::mem::take(process);
            *process = Process {
                task: known.task,
                start_time_ns: known.start_time_ns,
                observed: known.observed,
                ..found
            };
        });
        self.generation += 1;
    }

    /// What was found, with what only the table can tell about it.
    fn completed(&self, found: &Process) -> Process {
        let mut process = found.clone();
        let of_host = process.task.namespaces.mnt == self.options.host_mnt_ns
            && self.options.host_mnt_ns != 0;
        if of_host && process.exe_origin == Origin::Unknown && !process.exe_path.is_empty() {
            process.exe_origin = Origin::Image;
        }
        process
    }

    /// Looks in /proc for a process that a record named, and for those of its ancestors that are unknown, too.
    pub(super) fn look_up(&mut self, key: ProcessKey, moment: Moment) {
        let mut pid = key.pid;
        for _ in 0..MAX_ANCESTORS {
            let Some(found) = self.look_up_pid(pid, moment) else {
                return;
            };
            let parent = found.process.task.parent_pid;
            // Another process with this pid would not be the one the record meant, but is worth knowing.
            self.merge_one(&found, moment);
            if parent == 0 || self.by_pid.contains_key(&parent) {
                return;
            }
            pid = parent;
        }
    }

    fn look_up_pid(&mut self, pid: u32, moment: Moment) -> Option<Scanned> {
        let proc_root = self.options.proc_root.as_deref()?;
        let second = moment.boot_ns / 1_000_000_000;
        if self.lookups_in.0 != second {
            self.lookups_in = (second, 0);
        }
        if self.lookups_in.1 >= LOOKUPS_PER_SECOND {
            self.counts.lookups_refused += 1;
            return None;
        }
        self.lookups_in.1 += 1;
        self.counts.lookups += 1;
        let found = read_process(proc_root, pid, &self.options.scan);
        self.counts.lookups_failed += u64::from(found.is_none());
        found
    }
}
