//! `evt.*` and `node.*`: the event itself.

use crate::call::named;
use crate::event::Event;
use crate::params;
use crate::text::{O_CREAT, O_TMPFILE, result_text};
use crate::value::{Extracted, FieldType, Value};

use super::{Argument, ArgumentRule, Availability, FieldRow, Shape, Stability};

/// `errno` values with which the kernel refuses a write.
const REFUSALS: [i64; 3] = [-libc_errno::EROFS, -libc_errno::EACCES, -libc_errno::EPERM];

/// The three numbers this file needs, so that this crate needs no libc.
mod libc_errno {
    pub(super) const EPERM: i64 = 1;
    pub(super) const EACCES: i64 = 13;
    pub(super) const EROFS: i64 = 30;
}

pub(super) static FIELDS: &[FieldRow] = &[
    row!(
        "evt.num",
        Uint,
        Volatile,
        Always,
        "Counts events from 1.",
        "4711",
        |view, _| Value::Uint(view.event.number).into()
    ),
    row!(
        "evt.type",
        Text,
        Stable,
        Always,
        "The event's type: the name of the system call, or of an event of our own.",
        "openat",
        |view, _| Value::text(view.event.event_type.name()).into()
    ),
    row!(
        "evt.time",
        AbsTime,
        Volatile,
        Always,
        "When it happened; outputs print the time of day.",
        "13:53:31.726060287",
        |view, _| Value::Uint(view.event.time_ns).into()
    ),
    row!(
        "evt.rawtime",
        AbsTime,
        Volatile,
        Always,
        "When it happened, in nanoseconds since the epoch.",
        "1769000000000000000",
        |view, _| Value::Uint(view.event.time_ns).into()
    ),
    row!(
        "evt.datetime",
        AbsTime,
        Volatile,
        Always,
        "When it happened; outputs print date and time.",
        "2026-01-21 13:53:31.726060287",
        |view, _| Value::Uint(view.event.time_ns).into()
    ),
    row!(
        "evt.time.s",
        AbsTime,
        Volatile,
        Always,
        "When it happened; outputs print the time of day in seconds.",
        "13:53:31",
        |view, _| Value::Uint(view.event.time_ns).into()
    ),
    row!(
        "evt.time.iso8601",
        AbsTime,
        Volatile,
        Always,
        "When it happened; outputs print ISO 8601 in UTC.",
        "2026-01-21T13:53:31.726060287+0000",
        |view, _| Value::Uint(view.event.time_ns).into()
    ),
    row!(
        "evt.cpu",
        Uint,
        Volatile,
        Always,
        "The processor it happened on.",
        "1",
        |view, _| Value::Uint(view.event.captured.cpu.into()).into()
    ),
    row!(
        "evt.dir",
        Text,
        Stable,
        Always,
        "Deprecated: always `<`, because events are sent when the call returns.",
        "<",
        |_, _| Value::text("<").into()
    ),
    row!(
        "evt.source",
        Text,
        Stable,
        Always,
        "The source of the event.",
        "syscall",
        |_, _| Value::text("syscall").into()
    ),
    row!(
        "evt.hostname",
        Text,
        Stable,
        Always,
        "The host's name.",
        "node-3",
        |view, _| Value::text(&view.event.node.hostname).into()
    ),
    row!(
        "node.name",
        Text,
        Stable,
        Always,
        "The node's name as configured (`node.name`, `VIGIA_NODE`), else the host's.",
        "swarm-worker-2",
        |view, _| Value::text(&view.event.node.name).into()
    ),
    FieldRow {
        name: "evt.arg",
        field_type: FieldType::Text,
        shape: Shape::Single,
        argument: ArgumentRule::Parameter,
        stability: Stability::Volatile,
        availability: Availability::Always,
        doc: "A parameter of the event as text, by name (`evt.arg.flags`) or position (`evt.arg[0]`). Missing where this type of event has no such parameter.",
        example: "O_CREAT|O_WRONLY",
        extract: |view, argument| {
            Extracted::from_option(match argument {
                Argument::Name(name) => params::text(view.event, name).map(Value::Bytes),
                Argument::Index(position) => {
                    params::text_at(view.event, *position as usize).map(Value::Bytes)
                }
                Argument::None => None,
            })
        },
    },
    row!(
        "evt.args",
        Text,
        Volatile,
        Always,
        "All parameters as `name=text`, joined by spaces.",
        "fd=3 name=/etc/hosts flags=O_RDONLY",
        |view, _| Value::made(params::all(view.event)).into()
    ),
    row!(
        "evt.rawres",
        Int,
        Volatile,
        Results,
        "What the call returned; negative for a failure.",
        "-30",
        |view, _| Extracted::from_option(view.event.result().map(Value::Int))
    ),
    row!(
        "evt.res",
        Text,
        Stable,
        Results,
        "`SUCCESS`, or the name of the error.",
        "EROFS",
        |view, _| {
            Extracted::from_option(view.event.result().map(|result| match result_text(result) {
                std::borrow::Cow::Borrowed(name) => Value::text(name),
                std::borrow::Cow::Owned(number) => Value::made(number.into_bytes()),
            }))
        }
    ),
    row!(
        "evt.failed",
        Bool,
        Stable,
        Results,
        "Whether the call failed.",
        "true",
        |view, _| Extracted::from_option(view.event.result().map(|result| Value::Bool(result < 0)))
    ),
    row!(
        "evt.refused",
        Bool,
        Stable,
        Always,
        "Whether the kernel refused the call for lack of permission or because the file system is read-only (EROFS, EACCES, EPERM).",
        "true",
        |view, _| Value::Bool(
            view.event
                .result()
                .is_some_and(|result| REFUSALS.contains(&result))
        )
        .into()
    ),
    row!(
        "evt.is_open_read",
        Bool,
        Stable,
        Always,
        "Whether it opens a file for reading (also for reading and writing). False with O_PATH and for every other event.",
        "true",
        |view, _| Value::Bool(opens_for_reading(view.event)).into()
    ),
    row!(
        "evt.is_open_write",
        Bool,
        Stable,
        Always,
        "Whether it opens a file for writing. False for every other event.",
        "true",
        |view, _| Value::Bool(opens_for_writing(view.event)).into()
    ),
    row!(
        "evt.is_open_exec",
        Bool,
        Stable,
        Always,
        "Whether it creates a file with permission to execute. False for every other event.",
        "false",
        |view, _| Value::Bool(creates_executable(view.event)).into()
    ),
    row!(
        "evt.is_open_create",
        Bool,
        Stable,
        Always,
        "Whether it created the file it opens. False for every other event.",
        "false",
        |view, _| Value::Bool(creates(view.event)).into()
    ),
    row!(
        "evt.is_write_call",
        Bool,
        Stable,
        Always,
        "Whether it is a call that would change the file system: an open for writing or with O_CREAT or O_TRUNC, or one of mkdir, unlink, rmdir, rename, link, symlink, mknod, truncate, chmod, chown, utimensat, setxattr, removexattr and their relatives.",
        "true",
        |view, _| Value::Bool(changes_files(view.event)).into()
    ),
];

/// Flags as `open(2)` knows them; `None` for events that open nothing.
fn open_flags(event: &Event) -> Option<u64> {
    let call = event.call()?;
    match call.event_type {
        named::OPEN => Some(call.args[1]),
        named::OPENAT | named::OPEN_BY_HANDLE_AT => Some(call.args[2]),
        named::OPENAT2 => call.open_how.map(|how| how[0]),
        _ => None,
    }
}

fn open_mode(event: &Event) -> u64 {
    let Some(call) = event.call() else { return 0 };
    match call.event_type {
        named::OPEN => call.args[2],
        named::OPENAT => call.args[3],
        named::OPENAT2 => call.open_how.map_or(0, |how| how[1]),
        named::CREAT => call.args[1],
        _ => 0,
    }
}

/// A descriptor made with it is a place only: to read or write, the file must be opened again.
const O_PATH: u64 = 0o10_000_000;

fn opens_for_reading(event: &Event) -> bool {
    open_flags(event).is_some_and(|flags| flags & 3 != 1 && flags & O_PATH == 0)
}

fn opens_for_writing(event: &Event) -> bool {
    open_flags(event).is_some_and(|flags| flags & 3 != 0 && flags & O_PATH == 0)
}

fn creates_executable(event: &Event) -> bool {
    let makes_file = match event.event_type {
        named::CREAT => true,
        _ => open_flags(event)
            .is_some_and(|flags| flags & O_CREAT != 0 || flags & O_TMPFILE == O_TMPFILE),
    };
    makes_file && open_mode(event) & 0o111 != 0
}

fn creates(event: &Event) -> bool {
    let created = event.file().is_some_and(|file| file.created);
    let unnamed = open_flags(event).is_some_and(|flags| flags & O_TMPFILE == O_TMPFILE);
    created || (unnamed && event.result().is_some_and(|result| result >= 0))
}

/// `O_TRUNC` needs write access to the file whatever the access mode says.
const O_TRUNC: u64 = 0o1000;

fn changes_files(event: &Event) -> bool {
    match event.event_type {
        named::CREAT => true,
        named::OPEN | named::OPENAT | named::OPENAT2 | named::OPEN_BY_HANDLE_AT => {
            open_flags(event)
                .is_some_and(|flags| flags & 3 != 0 || flags & (O_CREAT | O_TRUNC) != 0)
        }
        other => other.row().changes_files,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn what_counts_as_a_write_call() {
        for (name, args, expected) in [
            ("openat", [0, 0, 0, 0, 0, 0], false),
            ("openat", [0, 0, 1, 0, 0, 0], true),
            ("openat", [0, 0, 0o100, 0, 0, 0], true),
            ("open", [0, 0o2, 0, 0, 0, 0], true),
            ("unlinkat", [0; 6], true),
            ("setxattr", [0; 6], true),
            ("mount", [0; 6], false),
            ("ptrace", [0; 6], false),
        ] {
            let event = testing::call(name, args, 0);
            assert_eq!(changes_files(&event), expected, "{name} {args:?}");
        }
    }

    #[test]
    fn a_descriptor_that_is_a_place_only_reads_and_writes_nothing() {
        for (flags, reads, writes) in [
            (0, true, false),
            (1, false, true),
            (2, true, true),
            (O_PATH, false, false),
            (O_PATH | 2, false, false),
        ] {
            let event = testing::call("openat", [0, 0, flags, 0, 0, 0], 3);
            let found = (opens_for_reading(&event), opens_for_writing(&event));
            assert_eq!(found, (reads, writes), "{flags:o}");
        }
    }

    #[test]
    fn only_three_errors_are_refusals() {
        let row = super::super::find("evt.refused").expect("a row");
        for (result, expected) in [
            (-30, true),
            (-13, true),
            (-1, true),
            (-2, false),
            (3, false),
        ] {
            let event = testing::call("openat", [0; 6], result);
            let view = crate::View {
                event: &event,
                spelling: crate::Spelling::Given,
            };
            assert_eq!(
                (row.extract)(view, &Argument::None),
                Value::Bool(expected).into(),
                "{result}"
            );
        }
    }
}
