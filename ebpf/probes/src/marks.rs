//! What is remembered of a process: how it came to be, and which container it first belonged to.
//!
//! Processes are keyed by process id. A thread that joins a mount namespace on its own (engines do so, to copy
//! files out of a container) gets an entry under its thread id, so that it does not speak for its process.

use aya_ebpf::bindings::BPF_ANY;
use vigia_abi::counters::Table;
use vigia_abi::maps::TaskMark;
use vigia_abi::record::entered;
use vigia_abi::settings::Setting;

use crate::emit;
use crate::kernel::setting;
use crate::maps::TASKS;
use crate::scope::TICK_NS;

/// Whether a mark is that of a process with this start, and not of an earlier one with the same id: to a tick,
/// since user space marks what ran before from /proc, which rounds down to ticks.
#[inline(always)]
pub(crate) fn is_of(mark: *const TaskMark, start_boottime_ns: u64) -> bool {
    // SAFETY: a value of the map; its words may change under us, each is read once.
    start_boottime_ns.wrapping_sub(unsafe { (*mark).start_boottime_ns }) < TICK_NS
}

/// The mark of a thread or its process.
#[inline(always)]
pub(crate) fn find(pid: u32, tid: u32, start_boottime_ns: u64) -> Option<*mut TaskMark> {
    if tid != pid
        && let Some(mark) = TASKS.get_ptr_mut(tid)
        && is_of(mark, start_boottime_ns)
    {
        return Some(mark);
    }
    TASKS
        .get_ptr_mut(pid)
        .filter(|&mark| is_of(mark, start_boottime_ns))
}

/// Enters or replaces a mark.
#[inline(always)]
pub(crate) fn set(id: u32, mark: &TaskMark) {
    if TASKS.insert(id, mark, u64::from(BPF_ANY)).is_err() {
        emit::count_table(Table::TasksFull);
    }
}

/// Forgets a process or thread.
#[inline(always)]
pub(crate) fn forget(id: u32) {
    // It may never have been entered.
    let _ = TASKS.remove(id);
}

/// What to think of a process without a mark: one in the host's mount namespace has entered none.
#[inline(always)]
pub(crate) fn entered_by_default(ns_mnt: u32) -> u32 {
    if ns_mnt == setting(Setting::HostMountNamespace) {
        entered::NO
    } else {
        entered::UNKNOWN
    }
}
