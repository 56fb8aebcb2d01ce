//! One file, opened in every way that has fooled a sensor: `open WAY PATH read|write`.
//!
//! Reading prints the beginning of the file; writing makes the file. The error is printed and ends with 1, so that
//! the table can ask for a refusal.

use std::ffi::{CString, OsStr};
use std::fmt::Write as _;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::raw::{Arg, call, call_32, low_page, shared};
use crate::uring::{self, Doer, Ring, Submission};
use crate::{Deed, say};

pub(crate) const DEEDS: &[Deed] = &[("open", open), ("read-in-ring", read_in_ring)];

/// A way to open a path with flags; the descriptor.
type Way = fn(&str, i32) -> Result<i64>;

const WAYS: &[(&str, Way)] = &[
    ("plainly", plainly),
    ("symlink", by_symlink),
    ("dotdot", by_dotdot),
    ("self-root", |path, flags| {
        plainly(&format!("/proc/self/root{path}"), flags)
    }),
    ("pid-root", |path, flags| {
        plainly(&format!("/proc/1/root{path}"), flags)
    }),
    ("self-fd", by_descriptor_of_folder),
    ("reopen", by_descriptor_of_file),
    ("hard-link", by_hard_link),
    ("bind-mount", by_bind_mount),
    ("dirfd", by_folder),
    ("chroot", by_chroot),
    ("long-path", by_long_path),
    ("deep-tree", by_deep_tree),
    ("no-text", by_name_that_is_no_text),
    ("openat2", by_openat2),
    ("openat2-beneath", |path, flags| {
        by_restricted_openat2(path, flags, RESOLVE_BENEATH)
    }),
    ("openat2-no-links", |path, flags| {
        by_restricted_openat2(path, flags, RESOLVE_NO_LINKS)
    }),
    ("openat2-cached", |path, flags| {
        plainly(path, flags)?;
        by_restricted_openat2(path, flags, RESOLVE_CACHED)
    }),
    ("handle", by_handle),
    ("compat", by_compat),
    ("detached-mount", by_detached_mount),
    ("io-uring", |path, flags| by_ring(path, flags, Doer::Caller)),
    ("io-uring-worker", |path, flags| {
        by_ring(path, flags, Doer::Worker)
    }),
    ("io-uring-poller", |path, flags| {
        by_ring(path, flags, Doer::Poller)
    }),
];

fn open(words: &[&str]) -> Result<()> {
    let [way, path, access] = words else {
        bail!("open WAY PATH read|write")
    };
    let (_, open) = WAYS
        .iter()
        .find(|(name, _)| name == way)
        .with_context(|| format!("unknown way: {way}"))?;
    let flags = match *access {
        "read" => libc::O_RDONLY,
        _ => libc::O_WRONLY | libc::O_CREAT,
    };
    let fd = open(path, flags)?;
    if *access == "read" {
        let mut head = [0; 64];
        let size = head.len() as i64;
        let length = call(
            libc::SYS_read,
            &mut [Arg::Int(fd), Arg::Room(&mut head), Arg::Int(size)],
        )?;
        let head = head.get(..usize::try_from(length)?).unwrap_or_default();
        say(&String::from_utf8_lossy(head));
    } else {
        say(&format!("planted {path}"));
    }
    Ok(())
}

/// `openat` below a folder's descriptor.
pub(crate) fn openat(folder: i64, path: &str, flags: i32) -> io::Result<i64> {
    call(
        libc::SYS_openat,
        &mut [
            Arg::Int(folder),
            Arg::Text(&text(path)?),
            Arg::Int(flags.into()),
            Arg::Int(0o644),
        ],
    )
}

pub(crate) fn text(path: &str) -> io::Result<CString> {
    CString::new(path).map_err(io::Error::other)
}

pub(crate) fn plainly(path: &str, flags: i32) -> Result<i64> {
    openat(libc::AT_FDCWD.into(), path, flags).context("openat")
}

/// Folder and name of a path.
fn split(path: &str) -> (&str, &str) {
    match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some(parts) => parts,
        None => (".", path),
    }
}

/// A descriptor of the folder of a path, and the name in it.
fn folder_of(path: &str) -> Result<(i64, &str)> {
    let (folder, name) = split(path);
    let fd = plainly(folder, libc::O_PATH | libc::O_DIRECTORY)?;
    Ok((fd, name))
}

fn by_symlink(path: &str, flags: i32) -> Result<i64> {
    let link = format!("/tmp/link-{}", std::process::id());
    symlink(path, &link)?;
    plainly(&link, flags)
}

fn by_dotdot(path: &str, flags: i32) -> Result<i64> {
    plainly(&format!("/usr/../tmp/../usr/local/../..{path}"), flags)
}

fn by_descriptor_of_folder(path: &str, flags: i32) -> Result<i64> {
    let (folder, name) = folder_of(path)?;
    plainly(&format!("/proc/self/fd/{folder}/{name}"), flags)
}

fn by_descriptor_of_file(path: &str, flags: i32) -> Result<i64> {
    let file = plainly(path, libc::O_PATH)?;
    plainly(&format!("/proc/self/fd/{file}"), flags & !libc::O_CREAT)
}

fn by_hard_link(path: &str, flags: i32) -> Result<i64> {
    let link = format!("/srv/hard-{}", std::process::id());
    std::fs::hard_link(path, &link).context("link")?;
    plainly(&link, flags)
}

fn by_bind_mount(path: &str, flags: i32) -> Result<i64> {
    // A folder is bound where the file is still to be made.
    let exists = Path::new(path).exists();
    let (folder, name) = split(path);
    let target = format!("/tmp/bind-{}", std::process::id());
    let (source, opened) = if exists {
        std::fs::write(&target, "")?;
        (path, target.clone())
    } else {
        std::fs::create_dir(&target)?;
        (folder, format!("{target}/{name}"))
    };
    call(
        libc::SYS_mount,
        &mut [
            Arg::Text(&text(source)?),
            Arg::Text(&text(&target)?),
            Arg::Text(c"none"),
            Arg::Int(i64::from(u32::try_from(libc::MS_BIND)?)),
            Arg::Int(0),
        ],
    )
    .context("mount")?;
    plainly(&opened, flags)
}

fn by_folder(path: &str, flags: i32) -> Result<i64> {
    let (folder, name) = folder_of(path)?;
    openat(folder, name, flags).context("openat")
}

fn by_chroot(path: &str, flags: i32) -> Result<i64> {
    let (folder, name) = split(path);
    std::os::unix::fs::chroot(folder).context("chroot")?;
    plainly(&format!("/{name}"), flags)
}

/// As long as the kernel takes it: 4,095 bytes.
fn by_long_path(path: &str, flags: i32) -> Result<i64> {
    let (folder, name) = split(path);
    let mut long = folder.trim_end_matches('/').to_owned();
    while long.len() + name.len() < 4092 {
        long.push_str("/.");
    }
    while long.len() + 1 + name.len() < 4095 {
        long.push('/');
    }
    write!(long, "/{name}")?;
    anyhow::ensure!(long.len() == 4095, "{} bytes", long.len());
    plainly(&long, flags)
}

/// From a working directory whose own path is longer than any path may be.
fn by_deep_tree(path: &str, flags: i32) -> Result<i64> {
    const DEPTH: usize = 100;
    std::env::set_current_dir("/tmp")?;
    for _ in 0..DEPTH {
        let name = "deep".repeat(25);
        drop(std::fs::create_dir(&name));
        std::env::set_current_dir(&name)?;
    }
    plainly(&format!("{}..{path}", "../".repeat(DEPTH)), flags)
}

/// Below a folder whose name is in no encoding.
fn by_name_that_is_no_text(path: &str, flags: i32) -> Result<i64> {
    let (folder, name) = split(path);
    let link = OsStr::from_bytes(b"/tmp/\xff\xfe\x80").to_owned();
    drop(std::fs::remove_file(&link));
    symlink(folder, &link)?;
    let full = [link.as_bytes(), b"/", name.as_bytes()].concat();
    call(
        libc::SYS_openat,
        &mut [
            Arg::Int(libc::AT_FDCWD.into()),
            Arg::Text(&CString::new(full)?),
            Arg::Int(flags.into()),
            Arg::Int(0o644),
        ],
    )
    .context("openat")
}

/// `RESOLVE_NO_XDEV`, `RESOLVE_NO_MAGICLINKS` and `RESOLVE_NO_SYMLINKS`.
const RESOLVE_NO_LINKS: u64 = 0x07;
const RESOLVE_BENEATH: u64 = 0x08;
const RESOLVE_IN_ROOT: u64 = 0x10;
const RESOLVE_CACHED: u64 = 0x20;

/// With the folder as root for this one call: what looks like `/shadow` is /etc/shadow.
fn by_openat2(path: &str, flags: i32) -> Result<i64> {
    let (folder, name) = folder_of(path)?;
    openat2(folder, &format!("/{name}"), flags, RESOLVE_IN_ROOT)
}

fn by_restricted_openat2(path: &str, flags: i32, resolve: u64) -> Result<i64> {
    let (folder, name) = folder_of(path)?;
    openat2(folder, name, flags, resolve)
}

fn openat2(folder: i64, path: &str, flags: i32, resolve: u64) -> Result<i64> {
    let mode = if flags & libc::O_CREAT == 0 { 0 } else { 0o644 };
    let how: Vec<u8> = [u64::from(flags.cast_unsigned()), mode, resolve]
        .iter()
        .flat_map(|word| word.to_ne_bytes())
        .collect();
    let size = how.len() as i64;
    call(
        libc::SYS_openat2,
        &mut [
            Arg::Int(folder),
            Arg::Text(&text(path)?),
            Arg::Bytes(&how),
            Arg::Int(size),
        ],
    )
    .context("openat2")
}

/// Without any name. Not every file system has handles.
fn by_handle(path: &str, flags: i32) -> Result<i64> {
    const HANDLE_BYTES: u32 = 128;
    let mut handle = [0_u8; 8 + HANDLE_BYTES as usize];
    if let Some(size) = handle.get_mut(..4) {
        size.copy_from_slice(&HANDLE_BYTES.to_ne_bytes());
    }
    let mut mount = [0_u8; 4];
    call(
        libc::SYS_name_to_handle_at,
        &mut [
            Arg::Int(libc::AT_FDCWD.into()),
            Arg::Text(&text(path)?),
            Arg::Room(&mut handle),
            Arg::Room(&mut mount),
            Arg::Int(0),
        ],
    )
    .context("name_to_handle_at")?;
    let (folder, _) = split(path);
    let mount = plainly(folder, libc::O_RDONLY | libc::O_DIRECTORY)?;
    call(
        libc::SYS_open_by_handle_at,
        &mut [Arg::Int(mount), Arg::Bytes(&handle), Arg::Int(flags.into())],
    )
    .context("open_by_handle_at")
}

/// Through the 32-bit entry, whose numbers are different ones.
fn by_compat(path: &str, flags: i32) -> Result<i64> {
    const OPEN: u32 = 5;
    let page = low_page(path.as_bytes())?;
    let fd = call_32(OPEN, [page, flags.cast_unsigned(), 0o644, 0, 0]).context("open, 32 bits")?;
    Ok(fd.into())
}

/// Below a copy of the folder's mount that stands nowhere.
fn by_detached_mount(path: &str, flags: i32) -> Result<i64> {
    const CLONE: i64 = 1;
    let (folder, name) = split(path);
    let tree = call(
        libc::SYS_open_tree,
        &mut [
            Arg::Int(libc::AT_FDCWD.into()),
            Arg::Text(&text(folder)?),
            Arg::Int(CLONE),
        ],
    )
    .context("open_tree")?;
    openat(tree, name, flags).context("openat")
}

/// `read-in-ring PATH`: reads a file that never gets a descriptor, since a ring keeps it among its own.
fn read_in_ring(words: &[&str]) -> Result<()> {
    let [path] = words else {
        bail!("read-in-ring PATH")
    };
    let mut ring = Ring::new(Doer::Caller)?;
    ring.make_place()?;
    ring.perform(&Submission::open_into_ring(&text(path)?, libc::O_RDONLY))
        .context("open")?;
    let head = room_for_the_kernel(64)?;
    let length = ring
        .perform(&Submission::read_from_ring(head)?)
        .context("read")?;
    let head = head.get(..usize::try_from(length)?).unwrap_or_default();
    say(&String::from_utf8_lossy(head));
    Ok(())
}

/// Memory that a ring may fill.
fn room_for_the_kernel(bytes: usize) -> Result<&'static mut [u8]> {
    let fd = call(
        libc::SYS_memfd_create,
        &mut [Arg::Text(c"room"), Arg::Int(0)],
    )
    .context("memfd_create")?;
    call(
        libc::SYS_ftruncate,
        &mut [Arg::Int(fd), Arg::Int(i64::try_from(bytes)?)],
    )
    .context("ftruncate")?;
    Ok(shared(i32::try_from(fd)?, 0, bytes)?)
}

fn by_ring(path: &str, flags: i32, doer: Doer) -> Result<i64> {
    Ok(uring::perform(&Submission::open(&text(path)?, flags), doer)?.into())
}
