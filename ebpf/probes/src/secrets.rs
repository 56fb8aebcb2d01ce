//! Whether a file is a secret: matched by what it is, not by its name.

use vigia_abi::maps::{SecretKey, config, secret};
use vigia_abi::offsets::*;

use crate::file;
use crate::kernel::Addr;
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
    if flags & config::ENVIRONMENTS != 0 && is_environment(open) {
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
