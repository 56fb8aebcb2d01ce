//! What happens once a second: counters, heartbeat, budgets, and what was learned is kept.

use std::sync::Arc;

use vigia_inventory::processes::{self, Scanned};
use vigia_inventory::{WallClock, users};
use vigia_sensor::Counters;

use super::{Pipeline, Stages, setup};
use crate::metrics::{MetadataFailure, Table, advance};

/// How often, in samples, /proc is compared with the process table: records of ends may be among those that were lost.
const RESCAN: u64 = 300;

/// How often, in samples, secrets are looked for where files may have come or been replaced.
const LOOK_AGAIN: u64 = 10;

/// How often, in samples, the wall clock and the host's users are read again and learned readers are saved.
const SELDOM: u64 = 30;

impl Pipeline {
    pub(super) fn sample(&mut self) {
        self.stages.samples += 1;
        match self.sensor.counters() {
            Ok(counters) => {
                self.stages.export_kernel(&counters);
                self.stages.report_losses(&counters);
            }
            Err(error) => tracing::warn!(%error, "cannot read the kernel's counters"),
        }
        match self.sensor.take_over_budget() {
            Ok(containers) => {
                for (cgroup_id, count) in containers.into_iter().filter(|(_, count)| *count > 0) {
                    self.stages.report_budget(cgroup_id, count);
                }
            }
            Err(error) => tracing::warn!(%error, "cannot read the budgets"),
        }
        let Stages {
            processes,
            containers,
            clock,
            ..
        } = &mut self.stages;
        let boot_now_ns = WallClock::boot_now_ns();
        processes.expire(boot_now_ns);
        containers.keep_survived(
            processes
                .running()
                .map(|process| process.task.origin_cgroup_id)
                .filter(|origin| *origin != 0),
        );
        containers.expire(clock.epoch_ns(boot_now_ns));
        self.stages.forget_gone();
        self.stages.export_tables();
        if self.stages.samples.is_multiple_of(SELDOM) {
            self.stages.clock.refresh();
            if let Ok(found) = users::of_process(&self.constants.proc_root, self.constants.host_pid)
            {
                self.stages.host_users = Arc::new(found);
            }
            if let Some(path) = &self.constants.readers_file {
                setup::save_readers(&mut self.stages.readers, path);
            }
        }
        if self.stages.samples.is_multiple_of(LOOK_AGAIN) {
            self.stages.containers.look_again();
            self.stages.containers.look_at_host();
        }
        self.stages.keep_recording();
        self.look_for_engines();
        self.rescan();
        self.health.beat();
        let now_ns = self.stages.clock.epoch_ns(WallClock::boot_now_ns());
        self.stages
            .metrics
            .beat(std::time::Duration::from_nanos(now_ns).as_secs_f64());
    }

    /// Reads /proc beside the pipeline, and joins what it found at the next sample.
    fn rescan(&mut self) {
        if let Some(running) = &self.rescan
            && let Ok(found) = running.try_recv()
        {
            self.rescan = None;
            match found.processes {
                Ok(processes) => self.stages.reconcile(&processes, found.boot_time_ns),
                Err(error) => tracing::warn!(%error, "cannot compare the process table with /proc"),
            }
        }
        if !self.stages.samples.is_multiple_of(RESCAN) || self.rescan.is_some() {
            return;
        }
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let (proc_root, options) = (self.constants.proc_root.clone(), self.constants.scan);
        tokio::task::spawn_blocking(move || {
            let boot_time_ns = WallClock::boot_now_ns();
            let processes = processes::scan(&proc_root, &options);
            // Nobody waits for it where the agent has stopped.
            let _ = sender.send(Rescan {
                boot_time_ns,
                processes,
            });
        });
        self.rescan = Some(receiver);
    }
}

/// What /proc held, and when it was begun to be read.
pub(super) struct Rescan {
    boot_time_ns: u64,
    processes: std::io::Result<Vec<Scanned>>,
}

impl Stages {
    fn reconcile(&mut self, scanned: &[Scanned], boot_time_ns: u64) {
        self.processes
            .merge(scanned, boot_time_ns, self.clock.epoch_ns(boot_time_ns));
        let Self {
            processes, readers, ..
        } = self;
        readers.reconcile(|key| processes.get(key).is_some());
    }

    fn export_kernel(&self, counters: &Counters) {
        for (class, cause, total) in counters.by_class() {
            self.metrics.set_kernel(class.name(), cause.name(), total);
        }
        for (table, total) in counters.tables() {
            advance(
                &self
                    .metrics
                    .kernel_table_full
                    .with_label_values(&[table.name()]),
                total,
            );
        }
        for (program, total) in &counters.recursion_misses {
            advance(
                &self.metrics.recursion_misses.with_label_values(&[*program]),
                *total,
            );
        }
        advance(&self.metrics.made_good, counters.made_good());
        self.metrics.ring_used.set(signed(counters.ring.used_bytes));
        self.metrics.ring_size.set(signed(counters.ring.size_bytes));
    }

    pub(super) fn export_tables(&self) {
        let metrics = &self.metrics;
        metrics.waiting.set(signed(self.waiting.len() as u64));
        metrics
            .table_entries
            .set(Table::Processes, self.processes.len());
        metrics
            .table_entries
            .set(Table::Containers, self.containers.len());
        metrics
            .table_entries
            .set(Table::Throttle, self.judge.throttle.keys());
        let processes = self.processes.counts();
        metrics
            .table_evicted
            .advance(Table::Processes, processes.evicted + processes.untracked);
        advance(&metrics.processes_unknown, processes.placeholders);
        let containers = self.containers.counts();
        metrics
            .table_evicted
            .advance(Table::Containers, containers.evicted);
        metrics
            .metadata_failed
            .advance(MetadataFailure::Foreign, containers.foreign_answers);
        advance(&metrics.requests_dropped, containers.requests_dropped);
        let readers = self.readers.counts();
        metrics
            .table_evicted
            .advance(Table::Readers, readers.untracked + readers.forgotten_starts);
        let throttle = self.judge.throttle.counters();
        metrics
            .table_evicted
            .advance(Table::Throttle, throttle.evicted);
        advance(&metrics.throttled, throttle.folded);
        advance(&metrics.summaries, throttle.summaries);
        for (name, counters) in self.outputs.counters() {
            let output = metrics.output(&name);
            advance(&output.queued, counters.recorded);
            advance(&output.delivered, counters.delivered);
            advance(&output.retried, counters.retried);
            advance(&output.dropped, counters.dropped);
            advance(&output.dead_lettered, counters.dead_lettered);
            output.pending.set(signed(counters.pending));
        }
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
