//! System calls.

use bstr::BString;
use vigia_abi::record::{TEXT_MAX, call, text};
use vigia_abi::{CallBody, CompatBody};
use vigia_event::call::named;
use vigia_event::captured::{Call, Entry, GivenPath, What};
use vigia_event::{EventType, File};

use super::record::{Record, is_incomplete};
use super::{Malformed, descriptor, file};

pub(super) fn call(record: Record<'_>) -> Result<What, Malformed> {
    let body: CallBody = record.body()?;
    let event_type = u16::try_from(body.number)
        .ok()
        .and_then(EventType::from_number)
        .ok_or(Malformed::SystemCall(body.number))?;
    let address = record
        .text(body.address)?
        .and_then(descriptor::decode_address);
    let mut call = Call {
        event_type,
        result: body.result,
        args: arguments(&body),
        paths: paths(record, &body)?,
        texts: texts(record, &body.texts)?,
        texts_truncated: body.texts.iter().any(|&text| is_incomplete(text)),
        open_how: (body.flags & call::OPEN_HOW != 0).then_some(body.open_how),
        file: file::decode(record, &body.file)?.map(|file| File {
            environment_of: body.shown_pid,
            ..file
        }),
        descriptor: None,
        address,
        data: record.text(body.data)?.map(Into::into),
        data_truncated: is_incomplete(body.data),
        cwd: record.kernel_path(body.cwd)?.map(|cwd| {
            if is_incomplete(body.cwd) {
                BString::default()
            } else {
                cwd
            }
        }),
        entry: match (
            body.flags & call::COMPAT != 0,
            body.flags & call::IO_URING != 0,
        ) {
            (_, true) => Entry::IoUring,
            (true, false) => Entry::Compat,
            (false, false) => Entry::Native,
        },
    };
    descriptor::resolve(record, &body, &mut call)?;
    Ok(What::Call(Box::new(call)))
}

/// The agent's own open of a secret's file: an open like any other, of which only the file matters.
pub(super) fn secret_key(record: Record<'_>) -> Result<What, Malformed> {
    let body: CallBody = record.body()?;
    let file = file::decode(record, &body.file)?.ok_or(Malformed::Value {
        field: "flags of a secret's file",
        value: body.file.flags,
    })?;
    Ok(What::SecretKey(Box::new(file)))
}

pub(super) fn compat(record: Record<'_>) -> Result<What, Malformed> {
    let body: CompatBody = record.body()?;
    let number = body.number.cast_signed();
    Ok(What::CompatCall { number })
}

/// As the kernel takes them: it drops the mark that programs had to put into the flags of mount(2) before Linux 2.4.
fn arguments(body: &CallBody) -> [u64; 6] {
    const MARK: u64 = 0xC0ED_0000;
    const MASK: u64 = 0xFFFF_0000;
    const FLAGS: usize = 3;
    let mut args = body.args;
    let is_mount = u16::try_from(body.number)
        .is_ok_and(|number| EventType::from_number(number) == Some(named::MOUNT));
    if is_mount && args[FLAGS] & MASK == MARK {
        args[FLAGS] &= !MASK;
    }
    args
}

/// Keeps the position of a path whose predecessor is missing.
fn paths(record: Record<'_>, body: &CallBody) -> Result<Vec<GivenPath>, Malformed> {
    let mut paths = Vec::new();
    for (index, (path, at_entry)) in body.paths.iter().zip(body.entry).enumerate() {
        let Some(at_exit) = record.text(path.given)? else {
            continue;
        };
        let at_entry = record.text(at_entry)?;
        // Memory that can no longer be read says nothing about what it held.
        let changed = at_entry
            .is_some_and(|at_entry| at_entry != at_exit && path.given.flags & text::FAULT == 0);
        paths.resize_with(index, GivenPath::default);
        paths.push(GivenPath {
            given: at_entry.unwrap_or(at_exit).into(),
            changed: changed.then(|| at_exit.into()),
            base: base(record, path.base, at_entry.unwrap_or(at_exit))?,
            truncated: is_cut(path.given, at_entry) || is_incomplete(path.base),
        });
    }
    Ok(paths)
}

/// Whether a path is longer than what was captured, or cannot be read. What was read when the call began is as long as
/// it may be without saying whether there was more; then what was read of the same memory in the end tells.
fn is_cut(given: vigia_abi::Text, at_entry: Option<&[u8]>) -> bool {
    match at_entry {
        None => is_incomplete(given),
        Some(at_entry) => at_entry.len() == TEXT_MAX - 1 && given.flags & text::TRUNCATED != 0,
    }
}

/// What a relative path starts from. A base whose beginning is missing is none, unless the path leads out of all that
/// is known of it: nobody climbs out of a hundred folders but to the root, or to hide where he goes.
fn base(
    record: Record<'_>,
    base: vigia_abi::Text,
    path: &[u8],
) -> Result<Option<BString>, Malformed> {
    let known = record.kernel_path(base)?;
    if !is_incomplete(base) {
        return Ok(known);
    }
    let parts = |path: &[u8]| {
        path.split(|&byte| byte == b'/')
            .map(<[u8]>::to_vec)
            .collect::<Vec<_>>()
    };
    let ups = parts(path)
        .iter()
        .take_while(|part| **part == b"..")
        .count();
    Ok(known
        .filter(|known| ups > parts(known).len())
        .map(|_| BString::from("/")))
}

fn texts(record: Record<'_>, wire: &[vigia_abi::Text]) -> Result<Vec<bstr::BString>, Malformed> {
    let mut texts = Vec::new();
    for (index, &text) in wire.iter().enumerate() {
        if let Some(bytes) = record.text(text)? {
            texts.resize_with(index, Default::default);
            texts.push(bytes.into());
        }
    }
    Ok(texts)
}
