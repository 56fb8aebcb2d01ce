//! What the probes count, per class and cause, in one per-CPU array.
//!
//! For every class, once nothing is in flight:
//! `Seen = NoInterest + OutOfScope + Agent + Submitted + RingFull + OverBudget + Broken`.

#![allow(
    clippy::cast_possible_truncation,
    reason = "the lengths are those of the arrays in this file"
)]

/// What is counted (and budgeted) together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
#[allow(
    missing_docs,
    reason = "the names say it; Class::name is what users see"
)]
pub enum Class {
    Fork = 0,
    Exec = 1,
    Exit = 2,
    Rename = 3,
    Cgroup = 4,
    /// The open family.
    Open = 5,
    /// Calls that change what a path leads to or a file's metadata.
    Change = 6,
    /// Mounts, roots.
    Mount = 7,
    /// `setns`, `unshare`.
    Namespace = 8,
    /// Failed executions.
    ExecFailed = 9,
    /// Reaching into another process.
    Access = 10,
    /// 32-bit calls.
    Compat = 11,
    SecretKey = 12,
    /// Sockets: made, connected, bound, accepted.
    Network = 13,
    /// Data moved through sockets.
    Transfer = 14,
    /// Signals sent.
    Signal = 15,
    /// Ids, capabilities, limits, sessions and working directories of the acting task.
    Identity = 16,
    /// Modules, keys, eBPF and the like: what concerns the whole kernel.
    System = 17,
    /// Descriptors copied, and files made without a path.
    Descriptor = 18,
    /// Requests of io_uring.
    IoUring = 19,
}

impl Class {
    /// All of them, in order.
    pub const ALL: [Self; 20] = [
        Self::Fork,
        Self::Exec,
        Self::Exit,
        Self::Rename,
        Self::Cgroup,
        Self::Open,
        Self::Change,
        Self::Mount,
        Self::Namespace,
        Self::ExecFailed,
        Self::Access,
        Self::Compat,
        Self::SecretKey,
        Self::Network,
        Self::Transfer,
        Self::Signal,
        Self::Identity,
        Self::System,
        Self::Descriptor,
        Self::IoUring,
    ];

    /// The class with this number, if there is one.
    #[must_use]
    pub const fn from_wire(number: u32) -> Option<Self> {
        if (number as usize) < Self::ALL.len() {
            Some(Self::ALL[number as usize])
        } else {
            None
        }
    }

    /// As in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::Exec => "exec",
            Self::Exit => "exit",
            Self::Rename => "rename",
            Self::Cgroup => "cgroup",
            Self::Open => "open",
            Self::Change => "change",
            Self::Mount => "mount",
            Self::Namespace => "namespace",
            Self::ExecFailed => "exec_failed",
            Self::Access => "access",
            Self::Compat => "compat",
            Self::SecretKey => "secret_key",
            Self::Network => "network",
            Self::Transfer => "transfer",
            Self::Signal => "signal",
            Self::Identity => "identity",
            Self::System => "system",
            Self::Descriptor => "descriptor",
            Self::IoUring => "io_uring",
        }
    }

    /// Whether records of this class stop at the bulk limit of the ring instead of filling it.
    #[must_use]
    pub const fn is_bulk(self) -> bool {
        matches!(self, Self::Open | Self::Change | Self::Transfer)
    }
}

/// Why a counter grew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Cause {
    /// A hook ran for something of this class.
    Seen = 0,
    /// Filtered: nobody asked for this outcome of this call.
    NoInterest = 1,
    /// Filtered: the task is out of scope.
    OutOfScope = 2,
    /// Filtered: the task is the agent.
    Agent = 3,
    /// Handed to the ring.
    Submitted = 4,
    /// Lost: the ring was full, or too full for a bulk class.
    RingFull = 5,
    /// Lost: the container's budget was used up.
    OverBudget = 6,
    /// Lost: a stage of the probes was missing. Always 0 unless loading went wrong.
    Broken = 7,
    /// Not part of the sum: submitted, but a text in it is incomplete.
    Truncated = 8,
    /// Not part of the sum: submitted, but the memory of a text could not be read, when the call began or when it
    /// returned.
    Faulted = 9,
}

impl Cause {
    /// All of them, in order.
    pub const ALL: [Self; 10] = [
        Self::Seen,
        Self::NoInterest,
        Self::OutOfScope,
        Self::Agent,
        Self::Submitted,
        Self::RingFull,
        Self::OverBudget,
        Self::Broken,
        Self::Truncated,
        Self::Faulted,
    ];

    /// As in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::NoInterest => "no_interest",
            Self::OutOfScope => "out_of_scope",
            Self::Agent => "agent",
            Self::Submitted => "submitted",
            Self::RingFull => "ring_full",
            Self::OverBudget => "over_budget",
            Self::Broken => "broken",
            Self::Truncated => "truncated",
            Self::Faulted => "faulted",
        }
    }
}

/// Counters that belong to no class; they follow the others in the array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Table {
    /// A process could not be entered in the task table: it was full.
    TasksFull = 0,
    /// A container's cgroup could not be entered: the table was full.
    CgroupsFull = 1,
    /// A container has no bucket of its own: the table was full; it draws on the common one.
    BudgetsFull = 2,
    /// Paths of a call's entry were gone at its exit: another thread's call took their slot.
    EntriesFull = 3,
    /// What a request of io_uring passed was gone at its completion: another request took its slot.
    RequestsFull = 4,
    /// A request of io_uring completes without a word if it succeeds (`IOSQE_CQE_SKIP_SUCCESS`).
    RequestsSilent = 5,
}

impl Table {
    /// All of them, in order.
    pub const ALL: [Self; 6] = [
        Self::TasksFull,
        Self::CgroupsFull,
        Self::BudgetsFull,
        Self::EntriesFull,
        Self::RequestsFull,
        Self::RequestsSilent,
    ];

    /// As in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TasksFull => "tasks_full",
            Self::CgroupsFull => "cgroups_full",
            Self::BudgetsFull => "budgets_full",
            Self::EntriesFull => "entries_full",
            Self::RequestsFull => "requests_full",
            Self::RequestsSilent => "requests_silent",
        }
    }

    /// Where in the counter array it lies.
    #[must_use]
    pub const fn index(self) -> u32 {
        CLASSES * CAUSES + self as u32
    }
}

/// Where the calls are counted that the second dispatcher took because the kernel had skipped the first.
pub const MADE_GOOD: u32 = CLASSES * CAUSES + Table::ALL.len() as u32;
/// Entries of the counter array that are used.
pub const COUNTERS: u32 = MADE_GOOD + 1;
/// Its size: a power of two, because the verifier understands a mask better than a comparison.
pub const COUNTER_SLOTS: usize = (COUNTERS as usize).next_power_of_two();
const CLASSES: u32 = Class::ALL.len() as u32;
const CAUSES: u32 = Cause::ALL.len() as u32;

/// Where in the counter array a class's counter lies.
#[must_use]
pub const fn index(class: Class, cause: Cause) -> u32 {
    class as u32 * CAUSES + cause as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_a_place_of_its_own() {
        let mut taken = [false; COUNTERS as usize];
        for class in Class::ALL {
            for cause in Cause::ALL {
                assert!(!core::mem::replace(
                    &mut taken[index(class, cause) as usize],
                    true
                ));
            }
            assert_eq!(Class::from_wire(class as u32), Some(class));
        }
        for table in Table::ALL {
            assert!(!core::mem::replace(
                &mut taken[table.index() as usize],
                true
            ));
        }
        assert!(!core::mem::replace(&mut taken[MADE_GOOD as usize], true));
        assert!(taken.iter().all(|taken| *taken));
    }
}
