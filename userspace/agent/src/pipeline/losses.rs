//! Saying what was not seen: losses become alerts, so that silence can be told from blindness.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use vigia_alerts::Alert;
use vigia_engine::Priority;
use vigia_inventory::WallClock;
use vigia_sensor::{Cause, Counters, Table};

use super::Stages;

/// Losses that were already reported.
#[derive(Debug, Default)]
pub(super) struct Losses {
    ring_full: u64,
    skipped: u64,
    malformed: u64,
    table_full: u64,
    silent_requests: u64,
    /// Reported by container, see [`Stages::report_budget`].
    over_budget: u64,
}

impl Losses {
    /// Events that nobody saw.
    pub(super) fn unseen(&self) -> u64 {
        self.ring_full + self.skipped + self.malformed + self.silent_requests + self.over_budget
    }
}

/// One kind of loss, as its alert names it.
struct Loss {
    rule: &'static str,
    field: &'static str,
    count: u64,
    explanation: &'static str,
}

impl Stages {
    /// Raises an alert for every kind of loss that grew since the last call.
    pub(super) fn report_losses(&mut self, counters: &Counters) {
        let skipped = counters
            .recursion_misses
            .iter()
            .map(|(_, count)| count)
            .sum();
        // A slot that another call took loses a second look at a path, and nothing was forgotten: counted, no alert.
        let is_slot = |table| {
            matches!(
                table,
                Table::EntriesFull | Table::RequestsFull | Table::RequestsSilent
            )
        };
        let table_full = counters
            .tables()
            .filter(|(table, _)| !is_slot(*table))
            .map(|(_, count)| count)
            .sum();
        let last = std::mem::replace(
            &mut self.losses,
            Losses {
                ring_full: counters.total(Cause::RingFull),
                skipped,
                malformed: self.metrics.malformed.get(),
                table_full,
                silent_requests: counters.table(Table::RequestsSilent),
                over_budget: counters.total(Cause::OverBudget),
            },
        );
        let grown = [
            Loss {
                rule: "Vigia internal: ring full",
                field: "vigia.ring_full",
                count: self.losses.ring_full.saturating_sub(last.ring_full),
                explanation: "events were lost because the ring between kernel and agent was full; raise sensor.ring_bytes",
            },
            Loss {
                rule: "Vigia internal: probe runs skipped",
                field: "vigia.probe_runs_skipped",
                count: skipped.saturating_sub(last.skipped),
                explanation: "events were not seen because the kernel skipped a probe that was running on the same processor",
            },
            Loss {
                rule: "Vigia internal: malformed records",
                field: "vigia.malformed",
                count: self.losses.malformed.saturating_sub(last.malformed),
                explanation: "records could not be decoded",
            },
            Loss {
                rule: "Vigia internal: kernel table full",
                field: "vigia.kernel_table_full",
                count: table_full.saturating_sub(last.table_full),
                explanation: "processes or containers were not remembered because a table of the probes was full; raise sensor.max_tasks or inventory.max_containers",
            },
            Loss {
                rule: "Vigia internal: io_uring requests not seen",
                field: "vigia.silent_requests",
                count: self
                    .losses
                    .silent_requests
                    .saturating_sub(last.silent_requests),
                explanation: "requests were handed to io_uring so that nobody is told when they succeed (IOSQE_CQE_SKIP_SUCCESS)",
            },
        ];
        for loss in grown.into_iter().filter(|loss| loss.count > 0) {
            self.report_loss(&loss);
        }
    }

    fn report_loss(&mut self, loss: &Loss) {
        let fields = BTreeMap::from([(loss.field.to_owned(), Json::from(loss.count))]);
        let message = format!("{} {}", loss.count, loss.explanation);
        let now_ns = self.clock.epoch_ns(WallClock::boot_now_ns());
        let alert = Alert::internal(
            loss.rule,
            Priority::Warning,
            message,
            fields,
            now_ns,
            &self.node,
            &self.judge.context,
        );
        self.admit(alert);
    }
}
