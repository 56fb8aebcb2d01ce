//! What a program has io_uring do for it: requests that pass no system call of their own.
//!
//! At submission the kernel has copied what the program passed, so that is read there, from the kernel's copy; at
//! completion the result is known. A request is told of as the system call that does the same.

use core::mem::offset_of;
use core::ptr::{addr_of, addr_of_mut, read_volatile, write_volatile};

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel_str, bpf_probe_read_user};
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use vigia_abi::calls::interest;
use vigia_abi::counters::{Cause, Class, Table};
use vigia_abi::maps::{sizes, stage};
use vigia_abi::offsets::*;
use vigia_abi::record::{RECORD_MAX, TEXT_MAX, call, flags, text};
use vigia_abi::settings::Setting;
use vigia_abi::{CallBody, Kind, Task, Text};

use crate::calls::open::{self, OpenFlags, Opened, Verdict};
use crate::kernel::{Addr, Ptr, has, setting};
use crate::maps::{RING_REQUESTS, RING_SCRATCH, RING_STAGES, SUBMIT_SCRATCH};
use crate::record::{ADDRESS_MAX, LargeScratch};
use crate::{calls, emit, file, scope, secrets, socket, task, walk};

const CLASS: u32 = Class::IoUring as u32;

/// Operations (`IORING_OP_*`, part of the stable interface) and the system calls that do the same.
const CONNECT: (u8, u32) = (16, 42);
const OPENAT: (u8, u32) = (18, 257);
const OPENAT2: (u8, u32) = (28, 437);
const RENAMEAT: (u8, u32) = (35, 316);
const UNLINKAT: (u8, u32) = (36, 263);
const MKDIRAT: (u8, u32) = (37, 258);
const SYMLINKAT: (u8, u32) = (38, 266);
const LINKAT: (u8, u32) = (39, 265);
const OPERATIONS: [(u8, u32); 8] = [
    CONNECT, OPENAT, OPENAT2, RENAMEAT, UNLINKAT, MKDIRAT, SYMLINKAT, LINKAT,
];
/// `res` in `struct io_uring_cqe`, part of the stable interface.
const COMPLETION_RESULT: u64 = 8;
/// `IOSQE_CQE_SKIP_SUCCESS`; the flags of a request begin with those of its submission.
const SKIPS_SUCCESS: u32 = 1 << 6;
/// Bits of a request's address that say nothing: requests are larger than this.
const ADDRESS_SHIFT: u32 = 8;
/// `AF_UNIX` is the shortest family with a name; what matters of the others is shorter.
const ADDRESS_BYTES: u32 = ADDRESS_MAX as u32;

/// What a request under way passed.
#[repr(C, align(8))]
pub(crate) struct Request {
    /// The kernel's address of the request; 0 once it is completed.
    address: u64,
    /// As those of the system call that does the same.
    args: [u64; 6],
    /// `open_how`.
    how: [u64; 3],
    /// Bytes of each path with the NUL at the end; 0 for none. Of a socket address in the place of the first path.
    lens: [u32; 2],
    paths: [[u8; TEXT_MAX]; 2],
}

/// Scratch of the program that runs at submission.
#[repr(C)]
pub(crate) struct SubmitScratch {
    task: Task,
}

#[btf_tracepoint(function = "io_uring_submit_req")]
fn ring_submit(context: BtfTracePointContext) -> i32 {
    let Some(this) = SUBMIT_SCRATCH.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: this program's scratch; requests are values of an array map.
    unsafe {
        let cell = addr_of_mut!((*this).task.start_boottime_ns);
        let request = Ptr::argument(&context, 0).address(cell);
        let number = call_of(request);
        let Some(word) = calls::interest_in(number) else {
            return 0;
        };
        if number == 0 || word == 0 {
            return 0;
        }
        let Some(config) = emit::config() else {
            return 0;
        };
        let current = Ptr::current_task();
        let who = addr_of_mut!((*this).task);
        let found = scope::identify(current, who);
        if scope::is_agent(config, who) || !scope::is_in_scope(config, current, who, found) {
            return 0;
        }
        if request.load::<u32>(RING_REQUEST_FLAGS) & SKIPS_SUCCESS != 0 {
            emit::count_table(Table::RequestsSilent);
        }
        let Some(kept) = slot(request) else { return 0 };
        write_volatile(addr_of_mut!((*kept).address), 0);
        write_volatile(addr_of_mut!((*kept).lens[0]), 0);
        write_volatile(addr_of_mut!((*kept).lens[1]), 0);
        let args = addr_of_mut!((*kept).args).cast::<u64>();
        let arg = |index: usize, value: u64| write_volatile(args.add(index), value);
        let descriptor = |member: usize| i64::from(request.load::<i32>(member)).cast_unsigned();
        let mut names = [0usize; 2];
        for index in 0..6 {
            arg(index, 0);
        }
        if number == OPENAT.1 || number == OPENAT2.1 {
            names[0] = RING_OPEN_FILENAME;
            arg(0, descriptor(RING_OPEN_DFD));
            let how: [u64; 3] = request.load(RING_OPEN_HOW);
            for (index, &word) in how.iter().enumerate() {
                write_volatile(addr_of_mut!((*kept).how).cast::<u64>().add(index), word);
            }
            if number == OPENAT.1 {
                arg(2, how[0]);
                arg(3, how[1]);
            }
        } else if number == UNLINKAT.1 {
            names[0] = RING_UNLINK_FILENAME;
            arg(0, descriptor(RING_UNLINK_DFD));
            arg(2, u64::from(request.load::<u32>(RING_UNLINK_FLAGS)));
        } else if number == MKDIRAT.1 {
            names[0] = RING_MKDIR_FILENAME;
            arg(0, descriptor(RING_MKDIR_DFD));
            arg(2, u64::from(request.load::<u16>(RING_MKDIR_MODE)));
        } else if number == RENAMEAT.1 {
            names = [RING_RENAME_OLD, RING_RENAME_NEW];
            arg(0, descriptor(RING_RENAME_OLD_DFD));
            arg(2, descriptor(RING_RENAME_NEW_DFD));
            arg(4, u64::from(request.load::<u32>(RING_RENAME_FLAGS)));
        } else if number == LINKAT.1 {
            names = [RING_LINK_OLD, RING_LINK_NEW];
            arg(0, descriptor(RING_LINK_OLD_DFD));
            arg(2, descriptor(RING_LINK_NEW_DFD));
            arg(4, u64::from(request.load::<u32>(RING_LINK_FLAGS)));
        } else if number == SYMLINKAT.1 {
            // The link's own path first, as everywhere; the target is a text.
            names = [RING_LINK_NEW, RING_LINK_OLD];
            arg(1, descriptor(RING_LINK_NEW_DFD));
        } else if has(RING_CONNECT_ADDR) {
            let from: u64 = request.load(RING_CONNECT_ADDR);
            let mut len: u32 = request.load(RING_CONNECT_LEN);
            if len > ADDRESS_BYTES {
                len = ADDRESS_BYTES;
            }
            arg(1, from);
            arg(2, u64::from(len));
            let place = addr_of_mut!((*kept).paths[0]);
            if len != 0 && bpf_probe_read_user(place.cast(), len, from as *const _) == 0 {
                write_volatile(addr_of_mut!((*kept).lens[0]), len);
            }
        }
        for index in 0..2 {
            let member = names[index];
            if member == 0 || !has(member) {
                continue;
            }
            let name: u64 = request.follow(member).load(FILENAME_NAME);
            let place = addr_of_mut!((*kept).paths[index]);
            let read = bpf_probe_read_kernel_str(place.cast(), TEXT_MAX as u32, name as *const _);
            let len = if read > 0 { read as u32 } else { 0 };
            write_volatile(addr_of_mut!((*kept).lens[index]), len);
        }
        write_volatile(addr_of_mut!((*kept).address), request.0);
    }
    0
}

#[btf_tracepoint(function = "io_uring_complete")]
fn ring_complete(context: BtfTracePointContext) -> i32 {
    let (Some(this), Some(config)) = (RING_SCRATCH.get_ptr_mut(0), emit::config()) else {
        return 0;
    };
    // SAFETY: this program's scratch and the arguments of its tracepoint.
    unsafe {
        let cell = addr_of_mut!((*this).draft.cell);
        let request = Ptr::argument(&context, 1).address(cell);
        if request.is_null() {
            return 0;
        }
        let number = call_of(request);
        if number == 0 {
            return 0;
        }
        let result = if setting(Setting::CompletionIsStruct) != 0 {
            let completion = Ptr::argument(&context, 2).address(cell);
            i64::from(completion.load_at::<i32>(COMPLETION_RESULT))
        } else {
            i64::from(context.arg::<i32>(3))
        };
        let Some(word) = calls::interest_in(number) else {
            return 0;
        };
        emit::count(Class::IoUring, Cause::Seen);
        let current = Ptr::current_task();
        let header = LargeScratch::header(this);
        let who = addr_of_mut!((*header).task);
        let found = scope::identify(current, who);
        let is_open = number == OPENAT.1 || number == OPENAT2.1;
        let mut opened = Opened {
            task: current,
            result,
            file: Addr::NULL,
        };
        let judged = if is_open {
            // A file in a fixed slot has no descriptor: whether it was opened for writing is not to be seen.
            if has(RING_OPEN_SLOT) && request.load::<u32>(RING_OPEN_SLOT) != 0 {
                opened.result = core::cmp::min(result, -1);
            }
            let how: [u64; 3] = request.load(RING_OPEN_HOW);
            let open_flags = OpenFlags::Known(how[0]);
            let slotted = opened.result != result;
            let judged = open::judge(who, config, word, &mut opened, found, this, open_flags);
            match judged {
                Err(Cause::NoInterest) if slotted && word & interest::ALL != 0 => Ok(wanted(found)),
                judged => judged,
            }
        } else if scope::is_agent(config, who) {
            Err(Cause::Agent)
        } else if !scope::is_in_scope(config, current, who, found) {
            Err(Cause::OutOfScope)
        } else if word & interest::ALL & calls::outcome(result) == 0 {
            Err(Cause::NoInterest)
        } else {
            Ok(wanted(found))
        };
        let verdict = match judged {
            Ok(verdict) => verdict,
            Err(cause) => {
                emit::count(Class::IoUring, cause);
                return 0;
            }
        };
        let rank = open::rank(&verdict, result);
        if !emit::admit(config, CLASS, rank, scope::budget_key(who)) {
            return 0;
        }
        LargeScratch::begin::<CallBody>(this);
        task::complete(current, who, cell);
        emit::label(header, Kind::Call, CLASS);
        (*header).flags = verdict.flags;
        let body = LargeScratch::body::<CallBody>(this);
        (*body).number = number;
        (*body).flags = call::IO_URING;
        write_volatile(addr_of_mut!((*body).result), result);
        secrets::describe(body, verdict.secret_kind, opened.file);
        let fs = current.follow(TASK_FS).address(cell);
        walk::set_root(this, fs);
        if number == CONNECT.1 {
            // The file of the request.
            opened.file = request.follow(RING_REQUEST_FILE);
        }
        if !opened.file.is_null() {
            let asker = if is_open {
                file::Asker::Open
            } else {
                file::Asker::Descriptor
            };
            calls::describe_file(this, opened.file, asker);
        }
        gather(this, request, number, result, opened.file);
        RING_STAGES.tail_call(&context, stage::RING_WALK);
    }
    emit::count(Class::IoUring, Cause::Broken);
    0
}

/// A request that is told of because a rule asks.
#[inline(always)]
fn wanted(found: u16) -> Verdict {
    Verdict {
        kind: Kind::Call,
        class: Class::IoUring,
        flags: found | flags::IN_SCOPE,
        secret_kind: 0,
        by_path: false,
    }
}

/// Kernel paths of a request, one each time round, then submission.
#[btf_tracepoint(function = "io_uring_complete")]
fn ring_walk(context: BtfTracePointContext) -> i32 {
    let Some(this) = RING_SCRATCH.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: this program's scratch, as `ring_complete` left it.
    unsafe {
        if walk::next::<CallBody>(this) {
            RING_STAGES.tail_call(&context, stage::RING_WALK);
            emit::count(Class::IoUring, Cause::Broken);
            return 0;
        }
        let len = read_volatile(addr_of!((*this).draft.end));
        emit::submit(
            addr_of_mut!((*this).draft),
            LargeScratch::header(this),
            len,
            RECORD_MAX as u32,
        );
    }
    0
}

/// Adds what was kept since the submission.
///
/// # Safety
/// `this` must point to the scratch of the running program, with a described call.
#[inline(always)]
unsafe fn gather(this: *mut LargeScratch, request: Addr, number: u32, result: i64, open: Addr) {
    // SAFETY: as the caller promises; a value of an array map.
    unsafe {
        let body = LargeScratch::body::<CallBody>(this);
        let spec = calls::spec(number);
        let Some(kept) = slot(request) else { return };
        if read_volatile(addr_of!((*kept).address)) != request.0 {
            emit::count_table(Table::RequestsFull);
            (*body).paths[0].given = lost();
            return;
        }
        for index in 0..6 {
            (*body).args[index] = read_volatile(addr_of!((*kept).args).cast::<u64>().add(index));
        }
        if number == OPENAT2.1 {
            for index in 0..3 {
                (*body).open_how[index] =
                    read_volatile(addr_of!((*kept).how).cast::<u64>().add(index));
            }
            (*body).flags |= call::OPEN_HOW;
        }
        if number == CONNECT.1 {
            let len = read_volatile(addr_of!((*kept).lens[0]));
            let from = addr_of!((*kept).paths[0]) as u64;
            let address = LargeScratch::append_kernel_bytes::<ADDRESS_BYTES>(this, from, len);
            if len != 0 {
                (*body).address = address;
            }
            if !open.is_null() && socket::read(this, open) {
                socket::remember(this, open, spec, result);
                socket::append(this, offset_of!(CallBody, socket));
            }
        } else {
            for index in 0..2 {
                let len = read_volatile(addr_of!((*kept).lens[index]));
                if len == 0 {
                    continue;
                }
                let from = addr_of!((*kept).paths[index]) as u64;
                let name =
                    LargeScratch::append_kernel_bytes::<{ TEXT_MAX as u32 }>(this, from, len - 1);
                if index == 1 && number == SYMLINKAT.1 {
                    (*body).texts[0] = name;
                    continue;
                }
                (*body).paths[index].given = name;
                let first = read_volatile(addr_of!((*kept).paths[index]).cast::<u8>());
                if first != b'/' {
                    calls::plan_base(this, spec.paths[index].dir, index);
                }
            }
        }
        write_volatile(addr_of_mut!((*kept).address), 0);
    }
}

/// The system call that does what a request does, by its 64-bit number; 0 for none that is told of.
#[inline(always)]
fn call_of(request: Addr) -> u32 {
    if !has(RING_REQUEST_OPCODE) {
        return 0;
    }
    let opcode: u8 = request.load(RING_REQUEST_OPCODE);
    let mut number = 0;
    for (operation, call) in OPERATIONS {
        if operation == opcode {
            number = call;
        }
    }
    number
}

#[inline(always)]
fn slot(request: Addr) -> Option<*mut Request> {
    RING_REQUESTS.get_ptr_mut((request.0 >> ADDRESS_SHIFT) as u32 & (sizes::RING_REQUESTS - 1))
}

/// A text that is known to have been, and no more.
#[inline(always)]
fn lost() -> Text {
    Text {
        offset: 0,
        len: 0,
        flags: text::PRESENT | text::FAULT,
        padding: 0,
    }
}
