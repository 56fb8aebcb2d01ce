//! What one run of a service showed.

use serde_json::{Value, json};

use super::{Service, Sight, Variant};
use crate::Alert;
use crate::rules::SECRET_READ;

/// One service in one variant.
#[derive(Clone, Debug)]
pub struct Row {
    /// The service.
    pub service: &'static str,
    /// As what it ran.
    pub variant: &'static str,
    /// What it went through, in order.
    pub phases: Vec<&'static str>,
    /// What the load counted.
    pub requests: u64,
    /// What it counted.
    pub unit: &'static str,
    /// Times the probes ran for something in a container.
    pub seen: u64,
    /// Events the rules judged.
    pub judged: u64,
    /// Alerts at default priority, the misdeed's apart.
    pub alerts: Vec<String>,
    /// Alerts below it.
    pub lower: Vec<String>,
    /// Whether the misdeed was reported.
    pub misdeed_seen: bool,
    /// What the agent has counted as lost since it started, where something was reported.
    pub losses: String,
    /// What went wrong otherwise.
    pub faults: Vec<String>,
    /// How long it took.
    pub seconds: f64,
    /// Processor time of the agent meanwhile, in seconds.
    pub processor_s: f64,
    /// Memory of the agent afterwards.
    pub memory_bytes: u64,
}

impl Row {
    pub(super) fn new(service: &Service, variant: Variant) -> Self {
        Self {
            service: service.name,
            variant: variant.name(),
            phases: Vec::new(),
            requests: 0,
            unit: service.unit,
            seen: 0,
            judged: 0,
            alerts: Vec::new(),
            lower: Vec::new(),
            misdeed_seen: false,
            losses: String::new(),
            faults: Vec::new(),
            seconds: 0.0,
            processor_s: 0.0,
            memory_bytes: 0,
        }
    }

    pub(super) fn enter(&mut self, phase: &'static str) {
        self.phases.push(phase);
    }

    pub(super) fn phase(&self) -> &'static str {
        self.phases.last().copied().unwrap_or("start")
    }

    /// Takes what was reported about these containers, and about none.
    pub(super) fn judge(&mut self, alerts: &[Alert], secret: &str, ids: &[String]) {
        let Some(own) = ids.first() else { return };
        let ours = |alert: &&Alert| {
            alert.container_id().is_empty() || ids.iter().any(|id| alert.is_about(id))
        };
        let mut misdeeds = 0;
        for alert in alerts.iter().filter(ours) {
            if is_misdeed(alert, own, secret) && misdeeds == 0 {
                misdeeds += 1;
            } else if alert.is_low() {
                self.lower.push(alert.brief());
            } else {
                self.alerts.push(alert.brief());
            }
        }
    }

    pub(super) fn see(&mut self, before: &Sight, after: &Sight) {
        self.seen = whole(after.seen - before.seen);
        self.judged = whole(after.judged - before.judged);
        self.processor_s = after.processor_s - before.processor_s;
        self.memory_bytes = whole(after.memory_bytes);
        if self.seen == 0 || self.judged == 0 {
            self.faults
                .push("the agent saw nothing of the container".to_owned());
        }
    }

    /// Whether it was quiet, and the agent not blind.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.alerts.is_empty() && self.faults.is_empty() && self.misdeed_seen
    }

    /// Everything that does not hold, a line each.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let blind = (!self.misdeed_seen).then(|| "the misdeed was not reported".to_owned());
        let losses = (!self.losses.is_empty()).then(|| format!("losses: {}", self.losses));
        self.faults
            .iter()
            .chain(&self.alerts)
            .cloned()
            .chain(blind)
            .chain(losses)
            .collect()
    }

    /// The columns of the table.
    #[must_use]
    pub fn line(&self) -> String {
        format!(
            "{:<9} {:<10} {:<36} {:>8} {:<13} {:>8} events {:>7} judged {:>4} alerts {:>4} lower",
            self.service,
            self.variant,
            self.phases.join(" "),
            self.requests,
            self.unit,
            self.seen,
            self.judged,
            self.alerts.len(),
            self.lower.len(),
        )
    }

    /// All of it.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "service": self.service,
            "variant": self.variant,
            "phases": self.phases,
            "requests": self.requests,
            "unit": self.unit,
            "events_seen": self.seen,
            "events_judged": self.judged,
            "alerts": self.alerts,
            "lower_alerts": self.lower,
            "misdeed_reported": self.misdeed_seen,
            "losses": self.losses,
            "faults": self.faults,
            "seconds": self.seconds,
            "agent_processor_s": self.processor_s,
            "agent_memory_bytes": self.memory_bytes,
        })
    }
}

/// Whether an alert is about somebody's `cat` of a container's secret.
pub(super) fn is_misdeed(alert: &Alert, id: &str, secret: &str) -> bool {
    alert.rule() == SECRET_READ
        && alert.is_about(id)
        && alert.text("/evidence/secret/reader") == "entered"
        && alert.text("/evidence/process/cmdline") == format!("cat {secret}")
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counters of a scrape are whole, and far from 2^53"
)]
fn whole(value: f64) -> u64 {
    value.max(0.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quiet::SERVICES;

    const ID: &str = "0123456789abcdef";
    const SECRET: &str = "/run/secrets/key";

    fn alert(priority: &str, container: &str, rule: &str, cmdline: &str) -> Alert {
        let json = json!({
            "rule": rule,
            "priority": priority,
            "container": {"id": container},
            "evidence": {"process": {"cmdline": cmdline}, "secret": {"reader": "entered"}},
        });
        Alert::parse(&json.to_string()).unwrap()
    }

    #[test]
    fn alerts_count_by_priority_and_container() {
        let misdeed = || {
            alert(
                "Critical",
                "0123456789ab",
                SECRET_READ,
                "cat /run/secrets/key",
            )
        };
        for (name, alerts, expected) in [
            ("nothing", vec![], (0, 0)),
            ("the misdeed", vec![misdeed()], (0, 0)),
            ("the misdeed twice", vec![misdeed(), misdeed()], (1, 0)),
            (
                "another read",
                vec![alert("Critical", "0123456789ab", SECRET_READ, "cat /x")],
                (1, 0),
            ),
            (
                "a warning",
                vec![alert("Warning", "0123456789ab", "x", "")],
                (1, 0),
            ),
            (
                "a notice",
                vec![alert("Notice", "0123456789ab", "x", "")],
                (0, 1),
            ),
            ("a loss", vec![alert("Warning", "", "x", "")], (1, 0)),
            (
                "another container",
                vec![alert("Warning", "ba9876543210", "x", "")],
                (0, 0),
            ),
        ] {
            let mut row = Row::new(&SERVICES[0], Variant::Plain);
            row.judge(&alerts, SECRET, &[ID.to_owned()]);
            assert_eq!((row.alerts.len(), row.lower.len()), expected, "{name}");
        }
    }

    #[test]
    fn a_row_holds_only_when_the_misdeed_was_seen_and_nothing_else() {
        let quiet = Row {
            misdeed_seen: true,
            ..Row::new(&SERVICES[0], Variant::Plain)
        };
        assert!(quiet.holds() && quiet.complaints().is_empty());
        let sight = |seen, judged| Sight {
            seen,
            judged,
            processor_s: 0.0,
            memory_bytes: 0.0,
        };
        let mut blind = quiet.clone();
        blind.see(&sight(5.0, 5.0), &sight(9.0, 5.0));
        for (name, row) in [
            (
                "no misdeed",
                Row {
                    misdeed_seen: false,
                    ..quiet.clone()
                },
            ),
            (
                "an alert",
                Row {
                    alerts: vec!["x".to_owned()],
                    ..quiet.clone()
                },
            ),
            (
                "a fault",
                Row {
                    faults: vec!["x".to_owned()],
                    ..quiet.clone()
                },
            ),
            ("nothing judged", blind),
        ] {
            assert!(!row.holds() && !row.complaints().is_empty(), "{name}");
        }
    }
}
