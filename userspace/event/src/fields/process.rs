//! `proc.*` and `thread.*`: the acting process, its ancestors and its session.

use std::borrow::Cow;
use std::sync::Arc;

use bstr::{BString, ByteSlice};

use crate::container::Metadata;
use crate::event::{Event, View};
use crate::file::{Layer, Origin};
use crate::process::Process;
use crate::text::{capability_names, kept};
use crate::value::{Extracted, FieldType, ReadProcess, Value, Values};

use super::{Argument, ArgumentRule, Availability, FieldRow, Shape, Stability};

pub(super) static FIELDS: &[FieldRow] = &[
    row!(
        "proc.name",
        Text,
        Stable,
        Always,
        "The thread's name (at most 15 bytes).",
        "nginx",
        |view, _| Value::text(&view.event.process.task.comm).into()
    ),
    row!(
        "proc.exe",
        Text,
        Stable,
        Always,
        "`argv[0]` as the program was given it.",
        "nginx",
        |view, _| Value::text(&view.event.process.exe).into()
    ),
    row!(
        "proc.exepath",
        Path,
        Stable,
        Always,
        "The executable's path, resolved by the kernel, seen from the process's root; `memfd:NAME` for anonymous memory.",
        "/usr/sbin/nginx",
        |view, _| Extracted::from_option(known_text(&view.event.process.exe_path))
    ),
    row!(
        "proc.cmdline",
        Text,
        Stable,
        Always,
        "The thread's name and the arguments, joined by spaces.",
        "nginx -g daemon off;",
        |view, _| Value::Bytes(view.event.process.command_line()).into()
    ),
    FieldRow {
        name: "proc.args",
        field_type: FieldType::Text,
        shape: Shape::Single,
        argument: ArgumentRule::OptionalIndex,
        stability: Stability::Stable,
        availability: Availability::Always,
        doc: "The arguments behind `argv[0]`, joined by spaces; with an index one of them, from 0.",
        example: "-g daemon off;",
        extract: |view, argument| match argument {
            Argument::Index(index) => Extracted::text(view.event.process.args.get(*index as usize)),
            _ => Value::Bytes(view.event.process.argument_line()).into(),
        },
    },
    FieldRow {
        name: "proc.arglist",
        field_type: FieldType::Text,
        shape: Shape::List,
        argument: ArgumentRule::None,
        stability: Stability::Stable,
        availability: Availability::Always,
        doc: "The arguments behind `argv[0]`, one by one. `getopt` and `join` also take `proc.args` for it.",
        example: "(-g,daemon off;)",
        extract: |view, _| Extracted::Many(Values::of_texts(&view.event.process.args)),
    },
    row!(
        "proc.nargs",
        Uint,
        Stable,
        Always,
        "How many arguments stand behind `argv[0]`.",
        "2",
        |view, _| Value::Uint(view.event.process.args.len() as u64).into()
    ),
    FieldRow {
        name: "proc.env",
        field_type: FieldType::Text,
        shape: Shape::Single,
        argument: ArgumentRule::OptionalName,
        stability: Stability::Stable,
        availability: Availability::Always,
        doc: "The environment, joined by spaces; with a name in brackets the value of one variable, empty where it is not set. Captured only while a rule asks for it.",
        example: "/usr/bin:/bin",
        extract: |view, argument| environment(&view.event.process, argument),
    },
    row!(
        "proc.cmdnargs",
        Uint,
        Stable,
        Always,
        "How many arguments stand behind `argv[0]`.",
        "2",
        |view, _| Value::Uint(view.event.process.args.len() as u64).into()
    ),
    row!(
        "proc.cmdlenargs",
        Uint,
        Stable,
        Always,
        "The length of all arguments together, without what separates them.",
        "13",
        |view, _| {
            let lengths = view.event.process.args.iter().map(|arg| arg.len() as u64);
            Value::Uint(lengths.sum()).into()
        }
    ),
    row!(
        "proc.exeline",
        Text,
        Stable,
        Always,
        "`argv[0]` and the arguments, joined by spaces.",
        "/usr/sbin/nginx -g daemon off;",
        |view, _| {
            let process = &view.event.process;
            let words = std::iter::once(&process.exe).chain(process.args.iter());
            Value::made(bstr::join(" ", words)).into()
        }
    ),
    row!(
        "proc.cwd",
        Path,
        Volatile,
        Always,
        "The working directory, with a slash at the end.",
        "/var/www/",
        |view, _| Value::Bytes(view.event.process.working_directory()).into()
    ),
    row!(
        "proc.pid",
        Int,
        Stable,
        Always,
        "Process id in the host's pid namespace.",
        "4711",
        |view, _| Value::Int(view.event.captured.task.pid.into()).into()
    ),
    row!(
        "proc.vpid",
        Int,
        Stable,
        Always,
        "Process id in its own pid namespace: 1 for a container's first process.",
        "1",
        |view, _| Value::Int(view.event.captured.task.vpid.into()).into()
    ),
    row!(
        "proc.pvpid",
        Int,
        Volatile,
        Parents,
        "Process id of the parent, in the parent's own pid namespace.",
        "1",
        |view, _| parent(view, |parent| Some(Value::Int(parent.task.vpid.into())))
    ),
    row!(
        "proc.loginshellid",
        Int,
        Volatile,
        Always,
        "Process id of the oldest shell among the process and its ancestors. Missing where there is none.",
        "4711",
        |view, _| Extracted::from_option(login_shell(view.event).map(Value::Int))
    ),
    row!(
        "proc.ppid",
        Int,
        Volatile,
        Always,
        "Process id of the parent.",
        "1",
        |view, _| Value::Int(view.event.process.task.parent_pid.into()).into()
    ),
    row!(
        "proc.pgid",
        Int,
        Volatile,
        Always,
        "Process group id in the host's pid namespace.",
        "4711",
        |view, _| Value::Int(view.event.captured.task.pgid.into()).into()
    ),
    row!(
        "proc.vpgid",
        Int,
        Volatile,
        Always,
        "Process group id in its own pid namespace.",
        "1",
        |view, _| Value::Int(view.event.captured.task.vpgid.into()).into()
    ),
    row!(
        "proc.is_vpgid_leader",
        Bool,
        Volatile,
        Always,
        "Whether it leads its process group.",
        "true",
        |view, _| Value::Bool(view.event.captured.task.vpgid == view.event.captured.task.vpid)
            .into()
    ),
    row!(
        "proc.is_pgid_leader",
        Bool,
        Volatile,
        Always,
        "Whether it leads its process group, by ids in the host's pid namespace.",
        "true",
        |view, _| Value::Bool(view.event.captured.task.pgid == view.event.captured.task.pid).into()
    ),
    row!(
        "proc.is_sid_leader",
        Bool,
        Volatile,
        Always,
        "Whether it leads its session.",
        "true",
        |view, _| Value::Bool(view.event.captured.task.sid == view.event.captured.task.pid).into()
    ),
    row!(
        "proc.vpgid.name",
        Text,
        Volatile,
        Always,
        "The name of the leader of its process group; empty where it is not known.",
        "bash",
        |view, _| leader(&view.event.group_leader, |leader| &leader.task.comm)
    ),
    row!(
        "proc.vpgid.exe",
        Text,
        Volatile,
        Always,
        "`argv[0]` of the leader of its process group; empty where it is not known.",
        "bash",
        |view, _| leader(&view.event.group_leader, |leader| &leader.exe)
    ),
    row!(
        "proc.vpgid.exepath",
        Path,
        Volatile,
        Always,
        "The executable of the leader of its process group; empty where it is not known.",
        "/bin/bash",
        |view, _| leader(&view.event.group_leader, |leader| &leader.exe_path)
    ),
    row!(
        "proc.pgid.name",
        Text,
        Volatile,
        Always,
        "The same as `proc.vpgid.name`.",
        "bash",
        |view, _| leader(&view.event.group_leader, |leader| &leader.task.comm)
    ),
    row!(
        "proc.pgid.exe",
        Text,
        Volatile,
        Always,
        "The same as `proc.vpgid.exe`.",
        "bash",
        |view, _| leader(&view.event.group_leader, |leader| &leader.exe)
    ),
    row!(
        "proc.pgid.exepath",
        Path,
        Volatile,
        Always,
        "The same as `proc.vpgid.exepath`.",
        "/bin/bash",
        |view, _| leader(&view.event.group_leader, |leader| &leader.exe_path)
    ),
    row!(
        "proc.sid",
        Int,
        Volatile,
        Always,
        "Session id in the host's pid namespace.",
        "4711",
        |view, _| Value::Int(view.event.captured.task.sid.into()).into()
    ),
    row!(
        "proc.sname",
        Text,
        Volatile,
        Always,
        "The name of the session's leader; empty where it is not known.",
        "bash",
        |view, _| leader(&view.event.session_leader, |leader| &leader.task.comm)
    ),
    row!(
        "proc.sid.exe",
        Text,
        Volatile,
        Always,
        "`argv[0]` of the session's leader; empty where it is not known.",
        "-bash",
        |view, _| leader(&view.event.session_leader, |leader| &leader.exe)
    ),
    row!(
        "proc.sid.exepath",
        Path,
        Volatile,
        Always,
        "The executable of the session's leader; empty where it is not known.",
        "/bin/bash",
        |view, _| leader(&view.event.session_leader, |leader| &leader.exe_path)
    ),
    row!(
        "proc.tty",
        Uint,
        Stable,
        Always,
        "The controlling terminal's device number; 0 for none.",
        "34816",
        |view, _| Value::Uint(view.event.process.task.tty.into()).into()
    ),
    row!(
        "proc.exe_ino",
        Uint,
        Stable,
        Observed,
        "The executable's inode number.",
        "131077",
        |view, _| Extracted::from_option(
            view.event
                .process
                .exe_file
                .as_ref()
                .map(|file| Value::Uint(file.ino))
        )
    ),
    row!(
        "proc.exe_ino.ctime",
        AbsTime,
        Stable,
        Observed,
        "When the executable's inode last changed.",
        "1769000000000000000",
        |view, _| time(
            view.event
                .process
                .exe_file
                .as_ref()
                .map_or(0, |file| file.ctime_ns)
        )
    ),
    row!(
        "proc.exe_ino.mtime",
        AbsTime,
        Stable,
        Observed,
        "When the executable was last written.",
        "1769000000000000000",
        |view, _| time(
            view.event
                .process
                .exe_file
                .as_ref()
                .map_or(0, |file| file.mtime_ns)
        )
    ),
    row!(
        "proc.exe_ino.ctime_duration_proc_start",
        RelTime,
        Stable,
        Observed,
        "How long before the process was made the executable's inode changed.",
        "1200000000",
        |view, _| since_change(&view.event.process)
    ),
    row!(
        "proc.is_exe_upper_layer",
        Bool,
        Stable,
        Observed,
        "Whether the executable lies in the container's writable layer.",
        "true",
        |view, _| Value::Bool(layer(&view.event.process) == Layer::Upper).into()
    ),
    row!(
        "proc.is_exe_lower_layer",
        Bool,
        Stable,
        Observed,
        "Whether the executable lies in a layer of the image.",
        "true",
        |view, _| Value::Bool(layer(&view.event.process) == Layer::Lower).into()
    ),
    row!(
        "proc.is_exe_from_memfd",
        Bool,
        Stable,
        Always,
        "Whether the executable is anonymous memory.",
        "false",
        |view, _| Value::Bool(view.event.process.exe_origin == Origin::Memfd).into()
    ),
    row!(
        "proc.exe_origin",
        Text,
        Stable,
        Always,
        "Where the executable comes from: `image`, `upper` (the container's writable layer), `volume`, `tmpfs`, `memfd`, or `unknown`.",
        "upper",
        |view, _| Value::text(view.event.process.exe_origin.name()).into()
    ),
    row!(
        "proc.script",
        Path,
        Stable,
        Scripts,
        "The script that an interpreter runs by its `#!` line. Missing where no script runs.",
        "/docker-entrypoint.sh",
        |view, _| Extracted::text(
            view.event
                .process
                .script
                .as_ref()
                .map(|script| &script.path)
        )
    ),
    row!(
        "proc.script_origin",
        Text,
        Stable,
        Scripts,
        "Where the script comes from, in the words of `proc.exe_origin`. Missing where no script runs.",
        "image",
        |view, _| Extracted::text(
            view.event
                .process
                .script
                .as_ref()
                .map(|script| script.origin.name())
        )
    ),
    row!(
        "proc.entered",
        Bool,
        Stable,
        Observed,
        "Whether the process, or an ancestor, joined the container from outside (`docker exec`, `nsenter`). Missing where its start was not observed.",
        "true",
        |view, _| Extracted::from_option(view.event.captured.task.entered.map(Value::Bool))
    ),
    row!(
        "proc.duration",
        RelTime,
        Volatile,
        Always,
        "How long ago the process was made.",
        "1500000000",
        |view, _| duration(view.event)
    ),
    row!(
        "proc.pid.ts",
        AbsTime,
        Stable,
        Always,
        "When the process was made. Missing where that is not known.",
        "1769000000000000000",
        |view, _| time(view.event.process.start_time_ns)
    ),
    row!(
        "proc.ppid.ts",
        AbsTime,
        Volatile,
        Parents,
        "When the parent was made. Missing where that is not known.",
        "1769000000000000000",
        |view, _| parent(view, |parent| known_time(parent.start_time_ns))
    ),
    row!(
        "proc.ppid.duration",
        RelTime,
        Volatile,
        Parents,
        "How long ago the parent was made.",
        "1500000000",
        |view, _| parent(view, |parent| {
            known_time(parent.start_time_ns)?;
            Some(Value::Uint(
                view.event.time_ns.saturating_sub(parent.start_time_ns),
            ))
        })
    ),
    row!(
        "proc.pidns_init_start_ts",
        AbsTime,
        Stable,
        Containers,
        "When the first process of its container was made. Missing outside containers.",
        "1769000000000000000",
        |view, _| time(container_start(view.event))
    ),
    row!(
        "proc.exe_ino.ctime_duration_pidns_start",
        RelTime,
        Stable,
        Containers,
        "How long after the start of its container the executable's inode changed. Missing where it changed before.",
        "1200000000",
        |view, _| {
            let changed = view
                .event
                .process
                .exe_file
                .as_ref()
                .map_or(0, |file| file.ctime_ns);
            let start = container_start(view.event);
            let after = changed
                .checked_sub(start)
                .filter(|_| changed != 0 && start != 0);
            Extracted::from_option(after.map(Value::Uint))
        }
    ),
    row!(
        "proc.is_container_healthcheck",
        Bool,
        Stable,
        Metadata,
        "Whether it, or an ancestor, runs the health check of its container.",
        "false",
        |view, _| health_check(view)
    ),
    row!(
        "proc.pname",
        Text,
        Stable,
        Parents,
        "The parent's name.",
        "bash",
        |view, _| parent(view, |parent| Some(Value::text(&parent.task.comm)))
    ),
    row!(
        "proc.pexe",
        Text,
        Stable,
        Parents,
        "The parent's `argv[0]`.",
        "bash",
        |view, _| parent(view, |parent| Some(Value::text(&parent.exe)))
    ),
    row!(
        "proc.pexepath",
        Path,
        Stable,
        Parents,
        "The parent's executable.",
        "/bin/bash",
        |view, _| parent(view, |parent| known_text(&parent.exe_path))
    ),
    row!(
        "proc.pcmdline",
        Text,
        Stable,
        Parents,
        "The parent's name and arguments.",
        "bash -c ls",
        |view, _| parent(view, |parent| Some(Value::Bytes(parent.command_line())))
    ),
    ancestor_row(
        "proc.aname",
        "The names of the ancestors: any of them without an index; with an index one, 0 being the process itself and 1 its parent.",
        "containerd-shim",
        |view, argument| {
            ancestors(view, argument, |process| {
                Some(Value::text(&process.task.comm))
            })
        },
    ),
    ancestor_row(
        "proc.aexe",
        "`argv[0]` of the ancestors, as `proc.aname`.",
        "/usr/bin/containerd-shim",
        |view, argument| ancestors(view, argument, |process| Some(Value::text(&process.exe))),
    ),
    ancestor_row(
        "proc.aexepath",
        "The executables of the ancestors, as `proc.aname`.",
        "/usr/bin/containerd-shim",
        |view, argument| ancestors(view, argument, |process| known_text(&process.exe_path)),
    ),
    ancestor_row(
        "proc.acmdline",
        "Names and arguments of the ancestors, as `proc.aname`.",
        "bash -c ls",
        |view, argument| {
            ancestors(view, argument, |process| {
                Some(Value::Bytes(process.command_line()))
            })
        },
    ),
    ancestor_row(
        "proc.aargs",
        "The arguments of the ancestors, as `proc.aname`.",
        "-c ls",
        |view, argument| {
            ancestors(view, argument, |process| {
                Some(Value::Bytes(process.argument_line()))
            })
        },
    ),
    FieldRow {
        field_type: FieldType::Int,
        ..ancestor_row(
            "proc.apid",
            "Process ids of the ancestors, as `proc.aname`.",
            "1",
            |view, argument| {
                ancestors(view, argument, |process| {
                    Some(Value::Int(process.task.pid.into()))
                })
            },
        )
    },
    FieldRow {
        argument: ArgumentRule::OptionalName,
        ..ancestor_row(
            "proc.aenv",
            "The environments of the ancestors, as `proc.aname`; with a name in brackets that variable of the first ancestor that has it.",
            "PATH=/usr/bin:/bin",
            ancestor_environment,
        )
    },
    row!(
        "thread.tid",
        Int,
        Volatile,
        Always,
        "Thread id in the host's pid namespace.",
        "4711",
        |view, _| Value::Int(view.event.captured.task.tid.into()).into()
    ),
    row!(
        "thread.vtid",
        Int,
        Volatile,
        Always,
        "Thread id in its own pid namespace.",
        "1",
        |view, _| Value::Int(view.event.captured.task.vtid.into()).into()
    ),
    row!(
        "thread.ismain",
        Bool,
        Stable,
        Always,
        "Whether the thread is the process's first.",
        "true",
        |view, _| Value::Bool(view.event.captured.task.tid == view.event.captured.task.pid).into()
    ),
    row!(
        "thread.cgroups",
        Text,
        Stable,
        Containers,
        "The path of the container's cgroup. Missing outside containers.",
        "/docker/3ad7b26ded6d8e7b23da7d48fe889434573036c27ae5a74837233de441c3601e",
        |view, _| cgroup(view)
    ),
    FieldRow {
        name: "thread.cgroup",
        field_type: FieldType::Text,
        shape: Shape::Single,
        argument: ArgumentRule::Name,
        stability: Stability::Stable,
        availability: Availability::Containers,
        doc: "The path of the container's cgroup, whatever controller stands behind the dot. Missing outside containers.",
        example: "/docker/3ad7b26ded6d8e7b23da7d48fe889434573036c27ae5a74837233de441c3601e",
        extract: |view, _| cgroup(view),
    },
    row!(
        "thread.cap_effective",
        Text,
        Stable,
        Always,
        "Effective capabilities, by name, joined by spaces.",
        "CAP_CHOWN CAP_NET_RAW",
        |view, _| Value::Bytes(capabilities(
            view.event.captured.task.credentials.cap_effective
        ))
        .into()
    ),
    row!(
        "thread.cap_permitted",
        Text,
        Stable,
        Always,
        "Permitted capabilities, by name, joined by spaces.",
        "CAP_CHOWN CAP_NET_RAW",
        |view, _| Value::Bytes(capabilities(
            view.event.captured.task.credentials.cap_permitted
        ))
        .into()
    ),
    row!(
        "thread.cap_inheritable",
        Text,
        Stable,
        Always,
        "Inheritable capabilities, by name, joined by spaces.",
        "CAP_CHOWN",
        |view, _| Value::Bytes(capabilities(
            view.event.captured.task.credentials.cap_inheritable
        ))
        .into()
    ),
];

const fn ancestor_row(
    name: &'static str,
    doc: &'static str,
    example: &'static str,
    extract: super::Extract,
) -> FieldRow {
    FieldRow {
        name,
        field_type: FieldType::Text,
        shape: Shape::AnyOfUnlessIndexed,
        argument: ArgumentRule::OptionalIndex,
        // An ancestor may execute at any time without the process taking notice.
        stability: Stability::Volatile,
        availability: Availability::Parents,
        doc,
        example,
        extract,
    }
}

fn ancestors<'e>(view: View<'e>, argument: &Argument, read: ReadProcess) -> Extracted<'e> {
    let event = view.event;
    match argument {
        Argument::Index(0) => Extracted::from_option(read(&event.process)),
        Argument::Index(index) => Extracted::from_option(
            event
                .ancestors
                .get(*index as usize - 1)
                .and_then(|process| read(process)),
        ),
        _ => {
            let values = Values::of_processes(&event.ancestors, read);
            if values.is_empty() {
                Extracted::Missing
            } else {
                Extracted::Many(values)
            }
        }
    }
}

fn parent<'e>(view: View<'e>, read: impl Fn(&'e Process) -> Option<Value<'e>>) -> Extracted<'e> {
    Extracted::from_option(view.event.ancestors.first().and_then(|parent| read(parent)))
}

/// Something of the leader of a session or group.
fn leader<'e>(
    leader: &'e Option<Arc<Process>>,
    read: fn(&'e Process) -> &'e BString,
) -> Extracted<'e> {
    match leader {
        Some(leader) => Value::text(read(leader)).into(),
        None => Value::text("").into(),
    }
}

/// Programs that count as shells.
const SHELLS: &[&str] = &[
    "sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh",
];

fn login_shell(event: &Event) -> Option<i64> {
    let mut processes = std::iter::once(&event.process).chain(event.ancestors.iter());
    let oldest = processes.rfind(|process| {
        let comm = process.task.comm.as_slice();
        SHELLS.iter().any(|shell| comm == shell.as_bytes())
    })?;
    Some(oldest.task.pid.into())
}

fn container_start(event: &Event) -> u64 {
    let container = event.container.as_ref();
    container.map_or(0, |container| container.start_time_ns)
}

fn cgroup(view: View<'_>) -> Extracted<'_> {
    Extracted::text(
        view.event
            .container
            .as_ref()
            .map(|container| &container.cgroup_path),
    )
}

/// A health check is known by its arguments: the engine starts it in the container with exactly those.
fn health_check(view: View<'_>) -> Extracted<'_> {
    let Some(container) = &view.event.container else {
        return Value::Bool(false).into();
    };
    let inspected = match &container.metadata {
        Metadata::Pending => return Extracted::Unknown,
        Metadata::Unavailable => return Extracted::Missing,
        Metadata::Known(inspected) => inspected,
    };
    let Some((program, args)) = inspected.health_check.split_first() else {
        return Value::Bool(false).into();
    };
    let runs = |process: &Arc<Process>| process.exe == *program && *process.args == *args;
    let event = view.event;
    Value::Bool(runs(&event.process) || event.ancestors.iter().any(runs)).into()
}

/// All digits are the number of an ancestor, anything else the name of a variable.
fn ancestor_environment<'e>(view: View<'e>, argument: &Argument) -> Extracted<'e> {
    let joined: ReadProcess = |process| Some(Value::Bytes(process.environment_line()));
    let Argument::Name(name) = argument else {
        return ancestors(view, argument, joined);
    };
    if let Some(index) = name.to_str().ok().and_then(|name| name.parse().ok()) {
        return ancestors(view, &Argument::Index(index), joined);
    }
    let mut ancestors = view.event.ancestors.iter();
    let value = ancestors.find_map(|ancestor| variable(ancestor, name));
    Value::Bytes(Cow::Borrowed(value.unwrap_or_default().trim())).into()
}

fn variable<'e>(process: &'e Process, name: &[u8]) -> Option<&'e [u8]> {
    let mut variables = process.env.iter();
    variables.find_map(|variable| variable.strip_prefix(name)?.strip_prefix(b"="))
}

fn known_time<'e>(nanoseconds: u64) -> Option<Value<'e>> {
    (nanoseconds != 0).then_some(Value::Uint(nanoseconds))
}

/// An empty text stands for "not known" in snapshots.
fn known_text<'e>(text: &'e BString) -> Option<Value<'e>> {
    (!text.is_empty()).then(|| Value::text(text))
}

fn environment<'e>(process: &'e Process, argument: &Argument) -> Extracted<'e> {
    let Argument::Name(name) = argument else {
        return Value::Bytes(process.environment_line()).into();
    };
    let value = variable(process, name);
    Value::Bytes(Cow::Borrowed(value.unwrap_or_default().trim())).into()
}

fn layer(process: &Process) -> Layer {
    process
        .exe_file
        .as_ref()
        .map_or(Layer::None, |file| file.layer)
}

fn time<'e>(nanoseconds: u64) -> Extracted<'e> {
    Extracted::from_option(known_time(nanoseconds))
}

fn since_change(process: &Process) -> Extracted<'_> {
    let changed = process.exe_file.as_ref().map_or(0, |file| file.ctime_ns);
    if changed == 0 || process.start_time_ns == 0 {
        return Extracted::Missing;
    }
    Value::Uint(process.start_time_ns.saturating_sub(changed)).into()
}

fn duration(event: &Event) -> Extracted<'_> {
    match event.process.start_time_ns {
        0 => Extracted::Missing,
        start => Value::Uint(event.time_ns.saturating_sub(start)).into(),
    }
}

fn capabilities(set: u64) -> Cow<'static, [u8]> {
    let texts = kept::texts(kept::Kind::Capabilities, set, || {
        let names: Vec<&str> = capability_names(set).collect();
        kept::Texts {
            raw: names.join(" "),
            resolved: None,
        }
    });
    match texts {
        Ok(kept) => Cow::Borrowed(kept.raw.as_bytes()),
        Err(made) => Cow::Owned(made.raw.into_bytes()),
    }
}
