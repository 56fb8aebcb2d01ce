//! Reading the Prometheus text format.

use std::collections::{BTreeMap, BTreeSet};

/// All samples of one scrape.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    samples: Vec<Sample>,
}

#[derive(Clone, Debug, PartialEq)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Metrics {
    /// Parses an exposition; lines that are none are left out (`promtool` is the judge of the format).
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self {
            samples: text.lines().filter_map(sample).collect(),
        }
    }

    /// The sum over all samples of a name that carry these labels; 0 when there is none.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.samples
            .iter()
            .filter(|sample| sample.name == name)
            .filter(|sample| {
                labels
                    .iter()
                    .all(|(key, value)| sample.labels.get(*key).is_some_and(|found| found == value))
            })
            .map(|sample| sample.value)
            .sum()
    }

    /// Every value a label has among the samples of a name.
    #[must_use]
    pub fn values(&self, name: &str, label: &str) -> Vec<String> {
        let of_name = self.samples.iter().filter(|sample| sample.name == name);
        let values: BTreeSet<_> = of_name
            .filter_map(|sample| sample.labels.get(label))
            .cloned()
            .collect();
        values.into_iter().collect()
    }

    /// Whether there is a sample of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.samples.iter().any(|sample| sample.name == name)
    }
}

fn sample(line: &str) -> Option<Sample> {
    if line.starts_with('#') {
        return None;
    }
    let (series, value) = match line.split_once('}') {
        Some((series, rest)) => (series, rest.trim()),
        None => line.split_once(' ')?,
    };
    let value = value.split(' ').next()?.parse().ok()?;
    let (name, inner) = series.split_once('{').unwrap_or((series, ""));
    let mut labels = BTreeMap::new();
    let mut rest = inner;
    while let Some((key, after)) = rest.split_once("=\"") {
        // Quotes inside a value are escaped; the tests look at no such value.
        let (value, after) = after.split_once('"')?;
        labels.insert(key.trim_start_matches(',').to_owned(), value.to_owned());
        rest = after;
    }
    Some(Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_summed_by_label() {
        let metrics = Metrics::parse(
            "# HELP a_total x\n# TYPE a_total counter\na_total{k=\"v\",l=\"1\"} 2\na_total{k=\"v\",l=\"2\"} 3\nb 1.5\n",
        );
        for (name, labels, expected) in [
            ("a_total", &[][..], 5.0),
            ("a_total", &[("l", "2")][..], 3.0),
            ("a_total", &[("k", "v"), ("l", "1")][..], 2.0),
            ("a_total", &[("k", "w")][..], 0.0),
            ("b", &[][..], 1.5),
        ] {
            assert!(
                (metrics.sum(name, labels) - expected).abs() < f64::EPSILON,
                "{name} {labels:?}"
            );
        }
        assert!(metrics.has("b") && !metrics.has("c"));
    }
}
