//! Who acts, and whether anybody wants to know.

use core::ptr::{addr_of, read_volatile};

use vigia_abi::Task;
use vigia_abi::maps::{Config, TaskMark, scope};
use vigia_abi::offsets::*;
use vigia_abi::record::flags;
use vigia_abi::settings::{NO_SUBSYSTEM, Setting};

use crate::kernel::{Ptr, setting};
use crate::maps::CGROUPS;
use crate::{budget, cgroups, marks};

/// Nanoseconds per clock tick of /proc.
pub(crate) const TICK_NS: u64 = 10_000_000;

/// The cgroup of a task in the hierarchy in which engines make their groups.
#[inline(always)]
pub(crate) fn cgroup_of(task: Ptr) -> Ptr {
    let set = task.follow(TASK_CGROUPS);
    let subsystem = setting(Setting::Subsystem);
    if subsystem == NO_SUBSYSTEM {
        set.follow(CSS_SET_DFL_CGRP)
    } else {
        set.follow_at(crate::kernel::offset(CSS_SET_SUBSYS) + u64::from(subsystem) * 8)
            .follow(CSS_CGROUP)
    }
}

/// Inode number of a task's mount namespace; 0 for a task that is past having one.
#[inline(always)]
pub(crate) fn mount_namespace_of(task: Ptr) -> u32 {
    task.follow(TASK_NSPROXY)
        .follow(NSPROXY_MNT)
        .load(MNT_NS_INUM)
}

/// Writes the members of a task by which its scope is judged, and returns the [`flags`] that say where it lives.
///
/// # Safety
/// `out` must be valid for writes.
#[inline(always)]
pub(crate) unsafe fn identify(task: Ptr, out: *mut Task) -> u16 {
    let pid: u32 = task.load(TASK_TGID);
    let tid: u32 = task.load(TASK_PID);
    let start_boottime_ns: u64 = task.follow(TASK_GROUP_LEADER).load(TASK_START_BOOTTIME);
    let cgroup_id: u64 = cgroup_of(task).follow(CGROUP_KN).load(KERNFS_ID);
    let container = container_of(cgroup_id);
    let ns_mnt = mount_namespace_of(task);
    let (mut origin, entered) = match marks::find(pid, tid, start_boottime_ns) {
        // SAFETY: a value of the map; its words may change under us, each is read once.
        Some(mark) => unsafe {
            if container != 0 && (*mark).origin_cgroup_id == 0 {
                (*mark).origin_cgroup_id = container;
            }
            ((*mark).origin_cgroup_id, (*mark).entered)
        },
        None => {
            let entered = marks::entered_by_default(ns_mnt);
            if container != 0 {
                // Remembered, so that it stays in scope if it leaves.
                marks::set(
                    pid,
                    &TaskMark {
                        start_boottime_ns,
                        origin_cgroup_id: container,
                        ns_mnt,
                        entered,
                    },
                );
            }
            (container, entered)
        }
    };
    if origin == 0 {
        origin = container;
    }
    // SAFETY: as the caller promises.
    unsafe {
        (*out).pid = pid;
        (*out).tid = tid;
        (*out).start_boottime_ns = start_boottime_ns;
        (*out).cgroup_id = cgroup_id;
        (*out).container_cgroup_id = container;
        (*out).origin_cgroup_id = origin;
        (*out).ns_mnt = ns_mnt;
        (*out).entered = entered;
    }
    let mut found = 0;
    if container != 0 {
        found |= flags::IN_CONTAINER;
    }
    if ns_mnt != 0 && ns_mnt != setting(Setting::HostMountNamespace) {
        found |= flags::OWN_MOUNTS;
    }
    found
}

/// The container's cgroup that a cgroup is or lies below; 0 for none.
#[inline(always)]
pub(crate) fn container_of(cgroup_id: u64) -> u64 {
    match CGROUPS.get_ptr(cgroup_id) {
        // SAFETY: a value of the map, read once.
        Some(container) => unsafe { read_volatile(container) },
        None => 0,
    }
}

/// Whether a task is in scope; `found` is what [`identify`] returned.
///
/// # Safety
/// `who` must have been written by [`identify`].
#[inline(always)]
pub(crate) unsafe fn is_in_scope(
    config: *const Config,
    task: Ptr,
    who: *const Task,
    found: u16,
) -> bool {
    // SAFETY: a value of an array map, and the caller's task.
    unsafe {
        match read_volatile(addr_of!((*config).scope)) {
            scope::CONTAINERS => found != 0 || (*who).origin_cgroup_id != 0,
            scope::CGROUP => cgroups::is_below(
                cgroup_of(task),
                read_volatile(addr_of!((*config).scope_cgroup)),
            ),
            _ => true,
        }
    }
}

/// Whether a task is the agent itself.
///
/// # Safety
/// `who` must have been written by [`identify`].
#[inline(always)]
pub(crate) unsafe fn is_agent(config: *const Config, who: *const Task) -> bool {
    // SAFETY: a value of an array map, and the caller's task.
    unsafe {
        (*who).pid == read_volatile(addr_of!((*config).agent_pid))
            && (*who).start_boottime_ns / TICK_NS
                == read_volatile(addr_of!((*config).agent_start_ticks))
    }
}

/// Whose budget a task draws on: that of its container, also after it left it.
///
/// # Safety
/// `who` must have been written by [`identify`].
#[inline(always)]
pub(crate) unsafe fn budget_key(who: *const Task) -> u64 {
    // SAFETY: as the caller promises.
    unsafe {
        if (*who).container_cgroup_id != 0 {
            (*who).container_cgroup_id
        } else if (*who).origin_cgroup_id != 0 {
            (*who).origin_cgroup_id
        } else {
            budget::HOST
        }
    }
}
