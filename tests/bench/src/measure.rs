//! Measuring: times in the processor time of this thread, so that other load on the machine counts little.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use vigia_engine::{Ruleset, Scratch};
use vigia_event::Event;

/// Events judged before anything is measured.
const WARM_UP: usize = 5;

/// What judging a stream cost.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Cost {
    /// The best of several rounds: nanoseconds per event.
    pub ns_per_event: f64,
    /// The same the other way around.
    pub events_per_second: f64,
}

impl Cost {
    fn new(best: Duration, events: usize) -> Self {
        let (ns, events) = (as_ns(best), as_float(events));
        Self {
            ns_per_event: ns / events,
            events_per_second: events / ns * 1e9,
        }
    }
}

/// The processor time this thread has used.
#[must_use]
pub fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(now.tv_nsec).unwrap_or(0))
}

/// The least processor time that something takes in several rounds, after some that do not count.
pub fn best(rounds: usize, mut act: impl FnMut()) -> Duration {
    for _ in 0..WARM_UP.min(rounds) {
        act();
    }
    let round = |act: &mut dyn FnMut()| {
        let start = processor_time();
        act();
        processor_time() - start
    };
    (0..rounds)
        .map(|_| round(&mut act))
        .min()
        .unwrap_or_default()
}

/// What judging events by the compiled form costs.
pub fn compiled(ruleset: &Ruleset, events: &[Event], rounds: usize) -> Cost {
    let mut scratch = ruleset.scratch();
    let best = best(rounds, || {
        judge_stream(ruleset, events, &mut scratch);
    });
    Cost::new(best, events.len())
}

/// What judging events as the conditions were written costs.
pub fn as_written(ruleset: &Ruleset, events: &[Event], rounds: usize) -> Cost {
    let best = best(rounds, || {
        judge_stream_as_written(ruleset, events);
    });
    Cost::new(best, events.len())
}

/// Judges events and counts the matches. Never inlined, because a profiler counts from here.
#[inline(never)]
pub fn judge_stream(ruleset: &Ruleset, events: &[Event], scratch: &mut Scratch) -> usize {
    let mut matches = 0;
    for event in events {
        ruleset.evaluate(event, scratch, &mut |_| matches += 1);
    }
    std::hint::black_box(matches)
}

/// As [`judge_stream`], by an interpreter of the conditions as they were written.
#[inline(never)]
pub fn judge_stream_as_written(ruleset: &Ruleset, events: &[Event]) -> usize {
    let mut matches = 0;
    for event in events {
        ruleset.evaluate_as_written(event, &mut |_| matches += 1);
    }
    std::hint::black_box(matches)
}

/// Allocations, made while events were judged that match nothing.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Allocations {
    /// How many events matched nothing.
    pub events: usize,
    /// How many matched, and are not counted.
    pub matched: usize,
    /// How many allocations those that matched nothing made.
    pub allocations: u64,
    /// The types of the events that made them, with how many.
    pub by_type: std::collections::BTreeMap<&'static str, u64>,
}

/// Counts the allocations of judging events that match nothing.
pub fn allocations(ruleset: &Ruleset, events: &[Event]) -> Allocations {
    let mut scratch = ruleset.scratch();
    judge_stream(ruleset, events, &mut scratch);
    let mut found = Allocations::default();
    for event in events {
        let mut matches = 0;
        let counted = allocation_counter::measure(|| {
            ruleset.evaluate(event, &mut scratch, &mut |_| matches += 1);
        });
        if matches > 0 {
            found.matched += 1;
            continue;
        }
        found.events += 1;
        found.allocations += counted.count_total;
        if counted.count_total > 0 {
            *found.by_type.entry(event.event_type.name()).or_default() += counted.count_total;
        }
    }
    found
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts and nanoseconds of a benchmark stay far below 2^52"
)]
fn as_float(count: usize) -> f64 {
    count as f64
}

fn as_ns(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}
