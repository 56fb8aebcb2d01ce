//! Values of event parameters as text: what `evt.arg.NAME` and `evt.args` print.

use std::borrow::Cow;

use bstr::ByteSlice;

use crate::call::{ParamRow, ParamSource};
use crate::captured::{Call, What};
use crate::event::Event;
use crate::file::Layer;
use crate::text::{TextStyle, errno_name, flag_names, open_flag_names};

/// The flags with which `creat(2)` opens: `O_CREAT|O_WRONLY|O_TRUNC`.
const CREAT_FLAGS: u64 = 0o1101;
/// `AT_FDCWD` as a register holds it.
const AT_FDCWD: i32 = -100;
/// What stands for an empty parameter.
const EMPTY: &[u8] = b"<NA>";

/// The text of a parameter; `None` where this event type has no such parameter.
pub(crate) fn text<'e>(event: &'e Event, name: &[u8]) -> Option<Cow<'e, [u8]>> {
    let row = event
        .event_type
        .row()
        .params
        .iter()
        .find(|row| row.name.as_bytes() == name)?;
    let text = match &event.captured.what {
        What::Call(call) if row.source != ParamSource::Own => of_call(event, call, row)?,
        _ => own(event, row)?,
    };
    Some(if text.is_empty() {
        Cow::Borrowed(EMPTY)
    } else {
        text
    })
}

/// The parameter at a position; `None` past the last one.
pub(crate) fn text_at(event: &Event, position: usize) -> Option<Cow<'_, [u8]>> {
    text(
        event,
        event.event_type.row().params.get(position)?.name.as_bytes(),
    )
}

/// All parameters as `name=text`, joined by spaces.
pub(crate) fn all(event: &Event) -> Vec<u8> {
    let mut line = Vec::new();
    for row in event.event_type.row().params {
        let Some(text) = text(event, row.name.as_bytes()) else {
            continue;
        };
        if !line.is_empty() {
            line.push(b' ');
        }
        line.extend_from_slice(row.name.as_bytes());
        line.push(b'=');
        line.extend_from_slice(&text);
    }
    line
}

fn of_call<'e>(event: &'e Event, call: &'e Call, row: &ParamRow) -> Option<Cow<'e, [u8]>> {
    use ParamSource as S;
    let number = match row.source {
        S::Result => return Some(result(call, row)),
        S::Path0 => return Some(path(event, call, 0)),
        S::Path1 => return Some(path(event, call, 1)),
        S::Text0 => return Some(captured_text(call, 0)),
        S::Text1 => return Some(captured_text(call, 1)),
        S::Arg0 => call.args[0],
        S::Arg1 => call.args[1],
        S::Arg2 => call.args[2],
        S::Arg3 => call.args[3],
        S::Arg4 => call.args[4],
        S::Arg5 => call.args[5],
        S::OpenHow0 => call.open_how.map_or(0, |how| how[0]),
        S::OpenHow1 => call.open_how.map_or(0, |how| how[1]),
        S::OpenHow2 => call.open_how.map_or(0, |how| how[2]),
        S::FileDev => u64::from(call.file.as_ref().map_or(0, |file| file.dev)),
        S::FileIno => call.file.as_ref().map_or(0, |file| file.ino),
        S::CreatFlags => CREAT_FLAGS,
        S::Own => return None,
    };
    let text = match row.style {
        TextStyle::OpenFlags => open_flags(call, number),
        TextStyle::Fd => descriptor(low_i32(number)),
        style => number_text(event, style, number),
    };
    Some(Cow::Owned(text.into_bytes()))
}

fn captured_text(call: &Call, index: usize) -> Cow<'_, [u8]> {
    Cow::Borrowed(
        call.texts
            .get(index)
            .map_or(&b""[..], |text| text.as_slice()),
    )
}

fn result<'e>(call: &Call, row: &ParamRow) -> Cow<'e, [u8]> {
    let text = match (row.style, errno_name(-call.result)) {
        (TextStyle::Fd | TextStyle::Errno, Some(name)) if call.result < 0 => name.to_owned(),
        _ => call.result.to_string(),
    };
    Cow::Owned(text.into_bytes())
}

/// An absolute path as passed; a relative one joined to what it starts from.
fn path<'e>(event: &'e Event, call: &'e Call, index: usize) -> Cow<'e, [u8]> {
    match call.paths.get(index) {
        None => Cow::Borrowed(b""),
        Some(path) if path.given.is_empty() || path.given.starts_with(b"/") => {
            Cow::Borrowed(&path.given)
        }
        Some(_) if index == call.subject() && event.paths.given.is_some() => Cow::Borrowed(
            event
                .paths
                .given
                .as_ref()
                .map_or(&b""[..], |given| given.as_slice()),
        ),
        Some(path) => Cow::Owned(Vec::from(path.absolute())),
    }
}

fn open_flags(call: &Call, flags: u64) -> String {
    let created = call.file.as_ref().is_some_and(|file| file.created);
    let mut text = open_flag_names(flags, created);
    match call.file.as_ref().map(|file| file.layer) {
        Some(Layer::Upper) => text.push_str("|FD_UPPER_LAYER"),
        Some(Layer::Lower) => text.push_str("|FD_LOWER_LAYER"),
        Some(Layer::None) | None => {}
    }
    text
}

fn descriptor(fd: i32) -> String {
    if fd == AT_FDCWD {
        "AT_FDCWD".to_owned()
    } else {
        fd.to_string()
    }
}

fn number_text(event: &Event, style: TextStyle, number: u64) -> String {
    match style {
        TextStyle::Octal => format!("{number:o}"),
        TextStyle::Hex | TextStyle::HexInt => format!("{number:X}"),
        TextStyle::Mode => {
            flag_names(style, number).unwrap_or_else(|| format!("{:o}", number & 0o7777))
        }
        TextStyle::Uid => user_name(event, low_u32(number)),
        TextStyle::Gid => group_name(event, low_u32(number)),
        TextStyle::Int | TextStyle::Pid => low_i32(number).to_string(),
        style => flag_names(style, number).unwrap_or_else(|| number.to_string()),
    }
}

fn user_name(event: &Event, uid: u32) -> String {
    match (uid, event.users.user(uid)) {
        (u32::MAX, _) => "<NONE>".to_owned(),
        (_, Some(user)) => user.name.to_str_lossy().into_owned(),
        (_, None) => "<NA>".to_owned(),
    }
}

fn group_name(event: &Event, gid: u32) -> String {
    match (gid, event.users.group(gid)) {
        (u32::MAX, _) => "<NONE>".to_owned(),
        (_, Some(name)) => name.to_str_lossy().into_owned(),
        (_, None) => "<NA>".to_owned(),
    }
}

/// Parameters of events that are no system call, and of `execve`, by name.
fn own<'e>(event: &'e Event, row: &ParamRow) -> Option<Cow<'e, [u8]>> {
    let process = &event.process;
    let credentials = &process.task.credentials;
    Some(match row.name {
        "res" => event.result().map_or(Cow::Borrowed(&b""[..]), |result| {
            made(errno_name(-result).map_or_else(|| result.to_string(), str::to_owned))
        }),
        "exe" => Cow::Borrowed(process.exe.as_slice()),
        "args" => process.argument_line(),
        "env" => process.environment_line(),
        "cwd" => Cow::Borrowed(process.cwd.as_slice()),
        "comm" => Cow::Borrowed(process.task.comm.as_slice()),
        "tid" => made(process.task.tid.to_string()),
        "pid" => made(process.task.pid.to_string()),
        "ptid" => made(process.task.parent_pid.to_string()),
        "tty" => made(process.task.tty.to_string()),
        "loginuid" => made(user_name(event, credentials.loginuid)),
        "uid" => made(user_name(event, credentials.uid)),
        "gid" => made(group_name(event, credentials.gid)),
        "cap_inheritable" => made(format!("{:X}", credentials.cap_inheritable)),
        "cap_permitted" => made(format!("{:X}", credentials.cap_permitted)),
        "cap_effective" => made(format!("{:X}", credentials.cap_effective)),
        "exe_ino" => made(
            process
                .exe_file
                .as_ref()
                .map_or(0, |file| file.ino)
                .to_string(),
        ),
        "flags" => made(exec_flags(event)),
        "filename" | "pathname" => match &event.captured.what {
            What::Exec(exec) => Cow::Borrowed(exec.filename.as_slice()),
            What::Call(call) => path(event, call, 0),
            _ => return None,
        },
        "status" => match event.captured.what {
            What::Exit { status, .. } => made(status.to_string()),
            _ => return None,
        },
        "number" => match event.captured.what {
            What::CompatCall { number } => made(number.to_string()),
            _ => return None,
        },
        "count" => match event.captured.what {
            What::BudgetExceeded { count } => made(count.to_string()),
            _ => return None,
        },
        _ => return None,
    })
}

fn exec_flags(event: &Event) -> String {
    let Some(file) = &event.process.exe_file else {
        return "0".to_owned();
    };
    let memfd = file.path_notes.detached && file.path.starts_with(b"memfd:");
    let bits = match file.layer {
        Layer::Upper => 2,
        Layer::Lower => 8,
        Layer::None => 0,
    } | if memfd { 4 } else { 0 };
    flag_names(TextStyle::ExecFlags, bits).unwrap_or_else(|| "0".to_owned())
}

fn made(text: String) -> Cow<'static, [u8]> {
    Cow::Owned(text.into_bytes())
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
