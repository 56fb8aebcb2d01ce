//! The sums that an agent's counters must keep: nothing is lost without being counted.

use crate::metrics::Metrics;

/// One equation: the sum of the left metrics is that of the right ones, within every value of a label.
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
        left: &["vigia_events_tracked_total"],
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

/// Every equation that does not hold, in words; empty when all do. A scrape is not one instant: ask again
/// before believing it of a machine that is not idle.
#[must_use]
pub fn imbalances(metrics: &Metrics) -> Vec<String> {
    let mut found = Vec::new();
    for equation in EQUATIONS {
        let values = match equation.by {
            Some(label) => metrics.values(equation.left[0], label),
            None => vec![String::new()],
        };
        for value in &values {
            let labels: Vec<_> = equation
                .by
                .map(|label| (label, value.as_str()))
                .into_iter()
                .collect();
            let sum = |names: &[&str]| -> f64 {
                names.iter().map(|name| metrics.sum(name, &labels)).sum()
            };
            let (left, right) = (sum(equation.left), sum(equation.right));
            if (left - right).abs() > 0.5 {
                let (names, others) = (equation.left.join(" + "), equation.right.join(" + "));
                found.push(format!("{value} {names} = {left}, but {others} = {right}"));
            }
        }
    }
    found
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
