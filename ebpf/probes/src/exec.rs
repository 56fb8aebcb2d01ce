//! Successful executions: the new program's file, arguments and working directory.

use core::mem::offset_of;
use core::ptr::{addr_of, addr_of_mut, read_volatile};

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use vigia_abi::counters::{Cause, Class};
use vigia_abi::maps::{config, stage};
use vigia_abi::offsets::*;
use vigia_abi::record::{RECORD_MAX, flags};
use vigia_abi::{ExecBody, File, Header, Kind};

use crate::budget::Rank;
use crate::kernel::Ptr;
use crate::maps::{EXEC_SCRATCH, EXEC_STAGES, TASKS};
use crate::record::LargeScratch;
use crate::{emit, file, marks, scope, task, walk};

#[btf_tracepoint(function = "sched_process_exec")]
fn exec(context: BtfTracePointContext) -> i32 {
    emit::count(Class::Exec, Cause::Seen);
    let (Some(this), Some(config)) = (EXEC_SCRATCH.get_ptr_mut(0), emit::config()) else {
        emit::count(Class::Exec, Cause::Broken);
        return 0;
    };
    let task = Ptr::argument(&context, 0);
    let old_tid: u32 = context.arg(1);
    let bprm = Ptr::argument(&context, 2);
    take_over(task, old_tid);
    // SAFETY: this program's scratch and the arguments of its tracepoint.
    unsafe {
        let header = LargeScratch::header(this);
        let who = addr_of_mut!((*header).task);
        let mut found = scope::identify(task, who);
        if scope::is_agent(config, who) {
            emit::count(Class::Exec, Cause::Agent);
            return 0;
        }
        if scope::is_in_scope(config, task, who, found) {
            found |= flags::IN_SCOPE;
        }
        if !emit::admit(
            config,
            Class::Exec as u32,
            Rank::Vital,
            scope::budget_key(who),
        ) {
            return 0;
        }
        LargeScratch::begin::<ExecBody>(this);
        let cell = addr_of_mut!((*this).draft.cell);
        task::complete(task, who, cell);
        emit::label(header, Kind::Exec, Class::Exec as u32);
        (*header).flags = found;

        let body = LargeScratch::body::<ExecBody>(this);
        let executable = bprm.follow(BPRM_FILE).address(cell);
        file::capture(executable, addr_of_mut!((*body).file), file::Asker::Exec);
        let fs = task.follow(TASK_FS).address(cell);
        walk::set_root(this, fs);
        walk::plan(
            this,
            executable.member(FILE_PATH),
            slot(offset_of!(ExecBody, file) + offset_of!(File, path)),
        );
        walk::plan(this, fs.member(FS_PWD), slot(offset_of!(ExecBody, cwd)));

        let filename = bprm.follow(BPRM_FILENAME).address(cell);
        (*body).filename = LargeScratch::append_kernel_string(this, filename.0);
        let mm = task.follow(TASK_MM).address(cell);
        (*body).args =
            LargeScratch::append_user_bytes(this, mm.load(MM_ARG_START), mm.load(MM_ARG_END));
        if read_volatile(addr_of!((*config).flags)) & config::ENV != 0 {
            (*body).env =
                LargeScratch::append_user_bytes(this, mm.load(MM_ENV_START), mm.load(MM_ENV_END));
        }
        EXEC_STAGES.tail_call(&context, stage::EXEC_WALK);
    }
    emit::count(Class::Exec, Cause::Broken);
    0
}

/// Kernel paths of an execution, one each time round, then submission.
#[btf_tracepoint(function = "sched_process_exec")]
fn exec_walk(context: BtfTracePointContext) -> i32 {
    let Some(this) = EXEC_SCRATCH.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: this program's scratch, as `exec` left it.
    unsafe {
        if walk::next::<ExecBody>(this) {
            EXEC_STAGES.tail_call(&context, stage::EXEC_WALK);
            emit::count(Class::Exec, Cause::Broken);
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

const fn slot(in_body: usize) -> usize {
    size_of::<Header>() + in_body
}

/// A thread that executes takes over the process: its own mark becomes that of the process.
#[inline(always)]
fn take_over(task: Ptr, old_tid: u32) {
    let tid: u32 = task.load(TASK_PID);
    if old_tid == tid {
        return;
    }
    let Some(mark) = TASKS.get_ptr(old_tid) else {
        return;
    };
    let start: u64 = task.follow(TASK_GROUP_LEADER).load(TASK_START_BOOTTIME);
    if marks::is_of(mark, start) {
        // SAFETY: a value of the map, copied once.
        marks::set(tid, &unsafe { *mark });
    }
    marks::forget(old_tid);
}
