//! What the kernel side counted: the first terms of the sum that no event may fall out of.

use std::collections::HashMap;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::{Mutex, PoisonError};

use aya::Ebpf;
use aya::maps::{MapData, PerCpuArray};
use vigia_abi::counters::{COUNTER_SLOTS, MADE_GOOD, index};
pub use vigia_abi::counters::{Cause, Class, Table};
use vigia_abi::maps::{ATTACHED, FIRST_DISPATCHER, SECOND_DISPATCHER, names};

use crate::maps::MapFailure;
use crate::plain::Plain;
use crate::ring::RingUse;

/// The kernel's counters at one moment, summed over all processors. All of them only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    values: Vec<u64>,
    /// Runs of a program that the kernel skipped because the processor was inside that program already, by
    /// program; only programs for which this kernel tells. Of system calls only those that no dispatcher saw, or at
    /// most those: the kernel does not say which of them anybody was interested in.
    pub recursion_misses: Vec<(&'static str, u64)>,
    /// How full the ring is.
    pub ring: RingUse,
}

impl Counters {
    /// One counter.
    #[must_use]
    pub fn of(&self, class: Class, cause: Cause) -> u64 {
        self.at(index(class, cause))
    }

    /// How often a table of the kernel side was full.
    #[must_use]
    pub fn table(&self, table: Table) -> u64 {
        self.at(table.index())
    }

    /// All counters by class and cause, in table order.
    pub fn by_class(&self) -> impl Iterator<Item = (Class, Cause, u64)> {
        Class::ALL.into_iter().flat_map(move |class| {
            Cause::ALL
                .into_iter()
                .map(move |cause| (class, cause, self.of(class, cause)))
        })
    }

    /// All counters of full tables, in table order.
    pub fn tables(&self) -> impl Iterator<Item = (Table, u64)> {
        Table::ALL
            .into_iter()
            .map(|table| (table, self.table(table)))
    }

    /// System calls that the second dispatcher saw because the kernel had skipped the first.
    #[must_use]
    pub fn made_good(&self) -> u64 {
        self.at(MADE_GOOD)
    }

    /// One cause over all classes.
    #[must_use]
    pub fn total(&self, cause: Cause) -> u64 {
        Class::ALL
            .into_iter()
            .map(|class| self.of(class, cause))
            .sum()
    }

    /// What was seen of a class and is in none of its other terms: 0 once nothing is in flight.
    #[must_use]
    pub fn unaccounted(&self, class: Class) -> i128 {
        let accounted: i128 = ACCOUNTED
            .into_iter()
            .map(|cause| i128::from(self.of(class, cause)))
            .sum();
        i128::from(self.of(class, Cause::Seen)) - accounted
    }

    fn at(&self, index: u32) -> u64 {
        usize::try_from(index)
            .ok()
            .and_then(|index| self.values.get(index))
            .copied()
            .unwrap_or(0)
    }
}

/// Where something that was seen can end.
const ACCOUNTED: [Cause; 7] = [
    Cause::NoInterest,
    Cause::OutOfScope,
    Cause::Agent,
    Cause::Submitted,
    Cause::RingFull,
    Cause::OverBudget,
    Cause::Broken,
];

/// Reads all counters.
pub(crate) fn read(
    bpf: &Ebpf,
    counters: &PerCpuArray<MapData, Plain<[u64; COUNTER_SLOTS]>>,
    ring: RingUse,
    unseen: &Mutex<UnseenCalls>,
) -> Result<Counters, MapFailure> {
    // First: what is skipped now and made good a moment later must not look lost.
    let skipped = skipped_runs(bpf);
    // All at once, or a call that is made by this very reading would be found in some of its terms only.
    let per_cpu = counters
        .get(&0, 0)
        .map_err(MapFailure::new("read", names::COUNTERS))?;
    let mut values = vec![0; COUNTER_SLOTS];
    for Plain(counted) in per_cpu.iter() {
        for (sum, count) in values.iter_mut().zip(counted) {
            *sum += count;
        }
    }
    let mut counters = Counters {
        values,
        recursion_misses: Vec::new(),
        ring,
    };
    let unseen = unseen
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .advance(&skipped, counters.made_good());
    counters.recursion_misses = skipped
        .into_iter()
        .filter(|&(program, _)| program != SECOND_DISPATCHER)
        .map(|(program, count)| match program {
            FIRST_DISPATCHER => (program, unseen),
            _ => (program, count),
        })
        .collect();
    Ok(counters)
}

/// How many calls no dispatcher saw.
///
/// A call is lost when both dispatchers were skipped, or when the second was deceived by the mark of an earlier call,
/// for which it had been skipped: either way once for each lost call. What the first missed and the second did not make
/// good is lost, too, unless nobody was interested in it. So the smaller of the two is counted, each time anew.
#[derive(Debug, Default)]
pub(crate) struct UnseenCalls {
    /// Runs of the first that were skipped and not made good, when it was last looked.
    missed: u64,
    /// Runs of the second that were skipped.
    second: u64,
    total: u64,
}

impl UnseenCalls {
    /// Takes over what the kernel counted until now, and answers with the total.
    fn advance(&mut self, skipped: &[(&str, u64)], made_good: u64) -> u64 {
        let of = |wanted| {
            skipped
                .iter()
                .find(|(program, _)| *program == wanted)
                .map(|(_, count)| *count)
        };
        let first = of(FIRST_DISPATCHER).unwrap_or(0);
        let Some(second) = of(SECOND_DISPATCHER) else {
            return first;
        };
        let missed = first.saturating_sub(made_good);
        // Smaller than before only while calls are being made good.
        if missed > self.missed {
            self.total += (missed - self.missed).min(second.saturating_sub(self.second));
            self.missed = missed;
            self.second = second;
        }
        self.total
    }
}

/// The kernel counts them per attached program and tells them only in `fdinfo` (Linux 5.12).
fn skipped_runs(bpf: &Ebpf) -> Vec<(&'static str, u64)> {
    ATTACHED
        .into_iter()
        .filter_map(|(name, _)| {
            let program = bpf.program(name)?.fd().ok()?;
            let fdinfo = format!("/proc/self/fdinfo/{}", program.as_fd().as_raw_fd());
            Some((name, misses(&std::fs::read_to_string(fdinfo).ok()?)?))
        })
        .collect()
}

fn misses(fdinfo: &str) -> Option<u64> {
    fdinfo
        .lines()
        .find_map(|line| line.strip_prefix("recursion_misses:")?.trim().parse().ok())
}

/// What each container lost to its budget since it was last asked.
#[derive(Debug, Default)]
pub(crate) struct OverBudget {
    reported: HashMap<u64, u64>,
}

impl OverBudget {
    /// From the running totals by cgroup, what is new; forgets cgroups that are gone.
    pub(crate) fn take(&mut self, totals: impl IntoIterator<Item = (u64, u64)>) -> Vec<(u64, u64)> {
        let mut now = HashMap::new();
        let mut new = Vec::new();
        for (cgroup, total) in totals {
            // A smaller total is a bucket that was removed and made again.
            let before = self
                .reported
                .get(&cgroup)
                .copied()
                .filter(|&before| before <= total)
                .unwrap_or(0);
            if total > before {
                new.push((cgroup, total - before));
            }
            now.insert(cgroup, total);
        }
        self.reported = now;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_its_place_and_the_sum_is_checked() {
        let mut counters = Counters {
            values: vec![0; COUNTER_SLOTS],
            ..Counters::default()
        };
        let mut set = |cause, value| counters.values[index(Class::Open, cause) as usize] = value;
        set(Cause::Seen, 10);
        set(Cause::Submitted, 6);
        set(Cause::RingFull, 3);
        set(Cause::Truncated, 5);
        assert_eq!(counters.of(Class::Open, Cause::Seen), 10);
        assert_eq!(counters.total(Cause::Submitted), 6);
        assert_eq!(
            counters.unaccounted(Class::Open),
            1,
            "one is missing, and truncation is no end"
        );
        assert_eq!(counters.unaccounted(Class::Exec), 0);
        assert_eq!(
            counters.by_class().count(),
            Class::ALL.len() * Cause::ALL.len()
        );
        assert_eq!(counters.tables().count(), Table::ALL.len());
    }

    #[test]
    fn recursion_misses_are_found_in_fdinfo() {
        for (fdinfo, expected) in [
            ("pos:\t0\nrun_cnt:\t4\nrecursion_misses:\t17\n", Some(17)),
            ("pos:\t0\nrun_cnt:\t4\n", None),
            ("recursion_misses:\tx\n", None),
        ] {
            assert_eq!(misses(fdinfo), expected, "{fdinfo}");
        }
    }

    #[test]
    fn a_call_is_lost_when_no_dispatcher_saw_it() {
        let mut unseen = UnseenCalls::default();
        for (first, second, made_good, lost) in [
            (7, 3, 5, 2),
            // Read while calls were being made good.
            (9, 3, 8, 2),
            (9, 3, 7, 2),
            // Nobody was interested in most of those that the first missed.
            (709, 5, 7, 4),
            // And nobody will be later.
            (709, 90, 7, 4),
            (710, 91, 7, 5),
        ] {
            let skipped = [(FIRST_DISPATCHER, first), (SECOND_DISPATCHER, second)];
            let told = unseen.advance(&skipped, made_good);
            assert_eq!(told, lost, "{skipped:?} {made_good}");
        }
    }

    #[test]
    fn without_a_second_dispatcher_what_the_first_misses_is_lost() {
        let mut unseen = UnseenCalls::default();
        assert_eq!(unseen.advance(&[(FIRST_DISPATCHER, 7)], 0), 7);
        assert_eq!(unseen.advance(&[(FIRST_DISPATCHER, 9)], 0), 9);
        assert_eq!(unseen.advance(&[], 0), 0, "a kernel that does not tell");
    }

    #[test]
    fn each_loss_to_a_budget_is_told_once() {
        let mut over = OverBudget::default();
        assert_eq!(over.take([(1, 5), (2, 0)]), [(1, 5)]);
        assert_eq!(over.take([(1, 5), (2, 3)]), [(2, 3)]);
        assert_eq!(
            over.take([(1, 2)]),
            [(1, 2)],
            "a bucket that was made again"
        );
        assert_eq!(
            over.take([(1, 2), (2, 3)]),
            [(2, 3)],
            "a cgroup that was gone"
        );
    }
}
