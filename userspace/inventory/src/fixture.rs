//! Records as the probes would make them, for tests.

use vigia_event::File;
use vigia_event::captured::{Captured, Credentials, Exec, Fork, Namespaces, Task, What};
use vigia_event::file::Layer;
use vigia_event::process::TICK_NS;

pub(crate) const SECOND: u64 = 1_000_000_000;
pub(crate) const HOST_MNT: u32 = 1;

/// A process of the host that started in the clock tick of its pid.
pub(crate) fn task(pid: u32) -> Task {
    Task {
        pid,
        tid: pid,
        vpid: pid,
        vtid: pid,
        parent_pid: 1,
        start_boottime_ns: u64::from(pid) * TICK_NS + 77,
        exec_id: 1,
        comm: "comm".into(),
        namespaces: Namespaces {
            mnt: HOST_MNT,
            pid: 1,
            user: 1,
            net: 1,
        },
        entered: Some(false),
        credentials: Credentials {
            loginuid: u32::MAX,
            ..Credentials::default()
        },
        ..Task::default()
    }
}

pub(crate) fn captured(at_ns: u64, task: &Task, what: What) -> Captured {
    Captured {
        cpu: 0,
        sequence: 0,
        boot_time_ns: at_ns,
        in_scope: true,
        is_secret: false,
        task: task.clone(),
        what,
    }
}

pub(crate) fn fork(at_ns: u64, parent: &Task, child: &Task) -> Captured {
    captured(
        at_ns,
        parent,
        What::Fork(Fork {
            call: None,
            flags: 0,
            child: child.clone(),
            is_thread: false,
        }),
    )
}

/// The image of an execution: a path, the layer it lies on, and the words of the command line.
pub(crate) fn image(path: &str, layer: Layer, command: &str) -> Exec {
    Exec {
        filename: path.into(),
        file: File {
            path: path.into(),
            layer,
            fs_magic: 0xEF53,
            ..File::default()
        },
        args: command.split(' ').map(Into::into).collect(),
        cwd: "/".into(),
        ..Exec::default()
    }
}

/// `task` as it is after the execution.
pub(crate) fn exec(at_ns: u64, task: &mut Task, image: Exec) -> Captured {
    task.exec_id += 1;
    let name = image
        .filename
        .rsplit(|&byte| byte == b'/')
        .next()
        .unwrap_or_default();
    task.comm = name.into();
    captured(at_ns, task, What::Exec(Box::new(image)))
}

pub(crate) fn exit(at_ns: u64, task: &Task) -> Captured {
    captured(
        at_ns,
        task,
        What::Exit {
            status: 0,
            process_ended: true,
        },
    )
}

pub(crate) fn rename(at_ns: u64, task: &Task, comm: &str) -> Captured {
    captured(at_ns, task, What::Rename { comm: comm.into() })
}

/// A record that only tells that the task lives.
pub(crate) fn sign_of_life(at_ns: u64, task: &Task) -> Captured {
    captured(at_ns, task, What::CompatCall { number: 0 })
}
