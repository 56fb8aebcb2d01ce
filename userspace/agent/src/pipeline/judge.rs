//! The stages that judge: who reads a secret, which rules match, what is a repeat, and what is recorded.

use std::time::Instant;

use vigia_alerts::Alert;
use vigia_engine::Outcome;
use vigia_event::Event;
use vigia_event::call::named;
use vigia_event::captured::Entry;
use vigia_inventory::WallClock;
use vigia_inventory::containers::ReadSecret;
use vigia_inventory::readers::Reading;

use super::Stages;
use crate::judge::{Verdict, is_told_again};

impl Stages {
    /// Asks the rules about an event and records what they find.
    pub(super) fn judge(&mut self, mut event: Event) {
        self.judge_reader(&mut event);
        self.note_start(&event);
        // What was reported only because it might have been a secret is nobody's business where it is none.
        if !event.captured.in_scope && event.secret.is_none() {
            self.metrics.evaluated.inc();
            return;
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.offer(&event, WallClock::boot_now_ns());
            if recorder.is_instead_of_rules() {
                return;
            }
        }
        self.metrics.evaluated.inc();
        let Self {
            judge,
            outputs,
            metrics,
            rule_metrics,
            ..
        } = self;
        judge.judge(&event, Instant::now(), &mut |verdict| match verdict {
            Verdict::Match(matched) => match matched.outcome {
                Outcome::Fires => rule_metrics.matches(matched.index).inc(),
                Outcome::Partial => rule_metrics.partial(matched.index).inc(),
            },
            Verdict::Alert(alert) => {
                metrics.recorded.inc();
                outputs.deliver(*alert);
            }
        });
    }

    /// A start that is judged without metadata says little: it is told again when they come.
    fn note_start(&mut self, event: &Event) {
        if is_told_again(event)
            && let Some(container) = &event.container
        {
            self.containers.told_without_metadata(&container.id);
        }
    }

    /// Who reads a secret is judged as late as possible: the container's metadata says who may.
    fn judge_reader(&mut self, event: &mut Event) {
        let Some(read) = self.secret_of(event) else {
            return;
        };
        let mut access = self.readers.judge(&Reading {
            process: &event.process,
            ancestors: &event.ancestors,
            container: event.container.as_deref(),
            secret: &read.secret,
            granted: read.granted,
            holders: &read.holders,
            serves_volumes: event
                .container
                .as_deref()
                .is_some_and(|container| self.containers.serves_volumes(container)),
            boot_time_ns: event.captured.boot_time_ns,
        });
        access.by_container_mount = match event.file() {
            Some(file) => self.containers.is_on_its_mount(file, event.time_ns),
            // It was found by the mounts of the reader's container.
            None => true,
        };
        event.secret = Some(Box::new(access));
    }

    /// The secret that an event is about, and whose it is.
    fn secret_of(&self, event: &Event) -> Option<ReadSecret> {
        let container = event.container.as_deref();
        if let Some(file) = event.file() {
            if file.environment_of != 0 {
                let reader = (&*event.process, container);
                return self
                    .containers
                    .environment_of(file, reader, &self.processes);
            }
            let secret = self.containers.secret_of(file, container, event.time_ns)?;
            let granted =
                container.is_some_and(|container| self.containers.is_granted(file, container));
            let holders = match granted {
                true => Vec::new(),
                false => self.containers.holders_of(file, event.time_ns),
            };
            return Some(ReadSecret {
                secret,
                granted,
                holders,
            });
        }
        // A request that opened a file tells none where its descriptor was closed in the same batch, or is a fixed one.
        let call = event
            .call()
            .filter(|call| call.entry == Entry::IoUring && call.result >= 0)?;
        let opens = matches!(call.event_type, named::OPENAT | named::OPENAT2);
        let path = event.paths.given.as_ref().filter(|_| opens)?;
        let (secret, granted) = self.containers.secret_at(path, container?)?;
        Some(ReadSecret {
            secret,
            granted,
            holders: Vec::new(),
        })
    }

    /// Records an alert unless it repeats another.
    pub(super) fn admit(&mut self, alert: Alert) {
        if let Some(alert) = self.judge.throttle.admit(alert, Instant::now()) {
            self.record(alert);
        }
    }

    /// Records the summaries of windows that have ended.
    pub(super) fn expire(&mut self, now: Instant) {
        for summary in self.judge.throttle.expire(now) {
            self.record(summary);
        }
    }

    /// Hands an alert to the outputs.
    pub(super) fn record(&mut self, alert: Alert) {
        self.metrics.recorded.inc();
        self.outputs.deliver(alert);
    }
}
