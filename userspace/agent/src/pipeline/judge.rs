//! The stages that judge: who reads a secret, which rules match, what is a repeat, and what is recorded.

use std::time::Instant;

use vigia_alerts::Alert;
use vigia_engine::{Match, Outcome};
use vigia_event::Event;
use vigia_inventory::readers::Reading;

use super::Stages;

impl Stages {
    /// Asks the rules about an event and records what they find.
    pub(super) fn judge(&mut self, mut event: Event) {
        self.judge_reader(&mut event);
        self.metrics.evaluated.inc();
        let ruleset = std::sync::Arc::clone(&self.ruleset);
        let mut found: Vec<Match<'_>> = Vec::new();
        ruleset.evaluate(&event, &mut self.scratch, &mut |matched| {
            found.push(matched)
        });
        for matched in &found {
            self.limit(&event, matched);
        }
    }

    /// Who reads a secret is judged as late as possible: the container's metadata says who may.
    fn judge_reader(&mut self, event: &mut Event) {
        let Some(file) = event.file() else { return };
        let Some(secret) = self.containers.secret_of(file, event.time_ns) else {
            return;
        };
        let granted = event
            .container
            .as_deref()
            .is_some_and(|container| self.containers.is_granted(file, container));
        let access = self.readers.judge(&Reading {
            process: &event.process,
            ancestors: &event.ancestors,
            container: event.container.as_deref(),
            secret: &secret,
            granted,
            boot_time_ns: event.captured.boot_time_ns,
        });
        event.secret = Some(Box::new(access));
    }

    /// Counts a match and records it unless it repeats another.
    fn limit(&mut self, event: &Event, matched: &Match<'_>) {
        match matched.outcome {
            Outcome::Fires => self.rule_metrics.matches(matched.index).inc(),
            Outcome::Partial => self.rule_metrics.partial(matched.index).inc(),
        }
        // A flood of repeats is counted without the cost of an alert each.
        if self
            .throttle
            .fold(event, matched, &self.alert_context, Instant::now())
        {
            return;
        }
        let alert = Alert::new(event, matched, &self.alert_context);
        self.admit(alert);
    }

    /// Records an alert unless it repeats another.
    pub(super) fn admit(&mut self, alert: Alert) {
        if let Some(alert) = self.throttle.admit(alert, Instant::now()) {
            self.record(alert);
        }
    }

    /// Hands an alert to the outputs.
    pub(super) fn record(&mut self, alert: Alert) {
        self.metrics.recorded.inc();
        self.outputs.deliver(alert);
    }
}
