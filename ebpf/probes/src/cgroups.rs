//! Cgroups: which of them are containers, known before the first process of a container starts.

use core::ptr::{addr_of, addr_of_mut, read_volatile, write_volatile};

use aya_ebpf::bindings::BPF_ANY;
use aya_ebpf::helpers::generated::bpf_probe_read_kernel_str;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::maps::PerCpuArray;
use aya_ebpf::programs::BtfTracePointContext;
use vigia_abi::counters::{Cause, Class, Table};
use vigia_abi::maps::TaskMark;
use vigia_abi::maps::scope::LEVELS;
use vigia_abi::offsets::*;
use vigia_abi::record::{TEXT_MAX, flags, text};
use vigia_abi::settings::Setting;
use vigia_abi::{CgroupBody, Header, Kind, Text};

use crate::budget::Rank;
use crate::emit;
use crate::kernel::{Addr, Ptr, setting};
use crate::maps::{ATTACH_SCRATCH, CGROUPS, MKDIR_SCRATCH, RMDIR_SCRATCH};
use crate::record::CgroupScratch;
use crate::{marks, scope, task};

/// Room for the name of a cgroup; the longest one that can be a container's is 85 bytes.
pub(crate) const NAME_BYTES: usize = 128;
/// Hexadecimal digits of a container's id.
const ID_LEN: usize = 64;
const SUFFIX: &[u8; 6] = b".scope";
/// What runtimes put before the id under the systemd driver.
const PREFIXES: [&[u8]; 4] = [b"docker-", b"libpod-", b"crio-", b"cri-containerd-"];

#[btf_tracepoint(function = "cgroup_mkdir")]
fn cgroup_mkdir(context: BtfTracePointContext) -> i32 {
    if let Some(scratch) = scratch(&MKDIR_SCRATCH, &context) {
        // SAFETY: this program's scratch and the arguments of its tracepoint.
        unsafe {
            let kn = Ptr::argument(&context, 0)
                .follow(CGROUP_KN)
                .address(addr_of_mut!((*scratch).draft.cell));
            let id: u64 = kn.load(KERNFS_ID);
            let container = if is_container(scratch, kn.follow(KERNFS_NAME)) {
                id
            } else {
                scope::container_of(kn.follow(KERNFS_PARENT).load(KERNFS_ID))
            };
            if container != 0 && CGROUPS.insert(id, container, u64::from(BPF_ANY)).is_err() {
                emit::count_table(Table::CgroupsFull);
            }
            report(scratch, &context, Kind::CgroupMkdir, id, 0);
        }
    }
    0
}

#[btf_tracepoint(function = "cgroup_rmdir")]
fn cgroup_rmdir(context: BtfTracePointContext) -> i32 {
    if let Some(scratch) = scratch(&RMDIR_SCRATCH, &context) {
        let id: u64 = Ptr::argument(&context, 0).follow(CGROUP_KN).load(KERNFS_ID);
        // SAFETY: this program's scratch and the arguments of its tracepoint.
        unsafe { report(scratch, &context, Kind::CgroupRmdir, id, 0) };
        // After the report, which says whose cgroup it was. Most are no container's.
        let _ = CGROUPS.remove(id);
    }
    0
}

#[btf_tracepoint(function = "cgroup_attach_task")]
fn cgroup_attach(context: BtfTracePointContext) -> i32 {
    if let Some(scratch) = scratch(&ATTACH_SCRATCH, &context) {
        let id: u64 = Ptr::argument(&context, 0).follow(CGROUP_KN).load(KERNFS_ID);
        let moved = Ptr::argument(&context, 2);
        let pid: u32 = moved.load(TASK_TGID);
        let container = scope::container_of(id);
        if container != 0 {
            remember_origin(moved, pid, container);
        }
        // SAFETY: this program's scratch and the arguments of its tracepoint.
        unsafe { report(scratch, &context, Kind::CgroupAttach, id, pid) };
    }
    0
}

/// A task that was moved into a container belongs to it from now on, even if it leaves its cgroup again.
#[inline(always)]
fn remember_origin(moved: Ptr, pid: u32, container: u64) {
    let start_boottime_ns: u64 = moved.follow(TASK_GROUP_LEADER).load(TASK_START_BOOTTIME);
    match marks::find(pid, pid, start_boottime_ns) {
        // SAFETY: a value of the map.
        Some(mark) => unsafe {
            if (*mark).origin_cgroup_id == 0 {
                (*mark).origin_cgroup_id = container;
            }
        },
        None => {
            let ns_mnt = scope::mount_namespace_of(moved);
            let entered = marks::entered_by_default(ns_mnt);
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
    }
}

/// The scratch, if the cgroup (the tracepoint's first argument) lies in the hierarchy of engines.
#[inline(always)]
fn scratch(
    map: &'static PerCpuArray<CgroupScratch>,
    context: &BtfTracePointContext,
) -> Option<*mut CgroupScratch> {
    let hierarchy: u32 = Ptr::argument(context, 0)
        .follow(CGROUP_ROOT)
        .load(CGROUP_ROOT_HIERARCHY);
    if hierarchy == setting(Setting::Hierarchy) {
        map.get_ptr_mut(0)
    } else {
        None
    }
}

/// Sends the record of a change; the path is the tracepoint's second argument.
///
/// # Safety
/// `this` must point to the scratch of the running program.
#[inline(always)]
unsafe fn report(
    this: *mut CgroupScratch,
    context: &BtfTracePointContext,
    kind: Kind,
    id: u64,
    pid: u32,
) {
    emit::count(Class::Cgroup, Cause::Seen);
    let Some(config) = emit::config() else {
        emit::count(Class::Cgroup, Cause::Broken);
        return;
    };
    let path: u64 = context.arg(1);
    let current = Ptr::current_task();
    // SAFETY: as the caller promises; the record has room for header, body and the longest text.
    unsafe {
        let header: *mut Header = addr_of_mut!((*this).record).cast();
        let body: *mut CgroupBody = addr_of_mut!((*this).record)
            .cast::<u8>()
            .add(size_of::<Header>())
            .cast();
        let who = addr_of_mut!((*header).task);
        let mut found = scope::identify(current, who);
        if scope::is_agent(config, who) {
            emit::count(Class::Cgroup, Cause::Agent);
            return;
        }
        if scope::is_in_scope(config, current, who, found) {
            found |= flags::IN_SCOPE;
        }
        if !emit::admit(
            config,
            Class::Cgroup as u32,
            Rank::Vital,
            scope::budget_key(who),
        ) {
            return;
        }
        task::complete(current, who, addr_of_mut!((*this).draft.cell));
        emit::label(header, kind, Class::Cgroup as u32);
        (*header).flags = found;
        const FIXED: usize = size_of::<Header>() + size_of::<CgroupBody>();
        let place = addr_of_mut!((*this).record).cast::<u8>().add(FIXED);
        let read = bpf_probe_read_kernel_str(place.cast(), TEXT_MAX as u32, path as *const _);
        let len = if read > 0 { (read - 1) as u32 } else { 0 };
        let mut notes = 0;
        if read < 0 {
            notes = text::FAULT;
        } else if read == TEXT_MAX as i64 {
            notes = text::TRUNCATED;
        }
        (*body).id = id;
        (*body).pid = pid;
        (*body).in_container = u32::from(scope::container_of(id) != 0);
        (*body).path = Text {
            offset: FIXED as u16,
            len: len as u16,
            flags: text::PRESENT | notes,
            padding: 0,
        };
        write_volatile(addr_of_mut!((*this).draft.notes), u32::from(notes));
        write_volatile(addr_of_mut!((*this).draft.end), FIXED as u32 + len);
        let len = read_volatile(addr_of!((*this).draft.end));
        emit::submit(
            addr_of_mut!((*this).draft),
            header,
            len,
            (FIXED + TEXT_MAX) as u32,
        );
    }
}

/// Whether a cgroup's name is one a runtime gives to a container: an id of 64 lower-case hexadecimal digits,
/// bare or as `PREFIX-ID.scope`. Anything looser takes session and service cgroups for containers.
///
/// # Safety
/// `this` must point to the scratch of the running program.
#[inline(always)]
unsafe fn is_container(this: *mut CgroupScratch, name: Addr) -> bool {
    // SAFETY: as the caller promises; every index is masked to the buffer.
    unsafe {
        let buffer = addr_of_mut!((*this).name).cast::<u8>();
        let at = |index: usize| read_volatile(buffer.add(index & (NAME_BYTES - 1)));
        // Differences are gathered in map memory: what is compared in registers becomes a branch a byte, and the
        // verifier follows both sides of all of them.
        let cell = addr_of_mut!((*this).draft.cell);
        let gather =
            |difference: u8| write_volatile(cell, read_volatile(cell) | u64::from(difference));
        let is_same = |start: usize, expected: &[u8]| {
            write_volatile(cell, 0);
            for (index, &byte) in expected.iter().enumerate() {
                gather(at(start + index) ^ byte);
            }
            read_volatile(cell) == 0
        };
        let read = bpf_probe_read_kernel_str(buffer.cast(), NAME_BYTES as u32, name.0 as *const _);
        if read <= ID_LEN as i64 {
            return false;
        }
        let mut len = (read - 1) as usize;
        if is_same(len - SUFFIX.len(), SUFFIX) {
            len -= SUFFIX.len();
        }
        let prefix_len = len.wrapping_sub(ID_LEN);
        let mut is_known = prefix_len == 0;
        for prefix in PREFIXES {
            if prefix.len() == prefix_len && is_same(0, prefix) {
                is_known = true;
            }
        }
        if !is_known {
            return false;
        }
        write_volatile(addr_of_mut!((*this).draft.end), prefix_len as u32);
        let start = read_volatile(addr_of!((*this).draft.end)) as usize;
        write_volatile(cell, 0);
        for index in 0..ID_LEN {
            gather(read_volatile(
                addr_of!(NOT_HEX)
                    .cast::<u8>()
                    .add(at(start + index) as usize),
            ));
        }
        read_volatile(cell) == 0
    }
}

/// 0 for the digits of an id; a table for the same reason.
#[unsafe(no_mangle)]
static NOT_HEX: [u8; 256] = {
    let mut table = [1; 256];
    let mut digit = 0;
    while digit < 16 {
        table[b"0123456789abcdef"[digit] as usize] = 0;
        digit += 1;
    }
    table
};

/// Whether a cgroup is the one with this id or lies at most [`LEVELS`] below it.
#[inline(always)]
pub(crate) fn is_below(cgroup: Ptr, id: u64) -> bool {
    let mut kn = cgroup.follow(CGROUP_KN);
    for _ in 0..=LEVELS {
        if kn.load::<u64>(KERNFS_ID) == id {
            return true;
        }
        kn = kn.follow(KERNFS_PARENT);
    }
    false
}
