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
/// Nobody probes more often; a loop of an intruder does.
const MIN_PERIOD_NS: u64 = 1_000_000_000;

/// When each command read each secret last.
#[derive(Debug, Default)]
pub(crate) struct Habits {
    times_ns: FxHashMap<u64, SmallVec<[u64; READINGS]>>,
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
            if times.len() == READINGS {
                times.remove(0);
            }
            times.push(now_ns);
        }
        steady_period(times)
    }
}

/// The mean distance, if there are enough and each is within a fifth of it.
fn steady_period(times_ns: &[u64]) -> Option<u64> {
    if times_ns.len() < READINGS {
        return None;
    }
    let distances = || {
        times_ns
            .windows(2)
            .map(|pair| pair[1].saturating_sub(pair[0]))
    };
    let mean = distances().sum::<u64>() / u64::try_from(times_ns.len() - 1).ok()?;
    let is_steady = distances().all(|distance| distance.abs_diff(mean) <= mean / 5);
    (mean >= MIN_PERIOD_NS && is_steady).then_some(mean)
}

#[cfg(test)]
mod tests {
    use super::*;

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
