//! What a container's cgroup allows it, as its files in either version of cgroups tell.

use std::path::Path;

use bstr::ByteSlice;
use vigia_event::container::CgroupLimits;

use crate::processes::scan::read_capped;

/// Bytes read of a file: a number, or `max`.
const MAX_BYTES: u64 = 64;

/// Reads it. `folder` is where the hierarchy is mounted in which engines make their groups, `path` the container's group there; in
/// version 1 each controller has a hierarchy beside it, in which the group is called the same.
pub(crate) fn read(folder: &Path, path: &[u8]) -> CgroupLimits {
    let Some(path) = path
        .strip_prefix(b"/")
        .filter(|path| !path.is_empty())
        .and_then(|path| path.to_path().ok())
    else {
        return CgroupLimits::default();
    };
    let read = |controller: &str, first: &str, second: &str| {
        let beside = || Some(folder.parent()?.join(controller).join(path).join(second));
        limit(&folder.join(path).join(first)).or_else(|| limit(&beside()?))
    };
    CgroupLimits {
        memory_bytes: read("memory", "memory.max", "memory.limit_in_bytes"),
        pids: read("pids", "pids.max", "pids.max"),
    }
}

/// The number in a file; `None` where there is none, as in a hierarchy without the controller.
fn limit(file: &Path) -> Option<u64> {
    let text = read_capped(file, MAX_BYTES).ok()?;
    match text.trim() {
        b"max" => Some(u64::MAX),
        number => number.to_str().ok()?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read_of(files: &[(&str, &str)], folder: &str) -> CgroupLimits {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        read(&root.path().join(folder), b"/docker/a")
    }

    #[test]
    fn limits_are_read_in_both_versions_and_where_they_are_mixed() {
        let limits = |memory_bytes, pids| CgroupLimits { memory_bytes, pids };
        let first = [
            ("memory/docker/a/memory.limit_in_bytes", "1048576\n"),
            ("pids/docker/a/pids.max", "max\n"),
        ];
        let second = [
            ("docker/a/memory.max", "max\n"),
            ("docker/a/pids.max", "7\n"),
        ];
        for (files, folder, expected) in [
            (&first[..], "pids", limits(Some(1 << 20), Some(u64::MAX))),
            (&first, "memory", limits(Some(1 << 20), Some(u64::MAX))),
            (&first, "unified", limits(Some(1 << 20), Some(u64::MAX))),
            (&second, "", limits(Some(u64::MAX), Some(7))),
            (&[("docker/a/pids.max", "many")], "", limits(None, None)),
            (&[], "", limits(None, None)),
        ] {
            assert_eq!(read_of(files, folder), expected, "{files:?} {folder}");
        }
        assert_eq!(read(Path::new("/"), b""), limits(None, None));
    }
}
