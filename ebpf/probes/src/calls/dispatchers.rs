//! Two dispatchers, for kernels on which tasks can be preempted inside of programs (Linux 7).
//!
//! While a task is preempted there, the kernel skips the program for every other task of the processor. A second one
//! after it makes that good: the first leaves a mark for the thread, and the second takes the calls of threads without
//! one. Both would have to be skipped for a call to be lost.
//!
//! The kernel keeps a program from running twice on a processor, but the stages behind one dispatcher may be preempted
//! by those behind the other: each dispatcher has a scratch of its own. The mark says which, since the stages are
//! shared: it stands while the call is in the hands of the first. Only the thread itself changes its mark.
//!
//! A mark that the second was skipped for stays, and hides the thread's next call if the first is skipped for that one.
//! So each lost call has a skipped run of both, and the sensor counts it by that.

use core::ptr::{addr_of_mut, read_volatile, write_volatile};

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use vigia_abi::maps::sizes::MARKS_PER_PAGE;
use vigia_abi::settings::Setting;

use crate::emit;
use crate::kernel::setting;
use crate::maps::CALL_MARKS;

/// Marks of successive threads, a byte each.
pub(crate) type MarkPage = [u8; MARKS_PER_PAGE as usize];

/// One of the programs through which calls come in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dispatcher {
    First,
    Second,
}

impl Dispatcher {
    /// Whether the running thread's call is this one's to handle. To be asked once per call.
    #[inline(always)]
    pub(super) fn takes_call(self) -> bool {
        let is_first = self == Self::First;
        if is_alone() {
            return is_first;
        }
        let Some(mark) = mark() else {
            return is_first;
        };
        // SAFETY: a byte of an array map, which only this thread touches.
        unsafe {
            if is_first {
                write_volatile(mark, 1);
                return true;
            }
            if read_volatile(mark) != 0 {
                write_volatile(mark, 0);
                return false;
            }
        }
        emit::count_made_good();
        true
    }
}

/// Index of the dispatcher through which the call came that is being handled.
#[inline(always)]
pub(super) fn of_running_call() -> u32 {
    if is_alone() {
        return 0;
    }
    match mark() {
        // SAFETY: as above.
        Some(mark) if unsafe { read_volatile(mark) } == 0 => 1,
        _ => 0,
    }
}

/// Written into frozen read-only data, so that the verifier leaves out whatever two dispatchers need.
#[inline(always)]
fn is_alone() -> bool {
    setting(Setting::Dispatchers) < 2
}

/// The running thread's mark. There is one for every thread id.
#[inline(always)]
fn mark() -> Option<*mut u8> {
    let tid = bpf_get_current_pid_tgid() as u32;
    let page = CALL_MARKS.get_ptr_mut(tid / MARKS_PER_PAGE)?;
    // SAFETY: inside the page.
    Some(unsafe {
        addr_of_mut!(*page)
            .cast::<u8>()
            .add((tid % MARKS_PER_PAGE) as usize)
    })
}
