//! What became of the alerts offered to one output.

use std::sync::atomic::{AtomicU64, Ordering};

/// A snapshot of one output's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputCounters {
    /// Alerts offered.
    pub recorded: u64,
    /// Alerts the receiver took.
    pub delivered: u64,
    /// Alerts in the queue or on their way.
    pub pending: u64,
    /// Alerts that found the queue full.
    pub dropped: u64,
    /// Alerts given up: refused for good, too old, or left at the stop.
    pub dead_lettered: u64,
    /// Attempts that failed and were made again.
    pub retried: u64,
}

/// The live counters. Each has one writer at a time and is only ever read for display, so no order between them is
/// needed.
#[derive(Debug, Default)]
pub(super) struct Counters {
    recorded: AtomicU64,
    delivered: AtomicU64,
    dropped: AtomicU64,
    dead_lettered: AtomicU64,
    retried: AtomicU64,
    pending: AtomicU64,
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    /// An alert is offered; until it leaves by one of the other doors, it is pending.
    pub(super) fn recorded(&self) {
        add(&self.recorded);
        add(&self.pending);
    }

    pub(super) fn delivered(&self) {
        self.leaves(&self.delivered);
    }

    pub(super) fn dropped(&self) {
        self.leaves(&self.dropped);
    }

    pub(super) fn dead_lettered(&self) {
        self.leaves(&self.dead_lettered);
    }

    pub(super) fn retried(&self) {
        add(&self.retried);
    }

    /// Everything still pending becomes dead-lettered; how much that was.
    pub(super) fn give_up(&self) -> u64 {
        let left = self.pending.swap(0, Ordering::Relaxed);
        self.dead_lettered.fetch_add(left, Ordering::Relaxed);
        left
    }

    fn leaves(&self, door: &AtomicU64) {
        add(door);
        self.pending.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self) -> OutputCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        OutputCounters {
            recorded: read(&self.recorded),
            delivered: read(&self.delivered),
            pending: read(&self.pending),
            dropped: read(&self.dropped),
            dead_lettered: read(&self.dead_lettered),
            retried: read(&self.retried),
        }
    }
}
