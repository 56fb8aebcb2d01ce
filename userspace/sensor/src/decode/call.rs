//! System calls.

use vigia_abi::record::call;
use vigia_abi::{CallBody, CompatBody};
use vigia_event::EventType;
use vigia_event::captured::{Call, GivenPath, What};

use super::record::{Record, is_incomplete};
use super::{Malformed, file};

pub(super) fn call(record: Record<'_>) -> Result<What, Malformed> {
    let body: CallBody = record.body()?;
    let event_type = u16::try_from(body.number)
        .ok()
        .and_then(EventType::from_number)
        .ok_or(Malformed::SystemCall(body.number))?;
    Ok(What::Call(Box::new(Call {
        event_type,
        result: body.result,
        args: body.args,
        paths: paths(record, &body.paths)?,
        texts: texts(record, &body.texts)?,
        open_how: (body.flags & call::OPEN_HOW != 0).then_some(body.open_how),
        file: file::decode(record, &body.file)?,
        // The probes deliver files only.
        descriptor: None,
        address: None,
        data: None,
    })))
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

/// Keeps the position of a path whose predecessor is missing.
fn paths(record: Record<'_>, wire: &[vigia_abi::GivenPath]) -> Result<Vec<GivenPath>, Malformed> {
    let mut paths = Vec::new();
    for (index, path) in wire.iter().enumerate() {
        let Some(given) = record.text(path.given)? else {
            continue;
        };
        paths.resize_with(index, GivenPath::default);
        paths.push(GivenPath {
            given: given.into(),
            // A base whose beginning is missing is no base.
            base: if is_incomplete(path.base) {
                None
            } else {
                record.kernel_path(path.base)?
            },
            truncated: is_incomplete(path.given) || is_incomplete(path.base),
        });
    }
    Ok(paths)
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
