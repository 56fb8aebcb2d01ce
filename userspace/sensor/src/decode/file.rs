//! Files as the kernel resolved them.

use bstr::BString;
use vigia_abi::Text;
use vigia_abi::record::{file, text};
use vigia_event::file::{File, Layer, PathNotes};

use super::Malformed;
use super::record::{Record, is_incomplete};

/// The file, where the record holds one.
pub(super) fn decode(
    record: Record<'_>,
    wire: &vigia_abi::File,
) -> Result<Option<File>, Malformed> {
    if wire.flags & file::PRESENT == 0 {
        return Ok(None);
    }
    let noted = |bit: u16| wire.path.flags & bit != 0;
    let flagged = |bit: u32| wire.flags & bit != 0;
    Ok(Some(File {
        path: record.kernel_path(wire.path)?.unwrap_or_default(),
        path_notes: PathNotes {
            truncated: noted(text::TRUNCATED) || noted(text::FAULT),
            deleted: noted(text::DELETED),
            escaped: noted(text::ESCAPED),
            detached: noted(text::DETACHED),
        },
        underlying_path: underlying(record, wire.underlying)?,
        dev: wire.dev,
        ino: wire.ino,
        generation: wire.generation,
        mode: wire.mode,
        nlink: wire.nlink,
        mount_id: wire.mount_id,
        mount_read_only: flagged(file::MOUNT_READ_ONLY),
        fs_read_only: flagged(file::FS_READ_ONLY),
        fs_magic: wire.fs_magic,
        // What only an open tells.
        environment_of: 0,
        layer: match (flagged(file::UPPER), flagged(file::LOWER)) {
            (true, _) => Layer::Upper,
            (false, true) => Layer::Lower,
            (false, false) => Layer::None,
        },
        created: flagged(file::CREATED),
        ctime_ns: wire.ctime_ns,
        mtime_ns: wire.mtime_ns,
    }))
}

/// The walk begins with the name of the file system's root, which is a slash.
fn underlying(record: Record<'_>, text: Text) -> Result<Option<BString>, Malformed> {
    let Some(path) = record.text(text)?.filter(|_| !is_incomplete(text)) else {
        return Ok(None);
    };
    let path = path
        .strip_prefix(b"/")
        .filter(|path| path.starts_with(b"/"));
    Ok(path.map(BString::from))
}
