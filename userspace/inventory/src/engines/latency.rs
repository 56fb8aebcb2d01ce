//! How long it is worth waiting for an engine's answer.

use std::time::Duration;

/// Waiting less would miss the answers of an idle engine now and then.
const SHORTEST: Duration = Duration::from_millis(500);
/// Waiting more would make alerts late.
const LONGEST: Duration = Duration::from_secs(5);
/// The deadline is this many times what answers lately took.
const FACTOR: u32 = 4;

/// Follows how long an engine's answers take: quickly upwards, slowly downwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    recent: Duration,
}

impl Latency {
    /// Takes one answer into account.
    pub fn observe(&mut self, took: Duration) {
        let took = took.min(LONGEST);
        self.recent = if took >= self.recent {
            took
        } else {
            (self.recent * 7 + took) / 8
        };
    }

    /// How long to wait for the next: half a second to five.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        (self.recent * FACTOR).clamp(SHORTEST, LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_follows_the_answers_within_its_bounds() {
        let mut latency = Latency::default();
        assert_eq!(latency.deadline(), SHORTEST);
        latency.observe(Duration::from_millis(500));
        assert_eq!(
            latency.deadline(),
            Duration::from_secs(2),
            "one slow answer counts at once"
        );
        latency.observe(Duration::from_secs(60));
        assert_eq!(latency.deadline(), LONGEST);
        for _ in 0..40 {
            latency.observe(Duration::from_millis(5));
        }
        assert_eq!(latency.deadline(), SHORTEST, "and is forgotten by and by");
    }
}
