//! User and group names as a container's own passwd and group files give them.
//!
//! The files belong to the container, so everything about them is hostile: a link must not lead to the host's
//! files, a pipe must not block, a huge file must not fill the memory, and a file system served by the
//! container itself must not make the agent wait.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bstr::ByteSlice;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};
use vigia_event::users::{IdRange, User, Users};

use crate::patience;

/// Bytes read of each file.
const MAX_BYTES: u64 = 1 << 20;
/// Users, and groups, kept.
const MAX_ENTRIES: usize = 16_384;
/// Bytes kept of a name, a home, a shell.
const MAX_FIELD_BYTES: usize = 256;
const PATIENCE: Duration = Duration::from_millis(100);

/// Why the names of a root are not known.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// The root or its passwd file could not be read.
    #[error("cannot read {path} below {}", root.display())]
    Read {
        /// Below which root.
        root: PathBuf,
        /// Which file.
        path: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The file system below the root did not answer in time.
    #[error("{} does not answer", root.display())]
    Hangs {
        /// Which root.
        root: PathBuf,
    },
}

/// Reads the users and groups of a process's root. A missing group file means no groups.
///
/// # Errors
/// If the process is gone, or its passwd file is missing, not regular, or does not answer.
pub fn of_process(proc_root: &Path, pid: u32) -> Result<Users, UsersError> {
    let folder = proc_root.join(pid.to_string());
    let mut users = below(&folder.join("root"))?;
    users.gid_ranges = std::fs::read(folder.join("gid_map"))
        .map(|text| id_ranges(&text))
        .unwrap_or_default();
    Ok(users)
}

/// Parses the text of a `gid_map`: the kernel's, of at most 340 lines. The host's own maps every id to itself, and is
/// nothing worth knowing.
fn id_ranges(text: &[u8]) -> Vec<IdRange> {
    let ranges: Vec<IdRange> = text.lines().filter_map(id_range).collect();
    let is_identity = |range: &IdRange| range.inside == range.outside;
    if ranges.iter().all(is_identity) {
        return Vec::new();
    }
    ranges
}

fn id_range(line: &[u8]) -> Option<IdRange> {
    let mut numbers = line.fields().map(|field| field.to_str().ok()?.parse().ok());
    Some(IdRange {
        inside: numbers.next()??,
        outside: numbers.next()??,
        count: numbers.next()??,
    })
}

/// Reads `etc/passwd` and `etc/group` below a root, without ever leaving it.
///
/// # Errors
/// As [`of_process`].
pub fn below(root: &Path) -> Result<Users, UsersError> {
    let owned = root.to_path_buf();
    let read = patience::wait_for(PATIENCE, move || {
        let passwd = read_regular(&owned, "etc/passwd");
        let group = read_regular(&owned, "etc/group").unwrap_or_default();
        passwd.map(|passwd| parse(&passwd, &group))
    });
    match read {
        Some(Ok(users)) => Ok(users),
        Some(Err(source)) => Err(UsersError::Read {
            root: root.to_path_buf(),
            path: "etc/passwd",
            source,
        }),
        None => Err(UsersError::Hangs {
            root: root.to_path_buf(),
        }),
    }
}

/// Parses the content of passwd and group files. Lines that do not have the form of their format are skipped;
/// of several lines with one id, the first counts.
#[must_use]
pub fn parse(passwd: &[u8], group: &[u8]) -> Users {
    let mut users: Vec<User> = passwd.lines().filter_map(user).take(MAX_ENTRIES).collect();
    users.sort_by_key(|user| user.uid);
    users.dedup_by_key(|user| user.uid);
    let mut groups: Vec<_> = group
        .lines()
        .filter_map(group_line)
        .take(MAX_ENTRIES)
        .collect();
    groups.sort_by_key(|group| group.0);
    groups.dedup_by_key(|group| group.0);
    Users {
        users,
        groups,
        gid_ranges: Vec::new(),
    }
}

fn user(line: &[u8]) -> Option<User> {
    let fields: Vec<&[u8]> = line.splitn_str(8, b":").collect();
    let [name, _password, uid, _gid, _comment, home, shell, ..] = fields[..] else {
        return None;
    };
    if name.is_empty() {
        return None;
    }
    Some(User {
        uid: uid.to_str().ok()?.parse().ok()?,
        name: capped(name).into(),
        home: capped(home).into(),
        shell: capped(shell).into(),
    })
}

fn group_line(line: &[u8]) -> Option<(u32, bstr::BString)> {
    let fields: Vec<&[u8]> = line.splitn_str(4, b":").collect();
    let [name, _password, gid, ..] = fields[..] else {
        return None;
    };
    let gid = gid.to_str().ok()?.parse().ok()?;
    (!name.is_empty()).then(|| (gid, capped(name).into()))
}

fn capped(field: &[u8]) -> &[u8] {
    field.get(..MAX_FIELD_BYTES).unwrap_or(field)
}

fn read_regular(root: &Path, path: &str) -> io::Result<Vec<u8>> {
    let root = open(
        root,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    // Opening a device or a pipe can have effects, so look before opening; O_NONBLOCK and the second look are
    // for a file that is exchanged in between.
    let look = open_below(&root, path, OFlags::PATH)?;
    refuse_irregular(&look)?;
    let file = open_below(
        &root,
        path,
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY,
    )?;
    refuse_irregular(&file)?;
    let mut content = Vec::new();
    File::from(file).take(MAX_BYTES).read_to_end(&mut content)?;
    Ok(content)
}

fn open_below(root: &OwnedFd, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    Ok(openat2(
        root,
        path,
        flags | OFlags::CLOEXEC,
        Mode::empty(),
        resolve,
    )?)
}

fn refuse_irregular(file: &OwnedFd) -> io::Result<()> {
    match FileType::from_raw_mode(fstat(file)?.st_mode) {
        FileType::RegularFile => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn lines_without_the_right_form_are_skipped() {
        let passwd = b"root:x:0:0:root:/root:/bin/sh\nbroken\n:x:1:1::/:/\nweb:x:33:33:a:b:c:d\nx:x:-1:0:::\n\xff\xfe:x:7:7::/:/\nroot2:x:0:0:::\n";
        let users = parse(passwd, b"root:x:0:\nx\nweb:x:33:a,b\nbad:x:y:\n");
        let names: Vec<_> = users
            .users
            .iter()
            .map(|user| (user.uid, user.name.as_slice()))
            .collect();
        assert_eq!(names, [(0, &b"root"[..]), (7, b"\xff\xfe"), (33, b"web")]);
        assert_eq!(users.groups, [(0, "root".into()), (33, "web".into())]);
        assert_eq!(
            users.user(0).map(|user| user.shell.as_slice()),
            Some(&b"/bin/sh"[..])
        );
    }

    #[test]
    fn the_ids_of_a_user_namespace_are_read_and_those_of_the_host_are_not() {
        let ranges: Vec<_> = id_ranges(b"         0       1002          1\n  1 100000 65536\nx\n")
            .into_iter()
            .map(|range| (range.inside, range.outside, range.count))
            .collect();
        assert_eq!(ranges, [(0, 1002, 1), (1, 100_000, 65_536)]);
        assert_eq!(id_ranges(b"0 0 4294967295\n"), []);
    }

    #[test]
    fn a_huge_file_gives_a_bounded_number_of_bounded_names() {
        let name = "n".repeat(4 * MAX_FIELD_BYTES);
        let passwd: String = (0..2 * MAX_ENTRIES)
            .map(|uid| format!("{name}:x:{uid}:0:::\n"))
            .collect();
        let users = parse(passwd.as_bytes(), b"").users;
        assert_eq!(users.len(), MAX_ENTRIES);
        assert!(users.iter().all(|user| user.name.len() == MAX_FIELD_BYTES));
    }

    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(root.path().join("etc")).expect("etc");
        root
    }

    #[test]
    fn a_link_to_the_hosts_file_leads_to_the_roots_own() {
        let root = root();
        std::fs::write(root.path().join("etc/mine"), "mine:x:5:5::/:/\n").expect("a file");
        symlink(
            "/../../../../../../etc/mine",
            root.path().join("etc/passwd"),
        )
        .expect("a link");
        assert_eq!(
            below(root.path())
                .expect("users")
                .user(5)
                .expect("a user")
                .name,
            "mine"
        );
        std::fs::remove_file(root.path().join("etc/mine")).expect("removed");
        std::fs::remove_file(root.path().join("etc/passwd")).expect("removed");
        symlink("/etc/hostname", root.path().join("etc/passwd")).expect("a link");
        assert!(
            below(root.path()).is_err(),
            "the host's /etc/hostname was reached"
        );
    }

    #[test]
    fn a_pipe_or_a_device_is_refused_without_waiting() {
        let root = root();
        let passwd = root.path().join("etc/passwd");
        rustix::fs::mknodat(rustix::fs::CWD, &passwd, FileType::Fifo, Mode::RUSR, 0)
            .expect("a pipe");
        let error = below(root.path()).expect_err("a pipe is no passwd file");
        assert!(matches!(error, UsersError::Read { .. }), "{error}");
    }
}
