//! System calls, as they return.
//!
//! `calls` runs at every return of every system call (and where need be `calls_again` after it), so that it does one
//! thing: look the number and the outcome up in the interest table. What passes goes to its first stage (`open`,
//! `plain`, `namespace`, `network`), which judges scope, secrets and budget; from there to `socket` where there is one,
//! `gather` for the strings and `walk` for the kernel's paths; `open_paths` drops opens whose paths nobody asks for. Calls of
//! other tables are translated first (`compat`).

mod compat;
mod dispatchers;
mod gather;
mod namespace;
mod network;
pub(crate) mod open;
mod open_paths;
mod plain;

use core::ptr::{addr_of, addr_of_mut, read_volatile, write_volatile};

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use vigia_abi::calls::{CallSpec, NUMBERS, SPECS, interest, note};
use vigia_abi::counters::{Cause, Class};
use vigia_abi::maps::{Config, stage};
use vigia_abi::offsets::*;
use vigia_abi::record::call;
use vigia_abi::{CallBody, Kind};

use dispatchers::Dispatcher;
pub(crate) use dispatchers::MarkPage;

use crate::kernel::{Addr, Ptr};
use crate::maps::{CALL_STAGES, INTEREST};
use crate::record::LargeScratch;
use crate::{arch, emit, file, scope, task, walk};

/// Where the arguments of each call are: a copy of [`SPECS`] in read-only data.
#[unsafe(no_mangle)]
static CALL_SPECS: [CallSpec; NUMBERS as usize] = SPECS;

const EPERM: i64 = -1;
const EACCES: i64 = -13;
const EROFS: i64 = -30;
const EINPROGRESS: i64 = -115;
/// `-ERESTARTSYS` to `-ERESTART_RESTARTBLOCK`: the call will be made again, or end with `EINTR`; not an outcome.
const RESTARTS: core::ops::RangeInclusive<i64> = -516..=-512;

#[btf_tracepoint(function = "sys_exit")]
fn calls(context: BtfTracePointContext) -> i32 {
    enter(&context, Dispatcher::First);
    0
}

/// Runs after `calls`, where the kernel skips that one now and then.
#[btf_tracepoint(function = "sys_exit")]
fn calls_again(context: BtfTracePointContext) -> i32 {
    enter(&context, Dispatcher::Second);
    0
}

#[inline(always)]
fn enter(context: &BtfTracePointContext, dispatcher: Dispatcher) {
    let number = arch::number(Ptr::argument(context, 0));
    if number < 0 {
        return;
    }
    let status: u32 = Ptr::current_task().load(TASK_STATUS);
    if arch::is_compat(status, number) {
        if dispatcher.takes_call() {
            // SAFETY: nothing here needs to be dropped.
            unsafe { CALL_STAGES.tail_call(context, stage::COMPAT) };
            emit::count(Class::Compat, Cause::Seen);
            emit::count(Class::Compat, Cause::Broken);
        }
        return;
    }
    dispatch(context, number as u32, 0, || dispatcher.takes_call());
}

/// Hands a call that somebody may want to know of, if it is ours to take, to its first stage, which counts it as seen
/// itself.
#[inline(always)]
fn dispatch(
    context: &BtfTracePointContext,
    number: u32,
    flags: u32,
    takes_call: impl FnOnce() -> bool,
) {
    let Some(word) = interest_in(number) else {
        return;
    };
    let result = result_of(context, number);
    if word == 0 || RESTARTS.contains(&result) || !takes_call() {
        return;
    }
    let class = u32::from(spec(number).class);
    if word >> interest::DISPATCH_SHIFT & outcome(result) == 0 {
        emit::count_number(class, Cause::Seen);
        emit::count_number(class, Cause::NoInterest);
        return;
    }
    if let Some(this) = scratch() {
        // SAFETY: this program's scratch; nothing here needs to be dropped.
        unsafe {
            write_volatile(addr_of_mut!((*this).passed.number), number);
            write_volatile(addr_of_mut!((*this).passed.flags), flags);
            CALL_STAGES.tail_call(
                context,
                word >> interest::STAGE_SHIFT & interest::STAGE_MASK,
            );
        }
    }
    emit::count_number(class, Cause::Seen);
    emit::count_number(class, Cause::Broken);
}

/// The number of the call that the dispatcher handed on.
///
/// # Safety
/// `this` must point to the scratch of the running program; so in all functions here.
#[inline(always)]
unsafe fn number(this: *const LargeScratch) -> u32 {
    // SAFETY: as the caller promises.
    unsafe { read_volatile(addr_of!((*this).passed.number)) }
}

/// What a call returned. A connect that a signal interrupts goes on without the program.
#[inline(always)]
fn result_of(context: &BtfTracePointContext, number: u32) -> i64 {
    let result: i64 = context.arg(1);
    if spec(number).note & note::CONNECTS != 0 && RESTARTS.contains(&result) {
        EINPROGRESS
    } else {
        result
    }
}

/// An argument of the call that the dispatcher handed on, in the order of the 64-bit call.
///
/// # Safety
/// See [`number`].
#[inline(always)]
unsafe fn argument(this: *const LargeScratch, regs: Ptr, index: usize) -> u64 {
    // SAFETY: as the caller promises.
    unsafe {
        if read_volatile(addr_of!((*this).passed.flags)) & call::COMPAT != 0 {
            read_volatile(addr_of!((*this).passed.args[index]))
        } else {
            arch::args(regs)[index]
        }
    }
}

/// Kernel paths of a call, one each time round, then submission.
#[btf_tracepoint(function = "sys_exit")]
fn call_walk(context: BtfTracePointContext) -> i32 {
    let Some(this) = scratch() else { return 0 };
    // SAFETY: this program's scratch, as `gather` left it.
    unsafe {
        if walk::next::<CallBody>(this) {
            CALL_STAGES.tail_call(&context, stage::WALK);
            let class = read_volatile(addr_of!((*LargeScratch::header(this)).class));
            emit::count_number(class, Cause::Broken);
            return 0;
        }
        if read_volatile(addr_of!((*this).draft.by_path)) != 0 {
            CALL_STAGES.tail_call(&context, stage::OPEN_PATHS);
            emit::count(Class::Open, Cause::Broken);
            return 0;
        }
        submit(this);
    }
    0
}

/// The word of the interest table.
#[inline(always)]
pub(crate) fn interest_in(number: u32) -> Option<u32> {
    let word = INTEREST.get_ptr(number)?;
    // SAFETY: a value of an array map, read once.
    Some(unsafe { read_volatile(word) })
}

/// Where the arguments of a call are.
#[inline(always)]
pub(crate) fn spec(number: u32) -> &'static CallSpec {
    // SAFETY: masked to the array. Volatile loads follow in the callers; the table is the one the object has.
    unsafe {
        &*addr_of!(CALL_SPECS)
            .cast::<CallSpec>()
            .add((number & (NUMBERS - 1)) as usize)
    }
}

/// The bit of [`interest`] for a result; whether a successful open was a read is not to be seen here.
#[inline(always)]
pub(crate) fn outcome(result: i64) -> u32 {
    match result {
        0.. => interest::SUCCEEDED,
        EPERM | EACCES | EROFS => interest::REFUSED,
        _ => interest::FAILED,
    }
}

/// Identifies the acting task in the record's header; where it is the agent or out of scope, counts that instead.
///
/// # Safety
/// See [`number`].
#[inline(always)]
unsafe fn watched(
    this: *mut LargeScratch,
    config: *const Config,
    current: Ptr,
    class: u32,
) -> Option<u16> {
    // SAFETY: as the caller promises.
    unsafe {
        let who = addr_of_mut!((*LargeScratch::header(this)).task);
        let found = scope::identify(current, who);
        if scope::is_agent(config, who) {
            emit::count_number(class, Cause::Agent);
            return None;
        }
        if !scope::is_in_scope(config, current, who, found) {
            emit::count_number(class, Cause::OutOfScope);
            return None;
        }
        Some(found)
    }
}

#[inline(always)]
fn scratch() -> Option<*mut LargeScratch> {
    crate::maps::CALL_SCRATCH.get_ptr_mut(dispatchers::of_running_call())
}

pub(crate) use gather::{argument as argument_of, plan_base};

/// Completes the record's fixed part, but for the file and `secret_kind`.
///
/// # Safety
/// `this` must point to the scratch of the running program, and the acting task must be identified.
#[inline(always)]
unsafe fn describe(
    this: *mut LargeScratch,
    context: &BtfTracePointContext,
    current: Ptr,
    kind: Kind,
    class: u32,
    flags: u16,
) {
    // SAFETY: as the caller promises.
    unsafe {
        let header = LargeScratch::header(this);
        let body = LargeScratch::body::<CallBody>(this);
        let regs = Ptr::argument(context, 0);
        task::complete(
            current,
            addr_of_mut!((*header).task),
            addr_of_mut!((*this).draft.cell),
        );
        emit::label(header, kind, class);
        (*header).flags = flags;
        (*body).number = number(this);
        (*body).flags = read_volatile(addr_of!((*this).passed.flags));
        (*body).result = result_of(context, number(this));
        for index in 0..6 {
            (*body).args[index] = argument(this, regs, index);
        }
        let fs = current
            .follow(TASK_FS)
            .address(addr_of_mut!((*this).draft.cell));
        walk::set_root(this, fs);
    }
}

/// Captures a file and plans the walk of its path; a socket has none.
///
/// # Safety
/// `this` must point to the scratch of the running program.
#[inline(always)]
pub(crate) unsafe fn describe_file(this: *mut LargeScratch, open: Addr, asker: file::Asker) {
    use core::mem::offset_of;
    // SAFETY: as the caller promises.
    unsafe {
        file::capture(
            open,
            addr_of_mut!((*LargeScratch::body::<CallBody>(this)).file),
            asker,
        );
        if file::is_socket(open) {
            return;
        }
        let slot = size_of::<vigia_abi::Header>()
            + offset_of!(CallBody, file)
            + offset_of!(vigia_abi::File, path);
        walk::plan(this, open.member(FILE_PATH), slot);
        walk::plan_underlying(
            this,
            open,
            slot - offset_of!(vigia_abi::File, path) + offset_of!(vigia_abi::File, underlying),
        );
    }
}

/// # Safety
/// `this` must point to the scratch of the running program, with a complete record.
#[inline(always)]
unsafe fn submit(this: *mut LargeScratch) {
    // SAFETY: as the caller promises.
    unsafe {
        let len = read_volatile(addr_of!((*this).draft.end));
        let header = LargeScratch::header(this);
        emit::submit(
            addr_of_mut!((*this).draft),
            header,
            len,
            vigia_abi::record::RECORD_MAX as u32,
        );
    }
}
