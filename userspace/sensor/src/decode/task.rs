//! The acting task, and the child of a fork.

use vigia_abi::record::entered;
use vigia_event::captured::{Credentials, Namespaces, Task};

use super::{Malformed, padded};

pub(super) fn decode(task: &vigia_abi::Task) -> Result<Task, Malformed> {
    Ok(Task {
        pid: task.pid,
        tid: task.tid,
        parent_pid: task.parent_pid,
        start_boottime_ns: task.start_boottime_ns,
        exec_id: task.exec_id,
        vpid: task.vpid,
        vtid: task.vtid,
        sid: task.sid,
        pgid: task.pgid,
        vpgid: task.vpgid,
        comm: padded(&task.comm).into(),
        credentials: Credentials {
            uid: task.uid,
            gid: task.gid,
            euid: task.euid,
            ns_uid: (task.ns_uid != u32::MAX).then_some(task.ns_uid),
            egid: task.egid,
            loginuid: task.loginuid,
            cap_effective: task.cap_effective,
            cap_permitted: task.cap_permitted,
            cap_inheritable: task.cap_inheritable,
        },
        tty: task.tty,
        namespaces: Namespaces {
            mnt: task.ns_mnt,
            pid: task.ns_pid,
            user: task.ns_user,
            net: task.ns_net,
        },
        cgroup_id: task.cgroup_id,
        container_cgroup_id: task.container_cgroup_id,
        origin_cgroup_id: task.origin_cgroup_id,
        entered: match task.entered {
            entered::UNKNOWN => None,
            entered::NO => Some(false),
            entered::YES => Some(true),
            value => {
                return Err(Malformed::Value {
                    field: "entered",
                    value,
                });
            }
        },
    })
}
