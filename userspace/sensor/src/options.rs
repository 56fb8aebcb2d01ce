//! What the user decides about the probes.

use std::path::PathBuf;

/// How the probes are set up. The defaults suit a container host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whose system calls are reported.
    pub scope: Scope,
    /// Size of the ring buffer; rounded up to a power of two of at least one page.
    pub ring_bytes: u32,
    /// Where the host's /proc is; another place than `/proc` where the agent runs in a container.
    pub proc_root: PathBuf,
    /// What one container may report before its events are only counted.
    pub budget: Budget,
    /// How many processes can carry marks (origin, entered) at once.
    pub max_tasks: u32,
    /// How many containers, and how many budgets, can exist at once.
    pub max_containers: u32,
    /// How often the probes look at each system call.
    pub dispatchers: Dispatchers,
}

/// How often the probes look at each system call. Where tasks can be preempted inside of probes, the kernel skips them
/// for other tasks meanwhile; a second look makes most of that good, and costs every system call some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dispatchers {
    /// Twice on kernels known to preempt tasks inside of probes; what others skip is counted all the same.
    #[default]
    AsNeeded,
    /// Once.
    One,
    /// Twice.
    Two,
}

/// Whose system calls are reported. Process lifecycle is reported for everybody whatever the scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Tasks in containers, and those that came from one.
    #[default]
    Containers,
    /// Every task of the host but the agent.
    Host,
    /// Tasks in one cgroup or below it: a path from the root of the hierarchy in which engines make their groups.
    Cgroup(PathBuf),
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Records per second in the long run.
    pub rate_per_s: u32,
    /// Records at once.
    pub burst: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            scope: Scope::default(),
            ring_bytes: 8 * 1024 * 1024,
            proc_root: PathBuf::from("/proc"),
            budget: Budget::default(),
            max_tasks: 65_536,
            max_containers: 4_096,
            dispatchers: Dispatchers::default(),
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            rate_per_s: 5_000,
            burst: 4_000,
        }
    }
}

impl Options {
    /// The ring's size as the kernel wants it: a power of two of at least one page and at most 1 GiB.
    #[must_use]
    pub fn ring_size(&self) -> u32 {
        const MIN_BYTES: u32 = 4096;
        const MAX_BYTES: u32 = 1 << 30;
        self.ring_bytes
            .clamp(MIN_BYTES, MAX_BYTES)
            .next_power_of_two()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_has_a_size_the_kernel_accepts() {
        for (asked, given) in [
            (0, 4096),
            (4096, 4096),
            (4097, 8192),
            (8 << 20, 8 << 20),
            (u32::MAX, 1 << 30),
        ] {
            assert_eq!(
                Options {
                    ring_bytes: asked,
                    ..Options::default()
                }
                .ring_size(),
                given,
                "{asked}"
            );
        }
    }
}
