//! Fork, exit and change of name: what user space keeps its process table by, so that all but threads are sent
//! whatever the scope.

use core::ptr::{addr_of_mut, read_volatile, write_volatile};

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel_str, bpf_probe_read_user};
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::maps::PerCpuArray;
use aya_ebpf::programs::BtfTracePointContext;
use vigia_abi::counters::{Cause, Class};
use vigia_abi::maps::{Config, TaskMark};
use vigia_abi::offsets::*;
use vigia_abi::record::{entered, flags};
use vigia_abi::settings::Setting;
use vigia_abi::{ExitBody, ForkBody, Header, Kind, RenameBody, Task};

use crate::budget::Rank;
use crate::emit;
use crate::kernel::{Ptr, setting};
use crate::maps::{EXIT_SCRATCH, FORK_SCRATCH, RENAME_SCRATCH};
use crate::record::{SmallScratch, clear};
use crate::{arch, marks, scope, task};

const CLONE: u32 = 56;
const CLONE3: u32 = 435;
/// `signal_struct.flags`: all threads end with one status.
const SIGNAL_GROUP_EXIT: u32 = 4;

#[btf_tracepoint(function = "sched_process_fork")]
fn fork(context: BtfTracePointContext) -> i32 {
    let parent = Ptr::argument(&context, 0);
    let child = Ptr::argument(&context, 1);
    emit::count(Class::Fork, Cause::Seen);
    let Some((this, config)) = open(&FORK_SCRATCH, Class::Fork) else {
        return 0;
    };
    // SAFETY: this program's scratch and the arguments of its tracepoint.
    unsafe {
        let header = header(this);
        let body: *mut ForkBody = body(this);
        let found = scope::identify(parent, addr_of_mut!((*header).task));
        let child_pid: u32 = child.load(TASK_TGID);
        let is_thread = child_pid != child.load::<u32>(TASK_PID);
        inherit(&raw const (*header).task, child, is_thread);
        let by_agent = scope::is_agent(config, &raw const (*header).task);
        let in_scope = scope::is_in_scope(config, parent, &raw const (*header).task, found);
        if by_agent && is_thread {
            emit::count(Class::Fork, Cause::Agent);
            return 0;
        }
        if is_thread && !in_scope {
            emit::count(Class::Fork, Cause::OutOfScope);
            return 0;
        }
        if !emit::admit(
            config,
            Class::Fork as u32,
            Rank::Vital,
            scope::budget_key(&raw const (*header).task),
        ) {
            return 0;
        }
        let who = addr_of_mut!((*body).child);
        scope::identify(child, who);
        task::complete(child, who, addr_of_mut!((*this).draft.cell));
        (*body).is_thread = u32::from(is_thread);
        let cell = addr_of_mut!((*this).draft.cell);
        let (number, first) = arch::current_call(parent, cell);
        (*body).number = number;
        write_volatile(
            addr_of_mut!((*body).flags),
            match number {
                CLONE => first,
                CLONE3 => {
                    // The first member of `struct clone_args`.
                    bpf_probe_read_user(cell.cast(), 8, first as *const _);
                    read_volatile(cell)
                }
                _ => 0,
            },
        );
        finish::<ForkBody>(this, Kind::Fork, Class::Fork, parent, found, in_scope);
    }
    0
}

/// Hands the mark of a task down to its child.
///
/// # Safety
/// `parent` must have been written by [`scope::identify`].
#[inline(always)]
unsafe fn inherit(parent: *const Task, child: Ptr, is_thread: bool) {
    // SAFETY: as the caller promises.
    let parent = unsafe { &*parent };
    let own_mark = parent.tid != parent.pid
        && marks::find(parent.tid, parent.tid, parent.start_boottime_ns).is_some();
    if is_thread && !own_mark {
        // The process's mark speaks for its threads.
        return;
    }
    let id: u32 = child.load(TASK_PID);
    let start_boottime_ns: u64 = child.follow(TASK_GROUP_LEADER).load(TASK_START_BOOTTIME);
    let ns_mnt = scope::mount_namespace_of(child);
    let container = scope::container_of(scope::cgroup_of(child).follow(CGROUP_KN).load(KERNFS_ID));
    let origin_cgroup_id = if parent.origin_cgroup_id != 0 {
        parent.origin_cgroup_id
    } else {
        container
    };
    let mut entered = parent.entered;
    if entered == entered::UNKNOWN && origin_cgroup_id == 0 && ns_mnt != parent.ns_mnt {
        // An engine that was there before us, in mounts of its own, makes a container: these mounts are new, so
        // that nobody can have entered them. Containers cannot clear a mark this way: they have an origin.
        entered = entered::NO;
    }
    marks::set(
        id,
        &TaskMark {
            start_boottime_ns,
            origin_cgroup_id,
            ns_mnt,
            entered,
        },
    );
}

#[btf_tracepoint(function = "sched_process_exit")]
fn exit(context: BtfTracePointContext) -> i32 {
    let task = Ptr::argument(&context, 0);
    emit::count(Class::Exit, Cause::Seen);
    let signal = task.follow(TASK_SIGNAL);
    let process_ended = if setting(Setting::ExitTellsGroup) != 0 {
        context.arg::<u64>(1) & 0xff != 0
    } else {
        signal.load::<u32>(SIGNAL_LIVE) == 0
    };
    let Some((this, config)) = open(&EXIT_SCRATCH, Class::Exit) else {
        return 0;
    };
    // SAFETY: this program's scratch and the arguments of its tracepoint.
    unsafe {
        let header = header(this);
        let body: *mut ExitBody = body(this);
        let who = addr_of_mut!((*header).task);
        let found = scope::identify(task, who);
        if (*who).tid != (*who).pid {
            marks::forget((*who).tid);
        }
        if process_ended {
            marks::forget((*who).pid);
        }
        if scope::is_agent(config, who) {
            emit::count(Class::Exit, Cause::Agent);
            return 0;
        }
        let in_scope = scope::is_in_scope(config, task, who, found);
        if !process_ended && !in_scope {
            emit::count(Class::Exit, Cause::OutOfScope);
            return 0;
        }
        if !emit::admit(
            config,
            Class::Exit as u32,
            Rank::Vital,
            scope::budget_key(who),
        ) {
            return 0;
        }
        // What wait(2) reports: the group's status if it was ended as a group, else that of the first thread.
        (*body).status = if signal.load::<u32>(SIGNAL_FLAGS) & SIGNAL_GROUP_EXIT != 0 {
            signal.load(SIGNAL_GROUP_EXIT_CODE)
        } else if process_ended {
            task.follow(TASK_GROUP_LEADER).load(TASK_EXIT_CODE)
        } else {
            task.load(TASK_EXIT_CODE)
        };
        (*body).process_ended = u32::from(process_ended);
        finish::<ExitBody>(this, Kind::Exit, Class::Exit, task, found, in_scope);
    }
    0
}

#[btf_tracepoint(function = "task_rename")]
fn rename(context: BtfTracePointContext) -> i32 {
    let renamed = Ptr::argument(&context, 0);
    let comm: u64 = context.arg(1);
    let current = Ptr::current_task();
    emit::count(Class::Rename, Cause::Seen);
    let Some((this, config)) = open(&RENAME_SCRATCH, Class::Rename) else {
        return 0;
    };
    // SAFETY: this program's scratch and the arguments of its tracepoint.
    unsafe {
        let header = header(this);
        let body: *mut RenameBody = body(this);
        let who = addr_of_mut!((*header).task);
        let found = scope::identify(current, who);
        if scope::is_agent(config, who) {
            emit::count(Class::Rename, Cause::Agent);
            return 0;
        }
        if !scope::is_in_scope(config, current, who, found) {
            emit::count(Class::Rename, Cause::OutOfScope);
            return 0;
        }
        if !emit::admit(
            config,
            Class::Rename as u32,
            Rank::Rare,
            scope::budget_key(who),
        ) {
            return 0;
        }
        clear(body);
        bpf_probe_read_kernel_str(addr_of_mut!((*body).comm).cast(), 16, comm as *const _);
        (*body).tid = renamed.load(TASK_PID);
        finish::<RenameBody>(this, Kind::Rename, Class::Rename, current, found, true);
    }
    0
}

#[inline(always)]
fn open(
    map: &'static PerCpuArray<SmallScratch>,
    class: Class,
) -> Option<(*mut SmallScratch, *const Config)> {
    match (map.get_ptr_mut(0), emit::config()) {
        (Some(this), Some(config)) => Some((this, config)),
        _ => {
            emit::count(class, Cause::Broken);
            None
        }
    }
}

/// # Safety
/// `this` must point to the scratch of the running program; so in all functions below.
#[inline(always)]
unsafe fn header(this: *mut SmallScratch) -> *mut Header {
    // SAFETY: as the caller promises.
    unsafe { addr_of_mut!((*this).record).cast() }
}

/// # Safety
/// See [`header`].
#[inline(always)]
unsafe fn body<Body>(this: *mut SmallScratch) -> *mut Body {
    const { assert!(size_of::<Body>() <= size_of::<ForkBody>()) };
    // SAFETY: as the caller promises; the record has room for the largest body.
    unsafe {
        addr_of_mut!((*this).record)
            .cast::<u8>()
            .add(size_of::<Header>())
            .cast()
    }
}

/// # Safety
/// See [`header`]; the body must be written.
#[inline(always)]
unsafe fn finish<Body>(
    this: *mut SmallScratch,
    kind: Kind,
    class: Class,
    task: Ptr,
    found: u16,
    in_scope: bool,
) {
    // SAFETY: as the caller promises.
    unsafe {
        let header = header(this);
        task::complete(
            task,
            addr_of_mut!((*header).task),
            addr_of_mut!((*this).draft.cell),
        );
        emit::label(header, kind, class as u32);
        (*header).flags = if in_scope {
            found | flags::IN_SCOPE
        } else {
            found
        };
        write_volatile(addr_of_mut!((*this).draft.notes), 0);
        let len = (size_of::<Header>() + size_of::<Body>()) as u32;
        emit::submit(addr_of_mut!((*this).draft), header, len, len);
    }
}
