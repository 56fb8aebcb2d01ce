//! Parameters of events that are no system call, of `execve` and `capset`: read from the process or the event, by name.

use std::borrow::Cow;

use bstr::BString;

use super::{Parameter, constant, number_texts, path};
use crate::call::ParamRow;
use crate::captured::{What, normalise};
use crate::event::{Event, View};
use crate::file::{Layer, Origin};
use crate::text::TextStyle;

/// Bits of the `flags` parameter of `execve`.
mod exe {
    pub(super) const UPPER_LAYER: u64 = 2;
    pub(super) const FROM_MEMFD: u64 = 4;
    pub(super) const LOWER_LAYER: u64 = 8;
}

pub(super) fn parameter<'e>(view: View<'e>, row: &ParamRow) -> Parameter<'e> {
    let event = view.event;
    let process = &event.process;
    let task = &process.task;
    let credentials = &task.credentials;
    let text = |text: &'e BString| Parameter::raw(row.style, Cow::Borrowed(text.as_slice()));
    let words = |words: &[BString]| Parameter::raw(row.style, Cow::Owned(terminated(words)));
    let file = process.exe_file.as_deref();
    let number: u64 = match (row.name, &event.captured.what) {
        ("res", What::Fork(fork)) => fork.child.tid.into(),
        ("res", _) => event.result().unwrap_or(0).cast_unsigned(),
        ("exe", _) => return text(&process.exe),
        ("args", _) => return words(&process.args),
        ("env", _) => return words(&process.env),
        ("cwd", _) => return text(&process.cwd),
        ("change", What::Container(change)) => {
            return Parameter::raw(row.style, Cow::Borrowed(change.name().as_bytes()));
        }
        ("comm", What::Rename { comm }) => return text(comm),
        ("comm", _) => return text(&task.comm),
        ("trusted_exepath", _) => return text(&process.exe_path),
        ("filename" | "pathname", What::Exec(exec)) => return executed(event, row, &exec.filename),
        ("filename" | "pathname", What::Call(call)) => return path(view, call, row, 0),
        ("tid", _) => task.tid.into(),
        ("pid", _) => task.pid.into(),
        ("ptid", _) => task.parent_pid.into(),
        ("vtid", _) => task.vtid.into(),
        ("vpid", _) => task.vpid.into(),
        ("pgid", _) => task.pgid.into(),
        ("vpgid", _) => task.vpgid.into(),
        ("tty", _) => task.tty.into(),
        ("loginuid", _) => credentials.loginuid.into(),
        ("uid", _) => credentials.euid.into(),
        ("gid", _) => credentials.egid.into(),
        ("cap_inheritable", _) => credentials.cap_inheritable,
        ("cap_permitted", _) => credentials.cap_permitted,
        ("cap_effective", _) => credentials.cap_effective,
        ("exe_ino", _) => file.map_or(0, |file| file.ino),
        ("exe_ino_ctime", _) => file.map_or(0, |file| file.ctime_ns),
        ("exe_ino_mtime", _) => file.map_or(0, |file| file.mtime_ns),
        ("flags", What::Fork(fork)) => {
            return constant(row.style, fork.flags & u64::from(u32::MAX));
        }
        ("flags", _) => exec_flags(event),
        ("status", What::Exit { status, .. }) => i64::from(*status).cast_unsigned(),
        ("ret", What::Exit { status, .. }) => i64::from(status >> 8 & 0xff).cast_unsigned(),
        ("sig", What::Exit { status, .. }) => i64::from(status & 0x7f).cast_unsigned(),
        ("core", What::Exit { status, .. }) => i64::from(status >> 7 & 1).cast_unsigned(),
        ("number", What::CompatCall { number }) => i64::from(*number).cast_unsigned(),
        ("count", What::BudgetExceeded { count }) => *count,
        _ => return Parameter::empty(row.style),
    };
    number_texts(event, style_of(row), number)
}

/// What was executed; for a descriptor's folder the kernel itself makes a path of it (`/dev/fd/5/x`).
fn executed<'e>(event: &'e Event, row: &ParamRow, name: &'e BString) -> Parameter<'e> {
    let cwd = &event.process.cwd;
    let is_relative = !name.is_empty() && !name.starts_with(b"/") && !cwd.is_empty();
    let resolved = is_relative.then(|| {
        let joined = [cwd.as_slice(), b"/", name.as_slice()].concat();
        Cow::Owned(normalise(&joined).into())
    });
    Parameter {
        style: row.style,
        raw: Cow::Borrowed(name.as_slice()),
        resolved,
    }
}

/// A status is a number, whatever errno it equals.
fn style_of(row: &ParamRow) -> TextStyle {
    match row.name {
        "status" | "ret" => TextStyle::Int,
        _ => row.style,
    }
}

/// As the kernel lays strings out: each with a zero byte behind it.
fn terminated(words: &[BString]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in words {
        bytes.extend_from_slice(word);
        bytes.push(0);
    }
    bytes
}

fn exec_flags(event: &Event) -> u64 {
    let Some(file) = &event.process.exe_file else {
        return 0;
    };
    let layer = match file.layer {
        Layer::Upper => exe::UPPER_LAYER,
        Layer::Lower => exe::LOWER_LAYER,
        Layer::None => 0,
    };
    let memfd = event.process.exe_origin == Origin::Memfd
        || file.path_notes.detached && file.path.starts_with(b"memfd:");
    layer | if memfd { exe::FROM_MEMFD } else { 0 }
}
