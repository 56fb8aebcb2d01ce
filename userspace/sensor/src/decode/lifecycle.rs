//! Processes and cgroups: how they come, change and go.

use bstr::BString;
use vigia_abi::{CgroupBody, ExecBody, ExitBody, ForkBody, Kind, RenameBody};
use vigia_event::captured::{CgroupChange, CgroupChangeKind, Exec, Fork, Task, What};
use vigia_event::{EventType, Truncated};

use super::record::{Record, is_incomplete};
use super::{Malformed, file, padded, task};

/// Calls that make tasks; a task may be made by the kernel on behalf of others, and the tracepoint is the same.
const FORKS: [&str; 4] = ["clone", "clone3", "fork", "vfork"];

pub(super) fn fork(record: Record<'_>) -> Result<What, Malformed> {
    let body: ForkBody = record.body()?;
    Ok(What::Fork(Fork {
        child: task::decode(&body.child)?,
        is_thread: body.is_thread != 0,
        call: u16::try_from(body.number)
            .ok()
            .and_then(EventType::from_number)
            .filter(|call| FORKS.contains(&call.name())),
        flags: body.flags,
    }))
}

pub(super) fn exec(record: Record<'_>) -> Result<What, Malformed> {
    let body: ExecBody = record.body()?;
    let cwd = record.kernel_path(body.cwd)?.unwrap_or_default();
    let truncated = Truncated {
        args: is_incomplete(body.args),
        env: is_incomplete(body.env),
        cwd: is_incomplete(body.cwd),
    };
    Ok(What::Exec(Box::new(Exec {
        filename: record.string(body.filename)?,
        file: file::decode(record, &body.file)?.unwrap_or_default(),
        args: record.strings(body.args)?,
        env: record.strings(body.env)?,
        // Without its beginning it would be taken for another folder.
        cwd: if truncated.cwd {
            BString::default()
        } else {
            cwd
        },
        truncated,
    })))
}

pub(super) fn exit(record: Record<'_>) -> Result<What, Malformed> {
    let body: ExitBody = record.body()?;
    Ok(What::Exit {
        status: body.status,
        process_ended: body.process_ended != 0,
    })
}

pub(super) fn rename(record: Record<'_>, acting: &mut Task) -> Result<What, Malformed> {
    let body: RenameBody = record.body()?;
    // A thread may rename another one of its process: the event is about that one.
    acting.tid = body.tid;
    Ok(What::Rename {
        comm: padded(&body.comm).into(),
    })
}

pub(super) fn cgroup(kind: Kind, record: Record<'_>) -> Result<What, Malformed> {
    let body: CgroupBody = record.body()?;
    Ok(What::Cgroup(CgroupChange {
        kind: match kind {
            Kind::CgroupMkdir => CgroupChangeKind::Mkdir,
            Kind::CgroupRmdir => CgroupChangeKind::Rmdir,
            _ => CgroupChangeKind::Attach,
        },
        id: body.id,
        path: record.kernel_path(body.path)?.unwrap_or_default(),
        pid: body.pid,
    }))
}
