//! The way out: counters, the ring, and the numbering of records.

use core::ptr::{addr_of, addr_of_mut, read_volatile};

use aya_ebpf::helpers::generated::{
    bpf_get_smp_processor_id, bpf_ktime_get_boot_ns, bpf_ringbuf_output,
};
use vigia_abi::counters::{self, Cause, Class, Table};
use vigia_abi::maps::Config;
use vigia_abi::record::text;
use vigia_abi::settings::Setting;
use vigia_abi::{Header, Kind};

use crate::budget::{self, Rank};
use crate::kernel::setting;
use crate::maps::{CONFIG, COUNTERS, EVENTS, SEQUENCE};
use crate::record::Draft;
use crate::scope;

/// `BPF_RB_AVAIL_DATA`: bytes nobody has read yet.
const UNREAD_BYTES: u64 = 0;

/// Counts one.
#[inline(always)]
pub(crate) fn count(class: Class, cause: Cause) {
    count_at(counters::index(class, cause));
}

/// Counts one of a class that is known only as a number.
#[inline(always)]
pub(crate) fn count_number(class: u32, cause: Cause) {
    count_at(class * Cause::ALL.len() as u32 + cause as u32);
}

/// Counts one of a table.
#[inline(always)]
pub(crate) fn count_table(table: Table) {
    count_at(table.index());
}

/// Counts a call that only the second dispatcher saw.
#[inline(always)]
pub(crate) fn count_made_good() {
    count_at(counters::MADE_GOOD);
}

#[inline(always)]
fn count_at(index: u32) {
    if let Some(counters) = COUNTERS.get_ptr_mut(0) {
        let index = index as usize & (counters::COUNTER_SLOTS - 1);
        // Atomic although it belongs to this processor: where programs can be preempted, two of them share it.
        // SAFETY: a value of an array map, of which the index is masked.
        unsafe { budget::add(counters.cast::<u64>().add(index), 1) };
    }
}

/// What user space configured.
#[inline(always)]
pub(crate) fn config() -> Option<*const Config> {
    CONFIG.get_ptr(0)
}

/// Whether a record may be made at all, before work is spent on it: by budget and by room in the ring.
/// Counts the refusal.
#[inline(always)]
pub(crate) fn admit(config: *const Config, class: u32, rank: Rank, budget_key: u64) -> bool {
    // SAFETY: no preconditions.
    let now_ns = unsafe { bpf_ktime_get_boot_ns() };
    if !is_exempt(class, budget_key) && !budget::take(config, budget_key, now_ns, rank) {
        count_number(class, Cause::OverBudget);
        return false;
    }
    if rank == Rank::Bulk && EVENTS.query(UNREAD_BYTES) > u64::from(setting(Setting::BulkLimit)) {
        count_number(class, Cause::RingFull);
        return false;
    }
    true
}

/// The process table of user space lives on what happens to host processes, and no container can flood it with
/// those: only calls of the host are budgeted.
#[inline(always)]
fn is_exempt(class: u32, budget_key: u64) -> bool {
    class <= Class::Cgroup as u32 && budget_key == budget::HOST
}

/// Writes what every record begins with, but for the task.
///
/// # Safety
/// `header` must be valid for writes.
#[inline(always)]
pub(crate) unsafe fn label(header: *mut Header, kind: Kind, class: u32) {
    // SAFETY: as the caller promises.
    unsafe {
        (*header).kind = kind as u16;
        (*header).class = class;
        (*header).cpu = bpf_get_smp_processor_id() as u32;
        (*header).boot_time_ns = bpf_ktime_get_boot_ns();
    }
}

/// Hands the first `len` bytes of a record to the ring; `limit` is the size of the memory it lies in.
///
/// # Safety
/// `draft` and `header` must be those of the running program's scratch.
#[inline(always)]
pub(crate) unsafe fn submit(draft: *mut Draft, header: *mut Header, len: u32, limit: u32) {
    // SAFETY: as the caller promises; the length is checked.
    unsafe {
        let class = read_volatile(addr_of!((*header).class));
        if len < size_of::<Header>() as u32 || len > limit {
            count_number(class, Cause::Broken);
            return;
        }
        (*header).total_len = len;
        (*header).sequence = next_sequence();
        if bpf_ringbuf_output(
            (&raw const EVENTS).cast_mut().cast(),
            header.cast(),
            u64::from(len),
            0,
        ) != 0
        {
            count_number(class, Cause::RingFull);
            return;
        }
        count_number(class, Cause::Submitted);
        let key = scope::budget_key(addr_of!((*header).task));
        if !is_exempt(class, key)
            && let Some(config) = config()
        {
            budget::charge(config, key, len);
        }
        let notes = read_volatile(addr_of!((*draft).notes));
        if notes & u32::from(text::TRUNCATED) != 0 {
            count_number(class, Cause::Truncated);
        }
        if notes & u32::from(text::FAULT) != 0 {
            count_number(class, Cause::Faulted);
        }
    }
}

#[inline(always)]
fn next_sequence() -> u64 {
    let Some(sequence) = SEQUENCE.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: a value of an array map, of this processor.
    unsafe {
        let next = read_volatile(addr_of!(*sequence)) + 1;
        *addr_of_mut!(*sequence) = next;
        next
    }
}
