//! Opening a container's secrets so that the probes report their keys, without being led elsewhere.
//!
//! The container's program runs already: it may put a link, a pipe or another file in the secret's place. So paths
//! are resolved below the container's root, and a file counts only if it is regular and lies on the very mount
//! that grants the secret.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::time::Duration;

use bstr::{BString, ByteSlice};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, StatxFlags, openat2, statx};

use super::LearnSecret;
use crate::{path_pattern, patience};

/// Files learned of one folder.
const MAX_FILES: usize = 256;
/// Folders below one another, behind those that a pattern names.
const MAX_DEPTH: usize = 4;
/// Entries of folders looked at in all.
const MAX_ENTRIES: usize = 16_384;
/// A file system served by the container itself may never answer.
const PATIENCE: Duration = Duration::from_millis(100);

/// The files of a secret, opened as places (`O_PATH`).
#[derive(Debug)]
pub struct SecretFiles {
    /// Where the secret is when links are followed: a path below the root of whoever sees it.
    pub place: BString,
    /// The files: one, or those of a folder.
    pub files: Vec<OwnedFd>,
}

/// Opens the files of a secret as places: opening `/proc/self/fd/N` of each for reading makes the
/// probes report its key. Blocks for a tenth of a second at most.
///
/// # Errors
/// If the process is gone, the secret is not at its place, or its file system does not answer.
pub fn open_secret_files(proc_root: &Path, wanted: &LearnSecret) -> io::Result<SecretFiles> {
    let root = proc_root.join(wanted.pid.to_string()).join("root");
    let wanted = wanted.clone();
    patience::wait_for(PATIENCE, move || {
        let root = File::open(root)?;
        let path = wanted.path.strip_prefix(b"/").unwrap_or(&wanted.path);
        let place = open_below(&root, path)?;
        let mut found = SecretFiles {
            place: path_of(&place)?,
            files: Vec::new(),
        };
        let mut search = Search {
            mount_id: wanted.mount_id,
            entries_left: MAX_ENTRIES,
            files: &mut found.files,
        };
        search.collect(place, &wanted.pattern, 0);
        Ok(found)
    })
    .unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
}

/// The path of an open place. In another mount namespace it starts at that one's root.
fn path_of(place: &OwnedFd) -> io::Result<BString> {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", place.as_raw_fd()))?;
    Ok(link.into_os_string().into_vec().into())
}

fn open_below(folder: impl std::os::fd::AsFd, path: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    Ok(openat2(folder, path, flags, Mode::empty(), resolve)?)
}

/// Files being looked for on one mount.
struct Search<'f> {
    mount_id: u32,
    entries_left: usize,
    files: &'f mut Vec<OwnedFd>,
}

impl Search<'_> {
    /// Collects the files of a place that match a pattern, or lie in a folder that does; an empty one stands for all. `depth`
    /// counts the folders behind the pattern.
    fn collect(&mut self, place: OwnedFd, pattern: &[u8], depth: usize) {
        let mask = StatxFlags::TYPE | StatxFlags::MNT_ID;
        let Ok(status) = statx(&place, c"", AtFlags::EMPTY_PATH, mask) else {
            return;
        };
        // Kernels before 5.8 do not tell the mount; there the path alone must do.
        let known = StatxFlags::from_bits_retain(status.stx_mask);
        let tells_mount = known.contains(StatxFlags::MNT_ID);
        if tells_mount && status.stx_mnt_id != u64::from(self.mount_id) {
            return;
        }
        match FileType::from_raw_mode(status.stx_mode.into()) {
            FileType::RegularFile if pattern.is_empty() && self.files.len() < MAX_FILES => {
                self.files.push(place);
            }
            FileType::Directory if depth < MAX_DEPTH => self.collect_below(&place, pattern, depth),
            _ => {}
        }
    }

    fn collect_below(&mut self, folder: &OwnedFd, pattern: &[u8], depth: usize) {
        let (first, rest) = pattern.split_once_str("/").unwrap_or((pattern, b""));
        // A folder that the pattern names is not looked for among all the others.
        if !first.is_empty() && !first.iter().any(path_pattern::is_wildcard) {
            self.collect_entry(folder, first, rest, depth);
            return;
        }
        let readable = rustix::fs::openat(
            folder,
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
            let Some(left) = self.entries_left.checked_sub(1) else {
                return;
            };
            self.entries_left = left;
            let Some(rest) = rest_of(pattern, name) else {
                continue;
            };
            let is_behind = pattern.is_empty() || first.contains_str("**");
            self.collect_entry(folder, name, rest, depth + usize::from(is_behind));
        }
    }

    fn collect_entry(&mut self, folder: &OwnedFd, name: &[u8], rest: &[u8], depth: usize) {
        // Kubernetes links each file to where the current version lies: that folder is visited anyway.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        if let Ok(place) = openat2(folder, name, flags, Mode::empty(), resolve) {
            self.collect(place, rest, depth);
        }
    }
}

/// What of a pattern is left for what lies below a name; `None` where nothing below it, nor itself, can match.
fn rest_of<'p>(pattern: &'p [u8], name: &[u8]) -> Option<&'p [u8]> {
    let (first, rest) = pattern.split_once_str("/").unwrap_or((pattern, b""));
    // From there on any number of folders may lie between: whoever asked looks at whole paths.
    if first.contains_str("**") {
        return Some(b"");
    }
    (first.is_empty() || path_pattern::matches(first, name)).then_some(rest)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn mount_of(path: &Path) -> u32 {
        let status =
            statx(rustix::fs::CWD, path, AtFlags::empty(), StatxFlags::MNT_ID).expect("a status");
        u32::try_from(status.stx_mnt_id).expect("small")
    }

    fn learn(path: &Path, mount_id: u32) -> io::Result<usize> {
        learn_matching(path, "", mount_id)
    }

    fn learn_matching(path: &Path, pattern: &str, mount_id: u32) -> io::Result<usize> {
        use std::os::unix::ffi::OsStrExt;
        let pid = std::process::id();
        let wanted = LearnSecret {
            pid,
            mount_id,
            path: path.as_os_str().as_bytes().into(),
            pattern: pattern.into(),
        };
        open_secret_files(Path::new("/proc"), &wanted).map(|found| found.files.len())
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
        let mount_id = mount_of(folder.path());

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
        for (pattern, expected) in [
            ("*", 2),
            ("p*", 1),
            ("*/token", 1),
            ("*/t*/x", 0),
            ("**/token", 2),
            ("other/*", 0),
        ] {
            let found = learn_matching(folder.path(), pattern, mount_id).expect("files");
            assert_eq!(found, expected, "{pattern}");
        }
    }

    #[test]
    fn folders_that_a_pattern_names_do_not_count_as_depth() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder
            .path()
            .join("u/.local/share/containers/storage/secrets/filedriver");
        std::fs::create_dir_all(store.join("1/2/3/4/5")).expect("folders");
        for name in ["secretsdata", "1/2/3/a", "1/2/3/4/too-deep"] {
            std::fs::write(store.join(name), "t").expect("a file");
        }
        let mount_id = mount_of(folder.path());
        for (pattern, expected) in [
            ("*/.local/share/containers/storage/secrets/filedriver", 2),
            ("*/.local/share/containers/storage/other", 0),
        ] {
            let found = learn_matching(folder.path(), pattern, mount_id).expect("files");
            assert_eq!(found, expected, "{pattern}");
        }
    }

    #[test]
    fn a_place_is_told_as_links_lead_to_it() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("real"), "t").expect("a file");
        symlink("real", folder.path().join("link")).expect("a link");
        let wanted = LearnSecret {
            pid: std::process::id(),
            mount_id: 0,
            path: folder
                .path()
                .join("link")
                .into_os_string()
                .into_vec()
                .into(),
            pattern: BString::default(),
        };
        let found = open_secret_files(Path::new("/proc"), &wanted).expect("a place");
        let real = folder.path().canonicalize().expect("a path").join("real");
        assert_eq!(found.place, real.into_os_string().into_vec());
    }
}
