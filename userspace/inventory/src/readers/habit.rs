//! Probes that no engine declares: a command which enters a container again and again at a steady period
//! (Kubernetes runs its probes so).

use bstr::BString;
use rustc_hash::{FxBuildHasher, FxHashMap};
use smallvec::SmallVec;
use std::hash::BuildHasher;
use vigia_event::container::Container;
use vigia_event::secret::SecretRef;

use super::program::Chain;

/// Habits remembered.
const MAX_HABITS: usize = 1024;
/// Readings at a steady period after which they are a probe.
const READINGS: usize = 4;
/// The same where others lie between them: a kubelet runs its probes of liveness and of readiness with one command, each at a
/// period of its own. By chance such a sequence is found sooner, so it has to be longer, and truer.
const READINGS_AMONG_OTHERS: usize = 5;
/// Readings remembered of a command.
const MAX_READINGS: usize = 16;
/// How far a reading among others may be off, at least.
const LEAST_SLACK_NS: u64 = 50_000_000;
/// Nobody probes more often; a loop of an intruder does.
const MIN_PERIOD_NS: u64 = 1_000_000_000;

/// When each command read each secret last.
#[derive(Debug, Default)]
pub(crate) struct Habits {
    times_ns: FxHashMap<u64, SmallVec<[u64; MAX_READINGS]>>,
}

impl Habits {
    /// Notes one reading; the period in nanoseconds if it and those before it came at a steady one.
    pub(crate) fn observe(
        &mut self,
        container: &Container,
        command: &[BString],
        chain: &Chain,
        secret: &SecretRef,
        now_ns: u64,
    ) -> Option<u64> {
        let habit = FxBuildHasher.hash_one((
            &container.id,
            command,
            chain.id()?,
            &secret.path,
            &secret.name,
        ));
        if self.times_ns.len() >= MAX_HABITS && !self.times_ns.contains_key(&habit) {
            let stalest = self
                .times_ns
                .iter()
                .min_by_key(|(_, times)| times.last().copied())
                .map(|(habit, _)| *habit);
            self.times_ns.remove(&stalest?);
        }
        let times = self.times_ns.entry(habit).or_default();
        // The same reading is judged again when metadata comes, and one run may read the secret several times.
        if times
            .last()
            .is_none_or(|last| now_ns.saturating_sub(*last) >= MIN_PERIOD_NS / 2)
        {
            if times.len() == MAX_READINGS {
                times.remove(0);
            }
            times.push(now_ns);
        }
        steady_period(times).or_else(|| period_among_others(times))
    }
}

/// The mean distance of the last ones, if there are enough and each is within a fifth of it.
fn steady_period(times_ns: &[u64]) -> Option<u64> {
    let times_ns = times_ns.get(times_ns.len().checked_sub(READINGS)?..)?;
    let distances = || {
        times_ns
            .windows(2)
            .map(|pair| pair[1].saturating_sub(pair[0]))
    };
    let mean = distances().sum::<u64>() / u64::try_from(times_ns.len() - 1).ok()?;
    let is_steady = distances().all(|distance| distance.abs_diff(mean) <= mean / 5);
    (mean >= MIN_PERIOD_NS && is_steady).then_some(mean)
}

/// The distance at which the last reading and some of those before it follow each other, whatever lies between them.
fn period_among_others(times_ns: &[u64]) -> Option<u64> {
    let (last, before) = times_ns.split_last()?;
    before.iter().rev().find_map(|previous| {
        let period = last.saturating_sub(*previous);
        let slack = (period / 50).max(LEAST_SLACK_NS);
        let mut reached = *previous;
        for _ in 2..READINGS_AMONG_OTHERS {
            let expected = reached.checked_sub(period)?;
            reached = *before
                .iter()
                .find(|time| time.abs_diff(expected) <= slack)?;
        }
        // In a loop that is faster than any probe, every second or third reading looks like a slower one.
        let within = before.iter().filter(|time| **time >= reached).count();
        let mean = last.saturating_sub(reached) / u64::try_from(within).ok()?;
        (period >= MIN_PERIOD_NS && mean >= MIN_PERIOD_NS).then_some(period)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_with_one_command_are_told_apart_by_their_periods() {
        let millis = |times: &[u64]| -> Vec<u64> {
            times
                .iter()
                .map(|time| 10_000_000 + time * 1_000_000)
                .collect()
        };
        for (times, expected_ms) in [
            // Every 2.8 s, and 0.9 s later.
            (
                &[0, 900, 2800, 3700, 5600, 6500, 8400, 9310, 11_200][..],
                Some(2800),
            ),
            (&[0, 900, 2800, 3700, 5600, 6500, 8400, 9300], None),
            // Every 10 s, and every 15 s.
            (
                &[
                    3000, 10_000, 18_000, 20_050, 30_010, 33_000, 40_000, 48_000, 50_020,
                ],
                Some(10_020),
            ),
            (&[0, 600, 1200, 1800, 2400, 3000], None),
        ] {
            let found = period_among_others(&millis(times));
            let expected = expected_ms.map(|period: u64| period * 1_000_000);
            assert_eq!(found, expected, "{times:?}");
        }
    }

    #[test]
    fn a_loop_that_is_faster_than_a_probe_is_none_at_any_pace() {
        for gap_ms in [500, 600, 700, 900] {
            let times: Vec<u64> = (0..MAX_READINGS as u64)
                .map(|number| 10 * MIN_PERIOD_NS + number * gap_ms * 1_000_000)
                .collect();
            assert_eq!(period_among_others(&times), None, "{gap_ms} ms");
        }
    }

    #[test]
    fn commands_at_any_times_are_hardly_ever_taken_for_a_probe() {
        // A linear congruential generator: distances from 1 to 61 s, as of somebody at a keyboard.
        let mut state: u64 = 7;
        let mut now_ns = 0;
        let mut times: Vec<u64> = Vec::new();
        let mut found = 0;
        for _ in 0..10_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            now_ns += MIN_PERIOD_NS + (state >> 33) % (60 * MIN_PERIOD_NS);
            times.push(now_ns);
            let first = times.len().saturating_sub(MAX_READINGS);
            found += usize::from(period_among_others(&times[first..]).is_some());
        }
        assert!(found < 50, "{found} of 10,000");
    }

    #[test]
    fn a_period_is_steady_when_no_distance_is_far_from_the_mean() {
        let second = MIN_PERIOD_NS;
        for (times, expected) in [
            (&[0, 10, 20, 30][..], Some(10)),
            (&[0, 9, 20, 30], Some(10)),
            (&[0, 10, 20], None),
            (&[0, 10, 20, 60], None),
            (&[0, 1, 20, 30], None),
        ] {
            let times: Vec<u64> = times.iter().map(|time| time * second).collect();
            assert_eq!(
                steady_period(&times),
                expected.map(|period| period * second),
                "{times:?}"
            );
        }
        assert_eq!(
            steady_period(&[0, 10, 20, 30]),
            None,
            "nobody probes that often"
        );
    }
}
