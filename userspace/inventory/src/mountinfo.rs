//! The mounts of a container, from `/proc/PID/mountinfo`: what it promised, in the kernel's own words.
//!
//! An engine's answer lists neither the secrets of a Swarm task nor what happened to the mounts after the start;
//! mountinfo does. Its format is that of proc_pid_mountinfo(5). The strings in it are partly chosen by the
//! container, so lines are bounded in number, and what cannot be understood is skipped and counted.

mod changes;
mod classify;
mod declared;
mod identity;
mod kubernetes;
mod made_for;
mod secrets;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use bstr::{BString, ByteSlice};
use vigia_event::mount::{Mount, MountKind};

pub(crate) use changes::MountChanges;
pub use classify::{Surroundings, classify, classify_host};
pub use declared::table_of_declared;
pub use identity::container_id;
pub(crate) use kubernetes::key_on_host;
pub(crate) use made_for::is_anothers;
pub use secrets::{SECRET_FOLDERS, SwarmObject, SwarmObjects, is_public_part, is_swarm_id};
pub(crate) use secrets::{holds_only_secrets, last_part, part_of};

/// Bytes read of one mountinfo.
const MAX_BYTES: u64 = 8 << 20;
/// Mounts kept of one namespace; the kernel's own default limit is 100,000.
const MAX_MOUNTS: usize = 8192;

/// The lines of one mountinfo, not yet classified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mountinfo {
    /// In the order of the file; every kind is [`MountKind::Other`].
    pub mounts: Vec<Mount>,
    /// Lines that do not have the form of a mount.
    pub malformed: usize,
    /// Whether there were more bytes or mounts than are kept.
    pub truncated: bool,
}

/// Reads the mounts that a process sees.
///
/// # Errors
/// If the process is gone or its mountinfo cannot be read. A process that ended but was not yet waited for has
/// no mounts any more: that is [`io::ErrorKind::NotFound`], too.
pub fn read(proc_root: &Path, pid: u32) -> io::Result<Mountinfo> {
    let mut text = Vec::new();
    let file = File::open(proc_root.join(pid.to_string()).join("mountinfo"))?;
    file.take(MAX_BYTES + 1).read_to_end(&mut text)?;
    if text.is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(parse(&text))
}

/// Parses the text of a mountinfo.
#[must_use]
pub fn parse(text: &[u8]) -> Mountinfo {
    let mut parsed = Mountinfo::default();
    let max = usize::try_from(MAX_BYTES).unwrap_or(usize::MAX);
    let text = text
        .get(..max)
        .inspect(|_| parsed.truncated = text.len() > max)
        .unwrap_or(text);
    for line in text.lines() {
        if parsed.mounts.len() == MAX_MOUNTS {
            parsed.truncated = true;
            break;
        }
        match parse_line(line) {
            Some(mount) => parsed.mounts.push(mount),
            None if line.is_empty() => {}
            None => parsed.malformed += 1,
        }
    }
    parsed
}

fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|&byte| byte == b' ');
    let id = number(fields.next()?)?;
    let parent_id = number(fields.next()?)?;
    let dev = device(fields.next()?)?;
    let root = without_mark(unescape(fields.next()?));
    let point = unescape(fields.next()?);
    let options = fields.next()?;
    // Zero or more optional fields, then a single dash.
    fields.by_ref().find(|&field| field == b"-")?;
    let fs_type = unescape(fields.next()?);
    let source = unescape(fields.next()?);
    let fs_options = fields.next().unwrap_or_default();
    if !point.starts_with(b"/") {
        return None;
    }
    Some(Mount {
        id,
        parent_id,
        dev,
        root,
        point,
        read_only: is_read_only(options) || is_read_only(fs_options),
        fs_type,
        source,
        kind: MountKind::Other,
        upper: upper_folder(fs_options),
    })
}

/// What is mounted, if its name is gone since: the kernel says so behind it.
fn without_mark(mut root: BString) -> BString {
    if let Some(len) = root.strip_suffix(b"//deleted").map(<[u8]>::len) {
        root.truncate(len);
    }
    root
}

/// What an overlay names as the folder of what was written. A comma in it would be written as an escape.
fn upper_folder(options: &[u8]) -> BString {
    let mut options = options.split(|&byte| byte == b',');
    let upper = options.find_map(|option| option.strip_prefix(b"upperdir="));
    upper.map(unescape).unwrap_or_default()
}

/// The kernel writes `ro` or `rw` first; anything after it may quote strings of the container's choice.
fn is_read_only(options: &[u8]) -> bool {
    options.split(|&byte| byte == b',').next() == Some(b"ro")
}

fn number(field: &[u8]) -> Option<u32> {
    field.to_str().ok()?.parse().ok()
}

/// `major:minor` as [`Mount::dev`] has it.
fn device(field: &[u8]) -> Option<u32> {
    let (major, minor) = field.split_once_str(":")?;
    let (major, minor) = (number(major)?, number(minor)?);
    (major < 1 << 12 && minor < 1 << 20).then_some(major << 20 | minor)
}

/// Undoes the kernel's `\ooo` for blanks, backslashes and the like.
fn unescape(field: &[u8]) -> BString {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, tail)) = rest.split_first() {
        let octal = |index: usize| {
            tail.get(index)
                .filter(|digit| matches!(digit, b'0'..=b'7'))
                .map(|digit| digit - b'0')
        };
        match (byte, octal(0), octal(1), octal(2)) {
            (b'\\', Some(high @ 0..=3), Some(middle), Some(low)) => {
                out.push(high << 6 | middle << 3 | low);
                rest = tail.get(3..).unwrap_or_default();
            }
            _ => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    BString::from(out)
}

#[cfg(test)]
mod tests;
