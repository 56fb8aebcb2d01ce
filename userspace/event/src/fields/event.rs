//! `evt.*` and `node.*`: the event itself.

use bstr::BString;

use crate::call::{Transfer, named};
use crate::captured::GivenPath;
use crate::descriptor::Descriptor;
use crate::event::{Event, View};
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
        "Deprecated: `<` for system calls, because events are sent when the call returns; `>` for other events.",
        "<",
        |view, _| Value::text(if is_call(view.event) { "<" } else { ">" }).into()
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
        "node.unseen_rings",
        Bool,
        Stable,
        Always,
        "Whether the node's kernel does not tell what programs have io_uring do (before Linux 6.1): then that a ring is made is all there is to see.",
        "false",
        |view, _| Value::Bool(view.event.node.unseen_rings).into()
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
        shape: Shape::Aliases,
        argument: ArgumentRule::Parameter,
        stability: Stability::Volatile,
        availability: Availability::Always,
        doc: "A parameter of the event as text, by name (`evt.arg.flags`) or position (`evt.arg[0]`). A constant, a set of flags, a user id and the like have a name and a number; outputs print the name, and rules may compare with either. Missing where this type of event has no such parameter.",
        example: "O_CREAT|O_WRONLY",
        extract: |view, argument| match argument {
            Argument::Name(name) => params::forms(view, name),
            Argument::Index(position) => params::forms_at(view, *position as usize),
            Argument::None => Extracted::Missing,
        },
    },
    FieldRow {
        name: "evt.rawarg",
        field_type: FieldType::Text,
        shape: Shape::Single,
        argument: ArgumentRule::Parameter,
        stability: Stability::Volatile,
        availability: Availability::Always,
        doc: "A parameter of the event before it is resolved: numbers stay numbers, relative paths relative. Missing where it is empty, or this type of event has none.",
        example: "577",
        extract: |view, argument| match argument {
            Argument::Name(name) => params::raw(view, name),
            Argument::Index(position) => params::raw_at(view, *position as usize),
            Argument::None => Extracted::Missing,
        },
    },
    row!(
        "evt.args",
        Text,
        Volatile,
        Always,
        "All parameters as `name=raw` or `name=raw(resolved)`, joined by spaces.",
        "fd=3(<f>/etc/hosts) name=/etc/hosts flags=1(O_RDONLY)",
        |view, _| Value::made(params::all(view)).into()
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
    row!(
        "evt.datetime.s",
        AbsTime,
        Volatile,
        Always,
        "When it happened; outputs print date and time in seconds.",
        "2026-01-21 13:53:31",
        |view, _| Value::Uint(view.event.time_ns).into()
    ),
    row!(
        "evt.rawtime.s",
        AbsTime,
        Volatile,
        Always,
        "When it happened, in whole seconds since the epoch.",
        "1769003611",
        |view, _| Value::Uint(view.event.time_ns / SECOND_NS).into()
    ),
    row!(
        "evt.rawtime.ns",
        AbsTime,
        Volatile,
        Always,
        "The nanoseconds behind `evt.rawtime.s`.",
        "726060287",
        |view, _| Value::Uint(view.event.time_ns % SECOND_NS).into()
    ),
    row!(
        "evt.reltime",
        RelTime,
        Volatile,
        Always,
        "How long after the start of capturing it happened, in nanoseconds.",
        "5000000000",
        |view, _| relative_time(view.event, |time| time)
    ),
    row!(
        "evt.reltime.s",
        RelTime,
        Volatile,
        Always,
        "The whole seconds of `evt.reltime`.",
        "5",
        |view, _| relative_time(view.event, |time| time / SECOND_NS)
    ),
    row!(
        "evt.reltime.ns",
        RelTime,
        Volatile,
        Always,
        "The nanoseconds behind `evt.reltime.s`.",
        "0",
        |view, _| relative_time(view.event, |time| time % SECOND_NS)
    ),
    row!(
        "evt.is_async",
        Bool,
        Stable,
        Always,
        "Whether the event did not come from the kernel: always false.",
        "false",
        |_, _| Value::Bool(false).into()
    ),
    FieldRow {
        name: "evt.type.is",
        field_type: FieldType::Uint,
        shape: Shape::Single,
        argument: ArgumentRule::Name,
        stability: Stability::Stable,
        availability: Availability::Always,
        doc: "1 for events of the type behind the dot (`evt.type.is.openat`), 0 for all others.",
        example: "1",
        extract: |view, argument| match argument {
            Argument::Name(name) => {
                Value::Uint((view.event.event_type.name().as_bytes() == name.as_slice()).into())
                    .into()
            }
            _ => Extracted::Missing,
        },
    },
    row!(
        "evt.path_changed",
        Bool,
        Stable,
        Always,
        "Whether another thread changed a path while the call was under way, so that two were read: rules are asked for either. Known of calls without a kernel object (unlink, rename, refused writes); of an open that succeeds `fd.realpath` tells the file itself.",
        "false",
        |view, _| Value::Bool(
            view.event
                .call()
                .is_some_and(|call| { call.paths.iter().any(|path| path.changed.is_some()) })
        )
        .into()
    ),
    FieldRow {
        name: "evt.truncated",
        field_type: FieldType::Text,
        shape: Shape::List,
        argument: ArgumentRule::None,
        stability: Stability::Stable,
        availability: Availability::Always,
        doc: "The fields that are incomplete in this event, because they are longer than what is captured or their memory could not be read: of `evt.args`, `evt.buffer`, `fd.realpath`, `fs.path.name` (and `fd.name`), `proc.args`, `proc.cwd`, `proc.env` and `proc.exepath`; `evt.buffer` and `proc.env` where another rule has them captured. Missing where nothing is.",
        example: "(proc.args)",
        extract: |view, _| {
            let names: Vec<_> = view.event.truncated().map(Value::text).collect();
            if names.is_empty() {
                Extracted::Missing
            } else {
                Extracted::Many(names.into_iter().collect())
            }
        },
    },
    row!(
        "evt.entry",
        Text,
        Stable,
        Results,
        "How the call came into the kernel: `native`, `compat` for the 32-bit entry, `io_uring` for a request that was no system call of its own.",
        "native",
        |view, _| Extracted::text(view.event.call().map(|call| call.entry.name()))
    ),
    row!(
        "syscall.type",
        Text,
        Stable,
        Results,
        "The name of the system call. Missing for events that are none.",
        "openat",
        |view, _| Extracted::text(is_call(view.event).then(|| view.event.event_type.name()))
    ),
    row!(
        "evt.category",
        Text,
        Stable,
        Always,
        "What the event is about: `file`, `net`, `IPC`, `memory`, `process`, `sleep`, `wait`, `signal`, `user`, `time`, `system` or `other`. That of a call which moves data follows from its descriptor.",
        "file",
        |view, _| Value::text(category(view.event)).into()
    ),
    row!(
        "evt.info",
        Text,
        Volatile,
        Always,
        "The same as `evt.args`.",
        "fd=3(<f>/etc/hosts) name=/etc/hosts flags=1(O_RDONLY)",
        |view, _| Value::made(params::all(view)).into()
    ),
    row!(
        "evt.buffer",
        Bytes,
        Volatile,
        Data,
        "The bytes that were moved, as far as captured. Missing for other events, and where data is not captured.",
        "GET / HTTP/1.1",
        |view, _| Extracted::text(data(view.event))
    ),
    row!(
        "evt.buflen",
        Uint,
        Volatile,
        Data,
        "How many bytes `evt.buffer` has.",
        "14",
        |view, _| Extracted::from_option(
            data(view.event).map(|data| Value::Uint(data.len() as u64))
        )
    ),
    row!(
        "evt.is_io",
        Bool,
        Stable,
        Always,
        "Whether it moves data through a descriptor.",
        "false",
        |view, _| Value::Bool(view.event.event_type.transfer().is_some()).into()
    ),
    row!(
        "evt.is_io_read",
        Bool,
        Stable,
        Always,
        "Whether it reads or receives data.",
        "false",
        |view, _| Value::Bool(view.event.event_type.transfer() == Some(Transfer::Read)).into()
    ),
    row!(
        "evt.is_io_write",
        Bool,
        Stable,
        Always,
        "Whether it writes or sends data.",
        "false",
        |view, _| Value::Bool(view.event.event_type.transfer() == Some(Transfer::Write)).into()
    ),
    row!(
        "evt.io_dir",
        Text,
        Stable,
        Always,
        "`r` for events that read or receive data, `w` for those that write or send it. Missing for all others.",
        "r",
        |view, _| Extracted::text(view.event.event_type.transfer().map(|transfer| {
            match transfer {
                Transfer::Read => "r",
                Transfer::Write => "w",
            }
        }))
    ),
    row!(
        "evt.is_wait",
        Bool,
        Stable,
        Always,
        "Whether it makes the thread wait.",
        "false",
        |view, _| Value::Bool(view.event.event_type.waits()).into()
    ),
    row!(
        "evt.is_syslog",
        Bool,
        Stable,
        Always,
        "Whether it writes to /dev/log.",
        "false",
        |view, _| Value::Bool(writes_log(view)).into()
    ),
    row!(
        "evt.count",
        Uint,
        Stable,
        Always,
        "Always 1: every event counts once.",
        "1",
        |_, _| Value::Uint(1).into()
    ),
    row!(
        "evt.count.error",
        Uint,
        Stable,
        Results,
        "1 for a call that failed; missing for all other events.",
        "1",
        |view, _| failure(view.event, |_| true)
    ),
    row!(
        "evt.count.error.file",
        Uint,
        Stable,
        Results,
        "1 for a failed call on files; missing for all other events.",
        "1",
        |view, _| failure(view.event, |category| category == "file")
    ),
    row!(
        "evt.count.error.net",
        Uint,
        Stable,
        Results,
        "1 for a failed call on the network; missing for all other events.",
        "1",
        |view, _| failure(view.event, |category| category == "net")
    ),
    row!(
        "evt.count.error.memory",
        Uint,
        Stable,
        Results,
        "1 for a failed call on memory; missing for all other events.",
        "1",
        |view, _| failure(view.event, |category| category == "memory")
    ),
    row!(
        "evt.count.error.other",
        Uint,
        Stable,
        Results,
        "1 for a failed call on anything else; missing for all other events.",
        "1",
        |view, _| failure(view.event, |category| !["file", "net", "memory"]
            .contains(&category))
    ),
    row!(
        "evt.count.exit",
        Uint,
        Stable,
        Results,
        "1 for a call that returned; missing for events that are no call.",
        "1",
        |view, _| Extracted::from_option(is_call(view.event).then_some(Value::Uint(1)))
    ),
    row!(
        "evt.latency",
        RelTime,
        Stable,
        Always,
        "Always 0: events are sent when a call returns, and how long it took is not measured.",
        "0",
        |_, _| Value::Uint(0).into()
    ),
    row!(
        "evt.latency.s",
        RelTime,
        Stable,
        Always,
        "Always 0: events are sent when a call returns, and how long it took is not measured.",
        "0",
        |_, _| Value::Uint(0).into()
    ),
    row!(
        "evt.latency.ns",
        RelTime,
        Stable,
        Always,
        "Always 0: events are sent when a call returns, and how long it took is not measured.",
        "0",
        |_, _| Value::Uint(0).into()
    ),
    row!(
        "evt.latency.human",
        Text,
        Stable,
        Always,
        "Always 0ns: events are sent when a call returns, and how long it took is not measured.",
        "0ns",
        |_, _| Value::text("0ns").into()
    ),
    row!(
        "evt.abspath",
        Path,
        Stable,
        Paths,
        "The path of the call made absolute, in the spelling of the pass as `fd.name`; of two the first. Of `open_by_handle_at` the path that the kernel has of the file.",
        "/etc/cron.d/x",
        |view, _| absolute(view, 0)
    ),
    row!(
        "evt.abspath.src",
        Path,
        Stable,
        TwoPaths,
        "The first of two paths, made absolute.",
        "/etc/passwd",
        |view, _| one_of_two(view, 0)
    ),
    row!(
        "evt.abspath.dst",
        Path,
        Stable,
        TwoPaths,
        "The second of two paths, made absolute.",
        "/tmp/p",
        |view, _| one_of_two(view, 1)
    ),
];

const SECOND_NS: u64 = 1_000_000_000;

fn is_call(event: &Event) -> bool {
    event.event_type.row().number.is_some()
}

/// Missing where nobody noted when capturing began.
fn relative_time(event: &Event, part: fn(u64) -> u64) -> Extracted<'_> {
    match event.node.capture_start_ns {
        0 => Extracted::Missing,
        start => Value::Uint(part(event.time_ns.saturating_sub(start))).into(),
    }
}

/// Data moves through files and connections alike, so such a call is about what its descriptor leads to.
fn category(event: &Event) -> &'static str {
    let event_type = event.event_type;
    if event_type.transfer().is_none() || event_type.category() != "other" {
        return event_type.category();
    }
    match event.call() {
        Some(call) if call.file.is_some() => "file",
        Some(call) => match &call.descriptor {
            Some(Descriptor::Socket(_)) => "net",
            Some(Descriptor::Object { .. }) => "IPC",
            None => "other",
        },
        None => "other",
    }
}

fn failure(event: &Event, counts: fn(&str) -> bool) -> Extracted<'_> {
    let failed = event.result().is_some_and(|result| result < 0);
    let counted = failed && counts(category(event));
    Extracted::from_option(counted.then_some(Value::Uint(1)))
}

fn data(event: &Event) -> Option<&BString> {
    event.call().and_then(|call| call.data.as_ref())
}

fn writes_log(view: View<'_>) -> bool {
    view.event.event_type.transfer() == Some(Transfer::Write)
        && view
            .event
            .socket()
            .and_then(|socket| socket.unix.as_ref())
            .is_some_and(|unix| {
                unix.path == "/dev/log" || unix.path == "/run/systemd/journal/dev-log"
            })
}

fn absolute(view: View<'_>, index: usize) -> Extracted<'_> {
    Extracted::from_option(view.absolute(index).map(Value::Bytes))
}

fn one_of_two(view: View<'_>, index: usize) -> Extracted<'_> {
    match two_paths(view.event) {
        Some(_) => absolute(view, index),
        None => Extracted::Missing,
    }
}

fn two_paths(event: &Event) -> Option<&[GivenPath; 2]> {
    event.call().and_then(|call| call.paths.as_array())
}

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
