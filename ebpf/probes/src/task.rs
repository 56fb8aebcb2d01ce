//! The rest of a task: what a record tells about who acted.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use vigia_abi::Task;
use vigia_abi::offsets::*;

use crate::kernel::{Addr, Ptr, has, offset};

/// Indices of `signal_struct.pids`, from `enum pid_type`.
const PIDTYPE_TGID: u64 = 1;
const PIDTYPE_PGID: u64 = 2;
const PIDTYPE_SID: u64 = 3;

/// No nesting of pid namespaces is deeper (`MAX_PID_NS_LEVEL`).
const LEVEL_MASK: u64 = 63;

/// Writes everything that [`crate::scope::identify`] did not.
///
/// # Safety
/// `out` must be valid for writes and `cell` be a word of map memory.
#[inline(always)]
pub(crate) unsafe fn complete(task: Ptr, out: *mut Task, cell: *mut u64) {
    let cred = task.follow(TASK_CRED);
    let signal = task.follow(TASK_SIGNAL);
    let nsproxy = task.follow(TASK_NSPROXY);
    let pids = offset(SIGNAL_PIDS);
    let thread = task.follow(TASK_THREAD_PID).address(cell);
    let level = u64::from(thread.load::<u32>(PID_LEVEL));
    let group = signal.follow_at(pids + PIDTYPE_PGID * 8).address(cell);
    // SAFETY: as the caller promises.
    unsafe {
        (*out).parent_pid = task.follow(TASK_REAL_PARENT).load(TASK_TGID);
        (*out).exec_id = task.load(TASK_SELF_EXEC_ID);
        (*out).vtid = number_at(thread, level);
        (*out).vpid = number_at(
            signal.follow_at(pids + PIDTYPE_TGID * 8).address(cell),
            level,
        );
        (*out).vpgid = number_at(group, level);
        (*out).pgid = number_at(group, 0);
        (*out).sid = number_at(signal.follow_at(pids + PIDTYPE_SID * 8).address(cell), 0);
        (*out).uid = cred.load(CRED_UID);
        (*out).gid = cred.load(CRED_GID);
        (*out).euid = cred.load(CRED_EUID);
        (*out).egid = cred.load(CRED_EGID);
        (*out).cap_effective = capabilities(cred, CRED_CAP_EFFECTIVE);
        (*out).cap_permitted = capabilities(cred, CRED_CAP_PERMITTED);
        (*out).cap_inheritable = capabilities(cred, CRED_CAP_INHERITABLE);
        (*out).loginuid = if has(TASK_LOGINUID) {
            task.load(TASK_LOGINUID)
        } else {
            u32::MAX
        };
        (*out).tty = terminal(signal, cell);
        (*out).ns_pid = namespace_at(thread, level).load(PID_NS_INUM);
        let users = cred.follow(CRED_USER_NS);
        (*out).ns_user = users.load(USER_NS_INUM);
        (*out).ns_uid = id_in(users.address(cell), (*out).ns_user, (*out).euid);
        (*out).padding = 0;
        (*out).ns_net = nsproxy.follow(NSPROXY_NET).load(NET_NS_INUM);
        let comm = task.member(TASK_COMM).address(cell).0;
        bpf_probe_read_kernel((&raw mut (*out).comm).cast(), 16, comm as *const _);
    }
}

/// The id that a `struct pid` has at a nesting level of pid namespaces.
#[inline(always)]
fn number_at(pid: Addr, level: u64) -> u32 {
    pid.member(PID_NUMBERS)
        .load_at((level & LEVEL_MASK) * offset(UPID_SIZE) + offset(UPID_NR))
}

#[inline(always)]
fn namespace_at(pid: Addr, level: u64) -> Addr {
    Addr(
        pid.member(PID_NUMBERS)
            .load_at((level & LEVEL_MASK) * offset(UPID_SIZE) + offset(UPID_NS)),
    )
}

/// A user id as its namespace counts; `u32::MAX` where it has none there. A namespace of more than five ranges keeps them
/// elsewhere and is not looked into.
#[inline(always)]
fn id_in(namespace: Addr, inum: u32, id: u32) -> u32 {
    /// `PROC_USER_INIT_INO`.
    const INITIAL: u32 = 0xefff_fffd;
    const EXTENTS: u64 = 5;
    const EXTENT_BYTES: u64 = 12;
    if inum == INITIAL {
        return id;
    }
    let map = namespace.member(USER_NS_UID_MAP);
    let count = u64::from(map.load::<u32>(ID_MAP_COUNT));
    if count > EXTENTS {
        return u32::MAX;
    }
    // All of them, since unused ones are empty: bounded by `count` the loop would run down from it, and before Linux 6.8
    // the verifier finds no end of that.
    for index in 0..EXTENTS {
        let extent = map.member(ID_MAP_EXTENTS);
        // first, lower_first, count
        let first: u32 = extent.load_at(index * EXTENT_BYTES);
        let lower: u32 = extent.load_at(index * EXTENT_BYTES + 4);
        let len: u32 = extent.load_at(index * EXTENT_BYTES + 8);
        if id.wrapping_sub(lower) < len {
            return first.wrapping_add(id.wrapping_sub(lower));
        }
    }
    u32::MAX
}

/// A capability set, in halves: until 6.3 it was an array of two words, which no typed load may read at once.
#[inline(always)]
fn capabilities(cred: Ptr, member: usize) -> u64 {
    let low: u32 = cred.load(member);
    let high: u32 = cred.load_at(offset(member) + 4);
    u64::from(low) | u64::from(high) << 32
}

#[inline(always)]
fn terminal(signal: Ptr, cell: *mut u64) -> u32 {
    let tty = signal.follow(SIGNAL_TTY).address(cell);
    if tty.is_null() {
        return 0;
    }
    let driver = tty.follow(TTY_DRIVER);
    let major: u32 = driver.load(TTY_DRIVER_MAJOR);
    let minor = driver
        .load::<u32>(TTY_DRIVER_MINOR_START)
        .wrapping_add(tty.load(TTY_INDEX));
    major << 8 | minor
}
