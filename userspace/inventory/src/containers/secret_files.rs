//! Opening a container's secrets so that the probes report their keys, without being led elsewhere.
//!
//! The container's program runs already: it may put a link, a pipe or another file in the secret's place. So paths
//! are resolved below the container's root, and a file counts only if it is regular and lies on the very mount
//! that grants the secret.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, StatxFlags, openat2, statx};

use super::LearnSecret;
use crate::patience;

/// Files learned of one folder.
const MAX_FILES: usize = 256;
/// Folders below one another.
const MAX_DEPTH: usize = 4;
/// A file system served by the container itself may never answer.
const PATIENCE: Duration = Duration::from_millis(100);

/// Opens the files of a secret as places (`O_PATH`): opening `/proc/self/fd/N` of each for reading makes the
/// probes report its key. Blocks for a tenth of a second at most.
///
/// # Errors
/// If the process is gone, the secret is not at its place, or its file system does not answer.
pub fn open_secret_files(proc_root: &Path, wanted: &LearnSecret) -> io::Result<Vec<OwnedFd>> {
    let root = proc_root.join(wanted.pid.to_string()).join("root");
    let wanted = wanted.clone();
    patience::wait_for(PATIENCE, move || {
        let root = File::open(root)?;
        let path = wanted.path.strip_prefix(b"/").unwrap_or(&wanted.path);
        let place = open_below(&root, path)?;
        let mut files = Vec::new();
        collect(place, wanted.mount_id, 0, &mut files);
        Ok(files)
    })
    .unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
}

fn open_below(folder: impl std::os::fd::AsFd, path: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    Ok(openat2(folder, path, flags, Mode::empty(), resolve)?)
}

fn collect(place: OwnedFd, mount_id: u32, depth: usize, files: &mut Vec<OwnedFd>) {
    let mask = StatxFlags::TYPE | StatxFlags::MNT_ID;
    let Ok(status) = statx(&place, c"", AtFlags::EMPTY_PATH, mask) else {
        return;
    };
    // Kernels before 5.8 do not tell the mount; there the path alone must do.
    let tells_mount = StatxFlags::from_bits_retain(status.stx_mask).contains(StatxFlags::MNT_ID);
    if tells_mount && status.stx_mnt_id != u64::from(mount_id) {
        return;
    }
    match FileType::from_raw_mode(status.stx_mode.into()) {
        FileType::RegularFile if files.len() < MAX_FILES => files.push(place),
        FileType::Directory if depth < MAX_DEPTH => {
            let readable = rustix::fs::openat(
                &place,
                c".",
                OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
            );
            let Ok(entries) = readable.and_then(Dir::new) else {
                return;
            };
            for entry in entries.take(4 * MAX_FILES).flatten() {
                let name = entry.file_name().to_bytes();
                if name == b"." || name == b".." {
                    continue;
                }
                // Kubernetes links each file to where the current version lies: that folder is visited anyway.
                let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
                if let Ok(place) = openat2(&place, name, flags, Mode::empty(), resolve) {
                    collect(place, mount_id, depth + 1, files);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn learn(path: &Path, mount_id: u32) -> io::Result<usize> {
        use std::os::unix::ffi::OsStrExt;
        let pid = std::process::id();
        let wanted = LearnSecret {
            pid,
            mount_id,
            path: path.as_os_str().as_bytes().into(),
        };
        open_secret_files(Path::new("/proc"), &wanted).map(|files| files.len())
    }

    #[test]
    fn only_regular_files_of_the_granting_mount_count() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("..2026")).expect("a folder");
        std::fs::write(at("..2026/token"), "t").expect("a file");
        std::fs::write(at("plain"), "t").expect("a file");
        symlink("..2026/token", at("token")).expect("a link");
        symlink("/etc/passwd", at("escape")).expect("a link");
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), Mode::RUSR).expect("a pipe");
        let status = statx(
            rustix::fs::CWD,
            folder.path(),
            AtFlags::empty(),
            StatxFlags::MNT_ID,
        )
        .expect("a status");
        let mount_id = u32::try_from(status.stx_mnt_id).expect("small");

        assert_eq!(
            learn(folder.path(), mount_id).expect("files"),
            2,
            "token and plain"
        );
        assert_eq!(learn(&at("plain"), mount_id).expect("a file"), 1);
        assert_eq!(
            learn(&at("pipe"), mount_id).expect("a place"),
            0,
            "a pipe is no secret"
        );
        assert_eq!(
            learn(folder.path(), mount_id + 1).expect("a place"),
            0,
            "another mount"
        );
        assert!(learn(&at("missing"), mount_id).is_err());
    }
}
