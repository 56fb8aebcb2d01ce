//! Whether a file is a secret: matched by what it is, not by its name.

use core::ptr::{addr_of_mut, write_volatile};

use vigia_abi::CallBody;
use vigia_abi::maps::{SecretKey, config, secret};
use vigia_abi::offsets::*;

use crate::file;
use crate::kernel::{Addr, has};
use crate::maps::{SECRET_DEVS, SECRET_FILES};

const PROC_MAGIC: u64 = 0x9fa0;
/// The name of the file, which the kernel keeps with a zero behind it.
const ENVIRONMENT: u64 = u64::from_le_bytes(*b"environ\0");

/// What an open file is (see [`secret`]), as far as `flags` of [`config`] ask; 0 for nothing of that.
#[inline(always)]
pub(crate) fn kind_of(open: Addr, flags: u32) -> u32 {
    if open.is_null() {
        return 0;
    }
    if flags & config::ENVIRONMENTS != 0 && has(PROC_INODE_PID) && is_environment(open) {
        return secret::ENVIRONMENT;
    }
    if flags & config::SECRETS == 0 {
        return 0;
    }
    kind(&file::key(open))
}

/// Whether a file is the environment that proc shows of a process. Its number says nothing: each look makes another.
#[inline(always)]
fn is_environment(open: Addr) -> bool {
    let magic: u64 = open.follow(FILE_INODE).follow(INODE_SB).load(SB_MAGIC);
    if magic != PROC_MAGIC {
        return false;
    }
    let dentry = open.member(FILE_PATH).follow(PATH_DENTRY);
    // The length stands in the upper half.
    let len = dentry.load::<u64>(DENTRY_NAME_HASH_LEN) >> 32;
    len == 7 && dentry.follow(DENTRY_NAME_NAME).load_at::<u64>(0) == ENVIRONMENT
}

/// The process that such a file shows, as the host counts, by whatever path and in whatever proc it was found: the thread that
/// the file is about tells its process. 0 for one that is gone.
#[inline(always)]
fn shown_process(open: Addr) -> u32 {
    let inode = open.follow(FILE_INODE);
    let pid = inode.container(PROC_INODE_INODE).follow(PROC_INODE_PID);
    // The first task on the list of those whose own number it is: the only one there ever is.
    let link = Addr(pid.load(PID_TASKS));
    if pid.is_null() || link.is_null() {
        return 0;
    }
    link.container(TASK_PID_LINKS).load(TASK_TGID)
}

/// Writes what a file is into the record of its open.
///
/// # Safety
/// `body` must be valid for writes.
#[inline(always)]
pub(crate) unsafe fn describe(body: *mut CallBody, kind: u32, open: Addr) {
    let shown = if kind == secret::ENVIRONMENT {
        shown_process(open)
    } else {
        0
    };
    // SAFETY: as the caller promises.
    unsafe {
        write_volatile(addr_of_mut!((*body).secret_kind), kind);
        write_volatile(addr_of_mut!((*body).shown_pid), shown);
    }
}

/// The kind of the file (see [`secret`]); 0 if it is neither secret nor configuration.
#[inline(always)]
fn kind(key: &SecretKey) -> u32 {
    let Some(device) = SECRET_DEVS.get_ptr(key.dev) else {
        return 0;
    };
    // SAFETY: a value of the map; reading one that is being replaced gives the old or the new word.
    let kind = unsafe { (*device).kind };
    if kind != secret::BY_FILE {
        return kind;
    }
    match SECRET_FILES.get_ptr(key) {
        // SAFETY: as above.
        Some(file) => unsafe { (*file).kind },
        None => 0,
    }
}
