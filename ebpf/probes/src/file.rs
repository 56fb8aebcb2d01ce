//! What a `struct file` tells about the file behind it.

use vigia_abi::offsets::*;
use vigia_abi::record::file as flag;
use vigia_abi::{File, maps::SecretKey};

use crate::kernel::{Addr, Ptr, has};

const OVERLAY_MAGIC: u64 = 0x794c_7630;
const SOCKFS_MAGIC: u64 = 0x534f_434b;
const MNT_READONLY: u32 = 0x40;
const SB_RDONLY: u64 = 1;
const FMODE_WRITE: u32 = 2;
const FMODE_PATH: u32 = 0x4000;
const FMODE_CREATED: u32 = 0x10_0000;
/// A descriptor above this is none: `fs.nr_open` is at most a few million.
const FD_MASK: u64 = 0xff_ffff;

/// The file of a descriptor of the current task; null if there is none.
#[inline(always)]
pub(crate) fn of_descriptor(task: Ptr, fd: u64, cell: *mut u64) -> Addr {
    let table = task.follow(TASK_FILES).follow(FILES_FDT).address(cell);
    if fd >= u64::from(table.load::<u32>(FDTABLE_MAX_FDS)) {
        return Addr::NULL;
    }
    Addr(table.follow(FDTABLE_FD).load_at((fd & FD_MASK) * 8))
}

/// Whether the file is a socket.
#[inline(always)]
pub(crate) fn is_socket(file: Addr) -> bool {
    let magic: u64 = file.follow(FILE_INODE).follow(INODE_SB).load(SB_MAGIC);
    magic == SOCKFS_MAGIC
}

/// Whether the file was opened for writing, or made by the open.
#[inline(always)]
pub(crate) fn is_written(file: Addr) -> bool {
    file.load::<u32>(FILE_MODE) & (FMODE_WRITE | FMODE_CREATED) != 0
}

/// What names the file among secrets.
#[inline(always)]
pub(crate) fn key(file: Addr) -> SecretKey {
    let inode = file.follow(FILE_INODE);
    let dev = inode.follow(INODE_SB).load(SB_DEV);
    SecretKey {
        ino: inode.load(INODE_INO),
        dev,
        padding: 0,
    }
}

/// Who asks for a file, and thus what it may tell.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// The open that made it: only this call can have created it.
    Open,
    /// A call on a descriptor.
    Descriptor,
    /// An execution, which rules may ask for times.
    Exec,
}

/// Writes everything but the path.
///
/// # Safety
/// `out` must be valid for writes.
#[inline(always)]
pub(crate) unsafe fn capture(file: Addr, out: *mut File, asker: Asker) {
    let inode = file.follow(FILE_INODE);
    let super_block = inode.follow(INODE_SB);
    let vfsmount = file.member(FILE_PATH).follow(PATH_MNT);
    let mode: u32 = file.load(FILE_MODE);
    let magic: u64 = super_block.load(SB_MAGIC);
    let mut flags = flag::PRESENT;
    if vfsmount.load::<u32>(VFSMOUNT_FLAGS) & MNT_READONLY != 0 {
        flags |= flag::MOUNT_READ_ONLY;
    }
    if super_block.load::<u64>(SB_FLAGS) & SB_RDONLY != 0 {
        flags |= flag::FS_READ_ONLY;
    }
    if mode & FMODE_CREATED != 0 && asker == Asker::Open {
        flags |= flag::CREATED;
    }
    if mode & FMODE_PATH != 0 {
        flags |= flag::PATH_ONLY;
    }
    if magic == OVERLAY_MAGIC {
        // overlayfs is often a module without type information here, but its inode has had the upper dentry
        // right behind the embedded `struct inode` since 4.13.
        let upper: u64 = inode.member(INODE_SIZE).load_at(0);
        flags |= if upper == 0 { flag::LOWER } else { flag::UPPER };
    }
    // SAFETY: as the caller promises.
    unsafe {
        (*out).ino = inode.load(INODE_INO);
        (*out).fs_magic = magic;
        (*out).dev = super_block.load(SB_DEV);
        (*out).generation = inode.load(INODE_GENERATION);
        (*out).mode = u32::from(inode.load::<u16>(INODE_MODE));
        (*out).nlink = inode.load(INODE_NLINK);
        (*out).mount_id = vfsmount.container(MOUNT_MNT).load(MOUNT_ID);
        (*out).flags = flags;
        if asker == Asker::Exec {
            (*out).ctime_ns = time(inode, INODE_CTIME_SEC, INODE_CTIME_NSEC);
            (*out).mtime_ns = time(inode, INODE_MTIME_SEC, INODE_MTIME_NSEC);
        }
    }
}

#[inline(always)]
fn time(inode: Addr, seconds: usize, nanoseconds: usize) -> u64 {
    if !has(seconds) || !has(nanoseconds) {
        return 0;
    }
    inode
        .load::<u64>(seconds)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(u64::from(inode.load::<u32>(nanoseconds)))
}
