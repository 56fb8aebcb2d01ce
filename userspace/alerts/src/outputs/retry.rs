//! How long to wait before an attempt is made again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The wait after the first failure.
const FIRST: Duration = Duration::from_millis(250);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(15);

/// Exponential waits, each shortened by a random part of up to a half: agents that lost the same receiver at the same
/// moment do not come back at the same moment.
#[derive(Debug)]
pub(super) struct Backoff {
    attempts: u32,
    random: RandomState,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self {
            attempts: 0,
            random: RandomState::new(),
        }
    }

    /// The wait before the next attempt.
    pub(super) fn next(&mut self) -> Duration {
        let full = FIRST
            .saturating_mul(1 << self.attempts.min(16))
            .min(LONGEST);
        let thousandths = u32::try_from(self.random.hash_one(self.attempts) % 500).unwrap_or(0);
        self.attempts = self.attempts.saturating_add(1);
        full - full * thousandths / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_stay_within_bounds() {
        let mut backoff = Backoff::new();
        for expected_ms in [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000] {
            let full = Duration::from_millis(expected_ms);
            let wait = backoff.next();
            assert!(wait <= full && wait >= full / 2, "{wait:?} of {full:?}");
        }
    }
}
