//! The sums that an agent's counters must keep: nothing is lost without being counted.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::metrics::Metrics;
use crate::wait;

/// One equation: the left metrics and the right ones have the same sum, within every value of a label.
struct Equation {
    left: &'static [&'static str],
    right: &'static [&'static str],
    by: Option<&'static str>,
}

const EQUATIONS: &[Equation] = &[
    Equation {
        left: &["vigia_kernel_events_seen_total"],
        right: &[
            "vigia_kernel_events_filtered_total",
            "vigia_kernel_events_submitted_total",
            "vigia_kernel_events_lost_total",
        ],
        by: Some("class"),
    },
    Equation {
        left: &["vigia_kernel_events_submitted_total"],
        right: &["vigia_events_decoded_total", "vigia_events_malformed_total"],
        by: None,
    },
    Equation {
        left: &["vigia_events_decoded_total"],
        right: &["vigia_events_tracked_total"],
        by: None,
    },
    Equation {
        left: &["vigia_events_tracked_total", "vigia_events_made_total"],
        right: &[
            "vigia_events_state_only_total",
            "vigia_events_enriched_total",
        ],
        by: None,
    },
    Equation {
        left: &["vigia_events_enriched_total"],
        right: &["vigia_events_evaluated_total", "vigia_events_waiting"],
        by: None,
    },
    Equation {
        left: &["vigia_output_queued_total"],
        right: &[
            "vigia_output_delivered_total",
            "vigia_output_pending",
            "vigia_output_dropped_total",
            "vigia_output_dead_lettered_total",
        ],
        by: Some("output"),
    },
];

/// Every equation that does not hold, in words; empty when all do.
#[must_use]
pub fn imbalances(metrics: &Metrics) -> Vec<String> {
    let every = EQUATIONS
        .iter()
        .flat_map(|equation| equation.instances(metrics));
    every
        .filter_map(|instance| instance.imbalance(metrics))
        .map(|(_, words)| words)
        .collect()
}

/// Equations that never hold while `scrape` is asked again and again, in words; empty as soon as each has held
/// once. A scrape is not one instant, so that a busy machine shows each of them out of step most of the time;
/// one lost event keeps its equation out of step for good.
pub fn never_held(limit: Duration, mut scrape: impl FnMut() -> Option<Metrics>) -> Vec<String> {
    let mut held = BTreeSet::new();
    let mut last = vec!["there was no scrape".to_owned()];
    wait::poll(limit, || {
        let metrics = scrape()?;
        last.clear();
        for instance in EQUATIONS
            .iter()
            .flat_map(|equation| equation.instances(&metrics))
        {
            match instance.imbalance(&metrics) {
                None => {
                    held.insert(instance.name());
                }
                Some((name, words)) if !held.contains(&name) => last.push(words),
                Some(_) => {}
            }
        }
        last.is_empty().then_some(())
    });
    last
}

/// An equation within one value of its label.
struct Instance {
    equation: &'static Equation,
    value: String,
}

impl Equation {
    fn instances(&'static self, metrics: &Metrics) -> Vec<Instance> {
        let values = match self.by {
            Some(label) => metrics.values(self.left[0], label),
            None => vec![String::new()],
        };
        values
            .into_iter()
            .map(|value| Instance {
                equation: self,
                value,
            })
            .collect()
    }
}

impl Instance {
    fn name(&self) -> String {
        format!("{} {}", self.equation.left.join(" + "), self.value)
    }

    /// The name of the equation and what does not hold; `None` when it holds.
    fn imbalance(&self, metrics: &Metrics) -> Option<(String, String)> {
        let labels: Vec<_> = self
            .equation
            .by
            .map(|label| (label, self.value.as_str()))
            .into_iter()
            .collect();
        let sum =
            |names: &[&str]| -> f64 { names.iter().map(|name| metrics.sum(name, &labels)).sum() };
        let (left, right) = (sum(self.equation.left), sum(self.equation.right));
        if (left - right).abs() < 0.5 {
            return None;
        }
        let words = format!(
            "{} = {left}, but {} = {right}",
            self.name(),
            self.equation.right.join(" + ")
        );
        Some((self.name(), words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BALANCED: &str = "vigia_kernel_events_seen_total{class=\"open\"} 12\n\
        vigia_kernel_events_filtered_total{class=\"open\",cause=\"no_interest\"} 3\n\
        vigia_kernel_events_submitted_total{class=\"open\"} 7\n\
        vigia_kernel_events_lost_total{class=\"open\",cause=\"ring_full\"} 2\n\
        vigia_events_decoded_total 6\nvigia_events_malformed_total 1\nvigia_events_tracked_total 6\n\
        vigia_events_state_only_total 1\nvigia_events_enriched_total 5\nvigia_events_evaluated_total 4\n\
        vigia_events_waiting 1\nvigia_output_queued_total{output=\"x\"} 3\nvigia_output_delivered_total{output=\"x\"} 3\n";

    #[test]
    fn balanced_counters_are_accepted() {
        assert_eq!(imbalances(&Metrics::parse(BALANCED)), [""; 0]);
    }

    #[test]
    fn equations_may_hold_one_after_the_other_but_each_must() {
        let early = BALANCED.replace("decoded_total 6", "decoded_total 5");
        let late = BALANCED.replace("tracked_total 6", "tracked_total 7");
        let mut scrapes = [&early, &late].into_iter().cycle();
        let mut next = || scrapes.next().map(|text| Metrics::parse(text));
        assert_eq!(
            never_held(Duration::from_millis(200), &mut next).len(),
            1,
            "decoded = tracked holds in neither"
        );
        let mut scrapes = [early.as_str(), BALANCED].into_iter().cycle();
        assert_eq!(
            never_held(Duration::from_millis(200), || scrapes
                .next()
                .map(Metrics::parse)),
            [""; 0]
        );
    }

    #[test]
    fn one_record_that_vanishes_anywhere_is_noticed() {
        for (line, without_one) in [
            (
                "submitted_total{class=\"open\"} 7",
                "submitted_total{class=\"open\"} 6",
            ),
            ("decoded_total 6", "decoded_total 5"),
            ("tracked_total 6", "tracked_total 5"),
            ("enriched_total 5", "enriched_total 4"),
            ("evaluated_total 4", "evaluated_total 3"),
            (
                "delivered_total{output=\"x\"} 3",
                "delivered_total{output=\"x\"} 2",
            ),
        ] {
            let text = BALANCED.replace(line, without_one);
            assert_ne!(text, BALANCED, "{line}");
            assert!(!imbalances(&Metrics::parse(&text)).is_empty(), "{line}");
        }
    }
}
