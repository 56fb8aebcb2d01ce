//! Second stage of every call: its strings, and what relative paths start from.

use core::mem::offset_of;
use core::ptr::{addr_of, addr_of_mut, read_volatile};

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use vigia_abi::calls::{CWD, CallSpec, NONE, note};
use vigia_abi::counters::Cause;
use vigia_abi::maps::stage;
use vigia_abi::offsets::*;
use vigia_abi::record::text;
use vigia_abi::{CallBody, GivenPath, Header, Text};

use crate::kernel::Ptr;
use crate::maps::CALL_STAGES;
use crate::record::LargeScratch;
use crate::{emit, entries, file, walk};

const AT_FDCWD: i32 = -100;
const PR_SET_NAME: u64 = 15;

#[btf_tracepoint(function = "sys_exit")]
fn call_gather(context: BtfTracePointContext) -> i32 {
    let Some(this) = super::scratch() else {
        return 0;
    };
    // SAFETY: this program's scratch, as the first stage left it.
    unsafe {
        let body = LargeScratch::body::<CallBody>(this);
        let spec = super::spec(read_volatile(addr_of!((*body).number)));
        if spec.note & (note::ENTRY | note::ENTRY_OF_WRITES) != 0 {
            entries::recall(this);
        }
        gather_path(this, spec, 0);
        gather_path(this, spec, 1);
        for index in 0..2 {
            let arg = spec.texts[index];
            // prctl(2) takes a text for one of its many options only.
            let is_text = spec.note & note::PRCTL == 0 || argument(body, 0) == PR_SET_NAME;
            if arg != NONE && is_text {
                (*body).texts[index] = LargeScratch::append_user_string(this, argument(body, arg));
            }
        }
        CALL_STAGES.tail_call(&context, stage::WALK);
        let class = read_volatile(addr_of!((*LargeScratch::header(this)).class));
        emit::count_number(class, Cause::Broken);
    }
    0
}

/// # Safety
/// `this` must point to the scratch of the running program, with a described call.
#[inline(always)]
unsafe fn gather_path(this: *mut LargeScratch, spec: &CallSpec, index: usize) {
    // SAFETY: as the caller promises.
    unsafe {
        let path = spec.paths[index];
        if path.arg == NONE {
            return;
        }
        let body = LargeScratch::body::<CallBody>(this);
        let address = argument(body, path.arg);
        let given = LargeScratch::append_user_string(this, address);
        (*body).paths[index].given = given;
        let entry = read_volatile(addr_of!((*body).entry[index]));
        // Where an empty one stands, the next text begins.
        let was_relative =
            entry.flags != 0 && (entry.len == 0 || first_byte(this, entry.offset) != b'/');
        if given.len > 0 && first_byte(this, given.offset) == b'/' && !was_relative {
            return;
        }
        plan_base(this, path.dir, index);
    }
}

/// Plans the walk of what a relative path starts from; `dir` is [`CWD`] or an argument.
///
/// # Safety
/// `this` must point to the scratch of the running program, with a described call.
#[inline(always)]
pub(crate) unsafe fn plan_base(this: *mut LargeScratch, dir: u8, index: usize) {
    // SAFETY: as the caller promises.
    unsafe {
        let body = LargeScratch::body::<CallBody>(this);
        let slot = size_of::<Header>()
            + offset_of!(CallBody, paths)
            + index * size_of::<GivenPath>()
            + offset_of!(GivenPath, base);
        let current = Ptr::current_task();
        let cell = addr_of_mut!((*this).draft.cell);
        let dir = if dir == CWD {
            AT_FDCWD
        } else {
            argument(body, dir) as i32
        };
        if dir == AT_FDCWD {
            walk::plan(
                this,
                current.follow(TASK_FS).address(cell).member(FS_PWD),
                slot,
            );
        } else {
            let open = file::of_descriptor(current, u64::from(dir.cast_unsigned()), cell);
            if !open.is_null() {
                walk::plan(this, open.member(FILE_PATH), slot);
            }
        }
    }
}

/// An argument of the call.
///
/// # Safety
/// `body` must be that of a described call.
#[inline(always)]
pub(crate) unsafe fn argument(body: *const CallBody, index: u8) -> u64 {
    if index > 5 {
        return 0;
    }
    // SAFETY: as the caller promises; the index is checked.
    unsafe { read_volatile(addr_of!((*body).args).cast::<u64>().add(index as usize)) }
}

/// # Safety
/// `this` must point to the scratch of the running program.
#[inline(always)]
pub(super) unsafe fn first_byte(this: *const LargeScratch, offset: u16) -> u8 {
    let offset = offset as usize;
    if offset >= vigia_abi::record::RECORD_MAX {
        return 0;
    }
    // SAFETY: as the caller promises; the offset is checked.
    unsafe { read_volatile(addr_of!((*this).record).cast::<u8>().add(offset)) }
}
