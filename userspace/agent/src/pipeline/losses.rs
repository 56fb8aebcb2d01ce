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

/// One kind of loss, as its alert names it.
#[derive(Debug)]
struct Loss {
    rule: &'static str,
    field: &'static str,
    count: u64,
    explanation: &'static str,
}

impl Losses {
    /// All of them at one moment.
    fn at(counters: &Counters, malformed: u64) -> Self {
        // A slot that another call took loses a second look at a path, and nothing was forgotten: counted, no alert.
        let is_slot = |table| {
            matches!(
                table,
                Table::EntriesFull | Table::RequestsFull | Table::RequestsSilent
            )
        };
        Self {
            ring_full: counters.total(Cause::RingFull),
            skipped: counters
                .recursion_misses
                .iter()
                .map(|(_, count)| count)
                .sum(),
            malformed,
            table_full: counters
                .tables()
                .filter(|(table, _)| !is_slot(*table))
                .map(|(_, count)| count)
                .sum(),
            silent_requests: counters.table(Table::RequestsSilent),
            over_budget: counters.total(Cause::OverBudget),
        }
    }

    /// Events that nobody saw.
    pub(super) fn unseen(&self) -> u64 {
        self.ring_full + self.skipped + self.malformed + self.silent_requests + self.over_budget
    }

    /// What grew since an earlier moment.
    fn since(&self, last: &Self) -> impl Iterator<Item = Loss> {
        [
            Loss {
                rule: "Vigia internal: ring full",
                field: "vigia.ring_full",
                count: self.ring_full.saturating_sub(last.ring_full),
                explanation: "events were lost because the ring between kernel and agent was full; raise sensor.ring_bytes",
            },
            Loss {
                rule: "Vigia internal: probe runs skipped",
                field: "vigia.probe_runs_skipped",
                count: self.skipped.saturating_sub(last.skipped),
                explanation: "events were not seen because the kernel skipped a probe that was running on the same processor",
            },
            Loss {
                rule: "Vigia internal: malformed records",
                field: "vigia.malformed",
                count: self.malformed.saturating_sub(last.malformed),
                explanation: "records could not be decoded",
            },
            Loss {
                rule: "Vigia internal: kernel table full",
                field: "vigia.kernel_table_full",
                count: self.table_full.saturating_sub(last.table_full),
                explanation: "processes or containers were not remembered because a table of the probes was full; raise sensor.max_tasks or inventory.max_containers",
            },
            Loss {
                rule: "Vigia internal: io_uring requests not seen",
                field: "vigia.silent_requests",
                count: self.silent_requests.saturating_sub(last.silent_requests),
                explanation: "requests were handed to io_uring so that nobody is told when they succeed (IOSQE_CQE_SKIP_SUCCESS)",
            },
        ]
        .into_iter()
        .filter(|loss| loss.count > 0)
    }
}

impl Stages {
    /// Raises an alert for every kind of loss that grew since the last call.
    pub(super) fn report_losses(&mut self, counters: &Counters) {
        let now = Losses::at(counters, self.metrics.malformed.get());
        let last = std::mem::replace(&mut self.losses, now);
        let grown: Vec<Loss> = self.losses.since(&last).collect();
        for loss in &grown {
            self.report_loss(loss);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_loss_is_told_once_with_how_much_it_grew() {
        type Grow = fn(&mut Losses);
        let nothing = Losses::default();
        assert_eq!(nothing.since(&nothing).count(), 0);
        let cases: [(Grow, &str); 5] = [
            (|losses| losses.ring_full += 3, "vigia.ring_full"),
            (|losses| losses.skipped += 3, "vigia.probe_runs_skipped"),
            (|losses| losses.malformed += 3, "vigia.malformed"),
            (|losses| losses.table_full += 3, "vigia.kernel_table_full"),
            (
                |losses| losses.silent_requests += 3,
                "vigia.silent_requests",
            ),
        ];
        for (grow, field) in cases {
            let (mut before, mut after) = (Losses::default(), Losses::default());
            grow(&mut after);
            let told: Vec<_> = after.since(&before).collect();
            assert!(
                matches!(told.as_slice(), [loss] if loss.field == field && loss.count == 3),
                "{field}: {told:?}"
            );
            assert_eq!(
                after.unseen(),
                if field == "vigia.kernel_table_full" {
                    0
                } else {
                    3
                }
            );
            grow(&mut before);
            assert_eq!(after.since(&before).count(), 0, "{field}");
        }
    }

    #[test]
    fn runs_that_the_kernel_skipped_count_over_all_programs() {
        let mut counters = Counters::default();
        counters.recursion_misses = vec![("calls", 5), ("fork", 2)];
        let losses = Losses::at(&counters, 0);
        assert_eq!((losses.skipped, losses.unseen()), (7, 7));
    }
}
