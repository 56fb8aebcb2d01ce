//! Whether a file of a container was written since it was made, asked of the folder on the host that holds what was.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bstr::ByteSlice as _;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};
use rustix::io::Errno;
use vigia_event::file::Origin;

use crate::patience;

const PATIENCE: Duration = Duration::from_millis(100);

/// [`Origin::Upper`] if the file at `path` (from the root of the overlay) was written since; `upper` is the folder as
/// the host's own mounts name it. Unknown in all other cases.
///
/// The container chooses what lies in the folder, so links in it lead nowhere.
pub(super) fn origin_in(proc_root: &Path, upper: &[u8], path: &[u8]) -> Origin {
    let relative = |path: &[u8]| -> Option<PathBuf> {
        let path = path.trim_start_with(|c| c == '/').to_path().ok()?;
        Some(path.to_owned())
    };
    let (Some(upper), Some(path)) = (relative(upper), relative(path)) else {
        return Origin::Unknown;
    };
    // The host by way of its init, or by the agent's own root where that may not be looked at and the agent runs on the
    // host; within a container there is no such folder.
    let folders = [proc_root.join("1/root"), PathBuf::from("/")].map(|root| root.join(&upper));
    patience::wait_for(PATIENCE, move || {
        let found = folders.iter().map(|folder| look(folder, &path));
        found.fold(Origin::Unknown, |found, other| match found {
            Origin::Unknown => other,
            found => found,
        })
    })
    .unwrap_or(Origin::Unknown)
}

fn look(folder: &Path, path: &Path) -> Origin {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let Ok(folder) = open(folder, flags | OFlags::DIRECTORY, Mode::empty()) else {
        return Origin::Unknown;
    };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let found: Result<OwnedFd, Errno> = openat2(
        &folder,
        path,
        flags | OFlags::NOFOLLOW,
        Mode::empty(),
        resolve,
    );
    match found.and_then(fstat) {
        // A removed file of the image is a device without a number: what has its name now lies elsewhere.
        Ok(found) if FileType::from_raw_mode(found.st_mode) == FileType::RegularFile => {
            Origin::Upper
        }
        // That it is not there does not say that it is the image's: a folder on the way may be a link.
        _ => Origin::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_what_was_written_is_found() {
        let root = tempfile::tempdir().expect("a folder");
        let upper = root.path().join("1/root/var/upper");
        fs::create_dir_all(upper.join("srv")).expect("folders");
        fs::write(upper.join("srv/written"), "#!/bin/sh").expect("a file");
        symlink("/etc", upper.join("etc")).expect("a link");
        for (path, expected) in [
            ("/srv/written", Origin::Upper),
            ("/srv/other", Origin::Unknown),
            ("/srv/written/below", Origin::Unknown),
            ("/etc/passwd", Origin::Unknown),
            ("/../../../srv", Origin::Unknown),
        ] {
            let origin = origin_in(root.path(), b"/var/upper", path.as_bytes());
            assert_eq!(origin, expected, "{path}");
        }
        let gone = origin_in(root.path(), b"/var/none", b"/srv/written");
        assert_eq!(gone, Origin::Unknown);
    }
}
