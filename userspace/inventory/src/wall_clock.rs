//! From the kernel's clock to the wall clock.
//!
//! Records carry `CLOCK_BOOTTIME`, which never jumps; alerts want the time people use. The difference is
//! sampled, and sampled again from time to time, because administrators and time services set the wall clock.

use rustix::time::{ClockId, Timespec, clock_gettime};

/// The difference between the two clocks when it was last sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClock {
    /// Nanoseconds from the epoch to boot.
    offset_ns: u64,
}

impl WallClock {
    /// Compares the clocks of this machine now.
    #[must_use]
    pub fn sample() -> Self {
        // The least disturbed of a few tries: the two readings of one clock that lie closest together.
        let tries = (0..5).map(|_| {
            let before = nanoseconds(clock_gettime(ClockId::Boottime));
            let wall = nanoseconds(clock_gettime(ClockId::Realtime));
            let after = nanoseconds(clock_gettime(ClockId::Boottime));
            let width = after.saturating_sub(before);
            (width, wall.saturating_sub(before + width / 2))
        });
        Self {
            offset_ns: tries.min().map_or(0, |(_, offset_ns)| offset_ns),
        }
    }

    /// A clock of a known difference: nanoseconds from the epoch to boot.
    #[must_use]
    pub fn from_offset(offset_ns: u64) -> Self {
        Self { offset_ns }
    }

    /// Compares the clocks again; returns by how many nanoseconds the wall clock was set.
    pub fn refresh(&mut self) -> u64 {
        let before = std::mem::replace(self, Self::sample());
        self.offset_ns.abs_diff(before.offset_ns)
    }

    /// Nanoseconds since the epoch at a `CLOCK_BOOTTIME` in nanoseconds.
    #[must_use]
    pub fn epoch_ns(self, boot_time_ns: u64) -> u64 {
        self.offset_ns.saturating_add(boot_time_ns)
    }

    /// `CLOCK_BOOTTIME` now, in nanoseconds: what records and `/proc` count in.
    #[must_use]
    pub fn boot_now_ns() -> u64 {
        nanoseconds(clock_gettime(ClockId::Boottime))
    }
}

fn nanoseconds(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{SystemTime, UNIX_EPOCH};

    #[test]
    fn now_on_the_kernels_clock_is_now_on_the_wall() {
        let clock = WallClock::sample();
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after the epoch")
            .as_nanos();
        let difference = wall.abs_diff(u128::from(clock.epoch_ns(WallClock::boot_now_ns())));
        assert!(difference < 1_000_000_000, "{difference} ns apart");
    }

    #[test]
    fn a_refresh_tells_how_far_the_clock_was_set() {
        let mut clock = WallClock::from_offset(0);
        assert!(clock.refresh() > 1_000_000_000);
        assert!(clock.refresh() < 1_000_000_000);
    }
}
