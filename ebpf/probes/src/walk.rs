//! A file's path as the kernel itself would print it to a task that never changed its root: from the file up over
//! dentries and mounts to the root of the mount namespace.
//!
//! The position in the buffer lives in map memory: with the position in a register the verifier follows 4096
//! of them through every step and gives up at a few dozen components.

use core::ptr::{addr_of, addr_of_mut, read_volatile, write_volatile};

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use vigia_abi::offsets::*;
use vigia_abi::record::{TEXT_MAX, WALK_MAX, text};

use crate::kernel::Addr;
use crate::record::LargeScratch;

/// Longest name of one component.
const NAME_MAX: usize = 255;

/// Scratch of one walk.
#[repr(C)]
pub(crate) struct Walk {
    /// Root of the task: `struct mount` and dentry.
    pub(crate) root_mount: Addr,
    pub(crate) root_dentry: Addr,
    /// Where in `path` the path begins; it ends at [`TEXT_MAX`].
    pub(crate) start: u32,
    /// Flags of the resulting text.
    pub(crate) notes: u32,
    /// Room for one name more than the longest path: the verifier adds the two bounds.
    pub(crate) path: [u8; TEXT_MAX + NAME_MAX + 1],
}

/// A path to be walked, and where in the record its text belongs.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Job {
    /// `struct mount`.
    pub(crate) mount: Addr,
    pub(crate) dentry: Addr,
    /// Offset of the [`vigia_abi::Text`] in the record.
    pub(crate) slot: u32,
    pub(crate) padding: u32,
}

/// The `struct mount` and dentry of a `struct path`.
#[inline(always)]
pub(crate) fn mount_and_dentry(path: Addr) -> (Addr, Addr) {
    let vfsmount = path.follow(PATH_MNT);
    let mount = if vfsmount.is_null() {
        vfsmount
    } else {
        vfsmount.container(MOUNT_MNT)
    };
    (mount, path.follow(PATH_DENTRY))
}

/// Remembers a task's root.
///
/// # Safety
/// `this` must point to the scratch of the running program; so in all functions here.
#[inline(always)]
pub(crate) unsafe fn set_root(this: *mut LargeScratch, fs: Addr) {
    let (mount, dentry) = mount_and_dentry(fs.member(FS_ROOT));
    // SAFETY: as the caller promises.
    unsafe {
        write_volatile(addr_of_mut!((*this).walk.root_mount), mount);
        write_volatile(addr_of_mut!((*this).walk.root_dentry), dentry);
    }
}

/// Plans a walk from a `struct path` whose text goes to `slot`.
///
/// # Safety
/// See [`set_root`].
#[inline(always)]
pub(crate) unsafe fn plan(this: *mut LargeScratch, path: Addr, slot: usize) {
    let (mount, dentry) = mount_and_dentry(path);
    if !dentry.is_null() {
        // SAFETY: as the caller promises.
        unsafe { add(this, mount, dentry, slot) };
    }
}

#[inline(always)]
unsafe fn add(this: *mut LargeScratch, mount: Addr, dentry: Addr, slot: usize) {
    // SAFETY: the caller's scratch; the index is checked.
    unsafe {
        let index = read_volatile(addr_of!((*this).job_count));
        if index as usize >= (*this).jobs.len() {
            return;
        }
        let job = addr_of_mut!((*this).jobs).cast::<Job>().add(index as usize);
        write_volatile(addr_of_mut!((*job).mount), mount);
        write_volatile(addr_of_mut!((*job).dentry), dentry);
        write_volatile(addr_of_mut!((*job).slot), slot as u32);
        write_volatile(addr_of_mut!((*this).job_count), index + 1);
    }
}

/// Plans a second walk for a file behind a mount that shows only a part of a file system, if that is also the file
/// system of the task's root: up to its own root, over dentries alone.
///
/// # Safety
/// See [`set_root`]; the root must be remembered.
#[inline(always)]
pub(crate) unsafe fn plan_underlying(this: *mut LargeScratch, open: Addr, slot: usize) {
    let path = open.member(FILE_PATH);
    let shown = path
        .follow(PATH_MNT)
        .container(MOUNT_MNT)
        .follow(MOUNT_ROOT);
    if shown.is_null() || shown.follow(DENTRY_PARENT) == shown {
        return;
    }
    // SAFETY: as the caller promises.
    let (root_mount, root) = unsafe {
        (
            read_volatile(addr_of!((*this).walk.root_mount)),
            read_volatile(addr_of!((*this).walk.root_dentry)),
        )
    };
    // A root that is itself a part (a subvolume): what lies on it has no other way.
    if root_mount.follow(MOUNT_ROOT) == shown {
        return;
    }
    let own = open.follow(FILE_INODE).follow(INODE_SB);
    if root.follow(DENTRY_INODE).follow(INODE_SB) != own {
        return;
    }
    // SAFETY: as the caller promises. Without a mount, a walk knows no mount points and ends at the root of the file system.
    unsafe { add(this, Addr::NULL, path.follow(PATH_DENTRY), slot) };
}

/// Walks one path into `walk.path`.
///
/// # Safety
/// See [`set_root`].
#[inline(always)]
pub(crate) unsafe fn walk(this: *mut LargeScratch, first_mount: Addr, first_dentry: Addr) {
    // SAFETY: as the caller promises; every index into `path` is masked.
    unsafe {
        let start = addr_of_mut!((*this).walk.start);
        let path = addr_of_mut!((*this).walk.path).cast::<u8>();
        let root_mount = read_volatile(addr_of!((*this).walk.root_mount));
        let root_dentry = read_volatile(addr_of!((*this).walk.root_dentry));
        // In map memory, too: a known value in a register would have the verifier look at what follows the loop
        // anew for every way out of it.
        let notes = addr_of_mut!((*this).walk.notes);
        write_volatile(notes, u32::from(text::TRUNCATED));
        let mut mount = first_mount;
        let mut dentry = first_dentry;
        // mnt_parent, mnt_mountpoint, mnt_root
        let mut here: [u64; 3] = mount.load(MOUNT_PARENT);
        write_volatile(start, TEXT_MAX as u32);
        let mut top = u32::from(text::ESCAPED);
        for _ in 0..WALK_MAX {
            // Not the end: a task that changed its root (`chroot`) must not hide what lies above it.
            if dentry == root_dentry && mount == root_mount {
                top = 0;
            }
            if dentry.0 == here[2] {
                if here[0] == mount.0 {
                    write_volatile(notes, top);
                    break;
                }
                mount = Addr(here[0]);
                dentry = Addr(here[1]);
                here = mount.load(MOUNT_PARENT);
                continue;
            }
            // d_parent, d_name.hash_len, d_name.name
            let entry: [u64; 3] = dentry.load(DENTRY_PARENT);
            let detached = entry[0] == dentry.0;
            let len = (entry[1] >> 32) & NAME_MAX as u64;
            let needed = if detached { len } else { len + 1 };
            let end = u64::from(read_volatile(start));
            if end < needed || entry[0] == 0 {
                break;
            }
            // Read anew: Linux 6.12.118 forgets the bound of a length once another value made of it was compared.
            let len = (read_volatile(addr_of!(entry[1])) >> 32) & NAME_MAX as u64;
            let begin = end - needed;
            write_volatile(start, begin as u32);
            let mut place = path.add((begin & (TEXT_MAX as u64 - 1)) as usize);
            if !detached {
                place.write(b'/');
                place = place.add(1);
            }
            bpf_probe_read_kernel(place.cast(), len as u32, entry[2] as *const _);
            if detached {
                write_volatile(notes, u32::from(text::DETACHED));
                break;
            }
            dentry = Addr(entry[0]);
        }
    }
}

/// Puts the text of the last walk where it belongs, and does the next one; `false` when none is left.
///
/// In this order and not the other, because the verifier looks at what follows the steps of a walk once for
/// each of them: with nothing but a tail call behind them that costs next to nothing.
///
/// # Safety
/// See [`set_root`].
#[inline(always)]
pub(crate) unsafe fn next<Body>(this: *mut LargeScratch) -> bool {
    // SAFETY: as the caller promises; the index is checked.
    unsafe {
        let index = read_volatile(addr_of!((*this).job));
        if let Some(last) = job(this, index.wrapping_sub(1)) {
            finish::<Body>(this, last);
        }
        if index >= read_volatile(addr_of!((*this).job_count)) {
            return false;
        }
        let Some(job) = job(this, index) else {
            return false;
        };
        write_volatile(addr_of_mut!((*this).job), index + 1);
        walk(
            this,
            read_volatile(addr_of!((*job).mount)),
            read_volatile(addr_of!((*job).dentry)),
        );
        true
    }
}

#[inline(always)]
unsafe fn job(this: *mut LargeScratch, index: u32) -> Option<*const Job> {
    // SAFETY: the caller's scratch; the index is checked.
    unsafe {
        let all = addr_of!((*this).jobs);
        ((index as usize) < (*all).len()).then(|| all.cast::<Job>().add(index as usize))
    }
}

/// # Safety
/// See [`set_root`]; the job must have been walked last.
#[inline(always)]
unsafe fn finish<Body>(this: *mut LargeScratch, job: *const Job) {
    // SAFETY: as the caller promises; the slot is checked.
    unsafe {
        let dentry = read_volatile(addr_of!((*job).dentry));
        let slot = read_volatile(addr_of!((*job).slot)) as usize;
        // A root is never hashed, so that only a dentry with another parent can have lost its name.
        if dentry.load::<u64>(DENTRY_HASH_PPREV) == 0 && dentry.follow(DENTRY_PARENT) != dentry {
            let notes = addr_of_mut!((*this).walk.notes);
            write_volatile(notes, read_volatile(notes) | u32::from(text::DELETED));
        }
        let text = LargeScratch::append_walked(this);
        if slot <= size_of::<vigia_abi::Header>() + size_of::<Body>() {
            let place = addr_of_mut!((*this).record)
                .cast::<u8>()
                .add(slot)
                .cast::<vigia_abi::Text>();
            write_volatile(addr_of_mut!((*place).offset), text.offset);
            write_volatile(addr_of_mut!((*place).len), text.len);
            write_volatile(addr_of_mut!((*place).flags), text.flags);
        }
    }
}
