//! A token bucket per container, so that one hostile container cannot blind the node.
//!
//! A bucket is the time at which it is full again: each record moves it one token ahead, and it must not run
//! further ahead of the clock than the burst, or for rarer kinds of records a quarter or two more (see [`Rank`]): a
//! flood of opens leaves them room. Processors race for it with additions that cannot be lost, so at
//! most one record per processor slips through.

use core::arch::asm;
use core::ptr::{addr_of, addr_of_mut, read_volatile, write_volatile};

use aya_ebpf::bindings::BPF_NOEXIST;
use vigia_abi::counters::Table;
use vigia_abi::maps::{Budget, Config};

use crate::emit;
use crate::maps::BUDGETS;

/// The bucket of everything outside containers.
pub(crate) const HOST: u64 = 0;

/// How much a record matters where not all can pass. Each rank has room that lower ones cannot take.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rank {
    /// Frequent, and rarely of interest by itself. Must not fill the ring either.
    Bulk = 0,
    /// Neither.
    Rare = 1,
    /// What other records are judged by, and secrets: whoever could push these out with refused writes would
    /// make what he does next look as if nobody had seen where it came from.
    Vital = 2,
}

/// Takes a token; `false` if there is none.
#[inline(always)]
pub(crate) fn take(config: *const Config, key: u64, now_ns: u64, rank: Rank) -> bool {
    // SAFETY: a value of an array map, which never goes away; each word is read once.
    let (token_ns, burst_ns) = unsafe {
        (
            read_volatile(addr_of!((*config).budget_token_ns)),
            read_volatile(addr_of!((*config).budget_burst_ns)),
        )
    };
    let ahead_ns = burst_ns + burst_ns / 4 * rank as u64;
    let Some(bucket) = bucket(key) else {
        return true;
    };
    // SAFETY: a value of a hash map; a deleted one stays readable until the program ends.
    unsafe {
        let full_at = read_volatile(addr_of!((*bucket).full_at_ns));
        if full_at < now_ns {
            write_volatile(addr_of_mut!((*bucket).full_at_ns), now_ns);
        } else if token_ns != 0 && full_at > now_ns + ahead_ns {
            add(addr_of_mut!((*bucket).over), 1);
            return false;
        }
        add(addr_of_mut!((*bucket).full_at_ns), token_ns);
        add(addr_of_mut!((*bucket).passed), 1);
    }
    true
}

/// Bytes of a record that one token pays for.
const TOKEN_BYTES: u64 = 512;

/// Takes the tokens that a record costs beyond its first: long paths must not buy more of the ring than short
/// ones. Afterwards, because its length is not known before.
#[inline(always)]
pub(crate) fn charge(config: *const Config, key: u64, len: u32) {
    let more = u64::from(len) / TOKEN_BYTES;
    if more == 0 {
        return;
    }
    let Some(bucket) = BUDGETS.get_ptr_mut(key) else {
        return;
    };
    // SAFETY: a value of an array map and one of a hash map, see `take`.
    unsafe {
        let token_ns = read_volatile(addr_of!((*config).budget_token_ns));
        add(addr_of_mut!((*bucket).full_at_ns), token_ns * more);
    }
}

/// Not a local: to clear one the compiler calls `memset`, and with it the programs would have two functions.
#[unsafe(no_mangle)]
static FRESH: Budget = Budget {
    full_at_ns: 0,
    passed: 0,
    over: 0,
};

#[inline(always)]
fn bucket(key: u64) -> Option<*mut Budget> {
    if let Some(bucket) = BUDGETS.get_ptr_mut(key) {
        return Some(bucket);
    }
    #[allow(
        clippy::needless_borrows_for_generic_args,
        reason = "by value it would be the local that is avoided"
    )]
    // Another processor may have been faster, which is as good.
    let _ = BUDGETS.insert(key, &FRESH, u64::from(BPF_NOEXIST));
    if let Some(bucket) = BUDGETS.get_ptr_mut(key) {
        return Some(bucket);
    }
    emit::count_table(Table::BudgetsFull);
    BUDGETS.get_ptr_mut(HOST)
}

/// Adds without losing the addition of another processor.
///
/// # Safety
/// `word` must point to map memory.
#[inline(always)]
pub(crate) unsafe fn add(word: *mut u64, value: u64) {
    // By hand, since the target has no atomic types: the one atomic instruction that Linux 5.10 knows.
    // SAFETY: as the caller promises; the instruction touches nothing else.
    unsafe {
        asm!("lock *(u64 *)({word} + 0) += {value}", word = in(reg) word, value = in(reg) value)
    };
}
