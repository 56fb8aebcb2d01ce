//! Values of event parameters as text: what `evt.arg.NAME`, `evt.rawarg.NAME` and `evt.args` give.
//!
//! A parameter has a raw text, and some have a second, resolved one: the name of a constant, the path that a
//! relative one leads to, the user behind an id. Both are the parameter, so a rule may compare with either.

mod own;

use std::borrow::Cow;

use bstr::ByteSlice;

use crate::call::{EVENT_TYPES, ParamRow, ParamSource, named};
use crate::captured::{Call, What};
use crate::event::{Event, View};
use crate::file::{File, Layer};
use crate::text::{O_CREAT, O_TMPFILE, TextStyle, errno_name, flag_names, found, kept, open_bits};
use crate::value::{Extracted, Value};

/// `AT_FDCWD` as a register holds it.
const AT_FDCWD: i64 = -100;
/// The flags of `socket(2)` within its type.
const SOCKET_FLAGS: u64 = 0o2_004_000;

/// The texts of one parameter.
struct Parameter<'e> {
    style: TextStyle,
    /// Empty where the event has no value for it.
    raw: Cow<'e, [u8]>,
    resolved: Option<Cow<'e, [u8]>>,
}

impl<'e> Parameter<'e> {
    fn empty(style: TextStyle) -> Self {
        Self::raw(style, Cow::Borrowed(b""))
    }

    fn raw(style: TextStyle, raw: Cow<'e, [u8]>) -> Self {
        Self {
            style,
            raw,
            resolved: None,
        }
    }

    fn made(style: TextStyle, raw: String, resolved: Option<String>) -> Self {
        Self {
            style,
            raw: Cow::Owned(raw.into_bytes()),
            resolved: resolved.map(|text| Cow::Owned(text.into_bytes())),
        }
    }

    /// The texts of a number that flags or constants are made of, which come again and again.
    fn kept(
        style: TextStyle,
        number: u64,
        make: impl FnOnce() -> (String, Option<String>),
    ) -> Self {
        let texts = kept::texts(kept::Kind::Parameter(style), number, || {
            let (raw, resolved) = make();
            kept::Texts { raw, resolved }
        });
        match texts {
            Ok(kept) => Self {
                style,
                raw: Cow::Borrowed(kept.raw.as_bytes()),
                resolved: kept
                    .resolved
                    .as_ref()
                    .map(|text| Cow::Borrowed(text.as_bytes())),
            },
            Err(made) => Self::made(style, made.raw, made.resolved),
        }
    }

    /// What is printed: the resolved text if there is one.
    fn text(self) -> Cow<'e, [u8]> {
        match self.resolved.filter(|text| !text.is_empty()) {
            Some(resolved) => resolved,
            None if self.raw.is_empty() => Cow::Borrowed(self.style.empty().as_bytes()),
            None => printable(self.style, self.raw),
        }
    }
}

/// Bytes are printed with dots for what cannot be printed.
fn printable(style: TextStyle, raw: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    if style != TextStyle::Bytes || raw.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        return raw;
    }
    let dotted = raw.iter().map(|&byte| match byte {
        b' '..=b'~' => byte,
        _ => b'.',
    });
    Cow::Owned(dotted.collect())
}

/// Whether an event type has a parameter of this name that may differ between the passes: it shows the path of a
/// descriptor, or one that another thread may change.
pub(crate) fn depends_on_spelling(name: &[u8]) -> bool {
    let mut rows = EVENT_TYPES.iter().flat_map(|row| row.params);
    rows.any(|row| {
        matches!(row.style, TextStyle::Fd | TextStyle::Path) && row.name.as_bytes() == name
    })
}

/// The forms of a parameter, the printed one first; missing where this event type has no such parameter.
pub(crate) fn forms<'e>(view: View<'e>, name: &[u8]) -> Extracted<'e> {
    row(view.event, name).map_or(Extracted::Missing, |row| forms_of(view, row))
}

/// The forms of the parameter at a position; missing past the last one.
pub(crate) fn forms_at(view: View<'_>, position: usize) -> Extracted<'_> {
    let row = view.event.event_type.row().params.get(position);
    row.map_or(Extracted::Missing, |row| forms_of(view, row))
}

fn forms_of<'e>(view: View<'e>, row: &ParamRow) -> Extracted<'e> {
    let Parameter {
        style,
        raw,
        resolved,
    } = parameter(view, row);
    match resolved {
        Some(resolved) if !resolved.is_empty() && !raw.is_empty() && resolved != raw => {
            Extracted::Many([resolved, raw].map(Value::Bytes).into_iter().collect())
        }
        resolved => Extracted::One(Value::Bytes(
            Parameter {
                style,
                raw,
                resolved,
            }
            .text(),
        )),
    }
}

/// The raw text of a parameter; missing where it is empty or the event type has none of this name.
pub(crate) fn raw<'e>(view: View<'e>, name: &[u8]) -> Extracted<'e> {
    raw_of(view, row(view.event, name))
}

/// The raw text of the parameter at a position.
pub(crate) fn raw_at(view: View<'_>, position: usize) -> Extracted<'_> {
    raw_of(view, view.event.event_type.row().params.get(position))
}

fn raw_of<'e>(view: View<'e>, row: Option<&ParamRow>) -> Extracted<'e> {
    let raw = row.map(|row| parameter(view, row).raw);
    Extracted::from_option(raw.filter(|raw| !raw.is_empty()).map(Value::Bytes))
}

/// All parameters as `name=raw` or `name=raw(resolved)`, joined by spaces.
pub(crate) fn all(view: View<'_>) -> Vec<u8> {
    let mut line = Vec::new();
    for row in view.event.event_type.row().params {
        let Parameter {
            style,
            raw,
            resolved,
        } = parameter(view, row);
        if !line.is_empty() {
            line.push(b' ');
        }
        line.extend_from_slice(row.name.as_bytes());
        line.push(b'=');
        line.extend_from_slice(&Parameter::raw(style, raw).text());
        if let Some(resolved) = resolved.filter(|text| !text.is_empty()) {
            line.push(b'(');
            line.extend_from_slice(&resolved);
            line.push(b')');
        }
    }
    line
}

fn row(event: &Event, name: &[u8]) -> Option<&'static ParamRow> {
    let mut rows = event.event_type.row().params.iter();
    rows.find(|row| row.name.as_bytes() == name)
}

fn parameter<'e>(view: View<'e>, row: &ParamRow) -> Parameter<'e> {
    let event = view.event;
    match &event.captured.what {
        _ if row.source == ParamSource::Absent => Parameter::empty(row.style),
        What::Call(call) if row.source != ParamSource::Own => of_call(view, call, row),
        _ => own::parameter(view, row),
    }
}

fn of_call<'e>(view: View<'e>, call: &'e Call, row: &ParamRow) -> Parameter<'e> {
    use ParamSource as S;
    let event = view.event;
    let text = |index: usize| Parameter::raw(row.style, captured_text(call, index));
    let how = |index: usize| call.open_how.map_or(0, |how| how[index]);
    let number = match row.source {
        S::Result => call.result.cast_unsigned(),
        S::Path0 => return path(view, call, row, 0),
        S::Path1 => return path(view, call, row, 1),
        S::Text0 => return text(0),
        S::Text1 => return text(1),
        S::FilePath => {
            let path = call.file.as_ref().map_or(&b""[..], |file| &file.path);
            return Parameter::raw(row.style, Cow::Borrowed(path));
        }
        S::Data => {
            let data = call.data.as_ref().map_or(&b""[..], |data| data);
            return Parameter::raw(row.style, Cow::Borrowed(data));
        }
        S::Tuple => {
            let name = call.socket().map(|socket| socket.name());
            return Parameter::made(row.style, name.unwrap_or_default(), None);
        }
        S::Address => {
            let text = call.address.as_ref().map(|address| address.text());
            return Parameter::made(row.style, text.unwrap_or_default(), None);
        }
        S::Arg0 => call.args[0],
        S::Arg1 => call.args[1],
        S::Arg2 => call.args[2],
        S::Arg3 => call.args[3],
        S::Arg4 => call.args[4],
        S::Arg5 => call.args[5],
        S::OpenHow0 => how(0),
        S::OpenHow1 => how(1),
        S::OpenHow2 => how(2),
        S::FileDev => u64::from(call.file.as_ref().map_or(0, |file| file.dev)),
        S::FileIno => call.file.as_ref().map_or(0, |file| file.ino),
        S::CreatedFlags => return flags(row.style, file_bits(call.file.as_ref())),
        S::SocketFlags => call.args[1] & SOCKET_FLAGS,
        S::Size => u64::try_from(call.result).unwrap_or(0),
        S::Own | S::Absent => return Parameter::empty(row.style),
    };
    match row.style {
        TextStyle::OpenFlags => flags(row.style, open_bits(number) | file_bits(call.file.as_ref())),
        TextStyle::Octal if !makes_file(call) => Parameter::made(row.style, "0".to_owned(), None),
        TextStyle::Fd => descriptor(view, call, row, low_i32(number).into()),
        TextStyle::SocketDomain => constant(row.style, number & 0xffff_ffff),
        // A protocol or type that carries flags is printed without them.
        TextStyle::Uint if row.name == "type" => {
            let number = number & 0xf;
            Parameter::kept(row.style, number, || (number.to_string(), None))
        }
        style => number_texts(event, style, number),
    }
}

/// Whether an open may make a file, so that its mode means something.
fn makes_file(call: &Call) -> bool {
    let flags = match call.event_type {
        named::OPEN => call.args[1],
        named::OPENAT => call.args[2],
        named::OPENAT2 => call.open_how.map_or(0, |how| how[0]),
        _ => return true,
    };
    flags & O_CREAT != 0 || flags & O_TMPFILE == O_TMPFILE
}

/// What a call found out about a file: that it made it, and its layer.
fn file_bits(file: Option<&File>) -> u64 {
    let Some(file) = file else { return 0 };
    let created = if file.created { found::CREATED } else { 0 };
    let layer = match file.layer {
        Layer::Upper => found::UPPER_LAYER,
        Layer::Lower => found::LOWER_LAYER,
        Layer::None => 0,
    };
    created | layer
}

fn captured_text(call: &Call, index: usize) -> Cow<'_, [u8]> {
    let text = call.texts.get(index);
    Cow::Borrowed(text.map_or(&b""[..], |text| text.as_slice()))
}

/// A path as passed; a relative one also joined to what it starts from.
///
/// Where another thread changed it, the second pass is about what it was changed to.
fn path<'e>(view: View<'e>, call: &'e Call, row: &ParamRow, index: usize) -> Parameter<'e> {
    let Some(path) = call.paths.get(index) else {
        return Parameter::empty(row.style);
    };
    let changed = path.changed.as_ref().filter(|_| view.sees_changes());
    let words = changed.unwrap_or(&path.given);
    let resolved = if words.is_empty() || words.starts_with(b"/") {
        None
    } else if changed.is_some() {
        path.absolute_changed().map(|path| Cow::Owned(path.into()))
    } else {
        view.event.absolute(index)
    };
    Parameter {
        style: row.style,
        raw: Cow::Borrowed(words),
        resolved,
    }
}

/// A descriptor, with what it leads to in angle brackets where that is known.
fn descriptor<'e>(view: View<'e>, call: &Call, row: &ParamRow, fd: i64) -> Parameter<'e> {
    let resolved = if fd == AT_FDCWD {
        Some("AT_FDCWD".to_owned())
    } else if fd < 0 {
        errno_name(-fd).map(str::to_owned)
    } else {
        let folder = folder(call, row).filter(|_| row.source != ParamSource::Result);
        folder.or_else(|| {
            // What was copied and the copy are one object.
            let copies = ["dup", "dup2", "dup3"].contains(&call.event_type.name());
            let is_original = copies && call.result >= 0 && fd == i64::from(low_i32(call.args[0]));
            let is_own = is_original || view.event.descriptor_number() == Some(fd);
            let own = is_own.then(|| described(view, call));
            own.flatten()
        })
    };
    Parameter::made(row.style, fd.to_string(), resolved)
}

/// What the descriptor of a call leads to, as `<f>/etc/hosts` or `<4t>10.0.0.1:1->10.0.0.2:2`; a file by its path in
/// the spelling of the pass.
fn described(view: View<'_>, call: &Call) -> Option<String> {
    if let Some(descriptor) = &call.descriptor {
        let protocol = descriptor
            .socket()
            .filter(|socket| socket.is_inet())
            .and_then(|socket| socket.protocol.letter())
            .map_or_else(String::new, String::from);
        let letter = descriptor.type_letter();
        return Some(format!("<{letter}{protocol}>{}", descriptor.name()));
    }
    let file = call.file.as_ref()?;
    let letter = if file.is_directory() { 'd' } else { 'f' };
    let name = view.path().unwrap_or(file.path.as_bstr());
    Some(format!("<{letter}>{}", name.to_str_lossy()))
}

/// The folder that a descriptor of a call's path leads to: what the path behind it in the table starts from.
fn folder(call: &Call, row: &ParamRow) -> Option<String> {
    let rows = call.event_type.row().params;
    let position = rows.iter().position(|other| other.name == row.name)?;
    let index = match rows.get(position + 1)?.source {
        ParamSource::Path0 => 0,
        ParamSource::Path1 => 1,
        _ => return None,
    };
    let base = call.paths.get(index)?.base.as_ref()?;
    Some(format!("<d>{}", base.to_str_lossy()))
}

fn flags<'e>(style: TextStyle, bits: u64) -> Parameter<'e> {
    let table = match style {
        // Already in the bits of the table.
        TextStyle::FileFlags => TextStyle::OpenFlags,
        style => style,
    };
    Parameter {
        style,
        ..constant(table, bits)
    }
}

fn constant<'e>(style: TextStyle, number: u64) -> Parameter<'e> {
    Parameter::kept(style, number, || {
        (number.to_string(), flag_names(style, number))
    })
}

fn number_texts<'e>(event: &Event, style: TextStyle, number: u64) -> Parameter<'e> {
    let (raw, resolved) = match style {
        TextStyle::Octal => (format!("{:o}", low_u32(number)), None),
        TextStyle::Hex => (format!("{number:X}"), None),
        TextStyle::HexInt => (format!("{:X}", low_u32(number)), None),
        TextStyle::Mode => {
            let mode = number & 0o7777;
            return Parameter::kept(style, mode, || {
                (format!("{mode:o}"), flag_names(style, mode))
            });
        }
        TextStyle::Errno => {
            let result = number.cast_signed();
            let name = errno_name(-result).filter(|_| result < 0);
            (result.to_string(), name.map(str::to_owned))
        }
        TextStyle::Uid => id_texts(low_u32(number), |uid| user_name(event, uid)),
        TextStyle::Gid => id_texts(low_u32(number), |gid| group_name(event, gid)),
        TextStyle::Pid => {
            let pid = low_i32(number);
            (pid.to_string(), name_of(event, pid))
        }
        TextStyle::Int => (low_i32(number).to_string(), None),
        TextStyle::RelTime => (number.to_string(), Some(duration(number))),
        // Registers hold such arguments in 32 bits; the upper half may be anything.
        TextStyle::CloneFlags | TextStyle::MountFlags => {
            return constant(style, number);
        }
        TextStyle::Uint => (number.to_string(), None),
        style => {
            return constant(style, number & 0xffff_ffff);
        }
    };
    Parameter::made(style, raw, resolved)
}

/// Nanoseconds as seconds; -1 is no limit.
fn duration(nanoseconds: u64) -> String {
    if nanoseconds == u64::MAX {
        return "none".to_owned();
    }
    let (seconds, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    let fraction = format!("{rest:09}");
    match fraction.trim_end_matches('0') {
        "" => format!("{seconds}s"),
        fraction => format!("{seconds}.{fraction}s"),
    }
}

fn id_texts(id: u32, name: impl Fn(u32) -> String) -> (String, Option<String>) {
    if id == u32::MAX {
        ("-1".to_owned(), Some("<NONE>".to_owned()))
    } else {
        (id.to_string(), Some(name(id)))
    }
}

fn user_name(event: &Event, uid: u32) -> String {
    match event.users.user(uid) {
        Some(user) => user.name.to_str_lossy().into_owned(),
        None => unlisted(uid),
    }
}

fn group_name(event: &Event, gid: u32) -> String {
    match event.users.group(gid) {
        Some(name) => name.to_str_lossy().into_owned(),
        None => unlisted(gid),
    }
}

/// As `user.name` and `group.name` have it.
fn unlisted(id: u32) -> String {
    if id == 0 { "root" } else { "<NA>" }.to_owned()
}

/// The name of a process among those the event knows: its own and its ancestors.
fn name_of(event: &Event, pid: i32) -> Option<String> {
    let pid = u32::try_from(pid).ok().filter(|&pid| pid != 0)?;
    let known = std::iter::once(&event.process).chain(event.ancestors.iter());
    let actor = &event.captured.task;
    let is_nested = actor.pid != actor.vpid;
    // A program names processes as its own namespace does.
    let mut named = known
        .map(|process| &process.task)
        .filter(|task| task.namespaces.pid == actor.namespaces.pid);
    named
        .find(|task| match is_nested {
            true => task.vpid == pid || task.vtid == pid,
            false => task.pid == pid || task.tid == pid,
        })
        .map(|task| task.comm.to_str_lossy().into_owned())
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the kernel, too, reads the low half of the register"
)]
fn low_u32(register: u64) -> u32 {
    register as u32
}

fn low_i32(register: u64) -> i32 {
    low_u32(register).cast_signed()
}

#[cfg(test)]
mod tests;
