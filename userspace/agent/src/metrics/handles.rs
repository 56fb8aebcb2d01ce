//! Metrics whose labels are known only at run time, resolved to handles once.

use prometheus::{IntCounter, IntGauge};

use super::Metrics;

/// Makes a counter follow a total that is counted elsewhere. It never falls, whatever the total does.
pub fn advance(counter: &IntCounter, total: u64) {
    counter.inc_by(total.saturating_sub(counter.get()));
}

/// Counters of every rule, in the order of the ruleset.
#[derive(Clone, Debug)]
pub struct RuleMetrics {
    rows: Vec<(IntCounter, IntCounter)>,
}

impl RuleMetrics {
    /// Times a rule fired, by its position in the ruleset.
    ///
    /// # Panics
    /// The position is beyond the rules the handles were made for.
    #[must_use]
    pub fn matches(&self, index: usize) -> &IntCounter {
        &self.rows[index].0
    }

    /// Times a rule could not be decided, by its position in the ruleset.
    ///
    /// # Panics
    /// The position is beyond the rules the handles were made for.
    #[must_use]
    pub fn partial(&self, index: usize) -> &IntCounter {
        &self.rows[index].1
    }
}

/// Counters of one output.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the rows of the table of metrics say it")]
pub struct OutputMetrics {
    pub queued: IntCounter,
    pub delivered: IntCounter,
    pub pending: IntGauge,
    pub retried: IntCounter,
    pub dropped: IntCounter,
    pub dead_lettered: IntCounter,
}

/// State of one container engine.
#[derive(Clone, Debug)]
pub struct EngineMetrics {
    connected: IntGauge,
    lost: IntCounter,
}

impl EngineMetrics {
    /// It answers.
    pub fn connect(&self) {
        self.connected.set(1);
    }

    /// It does no longer answer.
    pub fn lose(&self) {
        if self.connected.get() == 1 {
            self.lost.inc();
        }
        self.connected.set(0);
    }
}

impl Metrics {
    /// Handles for the rules of a ruleset: names and priorities, in its order.
    #[must_use]
    pub fn rules<'r>(&self, rules: impl IntoIterator<Item = (&'r str, &'r str)>) -> RuleMetrics {
        let rows: Vec<_> = rules
            .into_iter()
            .map(|(name, priority)| {
                let labels = &[name, priority];
                (
                    self.rule_matches.with_label_values(labels),
                    self.rule_partial.with_label_values(labels),
                )
            })
            .collect();
        self.rules_loaded
            .set(i64::try_from(rows.len()).unwrap_or(i64::MAX));
        RuleMetrics { rows }
    }

    /// Handles for an output.
    #[must_use]
    pub fn output(&self, name: &str) -> OutputMetrics {
        let labels = &[name];
        OutputMetrics {
            queued: self.output_queued.with_label_values(labels),
            delivered: self.output_delivered.with_label_values(labels),
            pending: self.output_pending.with_label_values(labels),
            retried: self.output_retried.with_label_values(labels),
            dropped: self.output_dropped.with_label_values(labels),
            dead_lettered: self.output_dead_lettered.with_label_values(labels),
        }
    }

    /// Handles for the container engine behind a socket; it counts as not connected.
    #[must_use]
    pub fn engine(&self, socket: &str) -> EngineMetrics {
        let handles = EngineMetrics {
            connected: self.engine_connected.with_label_values(&[socket]),
            lost: self.engine_lost.with_label_values(&[socket]),
        };
        handles.connected.set(0);
        handles
    }

    /// There is no such socket any more: nobody shall be warned of it.
    pub fn forget_engine(&self, socket: &str) {
        // It was never shown, perhaps.
        let _ = self.engine_connected.remove_label_values(&[socket]);
        let _ = self.engine_lost.remove_label_values(&[socket]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_follows_its_source_and_never_falls() {
        let counter = IntCounter::new("x_total", "x").unwrap();
        for (total, shown) in [(5, 5), (5, 5), (9, 9), (2, 9), (10, 10)] {
            advance(&counter, total);
            assert_eq!(counter.get(), shown);
        }
    }

    #[test]
    fn only_a_connection_that_was_there_can_break() {
        let metrics = Metrics::new();
        let engine = metrics.engine("/run/a.sock");
        engine.lose();
        engine.connect();
        engine.lose();
        assert_eq!(
            metrics
                .engine_lost
                .with_label_values(&["/run/a.sock"])
                .get(),
            1
        );
    }
}
