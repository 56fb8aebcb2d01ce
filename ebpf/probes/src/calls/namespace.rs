//! First stage of `setns` and `unshare`: the mark of a task that entered another mount namespace is set here,
//! whoever it is and whether or not anybody wants to hear of the call.

use vigia_abi::counters::{Cause, Class};
use vigia_abi::maps::TaskMark;
use vigia_abi::offsets::*;
use vigia_abi::record::entered;

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;

use crate::kernel::Ptr;
use crate::{emit, marks, scope};

const SETNS: u32 = 308;

#[btf_tracepoint(function = "sys_exit")]
fn call_namespace(context: BtfTracePointContext) -> i32 {
    let Some(this) = super::scratch() else {
        return 0;
    };
    // SAFETY: this program's scratch.
    let number = unsafe { super::number(this) };
    emit::count(Class::Namespace, Cause::Seen);
    if context.arg::<i64>(1) >= 0 {
        note(number == SETNS);
    }
    super::plain::report(&context, number);
    0
}

/// Compares the mount namespace with the one the task was last seen in. Joining one that existed is an entry;
/// making one is not, and joining only a pod's network or IPC namespace changes nothing here.
#[inline(always)]
fn note(joined: bool) {
    let task = Ptr::current_task();
    let pid: u32 = task.load(TASK_TGID);
    let tid: u32 = task.load(TASK_PID);
    let start_boottime_ns: u64 = task.follow(TASK_GROUP_LEADER).load(TASK_START_BOOTTIME);
    let ns_mnt = scope::mount_namespace_of(task);
    let known = match marks::find(pid, tid, start_boottime_ns) {
        // SAFETY: a value of the map, copied once.
        Some(mark) => unsafe { *mark },
        None => {
            // Never seen before: it was where its parent is.
            let before = scope::mount_namespace_of(task.follow(TASK_REAL_PARENT));
            let container =
                scope::container_of(scope::cgroup_of(task).follow(CGROUP_KN).load(KERNFS_ID));
            let entered = marks::entered_by_default(before);
            TaskMark {
                start_boottime_ns,
                origin_cgroup_id: container,
                ns_mnt: before,
                entered,
            }
        }
    };
    if known.ns_mnt == ns_mnt {
        return;
    }
    let entered = if joined {
        entered::YES
    } else if known.entered == entered::UNKNOWN && known.origin_cgroup_id == 0 {
        // See `lifecycle::inherit`.
        entered::NO
    } else {
        known.entered
    };
    // A thread of several speaks for itself only.
    marks::set(
        tid,
        &TaskMark {
            ns_mnt,
            entered,
            ..known
        },
    );
}
