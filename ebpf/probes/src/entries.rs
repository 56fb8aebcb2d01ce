//! The entry of calls whose path has no kernel object at exit: what they were asked to do is read before they do it.
//!
//! At exit the program's memory is read again; a second thread may have changed it in between, and then both are told.

use core::mem::offset_of;
use core::ptr::{addr_of, addr_of_mut, read_volatile, write_volatile};

use aya_ebpf::helpers::generated::bpf_probe_read_user;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use vigia_abi::calls::{interest, note};
use vigia_abi::counters::Table;
use vigia_abi::maps::sizes;
use vigia_abi::offsets::*;
use vigia_abi::record::{TEXT_MAX, text};
use vigia_abi::{CallBody, Header, Task, compat};

use crate::kernel::Ptr;
use crate::maps::{ENTRIES, ENTRY_SCRATCH};
use crate::record::{LargeScratch, read_user_string};
use crate::{arch, calls, emit, scope};

/// `open` flags that may change something: `O_WRONLY`, `O_RDWR`, `O_CREAT`, `O_TRUNC`.
const WRITE_FLAGS: u64 = 0o1103;
const OPEN: u32 = 2;
const CREAT: u32 = 85;
const OPENAT: u32 = 257;
const OPENAT2: u32 = 437;

/// The length of a path whose page is not there yet.
const UNREADABLE: u32 = u32::MAX;

/// The paths of a call under way.
#[repr(C, align(8))]
pub(crate) struct Entry {
    /// The thread; 0 once the call has returned.
    tid: u32,
    /// The call, by its 64-bit number.
    number: u32,
    /// Bytes with the NUL at the end; 0 for no path, [`UNREADABLE`] where its memory could not be read.
    lens: [u32; 2],
    paths: [[u8; TEXT_MAX]; 2],
}

/// Scratch of the program that runs at entry.
#[repr(C)]
pub(crate) struct EntryScratch {
    task: Task,
    args: [u64; 6],
}

#[btf_tracepoint(function = "sys_enter")]
fn entries(context: BtfTracePointContext) -> i32 {
    let regs = Ptr::argument(&context, 0);
    let entry_number = context.arg::<i64>(1);
    if entry_number < 0 {
        return 0;
    }
    let current = Ptr::current_task();
    let status: u32 = current.load(TASK_STATUS);
    let is_compat = arch::is_compat(status, entry_number);
    let mut number = entry_number as u32;
    if is_compat {
        let translated = arch::translate(number, 0);
        if translated == compat::NONE {
            return 0;
        }
        number = u32::from(translated);
    }
    let Some(word) = calls::interest_in(number) else {
        return 0;
    };
    if word & (interest::ENTRY | interest::ENTRY_OF_WRITES) == 0 {
        return 0;
    }
    let args = if is_compat && !arch::is_x32(entry_number as u32) {
        arch::args_32(regs)
    } else {
        arch::args(regs)
    };
    if word & interest::ENTRY == 0 && !may_write(number, &args) {
        return 0;
    }
    let (Some(this), Some(config)) = (ENTRY_SCRATCH.get_ptr_mut(0), emit::config()) else {
        return 0;
    };
    // SAFETY: this program's scratch, and a value of an array map.
    unsafe {
        let who = addr_of_mut!((*this).task);
        let kept = addr_of_mut!((*this).args).cast::<u64>();
        for (index, &arg) in args.iter().enumerate() {
            write_volatile(kept.add(index), arg);
        }
        let found = scope::identify(current, who);
        if scope::is_agent(config, who) || !scope::is_in_scope(config, current, who, found) {
            return 0;
        }
        let tid = (*who).tid;
        let Some(entry) = slot(tid) else { return 0 };
        write_volatile(addr_of_mut!((*entry).tid), 0);
        let spec = calls::spec(number);
        for index in 0..2 {
            let arg = spec.paths[index].arg;
            let mut len = 0;
            if arg <= 5 {
                let from = read_volatile(kept.add(arg as usize));
                let read = read_user_string(addr_of_mut!((*entry).paths[index]).cast(), from);
                len = if read < 0 { UNREADABLE } else { read as u32 };
            }
            write_volatile(addr_of_mut!((*entry).lens[index]), len);
        }
        write_volatile(addr_of_mut!((*entry).number), number);
        write_volatile(addr_of_mut!((*entry).tid), tid);
    }
    0
}

/// Whether an open is one of which a refusal matters.
#[inline(always)]
fn may_write(number: u32, args: &[u64; 6]) -> bool {
    match number {
        OPEN => args[1] & WRITE_FLAGS != 0,
        OPENAT => args[2] & WRITE_FLAGS != 0,
        CREAT => true,
        OPENAT2 => {
            let mut given = 0u64;
            // SAFETY: the helper writes 8 bytes and checks the address.
            unsafe {
                bpf_probe_read_user((&raw mut given).cast(), 8, args[2] as *const _);
            }
            given & WRITE_FLAGS != 0
        }
        _ => false,
    }
}

/// Adds the paths that were captured when the call began.
///
/// # Safety
/// `this` must point to the scratch of the running program, with a described call.
#[inline(always)]
pub(crate) unsafe fn recall(this: *mut LargeScratch) {
    // SAFETY: as the caller promises; a value of an array map.
    unsafe {
        let body = LargeScratch::body::<CallBody>(this);
        let number = read_volatile(addr_of!((*body).number));
        let tid = read_volatile(addr_of!((*LargeScratch::header(this)).task.tid));
        let Some(entry) = slot(tid) else { return };
        let owner = read_volatile(addr_of!((*entry).tid));
        if owner != tid {
            // An open that only reads had none to lose.
            let args = [0, 1, 2, 3, 4, 5].map(|index| calls::argument_of(body, index));
            let is_captured =
                calls::spec(number).note & note::ENTRY != 0 || may_write(number, &args);
            if owner != 0 && is_captured {
                emit::count_table(Table::EntriesFull);
            }
            return;
        }
        if read_volatile(addr_of!((*entry).number)) == number {
            for index in 0..2 {
                let len = read_volatile(addr_of!((*entry).lens[index]));
                if len == UNREADABLE {
                    LargeScratch::note(this, text::FAULT);
                } else if len != 0 {
                    let from = addr_of!((*entry).paths[index]) as u64;
                    // Without the NUL.
                    let text = LargeScratch::append_kernel_bytes::<{ TEXT_MAX as u32 }>(
                        this,
                        from,
                        len - 1,
                    );
                    let place = addr_of_mut!((*this).record)
                        .cast::<u8>()
                        .add(size_of::<Header>() + offset_of!(CallBody, entry))
                        .cast::<vigia_abi::Text>()
                        .add(index);
                    *place = text;
                }
            }
        }
        write_volatile(addr_of_mut!((*entry).tid), 0);
    }
}

#[inline(always)]
fn slot(tid: u32) -> Option<*mut Entry> {
    ENTRIES.get_ptr_mut(tid & (sizes::ENTRIES - 1))
}
